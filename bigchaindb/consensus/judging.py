"""How a node votes: the rule that makes the ledger safe (design.md 3.1).

Invariants:

- A node never votes valid on two blocks that conflict: whatever this module answers yes to conflicts with no block that
  the view says is decided valid, or is backed by this node (or binds it) and not decided invalid.
- A "no" is final, so it is given only for what no later event can mend; what may resolve itself is waited for.
- Every reason to say "no" comes before any reason to wait.
- A yes is given only to what the view will find again, by transaction and by what is spent, when a rival comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb.consensus.facts import Facts
from bigchaindb.consensus.fulfillments import check_fulfillments, check_operation
from bigchaindb.exceptions import BlockError, TransactionError
from bigchaindb.model.block import check_contents
from bigchaindb.model.reference import OutputRef

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.consensus.view import View
    from bigchaindb.model.block import Block
    from bigchaindb.model.transaction import Transaction

__all__ = [
    "MAX_AHEAD_SECONDS",
    "MAX_BEHIND_DECIDED_SECONDS",
    "MAX_BEHIND_SECONDS",
    "No",
    "Times",
    "Wait",
    "Yes",
    "judge",
]

MAX_AHEAD_SECONDS: Final = 60.0
MAX_BEHIND_SECONDS: Final = 600.0
MAX_BEHIND_DECIDED_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Yes:
    """Vote valid."""


@dataclass(frozen=True, slots=True)
class No:
    """Vote invalid.

    Attributes:
        reason: why, for people.
        rival_block: the block with which this one conflicts, where that is why.
    """

    reason: str
    rival_block: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Do not vote yet, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Times:
    """What a block's timestamp is measured against, all Unix seconds.

    Attributes:
        now: the voter's clock.
        seen_at: the voter's clock when it first noted the block.
        newest_decided: timestamp of the newest decided block, or None.
    """

    now: float
    seen_at: float
    newest_decided: float | None


def judge(
    block: Block, transactions: Sequence[Transaction | TransactionError], view: View, times: Times
) -> Yes | No | Wait:
    """Say how to vote on a block.

    Args:
        block: undecided; its signature, electorate and root are checked already, and this node has not voted on it.
        transactions: its contents, in order; an error stands for a text that is no well-formed transaction.
        view: the voter's view of the ledger.
        times: what the block's time is measured against.
    """
    well_formed: list[Transaction] = []
    for i, transaction in enumerate(transactions):
        if isinstance(transaction, TransactionError):
            return No(f"transaction {i}: {transaction}")
        well_formed.append(transaction)
    try:
        check_contents(well_formed)
    except BlockError as error:
        return No(str(error))
    facts = Facts(well_formed, view)
    return (
        _judge_time(block, times)
        or _judge_claims(block, well_formed, facts)
        or _judge_spends(block, well_formed, facts)
        or _waits(block, well_formed, facts, times)
        or Yes()
    )


def _judge_time(block: Block, times: Times) -> No | None:
    timestamp = float(block.header.timestamp)
    if times.seen_at - timestamp > MAX_BEHIND_SECONDS:
        return No(f"block time {block.header.timestamp} is more than {MAX_BEHIND_SECONDS:.0f} s behind")
    if times.newest_decided is not None and times.newest_decided - timestamp > MAX_BEHIND_DECIDED_SECONDS:
        limit = f"{MAX_BEHIND_DECIDED_SECONDS:.0f} s"
        return No(f"block time {block.header.timestamp} is more than {limit} behind the newest decided block")
    return None


def _judge_claims(block: Block, transactions: Sequence[Transaction], facts: Facts) -> No | None:
    """Rule 1: operations and fulfillments."""
    unverified = [t for t in transactions if not facts.view.is_verified(t)]
    outputs = facts.outputs(unverified)
    here = {OutputRef(t.id, o.cid): o for t in transactions for o in t.outputs} if unverified else {}
    for transaction in transactions:
        try:
            check_operation(transaction, block.header.voters)
        except TransactionError as error:
            return No(f"transaction {transaction.id}: {error}")
    for transaction in unverified:
        try:
            check_fulfillments(transaction, {**outputs, **here}, block.header.timestamp)
        except TransactionError as error:
            return No(f"transaction {transaction.id}: {error}")
    return None


def _judge_spends(block: Block, transactions: Sequence[Transaction], facts: Facts) -> No | None:
    """Rules 2 to 4, as far as they say "no"."""
    earlier: set[str] = set()
    spent: dict[OutputRef, str] = {}
    ids = {t.id for t in transactions}
    missing = facts.nowhere(txid for t in transactions for txid in facts.undecided_inputs(t))
    for transaction in transactions:
        if facts.is_valid_at_present(transaction.id, but=block.id):
            return No(f"transaction {transaction.id}: is in another block decided valid")
        for ref in transaction.inputs:
            if ref in spent:
                return No(f"transaction {transaction.id}: spends the same as {spent[ref]} in this block")
            spent[ref] = transaction.id
            if ref.txid in ids and ref.txid not in earlier:
                return No(f"transaction {transaction.id}: stands before its input {ref.txid}")
            if ref.txid in missing:
                return No(f"transaction {transaction.id}: input {ref.txid} does not exist")
        for ref, rival in facts.rivals(transaction):
            for standing in facts.standings(rival, but=block.id):
                binds = standing.backed or (standing.binds and facts.may_hold(rival))
                if standing.verdict or (standing.verdict is None and binds):
                    reason = f"transaction {transaction.id}: output {ref.cid} of {ref.txid} is spent by {rival}"
                    return No(reason, standing.block_id)
        earlier.add(transaction.id)
    return None


def _waits(block: Block, transactions: Sequence[Transaction], facts: Facts, times: Times) -> Wait | None:
    """Rules 2 and 3, as far as they say "wait"; and a block from the future."""
    if float(block.header.timestamp) - times.now > MAX_AHEAD_SECONDS:
        return Wait(f"block time {block.header.timestamp} is more than {MAX_AHEAD_SECONDS:.0f} s ahead")
    earlier: set[str] = set()
    for transaction in transactions:
        if not facts.is_found(transaction, block.id):
            # Whoever is asked later about a rival would not find this one, so a yes now would not be remembered.
            return Wait(f"transaction {transaction.id} is not indexed by its block and inputs")
        for standing in facts.standings(transaction.id, but=block.id):
            if standing.backed and standing.live:
                return Wait(f"transaction {transaction.id} is in undecided block {standing.block_id}")
        for txid in facts.undecided_inputs(transaction) - earlier:
            return Wait(f"transaction {transaction.id}: input {txid} is undecided")
        earlier.add(transaction.id)
    return None
