from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.client.patience import Patience, retry_after_seconds
from bigchaindb.exceptions import InvalidValue

seconds = st.floats(0, 1e6)


def pauses(patience: Patience, chance: float, asked_seconds: float = 0.0) -> list[float]:
    """How long is waited after each failure until nothing more is tried."""
    waited: list[float] = []
    while (pause := patience.pause_seconds(len(waited) + 1, sum(waited), chance, asked_seconds)) is not None:
        waited.append(pause)
    return waited


def test_pauses_double_up_to_the_longest() -> None:
    patience = Patience(attempts=6, first_pause_seconds=1, longest_pause_seconds=5, total_pause_seconds=100)
    assert pauses(patience, 1.0) == [1, 2, 4, 5, 5]
    assert pauses(patience, 0.0) == [0.5, 1, 2, 2.5, 2.5]


def test_who_has_waited_too_long_gives_up() -> None:
    patience = Patience(attempts=6, first_pause_seconds=1, longest_pause_seconds=5, total_pause_seconds=7)
    assert pauses(patience, 1.0) == [1, 2, 4]


def test_one_attempt_is_no_patience() -> None:
    assert pauses(Patience(attempts=1), 1.0) == []


def test_a_node_is_given_the_time_it_asks_for() -> None:
    patience = Patience(attempts=3, first_pause_seconds=1, longest_pause_seconds=5, total_pause_seconds=100)
    assert pauses(patience, 1.0, 10.0) == [11, 12]
    assert pauses(patience, 1.0, 1000.0) == []


@given(
    st.builds(Patience, st.integers(1, 200), seconds, seconds, seconds),
    st.floats(0, 1),
    st.one_of(st.just(0.0), seconds),
)
def test_whatever_is_set_it_ends(patience: Patience, chance: float, asked_seconds: float) -> None:
    waited = pauses(patience, chance, asked_seconds)
    assert len(waited) < patience.attempts
    assert math.fsum(waited) <= patience.total_pause_seconds * 1.001
    assert all(pause >= asked_seconds for pause in waited)


@pytest.mark.parametrize(
    "setting",
    [
        {"attempts": 0},
        {"first_pause_seconds": -1.0},
        {"longest_pause_seconds": math.nan},
        {"total_pause_seconds": -0.1},
    ],
)
def test_what_is_no_patience_is_refused_by_name(setting: dict[str, float]) -> None:
    (name,) = setting
    with pytest.raises(InvalidValue, match=name):
        Patience(**setting)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        (None, 0.0),
        ("0", 0.0),
        (" 17 ", 17.0),
        ("1.5", 0.0),
        ("-1", 0.0),
        ("9999999", 0.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        ("", 0.0),
    ],
)
def test_a_time_to_wait_is_a_number_of_seconds(header: str | None, asked: float) -> None:
    assert retry_after_seconds(header) == asked
