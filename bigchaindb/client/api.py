"""What can be asked of a node, and its answers as values that were checked.

Invariants:

- A transaction is returned only if its id, which covers all of it but the fulfillments, is the one that was asked for.
- Whatever else is wrong with an answer is `UnexpectedAnswer`.
- Pages are fetched as they are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bigchaindb.client.answers import clean
from bigchaindb.exceptions import TransactionDoesNotExist, TransactionError, UnexpectedAnswer
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.shape import Shape
from bigchaindb.model.status import Status
from bigchaindb.model.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bigchaindb.client.answers import Answer
    from bigchaindb.client.connection import Connection

__all__ = ["MAX_TRANSACTION_BYTES", "Api"]

# The most that any node can be set to accept; what this one accepts, it says itself.
MAX_TRANSACTION_BYTES: Final = 4 * 2**20

_API: Final = "/api/v1"
_OUTPUTS_A_PAGE: Final = 1000
_TRANSACTIONS_A_PAGE: Final = 100

_shape: Final = Shape(UnexpectedAnswer)


class Api:
    """The API of a node."""

    def __init__(self, connection: Connection) -> None:
        """Ask over this connection."""
        self._connection = connection

    def transaction(self, txid: str) -> Transaction:
        """Return a transaction, whatever its status.

        Raises:
            TransactionDoesNotExist: the node knows none with this id.
        """
        answer = self._connection.get(f"{_API}/transactions/{txid}")
        return _transaction(answer, answer.json(), txid)

    def post_transaction(self, transaction: Transaction) -> None:
        """Send a signed transaction.

        Raises:
            TransactionError: it was refused.
            BacklogFull: not now.
        """
        answer = self._connection.post(f"{_API}/transactions", transaction.text)
        _accepted(answer, transaction.id)

    def post_asset(self, document: str) -> Transaction:
        """Have the node make, sign and accept a CREATE, and return it.

        Raises:
            AccessDenied: it does that for others only.
        """
        answer = self._connection.post(f"{_API}/assets", document, token=True)
        value = answer.json()
        return _transaction(answer, _member(answer, value, "transaction"), _member(answer, value, "id"))

    def status(self, txid: str) -> tuple[Status, str | None]:
        """Return how far a transaction has come, and why it was rejected."""
        answer = self._connection.get(f"{_API}/statuses", {"transaction_id": txid})
        try:
            value = answer.json()
        except TransactionDoesNotExist:
            return Status.UNKNOWN, None
        try:
            status = Status(_member(answer, value, "status"))
        except ValueError as error:
            raise answer.unexpected("has no `status` that is one") from error
        reason = value.get("reason")
        return status, clean(reason) if isinstance(reason, str) else None

    def outputs(self, public_key: str, spent: bool | None) -> Iterator[OutputRef]:  # noqa: FBT001 - as the API has it
        """Yield the outputs of valid transactions that a key owns or owned, oldest first."""
        params = {"public_key": public_key, "spent": None if spent is None else str(spent).lower()}
        for answer, item in self._items(f"{_API}/outputs", params, _OUTPUTS_A_PAGE):
            yield OutputRef(
                _shape.hash(_member(answer, item, "txid"), "txid"), _shape.integer(_member(answer, item, "cid"), "cid")
            )

    def history(self, txid: str) -> Iterator[Transaction]:
        """Yield the valid transactions of an asset, from CREATE on.

        Raises:
            TransactionDoesNotExist: there is no such valid transaction.
        """
        for answer, item in self._items(f"{_API}/transactions/{txid}/history", {}, _TRANSACTIONS_A_PAGE):
            yield _transaction(answer, item)

    def _items(self, path: str, params: Mapping[str, Any], limit: int) -> Iterator[tuple[Answer, Any]]:
        cursor: str | None = None
        while True:
            answer = self._connection.get(path, {**params, "limit": limit, "cursor": cursor})
            page = answer.json()
            items, following = _member(answer, page, "items"), _member(answer, page, "next")
            if not isinstance(items, list) or not (following is None or isinstance(following, str)):
                raise answer.unexpected("is no page")
            for item in items:
                yield answer, item
            if following is None:
                return
            if following == cursor or not items:
                raise answer.unexpected("leads to itself")
            cursor = following


def _member(answer: Answer, value: Any, name: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise answer.unexpected(f"has no `{name}`")
    return value[name]


def _accepted(answer: Answer, txid: str) -> None:
    if _member(answer, answer.json(), "id") != txid:
        raise answer.unexpected(f"is not about {txid}")


def _transaction(answer: Answer, document: Any, txid: str | None = None) -> Transaction:
    try:
        transaction = Transaction.from_dict(document, MAX_TRANSACTION_BYTES)
    except TransactionError as error:
        raise answer.unexpected(f"holds no transaction: {clean(str(error))}") from error
    if txid is not None and transaction.id != txid:
        raise answer.unexpected(f"holds {transaction.id}, not {txid}")
    return transaction
