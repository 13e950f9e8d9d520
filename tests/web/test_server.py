"""The web server process: it serves on the sockets that it is given, and ends when it is told to."""

from __future__ import annotations

import json
import logging
import os
import resource
import runpy
import signal
import socket
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from bigchaindb.config import to_document
from bigchaindb.web.server import main
from tests.acceptance.machine import until
from tests.onenode import OneNode, public
from tests.restoring import garbage_collection_restored, logging_restored, signals_restored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HANG_SECONDS = 30.0


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """What the server changes in its own process is put back."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    theirs = logging.getLogger("uvicorn")
    before = theirs.handlers, theirs.level, theirs.propagate
    with signals_restored(), logging_restored(), garbage_collection_restored(), OneNode(tmp_path) as node:
        yield Process(node, monkeypatch)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    theirs.handlers, theirs.level, theirs.propagate = before


class Process:
    """This process as if it were the web server's."""

    def __init__(self, node: OneNode, monkeypatch: pytest.MonkeyPatch) -> None:
        self.node = node
        self._log_path = node.home / "log"
        self._monkeypatch = monkeypatch

    @property
    def log(self) -> str:
        return self._log_path.read_text() if self._log_path.exists() else ""

    @contextmanager
    def served(self, address: str = "127.0.0.1") -> Iterator[Callable[[Callable[[str, socket.socket], None]], int]]:
        """Run the server; meanwhile another thread does something with its URL and the end of its input."""
        listening = socket.create_server((address, 0))
        port = listening.getsockname()[1]
        reader, writer = socket.socketpair()
        document = to_document(self.node.config)
        document["log"]["file"] = str(self._log_path)
        order = json.dumps({"config": document, "sockets": [listening.detach()]}) + "\n"

        def run(action: Callable[[str, socket.socket], None]) -> int:
            other = threading.Thread(target=action, args=(f"http://127.0.0.1:{port}", writer))
            writer.sendall(order.encode())
            with reader, reader.makefile("r") as stdin:
                self._monkeypatch.setattr(sys, "stdin", stdin)
                other.start()
                code = main()
                other.join(HANG_SECONDS)
                writer.close()
                until(lambda: threading.active_count() <= threads, HANG_SECONDS)
            return code

        threads = threading.active_count()
        yield run


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=HANG_SECONDS).status_code == 200
    except httpx.TransportError:
        return False


def test_it_serves_until_its_input_ends(process: Process) -> None:
    told = {}

    def use(url: str, supervisor: socket.socket) -> None:
        until(lambda: is_up(url), HANG_SECONDS)
        told.update(httpx.get(f"{url}/api/v1/").json())
        supervisor.close()

    with process.served() as run:
        assert run(use) == 0
    assert told["node"] == public("node")
    assert f" INFO web[{os.getpid()}] running" in process.log
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # the supervisor hears it too


def test_it_ends_when_it_is_told_to(process: Process) -> None:
    def end(url: str, _: socket.socket) -> None:
        until(lambda: is_up(url), HANG_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    with process.served() as run:
        assert run(end) == 0


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 202), ("0.0.0.0", 403)])  # noqa: S104 - that is the case
def test_where_it_listens_says_whether_others_can_reach_it(process: Process, address: str, status: int) -> None:
    answers = []

    def create(url: str, supervisor: socket.socket) -> None:
        until(lambda: is_up(url), HANG_SECONDS)
        answers.append(httpx.post(f"{url}/api/v1/assets", json={"new_owners": public("alice")}).status_code)
        supervisor.close()

    with process.served(address) as run:
        assert run(create) == 0
    assert answers == [status]


def test_it_serves_while_its_database_is_away_and_when_it_is_back(process: Process) -> None:
    path = process.node.database_path
    process.node.close()
    moved = path.with_name("moved")
    path.rename(moved)
    seen = []

    def look(url: str, supervisor: socket.socket) -> None:
        until(lambda: is_up(url), HANG_SECONDS)
        seen.append(httpx.get(f"{url}/readyz").status_code)
        seen.append(httpx.get(f"{url}/api/v1/blocks").json()["error"])
        moved.rename(path)
        until(lambda: httpx.get(f"{url}/readyz").status_code == 200, HANG_SECONDS)
        seen.append(len(httpx.get(f"{url}/api/v1/blocks").json()["items"]))
        supervisor.close()

    with process.served() as run:
        assert run(look) == 0
    assert seen == [503, "unavailable", 1]


def test_what_nobody_has_foreseen_is_in_the_log_in_one_line(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise RuntimeError("what nobody has foreseen")

    monkeypatch.setattr("bigchaindb.web.about._about", stumble)
    answers = []

    def ask(url: str, supervisor: socket.socket) -> None:
        until(lambda: is_up(url), HANG_SECONDS)
        answers.append(httpx.get(f"{url}/api/v1/").json())
        supervisor.close()

    with process.served() as run:
        assert run(ask) == 0
    assert answers[0]["error"] == "internal"
    (line,) = [line for line in process.log.splitlines() if " ERROR " in line]
    assert "Traceback" in line
    assert "what nobody has foreseen" in line


def test_a_server_whose_supervisor_died_at_once_just_ends(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:  # noqa: PTH123 - a path of the system
        monkeypatch.setattr(sys, "stdin", nothing)
        assert main() == 0
        with pytest.raises(SystemExit) as ended:
            runpy.run_module("bigchaindb.web", run_name="__main__")
    assert ended.value.code == 0
    assert process.log == ""
