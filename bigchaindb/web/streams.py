"""Events as they happen, over a WebSocket or as server-sent events, at one address.

Invariants:

- What is wrong with a request is said before anything is accepted, as a problem like any other.
- A reader gets every event behind the place where it begins, once, in order; each event says where to go on behind it.
- Pages of other origins are refused unless the operator has named them: a browser lets them open any WebSocket.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response
from starlette.websockets import WebSocket

from bigchaindb.web.frames import Form, Which, place_of
from bigchaindb.web.problems import ProblemError
from bigchaindb.web.schemas import HASH, KEY, problems
from bigchaindb.web.wire import EXTENSION

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from bigchaindb.web.feed import Feed, Position

__all__ = ["PATH", "router"]

PATH: Final = "/streams/valid_transactions"
MEDIA_TYPE: Final = "text/event-stream"

SINCE: Final = "^(0|[1-9][0-9]{0,15})(/[0-9a-f]{64})?$"

_QUIET_SECONDS: Final = 15.0
_SERVICE_RESTART: Final = 1012

router = APIRouter(tags=["events"])
