"""What several pages show: blocks and transactions as rows of a table, lists in parts.

Invariants:

- A row is made of what was checked; what storage cannot show any more is missing from the list, and breaks no page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb import canonical
from bigchaindb.web.explorer.drawing import Ballot
from bigchaindb.web.explorer.texts import pretty_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bigchaindb.model.transaction import Transaction
    from bigchaindb.model.vote import Vote
    from bigchaindb.node.chronicle import Entry, Settled

__all__ = [
    "VERDICTS",
    "BlockRow",
    "TransactionRow",
    "ballot",
    "block_rows",
    "owners_of",
    "payload_lines",
    "payload_text",
    "tally",
    "transaction_row",
]

_PAYLOAD_CHARACTERS: Final = 16 * 1024
VERDICTS: Final[Mapping[bool | None, str]] = {True: "valid", False: "invalid", None: "undecided"}


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block in a list.

    Attributes:
        id: the block.
        sequence: this node's decision on it, or None.
        verdict: in one word.
        transactions: how many it holds.
        maker: public key of the node that built it.
        timestamp: block time.
        decided_at: when this node decided it, or None.
        ballots: voter and vote, in the order of the electorate.
        tally: the votes in words.
    """

    id: str
    sequence: int | None
    verdict: str
    transactions: int
    maker: str
    timestamp: str
    decided_at: str | None
    ballots: tuple[tuple[str, Ballot], ...]
    tally: str


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """A transaction in a list.

    Attributes:
        id: the transaction.
        operation: what it does.
        owners: public keys of the first whom its outputs go to, each once.
        timestamp: time of the block that holds it.
    """

    id: str
    operation: str
    owners: tuple[str, ...]
    timestamp: str


def ballot(vote: Vote | None) -> Ballot:
    """Return what a vote says, or that there is none."""
    if vote is None:
        return Ballot.SILENT
    return Ballot.YES if vote.is_valid else Ballot.NO


def tally(ballots: Iterable[Ballot]) -> str:
    """Return votes in words, such as `3 yes, 1 silent`."""
    cast = list(ballots)
    counts = [(cast.count(kind), kind) for kind in Ballot]
    return ", ".join(f"{count} {kind}" for count, kind in counts if count)


def block_rows(entries: Iterable[Entry]) -> list[BlockRow]:
    """Return the rows of those blocks that are stored."""
    rows = []
    for entry in entries:
        header = entry.header
        if header is None:
            continue
        ballots = tuple((voter, ballot(entry.votes.get(voter))) for voter in header.voters)
        rows.append(
            BlockRow(
                id=entry.block_id,
                sequence=entry.decision.sequence if entry.decision else None,
                verdict=VERDICTS[entry.verdict],
                transactions=header.transaction_count,
                maker=header.node,
                timestamp=header.timestamp,
                decided_at=entry.decision.timestamp if entry.decision else None,
                ballots=ballots,
                tally=tally(cast for _, cast in ballots),
            )
        )
    return rows


def owners_of(transaction: Transaction, most: int = 3) -> tuple[str, ...]:
    """Return the first whom the outputs of a transaction go to, each once."""
    owners = dict.fromkeys(owner for output in transaction.outputs for owner in output.owners)
    return tuple(owners)[:most]


def payload_text(transaction: Transaction) -> str:
    """Return the payload as canonical JSON, empty where there is none."""
    data = transaction.document["transaction"]["data"]
    return canonical.dumps(data["payload"]) if data else ""


def payload_lines(text: str) -> str | None:
    """Return a payload for people; None where there is none, or it is too long to be shown beside something else."""
    return pretty_json(text, _PAYLOAD_CHARACTERS) if 0 < len(text) <= _PAYLOAD_CHARACTERS else None


def transaction_row(settled: Settled) -> TransactionRow:
    """Return the row of a transaction."""
    transaction = settled.transaction
    return TransactionRow(transaction.id, str(transaction.operation), owners_of(transaction), settled.timestamp)
