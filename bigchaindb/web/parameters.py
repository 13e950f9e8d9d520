"""Query parameters: those that an operation does not have are refused, since a typo must not change what is meant."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import parse_qsl

from pydantic import AfterValidator, Field

from bigchaindb.crypto import VerifyingKey
from bigchaindb.web.problems import Problem, members
from bigchaindb.web.schemas import KEY
from bigchaindb.web.state import API

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from bigchaindb.web.description import Operations

__all__ = ["KnownParameters", "PublicKey"]

_SHOWN_CHARACTERS: Final = 60
# What the document does not tell of, and what has no parameters.
_WITHOUT: Final = frozenset({"/", API, f"{API}/openapi.json", f"{API}/docs"})


def _public_key(text: str) -> str:
    """Return a text that is the base58 of an Ed25519 public key; raise `InvalidKey` where it only looks like one."""
    VerifyingKey(text)
    return text


PublicKey = Annotated[str, Field(pattern=KEY), AfterValidator(_public_key)]


class KnownParameters:
    """Middleware that lets only those requests through whose query parameters are known, and there once."""

    def __init__(self, app: ASGIApp, operations: Callable[[], Operations]) -> None:
        """Guard an app; `operations` is called with the first request, when all routes are there."""
        self._app = app
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "http" and scope["query_string"]:
            problem = self._problem(scope)
            if problem is not None:
                await problem(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _problem(self, scope: Scope) -> Problem | None:
        known = self._operations().parameters(scope["method"], scope["path"])
        if known is None:
            if scope["path"] not in _WITHOUT:
                return None  # no operation of the API
            known = frozenset()
        seen = set()
        for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
            shown = name if len(name) <= _SHOWN_CHARACTERS else f"{name[:_SHOWN_CHARACTERS]}..."
            if name not in known:
                message = f"{shown}: there is no such parameter here"
                return Problem(members(HTTPStatus.BAD_REQUEST, message, shown))
            if name in seen:
                return Problem(members(HTTPStatus.BAD_REQUEST, f"{shown}: is given more than once", shown))
            seen.add(name)
        return None
