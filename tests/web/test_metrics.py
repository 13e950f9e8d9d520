"""Numbers for Prometheus: they are those of the ledger, and cost little."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.model.transaction import Transaction
from bigchaindb.node.counters import add, restarts_of
from bigchaindb.storage.records import NewTransaction
from bigchaindb.storage.sqlite import SqliteStorage
from bigchaindb.web.metrics import Metrics
from bigchaindb.web.protocol import HEAD_BYTES
from tests.acceptance.machine import until
from tests.consensus.views import garbled
from tests.ledgers import Ledger, key
from tests.ledgers import public as public_of
from tests.onenode import OneNode, private, public
from tests.web.api import Api
from tests.web.serving import HANG_SECONDS, Served, web_ledger

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from bigchaindb.node.node import Node


def numbers(api: Api) -> dict[str, float]:
    """All numbers, as `name{label=value}`."""
    answer = api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_transactions_are_told_by_status(api: Api) -> None:
    bad = garbled(Transaction.from_dict(api.node.create("alice")))
    api.ledger.node.storage.append_backlog([NewTransaction(bad.hash, bad.id, bad.text)], 0.0)
    api.node.run()
    for n in range(3):
        api.node.settle(api.node.create("alice", payload={"n": n}))
    api.post("transactions", api.node.create("alice", payload={"waits": True}))
    told = numbers(api)
    statuses = {status: told[f"bigchaindb_transactions{{status={status}}}"] for status in STATUSES}
    assert statuses == {"backlog": 1, "undecided": 0, "valid": 3, "rejected": 1}
    assert told["bigchaindb_backlog_depth"] == 1
    assert told["bigchaindb_blocks{status=decided}"] == 3
    assert told["bigchaindb_blocks{status=undecided}"] == 0
    assert told["bigchaindb_database_up"] == 1


STATUSES = ("backlog", "undecided", "valid", "rejected")


def test_decisions_are_counted_once_from_the_first_look_on(api: Api) -> None:
    api.node.settle(api.node.create("alice", payload={"before": True}))
    decided = "bigchaindb_block_decisions_total{verdict=valid}"
    vote = f"bigchaindb_votes_total{{node={public('node')},vote=valid}}"
    assert numbers(api).get(decided, 0) == 0
    for n in range(2):
        api.node.settle(api.node.create("alice", payload={"n": n}))
    for _ in range(2):
        told = numbers(api)
        assert told[decided] == told[vote] == told["bigchaindb_decision_seconds_count"] == 2
    assert 0 <= told["bigchaindb_decision_seconds_sum"] < 60


def test_decisions_are_counted_from_when_the_web_server_began() -> None:
    ledger = Ledger()
    ledger.settle(ledger.create(key("alice"), {"n": "before"}))
    with Served(ledger) as served:
        until(lambda: served.server._feed.first_sequence is not None, HANG_SECONDS)
        for n in range(2):
            ledger.settle(ledger.create(key("alice"), {"n": n}))
        with httpx.Client(trust_env=False, timeout=HANG_SECONDS) as client:
            text = client.get(f"http://{served.address}/metrics").text
    assert 'bigchaindb_block_decisions_total{verdict="valid"} 2.0' in text
    assert "bigchaindb_decision_seconds_count 2.0" in text


def test_what_is_counted_at_a_look_is_bounded_and_nothing_is_left_out(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigchaindb.web.metrics._AT_ONCE", 3)
    monkeypatch.setattr("bigchaindb.web.metrics._MOST", 4)
    numbers(api)
    for n in range(9):
        api.node.settle(api.node.create("alice", payload={"n": n}))
    for expected in (4, 8, 9, 9):
        assert numbers(api)["bigchaindb_block_decisions_total{verdict=valid}"] == expected


def test_every_transaction_counts_under_one_status() -> None:
    ledger = Ledger(absent=[*public_of(key("absent")), *public_of(key("away"))])
    built = [ledger.create(key("alice"), {"n": n}) for n in range(3)]
    ledger.put_block(*built)
    ledger.write(*built, ledger.create(key("alice"), {"n": "waits"}))
    ledger.first.voter.step()
    served = web_ledger(ledger)
    text = Metrics().text(served, None).decode()
    served.close()
    for status, count in (("backlog", 1), ("undecided", 3), ("valid", 0)):
        assert f'bigchaindb_transactions{{status="{status}"}} {count}.0' in text
    assert "bigchaindb_backlog_depth 4.0" in text
    assert 'bigchaindb_blocks{status="undecided"} 1.0' in text


def test_a_look_costs_the_same_however_long_the_ledger(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(name: str) -> Any:
        method = getattr(SqliteStorage, name)

        def call(self: SqliteStorage, *args: Any, **options: Any) -> Any:
            calls.append(name)
            return method(self, *args, **options)

        return call

    for name in ("latest_decision", "decisions", "blocks", "votes", "backlog_size", "registers", "open_sightings"):
        monkeypatch.setattr(SqliteStorage, name, counted(name))
    costs = []
    for n in range(3):
        for m in range(5 * n):
            api.node.settle(api.node.create("alice", payload={"n": n, "m": m}))
        numbers(api)
        calls.clear()
        numbers(api)
        costs.append(sorted(calls))
    assert costs[1] == costs[2]


def test_restarts_are_those_that_the_supervisor_has_counted(api: Api) -> None:
    add(api.ledger.node.storage, public("node"), {restarts_of("voter"): 3})
    told = numbers(api)
    assert told["bigchaindb_process_restarts{process=voter}"] == 3
    assert told["bigchaindb_process_restarts{process=web}"] == 0


def test_answers_and_storage_are_measured(api: Api) -> None:
    api.post("transactions", api.node.create("alice"))
    api.get("/nope")
    api.request("MADEUP", "/nope")
    told = numbers(api)
    assert told["bigchaindb_http_requests_total{method=POST,status=202}"] == 1
    assert told["bigchaindb_http_requests_total{method=GET,status=404}"] == 1
    assert told["bigchaindb_http_requests_total{method=other,status=404}"] == 1
    assert told["bigchaindb_storage_seconds_count{operation=write}"] == 1
    before = told["bigchaindb_storage_seconds_count{operation=read}"]
    assert told["bigchaindb_storage_seconds_count{operation=check}"] == 1
    api.get("blocks")
    api.get("statuses", transaction_id="0" * 64)
    api.get(f"transactions/{'0' * 64}")
    # And the look itself.
    assert numbers(api)["bigchaindb_storage_seconds_count{operation=read}"] == before + 4
    assert told["process_resident_memory_bytes"] > 0


def test_answers_that_the_application_does_not_see_are_counted_too() -> None:
    ledger = Ledger()
    with Served(ledger, cors_origins=("https://example.org",)) as served:
        with served.websocket():
            pass
        host, port = served.address.split(":")
        for junk in (b"junk\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * HEAD_BYTES):
            with socket.create_connection((host, int(port)), HANG_SECONDS) as client:
                client.sendall(junk)
                while client.recv(2**16):
                    pass
        with httpx.Client(trust_env=False, timeout=HANG_SECONDS) as client:
            before = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
            assert client.options(f"http://{served.address}/api/v1/transactions", headers=before).status_code == 400
            text = client.get(f"http://{served.address}/metrics").text
    for labels in ("GET,101", "other,400", "other,431", "OPTIONS,400"):
        method, status = labels.split(",")
        assert f'bigchaindb_http_requests_total{{method="{method}",status="{status}"}} 1.0' in text


def test_while_the_database_is_away_there_is_still_an_answer(tmp_path: Path) -> None:
    def fail(_: OneNode) -> Node:
        raise StorageUnavailable("no connection")

    with Api(tmp_path, fail) as api:
        told = numbers(api)
        assert told["bigchaindb_database_up"] == 0
        assert "process_resident_memory_bytes" in told


def test_two_applications_do_not_share_numbers(api: Api, tmp_path: Path) -> None:
    home = tmp_path / "other"
    home.mkdir()
    with Api(home) as other:
        other.get("/nope")
        assert "bigchaindb_http_requests_total{method=GET,status=404}" not in numbers(api)


def test_nothing_secret_is_among_them(api: Api) -> None:
    assert not re.search(private("node"), api.get("/metrics").text)
