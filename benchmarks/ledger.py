"""One node, end to end: how many transactions it decides per second, how soon, in how much memory.

The node is the real one, `bigchaindb start` in a directory of its own on the embedded store; transactions are written
by this process through `Bigchain`.  Signing them is done before the clock starts: that is their owners' work.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.baseline import verifications_per_second
from bigchaindb import Bigchain, crypto
from bigchaindb import config as configuration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRANSACTIONS: Final = 6_000
BATCH: Final = 500
LONE_TRANSACTIONS: Final = 200
WAIT_SECONDS: Final = 300.0
FLOOR: Final = 0.12
GOAL: Final = {"CREATE": 0.30, "TRANSFER": 0.25}


def main() -> None:
    """Measure and print."""
    unit = verifications_per_second()
    print(f"V = {unit:,.0f} Ed25519 verifications per second of one core")
    with running_node() as (ledger, process):
        alice = crypto.generate_key_pair()
        bob = crypto.generate_key_pair()
        creates = [_signed_create(ledger, alice[1], i) for i in range(TRANSACTIONS)]
        _report("CREATE", _decide(ledger, creates), unit)
        transfers = [_signed_transfer(ledger, alice, bob[1], tx["id"]) for tx in creates]
        _report("TRANSFER", _decide(ledger, transfers), unit)
        latencies = sorted(_latency(ledger, _signed_create(ledger, alice[1], -1 - i)) for i in range(LONE_TRANSACTIONS))
        p50, p99 = statistics.median(latencies), latencies[int(0.99 * len(latencies))]
        print(f"lone transaction, write to valid: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")
        for name, mebibytes in peak_memory(process.pid):
            print(f"peak memory of {name}: {mebibytes:.0f} MiB")


@contextmanager
def running_node() -> Iterator[tuple[Bigchain, subprocess.Popen[bytes]]]:
    """Start a node in a directory of its own; return its ledger and its supervisor."""
    with tempfile.TemporaryDirectory(prefix="bigchaindb-benchmark-") as directory:
        path = Path(directory) / "config"
        document = configuration.to_document(configuration.new_config(*crypto.generate_key_pair()))
        document["database"]["path"] = str(Path(directory) / "ledger.sqlite")
        document["log"]["level"] = "warning"
        configuration.write(configuration.parse(document, "benchmark"), path)
        command = [sys.executable, "-m", "bigchaindb", "-c", str(path)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BIGCHAINDB_")}
        subprocess.run([*command, "init"], check=True, stdout=subprocess.DEVNULL, env=environment)  # noqa: S603
        process = subprocess.Popen([*command, "start"], stdout=subprocess.DEVNULL, env=environment)  # noqa: S603
        try:
            with Bigchain(configuration.load(path, {})) as ledger:
                # The first transaction waits until the workers are up.
                _latency(ledger, _signed_create(ledger, ledger.me, 0))
                yield ledger, process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def _signed_create(ledger: Bigchain, owner: str, number: int) -> dict[str, Any]:
    tx = ledger.create_transaction(ledger.me, owner, None, "CREATE", payload={"number": number})
    return ledger.sign_transaction(tx, ledger.me_private)


def _signed_transfer(ledger: Bigchain, owner: tuple[str, str], new_owner: str, txid: str) -> dict[str, Any]:
    private_key, public_key = owner
    tx = ledger.create_transaction(public_key, new_owner, txid, "TRANSFER")
    return ledger.sign_transaction(tx, private_key)


def _decide(ledger: Bigchain, transactions: Sequence[dict[str, Any]]) -> float:
    """Write transactions and wait until all are valid; return how many per second that was."""
    start = time.perf_counter()
    for i in range(0, len(transactions), BATCH):
        ledger.write_transactions(list(transactions[i : i + BATCH]))
    elapsed = 0.0
    for tx in reversed(transactions):
        status = ledger.wait_for_transaction(tx["id"], WAIT_SECONDS)
        if status != "valid":
            raise RuntimeError(f"transaction {tx['id']} is {status}")
        if tx is transactions[-1]:
            elapsed = time.perf_counter() - start
    return len(transactions) / elapsed


def _latency(ledger: Bigchain, tx: dict[str, Any]) -> float:
    start = time.perf_counter()
    ledger.write_transaction(tx)
    ledger.wait_for_transaction(tx["id"], WAIT_SECONDS)
    return time.perf_counter() - start


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
