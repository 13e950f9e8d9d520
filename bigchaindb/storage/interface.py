"""The one door to databases, in the ledger's own words (design.md section 4).

Invariants:

- A write has returned only when it is durable.  Every write may be repeated: the same bytes twice change nothing.
- Nothing here knows a rule of consensus, reads a clock or makes a random number: times come from the caller.
- Reads see every write that has returned, also those of other processes.  Who says that a read may lag may miss the
  newest: that costs a replicated backend less.
- The cost of a call depends on what it is given and what it returns, not on the size of the ledger.
- Every call raises `StorageUnavailable` when the database cannot be reached or stays busy (nothing was stored then, or
  the call may be repeated safely), `StorageMismatch` when it is damaged, and no error of a driver.

A backend may commit the writes inside `batch()` together; one that cannot does them in order, so callers order them
such that every prefix is a right state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.storage.records import (
        BacklogEntry,
        DecisionRow,
        Effects,
        Lineage,
        NewTransaction,
        OutputRow,
        RejectionRow,
        Sighting,
        Standing,
        StoredBlock,
        StoredTransaction,
        TextRef,
        VoteRow,
    )

__all__ = ["Storage"]


class Storage(ABC):
    """What a ledger needs of a database."""

    # --- life ------------------------------------------------------------------------------------------------

    @abstractmethod
    def close(self) -> None:
        """Release everything; later calls raise `StorageUnavailable`.  Closing twice is harmless."""

    @abstractmethod
    def drop(self) -> None:
        """Delete the whole database and close."""

    @abstractmethod
    def batch(self) -> AbstractContextManager[None]:
        """Group writes.

        A backend with transactions commits them together when the block ends, and undoes them when it raises.  Others
        do each at once.  Reads inside see the writes before them.  Batches do not nest.
        """

    @abstractmethod
    def wait_for_change(self, timeout_seconds: float, of: Collection[str] = ()) -> bool:
        """Wait until another connection or process may have stored something since this call last returned.

        Args:
            timeout_seconds: how long at the most.
            of: what to wait for, of `changes`; empty for anything.  What is only found through something that is stored
                later (texts, holdings) counts with that.

        Returns:
            False when the time ran out.  True is a hint, and may be given for nothing; a change made before the call
            but after the last return counts, so nothing that was stored between a read and this call is overslept.
        """

    # --- genesis ---------------------------------------------------------------------------------------------

    @abstractmethod
    def create_genesis(
        self, block: StoredBlock, transaction: NewTransaction, payload_hash: str | None = None
    ) -> StoredBlock:
        """Store the first block with its transaction unless there is one; return the one that stands.

        However many call it at once, all get the same answer.  What the transaction carries is found by that hash.
        """

    @abstractmethod
    def genesis(self) -> StoredBlock | None:
        """Return the first block, or None in a database without a ledger."""

    # --- backlog ---------------------------------------------------------------------------------------------

    @abstractmethod
    def append_backlog(self, transactions: Sequence[NewTransaction], received_at: float) -> None:
        """Store transactions and their index, and let them wait, in order; those whose text waits already stay."""

    @abstractmethod
    def backlog(self, after: str | None, limit: int) -> list[BacklogEntry]:
        """Return up to `limit` waiting entries behind a cursor, in backlog order, without their texts."""

    @abstractmethod
    def waiting(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        """Return the waiting texts of each transaction id that has any, in backlog order."""

    @abstractmethod
    def drop_backlog(self, *, ids: Sequence[str] = (), texts: Sequence[TextRef] = ()) -> None:
        """Let entries with these transaction ids, or of these texts, wait no more; their texts stay stored.

        A text, or another one of the same id, that a second process lets wait may stay where the first has not looked
        at that id since, and finds an entry of it: whoever meets it in `backlog` drops it then.
        """

    @abstractmethod
    def backlog_size(self) -> int:
        """Return how many entries wait."""

    # --- transactions ----------------------------------------------------------------------------------------

    @abstractmethod
    def contents(self, texts: Sequence[TextRef]) -> dict[str, StoredTransaction]:
        """Return these texts by their hashes; what is not stored, or is stored under another id, is left out."""

    @abstractmethod
    def transactions(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        """Return all stored texts of each transaction id that has any, oldest first."""

    @abstractmethod
    def spenders(self, outputs: Sequence[OutputRef]) -> dict[OutputRef, list[str]]:
        """Return the ids of all stored transactions, of whatever fate, that spend each output; none: left out."""

    @abstractmethod
    def with_payload_hash(self, payload_hash: str, after: str | None, limit: int) -> list[tuple[str, str]]:
        """Return up to `limit` (cursor, id) of settled transactions with a payload, in the order of `settle`.

        Genesis is before all others.  An id is there once.  For what may be filed before a cursor see `is_firm`.
        """

    # --- blocks ----------------------------------------------------------------------------------------------

    @abstractmethod
    def write_block(self, block: StoredBlock) -> None:
        """Store a block whose transactions are stored already."""

    @abstractmethod
    def blocks_after(self, cursor: str | None, limit: int, *, may_lag: bool = False) -> list[tuple[str, StoredBlock]]:
        """Return up to `limit` blocks behind a cursor, each with its cursor, in the order of their arrival.

        Genesis is the first.  A block that arrives later has a later cursor.
        """

    @abstractmethod
    def blocks(self, ids: Sequence[str]) -> dict[str, list[StoredBlock]]:
        """Return all stored blocks under each block id that has any (more than one where somebody forges)."""

    @abstractmethod
    def block_count(self) -> int:
        """Return how many blocks are stored."""

    # --- one node's notes on blocks --------------------------------------------------------------------------

    @abstractmethod
    def sight(self, node: str, sightings: Sequence[Sighting]) -> None:
        """Note blocks.

        A key that this node noted before keeps its `seen_at`; its `checked` may rise and its `verdict` be set, neither
        is ever taken back.
        """

    @abstractmethod
    def sightings(self, node: str, keys: Sequence[str]) -> dict[str, Sighting]:
        """Return this node's notes on these block keys; those without one are left out."""

    @abstractmethod
    def open_sightings(
        self,
        node: str,
        *,
        checked: bool,
        limit: int,
        newest_until: float | None = None,
        after: str | None = None,
    ) -> list[Sighting]:
        """Return up to `limit` of this node's notes without a verdict, oldest first.

        Args:
            node: whose notes.
            checked: those that are, or that are not.
            limit: how many at the most.
            newest_until: None for the oldest; else the newest of those that were seen by then (Unix seconds), without
                `after`.
            after: key of a note, which may have been checked or decided since, behind whose place to begin; None, or
                one that this node never noted: at the beginning.
        """

    @abstractmethod
    def standings(self, node: str, ids: Sequence[str], *, checked: bool = True) -> dict[str, list[Standing]]:
        """Return, per transaction id, the blocks in which it stands and that this node has noted as checked, or not."""

    # --- votes -----------------------------------------------------------------------------------------------

    @abstractmethod
    def place_votes(self, votes: Sequence[VoteRow]) -> list[str]:
        """Fill voting places, each by one atomic conditional write; return the text that now stands in each.

        An empty place is filled.  One that holds the text `replaces` is filled anew.  Any other stays as it is, and a
        different text that found it taken is kept as evidence.
        """

    @abstractmethod
    def votes(self, block_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return per block id the text in each node's place; blocks without any are left out."""

    @abstractmethod
    def keep_evidence(self, votes: Sequence[VoteRow]) -> None:
        """Keep texts that found their place taken, or that were taken out of it; the first four per place are kept.

        Nothing is checked here: whether a text is a vote of that node at all, whoever reads `evidence` finds out.
        """

    @abstractmethod
    def evidence(self, limit: int, after: VoteRow | None = None) -> list[VoteRow]:
        """Return up to `limit` texts kept as evidence, oldest first; those that come behind `after`, a row of these.

        Where that row is not there, it is as if there were no `after`.
        """

    # --- decisions -------------------------------------------------------------------------------------------

    @abstractmethod
    def append_decisions(self, decisions: Sequence[DecisionRow]) -> list[str]:
        """Store decisions of one node's log; return the text that now stands at each (node, sequence).

        What stands stays.  Also sets the verdict of that node's notes on the block.
        """

    @abstractmethod
    def decisions(self, node: str, after_sequence: int, limit: int, *, may_lag: bool = False) -> list[DecisionRow]:
        """Return up to `limit` entries of a node's log behind a sequence number, in order."""

    @abstractmethod
    def latest_decision(self, node: str) -> DecisionRow | None:
        """Return the last entry of a node's log, or None."""

    @abstractmethod
    def decisions_on(self, block_ids: Sequence[str]) -> dict[str, list[DecisionRow]]:
        """Return per block id what each node decided, ordered by node; blocks without any are left out."""

    @abstractmethod
    def settle(self, effects: Effects) -> None:
        """Bring the indexes of holdings and payloads up to date with valid transactions; what they know already stays.

        A transaction is settled as a whole, and what it spends before it or with it.
        """

    def settling(self, effects: Effects) -> Callable[[], None]:
        """Settle, beside whatever the caller does meanwhile where that saves time; return what waits for its end.

        What is returned is called inside the batch to which this belongs, and raises what `settle` raises.  A caller
        that fails before may leave it: then this may be done, later, in part or not at all, and is begun anew.
        """
        return partial(self.settle, effects)

    def is_firm(self, cursor: str) -> bool:  # noqa: ARG002 - of what a backend may make of it
        """Tell whether nothing can be filed before this place in a list of settled things any more.

        It is so as soon as the place can be seen, but where a writer may be slower to file than to take a place.
        """
        return True

    @abstractmethod
    def outputs_of(self, owner: str, *, spent: bool | None, after: str | None, limit: int) -> list[OutputRow]:
        """Return up to `limit` holdings of an owner behind a cursor.

        They are in the order in which they were settled; the spent ones alone, in that in which their spenders were.
        What is settled later is behind all cursors that `is_firm` calls so.

        Args:
            owner: public key, base58.
            spent: True or False for only the spent or unspent, None for both.
            after: cursor of the last row already read, or None.
            limit: how many at the most.
        """

    @abstractmethod
    def lineages(self, outputs: Sequence[OutputRef]) -> dict[OutputRef, Lineage]:
        """Return which asset each settled output holds or has held; what is not settled is left out."""

    @abstractmethod
    def outputs_of_asset(self, asset: str, after: str | None, limit: int) -> list[OutputRow]:
        """Return up to `limit` outputs that hold or have held an asset, behind a cursor, in order of their steps."""

    # --- rejections ------------------------------------------------------------------------------------------

    @abstractmethod
    def reject(self, rejections: Sequence[RejectionRow]) -> None:
        """Store rejections; the first of a node for a text stands."""

    @abstractmethod
    def rejections(self, ids: Sequence[str]) -> dict[str, list[RejectionRow]]:
        """Return the rejections of each transaction id that has any, oldest first."""

    # --- registers -------------------------------------------------------------------------------------------

    @abstractmethod
    def registers(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the text in each named register that holds one."""

    @abstractmethod
    def swap_register(self, name: str, expected: str | None, new: str | None) -> bool:
        """Put `new` into a register if it holds `expected` (None: nothing), atomically; tell whether it did."""
