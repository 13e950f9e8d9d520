"""A node that answers as a script says, and time that passes only where somebody sleeps."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from bigchaindb.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bigchaindb.model.transaction import Transaction

__all__ = ["Pieces", "Script", "Time", "answer", "problem", "raw", "transaction_answer"]

URL = "http://node.example"


@dataclass
class Time:
    """A clock that whoever sleeps winds on."""

    now: float = 1_500_000_000.0
    sleeps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


class Pieces(httpx.SyncByteStream):
    """A body that comes piece by piece, and may break."""

    def __init__(self, *pieces: bytes | Exception, on_piece: Callable[[], None] = lambda: None) -> None:
        self._pieces = pieces
        self._on_piece = on_piece

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._on_piece()
            if isinstance(piece, Exception):
                raise piece
            yield piece


class Script(httpx.BaseTransport):
    """Answers in turn, or raises; what comes behind the end of the script is a failure of the test."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.time = Time()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        assert self.answers, f"{request.method} {request.url} was not expected"
        answered = self.answers.pop(0)
        if isinstance(answered, Exception):
            raise answered
        return answered

    def client(self, private_key: str | None = None, **options: Any) -> Client:
        """A client of this node."""
        return Client(
            options.pop("url", URL),
            private_key,
            transport=self,
            chance=options.pop("chance", lambda: 1.0),
            clock=self.time,
            monotonic=self.time,
            sleep=self.time.sleep,
            **options,
        )

    @property
    def sent(self) -> list[str]:
        """What was asked for, in turn."""
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.requests]


def raw(status: int, content: bytes, media_type: str, **headers: str) -> httpx.Response:
    """Any answer."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    named = {"Content-Type": media_type, "Content-Length": str(len(content))} | named
    return httpx.Response(status, headers=named, stream=Pieces(content))


def answer(status: int, value: Any = None, **headers: str) -> httpx.Response:
    """An answer in JSON."""
    return raw(status, json.dumps(value).encode(), "application/json; charset=utf-8", **headers)


def problem(status: int, error: str, message: str = "so it is", retry_after: str = "0", **more: Any) -> httpx.Response:
    """A refusal, as a node gives it."""
    document = {"status": status, "error": error, "message": message, "field": None, **more}
    return raw(status, json.dumps(document).encode(), "application/problem+json", Retry_After=retry_after)


def transaction_answer(transaction: Transaction) -> httpx.Response:
    """What a node answers who asks for a transaction."""
    return raw(200, transaction.text.encode(), "application/json")
