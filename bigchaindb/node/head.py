"""A node's head: the one document that says how far its votes and decisions have come (design.md section 3).

Invariants:

- It changes by compare-and-set only, and its generation rises by one with everything cast.
- It holds the full bytes of every vote and decision not yet known to be stored in its place, so that whoever takes the
  seat next can fill those places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bigchaindb import canonical
from bigchaindb.exceptions import BlockError, InvalidValue, JournalError
from bigchaindb.model.decision import Decision
from bigchaindb.model.shape import Shape
from bigchaindb.model.vote import Vote

__all__ = ["Head", "PendingDecision"]

_PENDING_FIELDS: Final = 3
_shape: Final = Shape(JournalError)


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
            JournalError: it is no head; the message names the field.
        """
        try:
            document = canonical.loads_canonical(text, "head")
        except InvalidValue as error:
            raise _shape.fail("head", str(error)) from error
        _shape.fields(document, "head", set(cls.__slots__))
        decision = document["decision"]
        return cls(
            epoch=_shape.integer(document["epoch"], "head.epoch"),
            generation=_shape.integer(document["generation"], "head.generation"),
            vote=_shape.hash(document["vote"], "head.vote"),
            sequence=_shape.integer(document["sequence"], "head.sequence"),
            decision=None if decision is None else _shape.hash(decision, "head.decision"),
            valid_transactions=_shape.integer(document["valid_transactions"], "head.valid_transactions"),
            newest_time=_shape.timestamp(document["newest_time"], "head.newest_time"),
            votes=tuple(_vote(item) for item in _shape.items(document["votes"], "head.votes", least=0)),
            decisions=tuple(_decision(item) for item in _shape.items(document["decisions"], "head.decisions", least=0)),
        )


def _vote(text: Any) -> str:
    try:
        return Vote.from_text(_shape.text(text, "head.votes")).text
    except BlockError as error:
        raise _shape.fail("head.votes", str(error)) from error


def _decision(item: Any) -> PendingDecision:
    fields = _shape.items(item, "head.decisions", least=_PENDING_FIELDS)
    try:
        text = Decision.from_text(_shape.text(fields[0], "head.decisions")).text
    except BlockError as error:
        raise _shape.fail("head.decisions", str(error)) from error
    return PendingDecision(
        text, _shape.integer(fields[1], "head.decisions"), _shape.timestamp(fields[2], "head.decisions")
    )
