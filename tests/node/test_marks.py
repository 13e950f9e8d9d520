"""Marks: a node's own proof to itself that it has verified a signed text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.node.marks import MARK_BYTES, NO_MARK, Marks
from tests.ledgers import key

HASH, TEXT = "0" * 64, '{"id":"x"}'
MARKS = Marks(key("node 0"))
MARK = MARKS.make(HASH, TEXT)

texts = st.text(max_size=20)


def test_a_node_knows_its_mark_again_in_another_process() -> None:
    assert len(MARK) == MARK_BYTES
    assert Marks(key("node 0")).holds(MARK, HASH, TEXT)


def test_another_node_can_neither_make_nor_hold_it() -> None:
    others = Marks(key("node 1"))
    assert not others.holds(MARK, HASH, TEXT)
    assert not MARKS.holds(others.make(HASH, TEXT), HASH, TEXT)


@given(texts, texts, texts, texts)
def test_a_mark_is_for_one_hash_and_one_text(hash_: str, text: str, other_hash: str, other_text: str) -> None:
    mark = MARKS.make(hash_, text)
    assert MARKS.holds(mark, other_hash, other_text) is ((hash_, text) == (other_hash, other_text))


@given(texts, st.data())
def test_what_is_hash_and_what_is_text_cannot_be_moved(both: str, data: st.DataObject) -> None:
    # Canonical JSON has no control characters, so neither have hash and text.
    both = "".join(c for c in both if c >= " ")
    one, other = data.draw(st.integers(0, len(both))), data.draw(st.integers(0, len(both)))
    mark = MARKS.make(both[:one], both[one:])
    assert MARKS.holds(mark, both[:other], both[other:]) is (one == other)


@pytest.mark.parametrize("junk", [b"", NO_MARK, MARK[:-1], MARK + b"\x00", bytes(100)])
def test_junk_is_no_mark(junk: bytes) -> None:
    assert not MARKS.holds(junk, HASH, TEXT)


def test_a_text_that_utf_8_cannot_carry_has_no_mark() -> None:
    assert not MARKS.holds(MARK, HASH, "\ud800")
