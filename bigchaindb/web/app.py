"""The web application: all routers under one roof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import FastAPI

from bigchaindb.version import __version__
from bigchaindb.web import about
from bigchaindb.web.problems import add_handlers

if TYPE_CHECKING:
    from bigchaindb.web.ledger import Ledger
    from bigchaindb.web.state import WebSettings

__all__ = ["API", "create_app"]

API: Final = "/api/v1"


def create_app(ledger: Ledger, settings: WebSettings) -> FastAPI:
    """Return the application that serves a ledger.

    Args:
        ledger: what is served; whoever made it closes it.
        settings: what an operator has set.
    """
    app = FastAPI(
        title="BigchainDB node",
        version=__version__,
        openapi_url=f"{API}/openapi.json",
        docs_url=f"{API}/docs",
        redoc_url=None,
    )
    app.state.ledger = ledger
    app.state.settings = settings
    add_handlers(app)
    app.include_router(about.root)
    app.include_router(about.api, prefix=API)
    return app
