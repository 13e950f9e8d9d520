"""Rival transfers written at the same moment by two processes: one of each pair wins, and nothing else suffers."""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING, Any

from bigchaindb import Bigchain, crypto
from bigchaindb.exceptions import DoubleSpend
from bigchaindb.node.queries import Status

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

    from bigchaindb.config import Config
    from tests.acceptance.machine import Machine

PAIRS = 200
UNRELATED = 50
SECONDS = 20


def _write(config: Config, transactions: list[dict[str, Any]], barrier: Barrier, answers: Any) -> None:
    """Write transactions in step with another process; tell which were refused as double spends."""
    refused = []
    with Bigchain(config) as ledger:
        for tx in transactions:
            barrier.wait()
            try:
                ledger.write_transaction(tx)
            except DoubleSpend:
                refused.append(tx["id"])
    answers.put(refused)


def test_exactly_one_of_two_rivals_becomes_valid(initialised: Machine) -> None:
    alice_private, alice = crypto.generate_key_pair()
    others = [crypto.generate_key_pair()[1] for _ in range(2)]
    with initialised.node(), initialised.bigchain() as b:
        assets = [
            b.sign_transaction(b.create_transaction(b.me, alice, None, "CREATE", payload={"n": n}), b.me_private)
            for n in range(PAIRS + UNRELATED)
        ]
        b.write_transactions(assets)
        for asset in assets:
            assert b.wait_for_transaction(asset["id"]) == "valid"

        def transfer(asset: dict[str, Any], owner: str) -> dict[str, Any]:
            tx = b.create_transaction(alice, owner, asset["id"], "TRANSFER")
            return b.sign_transaction(tx, alice_private)

        pairs = [[transfer(asset, owner) for owner in others] for asset in assets[:PAIRS]]
        unrelated = [transfer(asset, others[0]) for asset in assets[PAIRS:]]
        streams = _streams(pairs, unrelated)

        context = multiprocessing.get_context("spawn")
        barrier, answers = context.Barrier(2), context.Queue()
        writers = [
            context.Process(target=_write, args=(initialised.config(), stream, barrier, answers)) for stream in streams
        ]
        for writer in writers:
            writer.start()
        refused = {txid for _ in writers for txid in answers.get(timeout=120)}
        for writer in writers:
            writer.join(30)

        deadline = time.monotonic() + SECONDS
        for tx in unrelated:
            assert b.wait_for_transaction(tx["id"], deadline - time.monotonic()) == "valid"
        for pair in pairs:
            written = [tx["id"] for tx in pair if tx["id"] not in refused]
            fates = {txid: b.wait_for_transaction(txid, deadline - time.monotonic()) for txid in written}
            assert list(fates.values()).count(Status.VALID) == 1
            for rejected in (txid for txid, fate in fates.items() if fate == "rejected"):
                rejection = b.get_rejection(rejected)
                assert rejection is not None
                assert "already spent by" in rejection["rejection"]["reason"]
        assert b._node.storage.backlog_size() == 0


def _streams(
    pairs: list[list[dict[str, Any]]], unrelated: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what the two processes write, step by step: rivals, and every ninth step something unrelated."""
    left, right = [], []
    rest = iter(unrelated)
    for n, pair in enumerate(pairs):
        left.append(pair[0])
        right.append(pair[1])
        if n % (2 * PAIRS // UNRELATED) == 0:
            left.append(next(rest))
            right.append(next(rest))
    assert not list(rest)
    return left, right
