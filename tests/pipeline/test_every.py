"""What is done now and then."""

from __future__ import annotations

import pytest

from bigchaindb.pipeline.every import Every


def due_at(every: Every, *times: float) -> list[float]:
    """At which of these times it is due."""
    return [time for time in times if every.is_due(time)]


def test_it_is_due_at_once_and_then_after_each_pause() -> None:
    assert due_at(Every(10.0), 100.0, 105.0, 109.0, 110.0, 119.0, 125.0) == [100.0, 110.0, 125.0]


def test_a_clock_that_was_set_back_makes_it_due() -> None:
    assert due_at(Every(10.0), 100.0, 50.0, 55.0, 60.0) == [100.0, 50.0, 60.0]


@pytest.mark.parametrize(("took", "pause"), [(0.0, 10.0), (1.0, 10.0), (3.0, 30.0), (1e6, 60.0), (-5.0, 10.0)])
def test_what_took_long_is_put_off_but_not_for_ever(took: float, pause: float) -> None:
    every = Every(10.0)
    assert every.is_due(100.0)
    every.took(took, 0.1)
    assert due_at(every, 100.0 + pause - 0.1, 100.0 + pause) == [100.0 + pause]
    # The next time it is as quick as ever until it is said to be slow again.
    assert due_at(every, 100.0 + pause + 9.0, 100.0 + pause + 10.0) == [100.0 + pause + 10.0]
