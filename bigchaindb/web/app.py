"""The web application: all routers under one roof."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI

from bigchaindb.version import __version__
from bigchaindb.web import about, assets, blocks, metrics, outputs, reference, statuses, streams, transactions
from bigchaindb.web.backpressure import Backpressure
from bigchaindb.web.cors import OtherOrigins
from bigchaindb.web.description import DESCRIPTION, Operations, describe
from bigchaindb.web.explorer.site import MOUNTED_AT, create_explorer
from bigchaindb.web.feed import Feed
from bigchaindb.web.heads import Heads
from bigchaindb.web.lane import TransactionLane
from bigchaindb.web.parameters import KnownParameters
from bigchaindb.web.problems import add_handlers
from bigchaindb.web.protocol import COUNT
from bigchaindb.web.state import API, Shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bigchaindb.web.ledger import Ledger
    from bigchaindb.web.state import WebSettings

__all__ = ["create_app"]

_ROUTERS: Final = (
    about.router,
    transactions.router,
    statuses.router,
    outputs.router,
    assets.router,
    blocks.router,
    streams.router,
)


def create_app(ledger: Ledger, settings: WebSettings) -> FastAPI:
    """Return the application that serves a ledger.

    Args:
        ledger: what is served; whoever made it closes it.
        settings: what an operator has set.
    """
    app = FastAPI(
        title="BigchainDB node",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        # A redirect would lead to wherever the client says that this is.
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.ledger = ledger
    app.state.settings = settings
    app.state.metrics = metrics.Metrics()
    app.state.shared = Shared(ledger, settings, app.state.metrics)
    app.state.feed = Feed(ledger.another())
    app.state.operations = cache(lambda: Operations(app.openapi()))
    add_handlers(app)
    app.add_middleware(KnownParameters, operations=app.state.operations)
    app.add_middleware(Backpressure)
    app.add_middleware(Heads)
    if settings.cors_origins:
        app.add_middleware(OtherOrigins, origins=settings.cors_origins)
    app.add_middleware(metrics.CountRequests, metrics=app.state.metrics)
    app.router.routes.insert(0, TransactionLane(app.state.shared))
    app.include_router(about.root)
    app.include_router(metrics.root)
    for router in _ROUTERS:
        app.include_router(router, prefix=API)
    app.include_router(reference.router, prefix=API)
    app.mount(MOUNTED_AT, create_explorer(ledger))
    app.openapi = lambda: app.openapi_schema or _described(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, object]]:
    app.state.feed.start()
    # For answers that are given before anything gets here.
    yield {COUNT: app.state.metrics.count_request}
    await app.state.feed.stop()


def _described(app: FastAPI) -> dict[str, object]:
    app.openapi_schema = describe(app)
    return app.openapi_schema
