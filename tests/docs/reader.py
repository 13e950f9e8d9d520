"""A reader who types what a page says, on a machine of his own: a fresh HOME, a shell, and one interactive Python.

Invariants:

- What is typed in `shell` runs the command line of the package under test, as `bigchaindb`.  The reader has it already:
  of a command that installs it first, the last part is run.
- `bigchaindb start`, alone in its block, goes on in a shell of its own until the reader leaves.
- A node of theirs listens on a port that is free here; in what they type and see it is the usual one.  One with a
  configuration of its own listens where that says.
- Every wait is bounded.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, Final, Self

from bigchaindb import Bigchain
from bigchaindb.client import Client
from bigchaindb.exceptions import BigchainDBError
from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.docs.pages import Step

__all__ = ["HOME", "Reader"]

# What pages call the reader's home.
HOME: Final = "/home/you"
# Where pages say that the node is.
ADDRESS: Final = "localhost:9984"
BIND: Final = "BIGCHAINDB_SERVER_BIND"
_START: Final = re.compile(r"bigchaindb (--config \S+ )?start\n")
_INSTALLED: Final = "&& .venv/bin/"
_COMMAND_SECONDS: Final = 60.0


class Reader:
    """Types one step after the other; to be used in a `with` block."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Move into a home; what this process knows of another configuration is forgotten."""
        self._home = home / "you"
        self._home.mkdir()
        programs = home / "bin"
        programs.mkdir()
        command = programs / "bigchaindb"
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m bigchaindb "$@"\n')
        command.chmod(0o755)
        for name in list(os.environ):
            if name.startswith(("BIGCHAINDB_", "XDG_")) and not name.startswith("BIGCHAINDB_TEST_"):
                monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(self._home))
        self._address = _free_address()
        monkeypatch.setenv(BIND, self._address)
        # The package under test must be found from any directory, as an installed one is.
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        monkeypatch.setattr(sys, "displayhook", _display)
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._nodes: list[_Node] = []

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the nodes, and close the ledgers that were opened."""
        for value in self._names.values():
            if isinstance(value, Bigchain | Client):
                value.close()
        for node in self._nodes:
            node.stop()

    def type(self, step: Step) -> str:
        """Type a step and return what is to be seen then."""
        source = step.source.replace(ADDRESS, self._address)
        seen = self._python(source) if step.language == "python" else self._shell(source, step.expected)
        return seen.replace(str(self._home), HOME).replace(self._address, ADDRESS)

    def _python(self, source: str) -> str:
        """Run statements as an interactive Python would, showing of a traceback what `doctest` would show."""
        screen = io.StringIO()
        with contextlib.redirect_stdout(screen):
            for statement in ast.parse(source).body:
                code = compile(ast.Interactive([statement]), "<page>", "single")
                try:
                    exec(code, self._names)  # noqa: S102 - that is what a reader does
                except BigchainDBError as error:
                    print("Traceback (most recent call last):\n  ...")  # noqa: T201 - caught above
                    print("".join(traceback.format_exception_only(error)), end="")  # noqa: T201 - the same
        return screen.getvalue()

    def _shell(self, source: str, expected: str) -> str:
        source = source.rpartition(_INSTALLED)[2]
        if _START.fullmatch(source):
            unset = {BIND} if "--config" in source else set()
            environment = {name: value for name, value in os.environ.items() if name not in unset}
            self._nodes.append(_Node(source, self._home, environment))
            return self._nodes[-1].read(expected.count("\n"))
        return subprocess.run(
            ["/bin/sh", "-c", source],
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_COMMAND_SECONDS,
            text=True,
            check=False,  # what went wrong is to be seen
        ).stdout


def _free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"localhost:{free.getsockname()[1]}"


def _display(value: object) -> None:
    if value is not None:
        print(repr(value))  # noqa: T201 - as Python does


class _Node:
    """`bigchaindb start`, running."""

    def __init__(self, command: str, directory: Path, environment: dict[str, str]) -> None:
        self._lines: list[str] = []
        self._more = threading.Condition()
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._more:
                self._lines.append(line)
                self._more.notify_all()

    def read(self, count: int) -> str:
        """Return the first lines, once there are so many."""
        until = time.monotonic() + _COMMAND_SECONDS
        with self._more:
            while len(self._lines) < count and self._listener.is_alive() and time.monotonic() < until:
                self._more.wait(0.1)
            return "".join(self._lines[:count])

    def stop(self) -> None:
        """Stop it as Ctrl-C would."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_COMMAND_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._listener.join()
            if self._process.stdout is not None:
                self._process.stdout.close()
