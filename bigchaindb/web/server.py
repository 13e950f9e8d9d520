"""The web server process: uvicorn on the sockets that the supervisor holds.

Invariants:

- It ends within three seconds of SIGTERM, or of the end of its standard input: first it listens no more, then requests
  under way get a moment, then it goes.
- It lives on while the database is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

import uvicorn

from bigchaindb.config import parse
from bigchaindb.exceptions import LedgerError, StorageError
from bigchaindb.logs import set_up_logging
from bigchaindb.node.opening import open_node
from bigchaindb.orders import read_order, when_input_ends
from bigchaindb.web.access import is_loopback
from bigchaindb.web.app import create_app
from bigchaindb.web.ledger import Ledger
from bigchaindb.web.protocol import Protocol, sweep
from bigchaindb.web.state import WebSettings
from bigchaindb.web.wire import MESSAGE_BYTES, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastapi import FastAPI

    from bigchaindb.web.feed import Feed

__all__ = ["Server", "main", "uvicorn_config"]

_KEEP_ALIVE_SECONDS: Final = 20
_GRACE_SECONDS: Final = 2
_STREAMS_SECONDS: Final = 0.5
_SWEEP_TICKS: Final = 10
_OPEN_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


def uvicorn_config(app: FastAPI) -> uvicorn.Config:
    """Return the settings with which uvicorn serves an app."""
    return uvicorn.Config(
        app,
        http=Protocol,
        ws=Wire,
        ws_max_size=MESSAGE_BYTES,
        # What hundreds are sent is encoded once; and the wire pings by itself.
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="on",
        log_config=None,
        access_log=False,
        # Nothing here asks who a proxy says the client is.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


class Server(uvicorn.Server):
    """Serves an app until `should_exit` is set."""

    def __init__(self, app: FastAPI) -> None:
        """Take an app over."""
        super().__init__(uvicorn_config(app))
        self._feed: Feed = app.state.feed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let streams end first, for no other request takes long; cut those who do not even read that it is over."""
        self._feed.end()
        await self._feed.left_alone(_STREAMS_SECONDS)
        for connection in list(self.server_state.connections):
            if connection.transport.get_write_buffer_size():
                connection.transport.abort()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whoever runs this."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Look every second for connections whose time is up."""
        if counter % _SWEEP_TICKS == 0:
            sweep(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)


def main() -> int:
    """Run as the web server process: a line of JSON on standard input says for which node, on which sockets.

    Returns:
        0 when told to stop.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor hears it too, and says when
    order = read_order()
    if order is None:
        return 0
    config = parse(order["config"], "supervisor")
    set_up_logging(config.log, "web")
    _allow_many_files()
    _take_over_log()
    ledger = Ledger(lambda: open_node(config, time.time))
    sockets = [socket.socket(fileno=number) for number in order["sockets"]]
    is_local = all(is_loopback(found.getsockname()[0]) for found in sockets)
    server = Server(create_app(ledger, WebSettings.of(config, is_loopback=is_local)))

    def stop(*_: object) -> None:
        server.should_exit = True

    signal.signal(signal.SIGTERM, stop)
    when_input_ends(stop)
    _open_soon(ledger)
    # What is there now stays, and need not be looked through again and again.
    gc.freeze()
    _log.info("running")
    try:
        _serve(server, sockets)
    finally:
        ledger.close()
    return 0


def _open_soon(ledger: Ledger) -> None:
    """Open the ledger before anybody asks for it, if it does not take long; where it is away, they will be told."""

    def open_() -> None:
        with contextlib.suppress(StorageError, LedgerError):
            _ = ledger.node

    opening = threading.Thread(target=open_, daemon=True)
    opening.start()
    opening.join(_OPEN_SECONDS)


def _serve(server: Server, sockets: Sequence[socket.socket]) -> None:
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(server.serve(list(sockets)))


def _allow_many_files() -> None:
    """Let as many connections be open as the system allows this process; by default, often only 1,024 files are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _take_over_log() -> None:
    """Let what uvicorn cannot answer for appear among our own lines; what clients do wrong is not logged."""
    theirs = logging.getLogger("uvicorn")
    theirs.handlers = logging.getLogger("bigchaindb").handlers
    theirs.setLevel(logging.ERROR)
    theirs.propagate = False
