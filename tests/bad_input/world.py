"""A ledger with something of everything, which nobody may change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bigchaindb import cryptoconditions as cc
from tests.ledgers import lock_with
from tests.onenode import Document, OneNode, public

if TYPE_CHECKING:
    from typing import Any

__all__ = ["DEADLINE", "World"]

DEADLINE: Final = "1460981667.449279"  # in 2016


class World:
    """What is in the ledger, and signed transactions that are not.

    Attributes:
        mine, other, joint, locked: valid, unspent; of alice, alice, alice and bob, and whoever knows "secret".
        create, transfer: could be written now.
        spent_again, waiting_again, too_late: could not.
        waiting: waits in the backlog.
        receipt: of `mine`.
        tables: what is stored.
    """

    def __init__(self, node: OneNode) -> None:
        self.node = node
        self.b = node.bigchain
        self.mine = node.settle(node.create("alice", payload={"kind": "boat"}))
        self.other = node.settle(node.create("alice"))
        self.joint = node.settle(node.create("alice", "bob"))
        self.create = node.create("alice", payload={"kind": "boat"})
        self.transfer = node.transfer([self.mine["id"], self.other["id"]], "alice", "bob", payload={"to": "bob"})
        spent = node.settle(node.create("alice"))
        self.spent_again = node.transfer(spent["id"], "alice", "carol")
        node.settle(node.transfer(spent["id"], "alice", "bob"))
        self.locked = node.settle(self._locked({"uri": cc.PreimageSha256Fulfillment("secret").condition_uri}))
        escrow = cc.ThresholdSha256Fulfillment(2)
        escrow.add_subfulfillment(cc.TimeoutFulfillment(DEADLINE))
        escrow.add_subfulfillment(cc.Ed25519Fulfillment(public("alice")))
        expired = node.settle(self._locked({"uri": escrow.condition_uri, "details": escrow.to_json()}, public("alice")))
        self.too_late = node.transfer(expired["id"], "alice", "alice")
        waiting = node.settle(node.create("alice"))
        self.waiting_again = node.transfer(waiting["id"], "alice", "carol")
        self.waiting = node.transfer(waiting["id"], "alice", "bob")
        self.b.write_transaction(self.waiting)
        self.receipt = self.b.get_receipt(self.mine["id"])
        self.tables = node.tables()

    def _locked(self, condition: dict[str, Any], owner: str | None = None) -> Document:
        unsigned = self.b.create_transaction(self.b.me, owner, None, "CREATE")
        return self.node.sign(lock_with(unsigned, condition), "node")
