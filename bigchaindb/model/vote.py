"""Votes: what one node thinks of one block (design.md section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb.model.signed import parse_signed, shape, sign_document

if TYPE_CHECKING:
    from bigchaindb.crypto import SigningKey

__all__ = ["MAX_REASON_CHARACTERS", "Vote"]

MAX_REASON_CHARACTERS: Final = 1000

_FIELDS: Final = frozenset({"voting_for_block", "previous_block", "is_block_valid", "invalid_reason", "timestamp"})


@dataclass(frozen=True, slots=True)
class Vote:
    """A well-signed vote.

    Attributes:
        node: public key of the voter.
        block_id: the block voted on.
        previous_block: the block that this node voted on before; genesis for its first vote.
        is_valid: yes or no.
        reason: why not; None for yes.
        timestamp: Unix seconds by the voter's clock.
        text: canonical signed text.
    """

    node: str
    block_id: str
    previous_block: str
    is_valid: bool
    reason: str | None
    timestamp: str
    text: str

    @classmethod
    def sign(  # one argument per field of the format
        cls, block_id: str, previous_block: str, reason: str | None, timestamp: str, key: SigningKey
    ) -> Vote:
        """Make a vote: "no" if there is a reason, else "yes"."""
        reason = reason[:MAX_REASON_CHARACTERS] if reason is not None else None
        body = {
            "voting_for_block": block_id,
            "previous_block": previous_block,
            "is_block_valid": reason is None,
            "invalid_reason": reason,
            "timestamp": timestamp,
        }
        text = sign_document("vote", body, key)
        return cls(str(key.verifying_key), block_id, previous_block, reason is None, reason, timestamp, text)

    @classmethod
    def from_text(cls, text: str) -> Vote:
        """Check a canonical text and its signature.

        Raises:
            BlockError: it is no well-signed vote.
        """
        node, body = parse_signed(text, "vote", _FIELDS)
        is_valid, reason = body["is_block_valid"], body["invalid_reason"]
        if not isinstance(is_valid, bool):
            raise shape.fail("vote.is_block_valid", "must be true or false")
        if (reason is None) is not is_valid:
            raise shape.fail("vote.invalid_reason", "a vote has a reason if and only if it is a no")
        if reason is not None:
            shape.text(reason, "vote.invalid_reason")
        return cls(
            node,
            shape.hash(body["voting_for_block"], "vote.voting_for_block"),
            shape.hash(body["previous_block"], "vote.previous_block"),
            is_valid,
            reason,
            shape.timestamp(body["timestamp"], "vote.timestamp"),
            text,
        )
