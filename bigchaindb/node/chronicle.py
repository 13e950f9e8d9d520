"""What happened lately, as this node's own decision log tells it: for pages and overviews.

Invariants:

- What is called decided was decided so by this node, by its own signature; votes shown are well signed.  Counts of
  transactions are an index beside the log, and believed no further than any index is.
- The cost of a call depends on what is asked for, not on the length of the log: it is read from its end, or in samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from bigchaindb.exceptions import BlockError, TransactionError
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.node.view import read_vote
from bigchaindb.storage.records import TextRef

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from bigchaindb.model.block import Header
    from bigchaindb.model.transaction import Transaction
    from bigchaindb.model.vote import Vote
    from bigchaindb.node.node import Node
    from bigchaindb.storage.records import DecisionRow, StoredTransaction

__all__ = ["Chronicle", "Entry", "Mark", "Settled"]

_READ_AT_ONCE: Final = 250
_SAMPLES: Final = 100
_DOUBLINGS: Final = 40
_REMEMBERED_MARKS: Final = 4_096
_REMEMBERED_SIGNATURES: Final = 4_096
_REMEMBERED_TAILS: Final = 256
_TAIL: Final = 20

# What an honest node signs is far shorter; what is longer is read each time, so that nobody fills the memory with it.
_REMEMBERED_CHARACTERS: Final = 4_096

# Checking a signature costs more than all the rest, and whoever watches a page asks for the same again and again.
_remembered_vote = lru_cache(_REMEMBERED_SIGNATURES)(read_vote)


@dataclass(frozen=True, slots=True)
class Entry:
    """A block as of now.

    Attributes:
        block_id: its id.
        header: None where storage does not hold the block any more.
        decision: this node's, or None.
        votes: the well-signed votes of its electorate, by voter.
    """

    block_id: str
    header: Header | None
    decision: Decision | None
    votes: Mapping[str, Vote]

    @property
    def verdict(self) -> bool | None:
        """How this node decided the block, None while it has not."""
        return None if self.decision is None else self.decision.verdict is Verdict.VALID


@dataclass(frozen=True, slots=True)
class Settled:
    """A transaction that is decided valid.

    Attributes:
        transaction: as it stands in its home.
        block_id: its home.
        timestamp: the time of that block, Unix seconds.
    """

    transaction: Transaction
    block_id: str
    timestamp: str


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a node's log had come at a time.

    Attributes:
        sequence: the decision.
        at: Unix seconds by the node's clock, never before the mark before.
        transactions: how many transactions were decided valid so far.
    """

    sequence: int
    at: float
    transactions: int


class Chronicle:
    """The newest of one node's log; may be asked from several threads."""

    def __init__(self, node: Node) -> None:
        """Read this node's log."""
        self._node = node
        self._storage = node.storage
        self._marks: dict[int, Mark] = {}
        self._tails: dict[str, tuple[str, ...]] = {}

    # --- blocks ----------------------------------------------------------------------------------------------

    def decided(self, before: int | None, limit: int) -> list[Entry]:
        """Return up to `limit` blocks that this node has decided, newest first.

        Args:
            before: a sequence number of the log, of which only what is before it is returned; None for the newest.
            limit: how many at the most.
        """
        latest = self._storage.latest_decision(self._node.me)
        last = latest.sequence if latest else 0
        if before is not None:
            last = min(last, before - 1)
        if last < 1:
            return []
        rows = self._storage.decisions(self._node.me, max(0, last - limit), min(limit, last))
        return self._entries([decision for row in reversed(rows) if (decision := self._own(row))])

    def undecided(self, limit: int) -> list[Entry]:
        """Return up to `limit` of the blocks that this node has checked and not decided, newest first."""
        notes = self._storage.open_sightings(self._node.me, checked=True, limit=limit, newest_until=math.inf)
        ids = list(dict.fromkeys(note.block_id for note in reversed(notes)))
        # A note lags behind the decision, and is only a note.
        decided = self._node.view.verdicts(ids)
        return self._entries_of([block_id for block_id in ids if block_id not in decided], {})

    def entry(self, block_id: str) -> Entry:
        """Return what is known of one block."""
        decisions: dict[str, Decision] = {}
        for row in self._storage.decisions_on([block_id]).get(block_id, []):
            decision = self._own(row) if row.node == self._node.me else None
            if decision and decision.block_id == block_id:
                decisions[block_id] = decision
        return self._entries_of([block_id], decisions)[0]

    def _entries(self, decisions: Iterable[Decision]) -> list[Entry]:
        by_block = {decision.block_id: decision for decision in decisions}
        return self._entries_of(list(by_block), by_block)

    def _entries_of(self, ids: Sequence[str], decisions: Mapping[str, Decision]) -> list[Entry]:
        headers = self._node.view.headers(ids)
        places = self._storage.votes(ids) if ids else {}
        return [
            Entry(block_id, headers[block_id], decisions.get(block_id), _votes(block_id, headers[block_id], found))
            for block_id in ids
            for found in [places.get(block_id, {})]
        ]

    def _own(self, row: DecisionRow) -> Decision | None:
        decision = _decision_in(row.text)
        if decision is None or (decision.node, decision.ledger) != (self._node.me, self._node.ledger):
            return None
        return decision if decision.sequence == row.sequence else None

    # --- transactions ----------------------------------------------------------------------------------------

    def settled(self, ids: Collection[str]) -> dict[str, Settled]:
        """Return those of these transactions that are decided valid.

        The home of each is the valid block of the least id that holds it.
        """
        notes = self._node.view.notes(ids) if ids else {}
        valid = {txid: [note for note in found if note.verdict] for txid, found in notes.items()}
        homes = {txid: min(found, key=lambda note: note.block_id) for txid, found in valid.items() if found}
        if not homes:
            return {}
        stored = self._storage.contents([TextRef(note.transaction_hash, txid) for txid, note in homes.items()])
        headers = self._node.view.headers({note.block_id for note in homes.values()})
        told: dict[str, Settled] = {}
        for txid, note in homes.items():
            header = headers[note.block_id]
            transaction = self._read(stored.get(note.transaction_hash))
            if header and transaction and transaction.id == txid:
                told[txid] = Settled(transaction, note.block_id, header.timestamp)
        return told

    def _read(self, stored: StoredTransaction | None) -> Transaction | None:
        try:
            return self._node.view.read(stored) if stored else None
        except TransactionError:
            return None  # junk in shared storage

    def newest(self, entries: Iterable[Entry], limit: int) -> list[Settled]:
        """Return the last transactions of some blocks decided valid, the last of the first block first.

        Args:
            entries: blocks, of which those that are not decided valid are passed over.
            limit: how many transactions at the most, and at the most `_TAIL` of one block.
        """
        ids = [entry.block_id for entry in entries if entry.verdict]
        if len(self._tails) > _REMEMBERED_TAILS:
            self._tails.clear()
        unknown = [block_id for block_id in ids if block_id not in self._tails]
        for block_id, stored in (self._storage.blocks(unknown) if unknown else {}).items():
            self._tails[block_id] = tuple(txid for item in stored for txid in item.transaction_ids[: -_TAIL - 1 : -1])
        told = list(dict.fromkeys(txid for block_id in ids for txid in self._tails.get(block_id, ())))[:limit]
        found = self.settled(told)
        return [found[txid] for txid in told if txid in found]

    # --- how fast --------------------------------------------------------------------------------------------

    def pace(self, since: float) -> list[Mark]:
        """Return how far the log had come at several times from `since` on, oldest first.

        Where there was much to decide, these are samples: at most `_SAMPLES` and the last `_READ_AT_ONCE`.  The first
        mark is the last one before `since`, if there is one.

        Args:
            since: Unix seconds.
        """
        latest = self._storage.latest_decision(self._node.me)
        if latest is None:
            return []
        first = max(0, latest.sequence - _READ_AT_ONCE)
        rows = self._storage.decisions(self._node.me, first, _READ_AT_ONCE)
        newest = [mark for row in rows if (mark := self._mark_of(row))]
        marks = newest
        if newest and newest[0].at > since and newest[0].sequence > 1:
            marks = [*self._samples(newest[0].sequence, since), *newest]
        return _in_window(marks, since)

    def _samples(self, before: int, since: float) -> list[Mark]:
        start = before
        for doubling in range(_DOUBLINGS):
            start = max(1, before - _READ_AT_ONCE * 2**doubling)
            mark = self._mark(start)
            if start == 1 or (mark is not None and mark.at < since):
                break
        # Multiples of a power of two, so that the next who asks finds most of them remembered.
        step = 1 << max(0, ((before - start) // _SAMPLES).bit_length())
        sequences = [start, *range((start // step + 1) * step, before, step)]
        return [mark for sequence in sequences if (mark := self._mark(sequence))]

    def _mark(self, sequence: int) -> Mark | None:
        if sequence not in self._marks:
            rows = self._storage.decisions(self._node.me, sequence - 1, 1)
            mark = self._mark_of(rows[0]) if rows else None
            if mark is None or mark.sequence != sequence:
                return None
            if len(self._marks) >= _REMEMBERED_MARKS:
                self._marks.clear()
            self._marks[sequence] = mark
        return self._marks.get(sequence)

    def _mark_of(self, row: DecisionRow) -> Mark | None:
        decision = self._own(row)
        return Mark(row.sequence, float(decision.timestamp), row.valid_transactions) if decision else None


def _in_window(marks: Sequence[Mark], since: float) -> list[Mark]:
    """Return the marks from the last one before the window on, as a count and a clock that never go back."""
    steady: list[Mark] = []
    for mark in marks:
        before = steady[-1] if steady else mark
        steady.append(Mark(mark.sequence, max(mark.at, before.at), max(mark.transactions, before.transactions)))
    first = sum(mark.at < since for mark in steady)
    return steady[max(0, first - 1) :]


def _votes(block_id: str, header: Header | None, places: Mapping[str, str]) -> dict[str, Vote]:
    voters = header.voters if header else ()
    found = {node: _vote_in(places[node], block_id, node) for node in voters if node in places}
    return {node: vote for node, vote in found.items() if vote}


def _vote_in(text: str, block_id: str, node: str) -> Vote | None:
    read = _remembered_vote if len(text) <= _REMEMBERED_CHARACTERS else read_vote
    return read(text, block_id, node)


def _decision_in(text: str) -> Decision | None:
    read = _remembered_decision if len(text) <= _REMEMBERED_CHARACTERS else _read_decision
    return read(text)


def _read_decision(text: str) -> Decision | None:
    try:
        return Decision.from_text(text)
    except BlockError:
        return None


_remembered_decision = lru_cache(_REMEMBERED_SIGNATURES)(_read_decision)
