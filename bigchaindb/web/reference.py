"""The interactive reference of the API: Swagger UI, served by the node itself.

Invariants:

- Nothing comes from elsewhere, and nothing is asked of elsewhere: the node may stand where there is no internet.
- The page allows no script but its own files.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

# What fastapi_offline is for: the files that FastAPI would let a browser fetch from a public server.
_PACKAGE: Final = "fastapi_offline"
_FILES: Final = {"swagger-ui-bundle.js": "text/javascript; charset=utf-8", "swagger-ui.css": "text/css; charset=utf-8"}
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API reference</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<main id="reference"><noscript>The same without JavaScript: <a href="openapi.json">openapi.json</a></noscript></main>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# Without `validatorUrl` it would have the document looked at by somebody else.
_START: Final = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#reference", deepLinking: true, validatorUrl: null, tryItOutEnabled: true,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_HEADERS: Final = {
    # It sets styles as it goes.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@router.get("/docs")
async def get_reference() -> Response:
    """Return the page."""
    return Response(_PAGE, media_type="text/html", headers=_HEADERS)


@router.get("/docs/start.js")
async def get_start() -> Response:
    """Return what starts it."""
    return Response(_START, media_type="text/javascript", headers=_HEADERS)


@router.get("/docs/{name}")
async def get_file(name: str) -> Response:
    """Return one of its files."""
    if name not in _FILES:
        raise HTTPException(404)
    headers = {**_HEADERS, "Content-Type": _FILES[name], "Cache-Control": "max-age=86400"}
    return Response(_content(name), headers=headers)


@cache
def _content(name: str) -> bytes:
    return files(_PACKAGE).joinpath("static", name).read_bytes()
