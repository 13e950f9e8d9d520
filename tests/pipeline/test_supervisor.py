"""The supervisor: what it does when its workers die, will not end, or when another node takes its lease.

The workers here are small shell scripts; the real ones are in the acceptance tests.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import pytest

from bigchaindb.config import parse
from bigchaindb.exceptions import LedgerError, NodeAlreadyRunning, StorageMismatch, StorageUnavailable
from bigchaindb.node.counters import read, restarts_of
from bigchaindb.node.lease import Lease, holder_of
from bigchaindb.node.opening import open_node
from bigchaindb.pipeline import supervisor
from bigchaindb.pipeline.supervisor import _Child, _open, _release, _watch, supervise
from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage
from tests.acceptance.machine import until
from tests.onenode import OneNode
from tests.restoring import ignore, signals_restored
from tests.rethink import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bigchaindb.config import Config
    from bigchaindb.node.node import Node

HANG_SECONDS = 30.0
STUBBORN = "trap '' TERM\n"  # which what it starts inherits
FOREVER = "exec sleep 300\n"


class Workers:
    """What is started in place of workers: a script that first notes its role, its number and its order."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._directory = directory
        self._monkeypatch = monkeypatch

    def are(self, script: str) -> None:
        program = self._directory / "worker"
        notes = self._directory / "notes"
        program.write_text(f'#!/bin/sh\nread -r order\necho "$4 $$ $order" >> {notes}\n{script}')
        program.chmod(0o700)
        self._monkeypatch.setattr(sys, "executable", str(program))

    @property
    def notes(self) -> list[tuple[str, int, str]]:
        """Role, number and order of each that was started."""
        path = self._directory / "notes"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(role, int(pid), order) for role, pid, order in (line.split(" ", 2) for line in lines)]

    @property
    def alive(self) -> list[int]:
        return [pid for _, pid, _ in self.notes if _is_alive(pid)]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    workers = Workers(tmp_path, monkeypatch)
    yield workers
    for pid in workers.alive:  # where a test has failed
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[OneNode]:
    with OneNode(tmp_path) as node:
        yield node


@pytest.fixture(autouse=True)
def _harmless_signals() -> Iterator[None]:
    with signals_restored():
        yield
        for number in (signal.SIGTERM, signal.SIGINT):
            assert signal.getsignal(number) is ignore  # the supervisor has put back what was there


def _wait_for_end(child: _Child) -> None:
    assert child._process is not None
    child._process.wait(HANG_SECONDS)


# --- one child ---------------------------------------------------------------------------------------------


def test_a_child_is_started_once_and_told_what_to_do(workers: Workers) -> None:
    workers.are(FOREVER)
    child = _Child("voter", "the order")
    for now in (0.0, 1.0, 2.0):
        child.look(now)
    until(lambda: workers.notes, HANG_SECONDS)
    ((role, pid, order),) = workers.notes
    assert (role, order) == ("voter", "the order")
    child.terminate()
    child.wait(time.monotonic() + HANG_SECONDS)
    assert not _is_alive(pid)


def test_a_child_that_keeps_dying_is_started_after_longer_and_longer_delays(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    workers.are("exit 1")
    child = _Child("builder", "")
    now, delays = 0.0, []
    for _ in range(8):
        child.look(now)
        _wait_for_end(child)
        child.look(now)  # notes the death
        delays.append(child._start_at - now)
        child.look(child._start_at - 0.001)
        assert child._process is None
        now = child._start_at
    assert delays == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    assert caplog.messages[1] == "builder ended with code 1, starting it again in 0.2 s"


def test_a_child_that_was_well_for_a_while_is_soon_back(workers: Workers) -> None:
    workers.are("exit 1")
    child = _Child("builder", "")
    now = 0.0
    for _ in range(4):
        child.look(now)
        _wait_for_end(child)
        child.look(now)
        now = child._start_at
    child.look(now)
    _wait_for_end(child)
    child.look(now + 31.0)
    assert child._start_at == pytest.approx(now + 31.1)


def test_a_child_that_ends_as_fatal_ends_the_node(workers: Workers) -> None:
    workers.are("exit 3")
    child = _Child("voter", "")
    child.look(0.0)
    _wait_for_end(child)
    with pytest.raises(LedgerError, match="the voter cannot go on"):
        child.look(0.0)
    child.terminate()
    child.wait(0.0)


def test_a_child_that_dies_before_it_has_heard_its_order_is_just_dead(workers: Workers) -> None:
    workers.are("exit 1")
    program = workers._directory / "worker"
    program.write_text("#!/bin/sh\nexit 1\n")
    child = _Child("voter", "x" * 10**6)  # more than a pipe holds
    child.look(0.0)
    _wait_for_end(child)
    child.look(0.0)
    assert child._process is None


def test_a_child_that_does_not_end_is_killed(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    workers.are(STUBBORN + FOREVER)
    child = _Child("voter", "")
    child.look(0.0)
    until(lambda: workers.notes, HANG_SECONDS)
    process = child._process
    assert process is not None
    child.terminate()
    child.wait(time.monotonic() + 0.2)
    assert process.returncode == -signal.SIGKILL
    assert caplog.messages == ["voter does not end, killing it"]


# --- the whole node ----------------------------------------------------------------------------------------


Other: TypeAlias = "Callable[[Callable[[], object], Callable[[], object]], None]"


@pytest.fixture
def other() -> Iterator[Other]:
    """Somebody who waits for something while the supervisor runs, and then does something."""
    threads = []

    def start(condition: Callable[[], object], action: Callable[[], object]) -> None:
        def run() -> None:
            until(condition, HANG_SECONDS)
            action()

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(HANG_SECONDS)


def _send(number: signal.Signals) -> Callable[[], object]:
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_and_gives_the_lease_back(
    node: OneNode, workers: Workers, other: Other, number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    workers.are(FOREVER)
    storage = node.bigchain._node.storage
    holders = []

    def look_and_send() -> None:
        holders.append(holder_of(storage, node.bigchain.me))
        os.kill(os.getpid(), number)

    other(lambda: len(workers.notes) == 3, look_and_send)
    with caplog.at_level(logging.INFO, "bigchaindb"):
        supervise(node.config, node.config_path)
    assert sorted(role for role, _, _ in workers.notes) == ["builder", "voter", "web"]
    assert workers.alive == []
    assert holders[0] is not None
    assert holders[0]["pid"] == os.getpid()
    assert holder_of(storage, node.bigchain.me) is None
    me = node.bigchain.me
    running, serving, stopped = caplog.messages
    assert (running, stopped) == (f"node {me} of ledger {node.ledger} is running", f"node {me} has stopped")
    assert re.fullmatch("serving http://localhost:[1-9][0-9]*", serving)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_is_heard_while_a_worker_is_being_started(
    node: OneNode, workers: Workers, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.are(FOREVER)
    started: list[subprocess.Popen[str]] = []

    class Interrupted(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)
            if number == signal.SIGINT:
                self.send_signal(number)  # as the terminal does
            os.kill(os.getpid(), number)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    supervise(node.config, node.config_path)
    assert [process.returncode for process in started] == [-signal.SIGTERM] * 3  # none by Ctrl-C
    assert workers.alive == []


def test_workers_are_told_for_which_node_they_work(node: OneNode, workers: Workers, other: Other) -> None:
    workers.are(FOREVER)
    other(lambda: len(workers.notes) == 3, _send(signal.SIGTERM))
    supervise(node.config, node.config_path)
    orders = {role: json.loads(order) for role, _, order in workers.notes}
    assert [parse(order["config"], "order") for order in orders.values()] == [node.config] * 3
    assert orders["voter"]["journal"] == f"{node.config_path}.journals/{node.ledger}-{node.bigchain.me}.journal"
    assert "journal" not in orders["web"]


def test_workers_that_do_not_end_are_killed_before_the_node_ends(
    node: OneNode, workers: Workers, other: Other, caplog: pytest.LogCaptureFixture
) -> None:
    workers.are(STUBBORN + FOREVER)
    other(lambda: len(workers.notes) == 3, _send(signal.SIGTERM))
    supervise(node.config, node.config_path)
    assert workers.alive == []
    assert caplog.messages == [f"{role} does not end, killing it" for role in ("builder", "voter", "web")]


def test_a_dead_worker_is_replaced(node: OneNode, workers: Workers, other: Other) -> None:
    workers.are('[ "$4" = voter ] && exit 1\n' + FOREVER)
    other(lambda: [role for role, _, _ in workers.notes].count("voter") == 3, _send(signal.SIGTERM))
    supervise(node.config, node.config_path)
    assert [role for role, _, _ in workers.notes].count("builder") == 1
    assert workers.alive == []


def test_restarts_are_counted_for_whoever_watches(
    node: OneNode, workers: Workers, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "BEAT_SECONDS", 0.0)
    workers.are('[ "$4" = voter ] && exit 1\n' + FOREVER)
    storage, me = node.bigchain._node.storage, node.bigchain.me
    names = [restarts_of(role) for role in ("builder", "voter", "web")]
    other(lambda: read(storage, me, names)[names[1]] >= 2, _send(signal.SIGTERM))
    supervise(node.config, node.config_path)
    counted = read(storage, me, names)
    assert counted[names[1]] in {[role for role, _, _ in workers.notes].count("voter") + n for n in (-1, 0)}
    assert (counted[names[0]], counted[names[2]]) == (0, 0)


def test_a_worker_that_cannot_go_on_ends_the_node_and_its_other_worker(node: OneNode, workers: Workers) -> None:
    workers.are('[ "$4" = voter ] && exit 3\n' + FOREVER)
    with pytest.raises(LedgerError, match="the voter cannot go on; its last line in the log says why"):
        supervise(node.config, node.config_path)
    assert workers.alive == []
    assert holder_of(node.bigchain._node.storage, node.bigchain.me) is None


def test_a_node_that_has_lost_its_lease_ends(
    node: OneNode, workers: Workers, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "BEAT_SECONDS", 0.0)
    workers.are(FOREVER)
    storage, me = node.bigchain._node.storage, node.bigchain.me
    name = f"lease/{me}"

    def take() -> None:
        until(lambda: storage.swap_register(name, storage.registers([name])[name], "taken"), HANG_SECONDS)

    other(lambda: len(workers.notes) == 3, take)
    with pytest.raises(LedgerError, match="another node with this key has taken the lease"):
        supervise(node.config, node.config_path)
    assert workers.alive == []
    assert storage.registers([name]) == {name: "taken"}


def test_a_second_node_with_the_same_key_starts_nothing(node: OneNode, workers: Workers) -> None:
    workers.are(FOREVER)
    lease = Lease(node.bigchain._node.storage, node.bigchain.me)
    lease.acquire(lambda _: False)
    with pytest.raises(NodeAlreadyRunning, match=f"{node.bigchain.me} is running already: process {os.getpid()} on"):
        supervise(node.config, node.config_path)
    assert workers.notes == []
    assert lease.renew()


def test_who_is_stopped_while_it_watches_another_machine_leaves_the_lease_there(
    node: OneNode, workers: Workers, other: Other
) -> None:
    workers.are(FOREVER)
    storage, name = node.bigchain._node.storage, f"lease/{node.bigchain.me}"
    storage.swap_register(name, None, '{"machine":"another"}')
    other(lambda: signal.getsignal(signal.SIGTERM) is not ignore, _send(signal.SIGTERM))
    supervise(node.config, node.config_path)
    assert storage.registers([name]) == {name: '{"machine":"another"}'}
    assert workers.notes == []


def test_what_cannot_be_opened_is_not_started(node: OneNode, workers: Workers) -> None:
    workers.are(FOREVER)
    config = node.config
    node.close()
    node.database_path.unlink()
    with pytest.raises(StorageMismatch):
        supervise(config, node.config_path)
    assert workers.notes == []


# --- storage that is away ----------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(node: OneNode) -> Config:
    """The configuration of the same node on a server to which nobody answers."""
    (port,) = free_ports(1)
    database = dataclasses.replace(node.config.database, backend="rethinkdb", host="127.0.0.1", port=port)
    return dataclasses.replace(node.config, database=database)


def test_a_node_waits_for_the_servers_of_its_database_and_says_so_once(
    node: OneNode,
    workers: Workers,
    elsewhere: Config,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries = []

    def open_late(config: Config, clock: Callable[[], float]) -> Node:
        tries.append(config)
        return open_node(config if len(tries) < 4 else node.config, clock)

    monkeypatch.setattr(supervisor, "open_node", open_late)
    workers.are("exit 3")
    with caplog.at_level(logging.INFO, "bigchaindb"), pytest.raises(LedgerError, match="cannot go on"):
        supervise(elsewhere, node.config_path)
    assert tries == [elsewhere] * 4
    first, second, third, *_ = caplog.messages
    assert first.startswith(f"database is away, waiting for it: RethinkDB 127.0.0.1:{elsewhere.database.port}")
    assert second == "database is back"
    assert "is running" in third


def test_the_waits_for_a_database_grow_and_end_when_the_node_is_to_stop(elsewhere: Config) -> None:
    class Until(threading.Event):
        seconds: ClassVar[list[float | None]] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.seconds.append(timeout)
            if len(self.seconds) == 8:
                self.set()
            return self.is_set()

    assert _open(elsewhere, Until()) is None
    assert Until.seconds == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 3.0, 3.0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_for_a_database(
    workers: Workers,
    other: Other,
    elsewhere: Config,
    number: signal.Signals,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other(lambda: "database is away" in caplog.text, _send(number))
    supervise(elsewhere, workers._directory / "unused")
    assert workers.notes == []


def test_a_file_that_cannot_be_used_is_not_waited_for(node: OneNode, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StorageUnavailable("the file is busy")

    monkeypatch.setattr(supervisor, "open_node", fail)
    with pytest.raises(StorageUnavailable, match="busy"):
        supervise(node.config, node.config_path)


class Away(MemoryStorage):
    """A connection that fails for a while."""

    fails = False

    def swap_register(self, name: str, expected: str | None, new: str | None) -> bool:
        if self.fails:
            raise StorageUnavailable("no connection")
        return super().swap_register(name, expected, new)


class Rounds(threading.Event):
    """Ends the watch after some rounds, which take no time; something happens in each."""

    def __init__(self, *rounds: Callable[[], object]) -> None:
        super().__init__()
        self._rounds = list(rounds)

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self._rounds.pop(0)()
        if not self._rounds:
            self.set()
        return self.is_set()


def test_a_lease_that_cannot_be_renewed_for_a_while_is_not_lost_and_that_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervisor, "BEAT_SECONDS", 0.0)
    storage = Away(MemoryDatabase())
    lease = Lease(storage, "node")
    lease.acquire(lambda _: False)

    def fail(fails: bool) -> Callable[[], object]:
        return lambda: setattr(storage, "fails", fails)

    outage = [fail(fails=True), lambda: None, lambda: None, fail(fails=False), lambda: None]
    with caplog.at_level(logging.INFO, "bigchaindb"):
        _watch([], lease, Rounds(*outage, *outage), print)
    assert caplog.messages == ["cannot renew the lease now: no connection", "the lease is renewed again"] * 2
    assert lease.renew()


def test_a_lease_that_cannot_be_given_back_stays_and_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    storage = Away(MemoryDatabase())
    lease = Lease(storage, "node")
    lease.acquire(lambda _: False)
    storage.fails = True
    _release(lease)
    assert caplog.messages == ["cannot give the lease back: no connection"]
    assert holder_of(storage, "node") is not None
