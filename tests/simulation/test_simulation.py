"""No world breaks a promise of the ledger: see `tests.simulation.invariants` for what these are."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from bigchaindb.model.genesis import Quorum
from tests.simulation.__main__ import main, replay_line
from tests.simulation.settings import Plot, Settings
from tests.simulation.simulate import Outcome, Summary, run_seeds, run_world

if TYPE_CHECKING:
    from collections.abc import Callable

_ENOUGH: Final = 60
_SEEDS: Final = int(os.environ.get("BIGCHAINDB_TEST_SEEDS", _ENOUGH))
_TRACE: Final = """
import sys
from tests.simulation.simulate import run_seed
for seed in sys.argv[1:]:
    print(run_seed(int(seed)).trace)
"""


@pytest.fixture(scope="module")
def summary() -> tuple[Summary, float]:
    """What became of the worlds, and how many seconds they took."""
    began, summary = time.monotonic(), Summary()
    for outcome in run_seeds(range(_SEEDS), processes=min(2, os.cpu_count() or 1)):
        summary.add(outcome)
    return summary, time.monotonic() - began


def test_no_world_breaks_a_promise(summary: tuple[Summary, float], report: Callable[[str], None]) -> None:
    worlds, seconds = summary
    report(f"simulation: {worlds} in {seconds:.0f} s")
    assert not worlds.broken, "\n".join(replay_line(outcome) for outcome in worlds.broken)


@pytest.mark.skipif(_SEEDS < _ENOUGH, reason="so few worlds need not have everything")
def test_every_kind_of_fault_happens(summary: tuple[Summary, float]) -> None:
    assert summary[0].faults.keys() == {
        "crash",
        "crash after a write",
        "crash amid a line",
        "cut off",
        "disk full",
        "down",
        "given up",
        "interleaved",
        "late",
        "lie",
        "membership",
        "notification",
        "replaced",
        "replaced in a step",
        "restarted",
        "unavailable",
        "unknown fate",
    }


@pytest.mark.skipif(_SEEDS < _ENOUGH, reason="so few worlds need not have everything")
def test_honest_transactions_are_decided_in_calm_also_beside_those_who_are_dead_or_lie(
    summary: tuple[Summary, float],
) -> None:
    settled = summary[0].settled
    # A world has two at the least, which are written when the faults have stopped.
    assert settled["all"] >= 2 * _SEEDS - len(summary[0].broken)
    assert min(settled["beside the dead"], settled["beside liars"]) > _SEEDS // 4


def _treacherous(count: int) -> list[Settings]:
    """Worlds in which one of four members votes valid on every rival, again and again."""
    drawn = (Settings.draw(seed) for seed in itertools.count())
    return list(itertools.islice((settings for settings in drawn if settings.plot is Plot.TREASON), count))


def test_one_liar_among_four_under_two_thirds_changes_nothing() -> None:
    for settings in _treacherous(6):
        assert (settings.nodes, settings.quorum, settings.liars) == (4, Quorum.TWO_THIRDS, 1)
        assert run_world(settings).violation is None


@pytest.mark.parametrize("weaker", [{"liars": 2}, {"nodes": 3, "quorum": Quorum.MAJORITY}], ids=["liars", "rule"])
def test_one_liar_too_many_and_an_output_is_spent_twice(weaker: dict[str, Any]) -> None:
    violations = [run_world(replace(settings, **weaker)).violation or "" for settings in _treacherous(3)]
    assert any(re.search("^Violation: output .* is spent by .*, both valid$", violation) for violation in violations)


def test_a_seed_makes_the_same_world_whatever_the_order_of_hashes() -> None:
    first_of_each_plot = {Settings.draw(seed).plot: seed for seed in reversed(range(500))}
    seeds = [*range(12), *sorted(first_of_each_plot.values())]
    traces = [_traces(seeds, order) for order in ("1", "2")]
    assert traces[0] == traces[1]
    assert len(set(traces[0])) == len(set(seeds))


def _traces(seeds: list[int], order_of_hashes: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _TRACE, *map(str, seeds)],
        env={**os.environ, "PYTHONHASHSEED": order_of_hashes},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_what_the_seeds_draw_keeps_to_the_conditions_of_the_promises() -> None:
    drawn = [Settings.draw(seed) for seed in range(500)]
    assert {settings.nodes for settings in drawn} == {1, 2, 3, 4, 7}
    assert {settings.plot for settings in drawn} == set(Plot)
    for settings in drawn:
        assert 3 * settings.liars < settings.nodes
        assert not settings.liars or settings.quorum is Quorum.TWO_THIRDS


def test_a_broken_world_is_told_in_a_line_that_replays_it() -> None:
    outcome = Outcome(1234, 10, Counter(), "Violation: lost")
    assert replay_line(outcome) == "python -m tests.simulation --seed 1234  # Violation: lost"


def test_the_command_runs_the_world_of_a_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "3"]) == 0
    assert capsys.readouterr().out.startswith("1 worlds, ")
