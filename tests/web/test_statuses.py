"""How far transactions and blocks have come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from bigchaindb.model.transaction import Transaction
from bigchaindb.node.queries import Queries
from bigchaindb.storage.records import NewTransaction
from tests.consensus.views import garbled
from tests.web.api import ROOT, Api, problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.model.status import Status

UNKNOWN = "0" * 64


def test_a_transaction_goes_from_the_backlog_through_a_block_to_valid(api: Api) -> None:
    tx = api.node.create("alice")
    seen = []
    assert problem(api.get("statuses", transaction_id=tx["id"])) == (404, "unknown", "transaction_id")
    api.post("transactions", tx)
    seen.append(api.get("statuses", transaction_id=tx["id"]).json())
    api.node.run()
    seen.append(api.get("statuses", transaction_id=tx["id"]).json())
    assert seen == [{"id": tx["id"], "status": status, "reason": None} for status in ("backlog", "valid")]


def test_a_rejection_has_a_reason(api: Api) -> None:
    bad = garbled(Transaction.from_dict(api.node.create("alice")))
    api.ledger.node.storage.append_backlog([NewTransaction(bad.hash, bad.id, bad.text)], 0.0)
    api.node.run()
    told = api.get("statuses", transaction_id=bad.id).json()
    assert told["status"] == "rejected"
    assert "fulfillments[0]" in told["reason"]


def test_a_block_is_undecided_until_it_is_decided(api: Api) -> None:
    tx = api.node.create("alice")
    api.post("transactions", tx)
    api.node.run()
    (block,) = api.get("blocks", transaction_id=tx["id"]).json()["items"]
    assert api.get("statuses", block_id=block["id"]).json() == {"id": block["id"], "status": "valid", "reason": None}
    genesis = api.node.ledger
    assert api.get("statuses", block_id=genesis).json()["status"] == "valid"
    assert problem(api.get("statuses", block_id=UNKNOWN)) == (404, "unknown", "block_id")


@pytest.mark.parametrize("params", [{}, {"transaction_id": UNKNOWN, "block_id": UNKNOWN}])
def test_one_of_the_two_must_be_given(api: Api, params: dict[str, str]) -> None:
    assert problem(api.get("statuses", **params)) == (400, "malformed", "transaction_id")


@pytest.mark.parametrize("name", ["transaction_id", "block_id"])
@pytest.mark.parametrize("id_", ["", "x", "A" * 64, UNKNOWN + "0"])
def test_an_id_that_is_none_is_refused(api: Api, name: str, id_: str) -> None:
    assert problem(api.get("statuses", **{name: id_})) == (400, "malformed", name)


def test_many_who_ask_at_the_same_time_cost_few_trips_to_storage(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    trips = []
    statuses = Queries.statuses

    def count(self: Queries, ids: Sequence[str]) -> dict[str, Status]:
        trips.append(len(ids))
        return statuses(self, ids)

    monkeypatch.setattr(Queries, "statuses", count)
    txs = [api.node.create("alice", payload={"n": n}) for n in range(5)]
    api.post("transactions/batch", txs[:4])
    wanted = [tx["id"] for tx in txs] * 4
    answers = api.send(
        *(httpx.Request("GET", f"http://localhost{ROOT}/statuses?transaction_id={txid}") for txid in wanted)
    )
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 404] * 4
    assert [answer.json()["id"] for answer in answers if answer.is_success] == [i for i in wanted if i != txs[4]["id"]]
    assert len(trips) < len(wanted) / 2
    assert max(trips) <= 5
