"""Transactions to change and to break: each call gives a document of the caller's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bigchaindb.model.building import create_transaction
from bigchaindb.model.reference import OutputRef
from tests.ledgers import key, public

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ABSENT", "create", "put", "spent_id", "transfer"]

ABSENT = object()
TIMESTAMP = "1460981667.449279"


def spent_id(number: int) -> str:
    """The id of a transaction that might be spent."""
    return f"{number:064x}"


def create() -> dict[str, Any]:
    """An unsigned CREATE with a payload."""
    return create_transaction(
        public(key("node 0")), public(key("a")), [], "CREATE", payload={"kind": "boat"}, timestamp=TIMESTAMP
    )


def transfer(inputs: int = 2) -> dict[str, Any]:
    """An unsigned TRANSFER, to two owners together."""
    refs = [OutputRef(spent_id(i), i) for i in range(inputs)]
    owners = public([key("b"), key("c")])
    return create_transaction(public(key("a")), owners, refs, "TRANSFER", payload={"to": "b"}, timestamp=TIMESTAMP)


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Change the place at a path such as `transaction.conditions[0].cid`; ABSENT takes it away."""
    parts = path.replace("[", ".").replace("]", "").split(".")
    *steps, last = [int(part) if part.isdigit() else part for part in parts]

    def change(document: Any) -> None:
        for step in steps:
            document = document[step]
        if value is ABSENT:
            del document[last]
        elif isinstance(document, list) and last == len(document):
            document.append(value)
        else:
            document[last] = value

    return change
