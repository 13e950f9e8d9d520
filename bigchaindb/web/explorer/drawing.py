"""Charts: what happened when, drawn (SVG).

Invariants:

- A chart has no text: what it tells is printed beside it, for everybody, and so it may be stretched to any width.
- Values from outside only ever become numbers, or text that `svg` escapes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from bigchaindb.web.explorer import svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

__all__ = ["TONES", "Ballot", "Span", "bar_chart", "span_chart", "top_of_scale"]

_WIDTH: Final = 1000.0
_BARS_HEIGHT: Final = 160.0
_LEAST_BAR: Final = 2.0
_SPANS_HEIGHT: Final = 24.0
_LEAST_SPAN: Final = 6.0
_GRID_LINES: Final = 4
_ROUND: Final = (1, 2, 3, 4, 5, 6, 8, 10)
TONES: Final = 6


class Ballot(StrEnum):
    """What a member did about a block."""

    YES = "yes"
    NO = "no"
    SILENT = "silent"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Span:
    """Some time in somebody's hands.

    Attributes:
        start: Unix seconds.
        end: Unix seconds, not before `start`.
        tone: which of `TONES` looks it has.
        label: what is told of it when pointed at.
    """

    start: float
    end: float
    tone: int
    label: str


def top_of_scale(highest: float) -> float:
    """Return a round number that is not below the highest value, and at least 4: one digit and zeros."""
    power = 10.0 ** max(0, math.ceil(math.log10(max(highest, 1.0))) - 1)
    return next(factor * power for factor in _ROUND if factor * power >= highest and factor * power >= _GRID_LINES)


def bar_chart(values: Sequence[float], top: float, **attributes: str) -> Markup:
    """Draw values over time as bars, which touch the top of the chart at `top`."""
    step = _WIDTH / max(len(values), 1)
    lines = [
        svg.path(f"M0 {svg.number(y)}H{svg.number(_WIDTH)}", "grid")
        for y in (_BARS_HEIGHT * line / _GRID_LINES for line in range(_GRID_LINES))
    ]
    bars = []
    for i, value in enumerate(values):
        if value <= 0:
            continue
        height = min(_BARS_HEIGHT, max(_LEAST_BAR, value / top * _BARS_HEIGHT))
        place = {"x": i * step + step * 0.14, "y": _BARS_HEIGHT - height, "width": step * 0.72, "height": height}
        bars.append(svg.element("rect", {**place, "class": "bar"}))
    base = svg.path(f"M0 {svg.number(_BARS_HEIGHT)}H{svg.number(_WIDTH)}", "base")
    return _stretched(_BARS_HEIGHT, "bars", [*lines, *bars, base], **attributes)


def span_chart(spans: Sequence[Span], **attributes: str) -> Markup:
    """Draw spans of time, one behind the other, each as long as it lasted, but none too short to be seen."""
    total = sum(span.end - span.start for span in spans)
    room = max(0.0, _WIDTH - _LEAST_SPAN * len(spans))
    least = min(_LEAST_SPAN, _WIDTH / max(len(spans), 1))
    x = 0.0
    drawn = []
    for span in spans:
        share = (span.end - span.start) / total if total > 0 else 1 / len(spans)
        width = least + room * share
        place: dict[str, str | float] = {
            "x": x,
            "y": 0,
            "width": width,
            "height": _SPANS_HEIGHT,
            "class": f"span tone-{span.tone % TONES}",
        }
        drawn.append(svg.element("rect", place, [svg.element("title", {}, [span.label])]))
        x += width
    return _stretched(_SPANS_HEIGHT, "spans", drawn, **attributes)


def _stretched(height: float, css: str, children: Sequence[str], **attributes: str) -> Markup:
    return svg.picture(_WIDTH, height, css, children, preserveAspectRatio="none", **attributes)
