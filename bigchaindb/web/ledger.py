"""The ledger as the web server holds it: opened when it is first needed, and opened anew after it was away.

Invariants:

- While the database is away whoever asks is told so at once, with `StorageUnavailable`; only while it is being opened
  does anybody wait, a moment.
- It is opened by one thread at a time, and tried again after a bounded, growing delay.  What was just opened is not
  opened anew: an error has to come back before it counts.
- What is wrong with it is logged once, until it is opened anew: those who ask are not told.
- Threads that still use what was open before are not disturbed: it is closed when the next is replaced in turn.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb.exceptions import LedgerError, StorageError, StorageUnavailable
from bigchaindb.node.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.exceptions import BigchainDBError
    from bigchaindb.node.node import Node

__all__ = ["Ledger"]

_FIRST_RETRY_SECONDS: Final = 0.1
_LAST_RETRY_SECONDS: Final = 2.0
_REST_SECONDS: Final = 5.0
_PATIENCE_SECONDS: Final = 0.5
_MOST_TOLD: Final = 20
_OPENING: Final = StorageUnavailable("the database is being opened; ask again in a moment")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Opened:
    node: Node
    queries: Queries


class Ledger:
    """A node for many threads."""

    def __init__(self, open_: Callable[[], Node]) -> None:
        """Remember how to open it; nothing is opened yet."""
        self._open = open_
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._before: _Opened | None = None
        self._doubted = True
        self._retry_at = 0.0
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._problem: StorageUnavailable = _OPENING
        self._told: set[str] = set()

    @property
    def node(self) -> Node:
        """The node.

        Raises:
            StorageUnavailable: the database is away.
            StorageError: it is not this node's any more.
            LedgerError: the same.
        """
        return self._current().node

    @property
    def queries(self) -> Queries:
        """What can be asked of it; raises as `node`."""
        return self._current().queries

    def another(self) -> Ledger:
        """Return the same for somebody who would wait too long for others, with a connection of its own."""
        return Ledger(self._open)

    def doubt(self, error: BigchainDBError | None = None) -> None:
        """Say that the database has failed somebody, so that it is opened anew for whoever comes next.

        Args:
            error: what to log, if it was not.
        """
        self._doubted = True
        message = str(error or self._problem)
        # There are not many, unless they say each time something else.
        if message not in {str(self._problem), *self._told} and len(self._told) < _MOST_TOLD:
            self._told.add(message)
            _log.warning("database fails: %s", message)

    def close(self) -> None:
        """Release the database."""
        with self._lock:
            for opened in (self._opened, self._before):
                if opened is not None:
                    opened.node.storage.close()
            self._opened = self._before = None
            self._doubted = True

    def _current(self) -> _Opened:
        if self._doubted and time.monotonic() >= self._retry_at:
            # Whoever still has the one before need not wait for the next.
            patience = 0.0 if self._opened else _PATIENCE_SECONDS
            if self._lock.acquire(timeout=patience):
                try:
                    # Somebody else may have been at it meanwhile.
                    if self._doubted and time.monotonic() >= self._retry_at:
                        self._reopen()
                finally:
                    self._lock.release()
        opened = self._opened
        if opened is None:
            raise StorageUnavailable(str(self._problem)) from self._problem
        return opened

    def _reopen(self) -> None:
        was_away = self._opened is None and self._problem is not _OPENING
        try:
            node = self._open()
        except StorageUnavailable as error:
            if not was_away:
                _log.warning("database is away: %s", error)
            self._problem = error
            self._rest()
            self._replace(None)
            return
        except (StorageError, LedgerError):
            self._rest()
            raise
        if was_away:
            _log.info("database is back")
        self._replace(_Opened(node, Queries(node)))
        self._doubted = False
        self._told.clear()
        self._retry_at = time.monotonic() + _REST_SECONDS
        self._retry_seconds = _FIRST_RETRY_SECONDS

    def _rest(self) -> None:
        self._retry_at = time.monotonic() + self._retry_seconds
        self._retry_seconds = min(_LAST_RETRY_SECONDS, 2 * self._retry_seconds)

    def _replace(self, opened: _Opened | None) -> None:
        if self._before is not None:
            self._before.node.storage.close()
        self._before, self._opened = self._opened, opened
