"""What this node is, and whether it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bigchaindb.version import __version__
from bigchaindb.web.batches import MAX_BATCH
from bigchaindb.web.schemas import About, Health, problems
from bigchaindb.web.state import API, ask

if TYPE_CHECKING:
    from bigchaindb.node.node import Node

__all__ = ["root", "router"]

router = APIRouter(tags=["node"])
root = APIRouter(tags=["node"])

_EXPLORER: Final = "/explorer"
_HTML: Final = "text/html"
_LINKS: Final = {
    "api": f"{API}/",
    "openapi": f"{API}/openapi.json",
    "docs": f"{API}/docs",
    "transactions": f"{API}/transactions",
    "statuses": f"{API}/statuses",
    "outputs": f"{API}/outputs",
    "assets": f"{API}/assets",
    "blocks": f"{API}/blocks",
    "votes": f"{API}/votes",
    "decisions": f"{API}/decisions",
    "streams": f"{API}/streams/valid_transactions",
    "explorer": f"{_EXPLORER}/",
    "metrics": "/metrics",
}


@router.get("", include_in_schema=False)
@router.get("/", responses={200: {"model": About}, **problems()})
async def get_about(request: Request) -> JSONResponse:
    """Return what this node is, and where to go from here."""
    return JSONResponse(await ask(request, lambda node, _: _about(request, node)))


@root.get("/", include_in_schema=False)
async def get_root(request: Request) -> Response:
    """Show browsers the explorer, and others what this node is."""
    if _HTML in request.headers.get("accept", ""):
        return await get_explorer(request)
    return await get_about(request)


@root.get(_EXPLORER, include_in_schema=False)
async def get_explorer(request: Request) -> Response:
    """Lead to the explorer, whose address ends with a slash."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}{_EXPLORER}/")


def _about(request: Request, node: Node) -> dict[str, Any]:
    settings = request.app.state.settings
    base = f"{request.scope.get('root_path', '')}"
    return {
        "software": "BigchainDB",
        "version": __version__,
        "ledger": node.ledger,
        "node": node.me,
        "keyring": [member for member in node.federation if member != node.me],
        "quorum": str(node.quorum),
        "limits": {"transaction_bytes": settings.transaction_bytes, "batch_transactions": MAX_BATCH},
        "links": {name: f"{base}{path}" for name, path in _LINKS.items()},
    }


@root.get("/healthz", responses={200: {"model": Health}, 400: problems()[400]})
async def healthz() -> JSONResponse:
    """Return that this process lives."""
    return JSONResponse({"status": "ok"})


@root.get("/readyz", responses={200: {"model": Health}, **problems()})
async def readyz(request: Request) -> JSONResponse:
    """Return that this node can answer: its database is there."""
    await ask(request, lambda node, _: node.storage.latest_decision(node.me))
    return JSONResponse({"status": "ok"})
