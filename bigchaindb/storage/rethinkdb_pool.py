"""The connections of one process to RethinkDB: shared by its threads, made when needed, replaced when lost.

Invariants:

- A query has one connection for as long as it runs.  There are never more than a few connections.
- What could not be sent was not stored.  Where a connection broke after that, nobody knows: the caller is told, and
  nothing is sent a second time from here, because only the caller knows what may be repeated.
- While the server is away it is asked at growing intervals; calls in between fail at once.  An outage is logged once,
  and so is its end.
- A pool belongs to the process that made it: after a fork it refuses to work.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.exceptions import ConfigurationError, StorageUnavailable
from bigchaindb.storage.rethinkdb_driver import Connection, of_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bigchaindb.storage.rethinkdb_driver import Server

__all__ = ["Pool"]

_MAX_CONNECTIONS: Final = 8
_TURN_SECONDS: Final = 30.0
_ADMINISTER_SECONDS: Final = 40.0
_FIRST_RETRY_SECONDS: Final = 0.05
_LAST_RETRY_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class Pool:
    """Connections to one database."""

    def __init__(self, server: Server) -> None:
        """Connect once.

        Raises:
            StorageUnavailable: the server cannot be reached.
            ConfigurationError: it does not let this user in.
        """
        self.server = server
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._idle: list[Connection] = []
        self._used = 0
        self._closed = False
        self._problem: StorageUnavailable | None = None
        self._retry_at = 0.0
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._idle.append(Connection(server))

    # --- queries ---------------------------------------------------------------------------------------------

    def read(self, query: Any, *, decides: bool = True) -> Any:
        """Run a query that changes nothing; a sequence comes back as a list.

        Args:
            query: with `r`.
            decides: read only what a majority of the replicas has on disk.  Otherwise what the primary replica has in
                memory, which costs less: for what is checked by its hash, or only shown.

        Raises:
            BigchainDBError: see `rethinkdb_driver.translated`.
        """
        options: dict[str, Any] = {"read_mode": "majority"} if decides else {}
        with self._connection() as connection:
            return connection.run(query, **options)

    def write(self, query: Any) -> Any:
        """Run a query that writes; it returns when a majority of the replicas has all of it on disk.

        Returns:
            What the query returns: the server's counts, as a rule.

        Raises:
            StorageUnavailable: it is not known what was written.
            BigchainDBError: see `rethinkdb_driver.translated`; the server refused some or all of it.
        """
        with self._connection() as connection:
            result = connection.run(query, durability="hard", read_mode="majority")
        if isinstance(result, dict) and result.get("errors"):
            raise of_message(" ".join(str(result.get("first_error")).split())[:200], self.server)
        return result

    def administer(self, query: Any) -> Any:
        """Run a query about databases and tables, rather than what is in them: that may take longer.

        Raises:
            BigchainDBError: see `rethinkdb_driver.translated`.
        """
        with self._connection() as connection:
            return connection.run(query, answer_seconds=_ADMINISTER_SECONDS)

    def hint(self, query: Any) -> None:
        """Run a query that writes what may be lost.

        Raises:
            BigchainDBError: see `rethinkdb_driver.translated`.
        """
        with self._connection() as connection:
            connection.run(query, durability="soft")

    # --- connections -----------------------------------------------------------------------------------------

    def check_open(self) -> None:
        """Raise StorageUnavailable where nothing may be asked any more.

        Raises:
            StorageUnavailable: the pool is closed, or another process's.
        """
        if os.getpid() != self._process:
            raise StorageUnavailable(f"{self.server}: opened before a fork; a child process opens its own")
        if self._closed:
            raise StorageUnavailable(f"{self.server}: this connection is closed")

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        self.check_open()
        connection = self._take()
        try:
            yield connection
        except StorageUnavailable as error:
            if not connection.is_usable():
                self._lost(error)
            raise
        finally:
            self._give_back(connection)

    def _take(self) -> Connection:
        with self._changed:
            free = self._changed.wait_for(lambda: self._closed or self._used < _MAX_CONNECTIONS, _TURN_SECONDS)
            self.check_open()
            if not free:
                raise StorageUnavailable(f"{self.server}: all {_MAX_CONNECTIONS} connections are busy")
            while self._idle:
                connection = self._idle.pop()
                if connection.is_usable():
                    self._used += 1
                    return connection
                connection.close()
            if self._problem is not None and time.monotonic() < self._retry_at:
                raise StorageUnavailable(str(self._problem)) from self._problem
            self._used += 1
        try:
            connection = Connection(self.server)
        except (StorageUnavailable, ConfigurationError) as error:
            with self._changed:
                self._used -= 1
                self._changed.notify()
            # Whoever opened this pool was let in: that may be so again.
            problem = StorageUnavailable(str(error))
            self._lost(problem)
            raise problem from error
        self._back()
        return connection

    def _give_back(self, connection: Connection) -> None:
        with self._changed:
            self._used -= 1
            if not self._closed and connection.is_usable():
                self._idle.append(connection)
            else:
                connection.close()
            self._changed.notify()

    def _lost(self, problem: StorageUnavailable) -> None:
        with self._changed:
            if self._closed:
                return
            if self._problem is None:
                _log.warning("database is away: %s", problem)
                self._retry_seconds = _FIRST_RETRY_SECONDS
                self._retry_at = 0.0
            else:
                self._retry_at = time.monotonic() + self._retry_seconds
                self._retry_seconds = min(_LAST_RETRY_SECONDS, 2 * self._retry_seconds)
            self._problem = problem

    def _back(self) -> None:
        with self._changed:
            if self._problem is not None:
                _log.info("database is back: %s", self.server)
            self._problem = None

    def close(self) -> None:
        """Close all connections; those in use when their queries end."""
        if os.getpid() != self._process:
            return
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        for connection in idle:
            connection.close()
