"""The published vectors: computed by the reference implementation, and what real transactions hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bigchaindb import canonical
from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import ConditionError

from .structures import build

VECTORS = Path(__file__).parents[1] / "vectors"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "cryptoconditions.json").read_text())["cases"]
PUBLISHED: list[dict[str, Any]] = [
    entry["transaction"] for entry in json.loads((VECTORS / "published_transactions.json").read_text())["transactions"]
]
NODE_KEY = json.loads((VECTORS / "published_transactions.json").read_text())["node_public_key"]


def test_there_are_sixty_vectors() -> None:
    assert len(CASES) == 60


@pytest.mark.parametrize("case", CASES)
def test_building_gives_what_the_reference_gives(case: dict[str, Any]) -> None:
    fulfillment = build(case["structure"], case["message"].encode())
    assert fulfillment.condition_uri == case["condition_uri"]
    assert fulfillment.condition.serialize_binary().hex() == case["condition_binary_hex"]
    assert fulfillment.serialize_uri() == case["fulfillment_uri"]
    assert fulfillment.serialize_binary().hex() == case["fulfillment_binary_hex"]


@pytest.mark.parametrize("case", CASES)
def test_reading_gives_what_was_read(case: dict[str, Any]) -> None:
    from_uri = cc.Fulfillment.from_uri(case["fulfillment_uri"])
    from_binary = cc.Fulfillment.from_binary(bytes.fromhex(case["fulfillment_binary_hex"]))
    for fulfillment in from_uri, from_binary:
        assert fulfillment.serialize_uri() == case["fulfillment_uri"]
        assert fulfillment.condition_uri == case["condition_uri"]
        assert fulfillment.condition == cc.Condition.from_uri(case["condition_uri"])
        assert fulfillment.condition == cc.Condition.from_binary(bytes.fromhex(case["condition_binary_hex"]))


@pytest.mark.parametrize("case", CASES)
def test_validity_is_that_of_the_reference(case: dict[str, Any]) -> None:
    fulfillment = cc.Fulfillment.from_uri(case["fulfillment_uri"])
    assert fulfillment.validate(case["message"]) is case["valid"]
    assert fulfillment.validate(case["message"].encode()) is case["valid"]
    if list(cc.signatures(fulfillment)):
        assert not fulfillment.validate(case["message"] + " ")


@pytest.mark.parametrize("case", CASES)
def test_the_json_form_derives_to_the_same_condition(case: dict[str, Any]) -> None:
    fulfillment = build(case["structure"], case["message"].encode())
    text = fulfillment.serialize_json()
    again = cc.Fulfillment.from_json(json.loads(text))
    assert again.condition_uri == case["condition_uri"]
    assert again.serialize_json() == text
    assert again.serialize_uri() == case["fulfillment_uri"]


@pytest.mark.parametrize("transaction", PUBLISHED, ids=lambda transaction: transaction["id"][:8])
def test_published_details_derive_to_the_published_uri(transaction: dict[str, Any]) -> None:
    for output in transaction["transaction"]["conditions"]:
        details = output["condition"]["details"]
        fulfillment = cc.Fulfillment.from_json(details)
        assert fulfillment.condition_uri == output["condition"]["uri"]
        assert fulfillment.serialize_json() == canonical.dumps(details)
        with pytest.raises(ConditionError):
            fulfillment.serialize_uri()


@pytest.mark.parametrize("transaction", PUBLISHED, ids=lambda transaction: transaction["id"][:8])
def test_published_fulfillments_are_valid_for_the_message_they_signed(transaction: dict[str, Any]) -> None:
    outputs = {
        (spent["id"], output["cid"]): output for spent in PUBLISHED for output in spent["transaction"]["conditions"]
    }
    created = {
        "condition": {
            "details": {
                "type": "fulfillment",
                "type_id": 4,
                "bitmask": 32,
                "public_key": NODE_KEY,
                "signature": None,
            }
        }
    }
    for entry in transaction["transaction"]["fulfillments"]:
        spent = entry["input"]
        details = transaction["transaction"]
        message = canonical.dumps(
            {
                "operation": details["operation"],
                "timestamp": details["timestamp"],
                "data": details["data"],
                "version": transaction["version"],
                "id": transaction["id"],
                "input": spent,
                "condition": outputs[spent["txid"], spent["cid"]] if spent else created,
            }
        )
        fulfillment = cc.Fulfillment.from_uri(entry["fulfillment"])
        assert fulfillment.serialize_uri() == entry["fulfillment"]
        assert not fulfillment.validate(message + " ")
        assert fulfillment.validate(message)
