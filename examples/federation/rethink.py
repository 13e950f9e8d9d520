"""A RethinkDB for a federation: a server that runs already, or a throw-away one.

Invariants:

- The database is a new one, and is gone at the end.
- A server that is started here listens on the loopback only, keeps its files in a temporary directory, and is stopped.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.config import Database
from bigchaindb.exceptions import StorageError
from bigchaindb.storage.opening import open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_there_a_rethinkdb", "rethinkdb"]

_HOST: Final = "127.0.0.1"
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0


def is_there_a_rethinkdb() -> bool:
    """Tell whether `rethinkdb` is on PATH."""
    return shutil.which("rethinkdb") is not None


@contextlib.contextmanager
def rethinkdb(address: str | None = None) -> Iterator[dict[str, Any]]:
    """Give the `database` section of a new ledger.

    Args:
        address: host:port of a server; None for a throw-away one.

    Raises:
        RuntimeError: there is no server, and none can be started.
    """
    with contextlib.ExitStack() as stack:
        host, _, port = (address or f"{_HOST}:{stack.enter_context(_server())}").rpartition(":")
        name = f"federation_{uuid.uuid4().hex}"
        try:
            yield {"backend": "rethinkdb", "host": host, "port": int(port), "name": name}
        finally:
            if address:
                _drop(Database(backend="rethinkdb", host=host, port=int(port), name=name))


def _drop(database: Database) -> None:
    with contextlib.suppress(StorageError):  # nobody has made it
        open_storage(database, create=False).drop()


@contextlib.contextmanager
def _server() -> Iterator[int]:
    """Run a server; give its port."""
    if not is_there_a_rethinkdb():
        raise RuntimeError("no RethinkDB: `rethinkdb` is not on PATH; or name a server that runs, as host:port")
    port, cluster_port = _free_ports(2)
    with tempfile.TemporaryDirectory(prefix="bigchaindb-rethinkdb-") as directory:
        command = ["rethinkdb", "--directory", f"{directory}/data", "--bind", _HOST, "--no-http-admin"]
        command += ["--driver-port", str(port), "--cluster-port", str(cluster_port), "--no-update-check"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - as named
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((_HOST, port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("no RethinkDB: the server did not start")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((_HOST, 0)) for _ in range(count)]
    try:
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
