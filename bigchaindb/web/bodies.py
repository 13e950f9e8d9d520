"""Reading what is sent: bounded before anything is parsed.

Invariants:

- A body larger than allowed is refused by its Content-Length; without one, as soon as it has become too large.
- All bodies that are being read and worked on at a time are bounded together, so that many clients cannot exhaust the
  memory where one could not.  What counts is what has come, not what was announced.
- Where there is no room for what comes, who has kept the node waiting longest for more is given up, so that nobody is
  shut out by those who send nothing.
- What is refused is still listened to for a while, and forgotten: who is cut off while sending may never see why.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bigchaindb.web.problems import RETRY_SECONDS, ProblemError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.requests import Request

__all__ = ["Bodies"]

_CLOSE: Final = {"Connection": "close"}
_TRY_AGAIN: Final = {"Retry-After": str(RETRY_SECONDS)}
_FORM: Final = "application/json"
_FULL: Final = "too much is being sent to this node at the moment; try again"
_FORGET_BYTES: Final = 32 * 2**20


@dataclass(eq=False, slots=True)
class _Body:
    """A body of which something has come."""

    size_bytes: int = 0
    patience: asyncio.Timeout = field(default_factory=lambda: asyncio.timeout(None))
    is_given_up: bool = False


class Bodies:
    """The bodies that are in memory at a time; belongs to one event loop."""

    def __init__(self, most_bytes: int) -> None:
        """Bound all of them together."""
        self._most_bytes = most_bytes
        self._bytes = 0
        # Those of which more is to come; the longest waited for is the first.
        self._unfinished: dict[_Body, None] = {}

    @asynccontextmanager
    async def of(self, request: Request, most_bytes: int) -> AsyncIterator[bytes]:
        """Read a body, which counts as long as the block lasts.

        Args:
            request: its head was read.
            most_bytes: what this body may have.

        Raises:
            ProblemError: it is not JSON or too large, or there is no room.
        """
        form = request.headers.get("content-type", "")
        if form.partition(";")[0].strip().lower() != _FORM:
            message = f"the body must be JSON, and Content-Type {_FORM} must say so"
            headers = {"Accept": _FORM}
            raise await _refused(request, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message, headers, field="Content-Type")
        if (_content_length(request) or 0) > most_bytes:
            raise await _too_large(request, most_bytes)
        body = _Body()
        try:
            yield await self._read(request, most_bytes, body)
        finally:
            self._forget(body)

    async def _read(self, request: Request, most_bytes: int, body: _Body) -> bytes:
        parts: list[bytes] = []
        more = True
        while more:
            part, more = await self._next(request, body)
            if body.size_bytes + len(part) > most_bytes:
                parts.clear()
                self._forget(body)
                raise await _too_large(request, most_bytes, more=more)
            if not self._has_room(len(part)):
                parts.clear()
                self._forget(body)
                raise await _refused(request, HTTPStatus.SERVICE_UNAVAILABLE, _FULL, _TRY_AGAIN, more=more)
            parts.append(part)
            body.size_bytes += len(part)
            self._bytes += len(part)
        return b"".join(parts)

    async def _next(self, request: Request, body: _Body) -> tuple[bytes, bool]:
        if not body.size_bytes:
            return await _next(request)
        self._unfinished[body] = None
        try:
            async with asyncio.timeout(None) as body.patience:
                part = await _next(request)
        except TimeoutError:
            part = b"", True
        finally:
            self._unfinished.pop(body, None)
        if body.is_given_up:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, _FULL, headers={**_TRY_AGAIN, **_CLOSE})
        return part

    def _has_room(self, size_bytes: int) -> bool:
        """Tell whether there is room for so much, and make it, if need be, at the cost of who does not go on."""
        missing = self._bytes + size_bytes - self._most_bytes
        if missing > sum(body.size_bytes for body in self._unfinished):
            return False
        while self._bytes + size_bytes > self._most_bytes:
            body = next(iter(self._unfinished))
            del self._unfinished[body]
            body.is_given_up = True
            body.patience.reschedule(asyncio.get_running_loop().time())
            self._forget(body)
        return True

    def _forget(self, body: _Body) -> None:
        self._bytes -= body.size_bytes
        body.size_bytes = 0


async def _next(request: Request) -> tuple[bytes, bool]:
    """Return the next part of a body, and whether there is more."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        # Nobody reads this answer.
        raise ProblemError(HTTPStatus.BAD_REQUEST, "the connection ended before the body did")
    return message.get("body", b""), message.get("more_body", False)


def _content_length(request: Request) -> int | None:
    told = request.headers.get("content-length")
    if told is None:
        return None
    return int(told) if told.isascii() and told.isdecimal() else sys.maxsize


async def _too_large(request: Request, most_bytes: int, *, more: bool = True) -> ProblemError:
    message = f"the body has more than {most_bytes} bytes"
    return await _refused(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, more=more)


async def _refused(  # noqa: PLR0913 - what a refusal is made of
    request: Request,
    status: HTTPStatus,
    message: str,
    headers: Mapping[str, str] = MappingProxyType({}),
    field: str | None = None,
    *,
    more: bool = True,
) -> ProblemError:
    """Return an error, when what is still being sent has been heard out, or is too much for that."""
    is_over = not more or await _hear_out(request)
    return ProblemError(status, message, field=field, headers={**headers, **({} if is_over else _CLOSE)})


async def _hear_out(request: Request) -> bool:
    """Read what nobody wants, and return whether that was all."""
    if (_content_length(request) or 0) > _FORGET_BYTES or "expect" in request.headers:
        return False
    size = 0
    more = True
    while more and size <= _FORGET_BYTES:
        part, more = await _next(request)
        size += len(part)
    return not more
