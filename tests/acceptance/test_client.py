"""The walkthrough's story through HTTP alone: by users who have no node, no database and no configuration."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb import crypto, verify_receipt
from bigchaindb import cryptoconditions as cc
from bigchaindb.client import Client, Event, Patience
from bigchaindb.exceptions import DoubleSpend, MissingKey, NodeUnreachable
from tests.acceptance.machine import Machine, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.acceptance.machine import Running

START_SECONDS = 30
LONG = Patience(attempts=100, longest_pause_seconds=0.5, total_pause_seconds=60)


def address(running: Running) -> str:
    """Where a node says that it is served."""
    until(lambda: re.search(r" web\[\d+\] running", running.log) and "serving http" in running.log, START_SECONDS)
    return str(re.findall(r"serving (http://\S+)", running.log)[-1])


class User:
    """A key pair, and a client that has nothing else."""

    def __init__(self, url: str, patience: Patience = LONG) -> None:
        self.private, self.public = crypto.generate_key_pair()
        self.client = Client(url, self.private, patience=patience)


@contextmanager
def users(url: str, count: int) -> Iterator[list[User]]:
    found = [User(url) for _ in range(count)]
    try:
        yield found
    finally:
        for user in found:
            user.client.close()


def valid(user: User, tx: dict[str, Any]) -> dict[str, Any]:
    assert user.client.wait(tx["id"], 30) == "valid"
    return tx


def two_of(*owners: User) -> cc.ThresholdSha256Fulfillment:
    lock = cc.ThresholdSha256Fulfillment(threshold=2)
    for owner in owners:
        lock.add_subfulfillment(cc.Ed25519Fulfillment(public_key=owner.public))
    return lock


def test_the_story_of_the_walkthrough(initialised: Machine) -> None:
    with initialised.node() as running, users(address(running), 6) as (alice, bob, carol, dora, emil, fritz):
        # Create, and read it.
        painting = valid(alice, alice.client.create({"title": "Sunset over the Spree", "year": 2016}))
        assert bob.client.transaction(painting["id"]) == painting
        assert list(alice.client.outputs()) == [{"cid": 0, "txid": painting["id"]}]

        # Hand it on, and not twice.
        sale = valid(alice, alice.client.transfer(next(alice.client.outputs()), bob.public))
        assert list(alice.client.outputs()) == []
        with pytest.raises(DoubleSpend) as caught:
            alice.client.transfer(painting["id"], carol.public)
        assert caught.value.rival == sale["id"]

        # Several owners.
        boat = valid(alice, alice.client.create({"boat": "Undine"}, [alice.public, bob.public]))
        with pytest.raises(MissingKey, match=bob.public):
            alice.client.transfer(boat["id"], carol.public)
        unsigned = alice.client.prepare_transfer(boat["id"], carol.public)
        signatures = bob.client.cosign(json.loads(json.dumps(unsigned)))
        boat_sale = valid(alice, alice.client.send(alice.client.sign(unsigned, signatures=signatures)))

        # Two of three.
        trust = valid(carol, carol.client.transfer(boat_sale["id"], condition=two_of(dora, emil, fritz)))
        for trustee in (dora, emil, fritz):
            assert list(trustee.client.outputs()) == [{"cid": 0, "txid": trust["id"]}]
        returned = valid(dora, dora.client.transfer(trust["id"], carol.public, private_keys=[fritz.private]))

        # A secret, with a key and without.
        secret = "Xanadu, 1941"
        lock = cc.ThresholdSha256Fulfillment(threshold=2)
        lock.add_subcondition(cc.PreimageSha256Fulfillment(secret).condition)
        lock.add_subfulfillment(cc.Ed25519Fulfillment(public_key=bob.public))
        voucher = valid(carol, carol.client.transfer(returned["id"], condition=lock))
        with pytest.raises(MissingKey, match="no secret"):
            bob.client.transfer(voucher["id"], alice.public)
        used = valid(bob, bob.client.transfer(voucher["id"], alice.public, secrets=[secret]))
        bare = cc.PreimageSha256Fulfillment(secret).condition
        coupon = valid(alice, alice.client.transfer(used["id"], condition=bare))
        with Client(address(running)) as nobody:
            redeemed = valid(bob, nobody.transfer(coupon["id"], bob.public, secrets=[secret]))

        # The story of the boat, asked for and as it happened.
        story = [boat, boat_sale, trust, returned, voucher, used, coupon, redeemed]
        assert list(bob.client.history(boat["id"])) == story
        told = itertools.islice(bob.client.stream(0, asset_id=boat["id"]), len(story))
        assert [event.transaction_id for event in told] == [tx["id"] for tx in story]
        with initialised.bigchain() as b:
            receipt = b.get_receipt(redeemed["id"])
            verify_receipt(receipt, [b.me], "majority")


class Listener:
    """Someone who listens, in a thread of their own."""

    def __init__(self, client: Client, count: int) -> None:
        self.events: list[Event] = []
        self._stream = client.stream(0)
        self._count = count
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        self.events += itertools.islice(self._stream, self._count)

    def join(self) -> list[Event]:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.events


def test_a_web_server_that_is_killed_is_missed_by_nobody(initialised: Machine) -> None:
    with initialised.node() as running, users(address(running), 2) as (alice, bob):
        made = [valid(alice, alice.client.create({"number": -1}))]
        listener = Listener(bob.client, 31)
        for number in range(30):
            if number % 10 == 5:
                pid = int(re.findall(r" web\[(\d+)\] running", running.log)[-1])
                os.kill(pid, signal.SIGKILL)
            made.append(alice.client.create({"number": number}))
        for tx in made:
            valid(alice, tx)
        assert [event.transaction_id for event in listener.join()] == [tx["id"] for tx in made]


def test_a_node_that_is_restarted_is_waited_for(initialised: Machine) -> None:
    with initialised.node() as running:
        url = address(running)
        with Client(url, patience=Patience(attempts=1)) as hasty:
            assert hasty.status("0" * 64) == "unknown"
    initialised.environment["BIGCHAINDB_SERVER_BIND"] = url.removeprefix("http://")
    with users(url, 2) as (alice, bob), Client(url, patience=Patience(attempts=1)) as hasty:
        with pytest.raises(NodeUnreachable):
            hasty.status("0" * 64)
        found: list[dict[str, Any]] = []
        waiting = threading.Thread(target=lambda: found.append(alice.client.create({"bell": "St. Peter"}, bob.public)))
        waiting.start()
        with initialised.node():
            waiting.join(START_SECONDS)
            assert valid(bob, found[0])["id"] == next(bob.client.outputs())["txid"]


def test_the_shell_of_somebody_who_has_no_node(initialised: Machine, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    home.mkdir()
    with initialised.node() as running:
        user = Machine(home, BIGCHAINDB_URL=address(running))

        def says(*arguments: str) -> str:
            result = user.run(*arguments)
            assert (result.returncode, result.stderr) == (0, "")
            return result.stdout.strip()

        dora, emil = (says("keys", "generate", "--output", f"{name}.key") for name in ("dora", "emil"))
        bell = says("tx", "create", '{"bell": "St. Peter"}', "--to", dora)
        sold = says("tx", "transfer", bell, "--to", emil, "--key-file", "dora.key")
        assert says("tx", "status", sold) == "valid"
        assert [line.split()[0] for line in says("tx", "history", bell).splitlines()] == [bell, sold]
        again = user.run("tx", "transfer", bell, "--to", dora, "--key-file", "dora.key")
        assert (again.returncode, again.stdout) == (1, "")
        assert "already spent" in again.stderr
        private = json.loads((home / "dora.key").read_text())["private"]
    assert sorted(path.name for path in home.iterdir()) == ["dora.key", "emil.key"]
    assert private not in running.log
