"""What the voters of a block have made of it: by well-signed votes and decision records only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bigchaindb.consensus.tally import is_quorum, tally
from bigchaindb.exceptions import BlockError
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.genesis import Quorum
from bigchaindb.node.view import read_vote

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from bigchaindb.model.block import Header
    from bigchaindb.node.node import Node
    from bigchaindb.storage.records import DecisionRow

__all__ = ["found_valid", "honest_verdict", "quorum_verdict", "recorded_decisions"]


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


def found_valid(node: Node, block_ids: Collection[str]) -> set[str]:
    """Return which of these blocks others have found valid, as far as what they have signed shows it.

    Of a block whose electorate this node does not know, the present members' records tell.
    """
    if not block_ids:
        return set()
    ids = sorted(block_ids)
    headers = node.view.headers(ids)
    places, records = node.storage.votes(ids), node.storage.decisions_on(ids)
    present = replace(node.genesis.block.header, ledger=node.ledger, voters=node.federation)
    found = set()
    for block_id in ids:
        header = headers[block_id]
        if header is None or header.voters not in node.federations:
            header = present
        votes = {
            voter: vote.is_valid
            for voter, text in places.get(block_id, {}).items()
            if (vote := read_vote(text, block_id, voter))
        }
        by_record = honest_verdict(records.get(block_id, ()), block_id, header, node.quorum)
        if by_record or tally(header.voters, votes, node.quorum):
            found.add(block_id)
    return found
