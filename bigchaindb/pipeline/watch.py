"""What a voter notices of members that break the rules (design.md section 3): kept, logged, and nothing else.

Invariants:

- No decision depends on anything here.
- What is logged of a member is one line per kind of misdeed, however often it repeats it.
- Blocks that conflict are compared on after they are decided: a vote may be signed, and arrive, at any time.  The
  latest thousand pairs are, which is bounded.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, TypeVar

from bigchaindb.node.evidence import Evidence
from bigchaindb.node.view import read_vote
from bigchaindb.pipeline.every import Every
from bigchaindb.storage.records import VoteRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from bigchaindb.model.vote import Vote
    from bigchaindb.node.node import Node

__all__ = ["Watch"]

_MAX_KEPT: Final = 10_000
_MAX_CONFLICTS: Final = 1_000
_CONFLICTS_AT_ONCE: Final = 10
_LOOK_SECONDS: Final = 1.0
_BEGIN_ANEW_SECONDS: Final = 60.0

_T = TypeVar("_T")

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
        self._conflicts: dict[tuple[str, str], None] = {}
        self._kept: dict[str, None] = {}
        self._look = Every(_LOOK_SECONDS)
        self._begin_anew = Every(_BEGIN_ANEW_SECONDS)
        self._evidence = Evidence(node)
        self._said = said

    def keep(self, votes: Iterable[Vote]) -> None:
        """Keep well-signed votes as evidence, each once."""
        new = [vote for vote in votes if vote.text not in self._kept]
        # Storage may have no room for them: whoever comes first fills a place with junk.
        self._evidence.weigh(new)
        for vote in new:
            _add(self._kept, vote.text, _MAX_KEPT)
            self._storage.keep_evidence([VoteRow(vote.block_id, vote.node, vote.text)])

    def compare(self, block_id: str, rival_id: str) -> None:
        """Look from now on for members that vote valid on both of these blocks, which conflict."""
        _add(self._conflicts, (block_id, rival_id), _MAX_CONFLICTS)

    def step(self, now: float, undecided: Collection[str]) -> None:
        """Look at what there is.

        Args:
            now: Unix seconds.
            undecided: ids of the undecided blocks; those that conflict are compared every time, others in turn.
        """
        pairs = [pair for pair in self._conflicts if pair[0] in undecided or pair[1] in undecided]
        if self._look.is_due(now):
            pairs += self._some_conflicts()
            self._look_at_evidence(now)
        self._compare_votes(pairs)

    def _some_conflicts(self) -> list[tuple[str, str]]:
        """Choose a few pairs in turn, decided or not."""
        some = list(self._conflicts)[:_CONFLICTS_AT_ONCE]
        for pair in some:
            del self._conflicts[pair]
            self._conflicts[pair] = None
        return some

    def _compare_votes(self, pairs: Sequence[tuple[str, str]]) -> None:
        if not pairs:
            return
        places = self._storage.votes(list({block_id for pair in pairs for block_id in pair}))
        for pair in pairs:
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

    def _look_at_evidence(self, now: float) -> None:
        if not self._evidence.read() and self._begin_anew.is_due(now):
            self._evidence.begin_anew()
        for misdeed in self._evidence.proven:
            deed = f"{misdeed.node} cast {misdeed.kind}"
            if deed not in self._said:
                self._said.add(deed)
                _log.warning("%s: %s; kept as evidence", deed, ", ".join(misdeed.blocks))


def _add(remembered: dict[_T, None], item: _T, most: int) -> None:
    """Remember something, and forget the oldest where it becomes too much."""
    remembered[item] = None
    if len(remembered) > most:
        del remembered[next(iter(remembered))]
