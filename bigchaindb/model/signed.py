"""Documents that a node signs: votes, decisions, pledges and rejections share one form.

The form is `{"node_pubkey", "signature", <kind>: body}`, the signature being over the canonical body (design.md
section 3).

Invariants:

- A parsed document's text is canonical, its fields are exactly those of the form, and its signature is the node's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bigchaindb import canonical
from bigchaindb.crypto import VerifyingKey
from bigchaindb.exceptions import BlockError, InvalidValue
from bigchaindb.model.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from bigchaindb.crypto import SigningKey

__all__ = ["parse_signed", "shape", "sign_document"]

shape: Final = Shape(BlockError)


def sign_document(kind: str, body: dict[str, Any], key: SigningKey) -> str:
    """Return the canonical text of a signed document."""
    signature = key.sign(canonical.dumps(body))
    return canonical.dumps({"node_pubkey": str(key.verifying_key), "signature": signature, kind: body})


def parse_signed(text: str, kind: str, fields: AbstractSet[str]) -> tuple[str, dict[str, Any]]:
    """Return (node public key, body) of a signed document.

    Args:
        text: canonical text of the document.
        kind: name of the body's field.
        fields: the body's exact fields; their values are not looked at.

    Raises:
        BlockError: not canonical, not of that form, or not signed by the key it names.
    """
    try:
        document = canonical.loads_canonical(text, kind)
    except InvalidValue as error:
        raise BlockError(str(error), field=error.field) from error
    shape.fields(document, f"{kind} document", {"node_pubkey", "signature", kind})
    node = shape.key(document["node_pubkey"], "node_pubkey")
    body = shape.fields(document[kind], kind, fields)
    signature = shape.text(document["signature"], "signature")
    if not VerifyingKey(node).verify(canonical.dumps(body), signature):
        raise BlockError(f"signature: is not that of {node}", field="signature")
    return node, body
