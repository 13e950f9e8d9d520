"""Bodies that are read at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.requests import Request

from bigchaindb.web.bodies import Bodies
from bigchaindb.web.problems import ProblemError
from tests.acceptance.machine import until
from tests.ledgers import Ledger, key
from tests.web.serving import HANG_SECONDS, Served

if TYPE_CHECKING:
    from collections.abc import Coroutine

MOST = 100


class Sender:
    """A client that sends a body part by part, and the task that reads it and then works on it until `done`."""

    def __init__(self, bodies: Bodies, *, announced: int | None = None) -> None:
        self.parts: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self.done = asyncio.Event()
        headers = [(b"content-type", b"application/json")]
        headers += [] if announced is None else [(b"content-length", b"%d" % announced)]
        self.request = Request({"type": "http", "headers": headers}, self._receive)
        self.task = asyncio.create_task(self._work(bodies))

    async def _receive(self) -> dict[str, Any]:
        body, more = await self.parts.get()
        return {"type": "http.request", "body": body, "more_body": more}

    async def _work(self, bodies: Bodies) -> bytes:
        async with bodies.of(self.request, MOST) as body:
            await self.done.wait()
            return body

    async def send(self, body: bytes, *, more: bool = True) -> None:
        """Send a part, and let it arrive."""
        self.parts.put_nowait((body, more))
        for _ in range(10):
            await asyncio.sleep(0)

    async def refusal(self) -> tuple[int, dict[str, str]]:
        """Status and headers with which it was refused."""
        with pytest.raises(ProblemError) as caught:
            await self.task
        return int(caught.value.status), caught.value.headers


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def test_what_was_only_announced_takes_no_room() -> None:
    async def scenario() -> None:
        bodies = Bodies(MOST)
        idle = [Sender(bodies, announced=MOST) for _ in range(5)] + [Sender(bodies) for _ in range(5)]
        honest = Sender(bodies, announced=MOST)
        await honest.send(b"x" * MOST, more=False)
        honest.done.set()
        assert await honest.task == b"x" * MOST
        for sender in idle:
            sender.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender.task

    run(scenario())


def test_what_is_worked_on_keeps_its_room_and_who_comes_then_is_told_to_try_again() -> None:
    async def scenario() -> None:
        bodies = Bodies(MOST)
        first, second = Sender(bodies), Sender(bodies)
        await first.send(b"x" * 60, more=False)
        await second.send(b"y" * 60, more=False)
        status, headers = await second.refusal()
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "Connection" not in headers
        first.done.set()
        assert await first.task == b"x" * 60
        third = Sender(bodies)
        await third.send(b"z" * MOST, more=False)
        third.done.set()
        assert await third.task == b"z" * MOST

    run(scenario())


def test_who_does_not_go_on_gives_way_to_who_does() -> None:
    async def scenario() -> None:
        bodies = Bodies(MOST)
        slow, slower, going_on = Sender(bodies), Sender(bodies), Sender(bodies)
        for sender in (slow, slower, going_on):
            await sender.send(b"x" * 30)
        await slow.send(b"x")
        await going_on.send(b"y" * 30)
        status, headers = await slower.refusal()
        assert (status, headers["Connection"], headers["Retry-After"]) == (503, "close", "1")
        await going_on.send(b"y" * 30, more=False)
        assert (await slow.refusal())[0] == 503
        going_on.done.set()
        assert await going_on.task == b"x" * 30 + b"y" * 60
        assert bodies._bytes == 0

    run(scenario())


def test_nobody_is_given_up_in_vain() -> None:
    async def scenario() -> None:
        bodies = Bodies(MOST)
        working, slow, large = Sender(bodies), Sender(bodies), Sender(bodies)
        await working.send(b"x" * 60, more=False)
        await slow.send(b"y" * 20)
        await large.send(b"z" * 50, more=False)
        assert (await large.refusal())[0] == 503
        await slow.send(b"y", more=False)
        slow.done.set()
        assert await slow.task == b"y" * 21
        working.done.set()
        assert await working.task == b"x" * 60

    run(scenario())


def test_one_whose_last_part_comes_as_it_is_given_up_is_given_up() -> None:
    async def scenario() -> None:
        bodies = Bodies(MOST)
        slow, fast = Sender(bodies), Sender(bodies)
        await slow.send(b"x" * 60)
        fast.parts.put_nowait((b"y" * 60, False))
        slow.parts.put_nowait((b"x", False))
        assert (await slow.refusal())[0] == 503
        fast.done.set()
        assert await fast.task == b"y" * 60
        assert bodies._bytes == 0

    run(scenario())


def test_one_that_is_too_large_takes_no_room_while_it_is_heard_out() -> None:
    async def scenario() -> None:
        bodies = Bodies(MOST)
        large, fits = Sender(bodies), Sender(bodies)
        await large.send(b"x" * MOST)
        await large.send(b"x")
        await fits.send(b"y" * MOST, more=False)
        fits.done.set()
        assert await fits.task == b"y" * MOST
        await large.send(b"x", more=False)
        assert (await large.refusal())[0] == 413

    run(scenario())


def test_bodies_that_were_announced_and_never_sent_do_not_keep_honest_ones_out() -> None:
    ledger = Ledger()
    head = (
        "POST /api/v1/transactions/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {8 * 2**20}\r\n\r\n"
    )
    with Served(ledger) as served, contextlib.ExitStack() as stack:
        host, port = served.address.split(":")
        for _ in range(10):
            client = stack.enter_context(socket.create_connection((host, int(port)), HANG_SECONDS))
            client.sendall(head.encode())
        until(lambda: len(served.server.server_state.tasks) == 10, HANG_SECONDS)
        http = stack.enter_context(httpx.Client(trust_env=False, timeout=HANG_SECONDS))
        answer = http.post(
            f"http://{served.address}/api/v1/transactions/batch",
            json=[ledger.create(key("alice"), {"number": number}).to_dict() for number in range(3)],
        )
        assert answer.status_code == 202, answer.text
