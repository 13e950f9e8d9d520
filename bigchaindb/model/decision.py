"""Decision records: what a node has seen decided, for ever (design.md section 3).

A node's decisions form a log: sequence 1, 2, ..., each naming the hash of the canonical `decision` before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from bigchaindb import canonical, crypto
from bigchaindb.model.signed import parse_signed, shape, sign_document

if TYPE_CHECKING:
    from bigchaindb.crypto import SigningKey

__all__ = ["Decision", "Verdict"]

_FIELDS: Final = frozenset({"ledger", "sequence", "block", "verdict", "previous", "timestamp"})


class Verdict(StrEnum):
    """How a block was decided."""

    VALID = "valid"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Decision:
    """A well-signed decision record.

    Attributes:
        node: public key of the node whose log it is.
        ledger: id of the genesis block.
        sequence: position in the log, from 1.
        block_id: the block decided.
        verdict: valid or invalid.
        previous: hash of the decision before; None for the first.
        timestamp: Unix seconds by the node's clock.
        text: canonical signed text.
    """

    node: str
    ledger: str
    sequence: int
    block_id: str
    verdict: Verdict
    previous: str | None
    timestamp: str
    text: str

    @classmethod
    def sign(  # noqa: PLR0913 - one argument per field of the format
        cls,
        *,
        ledger: str,
        sequence: int,
        block_id: str,
        verdict: Verdict,
        previous: str | None,
        timestamp: str,
        key: SigningKey,
    ) -> Decision:
        """Make a decision record."""
        body = {
            "ledger": ledger,
            "sequence": sequence,
            "block": block_id,
            "verdict": str(verdict),
            "previous": previous,
            "timestamp": timestamp,
        }
        text = sign_document("decision", body, key)
        return cls(str(key.verifying_key), ledger, sequence, block_id, verdict, previous, timestamp, text)

    @classmethod
    def from_text(cls, text: str) -> Decision:
        """Check a canonical text and its signature.

        Raises:
            BlockError: it is no well-signed decision.
        """
        node, body = parse_signed(text, "decision", _FIELDS)
        verdict = shape.text(body["verdict"], "decision.verdict")
        if verdict not in set(Verdict):
            raise shape.fail("decision.verdict", f"must be valid or invalid, not {verdict[:20]!r}")
        previous = body["previous"]
        return cls(
            node,
            shape.hash(body["ledger"], "decision.ledger"),
            shape.integer(body["sequence"], "decision.sequence", least=1),
            shape.hash(body["block"], "decision.block"),
            Verdict(verdict),
            None if previous is None else shape.hash(previous, "decision.previous"),
            shape.timestamp(body["timestamp"], "decision.timestamp"),
            text,
        )

    @property
    def hash(self) -> str:
        """What the next decision of the log names as `previous`."""
        return crypto.hash_data(canonical.dumps(canonical.parse_trusted(self.text)["decision"]))
