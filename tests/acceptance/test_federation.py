"""Federations of real nodes: they decide alike, survive the loss of a minority, and catch up."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol, Self

import pytest

from bigchaindb import crypto
from bigchaindb.node.opening import open_node
from examples.federation.nodes import Federation, Member
from examples.federation.traffic import Traffic
from tests.acceptance.federation import (
    REASSIGN_SECONDS,
    assert_all_valid,
    backlog_is_empty,
    fates,
    init_together,
    verdicts_when_equal,
    write_in_step,
)
from tests.acceptance.machine import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bigchaindb import Bigchain

PAIRS = 100
SOME = 20
END_SECONDS = 30


class Found(Protocol):
    """Founds a federation of so many members, with these settings in common; it ends with the test."""

    def __call__(self, count: int, **settings: Any) -> Federation: ...


@pytest.fixture
def found(tmp_path: Path, database: dict[str, Any]) -> Iterator[Found]:
    founded: list[Federation] = []

    def make(count: int, **settings: Any) -> Federation:
        settings = {"backlog_reassign_delay": REASSIGN_SECONDS, **settings}
        founded.append(Federation(tmp_path, count, database, **settings))
        return founded[-1]

    yield make
    for federation in founded:
        federation.stop()


def created_at(member: Member, traffic: Traffic, count: int = SOME) -> list[str]:
    with member.bigchain() as ledger:
        return traffic.create(ledger, count)


def refusal(member: Member) -> str:
    """Start a node that must refuse; return the line with which it does."""
    result = member.run("start")
    assert result.returncode == 1
    return result.stderr.splitlines()[-1]


# --- together ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 4])
def test_all_is_decided_and_every_node_gives_the_same_answer_for_every_block(found: Found, count: int) -> None:
    federation = found(count)
    init_together(federation.members)
    federation.start()
    traffic = Traffic()
    for member in federation.members:
        assets = created_at(member, traffic)
        with member.bigchain() as ledger:
            traffic.transfer(ledger, assets[: SOME // 2])
    assert_all_valid(federation.members, traffic.acknowledged)
    verdicts = verdicts_when_equal(federation.members)
    assert any(verdicts.values())
    until(lambda: backlog_is_empty(federation.members[0]), END_SECONDS)


def test_however_many_nodes_begin_a_ledger_at_once_there_is_one_genesis(found: Found) -> None:
    federation = found(4)
    ledger_id = init_together(federation.members)
    node = open_node(federation.members[0].config, lambda: 0.0)
    try:
        (first,) = node.storage.blocks_after(None, 10)
        assert first[1].id == ledger_id
    finally:
        node.storage.close()


def test_of_a_hundred_pairs_of_rivals_exactly_one_each_becomes_valid_on_every_node(found: Found) -> None:
    federation = found(3)
    federation.init()
    federation.start()
    traffic = Traffic()
    assets = created_at(federation.members[0], traffic, PAIRS)
    assert_all_valid(federation.members, assets)
    with federation.members[0].bigchain() as ledger:
        pairs = traffic.pairs_of(ledger, assets)
    refused = write_in_step(federation, [[pair[side] for pair in pairs] for side in (0, 1)])
    written = [tx["id"] for pair in pairs for tx in pair if tx["id"] not in refused]
    answers = fates(federation.members, written)
    assert all(answer == answers[0] for answer in answers)
    for pair in pairs:
        assert [answers[0].get(tx["id"]) for tx in pair].count("valid") == 1
    verdicts_when_equal(federation.members)


# --- losses ------------------------------------------------------------------------------------------------


class Load:
    """Writes through all configurations in turn, from a thread of its own, until told to stop."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.traffic = Traffic()
        self._members = members
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        ledgers = [member.bigchain() for member in self._members]
        try:
            while not self._stop.is_set():
                for ledger in ledgers:
                    self._write(ledger)
                    self._stop.wait(0.2)
        finally:
            for ledger in ledgers:
                ledger.close()

    def _write(self, ledger: Bigchain) -> None:
        assets = self.traffic.create(ledger, 3)
        # Spent at once, while they are still on the way.
        self.traffic.transfer(ledger, assets[:1])


def goes_on(members: Sequence[Member], traffic: Traffic) -> None:
    """See that these nodes decide what is written now, whoever else is away."""
    assert_all_valid(members, created_at(members[0], traffic, 3))


def test_any_one_of_three_may_be_killed_and_nothing_is_lost(found: Found) -> None:
    federation = found(3)
    federation.init()
    federation.start()
    with Load(federation.members) as load:
        for victim in federation.members:
            others = [member for member in federation.members if member is not victim]
            goes_on(others, load.traffic)
            victim.kill()
            goes_on(others, load.traffic)
            victim.start()
    assert_all_valid(federation.members, load.traffic.acknowledged)
    verdicts_when_equal(federation.members)


def test_two_of_four_may_be_killed_at_different_times_and_nothing_is_lost(found: Found) -> None:
    federation = found(4)
    federation.init()
    federation.start()
    a, b, *others = federation.members
    traffic = Traffic()
    goes_on(federation.members, traffic)
    a.kill()
    goes_on([b, *others], traffic)
    b.kill()
    waiting = created_at(others[0], traffic)  # two of four are no majority: accepted, and not decided
    a.start()
    assert_all_valid([a, *others], waiting)
    b.start()
    goes_on(federation.members, traffic)
    assert_all_valid(federation.members, traffic.acknowledged)
    verdicts_when_equal(federation.members)


def test_a_node_that_was_down_during_traffic_catches_up(found: Found) -> None:
    federation = found(3)
    federation.init()
    *early, late = federation.members
    for member in early:
        member.start()
    traffic = Traffic()
    assets = created_at(early[0], traffic, 200)
    with early[1].bigchain() as ledger:
        traffic.transfer(ledger, assets[:100])
    assert_all_valid(early, traffic.acknowledged)
    assert late.verdicts() == {}
    late.start()
    assert_all_valid([late], traffic.acknowledged)
    verdicts_when_equal(federation.members)


# --- who may not take part ---------------------------------------------------------------------------------


def test_a_node_with_another_quorum_refuses_to_start_and_says_why(found: Found) -> None:
    federation = found(3)
    federation.init()
    odd = federation.members[2]
    private, public = odd.config.keypair.private, odd.config.keypair.public
    odd.configure({**federation.document((private, public), odd.config.keyring), "election": {"quorum": "two-thirds"}})
    reason = "this node is configured for two-thirds, the ledger was created under majority"
    assert refusal(odd) == f"Error: election.quorum: {reason}"


def test_a_stranger_cannot_start_and_no_write_of_its_is_taken(found: Found) -> None:
    federation = found(3)
    federation.init()
    stranger = federation.newcomer("stranger")
    keys = [member.public for member in federation.members]
    private, public = crypto.generate_key_pair()
    for keyring in ([], keys):
        stranger.configure(federation.document((private, public), keyring))
        assert refusal(stranger).startswith(f"Error: keyring: this node's federation is {min([*keyring, public])}")


# --- membership --------------------------------------------------------------------------------------------


def change(member: Member, *arguments: str, text: str = "") -> str:
    """Change a member's keyring; return what it says."""
    result = member.run("keyring", *arguments, text=text)
    return result.stdout if result.returncode == 0 else result.stderr


def restart(member: Member) -> None:
    member.stop()
    member.start()


def test_members_come_and_go_while_traffic_goes_on(found: Found) -> None:
    federation = found(3)
    federation.init()
    federation.start()
    founders = list(federation.members)
    traffic = Traffic()
    old = created_at(founders[0], traffic)
    assert_all_valid(founders, old)

    # A fourth joins: each founder adds it and restarts, one after the other; traffic goes on meanwhile.
    newcomer = federation.newcomer("node4")
    federation.members.append(newcomer)
    with Load(founders) as load:
        for founder in founders:
            assert "has 4 members now" in change(founder, "add", newcomer.public)
            refused = change(founder, "remove", founders[0].public)
            restart(founder)
            if founder is founders[1]:
                assert "the last change is not in use yet" in refused
                assert newcomer.public in refused
        history = founders[0].run("keyring", "list", "--json").stdout
        assert "has 4 members now" in change(newcomer, "adopt", "-", text=history)
        newcomer.start()
        assert_all_valid(federation.members, created_at(founders[1], load.traffic))
    assert_all_valid(federation.members, [*old, *load.traffic.acknowledged])

    # The first leaves: now that all use the last change, the next one is let through.
    leaver, *staying = federation.members
    leaver.stop()
    for member in staying:
        assert "has 3 members now" in change(member, "remove", leaver.public)
        restart(member)
    assert_all_valid(staying, created_at(staying[0], traffic))
    with staying[-1].bigchain() as ledger:
        traffic.transfer(ledger, old)  # made under the first federation
    assert_all_valid(staying, [*old, *traffic.acknowledged])
    assert "differs" not in "".join(member.log for member in federation.members)
