"""Questions about the ledger that need no more than a node's view of it.

Invariants:

- What is called valid was decided so by this node.
- Storage is asked in the direction in which transactions move (backlog, then blocks, then records), so that what moves
  meanwhile is met once more rather than missed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.consensus.facts import may_any_hold
from bigchaindb.consensus.receipts import make_receipt
from bigchaindb.consensus.tally import is_quorum
from bigchaindb.exceptions import (
    BlockError,
    OperationError,
    ReceiptNotReady,
    TransactionDoesNotExist,
    TransactionError,
    TransactionTimeout,
)
from bigchaindb.model.block import Block
from bigchaindb.model.decision import Verdict
from bigchaindb.model.merkle import leaf_hash
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.rejection import Rejection
from bigchaindb.model.status import Status
from bigchaindb.node.recorded import recorded_decisions
from bigchaindb.node.view import read_vote
from bigchaindb.storage import changes
from bigchaindb.storage.records import TextRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bigchaindb.model.decision import Decision
    from bigchaindb.model.transaction import Output, Transaction
    from bigchaindb.model.vote import Vote
    from bigchaindb.node.node import Node
    from bigchaindb.storage.records import RejectionRow, Standing, StoredTransaction

__all__ = ["Queries", "Status"]

_PAGE: Final = 500
_WAIT_SECONDS: Final = 1.0

_STILL: Final = {
    Status.BACKLOG: "still waits in the backlog (is a node running? `bigchaindb status` says so)",
    Status.UNDECIDED: "stands in a block that is still undecided",
    Status.UNKNOWN: "is still unknown here",
}


@dataclass(frozen=True, slots=True)
class StoredBlockView:
    """A block with the transactions it holds.

    Attributes:
        block: header, signature and hashes.
        verdict: how this node decided it, or None.
        contents: the stored transactions, in order; None where they are not all there.
    """

    block: Block
    verdict: bool | None
    contents: list[StoredTransaction] | None


class Queries:
    """Answers of one node."""

    def __init__(self, node: Node) -> None:
        """Ask this node's storage."""
        self._node = node
        self._storage = node.storage

    # --- transactions ----------------------------------------------------------------------------------------

    def transaction(self, txid: str) -> Transaction | None:
        """Return a transaction, whatever its status; of several signed texts, the one that came furthest."""
        return self.transactions([txid]).get(txid)

    def transactions(self, ids: Sequence[str]) -> dict[str, Transaction]:
        """Return these transactions, each chosen as `transaction` does; those that are unknown are left out."""
        found = {
            txid: next((t for t in self._readable(stored) if t.id == txid), None)
            for txid, stored in self._candidates(ids).items()
        }
        return {txid: transaction for txid, transaction in found.items() if transaction}

    def texts(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the canonical signed texts of these transactions, chosen as `transaction` does; unknown: left out."""
        is_text_of = self._node.view.is_text_of
        found = {
            txid: next((item.text for item in stored if is_text_of(item, txid)), None)
            for txid, stored in self._candidates(ids).items()
        }
        return {txid: text for txid, text in found.items() if text is not None}

    def _candidates(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        """Return what is stored under each of these ids, from those that came furthest on."""
        waiting = self._storage.waiting(ids)
        notes = self._node.view.notes(ids)
        hashes = {
            txid: [s.transaction_hash for s in sorted(notes.get(txid, []), key=_progress, reverse=True)] for txid in ids
        }
        stored = self._storage.contents([TextRef(h, txid) for txid, found in hashes.items() for h in found])
        candidates = {
            txid: [stored[h] for h in found if h in stored] + waiting.get(txid, []) for txid, found in hashes.items()
        }
        left = [txid for txid, found in candidates.items() if not found]
        return candidates | (self._storage.transactions(left) if left else {})

    def _readable(self, stored: Iterable[StoredTransaction]) -> Iterator[Transaction]:
        for item in stored:
            try:
                yield self._node.view.read(item)
            except TransactionError:
                continue  # junk in shared storage

    def _standings(self, txid: str) -> list[Standing]:
        return self._node.view.notes([txid]).get(txid, [])

    def status(self, txid: str) -> Status:
        """Return how far a transaction has come."""
        return self.statuses([txid])[txid]

    def statuses(self, ids: Sequence[str]) -> dict[str, Status]:
        """Return how far each of these transactions has come."""
        # Valid is for ever, and what most that are asked for are: what waits is looked through for the others only.
        found = dict.fromkeys(self.valid(ids), Status.VALID)
        rest = [txid for txid in dict.fromkeys(ids) if txid not in found]
        waiting = self._storage.waiting(rest) if rest else {}
        # Once more, since what waited may have moved into a block.
        for txid, standings in (self._node.view.notes(rest) if rest else {}).items():
            verdicts = {s.verdict for s in standings}
            if True in verdicts:
                found[txid] = Status.VALID
            elif None in verdicts:
                found[txid] = Status.UNDECIDED
        for txid in waiting:
            found.setdefault(txid, Status.BACKLOG)
        left = [txid for txid in rest if txid not in found]
        rejected = self.rejections(left) if left else {}
        return {
            txid: found.get(txid) or (Status.REJECTED if txid in rejected else Status.UNKNOWN)
            for txid in dict.fromkeys(ids)
        }

    def rejection(self, txid: str) -> Rejection | None:
        """Return the record of why a transaction can never become valid, or None; see `rejections`."""
        return self.rejections([txid]).get(txid)

    def rejections(self, ids: Sequence[str]) -> dict[str, Rejection]:
        """Return the record of why each of these transactions can never become valid; those without one are left out.

        This node's own; or one of a quorum's, since what a quorum has rejected waits no more, and so a node that was
        down has nothing left to find out for itself.
        """
        found = {txid: self._rejection(txid, rows) for txid, rows in self._storage.rejections(ids).items()}
        return {txid: rejection for txid, rejection in found.items() if rejection}

    def _rejection(self, txid: str, rows: Sequence[RejectionRow]) -> Rejection | None:
        members: dict[str, dict[str, Rejection]] = {}
        for row in rows:
            try:
                rejection = Rejection.from_text(row.text)
            except BlockError:
                continue
            if (rejection.ledger, rejection.transaction_id) != (self._node.ledger, txid):
                continue
            if rejection.node == self._node.me:
                return rejection
            if rejection.node in self._node.federation:
                members.setdefault(rejection.transaction_hash, {})[rejection.node] = rejection
        size = len(self._node.federation)
        quorums = (found for found in members.values() if is_quorum(len(found), size, self._node.quorum))
        return next((next(iter(found.values())) for found in quorums), None)

    def wait(self, txid: str, timeout_seconds: float) -> Status:
        """Wait until a transaction is decided.

        Returns:
            VALID or REJECTED.

        Raises:
            TransactionTimeout: neither in that time.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            status = self.status(txid)
            if status in {Status.VALID, Status.REJECTED}:
                return status
            left = deadline - time.monotonic()
            if left <= 0:
                raise TransactionTimeout(f"transaction {txid} {_STILL[status]} after {timeout_seconds} s")
            self._storage.wait_for_change(
                min(left, _WAIT_SECONDS), (changes.decisions_of(self._node.me), changes.REJECTIONS)
            )

    def with_payload_hash(self, payload_hash: str) -> list[Transaction]:
        """Return the valid transactions that carry a payload, in the order in which they were found valid."""
        found: list[Transaction] = []
        cursor: str | None = None
        while True:
            page = self._storage.with_payload_hash(payload_hash, cursor, _PAGE)
            ids = [txid for _, txid in page]
            found += [t for txid in self.valid(ids) if (t := self.transaction(txid)) and t.payload_hash == payload_hash]
            if len(page) < _PAGE:
                return found
            cursor = page[-1][0]

    def valid(self, ids: Sequence[str]) -> list[str]:
        """Return which of these are decided valid, in the same order."""
        standings = self._node.view.notes(ids)
        return [txid for txid in ids if any(s.verdict for s in standings.get(txid, []))]

    # --- outputs ---------------------------------------------------------------------------------------------

    def outputs(self, refs: Sequence[OutputRef]) -> dict[OutputRef, Output]:
        """Return those of these outputs that exist, whatever the status of their transaction."""
        return self._node.view.outputs(refs)

    def unspent(self, owner: str) -> list[OutputRef]:
        """Return what an owner could spend now, oldest first: valid, and no valid or pending transaction spends it."""
        unspent: list[OutputRef] = []
        cursor: str | None = None
        while True:
            page = self._storage.outputs_of(owner, spent=False, after=cursor, limit=_PAGE)
            refs = [row.ref for row in page]
            valid = set(self.valid(list(dict.fromkeys(ref.txid for ref in refs))))
            taken = self.spenders(refs)
            unspent += [ref for ref in refs if ref.txid in valid and ref not in taken]
            if len(page) < _PAGE:
                return unspent
            cursor = page[-1].cursor

    def spender(self, ref: OutputRef) -> str | None:
        """Return the id of the transaction that spends an output: valid, or else on its way; None if there is none."""
        return self.spenders([ref]).get(ref)

    def spenders(self, refs: Sequence[OutputRef]) -> dict[OutputRef, str]:
        """Return for each output the id of the transaction that spends it, as `spender`; without one it is left out."""
        spenders = self._storage.spenders(refs)
        ids = sorted({txid for found in spenders.values() for txid in found})
        if not ids:
            return {}
        view = self._node.view
        texts = view.waiting(ids)
        standings = view.standings(ids)
        valid = {txid for txid in ids if any(s.verdict for s in standings.get(txid, []))}
        texts |= view.texts([txid for txid in ids if any(s.is_in_the_way for s in standings.get(txid, []))])
        # Anybody can write a spend of what is another's; its owner has it all the same.
        pending = {txid for txid, found in texts.items() if may_any_hold(found, view)}
        taken: dict[OutputRef, str] = {}
        for ref, found in spenders.items():
            ways = [t for t in found if t in valid] + [t for t in found if t in pending]
            if ways:
                taken[ref] = ways[0]
        return taken

    def history(self, txid: str) -> list[Transaction]:
        """Return the valid transactions of the assets that a transaction is part of, from CREATE on, in order.

        Output i is what becomes of input i, so each input is followed back to its CREATE, and each output forward.

        Raises:
            TransactionDoesNotExist: there is no such valid transaction.
        """
        if not self.valid([txid]):
            raise TransactionDoesNotExist(f"there is no valid transaction {txid}", field="txid")
        start = self.transaction(txid)
        if start is None:
            raise TransactionDoesNotExist(f"there is no valid transaction {txid}", field="txid")
        lines = [[*reversed(list(self._back(fulfillment.input))), start] for fulfillment in start.fulfillments]
        lines += [[start, *self._forth(OutputRef(start.id, output.cid))] for output in start.outputs]
        # Assets may meet, part and meet again, so the lines are not simply put behind each other.
        order: TopologicalSorter[str] = TopologicalSorter({start.id: ()})
        for line in lines:
            for before, after in pairwise(line):
                order.add(after.id, before.id)
        found = {t.id: t for line in lines for t in line}
        return [found[txid] for txid in order.static_order()]

    def _back(self, ref: OutputRef | None) -> Iterator[Transaction]:
        while ref is not None:
            transaction = self.transaction(ref.txid)
            if transaction is None or ref.cid >= len(transaction.fulfillments):
                return
            yield transaction
            ref = transaction.fulfillments[ref.cid].input

    def _forth(self, ref: OutputRef) -> Iterator[Transaction]:
        while True:
            spender = self.spender(ref)
            transaction = self.transaction(spender) if spender and self.valid([spender]) else None
            if transaction is None:
                return
            yield transaction
            ref = OutputRef(transaction.id, transaction.inputs.index(ref))

    # --- blocks ----------------------------------------------------------------------------------------------

    def block(self, block_id: str) -> StoredBlockView | None:
        """Return a block; one that this node has checked goes before any other under that id."""
        stored = self._storage.blocks([block_id]).get(block_id, [])
        noted = self._storage.sightings(self._node.me, [s.key for s in stored])
        for item in sorted(stored, key=lambda s: not (s.key in noted and noted[s.key].checked)):
            try:
                block = Block.from_text(item.text)
            except BlockError:
                continue
            if block.id != block_id or not block.is_signed:
                continue
            found = self._storage.contents(item.texts())
            contents = [found[h] for h in block.transactions if h in found]
            whole = block.holds([leaf_hash(t.text.encode()) for t in contents])
            verdict = self._node.view.verdicts([block_id]).get(block_id)
            return StoredBlockView(block, verdict, contents if whole else None)
        return None

    def votes(self, block_id: str) -> list[Vote]:
        """Return the well-signed votes on a block, ordered by voter."""
        places = self._storage.votes([block_id]).get(block_id, {})
        votes = [read_vote(text, block_id, node) for node, text in sorted(places.items())]
        return [vote for vote in votes if vote]

    def decisions(self, block_id: str) -> list[Decision]:
        """Return the well-signed decision records of a block's voters, ordered by node."""
        header = self._node.view.headers([block_id])[block_id]
        rows = self._storage.decisions_on([block_id]).get(block_id, [])
        return [d for _, d in sorted(recorded_decisions(rows, block_id, header).items())] if header else []

    def receipt(self, txid: str) -> dict[str, Any]:
        """Return the proof that a transaction is valid; see `bigchaindb.consensus.receipts`.

        Raises:
            TransactionDoesNotExist: it is not decided valid.
            OperationError: it is the genesis, which nobody decides.
            ReceiptNotReady: a quorum has not recorded the decision yet.
        """
        # A transaction may stand in two valid blocks; its home is the smaller id.
        homes = sorted(s.block_id for s in self._standings(txid) if s.verdict)
        transaction = self.transaction(txid)
        view = self.block(homes[0]) if homes else None
        if transaction is None or view is None or view.contents is None:
            raise TransactionDoesNotExist(f"there is no valid transaction {txid}", field="txid")
        if view.block.id == self._node.ledger:
            raise OperationError("the genesis transaction has no receipt: everything else rests on it", field="txid")
        # Of its signed texts, the one in this block.
        transaction = next((t for t in self._readable(view.contents) if t.id == txid), None)
        if transaction is None:
            raise TransactionDoesNotExist(f"block {view.block.id} does not hold {txid}", field="txid")
        texts = [d.text for d in self.decisions(view.block.id) if d.verdict is Verdict.VALID]
        if not is_quorum(len(texts), len(view.block.header.voters), self._node.quorum):
            raise ReceiptNotReady(f"block {view.block.id}: a quorum has not recorded its decision yet", field="txid")
        return make_receipt(view.block, [leaf_hash(t.text.encode()) for t in view.contents], transaction, texts)


def _progress(standing: Standing) -> int:
    return {True: 2, None: 1, False: 0}[standing.verdict]
