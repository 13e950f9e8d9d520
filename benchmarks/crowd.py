"""Hundreds of listeners in one process: `python -m benchmarks.crowd`; used by `benchmarks.soak`.

They must cost little, or they would be what is measured.  So none parses what it gets: all that listen in the same way
must get the same bytes, which one digest each shows, and one of each kind is looked at closely at the end.

It reads a line of JSON (`{"port", "websockets", "streams", "sleepers"}`), says `ready` when all are connected,
reads a line with the number of events to come, waits until everybody has that many, and prints a line of JSON.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from functools import partial
from typing import Any, Final

PATH: Final = "/api/v1/streams/valid_transactions"

_WAIT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05
_ID_CHARACTERS: Final = 64
_PING: Final = b"\x89\x00"
_MARK: Final = b'"transaction_id":"'


class Listener(asyncio.Protocol, ABC):
    """One who listens, and keeps a digest of all it hears."""

    def __init__(self, *, keeps: bool) -> None:
        """Begin to listen; `keeps` what it hears, beside the digest."""
        self.kept = bytearray() if keeps else None
        self.events = 0
        self.digest = hashlib.blake2b(digest_size=16)
        self.is_connected = asyncio.get_running_loop().create_future()
        self.is_lost = False
        self._head = b""
        self._rest = b""

    @abstractmethod
    def asked(self) -> bytes:
        """Return the request."""

    @abstractmethod
    def events_in(self, data: bytes) -> bytes:
        """Return what of this belongs to events: the same for all, in whatever pieces it comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is one
        self.transport = transport
        transport.write(self.asked())

    def connection_lost(self, _: Exception | None) -> None:
        """Note that nothing more comes."""
        self.is_lost = True
        if not self.is_connected.done():
            self.is_connected.set_exception(ConnectionError(self._head.decode(errors="replace")))

    def data_received(self, data: bytes) -> None:
        """Take the answer, and then events."""
        if not self.is_connected.done():
            head, found, data = (self._head + data).partition(b"\r\n\r\n")
            if not found:
                self._head = head
                return
            if head[9:12] not in {b"101", b"200"}:
                self._head = head + data
                self.transport.abort()
                return
            self.is_connected.set_result(None)
        events = self.events_in(data)
        self.events += events.count(_MARK)
        self.digest.update(events)
        if self.kept is not None:
            self.kept += events


class MessageListener(Listener):
    """Listens on a WebSocket."""

    def asked(self) -> bytes:
        """Return the request."""
        key = base64.b64encode(os.urandom(16)).decode()
        return (
            f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        ).encode()

    def events_in(self, data: bytes) -> bytes:
        """Return all but pings, and answer those."""
        data = self._rest + data
        # A ping has no content here, and its two bytes occur nowhere else.
        self._rest = data[-1:] if data[-1:] == _PING[:1] else b""
        pings = data.count(_PING)
        if pings:
            self.transport.write(b"\x8a\x80\x00\x00\x00\x00" * pings)
            data = data.replace(_PING, b"")
        return data[: len(data) - len(self._rest)]


class StreamListener(Listener):
    """Listens to server-sent events."""

    def asked(self) -> bytes:
        """Return the request."""
        return f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode()

    def events_in(self, data: bytes) -> bytes:
        """Return what is in the pieces of the body, but for mere signs of life."""
        data = self._rest + data
        start = 0
        pieces = []
        while (end := data.find(b"\r\n", start)) >= 0:
            size = int(data[start:end], 16)
            if len(data) < end + 2 + size + 2:
                break
            piece = data[end + 2 : end + 2 + size]
            if _MARK in piece:
                pieces.append(piece)
            start = end + 2 + size + 2
        self._rest = data[start:]
        return b"".join(pieces)


async def _crowd(order: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    kinds: dict[str, type[Listener]] = {"websockets": MessageListener, "streams": StreamListener}
    everybody: dict[str, list[Listener]] = {}
    for name, kind in kinds.items():
        everybody[name] = []
        for number in range(order[name]):
            _, listener = await loop.create_connection(partial(kind, keeps=number == 0), "127.0.0.1", order["port"])
            await listener.is_connected
            everybody[name].append(listener)
    sleepers = []
    for number in range(order["sleepers"]):
        kind = list(kinds.values())[number % len(kinds)]
        transport, listener = await loop.create_connection(partial(kind, keeps=False), "127.0.0.1", order["port"])
        await listener.is_connected
        transport.pause_reading()
        sleepers.append(listener)
    print("ready", flush=True)
    expected = int(await asyncio.to_thread(sys.stdin.readline))
    deadline = time.monotonic() + _WAIT_SECONDS
    keen = [listener for listeners in everybody.values() for listener in listeners]
    while any(listener.events < expected and not listener.is_lost for listener in keen):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    report = {
        name: {
            "lost": sum(listener.is_lost for listener in listeners),
            "digests": list(Counter(listener.digest.hexdigest() for listener in listeners).values()),
            "events": _events(bytes(listeners[0].kept or b"")),
        }
        for name, listeners in everybody.items()
        if listeners
    }
    print(json.dumps(report), flush=True)


def _events(kept: bytes) -> list[str]:
    """The ids in what one listener has heard, in order."""
    return [part[:_ID_CHARACTERS].decode() for part in kept.split(_MARK)[1:]]


def main() -> None:
    """Listen as told."""
    asyncio.run(_crowd(json.loads(sys.stdin.readline())))


if __name__ == "__main__":
    main()
