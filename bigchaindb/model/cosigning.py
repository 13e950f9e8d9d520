"""Signatures that several owners make each on a machine of their own, on their way to whoever puts them together.

What travels is a list of `{"fid", "public_key", "signature"}`: which fulfillment of the transaction, whose signature
(base58), and the 64 bytes (base58).  The transaction travels beside it.

Invariants:

- A signature is good for one transaction and one of the outputs it spends, and for nothing else.
- What somebody else has made is only ever tried: no signature that is wrong gets into a transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bigchaindb import cryptoconditions as cc
from bigchaindb.crypto import SIGNATURE_BYTES, SIGNATURE_CHARACTERS, decode_base58
from bigchaindb.exceptions import InvalidValue, MissingKey
from bigchaindb.model.building import lock_of, spent_output
from bigchaindb.model.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bigchaindb.crypto import SigningKey
    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Output, Transaction

__all__ = ["as_signatures", "cosign"]

_shape: Final = Shape(InvalidValue)
_SIGNATURE: Final = frozenset({"fid", "public_key", "signature"})


def cosign(
    transaction: Transaction, keys: Mapping[str, SigningKey], spent: Mapping[OutputRef, Output]
) -> list[dict[str, Any]]:
    """Return the signatures that some of the owners can give a transaction.

    Args:
        transaction: what to sign; whether it is signed already makes no difference.
        keys: signing keys by public key.
        spent: the outputs that the inputs name.

    Raises:
        TransactionDoesNotExist: an input is not in `spent`.
        MissingKey: none of these keys is asked for.
    """
    made: list[dict[str, Any]] = []
    for fulfillment in transaction.fulfillments:
        output = spent_output(fulfillment, spent)
        parts = cc.sign_parts(lock_of(fulfillment, output), transaction.message(fulfillment, output), keys)
        made += [
            {"fid": fulfillment.fid, "public_key": part.public_key, "signature": part.to_json()["signature"]}
            for part in parts
        ]
    if not made:
        field = "transaction.fulfillments"
        raise MissingKey(f"{field}: none asks for a signature by {', '.join(keys) or 'nobody'}", field=field)
    return made


def as_signatures(value: Any) -> dict[int, list[cc.Ed25519Fulfillment]]:
    """Read what `cosign` returned elsewhere: the signatures for each fid.

    Raises:
        InvalidValue: it is no such list; the message says where.
    """
    signatures: dict[int, list[cc.Ed25519Fulfillment]] = {}
    for i, item in enumerate(_shape.items(value, "signatures", least=0)):
        field = f"signatures[{i}]"
        _shape.fields(item, field, _SIGNATURE)
        key = _shape.key(item["public_key"], f"{field}.public_key")
        try:
            raw = decode_base58(item["signature"], SIGNATURE_BYTES, SIGNATURE_CHARACTERS)
        except InvalidValue as error:
            raise _shape.fail(f"{field}.signature", str(error)) from error
        fid = _shape.integer(item["fid"], f"{field}.fid")
        signatures.setdefault(fid, []).append(cc.Ed25519Fulfillment(key, raw))
    return signatures
