"""Opening the file of the SQLite backend: what it must be, and how it comes to be.

Invariants:

- A file that is not this ledger's is refused before anything is opened for writing, so not a byte of it changes.
- A new ledger is made beside its place and moved there when it is whole; of many who make one, the first does.
- A small file is checked whole.  In a large one that would take minutes: there the tables' first pages are, and damage
  elsewhere is met, and told, when it is read.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import stat
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from bigchaindb.exceptions import StorageMismatch, StorageUnavailable
from bigchaindb.storage import sqlite_sql as sql
from bigchaindb.storage.sqlite_file import LOG_ENDINGS, SqliteFile, patiently, translated, try_lock

__all__ = ["BUSY_SECONDS", "open_file"]

BUSY_SECONDS: Final = 10.0
_SMALL_PAGES: Final = 1000
_RETRY_SECONDS: Final = 0.003
_CACHED_STATEMENTS: Final = 512
_DAMAGED: Final = (sqlite3.DatabaseError, UnicodeDecodeError)


def open_file(path: str | os.PathLike[str], *, create: bool, busy_seconds: float = BUSY_SECONDS) -> SqliteFile:
    """Open the ledger in a file.

    Args:
        path: the file.
        create: make it, and the directories above it, readable by this user alone, unless it is there.
        busy_seconds: how long to wait for others, here and in every later call.

    Raises:
        StorageMismatch: there is no ledger at that path, or none that this release can use; the message says what.
        StorageUnavailable: others kept it busy, or the disk fails.
    """
    path = Path(path).absolute()
    deadline = time.monotonic() + busy_seconds
    try:
        if create:
            _make(path, deadline)
        _check_place(path)
        _check_contents(path, deadline)
        with ExitStack() as undo:
            connection = undo.enter_context(closing(_connect(path, "mode=rw")))
            _check_header(connection, path, deadline)
            mode = _value(connection, "PRAGMA journal_mode = WAL", deadline)
            if mode != "wal":
                raise StorageMismatch(f"{path}: SQLite cannot keep a write-ahead log here (it says {mode!r})")
            file = SqliteFile(path, connection, busy_seconds=busy_seconds)
            undo.pop_all()
            return file
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise translated(error, path) from error
    except OSError as error:
        raise StorageMismatch(f"{path}: cannot hold a ledger: {error.strerror or error}") from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?{mode}",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
    )


# --- the place ---------------------------------------------------------------------------------------------


def _make(path: Path, deadline: float) -> None:
    """Make a new ledger unless something is there."""
    for parent in reversed([parent for parent in path.parents if not parent.exists()]):
        parent.mkdir(mode=0o700, exist_ok=True)
    if _is_something(path):
        return
    queue = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not try_lock(queue):
            if time.monotonic() >= deadline:
                raise StorageUnavailable(f"{path}: somebody else has begun to make this ledger and does not end")
            time.sleep(_RETRY_SECONDS)
        if not _is_something(path):
            _check_nothing_is_left(path)
            with tempfile.TemporaryDirectory(prefix=f"{path.name}.", dir=path.parent) as directory:
                new = Path(directory, "new")
                _fill(new)
                new.replace(path)
            _sync_directory(path.parent)
    finally:
        os.close(queue)


def _is_something(path: Path) -> bool:
    return path.exists() and (not path.is_file() or path.stat().st_size > 0)


def _check_nothing_is_left(path: Path) -> None:
    # SQLite would take a log that lies here for that of the new file.
    for ending in LOG_ENDINGS:
        if Path(f"{path}{ending}").exists():
            raise StorageMismatch(
                f"{path}: there is no ledger here, but {path.name}{ending}, without which some ledger lacks its latest "
                "writes; put that ledger back beside it, or remove it"
            )


def _fill(path: Path) -> None:
    path.touch(mode=0o600)
    with closing(_connect(path, "mode=rw")) as connection:
        connection.execute("BEGIN")
        for statement in sql.SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {sql.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {sql.FORMAT_VERSION}")
        connection.execute("COMMIT")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_place(path: Path) -> None:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise StorageMismatch(f"{path}: there is no ledger here; `bigchaindb init` makes one") from None
    if not stat.S_ISREG(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "no regular file"
        raise StorageMismatch(f"{path}: this is {what}, not a ledger")
    if not found.st_size:
        raise StorageMismatch(f"{path}: this file is empty; `bigchaindb init` makes it a ledger")
    if not os.access(path, os.R_OK | os.W_OK):
        raise StorageMismatch(f"{path}: this user may not read and write this file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StorageMismatch(f"{path}: this user may not write in the directory of this file, where its log must be")


# --- what is in it -----------------------------------------------------------------------------------------


def _check_contents(path: Path, deadline: float) -> None:
    """Refuse a file that is not a sound ledger, by reading alone."""
    log = Path(f"{path}-wal")
    # Read thus, SQLite leaves no trace beside the file, and looks for no log.
    alone = "mode=ro&immutable=1"
    try:
        with closing(_connect(path, alone)) as connection:
            _check_header(connection, path, deadline)
        with closing(_connect(path, "mode=ro" if log.exists() else alone)) as connection:
            _check_pages(connection, path, deadline)
    except _DAMAGED as error:
        if not log.exists():
            raise translated(error, path) from error
        # Without its log, such a file need not be whole.
        with closing(_connect(path, "mode=ro")) as connection:
            _check_header(connection, path, deadline)
            _check_pages(connection, path, deadline)


def _check_header(connection: sqlite3.Connection, path: Path, deadline: float) -> None:
    try:
        application = _value(connection, "PRAGMA application_id", deadline)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_NOTADB:
            raise
        raise StorageMismatch(
            f"{path}: this is no SQLite database, or its first page is damaged; it was left as it is"
        ) from error
    if application != sql.APPLICATION_ID:
        raise StorageMismatch(f"{path}: this is an SQLite database of another application; it was left as it is")
    version = _value(connection, "PRAGMA user_version", deadline)
    if version != sql.FORMAT_VERSION:
        raise StorageMismatch(
            f"{path}: this ledger has format {version}, and this release uses {sql.FORMAT_VERSION}: "
            "use the release that wrote it, or a later one"
        )


def _check_pages(connection: sqlite3.Connection, path: Path, deadline: float) -> None:
    pages = _value(connection, "PRAGMA page_count", deadline)
    if not Path(f"{path}-wal").exists() and path.stat().st_size < pages * _value(
        connection, "PRAGMA page_size", deadline
    ):
        raise sqlite3.DatabaseError(f"the file ends before its {pages} pages do")
    _check_schema(connection)
    if pages <= _SMALL_PAGES:
        complaint = _value(connection, "PRAGMA quick_check(1)", deadline)
        if complaint != "ok":
            raise sqlite3.DatabaseError(" ".join(str(complaint).split()))


def _check_schema(connection: sqlite3.Connection) -> None:
    expected = _shapes()
    found = _shapes_in(connection)
    for name, shape in expected.items():
        if found.get(name) != shape:
            raise sqlite3.DatabaseError(f"its {name} is not as this release makes it")
        if shape.startswith("CREATE TABLE"):
            connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchall()  # noqa: S608 - the name is ours


@functools.cache
def _shapes() -> dict[str, str]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in sql.SCHEMA:
            connection.execute(statement)
        return _shapes_in(connection)


def _shapes_in(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: " ".join(str(text).split()) for name, text in rows}


def _value(connection: sqlite3.Connection, statement: str, deadline: float) -> Any:
    return patiently(connection, statement, deadline=deadline).fetchone()[0]
