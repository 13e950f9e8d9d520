"""Transactions as a node would serve them: `created("alice")`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bigchaindb.client.locks import locked_with
from bigchaindb.model.building import create_transaction, sign_transaction
from bigchaindb.model.transaction import Transaction
from bigchaindb.model.unlocking import as_signing_keys
from tests.model.documents import TIMESTAMP
from tests.onenode import private, public

if TYPE_CHECKING:
    from bigchaindb import cryptoconditions as cc

__all__ = ["created"]


def created(*owners: str, payload: Any = None, lock: cc.Node | None = None, timestamp: str = TIMESTAMP) -> Transaction:
    """A signed CREATE by the node for owners by name."""
    keys = [public(owner) for owner in owners]
    unsigned = create_transaction(public("node"), keys, [], "CREATE", payload=payload, timestamp=timestamp)
    if lock is not None:
        unsigned = locked_with(unsigned, lock)
    return Transaction.from_dict(sign_transaction(unsigned, as_signing_keys(private("node")), {}))
