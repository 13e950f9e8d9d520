"""The honest nodes of a world: real builders, voters and writers, each a process of its own over a faulty connection.

Invariants:

- A process that dies loses its memory; the node keeps its key, its disk and its configuration.
- Builders and voters run the real loop of `bigchaindb.pipeline.worker`: after a round they are awake, or asleep for as
  long as that loop says, unless a notification wakes them.
- A process that was fenced is gone; a node whose disk is full ends, until somebody starts it again.
- A process that is in the middle of a step is not stepped; others may be, meanwhile.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from bigchaindb.exceptions import Fenced, LedgerError, StorageUnavailable
from bigchaindb.node.evidence import misdeeds
from bigchaindb.node.membership import check_may_change
from bigchaindb.node.node import Node
from bigchaindb.node.queries import Queries
from bigchaindb.pipeline.builder import Builder
from bigchaindb.pipeline.voter import Memory, Voter
from bigchaindb.pipeline.worker import Loop
from tests.simulation.disk import Crash, Disk, DiskFull, SimulatedJournal
from tests.simulation.storage import SimulatedStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.crypto import SigningKey
    from bigchaindb.exceptions import TransactionError
    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Transaction
    from bigchaindb.node.evidence import Misdeed
    from bigchaindb.pipeline.worker import Worker
    from tests.simulation.world import World

__all__ = ["Member", "Process", "Role"]

T = TypeVar("T")

_MAX_VOTERS: Final = 3


class Role(StrEnum):
    """What a process of a node does."""

    BUILDER = "builder"
    VOTER = "voter"
    WRITER = "writer"


class Process:
    """A process of a node.

    Attributes:
        is_busy: it is in the middle of a step.
        is_killed: it dies at its next call.
        is_over: it has ended for ever.
        own_changes: how much it has stored.
        began_at: the number of steps that there had been in the world when its last one began.
    """

    def __init__(self, member: Member, role: Role) -> None:
        self.member = member
        self.role = role
        self.is_busy = False
        self.is_killed = False
        self.is_over = False
        self.own_changes = self.began_at = 0
        self._world = member.world
        self._loop: Loop | None = None
        self._node: Node | None = None
        self._memory = Memory()
        self._wakes_at = self._listens_from = -math.inf
        self._heard = 0

    # --- builders and voters ---------------------------------------------------------------------------------

    @property
    def is_awake(self) -> bool:
        """Whether it would go on now: its time has come, or it hears that others have stored something."""
        now = self._world.now
        return not self.is_over and (now >= self._wakes_at or (now >= self._listens_from and self._has_news))

    @property
    def _has_news(self) -> bool:
        return self._world.database.changes - self.own_changes != self._heard

    def step(self) -> None:
        """Go once round the loop."""
        if self.is_over:
            return
        self.is_busy = True
        self.began_at = self._world.steps
        self._wakes_at = self._listens_from = -math.inf
        try:
            if self._loop is None:
                self._loop = Loop(self._open, self._make, self._pause)
            self._loop.round()
        except Crash:
            self.forget()
        except Fenced:
            self.is_over = True
        except DiskFull:
            self.member.end()
        finally:
            self.is_busy = self.is_killed = False

    def _make(self, node: Node) -> Worker:
        if self.role is Role.BUILDER:
            return Builder(node)
        return Voter(node, SimulatedJournal(self._world, self, self.member.disk), self._memory)

    def _pause(self, seconds: float) -> None:
        self._wakes_at, self._listens_from = self._world.now + seconds, math.inf

    def wait_for_change(self, timeout_seconds: float) -> bool:
        """Sleep, unless others have stored something since it was last awake: see `Storage.wait_for_change`."""
        has_news, delay = self._has_news, self._world.notification_delay(timeout_seconds)
        if delay < 0 or (has_news and delay == 0):
            self._heard = self._world.database.changes - self.own_changes
            return True
        self._wakes_at, self._listens_from = self._world.now + timeout_seconds, self._world.now + delay
        return False

    def _open(self) -> Node:
        member = self.member
        federations = member.world.federations[: member.configured + 1]
        return Node(
            SimulatedStorage(member.world, self),
            member.key,
            federation=federations[-1],
            earlier_federations=federations[:-1],
            quorum=member.world.settings.quorum,
            clock=member.clock,
        )

    def forget(self) -> None:
        """Lose all memory; in the middle of a step, die at the next call."""
        self.is_killed = self.is_busy
        self._loop = self._node = None
        self._memory = Memory()
        self._wakes_at = -math.inf

    # --- writers ---------------------------------------------------------------------------------------------

    def validate(self, transactions: list[Transaction]) -> list[TransactionError | None]:
        """Say of each transaction why it may not be written here now, or None; nothing where there is no answer."""
        return self._answer(lambda: self._open_writer().validate(transactions)) or []

    def store(self, validated: list[Transaction]) -> bool:
        """Store what this process found valid; tell whether that was acknowledged."""
        return self._answer(lambda: self._store(validated)) or False

    def may_change_federation(self) -> bool:
        """Ask whether the federation may be changed now."""
        return self._answer(self._may_change) or False

    def _may_change(self) -> bool:
        check_may_change(self._open_writer())
        return True

    def accused(self) -> set[str]:
        """Say who has done what honest nodes never do, as far as this node can tell."""
        return {misdeed.node for misdeed in self._answer(self._misdeeds) or []}

    def unspent(self, owner: str) -> list[OutputRef]:
        """Say what an owner could spend now."""
        return self._answer(lambda: Queries(self._open_writer()).unspent(owner)) or []

    def _misdeeds(self) -> list[Misdeed]:
        return misdeeds(self._open_writer())

    def _open_writer(self) -> Node:
        if self._node is None:
            self._node = self._open()
        return self._node

    def _store(self, validated: list[Transaction]) -> bool:
        if self._node is None:
            return False  # whoever validated them is dead
        self._node.store(validated)
        return True

    def _answer(self, ask: Callable[[], T]) -> T | None:
        self.is_busy = True
        try:
            return ask()
        except (StorageUnavailable, Crash):
            self.forget()
        except LedgerError:
            pass
        finally:
            self.is_busy = self.is_killed = False
        return None


class Member:
    """An honest node."""

    def __init__(self, world: World, number: int, key: SigningKey, configured: int) -> None:
        self.world = world
        self.number = number
        self.key = key
        self.me = str(key.verifying_key)
        self.configured = configured
        self.disk = Disk()
        self.is_up = True
        self.is_cut_off = False
        self.builder = Process(self, Role.BUILDER)
        self.writer = Process(self, Role.WRITER)
        self.voters = [Process(self, Role.VOTER)]

    def clock(self) -> float:
        """Unix seconds as this node believes."""
        return self.world.clock_of(self.number)

    @property
    def processes(self) -> list[Process]:
        return [self.builder, self.writer, *self.voters]

    @property
    def voter(self) -> Process:
        """The voter that was started last."""
        return self.voters[-1]

    def replace_voter(self) -> None:
        """Start another voter beside the one that is thought dead; that one may wake up."""
        if len(self.voters) < _MAX_VOTERS:
            self.voters.append(Process(self, Role.VOTER))

    def bury_voters(self) -> None:
        """Forget voters that ended; there is always one."""
        self.voters = [v for v in self.voters if not v.is_over] or [Process(self, Role.VOTER)]

    def crash(self) -> None:
        """Lose the memory of every process."""
        for process in self.processes:
            process.forget()
        # A dead process does not wake up, unlike one that is paused.
        self.voters = [v for v in self.voters if v.is_busy] + [Process(self, Role.VOTER)]

    def end(self) -> None:
        """End every process, until somebody starts the node again."""
        self.crash()
        self.is_up = False

    def reconfigure(self, configured: int) -> None:
        """Restart with another configuration."""
        self.crash()
        self.configured = configured
