"""A ledger in RethinkDB as a whole: nobody can tell it from its twins, and no kill loses what it has acknowledged."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from bigchaindb.exceptions import InvalidValue, StorageMismatch, StorageUnavailable
from bigchaindb.model.reference import OutputRef
from bigchaindb.storage import rethinkdb_votes
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import TextRef
from bigchaindb.storage.rethinkdb import RethinkStorage
from bigchaindb.storage.rethinkdb_backlog import _entry
from bigchaindb.storage.rethinkdb_driver import Server, r
from bigchaindb.storage.rethinkdb_places import moment
from bigchaindb.storage.rethinkdb_pool import Pool
from bigchaindb.storage.rethinkdb_rows import block_row, decision_row, sighting_row
from tests.rethink import empty, own_server, patiently
from tests.storage.make import (
    block,
    decision,
    digest,
    effects,
    output,
    ref,
    rejection,
    sighting,
    stored,
    transaction,
    vote,
)
from tests.storage.test_twins import BLOCKS, STEPS, TRANSACTIONS, everything

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bigchaindb.storage.interface import Storage
    from bigchaindb.storage.records import NewTransaction
    from tests.rethink import ThrowAwayServer
    from tests.storage.test_twins import Step

HANG_SECONDS = 120.0


BACKENDS = ["rethinkdb"]


# --- twins -------------------------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_nobody_can_tell_it_from_its_twin(kept_ledger: Server, steps: list[Step]) -> None:
    empty(kept_ledger)
    # Here genesis must be the first of the blocks, as it is in every ledger.
    steps = [("create_genesis", (BLOCKS[0], TRANSACTIONS[0]), {}), *steps]
    with closing(MemoryStorage()) as memory, closing(RethinkStorage(kept_ledger, create=True)) as storage:
        twins: list[Storage] = [memory, storage]
        results: list[list[Any]] = [
            [getattr(twin, name)(*arguments, **named) for name, arguments, named in steps] for twin in twins
        ]
        assert results[0] == results[1]
        assert in_no_order(everything(memory)) == in_no_order(everything(storage))


def in_no_order(read: dict[str, Any]) -> dict[str, Any]:
    """Leave out an order that is not promised: of the notes made at the same time by one node."""
    return {**read, "open": [sorted(notes, key=repr) for notes in read["open"]]}


# --- at the same moment ------------------------------------------------------------------------------------


def at_once(storages: list[RethinkStorage], do: Any) -> list[Any]:
    """Let each do something with its number, all at the same moment."""
    together = threading.Barrier(len(storages))

    def run(number: int) -> Any:
        together.wait(HANG_SECONDS)
        return do(storages[number], number)

    with ThreadPoolExecutor(len(storages)) as threads:
        return list(threads.map(run, range(len(storages))))


def test_of_votes_that_arrive_at_once_one_stands_and_the_others_are_evidence(
    storage: RethinkStorage, other: RethinkStorage
) -> None:
    four = [storage, other, storage, other]
    for turn in range(10):
        of = block(str(turn))
        texts = at_once(four, lambda each, number, of=of: each.place_votes([vote(of, "node", str(number))])[0])
        assert len(set(texts)) == 1
        assert storage.votes([of.id]) == {of.id: {"node": texts[0]}}
        kept = {row.text for row in storage.evidence(100) if row.block_id == of.id}
        assert kept == {"0", "1", "2", "3"} - {texts[0]}


def test_evidence_that_came_in_the_same_millisecond_is_all_kept(
    storage: RethinkStorage, other: RethinkStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (storage, other):
        monkeypatch.setattr(each._store, "places", lambda _: 5_000)
    of = block("A")
    for text in "abc":
        storage.place_votes([vote(of, "node", text)])
    other.place_votes([vote(of, "node", "d")])
    assert {row.text for row in storage.evidence(100)} == set("bcd")


def test_of_those_who_change_a_register_at_once_one_does(storage: RethinkStorage, other: RethinkStorage) -> None:
    held = None
    for turn in range(10):
        swapped = at_once(
            [storage, other, storage],
            lambda each, number, held=held, turn=turn: each.swap_register("name", held, f"{turn} by {number}"),
        )
        assert swapped.count(True) == 1
        held = f"{turn} by {swapped.index(True)}"
        assert storage.registers(["name"]) == {"name": held}


def test_of_decisions_for_one_place_in_a_log_one_stands(storage: RethinkStorage, other: RethinkStorage) -> None:
    for sequence in range(1, 8):
        texts = at_once(
            [storage, other],
            lambda each, number, sequence=sequence: each.append_decisions(
                [decision(block(f"{sequence} {number}"), "node", sequence)]
            )[0],
        )
        assert len(set(texts)) == 1
        assert storage.decisions("node", sequence - 1, 10)[0].text == texts[0]


def test_what_is_begun_just_after_another_thread_closed_it_fails_as_anything_does_then(storage: RethinkStorage) -> None:
    storage.close()
    with pytest.raises(StorageUnavailable, match="this connection is closed"):
        storage._store.together(lambda: None, lambda: None)
    with pytest.raises(StorageUnavailable, match="this connection is closed"):
        storage._store.beside(lambda: None)


# --- what is large, and what is odd ------------------------------------------------------------------------


def test_the_largest_transactions_that_a_ledger_may_take_are_stored(storage: RethinkStorage) -> None:
    # Each of these characters takes the most bytes on its way.
    large = [transaction(str(each), text='\\"\x01' * (2**20 // 3 * 4)) for each in range(3)]
    storage.append_backlog(large, 1.0)
    assert storage.contents([ref(each) for each in large]) == {each.hash: stored(each) for each in large}
    assert [entry.text for entry in storage.backlog(None, 10)] == [ref(each) for each in large]


@pytest.mark.parametrize("odd", ["x" * 200, "a\0b", "\ud800", ""])
def test_what_cannot_be_a_key_is_not_found(storage: RethinkStorage, odd: str) -> None:
    found: list[Any] = [
        storage.contents([TextRef(odd, odd)]),
        storage.transactions([odd]),
        storage.waiting([odd]),
        storage.spenders([OutputRef(odd, 0)]),
        storage.with_payload_hash(odd, None, 10),
        storage.blocks([odd]),
        storage.sightings("node", [odd]),
        storage.standings("node", [odd]),
        storage.votes([odd]),
        storage.decisions_on([odd]),
        storage.outputs_of(odd, spent=None, after=None, limit=10),
        storage.lineages([OutputRef(odd, 0)]),
        storage.outputs_of_asset(odd, None, 10),
        storage.rejections([odd]),
        storage.registers([odd]),
    ]
    assert [each for each in found if each] == []


@pytest.mark.parametrize("odd", ["x" * 200, "a\0b", "\ud800"])
def test_what_cannot_be_a_key_is_not_stored(storage: RethinkStorage, odd: str) -> None:
    with pytest.raises(InvalidValue):
        storage.swap_register(odd, None, "text")
    with pytest.raises(InvalidValue):
        storage.settle(effects((OutputRef(odd, 0), ["alice"])))
    assert storage.swap_register("name", None, "text") is True


def test_a_text_that_is_no_unicode_is_not_stored(storage: RethinkStorage) -> None:
    with pytest.raises(InvalidValue):
        storage.append_backlog([replace(transaction("a"), text="\ud800")], 1.0)
    assert storage.transactions([digest("a")]) == {}


def test_whole_numbers_come_back_as_the_times_they_were(storage: RethinkStorage) -> None:
    storage.append_backlog([transaction("a")], 2.0)
    storage.sight("node", [sighting(block("a"), 3.0)])
    assert isinstance(storage.backlog(None, 1)[0].received_at, float)
    assert isinstance(storage.open_sightings("node", checked=True, limit=1)[0].seen_at, float)


def test_a_register_that_was_not_written_here_is_named(storage: RethinkStorage) -> None:
    storage._store.write(r.table("registers").insert({"id": "=name", "text": 7}))
    with pytest.raises(StorageMismatch, match="the ledger is damaged: table registers, document '=name', field text"):
        storage.registers(["name"])


LOG = decision_row(decision(block("a"), "node", 1))
NOTE = sighting_row("node", sighting(block("a")), 1)
JUNK: list[tuple[str, dict[str, object]]] = [
    ("decisions", {**LOG, "id": "node/5x"}),
    ("decisions", {**LOG, "id": "node/5x", "sequence": 1.5}),
    ("decisions", {"id": 7, "block": block("a").id}),
    ("sightings", {"id": NOTE["id"], "key": block("a").key, "block": 1}),
    ("sightings", {**NOTE, "checked": 5}),
    ("sightings", {**NOTE, "id": "x", "key": 5}),
    ("rejections", {"id": 5, "tx": digest("t")}),
    ("blocks", {"id": 5, "key": "k", "block": block("a").id, "text": 1}),
    ("blocks", {**block_row(block("b")), "id": 5, "tags": "\xe9"}),
    ("blocks", {**block_row(block("b")), "id": 5, "key": "k" * 300}),
    ("blocks", {**block_row(block("b")), "id": 5, "block": "\0"}),
    ("transactions", {"id": 5, "of": {}}),
]


@pytest.mark.parametrize(("table", "row"), JUNK, ids=repr)
def test_a_document_that_was_not_written_here_is_passed_over(
    storage: RethinkStorage, table: str, row: dict[str, object]
) -> None:
    of, new = block("a"), transaction("t")
    storage._store.write(r.table(table).insert(row))
    storage.write_block(of)
    storage.sight("node", [sighting(of)])
    assert storage.sightings("node", [of.key]) == {of.key: sighting(of)}
    assert storage.open_sightings("node", checked=True, limit=10) == [sighting(of)]
    storage.append_decisions([decision(of, "node", 1)])
    storage.reject([rejection(new, "node")])
    assert storage.blocks([of.id]) == {of.id: [of]}
    assert storage.sightings("node", [of.key]) == {of.key: sighting(of, verdict=True)}
    assert storage.decisions("node", 0, 10) == [decision(of, "node", 1)]
    assert storage.latest_decision("node") == decision(of, "node", 1)
    assert storage.decisions_on([of.id])[of.id][0] == decision(of, "node", 1)
    assert storage.rejections([new.id]) == {new.id: [rejection(new, "node")]}
    assert [found for _, found in storage.blocks_after(None, 10)] == [of]
    assert storage.contents([ref(transaction("u"))]) == {}


JUNK_IN_PLACE: list[dict[str, object]] = [
    {"block": "other", "node": "liar"},
    {"block": "other", "node": "liar", "text": "mine"},
    {"block": block("a").id, "node": 1},
    {"block": block("a").id, "node": "node", "text": 5},
    {"block": block("a").id, "node": "node", "text": None, "evidence": 5},
    {"block": block("a").id, "node": "node", "evidence": [5, {"place": "x", "text": "x"}, {"place": 5, "text": 5}]},
    {},
]


@pytest.mark.parametrize("junk", JUNK_IN_PLACE, ids=repr)
def test_no_junk_in_a_voting_place_keeps_a_vote_out(storage: RethinkStorage, junk: dict[str, object]) -> None:
    of = block("a")
    for node in ("node", "accused"):
        storage._store.write(r.table("votes").insert({**junk, "id": f"{of.id}/{node}"}, conflict="replace"))
    assert storage.votes([of.id, "other"]) == {}
    storage.keep_evidence([vote(of, "accused", "other")])
    assert storage.place_votes([vote(of, "node", "mine"), vote(of, "node", "other")]) == ["mine", "mine"]
    assert storage.votes([of.id]) == {of.id: {"node": "mine"}}
    assert {(row.node, row.text) for row in storage.evidence(10)} == {("node", "other"), ("accused", "other")}


def test_what_is_said_to_be_a_vote_is_one_only_in_its_place(storage: RethinkStorage) -> None:
    of = block("a")
    storage.place_votes([vote(of, "node", "mine")])
    elsewhere = {"block": of.id, "node": "node", "text": "forged", "evidence": [{"place": 1, "text": "forged"}]}
    for id_ in (f"{of.id}/liar", "x", 7):
        storage._store.write(r.table("votes").insert({**elsewhere, "id": id_}))
    assert storage.votes([of.id]) == {of.id: {"node": "mine"}}
    assert storage.evidence(10) == []


def test_places_that_strangers_add_keep_no_vote_of_a_voter_out(
    storage: RethinkStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rethinkdb_votes, "_PLACES", 20)
    of = replace(block("a"), text='{"block": {"voters": ["one", "two", "three", 5]}}')
    forged = [
        replace(block("a", forged=text), text=text) for text in ("{", '{"block": []}', '{"block": {"voters": 5}}')
    ]
    other = block("b")
    storage.place_votes([vote(of, f"stranger {number}") for number in range(50)])
    for each in (*forged, of):
        storage.write_block(each)
    storage.place_votes([vote(of, "one", "mine"), vote(of, "two", "mine"), vote(other, "one", "mine")])
    assert storage.votes([other.id, of.id, "odd\0"]) == {
        of.id: {"one": "mine", "two": "mine"},
        other.id: {"one": "mine"},
    }


# --- a server that is killed -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mortal() -> Iterator[ThrowAwayServer]:
    with own_server() as server:
        yield server


class Writer:
    """Somebody who writes one thing after the other, and notes what was acknowledged."""

    def __init__(self, server: Server, number: int) -> None:
        self.number = number
        self.acknowledged: list[int] = []
        self.failures = 0
        self.stop = threading.Event()
        self._storage = RethinkStorage(server, create=False)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        turn = 0
        with closing(self._storage) as storage:
            while not self.stop.is_set():
                name = f"{self.number} {turn}"
                new = transaction(name, spends=[output(name)])
                try:
                    storage.append_backlog([new], 1.0)
                    storage.write_block(block(name, new))
                    storage.sight("node", [sighting(block(name, new))])
                    storage.place_votes([vote(block(name, new), "node", name)])
                    storage.settle(effects((output(name, 1), ["alice"])))
                except StorageUnavailable:
                    self.failures += 1
                    time.sleep(0.01)
                    continue  # and do all of it again: that is harmless
                self.acknowledged.append(turn)
                turn += 1

    def end(self) -> None:
        self.stop.set()
        self._thread.join(HANG_SECONDS)
        assert not self._thread.is_alive()


def test_what_was_acknowledged_survives_a_kill_and_everybody_goes_on_by_themselves(mortal: ThrowAwayServer) -> None:
    server = Server("127.0.0.1", mortal.port, "killed")
    patiently(lambda: RethinkStorage(server, create=True).close())
    writers = [Writer(server, number) for number in range(3)]

    def until_more_is_written() -> None:
        goals = [len(writer.acknowledged) + 5 for writer in writers]
        deadline = time.monotonic() + HANG_SECONDS
        while any(len(writer.acknowledged) < goal for writer, goal in zip(writers, goals, strict=True)):
            assert time.monotonic() < deadline, "a writer does not go on"
            time.sleep(0.01)

    for _ in range(3):
        until_more_is_written()
        mortal.kill()
        mortal.start()
    until_more_is_written()
    for writer in writers:
        writer.end()
    assert sum(writer.failures for writer in writers) > 0

    names = [f"{writer.number} {turn}" for writer in writers for turn in writer.acknowledged]
    with closing(RethinkStorage(server, create=False)) as storage:
        news = {name: transaction(name, spends=[output(name)]) for name in names}
        assert storage.contents([ref(new) for new in news.values()]).keys() == {new.hash for new in news.values()}
        assert storage.waiting([new.id for new in news.values()]).keys() == {new.id for new in news.values()}
        assert storage.spenders([output(name) for name in names]) == {output(name): [digest(name)] for name in names}
        blocks = [found.key for _, found in storage.blocks_after(None, 10_000)]
        assert len(blocks) == len(set(blocks)) == storage.block_count()
        assert {block(name, news[name]).key for name in names} <= set(blocks)
        assert storage.standings("node", [digest(name) for name in names]).keys() == {digest(name) for name in names}
        votes = storage.votes([block(name).id for name in names])
        assert votes == {block(name).id: {"node": name} for name in names}
        held = [row.ref for row in storage.outputs_of("alice", spent=False, after=None, limit=10_000)]
        assert len(held) == len(set(held))
        assert {output(name, 1) for name in names} <= set(held)


def append_what_another_just_wrote(storage: RethinkStorage, other: Pool, new: NewTransaction, place: int) -> None:
    """Append a text that others see waiting, but that is not on disk yet."""
    storage._texts.keep([new], [place])
    find = storage._postings.places

    def find_and_let_another_write(ids: Iterable[str]) -> dict[str, tuple[int, ...]]:
        places = find(ids)
        row = {"id": moment(place), "at": 1.0, "waiting": [_entry(new, place)]}
        other.hint(r.table("backlog").insert(row))
        return places

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage._postings, "places", find_and_let_another_write)
        storage.append_backlog([new], 1.0)


def test_what_another_has_not_yet_on_disk_is_not_acknowledged_for_it(mortal: ThrowAwayServer) -> None:
    server = Server("127.0.0.1", mortal.port, "killed")
    patiently(lambda: RethinkStorage(server, create=True).close())
    news = [transaction(f"at once {turn}") for turn in range(4)]
    for turn, new in enumerate(news, start=1):
        with closing(RethinkStorage(server, create=False)) as storage, closing(Pool(server)) as other:
            append_what_another_just_wrote(storage, other, new, turn * 5_000)
            mortal.kill()
        mortal.start()
        with closing(Pool(server)) as pool:
            pool.administer(r.db(server.name).wait())
    with closing(RethinkStorage(server, create=False)) as storage:
        assert storage.waiting([new.id for new in news]) == {new.id: [stored(new)] for new in news}


def test_a_server_that_is_away_when_a_ledger_is_opened_is_said_to_be(mortal: ThrowAwayServer) -> None:
    server = Server("127.0.0.1", mortal.port, "killed")
    mortal.kill()
    for create in (False, True):
        with pytest.raises(StorageUnavailable, match="cannot be reached"):
            RethinkStorage(server, create=create)
    mortal.start()
