"""Transactions to measure with: made and signed before the clock starts, since that is their owners' work.

Nor does Python look through them for garbage while the clock runs.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.node.opening import open_node
from bigchaindb.storage import changes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from bigchaindb import Bigchain
    from bigchaindb.config import Config

__all__ = ["WAIT_SECONDS", "Watch", "decide", "latency", "percentile", "signed_create", "signed_transfer"]

WAIT_SECONDS: Final = 300.0


def signed_create(ledger: Bigchain, owner: str, number: int) -> dict[str, Any]:
    """Return a CREATE of a new asset of an owner."""
    tx = ledger.create_transaction(ledger.me, owner, None, "CREATE", payload={"number": number})
    return ledger.sign_transaction(tx, ledger.me_private)


def signed_transfer(ledger: Bigchain, owner: tuple[str, str], new_owner: str, txid: str) -> dict[str, Any]:
    """Return a TRANSFER of an asset by its owner, a pair of (private, public) keys."""
    private_key, public_key = owner
    tx = ledger.create_transaction(public_key, new_owner, txid, "TRANSFER")
    return ledger.sign_transaction(tx, private_key)


class Watch:
    """Tells how much one node has decided, by the last entry of its log: that costs the node next to nothing."""

    def __init__(self, config: Config) -> None:
        """Open the ledger as this node's users do."""
        self._node = open_node(config, time.time)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self._node.storage.close()

    def valid(self) -> int:
        """Return how many transactions the node has decided valid; one in two valid blocks counts twice."""
        latest = self._node.storage.latest_decision(self._node.me)
        return latest.valid_transactions if latest else 0

    def wait(self, wanted: int) -> None:
        """Wait until it has decided so many valid.

        Raises:
            TimeoutError: it has not for long.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while (valid := self.valid()) < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{valid:,} of {wanted:,} transactions are valid at {self._node.me}")
            self._node.storage.wait_for_change(1.0, (changes.decisions_of(self._node.me),))


def decide(ledger: Bigchain, watches: Sequence[Watch], transactions: Sequence[dict[str, Any]], batch: int) -> float:
    """Write transactions at one node and wait until all are valid at every node.

    Args:
        ledger: where to write.
        watches: of the nodes, to which nobody else writes.
        transactions: signed.
        batch: how many to write at once.

    Returns:
        How many per second that was.

    Raises:
        TimeoutError: as `Watch.wait`.
        RuntimeError: some are not valid, or what a node has counted is something else.
    """
    batches = [list(transactions[i : i + batch]) for i in range(0, len(transactions), batch)]
    wanted = [watch.valid() + len(transactions) for watch in watches]
    # What was made before belongs to its owners: looking through it for garbage is not the ledger's work.
    gc.collect()
    gc.freeze()
    try:
        start = time.perf_counter()
        for each in batches:
            ledger.write_transactions(each)
        for watch, count in zip(watches, wanted, strict=True):
            watch.wait(count)
        seconds = time.perf_counter() - start
    finally:
        gc.unfreeze()
    statuses = ledger.get_statuses([str(tx["id"]) for tx in transactions])
    if others := {txid: status for txid, status in statuses.items() if status != "valid"}:
        raise RuntimeError(f"{len(others):,} transactions are not valid, the first is {next(iter(others.items()))}")
    if [watch.valid() for watch in watches] != wanted:
        raise RuntimeError("a node has decided more than what was written here, or something twice")
    return len(transactions) / seconds


def latency(ledger: Bigchain, tx: dict[str, Any]) -> float:
    """Write a transaction and return how many seconds it takes to become valid."""
    start = time.perf_counter()
    ledger.write_transaction(tx)
    _wait(ledger, str(tx["id"]))
    return time.perf_counter() - start


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, percent * len(ordered) // 100)]


def _wait(ledger: Bigchain, txid: str) -> None:
    status = ledger.wait_for_transaction(txid, WAIT_SECONDS)
    if status != "valid":
        raise RuntimeError(f"transaction {txid} is {status}")
