"""A ledger on several servers goes on when one is killed, and loses nothing."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING

from bigchaindb.storage.rethinkdb import RethinkStorage
from bigchaindb.storage.rethinkdb_driver import Server, r
from bigchaindb.storage.rethinkdb_pool import Pool
from bigchaindb.storage.rethinkdb_schema import spread
from tests.rethink import own_server, patiently
from tests.storage.make import ALICE, block, effects, output, stored, transaction, vote

if TYPE_CHECKING:
    from tests.rethink import ThrowAwayServer

HANG_SECONDS = 60.0


def write(storage: RethinkStorage, name: str) -> None:
    new = transaction(name)
    storage.append_backlog([new], 1.0)
    storage.write_block(block(name, new))
    storage.place_votes([vote(block(name, new), "node", name)])
    storage.settle(effects((output(name), [ALICE])))


def primaries(pool: Pool) -> set[str]:
    """Which servers answer for the tables."""
    shards = r.db("rethinkdb").table("table_config").filter({"db": pool.server.name})["shards"]
    return {shard["primary_replica"] for found in pool.administer(shards) for shard in found}


def test_with_three_copies_the_server_that_answers_for_all_may_be_killed() -> None:
    with ExitStack() as stack:
        one = stack.enter_context(own_server("--server-name", "one"))
        joining = ("--join", f"127.0.0.1:{one.cluster_port}")
        two, three = (stack.enter_context(own_server("--server-name", name, *joining)) for name in ("two", "three"))
        servers: dict[str, ThrowAwayServer] = {"one": one, "two": two, "three": three}
        ledger = Server("127.0.0.1", one.port, "ledger")
        with closing(Pool(ledger)) as pool:
            deadline = time.monotonic() + HANG_SECONDS
            while pool.administer(r.db("rethinkdb").table("server_status").count()) < len(servers):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            RethinkStorage(ledger, create=True).close()
            patiently(lambda: spread(ledger, replicas=3))
            killed, *others = sorted(primaries(pool)) + [name for name in servers if name not in primaries(pool)]
        names = [f"before {number}" for number in range(5)]
        with closing(RethinkStorage(Server("127.0.0.1", servers[others[0]].port, "ledger"), create=False)) as storage:
            for name in names:
                write(storage, name)
            servers[killed].kill()
            for name in (f"after {number}" for number in range(5)):
                patiently(partial(write, storage, name))
                names.append(name)
        with closing(RethinkStorage(Server("127.0.0.1", servers[others[1]].port, "ledger"), create=False)) as storage:
            news = [transaction(name) for name in names]
            assert storage.waiting([new.id for new in news]) == {new.id: [stored(new)] for new in news}
            assert [found.text for _, found in storage.blocks_after(None, 100)] == [block(name).text for name in names]
            assert storage.votes([block(name).id for name in names]).keys() == {block(name).id for name in names}
            held = storage.outputs_of(ALICE, spent=False, after=None, limit=100)
            assert [row.ref for row in held] == [output(name) for name in names]
