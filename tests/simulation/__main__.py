"""`python -m tests.simulation --seeds 2000`: lets worlds happen, and says how to see a broken one again."""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.simulation.plants import PLANTS
from tests.simulation.simulate import Outcome, Summary, run_seeds

__all__ = ["main", "replay_line"]


def main(arguments: list[str] | None = None) -> int:
    """Run; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, metavar="N", help="how many worlds")
    parser.add_argument("--first", type=int, default=0, metavar="S", help="the first seed")
    parser.add_argument("--seed", type=int, metavar="S", help="only the world of this seed")
    parser.add_argument("--plant", choices=sorted(PLANTS), help="plant this bug; stop when it is caught")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    options = parser.parse_args(arguments)
    seeds = range(options.first, options.first + options.seeds)
    if options.seed is not None:
        seeds = range(options.seed, options.seed + 1)
    began, summary = time.monotonic(), Summary()
    for outcome in run_seeds(seeds, processes=min(options.processes, len(seeds)), plant=options.plant):
        summary.add(outcome)
        if outcome.violation:
            _say(replay_line(outcome, options.plant))
            if options.plant:
                break
    _say(f"{summary} in {time.monotonic() - began:.1f} s")
    return 1 if summary.broken else 0


def replay_line(outcome: Outcome, plant: str | None = None) -> str:
    """Return the line that lets a broken world happen again, and what was broken."""
    planted = f" --plant {plant}" if plant else ""
    return f"python -m tests.simulation --seed {outcome.seed}{planted}  # {outcome.violation}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
