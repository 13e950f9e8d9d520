"""Word of changes, between the connections to one RethinkDB: whoever has written rings its bell, the others listen.

Every connection that writes has one small document and counts in it, and notes at which count it last told of what
(`changes`).  A changefeed on these documents alone tells of writes to any table, at the price of one small soft write
per batch, not of a message per document.

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
    from collections.abc import Collection, Iterable, Mapping

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
        self._rung_of: dict[str, int] = {}
        self._others = r.table(BELLS).filter(r.row["id"] != writer).pluck("id", "rung", "of")
        self._changed = threading.Condition()
        self._counts: dict[str, tuple[object, Mapping[str, object]]] = {}
        # How many bells have rung, and at which of these something was told last; under None, by one that did not say.
        self._heard = 0
        self._heard_of: dict[str | None, int] = {}
        self._of_thread = threading.local()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._feed: Connection | None = None
        self._is_listening = False
        self._look()
        self._heard, self._heard_of = 0, {}

    # --- ringing ---------------------------------------------------------------------------------------------

    def ring(self, news: Collection[str]) -> None:
        """Tell the others that something was written, and what; where that fails they find out by themselves."""
        with self._changed:
            self._rung += 1
            rung = self._rung
            self._rung_of.update(dict.fromkeys(news, rung))
            bell = {"id": self._writer, "rung": rung, "of": dict(self._rung_of), "at": r.now().to_epoch_time()}
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

    def wait(self, timeout_seconds: float, of: Collection[str] = ()) -> bool:
        """Wait until another bell has rung, for any of these, since this call last returned in this thread.

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
                self._changed.wait_for(lambda: self._closed or self._has_heard(seen, of), max(0.0, pause))
                if self._closed:
                    raise StorageUnavailable(f"{self._pool.server}: this connection is closed")
                is_listening = self._is_listening
            if not is_listening:
                self._look()
            with self._changed:
                has_heard = self._has_heard(seen, of)
                if has_heard or deadline <= time.monotonic():
                    self._of_thread.seen = self._heard
                    return has_heard

    def _has_heard(self, seen: int, of: Collection[str]) -> bool:
        """Tell whether something was told after so many bells, of this or of nobody knows what."""
        return self._heard > seen if not of else any(self._heard_of.get(news, 0) > seen for news in (*of, None))

    def _look(self) -> None:
        """Ask, where nobody tells."""
        self._hear(self._pool.read(self._others, decides=False))

    def _hear(self, bells: Iterable[Any]) -> None:
        with self._changed:
            for bell in bells:
                # Whoever rings otherwise is heard too: it is a hint.
                name, rung, of = str(bell["id"]), bell.get("rung"), bell.get("of")
                before, before_of = self._counts.get(name, (None, {}))
                if before != rung and not _is_older(rung, before):
                    says = isinstance(of, dict)
                    self._counts[name] = rung, of if says else {}
                    self._heard += 1
                    told = {news for news, at in of.items() if before_of.get(news) != at} if says else {None}
                    self._heard_of.update(dict.fromkeys(told, self._heard))
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


def _is_older(rung: object, before: object) -> bool:
    """Tell whether a count was overtaken by one that was heard already: two threads of its writer rang at once."""
    return isinstance(rung, int) and isinstance(before, int) and rung < before
