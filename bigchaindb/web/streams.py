"""Events as they happen, over a WebSocket or as server-sent events, at one address.

Invariants:

- What is wrong with a request is said before anything is accepted, as a problem like any other.
- A reader gets every event behind the place where it begins, once, in order; each event says where to go on behind it.
- Pages of other origins are refused unless the operator has named them: a browser lets any page open a WebSocket.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response
from starlette.websockets import WebSocket

from bigchaindb.web.access import is_own_origin
from bigchaindb.web.frames import Form, Which, place_of
from bigchaindb.web.parameters import PublicKey
from bigchaindb.web.problems import ProblemError
from bigchaindb.web.schemas import HASH, problems
from bigchaindb.web.wire import EXTENSION

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from bigchaindb.web.feed import Feed, Position
    from bigchaindb.web.state import WebSettings

__all__ = ["PATH", "router"]

PATH: Final = "/streams/valid_transactions"

_SINCE: Final = "^(0|[1-9][0-9]{0,14})(/[0-9a-f]{64})?$"
_LAST_EVENT_ID: Final = "Last-Event-ID"
_MEDIA_TYPE: Final = "text/event-stream"
_NOT_WANTED: Final = re.compile(r"q=0(\.0*)?")
_QUIET_SECONDS: Final = 15.0
_RETRY_MILLISECONDS: Final = 1_000
_SERVICE_RESTART: Final = 1012

router = APIRouter(tags=["events"])


class Wanted(BaseModel):
    """Which events to send."""

    model_config = ConfigDict(extra="forbid")

    since: str | None = Field(
        None,
        pattern=_SINCE,
        description="Number of the decision behind which to begin, or `NUMBER/TRANSACTION_ID`, as the `id` of an event "
        "is, to begin right behind that event. From now on if it is absent.",
    )
    public_key: PublicKey | None = Field(
        None,
        description="Only transactions that give something to this key, or take something from it.",
    )
    asset_id: str | None = Field(
        None, pattern=HASH, description="Only transactions that begin this asset or hand it on; its id is theirs then."
    )

    def which(self) -> Which:
        """Return what is wanted, but for where to begin."""
        return Which(self.public_key, self.asset_id)


# --- server-sent events ------------------------------------------------------------------------------------


@router.get(
    PATH,
    response_class=Response,
    responses={
        200: {"description": "Events, without end.", "content": {_MEDIA_TYPE: {"schema": {"type": "string"}}}},
        **problems(HTTPStatus.NOT_ACCEPTABLE),
    },
)
async def stream_events(
    request: Request,
    wanted: Annotated[Wanted, Query()],
    last_event_id: Annotated[str | None, Header(alias=_LAST_EVENT_ID, pattern=_SINCE)] = None,
) -> Response:
    """Send an event for each transaction that becomes valid, in the order in which this node decides them.

    For `Accept: text/event-stream`, these are server-sent events whose `data` is `{"sequence", "block_id", "asset_id",
    "transaction_id"}`. A WebSocket at the same address carries the same, each in a text message. `sequence` counts this
    node's decisions; those of other nodes are others. `Last-Event-ID`, which browsers send by themselves, stands above
    `since`.
    """
    if not _is_asked_for(",".join(request.headers.getlist("accept"))):
        message = f"this is a stream: ask for it with `Accept: {_MEDIA_TYPE}`, or open a WebSocket"
        raise ProblemError(HTTPStatus.NOT_ACCEPTABLE, message, field="Accept")
    feed = _feed_of(request)
    field = _LAST_EVENT_ID if last_event_id else "since"
    return _EventStream(feed, wanted.which(), await feed.position(last_event_id or wanted.since, field))


def _is_asked_for(accept: str) -> bool:
    """Tell whether an Accept header names streams; who would take anything did not ask for one (RFC 9110, 12.5.1)."""
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name == _MEDIA_TYPE:
            return not any(map(_NOT_WANTED.fullmatch, parameters))
    return False


class _EventStream(Response):
    """An answer that goes on and on."""

    media_type = _MEDIA_TYPE

    def __init__(self, feed: Feed, which: Which, position: Position) -> None:
        super().__init__(None, HTTPStatus.OK, {"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["Content-Length"]
        self._feed = feed
        self._which = which
        self._position = position

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        async def write(data: bytes, position: Position) -> None:
            body = data or _where(position)
            await send({"type": "http.response.body", "body": body, "more_body": True})

        async def tell() -> None:
            await write(b"retry: %d\n%b" % (_RETRY_MILLISECONDS, _where(self._position)), self._position)
            await _tell(self._feed, self._which, Form.EVENT_STREAM, self._position, write)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _while_there(tell(), receive, "http.disconnect")


def _where(position: Position) -> bytes:
    """Return what tells a reader how far it has come, without an event: where to go on from, and a sign of life."""
    # Between the events of one decision there is always the last of them.
    return b":\n\n" if position.index else b"id: %b\n\n" % place_of(position.sequence - 1, None).encode()


# --- WebSockets --------------------------------------------------------------------------------------------


class _Messages:
    """The WebSocket: an application of its own, because frames go out as they are."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket."""
        websocket = WebSocket(scope, receive, send)
        wanted = _wanted(websocket)
        feed = _feed_of(websocket)
        position = await feed.position(wanted.since)
        if EXTENSION not in scope["extensions"]:
            raise RuntimeError("WebSockets must be served by bigchaindb.web.wire")
        await websocket.accept()

        async def write(data: bytes, _: Position) -> None:
            if data:
                await send({"type": EXTENSION, "frames": data})

        async def tell() -> None:
            await _tell(feed, wanted.which(), Form.MESSAGES, position, write)
            await send({"type": "websocket.close", "code": _SERVICE_RESTART})

        await _while_there(tell(), receive, "websocket.disconnect")


router.add_websocket_route(PATH, _Messages())  # type: ignore[arg-type]


def _wanted(websocket: WebSocket) -> Wanted:
    settings: WebSettings = websocket.app.state.settings
    origin = websocket.headers.get("origin")
    if origin is not None and not _may_read(origin, websocket.headers.get("host", ""), settings.cors_origins):
        message = "pages of this origin may not read here; `server.cors_origins` names those that may"
        raise ProblemError(HTTPStatus.FORBIDDEN, message, field="Origin")
    names = [name for name, _ in websocket.query_params.multi_items()]
    for name in names:
        if names.count(name) > 1:
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"{name[:60]}: is given more than once", field=name[:60])
    try:
        return Wanted.model_validate(dict(websocket.query_params))
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def _may_read(origin: str, host: str, origins: tuple[str, ...]) -> bool:
    return is_own_origin(origin, host) or origin in origins or "*" in origins


# --- both --------------------------------------------------------------------------------------------------


def _feed_of(connection: Request | WebSocket) -> Feed:
    feed: Feed = connection.app.state.feed
    return feed


async def _tell(
    feed: Feed, which: Which, form: Form, position: Position, write: Callable[[bytes, Position], Awaitable[None]]
) -> None:
    with feed.reading(which):
        while (given := await feed.next(position, which, form, _QUIET_SECONDS)) is not None:
            position = given.position
            await write(given.data, position)


async def _while_there(telling: Awaitable[None], receive: Receive, leaving: str) -> None:
    """Do something until it is done or the other side leaves; what it says meanwhile is not listened to."""

    async def left() -> None:
        while (await receive())["type"] != leaving:
            pass

    tasks = [asyncio.ensure_future(telling), asyncio.ensure_future(left())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        told, _ = await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(told, Exception):
        raise told
