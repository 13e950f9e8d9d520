"""A node's head: what it is written as, and what is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import canonical, crypto
from bigchaindb.exceptions import JournalError
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.vote import Vote
from bigchaindb.node.head import Head, PendingDecision
from tests.ledgers import key

TIME = "1700000000.000000"
HASH = crypto.hash_data("a block")
VOTE = Vote.sign(HASH, HASH, None, TIME, key("node")).text
DECISION = Decision.sign(
    ledger=HASH, sequence=1, block_id=HASH, verdict=Verdict.VALID, previous=None, timestamp=TIME, key=key("node")
).text

counts = st.integers(0, 2**40)
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(
    st.builds(
        Head,
        epoch=counts,
        generation=counts,
        vote=hashes,
        sequence=counts,
        decision=st.none() | hashes,
        valid_transactions=counts,
        newest_time=st.just(TIME),
        votes=st.lists(st.just(VOTE), max_size=3).map(tuple),
        decisions=st.lists(st.builds(PendingDecision, st.just(DECISION), counts, st.just(TIME)), max_size=3).map(tuple),
    )
)
def test_a_head_reads_as_it_was_written(head: Head) -> None:
    assert Head.from_text(head.to_text()) == head
    assert canonical.loads_canonical(head.to_text())


@pytest.mark.parametrize("text", ["", "{", "NaN", "{}", "[]", "null", "5", '{"votes":[],"decisions":[]}', '{ "a": 1}'])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(JournalError, match=r"^head"):
        Head.from_text(text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epoch", "x"),
        ("epoch", -1),
        ("epoch", 1.5),
        ("generation", None),
        ("vote", "junk"),
        ("sequence", True),
        ("decision", "junk"),
        ("valid_transactions", "7"),
        ("newest_time", "abc"),
        ("votes", 5),
        ("votes", [1]),
        ("votes", ["junk"]),
        ("votes", [DECISION]),
        ("decisions", [[]]),
        ("decisions", [["junk", 1, TIME]]),
        ("decisions", [[VOTE, 1, TIME]]),
        ("decisions", [[DECISION, "1", TIME]]),
        ("decisions", [[DECISION, 1, "soon"]]),
    ],
)
def test_a_field_that_cannot_be_is_named(field: str, value: Any) -> None:
    whole = canonical.loads(
        Head(1, 1, HASH, 1, None, 1, TIME, (VOTE,), (PendingDecision(DECISION, 1, TIME),)).to_text()
    )
    with pytest.raises(JournalError, match=f"^head.{field}"):
        Head.from_text(canonical.dumps({**whole, field: value}))
