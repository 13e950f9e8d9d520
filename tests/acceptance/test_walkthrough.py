"""The two walkthroughs, step by step as they are printed; where they say "after a couple of seconds", it waits."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

import pytest

from bigchaindb import Bigchain, crypto, util
from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import DoubleSpend

if TYPE_CHECKING:
    from tests.acceptance.machine import Machine


def test_walkthrough_v1(anywhere: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    # The walkthrough's `Bigchain()` and `util.get_fulfillment_message` find the configuration in HOME.
    for name, value in anywhere.environment.items():
        monkeypatch.setenv(name, value)
    with anywhere.node():
        b = Bigchain()
        try:
            _create_and_transfer_v1(b)
        finally:
            b.close()


def _create_and_transfer_v1(b: Bigchain) -> None:
    testuser1_priv, testuser1_pub = crypto.generate_key_pair()
    digital_asset_payload = {"msg": "Hello BigchainDB!"}
    tx = b.create_transaction(b.me, testuser1_pub, None, "CREATE", payload=digital_asset_payload)
    tx_signed = b.sign_transaction(tx, b.me_private)
    b.write_transaction(tx_signed)

    b.wait_for_transaction(tx_signed["id"], timeout=10)
    tx_retrieved = b.get_transaction(tx_signed["id"])
    assert tx_retrieved == tx_signed
    data = tx_retrieved["transaction"]["data"]
    assert data["hash"] == "872fa6e6f46246cd44afdb2ee9cfae0e72885fb0910e2bcf9a5a2a4eadb417b8"

    testuser2_priv, testuser2_pub = crypto.generate_key_pair()
    tx_retrieved_id = b.get_owned_ids(testuser1_pub).pop()
    assert tx_retrieved_id == {"cid": 0, "txid": tx_signed["id"]}
    tx_transfer = b.create_transaction(testuser1_pub, testuser2_pub, tx_retrieved_id, "TRANSFER")
    tx_transfer_signed = b.sign_transaction(tx_transfer, testuser1_priv)
    b.write_transaction(tx_transfer_signed)
    assert b.get_transaction(tx_transfer_signed["id"]) == tx_transfer_signed

    tx_transfer2 = b.create_transaction(testuser1_pub, testuser2_pub, tx_retrieved_id, "TRANSFER")
    tx_transfer_signed2 = b.sign_transaction(tx_transfer2, testuser1_priv)
    with pytest.raises(DoubleSpend) as caught:
        b.validate_transaction(tx_transfer_signed2)
    assert str(caught.value) == f"input `{ {'cid': 0, 'txid': tx_signed['id']} }` was already spent"

    b.wait_for_transaction(tx_transfer_signed["id"])
    tx_multisig = b.create_transaction(b.me, [testuser1_pub, testuser2_pub], None, "CREATE")
    tx_multisig_signed = b.sign_transaction(tx_multisig, b.me_private)
    b.write_transaction(tx_multisig_signed)
    b.wait_for_transaction(tx_multisig_signed["id"])
    assert b.get_transaction(tx_multisig_signed["id"]) == tx_multisig_signed

    _, testuser3_pub = crypto.generate_key_pair()
    tx_multisig_retrieved_id = b.get_owned_ids(testuser2_pub).pop()
    assert tx_multisig_retrieved_id["txid"] == tx_multisig_signed["id"]
    tx_multisig_transfer = b.create_transaction(
        [testuser1_pub, testuser2_pub], testuser3_pub, tx_multisig_retrieved_id, "TRANSFER"
    )
    tx_multisig_transfer_signed = b.sign_transaction(tx_multisig_transfer, [testuser1_priv, testuser2_priv])
    b.write_transaction(tx_multisig_transfer_signed)
    b.wait_for_transaction(tx_multisig_transfer_signed["id"])
    assert b.get_status(tx_multisig_transfer_signed["id"]) == "valid"
    assert [owned["txid"] for owned in b.get_owned_ids(testuser3_pub)] == [tx_multisig_transfer_signed["id"]]

    _threshold_v1(b, testuser2_priv, testuser2_pub)


def _threshold_v1(b: Bigchain, testuser2_priv: str, testuser2_pub: str) -> None:
    thresholduser1_priv, thresholduser1_pub = crypto.generate_key_pair()
    thresholduser2_priv, thresholduser2_pub = crypto.generate_key_pair()
    _, thresholduser3_pub = crypto.generate_key_pair()
    tx_retrieved_id = b.get_owned_ids(testuser2_pub).pop()
    threshold_tx = b.create_transaction(
        testuser2_pub, [thresholduser1_pub, thresholduser2_pub, thresholduser3_pub], tx_retrieved_id, "TRANSFER"
    )
    threshold_condition = cc.ThresholdSha256Fulfillment(threshold=2)
    threshold_condition.add_subfulfillment(cc.Ed25519Fulfillment(public_key=thresholduser1_pub))
    threshold_condition.add_subfulfillment(cc.Ed25519Fulfillment(public_key=thresholduser2_pub))
    threshold_condition.add_subfulfillment(cc.Ed25519Fulfillment(public_key=thresholduser3_pub))
    threshold_tx["transaction"]["conditions"][0]["condition"] = {
        "details": json.loads(threshold_condition.serialize_json()),
        "uri": threshold_condition.condition.serialize_uri(),
    }
    threshold_tx["id"] = util.get_hash_data(threshold_tx)
    threshold_tx_signed = b.sign_transaction(threshold_tx, testuser2_priv)
    b.write_transaction(threshold_tx_signed)
    b.wait_for_transaction(threshold_tx_signed["id"])
    assert b.get_transaction(threshold_tx_signed["id"]) == threshold_tx_signed

    _, thresholduser4_pub = crypto.generate_key_pair()
    tx_retrieved_id = b.get_owned_ids(thresholduser1_pub).pop()
    threshold_tx_transfer = b.create_transaction(
        [thresholduser1_pub, thresholduser2_pub, thresholduser3_pub], thresholduser4_pub, tx_retrieved_id, "TRANSFER"
    )
    before = copy.deepcopy(threshold_tx_transfer)
    threshold_fulfillment = cc.Fulfillment.from_json(
        threshold_tx["transaction"]["conditions"][0]["condition"]["details"]
    )
    subfulfillment1 = threshold_fulfillment.get_subcondition_from_vk(thresholduser1_pub)[0]  # type: ignore[attr-defined]
    subfulfillment2 = threshold_fulfillment.get_subcondition_from_vk(thresholduser2_pub)[0]  # type: ignore[attr-defined]
    subfulfillment3 = threshold_fulfillment.get_subcondition_from_vk(thresholduser3_pub)[0]  # type: ignore[attr-defined]
    threshold_tx_fulfillment_message = util.get_fulfillment_message(
        threshold_tx_transfer, threshold_tx_transfer["transaction"]["fulfillments"][0], serialized=True
    )
    assert threshold_tx_transfer == before
    threshold_fulfillment.subconditions = []  # type: ignore[attr-defined]
    subfulfillment1.sign(threshold_tx_fulfillment_message, crypto.SigningKey(thresholduser1_priv))
    threshold_fulfillment.add_subfulfillment(subfulfillment1)  # type: ignore[attr-defined]
    subfulfillment2.sign(threshold_tx_fulfillment_message, crypto.SigningKey(thresholduser2_priv))
    threshold_fulfillment.add_subfulfillment(subfulfillment2)  # type: ignore[attr-defined]
    threshold_fulfillment.add_subcondition(subfulfillment3.condition)  # type: ignore[attr-defined]
    threshold_tx_transfer["transaction"]["fulfillments"][0]["fulfillment"] = threshold_fulfillment.serialize_uri()
    assert threshold_fulfillment.validate(threshold_tx_fulfillment_message) is True
    assert b.verify_signature(threshold_tx_transfer) is True
    assert b.validate_transaction(threshold_tx_transfer) is True
    b.write_transaction(threshold_tx_transfer)
    assert b.wait_for_transaction(threshold_tx_transfer["id"]) == "valid"


def test_walkthrough_v0(b: Bigchain) -> None:
    testuser1_priv, testuser1_pub = b.generate_keys()
    tx = b.create_transaction(b.me, testuser1_pub, None, "CREATE", payload={"msg": "Hello BigchainDB!"})
    tx_signed = b.sign_transaction(tx, b.me_private)
    b.write_transaction(tx_signed)
    b.wait_for_transaction(tx_signed["id"])
    tx_retrieved = b.get_transaction(tx_signed["id"])
    assert tx_retrieved is not None

    _, testuser2_pub = b.generate_keys()
    tx_transfer = b.create_transaction(testuser1_pub, testuser2_pub, tx_retrieved["id"], "TRANSFER")
    tx_transfer_signed = b.sign_transaction(tx_transfer, testuser1_priv)
    b.write_transaction(tx_transfer_signed)
    b.wait_for_transaction(tx_transfer_signed["id"])
    assert b.get_transaction(tx_transfer_signed["id"]) == tx_transfer_signed

    tx_transfer2 = b.create_transaction(testuser1_pub, testuser2_pub, tx_retrieved["id"], "TRANSFER")
    tx_transfer_signed2 = b.sign_transaction(tx_transfer2, testuser1_priv)
    with pytest.raises(DoubleSpend, match=f"{tx_retrieved['id']}.* was already spent"):
        b.validate_transaction(tx_transfer_signed2)
    assert b.is_valid_transaction(tx_transfer_signed2) is False
