"""Word of changes, between the connections to one RethinkDB: whoever has written rings its bell, the others listen.

Every connection that writes has one small document and counts in it.  A changefeed on these documents alone tells of
writes to any table, at the price of one small soft write per batch, not of a message per document.

Invariants:

- A bell is a hint.  It is rung after what it tells of is stored; one that is lost only delays, because whoever waits
  looks again after a while.
- What rang between two calls is not overslept, nor what rang while the changefeed was down: the counts show it.
- One's own bell is not heard.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.exceptions import BigchainDBError, StorageUnavailable
from bigchaindb.storage.rethinkdb_driver import Connection, r
from bigchaindb.storage.rethinkdb_schema import BELLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bigchaindb.storage.rethinkdb_pool import Pool

__all__ = ["Bells"]

# Whoever opens the ledger reads all bells.  One that was taken for litter is there again when it rings.
_LITTER_SECONDS: Final = 300
_LOOK_SECONDS: Final = 0.2
_FIRST_RETRY_SECONDS: Final = 0.1
_LAST_RETRY_SECONDS: Final = 2.0
_END_SECONDS: Final = 5.0


class Bells:
    """One connection's bell, and its ear for the others'."""

    def __init__(self, pool: Pool, writer: str) -> None:
        """Listen from now on.

        Args:
            pool: connections to the database.
            writer: a name that nobody else has.

        Raises:
            StorageUnavailable: the server cannot be reached.
        """
        self._pool = pool
        self._writer = writer
        self._rung = 0
        self._others = r.table(BELLS).filter(r.row["id"] != writer).pluck("id", "rung")
        self._changed = threading.Condition()
        self._counts: dict[str, object] = {}
        self._heard = 0
        self._of_thread = threading.local()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._feed: Connection | None = None
        self._is_listening = False
        self._look()
        self._heard = 0

    # --- ringing ---------------------------------------------------------------------------------------------

    def ring(self) -> None:
        """Tell the others that something was written; where that fails they find out by themselves."""
        with self._changed:
            self._rung += 1
            rung = self._rung
        bell = {"id": self._writer, "rung": rung, "at": r.now().to_epoch_time()}
        try:
            if rung == 1:
                # A process that was killed leaves its bell behind.
                litter = r.row["at"].lt(r.now().to_epoch_time() - _LITTER_SECONDS)
                self._pool.hint(r.table(BELLS).filter(litter).delete())
            self._pool.hint(r.table(BELLS).insert(bell, conflict="replace"))
        except BigchainDBError:
            # It was written: that nobody could be told is no reason to say it was not.
            return

    # --- listening -------------------------------------------------------------------------------------------

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until another bell has rung since this call last returned in this thread.

        Raises:
            StorageUnavailable: closed, or the server cannot be reached.
        """
        seen: int = getattr(self._of_thread, "seen", 0)
        deadline = time.monotonic() + timeout_seconds
        self._start()
        while True:
            with self._changed:
                left = deadline - time.monotonic()
                pause = min(left, threading.TIMEOUT_MAX if self._is_listening else _LOOK_SECONDS)
                self._changed.wait_for(lambda: self._closed or self._heard != seen, max(0.0, pause))
                if self._closed:
                    raise StorageUnavailable(f"{self._pool.server}: this connection is closed")
                is_listening = self._is_listening
            if not is_listening:
                self._look()
            if self._heard != seen or deadline <= time.monotonic():
                self._of_thread.seen = heard = self._heard
                return heard != seen

    def _look(self) -> None:
        """Ask, where nobody tells."""
        self._hear(self._pool.read(self._others, decides=False))

    def _hear(self, bells: Iterable[Any]) -> None:
        with self._changed:
            for bell in bells:
                # Whoever rings otherwise is heard too: it is a hint.
                name, rung = str(bell["id"]), bell.get("rung")
                if self._counts.get(name) != rung:
                    self._counts[name] = rung
                    self._heard += 1
            self._changed.notify_all()

    # --- the changefeed --------------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._changed:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._listen, name="bells", daemon=True)
                self._thread.start()

    def _listen(self) -> None:
        retry_seconds = _FIRST_RETRY_SECONDS
        while not self._closed:
            try:
                self._follow()
            except BigchainDBError:
                # Nothing to tell anybody: whoever waits looks for himself meanwhile, and finds out what is wrong.
                retry_seconds = min(_LAST_RETRY_SECONDS, 2 * retry_seconds)
            with self._changed:
                if self._is_listening:
                    retry_seconds = _FIRST_RETRY_SECONDS
                self._is_listening = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed, retry_seconds)

    def _follow(self) -> None:
        feed = Connection(self._pool.server, answer_seconds=None)
        try:
            with self._changed:
                self._feed = feed
                if self._closed:
                    return
            changes = self._others.changes(include_initial=True, include_states=True, squash=True)
            for change in feed.stream(changes):
                if change.get("new_val"):
                    self._hear([change["new_val"]])
                elif change.get("state") == "ready":
                    # All that rang before the changefeed began was heard.
                    with self._changed:
                        self._is_listening = True
        finally:
            feed.close()

    def close(self) -> None:
        """Listen no more; whoever waits is told."""
        with self._changed:
            self._closed = True
            feed, thread = self._feed, self._thread
            self._changed.notify_all()
        if feed is not None:
            feed.hang_up()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_END_SECONDS)
