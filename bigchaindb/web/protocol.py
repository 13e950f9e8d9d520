"""HTTP as bytes on a connection: uvicorn's reader, with the limits that it has not.

Invariants:

- A request's head is read up to a number of bytes, and so is what comes with a body and is none of it: trailers, and
  extensions of chunks.  A head, a body and an answer each have a time to get across, and of an answer without end, each
  part that is not taken at once.  So nobody holds a connection, or memory, by being slow.
- Trailers are no headers: nobody has looked at them when a request is answered.
- No timer is kept per request: each connection knows when its time is up, and `sweep` looks at all.
- What cannot be read as HTTP is refused in the same form as every other error.

Whoever connects when there are as many connections as there may be is turned away unheard.
"""

from __future__ import annotations

import json
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bigchaindb.web.problems import members

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "BODY_SECONDS",
    "COUNT",
    "HEAD_BYTES",
    "HEAD_SECONDS",
    "MAX_CONNECTIONS",
    "Protocol",
    "count_answer",
    "sweep",
]

HEAD_BYTES: Final = 32 * 1024
HEAD_SECONDS: Final = 20.0
BODY_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 60.0
MAX_CONNECTIONS: Final = 2_000
COUNT: Final = "count"
"""Under this name the state of the application has what counts answers, by method and status."""

_SYSTEM_BUFFER_BYTES: Final = 256 * 1024
_NEVER: Final = float("inf")


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make what uvicorn makes for each connection."""
        super().__init__(*args, **kwargs)
        self._until = _NEVER
        self._write_until = _NEVER
        self._in_head = True
        self._counted_bytes = 0
        self._too_large = False

    def is_late(self, now: float) -> bool:
        """Tell whether a time is up."""
        return now > self._until or now > self._write_until

    # --- reading ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        found = transport.get_extra_info("socket")
        if found is not None:
            # Or the system would keep megabytes for whoever does not read.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SYSTEM_BUFFER_BYTES)
        self._until = self.loop.time() + HEAD_SECONDS
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on, up to as many bytes as a head may have, and further where they have brought something to an end."""
        if self._until == _NEVER:
            self._until = self.loop.time() + HEAD_SECONDS
        # Whoever is upgraded, refused or gone is not read any more.  A part that ends one thing may begin the next, so
        # of what is not the first in `data` up to twice as much is read.
        while data and self in self.connections and not self.transport.is_closing():
            part = data[: HEAD_BYTES - self._counted_bytes]
            data = data[len(part) :]
            self._counted_bytes += len(part)
            super().data_received(part)
            if self._counted_bytes >= HEAD_BYTES and not self.transport.is_closing():
                self._too_large = True
                self.send_400_response("")

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        super().on_message_begin()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; what comes behind a body is none."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Let the application have the request."""
        self._in_head = False
        self._counted_bytes = 0
        self._until = self.loop.time() + BODY_SECONDS
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand a part of a body on."""
        self._counted_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is there as a whole."""
        self._until = _NEVER
        self._counted_bytes = 0
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to the reader of WebSockets, which has limits of its own."""
        self._until = self._write_until = _NEVER
        super().handle_websocket_upgrade()

    # --- writing ---------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """Note since when the other side takes its time for what it asked for."""
        self._write_until = min(self._write_until, self.loop.time() + ANSWER_SECONDS)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that it has taken what there was; an answer that has an end must get there in its time."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.chunked_encoding:
            self._write_until = _NEVER
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Give what is left of an answer its time, and the next one its own."""
        is_taken = not self.flow.write_paused and not self.transport.is_closing()
        self._write_until = _NEVER if is_taken else self.loop.time() + ANSWER_SECONDS
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close, though not for ever: closing waits until everything has been taken."""
        self._write_until = self.loop.time() + ANSWER_SECONDS
        super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, and close the connection."""
        if self._too_large:
            message = f"the head, or what comes with the body, has more than {HEAD_BYTES} bytes"
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message)
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, msg or "this is no HTTP request")

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        body = json.dumps(members(status, message)).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        # In the middle of an answer it would be taken for a part of that.
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            self.transport.write(head.encode() + body)
            count_answer(self.app_state, "", status)
        self.transport.close()


def count_answer(app_state: Mapping[str, Any], method: str, status: int) -> None:
    """Count an answer that the application knows nothing of; an empty method is one that could not be read."""
    count: Callable[[str, int], None] | None = app_state.get(COUNT)
    if count is not None:
        count(method, status)


def sweep(connections: Iterable[Any], now: float) -> None:
    """Cut the connections whose time is up.

    Args:
        connections: all that uvicorn has; those that were upgraded to WebSockets are not our business.
        now: the event loop's time.
    """
    for connection in list(connections):
        if isinstance(connection, Protocol) and connection.is_late(now):
            connection.transport.abort()
