"""A whole web server on a loopback port, over a ledger in memory whose nodes are stepped by hand.

`with Served(ledger) as served:` serves the first member; `served.websocket(...)` and `served.events(...)` listen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import httpx
from websockets.sync.client import connect

from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.node.node import Node
from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage
from bigchaindb.web.app import create_app
from bigchaindb.web.ledger import Ledger as WebLedger
from bigchaindb.web.server import Server
from bigchaindb.web.state import WebSettings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Self

    from websockets.sync.client import ClientConnection

    from tests.ledgers import Ledger

__all__ = ["HANG_SECONDS", "PATH", "Away", "Event", "EventStream", "Served", "taken", "web_ledger"]

HANG_SECONDS: Final = 30.0
PATH: Final = "/api/v1/streams/valid_transactions"

Event = dict[str, Any]


class Away(MemoryStorage):
    """A connection to a database that may be away."""

    away: set[MemoryDatabase] = set()  # noqa: RUF012 - all connections share it

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Any]:
        if self._shared in self.away:
            raise StorageUnavailable("the database is away")
        with super()._reading() as contents:
            yield contents

    def wait_for_change(self, timeout_seconds: float, of: Collection[str] = ()) -> bool:
        if self._shared in self.away:
            raise StorageUnavailable("the database is away")
        return super().wait_for_change(timeout_seconds, of)


def web_ledger(ledger: Ledger) -> WebLedger:
    """The ledger of the first member as the web server holds it, with connections of its own."""
    member = ledger.first

    def open_() -> Node:
        return Node(
            Away(ledger.database), member.key, federation=ledger.federation, quorum=ledger.quorum, clock=ledger.clock
        )

    return WebLedger(open_)


class Served:
    """A server in a thread."""

    def __init__(self, ledger: Ledger, **settings: Any) -> None:
        self.ledger = ledger
        defaults = {"transaction_bytes": 2**18, "backlog_transactions": 1000, "is_loopback": True}
        self._settings = WebSettings(**defaults | settings)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.start()

    def start(self) -> None:
        """Serve at the same address as before."""
        self._web_ledger = web_ledger(self.ledger)
        self.server = Server(create_app(self._web_ledger, self._settings))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=self.server.config.get_loop_factory()) as runner:
            runner.run(self.server.serve([self._socket.dup()]))

    def stop(self) -> None:
        """End as at SIGTERM."""
        self.server.should_exit = True
        self._thread.join(HANG_SECONDS)
        assert not self._thread.is_alive()
        self._web_ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._socket.close()

    # --- listening -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def websocket(self, **params: str) -> Iterator[ClientConnection]:
        """A WebSocket on which events come."""
        query = str(httpx.QueryParams(params))
        with connect(f"ws://{self.address}{PATH}?{query}", proxy=None, open_timeout=HANG_SECONDS) as websocket:
            yield websocket

    @contextlib.contextmanager
    def events(self, last_event_id: str | None = None, **params: str) -> Iterator[EventStream]:
        """Server-sent events."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
        with (
            httpx.Client(timeout=HANG_SECONDS, trust_env=False) as client,
            client.stream("GET", f"http://{self.address}{PATH}", params=params, headers=headers) as response,
        ):
            yield EventStream(response)


class EventStream:
    """What comes as server-sent events.

    Attributes:
        response: its head.
        last_id: where to go on behind what was read.
        lines: what is left of it.
    """

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last_id = ""
        self.lines = response.iter_lines()

    def next(self) -> Event | None:
        """The next event; None at the end of the stream."""
        data = ""
        deadline = time.monotonic() + HANG_SECONDS
        for line in self.lines:
            assert time.monotonic() < deadline, "only signs of life come"
            name, _, value = line.partition(": ")
            if name == "id":
                self.last_id = value
            elif name == "data":
                data = value
            elif not line and data:
                event: Event = json.loads(data)
                assert self.last_id == f"{event['sequence']}/{event['transaction_id']}"
                return event
        return None

    def take(self, count: int) -> list[str]:
        """The ids of the next so many transactions."""
        events = [self.next() for _ in range(count)]
        return [event["transaction_id"] for event in events if event]


def taken(websocket: ClientConnection, count: int) -> list[str]:
    """The ids of the next so many transactions that a WebSocket tells of."""
    return [json.loads(websocket.recv(HANG_SECONDS))["transaction_id"] for _ in range(count)]
