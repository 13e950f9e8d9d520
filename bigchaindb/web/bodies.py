"""Reading what is sent: bounded before anything is parsed.

Invariants:

- A body larger than allowed is refused by its Content-Length; without one, as soon as it has become too large.
- All bodies that are being read and worked on at a time are bounded together, so that many clients cannot exhaust the
  memory where one could not.
"""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect

from bigchaindb.web.problems import RETRY_SECONDS, ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

__all__ = ["Bodies"]

_CLOSE: Final = {"Connection": "close"}
_FORM: Final = "application/json"


class Bodies:
    """The bodies that are in memory at a time."""

    def __init__(self, most_bytes: int) -> None:
        """Bound all of them together."""
        self._most_bytes = most_bytes
        self._bytes = 0

    @contextmanager
    def room(self, request: Request, most_bytes: int) -> Iterator[int]:
        """Keep room for a request's body for the length of the block.

        Args:
            request: its head was read.
            most_bytes: what this body may have.

        Raises:
            ProblemError: it is not JSON, it says that it is too large, or there is no room.
        """
        _check_form(request)
        wanted = _content_length(request, most_bytes)
        if self._bytes + wanted > self._most_bytes:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too much is being sent to this node at the moment; try again",
                headers={"Retry-After": str(RETRY_SECONDS), **_CLOSE},
            )
        self._bytes += wanted
        try:
            yield most_bytes
        finally:
            self._bytes -= wanted

    @staticmethod
    async def read(request: Request, most_bytes: int) -> bytes:
        """Return a body.

        Raises:
            ProblemError: it is larger than allowed.
        """
        parts = []
        size = 0
        try:
            async for part in request.stream():
                size += len(part)
                if size > most_bytes:
                    raise _too_large(most_bytes)
                parts.append(part)
        except ClientDisconnect:
            # Nobody reads this answer.
            raise ProblemError(HTTPStatus.BAD_REQUEST, "the connection ended before the body did") from None
        return b"".join(parts)


def _check_form(request: Request) -> None:
    form = request.headers.get("content-type", "")
    if form.partition(";")[0].strip().lower() != _FORM:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body must be JSON, and Content-Type {_FORM} must say so",
            field="Content-Type",
            headers={"Accept": _FORM, **_CLOSE},
        )


def _content_length(request: Request, most_bytes: int) -> int:
    """Return how many bytes a body has, or could have."""
    told = request.headers.get("content-length")
    if told is None:
        return most_bytes
    if not told.isdecimal() or len(told) > len(str(most_bytes)) or int(told) > most_bytes:
        raise _too_large(most_bytes)
    return int(told)


def _too_large(most_bytes: int) -> ProblemError:
    # The rest of the body is not worth reading, so neither can be what comes behind it.
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {most_bytes} bytes", headers=_CLOSE
    )
