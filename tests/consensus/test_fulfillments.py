"""Whether a transaction's fulfillments are valid: exactly the condition claimed, over the message, at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import cryptoconditions as cc
from bigchaindb.consensus.fulfillments import can_hold_later, check_fulfillments, check_operation, is_timeless
from bigchaindb.exceptions import (
    InvalidSignature,
    NowRequired,
    OperationError,
    TransactionDoesNotExist,
)
from bigchaindb.model.building import create_transaction, sign_transaction
from bigchaindb.model.transaction import Transaction
from tests.consensus.conditions import after, escrow, lock, oversized, until
from tests.ledgers import key, lock_with, public, ref, resign
from tests.model.documents import TIMESTAMP
from tests.model.published import ACCEPTED, NODE, OUTPUTS, REFUSED

if TYPE_CHECKING:
    from bigchaindb.crypto import SigningKey
    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Output

MAKER, ALICE, BOB = key("node 0"), key("alice"), key("bob")
DEADLINE = 1_700_000_000


def at(offset_microseconds: int) -> str:
    """A time so long after the deadline."""
    moment = DEADLINE * 10**6 + offset_microseconds
    return f"{moment // 10**6}.{moment % 10**6:06d}"


def signed(document: dict[str, Any], *keys: SigningKey, spent: Any = None, now: str | None = None) -> Transaction:
    by = {str(k.verifying_key): k for k in keys}
    return Transaction.from_dict(sign_transaction(document, by, spent or {}, now=now))


def created(condition: cc.Fulfillment | None = None) -> Transaction:
    """A CREATE for Alice, or with a lock of one's own."""
    unsigned = create_transaction(public(MAKER), public(ALICE), [], "CREATE", timestamp=TIMESTAMP)
    return signed(lock_with(unsigned, lock(condition)) if condition else unsigned, MAKER)


def outputs(*transactions: Transaction) -> dict[OutputRef, Output]:
    return {ref(t, o.cid): o for t in transactions for o in t.outputs}


def spend(*assets: Transaction) -> dict[str, Any]:
    """An unsigned TRANSFER of these to Bob."""
    return create_transaction(None, public(BOB), [ref(a) for a in assets], "TRANSFER", timestamp=TIMESTAMP)


def fulfilled(document: dict[str, Any], *uris: str | None) -> Transaction:
    """The document with these fulfillments."""
    for i, uri in enumerate(uris):
        document["transaction"]["fulfillments"][i]["fulfillment"] = uri
    return Transaction.from_dict(document)


# --- operations --------------------------------------------------------------------------------------------


def test_a_member_may_create_and_a_stranger_may_not() -> None:
    check_operation(created(), public(MAKER))
    with pytest.raises(OperationError, match="is no node of the federation") as caught:
        check_operation(created(), public(ALICE))
    assert caught.value.field == "transaction.fulfillments[0].current_owners"


def test_anybody_may_transfer() -> None:
    check_operation(Transaction.from_dict(spend(created())), [])


def test_genesis_stands_in_the_first_block_only() -> None:
    document = created().to_dict()
    document["transaction"]["operation"] = "GENESIS"
    with pytest.raises(OperationError, match="GENESIS stands in the first block only") as caught:
        check_operation(Transaction.from_dict(resign(document)), public(MAKER))
    assert caught.value.field == "transaction.operation"


# --- fulfillments ------------------------------------------------------------------------------------------


def test_what_the_owner_signed_is_valid() -> None:
    asset = created()
    check_fulfillments(asset, {}, None)
    check_fulfillments(signed(spend(asset), ALICE, spent=outputs(asset)), outputs(asset), None)


@pytest.mark.parametrize("transaction", ACCEPTED, ids=lambda t: t.id[:8])
def test_the_published_transactions_are_valid(transaction: Transaction) -> None:
    check_operation(transaction, [NODE])
    check_fulfillments(transaction, OUTPUTS, None)


def test_the_published_slip_answers_another_condition() -> None:
    with pytest.raises(
        InvalidSignature, match=r"transaction\.fulfillments\[0\]\.fulfillment: answers cc:4:20:oqXT.*, not cc:4:20:DIfy"
    ):
        check_fulfillments(REFUSED, OUTPUTS, None)


def test_an_input_that_is_nowhere_is_named() -> None:
    asset = created()
    transfer = signed(spend(asset), ALICE, spent=outputs(asset))
    with pytest.raises(TransactionDoesNotExist, match=f"there is no output 0 of {asset.id}") as caught:
        check_fulfillments(transfer, {}, None)
    assert caught.value.field == "transaction.fulfillments[0].input"


def other_fulfillments() -> dict[str, str | None]:
    """What does not unlock Alice's asset, or make Alice's CREATE."""
    signature = cc.Ed25519Fulfillment(public_key=public(ALICE)[0])
    signature.sign("another message", ALICE)
    strangers = cc.Ed25519Fulfillment(public_key=public(BOB)[0])
    strangers.sign("another message", BOB)
    threshold = cc.ThresholdSha256Fulfillment(threshold=1)
    threshold.add_subfulfillment(signature)
    return {
        "none": None,
        "nothing": "",
        "a condition": signature.condition_uri,
        "what does not parse": "cf:4:AAAA",
        "of an unknown type": "cf:3:AAAA",
        "what exceeds the limits": oversized(),
        "the owner's signature of something else": signature.serialize_uri(),
        "a stranger's signature": strangers.serialize_uri(),
        "the owner's signature in another structure": threshold.serialize_uri(),
        "a secret": cc.PreimageSha256Fulfillment(b"secret").serialize_uri(),
        "100,000 characters": "cf:2:" + "A" * 100_000,
    }


@pytest.mark.parametrize("uri", other_fulfillments().values(), ids=other_fulfillments())
def test_nothing_else_unlocks_an_output(uri: str | None) -> None:
    asset = created()
    transfer = fulfilled(spend(asset), uri)
    with pytest.raises(InvalidSignature) as caught:
        check_fulfillments(transfer, outputs(asset), at(0))
    assert caught.value.field == "transaction.fulfillments[0].fulfillment"
    assert str(caught.value).startswith(caught.value.field)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("uri", other_fulfillments().values(), ids=other_fulfillments())
def test_nothing_else_makes_a_create(uri: str | None) -> None:
    with pytest.raises(InvalidSignature):
        check_fulfillments(fulfilled(created().to_dict(), uri), {}, at(0))


def test_a_fulfillment_is_bound_to_its_input() -> None:
    one, two = created(), created(until(BOB, str(DEADLINE)))
    both = signed(spend(one, two), ALICE, BOB, spent=outputs(one, two))
    check_fulfillments(both, outputs(one, two), at(0))
    first, second = (f.uri for f in both.fulfillments)
    with pytest.raises(InvalidSignature) as caught:
        check_fulfillments(fulfilled(spend(one, two), second, first), outputs(one, two), at(0))
    assert caught.value.field == "transaction.fulfillments[0].fulfillment"


def test_the_second_fulfillment_is_looked_at_too() -> None:
    one, two = created(), created(cc.Ed25519Fulfillment(public_key=public(BOB)[0]))
    both = signed(spend(one, two), ALICE, BOB, spent=outputs(one, two))
    unsigned = fulfilled(spend(one, two), both.fulfillments[0].uri, None)
    with pytest.raises(InvalidSignature) as caught:
        check_fulfillments(unsigned, outputs(one, two), None)
    assert caught.value.field == "transaction.fulfillments[1].fulfillment"


# --- deadlines ---------------------------------------------------------------------------------------------


def spend_at(condition: cc.Fulfillment, owner: SigningKey) -> tuple[Transaction, dict[OutputRef, Output]]:
    """A transfer of what is locked so, signed for whenever it may hold; and what it spends."""
    asset = created(condition)
    return signed(spend(asset), owner, spent=outputs(asset)), outputs(asset)


def is_valid(transaction: Transaction, spent: dict[OutputRef, Output], now: str) -> bool:
    try:
        check_fulfillments(transaction, spent, now)
    except InvalidSignature:
        return False
    return True


def test_a_deadline_is_good_to_the_microsecond() -> None:
    transfer, spent = spend_at(until(ALICE, str(DEADLINE)), ALICE)
    assert [is_valid(transfer, spent, at(offset)) for offset in (-1, 0, 1)] == [True, True, False]
    transfer, spent = spend_at(after(ALICE, str(DEADLINE)), ALICE)
    assert [is_valid(transfer, spent, at(offset)) for offset in (-1, 0, 1)] == [False, False, True]


def test_the_time_is_told_where_a_deadline_was_missed() -> None:
    transfer, spent = spend_at(until(ALICE, str(DEADLINE)), ALICE)
    with pytest.raises(InvalidSignature, match=rf"does not fulfil the condition at {at(1)}$"):
        check_fulfillments(transfer, spent, at(1))


def test_the_time_is_not_told_where_it_does_not_matter() -> None:
    asset = created()
    bad = fulfilled(spend(asset), signed(spend(asset), ALICE, spent=outputs(asset)).fulfillments[0].uri)
    document = bad.to_dict()
    document["transaction"]["timestamp"] = "1.000000"
    with pytest.raises(InvalidSignature, match=r"does not fulfil the condition$"):
        check_fulfillments(Transaction.from_dict(resign(document)), outputs(asset), at(1))


def test_a_deadline_is_never_judged_without_a_time() -> None:
    transfer, spent = spend_at(until(ALICE, str(DEADLINE)), ALICE)
    with pytest.raises(NowRequired):
        check_fulfillments(transfer, spent, None)


def test_only_what_shows_no_deadline_is_timeless() -> None:
    asset = created()
    assert is_timeless(asset)
    assert is_timeless(signed(spend(asset), ALICE, spent=outputs(asset)))
    assert is_timeless(Transaction.from_dict(spend(asset)))
    assert is_timeless(fulfilled(spend(asset), oversized()))
    assert is_timeless(fulfilled(spend(asset), "cf:2:not one"))
    for condition in (until(ALICE, str(DEADLINE)), after(ALICE, str(DEADLINE))):
        assert not is_timeless(spend_at(condition, ALICE)[0])


@pytest.mark.parametrize(
    ("condition", "since", "can"),
    [
        (until(ALICE, str(DEADLINE)), at(0), True),
        (until(ALICE, str(DEADLINE)), at(1), False),
        (until(ALICE, f"{DEADLINE}.5"), at(500_000), True),
        (until(ALICE, f"{DEADLINE}.5"), at(500_001), False),
        (after(ALICE, str(DEADLINE)), at(-(10**9)), True),
        (after(ALICE, str(DEADLINE)), at(0), True),
        (after(ALICE, str(DEADLINE)), at(10**9), True),
    ],
)
def test_whether_it_can_hold_later(condition: cc.Fulfillment, since: str, *, can: bool) -> None:
    transfer, spent = spend_at(condition, ALICE)
    assert can_hold_later(transfer, spent, since) is can


def test_a_bad_signature_never_holds() -> None:
    asset = created(until(ALICE, str(DEADLINE)))
    transfer = signed(spend(asset), ALICE, spent=outputs(asset))
    document = transfer.to_dict()
    document["transaction"]["timestamp"] = "1.000000"
    assert not can_hold_later(Transaction.from_dict(resign(document)), outputs(asset), at(-(10**9)))


@given(opening=st.none() | st.integers(-3, 3), closing=st.none() | st.integers(-3, 3), since=st.integers(-5, 5))
def test_a_transaction_can_hold_later_if_and_only_if_there_is_a_moment(
    opening: int | None, closing: int | None, since: int
) -> None:
    """Held against all moments of the next microseconds: after `opening`, until `closing`."""
    condition = cc.ThresholdSha256Fulfillment(threshold=1 + (opening is not None) + (closing is not None))
    condition.add_subfulfillment(cc.Ed25519Fulfillment(public_key=public(ALICE)[0]))
    if opening is not None:
        passed = cc.InvertedThresholdSha256Fulfillment(threshold=1)
        passed.add_subfulfillment(cc.TimeoutFulfillment(expire_time=at(opening)))
        condition.add_subfulfillment(passed)
    if closing is not None:
        condition.add_subfulfillment(cc.TimeoutFulfillment(expire_time=at(closing)))
    transfer, spent = spend_at(condition, ALICE)
    moments = [is_valid(transfer, spent, at(moment)) for moment in range(since, 10)]
    assert can_hold_later(transfer, spent, at(since)) is any(moments)


def test_an_escrow_holds_for_one_of_the_two_at_any_time() -> None:
    asset = created(escrow(ALICE, BOB, str(DEADLINE)))
    spent = outputs(asset)
    for offset in (-1, 0, 1):
        alices = signed(spend(asset), ALICE, spent=spent)
        bobs = signed(spend(asset), BOB, spent=spent)
        assert is_valid(alices, spent, at(offset)) is (offset <= 0)
        assert is_valid(bobs, spent, at(offset)) is (offset > 0)
