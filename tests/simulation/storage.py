"""One process' connection to the world's database: the memory backend, with everything that can go wrong around it.

Before every call others may go on, and the call may fail or the process die; after a write the process may die, or be
told that it failed; and a write that was given up may be done at any later time.  So every prefix of every batch is
reached, and every write's fate may be unknown.

Invariants:

- What was written stays written, and reads see every write that has returned: that much a database promises.
- Writes of several rows are done row by row, because a backend without transactions does them so.
- A backlog entry may turn up before the cursor of a reader, as one by a node with a slow clock does.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.storage.memory import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from bigchaindb.storage.memory import _Contents
    from bigchaindb.storage.records import (
        BacklogEntry,
        DecisionRow,
        Effects,
        NewTransaction,
        RejectionRow,
        Sighting,
        StoredBlock,
        TextRef,
        VoteRow,
    )
    from tests.simulation.actors import Process
    from tests.simulation.world import World

__all__ = ["SimulatedStorage"]

T = TypeVar("T")


class _Call:
    """What happens around a call.  There are no threads here, and worlds make so many that generators would be slow."""

    __slots__ = ("_process", "_world")

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def __enter__(self) -> _Contents:
        self._world.before_call(self._process)
        return self._world.database.contents

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        pass


class _Write(_Call):
    __slots__ = ()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._world.after_write(self._process)


class SimulatedStorage(MemoryStorage):
    """A connection that one process of one node holds."""

    def __init__(self, world: World, process: Process) -> None:
        super().__init__(world.database)
        self._world = world
        self._process = process

    def _reading(self) -> Any:
        return _Call(self._world, self._process)

    def _writing(self) -> Any:
        return _Write(self._world, self._process)

    def wait_for_change(self, timeout_seconds: float, of: Collection[str] = ()) -> bool:  # noqa: ARG002 - told of all
        return self._process.wait_for_change(timeout_seconds)

    # --- writes, row by row ----------------------------------------------------------------------------------

    def _write(self, write: Callable[..., T], *told: Any, see: Callable[[], None] = lambda: None, **named: Any) -> T:
        """Write something now, or be told that it failed and let it happen later.

        Args:
            write: a method of the storage beneath.
            told: what it is called with.
            see: looks at what became of it, also where the caller is not told: others act on what stands.
            named: what it is called with, too.
        """

        def arrive(storage: MemoryStorage) -> None:
            write(storage, *told, **named)
            see()

        if self._world.give_up(arrive):
            raise StorageUnavailable("simulated: given up, and on its way")
        try:
            return write(self, *told, **named)
        finally:
            see()

    def append_backlog(self, transactions: Sequence[NewTransaction], received_at: float) -> None:
        for row in transactions:
            self._write(MemoryStorage.append_backlog, [row], received_at)

    def write_block(self, block: StoredBlock) -> None:
        member = self._process.member
        # As of now, whenever it arrives.
        see = partial(self._world.invariants.see_block, member, member.clock(), self._process.began_at, block)
        self._write(MemoryStorage.write_block, block, see=see)

    def place_votes(self, votes: Sequence[VoteRow]) -> list[str]:
        return [self._place(vote) for vote in votes]

    def _place(self, vote: VoteRow) -> str:
        see = partial(self._world.invariants.see_vote, vote.block_id, self._process.member.me)
        return self._write(MemoryStorage.place_votes, [vote], see=see)[0]

    def append_decisions(self, decisions: Sequence[DecisionRow]) -> list[str]:
        return [self._append(decision) for decision in decisions]

    def _append(self, decision: DecisionRow) -> str:
        see = partial(self._world.invariants.see_decisions, self._process.member)
        return self._write(MemoryStorage.append_decisions, [decision], see=see)[0]

    def reject(self, rejections: Sequence[RejectionRow]) -> None:
        for row in rejections:
            self._write(MemoryStorage.reject, [row], see=partial(self._world.invariants.see_rejection, row))

    def drop_backlog(self, *, ids: Sequence[str] = (), texts: Sequence[TextRef] = ()) -> None:
        for txid in ids:
            self._write(MemoryStorage.drop_backlog, ids=[txid])
        for text in texts:
            self._write(MemoryStorage.drop_backlog, texts=[text])

    def sight(self, node: str, sightings: Sequence[Sighting]) -> None:
        for row in sightings:
            self._write(MemoryStorage.sight, node, [row], see=partial(self._world.invariants.see_note, node, row.key))

    def settle(self, effects: Effects) -> None:
        self._write(MemoryStorage.settle, effects)

    def settling(self, effects: Effects) -> Callable[[], None]:
        """Settle now, or when it is waited for: a backend that does it beside something else may do it at any time."""
        if self._world.chance.random() < 0.5:
            return super().settling(effects)
        problem: StorageUnavailable | None = None
        try:
            self.settle(effects)
        except StorageUnavailable as error:
            problem = error

        def end() -> None:
            if problem is not None:
                raise problem

        return end

    def swap_register(self, name: str, expected: str | None, new: str | None) -> bool:
        return self._write(MemoryStorage.swap_register, name, expected, new)

    # --- late ------------------------------------------------------------------------------------------------

    def backlog(self, after: str | None, limit: int) -> list[BacklogEntry]:
        page = super().backlog(after, limit)
        if page and self._world.is_late():
            del page[self._world.chance.randrange(len(page))]
        return page
