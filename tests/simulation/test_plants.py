"""Every bug planted breaks a promise in one of the first 2,000 worlds, and nothing breaks there without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from unittest.mock import patch

import pytest

from bigchaindb.node.seat import Seat
from tests.simulation.__main__ import replay_line
from tests.simulation.plants import CAUGHT_BY, PLANTS, advance_in_order
from tests.simulation.simulate import Outcome, run_seed

if TYPE_CHECKING:
    from collections.abc import Callable

_SEEDS: Final = 2_000
_LEAST: Final = 16

# What each stands for, in the words of docs/design.md; section 3.5 unless another is named.
_WANTED: Final = {
    "place-before-head": "place before head",
    "successor-leaves-places": "a successor that doesn't fill places from the head",
    "votes-before-epoch": "votes read before the epoch is raised",
    "hasty-membership": "two membership changes with a member away",
    "rule-2-across-federations": "rule 2 across federations",
    "blind-tie-break": 'a tie-break without "could be built now"',
    "no-stall": "no stall rule",
    "keep-neighbours": "or one whose retries keep their neighbours",
    "years-ahead": "a liar's block dated years ahead",
    "unlimited-doubling": "unlimited doubling",
    "clear-when-built": "clearing the backlog when the block is written",
    "count-ballots": "3: with n voters, valid when valid votes > n/2",
    "act-before-durable": "3.1: a vote is durable before the node acts on it",
    "no-check-inside-block": "3.1: no input is spent by another transaction in B",
    "makers-voters": "3: the electorate is never what the block's maker says",
    "error-as-no": "3.1: a storage or network error is retried, never turned into a vote",
    "sign-anew": "3: sends the same bytes again when unsure whether they arrived",
    "no-signature-check": '3.1: its fulfillments are valid; otherwise "no"',
    "no-operation-check": "2: CREATE: signed by a node of the federation; GENESIS in the first block only",
    "no-root-check": "3: contents that don't add up to the root are left aside",
    "valid-twice": '3.1: if it is in another block decided valid: "no"',
    "deadline-ignored": '3.2: "now" for a deadline is the block\'s time',
    "admit-rivals": "3.2: a conflict with a waiting valid transaction raises DoubleSpend at once",
    "never-doubled": "3.1: 30 s; doubled at the second try, again at the third",
    "wait-for-ever": "4: a notification is only a hint",
    "contents-by-id": "1: stored under the id alone, junk sent first would shut out the honest one",
}


@pytest.mark.parametrize("name", sorted(PLANTS))
def test_a_planted_bug_is_caught_in_its_world_and_only_it(name: str, report: Callable[[str], None]) -> None:
    caught = _catch(name)
    assert caught, f"no world shows {name}: `python -m tests.simulation --plant {name}`"
    assert caught.violation is not None
    assert caught.violation.startswith("Violation: "), (
        f"{replay_line(caught, name)}: not a promise, the plant is broken"
    )
    if caught.seed != CAUGHT_BY[name]:
        report(f"simulation: {name} is not shown by world {CAUGHT_BY[name]} any more: {replay_line(caught, name)}")
    assert run_seed(caught.seed).violation is None


def _catch(name: str) -> Outcome | None:
    """Find a world that shows a bug: the known one, or another, since any change of the code makes other worlds."""
    for seed in (CAUGHT_BY[name], *range(_SEEDS)):
        outcome = run_seed(seed, name)
        if outcome.violation:
            return outcome
    return None


def test_the_known_worlds_are_among_those_that_ci_runs() -> None:
    assert CAUGHT_BY.keys() == PLANTS.keys()
    assert all(seed in range(_SEEDS) for seed in CAUGHT_BY.values())


def test_all_that_was_ever_found_to_break_a_promise_is_planted() -> None:
    assert _WANTED.keys() <= PLANTS.keys()
    assert len(PLANTS) >= _LEAST


@pytest.mark.parametrize("seed", [CAUGHT_BY["place-before-head"], CAUGHT_BY["journal-after-head"], 1, 2, 3, 4])
def test_it_is_the_order_that_breaks_promises_not_how_it_is_planted(seed: int) -> None:
    with patch.object(Seat, "advance", advance_in_order(["journal", "head", "places"])):
        assert run_seed(seed).violation is None
