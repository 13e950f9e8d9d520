"""The web server of a node over a ledger in memory, in a thread: `with served(ledger) as url`."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bigchaindb.config import new_config
from bigchaindb.node.node import Node
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.web.app import create_app
from bigchaindb.web.ledger import Ledger as WebLedger
from bigchaindb.web.server import Server
from bigchaindb.web.state import WebSettings
from tests.onenode import pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ledgers import Ledger

__all__ = ["served"]

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.02


@contextmanager
def served(ledger: Ledger) -> Iterator[str]:
    """Serve the first member of a ledger, and yield where."""
    first = ledger.first

    def open_() -> Node:
        # A connection of its own, as a process of its own has.
        return Node(
            MemoryStorage(ledger.database),
            first.key,
            federation=ledger.federation,
            quorum=ledger.quorum,
            clock=ledger.clock,
        )

    web = WebLedger(open_)
    server = Server(create_app(web, WebSettings.of(new_config(*pair("node")))))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not server.started:
                assert thread.is_alive(), "the web server has ended"
                assert time.monotonic() < deadline, "the web server does not start"
                time.sleep(_LOOK_SECONDS)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS)
            web.close()
            assert not thread.is_alive(), "the web server does not end"
