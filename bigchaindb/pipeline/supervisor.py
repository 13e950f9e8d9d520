"""The supervisor: keeps a node's worker processes running, and stops them (design.md section 5).

Invariants:

- A worker that dies is started again, after a delay that grows while it keeps dying; one that ends with `FATAL` ends
  the node, since starting it again would not help.
- SIGINT and SIGTERM end everything within five seconds; nothing is left behind.
- Workers meet only through storage; the supervisor tells them nothing but when to end.
- While the servers of the database are away the node waits, be it from the start, and says so once.
- Nothing is started before the node has its lease, and the web server its address.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from bigchaindb.config import to_document
from bigchaindb.exceptions import LedgerError, StorageUnavailable
from bigchaindb.node.counters import add, restarts_of
from bigchaindb.node.lease import BEAT_SECONDS, Lease
from bigchaindb.node.opening import journal_path, open_node
from bigchaindb.orders import FATAL, write_order
from bigchaindb.pipeline.listening import listen, shown_address
from bigchaindb.pipeline.worker import ROLES

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bigchaindb.config import Config
    from bigchaindb.node.node import Node

__all__ = ["supervise"]

_STOP_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.1
_FIRST_RESTART_SECONDS: Final = 0.1
_LAST_RESTART_SECONDS: Final = 5.0
_HEALTHY_SECONDS: Final = 30.0
_FIRST_RETRY_SECONDS: Final = 0.1
_LAST_RETRY_SECONDS: Final = 3.0

_WORKERS: Final = "bigchaindb.pipeline"
# By its name alone: nothing here depends on what it imports.
_WEB: Final = "bigchaindb.web"

_log = logging.getLogger(__name__)


class _Child:
    """One worker process, and when to start it (again).

    It is `python -m MODULE ROLE`, gets an order on its standard input, and inherits sockets.
    """

    def __init__(self, role: str, order: str, module: str = _WORKERS, sockets: Sequence[socket.socket] = ()) -> None:
        self.role = role
        self._order = order
        self._module = module
        self._inherited = tuple(found.fileno() for found in sockets)
        self._process: subprocess.Popen[str] | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._delay_seconds = _FIRST_RESTART_SECONDS
        self.restarts = 0

    def look(self, now: float) -> None:
        """Start the process if it is time.

        Raises:
            LedgerError: it ended for a reason that a new one would meet again.
        """
        if self._process is None:
            if now >= self._start_at:
                self._start(now)
            return
        code = self._process.poll()
        if code is None:
            return
        self._close()
        if code == FATAL:
            raise LedgerError(f"the {self.role} cannot go on; its last line in the log says why")
        if now - self._started_at > _HEALTHY_SECONDS:
            self._delay_seconds = _FIRST_RESTART_SECONDS
        _log.warning("%s ended with code %s, starting it again in %.1f s", self.role, code, self._delay_seconds)
        self.restarts += 1
        self._start_at = now + self._delay_seconds
        self._delay_seconds = min(_LAST_RESTART_SECONDS, 2 * self._delay_seconds)

    def _start(self, now: float) -> None:
        # -P: what lies in the directory in which the node is started must not pass for a module.
        command = [sys.executable, "-P", "-m", self._module, self.role]
        # Ctrl-C reaches the whole process group: from its first instant a worker leaves it to the supervisor, which
        # hears it as soon as the worker is started.  (Ignored instead of held back, it would be lost to both.)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command, stdin=subprocess.PIPE, text=True, pass_fds=self._inherited
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self._started_at = now
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(BrokenPipeError):  # it died at once; the next look finds it
            self._process.stdin.write(self._order + "\n")
            self._process.stdin.flush()

    def terminate(self) -> None:
        """Tell the process to end."""
        if self._process is not None:
            self._process.terminate()

    def wait(self, until: float) -> None:
        """Wait for the end, and force it when the time is over."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            _log.warning("%s does not end, killing it", self.role)
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process = None


def supervise(config: Config, config_path: Path) -> None:
    """Run the node until SIGINT or SIGTERM.

    Args:
        config: the node's configuration.
        config_path: its file; the journal lies beside it.

    Raises:
        ConfigurationError: `server.bind` cannot be listened on.
        LedgerError: no ledger, another federation's, or a worker that cannot go on.
        NodeAlreadyRunning: a node with this key runs already, or has taken the lease.
        StorageError: the database is not there, not ours, or damaged; a file that cannot be used now.
    """
    stop = threading.Event()
    previous = {s: signal.signal(s, lambda *_: stop.set()) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        node = _open(config, stop)
        if node is not None:
            try:
                _run(node, config, config_path, stop)
            finally:
                node.storage.close()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _open(config: Config, stop: threading.Event) -> Node | None:
    """Open the node, once its database can be reached; None where it is to stop before.

    A machine may be up before the servers of its database are.  A file is there, or it is not.
    """
    retry_seconds = _FIRST_RETRY_SECONDS
    away = False
    while not stop.is_set():
        try:
            node = open_node(config, time.time)
        except StorageUnavailable as error:
            if config.database.backend == "sqlite":
                raise
            if not away:
                _log.warning("database is away, waiting for it: %s", error)
            away = True
            stop.wait(retry_seconds)
            retry_seconds = min(_LAST_RETRY_SECONDS, 2 * retry_seconds)
        else:
            if away:
                _log.info("database is back")
            return node
    return None


def _run(node: Node, config: Config, config_path: Path, stop: threading.Event) -> None:
    lease = Lease(node.storage, node.me)
    if not lease.acquire(stop.wait):
        return
    try:
        with contextlib.ExitStack() as open_sockets:
            sockets = [open_sockets.enter_context(found) for found in listen(config.server, stop.wait)]
            children = _children(node, config, config_path, sockets)
            _log.info("node %s of ledger %s is running", node.me, node.ledger)
            _log.info("serving %s", shown_address(config.server, sockets))
            try:
                _watch(children, lease, stop, lambda numbers: add(node.storage, node.me, numbers))
            finally:
                _end(children)
    finally:
        _release(lease)
    _log.info("node %s has stopped", node.me)


def _children(node: Node, config: Config, config_path: Path, sockets: Sequence[socket.socket]) -> list[_Child]:
    journal = journal_path(config_path, node.ledger, node.me)
    order = write_order(to_document(config), journal=str(journal))
    web_order = write_order(to_document(config), sockets=[found.fileno() for found in sockets])
    return [*(_Child(role, order) for role in ROLES), _Child("web", web_order, _WEB, sockets)]


def _watch(
    children: list[_Child], lease: Lease, stop: threading.Event, count: Callable[[dict[str, int]], None]
) -> None:
    beat_at = time.monotonic() + BEAT_SECONDS
    away = False
    while not stop.is_set():
        now = time.monotonic()
        for child in children:
            child.look(now)
        if now >= beat_at:
            beat_at = now + BEAT_SECONDS
            try:
                if not lease.renew():
                    raise LedgerError("another node with this key has taken the lease; this one ends")
                _count_restarts(children, count)
                if away:
                    _log.info("the lease is renewed again")
                away = False
            except StorageUnavailable as error:
                if not away:
                    _log.warning("cannot renew the lease now: %s", error)
                away = True
        stop.wait(_LOOK_SECONDS)


def _count_restarts(children: list[_Child], count: Callable[[dict[str, int]], None]) -> None:
    """Count, for whoever watches this node, what was started again since the last time."""
    new = {restarts_of(child.role): child.restarts for child in children if child.restarts}
    if new:
        count(new)
        for child in children:
            child.restarts = 0


def _end(children: list[_Child]) -> None:
    for child in children:
        child.terminate()
    until = time.monotonic() + _STOP_SECONDS
    for child in children:
        child.wait(until)


def _release(lease: Lease) -> None:
    try:
        lease.release()
    except StorageUnavailable as error:
        _log.warning("cannot give the lease back: %s", error)
