"""Waiting until a transaction is decided, without a thread for each who waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bigchaindb.model.status import Status
from bigchaindb.web.state import Standing, shared_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from bigchaindb.web.feed import Feed

__all__ = ["WAIT_SECONDS", "decided"]

WAIT_SECONDS: Final = 10.0
# Of what is rejected no event tells.
_LOOK_SECONDS: Final = 0.1
_ENDS: Final = frozenset({Status.VALID, Status.REJECTED})


async def decided(request: Request, txid: str) -> Standing:
    """Return the standing of a transaction as soon as it is decided, or after `WAIT_SECONDS`.

    Raises:
        StorageError: storage was away when it was asked.
    """
    feed: Feed = request.app.state.feed
    standings = shared_of(request).standings
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        heard = feed.latest_sequence
        standing = await standings.ask(txid)
        left = deadline - time.monotonic()
        if standing.status in _ENDS or left <= 0:
            return standing
        # What was heard of while storage was asked is not waited for.
        if heard == feed.latest_sequence:
            await feed.changed(min(left, _LOOK_SECONDS))
