"""A seeded world: its clock, its scheduler, its faults, and all who act in it.

There are no threads.  One event after the other happens, each a step of one process or a change of the world; and in
the middle of a step, before any call to storage, others may go on for a while: that is how steps interleave.

Invariants:

- Everything that happens follows from the seed and the code: no clock, no order of hashes, no other chance.
- First the world is faulty, for a bounded number of events; then it is calm, for a bounded time.  Safety is checked in
  both, liveness in the second.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Final

from bigchaindb import crypto
from bigchaindb.consensus.tally import is_quorum
from bigchaindb.exceptions import LedgerError, StorageUnavailable
from bigchaindb.node.node import create_ledger
from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage
from tests.ledgers import NOW, key
from tests.simulation.actors import Member, Role
from tests.simulation.clients import Clients
from tests.simulation.disk import Crash
from tests.simulation.liars import Liar
from tests.simulation.rest import AtRest
from tests.simulation.settings import Plot
from tests.simulation.siege import commit_treason, lay_siege
from tests.simulation.succession import bid_farewell, change_in_haste
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.simulation.actors import Process
    from tests.simulation.clients import Signed
    from tests.simulation.settings import Settings

__all__ = ["World"]

_MAX_DEPTH: Final = 3
_ARRIVING: Final = 0.1
_MAX_CALM_ROUNDS: Final = 100
_TURNS: Final = 3
_MAX_CALM_LIES: Final = 20
_BEATS: Final = (6, 16, 26, 36)
_MAX_STEPS_PER_ROUND: Final = 40
_CALM_SECONDS: Final = (0.1, 1.0, 5.0, 11.0, 31.0)
_LONG_SLEEP_EVENTS: Final = 40


class World:
    """One world; `run` lets it happen."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.chance = random.Random(settings.seed + 1)
        self.now = NOW
        self.steps = self.calm_rounds = 0
        self.settled: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.database = MemoryDatabase()
        self.is_calm = False
        self._depth = 0
        self._inner_events_left = 2 * settings.events
        keys = sorted((key(f"node {i}") for i in range(settings.nodes)), key=lambda k: str(k.verifying_key))
        self.federations = [tuple(str(k.verifying_key) for k in keys)]
        self.genesis = create_ledger(
            MemoryStorage(self.database),
            keys[0],
            self.federations[0],
            settings.quorum,
            name="simulation",
            clock=lambda: self.now,
        )
        lying = set(self.chance.sample(range(settings.nodes), settings.liars))
        self.members = [Member(self, i, k, 0) for i, k in enumerate(keys) if i not in lying]
        self.liars = [Liar(self, i, keys[i]) for i in sorted(lying)]
        self.dead: list[Member] = []
        # What is wrong with each forged transaction, by the hash of its text.
        self.forgeries: dict[str, str] = {}
        self._given_up: list[Callable[[MemoryStorage], object]] = []
        self.invariants = AtRest(self)
        self.clients = Clients(self)
        self._changes_left = settings.changes

    # --- what the world is -----------------------------------------------------------------------------------

    def clock_of(self, number: int) -> float:
        """What the clock of a node shows, Unix seconds."""
        settings = self.settings
        drift = settings.drifts[number % len(settings.drifts)] * (self.now - NOW)
        return self.now + settings.skews_seconds[number % len(settings.skews_seconds)] + min(drift, 60.0)

    def latest_clock(self) -> float:
        """What the fastest clock of an honest node shows."""
        return max(member.clock() for member in self.members)

    @property
    def constant_members(self) -> frozenset[str]:
        """Who is a member of every federation so far."""
        return frozenset(self.federations[0]).intersection(*self.federations)

    @property
    def living(self) -> list[Member]:
        """Honest members of the present federation that are not dead for ever."""
        return [m for m in self.members if m.me in self.federations[-1] and m not in self.dead]

    def digest(self) -> str:
        """A digest of all votes, decisions, rejections and registers: of all that happened."""
        contents = self.database.contents
        told = [
            sorted((block, sorted(places.items())) for block, places in contents.votes.items()),
            sorted((node, number, row.text) for node, log in contents.decisions.items() for number, row in log.items()),
            sorted((*key, row.text) for key, row in contents.rejections.items()),
            sorted(contents.registers.items()),
            list(contents.blocks),
            list(contents.backlog),
            self.now,
        ]
        return crypto.hash_data(repr(told))

    # --- faults ----------------------------------------------------------------------------------------------

    def before_call(self, process: Process) -> None:
        """Let happen what may happen before a call to storage.

        Raises:
            Crash: the process dies.
            StorageUnavailable: the call fails without an effect.
        """
        if process.is_killed:
            raise Crash
        if self.is_calm:
            return
        settings, at = self.settings, self.chance.random()
        if at < settings.interleaved:
            self._let_others_go_on(process)
        elif (at := at - settings.interleaved) < settings.unavailable:
            self.faults["unavailable"] += 1
            raise StorageUnavailable("simulated: nothing was done")
        elif at - settings.unavailable < settings.crashes:
            self.faults["crash"] += 1
            raise Crash
        if process.is_killed:
            raise Crash
        if process.member.is_cut_off:
            raise StorageUnavailable("simulated: cut off")

    def after_write(self, process: Process) -> None:
        """Let happen what may happen after a write.

        Raises:
            Crash: the process dies.
            StorageUnavailable: the process is not told that the write was done.
        """
        process.own_changes += 1
        self.database.changes += 1
        if self.is_calm:
            return
        at = self.chance.random()
        if at < self.settings.unknown_fate:
            self.faults["unknown fate"] += 1
            raise StorageUnavailable("simulated: done, but you cannot know")
        if at - self.settings.unknown_fate < self.settings.crashes:
            self.faults["crash after a write"] += 1
            raise Crash

    def is_late(self) -> bool:
        """Tell whether a page does not show everything yet."""
        late = not self.is_calm and self.chance.random() < self.settings.late
        self.faults["late"] += late
        return late

    def notification_delay(self, timeout_seconds: float) -> float:
        """How late a process hears of changes: 0 at once, more than the timeout never; less than 0 is for nothing."""
        if self.is_calm or self.chance.random() >= self.settings.deaf:
            return 0.0
        self.faults["notification"] += 1
        return timeout_seconds * self.chance.choice((-1.0, 0.5, 2.0))

    def append_to_disk(self, process: Process, line: str) -> int | None:
        """How much of a line gets into a journal, None where the disk is full; the node may die of it."""
        at = 1.0 if self.is_calm else self.chance.random()
        if at < self.settings.full:
            self.faults["disk full"] += 1
            return None
        if at - self.settings.full < self.settings.crashes:
            self.faults["crash amid a line"] += 1
            process.member.crash()
            return self.chance.choice((self.chance.randrange(len(line)), len(line)))
        return len(line)

    def give_up(self, write: Callable[[MemoryStorage], object]) -> bool:
        """Tell whether a write is given up, because no answer comes; it is done later, at any time."""
        if self.is_calm or self.chance.random() >= self.settings.given_up:
            return False
        self.faults["given up"] += 1
        self._given_up.append(write)
        return True

    def _arrive(self) -> None:
        """Let a write arrive that was given up."""
        self._given_up.pop(self.chance.randrange(len(self._given_up)))(MemoryStorage(self.database))

    def _let_others_go_on(self, process: Process) -> None:
        if self._depth >= _MAX_DEPTH or self._inner_events_left <= 0:
            return
        self.faults["interleaved"] += 1
        self._depth += 1
        try:
            if process.role is Role.VOTER and self.chance.random() < self.settings.replacements / 3:
                self.faults["replaced in a step"] += 1
                process.member.replace_voter()
                for _ in range(self.chance.randrange(4)):
                    self._step(process.member.voter)
            many = _LONG_SLEEP_EVENTS if self.chance.random() < 0.05 else 6
            for _ in range(min(self._inner_events_left, self.chance.randrange(1, many))):
                self._inner_events_left -= 1
                self._event()
        finally:
            self._depth -= 1

    # --- events ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Let everything happen.

        Raises:
            Violation: a promise is broken.
        """
        for _ in range(self.settings.events):
            self._event()
        self._calm_down()
        open_ = self.invariants.undecided()
        self._come_to_rest()
        self.invariants.check_at_rest()
        self._count(open_)

    def _count(self, open_: Sequence[Signed]) -> None:
        """Count what was honest, and undecided when the faults stopped, by who has kept it from nothing."""
        settled = sum(self.invariants.is_valid_everywhere(signed) for signed in open_)
        self.settled["all"] += settled
        self.settled["beside the dead"] += settled * bool(self.dead)
        self.settled["beside liars"] += settled * bool(self.liars)

    def _event(self) -> None:
        self.now += self.chance.choice((0.0, 0.01, 0.1, 1.0))
        if self._given_up and self.chance.random() < _ARRIVING:
            self._arrive()
        weights = (
            (4.0, self._step_builder),
            (7.0, self._step_voter),
            (2.0, self.clients.act),
            (2.0 * len(self.liars), self._lie),
            (max(self.settings.outages, 0.3 * (self.settings.full > 0)), self._outage),
            (self.settings.replacements, self._replace),
            (0.5 * (self.settings.changes > 0), self._change),
            (0.25, self._sleep),
        )
        at = self.chance.random() * sum(weight for weight, _ in weights)
        for weight, happen in weights:
            at -= weight
            if at < 0:
                happen()
                break
        self.invariants.check()

    def _step(self, process: Process) -> None:
        if process.is_busy or not process.member.is_up:
            return
        self.steps += 1
        try:
            process.step()
        except LedgerError as error:
            raise Violation(f"node {process.member.number} stopped: {error}") from error
        finally:
            process.member.bury_voters()

    def _step_one_of(self, processes: Sequence[Process]) -> None:
        """Step one of those that would go on now."""
        if awake := [process for process in processes if process.is_awake]:
            self._step(self.chance.choice(awake))

    def _step_builder(self) -> None:
        self._step_one_of([member.builder for member in self.members])

    def _step_voter(self) -> None:
        self._step_one_of(self.chance.choice(self.members).voters)

    def _lie(self) -> None:
        self.faults["lie"] += 1
        self.chance.choice(self.liars).lie()

    def _sleep(self) -> None:
        self.now += self.chance.choice((5.0, 12.0, 31.0, 65.0))

    def _outage(self) -> None:
        member = self.chance.choice(self.members)
        what = self.chance.randrange(3)
        if not member.is_up or member.is_cut_off:
            member.is_up, member.is_cut_off = True, False
        elif what == 0:
            self.faults["down"] += 1
            member.crash()
            member.is_up = False
        elif what == 1:
            self.faults["cut off"] += 1
            member.is_cut_off = True
        else:
            self.faults["restarted"] += 1
            member.crash()

    def _replace(self) -> None:
        self.faults["replaced"] += 1
        self.chance.choice(self.members).replace_voter()

    # --- membership ------------------------------------------------------------------------------------------

    def _change(self) -> None:
        """Let an operator change the federation, or bring a node's configuration up to date."""
        latest = len(self.federations) - 1
        behind = [m for m in self.members if m.configured < latest and m.me in self.federations[-1]]
        if behind and self.chance.random() < self.settings.diligence:
            self.chance.choice(behind).reconfigure(latest)
            return
        knowing = [m for m in self.members if m.configured == latest and m.me in self.federations[-1]]
        if not knowing or self._changes_left <= 0:
            return
        if self.change_federation(self.chance.choice(knowing), may_shrink=not self.liars):
            self._changes_left -= 1

    def change_federation(self, operator: Member, *, may_shrink: bool) -> bool:
        """Let an operator change the federation and the own node's configuration; tell whether the node permits it."""
        latest = operator.configured
        if operator.writer.is_busy or not operator.is_up or not operator.writer.may_change_federation():
            return False
        if len(self.federations) - 1 != latest or operator.configured != latest:
            return False  # another operator was faster
        self.faults["membership"] += 1
        present = self.federations[-1]
        leaving = [m for m in self.members if m.me in present and m is not operator]
        if may_shrink and leaving and self.chance.random() < 0.5:
            gone = self.chance.choice(leaving).me
            self.federations.append(tuple(k for k in present if k != gone))
        else:
            number = len(self.members) + len(self.liars)
            newcomer = Member(self, number, key(f"node {number}"), latest + 1)
            self.members.append(newcomer)
            self.federations.append(tuple(sorted((*present, newcomer.me))))
        operator.reconfigure(latest + 1)
        return True

    # --- calm ------------------------------------------------------------------------------------------------

    def _calm_down(self) -> None:
        """End the faults; a minority may stay dead, liars go on lying, everybody has the present configuration."""
        while self._given_up:
            self._arrive()
        self.is_calm = True
        present = [m for m in self.members if m.me in self.federations[-1]]
        if self.settings.dead:
            # Liars are part of the minority.
            spare = len(self.federations[-1]) - len(self.liars)
            while is_quorum(spare - 1, len(self.federations[-1]), self.settings.quorum):
                spare -= 1
                self.dead.append(self.chance.choice([m for m in present if m not in self.dead]))
        for member in self.living:
            member.is_up, member.is_cut_off = True, False
        if self.settings.plot is Plot.HASTE:
            change_in_haste(self)
        elif self.settings.plot is Plot.FAREWELL:
            bid_farewell(self)
        for member in self.living:
            member.reconfigure(len(self.federations) - 1)
        self.clients.write_again()
        if self.settings.plot is Plot.SIEGE:
            lay_siege(self)
        elif self.settings.plot is Plot.TREASON:
            commit_treason(self)
        # Whoever is dead, or lies: those who come now are served.
        self.clients.make_and_pass_on()

    def _come_to_rest(self) -> None:
        for number in range(_MAX_CALM_ROUNDS):
            self.calm_rounds = number + 1
            self.run_living()
            if self.invariants.is_at_rest():
                return
            self.now += _CALM_SECONDS[min(number, len(_CALM_SECONDS) - 1)]
            if number in _BEATS:
                # Deadlines pass by the time of blocks; without a block, time stands still.
                self.clients.create()
            if self.liars and number < _MAX_CALM_LIES:
                self._lie()

    def run_in_turn(self) -> None:
        """Step all builders of the living, then all voters, and so on: each votes on its own blocks first."""
        for _ in range(_TURNS):
            self.step_builders(self.living)
            self.step_voters(self.living)

    def step_builders(self, members: Sequence[Member]) -> None:
        """Step the builders of these."""
        for member in members:
            self._step(member.builder)

    def step_voters(self, members: Sequence[Member]) -> None:
        """Step the voters of these."""
        for member in members:
            self._step(member.voter)

    def run_living(self) -> None:
        """Step the living until all are quiet."""
        self.run_until_quiet(self.living)

    def run_until_quiet(self, members: Sequence[Member]) -> None:
        """Step these until all are quiet."""
        for _ in range(_MAX_STEPS_PER_ROUND):
            workers = [process for m in members for process in (m.builder, m.voter) if process.is_awake]
            if not workers:
                break
            self.chance.shuffle(workers)
            for process in workers:
                self._step(process)
        self.invariants.check()
