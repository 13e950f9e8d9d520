"""The voter: what it votes on, what it leaves aside, what it decides, and how it catches up."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb import canonical, crypto
from bigchaindb.exceptions import Fenced, JournalError, StorageUnavailable
from bigchaindb.model.block import Block
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.genesis import Quorum
from bigchaindb.model.merkle import leaf_hash, merkle_root
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.vote import Vote
from bigchaindb.node.evidence import Misdeed, MisdeedKind, misdeeds
from bigchaindb.node.journal import MemoryJournal
from bigchaindb.node.node import Node, stored_block
from bigchaindb.node.queries import Status
from bigchaindb.pipeline.voter import Memory, Voter
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import DecisionRow, NewTransaction, Sighting, StoredBlock, VoteRow
from tests.crashes import CrashingStorage
from tests.ledgers import Ledger, Member, key, public, ref, row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bigchaindb.model.transaction import Transaction
    from bigchaindb.storage.records import Effects

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")


@pytest.fixture
def three() -> Ledger:
    """Three nodes, all running."""
    return Ledger(3)


def only_voters(*members: Member) -> None:
    """Let these members vote, but not build."""
    for _ in range(20):
        steps = [member.voter.step() for member in members]
        if not any(steps):
            return
    raise AssertionError("the voters are not quiet")


def step_often(voter: Voter) -> None:
    for _ in range(5):
        voter.step()


def place(ledger: Ledger, *votes: Vote) -> None:
    """Put votes into their places, as the software of another node does."""
    MemoryStorage(ledger.database).place_votes([VoteRow(vote.block_id, vote.node, vote.text) for vote in votes])


# --- votes -------------------------------------------------------------------------------------------------


def test_a_quorum_votes_for_a_good_block_and_all_decide_alike(three: Ledger) -> None:
    block = three.put_block(three.create(ALICE))
    three.run()
    votes = [vote for member in three.members if (vote := member.vote_on(block))]
    assert len(votes) >= 2
    assert all(vote.is_valid and vote.previous_block == three.id for vote in votes)
    assert [member.verdict_on(block) for member in three.members] == [True] * 3


def test_a_block_that_the_own_builder_has_noted_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Ledger()
    one.write(one.create(ALICE))
    one.first.builder.step()
    monkeypatch.setattr(one.first.storage, "blocks", lambda ids: pytest.fail(f"reads {ids} once more"))
    one.first.voter.step()
    (block,) = one.blocks()
    vote = one.first.vote_on(block)
    assert vote is not None
    assert vote.is_valid


def test_votes_of_a_node_form_a_chain_of_all_its_votes(three: Ledger) -> None:
    blocks = []
    for name in "abc":
        blocks.append(three.put_block(three.create(ALICE, {"name": name})))
        three.run()
    votes = [three.first.vote_on(block) for block in blocks]
    assert [v.previous_block for v in votes if v] == [three.id, blocks[0].id, blocks[1].id]


def test_a_vote_of_the_same_round_counts_for_the_blocks_behind(three: Ledger) -> None:
    asset = three.settle(three.create(ALICE))
    one = three.put_block(three.transfer(ref(asset), ALICE, BOB), by=three.members[0])
    two = three.put_block(three.transfer(ref(asset), ALICE, CAROL), by=three.members[1])
    three.first.voter.step()
    votes = [three.first.vote_on(block) for block in (one, two)]
    assert [vote.is_valid for vote in votes if vote] == [True, False]
    three.run()
    assert [three.first.verdict_on(block) for block in (one, two)] == [True, False]


def test_rivals_in_two_blocks_that_meet_voters_in_different_orders_never_both_win(three: Ledger) -> None:
    a, b, c = three.members
    asset = three.settle(three.create(ALICE))
    to_bob, to_carol = three.transfer(ref(asset), ALICE, BOB), three.transfer(ref(asset), ALICE, CAROL)
    one = three.put_block(to_bob, by=a)
    only_voters(a)
    two = three.put_block(to_carol, by=b)
    place(three, three.vote(two, b))  # b has seen its own block first
    only_voters(c)
    three.members = [a, c]
    three.run()
    verdicts = [c.verdict_on(block) for block in (one, two)]
    assert verdicts.count(True) == 1
    assert c.status(to_bob) is Status.VALID


def test_what_was_decided_in_this_very_round_binds_the_votes_of_this_round(three: Ledger) -> None:
    """The node was down while the others decided for Bob; a block for Carol has nobody's vote yet."""
    a, b, late = three.members
    asset = three.settle(three.create(ALICE))
    late.stop()
    to_bob, to_carol = three.transfer(ref(asset), ALICE, BOB), three.transfer(ref(asset), ALICE, CAROL)
    decided = three.put_block(to_bob, by=a)
    three.run()
    rival = three.put_block(to_carol, by=a)
    late.start()
    late.voter.step()
    assert late.verdict_on(decided) is True
    vote = late.vote_on(rival)
    assert vote is None or not vote.is_valid
    three.run()
    assert late.verdict_on(rival) is False
    assert b.verdict_on(rival) is False


def test_what_was_decided_invalid_in_this_very_round_binds_nobody(three: Ledger) -> None:
    a, b, c = three.members
    asset = three.settle(three.create(ALICE))
    refused = three.put_block(three.transfer(ref(asset), ALICE, BOB), by=a)
    only_voters(a)
    place(three, three.vote(refused, b, "no"), three.vote(refused, c, "no"))
    other = three.put_block(three.transfer(ref(asset), ALICE, CAROL), by=a)
    a.voter.step()
    assert a.verdict_on(refused) is False
    vote = a.vote_on(other)
    assert vote is not None
    assert vote.is_valid


def test_a_block_that_spends_what_is_undecided_waits_and_is_voted_on_when_that_is_decided(three: Ledger) -> None:
    a, b, c = three.members
    first = three.create(ALICE)
    one = three.put_block(first)
    second = three.transfer(ref(first), ALICE, BOB)
    two = three.put_block(second)
    only_voters(a)
    assert a.vote_on(one) is not None
    assert a.vote_on(two) is None
    only_voters(b)
    three.run()
    assert [c.verdict_on(block) for block in (one, two)] == [True, True]


def test_inputs_are_decided_before_what_spends_them(three: Ledger) -> None:
    first = three.create(ALICE)
    second = three.transfer(ref(first, 0), ALICE, BOB) if three.put_block(first) else first
    three.put_block(second)
    three.run()
    for member in three.members:
        blocks = [decision.block_id for decision in member.storage.decisions(member.me, 0, 100)]
        assert blocks == [three.home(first).id, three.home(second).id]


def test_a_newer_block_seen_first_is_decided_after_what_it_spends() -> None:
    """A node that was down meets the spending block first, decided by the others already."""
    ledger = Ledger(3)
    _, b, late = ledger.members
    first = ledger.create(ALICE)
    ledger.put_block(first)
    late.stop()
    ledger.run()
    second = ledger.transfer(ref(first), ALICE, BOB)
    ledger.put_block(second)
    ledger.run()
    blocks = ledger.database.contents.blocks
    genesis, one, two = blocks.items()
    ledger.database.contents.blocks = dict([genesis, two, one])
    late.start()
    ledger.run(5)
    decided = [decision.block_id for decision in late.storage.decisions(late.me, 0, 100)]
    assert decided == [one[1].id, two[1].id]
    assert b.status(second) is Status.VALID


def test_whoever_sees_that_a_transaction_is_valid_finds_what_it_made() -> None:
    found: list[list[OutputRef]] = []

    class Asked(MemoryStorage):
        """Asked for Bob's holdings as soon as a decision can be seen."""

        def append_decisions(self, decisions: Sequence[DecisionRow]) -> list[str]:
            texts = super().append_decisions(decisions)
            found.append(ledger.first.queries.unspent(public(BOB)[0]))
            return texts

    ledger = Ledger(connect=Asked)
    asset = ledger.settle(ledger.create(BOB))
    other = ledger.settle(ledger.transfer(ref(asset), BOB, BOB))
    assert found == [[ref(asset)], [ref(other)]]


# --- catching up -------------------------------------------------------------------------------------------


def test_a_node_that_was_down_catches_up_and_decides_alike(three: Ledger) -> None:
    late = three.members[2]
    late.stop()
    asset = three.settle(three.create(ALICE))
    transfer = three.settle(three.transfer(ref(asset), ALICE, BOB))
    late.start()
    three.run()
    assert late.status(asset) is Status.VALID
    assert late.status(transfer) is Status.VALID
    logs = [[d.block_id for d in m.storage.decisions(m.me, 0, 100)] for m in three.members]
    assert logs[0] == logs[2]
    assert late.queries.unspent(public(BOB)[0]) == [ref(transfer)]


def test_a_node_that_was_down_for_an_hour_catches_up(three: Ledger) -> None:
    late = three.members[2]
    late.stop()
    asset = three.settle(three.create(ALICE))
    three.run(seconds=3600)
    late.start()
    three.run()
    assert late.status(asset) is Status.VALID


def test_without_a_quorum_nothing_is_decided_and_with_one_again_everything_is() -> None:
    ledger = Ledger(3)
    a, b, c = ledger.members
    b.stop()
    c.stop()
    asset = ledger.create(ALICE, by=a)
    ledger.write(asset)
    ledger.run(seconds=5)
    assert ledger.statuses(asset) in ([Status.UNDECIDED], [Status.BACKLOG])
    b.start()
    ledger.run(seconds=70)
    assert ledger.statuses(asset) == [Status.VALID, Status.VALID]


def test_two_thirds_of_four_nodes_decide_without_the_fourth() -> None:
    ledger = Ledger(4, quorum=Quorum.TWO_THIRDS)
    ledger.members[3].stop()
    ledger.members[3].is_running = False
    block = ledger.put_block(ledger.create(ALICE))
    ledger.run()
    assert [m.verdict_on(block) for m in ledger.members] == [True, True, True, None]
    ledger.members[2].stop()
    other = ledger.put_block(ledger.create(BOB))
    ledger.run()
    assert [m.verdict_on(other) for m in ledger.members] == [None] * 4


def test_many_blocks_that_wait_for_a_quorum_are_all_decided_when_there_is_one(three: Ledger) -> None:
    a, b, c = three.members
    b.stop()
    c.stop()
    blocks = [three.put_block(three.create(ALICE, {"n": n})) for n in range(20)]
    three.run(seconds=3)
    assert [a.verdict_on(block) for block in blocks] == [None] * 20
    b.start()
    three.run(seconds=3)
    assert [a.verdict_on(block) for block in blocks] == [True] * 20


def test_a_voter_is_never_due_by_itself(three: Ledger) -> None:
    assert three.first.voter.seconds_until_due() is None


# --- newcomers -----------------------------------------------------------------------------------------------


def newcomer(ledger: Ledger) -> Node:
    """A node of a third member, who came after the ledger had begun."""
    joined = key("newcomer")
    return Node(
        MemoryStorage(ledger.database),
        joined,
        federation=[*ledger.federation, *public(joined)],
        earlier_federations=[ledger.federation],
        quorum=ledger.quorum,
        clock=ledger.clock,
    )


def test_a_newcomer_knows_what_a_quorum_before_it_has_recorded() -> None:
    ledger = Ledger(2)
    asset = ledger.settle(ledger.create(ALICE))
    refused = ledger.put_block(ledger.transfer(ref(asset), ALICE, BOB), at="1.000000")
    ledger.run()
    for member in ledger.members:
        member.stop()
    unfinished = ledger.put_block(ledger.create(BOB))
    place(ledger, *(ledger.vote(unfinished, member) for member in ledger.members))
    node = newcomer(ledger)
    voter = Voter(node, MemoryJournal())
    step_often(voter)
    decided = {d.block_id: d.verdict for d in node.storage.decisions(node.me, 0, 9)}
    assert decided == {ledger.home(asset).id: True, refused.id: False}
    assert node.storage.votes([unfinished.id])[unfinished.id].keys() == {m.me for m in ledger.members}, "it has no vote"


# --- left aside, never a no --------------------------------------------------------------------------------


def assert_left_aside(ledger: Ledger, stored: StoredBlock) -> None:
    """Nobody votes on it, nobody decides it, and it counts for nothing."""
    ledger.run(seconds=3)
    for member in ledger.members:
        assert member.storage.votes([stored.id]) == {}
        assert member.storage.decisions_on([stored.id]) == {}
        assert not member.storage.sightings(member.me, [stored.key])[stored.key].checked
        assert member.status(ledger.create(ALICE)) is Status.UNKNOWN


def stored(ledger: Ledger, block: Block, *transactions: Transaction) -> StoredBlock:
    """Store a block and what it holds, whatever it is."""
    return ledger.put(block, *transactions)


def test_a_block_by_a_stranger_is_left_aside(three: Ledger) -> None:
    asset = three.create(ALICE)
    block = Block.build(
        [asset], ledger=three.id, voters=three.federation, timestamp=three.clock.timestamp, key=key("stranger")
    )
    assert_left_aside(three, stored(three, block, asset))


def test_a_block_whose_signature_is_forged_is_left_aside(three: Ledger) -> None:
    asset = three.create(ALICE)
    document = canonical.loads(three.block(asset).text)
    document["signature"] = key("stranger").sign(three.block(asset).header.text)
    assert_left_aside(three, stored(three, Block.from_text(canonical.dumps(document)), asset))


@pytest.mark.parametrize("voters", ["fewer", "more", "others"])
def test_a_block_for_another_electorate_is_left_aside(three: Ledger, voters: str) -> None:
    asset = three.create(ALICE)
    electorate = {
        "fewer": three.federation[:1],
        "more": [*three.federation, *public(key("x"))],
        "others": public([key("x"), key("y"), three.first.key]),
    }[voters]
    assert_left_aside(three, stored(three, three.block(asset, voters=electorate), asset))


def test_a_block_of_another_ledger_is_left_aside(three: Ledger) -> None:
    asset = three.create(ALICE)
    assert_left_aside(three, stored(three, three.block(asset, ledger="1" * 64), asset))


def test_a_second_genesis_is_left_aside(three: Ledger) -> None:
    asset = three.create(ALICE)
    block = Block.build(
        [asset], ledger=None, voters=three.federation, timestamp=three.clock.timestamp, key=three.first.key
    )
    assert_left_aside(three, stored(three, block, asset))


@pytest.mark.parametrize("text", ["junk", "{}", "[]", ""])
def test_a_text_that_is_no_block_is_left_aside(three: Ledger, text: str) -> None:
    asset = three.create(ALICE)
    honest = stored_block(three.block(asset), [asset.id])
    junk = replace(honest, key="f" * 64, text=text)
    MemoryStorage(three.database).append_backlog([row(asset)], 0.0)
    MemoryStorage(three.database).drop_backlog(ids=[asset.id])
    MemoryStorage(three.database).write_block(junk)
    assert_left_aside(three, junk)


@pytest.mark.parametrize("field", ["key", "id"])
def test_a_block_under_a_false_key_or_id_is_left_aside(three: Ledger, field: str) -> None:
    asset = three.create(ALICE)
    MemoryStorage(three.database).append_backlog([row(asset)], 0.0)
    MemoryStorage(three.database).drop_backlog(ids=[asset.id])
    honest = stored_block(three.block(asset), [asset.id])
    false = replace(honest, key="f" * 64) if field == "key" else replace(honest, id="f" * 64)
    MemoryStorage(three.database).write_block(false)
    assert_left_aside(three, false)


def test_a_block_whose_index_names_other_transactions_is_left_aside(three: Ledger) -> None:
    """Else a liar could hide what a block spends, or have a transaction taken for valid that no block holds."""
    asset, other = three.create(ALICE), three.create(BOB)
    storage = MemoryStorage(three.database)
    storage.append_backlog([row(other)], 0.0)
    storage.drop_backlog(ids=[other.id])
    false = replace(stored_block(three.block(other), [other.id]), transaction_ids=(asset.id,))
    storage.write_block(false)
    assert_left_aside(three, false)


def test_a_block_whose_index_names_other_texts_is_left_aside(three: Ledger) -> None:
    asset, other = three.create(ALICE), three.create(BOB)
    storage = MemoryStorage(three.database)
    storage.append_backlog([row(other)], 0.0)
    storage.drop_backlog(ids=[other.id])
    false = replace(stored_block(three.block(other), [other.id]), transactions=(asset.hash,))
    storage.write_block(false)
    assert_left_aside(three, false)


def test_a_block_whose_contents_are_missing_is_left_aside_until_they_are_there(three: Ledger) -> None:
    asset = three.create(ALICE)
    block = three.block(asset)
    storage = MemoryStorage(three.database)
    incomplete = stored_block(block, [asset.id])
    storage.write_block(incomplete)
    assert_left_aside(three, incomplete)
    storage.append_backlog([row(asset)], 0.0)
    storage.drop_backlog(ids=[asset.id])
    three.run(seconds=3)
    assert [member.verdict_on(block) for member in three.members] == [True] * 3
    assert three.statuses(asset) == [Status.VALID] * 3


def test_contents_that_are_lost_after_the_block_was_noted_are_no_reason_to_say_no(three: Ledger) -> None:
    asset = three.create(ALICE)
    boat = three.create(BOB)
    block = three.put_block(boat, asset)
    lost = three.database.contents.transactions.pop(boat.hash)
    three.run(seconds=3)
    assert [member.vote_on(block) for member in three.members] == [None] * 3
    three.database.contents.transactions[boat.hash] = lost
    three.run(seconds=3)
    assert [member.verdict_on(block) for member in three.members] == [True] * 3


def test_contents_that_are_lost_before_a_vote_are_waited_for(three: Ledger) -> None:
    asset = three.create(ALICE)
    block = three.put_block(asset, at=f"{three.clock.now + 100:.6f}")
    three.run()
    for member in three.members:
        member.start()
    lost = three.database.contents.transactions.pop(asset.hash)
    three.run(seconds=150)
    assert [member.vote_on(block) for member in three.members] == [None] * 3
    three.database.contents.transactions[asset.hash] = lost
    three.run(seconds=3)
    assert [member.verdict_on(block) for member in three.members] == [True] * 3


def test_junk_left_aside_does_not_keep_an_honest_block_out_of_sight(three: Ledger) -> None:
    storage = MemoryStorage(three.database)
    for i in range(200):
        storage.write_block(StoredBlock(f"{i:064x}", f"{i:064x}", "junk", (), ()))
    asset = three.create(ALICE)
    block = three.block(asset)
    storage.write_block(stored_block(block, [asset.id]))
    three.run()
    storage.append_backlog([row(asset)], 0.0)
    storage.drop_backlog(ids=[asset.id])
    three.run(seconds=16)
    assert [member.verdict_on(block) for member in three.members] == [True] * 3


@pytest.mark.parametrize("ahead_seconds", [-5.0, 1e6])
def test_notes_that_somebody_forged_hide_no_honest_block(three: Ledger, ahead_seconds: float) -> None:
    at = three.clock.now + ahead_seconds
    forged = [Sighting(f"{i:064x}", f"{i:064x}", at, checked=True) for i in range(1_000)]
    for member in three.members:
        member.storage.sight(member.me, forged)
    block = three.put_block(three.create(ALICE))
    three.run(seconds=1)
    assert [member.verdict_on(block) for member in three.members] == [True] * 3


def test_junk_under_an_honest_id_does_not_shut_the_honest_block_out(three: Ledger) -> None:
    asset = three.create(ALICE)
    block = three.block(asset)
    document = canonical.loads(block.text)
    document["signature"] = "junk"
    MemoryStorage(three.database).append_backlog([row(asset)], 0.0)
    MemoryStorage(three.database).write_block(stored_block(Block.from_text(canonical.dumps(document)), [asset.id]))
    MemoryStorage(three.database).write_block(stored_block(block, [asset.id]))
    three.run()
    assert [member.verdict_on(block) for member in three.members] == [True] * 3


def test_what_is_left_aside_is_logged_once_per_kind(three: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    for i in range(9):
        asset = three.create(ALICE, {"i": i})
        three.put(three.block(asset, ledger="1" * 64), asset)
    with caplog.at_level(logging.WARNING):
        three.run(seconds=5)
    warnings = [r for r in caplog.records if "block of another ledger left aside" in r.getMessage()]
    assert len(warnings) == len(three.members)


def test_votes_by_strangers_are_logged_once_however_often_the_voter_starts_afresh(
    three: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    a, memory = three.first, Memory()
    with caplog.at_level(logging.WARNING):
        for i in range(3):
            block = three.put_block(three.create(ALICE, {"i": i}))
            place(three, *(Vote.sign(block.id, three.id, None, "1.000000", key(f"stranger {i} {n}")) for n in range(3)))
            step_often(Voter(a.node, a.journal, memory))
    assert len([line for line in caplog.messages if line.startswith("vote by a stranger left aside: ")]) == 1


# --- a no --------------------------------------------------------------------------------------------------


def test_a_malformed_transaction_in_a_block_is_a_no(three: Ledger) -> None:
    """Its text is what the root says, so the block is whole, but it is no transaction."""
    good = three.create(ALICE)
    document = good.to_dict()
    document["assignee"] = "x"
    text = canonical.dumps(document)
    honest = three.block(good)
    root = merkle_root([leaf_hash(text.encode())]).hex()
    header = {**honest.header.to_dict(), "transactions_root": root}
    block = Block.from_text(
        canonical.dumps(
            {
                "block": header,
                "signature": three.first.key.sign(canonical.dumps(header)),
                "transactions": [crypto.hash_data(text)],
            }
        )
    )
    storage = MemoryStorage(three.database)
    storage.append_backlog([NewTransaction(crypto.hash_data(text), good.id, text)], 0.0)
    storage.drop_backlog(ids=[good.id])
    storage.write_block(stored_block(block, [good.id]))
    three.run()
    vote = three.first.vote_on(block)
    assert vote is not None
    assert vote.reason == "transaction 0: assignee: is not a field of this document"
    assert [member.verdict_on(block) for member in three.members] == [False] * 3


def test_a_block_refused_by_all_is_decided_invalid_and_its_transactions_are_built_anew(three: Ledger) -> None:
    asset = three.create(ALICE)
    three.first.storage.append_backlog([row(asset)], three.clock.now)
    old = three.put_block(asset, at=f"{three.clock.now - 601:.6f}")
    three.first.storage.append_backlog([row(asset)], three.clock.now)
    three.run(seconds=70)
    assert [member.verdict_on(old) for member in three.members] == [False] * 3
    assert three.statuses(asset) == [Status.VALID] * 3


# --- votes of others ---------------------------------------------------------------------------------------


def test_votes_that_are_not_well_signed_are_nothing(three: Ledger) -> None:
    a, b, c = three.members
    b.stop()
    c.stop()
    block = three.put_block(three.create(ALICE))
    forged = three.vote(block, b).text.replace('"is_block_valid":true', '"is_block_valid":false')
    elsewhere = three.vote(three.put_block(three.create(BOB)), b).text
    storage = MemoryStorage(three.database)
    for text in (forged, elsewhere, "junk", three.vote(block, c).text):
        three.database.contents.votes.setdefault(block.id, {})[b.me] = text
        three.run()
        assert a.verdict_on(block) is None
    stranger = Vote.sign(block.id, three.id, None, "1.000000", key("stranger"))
    storage.place_votes([VoteRow(block.id, stranger.node, stranger.text)])
    three.run()
    assert a.verdict_on(block) is None
    three.database.contents.votes[block.id][b.me] = three.vote(block, b).text
    three.run()
    assert a.verdict_on(block) is True


def test_a_vote_that_was_counted_stays_counted_and_a_second_one_is_evidence() -> None:
    ledger = Ledger(5)
    honest, liar = ledger.members[:2]
    for member in ledger.members[1:]:
        member.stop()
    block = ledger.put_block(ledger.create(ALICE))
    first, second = ledger.vote(block, liar), ledger.vote(block, liar, "changed my mind")
    place(ledger, first)
    ledger.run()
    ledger.database.contents.votes[block.id][liar.me] = second.text
    ledger.run()
    place(ledger, ledger.vote(block, ledger.members[2]))
    ledger.run()
    assert honest.verdict_on(block) is True
    assert [kept.text for kept in honest.storage.evidence(10)] == [first.text, second.text]
    assert misdeeds(honest.node) == [Misdeed(liar.me, MisdeedKind.SECOND_VOTE, (block.id,))]


def test_valid_votes_on_two_conflicting_blocks_are_evidence(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(4, quorum=Quorum.TWO_THIRDS)
    a, liar = ledger.members[0], ledger.members[3]
    liar.stop()
    asset = ledger.settle(ledger.create(ALICE))
    one = ledger.put_block(ledger.transfer(ref(asset), ALICE, BOB), by=a)
    two = ledger.put_block(ledger.transfer(ref(asset), ALICE, CAROL), by=liar)
    place(ledger, ledger.vote(one, liar), ledger.vote(two, liar))
    with caplog.at_level(logging.WARNING):
        ledger.run()
    assert a.verdict_on(one) is True
    assert a.verdict_on(two) in {False, None}
    assert {kept.block_id for kept in a.storage.evidence(10)} == {one.id, two.id}
    assert {kept.node for kept in a.storage.evidence(10)} == {liar.me}


def test_a_valid_vote_on_a_conflicting_block_is_evidence_also_when_both_are_decided_before_it_comes() -> None:
    ledger = Ledger(4, quorum=Quorum.TWO_THIRDS)
    a, liar = ledger.members[0], ledger.members[3]
    liar.stop()
    asset = ledger.settle(ledger.create(ALICE))
    one = ledger.put_block(ledger.transfer(ref(asset), ALICE, BOB), by=a)
    place(ledger, ledger.vote(one, liar))
    two = ledger.put_block(ledger.transfer(ref(asset), ALICE, CAROL), by=liar)
    ledger.run()
    assert [a.verdict_on(block) for block in (one, two)] == [True, False]
    place(ledger, ledger.vote(two, liar))
    ledger.run(seconds=5)
    assert misdeeds(a.node) == [Misdeed(liar.me, MisdeedKind.CONFLICTING_VOTES, tuple(sorted((one.id, two.id))))]


def test_who_takes_a_no_back_that_was_counted_makes_no_liar_of_who_counted_it() -> None:
    ledger = Ledger(4, quorum=Quorum.TWO_THIRDS)
    a, b, c, liar = ledger.members
    asset = ledger.settle(ledger.create(ALICE))
    for member in (b, c, liar):
        member.stop()
    one = ledger.put_block(ledger.transfer(ref(asset), ALICE, BOB), by=liar)
    ledger.run()
    no = ledger.vote(one, liar, "I say so")
    place(ledger, *(ledger.vote(one, member, "so do we") for member in (b, c)), no)
    ledger.run()
    yes = ledger.vote(one, liar)
    MemoryStorage(ledger.database).place_votes([VoteRow(one.id, liar.me, yes.text, replaces=no.text)])
    two = ledger.put_block(ledger.transfer(ref(asset), ALICE, CAROL), by=liar)
    ledger.run()
    votes = [vote for block in (one, two) if (vote := a.vote_on(block))]
    assert [vote.is_valid for vote in votes] == [True, True]
    a.storage.keep_evidence([VoteRow(vote.block_id, a.me, vote.text) for vote in votes])
    assert {misdeed.node for misdeed in misdeeds(b.node)} == {liar.me}


def test_a_vote_is_not_to_be_seen_before_the_decision_that_allows_it() -> None:
    ledger = Ledger(4, quorum=Quorum.TWO_THIRDS, connect=CrashingStorage)
    a, *others = ledger.members
    asset = ledger.settle(ledger.create(ALICE))
    for member in others:
        member.stop()
    one = ledger.put_block(ledger.transfer(ref(asset), ALICE, BOB), by=others[0])
    ledger.run()
    place(ledger, *(ledger.vote(one, member, "we say so") for member in others))
    two = ledger.put_block(ledger.transfer(ref(asset), ALICE, CAROL), by=others[0])
    assert isinstance(a.storage, CrashingStorage)
    a.storage.crash("append_decisions")
    with pytest.raises(StorageUnavailable):
        step_often(a.voter)
    a.storage.recover()
    assert a.vote_on(two) is None
    a.start()
    vote = a.vote_on(two)
    assert vote is not None
    assert vote.is_valid


def test_who_was_away_when_a_liar_took_its_vote_back_decides_as_the_honest_did() -> None:
    ledger = Ledger(4, quorum=Quorum.TWO_THIRDS)
    a, _, away, liar = ledger.members
    away.stop()
    liar.stop()
    asset = ledger.create(ALICE)
    block = ledger.put_block(asset)
    yes, no = ledger.vote(block, liar), ledger.vote(block, liar, "changed my mind")
    place(ledger, yes)
    ledger.run()
    assert a.verdict_on(block) is True
    MemoryStorage(ledger.database).place_votes([VoteRow(block.id, liar.me, no.text, replaces=yes.text)])
    ledger.clock.now += 660  # so late that it votes "no" itself
    away.start()
    ledger.run(seconds=60)
    assert away.verdict_on(block) is True
    child = ledger.transfer(ref(asset), ALICE, BOB)
    ledger.write(child)
    ledger.run(seconds=150)
    assert ledger.statuses(child) == [Status.VALID] * 3


@pytest.mark.parametrize("rule", list(Quorum))
def test_what_a_single_other_member_has_recorded_decides_nothing(rule: Quorum) -> None:
    ledger = Ledger(4, quorum=rule)
    a, liar = ledger.members[0], ledger.members[3]
    for member in ledger.members[1:]:
        member.stop()
    block = ledger.put_block(ledger.create(ALICE))
    decision = Decision.sign(
        ledger=ledger.id,
        sequence=1,
        block_id=block.id,
        verdict=Verdict.VALID,
        previous=None,
        timestamp=ledger.clock.timestamp,
        key=liar.key,
    )
    text = decision.text
    a.storage.append_decisions(
        [DecisionRow(liar.me, 1, block.id, verdict=True, text=text, valid_transactions=1, newest_time="1.000000")]
    )
    ledger.run(seconds=60)
    assert a.verdict_on(block) is None


def test_a_decision_that_is_hidden_at_once_binds_all_the_same() -> None:
    """Members share storage: any of them could delete the row before this node reads it again."""
    ledger = Ledger(3)
    asset = ledger.settle(ledger.create(ALICE))
    one = ledger.put_block(ledger.transfer(ref(asset), ALICE, BOB))
    a, *others = ledger.members
    for other in others:
        other.stop()
        place(ledger, ledger.vote(one, other))
    while a.verdict_on(one) is None:
        a.voter.step()
    del ledger.database.contents.decided[one.id]
    two = ledger.put_block(ledger.transfer(ref(asset), ALICE, CAROL))
    step_often(a.voter)
    vote = a.vote_on(two)
    assert vote is not None
    assert not vote.is_valid


# --- own places and seat -----------------------------------------------------------------------------------


def test_an_own_vote_that_is_gone_or_changed_while_the_node_runs_stops_it(three: Ledger) -> None:
    a, b, c = three.members
    b.stop()
    c.stop()
    block = three.put_block(three.create(ALICE))
    three.run()
    places = three.database.contents.votes[block.id]
    text = places.pop(a.me)
    with pytest.raises(JournalError, match=f"this node's vote on block {block.id} is gone from storage"):
        a.voter.step()
    places[a.me] = three.vote(block, a, "no").text
    with pytest.raises(JournalError, match="was changed in storage"):
        a.voter.step()
    places[a.me] = text
    a.voter.step()


def test_a_voter_that_was_paused_and_replaced_casts_nothing(three: Ledger) -> None:
    a = three.first
    paused = a.voter
    a.start()
    block = three.put_block(three.create(ALICE))
    a.voter.step()
    vote = a.vote_on(block)
    with pytest.raises(Fenced):
        step_often(paused)
    assert a.vote_on(block) == vote
    three.run()
    assert a.verdict_on(block) is True


def test_a_voter_that_was_paused_and_wakes_before_its_successor_did_anything_casts_nothing(three: Ledger) -> None:
    a = three.first
    paused = a.voter
    a.start()
    block = three.put_block(three.create(ALICE))
    with pytest.raises(Fenced):
        step_often(paused)
    assert a.vote_on(block) is None


@pytest.mark.parametrize("register", ["settled", "cursor"])
def test_a_write_that_was_given_up_and_arrives_late_ends_no_node(three: Ledger, register: str) -> None:
    """No answer came in time, so the voter started afresh; it holds the seat, and has only to look again."""
    a = three.first
    asset = three.create(ALICE)
    block = three.put_block(asset)
    storage = MemoryStorage(three.database)
    name = f"{register}/{a.me}"
    standing = storage.registers([name]).get(name)
    storage.swap_register(name, standing, "0" if register == "settled" else "1".zfill(len(standing or "1")))
    a.stop()
    three.run()
    with pytest.raises(StorageUnavailable, match="a write that was given up has moved this node's"):
        step_often(a.voter)
    storage.swap_register(name, storage.registers([name])[name], standing)  # for who looks again finds what there is
    a.start()
    three.run(seconds=5)
    assert a.verdict_on(block) is True
    assert a.status(asset) is Status.VALID


def ended_before_holdings() -> tuple[Ledger, Member, Transaction, Block]:
    """A node that was killed between deciding a block, with one new asset of Alice's, and entering what she holds."""
    ledger = Ledger(connect=CrashingStorage)
    member = ledger.first
    asset = ledger.create(ALICE)
    block = ledger.put_block(asset)
    assert isinstance(member.storage, CrashingStorage)
    member.storage.crash("settle")
    with pytest.raises(StorageUnavailable):
        ledger.run()
    member.storage.recover()
    return ledger, member, asset, block


def test_a_decided_block_that_is_gone_before_its_holdings_are_settled_stops_the_node() -> None:
    ledger, member, asset, block = ended_before_holdings()
    lost = ledger.database.contents.transactions.pop(asset.hash)
    with pytest.raises(JournalError, match=f"block {block.id}, which this node has decided valid, is gone"):
        member.start()
    ledger.database.contents.transactions[asset.hash] = lost
    member.start()
    assert member.queries.unspent(public(ALICE)[0]) == [ref(asset)]


def test_what_a_valid_transaction_made_is_there_before_anybody_can_see_that_it_is_valid_also_after_a_crash() -> None:
    _, member, asset, block = ended_before_holdings()
    assert isinstance(member.storage, CrashingStorage)
    member.storage.crash("append_decisions")
    with pytest.raises(StorageUnavailable):
        member.start()
    member.storage.recover()
    assert member.verdict_on(block) is None
    assert member.queries.unspent(public(ALICE)[0]) == []  # which asks for the status too
    assert [row.ref for row in member.storage.outputs_of(public(ALICE)[0], spent=False, after=None, limit=9)] == [
        ref(asset)
    ]
    member.start()
    assert member.verdict_on(block) is True


def test_what_a_process_has_compared_it_does_not_compare_again(three: Ledger) -> None:
    """On a long ledger that would keep a node away for minutes whenever its database was away for a moment."""
    member, memory = three.first, Memory()
    blocks = [three.put_block(three.create(ALICE, {"n": n})) for n in range(3)]
    three.run()
    Voter(member.node, member.journal, memory)
    votes = three.database.contents.votes
    removed = votes[blocks[0].id].pop(member.me)
    Voter(member.node, member.journal, memory)
    with pytest.raises(JournalError, match="is gone from storage"):
        Voter(member.node, member.journal)
    votes[blocks[0].id][member.me] = removed
    member.start()
    newest = three.put_block(three.create(ALICE, {"n": 3}))
    three.run()
    del votes[newest.id][member.me]
    with pytest.raises(JournalError, match="is gone from storage"):
        Voter(member.node, member.journal, memory)


VERBS = ["swap_register", "place_votes", "append_decisions", "settle", "lineages", "drop_backlog", "sight", "votes"]
VERBS += ["contents"]


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("after_calls", [0, 1, 2])
@pytest.mark.parametrize("verb", VERBS)
def test_a_node_that_dies_at_any_moment_goes_on_where_it_was(verb: str, after_calls: int, *, behind: bool) -> None:
    """Everything becomes valid exactly once, holdings are right, and the journal agrees with storage."""
    ledger = Ledger(connect=CrashingStorage)
    asset = ledger.settle(ledger.create(ALICE))
    transfer = ledger.transfer(ref(asset), ALICE, BOB)
    other = ledger.create(ALICE, {"name": "other"})
    ledger.write(transfer, other)
    member = ledger.first
    storage = member.storage
    assert isinstance(storage, CrashingStorage)
    storage.crash(verb, behind=behind, after_calls=after_calls)
    try:
        ledger.run(seconds=2)
    except StorageUnavailable:
        storage.recover()
        member.start()
    storage.recover()
    ledger.run(seconds=70)
    assert ledger.statuses(transfer) == ledger.statuses(other) == [Status.VALID]
    assert member.queries.unspent(public(ALICE)[0]) == [ref(other)]
    assert member.queries.unspent(public(BOB)[0]) == [ref(transfer)]
    assert storage.outputs_of(public(ALICE)[0], spent=True, after=None, limit=9)[0].ref == OutputRef(asset.id, 0)
    assert storage.backlog_size() == 0
    Voter(member.node, member.journal)


@pytest.mark.parametrize(
    ("register", "name"), [("cursor", "cursor"), ("settled", "note in storage of what it has settled")]
)
def test_a_note_of_its_own_that_was_changed_in_storage_stops_the_node_and_is_named(register: str, name: str) -> None:
    ledger = Ledger(1)
    (member,) = ledger.members
    ledger.settle(ledger.create(ALICE))
    name_in_storage = f"{register}/{member.me}"
    text = member.storage.registers([name_in_storage])[name_in_storage]
    assert member.storage.swap_register(name_in_storage, text, "junk")
    with pytest.raises(JournalError, match=name):
        member.start().step()


class Beside(MemoryStorage):
    """Settles beside other things, as a backend with threads does; at which moment, the test says."""

    began: list[str]
    fails = False

    def settling(self, effects: Effects) -> Callable[[], None]:
        self.began = ["settling"]

        def end() -> None:
            self.began.append("waited for")
            if self.fails:
                raise StorageUnavailable("away")
            self.settle(effects)

        return end

    def spenders(self, outputs: Sequence[OutputRef]) -> dict[OutputRef, list[str]]:
        if hasattr(self, "began"):
            self.began.append("judging")
        return super().spenders(outputs)

    def append_decisions(self, decisions: Sequence[DecisionRow]) -> list[str]:
        if decisions and hasattr(self, "began"):
            self.began.append("decided")
        return super().append_decisions(decisions)


def test_a_block_is_settled_while_the_next_is_judged_and_before_it_is_seen_to_be_decided() -> None:
    ledger = Ledger(connect=Beside)
    (member,) = ledger.members
    voter = Voter(member.node, member.journal)
    asset = ledger.create(ALICE)
    ledger.put_block(asset)
    voter.step()
    ledger.put_block(ledger.transfer(ref(asset), ALICE, BOB))
    voter.step()
    storage = member.node.storage
    assert isinstance(storage, Beside)
    assert storage.began == ["settling", "judging", "waited for", "decided"]


def test_what_a_voter_settled_that_was_replaced_its_successor_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it votes alone, whoever takes the seat decides by the same vote, so what followed from it was not early."""

    class Early(MemoryStorage):
        def settling(self, effects: Effects) -> Callable[[], None]:
            self.settle(effects)
            return lambda: None

    ledger = Ledger(connect=Early)
    (member,) = ledger.members
    voter = Voter(member.node, member.journal)
    block = ledger.put_block(ledger.create(ALICE))
    voter.step()
    successor: list[Voter] = []
    judge = voter._ballots

    def judge_and_be_replaced(*arguments: Any) -> Any:
        successor.append(Voter(member.node, member.journal))
        return judge(*arguments)

    monkeypatch.setattr(voter, "_ballots", judge_and_be_replaced)
    with pytest.raises(Fenced):
        voter.step()
    assert member.storage.decisions_on([block.id]) == {}
    step_often(successor[0])
    assert member.verdict_on(block) is True
    assert len(member.storage.outputs_of(public(ALICE)[0], spent=False, after=None, limit=9)) == 1


def test_what_several_decide_is_settled_when_this_node_is_bound_to_it_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of them may lie, and put another vote in the place of its own: then its successor may decide otherwise."""

    class Early(MemoryStorage):
        def settling(self, effects: Effects) -> Callable[[], None]:
            self.settle(effects)
            return lambda: None

    ledger = Ledger(3, connect=Early)
    member = ledger.first
    voter = Voter(member.node, member.journal)
    block = ledger.put_block(ledger.create(ALICE))
    voter.step()
    ledger.members[1].voter.step()
    judge = voter._ballots

    def judge_and_be_replaced(*arguments: Any) -> Any:
        Voter(member.node, member.journal)
        return judge(*arguments)

    monkeypatch.setattr(voter, "_ballots", judge_and_be_replaced)
    with pytest.raises(Fenced):
        voter.step()
    assert member.storage.decisions_on([block.id]) == {}
    assert member.storage.outputs_of(public(ALICE)[0], spent=None, after=None, limit=9) == []


@pytest.mark.parametrize("is_busy", [False, True])
def test_a_busy_voter_compares_its_past_less_often(monkeypatch: pytest.MonkeyPatch, *, is_busy: bool) -> None:
    ledger = Ledger()
    (member,) = ledger.members
    voter = Voter(member.node, member.journal)
    step_often(voter)
    ledger.clock.now += 5
    shares: list[float] = []
    monkeypatch.setattr(voter._scrub, "took", lambda _, share: shares.append(share))
    if is_busy:
        ledger.put_block(ledger.create(ALICE))
    voter.step()
    assert shares == [0.005 if is_busy else 0.02]


def test_what_could_not_be_settled_is_not_decided() -> None:
    ledger = Ledger(connect=Beside)
    (member,) = ledger.members
    storage = member.node.storage
    assert isinstance(storage, Beside)
    voter = Voter(member.node, member.journal)
    block = ledger.put_block(ledger.create(ALICE))
    voter.step()
    storage.fails = True
    with pytest.raises(StorageUnavailable):
        voter.step()
    assert storage.decisions_on([block.id]) == {}
    assert storage.outputs_of(public(ALICE)[0], spent=False, after=None, limit=9) == []
    storage.fails = False
    step_often(Voter(member.node, member.journal))
    assert member.verdict_on(block) is True
    assert len(storage.outputs_of(public(ALICE)[0], spent=False, after=None, limit=9)) == 1
