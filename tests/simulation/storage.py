"""One process' connection to the world's database: the memory backend, with everything that can go wrong around it.

Before every call others may go on, and the call may fail or the process die; after a write the process may die, or be
told that it failed.  So every prefix of every batch is reached, and every write's fate may be unknown.

Invariants:

- What was written stays written, and reads see every write that has returned: that much a database promises.
- Writes of several rows are done row by row, because a backend without transactions does them so.
- A backlog entry may turn up before the cursor of a reader, as one by a node with a slow clock does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bigchaindb.storage.memory import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.storage.memory import _Contents
    from bigchaindb.storage.records import (
        BacklogEntry,
        DecisionRow,
        NewTransaction,
        RejectionRow,
        Sighting,
        VoteRow,
    )
    from tests.simulation.actors import Process
    from tests.simulation.world import World

__all__ = ["SimulatedStorage"]


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
            self._world.after_write()


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

    # --- row by row ------------------------------------------------------------------------------------------

    def append_backlog(self, transactions: Sequence[NewTransaction], received_at: float) -> None:
        for transaction in transactions:
            super().append_backlog([transaction], received_at)

    def place_votes(self, votes: Sequence[VoteRow]) -> list[str]:
        return [self._place(vote) for vote in votes]

    def _place(self, vote: VoteRow) -> str:
        try:
            return super().place_votes([vote])[0]
        finally:
            # Also where the caller was not told: what stands in the place, others act on.
            self._world.invariants.see_vote(vote.block_id, self._process.member.me)

    def append_decisions(self, decisions: Sequence[DecisionRow]) -> list[str]:
        return [self._append(decision) for decision in decisions]

    def _append(self, decision: DecisionRow) -> str:
        try:
            return super().append_decisions([decision])[0]
        finally:
            self._world.invariants.see_decisions(self._process.member)

    def reject(self, rejections: Sequence[RejectionRow]) -> None:
        for rejection in rejections:
            try:
                super().reject([rejection])
            finally:
                self._world.invariants.see_rejection(rejection)

    def drop_backlog(self, *, ids: Sequence[str] = (), hashes: Sequence[str] = ()) -> None:
        for txid in ids:
            super().drop_backlog(ids=[txid])
        for text_hash in hashes:
            super().drop_backlog(hashes=[text_hash])

    def sight(self, node: str, sightings: Sequence[Sighting]) -> None:
        for sighting in sightings:
            super().sight(node, [sighting])

    # --- late ------------------------------------------------------------------------------------------------

    def backlog(self, after: str | None, limit: int) -> list[BacklogEntry]:
        page = super().backlog(after, limit)
        if page and self._world.is_late():
            del page[self._world.chance.randrange(len(page))]
        return page
