"""The explorer over a ledger in memory: `Site(ledger)` asks for pages as a browser does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from bigchaindb.web.explorer.site import create_explorer
from tests.web.explorer.reading import Page, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bigchaindb.exceptions import BigchainDBError
    from bigchaindb.node.node import Node
    from bigchaindb.node.queries import Queries
    from tests.ledgers import Ledger

__all__ = ["Site", "Source"]


class Source:
    """One member of a ledger; `away` is what the database answers instead, if anything."""

    def __init__(self, ledger: Ledger) -> None:
        self.member = ledger.first
        self.away: BigchainDBError | None = None
        self.doubts = 0

    @property
    def node(self) -> Node:
        if self.away:
            raise self.away
        return self.member.node

    @property
    def queries(self) -> Queries:
        if self.away:
            raise self.away
        return self.member.queries

    def doubt(self) -> None:
        self.doubts += 1


class Site:
    """Pages of one node."""

    def __init__(self, ledger: Ledger, prefix: str = "") -> None:
        self.source = Source(ledger)
        app = Starlette(routes=[Mount("/explorer", create_explorer(self.source))])
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=prefix)

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, **params: Any
    ) -> httpx.Response:
        """Ask for an address beneath the front page, or for a whole one."""
        url = path if path.startswith("/explorer") else f"/explorer/{path}"

        async def answer() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://node.example") as client:
                return await client.request(method, url, headers=headers, params=params or None)

        return asyncio.run(answer())

    def page(self, path: str, status: int = 200, **params: Any) -> Page:
        """Read a page."""
        answer = self.ask(path, **params)
        assert answer.status_code == status, (path, answer.text)
        return read(answer.text)
