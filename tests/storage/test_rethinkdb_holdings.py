"""Holdings in RethinkDB, which every node settles, at any time and at any pace."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.storage import cursors
from bigchaindb.storage.records import Lineage
from bigchaindb.storage.rethinkdb import RethinkStorage
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_names import name_of
from bigchaindb.storage.rethinkdb_places import PER_MILLISECOND, PLACE_DIGITS, neighbours
from tests.storage.make import ALICE, BOB, digest, effects, output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.storage.records import Effects, OutputRow
    from bigchaindb.storage.rethinkdb_driver import Server

HANG_SECONDS = 60.0

MADE = effects(*[(output("made", cid), [ALICE, BOB]) for cid in range(25)], payloads=[("p", "made")])
SOLD = effects(
    (output("sold"), [BOB]), spent=[(output("made", cid), "sold") for cid in range(25)], payloads=[("p", "sold")]
)
SPENT = [(output("made", cid), digest("sold")) for cid in range(25)]


BACKENDS = ["rethinkdb"]


def rows_of(storage: RethinkStorage, owner: str, *, spent: bool | None = None, limit: int = 7) -> list[OutputRow]:
    """All of a list, page by page."""
    rows: list[OutputRow] = []
    while page := storage.outputs_of(owner, spent=spent, after=rows[-1].cursor if rows else None, limit=limit):
        rows += page
    return rows


def held(storage: RethinkStorage, owner: str, *, spent: bool | None = None) -> list[tuple[OutputRef, str | None]]:
    return [(row.ref, row.spent_by) for row in rows_of(storage, owner, spent=spent)]


def lists(storage: RethinkStorage) -> dict[str, Mapping[str, object]]:
    return {row.text("id"): row.mapping("of") for row in storage._store.rows("holdings", r.table("holdings"))}


def forge(storage: RethinkStorage, of: OutputRef, fields: object) -> None:
    """Write something in place of an output, or into it, as anybody can who has the database."""
    key, digit = neighbours(storage._postings.make_addresses([of.txid])[of.txid])
    row = {"id": key, "of": {f"{digit}{name_of(of.txid)}/{of.cid}": fields}}
    storage._store.write(r.table("outputs").insert(row, conflict="update"))


def test_nothing_of_what_is_spent_is_left_among_the_unspent(storage: RethinkStorage) -> None:
    for each in (MADE, SOLD):
        storage.settle(each)
    assert {key[:2] for key in lists(storage) if "/alice/" in key} == {"g/", "s/"}
    assert held(storage, ALICE) == held(storage, ALICE, spent=True) == SPENT
    assert held(storage, BOB, spent=False) == [(output("sold"), None)]


def test_what_is_settled_beside_something_else_is_begun_at_once_and_fails_where_it_is_waited_for(
    storage: RethinkStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, begun, may_end = storage._store.put, threading.Event(), threading.Event()

    def slowly(*arguments: object, **options: object) -> object:
        begun.set()
        assert may_end.wait(HANG_SECONDS)
        return put(*arguments, **options)  # type: ignore[arg-type] # handed on as they came

    with monkeypatch.context() as patch:
        patch.setattr(storage._store, "put", slowly)
        end = storage.settling(effects((output("a"), [ALICE])))
        assert begun.wait(HANG_SECONDS)
        may_end.set()
        end()
    assert [row.ref for row in storage.outputs_of(ALICE, spent=False, after=None, limit=9)] == [output("a")]

    def fail(*_: object) -> None:
        raise StorageUnavailable("away")

    monkeypatch.setattr(storage._store, "put", fail)
    end = storage.settling(effects((output("b"), [ALICE])))
    with pytest.raises(StorageUnavailable, match="away"):
        end()


def test_what_many_settle_at_once_is_listed_once(empty_ledger: Server) -> None:
    storages = [RethinkStorage(empty_ledger, create=True) for _ in range(4)]
    together = threading.Barrier(4)

    def settle(storage: RethinkStorage) -> None:
        together.wait(HANG_SECONDS)
        for each in (MADE, SOLD):
            storage.settle(each)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(settle, storages))
    assert sorted(held(storages[0], ALICE)) == sorted(SPENT)
    assert held(storages[0], ALICE, spent=False) == []
    assert sorted(held(storages[0], BOB)) == sorted([*SPENT, (output("sold"), None)])
    assert [id_ for _, id_ in storages[0].with_payload_hash(digest("p"), None, 9)] == [digest("made"), digest("sold")]
    for each in storages:
        each.close()


def list_again(storage: RethinkStorage, settled: Effects) -> None:
    """Do what a node does that looked for these outputs in the lists before others listed them."""
    standing = storage._outputs.find(new.ref for new in settled.outputs)
    storage._holdings._list(standing.values(), {}, {}, {})


def test_what_a_slow_node_lists_again_is_spent_all_the_same(storage: RethinkStorage, other: RethinkStorage) -> None:
    for each in (MADE, SOLD):
        storage.settle(each)
    list_again(other, MADE)
    assert {key[:2] for key in lists(storage) if "/alice/" in key} == {"g/", "s/", "u/"}
    for spent, found in ((None, SPENT), (True, SPENT), (False, [])):
        assert held(storage, ALICE, spent=spent) == found
    # It goes on with the next block.
    other.settle(SOLD)
    assert {key[:2] for key in lists(storage) if "/alice/" in key} == {"g/", "s/"}


def test_what_a_node_did_not_list_as_spent_any_more_another_lists(
    storage: RethinkStorage, other: RethinkStorage
) -> None:
    for each in (MADE, SOLD):
        storage.settle(each)
    found = rows_of(storage, ALICE, spent=True)
    assert [(row.ref, row.spent_by) for row in found] == SPENT
    storage._store.write(r.table("holdings").between(f"s/{ALICE}/", f"s/{ALICE}/~").delete())
    assert rows_of(storage, ALICE, spent=True) == []
    other.settle(SOLD)
    assert rows_of(other, ALICE, spent=True) == found


def test_what_was_spent_is_in_the_order_in_which_it_was(storage: RethinkStorage) -> None:
    made = [output(f"made {n}") for n in range(30)]
    storage.settle(effects(*[(ref, [ALICE]) for ref in made]))
    for n in reversed(range(30)):
        storage.settle(effects((output(f"sold {n}"), [BOB]), spent=[(made[n], f"sold {n}")]))
    assert [row.ref for row in rows_of(storage, ALICE, spent=True)] == made[::-1]
    cursors = [row.cursor for row in rows_of(storage, ALICE)]
    assert cursors == sorted(cursors)


def test_what_a_node_left_half_listed_another_completes(storage: RethinkStorage, other: RethinkStorage) -> None:
    storage._outputs.add(effects((output("made"), [ALICE])).outputs)
    assert held(storage, ALICE) == []
    other.settle(effects((output("made"), [ALICE])))
    assert held(storage, ALICE) == [(output("made"), None)]
    assert len(lists(storage)) == 1


def test_a_payload_that_a_node_did_not_list_any_more_another_lists(
    storage: RethinkStorage, other: RethinkStorage
) -> None:
    for each in (MADE, SOLD):
        storage.settle(each)
    found = storage.with_payload_hash(digest("p"), None, 9)
    storage._store.write(r.table("postings").between("p", "q").delete())
    for each in (SOLD, MADE):
        other.settle(each)
    assert other.with_payload_hash(digest("p"), None, 9) == found


def test_something_may_still_be_filed_before_what_was_filed_just_now_but_not_for_long(storage: RethinkStorage) -> None:
    storage.settle(MADE)
    (row,) = storage.outputs_of(ALICE, spent=None, after=None, limit=1)
    assert not storage.is_firm(row.cursor)
    place, name = row.cursor[:PLACE_DIGITS], row.cursor[PLACE_DIGITS:]
    assert storage.is_firm(f"{int(place) - 60_000 * PER_MILLISECOND}{name}")


@pytest.mark.parametrize("junk", [{}, {"of": 5}, {"of": {"x": True}}, {"of": {f"1{digest('b')}/0": 5}}], ids=repr)
def test_no_junk_in_a_list_keeps_anything_out(
    storage: RethinkStorage, junk: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    storage.settle(effects((output("made"), [ALICE])))
    rows = [{**junk, "id": f"{kind}/{ALICE}/{each}"} for kind in "ug" for each in ("0", "000000000000005", "z")]
    storage._store.write(r.table("holdings").insert(rows))
    for _ in range(2):
        assert held(storage, ALICE) == held(storage, ALICE, spent=False) == [(output("made"), None)]
    said = [record.message for record in caplog.records if "it is passed over" in record.message]
    assert len(said) == len(set(said)) > 0


def test_junk_in_place_of_a_list_gives_way(storage: RethinkStorage) -> None:
    storage.settle(effects((output("made"), [ALICE])))
    keys = [key.replace("u/", kind) for key in lists(storage) for kind in ("u/", "g/")]
    storage._store.write(r.table("holdings").insert([{"id": key, "of": 5} for key in keys], conflict="replace"))
    storage.settle(effects((output("made"), [ALICE])))
    assert held(storage, ALICE) == [(output("made"), None)]
    storage.settle(effects((output("sold"), [BOB]), spent=[(output("made"), "sold")]))
    assert held(storage, ALICE) == [(output("made"), digest("sold"))]


@pytest.mark.parametrize("junk", [{"owners": 5, "place": "1"}, {"owners": ["a"], "place": 5}, 5], ids=repr)
def test_junk_in_place_of_an_output_stops_nobody(storage: RethinkStorage, junk: object) -> None:
    forge(storage, output("made"), junk)
    storage.settle(effects((output("made"), [ALICE]), (output("other"), [ALICE]), spent=[(output("made"), "sold")]))
    assert held(storage, ALICE) == [(output("other"), None)]


@pytest.mark.parametrize(
    "junk",
    [{"owners": ["x" * 200]}, {"owners": ["a\0b"]}, {"asset": "=a\0b", "step": 63}, {"asset": "=a", "step": 0.5}],
    ids=repr,
)
def test_an_output_that_was_not_written_here_keeps_nobody_from_settling(
    storage: RethinkStorage, junk: dict[str, object]
) -> None:
    forge(storage, output("made"), {"owners": [ALICE], "place": f"{5:016d}-x", **junk})
    for each in (MADE, SOLD):
        storage.settle(each)
    assert held(storage, BOB, spent=False) == [(output("sold"), None)]
    assert len(held(storage, BOB, spent=True)) >= 24


@pytest.mark.parametrize(
    ("table", "junk"),
    [
        ("postings", [5, "x"]),
        ("postings", 5),
        ("outputs", "x"),
        ("outputs", {"x": 5, "x/y/z": {}, "x/y": {}, "": []}),
    ],
    ids=repr,
)
def test_no_junk_ends_the_line_of_an_asset_with_an_error(storage: RethinkStorage, table: str, junk: object) -> None:
    storage.settle(effects((output("made"), [ALICE])))
    (row,) = storage._store.rows(table, r.table(table))
    storage._store.write(r.table(table).get(row.text("id")).update({"of": r.literal(junk)}))
    assert storage.outputs_of_asset(digest("made"), None, 10) == []


@pytest.mark.parametrize("junk", [5, [{"a": 1}], {}, {"asset": 5}], ids=repr)
@pytest.mark.parametrize("cid", [1, 10**100])
def test_junk_beside_an_output_ends_no_line(storage: RethinkStorage, junk: object, cid: int) -> None:
    storage.settle(effects((output("made"), [ALICE])))
    forge(storage, output("made", cid), junk)
    assert [row.ref for row in storage.outputs_of_asset(digest("made"), None, 10)] == [output("made")]


@pytest.mark.parametrize("mark", ["x", "x/y", f"{digest('made')}/{'1' * 5_000}"], ids=lambda mark: mark[:9])
def test_no_junk_among_the_marks_of_a_line_ends_it_with_an_error(storage: RethinkStorage, mark: str) -> None:
    storage.settle(effects((output("made"), [ALICE])))
    storage._postings.add([storage._postings.mark(digest("made"), 64, mark)])
    assert storage.outputs_of_asset(digest("made"), cursors.at(70), 10) == []


def test_what_the_server_will_not_merge_keeps_nobody_from_settling(storage: RethinkStorage) -> None:
    """A time is an object, and merges with no other."""
    refs = [output("made"), output("other")]
    for ref in refs:
        forge(storage, ref, r.now())
    storage.settle(effects(*[(ref, [ALICE]) for ref in refs], (output("third"), [ALICE])))
    assert held(storage, ALICE) == [(output("third"), None)]


def test_of_an_output_that_two_settle_otherwise_what_the_first_said_stands_whole(
    storage: RethinkStorage, other: RethinkStorage
) -> None:
    outputs = effects((output("made"), [ALICE])).outputs
    later = effects((output("made"), [BOB]), lineages={output("made"): Lineage(digest("x"), 2)}).outputs
    first = storage._outputs.add(outputs)
    assert other._outputs.add(later) == first
    assert other.lineages([output("made")]) == {output("made"): Lineage(digest("made"), 1)}


@pytest.mark.parametrize("step", [-(10**6), -(2 * 10**8), 0])
def test_no_altered_step_makes_an_assets_line_endless(storage: RethinkStorage, step: int) -> None:
    storage.settle(effects((output("made"), [ALICE])))
    asset = digest("made")
    forge(storage, output("made"), {"asset": name_of(asset), "step": step})
    assert storage.outputs_of_asset(asset, None, 10) == []
