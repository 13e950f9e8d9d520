"""Many requests, few trips to storage: what comes while one is under way is answered by the next, all at once.

Invariants:

- One round at a time, in a thread, so that the event loop never waits for storage.
- Every item gets its answer, or the error of its round; none is answered twice.
- A round takes at most so much; what is left waits for the next, in order.
- When storage fails a round, it has failed those who wait behind it too: nobody waits for it a second time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from anyio import CapacityLimiter, to_thread

from bigchaindb.exceptions import BigchainDBError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Rounds"]

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


def _one(_: object) -> int:
    return 1


class Rounds(Generic[_Item, _Answer]):
    """A question to storage that many ask; belongs to one event loop."""

    def __init__(
        self,
        answer: Callable[[Sequence[_Item]], Sequence[_Answer]],
        *,
        most: int,
        weigh: Callable[[_Item], int] = _one,
    ) -> None:
        """Say how items are answered.

        Args:
            answer: returns the answers in the order of the items; runs in a thread.
            most: weight of a round; a single item may be heavier.
            weigh: the weight of an item.
        """
        self._answer = answer
        self._most = most
        self._weigh = weigh
        self._waiting: deque[tuple[_Item, asyncio.Future[_Answer]]] = deque()
        self._limiter: CapacityLimiter | None = None
        self._task: asyncio.Task[None] | None = None

    async def ask(self, item: _Item) -> _Answer:
        """Return the answer to one item; raises what answering the round raised."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Answer] = loop.create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = loop.create_task(self._work())
        return await future

    async def _work(self) -> None:
        if self._limiter is None:
            self._limiter = CapacityLimiter(1)
        try:
            while self._waiting:
                await self._round(self._take(), self._limiter)
        finally:
            self._task = None

    async def _round(self, taken: Sequence[tuple[_Item, asyncio.Future[_Answer]]], limiter: CapacityLimiter) -> None:
        items = [item for item, _ in taken]
        try:
            answers = await to_thread.run_sync(self._answer, items, limiter=limiter)
        except BigchainDBError as error:
            _fail([*taken, *self._waiting], error)
            self._waiting.clear()
        except Exception as error:  # noqa: BLE001 - not handled here: whoever asked gets it
            if len(taken) == 1:
                _fail(taken, error)
                return
            # Whatever nobody has foreseen is one item's fault: the others shall not suffer from it.
            for one in taken:
                await self._round([one], limiter)
        else:
            for (_, future), answer in zip(taken, answers, strict=True):
                if not future.done():  # who asked may be gone
                    future.set_result(answer)

    def _take(self) -> list[tuple[_Item, asyncio.Future[_Answer]]]:
        taken = [self._waiting.popleft()]
        weight = self._weigh(taken[0][0])
        while self._waiting:
            weight += self._weigh(self._waiting[0][0])
            if weight > self._most:
                break
            taken.append(self._waiting.popleft())
        return taken


def _fail(taken: Sequence[tuple[Any, asyncio.Future[Any]]], error: Exception) -> None:
    for _, future in taken:
        if not future.done():
            future.set_exception(error)
