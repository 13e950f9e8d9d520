"""The loop of a worker process: step, wait for a change, step again.

A worker is told for which node it works as `bigchaindb.orders` says, and ends when its supervisor does.

Invariants:

- While the database is away a worker waits, with a bounded and growing delay, and says so once; then it starts afresh.
- A lost notification only delays: every wait ends by itself within a second.
"""

from __future__ import annotations

import gc
import logging
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from bigchaindb.config import Config, parse
from bigchaindb.exceptions import (
    BigchainDBError,
    ConfigurationError,
    Fenced,
    LedgerError,
    StorageMismatch,
    StorageUnavailable,
)
from bigchaindb.logs import set_up_logging
from bigchaindb.node.journal import FileJournal
from bigchaindb.node.opening import open_node
from bigchaindb.orders import FATAL, read_order, when_input_ends
from bigchaindb.pipeline.builder import Builder
from bigchaindb.pipeline.voter import Memory, Voter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bigchaindb.node.node import Node

__all__ = ["ROLES", "Loop", "main", "work"]

ROLES: Final = ("builder", "voter")
_WAIT_SECONDS: Final = 0.2
_LONGEST_WAIT_SECONDS: Final = 1.0
_LEAST_WAIT_SECONDS: Final = 0.001
_FIRST_RETRY_SECONDS: Final = 0.1
_LAST_RETRY_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class Worker(Protocol):
    """A builder or a voter."""

    @property
    def waits_for(self) -> Collection[str]:
        """The changes that can give it something to do; see `storage.changes`."""

    def step(self) -> bool:
        """Do what there is to do; tell whether there may be more at once."""

    def seconds_until_due(self) -> float | None:
        """Return when to step again even if nothing changes, or None."""


class Loop:
    """What a worker process does, round by round; whoever runs it says how it pauses while the database is away."""

    def __init__(
        self,
        open_: Callable[[], Node],
        make: Callable[[Node], Worker],
        pause: Callable[[float], object],
        listen: Callable[[Node, float, Collection[str]], object] | None = None,
    ) -> None:
        """Begin with nothing open.

        Args:
            open_: opens the node.
            make: makes the worker of an open node.
            pause: waits so many seconds.
            listen: waits for a change of these kinds, so many seconds at the most; None for a wait in one piece.
        """
        self._open = open_
        self._make = make
        self._pause = pause
        self._listen = listen or (lambda node, seconds, of: node.storage.wait_for_change(seconds, of))
        self._node: Node | None = None
        self._worker: Worker | None = None
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._is_away = False

    def round(self) -> None:
        """Step once, over a node opened anew where there is none; where there is no more to do, wait for a change.

        Raises:
            BigchainDBError: what waiting does not mend.
        """
        try:
            node, worker = self._running()
            if not worker.step():
                self._listen(node, _patience_seconds(worker), worker.waits_for)
        except StorageUnavailable as error:
            self.close()
            if not self._is_away:
                _log.warning("database is away, waiting for it: %s", error)
            self._is_away = True
            self._pause(self._retry_seconds)
            self._retry_seconds = min(_LAST_RETRY_SECONDS, 2 * self._retry_seconds)

    def _running(self) -> tuple[Node, Worker]:
        if self._node is None:
            self._node = self._open()
        if self._worker is None:
            self._worker = self._make(self._node)
            _log.info("database is back" if self._is_away else "running")
            self._retry_seconds, self._is_away = _FIRST_RETRY_SECONDS, False
        return self._node, self._worker

    def close(self) -> None:
        """Close the node; the next round opens it anew."""
        node, self._node, self._worker = self._node, None, None
        if node is not None:
            node.storage.close()


def _patience_seconds(worker: Worker) -> float:
    """Return how long a worker that has nothing to do may wait for a change until it looks for itself."""
    due = worker.seconds_until_due()
    return _LONGEST_WAIT_SECONDS if due is None else min(_LONGEST_WAIT_SECONDS, max(_LEAST_WAIT_SECONDS, due))


def work(open_: Callable[[], Node], make: Callable[[Node], Worker], stop: threading.Event) -> None:
    """Step a worker until told to stop.

    Args:
        open_: opens the node.
        make: makes the worker of an open node.
        stop: set by whoever wants it to end; looked at several times a second.

    Raises:
        BigchainDBError: what waiting does not mend.
    """

    def listen(node: Node, seconds: float, of: Collection[str]) -> None:
        left = seconds
        while left >= _LEAST_WAIT_SECONDS and not stop.is_set():
            if node.storage.wait_for_change(min(_WAIT_SECONDS, left), of):
                return
            left -= _WAIT_SECONDS

    loop = Loop(open_, make, stop.wait, listen)
    try:
        while not stop.is_set():
            loop.round()
    finally:
        loop.close()


def main(role: str) -> int:
    """Run as a worker process: a line of JSON on standard input says for which node.

    Returns:
        0 when told to stop; `FATAL` for what a restart would not mend.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor hears it too, and says when
    order = read_order()
    if order is None:
        return 0
    config = parse(order["config"], "supervisor")
    set_up_logging(config.log, role)
    _collect_seldom()
    when_input_ends(stop.set)

    try:
        make = _voter_maker(Path(order["journal"])) if role == "voter" else _builder_maker(config)
        work(lambda: open_node(config, time.time), make, stop)
    except (ConfigurationError, Fenced, LedgerError, StorageMismatch) as error:
        _log.error("%s", error)
        return FATAL
    except BigchainDBError as error:
        # What somebody put into storage may trip this worker, but must not end the node.
        _log.error("%s: %s", type(error).__name__, error)
        return 1
    return 0


def _voter_maker(journal_path: Path) -> Callable[[Node], Worker]:
    journal = FileJournal(journal_path)  # one for the whole process, however often the voter starts afresh
    memory = Memory()
    return lambda node: Voter(node, journal, memory)


def _builder_maker(config: Config) -> Callable[[Node], Worker]:
    said: set[str] = set()
    return lambda node: Builder(
        node,
        said=said,
        block_interval_seconds=config.block_interval_seconds,
        backlog_reassign_delay_seconds=config.backlog_reassign_delay_seconds,
    )


def _collect_seldom() -> None:
    # Thousands of transactions at a time, and none of them in a cycle: looking for cycles took a fifth of the time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
