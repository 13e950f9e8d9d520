"""The table that chooses subs, against twins that try everything."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.cryptoconditions import choices as module
from bigchaindb.cryptoconditions.choices import Choice, best_gain, best_walk

if TYPE_CHECKING:
    from collections.abc import Sequence

WEIGHTS = st.one_of(st.integers(1, 3), st.integers(1, 40), st.just(10**12))
CHOICES = st.lists(st.tuples(WEIGHTS, st.integers(-60, 90), st.integers(-50, 50)), min_size=1, max_size=9)


def naive_walk(choices: Sequence[Choice], threshold: int) -> tuple[int, list[int]] | None:
    """Try keeping and omitting each sub, as the format words it; None where the threshold is out of reach."""
    if threshold <= 0:
        return 0, []
    if not choices:
        return None
    weight, keep, omit = choices[0]
    outcomes = []
    # Omitting comes first: on a tie, `max` takes the first.
    for gain, missing, kept in (omit, threshold, []), (keep, threshold - weight, [0]):
        rest = naive_walk(choices[1:], missing)
        if rest is not None:
            outcomes.append((gain + rest[0], kept + [i + 1 for i in rest[1]]))
    return max(outcomes, key=lambda outcome: outcome[0], default=None)


def naive_worst_case(choices: Sequence[Choice], threshold: int) -> int:
    """Try all sets of subs that suffice and of which none can be left out."""
    return max(
        sum(gain for _, gain, _ in kept)
        for size in range(1, len(choices) + 1)
        for kept in itertools.combinations(choices, size)
        if 0 <= sum(weight for weight, _, _ in kept) - threshold < min(weight for weight, _, _ in kept)
    )


# 0: whole rows from the first sub on; 1: they begin where two values can be met; 100: never.
@pytest.mark.parametrize("few", [0, 1, 8, 100])
@given(choices=CHOICES, data=st.data())
def test_the_table_finds_what_trying_everything_finds(few: int, choices: list[Choice], data: st.DataObject) -> None:
    total = min(60, sum(weight for weight, _, _ in choices))
    threshold = data.draw(st.integers(1, total))
    expected = naive_walk(choices, threshold)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEW", few)
        assert (best_gain(choices, threshold), best_walk(choices, threshold)) == expected


@pytest.mark.parametrize("few", [0, 8])
@given(subs=st.lists(st.tuples(st.integers(1, 12), st.integers(-36, 200)), min_size=1, max_size=9), data=st.data())
def test_by_descending_weight_the_walks_are_the_minimal_sets(
    few: int, subs: list[tuple[int, int]], data: st.DataObject
) -> None:
    choices = [(weight, gain, 0) for weight, gain in sorted(subs, reverse=True)]
    threshold = data.draw(st.integers(1, sum(weight for weight, _ in subs)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEW", few)
        assert best_gain(choices, threshold) == naive_worst_case(choices, threshold)


def test_on_a_tie_the_earlier_sub_is_omitted() -> None:
    assert best_walk([(1, 5, 0), (1, 5, 0), (1, 5, 0)], 1) == [2]
    assert best_walk([(1, 5, 0), (1, 5, 0), (1, 5, 0)], 2) == [1, 2]


def test_nothing_is_omitted_where_all_are_needed() -> None:
    assert best_walk([(1, -100, 0)] * 256, 256) == list(range(256))


@pytest.mark.parametrize(("count", "threshold"), [(511, 128), (256, 256), (128, 512), (16, 4096)])
def test_the_largest_tables_find_a_choice_that_suffices(count: int, threshold: int) -> None:
    choices = [(1 + i * 7919 % 1000, i * 104_729 % 61, -(i % 3)) for i in range(count)]
    kept = best_walk(choices, threshold)
    weights = [choices[i][0] for i in kept]
    assert sum(weights) >= threshold > sum(weights[:-1])
