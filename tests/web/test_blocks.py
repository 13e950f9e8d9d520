"""Blocks, votes and decision records."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bigchaindb.canonical import dumps
from bigchaindb.model.block import Block, Header
from bigchaindb.model.decision import Decision
from bigchaindb.model.transaction import Transaction
from bigchaindb.model.vote import Vote
from bigchaindb.node.node import stored_block
from bigchaindb.storage.records import NewTransaction, TextRef, VoteRow
from tests.consensus.views import garbled
from tests.ledgers import Ledger, key
from tests.web.api import Api, problem
from tests.web.serving import HANG_SECONDS, Served
from tests.web.test_transactions import whole

UNKNOWN = "0" * 64


@pytest.fixture
def assets(api: Api) -> list[dict[str, Any]]:
    """Three assets, each in a block of its own."""
    return [api.node.settle(api.node.create("alice", payload={"n": n})) for n in range(3)]


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_blocks_are_listed_from_the_genesis_on(api: Api, assets: list[dict[str, Any]], limit: int) -> None:
    blocks = whole(api, "blocks", limit=limit)
    assert [block["status"] for block in blocks] == ["valid"] * 4
    assert blocks[0]["id"] == api.node.ledger
    for block in blocks:
        header = Header.from_dict(block["block"])
        assert header.id == block["id"]
        assert header.is_signed(block["signature"])
    assert whole(api, "blocks", limit=limit, status="valid") == blocks
    assert whole(api, "blocks", limit=limit, status="rejected") == []
    assert whole(api, "blocks", limit=limit, status="undecided") == []
    for asset, block in zip(assets, blocks[1:], strict=True):
        for params in ({}, {"status": "valid"}):
            assert whole(api, "blocks", transaction_id=asset["id"], **params) == [block]
        assert whole(api, "blocks", transaction_id=asset["id"], status="undecided") == []
    assert whole(api, "blocks", transaction_id=UNKNOWN) == []


def test_a_block_is_told_with_its_transactions(api: Api, assets: list[dict[str, Any]]) -> None:
    for block, asset in zip(whole(api, "blocks")[1:], assets, strict=True):
        assert api.get(f"blocks/{block['id']}").json() == {**block, "transactions": [asset]}
    assert problem(api.get(f"blocks/{UNKNOWN}")) == (404, "unknown", "block_id")
    assert problem(api.get("blocks/x")) == (400, "malformed", "block_id")


def test_votes_and_decisions_are_told_as_they_were_signed(api: Api, assets: list[dict[str, Any]]) -> None:
    (block,) = whole(api, "blocks", transaction_id=assets[0]["id"])
    (vote,) = whole(api, "votes", block_id=block["id"])
    assert Vote.from_text(dumps(vote)).block_id == block["id"]
    (decision,) = whole(api, "decisions", block_id=block["id"])
    assert Decision.from_text(dumps(decision)).block_id == block["id"]
    for what in ("votes", "decisions"):
        assert whole(api, what, block_id=api.node.ledger) == []
        assert problem(api.get(what, block_id=UNKNOWN)) == (404, "unknown", "block_id")
        assert problem(api.get(what)) == (400, "malformed", "block_id")


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_votes_and_decisions_come_in_pages(limit: int) -> None:
    ledger = Ledger(3)
    asset = ledger.settle(ledger.create(key("alice")))
    block_id = ledger.home(asset).id
    with Served(ledger) as served, httpx.Client(trust_env=False, timeout=HANG_SECONDS) as client:
        queries = ledger.first.queries
        for what, signed in (("votes", queries.votes(block_id)), ("decisions", queries.decisions(block_id))):
            nodes: list[str] = []
            cursor: dict[str, str] = {}
            while True:
                params = {"block_id": block_id, "limit": str(limit), **cursor}
                told = client.get(f"http://{served.address}/api/v1/{what}", params=params).json()
                assert 0 < len(told["items"]) <= limit
                nodes += [item["node_pubkey"] for item in told["items"]]
                if told["next"] is None:
                    break
                cursor = {"cursor": told["next"]}
            assert nodes == sorted(one.node for one in signed)
            assert len(nodes) >= 2
            answer = client.get(f"http://{served.address}/api/v1/{what}", params={**params, "cursor": "AAAA"})
            assert problem(answer) == (400, "malformed", "cursor")


def test_who_signs_late_is_behind_the_cursor_whatever_its_key() -> None:
    ledger = Ledger(3)
    late, *others = sorted(ledger.members, key=lambda member: member.me)
    late.stop()
    asset = ledger.settle(ledger.create(key("alice")))
    block_id = ledger.home(asset).id
    with Served(ledger) as served, httpx.Client(trust_env=False, timeout=HANG_SECONDS) as client:

        def nodes(what: str, **params: str) -> tuple[list[str], Any]:
            url = f"http://{served.address}/api/v1/{what}"
            told = client.get(url, params={"block_id": block_id, **params}).json()
            return [item["node_pubkey"] for item in told["items"]], told["next"]

        begun = {what: nodes(what, limit="1") for what in ("votes", "decisions")}
        assert {tuple(found) for found, _ in begun.values()} == {(others[0].me,)}
        late.start()
        ledger.run()
        # It casts none on what is decided already, so this one was long on its way.
        vote = ledger.vote(ledger.home(asset), late)
        late.storage.place_votes([VoteRow(block_id, late.me, vote.text)])
        for what, (_, cursor) in begun.items():
            assert nodes(what, cursor=cursor) == ([late.me, others[1].me], None)
            assert nodes(what) == ([member.me for member in (late, *others)], None)


def test_a_block_without_its_contents_is_told_without(api: Api, assets: list[dict[str, Any]]) -> None:
    (block,) = whole(api, "blocks", transaction_id=assets[0]["id"])
    api.ledger.node.storage._file.write("DELETE FROM texts WHERE sequence = ?", [(2,)])  # type: ignore[attr-defined]
    told = api.get(f"blocks/{block['id']}").json()
    assert told == {**block, "transactions": None}


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_the_blocks_of_a_transaction_come_in_pages(api: Api, assets: list[dict[str, Any]], limit: int) -> None:
    (home,) = whole(api, "blocks", transaction_id=assets[0]["id"])
    again = put(api, Transaction.from_dict(assets[0]))
    api.node.run()
    blocks = whole(api, "blocks", transaction_id=assets[0]["id"], limit=limit)
    assert [(block["id"], block["status"]) for block in blocks] == [(home["id"], "valid"), (again, "rejected")]
    for status, expected in (("valid", [home["id"]]), ("rejected", [again]), ("undecided", [])):
        found = whole(api, "blocks", transaction_id=assets[0]["id"], status=status, limit=limit)
        assert [block["id"] for block in found] == expected


def put(api: Api, transaction: Transaction) -> str:
    """Store a block of one transaction, as somebody does who asks no builder; return its id."""
    node = api.ledger.node
    block = Block.build(
        [transaction], ledger=node.ledger, voters=node.federation, timestamp=node.block_time(), key=node.key
    )
    node.storage.append_backlog([NewTransaction(transaction.hash, transaction.id, transaction.text)], 0.0)
    node.storage.drop_backlog(texts=[TextRef(transaction.hash, transaction.id)])
    node.storage.write_block(stored_block(block, [transaction.id]))
    return block.id


def test_a_block_that_was_voted_down_is_rejected_with_a_reason(api: Api) -> None:
    bad = garbled(Transaction.from_dict(api.node.create("alice")))
    block_id = put(api, bad)
    api.node.run()
    assert [item["id"] for item in whole(api, "blocks", status="rejected")] == [block_id]
    told = api.get("statuses", block_id=block_id).json()
    assert told["status"] == "rejected"
    assert "fulfillments[0]" in told["reason"]


@pytest.mark.parametrize("status", ["invalid", "", "Valid", "backlog"])
def test_a_status_that_no_block_has_is_refused(api: Api, status: str) -> None:
    assert problem(api.get("blocks", status=status)) == (400, "malformed", "status")
