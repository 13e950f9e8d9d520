"""Taking transactions in: what many clients send at the same time is checked and stored together.

Invariants:

- A transaction is accepted only when it is durable, as `Node.write` has it; what is refused was not stored.
- What is valid already is not stored again, so nobody fills the backlog by repeating it.
- No more is taken while the backlog is full; what is asked for then costs no signature check.  Only what will wait
  counts: not junk, and not what waits already or is valid.
- One thread parses, a bounded number of bytes at a time: JSON takes twenty times the memory once it is parsed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bigchaindb import canonical
from bigchaindb.exceptions import BigchainDBError, InvalidValue, StorageError, TransactionTooLarge
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

__all__ = ["Intake", "Sent", "Verdict", "read_transaction"]

Refusal: TypeAlias = "BigchainDBError | ProblemError"

_AT_ONCE_BYTES: Final = 2**20
_DEPTH_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one transaction that was sent.

    Attributes:
        id: its id; None where it has none.
        status: how far it has come.
        error: why it was refused, or None.
        text: its canonical signed text, if that was asked for.
    """

    id: str | None
    status: Status
    error: BigchainDBError | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """What one request brought.

    Attributes:
        size_bytes: how large it is.
        split: returns the texts in it, each to become a transaction; may raise why there are none.
        read: makes a transaction of a text, or raises why it is none.
        with_text: whether the verdicts are to have the texts.
        most_bytes: how large each text may be; None where that was looked at.
    """

    size_bytes: int
    split: Callable[[], Sequence[str]]
    read: Callable[[str, Node], Transaction]
    with_text: bool = False
    most_bytes: int | None = None


def read_transaction(text: str, node: Node) -> Transaction:
    """Make a signed transaction of a JSON text.

    Raises:
        TransactionError: it is none.
    """
    return Transaction.from_json(text, node.max_transaction_bytes)


class Intake:
    """The way into one ledger; belongs to one event loop."""

    def __init__(self, ledger: Ledger, most_waiting: int, metrics: Metrics) -> None:
        """Take in for a ledger, as long as not too many transactions wait."""
        self._ledger = ledger
        self._metrics = metrics
        self._most_waiting = most_waiting
        self._waiting = 0
        self._stored = 0
        self._look_at = 0.0
        self._rounds: Rounds[Sent, list[Verdict] | Refusal] = Rounds(
            self._take_in, most=_AT_ONCE_BYTES, weigh=lambda sent: sent.size_bytes
        )

    async def submit(self, sent: Sent) -> list[Verdict]:
        """Take in what a request brought; return what becomes of each transaction, in order.

        Raises:
            ProblemError: the backlog is full, or this is nothing that could be taken in.
            BigchainDBError: the same; or, with `StorageError`, it is not known what was stored: it may be sent again.
        """
        answer = await self._rounds.ask(sent)
        if isinstance(answer, list):
            return answer
        raise answer

    # --- in a thread -----------------------------------------------------------------------------------------

    def _take_in(self, requests: Sequence[Sent]) -> list[list[Verdict] | Refusal]:
        node = self._ledger.node
        answers: list[list[Verdict] | Refusal] = []
        pending: list[_Pending] = []
        size = 0
        for request in requests:
            try:
                texts = self._admitted(request, node, len(pending))
            except StorageError:
                raise
            except (BigchainDBError, ProblemError) as refusal:
                answers.append(refusal)
                continue
            verdicts = [_NO_VERDICT] * len(texts)
            answers.append(verdicts)
            for place, text in enumerate(texts):
                transaction = _read(request, text, node)
                if isinstance(transaction, Verdict):
                    verdicts[place] = transaction
                    continue
                pending.append(_Pending(verdicts, place, transaction, request.with_text))
                size += len(text)
                if size >= _AT_ONCE_BYTES:
                    self._write(node, pending)
                    pending, size = [], 0
        self._write(node, pending)
        return answers

    def _admitted(self, request: Sent, node: Node, pending: int) -> Sequence[str]:
        """Return the texts in a request, unless the backlog has no room for so many beside those that are pending."""
        texts = request.split()
        room, new = self._room(node, pending + len(texts)) - pending, len(texts)
        if new > room:
            new = self._count_new(request, texts, node)
        if new > max(self._most_waiting, 1):
            message = f"{new} transactions of the batch would wait; this node lets {self._most_waiting} wait"
            raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, field="document")
        if new > max(room, 0):
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self._most_waiting} transactions or more would wait to be decided; try again later",
                headers={"Retry-After": str(_RETRY_SECONDS)},
            )
        return texts

    def _count_new(self, request: Sent, texts: Sequence[str], node: Node) -> int:
        """Return how many texts are transactions that neither wait, signed in this way, nor are valid."""
        read = (_read(request, text, node) for text in texts)
        ids = {item.hash: item.id for item in read if isinstance(item, Transaction)}
        valid = set(self._ledger.queries.valid(list(ids.values())))
        found = node.storage.waiting([txid for txid in ids.values() if txid not in valid])
        waiting = {stored.hash for texts_of_id in found.values() for stored in texts_of_id}
        return sum(hash_ not in waiting and txid not in valid for hash_, txid in ids.items())

    def _room(self, node: Node, wanted: int) -> int:
        """Return how many transactions the backlog has room for.

        They are counted once in a while, and anew where less than is wanted seems to be left: what was stored meanwhile
        counts in full, though some of it may have been waiting before.
        """
        now = time.monotonic()
        room = self._most_waiting - self._waiting - self._stored
        if now < self._look_at and (room >= wanted or not self._stored):
            return room
        self._waiting, self._stored = node.storage.backlog_size(), 0
        self._look_at = now + _DEPTH_SECONDS
        return self._most_waiting - self._waiting

    def _write(self, node: Node, pending: Sequence[_Pending]) -> None:
        """Check transactions, store those that are sound, and say what became of each."""
        if not pending:
            return
        transactions = [item.transaction for item in pending]
        with self._metrics.storage("check"):
            errors = node.validate(transactions)
            sound = [t for t, error in zip(transactions, errors, strict=True) if error is None]
            valid = set(self._ledger.queries.valid([t.id for t in sound]))
        stored = list({t.hash: t for t in sound if t.id not in valid}.values())
        with self._metrics.storage("write"):
            node.store(stored)
        self._stored += len(stored)
        for item, error in zip(pending, errors, strict=True):
            t = item.transaction
            status = Status.UNKNOWN if error else Status.VALID if t.id in valid else Status.BACKLOG
            item.verdicts[item.place] = Verdict(t.id, status, error, t.text if item.with_text and not error else "")


@dataclass(frozen=True, slots=True)
class _Pending:
    """A transaction that was read, and where its verdict goes."""

    verdicts: list[Verdict]
    place: int
    transaction: Transaction
    with_text: bool


_NO_VERDICT: Final = Verdict(None, Status.UNKNOWN)


def _read(request: Sent, text: str, node: Node) -> Transaction | Verdict:
    if request.most_bytes is not None and len(text.encode()) > request.most_bytes:
        # As if it had come alone.
        error = TransactionTooLarge(f"the body has more than {request.most_bytes} bytes")
        return Verdict(None, Status.UNKNOWN, error)
    try:
        return request.read(text, node)
    except StorageError:
        raise
    except BigchainDBError as error:
        return Verdict(_id_in(text), Status.UNKNOWN, error)


def _id_in(text: str) -> str | None:
    """Return the id in what is no transaction, if there is one."""
    try:
        document: Any = canonical.loads(text)
    except InvalidValue:
        return None
    txid = document.get("id") if isinstance(document, dict) else None
    return txid if is_hash(txid) else None
