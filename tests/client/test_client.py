"""What a client makes, signs and sends to a node that answers as a script says; for a real one, see `test_served`."""

from __future__ import annotations

import copy
import json
import logging
import re
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb import cryptoconditions as cc
from bigchaindb.canonical import dumps
from bigchaindb.client import Client, Patience
from bigchaindb.consensus.fulfillments import check_fulfillments
from bigchaindb.exceptions import (
    BigchainDBError,
    InvalidKey,
    InvalidValue,
    MissingKey,
    TransactionDoesNotExist,
    TransactionMalformed,
    TransactionTimeout,
    UnexpectedAnswer,
)
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.transaction import Transaction
from tests.client.scripted import Script, Time, answer, problem, raw, transaction_answer
from tests.client.transactions import created
from tests.onenode import private, public

if TYPE_CHECKING:
    import httpx

UNKNOWN = "0" * 64
PAYLOAD = {"title": "Sunset over the Spree", "year": 2016}
SECRET = "Rosebud, 1941"
PAINTING = created("alice", payload=PAYLOAD)
BOAT = created("alice", "bob", payload={"boat": "Undine"})
COUPON = created(lock=cc.PreimageSha256Fulfillment(SECRET).condition)


class Node(Script):
    """A node that knows some transactions, and accepts whatever is sent."""

    def __init__(self, *known: Transaction) -> None:
        super().__init__()
        self.known = {transaction.id: transaction for transaction in known}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        if request.url.path.endswith("/assets"):
            return problem(403, "forbidden")
        if request.method == "POST":
            return answer(202, {"id": json.loads(request.content)["id"]})
        txid = request.url.path.rpartition("/")[2]
        return (
            transaction_answer(self.known[txid])
            if txid in self.known
            else problem(404, "unknown", f"no {txid}", field="transaction_id")
        )

    def took(self, sent: dict[str, Any]) -> dict[str, Any]:
        """What was sent last, which must be this, signed as it should be."""
        assert self.requests[-1].content.decode() == dumps(sent)
        spent = {OutputRef(t.id, o.cid): o for t in self.known.values() for o in t.outputs}
        check_fulfillments(Transaction.from_dict(sent), spent, "1500000000.000000")
        body: dict[str, Any] = sent["transaction"]
        return body


# --- transfer ----------------------------------------------------------------------------------------------


def test_what_one_owns_is_handed_on() -> None:
    node = Node(PAINTING)
    sent = node.client(private("alice")).transfer(PAINTING.id, public("bob"), {"price": 7})
    body = node.took(sent)
    assert body["operation"] == "TRANSFER"
    assert body["fulfillments"][0]["input"] == {"txid": PAINTING.id, "cid": 0}
    assert body["fulfillments"][0]["current_owners"] == [public("alice")]
    assert [output["new_owners"] for output in body["conditions"]] == [[public("bob")]]
    assert body["data"]["payload"] == {"price": 7}
    assert body["timestamp"] == "1500000000.000000"
    assert node.sent == [f"GET /api/v1/transactions/{PAINTING.id}", "POST /api/v1/transactions"]


def test_several_outputs_go_together_and_each_transaction_is_fetched_once() -> None:
    node = Node(PAINTING, BOAT)
    client = node.client(private("alice"))
    inputs = [{"txid": BOAT.id, "cid": 0}, PAINTING.id]
    body = node.took(client.transfer(inputs, [public("carol"), public("dora")], private_keys=private("bob")))
    assert [f["current_owners"] for f in body["fulfillments"]] == [[public("alice"), public("bob")]] * 2
    assert [o["new_owners"] for o in body["conditions"]] == [[public("carol"), public("dora")]] * 2
    assert len(node.sent) == 3


def test_a_key_that_is_missing_is_named_and_nothing_is_sent() -> None:
    node = Node(BOAT)
    with pytest.raises(MissingKey, match=public("bob")):
        node.client(private("alice")).transfer(BOAT.id, public("carol"))
    assert node.sent == [f"GET /api/v1/transactions/{BOAT.id}"]


def test_keys_may_be_named_with_the_transfer_alone() -> None:
    node = Node(BOAT)
    node.took(node.client().transfer(BOAT.id, public("carol"), private_keys=[private("alice"), private("bob")]))


def test_a_secret_opens_a_hash_lock_and_needs_no_key() -> None:
    node = Node(COUPON)
    node.took(node.client().transfer(COUPON.id, public("bob"), secrets=[SECRET]))
    with pytest.raises(MissingKey, match="no secret"):
        node.client(private("bob")).transfer(COUPON.id, public("bob"), secrets=["Rosebud"])


def two_of_three() -> cc.ThresholdSha256Fulfillment:
    lock = cc.ThresholdSha256Fulfillment(threshold=2)
    for name in ("dora", "emil", "fritz"):
        lock.add_subfulfillment(cc.Ed25519Fulfillment(public_key=public(name)))
    return lock


def test_outputs_may_be_locked_as_one_likes() -> None:
    node = Node(PAINTING)
    lock = two_of_three()
    body = node.took(node.client(private("alice")).transfer(PAINTING.id, condition=lock))
    (output,) = body["conditions"]
    assert output["condition"] == {"details": lock.to_json(), "uri": lock.condition_uri}
    assert output["new_owners"] == [public("dora"), public("emil"), public("fritz")]


def test_a_lock_that_names_no_key_has_no_owner_unless_one_is_named() -> None:
    node = Node(PAINTING)
    client = node.client(private("alice"))
    lock = cc.PreimageSha256Fulfillment(SECRET).condition
    for owners, listed in ((None, None), (public("bob"), [public("bob")])):
        (output,) = node.took(client.transfer(PAINTING.id, owners, condition=lock))["conditions"]
        assert output["condition"] == {"uri": lock.condition_uri}
        assert output["new_owners"] == listed


def test_a_lock_of_deadlines_alone_is_told_by_its_uri() -> None:
    node = Node(PAINTING)
    lock = cc.TimeoutFulfillment("9999999999")
    (output,) = node.took(node.client(private("alice")).transfer(PAINTING.id, condition=lock))["conditions"]
    assert (output["condition"], output["new_owners"]) == ({"uri": lock.condition_uri}, None)


def test_no_secret_is_told_by_mistake() -> None:
    nested = two_of_three()
    nested.add_subfulfillment(cc.PreimageSha256Fulfillment(SECRET))
    node = Node(PAINTING)
    for lock in (cc.PreimageSha256Fulfillment(SECRET), nested):
        with pytest.raises(InvalidValue, match="would tell the secret") as caught:
            node.client(private("alice")).transfer(PAINTING.id, public("bob"), condition=lock)
        assert SECRET not in str(caught.value)
    assert node.sent == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"inputs": PAINTING.id}, TransactionMalformed),
        ({"inputs": PAINTING.id, "new_owners": "x"}, TransactionMalformed),
        ({"inputs": PAINTING.id, "new_owners": []}, TransactionMalformed),
        ({"inputs": PAINTING.id, "new_owners": public("bob"), "payload": []}, TransactionMalformed),
        ({"inputs": "x", "new_owners": public("bob")}, TransactionMalformed),
        ({"inputs": {"txid": PAINTING.id, "cid": 1}, "new_owners": public("bob")}, TransactionDoesNotExist),
        ({"inputs": UNKNOWN, "new_owners": public("bob")}, TransactionDoesNotExist),
        ({"inputs": [], "new_owners": public("bob")}, BigchainDBError),
        ({"inputs": [PAINTING.id] * 2, "new_owners": public("bob")}, TransactionMalformed),
        ({"inputs": PAINTING.id, "condition": {"uri": "cc:"}}, InvalidValue),
        ({"inputs": PAINTING.id, "new_owners": public("bob"), "private_keys": "x"}, InvalidKey),
        ({"inputs": PAINTING.id, "new_owners": public("bob"), "secrets": "x"}, InvalidValue),
    ],
)
def test_a_transfer_that_makes_no_sense_is_refused_here(
    arguments: dict[str, Any], error: type[BigchainDBError]
) -> None:
    node = Node(PAINTING)
    given = copy.deepcopy(arguments)
    with pytest.raises(error):
        node.client(private("alice")).transfer(**arguments)
    assert arguments == given
    assert not any(sent.startswith("POST") for sent in node.sent)


def test_nothing_is_signed_over_an_output_that_is_not_what_its_id_says() -> None:
    stolen = created("alice", payload={"title": "another"})
    script = Script(transaction_answer(stolen))
    with pytest.raises(UnexpectedAnswer, match=f"holds {stolen.id}, not {PAINTING.id}"):
        script.client(private("alice")).transfer(PAINTING.id, public("bob"))


def test_what_has_a_deadline_is_signed_for_now_or_else_for_later() -> None:
    late = cc.InvertedThresholdSha256Fulfillment(threshold=1)
    late.add_subfulfillment(cc.TimeoutFulfillment("1600000000"))
    lock = cc.ThresholdSha256Fulfillment(threshold=2)
    lock.add_subfulfillment(late)
    lock.add_subfulfillment(cc.Ed25519Fulfillment(public_key=public("alice")))
    offer = created("alice", lock=lock)
    node = Node(offer)
    client = node.client(private("alice"))
    unsigned = client.prepare_transfer(offer.id, public("bob"))
    now = client.sign(unsigned)
    node.time.now = 1_700_000_000.0
    assert client.sign(unsigned) == now


# --- signing apart -----------------------------------------------------------------------------------------


def test_owners_sign_each_on_a_machine_of_their_own() -> None:
    node = Node(BOAT)
    unsigned = node.client().prepare_transfer(BOAT.id, public("carol"))
    travelling = json.dumps(unsigned)
    signatures = []
    for owner in ("bob", "alice"):
        signatures += json.loads(json.dumps(node.client(private(owner)).cosign(json.loads(travelling))))
    anybody = node.client()
    sent = anybody.send(anybody.sign(unsigned, signatures=signatures))
    node.took(sent)
    assert sent == anybody.sign(unsigned, [private("alice"), private("bob")])


def test_who_is_not_asked_to_sign_is_told() -> None:
    node = Node(BOAT)
    unsigned = node.client().prepare_transfer(BOAT.id, public("carol"))
    with pytest.raises(MissingKey, match=public("carol")):
        node.client(private("carol")).cosign(unsigned)
    with pytest.raises(InvalidValue, match=r"signatures\[0\]"):
        node.client().sign(unsigned, signatures=[7])


# --- create ------------------------------------------------------------------------------------------------


def accepted(made: Transaction) -> httpx.Response:
    """What a node answers who has asked for an asset."""
    return answer(202, {"id": made.id, "status": "backlog", "transaction": made.to_dict()})


def test_a_node_is_asked_to_create() -> None:
    script = Script(accepted(PAINTING))
    script.time.now = float(PAINTING.timestamp)
    assert script.client(private("alice")).create(PAYLOAD) == PAINTING.to_dict()
    request = json.loads(script.requests[0].content)
    assert request == {"new_owners": [public("alice")], "payload": PAYLOAD, "timestamp": PAINTING.timestamp}
    assert script.sent == ["POST /api/v1/assets"]


def test_the_time_of_an_asset_may_be_given() -> None:
    script = Script(accepted(PAINTING), accepted(PAINTING))
    for _ in range(2):
        script.client().create(PAYLOAD, public("alice"), timestamp=PAINTING.timestamp)
        script.time.now += 1
    first, second = (json.loads(request.content) for request in script.requests)
    assert first == second
    assert first["timestamp"] == PAINTING.timestamp
    with pytest.raises(TransactionMalformed, match="timestamp"):
        script.client().create(PAYLOAD, public("alice"), timestamp="now")


def test_asking_again_asks_for_the_same_transaction() -> None:
    script = Script(problem(503, "unavailable"), accepted(PAINTING))
    script.time.now = float(PAINTING.timestamp)
    script.client().create(PAYLOAD, public("alice"))
    assert script.requests[0].content == script.requests[1].content


@pytest.mark.parametrize("value", [{"id": PAINTING.id}, {"id": UNKNOWN, "transaction": PAINTING.to_dict()}, [], None])
def test_a_node_that_does_not_say_what_it_made_has_made_nothing(value: Any) -> None:
    with pytest.raises(UnexpectedAnswer, match=r"POST http://node\.example/api/v1/assets"):
        Script(answer(202, value)).client().create(PAYLOAD, public("alice"))


@pytest.mark.parametrize(
    "made",
    [
        created("mallory", payload=PAYLOAD),
        created("alice", "mallory", payload=PAYLOAD),
        created("alice", payload={"title": "a copy"}),
        created("alice"),
        created("alice", payload=PAYLOAD, timestamp="1.000000"),
        created("alice", payload=PAYLOAD, lock=cc.Ed25519Fulfillment(public_key=public("mallory"))),
    ],
)
def test_a_node_that_creates_something_else_is_found_out(made: Transaction) -> None:
    script = Script(accepted(made))
    script.time.now = float(PAINTING.timestamp)
    with pytest.raises(UnexpectedAnswer, match="not what was asked"):
        script.client().create(PAYLOAD, public("alice"))


def test_a_node_can_create_by_itself_as_it_likes() -> None:
    node = Node()
    client = node.client(private("node"), api_token="token")
    body = node.took(client.create(PAYLOAD, public("alice"), as_node=True))
    assert body["fulfillments"][0]["current_owners"] == [public("node")]
    assert (body["data"]["payload"], body["conditions"][0]["new_owners"]) == (PAYLOAD, [public("alice")])
    body = node.took(client.create(None, condition=two_of_three(), as_node=True))
    assert body["conditions"][0]["condition"]["uri"] == two_of_three().condition_uri
    assert body["data"] is None
    assert node.sent == ["POST /api/v1/transactions"] * 2
    assert all("Authorization" not in request.headers for request in node.requests)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, InvalidValue),
        ({"new_owners": "x"}, TransactionMalformed),
        ({"new_owners": public("alice"), "as_node": True}, MissingKey),
        ({"new_owners": public("alice"), "payload": "x"}, TransactionMalformed),
        ({"condition": two_of_three()}, InvalidValue),
        ({"new_owners": []}, TransactionMalformed),
        ({"new_owners": [], "as_node": True, "key": "node"}, TransactionMalformed),
        ({"new_owners": [], "key": "alice"}, TransactionMalformed),
    ],
)
def test_a_create_that_makes_no_sense_is_refused_here(options: dict[str, Any], error: type[Exception]) -> None:
    options = dict(options)
    key = options.pop("key", None)
    client = Script().client(key and private(key))
    with pytest.raises(error):
        client.create(**options)


@pytest.mark.parametrize("key", [None, "node"])
@pytest.mark.parametrize(
    ("owners", "field"), [("nokey", "new_owners[0]"), ([public("alice")] * 2, "new_owners"), ([], "new_owners")]
)
def test_an_owner_that_is_none_is_called_a_new_owner(owners: Any, field: str, key: str | None) -> None:
    with pytest.raises(TransactionMalformed, match=f"^{re.escape(field)}: ") as caught:
        Script().client(key and private(key)).create(PAYLOAD, owners)
    assert caught.value.field == field


# --- reading -----------------------------------------------------------------------------------------------


def page(items: list[Any], cursor: str | None = None) -> httpx.Response:
    return answer(200, {"items": items, "next": cursor})


def outputs(*numbers: int) -> list[dict[str, Any]]:
    return [{"txid": f"{number:064x}", "cid": number} for number in numbers]


def test_outputs_come_page_by_page_as_they_are_needed() -> None:
    script = Script(page(outputs(1, 2), "c1"), page(outputs(3), "c2"), page([]))
    found = script.client(private("alice")).outputs()
    assert [next(found) for _ in range(2)] == outputs(1, 2)
    assert len(script.requests) == 1
    assert list(found) == outputs(3)
    assert [request.url.params.get("cursor") for request in script.requests] == [None, "c1", "c2"]
    asked = script.requests[0].url.params
    assert (asked["public_key"], asked["spent"], asked["limit"]) == (public("alice"), "false", "1000")


@pytest.mark.parametrize(("spent", "parameter"), [(True, "true"), (False, "false"), (None, None)])
def test_outputs_of_anybody_spent_or_not(spent: bool | None, parameter: str | None) -> None:
    script = Script(page([]))
    assert list(script.client().outputs(public("bob"), spent=spent)) == []
    assert script.requests[0].url.params.get("spent") == parameter


@pytest.mark.parametrize("spent", ["yes", "true", 1, []])
def test_spent_is_yes_or_no_or_either(spent: Any) -> None:
    with pytest.raises(InvalidValue, match="spent: must be True, False or None"):
        Script().client().outputs(public("bob"), spent=spent)


def test_a_list_that_never_ends_is_found_out() -> None:
    for pages in ([page(outputs(1), "c"), page(outputs(1), "c")], [page([], "c")]):
        with pytest.raises(UnexpectedAnswer, match="leads to itself"):
            list(Script(*pages).client().outputs(public("bob")))


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"items": []},
        {"next": None},
        {"items": {}, "next": None},
        {"items": [], "next": 7},
        {"items": [7], "next": None},
        {"items": [{"txid": "x", "cid": 0}], "next": None},
        {"items": [{"txid": UNKNOWN, "cid": -1}], "next": None},
        {"items": [{"txid": UNKNOWN}], "next": None},
    ],
)
def test_what_is_no_page_of_outputs_is_no_answer(value: Any) -> None:
    with pytest.raises(UnexpectedAnswer):
        list(Script(answer(200, value)).client().outputs(public("bob")))


def test_a_history_is_checked_transaction_by_transaction() -> None:
    forged = BOAT.to_dict() | {"id": UNKNOWN}
    script = Script(page([PAINTING.to_dict()], "c"), page([forged]))
    found = script.client().history(PAINTING.id)
    assert next(found) == PAINTING.to_dict()
    with pytest.raises(UnexpectedAnswer, match="holds no transaction"):
        next(found)


def statuses(status: Any, reason: Any = None) -> httpx.Response:
    return answer(200, {"id": PAINTING.id, "status": status, "reason": reason})


def test_a_status_is_asked_for() -> None:
    assert Script(statuses("undecided")).client().status(PAINTING.id) == "undecided"
    assert Script(statuses("rejected", "too\nlate")).client().reason(PAINTING.id) == "too late"
    assert Script(statuses("valid")).client().reason(PAINTING.id) is None


def test_what_a_node_has_never_heard_of_has_a_status_too() -> None:
    script = Script(problem(404, "unknown", field="transaction_id"), problem(404, "unknown", field="transaction_id"))
    assert script.client().status(PAINTING.id) == "unknown"
    assert script.client().reason(PAINTING.id) is None


@pytest.mark.parametrize("value", [None, [], {}, {"status": "great"}, {"status": 7}, {"status": []}])
def test_what_is_no_status_is_no_answer(value: Any) -> None:
    with pytest.raises(UnexpectedAnswer, match="status"):
        Script(answer(200, value)).client().status(PAINTING.id)


@pytest.mark.parametrize("decided", ["valid", "rejected"])
def test_who_waits_looks_less_and_less_often(decided: str) -> None:
    script = Script(*[statuses("backlog") for _ in range(9)], statuses(decided))
    assert script.client().wait(PAINTING.id, 60) == decided
    assert script.time.sleeps == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0, 1.0]


def test_who_has_waited_long_enough_is_told() -> None:
    script = Script(*[statuses("undecided") for _ in range(20)])
    with pytest.raises(TransactionTimeout, match="still undecided after 3 s"):
        script.client().wait(PAINTING.id, 3)
    assert sum(script.time.sleeps) == pytest.approx(3)
    with pytest.raises(TransactionTimeout):
        Script(problem(404, "unknown", field="transaction_id")).client().wait(PAINTING.id, 0)


@pytest.mark.parametrize("timeout", [-1, float("nan"), True, "1", None])
def test_a_time_to_wait_is_a_number_of_seconds(timeout: Any) -> None:
    with pytest.raises(InvalidValue, match="timeout"):
        Script().client().wait(PAINTING.id, timeout)


@pytest.mark.parametrize("txid", ["", "x", UNKNOWN + "/../../blocks", UNKNOWN.upper() + "A", None, 7])
def test_what_is_no_id_is_asked_of_nobody(txid: Any) -> None:
    client = Script().client(private("alice"))
    for ask in (client.transaction, client.status, client.reason, client.wait, client.history):
        with pytest.raises(InvalidValue, match="txid"):
            ask(txid)
    with pytest.raises(InvalidValue, match="public_key"):
        client.outputs("x")
    with pytest.raises(InvalidValue, match="asset_id"):
        client.stream(asset_id="x")
    with pytest.raises(InvalidValue, match="public_key"):
        client.stream(public_key="x")


def test_who_has_no_key_must_say_whose_outputs() -> None:
    with pytest.raises(InvalidValue, match="public_key"):
        Script().client().outputs()


# --- the private key ---------------------------------------------------------------------------------------


def test_no_private_key_and_no_secret_leaves_the_client(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    other_secret = "Xanadu, 1941"
    lock = cc.ThresholdSha256Fulfillment(threshold=1)
    lock.add_subcondition(cc.PreimageSha256Fulfillment(other_secret).condition)
    lock.add_subfulfillment(cc.Ed25519Fulfillment(public_key=public("alice")))
    voucher = created("alice", lock=lock)
    node = Node(PAINTING, BOAT, voucher)
    client = node.client(private("alice"), api_token="a-token")
    errors = []
    client.transfer(PAINTING.id, public("bob"))
    client.transfer(BOAT.id, public("carol"), private_keys=[private("bob")])
    client.transfer(PAINTING.id, condition=cc.PreimageSha256Fulfillment(other_secret).condition)
    client.cosign(client.prepare_transfer(BOAT.id, public("carol")))
    node.client(private("node")).create(PAYLOAD, public("alice"), as_node=True)
    for refused in (
        lambda: client.transfer(voucher.id, public("bob"), private_keys=[private("bob"), "0" + private("carol")]),
        lambda: client.transfer(UNKNOWN, public("bob"), private_keys=private("bob"), secrets=[other_secret]),
        lambda: client.create(PAYLOAD),
        lambda: Client("http://node.example", "0" + private("alice")),
        lambda: Script(raw(500, b"", "text/plain")).client(private("alice")).send(PAINTING.to_dict()),
    ):
        with pytest.raises(BigchainDBError) as caught:
            refused()
        errors.append("".join(traceback.format_exception(caught.value)))
    left = [repr(request.url) + repr(request.headers) + request.content.decode() for request in node.requests]
    shown = [caplog.text, repr(client), str(client), repr(vars(client)), *errors]
    for text in left + shown:
        for hidden in (private("alice"), private("bob"), private("carol"), private("node"), other_secret):
            assert hidden not in text
    assert len(left) > 5


# --- opening and closing -----------------------------------------------------------------------------------


def test_a_client_says_who_it_is() -> None:
    client = Client("http://node.example/", private("alice"))
    assert repr(client) == f"<Client of http://node.example, key {public('alice')}>"
    assert (client.url, client.public_key) == ("http://node.example", public("alice"))
    assert repr(Client()) == "<Client of http://localhost:9984, without a key>"


def test_nothing_is_sent_before_something_is_asked() -> None:
    with Script().client(private("alice")) as client:
        client.outputs()
        client.history(UNKNOWN)
        client.stream()


def test_what_is_closed_asks_nothing_more() -> None:
    script = Script()
    with script.client() as client:
        pass
    for ask in (client.transaction, client.status, client.wait):
        with pytest.raises(BigchainDBError, match="this client is closed"):
            ask(UNKNOWN)
    with pytest.raises(BigchainDBError, match="this client is closed"):
        next(client.stream())
    assert script.time.sleeps == []
    assert re.match("<Client", repr(client))


def test_the_time_is_the_clients_own_business() -> None:
    assert Script().client(patience=Patience(attempts=1)).public_key is None
    assert Time()() == Time().now
