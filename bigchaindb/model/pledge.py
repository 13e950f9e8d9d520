"""Pledges: a node's word that it uses a history of federations, and casts no vote under an earlier one (design.md 3.3).

The body is `{"ledger", "federations", "timestamp"}`, `federations` being the members of each, sorted, oldest first.
Votes say no such thing: a block names its voters, and the same may have been the federation before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb.model.signed import parse_signed, shape, sign_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.crypto import SigningKey

__all__ = ["Pledge"]

_FIELDS: Final = frozenset({"ledger", "federations", "timestamp"})


@dataclass(frozen=True, slots=True)
class Pledge:
    """A well-signed pledge.

    Attributes:
        node: public key of the node that gives it.
        ledger: id of the genesis block.
        federations: members of each federation, sorted, oldest first; the last is the one that the node votes under.
        timestamp: Unix seconds by the node's clock.
        text: canonical signed text.
    """

    node: str
    ledger: str
    federations: tuple[tuple[str, ...], ...]
    timestamp: str
    text: str

    @classmethod
    def sign(cls, ledger: str, federations: Sequence[Sequence[str]], timestamp: str, key: SigningKey) -> Pledge:
        """Make a pledge."""
        history = tuple(tuple(members) for members in federations)
        body = {"ledger": ledger, "federations": [list(members) for members in history], "timestamp": timestamp}
        return cls(str(key.verifying_key), ledger, history, timestamp, sign_document("pledge", body, key))

    @classmethod
    def from_text(cls, text: str) -> Pledge:
        """Check a canonical text and its signature.

        Raises:
            BlockError: it is no well-signed pledge.
        """
        node, body = parse_signed(text, "pledge", _FIELDS)
        federations = shape.items(body["federations"], "pledge.federations")
        return cls(
            node,
            shape.hash(body["ledger"], "pledge.ledger"),
            tuple(shape.keys(members, f"pledge.federations[{i}]") for i, members in enumerate(federations)),
            shape.timestamp(body["timestamp"], "pledge.timestamp"),
            text,
        )
