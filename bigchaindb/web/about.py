"""What this node is, and whether it lives."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import PlainTextResponse

from bigchaindb.version import __version__
from bigchaindb.web.ledger import Ledger
from bigchaindb.web.state import ledger_of

__all__ = ["api", "root"]

api = APIRouter(tags=["node"])
root = APIRouter(tags=["node"])


@api.get("/")
def about(request: Request, ledger: Annotated[Ledger, Depends(ledger_of)]) -> dict[str, Any]:
    """Return what this node is, and where to go from here."""
    node = ledger.node
    base = str(request.url_for("about"))
    return {
        "software": "BigchainDB",
        "version": __version__,
        "ledger": node.ledger,
        "node": node.me,
        "keyring": [member for member in node.federation if member != node.me],
        "quorum": str(node.quorum),
        "links": {"api": base, "openapi": f"{base}openapi.json", "docs": f"{base}docs"},
    }


@root.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """Return that this process lives."""
    return "ok"
