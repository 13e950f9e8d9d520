"""Whether a transaction's fulfillments are valid: rule 1 of design.md 3.1, for one transaction.

Invariants:

- A fulfillment is valid when it answers exactly the condition it claims and is valid over its message.
- "Now" is an argument; what holds no deadline is valid at all times or never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import ConditionError, InvalidSignature, OperationError, TransactionDoesNotExist
from bigchaindb.model.timestamp import microseconds
from bigchaindb.model.transaction import Operation

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Fulfillment, Output, Transaction

__all__ = ["can_ever_hold", "can_hold_later", "check_fulfillments", "check_operation", "is_timeless"]

_MICROSECONDS: Final = 1_000_000
_TIMELESS_URIS: Final = ("cf:0:", "cf:4:")


def check_operation(transaction: Transaction, federation: Collection[str]) -> None:
    """Check that the operation is allowed outside the first block, and to this signer.

    Raises:
        OperationError: a GENESIS, or a CREATE by somebody who is no member of the federation.
    """
    if transaction.operation is Operation.GENESIS:
        field = "transaction.operation"
        raise OperationError(f"{field}: GENESIS stands in the first block only", field=field)
    if transaction.operation is Operation.CREATE:
        creator = transaction.fulfillments[0].owners[0]
        if creator not in federation:
            field = "transaction.fulfillments[0].current_owners"
            raise OperationError(f"{field}: {creator} is no node of the federation, and may not CREATE", field=field)


def check_fulfillments(transaction: Transaction, spent: Mapping[OutputRef, Output], now: str | None) -> None:
    """Check every fulfillment.

    Args:
        transaction: well formed.
        spent: the outputs that its inputs name.
        now: Unix seconds (block time) at which deadlines are judged.

    Raises:
        TransactionDoesNotExist: an input is not in `spent`.
        InvalidSignature: a fulfillment is missing, malformed, answers another condition, or is not valid at `now`.
        NowRequired: a fulfillment holds a deadline and `now` is None.
    """
    for fulfillment in transaction.fulfillments:
        _check_fulfillment(transaction, fulfillment, spent, now)


def _check_fulfillment(
    transaction: Transaction, fulfillment: Fulfillment, spent: Mapping[OutputRef, Output], now: str | None
) -> None:
    output = None
    if fulfillment.input is None:
        wanted = cc.Ed25519Fulfillment(public_key=fulfillment.owners[0]).condition_uri
    else:
        output = spent.get(fulfillment.input)
        if output is None:
            field = f"{fulfillment.field}.input"
            txid, cid = fulfillment.input
            raise TransactionDoesNotExist(f"{field}: there is no output {cid} of {txid}", field=field)
        wanted = output.uri
    field = f"{fulfillment.field}.fulfillment"
    parsed, answered = _parse(fulfillment, field)
    if answered != wanted:
        raise InvalidSignature(f"{field}: answers {answered}, not {wanted}", field=field)
    if not parsed.validate(transaction.message(fulfillment, output), now):
        when = "" if now is None or is_timeless(transaction) else f" at {now}"
        raise InvalidSignature(f"{field}: does not fulfil the condition{when}", field=field)


def _parse(fulfillment: Fulfillment, field: str) -> tuple[cc.Fulfillment, str]:
    """Return a fulfillment, and the URI of the condition that it answers."""
    if fulfillment.uri is None:
        raise InvalidSignature(f"{field}: is null; the transaction is not signed", field=field)
    try:
        parsed = cc.Fulfillment.from_uri(fulfillment.uri)
        # What parses may still derive to nothing: stand-ins can claim sizes that no condition may have.
        answered = parsed.condition_uri
    except ConditionError as error:
        raise InvalidSignature(f"{field}: {error}", field=field) from error
    return parsed, answered


def is_timeless(transaction: Transaction) -> bool:
    """Tell whether no fulfillment holds a deadline, so that one check is good for ever."""
    return not _deadlines(transaction)


def _deadlines(transaction: Transaction) -> set[str]:
    """Return every expiry time in the fulfillments; a fulfillment that cannot be parsed has none."""
    found: set[str] = set()
    for fulfillment in transaction.fulfillments:
        uri = fulfillment.uri
        # What cannot hold a deadline need not be parsed again.
        if uri is None or uri.startswith(_TIMELESS_URIS):
            continue
        try:
            nodes = cc.walk(cc.Fulfillment.from_uri(uri))
        except ConditionError:
            continue
        found.update(node.expire_time for node in nodes if isinstance(node, cc.TimeoutFulfillment))
    return found


def can_hold_later(transaction: Transaction, spent: Mapping[OutputRef, Output], since: str) -> bool:
    """Tell whether the fulfillments are valid at some time from `since` on.

    Validity changes only when a deadline passes, so it is enough to look at `since`, at every deadline after it, and
    right behind each.
    """
    moments = {since}
    for expiry in _deadlines(transaction):
        whole, _, fraction = expiry.partition(".")
        at = int(whole) * _MICROSECONDS + int(fraction.ljust(6, "0"))
        moments.update(_timestamp(moment) for moment in (at, at + 1) if moment >= microseconds(since))
    for moment in sorted(moments):
        try:
            check_fulfillments(transaction, spent, moment)
        except InvalidSignature:
            continue
        return True
    return False


def can_ever_hold(transaction: Transaction, spent: Mapping[OutputRef, Output]) -> bool:
    """Tell whether the fulfillments are valid at any time at all; not where an output that they spend is missing."""
    return all(ref in spent for ref in transaction.inputs) and can_hold_later(transaction, spent, _timestamp(0))


def _timestamp(moment_microseconds: int) -> str:
    return f"{moment_microseconds // _MICROSECONDS}.{moment_microseconds % _MICROSECONDS:06d}"
