"""Transactions: what is one, what is none and which field is to blame; ids, messages and texts."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import canonical, crypto
from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import (
    InvalidHash,
    TransactionError,
    TransactionMalformed,
    TransactionTooLarge,
)
from bigchaindb.model.building import create_transaction
from bigchaindb.model.merkle import leaf_hash
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.transaction import DEFAULT_MAX_BYTES, Operation, Transaction, transaction_id
from tests.ledgers import key, public, resign
from tests.model.documents import ABSENT, TIMESTAMP, create, put, spent_id, transfer

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER = public(key("a"))[0]
HASH_LOCKED: dict[str, Any] = {
    "cid": 0,
    "condition": {"uri": cc.PreimageSha256Fulfillment(b"secret").condition_uri},
    "new_owners": None,
}


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"x": value}
    return value


def cyclic() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["itself"] = value
    return value


# --- what is one -------------------------------------------------------------------------------------------


def test_a_transfer_shows_what_it_holds() -> None:
    document = transfer()
    transaction = Transaction.from_dict(document)
    assert transaction.id == document["id"]
    assert transaction.operation is Operation.TRANSFER
    assert transaction.timestamp == TIMESTAMP
    assert transaction.inputs == (OutputRef(spent_id(0), 0), OutputRef(spent_id(1), 1))
    assert [f.fid for f in transaction.fulfillments] == [0, 1]
    assert [f.owners for f in transaction.fulfillments] == [(OWNER,), (OWNER,)]
    assert [f.uri for f in transaction.fulfillments] == [None, None]
    assert [o.cid for o in transaction.outputs] == [0, 1]
    assert transaction.outputs[1].owners == tuple(public([key("b"), key("c")]))
    assert transaction.outputs[1].uri == document["transaction"]["conditions"][1]["condition"]["uri"]
    assert transaction.outputs[1].document == document["transaction"]["conditions"][1]
    assert transaction.payload_hash == crypto.hash_data('{"to":"b"}')


def test_a_create_spends_nothing() -> None:
    transaction = Transaction.from_dict(create())
    assert transaction.operation is Operation.CREATE
    assert transaction.inputs == ()
    assert transaction.fulfillments[0].input is None


def test_data_may_be_null() -> None:
    document = transfer()
    document["transaction"]["data"] = None
    assert Transaction.from_dict(resign(document)).payload_hash is None


def test_the_text_is_canonical_and_hashed_and_counted_whole() -> None:
    document = transfer()
    document["transaction"]["data"] = {"payload": {"ü": "€😀"}, "hash": crypto.hash_data('{"ü":"€😀"}')}
    for doc in (resign(document), transfer()):
        transaction = Transaction.from_dict(doc)
        assert transaction.text == canonical.dumps(doc)
        assert transaction.hash == crypto.hash_data(transaction.text)
        assert transaction.leaf == leaf_hash(transaction.text.encode())
        assert transaction.size_bytes == len(transaction.text.encode())


def test_a_document_given_is_copied_and_one_returned_is_the_callers() -> None:
    document = transfer()
    transaction = Transaction.from_dict(document)
    before = copy.deepcopy(document)
    document["transaction"]["data"]["payload"]["to"] = "somebody else"
    returned = transaction.to_dict()
    assert returned == before
    returned["transaction"]["data"]["payload"]["to"] = "somebody else"
    assert transaction.to_dict() == before


def test_a_checked_text_is_taken_in_again_without_checking() -> None:
    checked = Transaction.from_dict(transfer())
    again = Transaction.from_trusted_text(checked.text, checked.hash)
    assert again == checked
    assert again.hash == checked.hash


def test_the_id_covers_everything_but_the_fulfillments() -> None:
    document = transfer()
    document["transaction"]["fulfillments"][0]["fulfillment"] = "cf:4:whatever"
    assert Transaction.from_dict(document).id == transfer()["id"]
    assert Transaction.from_dict(document).hash != Transaction.from_dict(transfer()).hash
    assert document["id"] == transaction_id(document["transaction"])


@pytest.mark.parametrize("owners", [None, []])
def test_where_details_are_not_told_the_uri_stands_alone_and_owners_may_be_missing(owners: Any) -> None:
    document = create()
    document["transaction"]["conditions"][0] = {**HASH_LOCKED, "new_owners": owners}
    output = Transaction.from_dict(resign(document)).outputs[0]
    assert output.uri == HASH_LOCKED["condition"]["uri"]
    assert output.owners == ()


def test_where_details_are_not_told_owners_may_be_named() -> None:
    document = create()
    del document["transaction"]["conditions"][0]["condition"]["details"]
    assert Transaction.from_dict(resign(document)).outputs[0].owners == (OWNER,)


def test_details_may_be_a_bare_condition() -> None:
    condition = cc.Ed25519Fulfillment(public_key=OWNER).condition
    document = create()
    document["transaction"]["conditions"][0]["condition"] = {
        "details": condition.to_json(),
        "uri": condition.serialize_uri(),
    }
    assert Transaction.from_dict(resign(document)).outputs[0].uri == condition.serialize_uri()


@pytest.mark.parametrize("owners", [None, []])
def test_who_spends_a_hash_lock_need_not_name_owners(owners: Any) -> None:
    document = transfer()
    document["transaction"]["fulfillments"][0]["current_owners"] = owners
    assert Transaction.from_dict(resign(document)).fulfillments[0].owners == ()


def test_a_genesis_has_the_shape_of_a_create() -> None:
    document = create()
    document["transaction"]["operation"] = "GENESIS"
    assert Transaction.from_dict(resign(document)).operation is Operation.GENESIS


# --- what is none ------------------------------------------------------------------------------------------

F0 = "transaction.fulfillments[0]"
F1 = "transaction.fulfillments[1]"
C0 = "transaction.conditions[0]"
LOCK = f"{C0}.condition"
PAYLOAD = "transaction.data.payload"

# Name: (the place to change, what to put there, and the field that is to blame where that is another one).
MALFORMED_TRANSFERS: dict[str, tuple[str, Any] | tuple[str, Any, str]] = {
    # the document
    "assignee": ("assignee", OWNER),
    "an unknown field": ("x", 1),
    "without id": ("id", ABSENT),
    "without version": ("version", ABSENT),
    "without transaction": ("transaction", ABSENT),
    "an id that is no hash": ("id", "x"),
    "an id in capitals": ("id", "A" * 64),
    "no id": ("id", None),
    "version 2": ("version", 2),
    "version as text": ("version", "1"),
    "version as bool": ("version", True),
    "version as float": ("version", 1.0),
    # the body
    "a body that is a list": ("transaction", []),
    "an unknown field in the body": ("transaction.x", 1),
    "without data": ("transaction.data", ABSENT),
    "without timestamp": ("transaction.timestamp", ABSENT),
    "without operation": ("transaction.operation", ABSENT),
    "without fulfillments": ("transaction.fulfillments", ABSENT),
    "without conditions": ("transaction.conditions", ABSENT),
    "an unknown operation": ("transaction.operation", "BURN"),
    "an operation that is a list": ("transaction.operation", ["CREATE"]),
    "a small-letter operation": ("transaction.operation", "create"),
    "a timestamp that is a number": ("transaction.timestamp", 1.5),
    "a timestamp without decimals": ("transaction.timestamp", "1"),
    # data
    "data that is a list": ("transaction.data", []),
    "data that is false": ("transaction.data", False),
    "data with more": ("transaction.data.x", 1),
    "data without hash": ("transaction.data.hash", ABSENT),
    "data without payload": (PAYLOAD, ABSENT),
    "a payload that is a text": (PAYLOAD, "x"),
    "a payload that is null": (PAYLOAD, None),
    "a payload hash that is none": ("transaction.data.hash", 7),
    # values that have no canonical text
    "NaN": (f"{PAYLOAD}.to", float("nan")),
    "infinity": (f"{PAYLOAD}.to", float("inf")),
    "a huge integer": (f"{PAYLOAD}.to", 2**53),
    "an integer with 5,000 digits": (f"{PAYLOAD}.to", 10**5000),
    "a lone surrogate": (f"{PAYLOAD}.to", "\ud800"),
    "a lone surrogate in a key": (f"{PAYLOAD}.\udfff", 1, PAYLOAD),
    "bytes": (f"{PAYLOAD}.to", b"x"),
    "a tuple": (f"{PAYLOAD}.to", (1,)),
    "a key that is no str": (PAYLOAD, {1: 1}),
    "65 levels": (PAYLOAD, nested(62), PAYLOAD + ".x" * 61),
    "100,000 levels": (PAYLOAD, nested(100_000), PAYLOAD + ".x" * 61),
    "a payload that holds itself": (PAYLOAD, cyclic(), PAYLOAD + ".itself" * 61),
    # fulfillments
    "fulfillments that are a dict": ("transaction.fulfillments", {}),
    "no fulfillments": ("transaction.fulfillments", []),
    "a fulfillment that is null": (F0, None),
    "a fulfillment with more": (f"{F0}.x", 1),
    "a fulfillment without fid": (f"{F0}.fid", ABSENT),
    "fid 1 first": (f"{F0}.fid", 1),
    "fid as bool": (f"{F0}.fid", False),
    "fid twice": (f"{F1}.fid", 0),
    "a fulfillment that is a dict": (f"{F0}.fulfillment", {}),
    "an owner that is no key": (f"{F0}.current_owners[0]", "x"),
    "an owner twice": (f"{F0}.current_owners[1]", OWNER, f"{F0}.current_owners"),
    "owners as text": (f"{F0}.current_owners", OWNER),
    # inputs
    "a transfer without input": (f"{F0}.input", None),
    "an input as text": (f"{F0}.input", spent_id(0)),
    "an input with more": (f"{F0}.input.x", 1),
    "an input without cid": (f"{F0}.input.cid", ABSENT),
    "a txid that is no hash": (f"{F0}.input.txid", "x"),
    "cid -1": (f"{F0}.input.cid", -1),
    "cid as bool": (f"{F0}.input.cid", True),
    "cid as float": (f"{F0}.input.cid", 0.0),
    "the same input twice": (f"{F1}.input", {"txid": spent_id(0), "cid": 0}),
    # conditions
    "conditions that are a dict": ("transaction.conditions", {}),
    "no conditions": ("transaction.conditions", []),
    "more conditions than fulfillments": (F1, ABSENT, "transaction.conditions"),
    "fewer conditions than fulfillments": ("transaction.conditions[1]", ABSENT, "transaction.conditions"),
    "an output that is null": (C0, None),
    "an output with more": (f"{C0}.amount", 5),
    "an output without cid": (f"{C0}.cid", ABSENT),
    "cid 1 first": (f"{C0}.cid", 1),
    "an unlocked output": (LOCK, None),
    "a condition with more": (f"{LOCK}.x", 1),
    "a condition without uri": (f"{LOCK}.uri", ABSENT),
    "a uri that is null": (f"{LOCK}.uri", None),
    "details that are null": (f"{LOCK}.details", None),
    "details that are text": (f"{LOCK}.details", "{}"),
    "details with a wrong bitmask": (f"{LOCK}.details.bitmask", 32, f"{LOCK}.details"),
    "details that are cut off": (f"{LOCK}.details.threshold", ABSENT, f"{LOCK}.details"),
    "a bad uri without details": (LOCK, {"uri": "cc:9:20:x:96"}, f"{LOCK}.uri"),
    "no owners beside details": (f"{C0}.new_owners", None),
    "empty owners beside details": (f"{C0}.new_owners", []),
    "a new owner that is no key": (f"{C0}.new_owners[0]", 5),
    "a new owner twice": (f"{C0}.new_owners[1]", public(key("b"))[0], f"{C0}.new_owners"),
}

MALFORMED_CREATES: dict[str, tuple[str, Any] | tuple[str, Any, str]] = {
    "a create with an input": (f"{F0}.input", {"txid": spent_id(0), "cid": 0}),
    "a create by nobody": (f"{F0}.current_owners", []),
    "a create by null": (f"{F0}.current_owners", None),
    "a create of two": (F1, {**create()["transaction"]["fulfillments"][0], "fid": 1}, "transaction.fulfillments"),
    "an output that is text": (C0, "cc:0:3:x:1"),
    "owners of a hash lock that are text": (f"{C0}", {**HASH_LOCKED, "new_owners": "all"}, f"{C0}.new_owners"),
}

WRONG_HASHES: dict[str, tuple[str, Any] | tuple[str, Any, str]] = {
    "another id": ("id", "0" * 64),
    "another body than the id's": ("transaction.timestamp", "1.000000", "id"),
    "another payload hash": ("transaction.data.hash", "0" * 64),
    "another payload": (f"{PAYLOAD}.to", "c", "transaction.data.hash"),
    "another uri than the details'": (f"{LOCK}.uri", "cc:4:20:" + "A" * 43 + ":96"),
    "details of another key": (f"{LOCK}.details.subfulfillments[0].public_key", OWNER, f"{LOCK}.uri"),
}

TOO_LARGE: dict[str, tuple[str, Any] | tuple[str, Any, str]] = {
    "300 KiB": (f"{PAYLOAD}.to", "x" * 300 * 1024, "transaction"),
    "300 KiB in fewer characters": (f"{PAYLOAD}.to", "€" * 100 * 1024, "transaction"),
}


@pytest.mark.parametrize(
    ("make", "error", "case"),
    [
        pytest.param(make, error, case, id=name)
        for make, error, table in (
            (transfer, TransactionMalformed, MALFORMED_TRANSFERS),
            (create, TransactionMalformed, MALFORMED_CREATES),
            (transfer, InvalidHash, WRONG_HASHES),
            (transfer, TransactionTooLarge, TOO_LARGE),
        )
        for name, case in table.items()
    ],
)
def test_what_is_no_transaction_is_refused_by_the_name_of_its_field(
    make: Callable[[], Any], error: type[TransactionError], case: tuple[str, Any] | tuple[str, Any, str]
) -> None:
    path, value, field = (*case, case[0])[:3]
    document = make()
    put(path, value)(document)
    with pytest.raises(TransactionError) as caught:
        Transaction.from_dict(document)
    assert type(caught.value) is error
    assert caught.value.field == field
    assert str(caught.value).startswith(field[:30])
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", [None, 7, "{}", [], [("id", 1)], b"{}"])
def test_what_is_no_dict_is_refused(value: Any) -> None:
    with pytest.raises(TransactionMalformed, match="document: must be a dict"):
        Transaction.from_dict(value)


def test_a_field_whose_name_is_no_str_is_refused() -> None:
    with pytest.raises(TransactionMalformed, match="1: is not a field"):
        Transaction.from_dict({**transfer(), 1: 1})


def test_the_largest_transaction_is_one_byte_smaller_than_too_large() -> None:
    document = transfer()
    size = len(canonical.dumps(document))
    assert Transaction.from_dict(document, size).size_bytes == size
    with pytest.raises(TransactionTooLarge, match=f"{size} bytes, more than {size - 1}"):
        Transaction.from_dict(document, size - 1)
    assert size < DEFAULT_MAX_BYTES == 256 * 1024


# --- texts -------------------------------------------------------------------------------------------------

CANONICAL = canonical.dumps(transfer())

BAD_TEXTS = {
    "no JSON": "{",
    "nothing": "",
    "a list": "[]",
    "a number too large": CANONICAL.replace('"cid":0', '"cid":9007199254740992'),
    "a duplicate key": CANONICAL.replace('{"cid":0,', '{"cid":0,"cid":0,', 1),
    "a space": CANONICAL.replace(":", ": ", 1),
    "a newline behind": CANONICAL + "\n",
    "keys in another order": json.dumps({"version": 1, **transfer()}, separators=(",", ":")),
    "an escape that need not be": CANONICAL.replace("CREATE", "\\u0043REATE").replace("TRANSFER", "\\u0054RANSFER"),
    "a lone surrogate": CANONICAL.replace('"to":"b"', '"to":"\\ud800"'),
    "NaN": CANONICAL.replace('"to":"b"', '"to":NaN'),
    "what follows": CANONICAL + "{}",
    "a NUL and what follows": CANONICAL + "\x00{}",
    "an exponent": CANONICAL.replace('"version":1', '"version":1e0'),
}


@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_text_is_canonical_or_refused(text: str) -> None:
    assert text != CANONICAL
    with pytest.raises(TransactionMalformed):
        Transaction.from_text(text)


def test_a_json_text_is_taken_in_as_the_document_that_it_is() -> None:
    expected = Transaction.from_dict(transfer())
    for text in (CANONICAL, json.dumps(transfer(), indent=4), json.dumps(transfer()).encode()):
        taken = Transaction.from_json(text)
        assert (taken, taken.text) == (expected, CANONICAL)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("junk", "document"),
        ("[]", "document"),
        (b"\xff", "document"),
        (CANONICAL.replace('"version":1', '"version":1,"version":1'), "document"),
        (CANONICAL.replace('"cid":0', '"cid":0,"cid":0', 1), "transaction.conditions[0]"),
        (CANONICAL.replace('"version":1', '"version":9007199254740993'), "version"),
        (canonical.dumps({**transfer(), "assignee": OWNER}), "assignee"),
    ],
    ids=str,
)
def test_a_json_text_that_is_no_transaction_is_refused_and_the_field_named(text: str | bytes, field: str) -> None:
    with pytest.raises(TransactionMalformed) as caught:
        Transaction.from_json(text)
    assert caught.value.field == field


def test_a_json_text_may_be_longer_than_the_transaction() -> None:
    text = json.dumps(transfer(), indent=4)
    assert len(text) > len(CANONICAL)
    assert Transaction.from_json(text, len(CANONICAL)).text == CANONICAL
    with pytest.raises(TransactionTooLarge):
        Transaction.from_json(text, len(CANONICAL) - 1)


def test_a_canonical_text_is_checked_as_a_document_is() -> None:
    assert Transaction.from_text(CANONICAL) == Transaction.from_dict(transfer())
    with pytest.raises(InvalidHash):
        Transaction.from_text(CANONICAL.replace(TIMESTAMP, "1.000000"))
    with pytest.raises(TransactionTooLarge):
        Transaction.from_text(CANONICAL, len(CANONICAL) - 1)
    with pytest.raises(TransactionMalformed, match="assignee: is not a field"):
        Transaction.from_text(canonical.dumps({**transfer(), "assignee": OWNER}))


# --- laws --------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
payloads = st.none() | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), json_values)
owners = st.lists(st.sampled_from("abcde"), min_size=1, max_size=3, unique=True)
inputs = st.lists(st.builds(OutputRef, st.integers(0, 9).map(spent_id), st.integers(0, 3)), unique=True, max_size=4)


@given(inputs, owners, owners, payloads, st.integers(0, 10**15))
def test_documents_and_texts_go_in_and_come_out_the_same(
    refs: list[OutputRef], old: list[str], new: list[str], payload: Any, time: int
) -> None:
    document = create_transaction(
        [public(key(name))[0] for name in old],
        [public(key(name))[0] for name in new],
        refs,
        "TRANSFER" if refs else "CREATE",
        payload=payload,
        timestamp=f"{time // 10**6}.{time % 10**6:06d}",
    )
    transaction = Transaction.from_dict(document)
    assert transaction.to_dict() == document
    assert transaction.text == canonical.dumps(document)
    assert Transaction.from_text(transaction.text) == transaction
    assert Transaction.from_dict(transaction.to_dict()) == transaction
    assert list(transaction.inputs) == refs
    assert len(transaction.outputs) == len(transaction.fulfillments)
    assert (transaction.payload_hash is None) is (payload is None)


@given(st.data())
def test_whatever_is_put_wherever_the_answer_is_a_transaction_or_an_error_of_ours(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from([transfer, create]))()
    place: Any = document
    for _ in range(data.draw(st.integers(0, 6))):
        steps = list(place) if isinstance(place, dict) else list(range(len(place)))
        step = data.draw(st.sampled_from(steps))
        if not isinstance(place[step], dict | list) or not place[step]:
            break
        place = place[step]
    step = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else list(range(len(place)))))
    place[step] = data.draw(json_values)
    try:
        transaction = Transaction.from_dict(document)
    except TransactionError:
        return
    assert transaction.to_dict() == document


# --- messages ----------------------------------------------------------------------------------------------


def test_a_transfer_signs_what_it_spends_and_all_of_itself_but_owners_and_conditions() -> None:
    spent = Transaction.from_dict(create()).outputs[0]
    transaction = Transaction.from_dict(transfer())
    assert json.loads(transaction.message(transaction.fulfillments[1], spent)) == {
        "operation": "TRANSFER",
        "timestamp": TIMESTAMP,
        "data": transfer()["transaction"]["data"],
        "version": 1,
        "id": transaction.id,
        "input": {"txid": spent_id(1), "cid": 1},
        "condition": spent.document,
    }


def test_a_create_signs_the_unsigned_details_of_its_creator() -> None:
    transaction = Transaction.from_dict(create())
    message = transaction.message(transaction.fulfillments[0], None)
    assert message == canonical.dumps(json.loads(message))
    assert json.loads(message)["input"] is None
    assert json.loads(message)["condition"] == {
        "condition": {
            "details": {
                "bitmask": 32,
                "public_key": public(key("node 0"))[0],
                "signature": None,
                "type": "fulfillment",
                "type_id": 4,
            }
        }
    }


@pytest.mark.parametrize(
    "body", [{}, {"fulfillments": None}, {"fulfillments": {}}, {"fulfillments": [None]}, {"fulfillments": ["x"]}]
)
def test_an_id_needs_fulfillments(body: dict[str, Any]) -> None:
    with pytest.raises(TransactionMalformed, match=r"transaction\.fulfillments: must be a list of dicts"):
        transaction_id(body)


def test_an_id_needs_a_canonical_text() -> None:
    with pytest.raises(TransactionMalformed, match=r"transaction\.data: NaN") as caught:
        transaction_id({"fulfillments": [], "data": float("nan")})
    assert caught.value.field == "transaction.data"
