"""What a view says of a set of transactions, asked in a handful of batched reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bigchaindb.consensus.fulfillments import can_ever_hold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bigchaindb.consensus.view import Standing, View
    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Output, Transaction

__all__ = ["Facts", "may_any_hold"]


class Facts:
    """The fate of some transactions, of those whose outputs they spend, and of their rivals.

    Attributes:
        view: whom to ask for more.
    """

    def __init__(self, transactions: Iterable[Transaction], view: View) -> None:
        """Ask the view about these transactions."""
        self.view = view
        transactions = list(transactions)
        refs = {ref for t in transactions for ref in t.inputs}
        self._spenders: Mapping[OutputRef, Sequence[str]] = view.spenders(refs) if refs else {}
        spent = {ref.txid for ref in refs}
        # Of most it is known, and nothing more is asked of them: it saves a read for every input.
        self._known_valid = {txid for txid in spent if view.is_known_valid(txid)}
        ids = {t.id for t in transactions} | (spent - self._known_valid)
        ids.update(txid for spenders in self._spenders.values() for txid in spenders)
        self._standings: Mapping[str, Sequence[Standing]] = view.standings(ids)

    def standings(self, txid: str, *, but: str | None = None) -> Sequence[Standing]:
        """Return the blocks in which a transaction stands, leaving out one block."""
        standings = self._standings.get(txid, ())
        return [s for s in standings if s.block_id != but] if but else standings

    def is_valid(self, txid: str) -> bool:
        """Tell whether a transaction stands in a block decided valid."""
        return txid in self._known_valid or any(s.verdict for s in self.standings(txid))

    def is_valid_at_present(self, txid: str, *, but: str | None = None) -> bool:
        """Tell whether a transaction stands in a block decided valid under the present federation, other than one."""
        return any(s.verdict and s.present for s in self.standings(txid, but=but))

    def is_undecided(self, txid: str) -> bool:
        """Tell whether a transaction stands in an undecided block."""
        return any(s.verdict is None for s in self.standings(txid))

    def is_in_the_way(self, txid: str) -> bool:
        """Tell whether a transaction stands in an undecided block whose fate its rivals have to wait for."""
        return any(s.is_in_the_way for s in self.standings(txid))

    def is_found(self, transaction: Transaction, block_id: str) -> bool:
        """Tell whether the view knows a transaction by its block and by all that it spends, as it must later."""
        return self.is_spender(transaction) and any(s.block_id == block_id for s in self.standings(transaction.id))

    def is_spender(self, transaction: Transaction) -> bool:
        """Tell whether the view knows a transaction by all that it spends."""
        return all(transaction.id in self._spenders.get(ref, ()) for ref in transaction.inputs)

    def may_hold(self, txid: str) -> bool:
        """Tell whether any stored text of a transaction is well signed: no honest node votes valid on another.

        Anybody can write a spend of what is another's, and a member that lies can put it into a block and vote for it.
        That must not stand in the owner's way.
        """
        return may_any_hold(self.view.texts([txid]).get(txid, ()), self.view)

    def rivals(self, transaction: Transaction) -> list[tuple[OutputRef, str]]:
        """Return (output, transaction id) of every other stored transaction that spends the same."""
        return [
            (ref, txid) for ref in transaction.inputs for txid in self._spenders.get(ref, ()) if txid != transaction.id
        ]

    def undecided_inputs(self, transaction: Transaction) -> set[str]:
        """Return the ids of those spent transactions that are not decided valid."""
        return {ref.txid for ref in transaction.inputs if not self.is_valid(ref.txid)}

    def nowhere(self, txids: Iterable[str]) -> set[str]:
        """Return which of these are neither in a valid nor in an undecided block, nor in the backlog.

        While the node has blocks to catch up with, it cannot know that of any; and it never knows it of what stands in
        a block that it has left aside: that may be decided by a federation which this node is not configured for yet.
        """
        unknown = {txid for txid in txids if not self.is_valid(txid) and not self.is_undecided(txid)}
        if unknown:
            unknown -= self.view.waiting(unknown).keys()
        if unknown and not self.view.has_noted_all():
            return set()
        if unknown:
            # Transactions go from the backlog into blocks, so blocks are asked once more after the backlog, and after
            # the node was found to know all blocks: what moved meanwhile was somewhere all the time.
            fresh = self.view.standings(unknown)
            unknown -= {txid for txid in unknown if any(s.verdict is not False for s in fresh.get(txid, ()))}
        if unknown:
            unknown -= self.view.left_aside(unknown)
        return unknown

    def outputs(self, transactions: Iterable[Transaction]) -> dict[OutputRef, Output]:
        """Return the stored outputs that these transactions spend."""
        refs = {ref for t in transactions for ref in t.inputs}
        return dict(self.view.outputs(refs)) if refs else {}


def may_any_hold(transactions: Iterable[Transaction], view: View) -> bool:
    """Tell whether the fulfillments of any of these are valid at any time."""
    return any(view.is_verified(t) or can_ever_hold(t, view.outputs(t.inputs)) for t in transactions)
