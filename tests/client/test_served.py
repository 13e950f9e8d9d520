"""A client before a real node: what it asks for is understood, and what is answered is too."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb import cryptoconditions as cc
from bigchaindb.canonical import dumps
from bigchaindb.exceptions import (
    AccessDenied,
    BacklogFull,
    DoubleSpend,
    InvalidHash,
    InvalidSignature,
    NodeUnreachable,
    OperationError,
    TransactionDoesNotExist,
    TransactionError,
    TransactionMalformed,
    TransactionTooLarge,
)
from bigchaindb.model.transaction import transaction_id
from tests.onenode import private, public
from tests.served import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bigchaindb.client import Client

UNKNOWN = "0" * 64


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("node")) as served:
        yield served


@pytest.fixture
def alice(served: Served) -> Client:
    return served.client("alice")


def settled(client: Client, tx: dict[str, Any]) -> dict[str, Any]:
    assert client.wait(tx["id"], 30) == "valid"
    return tx


@pytest.fixture
def painting(alice: Client) -> dict[str, Any]:
    """An asset that Alice owns."""
    return settled(alice, alice.create({"title": "Sunset over the Spree"}))


# --- the story ---------------------------------------------------------------------------------------------


def test_an_asset_is_created_and_handed_on(served: Served, alice: Client, painting: dict[str, Any]) -> None:
    bob = served.client("bob")
    assert {"cid": 0, "txid": painting["id"]} in list(alice.outputs())
    sale = settled(bob, alice.transfer(painting["id"], public("bob"), {"price": 7}))
    assert {"cid": 0, "txid": painting["id"]} not in list(alice.outputs())
    assert {"cid": 0, "txid": painting["id"]} in list(alice.outputs(spent=True))
    assert {"cid": 0, "txid": painting["id"]} in list(alice.outputs(spent=None))
    assert {"cid": 0, "txid": sale["id"]} in list(bob.outputs())
    assert bob.transaction(sale["id"]) == sale
    assert list(bob.history(sale["id"])) == list(bob.history(painting["id"])) == [painting, sale]
    assert bob.reason(sale["id"]) is None


def test_nothing_is_spent_twice(alice: Client, painting: dict[str, Any]) -> None:
    sale = alice.transfer(painting["id"], public("bob"))
    with pytest.raises(DoubleSpend, match="already") as caught:
        alice.transfer(painting["id"], public("carol"))
    assert caught.value.rival == sale["id"]
    settled(alice, sale)
    with pytest.raises(DoubleSpend) as caught:
        alice.transfer(painting["id"], public("carol"))
    assert caught.value.rival == sale["id"]


def test_what_is_sent_again_is_taken_once(alice: Client, painting: dict[str, Any]) -> None:
    sale = alice.sign(alice.prepare_transfer(painting["id"], public("bob")))
    assert alice.send(sale) == alice.send(sale) == sale
    settled(alice, sale)
    assert alice.send(sale) == sale
    assert alice.send(painting) == painting
    assert len(list(alice.history(sale["id"]))) == 2
    again = alice.create(painting["transaction"]["data"]["payload"], timestamp=painting["transaction"]["timestamp"])
    assert again == painting


def test_several_owners_sign_apart_or_together(served: Served, alice: Client) -> None:
    bob = served.client("bob")
    for _ in range(2):
        boat = settled(alice, alice.create({"boat": "Undine"}, [public("alice"), public("bob")]))
        unsigned = alice.prepare_transfer(boat["id"], public("carol"))
        apart = alice.sign(unsigned, signatures=bob.cosign(unsigned))
        assert apart == bob.sign(unsigned, [private("alice")])
        settled(alice, alice.send(apart))


def test_a_threshold_and_a_hash_lock(served: Served, alice: Client, painting: dict[str, Any]) -> None:
    lock = cc.ThresholdSha256Fulfillment(threshold=2)
    for name in ("dora", "emil", "fritz"):
        lock.add_subfulfillment(cc.Ed25519Fulfillment(public_key=public(name)))
    trust = settled(alice, alice.transfer(painting["id"], condition=lock))
    for name in ("dora", "emil", "fritz"):
        assert {"cid": 0, "txid": trust["id"]} in list(served.client(name).outputs())
    coupon = served.client("dora").transfer(
        trust["id"], condition=cc.PreimageSha256Fulfillment("Rosebud").condition, private_keys=private("fritz")
    )
    settled(alice, coupon)
    redeemed = served.client().transfer(coupon["id"], public("bob"), secrets=["Rosebud"])
    assert settled(alice, redeemed)["transaction"]["fulfillments"][0]["current_owners"] == []


def test_a_node_signs_for_itself(served: Served) -> None:
    node = served.client("node")
    lock = cc.PreimageSha256Fulfillment("Rosebud").condition
    coupon = settled(node, node.create({"coupon": 17}, condition=lock, as_node=True))
    assert coupon["transaction"]["conditions"][0]["condition"] == {"uri": lock.condition_uri}
    with pytest.raises(OperationError, match=public("mallory")):
        served.client("mallory").create({"coupon": 17}, as_node=True)


def test_a_list_of_many_pages_is_one_list(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigchaindb.client.api._OUTPUTS_A_PAGE", 3)
    monkeypatch.setattr("bigchaindb.client.api._TRANSACTIONS_A_PAGE", 1)
    gerda = served.client("gerda")
    made = [gerda.create({"print": number}) for number in range(10)]
    for tx in made:
        settled(gerda, tx)
    assert {output["txid"] for output in gerda.outputs()} == {tx["id"] for tx in made}
    assert len(list(gerda.outputs())) == 10
    story = [made[0]]
    for _ in range(4):
        story.append(settled(gerda, gerda.transfer(story[-1]["id"], public("gerda"))))
    assert list(gerda.history(story[2]["id"])) == story


# --- events ------------------------------------------------------------------------------------------------


def test_events_come_as_they_happen_and_again_from_any_of_them(
    served: Served, alice: Client, painting: dict[str, Any]
) -> None:
    story = [painting]
    for owner, to in (("alice", "bob"), ("bob", "carol")):
        story.append(settled(alice, served.client(owner).transfer(story[-1]["id"], public(to))))
    events = list(itertools.islice(alice.stream(0, asset_id=painting["id"]), 3))
    assert [event.transaction_id for event in events] == [tx["id"] for tx in story]
    assert {event.asset_id for event in events} == {painting["id"]}
    assert [event.sequence for event in events] == sorted(event.sequence for event in events)
    (last,) = itertools.islice(alice.stream(events[1].position, asset_id=painting["id"]), 1)
    assert last == events[2]
    to_bob = itertools.islice(alice.stream(events[0].position, public_key=public("bob")), 1)
    assert next(to_bob) == events[1]


# --- refusals ----------------------------------------------------------------------------------------------


def forged(tx: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The transaction with another body, under the id of that."""
    body = tx["transaction"] | changes
    return tx | {"transaction": body, "id": transaction_id(body)}


def test_each_refusal_is_the_error_that_the_node_met(served: Served, alice: Client, painting: dict[str, Any]) -> None:
    sale = alice.prepare_transfer(painting["id"], public("bob"))
    with pytest.raises(InvalidSignature, match="not signed"):
        alice.send(sale)
    signed = alice.sign(sale)
    with pytest.raises(InvalidSignature, match="does not fulfil"):
        alice.send(forged(signed, timestamp="1500000000.000000"))
    with pytest.raises(TransactionDoesNotExist, match=UNKNOWN):
        alice.transaction(UNKNOWN)
    with pytest.raises(TransactionDoesNotExist, match=UNKNOWN):
        list(alice.history(UNKNOWN))
    assert alice.status(UNKNOWN) == "unknown"
    spent = signed["transaction"]["fulfillments"][0]
    elsewhere = {**spent, "input": {"txid": UNKNOWN, "cid": 0}}
    with pytest.raises(TransactionDoesNotExist, match=UNKNOWN):
        alice.send(forged(signed, fulfillments=[elsewhere]))
    with pytest.raises(TransactionTooLarge):
        alice.transfer(painting["id"], public("bob"), {"text": "x" * 300_000})
    with pytest.raises(TransactionTooLarge):
        alice.create({"text": "x" * 300_000})
    del served


def test_what_never_gets_past_the_client_the_node_refuses_too(alice: Client, painting: dict[str, Any]) -> None:
    # The client checks before it sends, so what it would not send is sent beneath it.
    for document, error in (
        (painting | {"id": UNKNOWN}, InvalidHash),
        (painting | {"version": 2}, TransactionMalformed),
        ([], TransactionMalformed),
    ):
        with pytest.raises(error):
            alice._connection.post("/api/v1/transactions", dumps(document)).json()


def test_assets_are_created_for_those_who_may(tmp_path: Path) -> None:
    with Served(tmp_path, api_token="open sesame".replace(" ", "-"), is_loopback=True) as served:
        for options in ({}, {"api_token": "open-barley"}):
            with pytest.raises(AccessDenied):
                served.client("alice", **options).create({"title": "Sunset"})
        alice = served.client("alice", api_token="open-sesame")
        settled(alice, alice.create({"title": "Sunset"}))


def test_assets_are_not_created_for_the_whole_world(tmp_path: Path) -> None:
    with Served(tmp_path, is_loopback=False) as served, pytest.raises(AccessDenied, match=r"server\.api_token"):
        served.client("alice").create({"title": "Sunset"})


def test_a_backlog_that_is_full(tmp_path: Path) -> None:
    with Served(tmp_path, backlog_transactions=0) as served, pytest.raises(BacklogFull):
        served.client("alice").create({"title": "Sunset"})


def test_a_node_that_has_gone(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        alice = served.client("alice")
        assert alice.status(UNKNOWN) == "unknown"
    with pytest.raises(NodeUnreachable), served.client("alice") as late:
        late.status(UNKNOWN)
    assert issubclass(DoubleSpend, TransactionError)
