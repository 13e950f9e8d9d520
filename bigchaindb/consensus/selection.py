"""What a builder puts into its next block (design.md 3.2).

Invariants:

- What is chosen can be voted valid as far as this node knows: sound, its inputs decided and unspent, in no live block.
- Of rivals that wait, only one is chosen, the smaller id first among those that could be built now, so that builders
  who meet the same rivals choose alike; the others wait for its fate.
- Only what can never become valid is refused, with a reason that any other node can derive again.
- At each further try a transaction goes into a block at most half as large as the least one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bigchaindb.consensus.admission import is_sound
from bigchaindb.consensus.facts import Facts
from bigchaindb.consensus.fulfillments import can_hold_later, check_fulfillments, check_operation
from bigchaindb.exceptions import TransactionError
from bigchaindb.model.block import MAX_BYTES, MAX_TRANSACTIONS
from bigchaindb.model.timestamp import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bigchaindb.consensus.view import View
    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Output, Transaction

__all__ = ["DEADLINE_GRACE_SECONDS", "Choice", "Refusal", "assignee", "choose", "turn", "turn_by"]

DEADLINE_GRACE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A transaction that can never become valid.

    Attributes:
        transaction: the signed text refused.
        reason: one line for people.
        evidence: id of the valid transaction that spent an input first, or None.
    """

    transaction: Transaction
    reason: str
    evidence: str | None = None


@dataclass(slots=True)
class Choice:
    """What to do with each candidate.

    Attributes:
        build: put these into a block, in order.
        refused: these can never become valid.
        settled: these are valid already.
        blocked: these wait until one of the transaction ids beside them is decided; without any, for time to pass.
        left: these could be built, but the block is full.
    """

    build: list[Transaction] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    settled: list[Transaction] = field(default_factory=list)
    blocked: list[tuple[Transaction, frozenset[str]]] = field(default_factory=list)
    left: list[Transaction] = field(default_factory=list)


def assignee(transaction: Transaction, federation: Sequence[str]) -> str:
    """Return whose turn it is to build a transaction: by its first input, so that rivals meet; a CREATE by its id."""
    return sorted(federation)[_number(_assigning(transaction)) % len(federation)]


def turn(transaction: Transaction, federation: Sequence[str], member: str) -> int:
    """Return how many members come before this one in building a transaction, the assignee being the first."""
    return turn_by(_assigning(transaction), federation, member)


def turn_by(assigning: str, federation: Sequence[str], member: str) -> int:
    """Return the same, by the id of what the transaction's first input spends; of a CREATE, its own."""
    members = sorted(federation)
    return (members.index(member) - _number(assigning)) % len(members)


def _assigning(transaction: Transaction) -> str:
    return transaction.inputs[0].txid if transaction.inputs else transaction.id


def _number(txid: str) -> int:
    return int(txid[:16], 16)


def choose(candidates: Sequence[Transaction], view: View, *, block_time: str, newest_decided: str | None) -> Choice:
    """Choose the contents of a block.

    Args:
        candidates: well-formed waiting transactions, in backlog order.
        view: the builder's view of the ledger.
        block_time: the time that the block will have, Unix seconds.
        newest_decided: timestamp of the newest decided block, or None.
    """
    facts = Facts(candidates, view)
    choice = Choice()
    room = _Room()
    # Of all at once: one by one costs more than everything else.
    spent = facts.outputs(t for t in candidates if not view.is_verified(t))
    limits = _limits(candidates, facts)
    ids: set[str] = set()
    for transaction in candidates:
        if facts.is_valid(transaction.id):
            choice.settled.append(transaction)
            continue
        if transaction.id in ids:
            # Another signed text of what this block holds already: its fate is the same.
            choice.blocked.append((transaction, frozenset({transaction.id})))
            continue
        blockers = _blockers(transaction, facts, spent, block_time, newest_decided)
        if isinstance(blockers, Refusal):
            choice.refused.append(blockers)
        elif blockers is not None:
            choice.blocked.append((transaction, blockers))
        elif room.take(transaction, limits.get(transaction.id, MAX_TRANSACTIONS)):
            choice.build.append(transaction)
            ids.add(transaction.id)
        else:
            choice.left.append(transaction)
    return choice


def _limits(candidates: Sequence[Transaction], facts: Facts) -> dict[str, int]:
    """Return how large the next block of each may be that stands in one already: half as large as the least of these.

    So whatever holds a block up, in some tries most of its neighbours are away from that.
    """
    tried = {t.id: {standing.block_id for standing in facts.standings(t.id)} for t in candidates}
    sizes = (
        facts.view.sizes({block_id for blocks in tried.values() for block_id in blocks}) if any(tried.values()) else {}
    )
    return {
        txid: max(1, min(sizes.get(block_id, MAX_TRANSACTIONS) for block_id in blocks) // 2)
        for txid, blocks in tried.items()
        if blocks
    }


class _Room:
    """How much more fits into the block."""

    def __init__(self) -> None:
        self._count = 0
        self._bytes = 0
        self._limit = MAX_TRANSACTIONS

    def take(self, transaction: Transaction, limit: int) -> bool:
        limit = min(self._limit, limit)
        if self._count >= limit or self._bytes + transaction.size_bytes > MAX_BYTES:
            return False
        self._limit = limit
        self._count += 1
        self._bytes += transaction.size_bytes
        return True


def _blockers(
    transaction: Transaction,
    facts: Facts,
    spent: Mapping[OutputRef, Output],
    block_time: str,
    newest_decided: str | None,
) -> frozenset[str] | Refusal | None:
    """Return why a transaction cannot be built now: refused for ever, or waiting for these ids; None if it can."""
    if any(standing.live for standing in facts.standings(transaction.id)):
        return frozenset({transaction.id})
    if not facts.is_spender(transaction):
        # No voter would vote on a block with it (see `judging`), and its neighbours would have to wait.
        return frozenset()
    waits_for = _unsound(transaction, facts, spent, block_time, newest_decided)
    if waits_for is not None:
        return waits_for
    undecided = facts.undecided_inputs(transaction)
    missing = facts.nowhere(undecided)
    if missing:
        return Refusal(transaction, f"input {min(missing)} does not exist")
    return frozenset(undecided) or _ahead(transaction, facts, block_time)


def _ahead(transaction: Transaction, facts: Facts, block_time: str) -> frozenset[str] | Refusal | None:
    """Say which rivals come first, or that one was first for ever."""
    for ref, rival in facts.rivals(transaction):
        if facts.is_valid(rival):
            return Refusal(transaction, f"output {ref.cid} of {ref.txid} was already spent by {rival}", rival)
    rivals = {rival for _, rival in facts.rivals(transaction)}
    held = _held(rivals, facts)
    if held:
        return held
    return frozenset(r for r in rivals if r < transaction.id and _could_be_built(r, facts, block_time)) or None


def _unsound(
    transaction: Transaction,
    facts: Facts,
    spent: Mapping[OutputRef, Output],
    block_time: str,
    newest_decided: str | None,
) -> frozenset[str] | Refusal | None:
    """Rule 1 at the block's time; what only a deadline speaks against may wait for it."""
    try:
        # Not what was verified once and for all: who may CREATE changes with the federation.
        check_operation(transaction, facts.view.federation)
    except TransactionError as error:
        if facts.is_undecided(transaction.id):
            return frozenset({transaction.id})
        return Refusal(transaction, str(error))
    if facts.view.is_verified(transaction):
        return None
    return _unfulfilled(transaction, facts, spent, block_time, newest_decided)


def _unfulfilled(
    transaction: Transaction,
    facts: Facts,
    spent: Mapping[OutputRef, Output],
    block_time: str,
    newest_decided: str | None,
) -> frozenset[str] | Refusal | None:
    try:
        check_fulfillments(transaction, spent, block_time)
    except TransactionError as error:
        if facts.is_undecided(transaction.id):
            return frozenset({transaction.id})
        since = max(0.0, float(newest_decided or 0) - DEADLINE_GRACE_SECONDS)
        known = all(ref in spent for ref in transaction.inputs)
        if known and can_hold_later(transaction, spent, format_timestamp(since)):
            return frozenset()
        return Refusal(transaction, str(error))
    return None


def _held(rivals: set[str], facts: Facts) -> frozenset[str]:
    """Return the rivals in a block that may yet become valid: live here, or with a valid vote; stalled or not."""
    undecided = {
        standing.block_id: rival for rival in rivals for standing in facts.standings(rival) if standing.is_in_the_way
    }
    if not undecided:
        return frozenset()
    supported = facts.view.supported(undecided.keys())
    return frozenset(
        rival
        for rival in rivals
        for standing in facts.standings(rival)
        if standing.is_in_the_way and (standing.live or (standing.block_id in supported and facts.may_hold(rival)))
    )


def _could_be_built(txid: str, facts: Facts, block_time: str) -> bool:
    """Tell whether a rival that waits could be built now itself."""
    for rival in facts.view.waiting([txid]).get(txid, ()):
        if not is_sound(rival, facts.view, block_time):
            continue
        its = Facts([rival], facts.view)
        others = {other for _, other in its.rivals(rival)}
        if its.undecided_inputs(rival) or any(its.is_valid(other) for other in others) or _held(others, its):
            continue
        return True
    return False
