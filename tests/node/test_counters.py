"""Numbers that a node keeps for whoever watches it."""

from __future__ import annotations

import pytest

from bigchaindb.node.counters import REJECTED, add, read, restarts_of
from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage
from tests.consensus.views import garbled
from tests.ledgers import Ledger, key, row


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage(MemoryDatabase())


def test_a_counter_goes_up_for_its_node_alone(storage: MemoryStorage) -> None:
    web, voter = restarts_of("web"), restarts_of("voter")
    assert read(storage, "node", [web, voter]) == {web: 0, voter: 0}
    add(storage, "node", {web: 2, voter: 1})
    add(storage, "node", {web: 3})
    assert read(storage, "node", [web, voter, REJECTED]) == {web: 5, voter: 1, REJECTED: 0}
    assert read(storage, "other", [web]) == {web: 0}


@pytest.mark.parametrize("junk", ["", "x", "-1", "1.5", "\u0663"])
def test_what_somebody_else_has_put_there_counts_for_nothing(storage: MemoryStorage, junk: str) -> None:
    storage.swap_register("count/node/rejected", None, junk)
    assert read(storage, "node", [REJECTED]) == {REJECTED: 0}
    add(storage, "node", {REJECTED: 1})
    assert read(storage, "node", [REJECTED]) == {REJECTED: 1}


def test_who_never_gets_a_turn_lets_it_be(storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "swap_register", lambda *_: False)
    add(storage, "node", {REJECTED: 1})
    assert read(storage, "node", [REJECTED]) == {REJECTED: 0}


def test_a_builder_counts_what_it_rejects() -> None:
    ledger = Ledger()
    bad = [garbled(ledger.create(key("alice"), {"n": n})) for n in range(3)]
    for each in bad:
        ledger.first.storage.append_backlog([row(each)], 0.0)
        ledger.run()
    assert read(ledger.first.storage, ledger.first.me, [REJECTED]) == {REJECTED: 3}
