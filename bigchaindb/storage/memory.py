"""A ledger's database in the memory of one process: for tests, and for worlds that are thrown away.

Invariants:

- It keeps the contract of `interface` to the letter, in the plainest way there is.  The other backends are held
  against it.
- It has no transactions: inside `batch()` every write is done at once and stays, whatever comes after it.
- One lock guards all that the connections share, so every call is atomic.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count, dropwhile, islice, takewhile
from typing import TYPE_CHECKING, Final, TypeVar

from bigchaindb.exceptions import StorageError, StorageUnavailable
from bigchaindb.model.reference import OutputRef
from bigchaindb.storage import cursors
from bigchaindb.storage.grouping import grouped
from bigchaindb.storage.interface import Storage
from bigchaindb.storage.records import (
    BacklogEntry,
    DecisionRow,
    OutputRow,
    Standing,
    StoredTransaction,
    TextRef,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from bigchaindb.storage.records import (
        Effects,
        Lineage,
        NewTransaction,
        RejectionRow,
        Sighting,
        StoredBlock,
        VoteRow,
    )

__all__ = ["MemoryDatabase", "MemoryStorage"]

T = TypeVar("T")

_KEPT_PER_PLACE: Final = 4
_BEFORE_ALL: Final = 1


@dataclass
class _Contents:
    """All that is stored; every dict keeps the order in which things came."""

    genesis: StoredBlock | None = None
    transactions: dict[str, StoredTransaction] = field(default_factory=dict)
    texts: dict[str, list[StoredTransaction]] = field(default_factory=dict)
    spenders: dict[OutputRef, list[str]] = field(default_factory=dict)
    payloads: dict[str, dict[int, str]] = field(default_factory=dict)  # hash: {place of the first output: id}
    backlog: dict[str, BacklogEntry] = field(default_factory=dict)
    appended: int = 0
    blocks: dict[str, StoredBlock] = field(default_factory=dict)
    standing_in: dict[str, dict[tuple[str, str], None]] = field(default_factory=dict)  # id: {(block key, hash)}
    sightings: dict[str, dict[str, Sighting]] = field(default_factory=dict)  # node: {block key: note}
    votes: dict[str, dict[str, str]] = field(default_factory=dict)  # block id: {node: text}
    evidence: dict[VoteRow, None] = field(default_factory=dict)
    decisions: dict[str, dict[int, DecisionRow]] = field(default_factory=dict)  # node: {sequence: entry}
    decided: dict[str, dict[str, DecisionRow]] = field(default_factory=dict)  # block id: {node: entry}
    lineages: dict[OutputRef, Lineage] = field(default_factory=dict)
    lines: dict[tuple[str, int], OutputRef] = field(default_factory=dict)  # (asset, step): output
    holdings: dict[str, dict[OutputRef, int]] = field(default_factory=dict)  # owner: {output: its place}
    places: dict[OutputRef, int] = field(default_factory=dict)
    spent: dict[OutputRef, str] = field(default_factory=dict)
    gone: dict[OutputRef, int] = field(default_factory=dict)  # its place among what is spent
    rejections: dict[tuple[str, str], RejectionRow] = field(default_factory=dict)
    registers: dict[str, str] = field(default_factory=dict)


class MemoryDatabase:
    """What several connections share; hand one to each `MemoryStorage`."""

    def __init__(self) -> None:
        """Begin with nothing stored."""
        self.contents = _Contents()
        self.changed = threading.Condition()
        self.changes = 0


class MemoryStorage(Storage):
    """One connection to a database in memory; threads may share it."""

    def __init__(self, shared: MemoryDatabase | None = None) -> None:
        """Connect.

        Args:
            shared: the database to connect to; None for a new one of its own.
        """
        self._shared = shared or MemoryDatabase()
        self._closed = False
        self._own_changes = 0
        self._of_thread = threading.local()
        with self._shared.changed:
            self._changes_at_start = self._shared.changes

    @contextmanager
    def _reading(self) -> Iterator[_Contents]:
        with self._shared.changed:
            self._check_open()
            yield self._shared.contents

    @contextmanager
    def _writing(self) -> Iterator[_Contents]:
        with self._reading() as contents:
            try:
                yield contents
            finally:
                self._shared.changes += 1
                self._own_changes += 1
                self._shared.changed.notify_all()

    def _check_open(self) -> None:
        if self._closed:
            raise StorageUnavailable("the database in memory: this connection is closed")

    # --- life ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """See `Storage.close`."""
        with self._shared.changed:
            self._closed = True
            self._shared.changed.notify_all()

    def drop(self) -> None:
        """See `Storage.drop`."""
        with self._writing():
            self._shared.contents = _Contents()
        self.close()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """See `Storage.batch`; here every write is done at once."""
        with self._reading():
            if getattr(self._of_thread, "in_batch", False):
                raise StorageError("the database in memory: batches do not nest")
        self._of_thread.in_batch = True
        try:
            yield
        finally:
            self._of_thread.in_batch = False

    def wait_for_change(self, timeout_seconds: float, of: Collection[str] = ()) -> bool:  # noqa: ARG002 - told of all
        """See `Storage.wait_for_change`."""
        with self._shared.changed:
            # Each thread waits for itself: what one of them was told, the others have yet to hear.
            seen = getattr(self._of_thread, "changes_seen", self._changes_at_start)
            changed = self._shared.changed.wait_for(
                lambda: self._closed or self._foreign_changes() != seen, min(timeout_seconds, threading.TIMEOUT_MAX)
            )
            self._check_open()
            self._of_thread.changes_seen = self._foreign_changes()
        return changed

    def _foreign_changes(self) -> int:
        return self._shared.changes - self._own_changes

    # --- genesis ---------------------------------------------------------------------------------------------

    def create_genesis(
        self, block: StoredBlock, transaction: NewTransaction, payload_hash: str | None = None
    ) -> StoredBlock:
        """See `Storage.create_genesis`."""
        with self._writing() as contents:
            if contents.genesis is None:
                _keep(contents, transaction)
                if payload_hash is not None:
                    contents.payloads.setdefault(payload_hash, {})[_BEFORE_ALL] = transaction.id
                _keep_block(contents, block)
                contents.genesis = block
            return contents.genesis

    def genesis(self) -> StoredBlock | None:
        """See `Storage.genesis`."""
        with self._reading() as contents:
            return contents.genesis

    # --- backlog ---------------------------------------------------------------------------------------------

    def append_backlog(self, transactions: Sequence[NewTransaction], received_at: float) -> None:
        """See `Storage.append_backlog`."""
        with self._writing() as contents:
            for transaction in transactions:
                stored = _keep(contents, transaction)
                if stored.hash not in contents.backlog:
                    contents.appended += 1
                    contents.backlog[stored.hash] = BacklogEntry(
                        cursors.at(contents.appended),
                        received_at,
                        TextRef(stored.hash, stored.id),
                        transaction.assigning,
                    )

    def backlog(self, after: str | None, limit: int) -> list[BacklogEntry]:
        """See `Storage.backlog`."""
        start = cursors.at(cursors.position(after))
        with self._reading() as contents:
            return _first(limit, (entry for entry in contents.backlog.values() if entry.cursor > start))

    def waiting(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        """See `Storage.waiting`."""
        with self._reading() as contents:
            texts = [text for id_ in dict.fromkeys(ids) for text in contents.texts.get(id_, ())]
            waiting = [text for text in texts if text.hash in contents.backlog]
            waiting.sort(key=lambda text: contents.backlog[text.hash].cursor)
            return grouped((text.id, text) for text in waiting)

    def drop_backlog(self, *, ids: Sequence[str] = (), texts: Sequence[TextRef] = ()) -> None:
        """See `Storage.drop_backlog`."""
        with self._writing() as contents:
            of_ids = [text.hash for id_ in ids for text in contents.texts.get(id_, ())]
            for hash_ in (*of_ids, *_found(contents, texts)):
                contents.backlog.pop(hash_, None)

    def backlog_size(self) -> int:
        """See `Storage.backlog_size`."""
        with self._reading() as contents:
            return len(contents.backlog)

    # --- transactions ----------------------------------------------------------------------------------------

    def contents(self, texts: Sequence[TextRef]) -> dict[str, StoredTransaction]:
        """See `Storage.contents`."""
        with self._reading() as contents:
            return _found(contents, texts)

    def transactions(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        """See `Storage.transactions`."""
        with self._reading() as contents:
            return {id_: list(contents.texts[id_]) for id_ in ids if id_ in contents.texts}

    def spenders(self, outputs: Sequence[OutputRef]) -> dict[OutputRef, list[str]]:
        """See `Storage.spenders`."""
        with self._reading() as contents:
            return {output: list(contents.spenders[output]) for output in outputs if output in contents.spenders}

    def with_payload_hash(self, payload_hash: str, after: str | None, limit: int) -> list[tuple[str, str]]:
        """See `Storage.with_payload_hash`."""
        start = cursors.position(after)
        with self._reading() as contents:
            ids = sorted(contents.payloads.get(payload_hash, {}).items())
            return _first(limit, ((cursors.at(place), id_) for place, id_ in ids if place > start))

    # --- blocks ----------------------------------------------------------------------------------------------

    def write_block(self, block: StoredBlock) -> None:
        """See `Storage.write_block`."""
        with self._writing() as contents:
            _keep_block(contents, block)

    def blocks_after(
        self,
        cursor: str | None,
        limit: int,
        *,
        may_lag: bool = False,  # noqa: ARG002 - nothing lags here
    ) -> list[tuple[str, StoredBlock]]:
        """See `Storage.blocks_after`."""
        start = cursors.position(cursor)
        with self._reading() as contents:
            arrived = enumerate(contents.blocks.values(), start=1)
            return _first(limit, ((cursors.at(place), block) for place, block in arrived if place > start))

    def blocks(self, ids: Sequence[str]) -> dict[str, list[StoredBlock]]:
        """See `Storage.blocks`."""
        wanted = set(ids)
        with self._reading() as contents:
            return grouped((block.id, block) for block in contents.blocks.values() if block.id in wanted)

    def block_count(self) -> int:
        """See `Storage.block_count`."""
        with self._reading() as contents:
            return len(contents.blocks)

    # --- one node's notes on blocks --------------------------------------------------------------------------

    def sight(self, node: str, sightings: Sequence[Sighting]) -> None:
        """See `Storage.sight`."""
        with self._writing() as contents:
            notes = contents.sightings.setdefault(node, {})
            for new in sightings:
                old = notes.get(new.key, new)
                notes[new.key] = replace(
                    old,
                    checked=old.checked or new.checked,
                    verdict=new.verdict if old.verdict is None else old.verdict,
                )

    def sightings(self, node: str, keys: Sequence[str]) -> dict[str, Sighting]:
        """See `Storage.sightings`."""
        with self._reading() as contents:
            notes = contents.sightings.get(node, {})
            return {key: notes[key] for key in keys if key in notes}

    def open_sightings(
        self,
        node: str,
        *,
        checked: bool,
        limit: int,
        newest_until: float | None = None,
        after: str | None = None,
    ) -> list[Sighting]:
        """See `Storage.open_sightings`."""
        with self._reading() as contents:
            ordered = sorted(contents.sightings.get(node, {}).values(), key=lambda note: note.seen_at)
        behind = next((place for place, note in enumerate(ordered, 1) if note.key == after), 0)
        still_open = [note for note in ordered[behind:] if note.verdict is None and note.checked == checked]
        if newest_until is None:
            return _first(limit, still_open)
        return _first(limit, [note for note in still_open[::-1] if note.seen_at <= newest_until])[::-1]

    def standings(self, node: str, ids: Sequence[str], *, checked: bool = True) -> dict[str, list[Standing]]:
        """See `Storage.standings`."""
        with self._reading() as contents:
            noted = {key: note for key, note in contents.sightings.get(node, {}).items() if note.checked == checked}
            return grouped(
                (id_, Standing(noted[key].block_id, key, noted[key].seen_at, noted[key].verdict, hash_))
                for id_ in dict.fromkeys(ids)
                for key, hash_ in contents.standing_in.get(id_, ())
                if key in noted
            )

    # --- votes -----------------------------------------------------------------------------------------------

    def place_votes(self, votes: Sequence[VoteRow]) -> list[str]:
        """See `Storage.place_votes`."""
        with self._writing() as contents:
            for vote in votes:
                places = contents.votes.setdefault(vote.block_id, {})
                if places.get(vote.node) in {None, vote.replaces}:
                    places[vote.node] = vote.text
                elif places[vote.node] != vote.text:
                    _keep_evidence(contents, vote)
            return [contents.votes[vote.block_id][vote.node] for vote in votes]

    def votes(self, block_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """See `Storage.votes`."""
        with self._reading() as contents:
            return {block_id: dict(contents.votes[block_id]) for block_id in block_ids if block_id in contents.votes}

    def keep_evidence(self, votes: Sequence[VoteRow]) -> None:
        """See `Storage.keep_evidence`."""
        with self._writing() as contents:
            for vote in votes:
                _keep_evidence(contents, vote)

    def evidence(self, limit: int, after: VoteRow | None = None) -> list[VoteRow]:
        """See `Storage.evidence`."""
        with self._reading() as contents:
            rows = iter(contents.evidence)
            if after in contents.evidence:
                rows = islice(dropwhile(lambda row: row != after, rows), 1, None)
            return _first(limit, rows)

    # --- decisions -------------------------------------------------------------------------------------------

    def append_decisions(self, decisions: Sequence[DecisionRow]) -> list[str]:
        """See `Storage.append_decisions`."""
        with self._writing() as contents:
            return [_append_decision(contents, decision) for decision in decisions]

    def decisions(
        self,
        node: str,
        after_sequence: int,
        limit: int,
        *,
        may_lag: bool = False,  # noqa: ARG002 - nothing lags here
    ) -> list[DecisionRow]:
        """See `Storage.decisions`."""
        with self._reading() as contents:
            log = contents.decisions.get(node, {})
            return [
                log[sequence] for sequence in _first(limit, (place for place in sorted(log) if place > after_sequence))
            ]

    def latest_decision(self, node: str) -> DecisionRow | None:
        """See `Storage.latest_decision`."""
        with self._reading() as contents:
            log = contents.decisions.get(node)
            return log[max(log)] if log else None

    def decisions_on(self, block_ids: Sequence[str]) -> dict[str, list[DecisionRow]]:
        """See `Storage.decisions_on`."""
        with self._reading() as contents:
            return {
                block_id: [row for _, row in sorted(contents.decided[block_id].items())]
                for block_id in block_ids
                if contents.decided.get(block_id)
            }

    def settle(self, effects: Effects) -> None:
        """See `Storage.settle`."""
        with self._writing() as contents:
            for new in effects.outputs:
                if new.ref not in contents.lineages:
                    contents.lineages[new.ref] = new.lineage
                    contents.lines.setdefault((new.lineage.asset, new.lineage.step), new.ref)
                    place = contents.places[new.ref] = _BEFORE_ALL + len(contents.places) + 1
                    for owner in new.owners:
                        contents.holdings.setdefault(owner, {})[new.ref] = place
            _spend(contents, effects.spent)
            for payload_hash, txid in effects.payloads:
                first = contents.places.get(OutputRef(txid, 0))
                if first is not None:
                    contents.payloads.setdefault(payload_hash, {})[first] = txid

    def outputs_of(self, owner: str, *, spent: bool | None, after: str | None, limit: int) -> list[OutputRow]:
        """See `Storage.outputs_of`."""
        start = cursors.position(after)
        with self._reading() as contents:
            held = contents.holdings.get(owner, {})
            if spent:
                places = sorted((contents.gone[output], output) for output in held if output in contents.gone)
            else:
                places = [(place, ref) for ref, place in held.items() if spent is None or ref not in contents.spent]
            behind = ((place, ref) for place, ref in places if place > start)
            return _first(limit, (OutputRow(cursors.at(place), ref, contents.spent.get(ref)) for place, ref in behind))

    def lineages(self, outputs: Sequence[OutputRef]) -> dict[OutputRef, Lineage]:
        """See `Storage.lineages`."""
        with self._reading() as contents:
            return {output: contents.lineages[output] for output in outputs if output in contents.lineages}

    def outputs_of_asset(self, asset: str, after: str | None, limit: int) -> list[OutputRow]:
        """See `Storage.outputs_of_asset`."""
        start = cursors.position(after)
        with self._reading() as contents:
            steps = takewhile(lambda step: (asset, step) in contents.lines, count(1))
            rows = (
                OutputRow(cursors.at(step), ref, contents.spent.get(ref))
                for step in steps
                for ref in (contents.lines[asset, step],)
                if step > start
            )
            return _first(limit, rows)

    # --- rejections ------------------------------------------------------------------------------------------

    def reject(self, rejections: Sequence[RejectionRow]) -> None:
        """See `Storage.reject`."""
        with self._writing() as contents:
            for rejection in rejections:
                contents.rejections.setdefault((rejection.hash, rejection.node), rejection)

    def rejections(self, ids: Sequence[str]) -> dict[str, list[RejectionRow]]:
        """See `Storage.rejections`."""
        wanted = set(ids)
        with self._reading() as contents:
            return grouped((row.id, row) for row in contents.rejections.values() if row.id in wanted)

    # --- registers -------------------------------------------------------------------------------------------

    def registers(self, names: Sequence[str]) -> dict[str, str]:
        """See `Storage.registers`."""
        with self._reading() as contents:
            return {name: contents.registers[name] for name in names if name in contents.registers}

    def swap_register(self, name: str, expected: str | None, new: str | None) -> bool:
        """See `Storage.swap_register`."""
        with self._writing() as contents:
            if contents.registers.get(name) != expected:
                return False
            if new is None:
                contents.registers.pop(name, None)
            else:
                contents.registers[name] = new
            return True


def _found(contents: _Contents, texts: Iterable[TextRef]) -> dict[str, StoredTransaction]:
    found = ((ref, contents.transactions.get(ref.hash)) for ref in texts)
    return {ref.hash: stored for ref, stored in found if stored and stored.id == ref.id}


def _keep(contents: _Contents, transaction: NewTransaction) -> StoredTransaction:
    """Store a text and its index unless it is stored; return what is."""
    if transaction.hash in contents.transactions:
        return contents.transactions[transaction.hash]
    stored = StoredTransaction(transaction.hash, transaction.id, transaction.text, transaction.tag)
    contents.transactions[stored.hash] = stored
    if stored.id not in contents.texts:
        # What is indexed is part of what the id covers, so the first text of an id speaks for all.
        for output in dict.fromkeys(transaction.spends):
            contents.spenders.setdefault(output, []).append(stored.id)
    contents.texts.setdefault(stored.id, []).append(stored)
    return stored


def _keep_block(contents: _Contents, block: StoredBlock) -> None:
    if block.key not in contents.blocks:
        contents.blocks[block.key] = block
        for id_, hash_ in zip(block.transaction_ids, block.transactions, strict=True):
            contents.standing_in.setdefault(id_, {})[block.key, hash_] = None


def _keep_evidence(contents: _Contents, vote: VoteRow) -> None:
    kept = sum((each.block_id, each.node) == (vote.block_id, vote.node) for each in contents.evidence)
    if kept < _KEPT_PER_PLACE:
        contents.evidence.setdefault(replace(vote, replaces=None))


def _append_decision(contents: _Contents, new: DecisionRow) -> str:
    """Store a decision unless its place in the log, or its block, has one; return the text that stands there."""
    log = contents.decisions.setdefault(new.node, {})
    on_block = contents.decided.setdefault(new.block_id, {})
    standing = log.get(new.sequence) or on_block.get(new.node) or new
    if standing is new:
        log[new.sequence] = on_block[new.node] = new
    if standing.text == new.text:
        notes = contents.sightings.get(new.node, {})
        for key, note in notes.items():
            if note.block_id == new.block_id and note.verdict is None:
                notes[key] = replace(note, verdict=new.verdict)
    return standing.text


def _spend(contents: _Contents, spent: Iterable[tuple[OutputRef, str]]) -> None:
    new: dict[OutputRef, str] = {}
    for output, spender in spent:
        if output in contents.lineages and output not in contents.spent:
            new.setdefault(output, spender)
    places = contents.places
    turns = {output: places.get(OutputRef(spender, 0), places[output]) for output, spender in new.items()}
    for output in sorted(new, key=lambda output: (turns[output], places[output])):
        contents.spent[output] = new[output]
        contents.gone[output] = len(contents.gone) + 1


def _first(limit: int, rows: Iterable[T]) -> list[T]:
    return list(islice(rows, max(limit, 0)))
