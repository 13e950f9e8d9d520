"""A federation that changes by one member at a time (design.md 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import base58
import pytest

from bigchaindb.config import parse
from bigchaindb.exceptions import (
    ConfigurationError,
    FederationMismatch,
    JournalError,
    LedgerError,
    OperationError,
)
from bigchaindb.model.pledge import Pledge
from bigchaindb.node.membership import check_may_adopt, check_may_change, undo, with_member
from bigchaindb.node.queries import Status
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import VoteRow
from tests.consensus.views import at, garbled
from tests.ledgers import Ledger, Member, key, public, ref, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.config import Config

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")
NEWCOMER = key("newcomer")


class Changing:
    """A ledger of two, and a newcomer who may join."""

    def __init__(self, nodes: int = 2) -> None:
        self.ledger = Ledger(nodes)
        self.before = self.ledger.federation
        self.after = sorted([*self.before, *public(NEWCOMER)])
        self.history = [self.before, self.after]

    def newcomer(self) -> Member:
        """A node for the newcomer, which does not run yet."""
        newcomer = Member(self.ledger, NEWCOMER, MemoryStorage(self.ledger.database), self.ledger.clock)
        self.ledger.members.append(newcomer)
        return newcomer

    def join(self) -> Member:
        """Let all adopt the federation with the newcomer."""
        newcomer = self.newcomer()
        for member in self.ledger.members:
            member.adopt(self.history)
        return newcomer


@pytest.fixture
def changing() -> Changing:
    return Changing()


def test_a_newcomer_knows_the_ledger_and_takes_part_in_it(changing: Changing) -> None:
    ledger = changing.ledger
    asset = ledger.settle(ledger.create(ALICE))
    newcomer = changing.join()
    ledger.run()
    assert newcomer.status(asset) is Status.VALID
    transfer = ledger.transfer(ref(asset), ALICE, BOB)
    newcomer.write(transfer)
    ledger.run(seconds=100)
    assert ledger.statuses(transfer) == [Status.VALID] * 3
    assert ledger.home(transfer).header.voters == tuple(changing.after)
    mine = ledger.create(CAROL, by=newcomer)
    newcomer.write(mine)
    ledger.run(seconds=100)
    assert ledger.statuses(mine) == [Status.VALID] * 3


def test_under_the_new_federation_its_quorum_counts(changing: Changing) -> None:
    ledger = changing.ledger
    newcomer = changing.join()
    ledger.members[0].stop()
    asset = ledger.create(ALICE, by=ledger.members[1])
    newcomer.write(asset)
    ledger.run(seconds=150)
    assert ledger.statuses(asset) == [Status.VALID] * 2


def test_a_newcomer_creates_nothing_before_a_quorum_would_take_it(changing: Changing) -> None:
    """Whoever has not heard of it yet would reject what it creates, and that is for ever."""
    ledger = changing.ledger
    a, b = ledger.members
    newcomer = changing.newcomer()
    newcomer.adopt(changing.history)
    mine = ledger.create(ALICE, by=newcomer)
    with pytest.raises(
        OperationError, match="is a new member, and may CREATE once a quorum has started with the chang"
    ):
        newcomer.write(mine)
    a.adopt(changing.history)
    newcomer.write(mine)
    ledger.run(seconds=100)
    assert b.status(mine) is not Status.VALID
    b.adopt(changing.history)
    ledger.run(seconds=100)
    assert ledger.statuses(mine) == [Status.VALID] * 3


def test_nodes_that_were_removed_and_still_run_take_nothing_of_a_newcomers_away() -> None:
    ledger = Ledger(3)
    a, b, c = ledger.members
    history = [ledger.federation, sorted([a.me, b.me]), [b.me], sorted([b.me, *public(NEWCOMER)])]
    a.adopt(history[:2])
    newcomer = Member(ledger, NEWCOMER, MemoryStorage(ledger.database), ledger.clock)
    ledger.members.append(newcomer)
    for member in (b, newcomer):
        member.adopt(history)
    b.stop()
    mine = ledger.create(ALICE, by=newcomer)
    newcomer.write(mine)
    for _ in range(90):
        ledger.clock.now += 1
        a.builder.step()
        c.builder.step()
    b.start()
    ledger.run(seconds=100)
    assert [member.status(mine) for member in (b, newcomer)] == [Status.VALID] * 2


def test_a_configuration_of_before_cannot_be_used_again(changing: Changing) -> None:
    ledger = changing.ledger
    a, _ = ledger.members
    changing.join()
    other = sorted([*changing.before, *public(key("another"))])
    for history in ([changing.before], [changing.before, other]):
        a.history = history
        with pytest.raises(JournalError, match="has used a later federation, or another, than the"):
            a.start()
    a.adopt([*changing.history, sorted({*changing.after, *public(key("another"))})])
    ledger.run()


def test_who_joined_last_can_be_removed_and_that_is_a_step_of_its_own(changing: Changing) -> None:
    """Blocks and votes do not tell the federation of before from that of now: their members are the same."""
    ledger = changing.ledger
    a, b = ledger.members
    newcomer = changing.join()
    asset = ledger.settle(ledger.create(ALICE))
    newcomer.stop()
    again = [*changing.history, changing.before]
    a.adopt(again)
    with pytest.raises(LedgerError, match="1 of 2 members have started with it") as caught:
        check_may_change(a.node)  # although b has voted under the first
    assert b.me in str(caught.value)
    b.adopt(again)
    check_may_change(a.node)
    transfer = ledger.settle(ledger.transfer(ref(asset), ALICE, BOB))
    assert ledger.home(transfer).header.voters == tuple(changing.before)


def test_who_comes_back_does_not_let_one_member_run_ahead_of_the_others() -> None:
    """Two quorums that share no node would each decide one of two rivals."""
    ledger = Ledger(4)
    a, b, c, d = ledger.members
    three = sorted(m.me for m in (a, b, c))
    first, second = [ledger.federation], [ledger.federation, three]
    ledger.settle(ledger.create(ALICE))
    d.stop()
    for member in (a, b, c):
        member.adopt(second)
    ledger.settle(ledger.create(BOB))
    check_may_change(c.node)
    third = [*second, *first]
    c.adopt(third)
    with pytest.raises(LedgerError, match="1 of 4 members have started with it"):
        check_may_change(c.node)
    fourth = [*third, sorted([*ledger.federation, *public(NEWCOMER)])]
    with pytest.raises(LedgerError, match="federation 3 of that history is not in use yet"):
        check_may_adopt(d.node, fourth)


def test_who_uses_a_later_federation_casts_no_vote_under_an_earlier_one(changing: Changing) -> None:
    ledger = changing.ledger
    changing.join()
    ledger.run()
    block = ledger.put_block(ledger.create(ALICE))
    assert block.header.voters == tuple(changing.before)
    ledger.run(seconds=5)
    assert [member.vote_on(block) for member in ledger.members] == [None] * 3
    assert [member.verdict_on(block) for member in ledger.members] == [None] * 3


def test_who_does_not_know_the_later_federation_yet_leaves_its_blocks_aside_until_it_does(changing: Changing) -> None:
    ledger = changing.ledger
    a, b = ledger.members
    asset = ledger.create(ALICE)
    block = ledger.block(asset, voters=changing.after)
    ledger.put(block, asset)
    a.adopt(changing.history)
    ledger.run(seconds=5)
    assert a.vote_on(block) is not None
    assert b.vote_on(block) is None
    b.adopt(changing.history)
    ledger.run(seconds=5)
    assert [member.verdict_on(block) for member in (a, b)] == [True, True]


def test_any_valid_vote_on_an_undecided_block_of_before_binds(changing: Changing) -> None:
    """It may have been decided by a quorum of before that nobody here has seen."""
    ledger = changing.ledger
    asset = ledger.settle(ledger.create(ALICE))
    a, b = ledger.members
    b.stop()
    old = ledger.put_block(ledger.transfer(ref(asset), ALICE, BOB))
    ledger.run()
    assert a.vote_on(old) is not None
    newcomer = changing.join()
    rival = ledger.transfer(ref(asset), ALICE, CAROL)
    block = ledger.block(rival, voters=changing.after, by=newcomer)
    ledger.put(block, rival)
    ledger.run(seconds=5)
    assert [member.verdict_on(block) for member in ledger.members] == [False] * 3


def test_a_forged_spend_in_a_block_of_before_binds_nobody_whoever_votes_for_it(changing: Changing) -> None:
    """Nobody votes under a federation of before any more, so the block would stay undecided, and bind for ever."""
    ledger = changing.ledger
    asset = ledger.settle(ledger.create(ALICE))
    a, liar = ledger.members
    changing.join()
    liar.stop()
    forged = garbled(ledger.transfer(ref(asset), ALICE, CAROL))
    block = ledger.block(forged, voters=changing.before, by=liar)
    ledger.put(block, forged)
    MemoryStorage(ledger.database).place_votes([VoteRow(block.id, liar.me, ledger.vote(block, liar).text)])
    ledger.run()
    spend = ledger.transfer(ref(asset), ALICE, BOB)
    a.write(spend)
    ledger.run(seconds=150)
    assert ledger.statuses(spend) == [Status.VALID] * 2


def test_what_only_some_have_recorded_under_the_federation_before_can_be_built_again(changing: Changing) -> None:
    ledger = changing.ledger
    a, b = ledger.members
    asset = ledger.create(ALICE)
    old = ledger.put_block(asset)
    MemoryStorage(ledger.database).place_votes([VoteRow(old.id, b.me, ledger.vote(old, b).text)])
    b.stop()
    a.voter.step()
    a.voter.step()
    assert a.verdict_on(old) is True
    # b's vote was cast by hand, so it starts with a journal of its own making.
    del ledger.database.contents.votes[old.id][b.me]
    changing.join()
    MemoryStorage(ledger.database).append_backlog([row(asset)], ledger.clock.now)
    ledger.run(seconds=150)
    assert set(ledger.statuses(asset)) == {Status.VALID}


def test_a_second_change_waits_until_a_quorum_uses_the_first(changing: Changing) -> None:
    ledger = changing.ledger
    a, b = ledger.members
    check_may_change(a.node)
    newcomer = changing.newcomer()
    a.adopt(changing.history)
    with pytest.raises(LedgerError, match="the last change is not in use yet: 1 of 3 members have started") as caught:
        check_may_change(a.node)
    assert [member.me in str(caught.value) for member in (a, b, newcomer)] == [False, True, True]
    newcomer.adopt(changing.history)
    check_may_change(a.node)
    check_may_change(newcomer.node)


@pytest.mark.parametrize(
    "text",
    [
        lambda *_: "junk",
        lambda ledger, history: Pledge.sign("1" * 64, history, at(0), ledger.members[1].key).text,
        lambda ledger, history: Pledge.sign(ledger.id, history[:1], at(0), ledger.members[1].key).text,
        lambda ledger, history: Pledge.sign(ledger.id, history[1:], at(0), ledger.members[1].key).text,
        lambda ledger, history: Pledge.sign(ledger.id, history, at(0), ledger.members[0].key).text,
    ],
    ids=["junk", "of another ledger", "of a shorter history", "of another history", "by somebody else"],
)
def test_what_is_no_pledge_of_a_member_shows_nothing_and_gives_way_to_one(
    changing: Changing, text: Callable[[Ledger, list[list[str]]], str]
) -> None:
    ledger = changing.ledger
    a, b = ledger.members
    a.adopt(changing.history)
    name = f"pledge/{b.me}"
    standing = a.storage.registers([name])[name]
    assert a.storage.swap_register(name, standing, text(ledger, changing.history))
    with pytest.raises(LedgerError, match="1 of 3 members have started"):
        check_may_change(a.node)
    b.adopt(changing.history)
    check_may_change(a.node)


def test_who_has_gone_further_uses_what_came_before_too(changing: Changing) -> None:
    ledger = changing.ledger
    a, b = ledger.members
    a.adopt(changing.history)
    b.adopt([*changing.history, sorted([*changing.after, *public(key("second"))])])
    check_may_change(a.node)


def test_a_change_that_somebody_uses_is_not_taken_back() -> None:
    ledger = Ledger(4)
    late, *others = ledger.members
    after = sorted([*ledger.federation, *public(NEWCOMER)])
    before = configuration(late, ledger.federation)
    changed = with_member(before, *public(NEWCOMER), has_begun=True)
    late.history = [ledger.federation, after]
    late.open()  # as the command line does, while the node still runs under the federation before
    assert undo(changed, before, late.node) == before
    others[0].adopt([ledger.federation, after])
    assert undo(changed, before, late.node) is None


def configuration(member: Member, federation: list[str]) -> Config:
    """The configuration of a member under the founding federation."""
    seed = base58.b58encode(member.key._key[:32]).decode()
    pair = {"private": seed, "public": member.me}
    return parse({"keypair": pair, "keyring": [m for m in federation if m != member.me]}, "test")


def test_a_member_that_left_builds_and_votes_no_more() -> None:
    ledger = Ledger(3)
    asset = ledger.settle(ledger.create(ALICE))
    *staying, gone = ledger.members
    after = sorted(member.me for member in staying)
    gone.stop()
    for member in staying:
        member.adopt([ledger.federation, after])
    transfer = ledger.settle(ledger.transfer(ref(asset), ALICE, BOB))
    assert ledger.home(transfer).header.voters == tuple(after)
    forbidden = ledger.create(CAROL, by=gone)
    assert ledger.is_refused(forbidden)
    block = ledger.block(ledger.create(CAROL), by=gone, voters=after)
    ledger.put(block, ledger.create(CAROL))
    ledger.run(seconds=5)
    assert [member.vote_on(block) for member in staying] == [None, None]


def test_a_history_that_skips_a_step_opens_no_ledger(changing: Changing) -> None:
    two_more = sorted([*changing.after, *public(key("another"))])
    with pytest.raises(FederationMismatch):
        changing.ledger.first.adopt([changing.before, two_more])


# --- taking over a history ---------------------------------------------------------------------------------


def test_a_member_that_was_away_adopts_all_changes_that_the_others_use(changing: Changing) -> None:
    ledger = changing.ledger
    away, other = ledger.members
    second = sorted([*changing.after, *public(key("second"))])
    third = sorted(set(second) - {other.me})
    history = [changing.before, changing.after, second]
    for signing_key in (NEWCOMER, key("second")):
        ledger.members.append(Member(ledger, signing_key, MemoryStorage(ledger.database), ledger.clock))
    away.stop()
    _, _, newcomer, latest = ledger.members
    for member in (other, newcomer, latest):
        member.adopt(history)
    other.write(ledger.create(ALICE, by=other))
    ledger.run(seconds=150)
    check_may_adopt(away.node, history)
    check_may_adopt(away.node, [*history, third])  # as the others, who have seen that the last is in use


def test_a_history_goes_no_step_beyond_a_federation_that_nobody_uses(changing: Changing) -> None:
    ledger = changing.ledger
    ledger.settle(ledger.create(ALICE))
    member = ledger.first
    second = sorted([*changing.after, *public(key("second"))])
    check_may_adopt(member.node, changing.history)
    with pytest.raises(LedgerError, match="federation 2 of that history is not in use yet") as caught:
        check_may_adopt(member.node, [*changing.history, second])
    assert "0 of 3 members have started" in str(caught.value)
    for missing in changing.after:
        assert missing in str(caught.value)
    member.adopt(changing.history)
    with pytest.raises(LedgerError, match="not in use yet"):
        check_may_adopt(member.node, [*changing.history, second])
    check_may_adopt(member.node, changing.history)


def test_a_history_that_lacks_or_changes_what_a_member_knows_is_refused(changing: Changing) -> None:
    member = changing.ledger.first
    member.adopt(changing.history)
    other = sorted([*changing.before, *public(key("another"))])
    for history, problem in (
        ([changing.before], "federation 2 of the 2 that this node knows is missing"),
        ([changing.before, other], "federation 2 of the 2 that this node knows is another one"),
        ([changing.after], "federation 1 of the 2 that this node knows is another one"),
    ):
        with pytest.raises(ConfigurationError, match=problem):
            check_may_adopt(member.node, history)
