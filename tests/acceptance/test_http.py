"""The web server of a real node: where it listens, how it ends, and what it does when something dies."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bigchaindb.crypto import SigningKey
from tests.acceptance.machine import Machine, Running, group_members, until
from tests.onenode import private, public
from tests.rethink import new_name, own_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bigchaindb import Bigchain

HANG_SECONDS = 60.0
# Absurdly much: who waits for a database that is away would wait longer.
PROMPT_SECONDS = 20.0
API = "/api/v1"
TOKEN = "correct-horse-battery-staple"


def url_of(running: Running) -> str:
    """Where a node serves, as it says in its log."""
    said = rf"supervisor\[{running.process.pid}\] serving (http://\S+)"
    until(lambda: re.search(said, running.log), HANG_SECONDS)
    return str(re.findall(said, running.log)[0])


@pytest.fixture
def running(initialised: Machine) -> Iterator[Running]:
    with initialised.node() as running:
        yield running


@pytest.fixture
def http(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url_of(running), timeout=HANG_SECONDS) as client:
        yield client


def process(running: Running, role: str) -> int:
    """The number of a node's process with this role."""

    def found() -> list[int]:
        return [
            pid
            for pid in group_members(running.process.pid)
            if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(f"\0{role}\0".encode())
        ]

    until(found, HANG_SECONDS)
    return found()[0]


def signed_create(b: Bigchain, owner: str, number: int = 0) -> dict[str, Any]:
    return b.sign_transaction(
        b.create_transaction(b.me, public(owner), None, "CREATE", payload={"n": number}), b.me_private
    )


# --- serving -----------------------------------------------------------------------------------------------


def test_an_asset_is_created_and_handed_on_over_http(initialised: Machine, http: httpx.Client) -> None:
    made = http.post(f"{API}/assets", json={"new_owners": public("alice")}, params={"mode": "valid"})
    assert (made.status_code, made.json()["status"]) == (200, "valid")
    asset = made.json()["transaction"]
    with initialised.bigchain() as b:
        unsigned = b.create_transaction(public("alice"), public("bob"), asset["id"], "TRANSFER")
        transfer = b.sign_transaction(unsigned, private("alice"))
    sent = http.post(f"{API}/transactions", json=transfer, params={"mode": "valid"})
    assert (sent.status_code, sent.json()["status"]) == (200, "valid")
    holdings = http.get(f"{API}/outputs", params={"public_key": public("bob"), "spent": "false"}).json()
    assert holdings["items"] == [{"txid": transfer["id"], "cid": 0, "spent_by": None}]
    history = http.get(f"{API}/transactions/{asset['id']}/history").json()
    assert history == {"items": [asset, transfer], "next": None}


def test_an_openapi_document_and_its_pages_are_served(http: httpx.Client) -> None:
    document = http.get(f"{API}/openapi.json").json()
    assert document["openapi"].startswith("3.")
    assert f"{API}/transactions/batch" in document["paths"]
    assert http.get(f"{API}/docs").headers["content-type"].startswith("text/html")


def test_it_listens_where_it_is_told_to(initialised: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    initialised.environment["BIGCHAINDB_SERVER_BIND"] = f"127.0.0.1:{port}"
    with initialised.node() as running:
        assert url_of(running) == f"http://127.0.0.1:{port}"
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").json() == {"status": "ok"}


def test_a_port_in_use_is_named_before_anything_is_started(initialised: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        initialised.environment["BIGCHAINDB_SERVER_BIND"] = bind
        result = initialised.run("start")
    assert result.returncode == 1
    said = result.stderr.splitlines()[-1]
    assert said.startswith(f"Error: server.bind: {bind} is in use by another program; ")
    assert "BIGCHAINDB_SERVER_BIND" in said
    assert "builder" not in result.stderr
    initialised.environment["BIGCHAINDB_SERVER_BIND"] = "localhost:0"
    with initialised.node() as running:
        assert httpx.get(f"{url_of(running)}/readyz").status_code == 200


def test_a_server_that_others_can_reach_creates_assets_only_for_who_knows_the_token(initialised: Machine) -> None:
    initialised.environment["BIGCHAINDB_SERVER_BIND"] = "0.0.0.0:0"
    request = {"new_owners": public("alice")}
    with initialised.node() as running:
        port = url_of(running).rpartition(":")[2]
        refused = httpx.post(f"http://localhost:{port}{API}/assets", json=request)
        assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")
    initialised.environment["BIGCHAINDB_SERVER_API_TOKEN"] = TOKEN
    with initialised.node() as running:
        port = url_of(running).rpartition(":")[2]
        url = f"http://localhost:{port}{API}/assets"
        assert httpx.post(url, json=request).status_code == 403
        assert httpx.post(url, json=request, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 202
        assert TOKEN not in running.log


# --- ending, and dying -------------------------------------------------------------------------------------


def test_a_node_ends_in_time_whatever_its_clients_do(initialised: Machine) -> None:
    with initialised.node() as running:
        url = httpx.URL(url_of(running))
        clients = []
        for begun in (
            b"",
            b"GET /",
            b"POST /api/v1/transactions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
        ):
            client = socket.create_connection((url.host, url.port))
            client.sendall(begun)
            clients.append(client)
        stream = socket.create_connection((url.host, url.port))
        path = f"{API}/streams/valid_transactions"
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode())
        assert stream.recv(12) == b"HTTP/1.1 200"
        running.stop()  # within five seconds, and nothing is left behind
        assert "killing" not in running.log
        for client in (*clients, stream):
            client.close()


def test_what_was_acknowledged_is_there_after_everything_was_killed(initialised: Machine) -> None:
    running = initialised.start()
    try:
        with initialised.bigchain() as b, httpx.Client(base_url=url_of(running), timeout=HANG_SECONDS) as client:
            batch = [signed_create(b, "alice", number) for number in range(200)]
            answer = client.post(f"{API}/transactions/batch", json=batch)
            assert answer.status_code == 202
    finally:
        running.kill_group()
    with initialised.node() as again, httpx.Client(base_url=url_of(again), timeout=HANG_SECONDS) as client:
        for tx in batch:
            until(lambda txid=tx["id"]: _status(client, txid) == "valid", HANG_SECONDS)  # type: ignore[misc]


def _status(client: httpx.Client, txid: str) -> Any:
    return client.get(f"{API}/statuses", params={"transaction_id": txid}).json()["status"]


def test_a_web_server_that_dies_is_back_on_its_port_and_nobody_is_refused(running: Running) -> None:
    url = url_of(running)
    with httpx.Client(base_url=url, timeout=HANG_SECONDS) as client:
        assert client.get("/healthz").status_code == 200
    first = process(running, "web")
    os.kill(first, signal.SIGKILL)
    until(lambda: first not in group_members(running.process.pid), HANG_SECONDS)
    with httpx.Client(base_url=url, timeout=HANG_SECONDS) as client:
        assert client.get("/healthz").status_code == 200
    until(lambda: _restarts(url) == 1, HANG_SECONDS)
    assert "web ended with code -9, starting it again" in running.log


def _restarts(url: str) -> int:
    text = httpx.get(f"{url}/metrics", timeout=HANG_SECONDS).text
    (count,) = re.findall(r'^bigchaindb_process_restarts\{process="web"\} ([0-9.]+)$', text, re.MULTILINE)
    return int(float(count))


def test_a_web_server_does_not_outlive_its_supervisor(initialised: Machine) -> None:
    running = initialised.start()
    url_of(running)
    process(running, "web")
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    until(lambda: not group_members(running.process.pid), HANG_SECONDS)
    with initialised.node() as again:
        assert httpx.get(f"{url_of(again)}/readyz").status_code == 200


def test_a_private_key_is_in_no_log_and_no_argument(initialised: Machine, running: Running, http: httpx.Client) -> None:
    secret = json.loads(initialised.config_path.read_text())["keypair"]["private"]
    assert SigningKey(secret)
    for path in ("/", f"{API}/", f"{API}/transactions/{secret}", "/metrics", "/explorer/", f"{API}/openapi.json"):
        answer = http.get(path)
        assert path.endswith(secret) or secret not in answer.text
    assert secret not in running.log
    for pid in group_members(running.process.pid):
        assert secret.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert secret.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


# --- while the database is away ----------------------------------------------------------------------------


def test_while_rethinkdb_is_away_it_says_so_at_once_and_afterwards_it_goes_on(machine: Machine) -> None:
    with own_server() as server:
        machine.environment |= {
            "BIGCHAINDB_DATABASE_BACKEND": "rethinkdb",
            "BIGCHAINDB_DATABASE_HOST": "127.0.0.1",
            "BIGCHAINDB_DATABASE_PORT": str(server.port),
            "BIGCHAINDB_DATABASE_NAME": new_name(),
        }
        assert machine.run("configure", "-y").returncode == 0
        assert machine.run("init").returncode == 0
        with machine.node() as running, httpx.Client(base_url=url_of(running), timeout=HANG_SECONDS) as client:
            with machine.bigchain() as b:
                first, second = (signed_create(b, "alice", number) for number in range(2))
            sent = client.post(f"{API}/transactions", params={"mode": "valid"}, json=first)
            assert (sent.status_code, sent.json()["status"]) == (200, "valid")
            server.kill()
            for request in (
                client.build_request("GET", "/readyz"),
                client.build_request("GET", f"{API}/transactions/{first['id']}"),
                client.build_request("POST", f"{API}/transactions", json=second),
                client.build_request("POST", f"{API}/transactions/batch", json=[second]),
            ):
                start = time.monotonic()
                answer = client.send(request)
                assert (answer.status_code, answer.json()["error"]) == (503, "unavailable"), request.url
                assert int(answer.headers["retry-after"]) > 0
                assert time.monotonic() - start < PROMPT_SECONDS
            assert client.get("/healthz").status_code == 200
            assert "bigchaindb_database_up 0.0" in client.get("/metrics").text
            server.start()
            until(lambda: client.get("/readyz").status_code == 200, HANG_SECONDS)
            until(lambda: client.get(f"{API}/transactions/{first['id']}").json() == first, HANG_SECONDS)
            until(lambda: client.post(f"{API}/transactions", json=second).status_code == 202, HANG_SECONDS)
            until(lambda: _status(client, second["id"]) == "valid", HANG_SECONDS)
