"""What a federation does in the absence of a member, and what that member finds when it is back."""

from __future__ import annotations

from bigchaindb.consensus.selection import assignee
from bigchaindb.node.queries import Status
from tests.ledgers import Ledger, key, ref, row

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")


def test_one_node_after_the_other_takes_over_what_an_absent_one_should_build() -> None:
    ledger = Ledger(nodes=4)
    boat = ledger.create(ALICE)
    absent = next(member for member in ledger.members if member.me == assignee(boat, ledger.federation))
    absent.stop()
    ledger.running[0].write(boat)
    ledger.run(seconds=29)
    assert ledger.statuses(boat) == [Status.BACKLOG] * 3
    ledger.run(seconds=90)
    assert ledger.statuses(boat) == [Status.VALID] * 3
    assert len([block for block in ledger.blocks() if boat.hash in block.transactions]) == 1


def test_the_next_one_takes_over_when_the_first_to_take_over_is_absent_too() -> None:
    ledger = Ledger(nodes=5)
    boat = ledger.create(ALICE)
    members = sorted(ledger.members, key=lambda member: member.me)
    first = [member.me for member in members].index(assignee(boat, ledger.federation))
    for i in (first, first + 1):
        members[i % len(members)].stop()
    ledger.running[0].write(boat)
    ledger.run(seconds=40)
    assert ledger.statuses(boat) == [Status.BACKLOG] * 3
    ledger.run(seconds=30)
    assert ledger.statuses(boat) == [Status.VALID] * 3


def test_a_member_that_was_away_knows_what_a_quorum_has_rejected_meanwhile() -> None:
    ledger = Ledger(nodes=4)
    boat = ledger.settle(ledger.create(ALICE))
    absent = ledger.members[-1]
    absent.stop()
    first = ledger.transfer(ref(boat), ALICE, BOB)
    rival = ledger.transfer(ref(boat), ALICE, CAROL)
    ledger.write(first)
    ledger.run(seconds=60)
    # Past `write`, which would refuse it: as if both had been written at the same moment.
    absent.storage.append_backlog([row(rival)], ledger.clock.now)
    ledger.run(seconds=60)
    assert absent.storage.backlog_size() == 0
    absent.start()
    ledger.run(seconds=5)
    assert ledger.statuses(first) == [Status.VALID] * 4
    assert ledger.statuses(rival) == [Status.REJECTED] * 4
    assert first.id in absent.reason(rival)


def test_a_member_that_was_away_calls_no_input_missing_before_it_has_caught_up() -> None:
    ledger = Ledger(nodes=4)
    absent = ledger.members[-1]
    absent.stop()
    boat = ledger.create(ALICE)
    ledger.write(boat)
    ledger.run(seconds=120)
    assert ledger.statuses(boat) == [Status.VALID] * 3
    handed_on = ledger.transfer(ref(boat), ALICE, BOB)
    absent.write(handed_on)
    absent.start()
    absent.builder.step()
    assert absent.queries.rejection(handed_on.id) is None
    ledger.run(seconds=60)
    assert ledger.statuses(handed_on) == [Status.VALID] * 4
