"""How a node votes: each sentence of design.md 3.1, and of 3.2 on block times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb.consensus.judging import No, Times, Wait, Yes, judge
from bigchaindb.exceptions import TransactionMalformed
from bigchaindb.model.block import MAX_TRANSACTIONS, Block
from tests.consensus.conditions import after, until
from tests.consensus.views import FEDERATION, LEDGER, NODE, StatedView, at, block_id, create, garbled, transfer
from tests.ledgers import NOW, key

if TYPE_CHECKING:
    from bigchaindb.consensus.view import View
    from bigchaindb.exceptions import TransactionError
    from bigchaindb.model.transaction import Transaction

BOAT, CAR = create("boat"), create("car")


@pytest.fixture
def view() -> StatedView:
    return StatedView()


def judged(
    view: StatedView,
    *contents: Transaction | TransactionError,
    time: str | None = None,
    now: float = NOW,
    seen_at: float | None = None,
    newest_decided: float | None = None,
) -> Yes | No | Wait:
    """What a node says of a block of these that it has noted."""
    transactions = [t for t in contents if not isinstance(t, Exception)]
    # The block's signature and root are checked by the caller of `judge`, so these stand for whatever it holds.
    built = Block.build(
        transactions[:1] or [create("any")], ledger=LEDGER, voters=FEDERATION, timestamp=time or at(0), key=NODE
    )
    view.stand(built.id, *transactions)
    seen = now if seen_at is None else seen_at
    typed: View = view
    return judge(built, contents, typed, Times(now, seen, newest_decided))


def refusal(opinion: Yes | No | Wait) -> str:
    """Why not, for ever."""
    assert isinstance(opinion, No)
    return opinion.reason


def obstacle(opinion: Yes | No | Wait) -> str:
    """Why not yet."""
    assert isinstance(opinion, Wait)
    return opinion.reason


# --- rule 1: well formed, allowed, valid -------------------------------------------------------------------


def test_what_nothing_speaks_against_is_voted_valid(view: StatedView) -> None:
    view.decided(BOAT)
    assert judged(view, create("other"), transfer(BOAT)) == Yes()


def test_a_text_that_is_no_transaction_is_a_no(view: StatedView) -> None:
    opinion = judged(view, CAR, TransactionMalformed("id: is missing"))
    assert refusal(opinion) == "transaction 1: id: is missing"


def test_a_transaction_twice_is_a_no(view: StatedView) -> None:
    assert refusal(judged(view, CAR, garbled(CAR))) == "transactions: hold a transaction twice"


def test_too_many_transactions_are_a_no(view: StatedView) -> None:
    too_many = [CAR] * (MAX_TRANSACTIONS + 1)
    assert isinstance(judged(view, *too_many), No)


def test_a_create_by_a_stranger_is_a_no(view: StatedView) -> None:
    opinion = judged(view, create("boat", by="stranger"))
    assert isinstance(opinion, No)
    assert "is no node of the federation" in opinion.reason


def test_a_bad_signature_is_a_no(view: StatedView) -> None:
    view.decided(BOAT)
    bad = garbled(transfer(BOAT))
    opinion = judged(view, CAR, bad)
    assert isinstance(opinion, No)
    assert opinion.reason.startswith(f"transaction {bad.id}: transaction.fulfillments[0].fulfillment: answers")


def test_deadlines_are_judged_at_the_blocks_time_whatever_the_clock_says(view: StatedView) -> None:
    boat = create("boat", locked=until(key("alice"), f"{NOW + 10:.0f}"))
    view.decided(boat)
    assert judged(view, transfer(boat), time=at(10), now=NOW + 500) == Yes()
    assert isinstance(judged(view, transfer(boat), time=at(10.000001), now=NOW), No)
    car = create("car", locked=after(key("alice"), f"{NOW + 10:.0f}"))
    view.decided(car)
    assert isinstance(judged(view, transfer(car), time=at(10), now=NOW + 500), No)
    assert judged(view, transfer(car), time=at(10.000001), now=NOW) == Yes()


def test_what_was_verified_before_is_not_verified_again_but_must_still_be_allowed(view: StatedView) -> None:
    bad = garbled(CAR)
    view.verified.add(bad.hash)
    assert judged(view, bad) == Yes()
    strangers = create("boat", by="stranger")
    view.verified.add(strangers.hash)
    assert isinstance(judged(view, strangers), No)


# --- rule 2: not decided before ----------------------------------------------------------------------------


def test_what_is_in_another_block_decided_valid_is_a_no(view: StatedView) -> None:
    view.decided(CAR)
    assert refusal(judged(view, CAR)) == f"transaction {CAR.id}: is in another block decided valid"


def test_what_is_in_a_block_decided_invalid_may_be_built_again(view: StatedView) -> None:
    view.stand(block_id("A"), CAR, verdict=False, backed=True)
    assert judged(view, CAR) == Yes()


def test_what_is_in_an_undecided_block_that_this_node_backs_waits_until_that_stalls(view: StatedView) -> None:
    view.stand(block_id("A"), CAR, backed=True, live=True)
    assert obstacle(judged(view, CAR)) == f"transaction {CAR.id} is in undecided block {block_id('A')}"
    stalled = StatedView()
    stalled.stand(block_id("A"), CAR, backed=True, live=False)
    assert judged(stalled, CAR) == Yes()


def test_what_is_in_an_undecided_block_that_this_node_does_not_back_need_not_wait(view: StatedView) -> None:
    view.stand(block_id("A"), CAR, live=True)
    assert judged(view, CAR) == Yes()


# --- rule 3: inputs first ----------------------------------------------------------------------------------


def test_an_input_may_stand_earlier_in_the_same_block(view: StatedView) -> None:
    first = transfer(BOAT)
    second = transfer(first, by="bob", to="carol")
    view.decided(BOAT)
    assert judged(view, first, second) == Yes()


def test_an_input_that_stands_later_in_the_same_block_is_a_no(view: StatedView) -> None:
    first = transfer(BOAT)
    second = transfer(first, by="bob", to="carol")
    view.decided(BOAT)
    assert refusal(judged(view, second, first)) == f"transaction {second.id}: stands before its input {first.id}"


@pytest.mark.parametrize("where", ["undecided", "backlog"])
def test_an_input_that_is_undecided_or_waits_is_waited_for(view: StatedView, where: str) -> None:
    if where == "backlog":
        view.wait(BOAT)
    else:
        view.stand(block_id("A"), BOAT)
    spend = transfer(BOAT)
    assert obstacle(judged(view, spend)) == f"transaction {spend.id}: input {BOAT.id} is undecided"


def test_an_input_whose_only_block_is_undecided_waits_even_if_this_node_backs_it(view: StatedView) -> None:
    view.stand(block_id("A"), BOAT, backed=True, live=True)
    assert isinstance(judged(view, transfer(BOAT)), Wait)


def test_an_input_that_is_known_to_be_valid_is_not_asked_about(view: StatedView) -> None:
    view.store(BOAT)
    view.known_valid.add(BOAT.id)
    spend = transfer(BOAT)
    assert judged(view, spend) == Yes()
    assert BOAT.id not in view.blocks
    # Of what spends it everything is asked.
    view.stand(block_id("other"), transfer(BOAT, to="carol"), backed=True)
    assert "is spent by" in refusal(judged(view, spend))


def test_what_is_known_to_be_valid_stands_in_its_block_only_once(view: StatedView) -> None:
    view.decided(BOAT, CAR)
    view.known_valid.update([BOAT.id, CAR.id])
    assert "is in another block decided valid" in refusal(judged(view, CAR, transfer(BOAT)))
    assert "is in another block decided valid" in refusal(judged(view, BOAT, transfer(BOAT)))


@pytest.mark.parametrize("where", ["stored only", "decided invalid"])
def test_an_input_that_is_nowhere_is_a_no(view: StatedView, where: str) -> None:
    if where == "stored only":
        view.store(BOAT)
    else:
        view.stand(block_id("A"), BOAT, verdict=False)
    spend = transfer(BOAT)
    assert refusal(judged(view, spend)) == f"transaction {spend.id}: input {BOAT.id} does not exist"


def test_an_input_that_may_stand_in_a_block_not_noted_yet_is_waited_for(view: StatedView) -> None:
    view.store(BOAT)
    view.noted_all = False
    spend = transfer(BOAT)
    assert obstacle(judged(view, spend)) == f"transaction {spend.id}: input {BOAT.id} is undecided"


def test_an_input_that_was_never_stored_is_a_no(view: StatedView) -> None:
    assert isinstance(judged(view, transfer(BOAT)), No)


def test_an_input_that_moves_from_the_backlog_into_a_block_between_two_questions_is_waited_for() -> None:
    class Moving(StatedView):
        """The transaction is built just when the backlog is asked for it."""

        def waiting(self, ids: Any) -> dict[str, list[Transaction]]:
            self.stand(block_id("A"), BOAT)
            self.backlog.clear()
            return super().waiting(ids)

    view = Moving()
    view.wait(BOAT)
    assert isinstance(judged(view, transfer(BOAT)), Wait)


# --- rule 4: nothing twice ---------------------------------------------------------------------------------


def test_two_in_one_block_that_spend_the_same_are_a_no(view: StatedView) -> None:
    view.decided(BOAT)
    one, two = transfer(BOAT), transfer(BOAT, to="carol")
    assert refusal(judged(view, one, two)) == f"transaction {two.id}: spends the same as {one.id} in this block"


def test_what_spends_what_a_valid_block_spends_is_a_no(view: StatedView) -> None:
    view.decided(BOAT)
    one, two = transfer(BOAT), transfer(BOAT, to="carol")
    view.stand(block_id("A"), one, verdict=True)
    assert refusal(judged(view, two)) == f"transaction {two.id}: output 0 of {BOAT.id} is spent by {one.id}"


@pytest.mark.parametrize("live", [True, False])
def test_what_spends_what_a_block_spends_that_this_node_backs_is_a_no_stalled_or_not(
    view: StatedView, *, live: bool
) -> None:
    view.decided(BOAT)
    view.stand(block_id("A"), transfer(BOAT), backed=True, live=live)
    assert isinstance(judged(view, transfer(BOAT, to="carol")), No)


def test_a_rival_in_a_block_decided_invalid_is_none_though_this_node_backed_it(view: StatedView) -> None:
    view.decided(BOAT)
    view.stand(block_id("A"), transfer(BOAT), verdict=False, backed=True)
    assert judged(view, transfer(BOAT, to="carol")) == Yes()


def test_a_rival_in_an_undecided_block_that_this_node_does_not_back_is_none(view: StatedView) -> None:
    view.decided(BOAT)
    view.stand(block_id("A"), transfer(BOAT), live=True)
    assert judged(view, transfer(BOAT, to="carol")) == Yes()


def test_a_rival_that_only_waits_is_none(view: StatedView) -> None:
    view.decided(BOAT)
    view.wait(transfer(BOAT))
    assert judged(view, transfer(BOAT, to="carol")) == Yes()


def test_every_input_is_looked_at(view: StatedView) -> None:
    view.decided(BOAT, CAR)
    view.stand(block_id("A"), transfer(CAR, to="dave"), verdict=True)
    assert isinstance(judged(view, transfer(BOAT, CAR)), No)


def test_a_no_comes_before_any_reason_to_wait(view: StatedView) -> None:
    view.decided(BOAT)
    view.wait(CAR)
    view.stand(block_id("A"), transfer(BOAT), verdict=True)
    assert isinstance(judged(view, transfer(CAR), transfer(BOAT, to="carol"), time=at(1000)), No)


# --- an index that does not know what it should ------------------------------------------------------------


def test_a_transaction_that_storage_does_not_find_by_what_it_spends_waits() -> None:
    class Forgetful(StatedView):
        """Whoever stored the transaction kept it out of the index."""

        def spenders(self, refs: Any) -> dict[Any, Any]:  # noqa: ARG002
            return {}

    view = Forgetful()
    view.decided(BOAT)
    assert isinstance(judged(view, transfer(BOAT)), Wait)
    assert judged(view, CAR) == Yes()


def test_a_transaction_that_storage_does_not_find_in_its_own_block_waits(view: StatedView) -> None:
    built = Block.build([CAR], ledger=LEDGER, voters=FEDERATION, timestamp=at(0), key=NODE)
    view.store(CAR)
    assert isinstance(judge(built, [CAR], view, Times(NOW, NOW, None)), Wait)


# --- block times -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ahead", "opinion"), [(60, Yes), (60.000001, Wait), (10**9, Wait)])
def test_a_block_more_than_60_seconds_ahead_of_the_clock_waits(
    view: StatedView, ahead: float, opinion: type[Yes | Wait]
) -> None:
    assert type(judged(view, CAR, time=at(ahead))) is opinion


@pytest.mark.parametrize(("behind", "opinion"), [(600, Yes), (600.1, No)])
def test_a_block_that_at_first_sight_is_more_than_10_minutes_behind_is_a_no(
    view: StatedView, behind: float, opinion: type[Yes | No]
) -> None:
    assert type(judged(view, CAR, now=NOW + behind)) is opinion


def test_how_far_behind_a_block_is_counts_from_first_sight(view: StatedView) -> None:
    assert judged(view, CAR, now=NOW + 10_000, seen_at=NOW + 600) == Yes()


@pytest.mark.parametrize(("behind", "opinion"), [(-1000, Yes), (60, Yes), (60.1, No)])
def test_a_block_more_than_60_seconds_behind_the_newest_decided_one_is_a_no(
    view: StatedView, behind: float, opinion: type[Yes | No]
) -> None:
    assert type(judged(view, CAR, newest_decided=NOW + behind)) is opinion
