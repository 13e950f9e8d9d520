"""The published transactions: ids, hashes and signatures are what our formats say (design.md section 2)."""

from __future__ import annotations

from typing import Any

import pytest

from bigchaindb import canonical, crypto
from bigchaindb import cryptoconditions as cc
from bigchaindb.crypto import VerifyingKey
from bigchaindb.model.transaction import Transaction, transaction_id
from tests.ledgers import ref
from tests.model.published import ACCEPTED, DOCUMENTS, NODE, OUTPUTS, PAYLOAD_EXAMPLE, REFUSED

SHORT_IDS = ["933cd83a", "aa113653", "a9a6e5c7", "e689e23f", "0057d29f", "a45b2340"]


@pytest.mark.parametrize(("document", "short_id"), list(zip(DOCUMENTS, SHORT_IDS, strict=True)), ids=SHORT_IDS)
def test_each_is_a_transaction_with_the_id_that_was_published(document: dict[str, Any], short_id: str) -> None:
    transaction = Transaction.from_dict(document)
    assert transaction.id.startswith(short_id)
    assert transaction_id(document["transaction"]) == document["id"]
    assert transaction.to_dict() == document


def test_a_payload_hashes_to_what_was_published() -> None:
    assert crypto.hash_data(canonical.dumps(PAYLOAD_EXAMPLE["payload"])) == PAYLOAD_EXAMPLE["hash"]
    assert ACCEPTED[0].payload_hash == PAYLOAD_EXAMPLE["hash"]


@pytest.mark.parametrize("transaction", [*ACCEPTED, REFUSED], ids=lambda t: t.id[:8])
def test_every_fulfillment_is_valid_over_our_message(transaction: Transaction) -> None:
    for fulfillment in transaction.fulfillments:
        spent = OUTPUTS[fulfillment.input] if fulfillment.input else None
        parsed = cc.Fulfillment.from_uri(fulfillment.uri or "")
        assert parsed.validate(transaction.message(fulfillment, spent))
        assert not parsed.validate(transaction.message(fulfillment, spent) + " ")


def test_a_create_is_signed_by_the_node() -> None:
    create = ACCEPTED[0]
    (fulfillment,) = create.fulfillments
    parsed = cc.Fulfillment.from_uri(fulfillment.uri or "")
    assert isinstance(parsed, cc.Ed25519Fulfillment)
    assert parsed.public_key == NODE
    assert VerifyingKey(NODE).verify(create.message(fulfillment, None), parsed.signature or b"")


def test_two_of_three_owners_of_one_output_sign() -> None:
    transfer = ACCEPTED[-1]
    spent = OUTPUTS[transfer.inputs[0]]
    parsed = cc.Fulfillment.from_uri(transfer.fulfillments[0].uri or "")
    assert isinstance(parsed, cc.ThresholdSha256Fulfillment)
    assert (parsed.threshold, len(parsed.subconditions), len(spent.owners)) == (2, 3, 3)
    assert set(cc.public_keys(parsed)) < set(spent.owners)
    assert parsed.condition_uri == spent.uri


def test_the_refused_one_answers_another_condition_than_it_spends_and_has_a_rival() -> None:
    (fulfillment,) = REFUSED.fulfillments
    spent = OUTPUTS[REFUSED.inputs[0]]
    assert cc.Fulfillment.from_uri(fulfillment.uri or "").condition_uri != spent.uri
    assert REFUSED.inputs[0] == ref(ACCEPTED[1])
    assert [t.id[:8] for t in ACCEPTED if t.inputs == REFUSED.inputs] == ["0057d29f"]
