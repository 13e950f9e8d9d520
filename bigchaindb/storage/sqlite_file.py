"""One connection to the file of the SQLite backend: its transactions, its turn among writers, its errors.

Invariants:

- Every error of the driver passes one door, `using`, and becomes a `StorageError`: damage is a `StorageMismatch`,
  everything else `StorageUnavailable`.
- A write is one transaction, or part of one that a batch began.  When it fails, nothing of that transaction is stored,
  and what is left of the batch is refused.
- Whoever wants to write waits in a queue shared by all processes, so that nobody is overtaken for long; a killed
  process leaves the queue with it.  Whoever waits longer than `busy_seconds` is told so.
- A connection belongs to the process that opened it: after a fork it refuses to work.
- No descriptor of the database file is ever opened but by SQLite: closing one would drop the locks that every other
  connection of this process holds on that file.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.exceptions import InvalidValue, StorageError, StorageMismatch, StorageUnavailable
from bigchaindb.storage import sqlite_sql as sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bigchaindb.exceptions import BigchainDBError
    from bigchaindb.storage.sqlite_sql import Query

__all__ = ["LOG_ENDINGS", "SqliteFile", "patiently", "translated", "try_lock"]

LOG_ENDINGS: Final = ("-wal", "-shm", "-journal")

_TURN_SECONDS: Final = 0.0003
_POLL_SECONDS: Final = 0.003
_LOG_BYTES: Final = 64 * 1024 * 1024
_EMPTYING_SECONDS: Final = 0.5
_CHUNKS: Final = (1, 8, 64, 500)

# Damage, and what only damage can bring about: our statements fit our tables, and so do our values.
_DAMAGE: Final = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_SCHEMA,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_EMPTY,
    }
)
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

_SETTINGS: Final = (
    # A write that has returned survives a loss of power.
    "PRAGMA synchronous = FULL",
    # The pages that one batch changes must fit, or they are written twice: 1,000 transactions of the ledger change some
    # 3,000.  More would not help: what another process commits empties this cache.
    "PRAGMA cache_size = -32768",
    # Each page that changes is copied to the file once per checkpoint, however often it changed: so not too often, but
    # whoever commits the last of these pages does the work (16 MiB: about 40 ms).
    "PRAGMA wal_autocheckpoint = 4000",
    f"PRAGMA journal_size_limit = {_LOG_BYTES}",
    # Only sorts of bounded results need it.
    "PRAGMA temp_store = MEMORY",
    # Everything stored here is public: what is deleted need not be overwritten.
    "PRAGMA secure_delete = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA trusted_schema = OFF",
)

# What a child process found open after a fork: SQLite forbids it to touch, even to close, such a connection.
_left_alone: list[sqlite3.Connection] = []


def translated(error: Exception, path: Path) -> BigchainDBError:
    """Return what an error of the driver, or of the system below it, means for the ledger."""
    if isinstance(error, (OverflowError, UnicodeEncodeError, sqlite3.ProgrammingError, sqlite3.InterfaceError)):
        return InvalidValue(f"{path}: a value that no ledger can hold: {error}")
    # The driver says in two ways, and without a code, that a stored text is no UTF-8.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    if isinstance(error, UnicodeDecodeError) or (isinstance(error, sqlite3.Error) and code & 0xFF in _DAMAGE):
        return StorageMismatch(f"{path}: the ledger is damaged: {error}")
    return StorageUnavailable(f"{path}: the ledger cannot be used now: {error}")


def patiently(
    connection: sqlite3.Connection, statement: str, parameters: Sequence[object] = (), *, deadline: float
) -> sqlite3.Cursor:
    """Run a statement; where others are in the way, again and again until a time of `time.monotonic`."""
    while True:
        try:
            return connection.execute(statement, parameters)
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY
            if not busy or connection.in_transaction or time.monotonic() >= deadline:
                raise
        time.sleep(_TURN_SECONDS)


class SqliteFile:
    """One connection to one file, shared by the threads of one process."""

    def __init__(self, path: Path, connection: sqlite3.Connection, *, busy_seconds: float) -> None:
        """Take over a connection to a checked file.

        Args:
            path: the file.
            connection: in autocommit mode, without a busy timeout, usable from any thread.
            busy_seconds: how long to wait for others at the most.

        Raises:
            BigchainDBError: as in `using`.
        """
        self.path = path
        self._connection: sqlite3.Connection | None = connection
        self._busy_seconds = busy_seconds
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._in_batch = False
        self._spoiled = False
        self._log_bound = _LOG_BYTES
        self._of_thread = threading.local()
        self._queue = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        with ExitStack() as undo:
            undo.callback(self.close)
            with self.using():
                self._identity = _identity(path)
                for setting in _SETTINGS:
                    self._execute(setting)
                self._version_at_start = self._version()
            undo.pop_all()

    # --- the door --------------------------------------------------------------------------------------------

    @contextmanager
    def using(self) -> Iterator[None]:
        """Use the connection, as the only thread.

        Raises:
            StorageUnavailable: closed, used after a fork, busy, full, or the disk fails.
            StorageMismatch: the file is damaged.
            InvalidValue: an argument that cannot be stored: no UTF-8, or an integer of more than 64 bits.
        """
        with self._alone():
            if self._spoiled:
                raise self._failed_batch()
            with self._door():
                yield

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # Before the lock: a thread that the child does not have may have held it.
        if os.getpid() != self._process:
            raise StorageUnavailable(f"{self.path}: opened before a fork; a child process opens its own")
        if not self._lock.acquire(timeout=self._busy_seconds):
            raise StorageUnavailable(f"{self.path}: another thread keeps this connection busy")
        try:
            if self._connection is None:
                raise StorageUnavailable(f"{self.path}: this connection is closed")
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _door(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, OverflowError, UnicodeError) as error:
            # SQLite may have undone the transaction; the rest of a batch must not be stored alone.
            self._spoiled = self._in_batch
            raise translated(error, self.path) from error

    def _failed_batch(self) -> StorageUnavailable:
        return StorageUnavailable(f"{self.path}: this batch has failed and stores nothing")

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StorageUnavailable(f"{self.path}: this connection is closed")
        return self._connection

    @property
    def in_transaction(self) -> bool:
        """Whether what is read now may never be committed."""
        return self._open.in_transaction

    # --- reading ---------------------------------------------------------------------------------------------

    def rows(self, query: Query, *parameters: object) -> list[Any]:
        """Return all rows of a query that bounds them."""
        return self._sound(query, self._execute(query.text, parameters).fetchall())

    def value(self, query: Query) -> int:
        """Return the one number of a query that always has one."""
        ((value,),) = self.rows(query)
        return int(value)

    def rows_of(self, query: Query, keys: Iterable[object], *before: object) -> list[Any]:
        """Return all rows of a query with `{keys}`, however many there are.

        Args:
            query: one that orders its rows by key, if at all.
            keys: what to look up; repeats give repeats.
            before: parameters in front of the keys.
        """
        return self._sound(query, self._chunked(query.text, list(keys), 1, before))

    def rows_of_tuples(self, query: Query, tuples: Sequence[tuple[object, ...]]) -> list[Any]:
        """Return all rows of a query with `{pairs}` or `{triples}`, however many there are."""
        width = len(tuples[0]) if tuples else 1
        return self._sound(query, self._chunked(query.text, [value for each in tuples for value in each], width, ()))

    def _sound(self, query: Query, rows: list[Any]) -> list[Any]:
        if not query.shapes.issuperset({tuple(map(type, row)) for row in rows}):
            raise self.damaged("a row with values of another kind than was stored")
        return rows

    def damaged(self, how: str) -> StorageMismatch:
        """Return the error that says what cannot be in a sound file."""
        return StorageMismatch(f"{self.path}: the ledger is damaged: {how}")

    def _chunked(self, statement: str, values: list[object], width: int, before: tuple[object, ...]) -> list[Any]:
        # Few sizes, so that the driver finds each statement prepared; NULL fills up and equals nothing.
        found: list[Any] = []
        largest = _CHUNKS[-1] * width
        for start in range(0, len(values), largest):
            chunk = values[start : start + largest]
            count = next(size for size in _CHUNKS if size * width >= len(chunk))
            chunk += [None] * (count * width - len(chunk))
            found += self._execute(sql.expanded(statement, count), (*before, *chunk)).fetchall()
        return found

    def _execute(
        self, statement: str, parameters: Sequence[object] = (), deadline: float | None = None
    ) -> sqlite3.Cursor:
        if deadline is None:
            deadline = time.monotonic() + self._busy_seconds
        return patiently(self._open, statement, parameters, deadline=deadline)

    # --- writing ---------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write in one transaction, or as part of the batch that this thread is in.

        Raises:
            BigchainDBError: as in `using`; nothing was stored.
        """
        with self.using():
            if self._in_batch:
                self._spoiled = True
                yield
                self._spoiled = False
            else:
                try:
                    self._begin()
                    yield
                    self._commit()
                finally:
                    self._roll_back()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Write in one transaction all that this thread writes until the end of the block.

        Raises:
            BigchainDBError: as in `using`; nothing was stored.
            StorageError: inside a batch.
        """
        with self._alone():
            if self._in_batch:
                raise StorageError(f"{self.path}: batches do not nest")
            # Errors of the caller's block are the caller's: only what is ours goes through the door.
            try:
                with self._door():
                    self._begin()
                self._in_batch = True
                yield
                if self._spoiled:
                    raise self._failed_batch()
                with self._door():
                    self._commit()
            finally:
                self._in_batch = self._spoiled = False
                self._roll_back()

    def _begin(self) -> None:
        self._check_place()
        deadline = time.monotonic() + self._busy_seconds
        with self._turn(deadline - self._busy_seconds / 2):
            self._execute("BEGIN IMMEDIATE", deadline=deadline)

    @contextmanager
    def _turn(self, deadline: float) -> Iterator[None]:
        # SQLite's own way to wait sleeps longer and longer, so whoever waits is overtaken by whoever just came.  Here
        # only the first in the queue tries.  Should the queue not move (somebody stopped in it), there is still SQLite.
        while not try_lock(self._queue) and time.monotonic() < deadline:
            time.sleep(_TURN_SECONDS)
        try:
            yield
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)

    def _commit(self) -> None:
        self._execute("COMMIT")
        # What fails from here on takes nothing of the commit away; it will be met again.
        with suppress(sqlite3.Error, OSError):
            if self._log_size() > self._log_bound:
                self._empty_log()

    def _log_size(self) -> int:
        return Path(f"{self.path}-wal").stat().st_size

    def _empty_log(self) -> None:
        """Begin the log anew.

        SQLite does that by itself when it finds a moment without readers and writers.  Under a load where there is none
        the log would grow for ever; so make one, and when a reader stays all that time, wait for as much again.
        """
        deadline = time.monotonic() + _EMPTYING_SECONDS
        emptied = False
        with self._turn(deadline):
            while not emptied and time.monotonic() < deadline:
                emptied = not self._execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0]
                if not emptied:
                    time.sleep(_TURN_SECONDS)
        self._log_bound = _LOG_BYTES if emptied else self._log_size() + _LOG_BYTES

    def _check_place(self) -> None:
        """Refuse to write into a file that nobody will find again."""
        with suppress(FileNotFoundError):
            if _identity(self.path) == self._identity:
                return
        raise StorageUnavailable(f"{self.path}: the ledger was removed or replaced while it was in use")

    def _roll_back(self) -> None:
        """Undo what is not committed, if anything."""
        if self._connection is not None and self._connection.in_transaction:
            # Where even this fails, the transaction ends with the connection.
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def write(self, statement: str, rows: Iterable[Sequence[object]]) -> int:
        """Run a statement for each row; return how many rows of the table changed."""
        return self._open.executemany(statement, rows).rowcount

    def write_of(self, statement: str, keys: Iterable[object]) -> int:
        """Run a statement with `{keys}`; return how many rows of the table changed."""
        before = self._open.total_changes
        self._chunked(statement, list(keys), 1, ())
        return self._open.total_changes - before

    # --- changes by others -----------------------------------------------------------------------------------

    def wait_for_change(self, timeout_seconds: float) -> bool:
        """Wait until another connection has committed something since this call last returned in this thread.

        Raises:
            BigchainDBError: as in `using`.
        """
        seen: int = getattr(self._of_thread, "version_seen", self._version_at_start)
        deadline = time.monotonic() + timeout_seconds
        while True:
            with self.using():
                version = self._version()
            left = deadline - time.monotonic()
            if version != seen or left <= 0:
                self._of_thread.version_seen = version
                return version != seen
            time.sleep(min(left, _POLL_SECONDS))

    def _version(self) -> int:
        version: int = self._execute("PRAGMA data_version").fetchone()[0]
        return version

    # --- the end ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connection; the last one to do so merges the log into the file."""
        if os.getpid() != self._process:
            if self._connection is not None:
                _left_alone.append(self._connection)
            self._connection = None
            return
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                os.close(self._queue)
                with suppress(sqlite3.Error):
                    connection.close()

    def remove(self) -> None:
        """Delete the file and all that is beside it, and close.

        Raises:
            StorageUnavailable: others use it.  (SQLite finds the log by its name: whoever closes an old file would
                delete the log of a new one at its place.)
            BigchainDBError: as in `using`.
        """
        with self.using():
            if self._in_batch:
                raise StorageError(f"{self.path}: not to be dropped inside a batch")
            try:
                self._execute("PRAGMA journal_mode = DELETE")
            except sqlite3.OperationalError as error:
                raise StorageUnavailable(f"{self.path}: others still use this ledger: {error}") from error
            for ending in ("", *LOG_ENDINGS, ".lock"):
                Path(f"{self.path}{ending}").unlink(missing_ok=True)
            self.close()


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def try_lock(descriptor: int) -> bool:
    """Take a lock that the system releases when this process ends; return whether nobody else had it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
