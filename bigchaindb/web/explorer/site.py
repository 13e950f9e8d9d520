"""The explorer as an application of its own, to be mounted at `MOUNTED_AT`.

Invariants:

- Its errors are pages, never a traceback: 404 for what is not there, 503 while the database is away.
- It answers GET and HEAD only, and changes nothing.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route

from bigchaindb.exceptions import BigchainDBError, InvalidValue, LedgerError, StorageError
from bigchaindb.web.explorer.answers import SecurityHeaders, answer_file, answer_page
from bigchaindb.web.explorer.pages import Pages, Source
from bigchaindb.web.explorer.rendering import MOUNTED_AT, Renderer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

__all__ = ["MOUNTED_AT", "Source", "create_explorer"]

_RETRY_SECONDS: Final = 2
_LEAST_COMPRESSED: Final = 2_000
_COMPRESSION: Final = 4
_TITLES: Final[Mapping[int, str]] = {
    HTTPStatus.BAD_REQUEST: "That address is not right",
    HTTPStatus.NOT_FOUND: "Not found",
    HTTPStatus.METHOD_NOT_ALLOWED: "Pages can only be read",
    HTTPStatus.SERVICE_UNAVAILABLE: "The ledger is out of reach",
}
_AWAY: Final = (
    "The node cannot reach its database at the moment. Nothing is lost by that; "
    "this page will be there again when the database is."
)
_BROKEN: Final = "Something went wrong inside the node, and its log says what."

_log = logging.getLogger(__name__)


class _Site:
    """Pages, files and errors."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.renderer = Renderer()
        self.pages = Pages(source, self.renderer)

    def static(self, request: Request) -> Response:
        file = self.renderer.files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such file.")
        return answer_file(request, file)

    async def on_http(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
        detail = error.detail if error.detail != HTTPStatus(error.status_code).phrase else "There is no page here."
        return self._error(request, HTTPStatus(error.status_code), detail, error.headers)

    async def on_ledger(self, request: Request, error: Exception) -> Response:
        if isinstance(error, InvalidValue):
            return self._error(request, HTTPStatus.BAD_REQUEST, "This list has no such place.")
        if isinstance(error, StorageError):
            self._source.doubt()
        if isinstance(error, StorageError | LedgerError):
            headers = {"Retry-After": str(_RETRY_SECONDS)}
            return self._error(request, HTTPStatus.SERVICE_UNAVAILABLE, _AWAY, headers)
        _log.error("explorer: %s", error)
        return self._error(request, HTTPStatus.INTERNAL_SERVER_ERROR, _BROKEN)

    async def on_anything(self, request: Request, _: Exception) -> Response:
        return self._error(request, HTTPStatus.INTERNAL_SERVER_ERROR, _BROKEN)

    def _error(
        self, request: Request, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None
    ) -> Response:
        title = _TITLES.get(status, "Something went wrong")
        html = self.renderer.render(
            request, "error.html", here="", about=None, is_live=False, title=title, message=message, status=int(status)
        )
        return answer_page(request, html, status=status, headers={"Cache-Control": "no-store", **(headers or {})})


def create_explorer(source: Source) -> ASGIApp:
    """Return the application that shows a ledger.

    Args:
        source: the ledger.
    """
    site = _Site(source)
    routes = [Route(path, page) for path, page in site.pages.routes().items()]
    app = Starlette(
        routes=[*routes, Route("/static/{name}", site.static)],
        middleware=[Middleware(GZipMiddleware, minimum_size=_LEAST_COMPRESSED, compresslevel=_COMPRESSION)],
        exception_handlers={
            HTTPException: site.on_http,
            BigchainDBError: site.on_ledger,
            Exception: site.on_anything,
        },
    )
    # A redirect would lead to wherever the client says that this is.
    app.router.redirect_slashes = False
    # Around all of it, so that no error escapes without them.
    return SecurityHeaders(app)
