"""The first block: it holds the federation, the quorum rule and a random name (design.md sections 2 and 3).

Invariants:

- The genesis block has `ledger` null and one GENESIS transaction, signed by the block's maker, who is a member.
- `voters` of the block is the federation in the payload.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from bigchaindb.model.block import Block
from bigchaindb.model.building import create_transaction, sign_transaction
from bigchaindb.model.signed import shape
from bigchaindb.model.transaction import Operation, Transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.crypto import SigningKey

__all__ = ["Genesis", "Quorum"]

_PAYLOAD: Final = frozenset({"federation", "quorum", "name"})


class Quorum(StrEnum):
    """How many votes decide."""

    MAJORITY = "majority"
    TWO_THIRDS = "two-thirds"


@dataclass(frozen=True, slots=True)
class Genesis:
    """A ledger's beginning.

    Attributes:
        block: the first block.
        transaction: its only transaction.
        federation: public keys of the founding members, sorted.
        quorum: how many votes decide, for ever.
    """

    block: Block
    transaction: Transaction
    federation: tuple[str, ...]
    quorum: Quorum

    @classmethod
    def create(
        cls, federation: Sequence[str], quorum: Quorum, *, name: str, timestamp: str, key: SigningKey
    ) -> Genesis:
        """Make a beginning.

        Args:
            federation: public keys of the founding members, the maker's among them.
            quorum: the rule that every node of this ledger must use.
            name: random text, so that no two ledgers share a genesis.
            timestamp: Unix seconds.
            key: the maker's.
        """
        maker = str(key.verifying_key)
        payload = {"federation": sorted(federation), "quorum": str(quorum), "name": name}
        unsigned = create_transaction([maker], [maker], [], Operation.GENESIS, payload=payload, timestamp=timestamp)
        transaction = Transaction.from_dict(sign_transaction(unsigned, {maker: key}, {}))
        block = Block.build([transaction], ledger=None, voters=federation, timestamp=timestamp, key=key)
        return cls.from_parts(block, transaction)

    @classmethod
    def from_parts(cls, block: Block, transaction: Transaction) -> Genesis:
        """Check a first block and its transaction (but for the fulfillment, see `bigchaindb.consensus`).

        Raises:
            BlockError: they are no beginning of a ledger.
        """
        if block.header.ledger is not None:
            raise shape.fail("block.ledger", "must be null in the first block")
        if not block.is_signed:
            raise shape.fail("signature", f"is not that of {block.header.node}")
        if not block.holds([transaction.leaf]):
            raise shape.fail("transactions", "do not add up to the root")
        if transaction.operation is not Operation.GENESIS:
            raise shape.fail("transaction.operation", "must be GENESIS in the first block")
        data = transaction.document["transaction"]["data"] or {"payload": None}
        payload = shape.fields(data["payload"], "payload", _PAYLOAD)
        federation = shape.keys(payload["federation"], "payload.federation")
        if federation != block.header.voters:
            raise shape.fail("block.voters", "must be the federation of the payload")
        if block.header.node not in federation or transaction.fulfillments[0].owners[0] != block.header.node:
            raise shape.fail("block.node_pubkey", "must be a member, and the maker of the transaction")
        shape.text(payload["name"], "payload.name")
        quorum = shape.text(payload["quorum"], "payload.quorum")
        if quorum not in set(Quorum):
            raise shape.fail("payload.quorum", "must be majority or two-thirds")
        return cls(block, transaction, federation, Quorum(quorum))
