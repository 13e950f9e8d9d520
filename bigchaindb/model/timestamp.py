"""Timestamps: Unix seconds with exactly six decimals, as text (design.md section 1).

Invariants:

- A timestamp has one text, so texts of equal times are equal.
- No clock is read here.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["format_timestamp", "is_timestamp", "microseconds"]

_TIMESTAMP: Final = re.compile(r"(?:0|[1-9][0-9]{0,10})\.[0-9]{6}")


def is_timestamp(value: object) -> bool:
    """Tell whether a value is a timestamp as this ledger writes them."""
    return isinstance(value, str) and _TIMESTAMP.fullmatch(value) is not None


def format_timestamp(seconds: float) -> str:
    """Write a number of Unix seconds (not negative) as a timestamp."""
    return f"{seconds:.6f}"


def microseconds(timestamp: str) -> int:
    """Return a timestamp as whole microseconds, which compare exactly."""
    return int(timestamp.replace(".", ""))
