"""`python -m benchmarks.empty`: the web framework with a handler that does nothing, on the settings of a node.

What it serves is what a handler could serve at best, and the unit in which reading over HTTP is told.  It prints the
port that it listens on, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading

import uvicorn
from fastapi import FastAPI

from bigchaindb.web.server import uvicorn_config

__all__ = ["main"]


def main() -> None:
    """Serve until standard input ends."""
    app = FastAPI()

    @app.get("/")
    async def empty() -> dict[str, str]:
        return {}

    server = uvicorn.Server(uvicorn_config(app))
    listening = socket.create_server(("127.0.0.1", 0))

    def stop() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=stop, daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(server.serve([listening]))


if __name__ == "__main__":
    main()
