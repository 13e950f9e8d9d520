"""Federations of several nodes over one database: all decide alike, whoever is late, away or lying."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigchaindb.consensus.receipts import verify_receipt
from bigchaindb.consensus.selection import assignee
from bigchaindb.model.genesis import Quorum
from bigchaindb.node.queries import Status
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import VoteRow
from tests.consensus.views import garbled
from tests.ledgers import Ledger, Member, key, public, ref, row

if TYPE_CHECKING:
    from bigchaindb.model.transaction import Transaction
    from bigchaindb.storage.records import StoredBlock

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")


def decided(member: Member) -> dict[str, bool]:
    """How a member has decided each block."""
    return {row.block_id: row.verdict for row in member.storage.decisions(member.me, 0, 10_000)}


def agree(ledger: Ledger) -> bool:
    """Tell whether no two members have decided a block differently."""
    logs = [decided(member) for member in ledger.members]
    return all(len({log[block] for log in logs if block in log}) == 1 for log in logs for block in log)


def spenders(ledger: Ledger, member: Member) -> list[str]:
    """Every output that a transaction spends which this member says is valid."""
    storage = MemoryStorage(ledger.database)
    valid = [block_id for block_id, verdict in decided(member).items() if verdict]
    blocks = [stored for found in storage.blocks(valid).values() for stored in found]
    texts = storage.contents([text for stored in blocks for text in stored.texts()]).values()
    return [f"{r.txid}:{r.cid}" for text in texts for r in member.node.view.read(text).inputs]


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("rule", list(Quorum))
def test_any_federation_decides_and_proves(nodes: int, rule: Quorum) -> None:
    ledger = Ledger(nodes, quorum=rule)
    asset = ledger.settle(ledger.create(ALICE, {"kind": "boat"}))
    transfer = ledger.settle(ledger.transfer(ref(asset), ALICE, BOB))
    for member in ledger.members:
        assert decided(member) == decided(ledger.first)
        assert member.queries.unspent(public(BOB)[0]) == [ref(transfer)]
        assert verify_receipt(member.queries.receipt(transfer.id), ledger.federation, rule) == transfer.id


def test_each_member_may_create_and_take_in() -> None:
    ledger = Ledger(3)
    assets = [ledger.create(ALICE, by=member) for member in ledger.members]
    for member, asset in zip(ledger.members, assets, strict=True):
        member.write(asset)
    ledger.run()
    assert [set(ledger.statuses(asset)) for asset in assets] == [{Status.VALID}] * 3


def test_two_nodes_that_see_rivals_in_different_orders_settle_on_one() -> None:
    """Each builds and backs its own; under a majority of two neither can win, so both are decided invalid."""
    ledger = Ledger(2)
    a, b = ledger.members
    asset = ledger.settle(ledger.create(ALICE))
    rivals = [ledger.transfer(ref(asset), ALICE, owner) for owner in (BOB, CAROL)]
    storage = MemoryStorage(ledger.database)
    storage.append_backlog([row(t) for t in rivals], ledger.clock.now)
    blocks = [ledger.block(t, by=m) for t, m in zip(rivals, (a, b), strict=True)]
    ledger.put(blocks[0], rivals[0])
    a.voter.step()
    ledger.put(blocks[1], rivals[1])
    place = ledger.vote(blocks[1], b)
    assert place.is_valid
    storage.append_backlog([row(t) for t in rivals], ledger.clock.now)
    ledger.run(seconds=150)
    assert sorted(str(a.status(t)) for t in rivals) == ["rejected", "valid"]
    assert [a.status(t) for t in rivals] == [b.status(t) for t in rivals]
    assert agree(ledger)


class LaggingStorage(MemoryStorage):
    """A connection on which the blocks of others arrive late."""

    is_lagging = False

    def blocks_after(self, cursor: str | None, limit: int, *, may_lag: bool = False) -> list[tuple[str, StoredBlock]]:
        return [] if self.is_lagging else super().blocks_after(cursor, limit, may_lag=may_lag)


def lag(*members: Member, on: bool) -> None:
    for member in members:
        assert isinstance(member.storage, LaggingStorage)
        member.storage.is_lagging = on


def crossed_rivals(ledger: Ledger, a: Member, b: Member) -> tuple[Transaction, Transaction]:
    """Two transfers of the same two assets that are assigned to a and to b; the first has the smaller id."""
    assets = {}
    for n in range(40):
        asset = ledger.create(ALICE, {"n": n})
        ledger.write(asset)
        # By its first input, so the builder of what spends it first is that of the asset itself.
        assets[assignee(asset, ledger.federation)] = asset
    ledger.run(seconds=150)
    x, y = assets[a.me], assets[b.me]
    for n in range(40):
        one = ledger.transfer([ref(x), ref(y)], ALICE, key(f"one {n}"))
        two = ledger.transfer([ref(y), ref(x)], ALICE, key(f"two {n}"))
        if one.id < two.id:
            return one, two
    raise AssertionError("no such pair")


def test_rivals_split_between_two_of_three_nodes_wait_for_the_third_and_hold_up_nobody() -> None:
    ledger = Ledger(3, connect=LaggingStorage)
    a, b, absent = ledger.members
    absent.stop()
    one, two = crossed_rivals(ledger, a, b)
    boat = next(t for n in range(40) if assignee(t := ledger.create(CAROL, {"boat": n}), ledger.federation) == a.me)
    lag(a, b, on=True)
    storage = MemoryStorage(ledger.database)
    storage.append_backlog([row(two)], ledger.clock.now)
    b.step()
    storage.append_backlog([row(one), row(boat)], ledger.clock.now)
    a.step()
    lag(a, b, on=False)
    ledger.run(seconds=200)
    homes = [ledger.home(t) for t in (one, two)]
    assert ledger.home(boat).id == homes[0].id
    assert [[m.vote_on(block) for block in homes].count(None) for m in (a, b)] == [0, 0]
    assert [m.verdict_on(block) for m in (a, b) for block in homes] == [None] * 4
    assert ledger.statuses(boat) == [Status.VALID] * 2, "its neighbour was built anew without the rival"
    absent.start()
    ledger.run(seconds=200)
    assert sorted(str(a.status(t)) for t in (one, two)) == ["rejected", "valid"]
    assert {tuple(m.status(t) for t in (one, two)) for m in ledger.members} == {(a.status(one), a.status(two))}
    assert agree(ledger)


def test_under_two_thirds_a_liar_that_votes_for_everything_helps_no_two_rivals() -> None:
    ledger = Ledger(4, quorum=Quorum.TWO_THIRDS)
    *honest, liar = ledger.members
    liar.stop()
    asset = ledger.settle(ledger.create(ALICE))
    rivals = [ledger.transfer(ref(asset), ALICE, owner) for owner in (BOB, CAROL)]
    storage = MemoryStorage(ledger.database)
    for transaction in rivals:
        block = ledger.put_block(transaction, by=liar)
        vote = ledger.vote(block, liar)
        storage.place_votes([VoteRow(block.id, liar.me, vote.text)])
    ledger.run(seconds=30)
    verdicts = [honest[0].verdict_on(block) for block in ledger.blocks()[1:]]
    assert verdicts.count(True) == 1
    assert agree(ledger)


def test_a_forged_spend_in_a_liars_block_keeps_the_owner_from_nothing() -> None:
    ledger = Ledger(4, quorum=Quorum.TWO_THIRDS)
    liar = ledger.members[3]
    asset = ledger.settle(ledger.create(ALICE))
    liar.stop()
    forged = garbled(ledger.transfer(ref(asset), ALICE, CAROL))
    block = ledger.put_block(forged, by=liar)
    MemoryStorage(ledger.database).place_votes([VoteRow(block.id, liar.me, ledger.vote(block, liar).text)])
    for member in ledger.running:
        member.voter._noting.note_new(ledger.clock.now)  # noted, and not voted on yet
    spend = ledger.transfer(ref(asset), ALICE, BOB)
    ledger.settle(spend)
    assert [member.verdict_on(block) for member in ledger.running] == [False] * 3


def test_under_two_thirds_a_liars_false_decisions_prove_nothing() -> None:
    ledger = Ledger(4, quorum=Quorum.TWO_THIRDS)
    liar = ledger.members[3]
    liar.stop()
    asset = ledger.settle(ledger.create(ALICE))
    receipt = ledger.first.queries.receipt(asset.id)
    assert len(receipt["decisions"]) == 3
    assert verify_receipt(receipt, ledger.federation, "two-thirds") == asset.id


ACTIONS = ["build", "build", "vote", "vote", "vote", "put", "pass", "leave"]


def act(ledger: Ledger, transfers: list[Transaction], data: st.DataObject) -> None:
    """Let one thing happen: a member works, goes away or comes back, a transfer is written, time passes."""
    action = data.draw(st.sampled_from(ACTIONS))
    member = data.draw(st.sampled_from(ledger.members))
    if action == "put":
        waiting = row(data.draw(st.sampled_from(transfers)))
        MemoryStorage(ledger.database).append_backlog([waiting], ledger.clock.now)
    elif action == "pass":
        ledger.clock.now += data.draw(st.sampled_from([0.1, 5.0, 31.0]))
    elif not member.is_running:
        member.start()
    elif action == "leave":
        member.stop()
    elif action == "build":
        member.builder.step()
    else:
        member.voter.step()


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_order_the_members_work_in_they_agree_and_nothing_is_spent_twice(data: st.DataObject) -> None:
    """Members step in any order, go away and come back; transfers compete for the same assets."""
    ledger = Ledger(3)
    assets = [ledger.create(ALICE, {"n": n}) for n in range(3)]
    ledger.settle(*assets)
    transfers = [ledger.transfer(ref(assets[n % 3]), ALICE, key(f"owner {n}")) for n in range(6)]
    for _ in range(40):
        act(ledger, transfers, data)
    assert agree(ledger)
    for member in ledger.members:
        if not member.is_running:
            member.start()
    MemoryStorage(ledger.database).append_backlog([row(t) for t in transfers], ledger.clock.now)
    ledger.run(seconds=300)
    assert agree(ledger)
    for member in ledger.members:
        spent = spenders(ledger, member)
        assert len(spent) == len(set(spent))
    for n in range(3):
        fates = sorted(str(ledger.first.status(t)) for t in transfers[n::3])
        assert fates == ["rejected", "valid"]
    assert len({tuple(member.status(t) for t in transfers) for member in ledger.members}) == 1
