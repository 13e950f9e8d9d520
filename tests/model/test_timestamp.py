"""Unix seconds with exactly six decimals, as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.model.timestamp import format_timestamp, is_timestamp, microseconds

YEAR_5000_MICROSECONDS = 95_617_584_000_000_000


@pytest.mark.parametrize("text", ["0.000000", "1460981667.449279", "1.000001", "99999999999.999999"])
def test_a_timestamp(text: str) -> None:
    assert is_timestamp(text)


@pytest.mark.parametrize(
    "value",
    [
        "1460981667",
        "1460981667.44927",
        "1460981667.4492790",
        "01.000000",
        "-1.000000",
        "+1.000000",
        " 1.000000",
        "1.000000\n",
        "1,000000",
        "1e9.000000",
        "nan",
        "١.000000",  # noqa: RUF001 - a digit, but not one of ours
        "100000000000.000000",
        "",
        1460981667.449279,
        1460981667,
        None,
        ["1.000000"],
    ],
)
def test_no_timestamp(value: object) -> None:
    assert not is_timestamp(value)


@given(st.integers(0, YEAR_5000_MICROSECONDS))
def test_microseconds_count_what_the_text_says(count: int) -> None:
    text = f"{count // 1_000_000}.{count % 1_000_000:06d}"
    assert is_timestamp(text)
    assert microseconds(text) == count


@given(st.floats(0, 4e9))
def test_a_formatted_time_is_a_timestamp_within_a_microsecond(seconds: float) -> None:
    text = format_timestamp(seconds)
    assert is_timestamp(text)
    assert abs(float(text) - seconds) < 1e-6
