"""A ledger with something to see, the same in every run: what the pictures in the documentation show."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bigchaindb import cryptoconditions as cc
from bigchaindb.model.building import create_transaction
from tests.ledgers import Ledger, key, lock_with, public, ref

if TYPE_CHECKING:
    from bigchaindb.crypto import SigningKey
    from bigchaindb.model.transaction import Transaction

__all__ = ["World", "make_world"]

_NODES: Final = 4
_STEPS: Final = 60
_STEP_SECONDS: Final = 8
_PEOPLE: Final = [key(f"person {number}") for number in range(12)]
_CAR: Final = {"kind": "car", "maker": "Volvo", "model": "PV 544", "year": 1961, "colour": "blåklint"}
_OWNERS: Final = [key(name) for name in ("alice", "bob", "carol", "alice", "dave", "bob")]
_SALES: Final = (4, 9, 26, 31, 50)


@dataclass(frozen=True, slots=True)
class World:
    """A ledger, and what of it is worth a look.

    Attributes:
        ledger: of four nodes, of which one is down in the end.
        car: what began an asset that passed through several hands.
        escrow: a transaction with a condition of several branches.
        sale: the last transfer of the car.
    """

    ledger: Ledger
    car: Transaction
    escrow: Transaction
    sale: Transaction

    @property
    def pages(self) -> dict[str, str]:
        """Address of each page beneath `/explorer`, by its name."""
        bob = public(key("bob"))[0]
        return {
            "overview": "/",
            "blocks": "/blocks",
            "block": f"/blocks/{self.ledger.home(self.escrow).id}",
            "transaction": f"/transactions/{self.escrow.id}",
            "transfer": f"/transactions/{self.sale.id}",
            "owner": f"/owners/{bob}?show=history",
            "asset": f"/assets/{self.car.id}",
            "payload": f"/payloads/{self.car.payload_hash}",
            "federation": "/federation",
            "search": "/search",
            "nothing": "/blocks?before=1",
        }

    @property
    def missing(self) -> dict[str, str]:
        """The same of pages that say that something is not there."""
        return {"unknown": f"/transactions/{'0' * 64}", "not found": "/search?q=nothing", "no page": "/nowhere"}


def make_world() -> World:
    """Let a federation live for some minutes."""
    chance = random.Random(7)
    ledger = Ledger(_NODES)
    car = sale = ledger.settle(ledger.create(_OWNERS[0], _CAR))
    held_by = 0
    for step in range(_STEPS):
        ledger.clock.now += _STEP_SECONDS
        count = max(0, round(chance.gauss(9 if step % 20 > 12 else 5, 3)))
        for number in range(count):
            ledger.write(ledger.create(chance.choice(_PEOPLE), {"serial": f"{step}-{number}"}))
        if step in _SALES:
            before, after = _OWNERS[held_by : held_by + 2]
            sale = ledger.transfer(ref(sale), before, after, {"price": f"{chance.randint(900, 9000)} EUR"})
            ledger.write(sale)
            held_by += 1
        if step == _STEPS - 5:
            ledger.members[-1].stop()
        ledger.run()
    made = ledger.settle(escrow(ledger, key("alice"), key("bob")))
    return World(ledger, car, made, sale)


def escrow(ledger: Ledger, payer: SigningKey, payee: SigningKey) -> Transaction:
    """A CREATE whose output the payee may take with a secret until a deadline, and the payer after it."""
    deadline = f"{ledger.clock.now + 86_400:.6f}"
    (taken_by,), (returned_to,) = public(payee), public(payer)
    taken = cc.ThresholdSha256Fulfillment(3)
    taken.add_subfulfillment(cc.Ed25519Fulfillment(taken_by))
    taken.add_subcondition(cc.PreimageSha256Fulfillment("a secret").condition)
    taken.add_subfulfillment(cc.TimeoutFulfillment(deadline))
    returned = cc.ThresholdSha256Fulfillment(2)
    returned.add_subfulfillment(cc.Ed25519Fulfillment(returned_to))
    later = cc.InvertedThresholdSha256Fulfillment(1)
    later.add_subfulfillment(cc.TimeoutFulfillment(deadline))
    returned.add_subfulfillment(later)
    lock = cc.ThresholdSha256Fulfillment(1)
    lock.add_subfulfillment(taken)
    lock.add_subfulfillment(returned)
    node = ledger.first.key
    unsigned = create_transaction(
        public(node),
        public([payer, payee]),
        [],
        "CREATE",
        payload={"what": "a painting, if the expert agrees", "for": "12,000 EUR"},
        timestamp=ledger.clock.timestamp,
    )
    details: dict[str, Any] = {"uri": lock.condition_uri, "details": lock.to_json()}
    return ledger.sign(lock_with(unsigned, details), node)
