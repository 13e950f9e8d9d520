"""What the kept evidence proves against members of the federation (design.md section 3).

Storage keeps whatever found its voting place taken, and anybody who reaches the database can put more beside it.  So
nothing there is believed: a misdeed is one that the member's own signatures prove.

Invariants:

- A member is accused by two well-signed votes of its own only: two different ones on one block, or valid ones on two
  blocks that spend the same output in different transactions, neither cast after it had recorded that the other's
  block is invalid.
- How much is read is bounded, however much somebody puts there.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from bigchaindb.exceptions import BlockError, TransactionError
from bigchaindb.model.block import Block
from bigchaindb.model.decision import Verdict
from bigchaindb.model.merkle import leaf_hash
from bigchaindb.node.recorded import recorded_decisions
from bigchaindb.node.view import read_vote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Transaction
    from bigchaindb.model.vote import Vote
    from bigchaindb.node.node import Node
    from bigchaindb.storage.records import VoteRow

__all__ = ["Misdeed", "MisdeedKind", "kept_evidence", "misdeeds"]

_MAX_VOTES: Final = 1_000
_MAX_BLOCKS: Final = 50
# Votes and decisions of one round are signed within a moment, in either order.
_SAME_ROUND_SECONDS: Final = 1.0

_Votes: TypeAlias = "dict[tuple[str, str], dict[str, Vote]]"


class MisdeedKind(StrEnum):
    """What a member did."""

    SECOND_VOTE = "two different votes on a block"
    CONFLICTING_VOTES = "valid votes on two conflicting blocks"


@dataclass(frozen=True, slots=True, order=True)
class Misdeed:
    """Something that an honest node never does.

    Attributes:
        node: public key of the member.
        kind: what it did.
        blocks: ids of the blocks it voted on, sorted.
    """

    node: str
    kind: MisdeedKind
    blocks: tuple[str, ...]


def kept_evidence(node: Node) -> list[VoteRow]:
    """Return what is kept, whatever it is worth; bounded."""
    return node.storage.evidence(_MAX_VOTES)


def misdeeds(node: Node, rows: Sequence[VoteRow]) -> list[Misdeed]:
    """Return what these rows, together with the votes that stand, prove; sorted.

    Args:
        node: whose storage they are from.
        rows: from `kept_evidence`.
    """
    members = {member for federation in node.federations.history for member in federation}
    votes: _Votes = {}
    for row in rows:
        vote = read_vote(row.text, row.block_id, row.node) if row.node in members else None
        if vote:
            votes.setdefault((vote.node, vote.block_id), {})[vote.text] = vote
    for block_id, places in node.storage.votes(sorted({block_id for _, block_id in votes})).items():
        for member, text in places.items():
            standing = read_vote(text, block_id, member) if (member, block_id) in votes else None
            if standing:
                votes[member, block_id][text] = standing
    found = {
        Misdeed(member, MisdeedKind.SECOND_VOTE, (block_id,))
        for (member, block_id), cast in votes.items()
        if len(cast) > 1
    }
    return sorted(found | set(_conflicting(node, votes)))


@dataclass(frozen=True, slots=True)
class _Block:
    """What matters of a block that a member voted valid.

    Attributes:
        spends: the outputs that it spends, each with its spender's id.
        refused_at: when each member itself recorded that the block is invalid, Unix seconds by its clock.
    """

    spends: Mapping[OutputRef, str]
    refused_at: Mapping[str, float]


def _conflicting(node: Node, votes: _Votes) -> Iterator[Misdeed]:
    """Look at the blocks on which a member voted valid, where these are several."""
    approved: dict[str, list[Vote]] = {}
    for (member, _), cast in votes.items():
        approved.setdefault(member, []).extend([vote for vote in cast.values() if vote.is_valid][:1])
    several = {member: found for member, found in approved.items() if len(found) > 1}
    wanted = list(dict.fromkeys(vote.block_id for found in several.values() for vote in found))[:_MAX_BLOCKS]
    blocks = _read(node, wanted)
    for member, found in several.items():
        for one, other in itertools.combinations([vote for vote in found if vote.block_id in blocks], 2):
            pair = blocks[one.block_id], blocks[other.block_id]
            excused = _is_excused(member, pair[0], other) or _is_excused(member, pair[1], one)
            if not excused and _conflict(*pair):
                yield Misdeed(member, MisdeedKind.CONFLICTING_VOTES, tuple(sorted((one.block_id, other.block_id))))


def _conflict(one: _Block, other: _Block) -> bool:
    return any(one.spends[ref] != other.spends[ref] for ref in one.spends.keys() & other.spends.keys())


def _is_excused(member: str, refused: _Block, other: Vote) -> bool:
    """Tell whether a member cast the other vote after it had decided the first block invalid: then it may."""
    at = refused.refused_at.get(member)
    return at is not None and at <= float(other.timestamp) + _SAME_ROUND_SECONDS


def _read(node: Node, block_ids: Sequence[str]) -> dict[str, _Block]:
    """Read those of these blocks whose contents are there."""
    found: dict[str, _Block] = {}
    decided = node.storage.decisions_on(block_ids)
    for block_id, items in node.storage.blocks(block_ids).items():
        for stored in items:
            try:
                block = Block.from_text(stored.text)
                transactions = _contents(node, block)
            except (BlockError, TransactionError):
                continue
            if block.id != block_id or transactions is None:
                continue
            records = recorded_decisions(decided.get(block_id, []), block_id, block.header).values()
            refused = {d.node: float(d.timestamp) for d in records if d.verdict is Verdict.INVALID}
            found[block_id] = _Block({ref: t.id for t in transactions for ref in t.inputs}, refused)
    return found


def _contents(node: Node, block: Block) -> list[Transaction] | None:
    """Return a block's transactions, None where what is stored does not add up to its root."""
    found = node.storage.contents(block.transactions)
    stored = [found[h] for h in block.transactions if h in found]
    if not block.holds([leaf_hash(item.text.encode()) for item in stored]):
        return None
    return [node.view.read(item) for item in stored]
