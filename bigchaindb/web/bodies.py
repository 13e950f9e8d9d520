"""Reading what is sent: bounded before anything is parsed.

Invariants:

- A body larger than allowed is refused by its Content-Length; without one, as soon as it has become too large.
- All bodies that are being read and worked on at a time are bounded together, so that many clients cannot exhaust the
  memory where one could not.
- What is refused is still listened to for a while, and forgotten: who is cut off while sending may never see why.
"""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bigchaindb.web.problems import RETRY_SECONDS, ProblemError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.requests import Request

__all__ = ["Bodies"]

_CLOSE: Final = {"Connection": "close"}
_FORM: Final = "application/json"
_FORGET_BYTES: Final = 32 * 2**20


class Bodies:
    """The bodies that are in memory at a time."""

    def __init__(self, most_bytes: int) -> None:
        """Bound all of them together."""
        self._most_bytes = most_bytes
        self._bytes = 0

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
        told = _content_length(request)
        if told is not None and told > most_bytes:
            raise await _too_large(request, most_bytes)
        wanted = most_bytes if told is None else told
        if self._bytes + wanted > self._most_bytes:
            message = "too much is being sent to this node at the moment; try again"
            raise await _refused(request, HTTPStatus.SERVICE_UNAVAILABLE, message, {"Retry-After": str(RETRY_SECONDS)})
        self._bytes += wanted
        try:
            yield await _read(request, most_bytes)
        finally:
            self._bytes -= wanted


async def _read(request: Request, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        part, more = await _next(request)
        size += len(part)
        if size > most_bytes:
            parts.clear()
            raise await _too_large(request, most_bytes, more=more)
        parts.append(part)
    return b"".join(parts)


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
