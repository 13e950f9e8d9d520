"""What a voter notices of members that break the rules (design.md section 3): kept, logged, and nothing else.

Invariants:

- No decision depends on anything here.
- What is logged of a member is one line per kind of misdeed, however often it repeats it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from bigchaindb.node.evidence import Evidence
from bigchaindb.node.view import read_vote
from bigchaindb.storage.records import VoteRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from bigchaindb.model.vote import Vote
    from bigchaindb.node.node import Node

__all__ = ["Watch"]

_MAX_KEPT: Final = 10_000
_LOOK_SECONDS: Final = 1.0
_BEGIN_ANEW_SECONDS: Final = 60.0

_log = logging.getLogger(__name__)


class Watch:
    """Keeps evidence, and logs what it proves."""

    def __init__(self, node: Node, said: set[str]) -> None:
        """Start with nothing seen.

        Args:
            node: who watches.
            said: what this process has logged, and logs only once.
        """
        self._node = node
        self._storage = node.storage
        self._conflicts: list[tuple[str, str]] = []
        self._kept: set[str] = set()
        self._look_at = float("-inf")
        self._begin_anew_at = float("-inf")
        self._evidence = Evidence(node)
        self._said = said

    def keep(self, votes: Iterable[Vote]) -> None:
        """Keep well-signed votes as evidence, each once."""
        new = [vote for vote in votes if vote.text not in self._kept]
        # Storage may have no room for them: whoever comes first fills a place with junk.
        self._evidence.weigh(new)
        for vote in new:
            if len(self._kept) < _MAX_KEPT:
                self._kept.add(vote.text)
                self._storage.keep_evidence([VoteRow(vote.block_id, vote.node, vote.text)])

    def compare(self, block_id: str, rival_id: str) -> None:
        """Look from now on for members that vote valid on both of these blocks, which conflict."""
        self._conflicts.append((block_id, rival_id))

    def step(self, now: float, undecided: Collection[str]) -> None:
        """Look at what there is.

        Args:
            now: Unix seconds.
            undecided: ids of the undecided blocks; those that conflict are compared while one of them is.
        """
        self._compare_votes()
        self._conflicts = [pair for pair in self._conflicts if pair[0] in undecided or pair[1] in undecided]
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._look(now)

    def _compare_votes(self) -> None:
        if not self._conflicts:
            return
        places = self._storage.votes(list({block_id for pair in self._conflicts for block_id in pair}))
        for pair in self._conflicts:
            votes = [
                {
                    n: v
                    for n, text in places.get(block_id, {}).items()
                    if (v := read_vote(text, block_id, n)) and v.is_valid
                }
                for block_id in pair
            ]
            for node in votes[0].keys() & votes[1].keys():
                self.keep([votes[0][node], votes[1][node]])

    def _look(self, now: float) -> None:
        if not self._evidence.read() and now >= self._begin_anew_at:
            self._begin_anew_at = now + _BEGIN_ANEW_SECONDS
            self._evidence.begin_anew()
        for misdeed in self._evidence.proven:
            deed = f"{misdeed.node} cast {misdeed.kind}"
            if deed not in self._said:
                self._said.add(deed)
                _log.warning("%s: %s; kept as evidence", deed, ", ".join(misdeed.blocks))
