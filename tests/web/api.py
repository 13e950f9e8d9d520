"""The HTTP API of one node, without sockets: `with Api(tmp_path) as api: api.get("/api/v1/")`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import httpx

from bigchaindb.node.opening import open_node
from bigchaindb.web.app import create_app
from bigchaindb.web.ledger import Ledger
from bigchaindb.web.state import WebSettings
from tests.onenode import OneNode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

    from bigchaindb.node.node import Node

__all__ = ["ROOT", "Api", "problem"]

ROOT = "/api/v1"


class Api:
    """A node whose builder and voter are stepped by hand, and its web application."""

    def __init__(self, directory: Path, open_: Callable[[OneNode], Node] | None = None, **settings: Any) -> None:
        self.node = OneNode(directory)
        defaults = {"transaction_bytes": 2**18, "backlog_transactions": 1000, "is_loopback": True}
        opening = open_ or (lambda node: open_node(node.config, time.time))
        self.ledger = Ledger(lambda: opening(self.node))
        self.app = create_app(self.ledger, WebSettings(**defaults | settings))
        self._stop = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as starting:
            starting.enter_context(self.node)
            starting.callback(self.ledger.close)
            self._runner = starting.enter_context(asyncio.Runner())
            self._stop = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.close()

    def send(self, *requests: httpx.Request) -> list[httpx.Response]:
        """Send requests all at the same time."""

        async def send_all() -> list[httpx.Response]:
            # What the application raises has become an answer: a 500 is one too.
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return list(await asyncio.gather(*(client.send(request) for request in requests)))

        return self._runner.run(send_all())

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request; a path that begins with a slash is from the root, any other from the API's."""
        whole = path if path.startswith("/") else f"{ROOT}/{path}"
        return self.send(httpx.Request(method, f"http://localhost{whole}", **options))[0]

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.request("GET", path, params=params or None)

    def post(self, path: str, value: Any, **options: Any) -> httpx.Response:
        return self.request("POST", path, json=value, **options)

    def post_text(self, path: str, text: str | bytes, **headers: str) -> httpx.Response:
        """Post what `httpx` would not make."""
        content = text.encode() if isinstance(text, str) else text
        return self.request("POST", path, content=content, headers={"Content-Type": "application/json", **headers})


def problem(response: httpx.Response) -> tuple[int, str, str | None]:
    """The status, kind and field of an error, which is of the one form that all have."""
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert set(document) - {"rival"} == {"status", "error", "message", "field"}
    assert document["status"] == response.status_code
    assert document["message"].isprintable()
    assert "Traceback" not in response.text
    return document["status"], document["error"], document["field"]
