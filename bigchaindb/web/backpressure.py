"""Large answers, sent as fast as they are taken.

Whatever a server hands over at once lies in its memory until the other side has taken it, and the other side may take
its time.

Invariants:

- A large answer is handed over in slices, the next when the last has gone out.
- All large answers that are being sent are bounded together; who asks for more then is told to try again.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from bigchaindb.web.problems import RETRY_SECONDS, Problem, members

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Backpressure"]

_SLICE_BYTES: Final = 64 * 1024
_MOST_BYTES: Final = 64 * 2**20


class Backpressure:
    """Middleware that sends large answers slowly."""

    def __init__(self, app: ASGIApp) -> None:
        """Send the answers of an app."""
        self._app = app
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(self, scope, receive, send)
        try:
            await self._app(scope, receive, answer.send)
        finally:
            self._bytes -= answer.kept_bytes

    def keep(self, size_bytes: int) -> bool:
        """Take note of an answer that is about to be sent; tell whether there is room for it."""
        if self._bytes + size_bytes > _MOST_BYTES:
            return False
        self._bytes += size_bytes
        return True


class _Answer:
    """One answer on its way."""

    def __init__(self, all_: Backpressure, scope: Scope, receive: Receive, send: Send) -> None:
        self.kept_bytes = 0
        self._all = all_
        self._scope = scope
        self._receive = receive
        self._send = send
        self._is_refused = False

    async def send(self, message: Message) -> None:
        """Send a part of it."""
        if self._is_refused:
            return
        if message["type"] == "http.response.start":
            size = _size(message.get("headers", ()))
            if size > _SLICE_BYTES:
                if not self._all.keep(size):
                    self._is_refused = True
                    await _refuse(self._scope, self._receive, self._send)
                    return
                self.kept_bytes = size
        elif message["type"] == "http.response.body" and len(message.get("body", b"")) > _SLICE_BYTES:
            await self._send_slices(message)
            return
        await self._send(message)

    async def _send_slices(self, message: Message) -> None:
        body, more = memoryview(message["body"]), message.get("more_body", False)
        for start in range(0, len(body), _SLICE_BYTES):
            is_last = start + _SLICE_BYTES >= len(body)
            part = bytes(body[start : start + _SLICE_BYTES])
            await self._send({"type": "http.response.body", "body": part, "more_body": more or not is_last})


def _size(headers: Iterable[tuple[bytes, bytes]]) -> int:
    return next((int(value) for name, value in headers if name == b"content-length"), 0)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    message = "too much is being sent by this node at the moment; try again"
    refusal = Problem(members(HTTPStatus.SERVICE_UNAVAILABLE, message), {"Retry-After": str(RETRY_SECONDS)})
    await refusal(scope, receive, send)
