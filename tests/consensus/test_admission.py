"""What comes into the backlog, and what is said of the rest (design.md 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bigchaindb.consensus.admission import admit, is_sound
from bigchaindb.exceptions import (
    DoubleSpend,
    InvalidSignature,
    OperationError,
    TransactionDoesNotExist,
    TransactionError,
)
from tests.consensus.conditions import after, until
from tests.consensus.views import StatedView, at, block_id, create, garbled, transfer
from tests.ledgers import NOW, key

if TYPE_CHECKING:
    from collections.abc import Collection

    from bigchaindb.model.transaction import Transaction

BOAT, CAR = create("boat"), create("car")
BLOCK = block_id("A")


@pytest.fixture
def view() -> StatedView:
    return StatedView()


def answer(view: StatedView, transaction: Transaction, now: str | None = None) -> TransactionError | None:
    (only,) = admit([transaction], view, lambda: now or at(0))
    return only


def answers(view: StatedView, *transactions: Transaction) -> list[type[TransactionError] | None]:
    return [type(error) if error else None for error in admit(transactions, view, lambda: at(0))]


def test_what_is_sound_and_unspent_comes_in(view: StatedView) -> None:
    view.decided(BOAT)
    assert answers(view, CAR, transfer(BOAT)) == [None, None]


@pytest.mark.parametrize("where", ["backlog", "undecided"])
def test_an_input_may_still_be_on_its_way(view: StatedView, where: str) -> None:
    if where == "backlog":
        view.wait(BOAT)
    else:
        view.stand(BLOCK, BOAT)
    assert answer(view, transfer(BOAT)) is None


@pytest.mark.parametrize("where", ["nowhere", "stored only", "decided invalid"])
def test_an_input_that_is_nowhere_is_named(view: StatedView, where: str) -> None:
    if where == "stored only":
        view.store(BOAT)
    if where == "decided invalid":
        view.stand(BLOCK, BOAT, verdict=False)
    error = answer(view, transfer(BOAT))
    assert isinstance(error, TransactionDoesNotExist)
    assert error.field == "transaction.fulfillments[0].input"
    assert BOAT.id in str(error)


def test_an_input_that_may_stand_in_a_block_not_noted_yet_is_let_in(view: StatedView) -> None:
    view.store(BOAT)
    view.noted_all = False
    assert answer(view, transfer(BOAT)) is None


def test_an_output_that_its_transaction_does_not_have_is_named(view: StatedView) -> None:
    two = transfer(BOAT, CAR)
    view.decided(BOAT)
    document = transfer(two, by="bob", cid=1)
    view.decided(two)
    assert answer(view, document) is None
    lone = StatedView()
    lone.decided(BOAT)
    assert isinstance(answer(lone, document), TransactionDoesNotExist)


def test_a_stranger_may_not_create(view: StatedView) -> None:
    assert isinstance(answer(view, create("boat", by="stranger")), OperationError)


def test_a_bad_signature_does_not_come_in(view: StatedView) -> None:
    view.decided(BOAT)
    assert isinstance(answer(view, garbled(transfer(BOAT))), InvalidSignature)


def test_a_deadline_is_judged_at_the_time_that_a_block_built_now_would_have(view: StatedView) -> None:
    boat = create("boat", locked=until(key("alice"), f"{NOW:.0f}"))
    car = create("car", locked=after(key("alice"), f"{NOW:.0f}"))
    view.decided(boat, car)
    assert answer(view, transfer(boat), at(0)) is None
    assert isinstance(answer(view, transfer(boat), at(1)), InvalidSignature)
    assert isinstance(answer(view, transfer(car), at(0)), InvalidSignature)
    assert answer(view, transfer(car), at(1)) is None


# --- conflicts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["valid", "undecided", "backlog"])
def test_what_spends_what_another_spends_is_a_double_spend(view: StatedView, where: str) -> None:
    view.decided(BOAT, CAR)
    rival = transfer(CAR, to="carol")
    if where == "backlog":
        view.wait(rival)
    else:
        view.stand(BLOCK, rival, verdict=True if where == "valid" else None)
    error = answer(view, transfer(BOAT, CAR))
    assert isinstance(error, DoubleSpend)
    assert error.rival == rival.id
    assert error.field == "transaction.fulfillments[1].input"
    assert str(error) == f"input `{{'cid': 0, 'txid': '{CAR.id}'}}` was already spent"


@pytest.mark.parametrize("where", ["stored only", "decided invalid", "unsound in the backlog"])
def test_what_can_never_become_valid_is_no_rival(view: StatedView, where: str) -> None:
    view.decided(BOAT)
    rival = transfer(BOAT, to="carol")
    if where == "stored only":
        view.store(rival)
    elif where == "decided invalid":
        view.stand(BLOCK, rival, verdict=False)
    else:
        view.wait(garbled(rival))
    assert answer(view, transfer(BOAT)) is None


def test_a_sound_text_of_a_rival_beside_a_junk_one_is_a_rival(view: StatedView) -> None:
    view.decided(BOAT)
    rival = transfer(BOAT, to="carol")
    view.wait(garbled(rival), rival)
    assert isinstance(answer(view, transfer(BOAT)), DoubleSpend)


@pytest.mark.parametrize("where", ["valid", "undecided", "backlog"])
def test_a_transaction_does_not_conflict_with_itself(view: StatedView, where: str) -> None:
    view.decided(BOAT)
    spend = transfer(BOAT)
    if where == "backlog":
        view.wait(spend)
    else:
        view.stand(BLOCK, spend, verdict=True if where == "valid" else None)
    assert answer(view, spend) is None


# --- several at once ---------------------------------------------------------------------------------------


def test_later_ones_may_spend_what_earlier_ones_make(view: StatedView) -> None:
    spend = transfer(BOAT)
    again = transfer(spend, by="bob", to="carol")
    assert answers(view, BOAT, spend, again) == [None, None, None]
    assert answers(view, BOAT, again, spend) == [None, TransactionDoesNotExist, None]


def test_what_spends_what_was_refused_is_refused(view: StatedView) -> None:
    strangers = create("boat", by="stranger")
    spend = transfer(strangers)
    assert answers(view, strangers, spend) == [OperationError, TransactionDoesNotExist]


def test_the_time_is_asked_once_and_only_where_there_are_deadlines(view: StatedView) -> None:
    asked: list[str] = []

    def now() -> str:
        asked.append(at(0))
        return at(0)

    view.decided(BOAT)
    assert admit([transfer(BOAT), create("boat")], view, now) == [None, None]
    assert asked == []
    lent = [create(name, locked=until(key("alice"), f"{NOW:.0f}")) for name in ("one", "two")]
    for each in lent:
        view.decided(each)
    assert admit([transfer(each) for each in lent], view, now) == [None, None]
    assert asked == [at(0)]


def test_two_that_spend_the_same_are_not_both_let_in(view: StatedView) -> None:
    view.decided(BOAT)
    one, two = transfer(BOAT), transfer(BOAT, to="carol")
    first, second = admit([one, two], view, lambda: at(0))
    assert first is None
    assert isinstance(second, DoubleSpend)
    assert second.rival == one.id


def test_what_was_refused_spends_nothing(view: StatedView) -> None:
    view.decided(BOAT)
    one, two = garbled(transfer(BOAT)), transfer(BOAT, to="carol")
    assert answers(view, one, two) == [InvalidSignature, None]


def test_the_same_twice_is_harmless(view: StatedView) -> None:
    view.decided(BOAT)
    spend = transfer(BOAT)
    assert answers(view, CAR, spend, CAR, spend) == [None] * 4


# --- soundness ---------------------------------------------------------------------------------------------


def test_sound_is_what_is_allowed_and_signed_at_a_time(view: StatedView) -> None:
    boat = create("boat", locked=until(key("alice"), f"{NOW:.0f}"))
    view.store(boat)
    spend = transfer(boat)
    assert is_sound(spend, view, at(0))
    assert not is_sound(spend, view, at(1))
    assert not is_sound(create("boat", by="stranger"), view, at(0))
    assert not is_sound(transfer(CAR), view, at(0))


def test_what_was_verified_is_sound(view: StatedView) -> None:
    bad = garbled(CAR)
    assert not is_sound(bad, view, at(0))
    view.verified.add(bad.hash)
    assert is_sound(bad, view, at(0))


def test_what_was_verified_is_not_sound_once_its_maker_has_left(view: StatedView) -> None:
    former = create("boat", by="stranger")
    view.verified.add(former.hash)
    assert not is_sound(former, view, at(0))


# --- blocks from the future --------------------------------------------------------------------------------


@pytest.mark.parametrize(("backed", "live", "free"), [(False, False, True), (True, False, False), (False, True, False)])
def test_a_rival_in_a_block_from_the_future_is_in_the_way_only_of_those_who_made_or_back_it(
    view: StatedView, *, backed: bool, live: bool, free: bool
) -> None:
    view.decided(BOAT)
    view.stand(BLOCK, transfer(BOAT, to="carol"), ahead=True, backed=backed, live=live)
    assert (answer(view, transfer(BOAT)) is None) is free


def test_a_rival_that_was_decided_valid_is_in_the_way_whenever_its_block_is_dated(view: StatedView) -> None:
    view.decided(BOAT)
    view.stand(BLOCK, transfer(BOAT, to="carol"), ahead=True, verdict=True)
    assert isinstance(answer(view, transfer(BOAT)), DoubleSpend)


@pytest.mark.parametrize("verdict", [None, True])
def test_a_rival_that_moves_from_the_backlog_into_a_block_meanwhile_is_seen(*, verdict: bool | None) -> None:
    rival, spend = transfer(BOAT), transfer(BOAT, to="carol")

    class Moving(StatedView):
        """The rival is built just when the backlog is asked for it."""

        def waiting(self, ids: Collection[str]) -> dict[str, list[Transaction]]:
            self.stand(BLOCK, rival, verdict=verdict)
            self.backlog.clear()
            return super().waiting(ids)

    view = Moving()
    view.decided(BOAT)
    view.wait(rival)
    error = answer(view, spend)
    assert isinstance(error, DoubleSpend)
    assert error.rival == rival.id
