"""Batches: the texts of the items, as they stand in the text of the list."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.web import batches
from bigchaindb.web.batches import split_batch
from bigchaindb.web.problems import ProblemError

MOST = 100_000
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
BLANKS = st.text(" \t\r\n", max_size=3)


def refusal(body: bytes, most: int = MOST) -> tuple[int, str]:
    with pytest.raises(ProblemError) as caught:
        split_batch(body, most)
    assert caught.value.members["message"].startswith(("document", "the batch"))
    return int(caught.value.status), str(caught.value.members["field"])


@given(st.lists(VALUES, min_size=1, max_size=8), st.data(), st.booleans(), st.integers(1, 30))
def test_items_are_what_they_are_in_the_list(items: list[Any], data: st.DataObject, ascii_: bool, window: int) -> None:
    texts = [json.dumps(item, ensure_ascii=ascii_) for item in items]
    if any("\ud800" <= c <= "\udfff" for text in texts for c in text):
        return
    body = ",".join(data.draw(BLANKS) + text + data.draw(BLANKS) for text in texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "_FIRST_WINDOW", window)
        assert split_batch(f"{data.draw(BLANKS)}[{body}]{data.draw(BLANKS)}".encode(), MOST) == texts


@given(st.binary(max_size=40) | st.text('[]{},:"1\\ ae', max_size=40).map(str.encode))
def test_what_comes_out_says_what_went_in(body: bytes) -> None:
    texts: list[str] | None = None
    with contextlib.suppress(ProblemError):
        texts = split_batch(body, MOST)
    try:
        expected = json.loads(body)
    except ValueError:
        assert texts is None or not all(map(is_json, texts))
    else:
        assert texts is None or [json.loads(text) for text in texts] == expected


@given(st.lists(VALUES, min_size=1, max_size=8), st.booleans())
def test_what_the_parser_cannot_follow_is_taken_apart_as_well(items: list[Any], ascii_: bool) -> None:
    texts = [json.dumps(item, ensure_ascii=ascii_) for item in items]
    if any("\ud800" <= c <= "\udfff" for text in texts for c in text):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "_parsed_end", lambda *_: None)
        assert split_batch(f"[{', '.join(texts)}]".encode(), MOST) == texts


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


DEEP = "[" * 20_000 + "]" * 20_000
NOT_FOLLOWED = [
    "9" * 5_000,
    DEEP,
    f'{{"a": {DEEP}, "b": "]"}}',
    '"\t"',
    "tru",
    "{,}",
    "[}",
    '{"a" 1}',
    "1.",
    '["\\x", "]"]',
    "\x00",
]


@pytest.mark.parametrize("item", NOT_FOLLOWED, ids=lambda item: item[:20])
def test_what_is_wrong_with_an_item_is_its_own_fault(item: str) -> None:
    assert split_batch(f"[0, {item} ,[1],{item}]".encode(), MOST) == ["0", item, "[1]", item]


def test_a_batch_that_would_take_for_ever_to_take_apart_is_refused() -> None:
    assert refusal(b"[" + b"[" * 200_000 + b"]" * 200_000 + b"]") == (413, "document")
    many = b",".join([DEEP.encode()] * 4)
    assert refusal(b"[" + many + b"]") == (413, "document")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{}",
        b"1",
        b"[",
        b"[]",
        b"[ ]",
        b"[1",
        b"[1,",
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b"[1]2",
        b"[1]]",
        b'["]',
        b"\xff",
        b"\xef\xbb\xbf[1]",
    ],
)
def test_what_is_no_list_of_something_is_refused(body: bytes) -> None:
    assert refusal(body) == (400, "document")


def test_there_are_at_most_a_thousand() -> None:
    assert split_batch(b"[" + b"1," * 999 + b"1]", MOST) == ["1"] * 1000
    assert refusal(b"[" + b"1," * 1000 + b"1]") == (413, "document")


@pytest.mark.parametrize("window", [1, 7, 16 * 1024])
def test_an_item_that_is_too_long_is_not_parsed_and_not_lost(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_FIRST_WINDOW", window)
    for long in (json.dumps("x" * 99), "1" * 101, json.dumps(["]"] * 50), json.dumps({"a": ['}\\"'] * 50})):
        assert split_batch(f"[1, {long}, {long}, {{}}]".encode(), 100) == ["1", long, long, "{}"]
