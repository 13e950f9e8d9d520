"""What answers each address beneath `/explorer`.

Invariants:

- A page is made from one look at the ledger; what is asked for is bounded, whatever an address says.
- Whatever an address says wrong is a page that says so: 404 for what is not there.
"""

from __future__ import annotations

import math
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
        self._fronts: dict[str, tuple[float, str]] = {}
        self._making = threading.Lock()

    # --- the ledger ------------------------------------------------------------------------------------------

    def _look(self) -> Look:
        node, last = self._source.node, self._last_look
        chronicle = last.chronicle if last and last.node is node else Chronicle(node)
        self._last_look = Look(node, self._source.queries, chronicle, node.storage.latest_decision(node.me))
        return self._last_look

    def front(self, request: Request) -> Response:
        """Show how far the ledger has come."""
        window = _window(request)
        key = f"{self._renderer.base(request)} {window.name}"
        # However many watch, the page is made once in a moment; meanwhile they get the one before.
        with self._making:
            made_at, html = self._fronts.get(key, (-math.inf, ""))
            if time.monotonic() - made_at > _FRESH_SECONDS:
                look = self._look()
                html = self._render(
                    request, "front.html", "front", look, front=front(look, window), windows=WINDOWS.values()
                )
                self._fronts[key] = (time.monotonic(), html)
        return answer_page(request, html)

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
            look,
            rows=block_rows([*undecided, *entries]),
            before=before,
            next_before=last.sequence if last and last.sequence > 1 else None,
            genesis=look.node.ledger,
        )

    def federation(self, request: Request) -> Response:
        """Show the nodes."""
        look = self._look()
        return self._page(request, "federation.html", "federation", look, view=federation(look))

    # --- what has an id --------------------------------------------------------------------------------------

    def block(self, request: Request) -> Response:
        """Show a block."""
        block_id = _hash_in(request, "block")
        look = self._look()
        view = block_view(look, block_id, _number(request, "from") or 0)
        if view is None:
            raise _absent("block", block_id)
        return self._page(request, "block.html", "blocks", look, view=view)

    def transaction(self, request: Request) -> Response:
        """Show a transaction."""
        txid = _hash_in(request, "transaction")
        owners_url = f"{self._renderer.base(request)}/owners/"
        first = _number(request, "from") or 0
        look = self._look()
        view = transaction_view(look, txid, first, owners_url)
        if view is None:
            raise _absent("transaction", txid)
        return self._page(request, "transaction.html", "", look, view=view)

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
            look,
            view=view,
            is_history=is_history,
            after=after,
            is_member=key in look.node.federation,
        )

    def asset(self, request: Request) -> Response:
        """Show an asset's chain of owners."""
        asset = _hash_in(request, "asset")
        after = request.query_params.get("after")
        look = self._look()
        view = asset_view(look, asset, after)
        if view is None:
            raise _absent("asset", asset)
        return self._page(request, "asset.html", "", look, view=view, after=after)

    def payload(self, request: Request) -> Response:
        """Show the transactions with a payload."""
        payload_hash = _hash_in(request, "payload")
        after = request.query_params.get("after")
        look = self._look()
        view = payload_view(look, payload_hash, after)
        if view is None:
            raise _absent("payload", payload_hash)
        return self._page(request, "payload.html", "", look, view=view, after=after)

    # --- search ----------------------------------------------------------------------------------------------

    def search(self, request: Request) -> Response:
        """Go to the page that is meant, or let the reader choose."""
        look = self._look()
        typed = request.query_params.get("q", "")
        text = tidy(typed)
        hits = find(look, text)
        if len(hits) == 1:
            url = f"{self._renderer.base(request)}/{hits[0].path}"
            return RedirectResponse(url, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
        html = self._render(
            request, "choice.html", "", look, is_live=False, hits=hits, typed=cut(text, _SHOWN_TYPED), box=typed
        )
        return answer_page(request, html, status=HTTPStatus.OK if hits or not text else HTTPStatus.NOT_FOUND)

    # --- answering -------------------------------------------------------------------------------------------

    def _page(self, request: Request, template: str, here: str, look: Look, **context: Any) -> Response:
        return answer_page(request, self._render(request, template, here, look, **context))

    def _render(
        self, request: Request, template: str, here: str, look: Look, *, is_live: bool = True, **context: Any
    ) -> str:
        common = {"here": here, "about": look.node, "now": look.node.clock(), "since": look.sequence}
        return self._renderer.render(request, template, is_live=is_live, **common, **context)

    def routes(self) -> dict[str, Callable[[Request], Response]]:
        """Return what answers each address."""
        return {
            "/": self.front,
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
