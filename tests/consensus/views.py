"""A ledger that is whatever a test says: a `View` over plain data, without storage."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bigchaindb.consensus.view import Standing
from bigchaindb.model.building import create_transaction, sign_transaction
from bigchaindb.model.transaction import Transaction
from tests.consensus.conditions import lock
from tests.ledgers import NOW, key, lock_with, public, ref

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bigchaindb import cryptoconditions as cc
    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Output

__all__ = ["FEDERATION", "LEDGER", "NODE", "StatedView", "at", "block_id", "create", "garbled", "transfer"]

NODE = key("node 0")
FEDERATION = tuple(sorted(public([NODE, key("node 1"), key("node 2")])))
LEDGER = "1" * 64


def at(seconds: float) -> str:
    """The time so many seconds after `NOW`."""
    return f"{NOW + seconds:.6f}"


def block_id(name: str) -> str:
    """The id of the block of that name."""
    return hashlib.sha256(name.encode()).hexdigest()


def create(
    name: str, owner: str = "alice", *, by: str = "node 0", locked: cc.Fulfillment | None = None, size_bytes: int = 0
) -> Transaction:
    """The signed CREATE of that name."""
    maker = key(by)
    payload = {"name": name, "text": "x" * size_bytes}
    unsigned = create_transaction(public(maker), public(key(owner)), [], "CREATE", payload=payload, timestamp=at(0))
    if locked is not None:
        unsigned = lock_with(unsigned, lock(locked))
    signed = sign_transaction(unsigned, {public(maker)[0]: maker}, {}, max_bytes=2**23)
    return Transaction.from_dict(signed, max_bytes=2**23)


def transfer(*spent: Transaction, by: str = "alice", to: str = "bob", cid: int = 0) -> Transaction:
    """The signed TRANSFER of one output of each of these; the same arguments give the same."""
    owner = key(by)
    refs = [ref(t, cid) for t in spent]
    unsigned = create_transaction(public(owner), public(key(to)), refs, "TRANSFER", timestamp=at(0))
    outputs = {ref(t, o.cid): o for t in spent for o in t.outputs}
    return Transaction.from_dict(sign_transaction(unsigned, {public(owner)[0]: owner}, outputs))


def garbled(transaction: Transaction) -> Transaction:
    """The same transaction with fulfillments that fulfil nothing: another signed text, the same id."""
    document = transaction.to_dict()
    for fulfillment in document["transaction"]["fulfillments"]:
        fulfillment["fulfillment"] = "cf:0:"
    return Transaction.from_dict(document)


@dataclass
class StatedView:
    """What a node is said to know.

    Attributes:
        federation: the members.
        stored: every transaction that is stored.
        backlog: those that wait.
        blocks: the blocks in which each transaction id stands.
        supports: ids of blocks with a valid vote.
        large: how many transactions there are in a block.
        verified: hashes of signed texts that are known to be sound.
        known_valid: ids of what is known to be decided valid without asking.
        noted_all: whether the node has no blocks to catch up with.
        aside: ids of what stands in blocks that the node has left aside.
    """

    federation: tuple[str, ...] = FEDERATION
    stored: list[Transaction] = field(default_factory=list)
    backlog: list[Transaction] = field(default_factory=list)
    blocks: dict[str, list[Standing]] = field(default_factory=dict)
    supports: set[str] = field(default_factory=set)
    large: dict[str, int] = field(default_factory=dict)
    verified: set[str] = field(default_factory=set)
    known_valid: set[str] = field(default_factory=set)
    noted_all: bool = True
    aside: set[str] = field(default_factory=set)

    # --- saying what there is ---

    def store(self, *transactions: Transaction) -> None:
        """These are stored, but neither wait nor stand anywhere."""
        self.stored.extend(transactions)

    def wait(self, *transactions: Transaction) -> None:
        """These wait in the backlog."""
        self.store(*transactions)
        self.backlog.extend(transactions)

    def stand(
        self,
        block: str,
        *transactions: Transaction,
        verdict: bool | None = None,
        backed: bool = False,
        live: bool = False,
        ahead: bool = False,
    ) -> None:
        """These stand in the block of that id."""
        self.store(*transactions)
        for transaction in transactions:
            self.blocks.setdefault(transaction.id, []).append(Standing(block, verdict, backed, live, ahead=ahead))

    def decided(self, *transactions: Transaction) -> None:
        """These stand in a block decided valid."""
        self.stand(block_id("decided"), *transactions, verdict=True)

    # --- what the rules ask ---

    def standings(self, ids: Collection[str]) -> dict[str, list[Standing]]:
        return {txid: self.blocks[txid] for txid in ids if txid in self.blocks}

    def is_known_valid(self, txid: str) -> bool:
        return txid in self.known_valid

    def spenders(self, refs: Collection[OutputRef]) -> dict[OutputRef, Sequence[str]]:
        found = {r: tuple(dict.fromkeys(t.id for t in self.stored if r in t.inputs)) for r in refs}
        return {r: ids for r, ids in found.items() if ids}

    def waiting(self, ids: Collection[str]) -> dict[str, list[Transaction]]:
        found = {txid: [t for t in self.backlog if t.id == txid] for txid in ids}
        return {txid: transactions for txid, transactions in found.items() if transactions}

    def texts(self, ids: Collection[str]) -> dict[str, list[Transaction]]:
        return {txid: [t for t in self.stored if t.id == txid] for txid in ids}

    def has_noted_all(self) -> bool:
        return self.noted_all

    def left_aside(self, ids: Collection[str]) -> set[str]:
        return self.aside & set(ids)

    def outputs(self, refs: Collection[OutputRef]) -> dict[OutputRef, Output]:
        known = {ref(t, output.cid): output for t in self.stored for output in t.outputs}
        return {r: known[r] for r in refs if r in known}

    def sizes(self, block_ids: Collection[str]) -> dict[str, int]:
        return {block: self.large[block] for block in block_ids if block in self.large}

    def supported(self, block_ids: Collection[str]) -> set[str]:
        return self.supports & set(block_ids)

    def is_verified(self, transaction: Transaction) -> bool:
        return transaction.hash in self.verified
