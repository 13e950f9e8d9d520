"""Outputs that are locked with a condition of one's own.

Invariants:

- Nothing given is changed.
- No secret gets into a transaction: of a hash lock, nothing but the hash.
"""

from __future__ import annotations

from typing import Any, Final

from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import InvalidValue, TransactionMalformed
from bigchaindb.model.shape import Shape, shown
from bigchaindb.model.transaction import transaction_id

__all__ = ["check_lock", "locked_with", "owners_of"]

_FIELD: Final = "condition"

_shape: Final = Shape(TransactionMalformed)


def check_lock(lock: Any) -> None:
    """Check that something can lock an output.

    Raises:
        InvalidValue: it is no condition, or tells a secret.
        ConditionError: its structure breaks a limit.
    """
    if not isinstance(lock, cc.Fulfillment | cc.Condition):
        raise InvalidValue(f"{_FIELD}: must be a Fulfillment or Condition, not {shown(lock)}", field=_FIELD)
    if any(isinstance(node, cc.PreimageSha256Fulfillment) for node in cc.walk(lock)):
        raise InvalidValue(
            f"{_FIELD}: would tell the secret of a hash lock to everybody; put its `.condition` in its place",
            field=_FIELD,
        )


def owners_of(lock: cc.Node) -> list[str] | None:
    """Return the keys that a lock names, as the owners of an output; None where it names none."""
    return list(cc.public_keys(lock)) or None


def locked_with(document: dict[str, Any], lock: cc.Node | None) -> dict[str, Any]:
    """Return an unsigned transaction with all of its outputs locked by a condition.

    Args:
        document: a transaction as `create_transaction` returns it.
        lock: what was checked; None to leave them to their owners.

    Raises:
        TransactionMalformed: there are neither owners nor a condition.
    """
    body = document["transaction"]
    if lock is None:
        if body["conditions"][0]["condition"] is None:
            raise _shape.fail("new_owners", "name nobody, and there is no condition in their place")
        return document
    conditions = []
    for output in body["conditions"]:
        condition: dict[str, Any] = {"uri": lock.condition_uri}
        # Details belong to owners: the format has no output with the one and without the other.
        if isinstance(lock, cc.Fulfillment) and output["new_owners"]:
            condition["details"] = lock.to_json()
        conditions.append({**output, "condition": condition})
    body = {**body, "conditions": conditions}
    return {**document, "id": transaction_id(body), "transaction": body}
