"""From marks in a log to counts per stretch of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.node.chronicle import Mark
from bigchaindb.web.explorer.pace import WINDOWS, count_per_stretch, window_end

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.web.explorer.pace import Window


@st.composite
def logs(draw: st.DrawFn) -> list[Mark]:
    """A log of which some marks are left out, between 0 and 1000 seconds."""
    marks = []
    sequence, at, transactions = 0, 0.0, 0
    for _ in range(draw(st.integers(0, 20))):
        sequence += draw(st.integers(1, 3))
        at += draw(st.floats(0, 50))
        transactions += draw(st.integers(0, 1000))
        marks.append(Mark(sequence, at, transactions))
    return marks


@given(logs())
def test_the_stretches_add_up_to_what_the_marks_say(marks: Sequence[Mark]) -> None:
    counts = count_per_stretch(marks, 0.0, 10, 200)
    begun = (marks[0].transactions if marks[0].sequence > 1 else 0) if marks else 0
    told = (marks[-1].transactions if marks else 0) - begun
    assert sum(counts) == pytest.approx(told)
    assert all(count >= 0 for count in counts)


def test_decisions_in_a_row_count_when_they_were_made() -> None:
    marks = [Mark(1, 5.0, 3), Mark(2, 9.0, 4), Mark(3, 25.0, 14)]
    assert count_per_stretch(marks, 0.0, 10, 3) == [4, 0, 10]
    assert count_per_stretch(marks[1:], 0.0, 10, 3) == [0, 0, 10]
    assert count_per_stretch(marks, 20.0, 10, 3) == [10, 0, 0]


def test_between_samples_counts_are_spread_evenly() -> None:
    assert count_per_stretch([Mark(10, 5.0, 0), Mark(20, 25.0, 40)], 0.0, 10, 3) == pytest.approx([10, 20, 10])
    assert count_per_stretch([Mark(10, -10.0, 0), Mark(20, 10.0, 40)], 0.0, 10, 1) == pytest.approx([20])
    assert count_per_stretch([Mark(10, 5.0, 0), Mark(20, 5.0, 40)], 0.0, 10, 1) == [40]


@pytest.mark.parametrize("window", WINDOWS.values(), ids=lambda window: window.name)
def test_windows_end_with_the_stretch_of_now_and_rows_share_them_out(window: Window) -> None:
    end = window_end(window, 1_700_000_001.5)
    assert end % window.stretch_seconds == 0
    assert 0 < end - 1_700_000_001.5 <= window.stretch_seconds
    assert window_end(window, float(end)) == end + window.stretch_seconds
    assert window.stretches % window.stretches_per_row == 0
