"""What became valid, in the order in which this node decided it: what subscribers are told (design.md section 3).

Invariants:

- A transaction is told once, with the first block decided valid that holds it; a later one that holds it too adds
  nothing.  So what is told of a decision is the same whenever it is read.
- Only what this node has signed is told, and only when all that follows from it is in the indexes: who is told of a
  transaction finds its outputs.
- What is read at once is bounded, however long the log is, and however large the transactions are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb.exceptions import BlockError, StorageMismatch, TransactionError
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.reference import OutputRef
from bigchaindb.node.effects import lineages
from bigchaindb.node.view import settled_register
from bigchaindb.storage.records import TextRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bigchaindb.model.transaction import Transaction
    from bigchaindb.node.node import Node
    from bigchaindb.storage.records import DecisionRow, Lineage, StoredBlock

__all__ = ["EventLog", "Parties", "Section", "Told"]

_DECISIONS: Final = 64
_TRANSACTIONS: Final = 1_000
# A transaction may have 256 KiB.
_TEXTS_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one decision.

    Attributes:
        sequence: its number in this node's log.
        block_id: the block that it made valid.
        transactions: ids, in the order of the block.
        assets: of each, the asset that its first output holds.
        hashes: of the signed texts.
    """

    sequence: int
    block_id: str
    transactions: tuple[str, ...]
    assets: tuple[str, ...]
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the log.

    Attributes:
        told: of its decisions that made something valid, in order.
        until: number of its last decision.
        is_full: it ends because enough was read, not because there is no more.
    """

    told: tuple[Told, ...]
    until: int
    is_full: bool


@dataclass(frozen=True, slots=True)
class Parties:
    """Whom and what the transactions of one decision are about, each by its index in `Told.transactions`.

    Attributes:
        by_key: those that give something to a public key, or take something from it.
        by_asset: those that hand an asset on, or begin it.
    """

    by_key: Mapping[str, tuple[int, ...]]
    by_asset: Mapping[str, tuple[int, ...]]


class EventLog:
    """One node's log, as subscribers are told of it; may be read from several threads.

    Every method raises `StorageMismatch` where storage does not hold what this node has decided.
    """

    def __init__(self, node: Node) -> None:
        """Read this node's log."""
        self._node = node
        self._storage = node.storage
        self._register = settled_register(node.me)

    # --- the log ---------------------------------------------------------------------------------------------

    def decided(self) -> int:
        """Return the number of the last decision."""
        latest = self._storage.latest_decision(self._node.me)
        return latest.sequence if latest else 0

    def settled(self) -> int:
        """Return the number of the last decision from which all has followed that does."""
        text = self._storage.registers([self._register]).get(self._register, "0")
        if not text.isdecimal():
            raise StorageMismatch(f"register {self._register} in storage was changed: it holds no number")
        return int(text)

    def read(self, after: int, settled: int) -> Section:
        """Return what is told of the decisions behind one, or of as many as are read at once.

        Args:
            after: number of a decision; 0 for what was before the first.
            settled: number of the last one to be told of; see `settled`.
        """
        rows = self._storage.decisions(self._node.me, max(0, after - 1), _DECISIONS + 1)
        # How many transactions a decision is about shows in the counts beside it: so the one before is read too.
        before = rows.pop(0).valid_transactions if rows and rows[0].sequence == after else 0
        taken: list[DecisionRow] = []
        for row in rows[:_DECISIONS]:
            if row.sequence > settled or (taken and taken[-1].valid_transactions - before >= _TRANSACTIONS):
                break
            taken.append(row)
        until = taken[-1].sequence if taken else after
        return Section(tuple(self._told([row for row in taken if self._is_valid(row)])), until, until < settled)

    def one(self, sequence: int) -> Told | None:
        """Return what is told of one decision; None where it is not settled, or made nothing valid."""
        if sequence < 1 or sequence > self.settled():
            return None
        rows = self._storage.decisions(self._node.me, sequence - 1, 1)
        return next(self._told([row for row in rows if row.sequence == sequence and self._is_valid(row)]), None)

    def _is_valid(self, row: DecisionRow) -> bool:
        try:
            decision = Decision.from_text(row.text)
        except BlockError:
            decision = None
        wanted = (self._node.me, self._node.ledger, row.sequence, row.block_id)
        if decision is None or (decision.node, decision.ledger, decision.sequence, decision.block_id) != wanted:
            raise StorageMismatch(f"decision {row.sequence} in storage is not this node's")
        return decision.verdict is Verdict.VALID

    def _told(self, rows: Sequence[DecisionRow]) -> Iterator[Told]:
        if not rows:
            return
        blocks = self._blocks([row.block_id for row in rows])
        ids = list(dict.fromkeys(txid for stored in blocks.values() for txid in stored.transaction_ids))
        firsts = self._firsts(ids)
        assets = self._lineages([OutputRef(txid, 0) for txid in ids])
        for row in rows:
            stored = blocks[row.block_id]
            new = [
                (txid, text_hash)
                for txid, text_hash in zip(stored.transaction_ids, stored.transactions, strict=True)
                if firsts.get(txid, row.sequence) == row.sequence
            ]
            yield Told(
                row.sequence,
                row.block_id,
                transactions=tuple(txid for txid, _ in new),
                assets=tuple(assets[OutputRef(txid, 0)].asset for txid, _ in new),
                hashes=tuple(text_hash for _, text_hash in new),
            )

    def _blocks(self, ids: Sequence[str]) -> dict[str, StoredBlock]:
        found = self._storage.blocks(ids)
        # Who forges a block under the id of another is seen through by the node's own notes.
        doubtful = [item.key for items in found.values() if len(items) > 1 for item in items]
        notes = self._storage.sightings(self._node.me, doubtful) if doubtful else {}
        blocks: dict[str, StoredBlock] = {}
        for block_id in ids:
            items = found.get(block_id, [])
            checked = [item for item in items if item.key in notes and notes[item.key].checked]
            if not items or len(checked or items) > 1:
                raise StorageMismatch(f"block {block_id}, which this node decided valid, is gone from storage")
            blocks[block_id] = (checked or items)[0]
        return blocks

    def _firsts(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the first decision that made a transaction valid, of those that more than one did (design.md 3.1)."""
        standings = self._storage.standings(self._node.me, ids)
        homes = {
            txid: {standing.block_id for standing in found if standing.verdict}
            for txid, found in standings.items()
            if len(found) > 1
        }
        several = {txid: found for txid, found in homes.items() if len(found) > 1}
        decided = self._storage.decisions_on(sorted(set().union(*several.values()))) if several else {}
        sequences = {
            block_id: row.sequence for block_id, rows in decided.items() for row in rows if row.node == self._node.me
        }
        return {
            txid: min(sequences[block_id] for block_id in found if block_id in sequences)
            for txid, found in several.items()
        }

    def _lineages(self, refs: Sequence[OutputRef]) -> dict[OutputRef, Lineage]:
        found = self._storage.lineages(refs)
        missing = {ref.txid for ref in refs if ref not in found}
        if missing:
            found |= lineages(self._node, self._node.view.transactions(missing).values())
        for ref in refs:
            if ref not in found:
                raise StorageMismatch(f"transaction {ref.txid}, decided valid, is gone from storage")
        return found

    # --- what it is about ------------------------------------------------------------------------------------

    def parties(self, told: Told) -> Parties:
        """Return whom and what a decision is about; this reads the transactions."""
        by_key: dict[str, set[int]] = {}
        outputs: dict[OutputRef, int] = {}
        texts = list(map(TextRef, told.hashes, told.transactions))
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            transactions = list(self._texts(texts[start : start + _TEXTS_AT_ONCE]))
            spent: dict[OutputRef, int] = {}
            for index, transaction in enumerate(transactions, start):
                spent.update(dict.fromkeys(transaction.inputs, index))
                for output in transaction.outputs:
                    outputs[OutputRef(transaction.id, output.cid)] = index
                    for owner in output.owners:
                        by_key.setdefault(owner, set()).add(index)
            for ref, owners in self._owners(spent):
                for owner in owners:
                    by_key.setdefault(owner, set()).add(spent[ref])
        by_asset: dict[str, set[int]] = {}
        for ref, lineage in self._lineages(list(outputs)).items():
            by_asset.setdefault(lineage.asset, set()).add(outputs[ref])
        return Parties(
            {key: tuple(sorted(indexes)) for key, indexes in by_key.items()},
            {asset: tuple(sorted(indexes)) for asset, indexes in by_asset.items()},
        )

    def _texts(self, texts: Sequence[TextRef]) -> Iterator[Transaction]:
        stored = self._storage.contents(texts)
        for text in texts:
            try:
                yield self._node.view.read(stored[text.hash])
            except (KeyError, TransactionError) as error:
                raise StorageMismatch(f"transaction text {text.hash}, decided valid, is gone from storage") from error

    def _owners(self, spent: Iterable[OutputRef]) -> Iterator[tuple[OutputRef, tuple[str, ...]]]:
        """Return who owned what was spent; what a fulfillment says of that, nobody has checked."""
        refs = sorted(spent)
        for start in range(0, len(refs), _TEXTS_AT_ONCE):
            found = self._node.view.outputs(refs[start : start + _TEXTS_AT_ONCE])
            yield from ((ref, output.owners) for ref, output in found.items())
