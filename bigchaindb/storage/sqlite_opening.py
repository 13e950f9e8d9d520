"""Opening the file of the SQLite backend: what it must be, and how it comes to be.

Invariants:

- A file that is not this ledger's is refused before anything is opened for writing, so not a byte of it changes.
- However many create the same file at once, one of them fills it, in one transaction, and all succeed.
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
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, Final

from bigchaindb.exceptions import StorageMismatch
from bigchaindb.storage import sqlite_sql as sql
from bigchaindb.storage.sqlite_file import SqliteFile, patiently, translated

__all__ = ["BUSY_SECONDS", "open_file"]

BUSY_SECONDS: Final = 10.0
_SMALL_PAGES: Final = 1000
_CACHED_STATEMENTS: Final = 512


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
    try:
        if create:
            _make_file(path)
        _check_place(path, create=create)
        if path.stat().st_size or not create:
            _check_contents(path, busy_seconds)
        return _open(path, create=create, busy_seconds=busy_seconds)
    except sqlite3.Error as error:
        raise translated(error, path) from error
    except OSError as error:
        raise StorageMismatch(f"{path}: cannot hold a ledger: {error.strerror or error}") from error


def _connect(path: Path, mode: str, timeout: float = 0) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?{mode}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
    )


# --- the place ---------------------------------------------------------------------------------------------


def _make_file(path: Path) -> None:
    missing = [parent for parent in path.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        # Appears in one step and is closed by then: a later close would drop the locks of who opened it meanwhile.
        descriptor, temporary = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        os.close(descriptor)
        try:
            with suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            Path(temporary).unlink()


def _check_place(path: Path, *, create: bool) -> None:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise StorageMismatch(f"{path}: there is no ledger here; `bigchaindb init` makes one") from None
    if not stat.S_ISREG(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "no regular file"
        raise StorageMismatch(f"{path}: this is {what}, not a ledger")
    if not found.st_size and not create:
        raise StorageMismatch(f"{path}: this file is empty; `bigchaindb init` makes it a ledger")
    if not os.access(path, os.R_OK | os.W_OK):
        raise StorageMismatch(f"{path}: this user may not read and write this file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StorageMismatch(f"{path}: this user may not write in the directory of this file, where its log must be")


# --- what is in it -----------------------------------------------------------------------------------------


def _check_contents(path: Path, busy_seconds: float) -> None:
    """Refuse a file that is not a sound ledger, by reading alone."""
    log = Path(f"{path}-wal")
    # Where no log is, nobody uses the file, and it can be read without leaving a trace beside it.
    traceless = not log.exists()
    try:
        _check_with(path, "mode=ro&immutable=1" if traceless else "mode=ro", busy_seconds)
    except (sqlite3.Error, StorageMismatch):
        if not traceless or not log.exists():
            raise
        # Somebody began to use it meanwhile, so that reading had to be wrong.
        _check_with(path, "mode=ro", busy_seconds)


def _check_with(path: Path, mode: str, busy_seconds: float) -> None:
    with closing(_connect(path, mode, busy_seconds)) as connection:
        _check_header(connection, path)
        pages = _value(connection, "PRAGMA page_count")
        expected_bytes = pages * _value(connection, "PRAGMA page_size")
        if "immutable" in mode and path.stat().st_size < expected_bytes:
            raise StorageMismatch(f"{path}: the ledger is damaged: the file ends before its {pages} pages do")
        _check_schema(connection, path)
        if pages <= _SMALL_PAGES:
            complaint = _value(connection, "PRAGMA quick_check(1)")
            if complaint != "ok":
                raise StorageMismatch(f"{path}: the ledger is damaged: {' '.join(str(complaint).split())}")


def _check_header(connection: sqlite3.Connection, path: Path) -> None:
    try:
        application = _value(connection, "PRAGMA application_id")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        raise StorageMismatch(
            f"{path}: this is no SQLite database, or its first page is damaged; it was left as it is"
        ) from error
    if application != sql.APPLICATION_ID:
        raise StorageMismatch(f"{path}: this is an SQLite database of another application; it was left as it is")
    version = _value(connection, "PRAGMA user_version")
    if version != sql.FORMAT_VERSION:
        raise StorageMismatch(
            f"{path}: this ledger has format {version}, and this release uses {sql.FORMAT_VERSION}: "
            "use the release that wrote it, or a later one"
        )


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    expected = _shapes()
    found = _shapes_in(connection)
    for name, shape in expected.items():
        if found.get(name) != shape:
            raise StorageMismatch(f"{path}: the ledger is damaged: its {name} is not as this release makes it")
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


def _value(connection: sqlite3.Connection, statement: str) -> Any:
    return connection.execute(statement).fetchone()[0]


# --- opening -----------------------------------------------------------------------------------------------


def _open(path: Path, *, create: bool, busy_seconds: float) -> SqliteFile:
    deadline = time.monotonic() + busy_seconds
    with ExitStack() as undo:
        connection = undo.enter_context(closing(_connect(path, "mode=rw")))
        if create:
            _fill(connection, deadline)
        patiently(connection, "PRAGMA application_id", deadline=deadline)
        _check_header(connection, path)
        mode = patiently(connection, "PRAGMA journal_mode = WAL", deadline=deadline).fetchone()[0]
        if mode != "wal":
            raise StorageMismatch(f"{path}: SQLite cannot keep a write-ahead log here (it says {mode!r})")
        file = SqliteFile(path, connection, busy_seconds=busy_seconds)
        undo.pop_all()
        return file


def _fill(connection: sqlite3.Connection, deadline: float) -> None:
    """Make the tables unless there are any."""
    if patiently(connection, "PRAGMA application_id", deadline=deadline).fetchone()[0]:
        return
    patiently(connection, "BEGIN EXCLUSIVE", deadline=deadline)
    try:
        if not _value(connection, "SELECT count(*) FROM sqlite_master"):
            for statement in sql.SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {sql.APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {sql.FORMAT_VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
