"""One node, end to end: how many transactions it decides per second, how soon, in how much memory.

The node is the real one, `bigchaindb start` in a directory of its own on the embedded store; transactions are written
by this process through `Bigchain`.  Signing them is done before the clock starts: that is their owners' work.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.baseline import verifications_per_second
from benchmarks.load import Watch, decide, latency, percentile, signed_create, signed_transfer
from bigchaindb import Bigchain, crypto
from bigchaindb import config as configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bigchaindb.config import Config

TRANSACTIONS: Final = 6_000
BATCH: Final = 500
LONE_TRANSACTIONS: Final = 200
FLOOR: Final = 0.12
GOAL: Final = {"CREATE": 0.30, "TRANSFER": 0.25}


def main() -> None:
    """Measure and print."""
    unit = verifications_per_second()
    print(f"V = {unit:,.0f} Ed25519 verifications per second of one core")
    with running_node() as (ledger, process, config), Watch(config) as watch:
        alice = crypto.generate_key_pair()
        bob = crypto.generate_key_pair()
        creates = [signed_create(ledger, alice[1], i) for i in range(TRANSACTIONS)]
        _report("CREATE", decide(ledger, [watch], creates, BATCH), unit)
        transfers = [signed_transfer(ledger, alice, bob[1], tx["id"]) for tx in creates]
        _report("TRANSFER", decide(ledger, [watch], transfers, BATCH), unit)
        latencies = [latency(ledger, signed_create(ledger, alice[1], -1 - i)) for i in range(LONE_TRANSACTIONS)]
        p50, p99 = percentile(latencies, 50), percentile(latencies, 99)
        print(f"lone transaction, write to valid: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")
        for name, mebibytes in peak_memory(process.pid):
            print(f"peak memory of {name}: {mebibytes:.0f} MiB")


class Running(NamedTuple):
    """A node that runs: its ledger, its supervisor and its configuration."""

    ledger: Bigchain
    process: subprocess.Popen[bytes]
    config: Config


@contextmanager
def running_node(bind: str = "localhost:0") -> Iterator[Running]:
    """Start a node in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="bigchaindb-benchmark-") as directory:
        path = Path(directory) / "config"
        document = configuration.to_document(configuration.new_config(*crypto.generate_key_pair()))
        document["database"]["path"] = str(Path(directory) / "ledger.sqlite")
        document["server"]["bind"] = bind
        document["log"]["level"] = "warning"
        configuration.write(configuration.parse(document, "benchmark"), path)
        command = [sys.executable, "-m", "bigchaindb", "-c", str(path)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BIGCHAINDB_")}
        subprocess.run([*command, "init"], check=True, stdout=subprocess.DEVNULL, env=environment)  # noqa: S603
        process = subprocess.Popen([*command, "start"], stdout=subprocess.DEVNULL, env=environment)  # noqa: S603
        try:
            config = configuration.load(path, {})
            with Bigchain(config) as ledger:
                # The first transaction waits until the workers are up.
                latency(ledger, signed_create(ledger, ledger.me, 0))
                yield Running(ledger, process, config)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def _report(operation: str, per_second: float, unit: float) -> None:
    ratio = per_second / unit
    print(
        f"{operation}: {per_second:,.0f} decided per second = {ratio:.3f} V "
        f"(floor {FLOOR:.2f} V, goal {GOAL[operation]:.2f} V)"
    )


def peak_memory(pid: int) -> Iterator[tuple[str, float]]:
    """Return (name, MiB) of the supervisor and each of its workers, from Linux' /proc."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for process in (str(pid), *children):
        command = Path(f"/proc/{process}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        status = Path(f"/proc/{process}/status").read_text()
        kibibytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
        yield "supervisor" if process == str(pid) else command[-1].decode(), kibibytes / 1024
