"""A node's seat: journal, head, place, in this order; who is replaced casts nothing, and nothing is forgotten."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb import canonical, crypto
from bigchaindb.exceptions import Fenced, JournalError, StorageUnavailable
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.federations import Federations
from bigchaindb.model.genesis import Genesis, Quorum
from bigchaindb.model.vote import Vote
from bigchaindb.node.head import Head
from bigchaindb.node.journal import MemoryJournal
from bigchaindb.node.seat import Ballot, Ruling, Seat
from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage
from bigchaindb.storage.records import DecisionRow, VoteRow
from tests.crashes import CrashingStorage
from tests.ledgers import NOW, Clock, key, public

if TYPE_CHECKING:
    from collections.abc import Sequence

NODE = key("node 0")
ME = public(NODE)[0]
GENESIS = Genesis.create([ME], Quorum.MAJORITY, name="test", timestamp="1.000000", key=NODE)
HEAD = f"head/{ME}"
ONE, TWO, THREE = ("1" * 64, "2" * 64, "3" * 64)


def yes(*block_ids: str) -> list[Ballot]:
    return [Ballot(block_id, None) for block_id in block_ids]


def valid(*block_ids: str, count: int = 10, time: str = "5.000000") -> list[Ruling]:
    return [Ruling(block_id, is_valid=True, transaction_count=count, block_time=time) for block_id in block_ids]


@dataclass
class Desk:
    """A database and a journal: all that outlives a process."""

    database: MemoryDatabase
    journal: MemoryJournal

    def connect(self) -> CrashingStorage:
        return CrashingStorage(self.database)

    def take(self, storage: MemoryStorage | None = None) -> Seat:
        """Take the seat as a new process does."""
        return Seat.take(
            storage or self.connect(), NODE, GENESIS, self.journal, Clock(), federations=Federations.of([ME])
        )

    def cast(self, seat: Seat, ballots: Sequence[Ballot] = (), rulings: Sequence[Ruling] = ()) -> None:
        with seat.advance(ballots, rulings):
            pass

    @property
    def votes(self) -> dict[str, Vote]:
        """Well-signed votes in their places."""
        places = self.connect().votes([ONE, TWO, THREE])
        return {block_id: Vote.from_text(by_node[ME]) for block_id, by_node in places.items()}

    @property
    def decisions(self) -> list[DecisionRow]:
        return self.connect().decisions(ME, 0, 100)

    @property
    def head(self) -> Head:
        return Head.from_text(self.connect().registers([HEAD])[HEAD])

    def put_vote(self, block_id: str, text: str) -> None:
        """Put a text into this node's place, as nobody may."""
        self.database.contents.votes.setdefault(block_id, {})[ME] = text


@pytest.fixture
def desk() -> Desk:
    return Desk(MemoryDatabase(), MemoryJournal())


# --- votes and decisions -----------------------------------------------------------------------------------


def test_a_vote_cast_stands_in_its_place(desk: Desk) -> None:
    desk.cast(desk.take(), [Ballot(ONE, None), Ballot(TWO, "spent")])
    assert desk.votes[ONE].is_valid
    assert desk.votes[TWO].reason == "spent"
    assert desk.votes[ONE].timestamp == f"{NOW:.6f}"


def test_votes_form_a_chain_from_genesis_across_processes(desk: Desk) -> None:
    desk.cast(desk.take(), yes(ONE, TWO))
    desk.cast(desk.take(), yes(THREE))
    assert desk.votes[ONE].previous_block == GENESIS.block.id
    assert desk.votes[TWO].previous_block == ONE
    assert desk.votes[THREE].previous_block == TWO


def test_decisions_form_a_log_of_their_own_across_processes(desk: Desk) -> None:
    desk.cast(desk.take(), rulings=valid(ONE))
    invalid = Ruling(TWO, is_valid=False, transaction_count=7, block_time="9.000000")
    desk.cast(desk.take(), rulings=[invalid, *valid(THREE, time="4.000000")])
    parsed = [Decision.from_text(row.text) for row in desk.decisions]
    assert [(d.sequence, d.block_id, d.verdict) for d in parsed] == [
        (1, ONE, Verdict.VALID),
        (2, TWO, Verdict.INVALID),
        (3, THREE, Verdict.VALID),
    ]
    assert [d.previous for d in parsed] == [None, parsed[0].hash, parsed[1].hash]
    assert {(d.node, d.ledger) for d in parsed} == {(ME, GENESIS.block.id)}
    assert [row.valid_transactions for row in desk.decisions] == [10, 10, 20]
    # Anybody can have a block decided invalid, so those do not move time.
    assert [row.newest_time for row in desk.decisions] == ["5.000000", "5.000000", "5.000000"]


def test_the_seat_knows_its_votes_until_they_are_decided(desk: Desk) -> None:
    seat = desk.take()
    desk.cast(seat, [Ballot(ONE, None), Ballot(TWO, "spent")])
    for holder in (seat, seat := desk.take()):
        assert [holder.vote_on(block_id) for block_id in (ONE, TWO, THREE)] == [True, False, None]
        assert holder.backed([ONE, TWO, THREE]) == {ONE}
    desk.cast(seat, rulings=valid(ONE))
    for holder in (seat, desk.take()):
        assert [holder.vote_on(block_id) for block_id in (ONE, TWO)] == [None, False]


def test_what_is_stored_in_the_body_comes_after_the_places(desk: Desk) -> None:
    seat = desk.take()
    with seat.advance(yes(ONE), valid(TWO)):
        assert desk.votes[ONE].is_valid
        assert [row.block_id for row in desk.decisions] == [TWO]


# --- crashes -----------------------------------------------------------------------------------------------


def test_what_the_head_did_not_take_was_never_cast(desk: Desk) -> None:
    storage = desk.connect()
    seat = desk.take(storage)
    desk.cast(seat, yes(ONE))
    storage.crash("swap_register")
    with pytest.raises(StorageUnavailable):
        desk.cast(seat, yes(TWO), valid(THREE))
    assert len(list(desk.journal.lines())) == 3, "the journal was written first"
    assert desk.votes.keys() == {ONE}
    after = desk.take()
    assert desk.votes.keys() == {ONE}
    assert after.vote_on(TWO) is None
    desk.cast(after, [Ballot(TWO, "another opinion")])
    assert desk.votes[TWO].reason == "another opinion"
    assert desk.votes[TWO].previous_block == ONE
    desk.take()


@pytest.mark.parametrize("verb", ["place_votes", "append_decisions"])
def test_what_the_head_took_is_put_into_its_places_by_whoever_comes_next(desk: Desk, verb: str) -> None:
    storage = desk.connect()
    seat = desk.take(storage)
    storage.crash(verb)
    with pytest.raises(StorageUnavailable):
        desk.cast(seat, yes(ONE, TWO), valid(THREE))
    assert desk.votes == {}
    after = desk.take()
    assert desk.votes.keys() == {ONE, TWO}
    assert [row.block_id for row in desk.decisions] == [THREE]
    assert after.vote_on(ONE)
    assert [row.text for row in desk.decisions] == [pending.text for pending in desk.head.decisions]


def test_a_successor_that_crashes_too_leaves_it_to_the_next(desk: Desk) -> None:
    storage = desk.connect()
    seat = desk.take(storage)
    storage.crash("place_votes")
    with pytest.raises(StorageUnavailable):
        desk.cast(seat, yes(ONE))
    for _ in range(3):
        storage = desk.connect()
        storage.crash("place_votes")
        with pytest.raises(StorageUnavailable):
            desk.take(storage)
    assert desk.votes == {}
    desk.take()
    assert desk.votes.keys() == {ONE}


def test_a_seat_whose_last_word_may_not_have_been_heard_says_nothing_more(desk: Desk) -> None:
    storage = desk.connect()
    seat = desk.take(storage)
    storage.crash("swap_register")
    with pytest.raises(StorageUnavailable):
        desk.cast(seat, yes(ONE))
    storage.recover()
    with pytest.raises(Fenced, match="take the seat again"):
        desk.cast(seat, yes(TWO))
    assert desk.votes == {}
    assert desk.take().head.generation == 0


# --- fencing -----------------------------------------------------------------------------------------------


def test_a_voter_that_was_paused_and_replaced_casts_nothing(desk: Desk) -> None:
    paused, successor = desk.take(), desk.take()
    desk.cast(successor, yes(ONE), valid(TWO))
    with pytest.raises(Fenced, match="another voter has taken this node's seat"):
        desk.cast(paused, [Ballot(ONE, "no"), Ballot(THREE, None)], valid(THREE))
    assert desk.votes.keys() == {ONE}
    assert desk.votes[ONE].is_valid
    assert [row.block_id for row in desk.decisions] == [TWO]
    desk.cast(successor, yes(THREE))
    assert desk.take().vote_on(THREE)


def test_a_voter_that_was_replaced_by_one_who_has_cast_nothing_yet_casts_nothing_either(desk: Desk) -> None:
    paused = desk.take()
    desk.take()
    with pytest.raises(Fenced):
        desk.cast(paused, yes(ONE))
    assert desk.votes == {}


def test_epochs_rise(desk: Desk) -> None:
    assert [desk.take().head.epoch for _ in range(3)] == [1, 2, 3]


def test_one_of_two_that_start_at_once_has_the_seat(desk: Desk) -> None:
    other: list[Seat] = []

    class Meanwhile(MemoryStorage):
        """Lets another process take the seat just before this one compares journal and storage."""

        def place_votes(self, votes: Sequence[VoteRow]) -> list[str]:
            standing = super().place_votes(votes)
            other.append(desk.take())
            desk.cast(other[0], yes(TWO))
            return standing

    desk.cast(desk.take(), yes(ONE))
    with pytest.raises(Fenced, match="has taken this node's seat meanwhile"):
        desk.take(Meanwhile(desk.database))
    desk.cast(other[0], yes(THREE))
    assert desk.votes.keys() == {ONE, TWO, THREE}


def test_a_head_that_never_stands_still_is_given_up(desk: Desk) -> None:
    class Contested(MemoryStorage):
        def swap_register(self, name: str, expected: str | None, new: str | None) -> bool:  # noqa: ARG002
            return False

    with pytest.raises(Fenced, match="changes all the time"):
        desk.take(Contested(desk.database))


# --- places that hold something else -----------------------------------------------------------------------


@pytest.mark.parametrize("junk", ["", "junk", "{}", Vote.sign(ONE, TWO, None, "1.000000", key("stranger")).text])
def test_a_place_that_holds_no_vote_of_this_node_is_taken(desk: Desk, junk: str) -> None:
    desk.put_vote(ONE, junk)
    desk.cast(desk.take(), yes(ONE, TWO))
    assert desk.votes.keys() == {ONE, TWO}


def test_a_vote_of_this_node_on_another_block_is_junk_too(desk: Desk) -> None:
    desk.put_vote(ONE, Vote.sign(TWO, GENESIS.block.id, None, "1.000000", NODE).text)
    desk.cast(desk.take(), yes(ONE))
    assert desk.votes[ONE].block_id == ONE


def test_a_place_that_is_filled_with_junk_ever_anew_is_given_up(desk: Desk) -> None:
    class Vandalised(MemoryStorage):
        count = 0

        def place_votes(self, votes: Sequence[VoteRow]) -> list[str]:
            self.count += 1
            return [f"junk {self.count}" for _ in votes]

    seat = desk.take(Vandalised(desk.database))
    with pytest.raises(JournalError, match=f"vote on block {ONE} is filled with junk, ever anew"):
        desk.cast(seat, yes(ONE))


def test_another_vote_of_this_node_in_the_place_stops_it(desk: Desk) -> None:
    desk.put_vote(ONE, Vote.sign(ONE, GENESIS.block.id, "no", "1.000000", NODE).text)
    with pytest.raises(JournalError, match=f"another vote of this node stands on block {ONE}"):
        desk.cast(desk.take(), yes(ONE))


def test_another_decision_of_this_node_in_the_place_stops_it(desk: Desk) -> None:
    seat = desk.take()
    desk.connect().append_decisions(
        [DecisionRow(ME, 1, TWO, verdict=True, text="x", valid_transactions=1, newest_time="1")]
    )
    with pytest.raises(JournalError, match="another decision stands at number 1"):
        desk.cast(seat, rulings=valid(ONE))


# --- storage against journal -------------------------------------------------------------------------------


def rewritten(decision_text: str, **changes: Any) -> str:
    """A decision of this node with other words, well signed."""
    body = {**canonical.loads(decision_text)["decision"], **changes}
    return canonical.dumps({"decision": body, "node_pubkey": ME, "signature": NODE.sign(canonical.dumps(body))})


def test_a_vote_that_is_gone_stops_the_node(desk: Desk) -> None:
    desk.cast(desk.take(), yes(ONE))
    desk.cast(desk.take(), yes(TWO))
    del desk.database.contents.votes[ONE]
    with pytest.raises(JournalError, match=f"this node's vote on block {ONE} is gone from storage"):
        desk.take()


@pytest.mark.parametrize("reason", [None, "no"])
def test_a_vote_that_was_changed_stops_the_node_even_if_well_signed(desk: Desk, reason: str | None) -> None:
    desk.cast(desk.take(), yes(ONE))
    desk.cast(desk.take(), yes(TWO))
    desk.put_vote(ONE, Vote.sign(ONE, THREE, reason, "1.000000", NODE).text)
    with pytest.raises(JournalError, match=f"this node's vote on block {ONE} was changed in storage"):
        desk.take()


def test_a_decision_that_is_gone_stops_the_node(desk: Desk) -> None:
    desk.cast(desk.take(), rulings=valid(ONE))
    desk.cast(desk.take(), rulings=valid(TWO))
    del desk.database.contents.decisions[ME][1]
    with pytest.raises(JournalError, match=f"this node's decision 1, on block {ONE}, is gone from storage"):
        desk.take()


@pytest.mark.parametrize("changes", [{"verdict": "invalid"}, {"block": THREE}, {"timestamp": "1.000000"}])
def test_a_decision_that_was_changed_stops_the_node_even_if_well_signed(desk: Desk, changes: dict[str, Any]) -> None:
    desk.cast(desk.take(), rulings=valid(ONE))
    desk.cast(desk.take(), rulings=valid(TWO))
    log = desk.database.contents.decisions[ME]
    log[1] = replace(log[1], text=rewritten(log[1].text, **changes))
    with pytest.raises(JournalError, match=f"this node's decision 1, on block {ONE}, was changed in storage"):
        desk.take()


def test_long_journals_are_compared_to_the_end(desk: Desk) -> None:
    many = [f"{i:064x}" for i in range(600)]
    seat = desk.take()
    for block_id in many:
        desk.cast(seat, yes(block_id))
    desk.cast(seat, rulings=valid(*many[:300]))
    assert desk.take().backed(many) == set(many[300:])
    del desk.database.contents.votes[many[-1]]
    with pytest.raises(JournalError, match=f"vote on block {many[-1]} is gone"):
        desk.take()


def test_a_journal_that_is_missing_stops_the_node(desk: Desk) -> None:
    desk.cast(desk.take(), yes(ONE))
    desk.journal = MemoryJournal()
    with pytest.raises(JournalError, match="the journal file is missing or was replaced"):
        desk.take()


def test_a_database_that_was_put_back_stops_the_node(desk: Desk) -> None:
    seat = desk.take()
    desk.cast(seat, yes(ONE))
    earlier = dict(desk.database.contents.registers)
    desk.cast(seat, yes(TWO))
    desk.cast(seat, yes(THREE))
    desk.database.contents.registers = earlier
    for block_id in (TWO, THREE):
        del desk.database.contents.votes[block_id]
    with pytest.raises(JournalError, match="put back to an earlier state"):
        desk.take()


def test_a_database_without_a_head_does_not_go_with_a_journal(desk: Desk) -> None:
    desk.cast(desk.take(), yes(ONE))
    desk.database = MemoryDatabase()
    with pytest.raises(JournalError, match="put back to an earlier state"):
        desk.take()


@pytest.mark.parametrize("text", ["junk", "[]", "{}", '{"votes":[],"decisions":[]}'])
def test_a_damaged_head_stops_the_node(desk: Desk, text: str) -> None:
    desk.connect().swap_register(HEAD, None, text)
    with pytest.raises(JournalError, match=r"^head"):
        desk.take()


def test_a_head_that_tells_of_another_last_word_than_the_journal_stops_the_node(desk: Desk) -> None:
    """Whoever alters the head could make the node fork its own chains."""
    desk.cast(desk.take(), yes(ONE), valid(TWO))
    text = desk.head.to_text()
    other = crypto.hash_data("other")
    for changes in ({"vote": THREE}, {"sequence": 0}, {"sequence": 2}, {"decision": None}, {"decision": other}):
        altered = replace(desk.head, **changes)
        desk.database.contents.registers[HEAD] = altered.to_text()
        with pytest.raises(JournalError, match="this node's head in storage was changed"):
            desk.take()
        desk.database.contents.registers[HEAD] = text
    desk.take()


# --- while the node runs -----------------------------------------------------------------------------------


def test_a_place_is_compared_with_what_was_cast(desk: Desk) -> None:
    seat = desk.take()
    desk.cast(seat, yes(ONE))
    seat.check_place(ONE, desk.votes[ONE].text)
    seat.check_place(TWO, "whatever stands where this node has cast nothing")
    with pytest.raises(JournalError, match="is gone from storage"):
        seat.check_place(ONE, None)
    with pytest.raises(JournalError, match="was changed in storage"):
        seat.check_place(ONE, "junk")
