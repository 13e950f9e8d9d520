"""The feed: every reader gets every event behind its beginning, in order, once, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigchaindb.exceptions import InvalidValue, StorageMismatch, StorageUnavailable
from bigchaindb.node.events import EventLog
from bigchaindb.node.view import settled_register
from bigchaindb.web import feed as feed_module
from bigchaindb.web import frames
from bigchaindb.web.feed import Feed, Position
from bigchaindb.web.frames import Form, Which
from tests.ledgers import Ledger, key, public, ref
from tests.web.serving import HANG_SECONDS, Away, web_ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Self, TypeVar

    from bigchaindb.model.transaction import Transaction

    T = TypeVar("T")

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")
ALL = Which()
SOON_SECONDS = 0.05


class Hall:
    """A feed and its event loop, in which nothing goes on but while a test waits for something."""

    def __init__(self, ledger: Ledger) -> None:
        self.feed = Feed(web_ledger(ledger))
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait(self.feed.stop())
        self._runner.close()

    def wait(self, what: Coroutine[Any, Any, T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(HANG_SECONDS):
                return await what

        return self._runner.run(bounded())

    def follow(self, sequence: int) -> None:
        """Wait until the feed has heard of a decision."""

        async def followed() -> None:
            while self.feed.latest_sequence < sequence:
                await self.feed.changed(SOON_SECONDS)

        self.wait(followed())

    def reader(self, since: str | None = None, which: Which = ALL) -> Reader:
        return Reader(self, self.wait(self.feed.position(since)), which)


class Reader:
    """One who reads; `take` returns the ids of what comes."""

    def __init__(self, hall: Hall, position: Position, which: Which) -> None:
        self.hall = hall
        self.position = position
        self.which = which
        self.chunks = 0
        self.assets: list[str] = []
        self._reading = hall.feed.reading(which)
        self._reading.__enter__()

    def leave(self) -> None:
        self._reading.__exit__(None, None, None)

    def some(self, seconds: float = HANG_SECONDS) -> list[str]:
        """What comes next, but for what does not fit into a chunk."""
        given = self.hall.wait(self.hall.feed.next(self.position, self.which, Form.EVENT_STREAM, seconds))
        assert given is not None
        self.position = given.position
        self.chunks += 1
        found = [json.loads(text) for text in re.findall(r"^data: (.*)$", given.data.decode(), re.MULTILINE)]
        self.assets += [event["asset_id"] for event in found]
        return [event["transaction_id"] for event in found]

    def take(self, count: int) -> list[str]:
        taken: list[str] = []
        while len(taken) < count:
            taken += self.some()
        return taken

    def nothing(self) -> bool:
        return self.some(SOON_SECONDS) == []


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def hall(ledger: Ledger) -> Iterator[Hall]:
    with Hall(ledger) as hall:
        yield hall


def creates(ledger: Ledger, count: int) -> list[Transaction]:
    """So many assets of Alice's in one block, in its order."""
    made = [ledger.create(ALICE, {"number": number, "at": ledger.clock.now}) for number in range(count)]
    ledger.clock.now += 1
    ledger.write(*made)
    ledger.run()
    by_hash = {t.hash: t for t in made}
    return [by_hash[text_hash] for text_hash in ledger.home(made[0]).transactions]


def ids(transactions: list[Transaction]) -> list[str]:
    return [transaction.id for transaction in transactions]


@contextmanager
def away(ledger: Ledger) -> Iterator[None]:
    """The database is away."""
    Away.away.add(ledger.database)
    try:
        yield
    finally:
        Away.away.discard(ledger.database)


# --- reading -----------------------------------------------------------------------------------------------


def test_a_reader_gets_what_comes_from_now_on(ledger: Ledger, hall: Hall) -> None:
    creates(ledger, 2)
    reader = hall.reader()
    assert reader.nothing()
    first = creates(ledger, 3)
    assert reader.take(3) == ids(first)
    second = creates(ledger, 2)
    assert reader.take(2) == ids(second)
    assert reader.nothing()


def test_a_reader_of_all_goes_from_storage_to_the_newest_without_gap_or_repeat(ledger: Ledger, hall: Hall) -> None:
    old = [t for _ in range(3) for t in creates(ledger, 2)]
    listening = hall.reader()
    reader = hall.reader("0")
    taken = reader.some()
    new = [t for _ in range(3) for t in creates(ledger, 2)]
    assert listening.take(len(new)) == ids(new)
    while len(taken) < len(old) + len(new):
        taken += reader.some()
    assert taken == ids(old + new)
    assert reader.nothing()


@pytest.mark.parametrize("size", [1, 300, 700, 10_000])
def test_a_chunk_may_end_within_a_block(ledger: Ledger, hall: Hall, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(frames, "CHUNK_BYTES", size)
    made = creates(ledger, 9)
    for reader in (hall.reader("0"), hall.reader("0", Which(public_key=public(ALICE)[0]))):
        assert reader.take(9) == ids(made)
        assert (reader.chunks > 1) == (size < 10_000)
        assert reader.position == Position(2)


def test_a_reader_may_begin_behind_any_event(ledger: Ledger, hall: Hall) -> None:
    made = creates(ledger, 4) + creates(ledger, 3)
    for number, transaction in enumerate(made[:-1]):
        since = f"{1 if number < 4 else 2}/{transaction.id}"
        rest = ids(made)[number + 1 :]
        assert hall.reader(since).take(len(rest)) == rest
    assert hall.reader(f"2/{made[-1].id}").nothing()
    assert hall.reader("1").take(3) == ids(made)[4:]
    assert hall.reader("2").nothing()


def test_a_place_that_is_none_is_refused(ledger: Ledger, hall: Hall) -> None:
    (one,), (two,) = creates(ledger, 1), creates(ledger, 1)
    with pytest.raises(InvalidValue, match="since: this node has made 2 decisions, not 3"):
        hall.reader("3")
    for since in (f"1/{two.id}", f"2/{one.id}", f"3/{two.id}", f"0/{one.id}"):
        with pytest.raises(InvalidValue, match="did not become valid with decision"):
            hall.reader(since)


def test_what_is_invalid_is_passed_over(ledger: Ledger, hall: Hall) -> None:
    ledger.put_block(ledger.transfer(ref(ledger.genesis.transaction), ledger.first.key, BOB), at="1.000000")
    ledger.run()
    assert hall.reader("0").nothing()
    made = creates(ledger, 1)
    assert hall.reader("0").take(1) == ids(made)


# --- choosing ----------------------------------------------------------------------------------------------


def test_a_reader_may_want_only_what_concerns_a_key(ledger: Ledger, hall: Hall) -> None:
    boats = creates(ledger, 3)
    listening = hall.reader(which=Which(public_key=public(BOB)[0]))
    gift = ledger.settle(ledger.transfer(ref(boats[1]), ALICE, BOB))
    others = ledger.settle(ledger.transfer(ref(boats[0]), ALICE, CAROL))
    away_again = ledger.settle(ledger.transfer(ref(gift), BOB, CAROL))
    assert listening.take(2) == [gift.id, away_again.id]
    assert hall.reader("0", Which(public_key=public(BOB)[0])).take(2) == [gift.id, away_again.id]
    assert hall.reader("0", Which(public_key=public(CAROL)[0])).take(2) == [others.id, away_again.id]


def test_a_reader_may_want_only_what_concerns_an_asset_which_is_then_the_one_told(ledger: Ledger, hall: Hall) -> None:
    boat, car = creates(ledger, 2)
    listening = hall.reader(which=Which(asset_id=boat.id))
    both = ledger.settle(ledger.transfer([ref(car), ref(boat)], ALICE, BOB))
    ledger.settle(ledger.transfer(ref(both, 0), BOB, ALICE))
    last = ledger.settle(ledger.transfer(ref(both, 1), BOB, ALICE))
    assert listening.take(2) == [both.id, last.id]
    reader = hall.reader("0", Which(asset_id=boat.id))
    assert reader.take(3) == [boat.id, both.id, last.id]
    assert reader.assets == [boat.id] * 3
    both_wanted = hall.reader("0", Which(public_key=public(BOB)[0], asset_id=boat.id))
    assert both_wanted.take(2) == [both.id, last.id]
    assert hall.reader("0", Which(public_key=public(CAROL)[0], asset_id=boat.id)).nothing()


def test_a_reader_who_finds_nothing_comes_on_all_the_same(ledger: Ledger, hall: Hall) -> None:
    creates(ledger, 2)
    reader = hall.reader("0", Which(asset_id="0" * 64))
    assert reader.nothing()
    assert reader.position == Position(2)


# --- what is kept ------------------------------------------------------------------------------------------


def test_who_is_too_far_behind_gets_from_storage_what_is_not_kept(
    ledger: Ledger, hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_NEWEST_EVENTS", 6)
    monkeypatch.setattr(feed_module, "_KEPT_EVENTS", 4)
    slow, quick = hall.reader(), hall.reader()
    made = []
    for _ in range(8):
        new = creates(ledger, 2)
        made += new
        assert quick.take(2) == ids(new)
    assert hall.feed._newest is not None
    assert hall.feed._newest.events <= 6
    assert len(hall.feed._newest_pages) <= 3
    assert slow.take(len(made)) == ids(made)


def test_sections_that_were_read_are_kept_only_up_to_a_bound(
    ledger: Ledger, hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_SECTION_EVENTS", 3)
    monkeypatch.setattr("bigchaindb.node.events._TRANSACTIONS", 1)
    made = [t for _ in range(6) for t in creates(ledger, 1)]
    hall.follow(6)
    assert hall.reader("0").take(6) == ids(made)
    assert 0 < sum(section.events for section in hall.feed._sections.values()) <= 3


def test_a_block_larger_than_all_that_is_kept_is_told_all_the_same(
    ledger: Ledger, hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_NEWEST_EVENTS", "_KEPT_EVENTS", "_SECTION_EVENTS"):
        monkeypatch.setattr(feed_module, name, 3)
    monkeypatch.setattr(frames, "CHUNK_BYTES", 600)
    old = creates(ledger, 7)
    listening = hall.reader()
    new = creates(ledger, 7)
    assert listening.take(7) == ids(new)
    assert hall.reader("0").take(14) == ids(old + new)


def test_who_all_want_the_same_section_wait_for_one_answer(
    ledger: Ledger, hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [t for _ in range(3) for t in creates(ledger, 2)]
    hall.follow(3)
    asked: list[tuple[str, Any]] = []
    for name in ("read", "parties"):
        monkeypatch.setattr(EventLog, name, counted(getattr(EventLog, name), asked))
    which = Which(public_key=public(ALICE)[0])
    start = hall.wait(hall.feed.position("0"))

    async def all_at_once() -> list[Any]:
        readers = [hall.feed.next(start, which, Form.MESSAGES, HANG_SECONDS) for _ in range(20)]
        return list(await asyncio.gather(*readers))

    found = hall.wait(all_at_once())
    assert len({given.data for given in found}) == 1
    assert made[0].id.encode() in found[0].data
    assert [name for name, _ in asked] == ["read", "parties", "parties", "parties"]


def counted(method: Callable[..., T], asked: list[tuple[str, Any]]) -> Callable[..., T]:
    def call(*args: Any) -> T:
        asked.append((method.__name__, args[1]))
        return method(*args)

    return call


def test_without_readers_nothing_is_looked_up(ledger: Ledger, hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(EventLog, "read")
    assert hall.wait(hall.feed.changed(HANG_SECONDS))
    creates(ledger, 2)
    hall.follow(1)


def test_who_has_left_is_not_counted_any_more(ledger: Ledger, hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, choosy = hall.reader(), hall.reader(which=Which(asset_id="0" * 64))
    creates(ledger, 1)
    reader.take(1)
    choosy.leave()
    monkeypatch.delattr(EventLog, "parties")
    creates(ledger, 1)
    reader.take(1)
    reader.leave()
    monkeypatch.delattr(EventLog, "read")
    creates(ledger, 1)
    hall.follow(3)


def test_whoever_falls_far_behind_while_the_database_was_away_reads_for_himself(
    ledger: Ledger, hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_FAR_BEHIND", 2)
    reader = hall.reader()
    with away(ledger):
        made = [t for _ in range(5) for t in creates(ledger, 1)]
    assert reader.take(5) == ids(made)


# --- waiting -----------------------------------------------------------------------------------------------


def test_who_waits_for_a_change_is_told_of_it(ledger: Ledger, hall: Hall) -> None:
    creates(ledger, 1)
    hall.follow(1)
    assert not hall.wait(hall.feed.changed(SOON_SECONDS))

    async def both() -> bool:
        waiting = asyncio.create_task(hall.feed.changed(HANG_SECONDS))
        await asyncio.to_thread(creates, ledger, 1)
        return await waiting

    assert hall.wait(both())
    assert hall.feed.latest_sequence == 2
    assert hall.feed._waiting == set()


def test_who_does_not_wait_any_more_is_forgotten(hall: Hall) -> None:
    hall.reader()

    async def gives_up() -> None:
        waiting = asyncio.create_task(hall.feed.changed(HANG_SECONDS))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    hall.wait(gives_up())
    assert hall.feed._waiting == set()


# --- the database is away ----------------------------------------------------------------------------------


def test_readers_wait_while_the_database_is_away_and_go_on(ledger: Ledger, hall: Hall) -> None:
    made = creates(ledger, 1)
    listening, behind = hall.reader(), hall.reader("0")
    with away(ledger):
        made += creates(ledger, 1)
        assert listening.nothing()
        assert behind.nothing()
        with pytest.raises(StorageUnavailable):
            hall.reader()
    assert listening.take(1) == ids(made)[1:]
    assert behind.take(2) == ids(made)


def test_a_choosy_reader_waits_too(ledger: Ledger, hall: Hall) -> None:
    made = creates(ledger, 2)
    reader = hall.reader("0", Which(public_key=public(ALICE)[0]))
    hall.reader("0").take(2)  # the section is known, but not whom it is about
    with away(ledger):
        assert reader.nothing()
    assert reader.take(2) == ids(made)


def test_a_feed_may_begin_while_the_database_is_away(ledger: Ledger) -> None:
    with Hall(ledger) as hall:
        with away(ledger), pytest.raises(StorageUnavailable):
            hall.reader()
        reader = hall.reader()
        made = creates(ledger, 1)
        assert reader.take(1) == ids(made)


def test_what_storage_may_not_do_is_logged_once(ledger: Ledger, hall: Hall, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR", "bigchaindb")
    creates(ledger, 1)
    listening, behind = hall.reader(), hall.reader("0")
    swap_settled(ledger, "1", "junk")
    with pytest.raises(StorageMismatch, match="holds no number"):
        hall.reader()
    assert listening.nothing()
    assert behind.nothing()
    swap_settled(ledger, "junk", "1")
    made = creates(ledger, 1)
    assert listening.take(1) == ids(made)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1
    assert "nobody is told of events: register settled/" in messages[0]


def swap_settled(ledger: Ledger, expected: str, text: str) -> None:
    assert ledger.first.storage.swap_register(settled_register(ledger.first.me), expected, text)


# --- the end -----------------------------------------------------------------------------------------------


def test_at_the_end_everybody_is_told(ledger: Ledger) -> None:
    with Hall(ledger) as hall:
        reader = hall.reader()

        async def end() -> Any:
            waiting = asyncio.create_task(hall.feed.next(reader.position, ALL, Form.MESSAGES, HANG_SECONDS))
            changing = asyncio.create_task(hall.feed.changed(HANG_SECONDS))
            await asyncio.sleep(0)
            hall.feed.end()
            return await asyncio.gather(waiting, changing)

        assert hall.wait(end()) == [None, False]
        assert hall.wait(hall.feed.next(reader.position, ALL, Form.MESSAGES, HANG_SECONDS)) is None
        assert not hall.wait(hall.feed.changed(HANG_SECONDS))
        with pytest.raises(StorageUnavailable, match="stopping"):
            hall.reader()


def test_when_it_has_stopped_no_thread_is_left(ledger: Ledger) -> None:
    with Hall(ledger) as hall:
        hall.reader("0")
        thread = hall.feed._thread
        assert thread is not None
    assert not thread.is_alive()


def test_a_feed_that_nobody_used_can_be_stopped(ledger: Ledger) -> None:
    with Hall(ledger) as hall:
        hall.feed.end()
        hall.feed.start()
        assert hall.feed._thread is None


# --- a law -------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("decide"), st.integers(1, 4)),
        st.tuples(st.just("join"), st.floats(0, 1)),
        st.tuples(st.just("read"), st.integers(0, 9)),
    ),
    min_size=4,
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, size=st.sampled_from([1, 600, 10_000]), kept=st.integers(1, 8))
def test_whoever_comes_when_and_wherever_gets_all_the_rest_once_in_order(
    steps: list[tuple[str, Any]], size: int, kept: int
) -> None:
    ledger = Ledger()
    places = [("0", 0)]
    made: list[str] = []
    with pytest.MonkeyPatch.context() as patched, Hall(ledger) as hall:
        patched.setattr(frames, "CHUNK_BYTES", size)
        for name in ("_NEWEST_EVENTS", "_KEPT_EVENTS", "_SECTION_EVENTS"):
            patched.setattr(feed_module, name, kept)
        patched.setattr("bigchaindb.node.events._TRANSACTIONS", kept)
        readers: list[tuple[Reader, int, list[str]]] = []
        for what, value in steps:
            if what == "decide":
                new = ids(creates(ledger, value))
                sequence = EventLog(ledger.first.node).decided()
                places += [(f"{sequence}/{txid}", len(made) + n) for n, txid in enumerate(new, 1)]
                made += new
                places.append((str(sequence), len(made)))
            elif what == "join":
                since, start = places[int(value * (len(places) - 1))]
                readers.append((hall.reader(since), start, []))
            elif readers:
                reader, start, taken = readers[value % len(readers)]
                if start + len(taken) < len(made):
                    taken += reader.some()
        for reader, start, taken in readers:
            assert taken + reader.take(len(made) - start - len(taken)) == made[start:]
