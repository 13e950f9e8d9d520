"""Whole ledgers in memory, with a clock that is turned by hand: `Ledger(nodes=3)`.

Nothing happens by itself: `ledger.run()` steps every running member until all are quiet, `ledger.run(seconds=60)` lets
time pass meanwhile.  Keys come from names, so a test fails in the same way every time.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import base58

from bigchaindb.crypto import SigningKey
from bigchaindb.exceptions import TransactionError
from bigchaindb.model.block import Block
from bigchaindb.model.building import create_transaction, sign_transaction
from bigchaindb.model.genesis import Quorum
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.model.transaction import Transaction, transaction_id
from bigchaindb.model.vote import Vote
from bigchaindb.node.journal import MemoryJournal
from bigchaindb.node.node import Node, create_ledger, stored_block
from bigchaindb.node.queries import Queries, Status
from bigchaindb.pipeline.builder import Builder
from bigchaindb.pipeline.voter import Voter
from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage
from bigchaindb.storage.records import NewTransaction, StoredBlock, TextRef

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bigchaindb.node.journal import Journal
    from bigchaindb.storage.interface import Storage

__all__ = ["NOW", "Clock", "Ledger", "Member", "key", "lock_with", "public", "ref", "resign", "row"]

NOW: Final = 1_700_000_000.0
_MAX_ROUNDS: Final = 500
_STEP_SECONDS: Final = 1.0
# A member that is down may be the one to build, and two that do so in its place may wait for each other.
_MAX_SETTLE_SECONDS: Final = 150

Owners: TypeAlias = "SigningKey | Sequence[SigningKey]"
Document: TypeAlias = "dict[str, Any]"


def key(name: str) -> SigningKey:
    """The key of that name, the same in every run."""
    return SigningKey(base58.b58encode(hashlib.sha256(name.encode()).digest()).decode("ascii"))


def public(owners: Owners) -> list[str]:
    """Public keys."""
    return [str(k.verifying_key) for k in ([owners] if isinstance(owners, SigningKey) else owners)]


def ref(transaction: Transaction, cid: int = 0) -> OutputRef:
    """An output of a transaction."""
    return OutputRef(transaction.id, cid)


def resign(document: Document) -> Document:
    """Set the id of a document that was changed, as its maker would."""
    return {**document, "id": transaction_id(document["transaction"])}


def lock_with(unsigned: Document, *conditions: Document) -> Document:
    """Put conditions of one's own into an unsigned transaction, each `{"uri"}` or `{"uri", "details"}`."""
    body = unsigned["transaction"]
    outputs = [
        {"cid": i, "condition": condition, "new_owners": output["new_owners"]}
        for i, (output, condition) in enumerate(zip(body["conditions"], conditions, strict=True))
    ]
    return resign({**unsigned, "transaction": {**body, "conditions": outputs}})


def row(transaction: Transaction) -> NewTransaction:
    """A transaction as storage takes it, from somebody who asks no node."""
    return NewTransaction(
        transaction.hash,
        transaction.id,
        transaction.text,
        spends=transaction.inputs,
    )


class Clock:
    """Shows what it was set to."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    @property
    def timestamp(self) -> str:
        return format_timestamp(self.now)


class Member:
    """One node of a ledger with its workers; `start` (again) and `stop` them at will."""

    def __init__(self, ledger: Ledger, signing_key: SigningKey, storage: Storage, clock: Clock) -> None:
        self.ledger = ledger
        self.key = signing_key
        self.me = str(signing_key.verifying_key)
        self.clock = clock
        self.storage = storage
        self.journal: Journal = MemoryJournal()
        self.is_running = False
        self.history: list[list[str]] = [ledger.federation]
        self.open()

    def open(self) -> None:
        """Open the ledger anew, as a process does that knows nothing yet."""
        self.node = self._opened()
        self.queries = Queries(self.node)

    def _opened(self) -> Node:
        return Node(
            self.storage,
            self.key,
            federation=self.history[-1],
            earlier_federations=self.history[:-1],
            quorum=self.ledger.quorum,
            clock=self.clock,
        )

    def adopt(self, history: list[list[str]]) -> Member:
        """Start anew with these federations, the last being the present one."""
        self.history = history
        return self.start()

    def start(self) -> Member:
        """Start builder and voter, each over a node of its own as in a process of its own."""
        self.open()
        self.voter = Voter(self._opened(), self.journal)
        self.builder = Builder(self.node)
        self.is_running = True
        return self

    def stop(self) -> None:
        """Let the node be down."""
        self.is_running = False

    def step(self) -> bool:
        """Let builder and voter do what there is to do; tell whether there was anything."""
        built = self.builder.step()
        return self.voter.step() or built

    # --- what others see of it ---

    def status(self, transaction: Transaction) -> Status:
        return self.queries.status(transaction.id)

    def reason(self, transaction: Transaction) -> str:
        """Why this node has rejected a transaction; empty if it has not."""
        rejection = self.queries.rejection(transaction.id)
        return rejection.reason if rejection else ""

    def vote_on(self, block: Block) -> Vote | None:
        """The vote of this node that stands in storage."""
        text = self.storage.votes([block.id]).get(block.id, {}).get(self.me)
        return Vote.from_text(text) if text else None

    def verdict_on(self, block: Block) -> bool | None:
        """How this node has decided a block."""
        found = self.storage.decisions_on([block.id]).get(block.id, [])
        return next((decision.verdict for decision in found if decision.node == self.me), None)

    def write(self, *transactions: Transaction) -> None:
        """Write transactions here, or raise for the first that is refused."""
        for error in self.node.write(transactions):
            if error is not None:
                raise error


class Ledger:
    """A federation over one database in memory."""

    def __init__(
        self,
        nodes: int = 1,
        *,
        quorum: Quorum = Quorum.MAJORITY,
        connect: Callable[[MemoryDatabase], Storage] = MemoryStorage,
        start: bool = True,
        absent: Sequence[str] = (),
    ) -> None:
        """Begin a ledger.

        Args:
            nodes: how many members there are with a node.
            quorum: how many votes decide.
            connect: what each node gets as its storage.
            start: whether the nodes run.
            absent: public keys of further members, of whom nothing is ever heard.
        """
        self.clock = Clock()
        self.quorum = quorum
        self.database = MemoryDatabase()
        keys = sorted((key(f"node {i}") for i in range(nodes)), key=lambda k: str(k.verifying_key))
        self.federation = sorted([*public(keys), *absent])
        self.genesis = create_ledger(
            MemoryStorage(self.database), keys[0], self.federation, quorum, name="test", clock=self.clock
        )
        self.members = [Member(self, k, connect(self.database), self.clock) for k in keys]
        self.first = self.members[0]
        if start:
            for member in self.members:
                member.start()

    @property
    def id(self) -> str:
        return self.genesis.block.id

    @property
    def running(self) -> list[Member]:
        return [member for member in self.members if member.is_running]

    # --- time ------------------------------------------------------------------------------------------------

    def run(self, seconds: float = 0.0) -> None:
        """Step the running members until all are quiet; then let time pass, a second after the other, and so on."""
        self._run_until_quiet()
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now = min(until, self.clock.now + _STEP_SECONDS)
            self._run_until_quiet()

    def _run_until_quiet(self) -> None:
        for _ in range(_MAX_ROUNDS):
            steps = [member.step() for member in self.running]
            if not any(steps):
                return
        raise AssertionError(f"the ledger is not quiet after {_MAX_ROUNDS} rounds")

    # --- transactions ----------------------------------------------------------------------------------------

    def create(self, owners: Owners, payload: Any = None, *, by: Member | None = None) -> Transaction:
        """A signed CREATE, not yet written."""
        maker = (by or self.first).key
        unsigned = create_transaction(
            public(maker), public(owners), [], "CREATE", payload=payload, timestamp=self.clock.timestamp
        )
        return self.sign(unsigned, maker)

    def transfer(
        self,
        inputs: OutputRef | Sequence[OutputRef],
        by: Owners,
        to: Owners,
        payload: Any = None,
    ) -> Transaction:
        """A signed TRANSFER, not yet written; its outputs all go to the same owners."""
        refs = [inputs] if isinstance(inputs, OutputRef) else inputs
        unsigned = create_transaction(
            public(by), public(to), refs, "TRANSFER", payload=payload, timestamp=self.clock.timestamp
        )
        return self.sign(unsigned, by)

    def sign(self, unsigned: Document, by: Owners = (), *, now: str | None = None) -> Transaction:
        """Sign a document with these keys; what it spends must be stored."""
        keys = [by] if isinstance(by, SigningKey) else by
        spent = self.first.node.view.outputs(Transaction.from_dict(unsigned).inputs)
        signed = sign_transaction(unsigned, {str(k.verifying_key): k for k in keys}, spent, now=now)
        return Transaction.from_dict(signed)

    def write(self, *transactions: Transaction) -> None:
        """Write transactions at the first running member, or raise for the first that is refused."""
        self.running[0].write(*transactions)

    def is_refused(self, transaction: Transaction) -> bool:
        """Tell whether a transaction may not be written now."""
        return isinstance(self.first.node.validate([transaction])[0], TransactionError)

    def settle(self, *transactions: Transaction) -> Transaction:
        """Write transactions one after the other, run after each until it is valid everywhere, and return the last."""
        for transaction in transactions:
            self.write(transaction)
            self.run()
            for _ in range(_MAX_SETTLE_SECONDS):
                if set(self.statuses(transaction)) == {Status.VALID}:
                    break
                self.run(_STEP_SECONDS)
            else:
                raise AssertionError(f"{transaction.id} is {self.statuses(transaction)}")
        return transactions[-1]

    def statuses(self, transaction: Transaction) -> list[Status]:
        """How far each running member says that a transaction has come."""
        return [member.status(transaction) for member in self.running]

    # --- blocks past the builder -----------------------------------------------------------------------------

    def block(
        self,
        *transactions: Transaction,
        by: Member | None = None,
        at: str | None = None,
        ledger: str | None = None,
        voters: Sequence[str] | None = None,
    ) -> Block:
        """A block as a member might build it; nothing is stored yet."""
        return Block.build(
            transactions,
            ledger=ledger or self.id,
            voters=self.federation if voters is None else voters,
            timestamp=at or self.clock.timestamp,
            key=(by or self.first).key,
        )

    def put(self, block: Block, *transactions: Transaction) -> StoredBlock:
        """Store a block with its transactions, as somebody does who asks no builder."""
        storage = MemoryStorage(self.database)
        rows = [row(t) for t in transactions]
        storage.append_backlog(rows, self.clock.now)
        storage.drop_backlog(texts=[TextRef(r.hash, r.id) for r in rows])
        stored = stored_block(block, [t.id for t in transactions])
        storage.write_block(stored)
        return stored

    def put_block(self, *transactions: Transaction, by: Member | None = None, at: str | None = None) -> Block:
        """Build and store a block."""
        block = self.block(*transactions, by=by, at=at)
        self.put(block, *transactions)
        return block

    def blocks(self) -> list[Block]:
        """Return all stored blocks that are blocks, in the order of their arrival, without genesis."""
        stored = [item for _, item in MemoryStorage(self.database).blocks_after(None, 10_000)]
        return [Block.from_text(item.text) for item in stored[1:]]

    def home(self, transaction: Transaction) -> Block:
        """The first stored block that holds a transaction."""
        return next(block for block in self.blocks() if transaction.hash in block.transactions)

    def vote(self, block: Block, by: Member, reason: str | None = None) -> Vote:
        """A vote of a member that keeps no journal: a liar's, or one cast by hand; not yet in its place."""
        return Vote.sign(block.id, self.id, reason, self.clock.timestamp, by.key)
