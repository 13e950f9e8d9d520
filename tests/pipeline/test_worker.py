"""The loop of a worker process: it steps, waits, survives a database that goes away, and ends when told to."""

from __future__ import annotations

import io
import json
import logging
import os
import runpy
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bigchaindb.config import to_document
from bigchaindb.exceptions import Fenced, InvalidValue, StorageUnavailable
from bigchaindb.node.journal import MemoryJournal
from bigchaindb.node.node import Node
from bigchaindb.orders import FATAL
from bigchaindb.pipeline import worker
from bigchaindb.pipeline.builder import Builder
from bigchaindb.pipeline.voter import Voter
from bigchaindb.pipeline.worker import ROLES, work
from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage
from tests.acceptance.machine import until
from tests.ledgers import Ledger, key
from tests.onenode import OneNode
from tests.restoring import garbage_collection_restored, logging_restored, signals_restored

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from bigchaindb.config import Config

HANG_SECONDS = 30.0
AWAY = StorageUnavailable("no connection")
MORE, QUIET = True, False  # what a step answers


class Recording(MemoryStorage):
    """Remembers what it was asked to wait for, and waits for nothing; after a few waits there is a change."""

    def __init__(self, database: MemoryDatabase, silent: int = 0) -> None:
        super().__init__(database)
        self.waits: list[float] = []
        self.waited_for: set[str] = set()
        self.silent = silent

    def wait_for_change(self, timeout_seconds: float, of: Collection[str] = ()) -> bool:
        self.waits.append(timeout_seconds)
        self.waited_for.update(of)
        return len(self.waits) > self.silent


class Script:
    """A worker that does what a list says: an answer to `step`, or an error; at the end of it, it sets an event."""

    waits_for = ("blocks",)

    def __init__(self, stop: threading.Event, *script: bool | Exception, due: float | None = None) -> None:
        self._stop = stop
        self._script = list(script)
        self._due = due

    def step(self) -> bool:
        item = self._script.pop(0)
        if not self._script:
            self._stop.set()
        if isinstance(item, Exception):
            raise item
        return item

    def seconds_until_due(self) -> float | None:
        return self._due


class Retries(threading.Event):
    """An event that remembers how long it was waited for, and lets nobody wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return self.is_set()


@pytest.fixture
def opened() -> list[Node]:
    return []


@pytest.fixture
def open_(opened: list[Node]) -> Callable[[], Node]:
    """Opens a node on the same ledger, again and again."""
    ledger = Ledger(start=False)

    def open_node() -> Node:
        storage = Recording(ledger.database)
        member = ledger.first
        opened.append(Node(storage, member.key, federation=ledger.federation, quorum=ledger.quorum, clock=ledger.clock))
        return opened[-1]

    return open_node


def is_closed(node: Node) -> bool:
    try:
        node.storage.backlog_size()
    except StorageUnavailable:
        return True
    return False


def waits(node: Node) -> list[float]:
    assert isinstance(node.storage, Recording)
    return node.storage.waits


# --- stepping and waiting ----------------------------------------------------------------------------------


def test_a_worker_steps_on_without_waiting_while_there_is_more_to_do(
    open_: Callable[[], Node], opened: list[Node]
) -> None:
    stop = threading.Event()
    work(open_, lambda _: Script(stop, MORE, MORE, MORE), stop)
    assert waits(opened[0]) == []
    assert is_closed(opened[0])


@pytest.mark.parametrize(("due", "waited"), [(None, 0.2), (5.0, 0.2), (0.05, 0.05), (0.0, 0.001)])
def test_a_quiet_worker_waits_for_a_change_or_until_something_is_due(
    open_: Callable[[], Node], opened: list[Node], due: float | None, waited: float
) -> None:
    stop = threading.Event()
    work(open_, lambda _: Script(stop, QUIET, MORE, QUIET, MORE, due=due), stop)
    assert waits(opened[0]) == [waited, waited]
    assert isinstance(opened[0].storage, Recording)
    assert opened[0].storage.waited_for == {"blocks"}


def test_a_worker_that_hears_of_nothing_looks_for_itself_after_a_second(
    open_: Callable[[], Node], opened: list[Node]
) -> None:
    stop = threading.Event()

    def deaf(node: Node) -> Script:
        assert isinstance(node.storage, Recording)
        node.storage.silent = 1_000
        return Script(stop, QUIET, QUIET, MORE)

    work(open_, deaf, stop)
    assert waits(opened[0]) == [0.2] * 10


def test_who_is_told_to_stop_while_it_waits_waits_no_longer(open_: Callable[[], Node], opened: list[Node]) -> None:
    stop = threading.Event()
    work(open_, lambda _: Script(stop, QUIET), stop)
    assert waits(opened[0]) == []


def test_who_is_told_to_stop_before_it_begins_opens_nothing(open_: Callable[[], Node], opened: list[Node]) -> None:
    stop = threading.Event()
    stop.set()
    work(open_, lambda _: Script(stop), stop)
    assert opened == []


# --- a database that goes away -----------------------------------------------------------------------------


def test_while_the_database_is_away_the_worker_waits_longer_and_longer_and_says_so_once(
    open_: Callable[[], Node], opened: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    stop = Retries()
    absences = 8

    def open_late() -> Node:
        if len(stop.seconds) < absences:
            raise AWAY
        return open_()

    with caplog.at_level(logging.INFO, "bigchaindb"):
        work(open_late, lambda _: Script(stop, MORE), stop)
    assert stop.seconds == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    assert caplog.messages == ["database is away, waiting for it: no connection", "database is back"]
    assert is_closed(opened[0])


def test_after_an_absence_the_worker_starts_afresh(open_: Callable[[], Node], opened: list[Node]) -> None:
    stop = Retries()
    scripts = [Script(threading.Event(), MORE, AWAY), Script(threading.Event(), AWAY), Script(stop, MORE)]
    made: list[Node] = []

    def make(node: Node) -> Script:
        made.append(node)
        return scripts[len(made) - 1]

    work(open_, make, stop)
    assert made == opened
    assert len(made) == 3
    assert all(is_closed(node) for node in opened)
    assert stop.seconds == [0.1, 0.1]  # each absence is a new one


def test_a_worker_that_cannot_be_made_closes_what_was_opened(open_: Callable[[], Node], opened: list[Node]) -> None:
    stop = Retries()
    absences = 3

    def make(_: Node) -> Script:
        if len(opened) <= absences:
            raise AWAY
        return Script(stop, MORE)

    work(open_, make, stop)
    assert len(opened) == absences + 1
    assert all(is_closed(node) for node in opened)
    assert stop.seconds == [0.1, 0.2, 0.4]


def test_what_waiting_does_not_mend_ends_the_worker(open_: Callable[[], Node], opened: list[Node]) -> None:
    stop = threading.Event()
    with pytest.raises(Fenced):
        work(open_, lambda _: Script(stop, MORE, Fenced("another voter")), stop)
    assert is_closed(opened[0])


class Flaky(MemoryStorage):
    """A connection that all fail at once when the database is away."""

    is_away = threading.Event()

    def _check_open(self) -> None:
        if self.is_away.is_set():
            raise StorageUnavailable("the plug was pulled")
        super()._check_open()


def test_builder_and_voter_go_on_after_an_absence(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(start=False)
    member, journal, stop = ledger.first, MemoryJournal(), threading.Event()

    def open_() -> Node:
        storage = Flaky(ledger.database)
        return Node(storage, member.key, federation=ledger.federation, quorum=ledger.quorum, clock=ledger.clock)

    def until_both_say(what: str, times: int) -> None:
        until(lambda: caplog.text.count(f"database is {what}") == 2 * times, HANG_SECONDS)

    makers: list[Callable[[Node], worker.Worker]] = [Builder, lambda node: Voter(node, journal)]
    threads = [threading.Thread(target=work, args=(open_, make, stop)) for make in makers]
    with caplog.at_level(logging.INFO, "bigchaindb"):
        for thread in threads:
            thread.start()
        try:
            for number in range(3):
                member.write(boat := ledger.create(key("alice"), {"number": number}))
                assert member.queries.wait(boat.id, HANG_SECONDS) == "valid"
                Flaky.is_away.set()
                until_both_say("away", number + 1)
                Flaky.is_away.clear()
                until_both_say("back", number + 1)
        finally:
            Flaky.is_away.clear()
            stop.set()
            for thread in threads:
                thread.join(HANG_SECONDS)
    assert not any(thread.is_alive() for thread in threads)


# --- the process -------------------------------------------------------------------------------------------


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """What a worker changes in its own process is put back."""
    with signals_restored(), logging_restored(), garbage_collection_restored(), OneNode(tmp_path) as node:
        yield Process(node, monkeypatch)


class Process:
    """This process as if it were a worker's."""

    def __init__(self, node: OneNode, monkeypatch: pytest.MonkeyPatch) -> None:
        self.node = node
        self.log_path = node.home / "log"
        self.journal = node.home / "journals" / "journal"
        self._monkeypatch = monkeypatch

    def order(self, config: Config | None = None) -> str:
        document = to_document(config or self.node.config)
        document["log"]["file"] = str(self.log_path)
        return json.dumps({"config": document, "journal": str(self.journal)}) + "\n"

    def listen(self, order: str) -> None:
        """Give an order that is followed by the end of input."""
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(order))

    @contextmanager
    def listening(self, order: str) -> Iterator[None]:
        """Give an order, and keep the line open."""
        threads = threading.active_count()
        reader, writer = os.pipe()
        with os.fdopen(reader) as stdin:
            self._monkeypatch.setattr(sys, "stdin", stdin)
            with os.fdopen(writer, "w") as supervisor:
                supervisor.write(order)
                supervisor.flush()
                yield
            until(lambda: threading.active_count() <= threads, HANG_SECONDS)  # whoever reads it has seen the end

    @property
    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""


@pytest.mark.parametrize("role", ROLES)
def test_a_worker_ends_when_its_input_does(process: Process, role: str) -> None:
    process.listen(process.order() + "what comes later is nothing to it\n")
    assert worker.main(role) == 0
    assert process.journal.exists() is (role == "voter")
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # the supervisor hears it too


def test_a_worker_whose_supervisor_died_at_once_just_ends(process: Process) -> None:
    process.listen("")
    assert worker.main("voter") == 0
    assert process.log == ""


@pytest.mark.parametrize("role", ROLES)
def test_a_worker_ends_when_it_is_told_to(process: Process, role: str) -> None:
    def end_when_running() -> None:
        until(lambda: f" INFO {role}[{os.getpid()}] running" in process.log, HANG_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    other = threading.Thread(target=end_when_running)
    with process.listening(process.order()):
        other.start()
        assert worker.main(role) == 0
        other.join(HANG_SECONDS)


@pytest.mark.parametrize("role", ROLES)
def test_what_a_restart_would_not_mend_is_fatal_and_logged(process: Process, role: str) -> None:
    config = process.node.config
    process.node.close()
    process.node.database_path.unlink()
    with process.listening(process.order(config)):
        assert worker.main(role) == FATAL
    (line,) = process.log.splitlines()
    assert f" ERROR {role}[" in line
    assert str(process.node.database_path) in line


def test_what_trips_a_worker_ends_it_alone_and_is_logged(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(threading.Event(), MORE, InvalidValue("what somebody stored"))
    monkeypatch.setattr(worker, "_builder_maker", lambda _: lambda _: script)
    with process.listening(process.order()):
        assert worker.main("builder") not in {0, FATAL}
    assert "InvalidValue: what somebody stored" in process.log.splitlines()[-1]


def test_a_journal_that_cannot_be_opened_is_fatal(process: Process) -> None:
    process.journal = process.node.config_path / "journal"
    process.listen(process.order())
    assert worker.main("voter") == FATAL
    assert f"journal {process.journal}" in process.log


def test_a_voter_that_starts_afresh_opens_no_second_journal(
    process: Process, open_: Callable[[], Node], opened: list[Node]
) -> None:
    make = worker._voter_maker(process.journal)
    files = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        make(open_())
    assert len(list(Path("/proc/self/fd").iterdir())) == files
    assert len(opened) == 3


def test_the_module_is_the_process(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    process.listen("")
    monkeypatch.setattr(sys, "argv", ["pipeline", "builder"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("bigchaindb.pipeline", run_name="__main__")
    assert ended.value.code == 0
