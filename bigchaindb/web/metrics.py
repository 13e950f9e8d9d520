"""Numbers for Prometheus.

Invariants:

- A scrape costs the same however large the ledger is: counts are looked up, not counted, and of blocks only those are
  read that were decided since the last scrape, a bounded number.  The rest comes with the next: none is left out.
- Every transaction counts under one status, as far as what was looked up one after the other fits together.
- While the database is away there is still an answer, without what only the database knows.
- No label can take more values than there are nodes, processes, statuses and methods.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from bigchaindb.exceptions import LedgerError, StorageError
from bigchaindb.node.chronicle import Chronicle
from bigchaindb.node.counters import REJECTED, read, restarts_of
from bigchaindb.web.schemas import problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bigchaindb.node.chronicle import Entry
    from bigchaindb.node.node import Node
    from bigchaindb.web.ledger import Ledger

__all__ = ["CountRequests", "Metrics", "root"]

_PROCESSES: Final = ("builder", "voter", "web")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_OTHER: Final = "other"
# What begins an answer, and its status where none is said.
_BEGINNINGS: Final = {
    "http.response.start": 200,
    "websocket.http.response.start": 200,
    "websocket.accept": 101,
}
_AT_ONCE: Final = 250
_MOST: Final = 2_000
_MAX_OPEN: Final = 1_000
_SHORT: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """The numbers of one process; threads may share them."""

    def __init__(self) -> None:
        """Begin at zero, in a registry of its own."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._lock = threading.Lock()
        self._up = self._gauge("database_up", "Whether the database answers.")
        self._transactions = self._gauge("transactions", "Transactions by status, as this node sees them.", "status")
        self._backlog = self._gauge("backlog_depth", "Transactions that wait to be decided.")
        self._blocks = self._gauge("blocks", "Blocks by whether this node has decided them.", "status")
        self._decided = self._counter("block_decisions", "Blocks decided since this process began.", "verdict")
        self._votes = self._counter("votes", "Votes on these blocks.", "node", "vote")
        self._decision_seconds = self._histogram(
            "decision_seconds", "From the time of a block to this node's decision on it.", _LONG
        )
        self._storage_seconds = self._histogram("storage_seconds", "How long storage takes.", _SHORT, "operation")
        self._restarts = self._gauge(
            "process_restarts", "How often a process of this node was started again.", "process"
        )
        self._requests = self._counter("http_requests", "Answers of this process.", "method", "status")
        # Finding the one with these labels takes longer than counting.
        self._request_counters: dict[tuple[str, int], Counter] = {}
        self._last: tuple[str, int] | None = None

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"bigchaindb_{name}", meaning, labels, registry=self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"bigchaindb_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"bigchaindb_{name}", meaning, labels, buckets=buckets, registry=self.registry)

    @contextmanager
    def storage(self, operation: str) -> Iterator[None]:
        """Measure how long the block takes, as an operation of storage: `read`, `write`, or `check` with signatures."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._storage_seconds.labels(operation).observe(time.perf_counter() - start)

    def count_request(self, method: str, status: int) -> None:
        """Count an answer."""
        key = (method if method in _METHODS else _OTHER, status)
        counter = self._request_counters.get(key)
        if counter is None:
            counter = self._request_counters[key] = self._requests.labels(key[0], str(status))
        counter.inc()

    def text(self, ledger: Ledger, began_at: int | None) -> bytes:
        """Look at a ledger, and return all numbers as Prometheus reads them.

        Args:
            ledger: what to look at.
            began_at: number of the decision behind which this process began, as far as that is known.
        """
        with self._lock:
            try:
                with self.storage("read"):
                    self._look(ledger.node, began_at)
                self._up.set(1)
            except (StorageError, LedgerError) as error:
                ledger.doubt(error)
                self._up.set(0)
            return generate_latest(self.registry)

    def _look(self, node: Node, began_at: int | None) -> None:
        latest = node.storage.latest_decision(node.me)
        sequence = latest.sequence if latest else 0
        chronicle = Chronicle(node)
        undecided = chronicle.undecided(_MAX_OPEN)
        backlog = node.storage.backlog_size()
        counted = read(node.storage, node.me, [REJECTED, *map(restarts_of, _PROCESSES)])
        # An entry of the backlog stays there while its transaction stands in a block that is undecided.
        in_blocks = sum(entry.header.transaction_count for entry in undecided if entry.header)
        self._backlog.set(backlog)
        for status, count in (
            ("backlog", max(0, backlog - in_blocks)),
            ("undecided", in_blocks),
            ("valid", latest.valid_transactions if latest else 0),
            ("rejected", counted[REJECTED]),
        ):
            self._transactions.labels(status).set(count)
        self._blocks.labels("decided").set(sequence)
        self._blocks.labels("undecided").set(len(undecided))
        for process in _PROCESSES:
            self._restarts.labels(process).set(counted[restarts_of(process)])
        began_at = sequence if began_at is None else began_at
        known = self._last[1] if self._last and self._last[0] == node.ledger else began_at
        until = min(sequence, known + _MOST)
        for entry in _decided_between(chronicle, known, until):
            self._note(entry)
        self._last = (node.ledger, until)

    def _note(self, entry: Entry) -> None:
        if entry.decision is None:
            return
        self._decided.labels(str(entry.decision.verdict)).inc()
        for node, vote in entry.votes.items():
            self._votes.labels(node, "valid" if vote.is_valid else "invalid").inc()
        if entry.header is not None:
            # The clocks of two nodes may differ.
            seconds = float(entry.decision.timestamp) - float(entry.header.timestamp)
            self._decision_seconds.observe(max(0.0, seconds))


def _decided_between(chronicle: Chronicle, after: int, until: int) -> Iterator[Entry]:
    """Yield the blocks decided after a sequence number and up to another."""
    for start in range(after, until, _AT_ONCE):
        end = min(start + _AT_ONCE, until)
        yield from chronicle.decided(end + 1, end - start)


class CountRequests:
    """Middleware that counts answers."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Count the answers of an app."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] in _BEGINNINGS:
                status = message.get("status") or _BEGINNINGS[message["type"]]
                self._metrics.count_request(scope.get("method", "GET"), status)
            await send(message)

        await self._app(scope, receive, sending)


root = APIRouter(tags=["node"])

_TEXT: Final = {"description": "In the text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}


@root.get("/metrics", responses={200: _TEXT, **problems()}, response_class=Response)
async def get_metrics(request: Request) -> Response:
    """Return numbers for Prometheus."""
    state = request.app.state
    text = await run_in_threadpool(state.metrics.text, state.ledger, state.feed.first_sequence)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})
