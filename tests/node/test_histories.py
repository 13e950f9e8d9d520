"""Histories in pages: the same as when they are told at once, wherever they are cut."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bigchaindb.exceptions import InvalidValue, TransactionDoesNotExist
from bigchaindb.model.transaction import Transaction
from bigchaindb.node.histories import history
from bigchaindb.node.listing import Page
from bigchaindb.storage.memory import MemoryStorage
from tests.ledgers import Ledger, key, ref

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")


def told(ledger: Ledger, of: Transaction, *, limit: int = 100) -> list[str]:
    """The whole history, page by page."""
    ids: list[str] = []
    after: str | None = None
    while True:
        page = history(ledger.first.node, ledger.first.queries, of.id, after, limit)
        assert len(page.items) <= limit
        ids += [Transaction.from_text(text).id for _, text in page.items]
        if page.next is None:
            return ids
        after = page.next


def ids(*transactions: Transaction) -> list[str]:
    return [transaction.id for transaction in transactions]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_a_history_goes_from_the_creation_to_the_last_transfer_given_any_of_them(ledger: Ledger, limit: int) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    first = ledger.settle(ledger.transfer(ref(asset), ALICE, BOB))
    second = ledger.settle(ledger.transfer(ref(first), BOB, CAROL))
    ledger.write(ledger.transfer(ref(second), CAROL, ALICE))
    for transaction in (asset, first, second):
        assert told(ledger, transaction, limit=limit) == ids(asset, first, second)


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_a_history_follows_each_asset_through_transfers_of_several(ledger: Ledger, limit: int) -> None:
    boat, car = ledger.create(ALICE, {"kind": "boat"}), ledger.create(ALICE, {"kind": "car"})
    ledger.settle(boat, car)
    both = ledger.settle(ledger.transfer([ref(boat), ref(car)], ALICE, BOB))
    cars = ledger.settle(ledger.transfer(ref(both, 1), BOB, CAROL))
    assert told(ledger, boat, limit=limit) == ids(boat, both)
    assert told(ledger, both, limit=limit) == ids(boat, car, both, cars)
    assert told(ledger, cars, limit=limit) == ids(car, both, cars)


@settings(max_examples=30, deadline=None)
@example([[0, 1], [1, 2], [2, 0]], 1)
@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True), max_size=6), st.integers(1, 4))
def test_however_assets_meet_and_part_each_transaction_comes_once_behind_what_it_spends(
    transfers: list[list[int]], limit: int
) -> None:
    ledger = Ledger()
    creates = [ledger.create(ALICE, {"n": n}) for n in range(4)]
    ledger.settle(*creates)
    held = {n: ref(create) for n, create in enumerate(creates)}
    for moved in transfers:
        transaction = ledger.settle(ledger.transfer([held[n] for n in moved], ALICE, ALICE))
        held |= {n: ref(transaction, cid) for cid, n in enumerate(moved)}
    for n in held:
        last = ledger.first.queries.transaction(held[n].txid)
        assert last is not None
        whole = told(ledger, last)
        assert told(ledger, last, limit=limit) == whole
        assert sorted(whole) == sorted(ids(*ledger.first.queries.history(last.id)))
        seen: set[str] = set()
        assets = {asset for asset in ids(*creates) if asset in whole}
        for txid in whole:
            transaction_ = ledger.first.queries.transaction(txid)
            assert transaction_ is not None
            # What it takes of other assets than those told of is none of this history.
            assert all(i.txid in seen or i.txid not in whole for i in transaction_.inputs)
            seen.add(txid)
        assert len(seen) == len(whole)
        assert assets


def test_what_is_decided_but_in_no_index_yet_is_told(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    monkeypatch.setattr(MemoryStorage, "settle", lambda *_: None)
    first = ledger.settle(ledger.transfer(ref(asset), ALICE, BOB))
    fresh = ledger.settle(ledger.create(ALICE, {"fresh": True}))
    assert told(ledger, first) == ids(asset, first)
    assert told(ledger, asset, limit=100) == ids(asset, first)
    assert told(ledger, fresh) == ids(fresh)
    # Behind such a one nobody knows yet how to go on: an empty page, from which to try again.
    page = history(ledger.first.node, ledger.first.queries, asset.id, "2", 1)
    assert page == Page((), "2")
    monkeypatch.undo()


def test_what_others_have_decided_and_this_node_not_is_not_told() -> None:
    ledger = Ledger(nodes=3)
    asset = ledger.settle(ledger.create(ALICE))
    ledger.first.stop()
    spend = ledger.transfer(ref(asset), ALICE, BOB)
    ledger.settle(spend)
    assert told(ledger, asset) == ids(asset)
    ledger.first.start()
    ledger.run()
    assert told(ledger, asset) == ids(asset, spend)


def test_an_index_that_lies_is_not_believed(ledger: Ledger) -> None:
    asset, other = ledger.create(ALICE), ledger.create(BOB)
    ledger.settle(asset, other)
    lines = ledger.database.contents.lines
    lines[asset.id, 2] = ref(other)
    assert told(ledger, asset) == ids(asset)
    lines[asset.id, 2] = ref(other, 7)
    assert told(ledger, asset) == ids(asset)


@pytest.mark.parametrize("stage", ["unknown", "backlog"])
def test_there_is_no_history_of_what_is_not_valid(ledger: Ledger, stage: str) -> None:
    asset = ledger.create(ALICE)
    if stage == "backlog":
        ledger.write(asset)
    with pytest.raises(TransactionDoesNotExist, match=f"there is no valid transaction {asset.id}"):
        told(ledger, asset)


@pytest.mark.parametrize("cursor", ["", "x", "1,1", "-1", "1.0", "\u0663", "9" * 16])
def test_a_cursor_of_another_list_is_refused(ledger: Ledger, cursor: str) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    with pytest.raises(InvalidValue, match="cursor: this list has given none such"):
        history(ledger.first.node, ledger.first.queries, asset.id, cursor, 1)


def test_a_history_goes_on_behind_its_cursor_when_it_has_grown(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    first = ledger.settle(ledger.transfer(ref(asset), ALICE, BOB))
    page = history(ledger.first.node, ledger.first.queries, asset.id, None, 1)
    second = ledger.settle(ledger.transfer(ref(first), BOB, CAROL))
    page = history(ledger.first.node, ledger.first.queries, asset.id, page.next, 5)
    assert [text for _, text in page.items] == [first.text, second.text]
    assert page.next is None
