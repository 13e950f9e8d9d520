"""Rejection records: why a signed text can never become valid (design.md section 3.2).

The body is `{"ledger", "transaction_hash", "transaction_id", "reason", "evidence", "timestamp"}`; the hash is that of
the whole signed text, since another text under the same id may be fine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb.model.signed import parse_signed, shape, sign_document

if TYPE_CHECKING:
    from bigchaindb.crypto import SigningKey

__all__ = ["Rejection"]

_FIELDS: Final = frozenset({"ledger", "transaction_hash", "transaction_id", "reason", "evidence", "timestamp"})


@dataclass(frozen=True, slots=True)
class Rejection:
    """A well-signed rejection record.

    Attributes:
        node: public key of the node that says so.
        ledger: id of the genesis block.
        transaction_hash: hash of the signed text that is rejected.
        transaction_id: its id.
        reason: one line for people.
        evidence: id of the transaction that spent an input first, or None.
        timestamp: Unix seconds by the node's clock.
        text: canonical signed text.
    """

    node: str
    ledger: str
    transaction_hash: str
    transaction_id: str
    reason: str
    evidence: str | None
    timestamp: str
    text: str

    @classmethod
    def sign(  # noqa: PLR0913 - one argument per field of the format
        cls,
        *,
        ledger: str,
        transaction_hash: str,
        transaction_id: str,
        reason: str,
        evidence: str | None,
        timestamp: str,
        key: SigningKey,
    ) -> Rejection:
        """Make a rejection record."""
        body = {
            "ledger": ledger,
            "transaction_hash": transaction_hash,
            "transaction_id": transaction_id,
            "reason": reason,
            "evidence": evidence,
            "timestamp": timestamp,
        }
        text = sign_document("rejection", body, key)
        node = str(key.verifying_key)
        return cls(node, ledger, transaction_hash, transaction_id, reason, evidence, timestamp, text)

    @classmethod
    def from_text(cls, text: str) -> Rejection:
        """Check a canonical text and its signature.

        Raises:
            BlockError: it is no well-signed rejection.
        """
        node, body = parse_signed(text, "rejection", _FIELDS)
        evidence = body["evidence"]
        return cls(
            node,
            shape.hash(body["ledger"], "rejection.ledger"),
            shape.hash(body["transaction_hash"], "rejection.transaction_hash"),
            shape.hash(body["transaction_id"], "rejection.transaction_id"),
            shape.text(body["reason"], "rejection.reason"),
            None if evidence is None else shape.hash(evidence, "rejection.evidence"),
            shape.timestamp(body["timestamp"], "rejection.timestamp"),
            text,
        )
