"""What an owner has, and had."""

from __future__ import annotations

from typing import Any

import pytest

from tests.onenode import private, public
from tests.web.api import Api, problem
from tests.web.test_transactions import whole


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_outputs_are_listed_oldest_first(api: Api, limit: int) -> None:
    assets = [api.node.settle(api.node.create("alice", payload={"n": n})) for n in range(4)]
    spent = api.node.settle(api.node.transfer(assets[1]["id"], "alice", "bob"))
    pending = api.node.transfer(assets[2]["id"], "alice", "bob")
    api.post("transactions", pending)

    def listed(**params: str) -> list[Any]:
        return whole(api, "outputs", public_key=public("alice"), limit=limit, **params)

    spenders = [None, spent["id"], pending["id"], None]
    everything = [{"txid": tx["id"], "cid": 0, "spent_by": by} for tx, by in zip(assets, spenders, strict=True)]
    assert listed() == everything
    assert listed(spent="true") == [everything[1]]
    assert listed(spent="false") == [everything[0], everything[3]]


def test_a_cursor_goes_on_when_the_list_has_grown_and_shrunk(api: Api) -> None:
    assets = [api.node.settle(api.node.create("alice", payload={"n": n})) for n in range(3)]
    page = api.get("outputs", public_key=public("alice"), spent="false", limit=1).json()
    assert [item["txid"] for item in page["items"]] == [assets[0]["id"]]
    api.node.settle(api.node.transfer(assets[0]["id"], "alice", "bob"))
    api.node.settle(api.node.transfer(assets[1]["id"], "alice", "bob"))
    late = api.node.settle(api.node.create("alice", payload={"late": True}))
    page = api.get("outputs", public_key=public("alice"), spent="false", cursor=page["next"]).json()
    assert [item["txid"] for item in page["items"]] == [assets[2]["id"], late["id"]]
    assert page["next"] is None


def test_what_is_spent_late_is_behind_the_cursors_however_old_it_is(api: Api) -> None:
    assets = [api.node.settle(api.node.create("alice", payload={"n": n})) for n in range(3)]
    gone = {"public_key": public("alice"), "spent": "true"}
    for asset in (assets[2], assets[1]):
        api.node.settle(api.node.transfer(asset["id"], "alice", "bob"))
    page = api.get("outputs", **gone, limit=1).json()
    assert [item["txid"] for item in page["items"]] == [assets[2]["id"]]
    api.node.settle(api.node.transfer(assets[0]["id"], "alice", "bob"))
    rest = api.get("outputs", **gone, cursor=page["next"]).json()
    assert [item["txid"] for item in rest["items"]] == [assets[1]["id"], assets[0]["id"]]
    assert rest["next"] is None
    assert [item["txid"] for item in whole(api, "outputs", **gone)] == [asset["id"] for asset in reversed(assets)]


def test_a_stranger_has_nothing(api: Api) -> None:
    assert api.get("outputs", public_key=public("stranger")).json() == {"items": [], "next": None}


WRONG: list[tuple[str, str]] = [
    ("public_key", ""),
    ("public_key", "x"),
    ("public_key", "0" * 44),
    ("public_key", "1" * 44),
    ("spent", "True"),
    ("spent", "1"),
    ("spent", ""),
    ("limit", "0"),
    ("limit", "1001"),
    ("limit", "-1"),
    ("limit", "1.0"),
    ("limit", "+1"),
    ("limit", "\u0663"),
    ("limit", " 1"),
    ("limit", "1_0"),
    ("limit", "9" * 5000),
    ("limit", ""),
    ("cursor", "x"),
    ("cursor", ""),
    ("cursor", "AAAA"),
    ("cursor", "\u00fc"),
    ("cursor", "A" * 5000),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda value: ascii(value)[:20])
def test_a_parameter_that_is_wrong_is_named(api: Api, name: str, value: str) -> None:
    answer = api.get("outputs", **{"public_key": public("alice")} | {name: value})
    assert problem(answer) == (400, "malformed", name)
    assert len(answer.text) < 1000


def test_the_form_of_an_id_and_of_a_key_is_told(api: Api) -> None:
    key, txid = api.get("outputs", public_key="abc").json(), api.get("transactions/abc").json()
    assert key["message"] == "public_key: must be a public key (base58 of 32 bytes)"
    assert txid["message"] == "transaction_id: must be a hash (64 characters 0-9 a-f)"


def test_the_owner_must_be_told(api: Api) -> None:
    assert problem(api.get("outputs")) == (400, "malformed", "public_key")


def test_a_cursor_of_another_list_is_refused(api: Api) -> None:
    for n in range(2):
        api.node.settle(api.node.create("alice", payload={"n": n}))
    cursor = api.get("outputs", public_key=public("alice"), limit=1).json()["next"]
    for params in ({"public_key": public("bob")}, {"public_key": public("alice"), "spent": "false"}):
        assert problem(api.get("outputs", cursor=cursor, **params)) == (400, "malformed", "cursor")
    assert problem(api.get("blocks", cursor=cursor)) == (400, "malformed", "cursor")


def test_a_private_key_in_place_of_a_public_one_is_not_repeated(api: Api) -> None:
    answer = api.get("outputs", public_key=f"{private('alice')}0")
    assert private("alice") not in answer.text
