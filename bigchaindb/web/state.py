"""What the handlers of all routers share: it hangs on `app.state`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from anyio import CapacityLimiter, to_thread

from bigchaindb.exceptions import TransactionDoesNotExist
from bigchaindb.model.status import Status
from bigchaindb.web.bodies import Bodies
from bigchaindb.web.intake import Intake
from bigchaindb.web.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from bigchaindb.config import Config
    from bigchaindb.node.node import Node
    from bigchaindb.node.queries import Queries
    from bigchaindb.web.ledger import Ledger
    from bigchaindb.web.metrics import Metrics

__all__ = ["API", "Shared", "Standing", "WebSettings", "ask", "shared_of"]

API: Final = "/api/v1"

_AT_ONCE: Final = 500
_ASKERS: Final = 8
# Much of what is sent, while it is worked on, and all that is made of it.
_BODY_BYTES: Final = 32 * 2**20

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class WebSettings:
    """What an operator has set that the web server must know.

    Attributes:
        transaction_bytes: most bytes of a signed transaction.
        backlog_transactions: how many may wait before no more are taken.
        api_token: what allows a client to have assets created, or None.
        is_loopback: only this machine can reach the server.
        cors_origins: web pages of these origins may use the API.
    """

    transaction_bytes: int
    backlog_transactions: int
    api_token: str | None = field(default=None, repr=False)
    is_loopback: bool = False
    cors_origins: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Config, *, is_loopback: bool = False) -> WebSettings:
        """Return the settings in a configuration."""
        return cls(
            transaction_bytes=config.limits.transaction_bytes,
            backlog_transactions=config.limits.backlog_transactions,
            api_token=config.server.api_token,
            is_loopback=is_loopback,
            cors_origins=config.server.cors_origins,
        )


class Standing(NamedTuple):
    """How far a transaction has come.

    Attributes:
        status: how far.
        reason: why it was rejected, if it was.
        rival: id of the transaction that spent the same output first, if it was rejected for that.
    """

    status: Status
    reason: str | None = None
    rival: str | None = None


class Shared:
    """One ledger, and what is needed to ask it much at a time.

    Attributes:
        ledger: what is served.
        settings: what an operator has set.
        bodies: what is being read from clients.
        intake: the way in for transactions.
        texts: the canonical signed text of a transaction, by id, or None.
        standings: the standing of a transaction, by id.
        askers: how many other questions are asked at a time.
    """

    def __init__(self, ledger: Ledger, settings: WebSettings, metrics: Metrics) -> None:
        """Serve a ledger; nothing is asked yet."""
        self.ledger = ledger
        self._metrics = metrics
        self.settings = settings
        self.bodies = Bodies(_BODY_BYTES)
        self.intake = Intake(ledger, settings.backlog_transactions, metrics)
        self.texts: Rounds[str, str | None] = Rounds(self._texts, most=_AT_ONCE)
        # Each may have a large block at hand.
        self.askers = CapacityLimiter(_ASKERS)
        self.standings: Rounds[str, Standing] = Rounds(self._standings, most=_AT_ONCE)

    async def text(self, txid: str) -> str:
        """Return the canonical signed text of a transaction, whatever its status.

        Raises:
            TransactionDoesNotExist: there is none.
            StorageError: the database is away.
        """
        text = await self.texts.ask(txid)
        if text is None:
            raise TransactionDoesNotExist(f"there is no transaction {txid}", field="transaction_id")
        return text

    def answer(self, question: Callable[[Node, Queries], _Answer]) -> _Answer:
        """Return what a function answers that may ask storage, and measure it; in a thread."""
        node, queries = self.ledger.node, self.ledger.queries
        with self._metrics.storage("read"):
            return question(node, queries)

    def _texts(self, ids: Sequence[str]) -> list[str | None]:
        with self._metrics.storage("read"):
            texts = self.ledger.queries.texts(list(dict.fromkeys(ids)))
        return [texts.get(txid) for txid in ids]

    def _standings(self, ids: Sequence[str]) -> list[Standing]:
        queries = self.ledger.queries
        with self._metrics.storage("read"):
            statuses = queries.statuses(list(dict.fromkeys(ids)))
            rejected = [txid for txid, status in statuses.items() if status is Status.REJECTED]
            rejections = queries.rejections(rejected) if rejected else {}
        found = {
            txid: Standing(Status.REJECTED, rejection.reason, rejection.evidence)
            for txid, rejection in rejections.items()
        }
        return [found.get(txid) or Standing(statuses[txid]) for txid in ids]


def shared_of(request: Request) -> Shared:
    """Return what the handlers of an app share."""
    shared: Shared = request.app.state.shared
    return shared


async def ask(request: Request, question: Callable[[Node, Queries], _Answer]) -> _Answer:
    """Return what a function answers that may ask storage; it runs in a thread."""
    shared = shared_of(request)
    return await to_thread.run_sync(lambda: shared.answer(question), limiter=shared.askers)
