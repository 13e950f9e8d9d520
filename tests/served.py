"""One configured node that works and is served over HTTP, all in this process: `with Served(tmp_path) as served`.

For what only shows between processes, there are the acceptance tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from bigchaindb.client import Client, Patience
from bigchaindb.node.journal import MemoryJournal
from bigchaindb.node.opening import open_node
from bigchaindb.pipeline.builder import Builder
from bigchaindb.pipeline.voter import Voter
from bigchaindb.web.app import create_app
from bigchaindb.web.ledger import Ledger
from bigchaindb.web.server import Server
from bigchaindb.web.state import WebSettings
from tests.onenode import OneNode, private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

__all__ = ["Served"]

_LOOK_SECONDS = 0.02
_HANG_SECONDS = 30.0


class Served:
    """A node, its workers in a thread, and its web server in another."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.node = OneNode(directory)
        defaults = {"transaction_bytes": 2**18, "backlog_transactions": 1000, "is_loopback": True}
        self._settings = WebSettings(**defaults | settings)
        self._stop = contextlib.ExitStack()
        self._clients: list[Client] = []

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as starting:
            starting.enter_context(self.node)
            starting.enter_context(self._serving())
            starting.enter_context(self._working())
            starting.callback(self._close_clients)
            self._stop = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.close()

    def _close_clients(self) -> None:
        for client in self._clients:
            client.close()

    def client(self, name: str | None = None, **options: Any) -> Client:
        """A client whose key is that of a name; closed with the node."""
        client = Client(self.url, name and private(name), **{"patience": Patience(attempts=1), **options})
        self._clients.append(client)
        return client

    @contextlib.contextmanager
    def _serving(self) -> Iterator[None]:
        ledger = Ledger(lambda: open_node(self.node.config, time.time))
        server = Server(create_app(ledger, self._settings))
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"

        def serve() -> None:
            with asyncio.Runner() as runner:
                runner.run(server.serve([listening]))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(_HANG_SECONDS)
            listening.close()
            ledger.close()
            assert not thread.is_alive()

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        stopped = threading.Event()

        def work() -> None:
            node = open_node(self.node.config, time.time)
            builder, voter = Builder(node, block_interval_seconds=0.0), Voter(node, MemoryJournal())
            try:
                while not stopped.is_set():
                    if not any([builder.step(), voter.step()]):
                        node.storage.wait_for_change(_LOOK_SECONDS)
            finally:
                node.storage.close()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join(_HANG_SECONDS)
            assert not thread.is_alive()
