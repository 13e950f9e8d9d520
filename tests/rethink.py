"""A RethinkDB server for tests: the one that `BIGCHAINDB_TEST_RETHINKDB` names, or a throw-away one of our own.

Invariants:

- A server started here listens on the loopback only, keeps its files in a temporary directory, and is gone at the end.
- Where there is neither, the tests that need one are skipped, and the last lines of the run say how many and why.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.storage.rethinkdb_driver import Connection, Server, r
from bigchaindb.storage.rethinkdb_schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

ADDRESS_VARIABLE = "BIGCHAINDB_TEST_RETHINKDB"
NO_SERVER = f"no RethinkDB: {ADDRESS_VARIABLE} is not set, and no `rethinkdb` is on PATH"
NONE = "none"
NOT_WANTED = f"no RethinkDB: {ADDRESS_VARIABLE} is none"

START_SECONDS = 60.0
STOP_SECONDS = 20.0


class ThrowAwayServer:
    """A server in a directory that goes with it; it may be killed and started again on the same port."""

    def __init__(self, *options: str) -> None:
        """Start it.

        Args:
            options: more of the server's own command line.
        """
        self._directory = Path(tempfile.mkdtemp(prefix="bigchaindb-rethinkdb-"))
        self._options = options
        self.port, self.cluster_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.start()
        except BaseException:
            self.remove()
            raise

    def start(self) -> None:
        """Start it (again), and wait until it answers."""
        with (self._directory / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *("rethinkdb", "--directory", str(self._directory / "data"), "--bind", "127.0.0.1"),
                    *("--driver-port", str(self.port), "--cluster-port", str(self.cluster_port)),
                    *("--no-http-admin", "--no-update-check", "--cache-size", "256", *self._options),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.port):
            said = (self._directory / "output").read_text()
            assert self._process.poll() is None, f"the RethinkDB server ended at once:\n{said}"
            assert time.monotonic() < deadline, f"the RethinkDB server did not start:\n{said}"
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill it, as a loss of power would."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it in good order."""
        self._signal(signal.SIGTERM)

    def freeze(self) -> None:
        """Let it do nothing, and keep all connections; `thaw` ends that."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # The signal is on its way when that returns: on a busy machine the server may answer before it arrives.
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """Kill it and delete all that it kept."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(STOP_SECONDS)
            self._process = None


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nobody uses now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def answers(port: int) -> bool:
    """Tell whether somebody takes connections on a port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def rethinkdb_address() -> Iterator[tuple[str, int]]:
    """Give host and port of a server, or skip."""
    configured = os.environ.get(ADDRESS_VARIABLE)
    if configured == NONE:
        pytest.skip(NOT_WANTED)
    if configured:
        host, _, port = configured.rpartition(":")
        yield host, int(port)
    elif shutil.which("rethinkdb") is None:
        pytest.skip(NO_SERVER)
    else:
        server = ThrowAwayServer()
        try:
            yield "127.0.0.1", server.port
        finally:
            server.remove()


@contextmanager
def own_server(*options: str) -> Iterator[ThrowAwayServer]:
    """Give a server that a test may treat as it likes, or skip."""
    if os.environ.get(ADDRESS_VARIABLE) == NONE:
        pytest.skip(NOT_WANTED)
    if shutil.which("rethinkdb") is None:
        pytest.skip("no RethinkDB to kill: no `rethinkdb` is on PATH")
    server = ThrowAwayServer(*options)
    try:
        yield server
    finally:
        server.remove()


def patiently(action: Callable[[], T]) -> T:
    """Do something, again and again while the server is away or not ready."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return action()
        except StorageUnavailable:
            assert time.monotonic() < deadline, "the RethinkDB server did not come back"
            time.sleep(0.05)


def new_name() -> str:
    """Return a name that no database has."""
    return f"test_{uuid.uuid4().hex}"


def drop(server: Server) -> None:
    """Delete a database, if it is there and anybody answers."""
    try:
        with closing(Connection(server)) as connection:
            if server.name in connection.run(r.db_list()):
                connection.run(r.db_drop(server.name))
    except StorageUnavailable:
        return


def empty(server: Server) -> None:
    """Delete everything in a ledger but the ledger, if it is there: that takes less time than making it."""
    with closing(Connection(server)) as connection:
        if server.name in connection.run(r.db_list()):
            there = connection.run(r.db(server.name).table_list())
            for table in set(there) & set(TABLES):
                rows = r.table(table).filter(r.row["id"] != "format")
                connection.run(rows.delete(durability="soft"))


# --- fixtures, and what pytest says at the end -------------------------------------------------------------


@pytest.fixture(scope="session")
def rethinkdb() -> Iterator[tuple[str, int]]:
    """Host and port of the server of this run."""
    with rethinkdb_address() as address:
        yield address


@pytest.fixture(scope="session")
def kept_ledger(rethinkdb: tuple[str, int]) -> Iterator[Server]:
    """A database for one test after the other; see `empty_ledger`."""
    server = Server(*rethinkdb, new_name())
    yield server
    drop(server)


@pytest.fixture
def empty_ledger(kept_ledger: Server) -> Server:
    """A database in which there is nothing, perhaps not even a ledger."""
    empty(kept_ledger)
    return kept_ledger


@pytest.fixture
def new_ledger(rethinkdb: tuple[str, int]) -> Iterator[Server]:
    """A database that does not exist yet."""
    server = Server(*rethinkdb, new_name())
    yield server
    drop(server)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what was not tried for want of a server."""
    reasons = [
        report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if isinstance(report.longrepr, tuple)
    ]
    missed = Counter(reason.removeprefix("Skipped: ") for reason in reasons if "no RethinkDB" in reason)
    for reason, count in missed.items():
        terminalreporter.write_line(f"{count} tests of the RethinkDB backend were skipped: {reason}")
