"""Where RethinkDB keeps what is said of a transaction: under one address, whoever asks, however much it remembers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.exceptions import StorageMismatch
from bigchaindb.model.reference import OutputRef
from bigchaindb.storage import rethinkdb_outputs, rethinkdb_postings
from bigchaindb.storage.records import OutputRow
from bigchaindb.storage.rethinkdb import RethinkStorage
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_names import name_of, named_by
from bigchaindb.storage.rethinkdb_places import NEIGHBOURS, PER_MILLISECOND
from bigchaindb.storage.rethinkdb_texts import in_moments
from tests.storage.make import ALICE, BOB, block, digest, effects, output, ref, sighting, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bigchaindb.storage.rethinkdb_driver import Server

HANG_SECONDS = 120.0
NODE = "node"
BACKENDS = ["rethinkdb"]


def at_once(*calls: Callable[[], object]) -> None:
    """Begin all of these at the same moment."""
    together = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        together.wait(HANG_SECONDS)
        call()

    with ThreadPoolExecutor(len(calls)) as threads:
        list(threads.map(run, calls))


# --- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [digest("a"), "0" * 64, "f" * 64, "F" * 64, "", "x", "=", "é", "0" * 63, "0" * 65])
def test_what_has_a_name_is_found_by_it(text: str) -> None:
    assert named_by(name_of(text)) == text
    assert len(name_of(text)) == 43 or name_of(text) == "=" + text


def test_no_two_texts_have_one_name() -> None:
    texts = [digest(str(each)) for each in range(100)]
    names = {name_of(text) for text in texts}
    assert len(names | {name_of(name) for name in names}) == 200


@given(st.text(max_size=50), st.sampled_from(["", "!", "\n", "=", "~", "A"]))
def test_what_is_no_name_names_nothing_that_is_stored(junk: str, beside: str) -> None:
    for name in (junk, beside + name_of(digest("a")), name_of(digest("a")) + beside):
        assert name_of(named_by(name)) == name or "\0" in named_by(name)


# --- one address -------------------------------------------------------------------------------------------


def test_rivals_that_two_append_at_once_both_see(storage: RethinkStorage, other: RethinkStorage) -> None:
    for turn in range(10):
        # Nobody has stored what they spend: whoever is first gives it an address.
        spent = output(f"spent {turn}")
        rivals = [transaction(f"{turn} {name}", spends=[spent]) for name in "ab"]
        at_once(
            partial(storage.append_backlog, rivals[:1], 1.0),
            partial(other.append_backlog, rivals[1:], 1.0),
        )
        for each in (storage, other):
            assert sorted(each.spenders([spent])[spent]) == sorted(rival.id for rival in rivals), turn


def test_what_is_appended_beside_what_spends_it_is_found_by_both(
    storage: RethinkStorage, other: RethinkStorage
) -> None:
    for turn in range(10):
        made = transaction(f"made {turn}")
        spender = transaction(f"spender {turn}", spends=[OutputRef(made.id, 0)])
        at_once(
            partial(storage.append_backlog, [made, spender], 1.0),
            partial(other.append_backlog, [made], 1.0),
            partial(other.append_backlog, [spender], 1.0),
        )
        of = block(str(turn), made, spender)
        other.write_block(of)
        for each in (storage, other):
            each.sight(NODE, [sighting(of)])
            assert each.spenders([OutputRef(made.id, 0)]) == {OutputRef(made.id, 0): [spender.id]}
            assert each.standings(NODE, [made.id, spender.id]).keys() == {made.id, spender.id}
            assert each.waiting([made.id, spender.id]) == {made.id: [stored(made)], spender.id: [stored(spender)]}


def test_what_was_settled_or_built_before_it_was_stored_is_found_by_all(
    storage: RethinkStorage, other: RethinkStorage
) -> None:
    new = transaction("a")
    of = block("A", new)
    storage.settle(effects((output("a"), [ALICE])))
    other.write_block(of)
    storage.append_backlog([new], 1.0)
    for each in (storage, other):
        each.sight(NODE, [sighting(of)])
        assert [standing.transaction_hash for standing in each.standings(NODE, [new.id])[new.id]] == [new.hash]
        assert each.contents([ref(new)]) == {new.hash: stored(new)}
        assert each.lineages([output("a")]).keys() == {output("a")}
        assert [row.ref for row in each.outputs_of(ALICE, spent=False, after=None, limit=9)] == [output("a")]


def test_a_text_that_another_stores_of_what_one_knows_is_found(storage: RethinkStorage, other: RethinkStorage) -> None:
    storage.append_backlog([transaction("a")], 1.0)
    assert storage.contents([ref(transaction("a"))])
    twin = transaction("a", text="signed otherwise")
    other.append_backlog([twin], 2.0)
    assert storage.contents([ref(twin)]) == {twin.hash: stored(twin)}
    assert storage.waiting([twin.id]) == {twin.id: [stored(transaction("a")), stored(twin)]}
    storage.drop_backlog(ids=[twin.id])
    assert other.backlog_size() == 0


def test_two_with_one_address_are_not_taken_for_each_other(
    storage: RethinkStorage, other: RethinkStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each was the first of a call, in the same millisecond."""
    for each in (storage, other):
        monkeypatch.setattr(each._store, "places", lambda _: 5_000_000)
    storage.append_backlog([transaction("a"), transaction("x", spends=[output("a")])], 1.0)
    other.append_backlog([transaction("b"), transaction("y", spends=[output("b")])], 1.0)
    assert storage._postings.addresses([digest("a")]) == {digest("a"): 5_000_000}
    assert other._postings.addresses([digest("b")]) == {digest("b"): 5_000_000}
    storage.settle(effects((output("a"), [ALICE])))
    other.settle(effects((output("b"), [BOB])))
    for each in (storage, other):
        assert each.spenders([output("a"), output("b")]) == {output("a"): [digest("x")], output("b"): [digest("y")]}
        assert each.transactions([digest("a")]) == {digest("a"): [stored(transaction("a"))]}
        for owner, name in ((ALICE, "a"), (BOB, "b")):
            (row,) = each.outputs_of(owner, spent=None, after=None, limit=9)
            assert row == OutputRow(row.cursor, output(name), None)
        assert each.lineages([output("c")]) == {}


@pytest.mark.parametrize("places", [[], ["4999000000000000"]])
def test_whoever_alters_an_address_hides_nothing_from_those_who_remember_it(
    storage: RethinkStorage, other: RethinkStorage, places: list[str]
) -> None:
    """A voter goes on seeing what it has voted for, and which rivals that has."""
    made, spender = transaction("a"), transaction("x", spends=[output("a")])
    storage.append_backlog([made, spender], 1.0)
    of = block("A", made, spender)
    storage.write_block(of)
    storage.sight(NODE, [sighting(of)])
    posting = r.table("postings").get("t" + name_of(made.id))
    storage._store.write(posting.update(lambda row: {"of": r.expr(places) + row["of"] if places else []}))
    # That reads the posting, too.
    assert storage.transactions([made.id]).keys() == ({made.id} if places else set())
    assert storage.spenders([output("a")]) == {output("a"): [spender.id]}
    assert storage.standings(NODE, [made.id, spender.id]).keys() == {made.id, spender.id}
    assert other.spenders([output("a")]) == {}
    assert other.standings(NODE, [made.id, spender.id]).keys() == {spender.id}


def test_a_text_that_two_append_at_once_waits_and_leaves_once(storage: RethinkStorage, other: RethinkStorage) -> None:
    for turn in range(10):
        new = [transaction(f"{turn} {each}") for each in range(3)]
        for each in (storage, other):
            # As whoever takes something in does: by then nobody has stored it.
            assert each.standings(NODE, [t.id for t in new]) == {}
        at_once(partial(storage.append_backlog, new, 1.0), partial(other.append_backlog, new[::-1], 2.0))
        assert storage.waiting([t.id for t in new]) == {t.id: [stored(t)] for t in new}
        # As whoever votes on it does.
        assert len(other.contents([ref(t) for t in new])) == len(new)
        other.drop_backlog(ids=[t.id for t in new])
        assert storage.waiting([t.id for t in new]) == {}
        assert storage.backlog_size() == 0


def test_what_another_has_appended_since_it_was_looked_for_is_not_let_wait_again(
    storage: RethinkStorage, other: RethinkStorage
) -> None:
    old, new = transaction("old"), transaction("new")
    assert storage.standings(NODE, [old.id, new.id]) == {}
    other.append_backlog([old], 1.0)
    storage.append_backlog([old, new], 2.0)
    assert storage.backlog_size() == 2
    assert storage.waiting([old.id, new.id]) == {old.id: [stored(old)], new.id: [stored(new)]}


def test_an_address_that_is_deleted_while_it_is_made_stops_what_needs_it(
    storage: RethinkStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = storage._postings.add

    def add_and_delete(entries: Iterable[tuple[str, str]]) -> bool:
        is_new = add(entries)
        storage._store.write(r.table("postings").delete())
        return is_new

    monkeypatch.setattr(storage._postings, "add", add_and_delete)
    calls: list[Callable[[], None]] = [
        partial(storage.settle, effects((output("a"), [ALICE]))),
        partial(storage.write_block, block("A", transaction("a"))),
        partial(storage.append_backlog, [transaction("x", spends=[output("a")])], 1.0),
    ]
    for call in calls:
        with pytest.raises(StorageMismatch, match="the ledger is damaged: what was just posted is gone"):
            call()
    monkeypatch.undo()
    assert storage.outputs_of(ALICE, spent=None, after=None, limit=9) == []
    storage.settle(effects((output("a"), [ALICE])))
    assert len(storage.outputs_of(ALICE, spent=None, after=None, limit=9)) == 1


def test_many_that_give_an_id_its_address_at_once_give_it_the_same(empty_ledger: Server) -> None:
    with ExitStack() as stack:
        storages = [stack.enter_context(closing(RethinkStorage(empty_ledger, create=True))) for _ in range(6)]
        ids = [digest(str(each)) for each in range(50)]
        found: list[dict[str, int]] = []
        at_once(*[partial(lambda each: found.append(each._postings.make_addresses(ids)), each) for each in storages])
    assert len(found) == 6
    assert all(addresses == found[0] and len(addresses) == 50 for addresses in found)


def test_two_texts_of_one_transaction_in_one_call_are_both_found(storage: RethinkStorage) -> None:
    twins = [transaction("a"), transaction("a", text="signed otherwise")]
    storage.append_backlog(twins, 1.0)
    assert storage.contents([ref(twin) for twin in twins]) == {twin.hash: stored(twin) for twin in twins}
    assert storage.waiting([digest("a")]) == {digest("a"): [stored(twin) for twin in twins]}


def test_what_is_remembered_has_bounds(storage: RethinkStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rethinkdb_postings, "_REMEMBERED", 5)
    monkeypatch.setattr(rethinkdb_outputs, "_REMEMBERED", 5)
    for turn in range(20):
        for _ in range(2):
            storage.append_backlog([transaction(str(turn))], 1.0)
            storage.drop_backlog(ids=[digest(str(turn))])
        storage.settle(effects((output(str(turn)), [ALICE])))
    assert len(storage._postings._known) <= 6
    assert len(storage._postings._further) <= 6
    assert len(storage._outputs._known) <= 6
    assert len(storage.outputs_of(ALICE, spent=False, after=None, limit=99)) == 20


# --- documents that several share --------------------------------------------------------------------------


def test_texts_lie_together_but_no_document_gets_large() -> None:
    small = [transaction(str(each)) for each in range(25)]
    large = [transaction(f"large {each}", text="x" * 200_000) for each in range(3)]
    ((*placed,),) = in_moments([*small, *large, *small])
    offsets = [offset for offset, _ in placed]
    assert offsets == [*range(26), 30, 40, *range(41, 66)]
    assert [each for _, each in placed] == [*small, *large, *small]


def test_so_many_large_texts_that_they_take_two_moments() -> None:
    large = [transaction(str(each), text="x" * 300_000) for each in range(PER_MILLISECOND // NEIGHBOURS + 1)]
    first, second = in_moments(large)
    assert [offset for offset, _ in first] == list(range(0, PER_MILLISECOND, NEIGHBOURS))
    assert second == [(0, large[-1])]
    assert list(in_moments([])) == []


@pytest.mark.parametrize("count", [1, 9, 35, 120])
def test_whatever_part_is_asked_for_is_found(storage: RethinkStorage, count: int) -> None:
    many = [transaction(str(each)) for each in range(120)]
    storage.append_backlog(many, 1.0)
    some = many[:: 120 // count][:count]
    assert storage.contents([ref(each) for each in some]) == {each.hash: stored(each) for each in some}
    assert storage.transactions([each.id for each in some]) == {each.id: [stored(each)] for each in some}
