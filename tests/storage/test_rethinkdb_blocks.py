"""Blocks in RethinkDB have numbers without a gap, whoever writes and reads at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bigchaindb.exceptions import StorageMismatch
from bigchaindb.storage.rethinkdb import RethinkStorage
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_pool import Pool
from bigchaindb.storage.rethinkdb_rows import block_row
from tests.storage.make import block, sighting, transaction

if TYPE_CHECKING:
    from bigchaindb.storage.records import StoredBlock
    from bigchaindb.storage.rethinkdb_driver import Server

HANG_SECONDS = 120.0
WRITERS = 4
BLOCKS_EACH = 12


BACKENDS = ["rethinkdb"]


def admin(storage: RethinkStorage, query: object) -> None:
    with closing(Pool(storage._store._pool.server)) as pool:
        pool.administer(query)


def follow(server: Server, count: int) -> list[str]:
    """Follow the blocks, a few at a time, until there are so many; return their texts."""
    seen: list[str] = []
    cursor = None
    with closing(RethinkStorage(server, create=False)) as storage:
        while len(seen) < count:
            page = storage.blocks_after(cursor, 3)
            if page:
                cursor = page[-1][0]
                seen += [each.text for _, each in page]
            else:
                assert storage.wait_for_change(HANG_SECONDS)
    return seen


def write(server: Server, writer: int, together: threading.Barrier) -> None:
    with closing(RethinkStorage(server, create=False)) as storage:
        together.wait(HANG_SECONDS)
        for number in range(BLOCKS_EACH):
            storage.write_block(block(f"{writer} {number}"))


def test_whoever_follows_misses_no_block_however_many_write(empty_ledger: Server) -> None:
    RethinkStorage(empty_ledger, create=True).close()
    together = threading.Barrier(WRITERS)
    count = WRITERS * BLOCKS_EACH
    with ThreadPoolExecutor(WRITERS + 2) as threads:
        followed = [threads.submit(follow, empty_ledger, count) for _ in range(2)]
        written = [threads.submit(write, empty_ledger, writer, together) for writer in range(WRITERS)]
        for each in written:
            each.result(HANG_SECONDS)
        one, other = (each.result(HANG_SECONDS) for each in followed)
    assert one == other
    assert sorted(one) == sorted(block(f"{w} {n}").text for w in range(WRITERS) for n in range(BLOCKS_EACH))


def test_a_block_that_many_write_at_once_is_stored_once(empty_ledger: Server) -> None:
    def write_all(number: int) -> None:
        with closing(RethinkStorage(empty_ledger, create=False)) as storage:
            for turn in range(10):
                storage.write_block(block(str(turn)))
                storage.write_block(block(f"{turn} of {number}"))

    with closing(RethinkStorage(empty_ledger, create=True)) as storage:
        with ThreadPoolExecutor(WRITERS) as threads:
            list(threads.map(write_all, range(WRITERS)))
        assert storage.block_count() == 10 + 10 * WRITERS
        assert len({each.key for _, each in storage.blocks_after(None, 100)}) == 10 + 10 * WRITERS


def test_only_one_of_many_becomes_the_genesis(empty_ledger: Server) -> None:
    def create(number: int) -> str:
        with closing(RethinkStorage(empty_ledger, create=False)) as storage:
            first = transaction(f"genesis {number}")
            return storage.create_genesis(block(f"genesis {number}", first), first).id

    RethinkStorage(empty_ledger, create=True).close()
    with ThreadPoolExecutor(WRITERS) as threads:
        assert len(set(threads.map(create, range(WRITERS)))) == 1
    with closing(RethinkStorage(empty_ledger, create=False)) as storage:
        assert storage.block_count() == 1


def texts(storage: RethinkStorage, limit: int = 100) -> list[str]:
    """The texts of all blocks, page by page."""
    page: list[tuple[str, StoredBlock]] = []
    found = []
    while page := storage.blocks_after(page[-1][0] if page else None, limit):
        found += [each.text for _, each in page]
    return found


# --- what is not as it was written -------------------------------------------------------------------------


def test_a_reader_that_did_not_see_a_number_looks_once_more(storage: RethinkStorage) -> None:
    for name in "abc":
        storage.write_block(block(name))
    # The trees of a table are read one after the other, so 2 may be missing from what is read while 3 is there.
    for unseen in (1, 2):
        rows = storage._store.rows("blocks", r.table("blocks").filter(r.row["id"] != unseen).order_by("id"))
        page = storage._blocks._without_gap(rows, 0)
        assert [number for number, _ in page] == [1, 2]


def test_a_block_that_is_gone_keeps_nobody_from_the_others(
    storage: RethinkStorage, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abc":
        storage.write_block(block(name))
    admin(storage, r.table("blocks").get(2).delete())
    storage.write_block(block("d"))
    for _ in range(2):
        assert texts(storage) == [block(name).text for name in "acd"]
    assert [record.message.rpartition(": ")[2] for record in caplog.records if "passed over" in record.message] == [
        "table blocks has no document 2, but later ones; it is passed over"
    ]


JUNK: list[dict[str, object]] = [
    {"id": "zzz"},
    {"id": 1_000},
    {"id": 2},
    {"id": 1.5},
    {"id": 2.5, **block_row(block("forged"))},
    {"id": -1, **block_row(block("forged"))},
    {"id": True, "block": block("a").id},
    {"id": ["x"]},
    {"id": 999_999_999_999, **block_row(block("forged"))},
    {"id": 2**53, **block_row(block("forged"))},
    {"id": 3, **block_row(block("forged")), "text": 5},
]


@pytest.mark.parametrize("junk", JUNK, ids=lambda row: str(row["id"]))
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_no_junk_keeps_a_block_out_or_a_reader_from_it(
    storage: RethinkStorage, other: RethinkStorage, junk: dict[str, object], limit: int
) -> None:
    storage.write_block(block("a"))
    before = storage.blocks_after(None, 10)[-1][0]
    storage._store.write(r.table("blocks").insert(junk, conflict="replace"))
    for writer, name in ((storage, "b"), (other, "c"), (storage, "d")):
        writer.write_block(block(name))
        writer.write_block(block(name))
    assert texts(storage, limit) == texts(other, limit) == [block(name).text for name in "abcd"]
    assert [found.text for _, found in other.blocks_after(before, 10)] == [block(name).text for name in "bcd"]
    assert storage.blocks([block(name).id for name in "abcd"]) == {block(name).id: [block(name)] for name in "abcd"}
    assert storage.block_count() >= 4


def test_a_block_under_a_number_far_ahead_is_followed_by_the_others(storage: RethinkStorage) -> None:
    storage.write_block(block("a"))
    storage._store.write(r.table("blocks").insert({"id": 1_000, **block_row(block("forged"))}))
    storage.write_block(block("b"))
    assert texts(storage) == [block(name).text for name in ("a", "forged", "b")]
    assert storage.block_count() == 1_001


def test_blocks_without_a_genesis_get_none(storage: RethinkStorage) -> None:
    storage.write_block(block("a"))
    assert storage.genesis() is None
    with pytest.raises(StorageMismatch, match="the first of its blocks is no genesis"):
        storage.create_genesis(block("G", transaction("g")), transaction("g"))


# --- the transactions in a block ---------------------------------------------------------------------------


def test_a_block_may_be_written_before_its_contents_and_under_false_ids(storage: RethinkStorage) -> None:
    early = block("early", transaction("a"), transaction("b"))
    storage.write_block(early)
    storage.sight("node", [sighting(early)])
    storage.append_backlog([transaction("a"), transaction("b", text="other")], 1.0)
    for name in "ab":
        (found,) = storage.standings("node", [transaction(name).id])[transaction(name).id]
        assert (found.key, found.transaction_hash) == (early.key, transaction(name).hash)
    assert storage.waiting([transaction("a").id]).keys() == {transaction("a").id}


def test_a_transaction_that_waits_anew_stands_where_it_stood(storage: RethinkStorage) -> None:
    new = transaction("a")
    storage.append_backlog([new], 1.0)
    storage.write_block(block("one", new))
    storage.drop_backlog(ids=[new.id])
    storage.append_backlog([new], 2.0)
    storage.write_block(block("two", new))
    storage.sight("node", [sighting(block("one", new), 1.0), sighting(block("two", new), 2.0)])
    keys = [found.key for found in storage.standings("node", [new.id])[new.id]]
    assert keys == [block("one", new).key, block("two", new).key]
