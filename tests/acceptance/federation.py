"""What acceptance tests of federations share: waiting for all nodes, comparing them, and writing in step."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from bigchaindb import Bigchain
from bigchaindb.exceptions import DoubleSpend
from tests.acceptance.machine import until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from multiprocessing.synchronize import Barrier

    from bigchaindb.config import Config
    from examples.federation.nodes import Federation, Member

# Much longer than it takes, since rival blocks that split the votes stall for half a minute.
DECIDE_SECONDS = 150
WRITE_SECONDS = 120
# Short, so that what a dead node should have built is taken over soon.
REASSIGN_SECONDS = 2.0


def init_together(members: Sequence[Member]) -> str:
    """Let all members run `init` at the same moment; return the one ledger's id."""
    with ThreadPoolExecutor(len(members)) as pool:
        done = list(pool.map(lambda member: member.run("init"), members))
    assert {result.returncode for result in done} == {0}, [result.stderr for result in done]
    ledgers = {result.stdout.split()[1] for result in done}
    assert len(ledgers) == 1
    return str(ledgers.pop())


def fates(members: Iterable[Member], txids: Sequence[str]) -> list[dict[str, str]]:
    """Wait until every one of these nodes has decided every transaction; return what each says of each."""
    deadline = time.monotonic() + DECIDE_SECONDS
    found = []
    for member in members:
        with member.bigchain() as ledger:
            found.append(fates_at(ledger, txids, deadline - time.monotonic()))
    return found


def fates_at(ledger: Bigchain, txids: Sequence[str], seconds: float) -> dict[str, str]:
    """Wait until a node has decided every transaction; return what it says of each."""
    deadline = time.monotonic() + seconds
    fate: dict[str, str] = {}
    while left := [txid for txid in txids if txid not in fate]:
        ledger.wait_for_transaction(left[0], max(0.0, deadline - time.monotonic()))
        statuses = ledger.get_statuses(left)
        fate.update({txid: str(status) for txid, status in statuses.items() if status in {"valid", "rejected"}})
    return {txid: fate[txid] for txid in txids}


def assert_all_valid(members: Sequence[Member], txids: Sequence[str]) -> None:
    for found in fates(members, txids):
        assert [txid for txid, fate in found.items() if fate != "valid"] == []


def verdicts_when_equal(members: Sequence[Member]) -> dict[str, bool]:
    """Wait until these nodes have decided the same blocks, see that they did so alike, and return how."""
    seen: list[dict[str, bool]] = []

    def same_blocks() -> bool:
        seen[:] = [member.verdicts() for member in members]
        return all(verdicts.keys() == seen[0].keys() for verdicts in seen)

    until(same_blocks, DECIDE_SECONDS)
    assert all(verdicts == seen[0] for verdicts in seen)
    return seen[0]


def backlog_is_empty(member: Member) -> bool:
    with member.bigchain() as ledger:
        return ledger._node.storage.backlog_size() == 0


def write_in_step(federation: Federation, streams: Sequence[list[dict[str, Any]]]) -> set[str]:
    """Write one list of transactions through each of the first members, each by a process, step by step together.

    Returns:
        The ids of those that were refused as double spends.
    """
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(len(streams)), context.Queue()
    with ExitStack() as stack:
        for member, stream in zip(federation.members, streams, strict=False):
            writer = context.Process(target=_write, args=(member.config, stream, barrier, answers))
            writer.start()
            stack.callback(writer.join, WRITE_SECONDS)
        return {txid for _ in streams for txid in answers.get(timeout=WRITE_SECONDS)}


def _write(config: Config, transactions: list[dict[str, Any]], barrier: Barrier, answers: Any) -> None:
    refused = []
    with Bigchain(config) as ledger:
        for tx in transactions:
            barrier.wait(WRITE_SECONDS)
            try:
                ledger.write_transaction(tx)
            except DoubleSpend:
                refused.append(tx["id"])
    answers.put(refused)
