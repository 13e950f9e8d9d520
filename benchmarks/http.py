"""One node over HTTP: how much it takes in, answers and tells, beside what the web framework serves at best.

The node is the real one, `bigchaindb start` in a directory of its own on the embedded store; the client is a process of
its own, and so is the framework with a handler that does nothing, on the same settings.
"""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from benchmarks.baseline import verifications_per_second
from benchmarks.events import event_latency
from benchmarks.knocking import get, knock, post
from benchmarks.ledger import peak_memory, running_node
from benchmarks.load import WAIT_SECONDS, latency, percentile, signed_create, signed_transfer
from bigchaindb import crypto

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.knocking import Knocked
    from bigchaindb import Bigchain

TRANSACTIONS: Final = 6_000
READS: Final = 20_000
BATCH: Final = 100
ROUNDS: Final = 3
CONNECTIONS: Final = 32
BATCH_CONNECTIONS: Final = 4
LONE_TRANSACTIONS: Final = 100
FLOOR_BATCH: Final = 0.10
FLOOR_READ: Final = 0.5
FLOOR_EVENT_SECONDS: Final = 0.020

_API: Final = "/api/v1"


def main() -> None:
    """Measure and print."""
    print(f"V = {verifications_per_second():,.0f} Ed25519 verifications per second of one core")
    port = free_port()
    with running_node(f"localhost:{port}") as (ledger, process, _), empty_server() as empty_port:
        alice, bob = crypto.generate_key_pair(), crypto.generate_key_pair()
        singles = [signed_create(ledger, alice[1], number) for number in range(TRANSACTIONS)]
        _report_posting("POST transactions, CREATE", *_post(ledger, port, singles, 1))
        batched = [signed_create(ledger, alice[1], TRANSACTIONS + number) for number in range(TRANSACTIONS)]
        _report_posting(f"POST transactions/batch of {BATCH}, CREATE", *_post(ledger, port, batched, BATCH))
        transfers = [signed_transfer(ledger, alice, bob[1], tx["id"]) for tx in batched]
        _report_posting(f"POST transactions/batch of {BATCH}, TRANSFER", *_post(ledger, port, transfers, BATCH))
        _report_reading(port, empty_port, [tx["id"] for tx in (*singles, *batched)])
        _report_events(ledger, port, alice[1])
        for name, mebibytes in peak_memory(process.pid):
            print(f"peak memory of {name}: {mebibytes:.0f} MiB")


def free_port() -> int:
    """Return a port that nobody uses at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def empty_server() -> Iterator[int]:
    """Serve a handler that does nothing; return its port."""
    command = [sys.executable, "-m", "benchmarks.empty"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdin is not None  # noqa: S101 - asked for above
        assert process.stdout is not None  # noqa: S101
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(10)


# --- sending -----------------------------------------------------------------------------------------------


def _post(
    ledger: Bigchain, port: int, transactions: Sequence[dict[str, Any]], batch: int
) -> tuple[Knocked, float, float]:
    """Post transactions; return what came of it, how many per second were decided from first to last, and V."""
    if batch == 1:
        requests = [post(f"{_API}/transactions", json.dumps(tx).encode()) for tx in transactions]
    else:
        parts = [transactions[i : i + batch] for i in range(0, len(transactions), batch)]
        requests = [post(f"{_API}/transactions/batch", json.dumps(part).encode()) for part in parts]
    # Before and after, as somebody else may use the machine too.
    unit = verifications_per_second() / 2
    start = time.perf_counter()
    knocked = knock(port, requests, CONNECTIONS if batch == 1 else BATCH_CONNECTIONS)
    if set(knocked.statuses) != {202}:
        raise RuntimeError(f"not all were accepted: {knocked.statuses}")
    _wait(ledger, [tx["id"] for tx in transactions])
    # The client's process needs a moment to start, in which nothing is sent.
    decided = len(transactions) / (time.perf_counter() - start - knocked.started_after_seconds)
    return knocked, decided, unit + verifications_per_second() / 2


def _wait(ledger: Bigchain, ids: Sequence[str]) -> None:
    left = list(ids)
    deadline = time.monotonic() + WAIT_SECONDS
    while left:
        ledger.wait_for_transaction(left[-1], max(0.0, deadline - time.monotonic()))
        statuses = ledger.get_statuses(left)
        left = [txid for txid in left if statuses[txid] != "valid"]


def _report_posting(what: str, knocked: Knocked, decided: float, unit: float) -> None:
    floor = f" (floor {FLOOR_BATCH:.2f} V)" if "batch" in what else ""
    p50 = percentile(knocked.latencies, 50) * 1000
    print(
        f"{what}: {knocked.per_second:,.0f} requests per second (p50 {p50:.1f} ms), "
        f"{decided:,.0f} transactions decided per second = {decided / unit:.3f} V{floor}"
    )


# --- reading -----------------------------------------------------------------------------------------------


def _report_reading(port: int, empty_port: int, ids: Sequence[str]) -> None:
    shuffled = random.Random(0).sample(ids, len(ids))  # noqa: S311 - the same in every run
    requests = [get(f"{_API}/transactions/{txid}") for txid in shuffled]
    # By turns, so that both have the same machine.
    empty, read = [], []
    for _ in range(ROUNDS):
        empty.append(knock(empty_port, [get("/")], CONNECTIONS, READS))
        read.append(knock(port, requests, CONNECTIONS, READS))
    for knocked in (*empty, *read):
        if set(knocked.statuses) != {200}:
            raise RuntimeError(f"not all were answered: {knocked.statuses}")
    best_empty, best = (max(each, key=lambda knocked: knocked.per_second) for each in (empty, read))
    print(f"an empty handler of the framework: {best_empty.per_second:,.0f} requests per second")
    p50 = percentile(best.latencies, 50) * 1000
    print(
        f"GET transactions/{{id}}: {best.per_second:,.0f} requests per second (p50 {p50:.1f} ms) = "
        f"{best.per_second / best_empty.per_second:.2f} of the empty handler (floor {FLOOR_READ})"
    )


# --- events ------------------------------------------------------------------------------------------------


def _report_events(ledger: Bigchain, port: int, owner: str) -> None:
    p50, p99 = event_latency(
        f"127.0.0.1:{port}",
        lambda number: _decide_one(ledger, owner, -1 - number),
        LONE_TRANSACTIONS,
    )
    print(
        f"event of a lone transaction, decided to received: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms "
        f"(floor p50 {FLOOR_EVENT_SECONDS * 1000:.0f} ms)"
    )


def _decide_one(ledger: Bigchain, owner: str, number: int) -> None:
    latency(ledger, signed_create(ledger, owner, number))
