"""A short way to the answer that is asked for most: a transaction by its id.

The framework matches a request against all routes, reads parameters and keeps stacks of what to close, which costs more
than the answer.  This stands before its routes and takes only what needs none of that; everything else, what is wrong
included, goes the long way, where the operation is documented too (`transactions.get_transaction`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from starlette.routing import BaseRoute, Match

from bigchaindb.web.state import API

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from bigchaindb.web.state import Shared

__all__ = ["TransactionLane"]

_PATH: Final = re.compile(rf"{API}/transactions/([0-9a-f]{{64}})")


class TransactionLane(BaseRoute):
    """The route of `GET transactions/{id}`, for ids that are well formed."""

    def __init__(self, shared: Shared) -> None:
        """Answer from here."""
        self._shared = shared

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take what this route can answer."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return Match.NONE, {}
        found = _PATH.fullmatch(scope["path"].removeprefix(scope.get("root_path", "")))
        return (Match.FULL, {"path_params": {"transaction_id": found[1]}}) if found else (Match.NONE, {})

    async def handle(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answer.

        Raises:
            TransactionDoesNotExist: there is no such transaction.
            StorageError: the database is away.
        """
        body = (await self._shared.text(scope["path_params"]["transaction_id"])).encode()
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
