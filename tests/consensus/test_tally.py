"""Counting votes: all patterns of up to seven voters, against a twin that looks ahead instead of dividing."""

from __future__ import annotations

from itertools import product

import pytest

from bigchaindb.consensus.tally import is_quorum, tally
from bigchaindb.model.genesis import Quorum

Pattern = tuple[bool | None, ...]

rules = pytest.mark.parametrize("rule", list(Quorum))
sizes = pytest.mark.parametrize("size", range(1, 8))


def patterns(size: int) -> list[Pattern]:
    return list(product([True, False, None], repeat=size))


def decide(pattern: Pattern, rule: Quorum) -> bool | None:
    voters = [f"voter {i}" for i in range(len(pattern))]
    votes = {voter: vote for voter, vote in zip(voters, pattern, strict=True) if vote is not None}
    return tally(voters, votes, rule)


def outnumbers(some: int, others: int, rule: Quorum) -> bool:
    """The quorum in other words: more than all others together, or more than twice as many as all others."""
    return some > (2 * others if rule is Quorum.TWO_THIRDS else others)


def naive(pattern: Pattern, rule: Quorum) -> bool | None:
    yes, no = pattern.count(True), pattern.count(False)
    if outnumbers(yes, len(pattern) - yes, rule):
        return True
    if rule is Quorum.TWO_THIRDS:
        return False if outnumbers(no, len(pattern) - no, rule) else None
    best = tuple(vote is not False for vote in pattern)
    return None if outnumbers(best.count(True), best.count(False), rule) else False


def more_votes(pattern: Pattern) -> list[Pattern]:
    """The pattern with one more vote."""
    return [
        (*pattern[:i], vote, *pattern[i + 1 :])
        for i, old in enumerate(pattern)
        if old is None
        for vote in (True, False)
    ]


@rules
@sizes
def test_every_pattern_is_decided_as_the_naive_twin_decides_it(size: int, rule: Quorum) -> None:
    for pattern in patterns(size):
        assert decide(pattern, rule) is naive(pattern, rule), pattern


@rules
@sizes
def test_once_decided_no_further_vote_changes_the_verdict(size: int, rule: Quorum) -> None:
    for pattern in patterns(size):
        verdict = decide(pattern, rule)
        if verdict is not None:
            assert {decide(more, rule) for more in more_votes(pattern)} <= {verdict}, pattern


@rules
@sizes
def test_all_of_one_mind_decide(size: int, rule: Quorum) -> None:
    assert decide((True,) * size, rule) is True
    assert decide((False,) * size, rule) is False
    assert decide((None,) * size, rule) is None


@sizes
def test_under_majority_a_full_vote_always_decides(size: int) -> None:
    for pattern in patterns(size):
        if None not in pattern:
            assert decide(pattern, Quorum.MAJORITY) is not None


@rules
@sizes
def test_two_quorums_share_a_voter_so_rivals_cannot_both_win(size: int, rule: Quorum) -> None:
    for count in range(size + 1):
        assert not (is_quorum(count, size, rule) and is_quorum(size - count, size, rule))


@sizes
def test_two_quorums_under_two_thirds_share_more_than_a_third(size: int) -> None:
    quorums = [count for count in range(size + 1) if is_quorum(count, size, Quorum.TWO_THIRDS)]
    least_shared = 2 * min(quorums) - size
    assert 3 * least_shared > size


@pytest.mark.parametrize(
    ("rule", "votes", "verdict"),
    [
        (Quorum.MAJORITY, "yy-", True),
        (Quorum.MAJORITY, "yn-", None),
        (Quorum.MAJORITY, "nn-", False),
        (Quorum.MAJORITY, "yy--", None),
        (Quorum.MAJORITY, "nn--", False),
        (Quorum.MAJORITY, "n-", False),
        (Quorum.TWO_THIRDS, "yy-", None),
        (Quorum.TWO_THIRDS, "yyy-", True),
        (Quorum.TWO_THIRDS, "yyyn", True),
        (Quorum.TWO_THIRDS, "nn--", None),
        (Quorum.TWO_THIRDS, "nnn-", False),
        (Quorum.TWO_THIRDS, "yynn", None),
    ],
)
def test_what_people_expect(rule: Quorum, votes: str, verdict: bool | None) -> None:
    assert decide(tuple({"y": True, "n": False, "-": None}[vote] for vote in votes), rule) is verdict


@rules
def test_strangers_do_not_count(rule: Quorum) -> None:
    strangers = {f"stranger {i}": True for i in range(9)}
    assert tally(["a", "b", "c"], {**strangers, "a": True}, rule) is None
    assert tally(["a", "b", "c"], {**dict.fromkeys(strangers, False), "a": True, "b": True, "c": True}, rule) is True
