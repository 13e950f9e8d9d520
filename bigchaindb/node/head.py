"""A node's head: the one document that says how far its votes and decisions have come (design.md section 3).

Invariants:

- It changes by compare-and-set only, and its generation rises by one with everything cast.
- It holds the full bytes of every vote and decision not yet known to be stored in its place, so that whoever takes the
  seat next can fill those places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bigchaindb import canonical

__all__ = ["Head", "PendingDecision"]


@dataclass(frozen=True, slots=True)
class PendingDecision:
    """A decision, with what is indexed beside it.

    Attributes:
        text: canonical signed decision.
        valid_transactions: how many transactions were decided valid up to here.
        newest_time: latest timestamp of a block decided valid up to here.
    """

    text: str
    valid_transactions: int
    newest_time: str


@dataclass(frozen=True, slots=True)
class Head:
    """The head.

    Attributes:
        epoch: rises whenever a voter takes the seat.
        generation: rises whenever something is cast.
        vote: the block voted on last; genesis before the first vote.
        sequence: number of the last decision; 0 before the first.
        decision: hash of the last decision; None before the first.
        valid_transactions: how many transactions were decided valid.
        newest_time: latest timestamp of a block decided valid, Unix seconds; genesis' before the first.
        votes: texts of votes not yet known to be in their places.
        decisions: the same of decisions.
    """

    epoch: int
    generation: int
    vote: str
    sequence: int
    decision: str | None
    valid_transactions: int
    newest_time: str
    votes: tuple[str, ...] = ()
    decisions: tuple[PendingDecision, ...] = ()

    def to_text(self) -> str:
        """Return the canonical text."""
        document: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        document["votes"] = list(self.votes)
        document["decisions"] = [[d.text, d.valid_transactions, d.newest_time] for d in self.decisions]
        return canonical.dumps(document)

    @classmethod
    def from_text(cls, text: str) -> Head:
        """Read what `to_text` wrote.

        Raises:
            InvalidValue: not JSON.
            TypeError: JSON, but no head.
        """
        document = canonical.loads(text, "head")
        document["votes"] = tuple(document["votes"])
        document["decisions"] = tuple(PendingDecision(*item) for item in document["decisions"])
        return cls(**document)
