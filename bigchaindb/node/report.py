"""What a node can say of its ledger at a glance, for `bigchaindb status`.

Invariants:

- Cheap: the cost grows with the number of members and the evidence kept, not with the ledger.
- Nothing is judged here: what is decided is what this node, or the member spoken of, has recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigchaindb.exceptions import BlockError
from bigchaindb.model.decision import Decision
from bigchaindb.node.evidence import Misdeed, misdeeds

if TYPE_CHECKING:
    from bigchaindb.node.node import Node
    from bigchaindb.storage.records import DecisionRow

__all__ = ["MemberReport", "Report", "report"]


@dataclass(frozen=True, slots=True)
class MemberReport:
    """How far a member has come.

    Attributes:
        node: its public key.
        decided: how many blocks it has decided.
        last_decided_at: when it decided the last, Unix seconds by its clock; None if it has decided none.
    """

    node: str
    decided: int
    last_decided_at: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """A node's view of its ledger.

    Attributes:
        members: how far each member of the present federation has come, this node first.
        blocks: how many blocks are stored.
        latest: this node's last decision, or None.
        backlog: how many transactions wait.
        misdeeds: what members did that an honest node never does.
    """

    members: tuple[MemberReport, ...]
    blocks: int
    latest: DecisionRow | None
    backlog: int
    misdeeds: tuple[Misdeed, ...]


def report(node: Node) -> Report:
    """Look at a ledger.

    Raises:
        StorageUnavailable: the database is out of reach.
    """
    others = [member for member in node.federation if member != node.me]
    return Report(
        tuple(_member(node, member) for member in [node.me, *others]),
        node.storage.block_count(),
        node.storage.latest_decision(node.me),
        node.storage.backlog_size(),
        tuple(misdeeds(node)),
    )


def _member(node: Node, member: str) -> MemberReport:
    row = node.storage.latest_decision(member)
    if row is None:
        return MemberReport(member, 0, None)
    try:
        decision = Decision.from_text(row.text)
    except BlockError:
        return MemberReport(member, 0, None)  # somebody else's words in that member's log
    if decision.node != member or decision.ledger != node.ledger:
        return MemberReport(member, 0, None)
    return MemberReport(member, decision.sequence, decision.timestamp)
