"""Whether storage still holds what this node has cast and decided: at once when it starts, then again and again.

Members share the database, and any of them could alter it (design.md 3.4).  The journal is the node's own.

Invariants:

- What contradicts the journal is named in a `JournalError`, and the node stops; nothing is mended.
- A pass looks at everything that was cast before it began, the newest blocks first; a step costs a bounded number of
  reads, and steps are a second apart.
- What is missing once may be a replica that lags behind: it is missing when it is so at the next step too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bigchaindb import crypto
from bigchaindb.exceptions import BlockError, JournalError
from bigchaindb.model.block import Block
from bigchaindb.model.merkle import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bigchaindb.node.journal import CastDecision, CastVote, Taken
    from bigchaindb.storage.interface import Storage
    from bigchaindb.storage.records import StoredBlock

__all__ = ["Scrub", "check_blocks", "check_decisions", "check_vote", "check_votes"]

_STEP_ENTRIES: Final = 200
_STEP_BLOCKS: Final = 2


class Scrub:
    """Goes through what a node has cast, a part at a time, and begins anew at the end."""

    def __init__(
        self, storage: Storage, node: str, read: Callable[[], Iterable[Taken]], newest: Iterable[Taken] = ()
    ) -> None:
        """Look at nothing yet.

        Args:
            storage: what to compare.
            node: public key of the node.
            read: returns what the head has taken so far, oldest first.
            newest: what to look at before anything else.
        """
        self._storage = storage
        self._node = node
        self._read = read
        self._left: Iterator[Taken] = iter(list(newest))
        self._part: list[Taken] = []
        self._is_doubtful = False

    def step(self) -> None:
        """Compare the next part.

        Raises:
            JournalError: naming the first vote, decision or block that is gone or was changed.
        """
        if not self._part:
            self._part = self._next()
        try:
            self._check(self._part)
        except JournalError:
            if self._is_doubtful:
                raise
            self._is_doubtful = True
            return
        self._part, self._is_doubtful = [], False

    def _next(self) -> list[Taken]:
        part: list[Taken] = []
        entries = blocks = 0
        for taken in self._left:
            part.append(taken)
            entries += len(taken.votes) + len(taken.decisions)
            blocks += sum(decision.is_valid for decision in taken.decisions)
            if entries >= _STEP_ENTRIES or blocks >= _STEP_BLOCKS:
                return part
        self._left = iter(self._read())
        return part

    def _check(self, part: Sequence[Taken]) -> None:
        decisions = [decision for taken in part for decision in taken.decisions]
        check_votes(self._storage, self._node, [vote for taken in part for vote in taken.votes])
        check_decisions(self._storage, self._node, decisions)
        check_blocks(self._storage, [decision.block_id for decision in decisions if decision.is_valid])


# --- what is compared --------------------------------------------------------------------------------------


def check_vote(cast: CastVote, text: str | None) -> None:
    """Compare what stands in the place of a vote with what was cast.

    Raises:
        JournalError: it is gone, or was changed.
    """
    if text is None or crypto.hash_data(text) != cast.hash:
        problem = "is gone from" if text is None else "was changed in"
        raise JournalError(f"this node's vote on block {cast.block_id} {problem} storage")


def check_votes(storage: Storage, node: str, votes: Sequence[CastVote]) -> None:
    """Compare votes with what stands in their places; raises as `check_vote`."""
    places = storage.votes([vote.block_id for vote in votes]) if votes else {}
    for vote in votes:
        check_vote(vote, places.get(vote.block_id, {}).get(node))


def check_decisions(storage: Storage, node: str, decisions: Sequence[CastDecision]) -> dict[int, str]:
    """Compare decisions, in the order of the log, with what stands there; return the text of each.

    Raises:
        JournalError: naming the first that is gone, or was changed.
    """
    if not decisions:
        return {}
    before, last = decisions[0].sequence - 1, decisions[-1].sequence
    texts = {row.sequence: row.text for row in storage.decisions(node, before, last - before)}
    for decision in decisions:
        text = texts.get(decision.sequence)
        if text is None or crypto.hash_data(text) != decision.hash:
            problem = "is gone from" if text is None else "was changed in"
            raise JournalError(
                f"this node's decision {decision.sequence}, on block {decision.block_id}, {problem} storage"
            )
    return texts


def check_blocks(storage: Storage, block_ids: Sequence[str]) -> None:
    """Check that blocks decided valid are there, whole.

    Raises:
        JournalError: naming the first that is gone, or whose header, signature or contents were changed.
    """
    found = storage.blocks(block_ids) if block_ids else {}
    for block_id in block_ids:
        if not any(_is_whole(storage, stored, block_id) for stored in found.get(block_id, ())):
            raise JournalError(
                f"block {block_id}, which this node has decided valid, is gone from storage or was changed"
            )


def _is_whole(storage: Storage, stored: StoredBlock, block_id: str) -> bool:
    try:
        block = Block.from_text(stored.text)
    except BlockError:
        return False
    if block.id != block_id or not block.is_signed:
        return False
    contents = storage.contents(stored.texts())
    return block.holds([leaf_hash(contents[h].text.encode()) for h in block.transactions if h in contents])
