"""What happened lately: the newest blocks, their votes and transactions, and how fast it went."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb.model.signed import sign_document
from bigchaindb.node import chronicle as module
from bigchaindb.node.chronicle import Chronicle, Mark
from bigchaindb.node.node import Node
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import DecisionRow, VoteRow
from tests.ledgers import Ledger, key, ref

if TYPE_CHECKING:
    from bigchaindb.model.transaction import Transaction
    from bigchaindb.storage.memory import MemoryDatabase

ALICE, BOB = key("alice"), key("bob")


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def chronicle(ledger: Ledger) -> Chronicle:
    return Chronicle(ledger.first.node)


def settled(ledger: Ledger, count: int, *, seconds: float = 0.0) -> list[Transaction]:
    """So many transactions, each in a block of its own, with some time before each."""
    transactions = []
    for number in range(count):
        ledger.clock.now += seconds
        transactions.append(ledger.settle(ledger.create(ALICE, {"number": number})))
    return transactions


# --- blocks ------------------------------------------------------------------------------------------------


def test_in_a_new_ledger_nothing_has_happened(ledger: Ledger) -> None:
    newest = chronicle(ledger)
    assert newest.decided(None, 10) == []
    assert newest.undecided(10) == []
    assert newest.pace(0.0) == []
    assert newest.newest([], 10) == []


def test_blocks_come_newest_first_and_in_parts(ledger: Ledger) -> None:
    homes = [ledger.home(transaction).id for transaction in settled(ledger, 5)]
    newest = chronicle(ledger)
    first = newest.decided(None, 3)
    assert [entry.block_id for entry in first] == homes[:1:-1]
    assert first[-1].decision is not None
    rest = newest.decided(first[-1].decision.sequence, 3)
    assert [entry.block_id for entry in rest] == homes[1::-1]
    assert newest.decided(1, 3) == []
    assert [entry.block_id for entry in newest.decided(10_000, 3)] == homes[:1:-1]


def test_an_entry_tells_header_verdict_and_votes() -> None:
    ledger = Ledger(3)
    asset = ledger.settle(ledger.create(ALICE))
    (entry,) = chronicle(ledger).decided(None, 5)
    assert entry == chronicle(ledger).entry(ledger.home(asset).id)
    assert entry.header == ledger.home(asset).header
    assert entry.verdict is True
    assert set(entry.votes) <= set(ledger.federation)
    assert sum(vote.is_valid for vote in entry.votes.values()) >= 2


def test_what_is_not_decided_yet_stands_apart(ledger: Ledger) -> None:
    waiting = Ledger(2)
    waiting.members[1].stop()
    waiting.write(waiting.create(ALICE))
    waiting.run(60)
    newest = chronicle(waiting)
    assert newest.decided(None, 5) == []
    (entry,) = newest.undecided(5)
    assert entry.verdict is None
    assert [vote.is_valid for vote in entry.votes.values()] == [True]
    settled(ledger, 1)
    assert chronicle(ledger).undecided(5) == []


def test_a_note_that_hides_a_decision_is_not_believed(ledger: Ledger) -> None:
    (asset,) = settled(ledger, 1)
    notes = ledger.database.contents.sightings[ledger.first.me]
    block_key = ledger.home(asset).key
    notes[block_key] = replace(notes[block_key], verdict=None)
    assert chronicle(ledger).undecided(5) == []


def test_a_block_that_is_gone_has_no_header_and_one_that_never_was_nothing(ledger: Ledger) -> None:
    (asset,) = settled(ledger, 1)
    home = ledger.home(asset)
    del ledger.database.contents.blocks[home.key]
    # A process that has not met it.
    member = ledger.first
    newest = Chronicle(
        Node(member.storage, member.key, federation=[member.me], quorum=ledger.quorum, clock=member.clock)
    )
    assert [entry.header for entry in newest.decided(None, 5)] == [None]
    nothing = newest.entry("0" * 64)
    assert (nothing.header, nothing.decision, nothing.votes) == (None, None, {})


def test_junk_among_votes_and_decisions_is_passed_over() -> None:
    ledger = Ledger(3)
    asset = ledger.settle(ledger.create(ALICE))
    me, stranger, home = ledger.first, key("stranger"), ledger.home(asset)
    storage = MemoryStorage(ledger.database)
    before = chronicle(ledger).entry(home.id)
    silent = [node for node in ledger.federation if node not in before.votes]
    places = [*silent, str(stranger.verifying_key)]
    storage.place_votes([VoteRow(home.id, node, "junk") for node in places])
    contents = ledger.database.contents
    contents.decided[home.id]["junk"] = DecisionRow("junk", 1, home.id, verdict=False, text="junk", **INDEXED)
    assert chronicle(ledger).entry(home.id) == before
    log = contents.decisions[me.me]
    log[2] = replace(log[1], sequence=2)  # a decision of this node, in another place
    log[3] = replace(log[1], sequence=3, text="junk")
    assert [entry.block_id for entry in chronicle(ledger).decided(None, 10)] == [home.id]
    assert [mark.sequence for mark in chronicle(ledger).pace(0.0)] == [1]


def test_a_vote_that_is_long_for_no_good_reason_is_told_and_not_kept_in_memory() -> None:
    ledger = Ledger(3)
    asset = ledger.settle(ledger.create(ALICE))
    home = ledger.home(asset)
    silent = next(member for member in ledger.members if member.vote_on(home) is None)
    body = {
        "voting_for_block": home.id,
        "previous_block": ledger.id,
        "is_block_valid": False,
        "invalid_reason": "x" * 100_000,
        "timestamp": "1.000000",
    }
    long = sign_document("vote", body, silent.key)
    ledger.first.storage.place_votes([VoteRow(home.id, silent.me, long)])
    remembered = module._remembered_vote.cache_info().currsize
    assert chronicle(ledger).entry(home.id).votes[silent.me].reason == "x" * 100_000
    known = len(ledger.federation) - 1
    assert module._remembered_vote.cache_info().currsize <= remembered + known


INDEXED: dict[str, Any] = {"valid_transactions": 1, "newest_time": "1.000000"}


# --- transactions ------------------------------------------------------------------------------------------


def test_the_newest_transactions_come_last_of_the_newest_block_first(ledger: Ledger) -> None:
    first = settled(ledger, 1)
    together = [ledger.create(ALICE, {"together": number}) for number in range(3)]
    ledger.write(*together)
    ledger.run()
    newest = chronicle(ledger)
    told = newest.newest(newest.decided(None, 5), 3)
    assert [item.transaction.id for item in told] == [t.id for t in together[::-1]]
    assert {item.block_id for item in told} == {ledger.home(together[0]).id}
    again = newest.newest(newest.decided(None, 5), 10)
    assert [item.transaction.id for item in again] == [t.id for t in [*together[::-1], *first]]


def test_of_blocks_that_are_not_valid_no_transaction_is_told() -> None:
    ledger = Ledger(2)
    ledger.members[1].stop()
    ledger.write(ledger.create(ALICE))
    ledger.run(60)
    newest = chronicle(ledger)
    assert newest.newest(newest.undecided(5), 5) == []


def test_settled_transactions_are_told_with_block_and_time(ledger: Ledger) -> None:
    asset, other = settled(ledger, 2, seconds=5)
    waiting = ledger.transfer(ref(asset), ALICE, BOB)
    ledger.write(waiting)
    found = chronicle(ledger).settled({asset.id, other.id, waiting.id, "0" * 64})
    assert set(found) == {asset.id, other.id}
    home = ledger.home(asset)
    assert (found[asset.id].transaction, found[asset.id].block_id) == (asset, home.id)
    assert found[asset.id].timestamp == home.header.timestamp
    assert chronicle(ledger).settled([]) == {}


@pytest.mark.parametrize("what", ["text", "block", "another"])
def test_what_storage_cannot_show_any_more_is_left_out(ledger: Ledger, what: str) -> None:
    asset, other = settled(ledger, 2)
    contents = ledger.database.contents
    if what == "text":
        contents.transactions[asset.hash] = replace(contents.transactions[asset.hash], text="junk", tag=b"")
    elif what == "block":
        del contents.blocks[ledger.home(asset).key]
    else:
        contents.transactions[asset.hash] = contents.transactions[other.hash]
    ledger.first.open()  # a node that has read none of it before
    assert set(chronicle(ledger).settled([asset.id, other.id])) == {other.id}


# --- how fast ----------------------------------------------------------------------------------------------


def test_the_pace_is_told_from_the_last_mark_before_on(ledger: Ledger) -> None:
    settled(ledger, 5, seconds=10)
    now = ledger.clock.now
    marks = chronicle(ledger).pace(now - 25)
    assert [(mark.sequence, round(now - mark.at)) for mark in marks] == [(2, 30), (3, 20), (4, 10), (5, 0)]
    assert [mark.transactions for mark in marks] == [2, 3, 4, 5]
    assert [mark.sequence for mark in chronicle(ledger).pace(now + 5)] == [5]


class Log(MemoryStorage):
    """Counts how much of the log is read."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.calls = self.rows = 0

    def decisions(self, node: str, after_sequence: int, limit: int, *, may_lag: bool = False) -> list[DecisionRow]:
        found = super().decisions(node, after_sequence, limit, may_lag=may_lag)
        self.calls += 1
        self.rows += len(found)
        return found


def test_of_a_long_log_samples_are_read_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_READ_AT_ONCE", 10)
    monkeypatch.setattr(module, "_SAMPLES", 8)
    ledger = Ledger(connect=Log)
    settled(ledger, 120, seconds=1)
    log = ledger.first.storage
    assert isinstance(log, Log)
    newest = Chronicle(ledger.first.node)
    log.calls = log.rows = 0
    marks = newest.pace(ledger.clock.now - 100)
    assert log.calls <= 25
    assert log.rows <= 35
    assert marks[0].at < ledger.clock.now - 100 <= marks[1].at
    assert [mark.sequence for mark in marks[-10:]] == list(range(111, 121))
    assert all(mark.transactions == mark.sequence for mark in marks)
    log.calls = log.rows = 0
    assert newest.pace(ledger.clock.now - 100) == marks
    assert log.calls == 1


def test_a_window_longer_than_the_ledger_begins_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_READ_AT_ONCE", 10)
    ledger = Ledger()
    settled(ledger, 30, seconds=1)
    marks = chronicle(ledger).pace(0.0)
    assert (marks[0].sequence, marks[-1].sequence) == (1, 30)


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_READ_AT_ONCE", 2)
    monkeypatch.setattr(module, "_REMEMBERED_MARKS", 5)
    monkeypatch.setattr(module, "_REMEMBERED_TAILS", 1)
    ledger = Ledger()
    settled(ledger, 20, seconds=1)
    newest = chronicle(ledger)
    for _ in range(2):
        assert newest.pace(0.0)[0].sequence == 1
        assert len(newest.newest(newest.decided(None, 20), 20)) == 20
    assert len(newest._marks) <= 5


def test_neither_clock_nor_count_goes_back() -> None:
    marks = [Mark(1, 10.0, 5), Mark(2, 9.0, 3), Mark(3, 12.0, 6)]
    assert module._in_window(marks, 0.0) == [Mark(1, 10.0, 5), Mark(2, 10.0, 5), Mark(3, 12.0, 6)]
    assert module._in_window(marks, 11.0) == [Mark(2, 10.0, 5), Mark(3, 12.0, 6)]
    assert module._in_window([], 11.0) == []
