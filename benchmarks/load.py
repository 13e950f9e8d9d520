"""Transactions to measure with: made and signed before the clock starts, since that is their owners' work.

Nor does Python look through them for garbage while the clock runs.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb import Bigchain

__all__ = ["WAIT_SECONDS", "decide", "latency", "percentile", "signed_create", "signed_transfer"]

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


def decide(ledgers: Sequence[Bigchain], transactions: Sequence[dict[str, Any]], batch: int) -> float:
    """Write transactions at the first node and wait until all are valid at every one.

    Args:
        ledgers: of the nodes.
        transactions: signed.
        batch: how many to write at once.

    Returns:
        How many per second that was.
    """
    # What was made before belongs to its owners: looking through it for garbage is not the ledger's work.
    gc.collect()
    gc.freeze()
    try:
        start = time.perf_counter()
        for i in range(0, len(transactions), batch):
            ledgers[0].write_transactions(list(transactions[i : i + batch]))
        for ledger in ledgers:
            left = [str(tx["id"]) for tx in transactions]
            while left:
                # The last is usually decided last, so that a look or two at all of them is all that watching costs.
                _wait(ledger, left[-1])
                left = [txid for txid, status in ledger.get_statuses(left).items() if status != "valid"]
        return len(transactions) / (time.perf_counter() - start)
    finally:
        gc.unfreeze()


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
