"""What the kept evidence proves against members of the federation (design.md section 3).

Storage keeps whatever found its voting place taken, and anybody who reaches the database can put more beside it.  So
nothing there is believed: a misdeed is one that the member's own signatures prove.

Invariants:

- A member is accused by two well-signed votes of its own only: two different ones on one block, or valid ones on two
  blocks that spend the same output in different transactions.
- What excuses the latter is that the member had recorded before that one of the blocks is invalid, and that others bear
  it out: a member's own word, under a date of its own choice, excuses nobody.
- Every text is looked at in its turn, however many come before it; how much is read at once, and how much is remembered
  of each member, is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from bigchaindb.consensus.tally import tally
from bigchaindb.exceptions import BlockError, TransactionError
from bigchaindb.model.block import Block
from bigchaindb.model.decision import Verdict
from bigchaindb.model.merkle import leaf_hash
from bigchaindb.node.recorded import quorum_verdict, recorded_decisions
from bigchaindb.node.view import read_vote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bigchaindb.model.block import Header
    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Transaction
    from bigchaindb.model.vote import Vote
    from bigchaindb.node.node import Node
    from bigchaindb.storage.records import TextRef, VoteRow

__all__ = ["Evidence", "Misdeed", "MisdeedKind", "misdeeds"]

_PAGE: Final = 1_000
_MAX_PAGES: Final = 1_000
_VOTES_AT_ONCE: Final = 50
_MAX_RECENT: Final = 32
_MAX_BLOCKS: Final = 64
_MAX_PROVEN: Final = 10
# Votes and decisions of one round are signed within a moment, in either order.
_SAME_ROUND_SECONDS: Final = 1.0


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


@dataclass(frozen=True, slots=True)
class _Block:
    """What matters of a block that a member voted valid.

    Attributes:
        header: its header.
        spends: the outputs that it spends, each with its spender's id.
    """

    header: Header
    spends: Mapping[OutputRef, str]


def misdeeds(node: Node) -> list[Misdeed]:
    """Return what all that is kept proves, up to ten misdeeds per member and kind; sorted."""
    evidence = Evidence(node)
    for _ in range(_MAX_PAGES):
        if not evidence.read():
            break
    return evidence.proven


class Evidence:
    """Goes through what is kept, a part at a time, and remembers what it proves."""

    def __init__(self, node: Node) -> None:
        """Start at the beginning."""
        self._node = node
        self._storage = node.storage
        self._members = {member for federation in node.federations.history for member in federation}
        self._cursor: VoteRow | None = None
        self._proven: dict[tuple[str, MisdeedKind], set[Misdeed]] = {}
        self._recent: dict[str, dict[str, Vote]] = {}
        self._blocks: dict[str, _Block] = {}

    @property
    def proven(self) -> list[Misdeed]:
        """What has been proven so far, up to ten misdeeds per member and kind; sorted."""
        return sorted(misdeed for found in self._proven.values() for misdeed in found)

    def read(self) -> bool:
        """Weigh the next part of what is kept.

        Returns:
            Whether there may be more to read now.
        """
        rows = self._storage.evidence(_PAGE, self._cursor)
        votes: list[Vote] = []
        for row in rows:
            self._cursor = row
            vote = read_vote(row.text, row.block_id, row.node) if self._is_wanted(row.node) else None
            if vote:
                votes.append(vote)
            if len(votes) == _VOTES_AT_ONCE:
                break
        self.weigh(votes)
        return len(rows) == _PAGE or len(votes) == _VOTES_AT_ONCE

    def begin_anew(self) -> None:
        """Read from the beginning: what was excused or unreadable may not be so now, and texts may come out of turn."""
        self._cursor = None
        self._recent.clear()

    def weigh(self, votes: Iterable[Vote]) -> None:
        """Look at well-signed votes, beside those that stand on the same blocks and the last that were looked at."""
        cast: dict[str, list[Vote]] = {}
        for vote in votes:
            if vote.text not in self._recent.get(vote.node, {}) and self._is_wanted(vote.node):
                cast.setdefault(vote.node, []).append(vote)
        block_ids = sorted({vote.block_id for found in cast.values() for vote in found})
        places = self._storage.votes(block_ids) if block_ids else {}
        found: dict[str, dict[str, dict[str, Vote]]] = {}
        for member, fresh in cast.items():
            standing = [_standing(places, vote.block_id, member) for vote in fresh]
            known = {**self._recent.get(member, {}), **{vote.text: vote for vote in [*standing, *fresh] if vote}}
            self._recent[member] = dict(list(known.items())[-_MAX_RECENT:])
            found[member] = {}
            for vote in known.values():
                found[member].setdefault(vote.block_id, {})[vote.text] = vote
        # In this order, because it may excuse a member that another has voted twice.
        for member, on_block in found.items():
            for block_id, texts in on_block.items():
                if len(texts) > 1:
                    self._prove(member, MisdeedKind.SECOND_VOTE, block_id)
        for member, on_block in found.items():
            self._compare(member, [vote for texts in on_block.values() for vote in texts.values() if vote.is_valid])

    def _is_wanted(self, member: str) -> bool:
        """Tell whether there is more to prove against a member."""
        return member in self._members and not all(self._is_enough(member, kind) for kind in MisdeedKind)

    def _is_enough(self, member: str, kind: MisdeedKind) -> bool:
        return len(self._proven.get((member, kind), ())) >= _MAX_PROVEN

    def _prove(self, member: str, kind: MisdeedKind, *block_ids: str) -> None:
        if not self._is_enough(member, kind):
            misdeed = Misdeed(member, kind, tuple(sorted(block_ids)))
            self._proven.setdefault((member, kind), set()).add(misdeed)

    def _compare(self, member: str, valid: Sequence[Vote]) -> None:
        """Look for conflicts among the blocks on which a member voted valid."""
        approved = {vote.block_id: vote for vote in valid}
        if len(approved) < 2 or self._is_enough(member, MisdeedKind.CONFLICTING_VOTES):  # noqa: PLR2004 - a pair
            return
        for one, other in self._conflicting(list(approved)):
            pair = approved[one], approved[other]
            if not (self._is_excused(pair[0], pair[1]) or self._is_excused(pair[1], pair[0])):
                self._prove(member, MisdeedKind.CONFLICTING_VOTES, one, other)

    def _conflicting(self, block_ids: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Return the pairs of these blocks that spend the same output in different transactions, each once."""
        spenders: dict[OutputRef, dict[str, str]] = {}
        pairs: dict[tuple[str, str], None] = {}
        for block_id in block_ids:
            block = self._block(block_id)
            for ref, txid in block.spends.items() if block else ():
                found = spenders.setdefault(ref, {})
                pairs.update(((rival, block_id), None) for other, rival in found.items() if other != txid)
                found.setdefault(txid, block_id)
        return iter(pairs)

    # --- excuses ---------------------------------------------------------------------------------------------

    def _is_excused(self, refused: Vote, other: Vote) -> bool:
        """Tell whether a member cast the other vote after it had decided the first block invalid: then it may."""
        block = self._block(refused.block_id)
        rows = self._storage.decisions_on([refused.block_id]).get(refused.block_id, [])
        own = recorded_decisions(rows, refused.block_id, block.header).get(refused.node) if block else None
        if block is None or own is None or own.verdict is not Verdict.INVALID:
            return False
        if float(own.timestamp) > float(other.timestamp) + _SAME_ROUND_SECONDS:
            return False
        if quorum_verdict(rows, refused.block_id, block.header, self._node.quorum) is False:
            return True
        if self._node.view.verdicts([refused.block_id]).get(refused.block_id) is False:
            return True
        return self._is_voted_down(refused.block_id, block.header, refused.node)

    def _is_voted_down(self, block_id: str, header: Header, accused: str) -> bool:
        """Tell whether the votes of the others can have made a block invalid for whoever counted them in time."""
        # A decision is seen later than the votes that it rests on.
        places = self._storage.votes([block_id]).get(block_id, {})
        noes = {
            node
            for node in header.voters
            if node in places and (vote := read_vote(places[node], block_id, node)) and not vote.is_valid
        }
        # Who votes twice may have said "no" to one member, and something else to another.
        noes |= {node for node, kind in self._proven if kind is MisdeedKind.SECOND_VOTE}
        return tally(header.voters, dict.fromkeys(noes - {accused}, False), self._node.quorum) is False

    # --- blocks ----------------------------------------------------------------------------------------------

    def _block(self, block_id: str) -> _Block | None:
        """Return a block if its contents are there; some are remembered."""
        if block_id not in self._blocks:
            block = self._read_block(block_id)
            if block is None:
                return None
            while len(self._blocks) >= _MAX_BLOCKS:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[block_id] = block
        return self._blocks[block_id]

    def _read_block(self, block_id: str) -> _Block | None:
        for stored in self._storage.blocks([block_id]).get(block_id, []):
            try:
                block = Block.from_text(stored.text)
                transactions = _contents(self._node, block, stored.texts())
            except (BlockError, TransactionError):
                continue
            if block.id == block_id and transactions is not None:
                return _Block(block.header, {ref: t.id for t in transactions for ref in t.inputs})
        return None


def _standing(places: Mapping[str, Mapping[str, str]], block_id: str, member: str) -> Vote | None:
    text = places.get(block_id, {}).get(member)
    return read_vote(text, block_id, member) if text else None


def _contents(node: Node, block: Block, texts: Sequence[TextRef]) -> list[Transaction] | None:
    """Return a block's transactions, None where what is stored does not add up to its root."""
    found = node.storage.contents(texts)
    stored = [found[h] for h in block.transactions if h in found]
    if not block.holds([leaf_hash(item.text.encode()) for item in stored]):
        return None
    return [node.view.read(item) for item in stored]
