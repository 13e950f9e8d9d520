"""Taking transactions in: what many clients send at the same time is checked and stored in one go.

Invariants:

- A transaction is accepted only when it is durable, as `Node.write` has it; what is refused was not stored.
- What is valid already is not stored again, so nobody fills the backlog by repeating it.
- No more is taken while the backlog is full; what is asked for then costs no signature check.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from bigchaindb import canonical
from bigchaindb.exceptions import (
    BigchainDBError,
    InvalidValue,
    StorageError,
    TransactionError,
    TransactionMalformed,
)
from bigchaindb.model.shape import is_hash
from bigchaindb.model.status import Status
from bigchaindb.model.transaction import Transaction
from bigchaindb.web.problems import ProblemError
from bigchaindb.web.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bigchaindb.node.node import Node
    from bigchaindb.web.ledger import Ledger
    from bigchaindb.web.metrics import Metrics

__all__ = ["MAX_BATCH", "Intake", "Sent", "Verdict", "read_batch", "read_one"]

MAX_BATCH: Final = 1_000
_ROUND_BYTES: Final = 2**20
_DEPTH_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 2


@dataclass(frozen=True, slots=True)
class Sent:
    """What one request brought.

    Attributes:
        size_bytes: how large it is.
        read: returns the transactions in it, or why one is none; runs in a thread, and may raise why there is none.
    """

    size_bytes: int
    read: Callable[[Node], Sequence[Transaction | Verdict]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one transaction that was sent.

    Attributes:
        id: its id; None where it has none.
        status: how far it has come.
        error: why it was refused, or None.
        text: its canonical signed text, where it was accepted.
    """

    id: str | None
    status: Status
    error: BigchainDBError | None = None
    text: str = ""


class Intake:
    """The way into one ledger; belongs to one event loop."""

    def __init__(self, ledger: Ledger, most_waiting: int, metrics: Metrics) -> None:
        """Take in for a ledger, as long as not too many transactions wait."""
        self._ledger = ledger
        self._metrics = metrics
        self._most_waiting = most_waiting
        self._waiting = 0
        self._look_at = 0.0
        self._rounds: Rounds[Sent, list[Verdict] | ProblemError] = Rounds(
            self._take_in, most=_ROUND_BYTES, weigh=lambda sent: sent.size_bytes
        )

    async def submit(self, sent: Sent) -> list[Verdict]:
        """Take in what a request brought; return what becomes of each transaction, in order.

        Raises:
            ProblemError: the backlog is full.
            BigchainDBError: it is not known whether any of it was stored; it may be sent again.
        """
        answer = await self._rounds.ask(sent)
        if isinstance(answer, ProblemError):
            raise answer
        return answer

    def _take_in(self, requests: Sequence[Sent]) -> list[list[Verdict] | ProblemError]:
        node = self._ledger.node
        room = self._room(node)
        if room <= 0:
            return [_full(self._most_waiting) for _ in requests]
        read = [_read_request(request, node) for request in requests]
        admitted = [_full(self._most_waiting) if len(items) > room else items for items in read]
        items = [item for taken in admitted if not isinstance(taken, ProblemError) for item in taken]
        verdicts = self._write(node, [item for item in items if isinstance(item, Transaction)])
        self._waiting += len(verdicts)
        answers = iter(verdicts)
        return [
            taken
            if isinstance(taken, ProblemError)
            else [next(answers) if isinstance(item, Transaction) else item for item in taken]
            for taken in admitted
        ]

    def _write(self, node: Node, transactions: Sequence[Transaction]) -> list[Verdict]:
        errors = node.validate(transactions)
        sound = [t for t, error in zip(transactions, errors, strict=True) if error is None]
        valid = set(self._ledger.queries.valid([t.id for t in sound]))
        with self._metrics.storage("write"):
            node.store(list({t.hash: t for t in sound if t.id not in valid}.values()))
        return [
            Verdict(t.id, Status.UNKNOWN, error)
            if error
            else Verdict(t.id, Status.VALID if t.id in valid else Status.BACKLOG, text=t.text)
            for t, error in zip(transactions, errors, strict=True)
        ]

    def _room(self, node: Node) -> int:
        """Return how many transactions the backlog has room for; what was taken since it was counted is counted in."""
        now = time.monotonic()
        if now >= self._look_at:
            self._waiting = node.storage.backlog_size()
            self._look_at = now + _DEPTH_SECONDS
        return self._most_waiting - self._waiting


def _read_request(request: Sent, node: Node) -> Sequence[Transaction | Verdict]:
    try:
        return request.read(node)
    except StorageError:
        raise
    except BigchainDBError as error:
        return [Verdict(None, Status.UNKNOWN, error)]


def _full(most_waiting: int) -> ProblemError:
    return ProblemError(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"{most_waiting} transactions or more wait to be decided; try again later",
        headers={"Retry-After": str(_RETRY_SECONDS)},
    )


# --- reading -----------------------------------------------------------------------------------------------


def read_one(body: bytes) -> Sent:
    """Return a request that brings one transaction."""
    return Sent(len(body), lambda node: [_of_text(body, node.max_transaction_bytes)])


def read_batch(documents: Sequence[Any], size_bytes: int) -> Sent:
    """Return a request that brings several transactions, later ones building upon earlier ones."""
    return Sent(size_bytes, lambda node: [_of_document(item, node.max_transaction_bytes) for item in documents])


def _of_text(body: bytes, max_bytes: int) -> Transaction:
    try:
        document = canonical.loads(body, "document")
    except InvalidValue as error:
        field = (error.field or "document").removeprefix("document.")
        raise TransactionMalformed(str(error).removeprefix("document."), field=field) from error
    return Transaction.from_dict(document, max_bytes)


def _of_document(document: Any, max_bytes: int) -> Transaction | Verdict:
    try:
        return Transaction.from_dict(document, max_bytes)
    except TransactionError as error:
        txid = document.get("id") if isinstance(document, dict) else None
        return Verdict(txid if is_hash(txid) else None, Status.UNKNOWN, error)
