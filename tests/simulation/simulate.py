"""Running worlds: one of a seed, or many, over several processes.

Invariants:

- A world leaves nothing behind: what is changed for it (the size of a block, a planted bug) is put back.
- What a process computes of a seed depends on nothing else that it has computed.
"""

from __future__ import annotations

import logging
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from bigchaindb.consensus import selection
from bigchaindb.pipeline import builder
from tests.simulation.plants import planted
from tests.simulation.remembered import remembering
from tests.simulation.settings import Settings
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Outcome", "Summary", "run_seed", "run_seeds", "run_world"]

_CHUNK: Final = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one world.

    Attributes:
        seed: its seed.
        steps: how many steps processes made.
        faults: how often each kind of fault happened.
        settled: how many honest transactions were undecided when the faults stopped, and became valid then.
        calm_rounds: how long that took: after each round, time passes.
        violation: which promise was broken, or None.
        trace: a digest of all that is stored in the end.
    """

    seed: int
    steps: int
    faults: Counter[str]
    violation: str | None
    settled: Counter[str] = field(default_factory=Counter)
    calm_rounds: int = 0
    trace: str = ""


@dataclass(slots=True)
class Summary:
    """What became of many."""

    worlds: int = 0
    steps: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    settled: Counter[str] = field(default_factory=Counter)
    calm_rounds: int = 0
    broken: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one world."""
        self.worlds += 1
        self.steps += outcome.steps
        self.faults.update(outcome.faults)
        self.settled.update(outcome.settled)
        self.calm_rounds = max(self.calm_rounds, outcome.calm_rounds)
        if outcome.violation:
            self.broken.append(outcome)

    def __str__(self) -> str:
        kinds, settled = (_told(counter) for counter in (self.faults, self.settled))
        return (
            f"{self.worlds} worlds, {self.steps} steps, {self.faults.total()} faults ({kinds}), "
            f"honest transactions decided when they stopped ({settled}) in at most {self.calm_rounds} rounds"
        )


def _told(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counter.most_common())


def run_seed(seed: int, plant: str | None = None) -> Outcome:
    """Let the world of a seed happen, with a planted bug where one is named."""
    return run_world(Settings.draw(seed), plant)


def run_world(settings: Settings, plant: str | None = None) -> Outcome:
    """Let a world happen, with a planted bug where one is named."""
    with _prepared(settings, plant):
        world = World(settings)
        try:
            world.run()
        except Exception as error:  # noqa: BLE001 - whatever ends a world is told with the seed that replays it
            return Outcome(settings.seed, world.steps, world.faults, f"{type(error).__name__}: {error}")
        return Outcome(
            settings.seed, world.steps, world.faults, None, world.settled, world.calm_rounds, trace=world.digest()
        )


@contextmanager
def _prepared(settings: Settings, plant: str | None) -> Iterator[None]:
    log = logging.getLogger("bigchaindb")
    level = log.level
    with ExitStack() as stack:
        stack.callback(log.setLevel, level)
        log.setLevel(logging.CRITICAL)
        stack.enter_context(remembering())
        for module in (selection, builder):
            stack.enter_context(patch.object(module, "MAX_TRANSACTIONS", settings.max_block))
        if plant:
            stack.enter_context(planted(plant))
        yield


def _run_chunk(seeds: range, plant: str | None) -> list[Outcome]:
    return [run_seed(seed, plant) for seed in seeds]


def run_seeds(seeds: range, *, processes: int, plant: str | None = None) -> Iterator[Outcome]:
    """Let the worlds of many seeds happen; their outcomes come in the order of the seeds."""
    chunks = [seeds[start : start + _CHUNK] for start in range(0, len(seeds), _CHUNK)]
    if processes == 1:
        for chunk in chunks:
            yield from _run_chunk(chunk, plant)
        return
    # Started anew rather than forked, so that nothing of the parent matters.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        outcomes: Iterable[list[Outcome]] = pool.map(_run_chunk, chunks, [plant] * len(chunks))
        try:
            for found in outcomes:
                yield from found
        finally:
            pool.shutdown(cancel_futures=True)
