"""The backlog in RethinkDB, where nobody knows who came first."""

from __future__ import annotations

import json
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bigchaindb.crypto import hash_data
from bigchaindb.storage import cursors, rethinkdb_backlog
from bigchaindb.storage.rethinkdb import RethinkStorage
from bigchaindb.storage.rethinkdb_backlog import _entry, _joined
from bigchaindb.storage.rethinkdb_driver import Connection, r
from bigchaindb.storage.rethinkdb_names import name_of
from bigchaindb.storage.rethinkdb_places import moment, neighbours, spread
from tests.storage.make import block, digest, ref, sighting, stored, transaction

if TYPE_CHECKING:
    from bigchaindb.storage.records import NewTransaction
    from bigchaindb.storage.rethinkdb_driver import Server

HANG_SECONDS = 120.0
SECOND = 1_000_000  # in places
NODE = "node"


BACKENDS = ["rethinkdb"]


def names(storage: RethinkStorage, after: str | None, limit: int = 100) -> tuple[list[str], str | None]:
    """What waits behind a cursor, and the cursor to read on from."""
    entries = storage.backlog(after, limit)
    known = {digest(name): name for name in "abcdefgh"}
    return [known[entry.text.id] for entry in entries], entries[-1].cursor if entries else after


def let_wait(storage: RethinkStorage, name: str, place: int) -> None:
    """Do what a writer does whose clock, or whose last step, was slow."""
    new = transaction(name)
    storage._texts.keep([new], [place])
    row = {"id": moment(place), "at": 1.0, "waiting": [_entry(new, place)]}
    storage._store.put("backlog", [row], _joined)


# --- the same moment ---------------------------------------------------------------------------------------


def test_of_two_that_came_at_the_same_place_only_the_one_in_the_block_stands_in_it(storage: RethinkStorage) -> None:
    """Two nodes gave both the same place, each the first of its call in that millisecond."""
    let_wait(storage, "a", 5 * SECOND)
    let_wait(storage, "b", 5 * SECOND)
    of_a = block("A", transaction("a"))
    storage.write_block(of_a)
    storage.sight(NODE, [sighting(of_a)])
    ids = [transaction(name).id for name in "ab"]
    assert list(storage.standings(NODE, ids)) == ids[:1]
    of_b = block("B", transaction("b"))
    storage.write_block(of_b)
    storage.sight(NODE, [sighting(of_b)])
    found = storage.standings(NODE, ids)
    assert [[standing.block_id for standing in found[id_]] for id_ in ids] == [[of_a.id], [of_b.id]]


# --- late arrivals -----------------------------------------------------------------------------------------


def test_what_comes_late_behind_the_cursor_of_a_reader_is_given_to_it_once(storage: RethinkStorage) -> None:
    storage.append_backlog([transaction("a"), transaction("b")], 1.0)
    seen, cursor = names(storage, None)
    assert seen == ["a", "b"]
    let_wait(storage, "c", cursors.position(cursor) - SECOND // 2)
    let_wait(storage, "d", cursors.position(cursor))
    late, again = names(storage, cursor)
    assert late == ["c", "d"]
    assert again == cursor
    storage.append_backlog([transaction("e")], 1.0)
    assert names(storage, again)[0] == ["e"]
    assert names(storage, None)[0] == ["c", "a", "b", "d", "e"] or names(storage, None)[0] == ["c", "a", "d", "b", "e"]


def test_what_comes_later_than_that_is_found_from_the_beginning(storage: RethinkStorage) -> None:
    storage.append_backlog([transaction("a")], 1.0)
    _, cursor = names(storage, None)
    let_wait(storage, "b", cursors.position(cursor) - 2 * SECOND)
    assert names(storage, cursor)[0] == []
    assert names(storage, None)[0] == ["b", "a"]


def test_a_reader_that_begins_at_a_cursor_is_given_what_is_behind_it(
    storage: RethinkStorage, other: RethinkStorage
) -> None:
    storage.append_backlog([transaction("a"), transaction("b")], 1.0)
    cursor = storage.backlog(None, 1)[0].cursor
    assert names(other, cursor)[0] == ["b"]
    let_wait(storage, "c", cursors.position(cursor) - 5)
    assert names(other, cursor)[0] == ["b"]


def test_a_page_may_be_read_again(storage: RethinkStorage) -> None:
    storage.append_backlog([transaction(name) for name in "abcd"], 1.0)
    _, cursor = names(storage, None, 2)
    assert names(storage, cursor, 2)[0] == ["c", "d"]
    assert names(storage, cursor, 2)[0] == ["c", "d"]
    assert names(storage, None)[0] == ["a", "b", "c", "d"]


def test_what_one_thread_was_given_another_has_yet_to_read(storage: RethinkStorage) -> None:
    storage.append_backlog([transaction("a")], 1.0)
    _, cursor = names(storage, None)
    let_wait(storage, "b", cursors.position(cursor) - 5)
    assert names(storage, cursor)[0] == ["b"]
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(names, storage, None).result(HANG_SECONDS)[0] == ["b", "a"]


def test_a_writer_does_not_come_before_one_whose_clock_is_ahead(storage: RethinkStorage, other: RethinkStorage) -> None:
    other._store._places.learn(other._store._places._ahead_seconds + 10**6)
    other._store._places._learnt_at += 10**6  # it need not ask for the time for long
    other.append_backlog([transaction("a")], 1.0)
    _, cursor = names(storage, None)
    storage._store._places._learnt_at -= 10**6
    storage.append_backlog([transaction("b")], 1.0)
    assert names(storage, cursor)[0] == ["b"]


def test_whoever_follows_the_backlog_of_many_writers_is_given_everything(empty_ledger: Server) -> None:
    RethinkStorage(empty_ledger, create=True).close()
    together = threading.Barrier(4)

    def append(writer: int) -> None:
        with closing(RethinkStorage(empty_ledger, create=False)) as storage:
            together.wait(HANG_SECONDS)
            for turn in range(15):
                storage.append_backlog([transaction(f"{writer} {turn} {each}") for each in range(3)], 1.0)

    def follow() -> set[str]:
        seen: set[str] = set()
        cursor = None
        with closing(RethinkStorage(empty_ledger, create=False)) as storage:
            while len(seen) < 4 * 15 * 3:
                page = storage.backlog(cursor, 7)
                if page:
                    cursor = page[-1].cursor
                    seen.update(entry.text.id for entry in page)
                elif not storage.wait_for_change(1.0):
                    cursor = None
        return seen

    with ThreadPoolExecutor(5) as threads:
        followed = threads.submit(follow)
        list(threads.map(append, range(4)))
        assert followed.result(HANG_SECONDS) == {
            digest(f"{writer} {turn} {each}") for writer in range(4) for turn in range(15) for each in range(3)
        }


# --- the same at the same moment ---------------------------------------------------------------------------


def test_what_two_append_at_once_waits_once_and_leaves_for_good(storage: RethinkStorage, other: RethinkStorage) -> None:
    same = [transaction(name) for name in "abcd"]
    for turn in range(5):
        together = threading.Barrier(2)

        def append(each: RethinkStorage, together: threading.Barrier = together) -> None:
            together.wait(HANG_SECONDS)
            each.append_backlog(same, 1.0)

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(append, (storage, other)))
        assert storage.waiting([each.id for each in same]) == {each.id: [stored(each)] for each in same}, turn
        assert set(names(storage, None)[0]) == set("abcd")
        storage.drop_backlog(ids=[each.id for each in same])
        assert storage.backlog_size() == 0
        assert storage.backlog(None, 10) == []


def test_what_waits_leaves_without_a_look_for_where_it_lies(
    storage: RethinkStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = [transaction(name) for name in "abc"]
    storage.append_backlog(new, 1.0)
    find, asked = storage._store.find, []

    def recorded(table: str, *arguments: object, **options: object) -> object:
        asked.append(table)
        return find(table, *arguments, **options)  # type: ignore[arg-type] # handed on as they came

    monkeypatch.setattr(storage._store, "find", recorded)
    storage.drop_backlog(ids=[each.id for each in new[:2]], texts=[ref(new[2])])
    assert storage.backlog_size() == 0
    assert "postings" not in asked


def test_what_another_lets_wait_once_more_leaves_too(storage: RethinkStorage, other: RethinkStorage) -> None:
    new = transaction("a")
    for turn in range(3):
        storage.append_backlog([new], 1.0)
        storage.drop_backlog(ids=[new.id])
        other.append_backlog([new], 1.0)
        assert storage.backlog_size() == 1, turn
        storage.drop_backlog(ids=[new.id])
        assert storage.backlog_size() == 0, turn


def test_of_two_texts_of_an_id_the_one_leaves_that_is_meant(storage: RethinkStorage, other: RethinkStorage) -> None:
    one, two = transaction("a"), transaction("a", text="signed otherwise")
    for meets in (False, True):
        storage.append_backlog([one], 1.0)
        if meets:
            assert storage.contents([ref(one)])
        other.append_backlog([two], 1.0)
        storage.drop_backlog(texts=[ref(two)])
        assert storage.waiting([one.id]) == {one.id: [stored(one)]}
        storage.drop_backlog(ids=[one.id])
        assert storage.backlog_size() == 0


def test_both_entries_of_a_text_leave_where_one_was_met_after_it_had_moved(
    storage: RethinkStorage, other: RethinkStorage
) -> None:
    new = transaction("a")
    let_wait(storage, "a", 5 * SECOND)
    assert storage.contents([ref(new)])
    let_wait(other, "a", 9 * SECOND)
    assert storage.backlog_size() == 2
    # It is met while the builder goes through the backlog.
    assert storage.contents([ref(new)])
    storage.drop_backlog(ids=[new.id])
    assert storage.backlog_size() == 0


# --- writers that were killed ------------------------------------------------------------------------------


def test_a_text_whose_writer_was_killed_before_it_could_wait_waits_when_it_is_written_again(
    storage: RethinkStorage,
) -> None:
    new = transaction("a")
    storage._texts.keep([new], [1_000])
    assert storage.waiting([new.id]) == {}
    storage.append_backlog([new], 1.0)
    assert storage.waiting([new.id]) == {new.id: [stored(new)]}


def test_a_text_that_was_indexed_but_not_stored_is_no_text_until_it_is_written_again(storage: RethinkStorage) -> None:
    new = transaction("a")
    storage._postings.add([storage._postings.place(new.id, 1_000)])
    assert storage.transactions([new.id]) == {}
    storage.append_backlog([new], 1.0)
    assert storage.transactions([new.id]) == {new.id: [stored(new)]}
    assert names(storage, None)[0] == ["a"]


# --- what is not as it was written -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("backlog", {"id": "x", "at": 1.0, "waiting": ["000x"]}),
        ("backlog", {"id": "1" * 13, "at": 1.0, "waiting": ["xxxx"]}),
        ("backlog", {"id": "1" * 13, "at": 1.0, "waiting": "000x"}),
        ("backlog", {"id": "1" * 13, "at": "now", "waiting": ["000x"]}),
        ("postings", {"id": "t" + name_of(digest("a")), "of": ["x"]}),
        ("postings", {"id": "t" + name_of(digest("a")), "of": [1]}),
    ],
)
def test_a_document_that_was_not_written_here_is_passed_over_and_named_once(
    storage: RethinkStorage, caplog: pytest.LogCaptureFixture, table: str, row: dict[str, object]
) -> None:
    storage._store.write(r.table(table).insert(row))
    for _ in range(2):
        storage.append_backlog([transaction("a"), transaction("b")], 1.0)
        assert names(storage, None)[0] == ["a", "b"]
        for name in "ab":
            assert storage.transactions([digest(name)]) == {digest(name): [stored(transaction(name))]}
        assert storage.waiting([digest("a")]) == {digest("a"): [stored(transaction("a"))]}
        assert storage.backlog_size() >= 2
    said = [record.message for record in caplog.records]
    assert len(said) == len(set(said)) <= 1
    assert all(f"the ledger is damaged: table {table}" in message for message in said)
    storage.drop_backlog(texts=[ref(transaction(name)) for name in "ab"])
    assert names(storage, None)[0] == []


def insert_raw(storage: RethinkStorage, table: str, document: str) -> None:
    """Insert what the driver would not send."""
    name = storage._store.server.name
    query = f'[1,[56,[[15,["{table}"]],{document}],{{"conflict":"replace"}}],{{"db":[14,["{name}"]]}}]'.encode()
    connection = Connection(storage._store.server)
    connection._socket.sendall(struct.pack("<QI", 1, len(query)) + query)
    _, length = struct.unpack("<QI", connection._socket.recvall(12, None))
    assert b'"errors":0' in connection._socket.recvall(length, None)
    connection.close()


DEEP = json.dumps([98, ["[" * 1500 + "]" * 1500]])


@pytest.mark.parametrize("junk", ['"\\udc00"', DEEP, f'{DEEP},"x",{DEEP}'], ids=["surrogate", "deep", "deep twice"])
def test_what_is_no_unicode_or_nested_for_ever_is_passed_over(storage: RethinkStorage, junk: str) -> None:
    storage.append_backlog([transaction("a")], 1.0)
    insert_raw(storage, "backlog", f'{{"id":"{moment(5 * SECOND)}","at":1,"waiting":[2,[{junk}]]}}')
    assert [entry.text for entry in storage.backlog(None, 9)] == [ref(transaction("a"))]
    insert_raw(storage, "postings", f'{{"id":"t{name_of(digest("b"))}","of":[2,[{junk}]]}}')
    storage.append_backlog([transaction("b")], 1.0)
    assert storage.waiting([digest(name) for name in "ab"]) == {
        digest(name): [stored(transaction(name))] for name in "ab"
    }


HASH = name_of(transaction("a").hash)
TEXT = [transaction("a").text, ""]


@pytest.mark.parametrize(
    "junk",
    [
        5,
        {},
        {HASH: 5},
        {HASH: TEXT[:1]},
        {HASH: [TEXT[0], "?"]},
        {HASH: [5, ""]},
        {HASH: [TEXT[0], 5]},
        {"x": TEXT},
        {HASH + "!": TEXT},
    ],
    ids=repr,
)
def test_junk_in_place_of_a_text_is_none_and_its_neighbours_stay(storage: RethinkStorage, junk: object) -> None:
    storage.append_backlog([transaction("a"), transaction("b")], 1.0)
    overwrite(storage, "a", junk)
    assert storage.contents([ref(transaction(name)) for name in "ab"]).keys() == {transaction("b").hash}
    assert stored(transaction("a")) not in storage.transactions([digest("a")]).get(digest("a"), [])
    assert storage.waiting([digest("a"), digest("b")]) == {digest("b"): [stored(transaction("b"))]}


@pytest.mark.parametrize("junk", [5, ["x"], ["x", "", ""]], ids=repr)
def test_junk_beside_a_text_keeps_nobody_from_it(storage: RethinkStorage, junk: object) -> None:
    storage.append_backlog([transaction("a")], 1.0)
    overwrite(storage, "a", {"junk": junk, HASH: TEXT, "=": junk})
    assert storage.transactions([digest("a")]) == {digest("a"): [stored(transaction("a"))]}
    assert names(storage, None)[0] == ["a"]


def test_what_the_server_will_not_merge_keeps_no_text_out(
    storage: RethinkStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time is an object, and merges with no other."""
    monkeypatch.setattr(storage._store, "places", lambda _: 5 * SECOND)
    key, digit = neighbours(5 * SECOND)
    part = digit + name_of(digest("a"))
    storage._store.write(r.table("transactions").insert({"id": key, "of": {part: r.now(), "x": r.now()}}))
    storage.append_backlog([transaction("a")], 1.0)
    twin = transaction("a", text="signed otherwise")
    storage.append_backlog([twin], 1.0)
    assert storage.waiting([twin.id])[twin.id] in (
        [stored(transaction("a")), stored(twin)],
        [stored(twin), stored(transaction("a"))],
    )


def true(name: str) -> NewTransaction:
    """A transaction whose hash is that of its text."""
    return replace(transaction(name), hash=hash_data(transaction(name).text))


def test_a_text_that_a_stranger_files_at_an_older_place_hides_no_honest_one(
    storage: RethinkStorage, other: RethinkStorage
) -> None:
    new = true("a")
    storage.append_backlog([new], 1.0)
    forged = replace(new, text="forged", spends=())
    posting = r.table("postings").get("t" + name_of(new.id))
    storage._store.write(posting.update(lambda row: {"of": r.expr([spread(1_000)]) + row["of"]}))
    other._texts.keep([forged], [1_000])
    for each in (storage, other):
        assert each.contents([ref(new)]) == {new.hash: stored(new)}
        assert each.transactions([new.id]) == {new.id: [stored(new)]}
        assert [entry.text for entry in each.backlog(None, 9)] == [ref(new)]
        assert each.waiting([new.id]) == {new.id: [stored(new)]}


def test_a_text_that_was_overwritten_is_found_when_it_is_written_again(
    storage: RethinkStorage, other: RethinkStorage
) -> None:
    new = true("a")
    storage.append_backlog([new], 1.0)
    overwrite(storage, "a", {name_of(new.hash): ["forged", ""]})
    assert storage.contents([ref(new)])[new.hash].text == "forged"
    other.drop_backlog(ids=[new.id])
    other.append_backlog([new], 2.0)
    for each in (storage, other):
        assert each.contents([ref(new)]) == {new.hash: stored(new)}
        assert each.waiting([new.id]) == {new.id: [stored(new)]}


def overwrite(storage: RethinkStorage, name: str, junk: object) -> None:
    """Put something else where a text is."""
    id_ = digest(name)
    key, digit = neighbours(storage._postings.addresses([id_])[id_])
    storage._store.write(r.table("transactions").get(key).update({"of": {digit + name_of(id_): r.literal(junk)}}))


@pytest.mark.parametrize("junk", ["8x", "9999999999999", "x", 5], ids=str)
def test_no_moment_of_a_strangers_makes_a_writer_come_first(
    storage: RethinkStorage, other: RethinkStorage, junk: object
) -> None:
    storage._store.write(r.table("backlog").insert({"id": junk, "at": 1.0, "waiting": []}))
    test_a_writer_does_not_come_before_one_whose_clock_is_ahead(storage, other)


@pytest.mark.parametrize("junk", [{}, {"waiting": 5}], ids=repr)
def test_junk_in_place_of_a_moment_gives_way(storage: RethinkStorage, junk: dict[str, object]) -> None:
    storage._store.write(r.table("backlog").insert({"id": moment(5 * SECOND), **junk}))
    assert storage.backlog_size() == 0
    let_wait(storage, "a", 5 * SECOND)
    assert names(storage, None)[0] == ["a"]


def test_a_long_backlog_is_counted_now_and_then(storage: RethinkStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rethinkdb_backlog, "_COUNTED_DOCUMENTS", 3)
    monkeypatch.setattr(rethinkdb_backlog, "_COUNT_SHARE", 10**9)
    for count, name in enumerate("ab", start=1):
        storage.append_backlog([transaction(name)], 1.0)
        assert storage.backlog_size() == count
    for name in "cd":
        storage.append_backlog([transaction(name)], 1.0)
        assert storage.backlog_size() == 3
    monkeypatch.setattr(storage._backlog, "_size", (3, 0.0))
    assert storage.backlog_size() == 4


def test_nodes_that_clear_the_same_entries_at_once_are_not_in_each_others_way(
    storage: RethinkStorage, other: RethinkStorage
) -> None:
    together = threading.Barrier(2)

    def clear(mine: RethinkStorage, ids: list[str]) -> None:
        together.wait(HANG_SECONDS)
        mine.drop_backlog(ids=ids)

    with ThreadPoolExecutor(2) as pool:
        for number in range(60):
            new = [transaction(f"{number}.{i}") for i in range(3)]
            for each in new:
                storage.append_backlog([each], 1.0)
            ids = [each.id for each in new]
            for done in [pool.submit(clear, each, ids) for each in (storage, other)]:
                done.result(HANG_SECONDS)
    assert storage.backlog_size() == 0
