"""Owners who sign apart make the same transaction as owners who sign together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import InvalidValue, MissingKey, TransactionDoesNotExist
from bigchaindb.model.building import sign_transaction
from bigchaindb.model.cosigning import as_signatures, cosign
from bigchaindb.model.transaction import Transaction
from tests.model.test_building import ALICE, BOB, CAROL, NODE, A, B, by, created, locked, outputs, spend

if TYPE_CHECKING:
    from bigchaindb.crypto import SigningKey

SIGNATURE = "1" * 64


def signed_apart(unsigned: dict[str, Any], spent: Transaction, *owners: SigningKey, **more: Any) -> dict[str, Any]:
    transaction = Transaction.from_dict(unsigned)
    made = [signature for owner in owners for signature in cosign(transaction, by(owner), outputs(spent))]
    signatures = as_signatures(json.loads(json.dumps(made)))  # as it travels
    return sign_transaction(unsigned, {}, outputs(spent), signatures=signatures, **more)


def test_owners_who_sign_apart_make_what_they_would_make_together() -> None:
    shared = created(ALICE, BOB)
    unsigned = spend(shared)
    assert signed_apart(unsigned, shared, BOB, ALICE) == sign_transaction(unsigned, by(ALICE, BOB), outputs(shared))


def test_a_secret_may_be_added_by_whoever_puts_the_signatures_together() -> None:
    lock = cc.ThresholdSha256Fulfillment(threshold=2)
    lock.add_subcondition(cc.PreimageSha256Fulfillment("Xanadu").condition)
    lock.add_subfulfillment(cc.Ed25519Fulfillment(public_key=A))
    spent = locked({"uri": lock.condition_uri, "details": lock.to_json()})
    unsigned = spend(spent)
    assert signed_apart(unsigned, spent, ALICE, secrets=[b"Xanadu"])["id"] == unsigned["id"]
    with pytest.raises(MissingKey, match="no secret"):
        signed_apart(unsigned, spent, ALICE)


def test_a_signature_that_is_still_missing_is_named() -> None:
    shared = created(ALICE, BOB)
    with pytest.raises(MissingKey, match=B):
        signed_apart(spend(shared), shared, ALICE)


def test_a_signature_is_good_for_one_transaction_and_input_only() -> None:
    shared, other = created(ALICE, BOB), created(ALICE, CAROL)
    unsigned = spend(shared)
    made = cosign(Transaction.from_dict(spend(other)), by(ALICE), outputs(other))
    made += cosign(Transaction.from_dict(unsigned), by(BOB), outputs(shared))
    with pytest.raises(MissingKey, match=A):
        sign_transaction(unsigned, {}, outputs(shared), signatures=as_signatures(made))


def test_the_creator_may_sign_apart_too() -> None:
    genuine = created(ALICE)
    made = cosign(genuine, by(NODE), {})
    assert sign_transaction(genuine.to_dict(), {}, {}, signatures=as_signatures(made)) == genuine.to_dict()


def test_who_is_not_asked_is_told() -> None:
    shared = created(ALICE, BOB)
    unsigned = Transaction.from_dict(spend(shared))
    with pytest.raises(MissingKey, match=f"by {CAROL.verifying_key}"):
        cosign(unsigned, by(CAROL), outputs(shared))
    with pytest.raises(MissingKey, match="by nobody"):
        cosign(unsigned, {}, outputs(shared))
    with pytest.raises(TransactionDoesNotExist):
        cosign(unsigned, by(ALICE), {})


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({}, "signatures"),
        ([SIGNATURE], "signatures[0]"),
        ([{"fid": 0, "public_key": A}], "signatures[0].signature"),
        ([{"fid": 0, "public_key": "x", "signature": SIGNATURE}], "signatures[0].public_key"),
        ([{"fid": -1, "public_key": A, "signature": SIGNATURE}], "signatures[0].fid"),
        ([{"fid": 0, "public_key": A, "signature": SIGNATURE[1:]}], "signatures[0].signature"),
        ([{"fid": 0, "public_key": A, "signature": 7}], "signatures[0].signature"),
    ],
)
def test_what_is_no_signature_is_refused_by_name(value: Any, field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        as_signatures(value)
    assert caught.value.field == field
