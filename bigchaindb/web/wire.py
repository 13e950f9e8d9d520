"""WebSockets as bytes on a connection: uvicorn's, and what it lacks for many who are sent the same.

An application that finds the extension `EXTENSION` in its scope may send `{"type": EXTENSION, "frames": bytes}`: whole
frames, ready to go out, the same to hundreds of readers.

Invariants:

- What is kept for a reader who does not read is bounded, here and in the system: its buffers are small, and what does
  not fit waits in the application.  Of the pings that could not be answered, only the last one is (RFC 6455, 5.5.3).
- A reader who takes nothing for `SLOW_SECONDS` of what waits for it is dropped, with close code 1013 as far as it still
  listens, whether there is more to tell it or not.
- A handshake that is refused, whoever refuses it, is answered as every other error.
- A peer that is silent for `SILENCE_SECONDS` although it is pinged is gone.
"""

from __future__ import annotations

import asyncio
import json
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.server import ServerProtocol

from bigchaindb.web.problems import INTERNAL, NAMES, NOWHERE, members
from bigchaindb.web.protocol import count_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from websockets.http11 import Request, Response

__all__ = ["EXTENSION", "MESSAGE_BYTES", "PING_SECONDS", "SILENCE_SECONDS", "SLOW_SECONDS", "TRY_AGAIN_LATER", "Wire"]

EXTENSION: Final = "bigchaindb.frames"
TRY_AGAIN_LATER: Final = 1013
MESSAGE_BYTES: Final = 4_096
"""The largest message to take from a client; nothing that they say is listened to."""
SLOW_SECONDS: Final = 10.0
PING_SECONDS: Final = 15.0
SILENCE_SECONDS: Final = 45.0

_LAST_WORDS_SECONDS: Final = 2.0
_BUFFER_BYTES: Final = 16 * 1024
_SYSTEM_BUFFER_BYTES: Final = 64 * 1024
_PONG: Final = b"\x8a"


class _Handshake(ServerProtocol):
    """One side of a WebSocket, which refuses as the rest of the server does."""

    def __init__(self, app_state: Mapping[str, Any], **kwargs: Any) -> None:
        """Count refusals with what the application's state has for that."""
        super().__init__(**kwargs)
        self._app_state = app_state

    def reject(self, status: int, text: str) -> Response:
        """Return the answer that refuses a handshake."""
        message = text.partition("\n")[0]
        if status == HTTPStatus.FORBIDDEN and not message:
            # So uvicorn puts it that the application has nothing at an address.
            status, message = HTTPStatus.NOT_FOUND, NOWHERE
        elif status == HTTPStatus.INTERNAL_SERVER_ERROR:
            message = INTERNAL
        count_answer(self._app_state, "" if status == HTTPStatus.METHOD_NOT_ALLOWED else "GET", status)
        problem = members(status, message, error=NAMES.get(status, "refused"))
        response = super().reject(status, json.dumps(problem))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/problem+json"
        return response


class Wire(WebSocketsSansIOProtocol):
    """One WebSocket."""

    _beat: asyncio.TimerHandle | None = None
    _end: asyncio.TimerHandle | None = None
    _pong: bytes = b""
    _heard_at: float = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make what uvicorn makes for each WebSocket."""
        super().__init__(*args, **kwargs)
        self.conn = _Handshake(self.app_state, max_size=self.config.ws_max_size, logger=self.conn.logger)

    # --- the other side --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection over, and make its buffers small."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_BUFFER_BYTES)
        found = transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SYSTEM_BUFFER_BYTES)
        self._heard_at = self.loop.time()
        self._beat = self.loop.call_later(PING_SECONDS, self._on_beat)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let nobody wait for the other side any more."""
        for timer in (self._beat, self._end):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._heard_at = self.loop.time()
        super().data_received(data)

    def handle_connect(self, event: Request) -> None:
        """Tell the application, which is called a moment later, what it may send."""
        super().handle_connect(event)
        scope: MutableMapping[str, Any] = getattr(self, "scope", {})
        scope.setdefault("extensions", {})[EXTENSION] = {}

    def handle_ping(self) -> None:
        """Answer, unless the answers before were not taken, or all is said."""
        output = self.conn.data_to_send()
        if self.close_sent or not self.writable.is_set():
            pongs = [frame for frame in output if frame.startswith(_PONG)]
            self._pong = pongs[-1] if pongs else self._pong
            output = [frame for frame in output if not frame.startswith(_PONG)]
        self.transport.write(b"".join(output))

    def _on_beat(self) -> None:
        if self.loop.time() - self._heard_at >= SILENCE_SECONDS:
            self.transport.abort()
            return
        if self._is_open and self.writable.is_set():
            self.conn.send_ping(b"")
            self.transport.write(b"".join(self.conn.data_to_send()))
        self._beat = self.loop.call_later(PING_SECONDS, self._on_beat)

    @property
    def _is_open(self) -> bool:
        return self.handshake_complete and not self.close_sent and not self.transport.is_closing()

    # --- sending ---------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """Give the other side some time to take what waits for it."""
        super().pause_writing()
        if self._end is None:
            self._end = self.loop.call_later(SLOW_SECONDS, self._drop)

    def resume_writing(self) -> None:
        """Go on, with the ping that was not answered."""
        if self._is_open and self._end is not None:
            self._end.cancel()
            self._end = None
        super().resume_writing()
        if self._is_open:
            pong, self._pong = self._pong, b""
            self.transport.write(pong)

    async def send(self, message: Any) -> None:
        """Send what the application says, waiting while the other side takes nothing.

        Raises:
            ClientDisconnected: the other side is gone, or was too slow.
        """
        await self.writable.wait()
        if self.close_sent:
            raise ClientDisconnected
        if message["type"] != EXTENSION:
            await super().send(message)
            # Who is denied a WebSocket has got an answer; uvicorn would miss a handshake, and log that.
            self.handshake_complete |= self.close_sent
        elif self._is_open:
            self.transport.write(message["frames"])
        else:
            raise ClientDisconnected

    def _drop(self) -> None:
        """Say that it was too slow, and let the application know that it is gone."""
        if self._is_open:
            self.conn.send_close(TRY_AGAIN_LATER, "too slow")
            self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": TRY_AGAIN_LATER})
        self.writable.set()
        # Closing waits until everything has been taken, which may be never.
        self._end = self.loop.call_later(_LAST_WORDS_SECONDS, self.transport.abort)
