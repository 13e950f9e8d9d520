"""Building and signing transactions: what is asked for comes out, and whatever is missing is named."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb import canonical
from bigchaindb import cryptoconditions as cc
from bigchaindb.consensus.fulfillments import check_fulfillments
from bigchaindb.exceptions import (
    BigchainDBError,
    InvalidHash,
    MissingKey,
    OperationError,
    TransactionDoesNotExist,
    TransactionMalformed,
)
from bigchaindb.model.building import as_inputs, create_transaction, sign_transaction
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.transaction import Transaction
from tests.ledgers import key, lock_with, public, ref
from tests.model.documents import TIMESTAMP, spent_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.crypto import SigningKey

NODE, ALICE, BOB, CAROL = key("node 0"), key("alice"), key("bob"), key("carol")
A, B, C = public([ALICE, BOB, CAROL])


def by(*keys: SigningKey) -> dict[str, SigningKey]:
    return {str(k.verifying_key): k for k in keys}


def created(*owners: SigningKey) -> Transaction:
    """A signed CREATE for these owners."""
    unsigned = create_transaction(public(NODE), public(owners), [], "CREATE", timestamp=TIMESTAMP)
    return Transaction.from_dict(sign_transaction(unsigned, by(NODE), {}))


def locked(condition: dict[str, Any]) -> Transaction:
    """A signed CREATE with a condition of one's own."""
    unsigned = create_transaction(public(NODE), A, [], "CREATE", timestamp=TIMESTAMP)
    return Transaction.from_dict(sign_transaction(lock_with(unsigned, condition), by(NODE), {}))


def spend(*spent: Transaction) -> dict[str, Any]:
    """An unsigned TRANSFER of the first output of each, to Carol."""
    return create_transaction(None, C, [ref(t) for t in spent], "TRANSFER", timestamp=TIMESTAMP)


def outputs(*spent: Transaction) -> dict[OutputRef, Any]:
    return {ref(t, o.cid): o for t in spent for o in t.outputs}


# --- inputs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "refs"),
    [
        (None, []),
        ([], []),
        (spent_id(1), [OutputRef(spent_id(1), 0)]),
        ({"txid": spent_id(1), "cid": 2}, [OutputRef(spent_id(1), 2)]),
        (OutputRef(spent_id(1), 2), [OutputRef(spent_id(1), 2)]),
        ([spent_id(1), {"cid": 1, "txid": spent_id(2)}], [OutputRef(spent_id(1), 0), OutputRef(spent_id(2), 1)]),
    ],
)
def test_an_input_is_an_output_or_an_id_or_a_list_of_these(given: Any, refs: list[OutputRef]) -> None:
    assert as_inputs(given) == refs


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (7, "inputs"),
        ("abc", "inputs"),
        ({}, "inputs.cid"),
        ({"txid": spent_id(1), "cid": -1}, "inputs.cid"),
        ({"txid": spent_id(1), "cid": True}, "inputs.cid"),
        ({"txid": spent_id(1), "cid": 2**53}, "inputs.cid"),
        (OutputRef(spent_id(1), 10**30), "inputs.cid"),
        ({"txid": spent_id(1), "cid": 0, "x": 1}, "inputs.x"),
        ((spent_id(1), 0), "inputs"),
        ([spent_id(1), None], "inputs[1]"),
        ([spent_id(1), [spent_id(2)]], "inputs[1]"),
        ([spent_id(1), {"txid": "x", "cid": 0}], "inputs[1].txid"),
    ],
)
def test_what_is_no_input_is_named(given: Any, field: str) -> None:
    with pytest.raises(TransactionMalformed) as caught:
        as_inputs(given)
    assert caught.value.field == field


# --- creating ----------------------------------------------------------------------------------------------


def test_a_create_has_one_output_and_no_input() -> None:
    document = create_transaction(A, B, [], "CREATE", payload={"kind": "boat"}, timestamp=TIMESTAMP)
    assert Transaction.from_dict(document).to_dict() == document
    body = document["transaction"]
    assert body["operation"] == "CREATE"
    assert body["timestamp"] == TIMESTAMP
    assert body["data"]["payload"] == {"kind": "boat"}
    assert body["fulfillments"] == [{"fid": 0, "current_owners": [A], "input": None, "fulfillment": None}]
    assert body["conditions"][0]["new_owners"] == [B]
    assert body["conditions"][0]["condition"]["uri"] == cc.Ed25519Fulfillment(public_key=B).condition_uri


def test_a_transfer_has_an_output_for_each_input() -> None:
    refs = [OutputRef(spent_id(i), i) for i in range(3)]
    transaction = Transaction.from_dict(create_transaction([A], [B], refs, "TRANSFER", timestamp=TIMESTAMP))
    assert transaction.inputs == tuple(refs)
    assert [o.owners for o in transaction.outputs] == [(B,)] * 3


def test_several_new_owners_must_all_sign() -> None:
    transaction = created(ALICE, BOB, CAROL)
    details = cc.from_details(transaction.outputs[0].document["condition"]["details"])
    assert isinstance(details, cc.ThresholdSha256Fulfillment)
    assert details.threshold == 3
    assert cc.public_keys(details) == (A, B, C)


@pytest.mark.parametrize("nobody", [None, []])
def test_without_new_owners_the_condition_is_left_open(nobody: Any) -> None:
    document = create_transaction(A, nobody, [], "CREATE", timestamp=TIMESTAMP)
    assert document["transaction"]["conditions"] == [{"cid": 0, "condition": None, "new_owners": None}]
    with pytest.raises(TransactionMalformed, match="condition: must be a dict"):
        Transaction.from_dict(document)


def test_nothing_given_is_changed_and_nothing_returned_is_shared() -> None:
    owners, payload, refs = [A], {"list": [1]}, [OutputRef(spent_id(1), 0)]
    document = create_transaction(owners, owners, refs, "TRANSFER", payload=payload, timestamp=TIMESTAMP)
    before = copy.deepcopy(document)
    owners.append(B)
    payload["list"].append(2)
    assert document == before
    document["transaction"]["data"]["payload"]["list"].append(3)
    assert payload["list"] == [1, 2]


BAD_CREATES: dict[str, tuple[Callable[[], Any], type[BigchainDBError], str]] = {
    "an operation that does not exist": (lambda: make(operation="BURN"), OperationError, "operation"),
    "an operation that is no str": (lambda: make(operation=["CREATE"]), OperationError, "operation"),
    "inputs for a CREATE": (lambda: make(inputs=[OutputRef(spent_id(1), 0)]), OperationError, "inputs"),
    "no inputs for a TRANSFER": (lambda: make(operation="TRANSFER"), OperationError, "inputs"),
    "an input twice": (
        lambda: make(operation="TRANSFER", inputs=[OutputRef(spent_id(1), 0), OutputRef(spent_id(1), 0)]),
        TransactionMalformed,
        "inputs",
    ),
    "nobody who creates": (lambda: make(current_owners=[]), TransactionMalformed, "current_owners"),
    "a creator that is no key": (lambda: make(current_owners="alice"), TransactionMalformed, "current_owners[0]"),
    "owners that are a number": (lambda: make(new_owners=7), TransactionMalformed, "new_owners[0]"),
    "a new owner that is no key": (lambda: make(new_owners=[A, "bob"]), TransactionMalformed, "new_owners[1]"),
    "a new owner twice": (lambda: make(new_owners=[A, A]), TransactionMalformed, "new_owners"),
    "more owners than a condition holds": (
        lambda: make(new_owners=public([key(f"owner {i}") for i in range(600)])),
        TransactionMalformed,
        "new_owners",
    ),
    "a payload that is a list": (lambda: make(payload=[]), TransactionMalformed, "payload"),
    "a payload with NaN": (lambda: make(payload={"x": float("nan")}), TransactionMalformed, "payload.x"),
    "a payload too deep for a transaction": (
        lambda: make(payload=nested(62)),
        TransactionMalformed,
        "transaction.data.payload" + ".x" * 61,
    ),
    "a timestamp that is a number": (lambda: make(timestamp=1.5), TransactionMalformed, "timestamp"),
}


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"x": value}
    return value


def make(**changes: Any) -> Any:
    arguments = {"current_owners": A, "new_owners": B, "inputs": [], "operation": "CREATE", "timestamp": TIMESTAMP}
    return create_transaction(**{**arguments, **changes})


@pytest.mark.parametrize(("attempt", "error", "field"), BAD_CREATES.values(), ids=BAD_CREATES)
def test_what_cannot_be_created_is_named(attempt: Callable[[], Any], error: type[BigchainDBError], field: str) -> None:
    with pytest.raises(BigchainDBError) as caught:
        attempt()
    assert type(caught.value) is error
    assert caught.value.field == field


# --- signing -----------------------------------------------------------------------------------------------


def test_what_is_signed_is_valid_and_the_document_given_is_unchanged() -> None:
    asset = created(ALICE)
    unsigned = spend(asset)
    before = copy.deepcopy(unsigned)
    signed = sign_transaction(unsigned, by(ALICE), outputs(asset))
    assert unsigned == before
    assert signed["id"] == unsigned["id"]
    check_fulfillments(Transaction.from_dict(signed), outputs(asset), None)


def test_all_owners_of_a_shared_output_sign() -> None:
    asset = created(ALICE, BOB, CAROL)
    signed = sign_transaction(spend(asset), by(ALICE, BOB, CAROL), outputs(asset))
    check_fulfillments(Transaction.from_dict(signed), outputs(asset), None)


def test_each_input_is_signed_by_its_own_owner() -> None:
    assets = created(ALICE), created(BOB)
    signed = sign_transaction(spend(*assets), by(ALICE, BOB), outputs(*assets))
    check_fulfillments(Transaction.from_dict(signed), outputs(*assets), None)


def test_two_of_three_owners_suffice_where_the_threshold_says_so() -> None:
    lock = cc.ThresholdSha256Fulfillment(threshold=2)
    for owner in (A, B, C):
        lock.add_subfulfillment(cc.Ed25519Fulfillment(public_key=owner))
    asset = locked({"details": lock.to_json(), "uri": lock.condition_uri})
    signed = sign_transaction(spend(asset), by(ALICE, CAROL), outputs(asset))
    check_fulfillments(Transaction.from_dict(signed), outputs(asset), None)


def test_a_hash_lock_takes_its_secret() -> None:
    asset = locked({"uri": cc.PreimageSha256Fulfillment(b"much secret! wow!").condition_uri})
    signed = sign_transaction(spend(asset), {}, outputs(asset), secrets=[b"other", b"much secret! wow!"])
    check_fulfillments(Transaction.from_dict(signed), outputs(asset), None)
    with pytest.raises(MissingKey, match=r"transaction\.fulfillments\[0\]: cannot be fulfilled") as caught:
        sign_transaction(spend(asset), by(ALICE), outputs(asset), secrets=[b"another"])
    assert caught.value.field == "transaction.fulfillments[0]"


def test_a_missing_key_is_named() -> None:
    assets = created(ALICE), created(BOB, CAROL)
    with pytest.raises(MissingKey, match=rf"transaction\.fulfillments\[1\].*no private key for {C}") as caught:
        sign_transaction(spend(*assets), by(ALICE, BOB), outputs(*assets))
    assert caught.value.field == "transaction.fulfillments[1]"
    assert B not in str(caught.value)


def test_a_create_takes_the_key_of_its_creator() -> None:
    unsigned = create_transaction(A, B, [], "CREATE", timestamp=TIMESTAMP)
    with pytest.raises(MissingKey, match=A):
        sign_transaction(unsigned, by(BOB), {})


def test_an_output_that_is_not_there_cannot_be_signed_for() -> None:
    asset = created(ALICE)
    with pytest.raises(TransactionDoesNotExist, match=f"there is no output 0 of {asset.id}") as caught:
        sign_transaction(spend(asset), by(ALICE), {})
    assert caught.value.field == "transaction.fulfillments[0].input"


def test_only_a_transaction_can_be_signed() -> None:
    with pytest.raises(TransactionMalformed):
        sign_transaction({}, by(ALICE), {})
    with pytest.raises(InvalidHash, match="id: "):
        sign_transaction({**make(), "id": "0" * 64}, by(ALICE), {})


def test_a_transaction_as_large_as_a_ledger_may_allow_can_be_signed() -> None:
    unsigned = make(payload={"text": "x" * 2**20})
    signed = sign_transaction(unsigned, by(ALICE), {}, max_bytes=2**21)
    assert len(canonical.dumps(signed)) > 2**20
