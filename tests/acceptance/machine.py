"""A machine for acceptance tests: a fresh HOME in which the real command line runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bigchaindb import Bigchain
from bigchaindb.config import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bigchaindb.config import Config

COMMAND = [sys.executable, "-m", "bigchaindb"]
RUN_SECONDS = 60
STOP_SECONDS = 5


class Machine:
    """A HOME, and the command line in it."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.config_path = home / ".bigchaindb"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("BIGCHAINDB_", "XDG_"))}
        # The package under test must be found from any directory, as an installed one is.
        root = str(Path(__file__).parents[2])
        # Any free port, since nodes of several tests may run on the same real machine.
        always = {"HOME": str(home), "PYTHONPATH": root, "BIGCHAINDB_SERVER_BIND": "localhost:0"}
        self.environment = clean | always | environment

    def run(self, *arguments: str, answers: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*COMMAND, *arguments],
            env=self.environment,
            cwd=self.home,
            input=answers,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )

    def start(self, *arguments: str) -> Running:
        """Start the node in a process group of its own."""
        log = (self.home / "log").open("ab")
        with log:
            process = subprocess.Popen(
                [*COMMAND, *arguments, "start"],
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return Running(process, self.home / "log")

    @contextmanager
    def node(self) -> Iterator[Running]:
        """Have a node run for the length of a block."""
        running = self.start()
        try:
            yield running
        finally:
            running.stop()

    def bigchain(self) -> Bigchain:
        """Open the ledger as a user of this machine does."""
        return Bigchain(self.config())

    def config(self) -> Config:
        """Read the configuration as a user of this machine does."""
        return load(self.config_path, self.environment)


class Running:
    """A node that was started."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def stop(self) -> None:
        """Ask it to end, and see that it and all of its processes do."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_SECONDS)
        until(lambda: not group_members(self.process.pid), STOP_SECONDS)

    def kill_group(self) -> None:
        """Kill every process of the node at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        until(lambda: not group_members(self.process.pid), STOP_SECONDS)


def group_members(group: int) -> list[int]:
    """Return the processes of a process group that are alive."""
    members = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            members.append(int(directory.name))
    return members


def until(condition: Callable[[], object], seconds: float) -> None:
    """Wait for a condition, and fail when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)
