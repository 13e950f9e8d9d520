"""The walkthrough's helpers; what they refuse is in `test_bad_input`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bigchaindb import Bigchain, util
from bigchaindb.canonical import dumps
from bigchaindb.exceptions import ConfigurationError, TransactionDoesNotExist
from bigchaindb.util import get_fulfillment_message, get_hash_data
from tests.ledgers import resign
from tests.onenode import OneNode, public

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def node(tmp_path: Path) -> Iterator[OneNode]:
    with OneNode(tmp_path) as node:
        yield node


def test_the_hash_data_is_the_id_whatever_the_document_says_and_whoever_has_signed(node: OneNode) -> None:
    signed = node.create("alice")
    unsigned = node.bigchain.create_transaction(node.bigchain.me, public("alice"), None, "CREATE")
    for document in (signed, unsigned):
        assert get_hash_data(document) == document["id"]
        assert get_hash_data({**document, "id": "x", "more": 1}) == document["id"]
        assert get_hash_data({"transaction": document["transaction"]}) == document["id"]


def test_a_transaction_with_a_condition_still_to_be_filled_in_has_an_id(node: OneNode) -> None:
    unsigned = node.bigchain.create_transaction(node.bigchain.me, None, None, "CREATE")
    assert get_hash_data(unsigned) == unsigned["id"]
    unsigned["transaction"]["conditions"][0]["condition"] = {"uri": "cc:0:3:" + "A" * 43 + ":5"}
    assert get_hash_data(unsigned) != unsigned["id"]


def test_the_message_is_told_as_a_value_and_as_the_text_that_is_signed(node: OneNode) -> None:
    asset = node.settle(node.create("alice"))
    transfer = node.transfer(asset["id"], "alice", "bob")
    fulfillment = transfer["transaction"]["fulfillments"][0]
    value = get_fulfillment_message(transfer, fulfillment, bigchain=node.bigchain)
    text = get_fulfillment_message(transfer, fulfillment, serialized=True, bigchain=node.bigchain)
    assert dumps(value) == text
    assert value["id"] == transfer["id"]
    assert value["input"] == {"txid": asset["id"], "cid": 0}
    assert value["condition"] == asset["transaction"]["conditions"][0]


def test_only_the_fid_of_the_fulfillment_counts(node: OneNode) -> None:
    assets = [node.settle(node.create("alice", payload={"number": i}))["id"] for i in range(2)]
    transfer = node.transfer(assets, "alice", "bob")
    inputs = [get_fulfillment_message(transfer, {"fid": i}, bigchain=node.bigchain)["input"]["txid"] for i in range(2)]
    assert inputs == assets


def test_without_a_ledger_the_default_one_is_opened_for_the_call(
    node: OneNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = node.transfer(node.settle(node.create("alice"))["id"], "alice", "bob")
    monkeypatch.setenv("BIGCHAINDB_CONFIG_PATH", str(node.config_path))
    opened = []

    class Counted(Bigchain):
        def close(self) -> None:
            opened.append(self)
            super().close()

    monkeypatch.setattr(util, "Bigchain", Counted)
    text = get_fulfillment_message(transfer, {"fid": 0}, serialized=True)
    assert text == node.bigchain.fulfillment_message(transfer, 0)
    assert len(opened) == 1
    monkeypatch.setenv("BIGCHAINDB_CONFIG_PATH", str(node.home / "nowhere"))
    with pytest.raises(ConfigurationError, match="nowhere"):
        get_fulfillment_message(transfer, {"fid": 0})


def test_an_output_that_is_not_in_the_ledger_has_no_message(node: OneNode) -> None:
    transfer = node.transfer(node.settle(node.create("alice"))["id"], "alice", "bob")
    transfer["transaction"]["fulfillments"][0]["input"]["cid"] = 1
    with pytest.raises(TransactionDoesNotExist, match="there is no output 1 of") as caught:
        get_fulfillment_message(resign(transfer), {"fid": 0}, bigchain=node.bigchain)
    assert caught.value.field == "transaction.fulfillments[0].input"
