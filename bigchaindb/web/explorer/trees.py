"""A condition drawn as a tree: wide, with what a node rests upon to the right of it, or narrow, with that beneath it.

Invariants:

- Siblings keep their order.  Wide: no two leaves share a row, and a node stands beside the first of what it rests upon,
  so the root is on top, however many leaves there are.  Narrow: every node has a row, indented as deep as it stands.
- The drawing is for eyes only (`aria-hidden`): the words that go with it are the page's to print.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from bigchaindb.web.explorer import svg
from bigchaindb.web.explorer.conditions import Branch, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from markupsafe import Markup

__all__ = ["narrow_tree", "wide_tree"]

_ROW: Final = 44.0
_BOX_HEIGHT: Final = 32.0
_GAP: Final = 44.0
_INDENT: Final = 24.0
_STEM: Final = 14.0
_ROUNDING: Final = 6.0
_PADDING: Final = 12.0
_ICON: Final = 24.0
_LETTER: Final = 7.9
_EDGE: Final = 1.0
_TIMES: Final = "\N{MULTIPLICATION SIGN}"

_ICONS: Final = {
    Kind.KEY: "M7.7 8a2.6 2.6 0 1 1-5.2 0 2.6 2.6 0 0 1 5.2 0zM7.7 8h6M11 8v2.3M13.7 8v1.9",
    Kind.SECRET: "M3.5 7.5h9v6h-9zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5M8 10v1.5",
    Kind.DEADLINE: "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11zM8 5v3.2l2.2 1.3",
    Kind.WAIT: "M4.5 2.5h7M4.5 13.5h7M5.5 2.5c0 3 5 3.5 5 5.5s-5 2.5-5 5.5M10.5 2.5c0 3-5 3.5-5 5.5s5 2.5 5 5.5",
    Kind.THRESHOLD: "M3 8h3M6 8c3 0 2-4 6-4M6 8h6M6 8c3 0 2 4 6 4",
    Kind.PREFIX: "M3 4.5h10M3 8h6M3 11.5h8",
    Kind.SEALED: "M4 4h8v8H4zM4 4l8 8M12 4l-8 8",
}


class _Placed:
    """A branch with its place in the drawing: the left end of its box, and the middle of its height."""

    def __init__(self, branch: Branch, x: float) -> None:
        self.branch = branch
        self.x = x
        self.y = 0.0
        self.width = _PADDING * 2 + _ICON + len(_label(branch)) * _LETTER
        self.beneath: list[_Placed] = []

    def walk(self) -> Iterator[_Placed]:
        yield self
        for sub in self.beneath:
            yield from sub.walk()


def wide_tree(root: Branch, owners_url: str) -> Markup:
    """Draw a condition from left to right.

    Args:
        root: what it asks for.
        owners_url: where the pages of owners are; a key's page is its name behind it.
    """
    placed = _place_wide(root, _EDGE, itertools.count())
    return _drawn(placed, "tree wide", _fork, owners_url)


def narrow_tree(root: Branch, owners_url: str) -> Markup:
    """Draw a condition from top to bottom; arguments as those of `wide_tree`."""
    placed = _place_narrow(root, _EDGE, itertools.count())
    return _drawn(placed, "tree narrow", _elbow, owners_url)


def _place_wide(branch: Branch, x: float, rows: Iterator[int]) -> _Placed:
    placed = _Placed(branch, x)
    placed.beneath = [_place_wide(sub, x + placed.width + _GAP, rows) for sub in branch.beneath]
    placed.y = placed.beneath[0].y if placed.beneath else next(rows) * _ROW + _ROW / 2
    return placed


def _place_narrow(branch: Branch, x: float, rows: Iterator[int]) -> _Placed:
    placed = _Placed(branch, x)
    placed.y = next(rows) * _ROW + _ROW / 2
    placed.beneath = [_place_narrow(sub, x + _INDENT, rows) for sub in branch.beneath]
    return placed


def _drawn(root: _Placed, css: str, edge: Callable[[_Placed, _Placed], Markup], owners_url: str) -> Markup:
    nodes = list(root.walk())
    width = max(node.x + node.width for node in nodes) + _EDGE
    height = max(node.y for node in nodes) + _ROW / 2
    edges = [edge(node, sub) for node in nodes for sub in node.beneath]
    boxes = [_box(node, owners_url) for node in nodes]
    return svg.picture(width, height, css, [*edges, *boxes], aria_hidden="true", focusable="false")


def _fork(above: _Placed, below: _Placed) -> Markup:
    start = above.x + above.width
    if above.y == below.y:
        return svg.path(f"M{svg.number(start)} {svg.number(above.y)}H{svg.number(below.x)}", "edge")
    return _bend(start + _GAP / 2, above.y, below)


def _elbow(above: _Placed, below: _Placed) -> Markup:
    return _bend(above.x + _STEM, above.y + _BOX_HEIGHT / 2, below)


def _bend(x: float, start: float, below: _Placed) -> Markup:
    x1, xc, x2, y1, yc, y2 = (
        svg.number(value) for value in (x, x + _ROUNDING, below.x, start, below.y - _ROUNDING, below.y)
    )
    return svg.path(f"M{x1} {y1}V{yc}Q{x1} {y2} {xc} {y2}H{x2}", "edge")


def _label(branch: Branch) -> str:
    return branch.label if branch.weight == 1 else f"{_TIMES}{branch.weight:,} {branch.label}"


def _box(node: _Placed, owners_url: str) -> Markup:
    branch = node.branch
    top = node.y - _BOX_HEIGHT / 2
    size = {"x": node.x, "y": top, "width": node.width, "height": _BOX_HEIGHT, "rx": _BOX_HEIGHT / 2}
    icon = svg.element(
        "g",
        {"transform": f"translate({svg.number(node.x + _PADDING)} {svg.number(node.y - 8)})"},
        [svg.path(_ICONS[branch.kind], "icon")],
    )
    inside = [
        svg.element("title", {}, [branch.words]),
        svg.element("rect", {**size, "class": "box"}),
        icon,
        svg.text(_label(branch), node.x + _PADDING + _ICON, node.y + 4.5, "label"),
    ]
    drawn = svg.element("g", {"class": "node inner" if branch.beneath else "node"}, inside)
    if branch.key is None:
        return drawn
    # The words beside the drawing have the same link: nobody has to tab through both.
    return svg.element("a", {"href": f"{owners_url}{branch.key}", "tabindex": "-1"}, [drawn])
