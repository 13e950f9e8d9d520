"""No world breaks a promise of the ledger: see `tests.simulation.invariants` for what these are."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from bigchaindb.model.genesis import Quorum
from tests.simulation.__main__ import main, replay_line
from tests.simulation.settings import Settings
from tests.simulation.simulate import Outcome, Summary, run_seed, run_seeds

if TYPE_CHECKING:
    from collections.abc import Callable

_SEEDS: Final = int(os.environ.get("BIGCHAINDB_TEST_SEEDS", "60"))
_TRACE: Final = "import sys; from tests.simulation.simulate import run_seed; print(run_seed(int(sys.argv[1])).trace)"


def test_no_world_breaks_a_promise(report: Callable[[str], None]) -> None:
    began, summary = time.monotonic(), Summary()
    for outcome in run_seeds(range(_SEEDS), processes=min(2, os.cpu_count() or 1)):
        summary.add(outcome)
    report(f"simulation: {summary} in {time.monotonic() - began:.0f} s")
    assert not summary.broken, "\n".join(replay_line(outcome) for outcome in summary.broken)


@pytest.mark.parametrize("seed", [1, 7, 23])
def test_a_seed_makes_the_same_world_whatever_the_order_of_hashes(seed: int) -> None:
    traces = set()
    for order in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": order}
        done = subprocess.run(
            [sys.executable, "-c", _TRACE, str(seed)], env=environment, capture_output=True, text=True, check=True
        )
        traces.add(done.stdout)
    assert traces == {run_seed(seed).trace + "\n"}


def test_what_the_seeds_draw_keeps_to_the_conditions_of_the_promises() -> None:
    drawn = [Settings.draw(seed) for seed in range(500)]
    assert {settings.nodes for settings in drawn} == {1, 2, 3, 4, 7}
    for settings in drawn:
        assert 3 * settings.liars < settings.nodes
        assert not settings.liars or settings.quorum is Quorum.TWO_THIRDS


def test_every_kind_of_fault_happens() -> None:
    faults: Counter[str] = Counter()
    for seed in range(25):
        faults += run_seed(seed).faults
    assert faults.keys() == {
        "crash",
        "crash after a write",
        "cut off",
        "down",
        "interleaved",
        "late",
        "lie",
        "membership",
        "replaced",
        "replaced in a step",
        "restarted",
        "unavailable",
        "unknown fate",
    }


def test_a_broken_world_is_told_in_a_line_that_replays_it() -> None:
    outcome = Outcome(1234, 10, Counter(), "Violation: lost")
    assert replay_line(outcome) == "python -m tests.simulation --seed 1234  # Violation: lost"


def test_the_command_runs_the_world_of_a_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "3"]) == 0
    assert capsys.readouterr().out.startswith("1 worlds, ")
