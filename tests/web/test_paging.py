"""Cursors: each belongs to one list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.exceptions import InvalidValue
from bigchaindb.web.paging import Cursor, page

names = st.lists(st.text() | st.none(), max_size=3)
positions = st.text(st.characters(exclude_categories=["Cs"]))


@given(names, positions)
def test_a_cursor_comes_back_as_it_was_given(of: list[str | None], position: str) -> None:
    written = Cursor(*of).write(position)
    assert written.isascii()
    assert written.replace("-", "").replace("_", "").isalnum()
    assert Cursor(*of).read(written) == position
    assert Cursor(*of).read(None) is None


@given(names, names, positions)
def test_another_list_refuses_it(of: list[str | None], other: list[str | None], position: str) -> None:
    if of != other:
        with pytest.raises(InvalidValue, match="cursor: this list has given none such"):
            Cursor(*other).read(Cursor(*of).write(position))


@given(st.text())
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="cursor"):
        Cursor("list").read(text)


def test_a_cursor_has_one_text() -> None:
    written = Cursor("list").write("a")
    for other in (f"{written}=", f"{written}\n", f" {written}", written.replace("a", "a\n")):
        if other != written:
            with pytest.raises(InvalidValue):
                Cursor("list").read(other)


def test_a_page_is_json() -> None:
    assert page(["1", '{"a":2}'], None, Cursor("list")).body == b'{"items":[1,{"a":2}],"next":null}'
    assert page([], "x", Cursor("list")).body == b'{"items":[],"next":"%s"}' % Cursor("list").write("x").encode()
