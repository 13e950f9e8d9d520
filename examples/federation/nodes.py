"""The nodes of one federation on this machine: their configurations, and their processes while they run.

Each member has a configuration file and a log in one directory, and runs as `bigchaindb start` in a process group of
its own, as it would on a machine of its own.

Invariants:

- All configurations name the same members and the same database; nothing is taken from the environment.
- Whoever leaves the `with` block of a `Federation` leaves no process behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from bigchaindb import Bigchain, crypto
from bigchaindb import config as configuration
from bigchaindb.node.opening import open_node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bigchaindb.config import Config
    from bigchaindb.storage.records import DecisionRow

__all__ = ["Federation", "Member", "sqlite"]

_ROOT: Final = Path(__file__).parents[2]
_RUN_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_PAGE: Final = 1_000


def sqlite(directory: Path) -> dict[str, Any]:
    """Return the `database` section of a ledger in a file of its own."""
    return {"backend": "sqlite", "path": str(directory / "ledger.sqlite")}


class Member:
    """One member: a configuration file and, while it runs, its processes.

    Attributes:
        name: what to call it.
        path: its configuration file.
        public: its public key, base58.
        process: the supervisor while it runs, else None.
        environment: more of the environment in which it starts.
    """

    def __init__(self, name: str, directory: Path) -> None:
        """Name a member whose configuration is, or will be, in a directory."""
        self.name = name
        self.path = directory / f"{name}.json"
        self.process: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}
        self._log = directory / f"{name}.log"

    def configure(self, document: Mapping[str, Any]) -> None:
        """Write the configuration, in place of the one that is there."""
        config = configuration.parse(document, self.name)
        configuration.write(config, self.path, overwrite=self.path.exists())

    @property
    def config(self) -> Config:
        """The configuration."""
        return configuration.load(self.path, _environment())

    @property
    def public(self) -> str:
        """The public key."""
        return self.config.keypair.public

    def bigchain(self) -> Bigchain:
        """Open the ledger as this member's users do."""
        return Bigchain(self.config)

    def decisions(self) -> list[DecisionRow]:
        """Return this node's own log."""
        node = open_node(self.config, time.time)
        try:
            found: list[DecisionRow] = []
            while rows := node.storage.decisions(node.me, len(found), _PAGE):
                found += rows
            return found
        finally:
            node.storage.close()

    def verdicts(self) -> dict[str, bool]:
        """Return how this node has decided each block, in the order of its own log."""
        return {row.block_id: row.verdict for row in self.decisions()}

    # --- processes -------------------------------------------------------------------------------------------

    def run(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command with this configuration to its end; `text` is its standard input."""
        return subprocess.run(  # noqa: S603 - our own command line
            self._command(*arguments),
            env=_environment(),
            input=text,
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )

    def start(self) -> None:
        """Start the node; what it logs is appended to its log."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command line
                self._command("start"),
                env=_environment() | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask the node to end, and force it if it does not."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self) -> None:
        """Kill all processes of the node at once (SIGKILL)."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    @property
    def is_running(self) -> bool:
        """Whether the node was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    @property
    def log(self) -> str:
        """All that the node has logged so far."""
        return self._log.read_text() if self._log.exists() else ""

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "bigchaindb", "--config", str(self.path), *arguments]


class Federation:
    """Members that share a database; at the end of a `with` block those that run are stopped.

    Attributes:
        members: those who founded it, and whoever was added since.
    """

    def __init__(self, directory: Path, count: int, database: Mapping[str, Any], **settings: Any) -> None:
        """Make keys and write configurations; no database is touched yet.

        Args:
            directory: where the configurations, journals and logs will be.
            count: how many members found the federation.
            database: the `database` section of all configurations.
            settings: other settings that all have in common, as in the file.
        """
        self._directory = directory
        self._common = {"database": dict(database), **settings}
        self.members = [Member(f"node{number}", directory) for number in range(1, count + 1)]
        keys = [crypto.generate_key_pair() for _ in self.members]
        for member, pair in zip(self.members, keys, strict=True):
            member.configure(self.document(pair, [public for _, public in keys if public != pair[1]]))

    def document(self, pair: tuple[str, str], keyring: Sequence[str] = ()) -> dict[str, Any]:
        """Return the configuration of a node of this ledger: (private, public) key, and the other members' keys."""
        private, public = pair
        keypair = {"public": public, "private": private}
        bind = f"localhost:{_free_port()}"
        return {"keypair": keypair, "keyring": list(keyring), "server": {"bind": bind}, **self._common}

    def newcomer(self, name: str) -> Member:
        """Return one who has a key and knows the database, and whom nobody has made a member yet."""
        member = Member(name, self._directory)
        member.configure(self.document(crypto.generate_key_pair()))
        return member

    def init(self) -> None:
        """Create the database and the ledger in it, by the first member.

        Raises:
            RuntimeError: the command says why it could not.
        """
        done = self.members[0].run("init")
        if done.returncode != 0:
            raise RuntimeError(done.stderr)

    def start(self) -> None:
        """Start every member that does not run."""
        for member in self.members:
            if not member.is_running:
                member.start()

    def stop(self) -> None:
        """Stop every member, all at the same time."""
        for member in self.members:
            if member.process is not None:
                member.process.terminate()
        for member in self.members:
            member.stop()

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


def _environment() -> dict[str, str]:
    """Return an environment in which only the configuration file counts, and the package is found from anywhere."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BIGCHAINDB_")}
    return clean | {"PYTHONPATH": str(_ROOT)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
