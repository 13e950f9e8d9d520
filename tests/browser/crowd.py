"""A ledger that leaves a page little room: long rows, many owners, all that can be in one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb import cryptoconditions as cc
from bigchaindb.model.building import create_transaction
from bigchaindb.storage.records import VoteRow
from tests.browser.world import escrow
from tests.ledgers import Ledger, key, lock_with, public, ref, row

if TYPE_CHECKING:
    from bigchaindb.model.transaction import Transaction

__all__ = ["Crowd", "make_crowd"]

_NODES: Final = 7
_OUTPUTS: Final = 12
_LONG_AGO_SECONDS: Final = 400 * 86_400
_PEOPLE: Final = [key(f"person {number}") for number in range(10)]
_BOARD: Final = [key(f"director {number}") for number in range(40)]
_ALICE: Final = key("alice")


@dataclass(frozen=True, slots=True)
class Crowd:
    """A ledger, and the address of each page beneath `/explorer` by its name."""

    ledger: Ledger
    pages: dict[str, str]


def make_crowd() -> Crowd:
    """Let a federation live until its pages are full."""
    ledger = Ledger(_NODES)
    old = ledger.settle(ledger.create(_PEOPLE, {"kind": "heirloom"}))
    ledger.clock.now += _LONG_AGO_SECONDS
    made = [ledger.create(_ALICE, {"number": number}) for number in range(_OUTPUTS)]
    ledger.write(*made)
    ledger.run()
    many = ledger.settle(ledger.transfer([ref(each) for each in made], _ALICE, _PEOPLE))
    ledger.settle(*[ledger.transfer(ref(many, cid), _PEOPLE, _PEOPLE) for cid in (10, 11)])
    board = ledger.settle(_locked(ledger))
    rejected = _rejected(ledger)
    pact = ledger.settle(escrow(ledger, _ALICE, _PEOPLE[0]))
    home = ledger.home(pact)
    silent = next(member for member in ledger.members if member.vote_on(home) is None)
    vote = ledger.vote(home, silent, reason=f"transaction {pact.id}: {'no' * 90}")
    ledger.first.storage.place_votes([VoteRow(home.id, silent.me, vote.text)])
    for member in ledger.members[1:]:
        member.stop()
    ledger.write(*[ledger.transfer(ref(many, cid), _PEOPLE, _PEOPLE) for cid in range(3)])
    ledger.run()
    waiting = ledger.create(_PEOPLE, {"kind": "waiting"})
    ledger.write(waiting)
    owner = f"/owners/{public(_PEOPLE[0])[0]}"
    return Crowd(
        ledger,
        pages={
            "overview": "/",
            "long ago": "/?window=1d",
            "blocks": "/blocks",
            "block": f"/blocks/{home.id}",
            "large block": f"/blocks/{ledger.home(made[0]).id}",
            "escrow": f"/transactions/{pact.id}",
            "many outputs": f"/transactions/{many.id}",
            "many owners": f"/transactions/{board.id}",
            "rejected": f"/transactions/{rejected.id}",
            "waiting": f"/transactions/{waiting.id}",
            "holdings": owner,
            "history": f"{owner}?show=history",
            "asset": f"/assets/{made[-1].id}",
            "payload": f"/payloads/{old.payload_hash}",
            "federation": "/federation",
        },
    )


def _locked(ledger: Ledger) -> Transaction:
    """A CREATE that takes the signatures of thirty of forty owners, some of whom count double."""
    lock = cc.ThresholdSha256Fulfillment(30)
    for number, owner in enumerate(public(_BOARD)):
        lock.add_subfulfillment(cc.Ed25519Fulfillment(owner), 1 + number % 2)
    node = ledger.first.key
    unsigned = create_transaction(
        public(node), public(_BOARD), [], "CREATE", payload=None, timestamp=ledger.clock.timestamp
    )
    return ledger.sign(lock_with(unsigned, {"uri": lock.condition_uri, "details": lock.to_json()}), node)


def _rejected(ledger: Ledger) -> Transaction:
    """The loser of two rivals."""
    asset = ledger.settle(ledger.create(_ALICE, {"kind": "wanted by two"}))
    rivals = [ledger.transfer(ref(asset), _ALICE, owner) for owner in _PEOPLE[:2]]
    ledger.first.storage.append_backlog([row(each) for each in rivals], ledger.clock.now)
    ledger.run(60)
    return max(rivals, key=lambda each: each.id)
