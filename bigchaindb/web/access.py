"""Who may have this node create assets.

Invariants:

- With a token, whoever knows it.  It is compared in constant time.
- Without one, only whoever is on this machine, and only where nobody else can reach the server.  A browser on this
  machine that shows a page from elsewhere is somebody else: neither a page that posts across sites nor one whose name
  suddenly stands for this machine gets through.  A proxy on this machine cannot be told from it: behind one, a token is
  needed.
- Otherwise nobody, and the answer says how to change that.
"""

from __future__ import annotations

import hmac
import ipaddress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bigchaindb.web.problems import ProblemError

if TYPE_CHECKING:
    from starlette.requests import Request

    from bigchaindb.web.state import WebSettings

__all__ = ["check_may_create", "is_loopback", "is_own_origin"]

_SCHEME: Final = "bearer"
_HOW: Final = (
    "set `server.api_token` in the node's configuration (BIGCHAINDB_SERVER_API_TOKEN), and send it as "
    "`Authorization: Bearer ...`"
)


def check_may_create(request: Request, settings: WebSettings) -> None:
    """Check that a request may have this node create an asset.

    Raises:
        ProblemError: it may not.
    """
    if settings.api_token is not None:
        _check_token(request, settings.api_token)
    elif not settings.is_loopback:
        raise ProblemError(
            HTTPStatus.FORBIDDEN, f"this node creates assets for nobody: it can be reached from elsewhere; {_HOW}"
        )
    else:
        _check_is_from_here(request)


def _check_token(request: Request, token: str) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    # What is not ASCII could not be compared.
    is_right = hmac.compare_digest(given.strip().encode(errors="replace"), token.encode())
    if scheme.lower() != _SCHEME or not is_right:
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "this needs the node's token: send `Authorization: Bearer` and what `server.api_token` is set to there",
            field="Authorization",
        )


def _check_is_from_here(request: Request) -> None:
    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    if not _names_loopback(host) or (origin is not None and not is_own_origin(origin, host)):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            f"without a token, this node creates assets only for who asks for it as localhost; {_HOW}",
            field="Origin" if _names_loopback(host) else "Host",
        )


def is_own_origin(origin: str, host: str) -> bool:
    """Tell whether a page of an origin came from the host that it asks, as far as the headers can be read."""
    try:
        return urlsplit(origin).netloc == host
    except ValueError:
        return False


def _names_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or is_loopback(name)


def is_loopback(address: str) -> bool:
    """Tell whether an IP address is one that only its own machine can reach."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
