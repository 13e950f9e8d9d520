"""One member of one ledger: what it validates, stores and builds upon.

Invariants:

- A node opens only a ledger whose genesis holds its own federation and quorum rule.
- `write` has returned only when what it took in is durable; it takes in nothing that `validate` would refuse.
- Block time is never before the newest decided block's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bigchaindb.consensus.admission import admit
from bigchaindb.consensus.fulfillments import check_fulfillments
from bigchaindb.exceptions import BlockError, FederationMismatch, JournalError, LedgerError, TransactionError
from bigchaindb.model.block import Block
from bigchaindb.model.federations import Federations
from bigchaindb.model.genesis import Genesis, Quorum
from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.model.transaction import DEFAULT_MAX_BYTES, Operation, Transaction
from bigchaindb.node.marks import Marks
from bigchaindb.node.membership import not_seen
from bigchaindb.node.view import BLOCK_STALL_SECONDS, LedgerView
from bigchaindb.storage.records import NewTransaction, Sighting, StoredBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bigchaindb.crypto import SigningKey
    from bigchaindb.storage.interface import Storage

# Blocks may be up to a minute older than the newest, so more than one has to be looked at.
_LATELY: Final = 32
_PAGE: Final = 500

__all__ = ["Node", "create_ledger", "stored_block"]


def create_ledger(  # noqa: PLR0913 - what a ledger begins with
    storage: Storage,
    key: SigningKey,
    federation: Sequence[str],
    quorum: Quorum,
    *,
    name: str,
    clock: Callable[[], float],
) -> Genesis:
    """Create the ledger, or find the one that is there.

    Args:
        storage: an open database.
        key: this node's; a member of the federation.
        federation: public keys of the founding members.
        quorum: how many votes decide.
        name: random text, so that no two ledgers share a genesis.
        clock: Unix seconds.

    Returns:
        The genesis that stands, made here or by somebody else.

    Raises:
        LedgerError: what is there is no beginning of a ledger.
    """
    mine = Genesis.create(federation, quorum, name=name, timestamp=format_timestamp(clock()), key=key)
    transaction = mine.transaction
    standing = storage.create_genesis(
        stored_block(mine.block, [transaction.id]),
        NewTransaction(transaction.hash, transaction.id, transaction.text),
        transaction.payload_hash,
    )
    return _read_genesis(storage, standing)


def _read_genesis(storage: Storage, stored: StoredBlock) -> Genesis:
    contents = list(storage.contents(stored.texts()).values())
    if len(contents) != 1:
        raise LedgerError(f"the genesis block in storage has {len(contents)} transactions, not 1")
    try:
        genesis = Genesis.from_parts(Block.from_text(stored.text), Transaction.from_text(contents[0].text))
        check_fulfillments(genesis.transaction, {}, None)
    except (BlockError, TransactionError) as error:
        raise LedgerError(f"the genesis block in storage is not one: {error}") from error
    return genesis


def stored_block(block: Block, transaction_ids: Sequence[str], tags: bytes = b"") -> StoredBlock:
    """Return a block as storage takes it."""
    return StoredBlock(block.key, block.id, block.text, block.transactions, tuple(transaction_ids), tags)


class Node:
    """A member of a ledger, in one process.

    Attributes:
        storage: the database.
        key: the node's signing key.
        me: its public key.
        genesis: the ledger's beginning; `genesis.block.id` names the ledger.
        federations: the present one and all before it.
        quorum: how many votes decide.
        clock: returns Unix seconds.
        view: the ledger as this node sees it.
        max_transaction_bytes: the largest canonical transaction that it takes.
    """

    def __init__(  # noqa: PLR0913 - what a node is made of
        self,
        storage: Storage,
        key: SigningKey,
        *,
        federation: Sequence[str],
        earlier_federations: Sequence[Sequence[str]] = (),
        quorum: Quorum,
        clock: Callable[[], float],
        max_transaction_bytes: int = DEFAULT_MAX_BYTES,
        block_stall_seconds: float = BLOCK_STALL_SECONDS,
    ) -> None:
        """Open the ledger in a database.

        Raises:
            LedgerError: there is none, or it is damaged.
            FederationMismatch: it is another federation's, or under another quorum rule.
        """
        stored = storage.genesis()
        if stored is None:
            raise LedgerError("the database holds no ledger yet: run `bigchaindb init`")
        self.storage = storage
        self.key = key
        self.me = str(key.verifying_key)
        self.genesis = _read_genesis(storage, stored)
        self.federations = Federations.of(federation, earlier_federations)
        self.quorum = quorum
        self.clock = clock
        self.max_transaction_bytes = max_transaction_bytes
        if self.genesis.quorum is not quorum:
            raise FederationMismatch(
                f"election.quorum: this node is configured for {quorum}, the ledger was created under "
                f"{self.genesis.quorum}",
                field="election.quorum",
            )
        if self.genesis.federation != self.federations.founding:
            raise FederationMismatch(
                f"keyring: this node's federation is {', '.join(self.federations.founding)}; the ledger's is "
                f"{', '.join(self.genesis.federation)} (the first of each, where there were several); a newcomer takes "
                "over a member's history with `bigchaindb keyring adopt`",
                field="keyring",
            )
        # Once a quorum uses a federation, it always has.
        self._is_known = len(self.federations.history) == 1
        self._newest = 0, self.genesis.block.header.timestamp
        self.view = LedgerView(
            storage,
            self.me,
            self.federations,
            ledger=self.ledger,
            marks=Marks(key),
            clock=clock,
            block_stall_seconds=block_stall_seconds,
        )

    @property
    def federation(self) -> tuple[str, ...]:
        """Public keys of the present members, sorted."""
        return self.federations.present

    @property
    def ledger(self) -> str:
        """Id of the genesis block."""
        return self.genesis.block.id

    def sight_genesis(self) -> None:
        """Note that the first block is valid; whoever starts a node does this once."""
        block = self.genesis.block
        self.storage.sight(self.me, [Sighting(block.key, block.id, self.clock(), checked=True, verdict=True)])

    def newest_decided(self) -> str:
        """Return the latest timestamp of the blocks decided valid lately, genesis included.

        It is read from signed headers, under decisions that this node has signed, and never goes back while this
        process lives.

        Raises:
            JournalError: the log holds a last decision that is not this node's, or a block decided valid is gone.
        """
        latest = self.storage.latest_decision(self.me)
        read_to, newest = self._newest
        if latest is None or latest.sequence <= read_to:
            return newest
        if latest.block_id not in self.view.verdicts({latest.block_id}):
            raise JournalError(f"decision {latest.sequence} in storage, on block {latest.block_id}, is not this node's")
        headers = self.view.headers(self._valid_between(read_to, latest.sequence))
        for block_id, header in headers.items():
            if header is None:
                raise JournalError(f"block {block_id}, which this node decided valid, is gone from storage")
        newest = max([newest, *(header.timestamp for header in headers.values() if header)], key=float)
        self._newest = latest.sequence, newest
        return newest

    def _valid_between(self, first: int, last: int) -> list[str]:
        """Return the blocks that this node decided valid last, behind one decision and up to another."""
        # Anybody can have any number of blocks decided invalid: time must not go back because of them.
        found: list[str] = []
        count = _LATELY
        while last > first and len(found) < _LATELY:
            start = max(first, last - count)
            rows = self.storage.decisions(self.me, start, last - start)
            verdicts = self.view.verdicts({row.block_id for row in rows})
            found += [row.block_id for row in reversed(rows) if verdicts.get(row.block_id)]
            last, count = start, _PAGE
        return found[:_LATELY]

    def block_time(self) -> str:
        """Return the time that a block built now would have."""
        return max(format_timestamp(self.clock()), self.newest_decided(), key=float)

    # --- taking transactions in ------------------------------------------------------------------------------

    def validate(self, transactions: Sequence[Transaction]) -> list[TransactionError | None]:
        """Say of each transaction why it may not be written now, or None; later ones may build upon earlier ones."""
        answers = admit(transactions, self.view, self.block_time, self._newcomers(transactions))
        self.view.remember(t for t, error in zip(transactions, answers, strict=True) if error is None)
        return answers

    def _newcomers(self, transactions: Sequence[Transaction]) -> frozenset[str]:
        """Return the member that joined last, where it has a say here and a quorum may not know it yet."""
        if self._is_known:
            return frozenset()
        *_, before, present = self.federations.history
        joined = frozenset(present) - frozenset(before)
        creators = {t.fulfillments[0].owners[0] for t in transactions if t.operation is Operation.CREATE}
        if not joined & creators:
            return frozenset()
        self._is_known = not not_seen(self)
        return frozenset() if self._is_known else joined

    def write(self, transactions: Sequence[Transaction]) -> list[TransactionError | None]:
        """Store those that may be written; say of each why not, or None.

        Raises:
            StorageError: it is not known whether they were stored; write them again.
        """
        answers = self.validate(transactions)
        self.store([t for t, error in zip(transactions, answers, strict=True) if error is None])
        return answers

    def store(self, validated: Sequence[Transaction]) -> None:
        """Store transactions that `validate` found nothing against, all in one; not those that it saw are valid.

        Raises:
            StorageError: as `write`.
        """
        # Whoever repeats what is decided must not fill the backlog, and the indexes, with it.
        new = [self._record(t) for t in validated if not self.view.is_known_valid(t.id)]
        if new:
            self.storage.append_backlog(new, self.clock())

    def _record(self, transaction: Transaction) -> NewTransaction:
        return NewTransaction(
            hash=transaction.hash,
            id=transaction.id,
            text=transaction.text,
            tag=self.view.mark(transaction),
            spends=transaction.inputs,
        )
