"""Points in time are exact decimals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.cryptoconditions.deadline import microseconds
from bigchaindb.exceptions import ConditionError

MALFORMED = [
    "",
    "1460981667.",
    ".5",
    "1460981667.4492791",  # seven decimals
    "-1",
    "+1",
    "1e9",
    " 1460981667",
    "1460981667\n",
    "1_460_981_667",
    "\u0661460981667",  # an Arabic-Indic digit
    "1" * 13,
    "1" * 10_000,
    1460981667,
    1460981667.5,
    None,
    b"1460981667",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1460981667", 1_460_981_667_000_000),
        ("1460981667.4", 1_460_981_667_400_000),
        ("1460981667.449279", 1_460_981_667_449_279),
        ("0000000001.000001", 1_000_001),
        ("999999999999.999999", 999_999_999_999_999_999),
    ],
)
def test_a_time_is_a_number_of_microseconds(text: str, expected: int) -> None:
    assert microseconds(text) == expected


@given(st.integers(0, 10**16))
def test_no_digit_is_lost(number: int) -> None:
    assert microseconds(f"{number // 10**6}.{number % 10**6:06}") == number


@pytest.mark.parametrize("text", MALFORMED)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConditionError, match=r"^now: "):
        microseconds(text)
