"""`Bigchain` as its users call it; what it refuses is in `test_bad_input`, the walkthroughs in the acceptance tests."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING

import pytest

from bigchaindb import Bigchain, __version__, verify_receipt
from bigchaindb import cryptoconditions as cc
from bigchaindb.canonical import dumps
from bigchaindb.crypto import SigningKey, hash_data
from bigchaindb.exceptions import (
    ConfigurationError,
    DoubleSpend,
    InvalidValue,
    LedgerError,
    MissingKey,
    OperationError,
    StorageMismatch,
    StorageUnavailable,
    TransactionMalformed,
    TransactionTimeout,
)
from tests.ledgers import lock_with
from tests.onenode import Document, OneNode, pair, private, public

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNKNOWN = "0" * 64
HANG_SECONDS = 30.0
PAST, FAR = "1460981667.449279", "9999999999"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[OneNode]:
    with OneNode(tmp_path) as node:
        yield node


@pytest.fixture
def b(node: OneNode) -> Bigchain:
    return node.bigchain


def locked(node: OneNode, lock: cc.Fulfillment) -> Document:
    """A valid asset behind a condition of one's own."""
    unsigned = node.bigchain.create_transaction(node.bigchain.me, public("alice"), None, "CREATE")
    return node.settle(node.sign(lock_with(unsigned, {"uri": lock.condition_uri, "details": lock.to_json()}), "node"))


# --- opening -----------------------------------------------------------------------------------------------


def test_the_attributes_are_those_of_the_configured_node(tmp_path: Path) -> None:
    with OneNode(tmp_path, keyring=(public("other"),)) as node:
        b = node.bigchain
        assert (b.me_private, b.me) == pair("node")
        assert b.nodes_except_me == [public("other")]
        assert repr(b) == f"<Bigchain of node {b.me}, ledger {node.ledger}>"


def test_the_configuration_may_be_given_or_named_or_found(
    node: OneNode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("BIGCHAINDB_CONFIG_PATH", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for argument in (node.config, node.config_path, str(node.config_path), None):
        with Bigchain(argument) as b:
            assert b.me == public("node")
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    with pytest.raises(ConfigurationError, match="bigchaindb configure"):
        Bigchain()
    monkeypatch.setenv("BIGCHAINDB_CONFIG_PATH", str(node.config_path))
    with Bigchain() as b:
        assert b.me == public("node")


def test_the_environment_wins(node: OneNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGCHAINDB_KEYRING", public("other"))
    with pytest.raises(LedgerError, match="keyring"):
        Bigchain(node.config_path)
    monkeypatch.setenv("BIGCHAINDB_DATABASE_PATH", str(node.home / "nowhere"))
    with pytest.raises(StorageMismatch, match="nowhere"):
        Bigchain(node.config_path)


def test_what_is_closed_answers_nothing_more(node: OneNode) -> None:
    with Bigchain(node.config) as b:
        assert b.get_transaction(UNKNOWN) is None
    b.close()
    with pytest.raises(StorageUnavailable):
        b.get_transaction(UNKNOWN)


def test_the_version_is_told() -> None:
    assert __version__.split(".")[0].isdigit()


# --- making transactions -----------------------------------------------------------------------------------


def test_new_keys_belong_together(b: Bigchain) -> None:
    private_key, public_key = b.generate_keys()
    assert str(SigningKey(private_key).verifying_key) == public_key
    assert b.generate_keys() != (private_key, public_key)


@pytest.mark.parametrize("inputs", [None, []])
def test_a_create_has_no_inputs(b: Bigchain, inputs: object) -> None:
    tx = b.create_transaction(b.me, public("alice"), inputs, "CREATE", payload={"kind": "boat"})
    body = tx["transaction"]
    assert body["fulfillments"] == [{"fid": 0, "current_owners": [b.me], "input": None, "fulfillment": None}]
    assert body["conditions"][0]["new_owners"] == [public("alice")]
    assert body["data"] == {"hash": hash_data(dumps({"kind": "boat"})), "payload": {"kind": "boat"}}


def test_an_input_may_be_an_id_or_a_document_or_several(node: OneNode, b: Bigchain) -> None:
    asset = node.settle(node.create("alice"))["id"]
    forms = [asset, {"txid": asset, "cid": 0}, [asset], [{"txid": asset, "cid": 0}], b.get_owned_ids(public("alice"))]
    for form in forms:
        tx = b.create_transaction(public("alice"), public("bob"), form, "TRANSFER")
        assert tx["transaction"]["fulfillments"][0]["input"] == {"txid": asset, "cid": 0}


def test_the_timestamp_is_now(b: Bigchain) -> None:
    first, second = (b.create_transaction(b.me, b.me, None, "CREATE")["transaction"]["timestamp"] for _ in range(2))
    assert float(PAST) < float(first) <= float(second)


def test_what_is_made_shares_nothing_with_what_was_given(b: Bigchain) -> None:
    payload = {"tags": ["a"]}
    tx = b.create_transaction(b.me, [b.me], None, "CREATE", payload=payload)
    signed = b.sign_transaction(tx, b.me_private)
    before = copy.deepcopy(signed)
    payload["tags"].append("b")
    tx["transaction"]["data"]["payload"]["tags"].append("c")
    assert signed == before
    assert b.validate_transaction(signed)


def test_one_key_or_several_sign(node: OneNode, b: Bigchain) -> None:
    joint = node.settle(node.create("alice", "bob"))
    unsigned = b.create_transaction([public("alice"), public("bob")], public("carol"), joint["id"], "TRANSFER")
    for keys in (["alice"], ["bob"], ["carol"], []):
        with pytest.raises(MissingKey, match="no private key for"):
            b.sign_transaction(unsigned, [private(name) for name in keys])
    for listed in (list, tuple):
        signed = b.sign_transaction(unsigned, listed([private("bob"), private("alice"), private("carol")]))
        assert b.validate_transaction(signed)
    node.settle(signed)
    assert b.get_owned_ids(public("carol")) == [{"cid": 0, "txid": signed["id"]}]


@pytest.mark.parametrize("secret", ["much secret!", b"much secret!"])
def test_a_secret_opens_a_hash_lock(node: OneNode, b: Bigchain, secret: str | bytes) -> None:
    asset = locked(node, cc.PreimageSha256Fulfillment("much secret!"))
    unsigned = b.create_transaction(public("alice"), public("bob"), asset["id"], "TRANSFER")
    node.settle(b.sign_transaction(unsigned, [], secrets=[secret]))


def test_a_deadline_that_has_passed_may_be_signed_for_later_but_not_written(node: OneNode, b: Bigchain) -> None:
    def before(deadline: str, owner: str) -> cc.ThresholdSha256Fulfillment:
        lock = cc.ThresholdSha256Fulfillment(2)
        lock.add_subfulfillment(cc.TimeoutFulfillment(deadline))
        lock.add_subfulfillment(cc.Ed25519Fulfillment(public(owner)))
        return lock

    too_late = node.transfer(locked(node, before(PAST, "alice"))["id"], "alice", "bob")
    assert not b.verify_signature(too_late)
    assert not b.is_valid_transaction(too_late)
    in_time = node.transfer(locked(node, before(FAR, "alice"))["id"], "alice", "bob")
    assert b.verify_signature(in_time)
    node.settle(in_time)


# --- checking ----------------------------------------------------------------------------------------------


def test_a_good_transaction_is_called_so_by_all(node: OneNode, b: Bigchain) -> None:
    signed = node.create("alice")
    for check in (b.verify_signature, b.validate_fulfillments, b.validate_transaction, b.is_valid_transaction):
        assert check(signed) is True


def test_a_good_signature_makes_no_valid_transaction(node: OneNode, b: Bigchain) -> None:
    stranger = node.sign(b.create_transaction(public("alice"), public("alice"), None, "CREATE"), "alice")
    assert b.verify_signature(stranger)
    assert not b.is_valid_transaction(stranger)
    with pytest.raises(OperationError, match=f"{public('alice')} is no node of the federation"):
        b.validate_transaction(stranger)


def test_storage_that_is_away_is_no_verdict(node: OneNode) -> None:
    transfer = node.transfer(node.settle(node.create("alice"))["id"], "alice", "bob")
    b = Bigchain(node.config)
    b.close()
    for check in (b.verify_signature, b.is_valid_transaction, b.validate_transaction, b.write_transaction):
        with pytest.raises(StorageUnavailable):
            check(transfer)


# --- writing -----------------------------------------------------------------------------------------------


def test_writing_twice_is_harmless(node: OneNode, b: Bigchain) -> None:
    signed = node.create("alice")
    b.write_transaction(signed)
    b.write_transaction(signed)
    node.run()
    b.write_transaction(signed)
    node.run()
    assert b.get_owned_ids(public("alice")) == [{"cid": 0, "txid": signed["id"]}]


def test_a_rival_is_refused_with_the_input_and_the_rival(node: OneNode, b: Bigchain) -> None:
    asset = node.settle(node.create("alice"))
    first, rival = (node.transfer(asset["id"], "alice", name) for name in ("bob", "carol"))
    b.write_transaction(first)
    for _ in range(2):
        with pytest.raises(DoubleSpend, match=asset["id"]) as caught:
            b.write_transaction(rival)
        assert caught.value.rival == first["id"]
        node.run()


def test_several_may_be_written_at_once_and_build_upon_each_other(node: OneNode, b: Bigchain) -> None:
    asset = node.create("alice")
    unsigned = b.create_transaction(public("alice"), public("bob"), asset["id"], "TRANSFER")
    b.write_transactions([])
    b.write_transaction(asset)
    transfer = node.sign(unsigned, "alice")
    b.write_transactions([node.create("carol"), asset, transfer])
    node.run()
    assert b.get_status(transfer["id"]) == "valid"


def test_of_several_none_is_stored_when_one_is_refused(node: OneNode, b: Bigchain) -> None:
    asset = node.settle(node.create("alice"))
    rivals = [node.transfer(asset["id"], "alice", name) for name in ("bob", "carol")]
    for bad, error, message in (
        (rivals[1], DoubleSpend, r"^transactions\[2\]: input"),
        ({**rivals[1], "version": 2}, TransactionMalformed, r"^transactions\[2\]: version"),
    ):
        with pytest.raises(error, match=message) as caught:
            b.write_transactions([node.create("carol"), rivals[0], bad])
        assert caught.value.field is not None
        assert caught.value.field.startswith("transactions[2].")
        assert caught.value.__cause__ is None
    assert b.get_status(rivals[0]["id"]) == "unknown"
    b.write_transaction(rivals[0])


def test_several_may_be_followed_at_once(node: OneNode, b: Bigchain) -> None:
    settled, waiting, unknown = node.settle(node.create("alice"))["id"], node.create("bob"), node.create("carol")
    b.write_transaction(waiting)
    ids = [unknown["id"], settled, waiting["id"], settled]
    assert b.get_statuses(ids) == {settled: "valid", waiting["id"]: "backlog", unknown["id"]: "unknown"}
    assert list(b.get_statuses(ids)) == ids[:3]
    assert b.get_statuses([]) == {}
    with pytest.raises(InvalidValue, match=r"^txids\[1\]: "):
        b.get_statuses([settled, "none"])


# --- reading -----------------------------------------------------------------------------------------------


def test_a_transaction_can_be_followed(node: OneNode, b: Bigchain) -> None:
    signed = node.create("alice")
    txid = signed["id"]
    assert (b.get_status(txid), b.get_transaction(txid)) == ("unknown", None)
    b.write_transaction(signed)
    assert (b.get_status(txid), b.get_transaction(txid)) == ("backlog", signed)
    with pytest.raises(TransactionTimeout):
        b.wait_for_transaction(txid, timeout=0)
    worker = threading.Thread(target=node.run)
    worker.start()
    assert b.wait_for_transaction(txid, HANG_SECONDS) == "valid"
    worker.join(HANG_SECONDS)
    assert (b.get_status(txid), b.get_transaction(txid)) == ("valid", signed)
    assert b.get_rejection(txid) is None


def test_what_was_rejected_says_why(node: OneNode, b: Bigchain, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = node.settle(node.create("alice"))
    first, rival = (node.transfer(asset["id"], "alice", name) for name in ("bob", "carol"))
    node.settle(first)
    # As if both had been written at the same moment.
    monkeypatch.setattr(b._node, "validate", lambda transactions: [None] * len(transactions))
    b.write_transaction(rival)
    node.run()
    assert b.wait_for_transaction(rival["id"], 0) == "rejected"
    rejection = b.get_rejection(rival["id"])
    assert rejection is not None
    assert rejection["rejection"]["transaction_id"] == rival["id"]
    assert first["id"] in rejection["rejection"]["reason"]


def test_what_is_owned_is_listed_oldest_first_until_it_is_spent(node: OneNode, b: Bigchain) -> None:
    assets = [node.settle(node.create("alice", payload={"number": i}))["id"] for i in range(3)]
    assert [ref["txid"] for ref in b.get_owned_ids(public("alice"))] == assets
    transfer = node.transfer(assets[1], "alice", "bob")
    b.write_transaction(transfer)
    assert [ref["txid"] for ref in b.get_owned_ids(public("alice"))] == [assets[0], assets[2]]
    assert b.get_owned_ids(public("bob")) == []
    node.run()
    assert b.get_owned_ids(public("bob")) == [{"cid": 0, "txid": transfer["id"]}]


def test_a_spent_output_leads_to_its_spender(node: OneNode, b: Bigchain) -> None:
    asset = node.settle(node.create("alice"))["id"]
    assert b.get_spent(asset) is None
    transfer = node.transfer(asset, "alice", "bob")
    b.write_transaction(transfer)
    for form in (asset, {"txid": asset, "cid": 0}, [asset]):
        assert b.get_spent(form) == transfer
    assert b.get_spent({"txid": asset, "cid": 1}) is None
    assert b.get_spent({"txid": UNKNOWN, "cid": 0}) is None


def test_transactions_are_found_by_what_they_carry(node: OneNode, b: Bigchain) -> None:
    boats = [node.settle(node.create(owner, payload={"kind": "boat"})) for owner in ("alice", "bob")]
    node.settle(node.create("alice", payload={"kind": "car"}))
    assert b.get_tx_by_payload_hash(hash_data(dumps({"kind": "boat"}))) == boats
    assert b.get_tx_by_payload_hash(UNKNOWN) == []


def test_an_asset_has_a_history(node: OneNode, b: Bigchain) -> None:
    asset = node.settle(node.create("alice"))
    sold = node.settle(node.transfer(asset["id"], "alice", "bob"))
    assert b.get_history(asset["id"]) == b.get_history(sold["id"]) == [asset, sold]


def test_a_block_holds_whole_transactions_and_has_votes(node: OneNode, b: Bigchain) -> None:
    signed = node.settle(node.create("alice"))
    block_id = b._node.storage.standings(b.me, [signed["id"]])[signed["id"]][0].block_id
    block = b.get_block(block_id)
    assert block is not None
    assert (block["id"], block["verdict"], block["transactions"]) == (block_id, "valid", [signed])
    assert hash_data(dumps(block["block"])) == block_id
    (vote,) = b.get_votes(block_id)
    assert (vote["node_pubkey"], vote["vote"]["voting_for_block"]) == (b.me, block_id)
    assert b.get_block(UNKNOWN) is None
    assert b.get_votes(UNKNOWN) == []
    genesis = b.get_block(node.ledger)
    assert genesis is not None
    assert genesis["block"]["ledger"] is None


def test_a_receipt_holds_without_the_node(node: OneNode, b: Bigchain) -> None:
    signed = node.settle(node.create("alice"))
    assert verify_receipt(b.get_receipt(signed["id"]), [b.me], "majority") == signed["id"]


def test_what_was_returned_is_the_callers_own(node: OneNode, b: Bigchain) -> None:
    signed = node.settle(node.create("alice", payload={"tags": []}))
    found = b.get_transaction(signed["id"])
    assert found is not None
    found["transaction"]["data"]["payload"]["tags"].append("mine")
    assert b.get_transaction(signed["id"]) == signed


# --- messages ----------------------------------------------------------------------------------------------


def test_the_message_of_a_fulfillment_is_what_it_signs(node: OneNode, b: Bigchain) -> None:
    create = node.settle(node.create("alice"))
    for document, signer in ((create, b.me), (node.transfer(create["id"], "alice", "bob"), public("alice"))):
        fulfillment = cc.Fulfillment.from_uri(document["transaction"]["fulfillments"][0]["fulfillment"])
        assert cc.public_keys(fulfillment) == (signer,)
        assert fulfillment.validate(b.fulfillment_message(document, 0))
