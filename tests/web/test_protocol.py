"""What is on the wire: heads that are too large, and clients that are too slow."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from bigchaindb.web import protocol
from bigchaindb.web.protocol import Protocol, sweep
from tests.acceptance.machine import until

if TYPE_CHECKING:
    from collections.abc import Iterator

HANG_SECONDS = 30.0
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, and answers with its size, or with as much, or the headers, as the path says."""
    if scope["type"] == "lifespan":
        return
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    wanted = scope["path"].lstrip("/")
    if wanted == "stream":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(1000, -1, -1):
            await send({"type": "http.response.body", "body": b"x" * 50_000, "more_body": number > 0})
        return
    if wanted == "headers":
        body = b",".join(name for name, _ in scope["headers"])
    else:
        body = b"x" * int(wanted) if wanted else str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    step = int(scope["query_string"] or 100_000)
    for start in range(0, max(1, len(body)), step):
        more = start + step < len(body)
        await send({"type": "http.response.body", "body": body[start : start + step], "more_body": more})


class Watched(Protocol):
    """A connection that notes when it had to wait, and how often it could go on."""

    paused_at = 0.0
    resumed = 0

    def pause_writing(self) -> None:
        self.paused_at = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.resumed += 1


class Serving:
    """An application on a port of this machine."""

    def __init__(self) -> None:
        config = uvicorn.Config(application, http=Watched, lifespan="off", log_config=None, access_log=False)
        self.server = uvicorn.Server(config)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.clients: list[socket.socket] = []

    def run(self) -> None:
        with asyncio.Runner() as runner:
            self.loop = runner.get_loop()
            runner.run(self.server.serve([self.listening]))

    @property
    def connections(self) -> set[Any]:
        return self.server.server_state.connections

    def connect(self, receive_bytes: int | None = None) -> socket.socket:
        client = socket.socket()
        client.settimeout(HANG_SECONDS)
        if receive_bytes is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.connect(self.listening.getsockname())
        self.clients.append(client)
        return client

    def sweep(self, after_seconds: float) -> None:
        """Look for connections whose time is up, as if so many seconds later."""
        done = threading.Event()

        def look() -> None:
            sweep(self.connections, self.loop.time() + after_seconds)
            done.set()

        self.loop.call_soon_threadsafe(look)
        assert done.wait(HANG_SECONDS)


@pytest.fixture
def serving() -> Iterator[Serving]:
    serving = Serving()
    thread = threading.Thread(target=serving.run)
    thread.start()
    until(lambda: serving.server.started, HANG_SECONDS)
    yield serving
    for client in serving.clients:
        client.close()
    serving.server.should_exit = True
    thread.join(HANG_SECONDS)
    serving.listening.close()


def answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one answer."""
    with client.makefile("rb") as file:
        status = int(file.readline().split()[1])
        headers = dict(line.decode().strip().lower().split(": ", 1) for line in iter(file.readline, b"\r\n"))
        return status, headers, file.read(int(headers["content-length"]))


def send_in_parts(client: socket.socket, data: bytes) -> None:
    for start in range(0, len(data), 5000):
        client.sendall(data[start : start + 5000])


def is_cut(client: socket.socket) -> bool:
    """Whether the other side has closed the connection; waits for that or for data."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_one_connection_serves_many_requests(serving: Serving) -> None:
    client = serving.connect()
    for size in (0, 10, 200_000, 0, 70_000):
        client.sendall(REQUEST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
        assert answer(client)[::2] == (200, str(size).encode())
    serving.sweep(0)
    client.sendall(REQUEST + b"\r\n")
    assert answer(client)[0] == 200


@pytest.mark.parametrize("part", ["url", "name", "value", "many", "tiny"])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_head_that_is_too_large_is_refused(serving: Serving, part: str, at_once: bool) -> None:
    large = b"x" * protocol.HEAD_BYTES
    head = {
        "url": b"GET /" + large + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "name": REQUEST + large + b": 1\r\n\r\n",
        "value": REQUEST + b"X: " + large + b"\r\n\r\n",
        "many": REQUEST + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 100) for n in range(400)) + b"\r\n",
        "tiny": REQUEST + b"a:\r\n" * 12_000 + b"\r\n",
    }[part]
    client = serving.connect()
    if at_once:
        client.sendall(head)
    else:
        send_in_parts(client, head[: protocol.HEAD_BYTES])  # never finished
    status, headers, body = answer(client)
    assert (status, headers["content-type"]) == (431, "application/problem+json")
    assert json.loads(body)["error"] == "too_large"
    assert is_cut(client)
    until(lambda: not serving.connections, HANG_SECONDS)


def test_a_head_that_is_nearly_too_large_is_read(serving: Serving) -> None:
    client = serving.connect()
    for _ in range(3):
        client.sendall(
            REQUEST + b"X: " + b"x" * (protocol.HEAD_BYTES - 100) + b"\r\nContent-Length: 9\r\n\r\n123456789"
        )
        assert answer(client)[::2] == (200, b"9")


CHUNKED = REQUEST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
BEHIND = {
    "many trailers": b"0\r\n" + b"h: vvv\r\n" * 12_000,
    "the name of a trailer": b"0\r\n" + b"h" * 40_000,
    "the value of a trailer": b"0\r\nh: " + b"v" * 40_000,
    "the extension of a chunk": b"2;" + b"x" * 40_000,
}


@pytest.mark.parametrize("name", BEHIND)
def test_what_comes_with_a_body_and_is_none_of_it_is_bounded_as_a_head_is(serving: Serving, name: str) -> None:
    client = serving.connect()
    client.sendall(CHUNKED)
    until(lambda: any(each.cycle and not each._counted_bytes for each in serving.connections), HANG_SECONDS)
    send_in_parts(client, BEHIND[name][: protocol.HEAD_BYTES])
    status, headers, body = answer(client)
    assert (status, headers["content-type"]) == (431, "application/problem+json")
    assert json.loads(body)["error"] == "too_large"
    assert is_cut(client)
    until(lambda: not serving.connections, HANG_SECONDS)


def test_trailers_are_read_and_are_no_headers(serving: Serving) -> None:
    client = serving.connect()
    for _ in range(3):
        client.sendall(CHUNKED.replace(b"/", b"/headers", 1) + b"0\r\nAuthorization: x\r\n\r\n")
        assert answer(client)[::2] == (200, b"host,transfer-encoding")


def test_a_body_in_tiny_chunks_is_read(serving: Serving) -> None:
    client = serving.connect()
    client.sendall(CHUNKED + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n")
    assert answer(client)[::2] == (200, b"20002")


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GET / HTTP/9\r\n\r\n", b"x\r\n\r\n", b"GET  /  \r\n"]
)
def test_what_is_no_http_is_refused_as_everything_is(serving: Serving, junk: bytes) -> None:
    client = serving.connect()
    client.sendall(junk)
    status, headers, body = answer(client)
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert set(json.loads(body)) == {"status", "error", "message", "field"}
    assert is_cut(client)


SLOW = {
    "says nothing": b"",
    "blank lines": b"\r\n\r\n",
    "half a head": REQUEST,
    "half a body": REQUEST + b"Content-Length: 10\r\n\r\n12345",
    "half a chunk": REQUEST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12",
}


@pytest.mark.parametrize("name", SLOW)
def test_who_takes_too_long_is_cut_off(serving: Serving, name: str) -> None:
    client = serving.connect()
    client.sendall(SLOW[name])
    other = serving.connect()
    other.sendall(REQUEST + b"\r\n")
    assert answer(other)[0] == 200
    until(lambda: len(serving.connections) == 2, HANG_SECONDS)
    serving.sweep(1)
    assert len(serving.connections) == 2
    serving.sweep(max(protocol.HEAD_SECONDS, protocol.BODY_SECONDS) + 5)
    assert is_cut(client)
    until(lambda: len(serving.connections) == 1, HANG_SECONDS)
    other.sendall(REQUEST + b"\r\n")
    assert answer(other)[0] == 200


def test_a_byte_now_and_then_does_not_help(serving: Serving) -> None:
    client = serving.connect()
    for part in (b"\r\n", b"GET", b" / HTTP/1.1\r\n", b"X: "):
        client.sendall(part)
        serving.sweep(protocol.HEAD_SECONDS / 2)
    serving.sweep(protocol.HEAD_SECONDS + 5)
    assert is_cut(client)


def test_who_does_not_take_the_answer_is_cut_off(serving: Serving) -> None:
    client = serving.connect()
    client.sendall(b"GET /50000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: any(each._write_until < float("inf") for each in serving.connections), HANG_SECONDS)
    serving.sweep(1)
    assert serving.connections
    serving.sweep(protocol.ANSWER_SECONDS + 5)
    until(lambda: not serving.connections, HANG_SECONDS)


def slow_reader(serving: Serving, path: bytes) -> socket.socket:
    """One who asks for much, and of whose answer a part waits."""
    client = serving.connect(receive_bytes=4096)
    client.sendall(b"GET /" + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: any(each.flow.write_paused for each in serving.connections), HANG_SECONDS)
    return client


def take_a_little(serving: Serving, client: socket.socket) -> None:
    """Take as much as lets the other side go on, and then nothing until it waits again."""
    (connection,) = serving.connections
    resumed = connection.resumed
    until(lambda: client.recv(2**16) and connection.resumed > resumed, HANG_SECONDS)
    until(lambda: connection.flow.write_paused, HANG_SECONDS)


def test_a_little_of_the_answer_now_and_then_does_not_help(serving: Serving) -> None:
    client = slow_reader(serving, b"50000000")
    for _ in range(3):
        take_a_little(serving, client)
    serving.sweep(protocol.ANSWER_SECONDS - 5)
    assert serving.connections
    take_a_little(serving, client)
    (connection,) = serving.connections
    assert connection._write_until - connection.paused_at < protocol.ANSWER_SECONDS
    serving.sweep(protocol.ANSWER_SECONDS + 5)
    until(lambda: not serving.connections, HANG_SECONDS)


def test_of_a_stream_each_part_has_its_time(serving: Serving) -> None:
    client = slow_reader(serving, b"stream")
    take_a_little(serving, client)
    (connection,) = serving.connections
    assert connection._write_until - connection.paused_at >= protocol.ANSWER_SECONDS
    serving.sweep(protocol.ANSWER_SECONDS + 5)
    until(lambda: not serving.connections, HANG_SECONDS)


def test_who_asked_to_close_and_takes_nothing_is_cut_off(serving: Serving) -> None:
    client = serving.connect(receive_bytes=4096)
    client.sendall(b"GET /5000000?5000000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    until(lambda: any(each.transport.is_closing() for each in serving.connections), HANG_SECONDS)
    serving.sweep(protocol.ANSWER_SECONDS + 5)
    until(lambda: not serving.connections, HANG_SECONDS)


def test_who_has_taken_a_large_answer_may_ask_for_the_next(serving: Serving) -> None:
    client = serving.connect()
    for _ in range(3):
        client.sendall(b"GET /5000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert len(answer(client)[2]) == 5_000_000
        until(lambda: all(each._write_until == float("inf") for each in serving.connections), HANG_SECONDS)


def test_there_are_only_so_many_connections(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 2)
    first, second, third = (serving.connect() for _ in range(3))
    assert is_cut(third)
    for client in (first, second):
        client.sendall(REQUEST + b"\r\n")
        assert answer(client)[0] == 200
    first.close()
    until(lambda: len(serving.connections) == 1, HANG_SECONDS)
    fourth = serving.connect()
    fourth.sendall(REQUEST + b"\r\n")
    assert answer(fourth)[0] == 200
