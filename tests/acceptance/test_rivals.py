"""Rival transfers written at the same moment by two processes: one of each pair wins, and nothing else suffers."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Any

from bigchaindb import Bigchain, crypto
from bigchaindb.exceptions import DoubleSpend
from tests.acceptance.federation import fates_at

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


def test_exactly_one_of_two_rivals_becomes_valid(anywhere: Machine) -> None:
    alice_private, alice = crypto.generate_key_pair()
    others = [crypto.generate_key_pair()[1] for _ in range(2)]
    with anywhere.node(), anywhere.bigchain() as b:
        assets = [
            b.sign_transaction(b.create_transaction(b.me, alice, None, "CREATE", payload={"n": n}), b.me_private)
            for n in range(PAIRS + UNRELATED)
        ]
        b.write_transactions(assets)
        assert set(fates_at(b, [asset["id"] for asset in assets], SECONDS).values()) == {"valid"}

        def transfer(asset: dict[str, Any], owner: str) -> dict[str, Any]:
            tx = b.create_transaction(alice, owner, asset["id"], "TRANSFER")
            return b.sign_transaction(tx, alice_private)

        pairs = [[transfer(asset, owner) for owner in others] for asset in assets[:PAIRS]]
        unrelated = [transfer(asset, others[0]) for asset in assets[PAIRS:]]
        streams = _streams(pairs, unrelated)

        context = multiprocessing.get_context("spawn")
        barrier, answers = context.Barrier(2), context.Queue()
        writers = [
            context.Process(target=_write, args=(anywhere.config(), stream, barrier, answers)) for stream in streams
        ]
        for writer in writers:
            writer.start()
        refused = {txid for _ in writers for txid in answers.get(timeout=120)}
        for writer in writers:
            writer.join(30)

        sent = [tx["id"] for tx in (*unrelated, *(tx for pair in pairs for tx in pair)) if tx["id"] not in refused]
        fates = fates_at(b, sent, SECONDS)
        assert {fates[tx["id"]] for tx in unrelated} == {"valid"}
        for pair in pairs:
            ids = [tx["id"] for tx in pair]
            assert [fates.get(txid) for txid in ids].count("valid") == 1
            for rejected in (txid for txid in ids if fates.get(txid) == "rejected"):
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
