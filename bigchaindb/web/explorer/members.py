"""The federation's page: each node, its last vote, and how far it lags behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb.node.membership import least_quorum
from bigchaindb.node.report import report
from bigchaindb.web.explorer.drawing import Ballot
from bigchaindb.web.explorer.rows import ballot, tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.model.vote import Vote
    from bigchaindb.node.chronicle import Entry
    from bigchaindb.node.evidence import Misdeed
    from bigchaindb.node.node import Node
    from bigchaindb.node.report import MemberReport
    from bigchaindb.web.explorer.look import Look

__all__ = ["FederationView", "MemberView", "federation"]

_LOOKED_AT: Final = 48
_UNDECIDED: Final = 12
_LASTING: Final = 5


@dataclass(frozen=True, slots=True)
class MemberView:
    """A node of the federation.

    Attributes:
        key: its public key.
        is_me: it is the node that serves this page.
        decided: how many blocks it has decided.
        decided_at: when it decided the last, by its clock, or None.
        vote: its vote on the newest of the blocks looked at that it has voted on, or None.
        lag: how many of the blocks looked at are newer than that and have it among their voters; undecided ones of
            an earlier federation do not count, since it may not vote on them any more.
        is_behind: that is no chance any more: others may have been the quorum once or twice, but not for so long.
        ballots: its votes on these, oldest first.
        tally: the same in words.
    """

    key: str
    is_me: bool
    decided: int
    decided_at: str | None
    vote: Vote | None
    lag: int
    is_behind: bool
    ballots: tuple[Ballot, ...]
    tally: str


@dataclass(frozen=True, slots=True)
class FederationView:
    """What the federation's page shows.

    Attributes:
        members: all nodes, this one first.
        looked_at: how many of the newest blocks their votes were looked for on.
        quorum: the rule.
        least: how many votes decide.
        genesis_id: id of the first block, which names the ledger.
        began_at: when that was made.
        earlier: the federations before the present one, oldest first.
        misdeeds: what members did that an honest node never does.
    """

    members: tuple[MemberView, ...]
    looked_at: int
    quorum: str
    least: int
    genesis_id: str
    began_at: str
    earlier: tuple[tuple[str, ...], ...]
    misdeeds: tuple[Misdeed, ...]


def federation(look: Look) -> FederationView:
    """Return the federation's page as of now."""
    node, chronicle = look.node, look.chronicle
    entries = [*chronicle.undecided(_UNDECIDED), *chronicle.decided(None, _LOOKED_AT)][:_LOOKED_AT]
    known = report(node)
    return FederationView(
        members=tuple(_member(member, node, entries) for member in known.members),
        looked_at=len(entries),
        quorum=str(node.quorum),
        least=least_quorum(len(node.federation), node.quorum),
        genesis_id=node.ledger,
        began_at=node.genesis.block.header.timestamp,
        earlier=node.federations.history[:-1],
        misdeeds=known.misdeeds,
    )


def _member(member: MemberReport, node: Node, entries: Sequence[Entry]) -> MemberView:
    ballots = [_ballot(member.node, entry) for entry in entries]
    concerned = [
        (entry, cast)
        for entry, cast in zip(entries, ballots, strict=True)
        if cast is not Ballot.OUTSIDE and (cast is not Ballot.SILENT or _may_vote(entry, node))
    ]
    lag = next((i for i, (_, cast) in enumerate(concerned) if cast is not Ballot.SILENT), len(concerned))
    return MemberView(
        key=member.node,
        is_me=member.node == node.me,
        decided=member.decided,
        decided_at=member.last_decided_at,
        vote=concerned[lag][0].votes[member.node] if lag < len(concerned) else None,
        lag=lag,
        is_behind=lag >= _LASTING,
        ballots=tuple(ballots[::-1]),
        tally=tally(ballots),
    )


def _may_vote(entry: Entry, node: Node) -> bool:
    """Tell whether members could vote on a block: who knows the present federation votes under no other."""
    return entry.decision is not None or (entry.header is not None and entry.header.voters == node.federation)


def _ballot(key: str, entry: Entry) -> Ballot:
    if entry.header is None or key not in entry.header.voters:
        return Ballot.OUTSIDE
    return ballot(entry.votes.get(key))
