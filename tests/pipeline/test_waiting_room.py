"""What a builder knows of the backlog: each entry is ready, blocked, or left to another node, and in one place only."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from bigchaindb.pipeline import waiting_room
from bigchaindb.pipeline.waiting_room import Entry, WaitingRoom
from tests.consensus.views import create

A, B, C = create("a"), create("b"), create("c")
NAMES = {A.hash: "A", B.hash: "B", C.hash: "C"}


@pytest.fixture
def room() -> WaitingRoom:
    return WaitingRoom()


def ready(room: WaitingRoom, limit: int = 10) -> str:
    """The names of what is ready, in order."""
    return "".join(NAMES[entry.transaction.hash] for entry in room.ready(limit))


def fill(room: WaitingRoom) -> None:
    for number, transaction in enumerate((A, B, C)):
        room.add(Entry(transaction, float(number)))


def test_what_is_ready_comes_in_order_up_to_a_limit(room: WaitingRoom) -> None:
    fill(room)
    assert ready(room) == "ABC"
    assert ready(room, 2) == "AB"
    assert [entry.seen_at for entry in room.ready(9)] == [0.0, 1.0, 2.0]


def test_what_is_blocked_is_not_ready_until_what_it_waits_for_is_decided(room: WaitingRoom) -> None:
    fill(room)
    room.block(A.hash, ["x", "y"], 0.0)
    room.block(B.hash, ["y"], 0.0)
    assert ready(room) == "C"
    assert A.hash in room
    room.unblock("x")
    assert ready(room) == "CA"
    room.unblock("y")
    assert ready(room) == "CAB"
    room.unblock("y")
    assert ready(room) == "CAB"


def test_time_alone_may_free_what_is_blocked(room: WaitingRoom) -> None:
    fill(room)
    room.block(A.hash, [], 5.0)
    room.block(B.hash, ["x"], 6.0)
    room.unblock_before(5.0)
    assert ready(room) == "C"
    room.unblock_before(5.1)
    assert ready(room) == "CA"
    room.unblock_before(7.0)
    assert ready(room) == "CAB"
    room.unblock("x")
    assert ready(room) == "CAB"


def test_what_is_decided_is_forgotten_and_what_waits_for_it_is_ready(room: WaitingRoom) -> None:
    fill(room)
    room.block(A.hash, [A.id], 0.0)
    room.block(B.hash, [A.id], 0.0)
    room.settle(A.id)
    assert A.hash not in room
    assert ready(room) == "CB"
    room.settle(A.id)
    room.settle("unknown")
    assert ready(room) == "CB"


def test_what_is_settled_may_have_been_freed_already(room: WaitingRoom) -> None:
    fill(room)
    room.block(A.hash, [A.id], 0.0)
    room.unblock_before(1.0)
    room.settle(A.id)
    assert ready(room) == "BCA"


def test_what_is_removed_is_nowhere(room: WaitingRoom) -> None:
    fill(room)
    room.block(B.hash, ["x"], 0.0)
    room.leave("foreign", "id", 0.0, 30.0)
    for text_hash in (A.hash, B.hash, "foreign", "unknown"):
        room.remove(text_hash)
        assert text_hash not in room
    room.unblock("x")
    assert ready(room) == "C"
    assert room.overdue(99.0, 9) == []


def test_what_is_left_to_others_is_overdue_after_a_time_oldest_first(room: WaitingRoom) -> None:
    room.leave("one", "id 1", 0.0, 30.0)
    room.leave("two", "id 2", 1.0, 16.0)
    room.leave("three", "id 3", 2.0, 32.0)
    assert room.left(2, 9.0) == {"one": "id 1", "two": "id 2"}
    assert "one" in room
    assert ready(room) == ""
    assert room.overdue(15.0, 9) == []
    assert room.overdue(30.0, 9) == ["two", "one"]
    assert room.take("two") == ("id 2", 1.0)
    assert "two" not in room
    assert room.left(9, 9.0) == {"one": "id 1", "three": "id 3"}


def test_what_is_settled_is_not_left_to_others_any_more(room: WaitingRoom) -> None:
    room.leave("one", "id", 0.0, 30.0)
    room.leave("other text", "id", 0.0, 30.0)
    room.leave("another", "another id", 0.0, 30.0)
    room.settle("id")
    assert room.left(9, 9.0) == {"another": "another id"}
    assert room.overdue(99.0, 9) == ["another"]


def test_there_is_room_for_so_many_and_no_more(room: WaitingRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_room, "MAX_READY", 3)
    assert room.has_room
    fill(room)
    assert not room.has_room
    room.block(A.hash, ["x"], 0.0)
    assert room.has_room
    room.unblock("x")
    assert not room.has_room


def test_where_too_much_is_blocked_what_has_been_for_longest_is_forgotten(
    room: WaitingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_room, "MAX_BLOCKED", 2)
    fill(room)
    for transaction in (B, A, C):
        room.block(transaction.hash, ["x"], 0.0)
    assert [transaction.hash in room for transaction in (A, B, C)] == [True, False, True]
    room.unblock("x")
    assert sorted(ready(room)) == ["A", "C"]


def test_what_is_left_to_others_is_noted_up_to_so_many(room: WaitingRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_room, "MAX_FOREIGN", 2)
    for name in ("one", "two", "three"):
        room.leave(name, f"id {name}", 0.0, 30.0)
    assert room.left(9, 9.0) == {"one": "id one", "two": "id two"}
    assert room.overdue(99.0, 9) == ["one", "two"]


def test_there_is_room_for_so_many_bytes_and_no_more(room: WaitingRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_room, "MAX_READY_BYTES", A.size_bytes + B.size_bytes)
    monkeypatch.setattr(waiting_room, "MAX_BLOCKED_BYTES", A.size_bytes + B.size_bytes)
    for transaction in (A, B):
        assert room.has_room
        room.add(Entry(transaction, 0.0))
    assert not room.has_room
    room.add(Entry(A, 0.0))  # once more is not more
    room.block(A.hash, [], 0.0)
    assert room.has_room
    room.block(B.hash, [], 0.0)
    assert [t.hash in room for t in (A, B)] == [True, True]
    room.add(Entry(C, 0.0))
    room.block(C.hash, [], 0.0)
    assert [t.hash in room for t in (A, B, C)] == [False, True, True]


def test_not_more_is_freed_by_time_at_once_than_asked_for(room: WaitingRoom) -> None:
    fill(room)
    for transaction in (B, A, C):
        room.block(transaction.hash, ["x"], 0.0)
    room.unblock_before(1.0, 2)
    assert ready(room) == "BA"


TRANSACTIONS = [create(f"{i}") for i in range(5)]


class Rooms(RuleBasedStateMachine):
    """Whatever happens in whatever order, an entry is in one place, and what was not forgotten can be found."""

    entries = Bundle("entries")

    def __init__(self) -> None:
        super().__init__()
        self.room = WaitingRoom()
        self.known: set[str] = set()
        self.now = 0.0

    def ready(self) -> list[str]:
        return [entry.transaction.hash for entry in self.room.ready(99)]

    @rule(target=entries, number=st.integers(0, 4))
    def name(self, number: int) -> int:
        return number

    @rule(number=entries)
    def add(self, number: int) -> None:
        transaction = TRANSACTIONS[number]
        if transaction.hash not in self.room:
            self.room.add(Entry(transaction, self.now))
            self.known.add(transaction.hash)

    @rule(number=entries, waits_for=st.lists(entries, max_size=2))
    def block(self, number: int, waits_for: list[int]) -> None:
        if TRANSACTIONS[number].hash in self.ready():
            self.room.block(TRANSACTIONS[number].hash, [TRANSACTIONS[i].id for i in waits_for], self.now)

    @rule(number=entries)
    def unblock(self, number: int) -> None:
        self.room.unblock(TRANSACTIONS[number].id)

    @rule(number=entries)
    def remove(self, number: int) -> None:
        self.room.remove(TRANSACTIONS[number].hash)
        self.known.discard(TRANSACTIONS[number].hash)

    @rule(number=entries)
    def settle(self, number: int) -> None:
        self.room.settle(TRANSACTIONS[number].id)
        if TRANSACTIONS[number].hash not in self.room:
            self.known.discard(TRANSACTIONS[number].hash)

    @rule(seconds=st.integers(0, 9))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.room.unblock_before(self.now - 5)

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        hashes = self.ready()
        assert len(set(hashes)) == len(hashes)
        assert set(hashes) <= self.known
        assert {t.hash for t in TRANSACTIONS if t.hash in self.room} == self.known

    def teardown(self) -> None:
        self.room.unblock_before(self.now + 1)
        assert set(self.ready()) == self.known


TestRooms = Rooms.TestCase
TestRooms.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)
