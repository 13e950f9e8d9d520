"""From marks in a log to how many transactions were decided valid in each stretch of time.

Invariants:

- The stretches add up to what the marks say for the whole window.
- Stretches begin at whole multiples of their length, so a bar stays the same bar while time goes on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bigchaindb.node.chronicle import Mark

__all__ = ["WINDOWS", "Window", "count_per_stretch", "window_end"]


@dataclass(frozen=True, slots=True)
class Window:
    """How far back a chart looks.

    Attributes:
        name: how it is called in an address.
        title: how it is called on the page, as in "the last hour".
        stretch_title: how what a bar stands for is called, as in "the best minute".
        stretch_seconds: how much time a bar stands for.
        stretches: how many bars.
        stretches_per_row: how many bars make a row of the table.
    """

    name: str
    title: str
    stretch_title: str
    stretch_seconds: int
    stretches: int
    stretches_per_row: int

    @property
    def seconds(self) -> int:
        """How much time it covers."""
        return self.stretch_seconds * self.stretches


WINDOWS: Final[Mapping[str, Window]] = {
    window.name: window
    for window in (
        Window("10m", "10 minutes", "10 seconds", 10, 60, 6),
        Window("1h", "hour", "minute", 60, 60, 5),
        Window("1d", "day", "half hour", 1800, 48, 4),
    )
}


def window_end(window: Window, now: float) -> int:
    """Return when the stretch of now ends, Unix seconds."""
    return (math.floor(now / window.stretch_seconds) + 1) * window.stretch_seconds


def count_per_stretch(marks: Sequence[Mark], start: float, stretch_seconds: float, stretches: int) -> list[float]:
    """Return how many transactions fell into each stretch from `start` on.

    What lies between two decisions in a row was decided at the later one; what lies between two samples of a longer
    log is spread evenly over the time between them.

    Args:
        marks: of a log, oldest first.
        start: Unix seconds.
        stretch_seconds: length of a stretch.
        stretches: how many.
    """
    counts = [0.0] * stretches
    if marks and marks[0].sequence == 1:
        _add(counts, marks[0].transactions, marks[0].at - start, marks[0].at - start, stretch_seconds)
    for before, after in pairwise(marks):
        begin = after.at if after.sequence == before.sequence + 1 else before.at
        _add(counts, after.transactions - before.transactions, begin - start, after.at - start, stretch_seconds)
    return counts


def _add(counts: list[float], amount: float, begin: float, end: float, stretch_seconds: float) -> None:
    """Spread an amount over the time from `begin` to `end`; what lies outside all stretches is left out."""
    if end <= begin:
        index = math.floor(begin / stretch_seconds)
        if 0 <= index < len(counts):
            counts[index] += amount
        return
    first = max(0, math.floor(begin / stretch_seconds))
    last = min(len(counts) - 1, math.floor(end / stretch_seconds))
    for index in range(first, last + 1):
        inside = min(end, (index + 1) * stretch_seconds) - max(begin, index * stretch_seconds)
        counts[index] += amount * max(0.0, inside) / (end - begin)
