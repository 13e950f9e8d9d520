"""What a node lets into the backlog (design.md 3.2).

Invariants:

- What is let in was valid, in the order given, at the time given: well signed, by somebody who may, spending outputs
  that exist and that nothing decided, undecided or waiting spends.
- A transaction never conflicts with itself: writing it twice is harmless.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from bigchaindb.consensus.facts import Facts
from bigchaindb.consensus.fulfillments import check_fulfillments, check_operation, is_timeless
from bigchaindb.exceptions import DoubleSpend, OperationError, TransactionError
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.transaction import Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from bigchaindb.consensus.view import View
    from bigchaindb.model.transaction import Output, Transaction

__all__ = ["admit", "is_sound"]


def admit(
    transactions: Sequence[Transaction], view: View, now: Callable[[], str], newcomers: Collection[str] = ()
) -> list[TransactionError | None]:
    """Say of each transaction why it may not come in, or None.

    Args:
        transactions: well formed; later ones may spend what earlier ones make.
        view: this node's view of the ledger.
        now: returns the time that a block built now would have, Unix seconds; asked only where deadlines or rivals are.
        newcomers: members whom a quorum may not know yet, so that it would refuse what they CREATE.
    """
    # One time for all of them.
    now = cache(now)
    facts = Facts(transactions, view)
    outputs = facts.outputs(transactions)
    # An output of something that was rejected is stored too, but it is not there to be spent.
    missing = facts.nowhere({txid for t in transactions for txid in facts.undecided_inputs(t)})
    outputs = {ref: output for ref, output in outputs.items() if ref.txid not in missing}
    taken: dict[OutputRef, str] = {}
    answers: list[TransactionError | None] = []
    for transaction in transactions:
        try:
            _check_creator(transaction, newcomers)
            _check(transaction, facts, outputs, taken, now)
        except TransactionError as error:
            answers.append(error)
            continue
        answers.append(None)
        taken.update((ref, transaction.id) for ref in transaction.inputs)
        outputs.update((OutputRef(transaction.id, output.cid), output) for output in transaction.outputs)
    return answers


def _check_creator(transaction: Transaction, newcomers: Collection[str]) -> None:
    if transaction.operation is Operation.CREATE and transaction.fulfillments[0].owners[0] in newcomers:
        field = "transaction.fulfillments[0].current_owners"
        creator = transaction.fulfillments[0].owners[0]
        raise OperationError(
            f"{field}: {creator} is a new member, and may CREATE once a quorum has started with the change; "
            "before that the others might refuse it for ever",
            field=field,
        )


def _check(
    transaction: Transaction,
    facts: Facts,
    outputs: dict[OutputRef, Output],
    taken: dict[OutputRef, str],
    now: Callable[[], str],
) -> None:
    check_operation(transaction, facts.view.federation)
    check_fulfillments(transaction, outputs, None if is_timeless(transaction) else now())
    for i, ref in enumerate(transaction.inputs):
        rival = taken.get(ref)
        if rival not in {None, transaction.id}:
            raise _double_spend(i, ref, rival)
    rivals = facts.rivals(transaction)
    for ref, rival in rivals:
        if _stands(rival, facts) or _waits(rival, facts, now()):
            raise _double_spend(transaction.inputs.index(ref), ref, rival)
    # Transactions go from the backlog into blocks, so blocks are asked once more after the backlog: a rival that moved
    # meanwhile was somewhere all the time.
    moved = Facts([transaction], facts.view) if rivals else facts
    for ref, rival in moved.rivals(transaction):
        if _stands(rival, moved):
            raise _double_spend(transaction.inputs.index(ref), ref, rival)


def _stands(txid: str, facts: Facts) -> bool:
    """Tell whether a rival is valid, or in an undecided block and well signed."""
    return facts.is_valid(txid) or (facts.is_in_the_way(txid) and facts.may_hold(txid))


def _waits(txid: str, facts: Facts, now: str) -> bool:
    """Tell whether a rival waits that is itself sound; junk in the backlog must not keep the honest out."""
    return any(is_sound(t, facts.view, now) for t in facts.view.waiting([txid]).get(txid, ()))


def is_sound(transaction: Transaction, view: View, now: str) -> bool:
    """Tell whether a transaction's operation and fulfillments are valid at a time."""
    try:
        check_operation(transaction, view.federation)
        if not view.is_verified(transaction):
            check_fulfillments(transaction, view.outputs(transaction.inputs), now)
    except TransactionError:
        return False
    return True


def _double_spend(index: int, ref: OutputRef, rival: str | None) -> DoubleSpend:
    field = f"transaction.fulfillments[{index}].input"
    return DoubleSpend(f"input `{ {'cid': ref.cid, 'txid': ref.txid} }` was already spent", field=field, rival=rival)
