"""Assets that the node creates for others, and for whom it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb.model.transaction import Transaction
from bigchaindb.web.access import is_loopback
from tests.onenode import private, public
from tests.web.api import ROOT, Api, problem

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "correct-horse-battery-staple"
ANYWHERE = "0.0.0.0"  # noqa: S104 - no address to bind to
ALICE = {"new_owners": public("alice")}


def test_the_node_makes_and_signs_a_create(api: Api) -> None:
    answer = api.post("assets", {**ALICE, "payload": {"title": "Sunset"}})
    assert answer.status_code == 202
    told = answer.json()
    assert answer.headers["location"] == told["status_url"] == f"{ROOT}/statuses?transaction_id={told['id']}"
    made = Transaction.from_dict(told["transaction"])
    assert made.id == told["id"]
    assert made.fulfillments[0].owners == (public("node"),)
    assert made.outputs[0].owners == (public("alice"),)
    api.node.run()
    assert api.get("statuses", transaction_id=made.id).json()["status"] == "valid"
    assert api.get(f"transactions/{made.id}").json() == told["transaction"]
    api.node.settle(api.node.transfer(made.id, "alice", "bob"))


def test_several_may_own_it_together(api: Api) -> None:
    owners = [public("alice"), public("bob")]
    made = api.post("assets", {"new_owners": owners}).json()["transaction"]
    assert made["transaction"]["conditions"][0]["new_owners"] == owners
    assert made["transaction"]["data"] is None


def test_the_same_request_with_a_time_makes_the_same_transaction(api: Api) -> None:
    request = {**ALICE, "payload": None, "timestamp": "1700000000.000000"}
    first, second = (api.post("assets", request).json() for _ in range(2))
    assert first == second
    assert first["transaction"]["transaction"]["timestamp"] == "1700000000.000000"
    assert len(api.ledger.node.storage.backlog(None, 10)) == 1


WRONG: list[tuple[Any, str]] = [
    ([], "document"),
    (7, "document"),
    ({}, "new_owners"),
    ({"new_owners": None}, "new_owners[0]"),
    ({"new_owners": []}, "new_owners"),
    ({"new_owners": "alice"}, "new_owners[0]"),
    ({"new_owners": [public("a"), public("a")]}, "new_owners"),
    ({**ALICE, "payload": 1}, "payload"),
    ({**ALICE, "payload": {"x": 2**53}}, "payload.x"),
    ({**ALICE, "timestamp": 1700000000}, "timestamp"),
    ({**ALICE, "timestamp": ""}, "timestamp"),
    ({**ALICE, "owner": "x"}, "owner"),
]


@pytest.mark.parametrize(("body", "field"), WRONG, ids=str)
def test_what_is_wrong_is_named(api: Api, body: Any, field: str) -> None:
    answer = api.post("assets", body)
    assert problem(answer) == (400, "malformed", field)
    assert answer.json()["message"].startswith(f"{field}: ")
    assert api.ledger.node.storage.backlog_size() == 0


def test_one_may_wait_until_it_is_valid(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigchaindb.web.waiting.WAIT_SECONDS", 0.01)
    answer = api.request("POST", "assets", params={"mode": "valid"}, json=ALICE)
    assert (answer.status_code, answer.json()["status"]) == (202, "backlog")
    assert answer.json()["transaction"]["id"] == answer.json()["id"]


# --- who may -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9984", "127.0.0.1:9984", "127.1.2.3", "[::1]:9984", "LOCALHOST"]
)
def test_without_a_token_whoever_is_on_this_machine_may(api: Api, host: str) -> None:
    assert api.post("assets", ALICE, headers={"Host": host}).status_code == 202
    same = {"Host": host, "Origin": f"http://{host}"}
    assert api.post("assets", ALICE, headers=same).status_code == 202


@pytest.mark.parametrize("host", ["example.org", "localhost.example.org", "10.0.0.1", "", ANYWHERE, "[::2]", "[::1"])
def test_a_name_that_suddenly_stands_for_this_machine_does_not_help(api: Api, host: str) -> None:
    answer = api.post("assets", ALICE, headers={"Host": host, "Origin": f"http://{host}"})
    assert problem(answer) == (403, "forbidden", "Host")
    assert "server.api_token" in answer.json()["message"]


@pytest.mark.parametrize(
    "origin", ["http://example.org", "null", "http://localhost:8000", "https://evil.localhost", "http://[", ""]
)
def test_a_page_from_elsewhere_may_not(api: Api, origin: str) -> None:
    answer = api.post("assets", ALICE, headers={"Host": "localhost:9984", "Origin": origin})
    assert problem(answer) == (403, "forbidden", "Origin")
    assert api.ledger.node.storage.backlog_size() == 0


def test_without_a_token_a_node_that_others_can_reach_does_it_for_nobody(tmp_path: Path) -> None:
    with Api(tmp_path, is_loopback=False) as api:
        answer = api.post("assets", ALICE, headers={"Authorization": f"Bearer {TOKEN}"})
        assert problem(answer) == (403, "forbidden", None)
        for hint in ("server.api_token", "BIGCHAINDB_SERVER_API_TOKEN", "Authorization: Bearer"):
            assert hint in answer.json()["message"]


@pytest.mark.parametrize("is_loopback", [True, False])
def test_with_a_token_only_who_knows_it_may(tmp_path: Path, is_loopback: bool) -> None:
    with Api(tmp_path, is_loopback=is_loopback, api_token=TOKEN) as api:
        for given in (
            "",
            TOKEN,
            f"Basic {TOKEN}",
            f"Bearer {TOKEN}x",
            f"Bearer {TOKEN[:-1]}",
            "Bearer",
            "Bearer \u00fc",
        ):
            answer = api.post("assets", ALICE, headers={"Authorization": given.encode("latin-1")} if given else {})
            assert problem(answer) == (403, "forbidden", "Authorization")
            assert "send `Authorization: Bearer`" in answer.json()["message"]
            assert TOKEN not in answer.text
        for given in (f"Bearer {TOKEN}", f"bearer  {TOKEN} "):
            headers = {"Authorization": given, "Host": "example.org", "Origin": "http://elsewhere.org"}
            assert api.post("assets", ALICE, headers=headers).status_code == 202


def test_who_may_not_is_refused_before_the_body_is_read(tmp_path: Path) -> None:
    with Api(tmp_path, is_loopback=False) as api:
        assert problem(api.post_text("assets", "{")) == (403, "forbidden", None)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        (ANYWHERE, False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost", False),
    ],
)
def test_only_this_machine_reaches_a_loopback_address(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


def test_the_private_key_is_used_and_not_told(api: Api) -> None:
    assert private("node") not in api.post("assets", ALICE).text
