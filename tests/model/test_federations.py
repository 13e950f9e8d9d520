"""The federations of a ledger: each differs from the one before by one member."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.consensus.tally import is_quorum
from bigchaindb.exceptions import FederationMismatch
from bigchaindb.model.federations import Federations
from bigchaindb.model.genesis import Quorum


def test_a_ledger_without_changes_has_one_federation() -> None:
    federations = Federations.of(["b", "a"])
    assert federations.founding == federations.present == ("a", "b")
    assert federations.history == (("a", "b"),)


def test_members_come_and_go_one_at_a_time() -> None:
    federations = Federations.of(["c", "b"], [["a"], ["b", "a"], ["c", "a", "b"]])
    assert federations.founding == ("a",)
    assert federations.present == ("b", "c")
    assert federations.history == (("a",), ("a", "b"), ("a", "b", "c"), ("b", "c"))
    assert ("a", "b") in federations
    assert ("a", "c") not in federations
    assert None not in federations


@pytest.mark.parametrize(
    ("history", "number"),
    [
        ([["a"], ["a"]], 2),
        ([["a"], ["a", "b", "c"]], 2),
        ([["a"], ["b"]], 2),
        ([["a"], ["a", "b"], ["b", "c"]], 3),
    ],
)
def test_a_step_of_another_size_is_refused(history: list[list[str]], number: int) -> None:
    with pytest.raises(FederationMismatch, match=f"federation {number} differs from {number - 1} by") as caught:
        Federations.of(history[-1], history[:-1])
    assert caught.value.field == "earlier_federations"


@given(st.integers(1, 6), st.sampled_from(list(Quorum)))
def test_every_quorum_before_a_change_shares_a_node_with_every_quorum_after_it(size: int, rule: Quorum) -> None:
    before = [f"member {i}" for i in range(size)]
    after = [*before, "newcomer"]
    quorums = [
        [
            set(chosen)
            for count in range(len(f) + 1)
            if is_quorum(count, len(f), rule)
            for chosen in combinations(f, count)
        ]
        for f in (before, after)
    ]
    assert all(one & other for one in quorums[0] for other in quorums[1])
