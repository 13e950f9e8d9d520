"""The block builder: from the backlog into blocks (design.md 3.2).

Invariants:

- Nothing is taken out of the backlog by building: an entry leaves when its transaction is decided or refused.
- The builder's memory is a cache; a new builder reads everything again from storage.
- A bounded number of its own blocks is undecided at any time.
- A builder that was started waits until its node's voter has been through the blocks that there are.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

from bigchaindb import crypto
from bigchaindb.consensus.fulfillments import check_operation
from bigchaindb.consensus.selection import choose, turn, turn_by
from bigchaindb.consensus.tally import is_quorum
from bigchaindb.exceptions import BlockError, OperationError, TransactionError
from bigchaindb.model.block import MAX_TRANSACTIONS, Block
from bigchaindb.model.rejection import Rejection
from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.node import counters
from bigchaindb.node.membership import is_behind
from bigchaindb.node.node import stored_block
from bigchaindb.node.recorded import quorum_verdict
from bigchaindb.node.view import BLOCK_STALL_SECONDS
from bigchaindb.pipeline.every import Every
from bigchaindb.pipeline.waiting_room import Entry, WaitingRoom
from bigchaindb.storage import changes
from bigchaindb.storage.records import RejectionRow, Sighting, TextRef

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.consensus.selection import Choice, Refusal
    from bigchaindb.model.transaction import Transaction
    from bigchaindb.node.node import Node
    from bigchaindb.storage.records import StoredTransaction

__all__ = ["Builder"]

_MAX_OWN_UNDECIDED: Final = 4
_PAGE: Final = 1_000
_LEAST_PAGE: Final = 32
_PAGE_BYTES: Final = 4 * 2**20
_RESCAN_SECONDS: Final = 10.0
_REEXAMINE_SECONDS: Final = 5.0
_LISTEN_SECONDS: Final = 1.0
_LISTENED_TO: Final = 250
_TICK_SECONDS: Final = 1e-6
_TURN: Final = 0.5
_MAX_PHASE: Final = 0.25
_OPEN_BLOCKS: Final = 100
_VOTING_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class Builder:
    """One node's block builder; `step` does what there is to do.

    Attributes:
        waits_for: the changes that can give it something to do.
    """

    def __init__(
        self,
        node: Node,
        *,
        block_interval_seconds: float = 0.05,
        backlog_reassign_delay_seconds: float = 30.0,
        said: set[str] | None = None,
    ) -> None:
        """Start with an empty memory.

        Args:
            node: whose builder it is.
            block_interval_seconds: how long a busy one waits for a full block.
            backlog_reassign_delay_seconds: how long others may take for what is theirs to build.
            said: what this process has logged, and logs only once; it outlives the builder.
        """
        self._said = set() if said is None else said
        self._node = node
        self._storage = node.storage
        self.waits_for: Final = (changes.BACKLOG, changes.decisions_of(node.me))
        self._block_interval_seconds = block_interval_seconds
        self._reassign_delay_seconds = backlog_reassign_delay_seconds
        self._room = WaitingRoom()
        # Another for each node, so that nodes which wait again and again never do it in step.
        self._phase = _MAX_PHASE * int(crypto.hash_data(node.me)[:8], 16) / 2**32
        self._cursor: str | None = None
        self._rescan = Every(_RESCAN_SECONDS)
        self._is_read_through = True
        self._page = min(_LEAST_PAGE, _PAGE)
        self._reexamine = Every(_REEXAMINE_SECONDS)
        self._own_undecided: dict[str, tuple[list[str], float]] = {}
        self._listen = Every(_LISTEN_SECONDS)
        self._caught_up = False
        self._noted_all_at = float("inf")
        self._last_time = 0.0
        self._stepped_at = float("-inf")
        latest = self._storage.latest_decision(node.me)
        self._decisions_read = latest.sequence if latest else 0

    def step(self) -> bool:
        """Read what is new, and build a block if it is time for one.

        Returns:
            Whether there may be more to do at once.

        Raises:
            StorageError: nothing is lost; step again.
        """
        now = self._node.clock()
        if now < self._stepped_at:
            # The clock was set back, and all that waits until a time would wait that much longer.
            self._room, self._cursor = WaitingRoom(), None
        self._stepped_at = now
        more = self._read_decisions()
        more = self._read_backlog(now) or more
        self._take_over(now)
        if self._reexamine.is_due(now):
            # Not all at once: what is read anew must not have to wait behind any amount of it.
            self._room.unblock_before(now - _REEXAMINE_SECONDS, MAX_TRANSACTIONS)
        candidates = self._room.ready(MAX_TRANSACTIONS)
        if not candidates or not self._is_time(candidates, now) or not self._has_caught_up(now):
            return more
        self._build([entry.transaction for entry in candidates], now)
        return True

    def seconds_until_due(self) -> float | None:
        """Return how long the entries at hand may wait for company; None where none may be built."""
        oldest = self._room.ready(1)
        now = self._node.clock()
        if not oldest or not self._caught_up or self._in_flight(now) >= _MAX_OWN_UNDECIDED:
            return None
        return max(0.0, oldest[0].seen_at + self._block_interval_seconds - now)

    def _has_caught_up(self, now: float) -> bool:
        """Tell whether this node has been through all blocks since it was started; it builds nothing before.

        What it should build may stand in a block that others have taken it into meanwhile and wait to decide: building
        it once more would split the votes, until both blocks stall.
        """
        if not self._caught_up and self._node.view.has_noted_all():
            self._noted_all_at = min(self._noted_all_at, now)
            newest = self._storage.open_sightings(
                self._node.me, checked=True, limit=_OPEN_BLOCKS, newest_until=math.inf
            )
            ids = [sighting.block_id for sighting in newest]
            votes = self._storage.votes(ids) if ids else {}
            voted = all(self._node.me in votes.get(block_id, {}) for block_id in ids)
            # There may be blocks that the voter cannot vote on yet.
            self._caught_up = voted or now - self._noted_all_at >= _VOTING_SECONDS
        return self._caught_up

    def _is_time(self, candidates: Sequence[Entry], now: float) -> bool:
        in_flight = self._in_flight(now)
        if in_flight == 0 or in_flight >= _MAX_OWN_UNDECIDED:
            return in_flight == 0
        return len(candidates) >= MAX_TRANSACTIONS or now - candidates[0].seen_at >= self._block_interval_seconds

    def _in_flight(self, now: float) -> int:
        """Return how many blocks of its own are undecided and have not stalled; stalled ones hold up nobody."""
        return sum(abs(now - built_at) < BLOCK_STALL_SECONDS for _, built_at in self._own_undecided.values())

    # --- what is new -----------------------------------------------------------------------------------------

    def _read_decisions(self) -> bool:
        rows = self._storage.decisions(self._node.me, self._decisions_read, _PAGE, may_lag=True)
        # What is read while it is written may have a gap; it is read on from there.
        rows = [row for number, row in enumerate(rows, self._decisions_read + 1) if row.sequence == number]
        others = [row.block_id for row in rows if row.block_id not in self._own_undecided]
        stored = self._storage.blocks(others) if others else {}
        # Whose times are asked for as soon as the next block is built.
        self._node.view.learn_blocks(stored)
        for row in rows:
            own = self._own_undecided.pop(row.block_id, None)
            # Of other nodes' blocks, what the index says: nothing that counts may follow from that.
            ids = own[0] if own else [i for b in stored.get(row.block_id, []) for i in b.transaction_ids]
            for txid in ids:
                if row.verdict:
                    self._room.settle(txid)
                else:
                    self._room.unblock(txid)
            self._decisions_read = row.sequence
        return bool(rows)

    def _read_backlog(self, now: float) -> bool:
        if self._is_read_through and self._rescan.is_due(now):
            # What another node stored with a slow clock may stand before the cursor; and what was forgotten because
            # there was too much of it.
            self._cursor = None
        read = 0
        while self._room.has_room and read < _PAGE:
            page = self._storage.backlog(self._cursor, self._page)
            self._is_read_through = len(page) < self._page
            mine: dict[str, TextRef] = {}
            for entry in page:
                self._cursor = entry.cursor
                # Somebody may have let it wait twice, and say something else of it there.
                if entry.text.hash not in self._room and entry.text.hash not in mine:
                    before = self._turn(entry.assigning)
                    if before > 0:
                        self._leave(entry.text.hash, entry.text.id, before, now)
                    else:
                        mine[entry.text.hash] = entry.text
            texts = self._storage.contents(list(mine.values())) if mine else {}
            for text_hash in mine:
                if text_hash in texts:
                    self._admit(texts[text_hash], now)
            if self._is_read_through:
                return False
            read += len(page)
            if texts:
                # So many as would not be too large in memory, if the next are like these.
                mean_bytes = sum(len(stored.text) for stored in texts.values()) // len(texts) + 1
                self._page = min(_PAGE, max(_LEAST_PAGE, min(2 * self._page, _PAGE_BYTES // mean_bytes)))
        return self._room.has_room

    def _admit(self, stored: StoredTransaction, seen_at: float, *, mine: bool = False) -> None:
        """Take an entry in if it is assigned to this node or the caller says that it is its turn; else leave it."""
        try:
            transaction = self._node.view.read(stored)
        except TransactionError as error:
            # It got here past `write`, by somebody else's hand.
            self._log_once("malformed transaction", stored.id, str(error))
            self._reject([(stored.hash, stored.id, str(error), None)])
            return
        if (transaction.hash, transaction.id) != (stored.hash, stored.id):
            # In a block nobody would find it, and its neighbours would have to wait.
            self._log_once("transaction under a false key", stored.id, "hash or id is not that of the text")
            self._reject([(stored.hash, stored.id, "is stored under a false hash or id", None)])
            return
        before = 0 if mine else turn(transaction, self._node.federation, self._node.me)
        if before > 0:
            # Whoever stored it said otherwise.
            self._leave(stored.hash, stored.id, before, seen_at)
            return
        self._room.add(Entry(transaction, seen_at))

    def _turn(self, assigning: str) -> int:
        """Return how many members come before this node, as whoever stored a transaction says."""
        if len(self._node.federation) == 1:
            return 0
        try:
            return turn_by(assigning, self._node.federation, self._node.me)
        except ValueError:
            return 0  # its text tells

    def _leave(self, text_hash: str, txid: str, before: int, now: float) -> None:
        """Leave a transaction for a while to the members whose turn comes before this node's.

        Each node waits for another while, and while nothing can be built it waits again: nodes that take over together
        build the same, and split the votes until their blocks stall.
        """
        patience = self._reassign_delay_seconds * (1 + _TURN * (before - 1 + self._phase))
        self._room.leave(text_hash, txid, now, now + patience)

    def _take_over(self, now: float) -> None:
        """Take over what other nodes have left waiting too long; look into what some of them have rejected."""
        if self._listen.is_due(now):
            self._look_into(self._rejected_elsewhere(now), now)
        hashes = self._room.overdue(now, self._page)
        if not hashes:
            return
        seen = {text_hash: self._room.take(text_hash) for text_hash in dict.fromkeys(hashes)}
        waiting = self._storage.waiting([txid for txid, _ in seen.values()])
        first_built = self._first_built(list(waiting))
        is_stuck = self._in_flight(now) >= _MAX_OWN_UNDECIDED
        for txid, found in waiting.items():
            seen_at = now if is_stuck else first_built.get(txid, 0.0)
            is_due = now >= seen_at + self._reassign_delay_seconds
            for stored in found:
                if stored.hash in seen:
                    self._admit(stored, seen[stored.hash][1] if is_due else seen_at, mine=is_due)

    def _first_built(self, ids: Sequence[str]) -> dict[str, float]:
        """Return when this node first saw those of these in a block that are in an undecided one."""
        # Not the last time, or somebody could keep a transaction back by building it again and again.
        standings = self._node.view.notes(ids) if ids else {}
        return {
            txid: min(s.seen_at for s in found)
            for txid, found in standings.items()
            if any(s.verdict is None for s in found)
        }

    def _rejected_elsewhere(self, now: float) -> dict[str, str]:
        """Return what another member says can never become valid, of some entries left to others: ids by hash."""
        # Most are decided sooner, and need not be looked up at all.
        left = self._room.left(_LISTENED_TO, now - _LISTEN_SECONDS)
        rejections = self._storage.rejections(list(left.values())) if left else {}
        rejected = {row.hash for rows in rejections.values() for row in rows}
        return {text_hash: txid for text_hash, txid in left.items() if text_hash in rejected}

    def _look_into(self, suspects: dict[str, str], now: float) -> None:
        """Reject those of these that can never become valid; the others stay another node's to build."""
        waiting = self._node.view.waiting(list(suspects.values())) if suspects else {}
        transactions = [t for found in waiting.values() for t in found if t.hash in suspects]
        if transactions:
            block_time, newest = self._times(now)
            choice = choose(transactions, self._node.view, block_time=block_time, newest_decided=newest)
            self._node.view.remember(choice.build)
            if choice.refused:
                self._refuse(choice.refused)

    # --- building --------------------------------------------------------------------------------------------

    def _build(self, candidates: Sequence[Transaction], now: float) -> None:
        block_time, newest = self._times(now)
        choice = choose(candidates, self._node.view, block_time=block_time, newest_decided=newest)
        self._set_aside(choice, now)
        if not choice.build:
            return
        block = Block.build(
            choice.build,
            ledger=self._node.ledger,
            voters=self._node.federation,
            timestamp=block_time,
            key=self._node.key,
        )
        ids = [t.id for t in choice.build]
        tags = b"".join(self._node.view.mark(t) for t in choice.build)
        with self._storage.batch():
            self._storage.write_block(stored_block(block, ids, tags))
            self._storage.sight(self._node.me, [Sighting(block.key, block.id, now, checked=True)])
        self._last_time = float(block_time)
        self._node.view.learn_header(block)
        self._own_undecided[block.id] = (ids, now)
        if len(self._node.federation) > 1:
            # That is likely to be spent next, by what another member let in and this one has to check.
            self._node.view.learn_outputs(choice.build)
        for transaction in choice.build:
            self._room.block(transaction.hash, [transaction.id], now)
        _log.debug("block %s with %d transactions", block.id, len(ids))

    def _times(self, now: float) -> tuple[str, str]:
        """Return the time of a block built now, and that of the newest decided block."""
        newest = self._node.newest_decided()
        # Never the same time twice: a block built anew must not be the very one that was decided invalid.
        return max(format_timestamp(now), format_timestamp(self._last_time + _TICK_SECONDS), newest, key=float), newest

    def _set_aside(self, choice: Choice, now: float) -> None:
        for transaction, blockers in choice.blocked:
            before = turn(transaction, self._node.federation, self._node.me)
            if before == 0:
                self._room.block(transaction.hash, blockers, now)
            else:
                self._room.remove(transaction.hash)
                self._leave(transaction.hash, transaction.id, before, now)
        if choice.settled:
            self._clear({t.id for t in choice.settled})
            for transaction in choice.settled:
                self._room.remove(transaction.hash)
        if choice.refused:
            self._refuse(choice.refused)

    def _clear(self, ids: set[str]) -> None:
        """Take valid transactions out of the backlog once a quorum has recorded the decision."""
        homes: dict[str, list[str]] = {}
        for txid, standings in self._node.view.notes(sorted(ids)).items():
            for standing in standings:
                if standing.verdict:
                    homes.setdefault(standing.block_id, []).append(txid)
        headers = self._node.view.headers(homes)
        decided = self._storage.decisions_on(list(homes))
        done = [
            txid
            for block_id, txids in homes.items()
            if (header := headers.get(block_id))
            and quorum_verdict(decided.get(block_id, []), block_id, header, self._node.quorum)
            for txid in txids
        ]
        self._storage.drop_backlog(ids=done)

    def _refuse(self, refusals: Sequence[Refusal]) -> None:
        strangers = []
        for refusal in refusals:
            try:
                check_operation(refusal.transaction, self._node.federation)
            except OperationError as error:
                strangers.append(refusal)
                self._log_once("CREATE by a stranger", refusal.transaction.id, str(error))
        if strangers and is_behind(self._node):
            # Who is a stranger to this node may be none to the others: it has not heard yet, or was removed itself.
            for refusal in strangers:
                self._room.remove(refusal.transaction.hash)
            refusals = [refusal for refusal in refusals if refusal not in strangers]
        if refusals:
            self._reject([(r.transaction.hash, r.transaction.id, r.reason, r.evidence) for r in refusals])

    def _log_once(self, kind: str, txid: str, detail: str) -> None:
        # Once per kind, not per transaction: strangers must not be able to fill the log.
        if kind not in self._said:
            self._said.add(kind)
            _log.warning("%s rejected: %s: %s", kind, txid, detail)

    def _reject(self, refusals: Sequence[tuple[str, str, str, str | None]]) -> None:
        """Record that texts can never become valid: (hash, transaction id, reason, evidence) of each."""
        rows = []
        for text_hash, txid, reason, evidence in refusals:
            rejection = Rejection.sign(
                ledger=self._node.ledger,
                transaction_hash=text_hash,
                transaction_id=txid,
                reason=reason,
                evidence=evidence,
                timestamp=format_timestamp(self._node.clock()),
                key=self._node.key,
            )
            rows.append(RejectionRow(text_hash, txid, self._node.me, rejection.text))
            _log.debug("transaction %s rejected: %s", txid, reason)
        with self._storage.batch():
            self._storage.reject(rows)
            self._storage.drop_backlog(texts=self._rejected_by_quorum(rows))
            counters.add(self._storage, self._node.me, {counters.REJECTED: len(rows)})
        for row in rows:
            self._room.remove(row.hash)
            self._room.unblock(row.id)

    def _rejected_by_quorum(self, rows: Sequence[RejectionRow]) -> list[TextRef]:
        found = self._storage.rejections([row.id for row in rows])
        texts = []
        for row in rows:
            rejecting = {r.node for r in found.get(row.id, []) if self._is_rejection(r, row.hash)}
            nodes = rejecting & set(self._node.federation)
            if is_quorum(len(nodes | {self._node.me}), len(self._node.federation), self._node.quorum):
                texts.append(TextRef(row.hash, row.id))
        return texts

    def _is_rejection(self, row: RejectionRow, text_hash: str) -> bool:
        """Tell whether a row holds a rejection of that text, in this ledger, by the node that it names."""
        try:
            rejection = Rejection.from_text(row.text)
        except BlockError:
            return False
        told = (rejection.ledger, rejection.transaction_hash, rejection.node)
        return told == (self._node.ledger, text_hash, row.node)
