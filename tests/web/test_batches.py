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
    assert texts is None or json.loads(body) == [json.loads(text) for text in texts]


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
        b"[x]",
        b"\xff",
        b"\xef\xbb\xbf[1]",
    ],
)
def test_what_is_no_list_of_something_is_refused(body: bytes) -> None:
    assert refusal(body) == (400, "document")


def test_nesting_that_no_parser_can_follow_is_refused() -> None:
    assert refusal(b"[" * 100_000 + b"]" * 100_000, 10**6)[0] in {400, 413}


def test_there_are_at_most_a_thousand() -> None:
    assert split_batch(b"[" + b"1," * 999 + b"1]", MOST) == ["1"] * 1000
    assert refusal(b"[" + b"1," * 1000 + b"1]") == (413, "document")


@pytest.mark.parametrize("window", [1, 7, 16 * 1024])
def test_an_item_that_is_too_long_is_named(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_FIRST_WINDOW", window)
    fits, long = json.dumps("x" * 98), json.dumps("x" * 99)
    assert split_batch(f"[{fits}, {fits}]".encode(), 100) == [fits, fits]
    assert refusal(f"[{fits}, {long}]".encode(), 100) == (413, "document[1]")
    assert refusal(f"[{fits}, {'1' * 101}, 1]".encode(), 100) == (413, "document[1]")
    assert split_batch(f"[{'1' * 100}]".encode(), 100) == ["1" * 100]
