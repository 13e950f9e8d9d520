"""What a builder chooses: each sentence of design.md 3.2 on the builder."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.consensus.selection import Choice, assignee, choose, turn
from bigchaindb.model.block import MAX_BYTES, MAX_TRANSACTIONS
from tests.consensus.conditions import after, until
from tests.consensus.views import FEDERATION, StatedView, at, block_id, create, garbled, transfer
from tests.ledgers import NOW, key

if TYPE_CHECKING:
    from bigchaindb.model.transaction import Transaction

BOAT, CAR = create("boat"), create("car")
BLOCK = block_id("A")


@pytest.fixture
def view() -> StatedView:
    return StatedView()


def chosen(
    view: StatedView, *candidates: Transaction, time: str | None = None, newest_decided: str | None = None
) -> Choice:
    """What a builder makes of these; they all wait."""
    view.wait(*(t for t in candidates if t not in view.backlog))
    return choose(candidates, view, block_time=time or at(0), newest_decided=newest_decided)


def built(choice: Choice) -> list[Transaction]:
    return choice.build


def blockers(choice: Choice) -> dict[str, set[str]]:
    """For each transaction that waits, what it waits for."""
    return {t.id: set(ids) for t, ids in choice.blocked}


def refusals(choice: Choice) -> dict[str, str]:
    return {refusal.transaction.id: refusal.reason for refusal in choice.refused}


def by_id(*transactions: Transaction) -> list[Transaction]:
    return sorted(transactions, key=lambda t: t.id)


# --- what is built -----------------------------------------------------------------------------------------


def test_what_nothing_speaks_against_is_built_in_order(view: StatedView) -> None:
    view.decided(BOAT)
    candidates = [transfer(BOAT), CAR, create("bike")]
    choice = chosen(view, *candidates)
    assert choice == Choice(build=candidates)


def test_what_is_valid_already_is_settled(view: StatedView) -> None:
    view.decided(CAR)
    assert chosen(view, CAR) == Choice(settled=[CAR])


def test_a_second_text_of_what_is_built_waits_for_it(view: StatedView) -> None:
    other_text = garbled(CAR)
    choice = chosen(view, CAR, other_text)
    assert built(choice) == [CAR]
    assert choice.blocked == [(other_text, frozenset({CAR.id}))]


def test_what_is_in_a_live_block_waits_for_it(view: StatedView) -> None:
    view.stand(BLOCK, CAR, live=True)
    assert blockers(chosen(view, CAR)) == {CAR.id: {CAR.id}}


@pytest.mark.parametrize("backed", [True, False])
def test_what_is_in_an_undecided_block_that_is_not_live_is_built_anew(view: StatedView, *, backed: bool) -> None:
    view.stand(BLOCK, CAR, backed=backed, live=False)
    assert built(chosen(view, CAR)) == [CAR]


def test_what_is_in_a_block_decided_invalid_is_built_anew(view: StatedView) -> None:
    view.stand(BLOCK, CAR, verdict=False)
    assert built(chosen(view, CAR)) == [CAR]


# --- inputs ------------------------------------------------------------------------------------------------


def test_what_spends_something_undecided_waits_for_it_even_beside_it(view: StatedView) -> None:
    spend = transfer(BOAT)
    choice = chosen(view, BOAT, spend)
    assert built(choice) == [BOAT]
    assert blockers(choice) == {spend.id: {BOAT.id}}
    view.stand(BLOCK, BOAT, live=True)
    assert blockers(chosen(view, spend)) == {spend.id: {BOAT.id}}


def test_it_waits_for_all_inputs_that_are_undecided(view: StatedView) -> None:
    view.wait(BOAT, CAR)
    view.decided(bike := create("bike"))
    spend = transfer(BOAT, CAR, bike)
    assert blockers(chosen(view, spend)) == {spend.id: {BOAT.id, CAR.id}}


@pytest.mark.parametrize("where", ["stored only", "decided invalid"])
def test_what_spends_something_that_is_nowhere_is_refused(view: StatedView, where: str) -> None:
    if where == "stored only":
        view.store(BOAT)
    else:
        view.stand(BLOCK, BOAT, verdict=False)
    spend = transfer(BOAT)
    assert refusals(chosen(view, spend)) == {spend.id: f"input {BOAT.id} does not exist"}


def test_while_there_are_blocks_to_catch_up_with_nothing_is_refused_for_a_missing_input(view: StatedView) -> None:
    view.store(BOAT)
    view.noted_all = False
    spend = transfer(BOAT)
    assert blockers(chosen(view, spend)) == {spend.id: {BOAT.id}}


def test_nothing_is_refused_for_an_input_that_stands_in_a_block_left_aside(view: StatedView) -> None:
    """It may be decided by a federation that this node does not know yet."""
    view.store(BOAT)
    view.aside.add(BOAT.id)
    spend = transfer(BOAT)
    assert blockers(chosen(view, spend)) == {spend.id: {BOAT.id}}


def test_what_spends_something_that_was_never_stored_is_refused(view: StatedView) -> None:
    spend = transfer(BOAT)
    assert "there is no output 0 of" in refusals(chosen(view, spend))[spend.id]


def test_what_storage_does_not_find_by_what_it_spends_is_not_built() -> None:
    """No voter would vote on a block with it, and its neighbours would wait."""

    class Forgetful(StatedView):
        def spenders(self, refs: Any) -> dict[Any, Any]:  # noqa: ARG002
            return {}

    view = Forgetful()
    view.decided(BOAT)
    spend = transfer(BOAT)
    choice = chosen(view, spend, CAR)
    assert built(choice) == [CAR]
    assert blockers(choice) == {spend.id: set()}


# --- soundness ---------------------------------------------------------------------------------------------


def test_a_bad_signature_is_refused(view: StatedView) -> None:
    view.decided(BOAT)
    bad = garbled(transfer(BOAT))
    choice = chosen(view, bad)
    assert refusals(choice)[bad.id].startswith("transaction.fulfillments[0].fulfillment: answers")
    assert choice.refused[0].evidence is None


def test_a_create_by_a_stranger_is_refused(view: StatedView) -> None:
    strangers = create("boat", by="stranger")
    assert "is no node of the federation" in refusals(chosen(view, strangers))[strangers.id]


def test_a_create_by_a_former_member_is_refused_though_it_was_verified_once(view: StatedView) -> None:
    former = create("boat", by="stranger")
    view.verified.add(former.hash)
    assert "is no node of the federation" in refusals(chosen(view, former))[former.id]


def test_a_create_by_a_former_member_is_not_refused_while_an_undecided_block_holds_it(view: StatedView) -> None:
    former = create("boat", by="stranger")
    view.stand(BLOCK, former)
    assert blockers(chosen(view, former)) == {former.id: {former.id}}


def test_what_was_verified_before_is_not_verified_again(view: StatedView) -> None:
    view.decided(BOAT)
    bad = garbled(transfer(BOAT))
    view.verified.add(bad.hash)
    assert built(chosen(view, bad)) == [bad]


def test_an_unsound_text_is_not_refused_while_an_undecided_block_holds_its_transaction(view: StatedView) -> None:
    view.decided(BOAT)
    spend = transfer(BOAT)
    view.stand(BLOCK, spend)
    assert blockers(chosen(view, garbled(spend))) == {spend.id: {spend.id}}


# --- deadlines ---------------------------------------------------------------------------------------------


def test_what_may_not_be_spent_yet_waits_for_time_to_pass(view: StatedView) -> None:
    boat = create("boat", locked=after(key("alice"), f"{NOW + 10:.0f}"))
    view.decided(boat)
    spend = transfer(boat)
    assert blockers(chosen(view, spend, time=at(10), newest_decided=at(10))) == {spend.id: set()}
    assert built(chosen(view, spend, time=at(10.000001), newest_decided=at(10))) == [spend]


def missed(view: StatedView) -> Transaction:
    """A transfer whose deadline has passed, as far as the builder's clock goes."""
    boat = create("boat", locked=until(key("alice"), f"{NOW:.0f}"))
    view.decided(boat)
    return transfer(boat)


@pytest.mark.parametrize("newest_decided", [None, at(-100), at(0), at(60)])
def test_a_deadline_that_decided_blocks_have_not_long_passed_may_still_be_met(
    view: StatedView, newest_decided: str | None
) -> None:
    late = missed(view)
    assert blockers(chosen(view, late, time=at(1000), newest_decided=newest_decided)) == {late.id: set()}


def test_a_deadline_that_the_newest_decided_block_has_passed_by_over_60_seconds_is_missed(view: StatedView) -> None:
    late = missed(view)
    choice = chosen(view, late, time=at(1000), newest_decided=at(60.000001))
    assert refusals(choice)[late.id].endswith(f"does not fulfil the condition at {at(1000)}")


def test_a_missed_deadline_is_no_refusal_while_an_undecided_block_holds_the_transaction(view: StatedView) -> None:
    late = missed(view)
    view.stand(BLOCK, late)
    assert blockers(chosen(view, late, time=at(1000), newest_decided=at(1000))) == {late.id: {late.id}}


def test_a_bad_signature_is_refused_before_its_deadline(view: StatedView) -> None:
    late = missed(view)
    assert refusals(chosen(view, garbled(late), newest_decided=at(-1000))).keys() == {late.id}


# --- rivals ------------------------------------------------------------------------------------------------


def test_what_a_valid_transaction_has_spent_is_refused_with_that_as_evidence(view: StatedView) -> None:
    winner, loser = transfer(BOAT), transfer(BOAT, to="carol")
    view.decided(BOAT, winner)
    choice = chosen(view, loser)
    assert refusals(choice) == {loser.id: f"output 0 of {BOAT.id} was already spent by {winner.id}"}
    assert choice.refused[0].evidence == winner.id


def test_of_rivals_that_wait_the_smaller_id_goes_first_and_the_others_wait_for_it(view: StatedView) -> None:
    view.decided(BOAT)
    first, second, third = by_id(*(transfer(BOAT, to=name) for name in ("bob", "carol", "dave")))
    choice = chosen(view, third, second, first)
    assert built(choice) == [first]
    assert blockers(choice) == {second.id: {first.id}, third.id: {first.id, second.id}}


def test_a_rival_that_some_other_node_is_to_build_goes_first_too(view: StatedView) -> None:
    view.decided(BOAT)
    first, second = by_id(transfer(BOAT), transfer(BOAT, to="carol"))
    view.wait(first)
    assert blockers(chosen(view, second)) == {second.id: {first.id}}


def small_rival(view: StatedView) -> tuple[Transaction, Transaction]:
    """Two rivals of which the one with the smaller id also spends the car."""
    view.decided(BOAT)
    names = [f"owner {i}" for i in range(20)]
    one = next(t for name in names if (t := transfer(BOAT, CAR, to=name)).id < "8")
    other = next(t for name in names if (t := transfer(BOAT, to=name)).id > "8")
    view.wait(one)
    return one, other


def test_a_smaller_rival_goes_first_if_it_could_be_built(view: StatedView) -> None:
    view.decided(CAR)
    one, other = small_rival(view)
    assert blockers(chosen(view, other)) == {other.id: {one.id}}


def test_a_smaller_rival_that_waits_for_its_other_input_does_not_go_first(view: StatedView) -> None:
    _, other = small_rival(view)
    view.wait(CAR)
    assert built(chosen(view, other)) == [other]


def test_a_smaller_rival_whose_other_input_is_spent_does_not_go_first(view: StatedView) -> None:
    view.decided(CAR, transfer(CAR, to="erin"))
    _, other = small_rival(view)
    assert built(chosen(view, other)) == [other]


def test_a_smaller_rival_whose_other_input_is_in_a_supported_block_does_not_go_first(view: StatedView) -> None:
    view.decided(CAR)
    view.stand(BLOCK, transfer(CAR, to="erin"))
    view.supports.add(BLOCK)
    _, other = small_rival(view)
    assert built(chosen(view, other)) == [other]


def test_a_smaller_rival_with_a_bad_signature_does_not_go_first(view: StatedView) -> None:
    view.decided(BOAT)
    first, second = by_id(transfer(BOAT), transfer(BOAT, to="carol"))
    view.wait(garbled(first))
    assert built(chosen(view, second)) == [second]
    view.wait(first)
    assert built(chosen(view, second)) == []


def test_a_smaller_rival_that_waits_no_more_does_not_go_first(view: StatedView) -> None:
    view.decided(BOAT)
    first, second = by_id(transfer(BOAT), transfer(BOAT, to="carol"))
    view.store(first)
    assert built(chosen(view, second)) == [second]


@pytest.mark.parametrize("smaller", [True, False])
def test_a_rival_in_a_block_with_a_valid_vote_is_waited_for_stalled_or_not(view: StatedView, *, smaller: bool) -> None:
    view.decided(BOAT)
    first, second = by_id(transfer(BOAT), transfer(BOAT, to="carol"))
    rival, mine = (first, second) if smaller else (second, first)
    view.stand(BLOCK, rival, live=False)
    assert built(chosen(view, mine)) == [mine]
    view.supports.add(BLOCK)
    assert blockers(chosen(view, mine)) == {mine.id: {rival.id}}


def test_a_rival_in_a_live_block_is_waited_for_though_nobody_has_voted_yet(view: StatedView) -> None:
    view.decided(BOAT)
    rival = transfer(BOAT)
    view.stand(BLOCK, rival, live=True)
    mine = transfer(BOAT, to="carol")
    assert blockers(chosen(view, mine)) == {mine.id: {rival.id}}


@pytest.mark.parametrize("live", [False, True])
def test_a_rival_in_a_block_from_the_future_is_waited_for_by_its_maker_only(view: StatedView, *, live: bool) -> None:
    """Any member may date a block ahead and vote for it itself; until its time has come that holds nobody up."""
    view.decided(BOAT)
    view.stand(BLOCK, transfer(BOAT), live=live, ahead=True)
    view.supports.add(BLOCK)
    mine = transfer(BOAT, to="carol")
    assert built(chosen(view, mine)) == ([] if live else [mine])


def test_a_rival_in_a_block_decided_invalid_is_not_waited_for(view: StatedView) -> None:
    view.decided(BOAT)
    view.stand(BLOCK, transfer(BOAT), verdict=False)
    view.supports.add(BLOCK)
    mine = transfer(BOAT, to="carol")
    assert built(chosen(view, mine)) == [mine]


ASSETS = [create(f"asset {i}") for i in range(4)]


@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True), st.sampled_from("bcde")),
        min_size=1,
        max_size=6,
        unique_by=lambda spend: (tuple(spend[0]), spend[1]),
    )
)
def test_whatever_conflicts_with_what_no_two_rivals_are_built_and_something_always_is(
    spends: list[tuple[list[int], str]],
) -> None:
    view = StatedView()
    view.decided(*ASSETS)
    candidates = [transfer(*(ASSETS[i] for i in which), to=to) for which, to in spends]
    choice = chosen(view, *candidates)
    assert not [pair for pair in combinations(built(choice), 2) if set(pair[0].inputs) & set(pair[1].inputs)]
    assert min(candidates, key=lambda t: t.id) in built(choice)
    assert len(choice.build) + len(choice.blocked) == len(candidates)


# --- room --------------------------------------------------------------------------------------------------


def test_a_block_takes_a_thousand_and_leaves_the_others(view: StatedView) -> None:
    candidates = [create(f"{i}") for i in range(MAX_TRANSACTIONS + 2)]
    view.verified.update(t.hash for t in candidates)
    choice = chosen(view, *candidates)
    assert built(choice) == candidates[:MAX_TRANSACTIONS]
    assert choice.left == candidates[MAX_TRANSACTIONS:]


def test_a_block_takes_4_mebibytes_and_leaves_what_is_larger_than_the_rest(view: StatedView) -> None:
    large = [create(f"large {i}", size_bytes=MAX_BYTES // 3) for i in range(3)]
    choice = chosen(view, *large, CAR)
    assert built(choice) == [*large[:2], CAR]
    assert choice.left == [large[2]]


@pytest.mark.parametrize(
    ("tried", "most"), [([], 12), ([1000], 12), ([20], 10), ([20, 10], 5), ([10, 20], 5), ([3], 1), ([2], 1), ([1], 1)]
)
def test_at_each_further_try_a_transaction_goes_into_a_block_at_most_half_as_large(
    view: StatedView, tried: list[int], most: int
) -> None:
    first, *others = [create(f"{i}") for i in range(12)]
    for i, size in enumerate(tried):
        view.stand(block_id(f"try {i}"), first, verdict=False)
        view.large[block_id(f"try {i}")] = size
    choice = chosen(view, first, *others)
    assert built(choice) == [first, *others][:most]


def test_a_block_that_is_not_there_any_more_was_no_larger_than_a_block_may_be(view: StatedView) -> None:
    candidates = [create(f"{i}") for i in range(MAX_TRANSACTIONS // 2 + 1)]
    view.verified.update(t.hash for t in candidates)
    view.stand(block_id("gone"), candidates[0], verdict=False)
    assert built(chosen(view, *candidates)) == candidates[:-1]


def test_what_was_tried_often_is_left_when_the_block_is_larger_already(view: StatedView) -> None:
    *others, last = [create(f"{i}") for i in range(12)]
    view.stand(block_id("try"), last, verdict=False)
    view.large[block_id("try")] = 22
    choice = chosen(view, *others, last)
    assert built(choice) == others
    assert choice.left == [last]


# --- whose turn it is --------------------------------------------------------------------------------------


def test_rivals_meet_at_one_builder() -> None:
    assert assignee(transfer(BOAT), FEDERATION) == assignee(transfer(BOAT, to="carol"), FEDERATION)
    assert assignee(transfer(BOAT), FEDERATION) == assignee(transfer(BOAT, CAR), FEDERATION)


def test_every_member_gets_its_share_in_whatever_order_the_members_are_named() -> None:
    creates = [create(f"{i}") for i in range(60)]
    assert {assignee(t, FEDERATION) for t in creates} == set(FEDERATION)
    assert [assignee(t, FEDERATION) for t in creates] == [assignee(t, FEDERATION[::-1]) for t in creates]


def test_who_comes_next_if_the_assignee_does_not_build_is_known_to_all() -> None:
    for transaction in (create(f"asset {n}") for n in range(20)):
        turns = {turn(transaction, FEDERATION[::-1], member): member for member in FEDERATION}
        assert sorted(turns) == [0, 1, 2]
        assert turns[0] == assignee(transaction, FEDERATION)
