"""The walkthrough's helpers, thin over the real modules."""

from __future__ import annotations

from typing import Any, Final

from bigchaindb import canonical
from bigchaindb.core import Bigchain
from bigchaindb.exceptions import InvalidValue, TransactionMalformed
from bigchaindb.model.shape import Shape, shown
from bigchaindb.model.transaction import transaction_id

__all__ = ["get_fulfillment_message", "get_hash_data"]

_shape: Final = Shape(TransactionMalformed)


def get_hash_data(tx: Any) -> str:
    """Return the id that a transaction should have, whatever id it has now.

    Args:
        tx: a transaction as a dict; only its `transaction` is looked at.

    Raises:
        TransactionMalformed: it has no such field, or that has no canonical text.
    """
    if not isinstance(tx, dict) or not isinstance(tx.get("transaction"), dict):
        raise _shape.fail("transaction", "must be a dict inside the document")
    return transaction_id(tx["transaction"])


def get_fulfillment_message(
    tx: Any,
    fulfillment: Any,
    serialized: bool = False,  # noqa: FBT001, FBT002 - the walkthrough's signature
    bigchain: Bigchain | None = None,
) -> Any:
    """Return what a fulfillment signs.

    Args:
        tx: a transaction as a dict.
        fulfillment: one of its fulfillments, or anything with that one's `fid`.
        serialized: True for the canonical text, which is what is signed; False for the value.
        bigchain: where to look the spent output up; None opens the default ledger for this call.

    Raises:
        TransactionError: the transaction is malformed, or the output it spends is not in the ledger.
        InvalidValue: `serialized` is no bool, or `bigchain` is none.
    """
    if not isinstance(serialized, bool):  # most likely a `bigchain` that slipped into its place
        raise InvalidValue(f"serialized: must be a bool, not {shown(serialized)}", field="serialized")
    if bigchain is not None and not isinstance(bigchain, Bigchain):
        raise InvalidValue(f"bigchain: must be a Bigchain or None, not {shown(bigchain)}", field="bigchain")
    if not isinstance(fulfillment, dict):
        raise _shape.fail("fulfillment", "must be a dict")
    fid = _shape.integer(fulfillment.get("fid"), "fulfillment.fid")
    if bigchain is not None:
        text = bigchain.fulfillment_message(tx, fid)
    else:
        with Bigchain() as default:
            text = default.fulfillment_message(tx, fid)
    return text if serialized else canonical.loads(text)
