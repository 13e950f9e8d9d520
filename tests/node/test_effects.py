"""What decided transactions do to the index of holdings: each output knows its asset, and how far in its line it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigchaindb.exceptions import JournalError
from bigchaindb.node.effects import effects, lineages
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import Effects, Lineage
from tests.ledgers import Ledger, key, ref, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Transaction

ALICE, BOB = key("alice"), key("bob")


class Forgetful(MemoryStorage):
    """A database that nobody has settled anything in, or only some outputs; it counts how often it is asked."""

    def __init__(self, *arguments: MemoryStorage) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.known: set[OutputRef] = set()
        self.asked: list[int] = []

    def lineages(self, outputs: Sequence[OutputRef]) -> dict[OutputRef, Lineage]:
        self.asked.append(len(outputs))
        return {out: line for out, line in super().lineages(outputs).items() if out in self.known}


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def chain(ledger: Ledger, length: int) -> list[Transaction]:
    """An asset that goes to and fro, stored but not decided."""
    made = [ledger.create(ALICE)]
    store(ledger, made[0])
    for _ in range(length - 1):
        made.append(ledger.transfer(ref(made[-1]), ALICE, ALICE))
        store(ledger, made[-1])
    return made


def store(ledger: Ledger, *transactions: Transaction) -> None:
    ledger.first.storage.append_backlog([row(t) for t in transactions], 0.0)


def test_each_transaction_goes_one_step_on_from_what_it_spends(ledger: Ledger) -> None:
    made = chain(ledger, 4)
    assert lineages(ledger.first.node, made) == {
        ref(transaction): Lineage(made[0].id, step) for step, transaction in enumerate(made, start=1)
    }


def test_what_is_settled_is_looked_up_and_not_followed(ledger: Ledger) -> None:
    first, second, third = chain(ledger, 3)
    ledger.first.storage.settle(effects(ledger.first.node, [first, second]))
    ledger.first.storage.transactions = None  # type: ignore[assignment, method-assign]
    assert lineages(ledger.first.node, [third]) == {ref(third): Lineage(first.id, 3)}


def test_several_assets_keep_apart_in_one_transaction(ledger: Ledger) -> None:
    boat, car = ledger.create(ALICE, {"kind": "boat"}), ledger.create(ALICE, {"kind": "car"})
    store(ledger, boat, car)
    older = ledger.transfer(ref(car), ALICE, ALICE)
    store(ledger, older)
    both = ledger.transfer([ref(older), ref(boat)], ALICE, BOB)
    assert effects(ledger.first.node, [boat, car, older, both]).outputs[3:] == (
        *effects(ledger.first.node, [both]).outputs,
    )
    lines = lineages(ledger.first.node, [both])
    assert lines == {ref(both, 0): Lineage(car.id, 3), ref(both, 1): Lineage(boat.id, 2)}


def test_the_genesis_begins_an_asset_that_may_be_given_away(ledger: Ledger) -> None:
    genesis = ledger.genesis.transaction
    gift = ledger.transfer(ref(genesis), ledger.first.key, ALICE)
    ledger.settle(gift)
    assert ledger.first.storage.lineages([ref(gift)]) == {ref(gift): Lineage(genesis.id, 2)}


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 7), decided=st.sets(st.integers(0, 6)), settled=st.sets(st.integers(0, 6)), data=st.data())
def test_a_lineage_is_the_same_however_much_of_the_line_was_settled(
    length: int, decided: set[int], settled: set[int], data: st.DataObject
) -> None:
    ledger = Ledger(connect=Forgetful)  # type: ignore[arg-type]
    made = chain(ledger, length)
    storage = ledger.first.storage
    assert isinstance(storage, Forgetful)
    storage.settle(effects(ledger.first.node, made))
    storage.known = {ref(made[i]) for i in settled if i < length}
    storage.asked.clear()
    asked = data.draw(st.permutations([i for i in decided if i < length]))
    found = lineages(ledger.first.node, [made[i] for i in asked])
    assert found == {ref(made[i]): Lineage(made[0].id, i + 1) for i in asked}
    assert sum(storage.asked) <= length


def test_a_line_that_is_broken_off_stops_the_node(ledger: Ledger) -> None:
    first, second, third = chain(ledger, 3)
    fresh = Ledger()
    store(fresh, second)
    with pytest.raises(JournalError, match=f"transaction {first.id}, whose output 0 was spent, is gone"):
        lineages(fresh.first.node, [third])


def test_nothing_was_decided_and_nothing_changes(ledger: Ledger) -> None:
    assert effects(ledger.first.node, []) == Effects((), ())


def test_all_nodes_settle_the_same_lines_wherever_they_were_down() -> None:
    ledger = Ledger(3)
    boat = ledger.settle(ledger.create(ALICE))
    ledger.members[2].stop()
    first = ledger.settle(ledger.transfer(ref(boat), ALICE, BOB))
    second = ledger.settle(ledger.transfer(ref(first), BOB, ALICE))
    before = ledger.first.storage.outputs_of_asset(boat.id, None, 9)
    ledger.members[2].start()
    ledger.run()
    assert [r.ref for r in before] == [ref(boat), ref(first), ref(second)]
    assert ledger.first.storage.outputs_of_asset(boat.id, None, 9) == before
