"""Drawings are well formed, whatever goes into them, and tell what they were given."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from bigchaindb.web.explorer import svg
from bigchaindb.web.explorer.drawing import TONES, Span, bar_chart, span_chart, top_of_scale

if TYPE_CHECKING:
    from collections.abc import Sequence

HOSTILE = "\"'><script>alert(1)</script>&lt;\u202e"
# What XML can hold at all; `texts.visible` sees to the rest.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))
COUNTS = st.lists(st.floats(0, 1e9), max_size=70)


def parsed(drawing: Markup) -> ET.Element:
    return ET.fromstring(str(drawing))  # noqa: S314 - our own drawing


def rects(drawing: Markup, css: str) -> list[ET.Element]:
    return [found for found in parsed(drawing).iter("rect") if css in found.attrib["class"].split()]


# --- elements ----------------------------------------------------------------------------------------------


@given(TEXT, TEXT)
def test_text_and_attributes_come_out_as_they_went_in(attribute: str, text: str) -> None:
    found = parsed(svg.element("g", {"class": attribute}, [text]))
    # XML makes line ends and tabs in attributes spaces; no attribute of a drawing has any.
    assert found.attrib["class"].split() == attribute.split()
    assert (found.text or "") == text
    assert len(found) == 0


def test_only_what_was_made_here_goes_in_unescaped() -> None:
    inner = svg.text(HOSTILE, 1, 2, "label", text_anchor="end")
    outer = svg.element("g", {}, [inner, HOSTILE])
    assert isinstance(outer, Markup)
    assert "<script" not in outer
    assert parsed(outer)[0].attrib == {"x": "1", "y": "2", "class": "label", "text-anchor": "end"}


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.1 + 0.2, "0.3"), (-2.345, "-2.35"), (100.0, "100"), (0, "0")]
)
def test_coordinates_are_short(value: float, text: str) -> None:
    assert svg.number(value) == text


# --- bars --------------------------------------------------------------------------------------------------


@given(st.floats(0, 1e15))
def test_the_top_of_a_scale_is_round_and_near(highest: float) -> None:
    top = top_of_scale(highest)
    assert highest <= top <= max(4, 2 * highest)
    assert len(f"{top:.0f}".rstrip("0")) == 1


@given(COUNTS)
def test_a_bar_stands_for_every_count(counts: Sequence[float]) -> None:
    top = top_of_scale(max(counts, default=0))
    bars = rects(bar_chart(counts, top), "bar")
    assert len(bars) == sum(count > 0 for count in counts)
    for bar, count in zip(bars, [count for count in counts if count > 0], strict=True):
        height = float(bar.attrib["height"])
        assert float(bar.attrib["y"]) + height == pytest.approx(160, abs=0.02)
        assert height == pytest.approx(max(2, 160 * count / top), abs=0.02)


def test_bars_stand_in_their_order() -> None:
    places = [float(bar.attrib["x"]) for bar in rects(bar_chart([1, 0, 2, 3], 4), "bar")]
    assert places == sorted(places)
    assert all(0 <= place < 1000 for place in places)


# --- spans -------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1e9), max_size=60))
def test_spans_fill_the_chart_and_none_is_too_short_to_be_seen(lengths: Sequence[float]) -> None:
    spans = []
    start = 0.0
    for number, length in enumerate(lengths):
        spans.append(Span(start, start + length, number, HOSTILE))
        start += length
    drawn = rects(span_chart(spans), "span")
    assert len(drawn) == len(lengths)
    end = 0.0
    for rect in drawn:
        assert float(rect.attrib["x"]) == pytest.approx(end, abs=0.05)
        assert float(rect.attrib["width"]) >= 5.9
        end += float(rect.attrib["width"])
    if lengths:
        assert end == pytest.approx(1000, abs=1)


def test_longer_spans_are_longer_and_looks_begin_anew_when_they_run_out() -> None:
    drawn = rects(span_chart([Span(0, 10, 0, "a"), Span(10, 40, TONES, "b")]), "span")
    assert float(drawn[1].attrib["width"]) > 2.5 * float(drawn[0].attrib["width"])
    assert {rect.attrib["class"] for rect in drawn} == {"span tone-0"}
