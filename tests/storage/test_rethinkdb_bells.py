"""Word of changes between the connections to RethinkDB."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.storage import changes
from bigchaindb.storage.rethinkdb import RethinkStorage
from bigchaindb.storage.rethinkdb_driver import Connection, Server, r
from tests.rethink import own_server, patiently
from tests.storage.make import block, decision, effects, output, transaction, vote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rethink import ThrowAwayServer

HANG_SECONDS = 60.0


BACKENDS = ["rethinkdb"]


def listen(storage: RethinkStorage) -> None:
    """Wait until a changefeed tells of changes, and hear all that it has to tell now."""
    bells = storage._store._bells
    storage.wait_for_change(0)
    deadline = time.monotonic() + HANG_SECONDS
    while not bells._is_listening:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    storage.wait_for_change(0)


def test_who_listens_is_told_by_the_changefeed(storage: RethinkStorage, other: RethinkStorage) -> None:
    listen(storage)
    for turn in range(5):
        other.swap_register("name", str(turn - 1) if turn else None, str(turn))
        assert storage.wait_for_change(HANG_SECONDS) is True
        assert storage.wait_for_change(0) is False


def test_ones_own_changes_are_not_news(storage: RethinkStorage, other: RethinkStorage) -> None:
    listen(storage)
    storage.swap_register("name", None, "text")
    storage.append_backlog([transaction("a")], 1.0)
    other.swap_register("other", None, "text")
    assert storage.wait_for_change(HANG_SECONDS) is True
    assert storage.wait_for_change(0.3) is False


def test_a_batch_is_one_change(storage: RethinkStorage, other: RethinkStorage) -> None:
    listen(storage)
    before = storage._store._bells._heard
    with other.batch():
        for turn in range(5):
            other.swap_register(str(turn), None, "text")
    assert storage.wait_for_change(HANG_SECONDS) is True
    assert storage.wait_for_change(0.3) is False
    assert storage._store._bells._heard == before + 1


def test_who_waits_for_something_is_not_told_of_anything_else(storage: RethinkStorage, other: RethinkStorage) -> None:
    listen(storage)
    other.swap_register("name", None, "text")
    other.place_votes([vote(block("first"), "node")])
    other.append_decisions([decision(block("first"), "node", 1)])
    mine = (changes.BACKLOG, changes.decisions_of("me"))
    assert storage.wait_for_change(0.3, mine) is False
    with other.batch():
        other.place_votes([vote(block("second"), "node")])
        other.append_decisions([decision(block("second"), "me", 1)])
    assert storage.wait_for_change(HANG_SECONDS, mine) is True
    # Both have seen all that there was when they returned, whatever they waited for.
    assert storage.wait_for_change(0) is False


def test_a_bell_that_does_not_say_of_what_is_heard_by_everybody(storage: RethinkStorage) -> None:
    listen(storage)
    for rung, bell in enumerate([{"id": "x", "rung": 1}, {"id": "x", "rung": 2, "of": "votes"}]):
        storage._store._pool.administer(r.table("bells").insert(bell, conflict="replace"))
        assert storage.wait_for_change(HANG_SECONDS, (changes.BLOCKS,)) is True, rung


def test_what_was_told_is_not_told_again_with_what_is_new(storage: RethinkStorage, other: RethinkStorage) -> None:
    listen(storage)
    other.place_votes([vote(block("first"), "node")])
    assert storage.wait_for_change(HANG_SECONDS, (changes.VOTES,)) is True
    other.append_backlog([transaction("a")], 1.0)
    assert storage.wait_for_change(0.3, (changes.VOTES,)) is False


def test_a_bell_that_was_overtaken_by_the_next_takes_nothing_back(storage: RethinkStorage) -> None:
    listen(storage)
    for bell in ({"id": "x", "rung": 6, "of": {"votes": 6, "blocks": 5}}, {"id": "x", "rung": 5, "of": {"blocks": 5}}):
        storage._store._pool.administer(r.table("bells").insert(bell, conflict="replace"))
    assert storage.wait_for_change(HANG_SECONDS, (changes.VOTES,)) is True
    bell = {"id": "x", "rung": 7, "of": {"votes": 6, "blocks": 5, "backlog": 7}}
    storage._store._pool.administer(r.table("bells").insert(bell, conflict="replace"))
    assert storage.wait_for_change(HANG_SECONDS, (changes.BACKLOG,)) is True
    assert storage.wait_for_change(0.3, (changes.VOTES,)) is False


def test_texts_and_holdings_are_no_news_by_themselves(storage: RethinkStorage, other: RethinkStorage) -> None:
    listen(storage)
    other.settle(effects((output("a"), ["alice"])))
    assert storage.wait_for_change(0.3) is False
    before = storage._store._bells._heard
    other.append_backlog([transaction("a")], 1.0)
    assert storage.wait_for_change(HANG_SECONDS) is True
    assert storage.wait_for_change(0.3) is False
    assert storage._store._bells._heard == before + 1


def test_a_batch_that_fails_is_a_change_all_the_same(storage: RethinkStorage, other: RethinkStorage) -> None:
    listen(storage)

    def fail() -> None:
        with other.batch():
            other.swap_register("name", None, "text")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert storage.wait_for_change(HANG_SECONDS) is True


def test_who_only_reads_rings_nothing(storage: RethinkStorage, other: RethinkStorage) -> None:
    listen(storage)
    with other.batch():
        other.registers(["name"])
    other.append_backlog([], 1.0)
    other.place_votes([])
    assert storage.wait_for_change(0.3) is False


def test_without_a_changefeed_changes_are_found_by_looking(storage: RethinkStorage, other: RethinkStorage) -> None:
    # As where the user of the database may not open one.
    storage._store._bells._thread = False  # type: ignore[assignment]
    storage.wait_for_change(0)
    other.swap_register("name", None, "text")
    assert storage.wait_for_change(HANG_SECONDS) is True
    assert storage.wait_for_change(0.3) is False
    storage._store._bells._thread = None


def test_who_has_not_written_for_long_is_heard_again(storage: RethinkStorage, other: RethinkStorage) -> None:
    listen(storage)
    other.swap_register("name", None, "text")
    assert storage.wait_for_change(HANG_SECONDS) is True
    storage._store._pool.administer(r.table("bells").delete())
    other.swap_register("name", "text", "other")
    assert storage.wait_for_change(HANG_SECONDS) is True


@pytest.mark.parametrize("junk", [{"id": "x"}, {"id": ["x"], "rung": []}, {"id": 5, "rung": {}, "at": "x"}], ids=repr)
def test_no_bell_of_a_stranger_keeps_anybody_from_hearing(empty_ledger: Server, junk: dict[str, object]) -> None:
    with closing(RethinkStorage(empty_ledger, create=True)) as storage:
        listen(storage)
        storage._store._pool.administer(r.table("bells").insert(junk))
        with closing(RethinkStorage(empty_ledger, create=False)) as other:
            listen(other)
            storage.swap_register("name", None, "text")
            assert other.wait_for_change(HANG_SECONDS) is True
            other.swap_register("name", "text", "other")
            assert storage.wait_for_change(HANG_SECONDS) is True


def test_bells_of_processes_that_ended_minutes_ago_are_cleared_away(storage: RethinkStorage) -> None:
    bells = r.table("bells")
    old = {"id": "killed", "rung": 7, "at": r.now().to_epoch_time() - 400}
    recent = {"id": "alive", "rung": 7, "at": r.now().to_epoch_time() - 100}
    storage._store._pool.administer(bells.insert([old, recent]))
    storage.swap_register("name", None, "text")
    deadline = time.monotonic() + HANG_SECONDS
    while storage._store.read(bells.get("killed")) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert storage._store.read(bells.get("alive")) is not None


# --- when the server is away -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mortal() -> Iterator[ThrowAwayServer]:
    with own_server() as server:
        yield server


@pytest.fixture
def ledger(mortal: ThrowAwayServer) -> Server:
    server = Server("127.0.0.1", mortal.port, "ledger")
    patiently(lambda: RethinkStorage(server, create=True).close())
    return server


def tell(server: Server, text: str) -> None:
    """Write something as another process does, as soon as that is possible."""

    def write() -> None:
        with closing(RethinkStorage(server, create=False)) as other:
            other.swap_register(text, None, text)

    patiently(write)


def test_a_change_while_the_changefeed_is_down_is_not_overslept(mortal: ThrowAwayServer, ledger: Server) -> None:
    with closing(RethinkStorage(ledger, create=False)) as storage:
        listen(storage)
        mortal.kill()
        mortal.start()
        tell(ledger, "after a kill")
        assert patiently(lambda: storage.wait_for_change(HANG_SECONDS)) is True
        listen(storage)
        tell(ledger, "later")
        assert storage.wait_for_change(HANG_SECONDS) is True


def test_a_changefeed_that_broke_by_itself_is_opened_again(ledger: Server) -> None:
    with closing(RethinkStorage(ledger, create=False)) as storage:
        listen(storage)
        for turn in range(3):
            feed = storage._store._bells._feed
            assert feed is not None
            feed.hang_up()
            tell(ledger, f"turn {turn}")
            assert storage.wait_for_change(HANG_SECONDS) is True
            listen(storage)


def test_who_waits_while_the_server_is_away_is_told_so(mortal: ThrowAwayServer, ledger: Server) -> None:
    with closing(RethinkStorage(ledger, create=False)) as storage:
        listen(storage)
        mortal.kill()
        with pytest.raises(StorageUnavailable):
            storage.wait_for_change(HANG_SECONDS)
        mortal.start()


def test_closing_ends_the_thread_that_listens_also_while_the_server_is_away(
    mortal: ThrowAwayServer, ledger: Server
) -> None:
    for is_away in (False, True):
        storage = RethinkStorage(ledger, create=False)
        listen(storage)
        thread = storage._store._bells._thread
        assert thread is not None
        if is_away:
            mortal.kill()
        storage.close()
        assert not thread.is_alive()
    mortal.start()


def test_a_bell_that_cannot_be_rung_makes_no_written_change_unwritten(mortal: ThrowAwayServer, ledger: Server) -> None:
    with closing(RethinkStorage(ledger, create=False)) as storage, closing(Connection(ledger)) as admin:
        admin.run(r.table_drop("bells"))
        assert storage.swap_register("without a bell", None, "text") is True
        assert storage.registers(["without a bell"]) == {"without a bell": "text"}
    assert mortal.port == ledger.port
