"""Texts for people: what cannot be seen is shown, JSON stays what it is, times are told in words."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bigchaindb import canonical
from bigchaindb.web.explorer import texts

ANY_TEXT = st.text(st.characters())
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    # JSON has a place for every character but lone surrogates, which nothing canonical holds.
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@given(ANY_TEXT)
@example("a\u202eb\u2066c\u200bd\ufeff\U000e0041")
def test_nothing_that_cannot_be_seen_is_left(text: str) -> None:
    seen = texts.visible(text)
    assert not [char for char in seen if unicodedata.category(char) in {"Cc", "Cf", "Cs"} and char not in "\n\t"]


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="\u115f\u1160\u3164\uffa0")))
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert texts.visible(text) == text


@given(VALUES)
def test_json_for_people_has_the_same_value(value: object) -> None:
    text = canonical.dumps({"value": value})
    for most in (0, 10**6):
        assert canonical.dumps(json.loads(texts.pretty_json(text, most))) == canonical.dumps(json.loads(text))


def test_json_for_people_has_lines_and_leaves_numbers_alone() -> None:
    text = '{"a":[1.0,{}],"b":{"c":[],"d":"{[,:]}\\""},"e":1e300}'
    assert texts.pretty_json(text, 1000).split("\n") == [
        "{",
        '  "a": [',
        "    1.0,",
        "    {}",
        "  ],",
        '  "b": {',
        '    "c": [],',
        '    "d": "{[,:]}\\""',
        "  },",
        '  "e": 1e300',
        "}",
    ]


def test_what_would_need_too_many_lines_stays_on_one() -> None:
    deep = "[" * 64 + ",".join("1" * 50_000) + "]" * 64
    assert texts.pretty_json(deep, 100_000) == deep


def test_a_long_text_is_cut_after_it_was_made_visible() -> None:
    assert texts.cut("short", 10) == "short"
    assert texts.cut("x" * 11, 10) == "x" * 9 + "…"
    assert texts.cut("\u202e" * 1000, 12) == "\\u202e\\u202…"
    assert texts.cut("x" * 10**6, 5) == "xxxx…"


def test_ids_in_a_text_stand_apart() -> None:
    one, two = "0" * 64, "f" * 64
    assert texts.split_ids(f"output 0 of {one} was spent by {two}") == ["output 0 of ", one, " was spent by ", two, ""]
    assert texts.split_ids(one + "0") == [one + "0"]


def test_an_id_is_known_by_its_beginning() -> None:
    assert texts.short("0123456789abcdef") == "01234567…"
    assert texts.short("short") == "short"


@pytest.mark.parametrize(
    ("timestamp", "iso", "plain"),
    [
        ("0.000000", "1970-01-01T00:00:00Z", "1 Jan 1970, 00:00:00"),
        ("1700000000.999999", "2023-11-14T22:13:20Z", "14 Nov 2023, 22:13:20"),
        ("99999999999.999999", "5138-11-16T09:46:39Z", "16 Nov 5138, 09:46:39"),
    ],
)
def test_times_are_told_in_utc(timestamp: str, iso: str, plain: str) -> None:
    assert (texts.iso_time(timestamp), texts.plain_time(timestamp)) == (iso, plain)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "less than a second"),
        (0.9, "less than a second"),
        (1, "1 s"),
        (60, "1 min"),
        (88, "1 min 28 s"),
        (3_605, "1 h"),
        (86_400 * 2 + 3_600, "2 days 1 h"),
        (31_556_952 * 1_200, "1,200 years"),
    ],
)
def test_spans_of_time_are_told_in_their_largest_units(seconds: float, words: str) -> None:
    assert texts.duration(seconds) == words


def test_a_time_is_told_from_now() -> None:
    assert texts.ago("100.000000", 190.0) == "1 min 30 s ago"
    assert texts.ago("100.000000", 100.5) == "just now"
    assert texts.ago("100.000000", 90.0) == "just now"
