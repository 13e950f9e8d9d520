"""How pages are answered: headers, caching, files that never change.

Invariants:

- Every answer, an error too, bears the same security headers; nothing inline is allowed, and nothing from elsewhere.
- A page may be kept, but is asked for again each time (`no-cache`), which costs little while it is the same: `ETag`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SecurityHeaders", "StaticFile", "answer_file", "answer_page", "read_static_files"]

_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_ASK_AGAIN: Final = "no-cache"
_FOR_A_YEAR: Final = "public, max-age=31536000, immutable"
_TAG_BYTES: Final = 12
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class SecurityHeaders:
    """Adds the security headers to whatever an application answers."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _tag(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=_TAG_BYTES).hexdigest()


def answer_page(
    request: Request, html: str, *, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a page, or that whoever asks has it already."""
    body = html.encode()
    # Weak: on the way it may be compressed.
    tag = f'W/"{_tag(body)}"'
    more = {"Cache-Control": _ASK_AGAIN, **(headers or {})}
    if status != HTTPStatus.OK:
        return Response(body, status, more, "text/html; charset=utf-8")
    more["ETag"] = tag
    if tag in {known.strip() for known in request.headers.get("if-none-match", "").split(",")}:
        return Response(None, HTTPStatus.NOT_MODIFIED, more)
    return Response(body, status, more, "text/html; charset=utf-8")


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is served.

    Attributes:
        body: what is in it.
        media_type: what that is.
        version: changes when the file does.
    """

    body: bytes
    media_type: str
    version: str


def read_static_files(directory: Path) -> dict[str, StaticFile]:
    """Return the files of a directory by name."""
    return {
        path.name: StaticFile(body, _MEDIA_TYPES[path.suffix], _tag(body))
        for path in sorted(directory.iterdir())
        if path.suffix in _MEDIA_TYPES
        for body in [path.read_bytes()]
    }


def answer_file(request: Request, file: StaticFile) -> Response:
    """Answer with a file, which may be kept as long as its address names its version."""
    tag = f'"{file.version}"'
    is_versioned = request.query_params.get("v") == file.version
    headers = {"Cache-Control": _FOR_A_YEAR if is_versioned else _ASK_AGAIN, "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(None, HTTPStatus.NOT_MODIFIED, headers)
    return Response(file.body, HTTPStatus.OK, headers, file.media_type)
