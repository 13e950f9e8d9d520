"""What kind of world a seed makes: how many nodes, who lies, and which faults there are, how often.

Every fault is absent from many worlds, so that none hides what another would show.  A few worlds have a plot instead of
faults, because what it tells would hardly ever come about by chance.

Invariants:

- A world keeps to the promises' conditions: with liars the rule is `two-thirds`, and they are at most f of 3f + 1.
- The same seed makes the same world.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from bigchaindb.model.genesis import Quorum

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Plot", "Settings"]

T = TypeVar("T")

# (nodes, rule, liars) with how often each is drawn.
_FEDERATIONS: Final[tuple[tuple[int, tuple[int, Quorum, int]], ...]] = (
    (6, (1, Quorum.MAJORITY, 0)),
    (34, (3, Quorum.MAJORITY, 0)),
    (16, (4, Quorum.MAJORITY, 0)),
    (4, (7, Quorum.MAJORITY, 0)),
    (2, (1, Quorum.TWO_THIRDS, 0)),
    (6, (4, Quorum.TWO_THIRDS, 0)),
    (27, (4, Quorum.TWO_THIRDS, 1)),
    (5, (7, Quorum.TWO_THIRDS, 2)),
)
_CHANGING: Final[tuple[tuple[int, tuple[int, Quorum, int]], ...]] = (
    (8, (1, Quorum.MAJORITY, 0)),
    (30, (2, Quorum.MAJORITY, 0)),
    (36, (3, Quorum.MAJORITY, 0)),
    (14, (4, Quorum.MAJORITY, 0)),
    (12, (4, Quorum.TWO_THIRDS, 1)),
)
_SMALL_BLOCK: Final = 16
_LARGE_BLOCK: Final = 1000
_PLOT_BLOCK: Final = 64
_PLOTTED: Final = 0.08


class Plot(StrEnum):
    """What happens when the faults stop, see `tests.simulation.siege` and `tests.simulation.succession`."""

    NONE = "none"
    SIEGE = "siege"
    HASTE = "haste"
    FAREWELL = "farewell"
    TREASON = "treason"


# ((nodes, rule, liars), plot) with how often each is drawn.
_PLOTS: Final[tuple[tuple[int, tuple[tuple[int, Quorum, int], Plot]], ...]] = (
    (4, ((3, Quorum.MAJORITY, 0), Plot.SIEGE)),
    (1, ((3, Quorum.MAJORITY, 0), Plot.HASTE)),
    (1, ((4, Quorum.MAJORITY, 0), Plot.HASTE)),
    (1, ((2, Quorum.MAJORITY, 0), Plot.FAREWELL)),
    (1, ((4, Quorum.TWO_THIRDS, 1), Plot.TREASON)),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """One world's.

    Attributes:
        seed: what all of it was drawn from.
        nodes: members at the beginning.
        quorum: how many votes decide.
        liars: how many of the members lie.
        events: how many events there are before the faults stop.
        transactions: how many transactions clients sign at the most.
        skews_seconds: by how much each node's clock is ahead; the first for the first node, and so on.
        drifts: by how much more than a second each clock moves in a second.
        interleaved: chance, per storage call, that others go on before it is made.
        unavailable: chance that a call fails without an effect.
        unknown_fate: chance that a write fails after its effect.
        given_up: chance that a write fails, and has its effect later.
        full: chance, per line of a journal, that the disk is full.
        deaf: chance, whenever a process waits, that it is told of changes too late, never or for nothing.
        crashes: chance, per storage call, that the process dies.
        late: chance that a page of the backlog does not show an entry yet.
        outages: weight of nodes that go down or are cut off, among all events.
        replacements: weight of second voters of a node, among all events.
        rivals: share of rivals among transactions.
        deadlines: share of transactions with a deadline.
        changes: how many membership changes are tried.
        diligence: chance that an operator tells another node of a change, rather than try the next one.
        dead: whether a minority stays dead for ever when the faults stop.
        plot: what happens then.
        max_block: most transactions of a block.
    """

    seed: int
    nodes: int
    quorum: Quorum
    liars: int
    events: int
    transactions: int
    skews_seconds: tuple[float, ...]
    drifts: tuple[float, ...]
    interleaved: float
    unavailable: float
    unknown_fate: float
    given_up: float
    full: float
    deaf: float
    crashes: float
    late: float
    outages: float
    replacements: float
    rivals: float
    deadlines: float
    changes: int
    diligence: float
    dead: bool
    plot: Plot
    max_block: int

    @classmethod
    def draw(cls, seed: int) -> Settings:
        """Return the settings of a seed."""
        chance = random.Random(seed)
        if chance.random() < _PLOTTED:
            return cls._plotted(seed, chance)
        changing = chance.random() < 0.2
        nodes, quorum, liars = _weighted(chance, _CHANGING if changing else _FEDERATIONS)
        large = nodes > 4
        return cls(
            seed=seed,
            nodes=nodes,
            quorum=quorum,
            liars=liars,
            events=chance.randrange(60, 160) if large else chance.randrange(80, 300),
            transactions=chance.randrange(6, 16) if large else chance.randrange(8, 30),
            skews_seconds=_skews(chance),
            drifts=tuple(chance.choice((0.0, 0.0, 0.01, -0.01, 0.1)) for _ in range(10)),
            interleaved=chance.choice((0.0, 0.01, 0.03, 0.08)),
            unavailable=chance.choice((0.0, 0.0, 0.005, 0.03)),
            unknown_fate=chance.choice((0.0, 0.0, 0.02, 0.1)),
            given_up=chance.choice((0.0, 0.0, 0.01, 0.05)),
            full=chance.choice((0.0, 0.0, 0.02)),
            deaf=chance.choice((0.0, 0.2, 0.5)),
            crashes=chance.choice((0.0, 0.0, 0.005, 0.03)),
            late=chance.choice((0.0, 0.0, 0.2)),
            outages=chance.choice((0.0, 0.0, 0.3, 1.0)),
            replacements=chance.choice((0.0, 0.3, 1.0)),
            rivals=chance.choice((0.0, 0.15, 0.4)),
            deadlines=chance.choice((0.0, 0.0, 0.2)),
            changes=chance.randrange(1, 4) if changing else 0,
            diligence=chance.choice((0.05, 0.5)),
            dead=chance.random() < 0.4,
            plot=Plot.NONE,
            max_block=chance.choice((1, 2, _SMALL_BLOCK, _LARGE_BLOCK, _LARGE_BLOCK)),
        )

    @classmethod
    def _plotted(cls, seed: int, chance: random.Random) -> Settings:
        (nodes, quorum, liars), plot = _weighted(chance, _PLOTS)
        return cls(
            seed=seed,
            nodes=nodes,
            quorum=quorum,
            liars=liars,
            events=chance.randrange(20, 60),
            transactions=chance.randrange(4, 10),
            skews_seconds=tuple(chance.uniform(-2, 2) for _ in range(10)),
            drifts=(0.0,) * 10,
            interleaved=0.0,
            unavailable=0.0,
            unknown_fate=0.0,
            given_up=0.0,
            full=0.0,
            deaf=0.0,
            crashes=0.0,
            late=0.0,
            outages=0.0,
            replacements=0.0,
            rivals=0.0,
            deadlines=0.0,
            changes=0,
            diligence=1.0,
            dead=plot is Plot.SIEGE,
            plot=plot,
            max_block=_PLOT_BLOCK,
        )


def _weighted(chance: random.Random, table: Sequence[tuple[int, T]]) -> T:
    return chance.choices([row for _, row in table], [weight for weight, _ in table])[0]


def _skews(chance: random.Random) -> tuple[float, ...]:
    # With a drift of a minute, never so far apart that a block is ten minutes behind: nobody would vote for it.
    widest = chance.choice((0.0, 0.0, 1.0, 20.0, 70.0, 240.0))
    return tuple(chance.uniform(-widest, widest) for _ in range(10))
