"""Pages of other origins: those that an operator has named may use the API."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.middleware.cors import CORSMiddleware

from bigchaindb.web.problems import Problem, members

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import Headers
    from starlette.responses import Response
    from starlette.types import ASGIApp

__all__ = ["OtherOrigins"]

_OWN: Final = frozenset({"content-length", "content-type"})


class OtherOrigins(CORSMiddleware):
    """Middleware that tells browsers whose pages may ask, and refuses the others in the form of every other error."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        """Let pages of these origins use an app."""
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
            expose_headers=["Location", "Retry-After"],
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser that asks first."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < HTTPStatus.BAD_REQUEST:
            return answer
        headers = {name: value for name, value in answer.headers.items() if name not in _OWN}
        return Problem(members(answer.status_code, bytes(answer.body).decode()), headers)
