"""Several processes that use one ledger at once.

Each of the functions is run by every process of a crowd, as soon as all of them are there.
"""

from __future__ import annotations

import multiprocessing
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

from bigchaindb.storage.sqlite import SqliteStorage
from tests.storage.make import block, output, transaction, vote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from multiprocessing.context import SpawnProcess
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

T = TypeVar("T")

HANG_SECONDS = 60.0
_CONTEXT = multiprocessing.get_context("spawn")


class Crowd:
    """Processes that do the same at the same time, each knowing its number."""

    def __init__(self, size: int, work: Callable[[Path, int], T], path: Path) -> None:
        """Start them."""
        self._results: Queue[tuple[int, T]] = _CONTEXT.Queue()
        self._together = _CONTEXT.Barrier(size)  # kept: it ends with its last reference
        self._processes: list[SpawnProcess] = [
            _CONTEXT.Process(target=_run, args=(work, path, number, self._together, self._results), daemon=True)
            for number in range(size)
        ]
        for process in self._processes:
            process.start()

    def results(self) -> list[Any]:
        """Wait for all; return what each returned, in the order of their numbers."""
        found = dict(self._results.get(timeout=HANG_SECONDS) for _ in self._processes)
        for process in self._processes:
            process.join(HANG_SECONDS)
            process.close()
        self._results.close()
        return [found[number] for number in sorted(found)]


def _run(
    work: Callable[[Path, int], T], path: Path, number: int, together: Barrier, results: Queue[tuple[int, T]]
) -> None:
    together.wait(HANG_SECONDS)
    results.put((number, work(path, number)))


def _open(path: Path) -> AbstractContextManager[SqliteStorage]:
    # On a machine that is busy with other tests a crowd may take longer than anybody should have to wait.
    return closing(SqliteStorage(path, create=True, busy_seconds=HANG_SECONDS))


# --- work --------------------------------------------------------------------------------------------------

ROUNDS = 20


def compete(path: Path, number: int) -> tuple[str, list[bool], list[str]]:
    """Make the ledger, its genesis, and claim each of some registers and voting places."""
    with _open(path) as storage:
        mine = transaction(f"genesis {number}")
        genesis = storage.create_genesis(block(f"genesis {number}", mine), mine)
        swapped, placed = [], []
        for turn in range(ROUNDS):
            swapped.append(storage.swap_register(f"register {turn}", None, str(number)))
            placed += storage.place_votes([vote(block(str(turn)), "node", str(number))])
        return genesis.id, swapped, placed


def append_the_same(path: Path, number: int) -> int:
    """Append transactions that the others append, too, and spends of outputs that nobody made."""
    with _open(path) as storage:
        for turn in range(ROUNDS):
            same = [transaction(f"{turn} {each}", spends=[output(f"nowhere {turn}", each)]) for each in range(20)]
            storage.append_backlog(same if number % 2 else same[::-1], float(number))
        return number


def write(path: Path, number: int) -> list[str]:
    """Write blocks and backlog of its own; return the keys of the blocks."""
    with _open(path) as storage:
        keys = []
        for turn in range(ROUNDS):
            new = transaction(f"{number} {turn}")
            written = block(f"{number} {turn}", new)
            storage.append_backlog([new], float(number))
            storage.write_block(written)
            keys.append(written.key)
        return keys


def follow(storage: SqliteStorage, count: int) -> Iterator[tuple[str, str]]:
    """Follow blocks and backlog until there are so many of each; give the key of each, and which it was."""
    cursors: dict[str, str | None] = {"block": None, "backlog": None}
    left = {"block": count, "backlog": count}
    while any(left.values()):
        found = [("block", cursor, stored.key) for cursor, stored in storage.blocks_after(cursors["block"], 3)]
        found += [("backlog", entry.cursor, entry.text.hash) for entry in storage.backlog(cursors["backlog"], 3)]
        if not found and not storage.wait_for_change(HANG_SECONDS):
            raise TimeoutError("nothing changed")
        for what, cursor, key in found:
            cursors[what] = cursor
            left[what] -= 1
            yield what, key
