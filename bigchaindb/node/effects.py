"""What valid transactions do to the indexes of holdings and payloads; and so, which asset each output holds.

Invariants:

- Output i of a transaction holds what its input i gave up, so the outputs that have held one asset stand in a line, and
  an output's lineage follows from the transactions alone: all nodes find the same (design.md section 2).
- What was settled before is looked up, not followed: one read, however long the line.  Only where nobody has settled
  what is spent (it was decided by others, who all died before they could) is it followed back through the texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bigchaindb.exceptions import JournalError
from bigchaindb.model.reference import OutputRef
from bigchaindb.storage.records import Effects, Lineage, NewOutput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bigchaindb.model.transaction import Transaction
    from bigchaindb.node.node import Node

__all__ = ["effects", "lineages"]


def effects(node: Node, transactions: Sequence[Transaction]) -> Effects:
    """Return what transactions that this node has decided valid do, in their order.

    Raises:
        JournalError: as `lineages`.
    """
    made = [(OutputRef(t.id, output.cid), output.owners) for t in transactions for output in t.outputs]
    lines = lineages(node, transactions)
    return Effects(
        outputs=tuple(NewOutput(ref, owners, lines[ref]) for ref, owners in made),
        spent=tuple((ref, t.id) for t in transactions for ref in t.inputs),
        payloads=tuple((t.payload_hash, t.id) for t in transactions if t.payload_hash is not None),
    )


def lineages(node: Node, transactions: Iterable[Transaction]) -> dict[OutputRef, Lineage]:
    """Return the lineage of every output of some transactions that this node has decided valid.

    Args:
        node: where to look up what they spend.
        transactions: in any order; they may spend each other's outputs.

    Raises:
        JournalError: a transaction whose output they spend is gone from storage.
    """
    before = _before(transactions)
    wanted = list(before)
    known: dict[OutputRef, Lineage] = {}
    ends = {ref for ref in before.values() if ref} - before.keys()
    # Every round follows the lines back by a transaction, and no line is endless: ids are hashes.
    while ends:
        known |= node.storage.lineages(sorted(ends))
        missing = ends - known.keys()
        older = _before(node.view.transactions({ref.txid for ref in missing}).values()) if missing else {}
        for ref in sorted(missing - older.keys()):
            raise JournalError(f"transaction {ref.txid}, whose output {ref.cid} was spent, is gone from storage")
        before |= {ref: older[ref] for ref in missing}
        ends = {ref for ref in map(older.get, missing) if ref} - before.keys() - known.keys()
    for ref in wanted:
        _follow(ref, before, known)
    return {ref: known[ref] for ref in wanted}


def _before(transactions: Iterable[Transaction]) -> dict[OutputRef, OutputRef | None]:
    """Return, for every output, the one before it in its asset's line; None for the first."""
    return {
        OutputRef(t.id, output.cid): fulfillment.input
        for t in transactions
        for output, fulfillment in zip(t.outputs, t.fulfillments, strict=True)
    }


def _follow(ref: OutputRef, before: dict[OutputRef, OutputRef | None], known: dict[OutputRef, Lineage]) -> None:
    """Find out a lineage, and those of all outputs on the way."""
    way: list[OutputRef] = []
    at: OutputRef | None = ref
    while at and at not in known:
        way.append(at)
        at = before[at]
    for later in reversed(way):
        last = known[at] if at else Lineage(later.txid, 0)
        known[later] = Lineage(last.asset, last.step + 1)
        at = later
