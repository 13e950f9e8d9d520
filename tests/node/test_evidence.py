"""What evidence proves: a member's own signatures accuse it, and nothing else does."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from bigchaindb.model.block import Block
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.genesis import Quorum
from bigchaindb.model.vote import Vote
from bigchaindb.node.evidence import Evidence, Misdeed, MisdeedKind, misdeeds
from bigchaindb.node.node import stored_block
from bigchaindb.node.report import report
from bigchaindb.storage.records import DecisionRow, VoteRow
from tests.ledgers import Ledger, Member, key, ref

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")


@pytest.fixture
def ledger() -> Ledger:
    """A federation of four, nothing of which runs."""
    return Ledger(nodes=4, quorum=Quorum.TWO_THIRDS, start=False)


def keep(ledger: Ledger, *votes: Vote) -> None:
    ledger.first.storage.keep_evidence([VoteRow(vote.block_id, vote.node, vote.text) for vote in votes])


def place(ledger: Ledger, *votes: Vote) -> None:
    ledger.first.storage.place_votes([VoteRow(vote.block_id, vote.node, vote.text) for vote in votes])


def proven(ledger: Ledger) -> list[Misdeed]:
    return misdeeds(ledger.first.node)


def rivals(ledger: Ledger) -> tuple[Block, Block]:
    """Two blocks that spend the same output in different transactions."""
    boat = ledger.create(ALICE)
    ledger.put_block(boat)
    one = ledger.put_block(ledger.transfer(ref(boat), ALICE, BOB))
    other = ledger.put_block(ledger.transfer(ref(boat), ALICE, CAROL))
    return one, other


def refuse(ledger: Ledger, member: Member, block: Block, at: str) -> None:
    """Put a decision "invalid" into a member's log."""
    decision = Decision.sign(
        ledger=ledger.id,
        sequence=1,
        block_id=block.id,
        verdict=Verdict.INVALID,
        previous=None,
        timestamp=at,
        key=member.key,
    )
    row = DecisionRow(member.me, 1, block.id, verdict=False, text=decision.text, valid_transactions=0, newest_time=at)
    member.storage.append_decisions([row])


# --- two votes on a block ----------------------------------------------------------------------------------


def test_a_second_vote_is_proven_by_both(ledger: Ledger) -> None:
    liar = ledger.members[-1]
    block = ledger.put_block(ledger.create(ALICE))
    place(ledger, ledger.vote(block, liar))
    keep(ledger, ledger.vote(block, liar, "changed my mind"))
    assert proven(ledger) == [Misdeed(liar.me, MisdeedKind.SECOND_VOTE, (block.id,))]


def test_the_same_vote_again_proves_nothing(ledger: Ledger) -> None:
    member = ledger.members[-1]
    block = ledger.put_block(ledger.create(ALICE))
    place(ledger, ledger.vote(block, member))
    keep(ledger, ledger.vote(block, member))
    assert proven(ledger) == []


def test_a_vote_that_a_member_did_not_sign_proves_nothing_against_it(ledger: Ledger) -> None:
    honest, liar = ledger.members[:2]
    block = ledger.put_block(ledger.create(ALICE))
    place(ledger, ledger.vote(block, honest))
    foreign = ledger.vote(block, liar, "no")
    renamed = foreign.text.replace(liar.me, honest.me)
    for text in (foreign.text, renamed, "junk"):
        ledger.first.storage.keep_evidence([VoteRow(block.id, honest.me, text)])
    assert proven(ledger) == []


def test_a_vote_on_another_block_proves_nothing(ledger: Ledger) -> None:
    member = ledger.members[-1]
    one, other = ledger.put_block(ledger.create(ALICE)), ledger.put_block(ledger.create(BOB))
    place(ledger, ledger.vote(one, member))
    ledger.first.storage.keep_evidence([VoteRow(one.id, member.me, ledger.vote(other, member, "no").text)])
    assert proven(ledger) == []


def test_what_a_stranger_does_is_no_members_misdeed(ledger: Ledger) -> None:
    stranger = key("stranger")
    block = ledger.put_block(ledger.create(ALICE))
    first, second = (Vote.sign(block.id, ledger.id, reason, ledger.clock.timestamp, stranger) for reason in (None, "x"))
    place(ledger, first)
    keep(ledger, second)
    assert proven(ledger) == []


# --- valid votes on blocks that conflict -------------------------------------------------------------------


def test_valid_votes_on_two_conflicting_blocks_are_proven(ledger: Ledger) -> None:
    liar = ledger.members[-1]
    one, other = rivals(ledger)
    votes = [ledger.vote(one, liar), ledger.vote(other, liar)]
    place(ledger, *votes)
    keep(ledger, *votes)
    blocks = tuple(sorted((one.id, other.id)))
    assert proven(ledger) == [Misdeed(liar.me, MisdeedKind.CONFLICTING_VOTES, blocks)]


def test_a_no_to_one_of_them_is_what_an_honest_node_says(ledger: Ledger) -> None:
    member = ledger.members[-1]
    one, other = rivals(ledger)
    keep(ledger, ledger.vote(one, member), ledger.vote(other, member, "output 0 is spent"))
    assert proven(ledger) == []


def test_valid_votes_on_blocks_that_do_not_conflict_prove_nothing(ledger: Ledger) -> None:
    member = ledger.members[-1]
    boat, car = ledger.create(ALICE), ledger.create(BOB)
    ledger.put_block(boat, car)
    one = ledger.put_block(ledger.transfer(ref(boat), ALICE, BOB))
    other = ledger.put_block(ledger.transfer(ref(car), BOB, ALICE))
    keep(ledger, ledger.vote(one, member), ledger.vote(other, member))
    assert proven(ledger) == []


def test_valid_votes_on_two_blocks_with_the_same_transaction_prove_nothing(ledger: Ledger) -> None:
    member = ledger.members[-1]
    boat = ledger.create(ALICE)
    ledger.put_block(boat)
    handed_on = ledger.transfer(ref(boat), ALICE, BOB)
    one, again = ledger.put_block(handed_on), ledger.put_block(handed_on, by=member)
    keep(ledger, ledger.vote(one, member), ledger.vote(again, member))
    assert proven(ledger) == []


def test_who_has_decided_one_block_invalid_may_vote_valid_on_its_rival_afterwards(ledger: Ledger) -> None:
    member = ledger.members[-1]
    one, other = rivals(ledger)
    votes = [ledger.vote(one, member)]
    ledger.clock.now += 60
    refuse(ledger, member, one, ledger.clock.timestamp)
    place(ledger, *(ledger.vote(one, each, "output 0 is spent") for each in ledger.members[:-1]))
    ledger.clock.now += 1
    votes.append(ledger.vote(other, member))
    place(ledger, *votes)
    keep(ledger, *votes)
    assert proven(ledger) == []


def test_a_member_cannot_excuse_itself_by_a_decision_that_nobody_bears_out(ledger: Ledger) -> None:
    liar = ledger.members[-1]
    one, other = rivals(ledger)
    keep(ledger, ledger.vote(one, liar), ledger.vote(other, liar))
    place(ledger, *(ledger.vote(one, member) for member in ledger.members))
    refuse(ledger, liar, one, "1.000000")
    assert [misdeed.kind for misdeed in proven(ledger)] == [MisdeedKind.CONFLICTING_VOTES]


@pytest.mark.parametrize("others", ["have voted it down", "have recorded that it is invalid", "one has voted twice"])
def test_a_member_is_excused_by_a_decision_that_the_others_bear_out(ledger: Ledger, others: str) -> None:
    *rest, member = ledger.members
    one, other = rivals(ledger)
    keep(ledger, ledger.vote(one, member), ledger.vote(other, member))
    refuse(ledger, member, one, ledger.clock.timestamp)
    noes = [ledger.vote(one, each, "output 0 is spent") for each in rest]
    if others == "have recorded that it is invalid":
        for each in rest:
            refuse(ledger, each, one, ledger.clock.timestamp)
    elif others == "one has voted twice":
        place(ledger, *noes[1:], ledger.vote(one, rest[0]))
        keep(ledger, noes[0])
        assert [misdeed.node for misdeed in proven(ledger)] == [rest[0].me]
        return
    else:
        place(ledger, *noes)
    assert proven(ledger) == []


def test_a_decision_that_comes_after_both_votes_excuses_nobody(ledger: Ledger) -> None:
    liar = ledger.members[-1]
    one, other = rivals(ledger)
    keep(ledger, ledger.vote(one, liar), ledger.vote(other, liar))
    ledger.clock.now += 60
    refuse(ledger, liar, one, ledger.clock.timestamp)
    assert [misdeed.node for misdeed in proven(ledger)] == [liar.me]


def test_a_forged_block_under_the_same_id_makes_no_conflict(ledger: Ledger) -> None:
    """Its header is the honest block's, so it has that id; what it names does not add up to the root."""
    honest = ledger.members[-1]
    boat, car = ledger.create(ALICE), ledger.create(BOB)
    ledger.put_block(boat, car)
    one = ledger.put_block(ledger.transfer(ref(boat), ALICE, BOB))
    other = ledger.put_block(ledger.transfer(ref(car), BOB, ALICE))
    rival = ledger.transfer(ref(boat), ALICE, CAROL)
    ledger.put_block(rival)
    forged = Block.from_text(other.text.replace(other.transactions[0], rival.hash))
    assert (forged.id, forged.is_signed) == (other.id, True)
    honest.storage.write_block(stored_block(forged, [rival.id]))
    keep(ledger, ledger.vote(one, honest), ledger.vote(other, honest))
    assert proven(ledger) == []


# --- much of it --------------------------------------------------------------------------------------------


def test_junk_hides_nothing_that_is_kept_after_it(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    liar = ledger.members[-1]
    rows = [VoteRow(f"{place:064x}", liar.me, f"junk {text}") for place in range(250) for text in range(4)]
    ledger.first.storage.keep_evidence(rows)
    block = ledger.put_block(ledger.create(ALICE))
    keep(ledger, ledger.vote(block, liar), ledger.vote(block, liar, "changed my mind"))
    assert proven(ledger) == [Misdeed(liar.me, MisdeedKind.SECOND_VOTE, (block.id,))]
    ledger.first.start()
    with caplog.at_level(logging.WARNING):
        ledger.run(seconds=5)
    assert [f"{liar.me} cast two different votes" in line for line in caplog.messages] == [True]


def test_the_misdeeds_of_one_member_do_not_hide_those_of_another(ledger: Ledger) -> None:
    one, other = ledger.members[-2:]
    at = ledger.clock.timestamp
    for block_id in (f"{number:064x}" for number in range(300)):
        keep(ledger, *(Vote.sign(block_id, ledger.id, reason, at, one.key) for reason in (None, "no")))
    blocks = rivals(ledger)
    keep(ledger, *(ledger.vote(block, other) for block in blocks))
    found = proven(ledger)
    assert [misdeed.kind for misdeed in found if misdeed.node == other.me] == [MisdeedKind.CONFLICTING_VOTES]
    assert len([misdeed for misdeed in found if misdeed.node == one.me]) == 10


def test_a_vote_is_remembered_until_its_rival_comes(ledger: Ledger) -> None:
    liar = ledger.members[-1]
    one, other = rivals(ledger)
    keep(ledger, ledger.vote(one, liar))
    evidence = Evidence(ledger.first.node)
    while evidence.read():
        pass
    keep(ledger, ledger.vote(other, liar))
    evidence.read()
    assert [misdeed.kind for misdeed in evidence.proven] == [MisdeedKind.CONFLICTING_VOTES]


# --- what is seen of it ------------------------------------------------------------------------------------


def test_a_running_node_logs_each_members_misdeeds_once_per_kind(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(nodes=4, quorum=Quorum.TWO_THIRDS)
    liar = ledger.members[-1]
    liar.stop()
    with caplog.at_level(logging.WARNING):
        for i in range(3):
            block = ledger.put_block(ledger.create(ALICE, {"i": i}))
            place(ledger, ledger.vote(block, liar))
            keep(ledger, ledger.vote(block, liar, "changed my mind"))
            ledger.run(seconds=5)
    lines = [record.getMessage() for record in caplog.records if "kept as evidence" in record.getMessage()]
    assert len(lines) == len(ledger.running)
    assert all(line.startswith(f"{liar.me} cast two different votes on a block: ") for line in lines)


def test_the_report_tells_how_far_each_member_has_come(ledger: Ledger) -> None:
    for member in ledger.members[:3]:
        member.start()
    ledger.settle(ledger.create(ALICE))
    seen = report(ledger.members[1].node)
    assert seen.members[0].node == ledger.members[1].me
    assert {member.node: member.decided for member in seen.members} == {
        **{member.me: 1 for member in ledger.members[:3]},
        ledger.members[3].me: 0,
    }
    assert seen.members[0].last_decided_at == ledger.clock.timestamp
    assert (seen.blocks, seen.backlog, seen.misdeeds) == (2, 0, ())


@pytest.mark.parametrize("text", ["junk", "another member's"])
def test_the_report_believes_no_log_that_its_member_did_not_sign(ledger: Ledger, text: str) -> None:
    liar, other = ledger.members[2:]
    block = ledger.put_block(ledger.create(ALICE))
    refuse(ledger, liar, block, ledger.clock.timestamp)
    (row,) = liar.storage.decisions(liar.me, 0, 1)
    other.storage.append_decisions([replace(row, node=other.me, text="junk" if text == "junk" else row.text)])
    seen = {member.node: member.decided for member in report(ledger.first.node).members}
    assert (seen[liar.me], seen[other.me]) == (1, 0)
