"""What the voters of a block have recorded of it: well-signed decision records only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bigchaindb.consensus.tally import is_quorum
from bigchaindb.exceptions import BlockError
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.genesis import Quorum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bigchaindb.model.block import Header
    from bigchaindb.storage.records import DecisionRow

__all__ = ["honest_verdict", "quorum_verdict", "recorded_decisions"]


def recorded_decisions(rows: Iterable[DecisionRow], block_id: str, header: Header) -> dict[str, Decision]:
    """Return the decision of each voter of a block that has recorded one.

    Args:
        rows: what storage holds on the block, believed in nothing.
        block_id: the block.
        header: its header, which says who votes.
    """
    found: dict[str, Decision] = {}
    for row in rows:
        try:
            decision = Decision.from_text(row.text)
        except BlockError:
            continue
        if decision.block_id == block_id and decision.ledger == header.ledger and decision.node in header.voters:
            found.setdefault(decision.node, decision)
    return found


def honest_verdict(rows: Iterable[DecisionRow], block_id: str, header: Header, quorum: Quorum) -> bool | None:
    """Return what at least one honest voter of a block has recorded, None where too few have.

    Honest nodes all decide alike, so that one's word would be enough; under `two-thirds` it takes one more than may
    lie.  Under `majority` nothing is promised if anybody lies, and a single one shall not decide alone: a quorum.
    """
    if quorum is not Quorum.TWO_THIRDS:
        return quorum_verdict(rows, block_id, header, quorum)
    verdicts = [decision.verdict for decision in recorded_decisions(rows, block_id, header).values()]
    least = (len(header.voters) - 1) // 3 + 1
    agreed = [verdict is Verdict.VALID for verdict in Verdict if verdicts.count(verdict) >= least]
    return agreed[0] if len(agreed) == 1 else None


def quorum_verdict(rows: Iterable[DecisionRow], block_id: str, header: Header, quorum: Quorum) -> bool | None:
    """Return what a quorum of a block's voters has recorded, None where there is no quorum."""
    verdicts = [decision.verdict for decision in recorded_decisions(rows, block_id, header).values()]
    for verdict in Verdict:
        if is_quorum(verdicts.count(verdict), len(header.voters), quorum):
            return verdict is Verdict.VALID
    return None
