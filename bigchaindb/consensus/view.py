"""What the rules may ask of a ledger; whoever has one (see `bigchaindb.node.view`) answers.

Invariants of every view:

- It is one node's: "decided", "backed" and "live" are as that node knows them.
- Answers are in batches, and leave out what there is nothing to say of.
- Only blocks that this node checked (signature, electorate, contents against the root) are ever spoken of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Output, Transaction

__all__ = ["Standing", "View"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One block in which a transaction stands.

    Attributes:
        block_id: the block.
        verdict: True or False where this node has decided it, else None.
        backed: this node has voted valid on it.
        live: undecided, not stalled, and this node built it or voted valid on it.
        binds: undecided, of an earlier federation, and somebody of its electorate voted valid on it (design.md 3.3).
        present: its electorate is the present federation.
        ahead: dated further ahead of this node's clock than a block may be that it votes on.
    """

    block_id: str
    verdict: bool | None
    backed: bool
    live: bool
    binds: bool = False
    present: bool = True
    ahead: bool = False

    @property
    def is_in_the_way(self) -> bool:
        """Whether rivals of what stands here have to wait for its fate."""
        # A block from the future gets no vote until its time has come, so it must not hold anybody up until then.
        return self.verdict is None and (self.live or self.backed or self.binds or not self.ahead)


class View(Protocol):
    """One node's read-only view of the ledger."""

    @property
    def federation(self) -> tuple[str, ...]:
        """Public keys of the members, sorted."""

    def standings(self, ids: Collection[str]) -> Mapping[str, Sequence[Standing]]:
        """Return the blocks in which each transaction id stands, in the order in which this node met them."""

    def is_known_valid(self, txid: str) -> bool:
        """Tell whether a transaction is known to stand in a block decided valid, which is for ever; it asks nobody."""

    def spenders(self, refs: Collection[OutputRef]) -> Mapping[OutputRef, Sequence[str]]:
        """Return the ids of all transactions, of whatever fate, that spend each output."""

    def waiting(self, ids: Collection[str]) -> Mapping[str, Sequence[Transaction]]:
        """Return the well-formed transactions in the backlog under each id."""

    def texts(self, ids: Collection[str]) -> Mapping[str, Sequence[Transaction]]:
        """Return all well-formed texts that are stored under each id, wherever they wait or stand."""

    def has_noted_all(self) -> bool:
        """Tell whether this node had noted every block that was stored when it was asked; not while it catches up."""

    def left_aside(self, ids: Collection[str]) -> AbstractSet[str]:
        """Return which of these ids are named by blocks that this node cannot check yet and has left aside."""

    def outputs(self, refs: Collection[OutputRef]) -> Mapping[OutputRef, Output]:
        """Return those outputs whose transaction is stored, whatever its fate."""

    def sizes(self, block_ids: Collection[str]) -> Mapping[str, int]:
        """Return how many transactions each of these blocks holds."""

    def supported(self, block_ids: Collection[str]) -> AbstractSet[str]:
        """Return which of these blocks have a well-signed valid vote by a member of their electorate."""

    def is_verified(self, transaction: Transaction) -> bool:
        """Tell whether this node has already found this exact signed text's fulfillments valid at all times."""
