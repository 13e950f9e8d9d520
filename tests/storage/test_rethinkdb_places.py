"""Places order what RethinkDB keeps in no order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.exceptions import InvalidValue
from bigchaindb.storage.rethinkdb_places import (
    PER_MILLISECOND,
    PLACE_DIGITS,
    Places,
    end_of,
    gathered,
    moment,
    named,
    nth,
    place_of,
    spread,
)

NOW_SECONDS = 1_800_000_000.0

counts = st.lists(st.integers(0, 5_000), min_size=2, max_size=20)
# Up to the year 2255.
some_places = st.integers(0, 9 * 10**15 - 1)


@given(counts)
def test_the_places_of_a_connection_only_grow(counts: list[int]) -> None:
    places = Places(NOW_SECONDS)
    end = 0
    for count in counts:
        first = places.take(count)
        assert first >= end
        assert first % PER_MILLISECOND == 0
        end = first + count


def test_places_are_of_the_time_of_the_server() -> None:
    now = NOW_SECONDS * 1_000 * PER_MILLISECOND
    assert now <= Places(NOW_SECONDS).take(1) < now + 3_600 * 1_000 * PER_MILLISECOND


@given(st.floats(-1e6, 1e6))
def test_a_clock_that_is_set_back_gives_no_place_twice(seconds: float) -> None:
    places = Places(NOW_SECONDS)
    before = places.take(1)
    places.learn(NOW_SECONDS + seconds)
    assert places.take(1) > before


def test_a_place_is_later_than_the_latest_of_somebody_whose_clock_is_ahead() -> None:
    ahead = Places(NOW_SECONDS + 300).take(1_500)
    behind = Places(NOW_SECONDS)
    behind.learn(NOW_SECONDS, ahead + 1_499)
    assert behind.take(1) > ahead + 1_499


@given(some_places, some_places)
def test_keys_have_the_order_of_places(one: int, other: int) -> None:
    assert ((moment(one), nth(one)) < (moment(other), nth(other))) == (one < other)
    assert (named(one, "") < named(other, "")) == (one < other)
    assert one <= end_of(moment(one)) < one + PER_MILLISECOND


@pytest.mark.parametrize("odd", [None, 7, "", "x" * 13, "1" * 12, "1" * 14, "9" * 13])
def test_what_is_no_moment_is_before_all(odd: object) -> None:
    assert end_of(odd) == 0


@given(some_places, st.text(st.characters(exclude_characters="\x00"), max_size=40))
def test_a_named_place_is_a_cursor(place: int, name: str) -> None:
    assert place_of(named(place, name)) == named(place, name)


def test_without_a_cursor_everything_is_behind() -> None:
    assert place_of(None) <= named(0, "")


@pytest.mark.parametrize(
    "cursor", ["", "1", "1" * 16, "1" * 17 + "-", "1" * 16 + "-" + "x" * 21, "1" * 16 + "-\x00", 5]
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidValue, match="cursor"):
        place_of(cursor)


def test_to_look_at_the_clock_takes_no_place() -> None:
    places = Places(NOW_SECONDS)
    taken = places.take(1)
    before = places.now()
    for _ in range(5_000):
        assert places.now() < taken + 1_000 * PER_MILLISECOND
    assert before <= places.now()


@pytest.mark.parametrize("ahead_seconds", [3e6, 7e9])
def test_nobody_can_bring_all_places_to_an_end(ahead_seconds: float) -> None:
    junk = Places(NOW_SECONDS + ahead_seconds).take(1)
    places = Places(NOW_SECONDS)
    before = places.take(1)
    places.learn(NOW_SECONDS, junk)
    assert before < places.take(1) < junk


@given(st.integers(0, 10**16 - 1))
def test_what_is_spread_is_gathered_again(place: int) -> None:
    assert gathered(spread(place)) == place
    assert len(spread(place)) == PLACE_DIGITS


def test_what_came_together_lies_together_and_what_comes_next_lies_elsewhere() -> None:
    tenth = 100 * PER_MILLISECOND
    first = 12_345_678_901 * 10**5
    one = [spread(place) for place in range(first, first + tenth, 777)]
    assert one == sorted(one)
    assert {key[0] for key in one} == {one[0][0]}
    assert len({spread(first + each * tenth)[0] for each in range(10)}) == 10
