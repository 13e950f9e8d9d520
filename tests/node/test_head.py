"""A node's head: what it is written as, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import canonical
from bigchaindb.exceptions import InvalidValue
from bigchaindb.node.head import Head, PendingDecision

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
counts = st.integers(0, 2**40)


@given(
    st.builds(
        Head,
        epoch=counts,
        generation=counts,
        vote=texts,
        sequence=counts,
        decision=st.none() | texts,
        valid_transactions=counts,
        newest_time=texts,
        votes=st.lists(texts, max_size=3).map(tuple),
        decisions=st.lists(st.builds(PendingDecision, texts, counts, texts), max_size=3).map(tuple),
    )
)
def test_a_head_reads_as_it_was_written(head: Head) -> None:
    assert Head.from_text(head.to_text()) == head
    assert canonical.loads_canonical(head.to_text())


@pytest.mark.parametrize("text", ["", "{", "NaN"])
def test_what_is_no_json_is_no_head(text: str) -> None:
    with pytest.raises(InvalidValue):
        Head.from_text(text)


@pytest.mark.parametrize("text", ["{}", "[]", "null", "5", '{"votes":[],"decisions":[]}', '{"votes":5,"decisions":[]}'])
def test_what_is_json_but_no_head_is_told_apart(text: str) -> None:
    with pytest.raises((TypeError, KeyError)):
        Head.from_text(text)
