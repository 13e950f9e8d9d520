"""Counting votes: the electorate decides, not the ballots cast (design.md section 3).

Invariants:

- Only votes by the electorate count; a member who has not voted is neither yes nor no.
- Once decided, no further vote changes the verdict: votes only come, they do not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bigchaindb.model.genesis import Quorum

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["is_quorum", "tally"]


def is_quorum(count: int, voters: int, quorum: Quorum) -> bool:
    """Tell whether so many of so many voters are enough to make a block valid."""
    if quorum is Quorum.TWO_THIRDS:
        return 3 * count > 2 * voters
    return 2 * count > voters


def tally(voters: Collection[str], votes: Mapping[str, bool], quorum: Quorum) -> bool | None:
    """Decide a block.

    Args:
        voters: the electorate, each once.
        votes: yes or no by public key; the caller has checked that each is well signed and the first of its node.
        quorum: the ledger's rule.

    Returns:
        True for valid, False for invalid, None while undecided.
    """
    yes = sum(votes.get(voter) is True for voter in voters)
    no = sum(votes.get(voter) is False for voter in voters)
    if is_quorum(yes, len(voters), quorum):
        return True
    if quorum is Quorum.TWO_THIRDS:
        return False if is_quorum(no, len(voters), quorum) else None
    return None if is_quorum(len(voters) - no, len(voters), quorum) else False
