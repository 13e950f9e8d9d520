"""Whatever a verb had done in RethinkDB when it failed: done once more, it is done, and nobody can tell."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import Effects, NewOutput
from bigchaindb.storage.rethinkdb import RethinkStorage
from tests.rethink import empty
from tests.storage.make import decision, digest, ref, rejection, sighting, vote
from tests.storage.test_rethinkdb import in_no_order
from tests.storage.test_twins import BLOCKS, LINEAGES, OUTPUTS, OWNERS, PAYLOADS, SPENDERS, TRANSACTIONS, everything

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.storage.rethinkdb_driver import Server
    from tests.storage.test_twins import Step

NODE = "node"
# More than any verb has writes.
MOST_WRITES = 10


def settled(count: int) -> Effects:
    """What the first transactions do."""
    return Effects(
        tuple(NewOutput(ref, OWNERS[ref], LINEAGES[ref]) for ref in OUTPUTS[: 2 * count]),
        tuple((ref, SPENDERS[ref]) for ref in OUTPUTS[: 2 * (count - 1)]),
        PAYLOADS[:count],
    )


STEPS: list[Step] = [
    ("create_genesis", (BLOCKS[0], TRANSACTIONS[0], digest("p")), {}),
    ("append_backlog", (TRANSACTIONS[:5], 1.0), {}),
    ("append_backlog", (TRANSACTIONS[3:9], 2.0), {}),
    ("write_block", (BLOCKS[2],), {}),
    ("write_block", (BLOCKS[5],), {}),
    ("sight", (NODE, [sighting(BLOCKS[2], 1.0), sighting(BLOCKS[5], 2.0, checked=False)]), {}),
    ("sight", (NODE, [sighting(BLOCKS[5], 3.0)]), {}),
    ("place_votes", ([vote(BLOCKS[2], NODE, "one"), vote(BLOCKS[2], NODE, "two"), vote(BLOCKS[5], NODE, "x")],), {}),
    ("place_votes", ([vote(BLOCKS[5], NODE, "three", replaces="x")],), {}),
    ("keep_evidence", ([vote(BLOCKS[2], NODE, "four"), vote(BLOCKS[5], "another", "five")],), {}),
    ("append_decisions", ([decision(BLOCKS[2], NODE, 1), decision(BLOCKS[5], NODE, 2, verdict=False)],), {}),
    ("settle", (settled(2),), {}),
    ("settle", (settled(5),), {}),
    ("drop_backlog", (), {"ids": [TRANSACTIONS[0].id], "texts": [ref(TRANSACTIONS[3])]}),
    ("reject", ([rejection(TRANSACTIONS[4], NODE), rejection(TRANSACTIONS[5], NODE)],), {}),
    ("swap_register", ("x", None, "one"), {}),
    ("swap_register", ("y", None, "one"), {}),
    ("swap_register", ("y", "one", None), {}),
]


class Failing:
    """A connection whose n-th write since the beginning of a verb fails, before it is done or after it."""

    def __init__(self, write: Callable[[Any], Any], nth: int, *, is_done: bool) -> None:
        self._write = write
        self._nth = nth
        self._is_done = is_done
        self._count = 0
        self._lock = threading.Lock()

    def begin(self) -> None:
        self._count = 0

    def write(self, query: Any) -> Any:
        with self._lock:
            self._count += 1
            fails = self._count == self._nth
        result = self._write(query) if self._is_done or not fails else None
        if fails:
            raise StorageUnavailable("no answer")
        return result


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", range(1, MOST_WRITES))
def test_a_verb_that_failed_at_any_write_may_be_repeated(
    kept_ledger: Server, monkeypatch: pytest.MonkeyPatch, nth: int, *, is_done: bool
) -> None:
    empty(kept_ledger)
    with closing(MemoryStorage()) as memory, closing(RethinkStorage(kept_ledger, create=True)) as storage:
        failing = Failing(storage._store._pool.write, nth, is_done=is_done)
        monkeypatch.setattr(storage._store._pool, "write", failing.write)
        for name, arguments, named in STEPS:
            getattr(memory, name)(*arguments, **named)
            failing.begin()
            try:
                getattr(storage, name)(*arguments, **named)
            except StorageUnavailable:
                getattr(storage, name)(*arguments, **named)
        assert in_no_order(everything(memory)) == in_no_order(everything(storage))
