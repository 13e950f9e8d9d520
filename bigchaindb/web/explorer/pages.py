"""What answers each address beneath `/explorer`.

Invariants:

- A page is made from one look at the ledger; what is asked for is bounded, whatever an address says.
- Whatever an address says wrong is a page that says so: 404 for what is not there.
"""

from __future__ import annotations

import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bigchaindb.model.shape import is_hash
from bigchaindb.node.chronicle import Chronicle
from bigchaindb.web.explorer.answers import answer_page
from bigchaindb.web.explorer.front import front
from bigchaindb.web.explorer.holdings import asset_view, owner_view, payload_view
from bigchaindb.web.explorer.look import Look
from bigchaindb.web.explorer.members import federation
from bigchaindb.web.explorer.pace import WINDOWS, Window
from bigchaindb.web.explorer.records import block_view, transaction_view
from bigchaindb.web.explorer.rows import block_rows
from bigchaindb.web.explorer.search import find, is_key, tidy
from bigchaindb.web.explorer.texts import cut

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from bigchaindb.node.node import Node
    from bigchaindb.node.queries import Queries
    from bigchaindb.web.explorer.rendering import Renderer

__all__ = ["Pages", "Source"]

_BLOCKS: Final = 40
_NUMBER_DIGITS: Final = 15
_FRESH_SECONDS: Final = 0.5
_SHOWN_TYPED: Final = 100
_FIRST_WINDOW: Final = "10m"


class Source(Protocol):
    """Where pages get the ledger from; `bigchaindb.web.ledger.Ledger` is one."""

    @property
    def node(self) -> Node:
        """The node; raises `StorageUnavailable` while the database is away."""

    @property
    def queries(self) -> Queries:
        """What can be asked of it; raises as `node`."""

    def doubt(self) -> None:
        """Say that the database has failed somebody."""


class Pages:
    """The pages over one ledger."""

    def __init__(self, source: Source, renderer: Renderer) -> None:
        """Put them together; nothing is read yet."""
        self._source = source
        self._renderer = renderer
        self._last_look: Look | None = None
        self._fragments: dict[str, tuple[float, str]] = {}
        self._making = threading.Lock()

    # --- the ledger ------------------------------------------------------------------------------------------

    def _look(self) -> Look:
        node = self._source.node
        look = self._last_look
        if look is None or look.node is not node:
            self._last_look = look = Look(node, self._source.queries, Chronicle(node))
        return look

    def front(self, request: Request) -> Response:
        """Show how far the ledger has come."""
        window = _window(request)
        return self._page(request, "front.html", "front", front=front(self._look(), window), windows=WINDOWS.values())

    def live(self, request: Request) -> Response:
        """Return what changes on the front page, to be put in the place of what is there."""
        window = _window(request)
        key = f"{self._renderer.base(request)} {window.name}"
        # However many watch, the page is made once in a moment; meanwhile they get the one before.
        made_at, html = self._fragments.get(key, (0.0, ""))
        if not html:
            html = self._make_live(request, key, window)
        elif time.monotonic() - made_at > _FRESH_SECONDS and self._making.acquire(blocking=False):
            try:
                html = self._make_live(request, key, window)
            finally:
                self._making.release()
        return answer_page(request, html)

    def _make_live(self, request: Request, key: str, window: Window) -> str:
        look = self._look()
        html = self._renderer.render(
            request, "live.html", front=front(look, window), windows=WINDOWS.values(), now=look.node.clock()
        )
        self._fragments[key] = (time.monotonic(), html)
        return html

    def blocks(self, request: Request) -> Response:
        """Show the blocks that this node has decided, newest first."""
        look = self._look()
        before = _number(request, "before")
        entries = look.chronicle.decided(before, _BLOCKS)
        undecided = look.chronicle.undecided(_BLOCKS) if before is None else []
        last = entries[-1].decision if entries else None
        return self._page(
            request,
            "blocks.html",
            "blocks",
            rows=block_rows([*undecided, *entries]),
            before=before,
            next_before=last.sequence if last and last.sequence > 1 else None,
            genesis=look.node.ledger,
        )

    def federation(self, request: Request) -> Response:
        """Show the nodes."""
        look = self._look()
        return self._page(request, "federation.html", "federation", view=federation(look))

    # --- what has an id --------------------------------------------------------------------------------------

    def block(self, request: Request) -> Response:
        """Show a block."""
        block_id = _hash_in(request, "block")
        view = block_view(self._look(), block_id, _number(request, "from") or 0)
        if view is None:
            raise _absent("block", block_id)
        return self._page(request, "block.html", "blocks", view=view)

    def transaction(self, request: Request) -> Response:
        """Show a transaction."""
        txid = _hash_in(request, "transaction")
        owners_url = f"{self._renderer.base(request)}/owners/"
        first = _number(request, "from") or 0
        view = transaction_view(self._look(), txid, first, owners_url)
        if view is None:
            raise _absent("transaction", txid)
        return self._page(request, "transaction.html", "", view=view)

    def owner(self, request: Request) -> Response:
        """Show what a key owns, or has owned."""
        key = request.path_params["id"]
        if not is_key(key):
            raise _absent("owner", key)
        is_history = request.query_params.get("show") == "history"
        after = request.query_params.get("after")
        look = self._look()
        view = owner_view(look, key, spent=None if is_history else False, after=after)
        return self._page(
            request,
            "owner.html",
            "",
            view=view,
            is_history=is_history,
            after=after,
            is_member=key in look.node.federation,
        )

    def asset(self, request: Request) -> Response:
        """Show an asset's chain of owners."""
        asset = _hash_in(request, "asset")
        after = request.query_params.get("after")
        view = asset_view(self._look(), asset, after)
        if view is None:
            raise _absent("asset", asset)
        return self._page(request, "asset.html", "", view=view, after=after)

    def payload(self, request: Request) -> Response:
        """Show the transactions with a payload."""
        payload_hash = _hash_in(request, "payload")
        after = request.query_params.get("after")
        view = payload_view(self._look(), payload_hash, after)
        if view is None:
            raise _absent("payload", payload_hash)
        return self._page(request, "payload.html", "", view=view, after=after)

    # --- search ----------------------------------------------------------------------------------------------

    def search(self, request: Request) -> Response:
        """Go to the page that is meant, or let the reader choose."""
        text = tidy(request.query_params.get("q", ""))
        if not text:
            return self._page(request, "choice.html", "", hits=[], typed="")
        hits = find(self._look(), text)
        if len(hits) == 1:
            url = f"{self._renderer.base(request)}/{hits[0].path}"
            return RedirectResponse(url, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
        status = HTTPStatus.OK if hits else HTTPStatus.NOT_FOUND
        return self._page(request, "choice.html", "", status=status, hits=hits, typed=cut(text, _SHOWN_TYPED))

    # --- answering -------------------------------------------------------------------------------------------

    def _page(
        self, request: Request, template: str, here: str, *, status: HTTPStatus = HTTPStatus.OK, **context: Any
    ) -> Response:
        node = self._source.node
        html = self._renderer.render(request, template, here=here, about=node, now=node.clock(), **context)
        return answer_page(request, html, status=status)

    def routes(self) -> dict[str, Callable[[Request], Response]]:
        """Return what answers each address."""
        return {
            "/": self.front,
            "/live": self.live,
            "/search": self.search,
            "/federation": self.federation,
            "/blocks": self.blocks,
            "/blocks/{id}": self.block,
            "/transactions/{id}": self.transaction,
            "/owners/{id}": self.owner,
            "/assets/{id}": self.asset,
            "/payloads/{id}": self.payload,
        }


def _window(request: Request) -> Window:
    return WINDOWS.get(request.query_params.get("window", ""), WINDOWS[_FIRST_WINDOW])


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > _NUMBER_DIGITS:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"“{name}” in this address is not a number.")
    return int(text)


def _hash_in(request: Request, kind: str) -> str:
    text: str = request.path_params["id"]
    if not is_hash(text):
        raise _absent(kind, text)
    return text


def _absent(kind: str, text: str) -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, f"This node knows no {kind} {cut(text, _SHOWN_TYPED)}.")
