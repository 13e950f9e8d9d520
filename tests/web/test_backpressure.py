"""Large answers: sent in slices, and bounded together."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb.web import backpressure
from bigchaindb.web.backpressure import Backpressure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SLICE = 64 * 1024


def answering(*parts: bytes, length: int | None = None) -> Any:
    """An application that answers with a body in parts."""

    async def application(_: Any, __: Any, send: Any) -> None:
        size = sum(map(len, parts)) if length is None else length
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
        for number, part in enumerate(parts):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts) - 1})

    return application


async def nothing() -> Any:
    raise AssertionError("nobody asks for a body")


async def ask(app: Backpressure, taken: Callable[[], Awaitable[None]] | None = None) -> list[Any]:
    """All messages of an answer; `taken` is waited for after each."""
    messages = []

    async def send(message: Any) -> None:
        messages.append(message)
        if taken:
            await taken()

    await app({"type": "http"}, nothing, send)
    return messages


def body_of(messages: list[Any]) -> bytes:
    return b"".join(message.get("body", b"") for message in messages)


@pytest.mark.parametrize("size", [0, 1, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE, 3 * SLICE + 7])
def test_a_body_comes_whole_and_no_part_is_large(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    messages = asyncio.run(ask(Backpressure(answering(body[:size]))))
    assert body_of(messages) == body[:size]
    assert all(len(message.get("body", b"")) <= SLICE for message in messages)
    assert [message["more_body"] for message in messages[1:]] == [True] * (len(messages) - 2) + [False]


def test_a_body_in_parts_stays_one() -> None:
    parts = [b"a" * 10, b"b" * (SLICE + 1), b"c"]
    messages = asyncio.run(ask(Backpressure(answering(*parts))))
    assert body_of(messages) == b"".join(parts)
    assert [message["more_body"] for message in messages[1:]] == [True, True, True, False]


def test_together_they_are_bounded_and_the_rest_is_told_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backpressure, "_MOST_BYTES", 5 * SLICE)

    async def scenario() -> None:
        app, small = Backpressure(answering(b"x" * 2 * SLICE)), b"s" * SLICE
        go_on = asyncio.Event()

        async def slowly() -> None:
            await go_on.wait()

        slow = [asyncio.create_task(ask(app, slowly)) for _ in range(3)]
        await asyncio.sleep(0)
        refused = await ask(app)
        start, body = refused
        assert start["status"] == 503
        assert (b"retry-after", b"1") in start["headers"]
        assert json.loads(body["body"])["error"] == "unavailable"
        app._app = answering(small)
        assert body_of(await ask(app)) == small  # what is not large is not counted
        go_on.set()
        done = await asyncio.gather(*slow)
        assert sorted(messages[0]["status"] for messages in done) == [200, 200, 503]
        app._app = answering(b"x" * 5 * SLICE)
        assert (await ask(app))[0]["status"] == 200

    asyncio.run(scenario())


def test_an_answer_that_breaks_off_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backpressure, "_MOST_BYTES", 2 * SLICE)

    async def gone() -> None:
        raise ConnectionError

    async def scenario() -> None:
        app = Backpressure(answering(b"x" * 2 * SLICE))
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await ask(app, gone)
        assert (await ask(app))[0]["status"] == 200

    asyncio.run(scenario())
