"""`kill -9` of the whole node at any moment: what was acknowledged becomes valid, and exactly once."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from bigchaindb import crypto
from tests.acceptance.federation import fates_at

if TYPE_CHECKING:
    from tests.acceptance.machine import Machine

KILLS = 10
SETTLE_SECONDS = 60


def test_nothing_acknowledged_is_lost_or_doubled_by_kills(anywhere: Machine) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)
    owner_private, owner = crypto.generate_key_pair()
    acknowledged: list[str] = []
    stop = threading.Event()

    def load() -> None:
        with anywhere.bigchain() as b:
            number = 0
            while not stop.is_set():
                batch = []
                for _ in range(chance.randrange(1, 20)):
                    number += 1
                    tx = b.create_transaction(b.me, owner, None, "CREATE", payload={"number": number})
                    batch.append(b.sign_transaction(tx, b.me_private))
                b.write_transactions(batch)
                acknowledged.extend(tx["id"] for tx in batch)
                # Spend some at once: their inputs are still on the way.
                for tx in batch[:2]:
                    transfer = b.create_transaction(owner, owner, tx["id"], "TRANSFER")
                    b.write_transaction(b.sign_transaction(transfer, owner_private))
                    acknowledged.append(transfer["id"])

    writer = threading.Thread(target=load)
    node = anywhere.start()
    writer.start()
    try:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 1.5))
            node.kill_group()
            node = anywhere.start()
        time.sleep(0.5)
    finally:
        stop.set()
        writer.join()
    try:
        with anywhere.bigchain() as b:
            assert set(fates_at(b, acknowledged, SETTLE_SECONDS).values()) == {"valid"}
            standings = b._node.storage.standings(b.me, acknowledged)
            assert all(sum(s.verdict is True for s in standings[txid]) == 1 for txid in acknowledged)
            assert len(set(acknowledged)) == len(acknowledged) > KILLS
    finally:
        node.stop()
