"""Federations of 1 and 4 nodes on this machine: how many transactions they decide per second, and how soon.

Every node is a real one, `bigchaindb start`; a transaction counts as decided when all of them have decided it.  On
RethinkDB, the unit is R: raw inserts per second, in batches of 100 and durable as the ledger's are, of documents as
large as a stored transaction and as many as there are transactions, into the same server in the same run.

With `--large`: TRANSFER at 1,000 and at 100,000 transactions in the ledger, 5,000 of what was created last and, in the
large one, of what was created at any time; takes minutes.
"""

from __future__ import annotations

import random
import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rethinkdb import RethinkDB

from benchmarks.load import Watch, decide, latency, percentile, signed_create, signed_transfer
from bigchaindb import canonical, crypto
from examples.federation.nodes import Federation, sqlite
from examples.federation.rethink import is_there_a_rethinkdb, rethinkdb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bigchaindb import Bigchain

NODES: Final = (1, 4)
TRANSACTIONS: Final = 10_000
# As many as go into a block.
BATCH: Final = 1_000
LONE_TRANSACTIONS: Final = 100
RAW_BATCH: Final = 100
# As many documents as there are transactions: a table gets the slower the larger it is, and half a second scatters.
RAW_BATCHES: Final = TRANSACTIONS // RAW_BATCH
# In R; from the project's goals.
FLOORS: Final = {1: 0.15, 4: 0.05}
SMALL: Final = 1_000
LARGE: Final = 100_000
# How often what is measured there changes hands: once would be over too soon to be measured.
HANDS: Final = 5


def main(*, large: bool = False) -> None:
    """Measure and print."""
    if large:
        _growth()
        return
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bigchaindb-benchmark-")))
        for count in NODES:
            place = directory / f"sqlite-{count}"
            place.mkdir()
            _measure("sqlite", place, count, sqlite(place))
        if not is_there_a_rethinkdb():
            print("rethinkdb: not measured, since it is not on PATH")
            return
        for count in NODES:
            with rethinkdb() as database:
                place = directory / f"rethinkdb-{count}"
                place.mkdir()
                _measure("rethinkdb", place, count, database)


def _measure(backend: str, directory: Path, count: int, database: Mapping[str, Any]) -> None:
    with ExitStack() as stack:
        federation = stack.enter_context(Federation(directory, count, database, log={"level": "warning"}))
        federation.init()
        ledger = stack.enter_context(federation.members[0].bigchain())
        watches = [stack.enter_context(Watch(member.config)) for member in federation.members]
        alice, bob = crypto.generate_key_pair(), crypto.generate_key_pair()
        creates = [signed_create(ledger, alice[1], i) for i in range(TRANSACTIONS)]
        unit = _raw_inserts_per_second(database, creates[0]) if backend == "rethinkdb" else None
        federation.start()
        decide(ledger, watches, [signed_create(ledger, alice[1], -1)], BATCH)
        title = f"{backend}, {count} {'node' if count == 1 else 'nodes'}"
        if unit:
            print(f"{title}: R = {unit:,.0f} raw inserts per second")
        _report(f"{title}: CREATE", decide(ledger, watches, creates, BATCH), unit, count)
        transfers = [signed_transfer(ledger, alice, bob[1], tx["id"]) for tx in creates]
        _report(f"{title}: TRANSFER", decide(ledger, watches, transfers, BATCH), unit, count)
        seconds = [latency(ledger, signed_create(ledger, alice[1], -2 - i)) for i in range(LONE_TRANSACTIONS)]
        p50, p99 = percentile(seconds, 50) * 1000, percentile(seconds, 99) * 1000
        print(f"{title}: lone transaction, write to valid: p50 {p50:.0f} ms, p99 {p99:.0f} ms", flush=True)


def _report(what: str, per_second: float, unit: float | None, count: int) -> None:
    ratio = f" = {per_second / unit:.3f} R (floor {FLOORS[count]:.2f} R)" if unit else ""
    print(f"{what}: {per_second:,.0f} decided per second{ratio}", flush=True)


def _raw_inserts_per_second(database: Mapping[str, Any], tx: Mapping[str, Any]) -> float:
    """Return R, measured while nothing else uses the server."""
    r = RethinkDB()
    connection = r.connect(host=database["host"], port=database["port"])
    name = f"raw_{uuid.uuid4().hex}"
    try:
        r.db_create(name).run(connection)
        r.db(name).table_create("raw", durability="hard").run(connection)
        text = canonical.dumps(tx)
        batches = [
            [{"id": crypto.hash_data(f"{batch} {i}"), "text": text} for i in range(RAW_BATCH)]
            for batch in range(RAW_BATCHES)
        ]
        start = time.perf_counter()
        for documents in batches:
            r.db(name).table("raw").insert(documents, durability="hard").run(connection)
        elapsed = time.perf_counter() - start
        r.db_drop(name).run(connection)
    finally:
        connection.close()
    return RAW_BATCH * RAW_BATCHES / elapsed


def _growth() -> None:
    """Compare, on each backend, how fast TRANSFERs are in a small and in a large ledger."""
    with tempfile.TemporaryDirectory(prefix="bigchaindb-benchmark-") as directory:
        place = Path(directory) / "sqlite"
        place.mkdir()
        _grow("sqlite", place, sqlite(place))
        if not is_there_a_rethinkdb():
            print("rethinkdb: not measured, since it is not on PATH")
            return
        with rethinkdb() as database:
            place = Path(directory) / "rethinkdb"
            place.mkdir()
            _grow("rethinkdb", place, database)


def _grow(backend: str, directory: Path, database: Mapping[str, Any]) -> None:
    with ExitStack() as stack:
        federation = stack.enter_context(Federation(directory, 1, database, log={"level": "warning"}))
        federation.init()
        federation.start()
        ledger = stack.enter_context(federation.members[0].bigchain())
        watch = stack.enter_context(Watch(federation.members[0].config))
        alice = crypto.generate_key_pair()
        assets: list[str] = []
        assets += _created(ledger, watch, alice[1], range(SMALL))
        small = _handed_on(f"{backend}: TRANSFER at {SMALL:,} transactions", ledger, watch, alice, assets)
        assets += _created(ledger, watch, alice[1], range(SMALL, LARGE))
        large = _handed_on(f"{backend}: TRANSFER at {LARGE:,} transactions", ledger, watch, alice, assets[-SMALL:])
        print(f"{backend}: TRANSFER at {LARGE:,} is {large / small:.2f} of that at {SMALL:,} (floor 0.85)", flush=True)
        # Nothing of these is in anybody's memory any more.
        old = random.Random(0).sample(assets[SMALL:-SMALL], HANDS * SMALL)  # noqa: S311 - to choose what to measure
        transfers = [signed_transfer(ledger, alice, alice[1], txid) for txid in old]
        print(f"{backend}: TRANSFER of old outputs at {LARGE:,} transactions: ", end="")
        print(f"{decide(ledger, [watch], transfers, BATCH // 2):,.0f} decided per second", flush=True)


def _created(ledger: Bigchain, watch: Watch, owner: str, numbers: range) -> list[str]:
    """Create assets; return their ids."""
    ids: list[str] = []
    for first in range(0, len(numbers), BATCH):
        transactions = [signed_create(ledger, owner, number) for number in numbers[first : first + BATCH]]
        decide(ledger, [watch], transactions, BATCH)
        ids += [str(tx["id"]) for tx in transactions]
    return ids


def _handed_on(what: str, ledger: Bigchain, watch: Watch, owner: tuple[str, str], assets: Sequence[str]) -> float:
    """Measure TRANSFERs of these, each several times."""
    held, seconds = list(assets), 0.0
    for _ in range(HANDS):
        transfers = [signed_transfer(ledger, owner, owner[1], txid) for txid in held]
        held = [str(tx["id"]) for tx in transfers]
        # In two batches, so that there is something to do for all processes at once.
        seconds += len(held) / decide(ledger, [watch], transfers, len(held) // 2)
    per_second = HANDS * len(assets) / seconds
    print(f"{what}: {per_second:,.0f} decided per second", flush=True)
    return per_second
