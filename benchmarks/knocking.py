"""A client that costs little, or it would be what is measured: requests that are ready to be sent, answers hardly read.

It runs in a process of its own, over keep-alive connections, each of which sends its next request when it has the
answer to the last.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final, cast

import uvloop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.queues import Queue

__all__ = ["Knocked", "get", "knock", "post"]

_WAIT_SECONDS: Final = 300.0
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


@dataclass(frozen=True, slots=True)
class Knocked:
    """What came of it.

    Attributes:
        per_second: requests that were answered.
        statuses: how many answers had each status.
        latencies: seconds from request to answer, of each.
        started_after_seconds: how long the client took to start.
    """

    per_second: float
    statuses: dict[int, int]
    latencies: list[float]
    started_after_seconds: float = 0.0


def get(path: str) -> bytes:
    """Return a request."""
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """Return a request with a JSON body."""
    form = f"content-type: application/json\r\ncontent-length: {len(body)}"
    return f"POST {path} HTTP/1.1\r\nhost: localhost\r\n{form}\r\n\r\n".encode() + body


def knock(port: int, requests: Sequence[bytes], connections: int, count: int | None = None) -> Knocked:
    """Send requests to a server of this machine, over so many connections at a time.

    Args:
        port: where it listens.
        requests: each is sent once, or as often as it takes.
        connections: how many requests are under way at a time.
        count: how many to send; None for each once.
    """
    context = multiprocessing.get_context("spawn")
    answers: Queue[tuple[Knocked, float]] = context.Queue()
    client = context.Process(target=_run, args=(port, requests, connections, count or len(requests), answers))
    # The one clock that processes share.
    start = time.time()
    client.start()
    try:
        knocked, began = answers.get(timeout=_WAIT_SECONDS)
        return replace(knocked, started_after_seconds=began - start)
    finally:
        client.join()


def _run(
    port: int, requests: Sequence[bytes], connections: int, count: int, answers: Queue[tuple[Knocked, float]]
) -> None:
    answers.put(uvloop.run(_knock(port, islice(cycle(requests), count), connections)))


async def _knock(port: int, requests: Iterator[bytes], connections: int) -> tuple[Knocked, float]:
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: _Client(requests), "127.0.0.1", port)
        clients.append(client)
    start, began = time.perf_counter(), time.time()
    for client in clients:
        client.send()
    await asyncio.gather(*(client.is_done for client in clients))
    elapsed = time.perf_counter() - start
    latencies = [seconds for client in clients for seconds in client.latencies]
    statuses = sum((client.statuses for client in clients), Counter[int]())
    return Knocked(len(latencies) / elapsed, dict(statuses), latencies), began


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._buffer = b""
        self._missing = 0
        self._sent_at = 0.0
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.is_done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.is_done.done():
            self.is_done.set_exception(error or ConnectionError("the server has closed a connection"))

    def send(self) -> None:
        """Send the next request, if there is one."""
        request = next(self._requests, None)
        if request is None:
            self.is_done.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            head, end, body = (self._buffer + data).partition(_HEAD_END)
            if not end:
                self._buffer = head
                return
            self._buffer = b""
            self.statuses[int(head[9:12])] += 1
            self._missing = int(head.partition(_LENGTH)[2].partition(b"\r\n")[0]) - len(body)
        if self._missing == 0:
            self.latencies.append(time.perf_counter() - self._sent_at)
            self.send()
