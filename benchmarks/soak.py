"""A node under many listeners and posting clients: is any event lost or doubled, and how much memory does it take?

The node is a real one on the embedded store.  The listeners, in a process of their own, use WebSockets and server-sent
events, half of each, and some of them never read.  The clients post one signed transaction after the other, each over a
connection of its own.  `BIGCHAINDB_TEST_SOAK_SECONDS` says for how long (60).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.http import free_port
from benchmarks.knocking import post
from benchmarks.ledger import peak_memory, running_node
from benchmarks.load import percentile, signed_create, signed_transfer
from bigchaindb import canonical, crypto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bigchaindb import Bigchain

__all__ = ["SECONDS_VARIABLE", "Report", "soak"]

LISTENERS: Final = 500
CLIENTS: Final = 50
SLEEPERS: Final = 10
SECONDS: Final = 60.0
MEMORY_MEBIBYTES: Final = 400

SECONDS_VARIABLE: Final = "BIGCHAINDB_TEST_SOAK_SECONDS"
_END_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Report:
    """What happened.

    Attributes:
        seconds: how long was posted.
        posted: ids of the transactions that the node took.
        refused: how many it did not take at the first try.
        latencies: seconds that each took to be answered.
        heard: per kind of listener, what one of them heard: ids in order.
        disagreeing: how many listeners did not hear exactly what most of their kind did.
        lost: how many connections of listeners were lost.
        peak_mebibytes: per process of the node, most resident memory.
        end_seconds: how long the node took to stop.
    """

    seconds: float
    posted: frozenset[str]
    refused: int
    latencies: Sequence[float]
    heard: dict[str, list[str]]
    disagreeing: int
    lost: int
    peak_mebibytes: dict[str, float]
    end_seconds: float

    def problems(self) -> list[str]:
        """Return what must not be."""
        found = []
        for kind, heard in self.heard.items():
            missing = len(self.posted - set(heard))
            if missing:
                found.append(f"{kind}: {missing} events were lost")
            if len(set(heard)) < len(heard):
                found.append(f"{kind}: {len(heard) - len(set(heard))} events came twice")
            if set(heard) - self.posted:
                found.append(f"{kind}: {len(set(heard) - self.posted)} events of nothing that was posted")
        if self.disagreeing:
            found.append(f"{self.disagreeing} listeners heard something else than the others")
        if self.lost:
            found.append(f"{self.lost} listeners were cut off")
        found += [
            f"{name} took {mebibytes:.0f} MiB"
            for name, mebibytes in self.peak_mebibytes.items()
            if mebibytes >= MEMORY_MEBIBYTES
        ]
        return found


def main() -> None:
    """Measure and print; end with an error where something was wrong."""
    seconds = float(os.environ.get(SECONDS_VARIABLE, SECONDS))
    report = soak(seconds, listeners=LISTENERS, clients=CLIENTS, sleepers=SLEEPERS)
    events = len(report.heard["websockets"])
    print(f"{LISTENERS} listeners, {SLEEPERS} who never read, {CLIENTS} clients, {report.seconds:.0f} s")
    print(f"posted {len(report.posted):,} transactions = {len(report.posted) / report.seconds:,.0f} per second")
    p50, p99 = percentile(report.latencies, 50) * 1000, percentile(report.latencies, 99) * 1000
    print(f"answered: p50 {p50:.0f} ms, p99 {p99:.0f} ms; {report.refused} refused at first")
    print(f"delivered {events * LISTENERS:,} events = {events * LISTENERS / report.seconds:,.0f} per second")
    for name, mebibytes in report.peak_mebibytes.items():
        print(f"peak memory of {name}: {mebibytes:.0f} MiB (limit {MEMORY_MEBIBYTES} MiB)")
    print(f"stopped in {report.end_seconds:.1f} s")
    problems = report.problems()
    print("\n".join(problems) if problems else "no event was lost, none came twice")
    if problems:
        raise SystemExit(1)


def soak(seconds: float, *, listeners: int = LISTENERS, clients: int = CLIENTS, sleepers: int = SLEEPERS) -> Report:
    """Let a node of its own work for so long.

    Args:
        seconds: how long the clients post.
        listeners: how many read all that comes.
        clients: how many post.
        sleepers: how many listeners never read.
    """
    port = free_port()
    with running_node(f"127.0.0.1:{port}") as (ledger, node, _), _crowd(port, listeners, sleepers) as crowd:
        posting = asyncio.run(_post(ledger, port, node.pid, seconds, clients))
        heard = crowd(len(posting.posted))
        start = time.monotonic()
        node.send_signal(signal.SIGTERM)
        node.wait(_END_SECONDS)
        end_seconds = time.monotonic() - start
    return Report(
        seconds=posting.seconds,
        posted=frozenset(posting.posted),
        refused=posting.refused,
        latencies=posting.latencies,
        heard={kind: found["events"] for kind, found in heard.items()},
        disagreeing=sum(sum(found["digests"]) - max(found["digests"]) for found in heard.values()),
        lost=sum(found["lost"] for found in heard.values()),
        peak_mebibytes=posting.peaks,
        end_seconds=end_seconds,
    )


# --- the listeners -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _crowd(port: int, listeners: int, sleepers: int) -> Iterator[Callable[[int], dict[str, Any]]]:
    """Let listeners listen; yields what waits until each has so many events, and returns what they have heard."""
    order = {"port": port, "websockets": listeners - listeners // 2, "streams": listeners // 2, "sleepers": sleepers}
    command = [sys.executable, "-m", "benchmarks.crowd"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdin is not None  # noqa: S101 - asked for above
        assert process.stdout is not None  # noqa: S101
        stdin, stdout = process.stdin, process.stdout

        def answer(line: str) -> str:
            stdin.write(f"{line}\n")
            stdin.flush()
            return stdout.readline()

        try:
            if answer(json.dumps(order)).strip() != "ready":
                raise RuntimeError("the listeners could not connect")
            yield lambda count: dict(json.loads(answer(str(count))))
        finally:
            process.terminate()


# --- the clients -------------------------------------------------------------------------------------------


class _Posting:
    """What the clients have done so far."""

    def __init__(self) -> None:
        self.posted: list[str] = []
        self.latencies: list[float] = []
        self.refused = 0
        self.seconds = 0.0
        self.peaks: dict[str, float] = {}


async def _post(ledger: Bigchain, port: int, pid: int, seconds: float, clients: int) -> _Posting:
    posting = _Posting()
    start = time.monotonic()
    end = start + seconds
    watching = asyncio.create_task(_watch(pid, posting))
    await asyncio.gather(*(_client(ledger, port, end, posting) for _ in range(clients)))
    posting.seconds = time.monotonic() - start
    watching.cancel()
    return posting


async def _client(ledger: Bigchain, port: int, end: float, posting: _Posting) -> None:
    """Create an asset, give it away, and so on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    alice, bob = crypto.generate_key_pair(), crypto.generate_key_pair()
    number = 0
    asset: str | None = None
    while time.monotonic() < end:
        if asset is None:
            transaction = signed_create(ledger, alice[1], number)
            asset = transaction["id"]
        else:
            transaction = signed_transfer(ledger, alice, bob[1], asset)
            asset = None
        number += 1
        await _send(reader, writer, transaction, posting)
    writer.close()


async def _send(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, transaction: dict[str, Any], posting: _Posting
) -> None:
    request = post("/api/v1/transactions", canonical.dumps(transaction).encode())
    while True:
        start = time.monotonic()
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        content = await reader.readexactly(int(length.split(b":")[1]))
        if answer[9:12] == b"202":
            posting.posted.append(transaction["id"])
            posting.latencies.append(time.monotonic() - start)
            return
        if answer[9:12] not in {b"429", b"503"}:
            raise RuntimeError(f"the node refused {transaction['id']}: {content.decode()}")
        posting.refused += 1
        await asyncio.sleep(_LOOK_SECONDS)


async def _watch(pid: int, posting: _Posting) -> None:
    """Note the most memory that each process of the node has had."""
    while True:
        for name, mebibytes in peak_memory(pid):
            posting.peaks[name] = max(mebibytes, posting.peaks.get(name, 0.0))
        await asyncio.sleep(_LOOK_SECONDS)
