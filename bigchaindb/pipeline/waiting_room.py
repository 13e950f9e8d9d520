"""What a builder knows of the backlog: who is ready, who waits for what, and what is some other node's for now.

Invariants:

- Every entry is in exactly one of three places: ready, blocked, or left to another node.
- Its size is bounded, in entries and in bytes; what does not fit is read again later, since the backlog itself is in
  storage.
- Nothing that waits keeps what is ready out: where too much is blocked, what has been for longest is forgotten.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bigchaindb.model.transaction import Transaction

__all__ = ["Entry", "WaitingRoom"]

MAX_READY: Final = 2_000
MAX_BLOCKED: Final = 8_000
# Of canonical text; a transaction that was read takes some three times that.
MAX_READY_BYTES: Final = 8 * 2**20
MAX_BLOCKED_BYTES: Final = 24 * 2**20
MAX_FOREIGN: Final = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction that this node may build.

    Attributes:
        transaction: the signed transaction.
        seen_at: when this builder first saw it, Unix seconds by its clock.
    """

    transaction: Transaction
    seen_at: float


@dataclass(frozen=True, slots=True)
class _Blocked:
    """An entry that waits.

    Attributes:
        entry: what waits.
        since: Unix seconds.
        blockers: ids of the transactions for one of which it waits.
    """

    entry: Entry
    since: float
    blockers: frozenset[str]


class WaitingRoom:
    """The entries of the backlog that a builder has read and not seen settled."""

    def __init__(self) -> None:
        """Start empty."""
        self._ready: dict[str, Entry] = {}
        self._ready_bytes = 0
        self._blocked_bytes = 0
        self._blocked: dict[str, _Blocked] = {}
        self._blocked_by: dict[str, set[str]] = {}
        self._foreign: dict[str, tuple[str, float]] = {}
        self._foreign_texts: dict[str, set[str]] = {}
        self._overdue_at: list[tuple[float, str]] = []

    def __contains__(self, text_hash: str) -> bool:
        """Tell whether an entry is known, by the hash of its signed text."""
        return text_hash in self._ready or text_hash in self._blocked or text_hash in self._foreign

    @property
    def has_room(self) -> bool:
        """Whether more entries may be read."""
        return len(self._ready) < MAX_READY and self._ready_bytes < MAX_READY_BYTES

    def add(self, entry: Entry) -> None:
        """Take in an entry that is this node's to build."""
        self._take_ready(entry.transaction.hash)
        self._ready[entry.transaction.hash] = entry
        self._ready_bytes += entry.transaction.size_bytes

    def _take_ready(self, text_hash: str) -> Entry | None:
        entry = self._ready.pop(text_hash, None)
        if entry:
            self._ready_bytes -= entry.transaction.size_bytes
        return entry

    def leave(self, text_hash: str, txid: str, seen_at: float, until: float) -> None:
        """Note an entry that is another node's to build, until a time; where there are too many, it is not noted."""
        if len(self._foreign) >= MAX_FOREIGN:
            return
        self._foreign[text_hash] = (txid, seen_at)
        self._foreign_texts.setdefault(txid, set()).add(text_hash)
        heapq.heappush(self._overdue_at, (until, text_hash))

    def left(self, limit: int, since: float) -> dict[str, str]:
        """Return up to `limit` of the entries left to other nodes since a time at the latest: transaction id by hash.

        They are the oldest, and then the next, in turn.
        """
        some = {text_hash: txid for text_hash, (txid, seen_at) in self._some_foreign(limit) if seen_at <= since}
        for text_hash in some:
            self._foreign[text_hash] = self._foreign.pop(text_hash)
        return some

    def _some_foreign(self, limit: int) -> list[tuple[str, tuple[str, float]]]:
        return [item for item, _ in zip(self._foreign.items(), range(limit), strict=False)]

    def take(self, text_hash: str) -> tuple[str, float]:
        """Take out an entry left to another node; (transaction id, first seen)."""
        txid, seen_at = self._foreign.pop(text_hash)
        texts = self._foreign_texts[txid]
        texts.remove(text_hash)
        if not texts:
            del self._foreign_texts[txid]
        return txid, seen_at

    def overdue(self, now: float, limit: int) -> list[str]:
        """Return the hashes of up to `limit` of the other nodes' entries whose time is up: the caller takes them."""
        found: list[str] = []
        while self._overdue_at and self._overdue_at[0][0] <= now and len(found) < limit:
            _, text_hash = heapq.heappop(self._overdue_at)
            if text_hash in self._foreign:
                found.append(text_hash)
        return found

    def ready(self, limit: int) -> list[Entry]:
        """Return up to `limit` ready entries, oldest first."""
        return [entry for entry, _ in zip(self._ready.values(), range(limit), strict=False)]

    def block(self, text_hash: str, blockers: Iterable[str], now: float) -> None:
        """Let a ready entry wait until one of these transaction ids is decided, or for `unblock_before`."""
        entry = self._take_ready(text_hash)
        if entry is None:
            raise KeyError(text_hash)
        blocked = self._blocked[text_hash] = _Blocked(entry, now, frozenset(blockers))
        self._blocked_bytes += entry.transaction.size_bytes
        for blocker in blocked.blockers:
            self._blocked_by.setdefault(blocker, set()).add(text_hash)
        while len(self._blocked) > MAX_BLOCKED or self._blocked_bytes > MAX_BLOCKED_BYTES:
            self._free(next(iter(self._blocked)))

    def _free(self, text_hash: str) -> Entry | None:
        """Take out what is blocked; None where it is not."""
        blocked = self._blocked.pop(text_hash, None)
        if blocked is None:
            return None
        self._blocked_bytes -= blocked.entry.transaction.size_bytes
        for blocker in blocked.blockers:
            waiting = self._blocked_by[blocker]
            waiting.remove(text_hash)
            if not waiting:
                del self._blocked_by[blocker]
        return blocked.entry

    def unblock(self, txid: str) -> None:
        """Make ready what waits for a transaction id."""
        for text_hash in sorted(self._blocked_by.get(txid, ())):
            entry = self._free(text_hash)
            if entry:
                self.add(entry)

    def unblock_before(self, blocked_before: float, limit: int = MAX_BLOCKED) -> None:
        """Make ready up to `limit` of what has been blocked since before a time: time alone may have freed it."""
        for text_hash, blocked in list(self._blocked.items())[:limit]:
            if blocked.since < blocked_before:
                self._free(text_hash)
                self.add(blocked.entry)

    def remove(self, text_hash: str) -> None:
        """Forget an entry."""
        self._take_ready(text_hash)
        self._free(text_hash)
        if text_hash in self._foreign:
            self.take(text_hash)

    def settle(self, txid: str) -> None:
        """Forget what waits for this id because it *is* this transaction; make ready what else waits for it."""
        for text_hash in self._blocked_by.get(txid, set()).copy():
            if self._blocked[text_hash].entry.transaction.id == txid:
                self.remove(text_hash)
        for text_hash in self._foreign_texts.get(txid, set()).copy():
            self.take(text_hash)
        self.unblock(txid)
