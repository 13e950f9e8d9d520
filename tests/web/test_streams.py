"""Streams of events over real sockets: WebSockets and server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.frames import CloseCode
from websockets.sync.client import connect
from websockets.typing import Origin

from bigchaindb.web import feed as feed_module
from bigchaindb.web import streams, wire
from bigchaindb.web.app import create_app
from bigchaindb.web.state import WebSettings
from tests.ledgers import Ledger, key, public, ref
from tests.web.api import problem
from tests.web.serving import HANG_SECONDS, PATH, Away, Served, taken, web_ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping

    from bigchaindb.model.transaction import Transaction

ALICE, BOB = key("alice"), key("bob")
SHORT_SECONDS = 0.2
PATIENT_SECONDS = 5.0
LONG_SECONDS = 10 * HANG_SECONDS


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def served(ledger: Ledger) -> Iterator[Served]:
    with Served(ledger) as served:
        yield served


def creates(ledger: Ledger, count: int) -> list[Transaction]:
    """So many assets of Alice's in one block, in its order."""
    made = [ledger.create(ALICE, {"number": number, "at": ledger.clock.now}) for number in range(count)]
    ledger.clock.now += 1
    ledger.write(*made)
    ledger.run()
    by_hash = {t.hash: t for t in made}
    return [by_hash[text_hash] for text_hash in ledger.home(made[0]).transactions]


def ids(transactions: list[Transaction]) -> list[str]:
    return [transaction.id for transaction in transactions]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# --- what is told ------------------------------------------------------------------------------------------


def test_each_transaction_is_told_as_it_becomes_valid(ledger: Ledger, served: Served) -> None:
    before = creates(ledger, 1)[0]
    with served.websocket() as websocket, served.events() as events:
        gift = ledger.settle(ledger.transfer(ref(before), ALICE, BOB))
        expected = {
            "sequence": 2,
            "block_id": ledger.home(gift).id,
            "asset_id": before.id,
            "transaction_id": gift.id,
        }
        assert json.loads(websocket.recv(HANG_SECONDS)) == expected
        assert events.next() == expected


def test_both_kinds_of_stream_tell_the_same(ledger: Ledger, served: Served) -> None:
    old = creates(ledger, 3)
    with served.websocket(since="0") as websocket, served.events(since="0") as events:
        assert taken(websocket, 3) == events.take(3) == ids(old)
        new = creates(ledger, 40)
        assert taken(websocket, 40) == events.take(40) == ids(new)


def test_a_stream_resumes_in_the_middle_of_a_block(ledger: Ledger, served: Served) -> None:
    made = creates(ledger, 5)
    since = f"1/{made[1].id}"
    with served.websocket(since=since) as websocket, served.events(since=since) as events:
        assert taken(websocket, 3) == events.take(3) == ids(made)[2:]


def test_what_a_browser_sends_when_it_comes_back_stands_above_where_it_once_began(
    ledger: Ledger, served: Served
) -> None:
    made = creates(ledger, 3)
    with served.events(since="0") as events:
        events.take(2)
        last = events.last_id
    with served.events(last_event_id=last, since="0") as events:
        assert events.take(1) == ids(made)[2:]
        assert events.last_id == f"1/{made[2].id}"
    with served.events(last_event_id="1", since="0") as events:
        new = creates(ledger, 1)
        assert events.take(1) == ids(new)


def test_filters_hold_for_both_kinds_of_stream(ledger: Ledger, served: Served) -> None:
    boat, car = creates(ledger, 2)
    of_bob, of_boat = {"public_key": public(BOB)[0]}, {"asset_id": boat.id}
    with ExitStack() as stack:
        websockets = [stack.enter_context(served.websocket(**which)) for which in (of_bob, of_boat)]
        events = [stack.enter_context(served.events(**which)) for which in (of_bob, of_boat)]
        both = ledger.settle(ledger.transfer([ref(car), ref(boat)], ALICE, BOB))
        creates(ledger, 1)
        away = ledger.settle(ledger.transfer(ref(both, 0), BOB, ALICE))
        on = ledger.settle(ledger.transfer(ref(both, 1), BOB, BOB))
        for count, expected, websocket, stream in zip(
            (3, 2), ([both, away, on], [both, on]), websockets, events, strict=True
        ):
            assert taken(websocket, count) == stream.take(count) == ids(expected)
    with served.events(since="0", **of_boat) as stream:
        told = [stream.next() for _ in range(3)]
        assert [(event["transaction_id"], event["asset_id"]) for event in told if event] == [
            (transaction.id, boat.id) for transaction in (boat, both, on)
        ]


def test_a_stream_of_server_sent_events_looks_as_it_must(ledger: Ledger, served: Served) -> None:
    creates(ledger, 1)
    with served.events() as events:
        headers = events.response.headers
        assert headers["content-type"].partition(";")[0] == "text/event-stream"
        assert headers["cache-control"] == "no-store"
        first = [next(events.lines) for _ in range(3)]
        assert first == ["retry: 1000", "id: 1", ""]


def test_of_a_stream_there_is_a_head(served: Served) -> None:
    with httpx.Client(timeout=HANG_SECONDS, trust_env=False) as client:
        for _ in range(2):
            answer = client.head(f"http://{served.address}{PATH}", headers={"Accept": "text/event-stream"})
            assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert client.get(f"http://{served.address}/healthz").status_code == 200
    until(lambda: served.server._feed._readers == 0)


def test_one_that_is_never_told_anything_knows_where_to_go_on_all_the_same(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_QUIET_SECONDS", SHORT_SECONDS)
    with Served(ledger) as served, served.events(asset_id="0" * 64) as events:
        creates(ledger, 1)
        lines = iter(events.lines)
        while next(lines) != "id: 1":
            pass


# --- what is refused ---------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, str], str, str]] = [
    ({"since": "x"}, "since", "form"),
    ({"since": "-1"}, "since", "form"),
    ({"since": "01"}, "since", "form"),
    ({"since": "1/abc"}, "since", "form"),
    ({"since": "1" * 30}, "since", "form"),
    ({"since": "7"}, "since", "this node has made 1 decisions, not 7"),
    ({"since": f"1/{'0' * 64}"}, "since", "did not become valid"),
    ({"public_key": "0"}, "public_key", "must be a public key (base58 of 32 bytes)"),
    ({"public_key": "z" * 44}, "public_key", "public_key: "),
    ({"asset_id": "A" * 64}, "asset_id", "must be a hash (64 characters 0-9 a-f)"),
    ({"sinse": "1"}, "sinse", "there is no such parameter here"),
]


@pytest.mark.parametrize(("params", "field", "message"), REFUSED, ids=[str(params) for params, _, _ in REFUSED])
def test_what_is_wrong_is_said_before_a_stream_begins(
    ledger: Ledger, served: Served, params: dict[str, str], field: str, message: str
) -> None:
    creates(ledger, 1)
    with pytest.raises(InvalidStatus) as caught, served.websocket(**params):
        pass
    denial = caught.value.response
    with served.events(**params) as events:
        events.response.read()
        for status, kind, body in (
            (denial.status_code, denial.headers["content-type"], denial.body),
            (events.response.status_code, events.response.headers["content-type"], events.response.content),
        ):
            told = json.loads(bytes(body))
            assert (status, kind) == (400, "application/problem+json")
            assert (told["status"], told["error"], told["field"]) == (400, "malformed", field)
            assert message in told["message"]


@pytest.mark.parametrize("last", ["x", "7", f"1/{'0' * 64}"])
def test_a_last_event_id_that_is_wrong_is_named_as_such(ledger: Ledger, served: Served, last: str) -> None:
    creates(ledger, 1)
    with served.events(last_event_id=last, since="0") as events:
        events.response.read()
        assert problem(events.response) == (400, "malformed", "Last-Event-ID")
        assert events.response.json()["message"].startswith("Last-Event-ID: ")


HANDSHAKES: list[tuple[str, str, dict[str, str], tuple[int, str]]] = [
    ("GET", "/api/v1/nope", {}, (404, "unknown")),
    ("GET", "/api/v1/transactions", {}, (404, "unknown")),
    ("GET", "/explorer/nope", {}, (404, "unknown")),
    ("GET", PATH, {"Sec-WebSocket-Key": ""}, (400, "malformed")),
    ("GET", PATH, {"Sec-WebSocket-Version": "8"}, (400, "malformed")),
    ("POST", PATH, {}, (405, "method_not_allowed")),
]


@pytest.mark.parametrize(("method", "path", "changed", "expected"), HANDSHAKES, ids=str)
def test_a_handshake_that_is_none_is_refused_as_everything_is(
    served: Served, method: str, path: str, changed: dict[str, str], expected: tuple[int, str]
) -> None:
    asked = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with httpx.Client(trust_env=False, timeout=HANG_SECONDS) as client:
        headers = {name: value for name, value in (asked | changed).items() if value}
        answer = client.request(method, f"http://{served.address}{path}", headers=headers)
        assert problem(answer) == (*expected, None)
        assert (answer.headers.get("allow") == "GET") is (expected[0] == 405)
        told = client.get(f"http://{served.address}/metrics").text
    label = method if method == "GET" else "other"
    assert f'bigchaindb_http_requests_total{{method="{label}",status="{expected[0]}"}} 1.0' in told


def test_a_parameter_may_be_given_once(served: Served) -> None:
    with (
        pytest.raises(InvalidStatus) as caught,
        connect(f"ws://{served.address}{PATH}?since=0&since=1", proxy=None),
    ):
        pass
    assert caught.value.response.status_code == 400
    assert b"more than once" in bytes(caught.value.response.body)


@pytest.mark.parametrize("accept", ["TEXT/Event-Stream", "text/html, text/event-stream;q=0.5, */*;q=0"])
def test_a_stream_may_be_asked_for_in_several_ways(served: Served, accept: str) -> None:
    with (
        httpx.Client(timeout=HANG_SECONDS, trust_env=False) as client,
        client.stream("GET", f"http://{served.address}{PATH}", headers={"Accept": accept}) as answer,
    ):
        assert answer.status_code == 200
        assert next(answer.iter_lines()) == "retry: 1000"


@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "application/json", "text/event-stream;q=0", "text/event-stream; q=0.00", "x-text/event-stream"],
)
def test_whoever_asks_for_no_stream_is_told_how(served: Served, accept: str | None) -> None:
    with httpx.Client(trust_env=False) as client:
        client.headers.pop("accept")
        answer = client.get(f"http://{served.address}{PATH}", headers={"Accept": accept} if accept else {})
    assert answer.status_code == 406
    assert answer.json()["error"] == "not_acceptable"
    assert "text/event-stream" in answer.json()["message"]


def test_pages_of_other_origins_may_not_read_unless_they_are_named(ledger: Ledger) -> None:
    with Served(ledger, cors_origins=("https://friend.example",)) as served:
        url = f"ws://{served.address}{PATH}"
        for origin in (None, f"http://{served.address}", "https://friend.example"):
            with connect(url, origin=Origin(origin) if origin else None, proxy=None):
                pass
        for stranger in ("https://evil.example", "null", "http://localhost", "http://["):
            with pytest.raises(InvalidStatus) as caught, connect(url, origin=Origin(stranger), proxy=None):
                pass
            assert caught.value.response.status_code == 403
            assert json.loads(bytes(caught.value.response.body))["field"] == "Origin"


def test_denying_a_websocket_is_nothing_to_log(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InvalidStatus), served.websocket(since="x"):
        pass
    with served.websocket():
        pass
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_what_listeners_say_is_not_listened_to(ledger: Ledger, served: Served) -> None:
    with served.websocket() as websocket:
        for message in ("hello", b"\x00", ""):
            websocket.send(message)
        new = creates(ledger, 1)
        assert taken(websocket, 1) == ids(new)
        websocket.send("x" * 5_000)
        with pytest.raises(ConnectionClosed):
            websocket.recv(HANG_SECONDS)
        assert websocket.close_code == CloseCode.MESSAGE_TOO_BIG


# --- those who do not read, or are gone --------------------------------------------------------------------


UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


class Sleeper:
    """One who opens a WebSocket, or whatever his headers say, and then reads nothing."""

    def __init__(self, served: Served, headers: str = UPGRADE) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.settimeout(HANG_SECONDS)
        host, port = served.address.split(":")
        self.socket.connect((host, int(port)))
        self.socket.sendall(f"GET {PATH}?since=0 HTTP/1.1\r\nHost: {served.address}\r\n{headers}\r\n".encode())

    def wake(self) -> bytes:
        """Read all that is left, up to the end."""
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := self.socket.recv(2**16):
                parts.append(part)
        return b"".join(parts)


def test_a_reader_who_takes_nothing_is_dropped_and_told_so_and_nobody_else_minds(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "SLOW_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(wire, "_LAST_WORDS_SECONDS", LONG_SECONDS)
    made = [t for _ in range(6) for t in creates(ledger, 400)]
    with Served(ledger) as served, contextlib.closing(Sleeper(served).socket):
        sleeper = Sleeper(served)
        feed = served.server._feed
        until(lambda: feed._readers == 2)
        with served.websocket(since="0") as websocket:
            assert taken(websocket, len(made)) == ids(made)
            until(lambda: feed._readers == 1)
            heard = sleeper.wake()
        sleeper.socket.close()
    assert heard.endswith(b"\x88\x0a" + (1013).to_bytes(2) + b"too slow")
    assert 0 < heard.count(b'"transaction_id"') < len(made)


def test_one_who_does_not_even_listen_to_that_is_cut_off(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SLOW_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(wire, "_LAST_WORDS_SECONDS", SHORT_SECONDS)
    for _ in range(6):
        creates(ledger, 400)
    with Served(ledger) as served:
        sleeper = Sleeper(served)
        until(lambda: served.server._feed._readers == 1)
        until(lambda: not served.server.server_state.connections)
        sleeper.socket.close()


def ping(payload: bytes) -> bytes:
    """A ping, masked with zeros."""
    return b"\x89" + bytes([0x80 | len(payload)]) + bytes(4) + payload


def test_one_who_pings_and_takes_no_answer_is_dropped_though_nothing_happens(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "SLOW_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(wire, "_LAST_WORDS_SECONDS", SHORT_SECONDS)
    with Served(ledger) as served:
        sleeper = Sleeper(served)
        until(lambda: served.server._feed._readers == 1)
        kept: list[int] = []

        def flood() -> None:
            for _ in range(5_000):  # a thousand times what is kept, or until it is cut off
                sleeper.socket.sendall(ping(b"x" * 125) * 1000)
                kept.extend(connection.transport.get_write_buffer_size() for connection in connections(served))

        with pytest.raises(ConnectionError):
            flood()
        assert max(kept) < 2**20
        until(lambda: served.server._feed._readers == 0)
        sleeper.socket.close()


def test_of_many_pings_that_could_not_be_answered_the_last_one_is(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "SLOW_SECONDS", LONG_SECONDS)
    sleeper = Sleeper(served)
    until(lambda: served.server._feed._readers == 1)
    (connection,) = connections(served)
    while connection.writable.is_set():
        sleeper.socket.sendall(ping(b"x" * 125) * 100)
    sleeper.socket.sendall(ping(b"last"))
    heard = b""
    while b"\x8a\x04last" not in heard:
        heard += sleeper.socket.recv(2**16)
    assert connection.writable.is_set()
    sleeper.socket.close()


def test_a_peer_who_answers_is_pinged_and_one_who_is_silent_is_gone(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for a peer on a busy machine to answer.
    monkeypatch.setattr(wire, "PING_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(wire, "SILENCE_SECONDS", PATIENT_SECONDS)
    with Served(ledger) as served, served.websocket() as alive:
        dead = Sleeper(served)
        feed = served.server._feed
        until(lambda: feed._readers == 2)
        until(lambda: feed._readers == 1)
        assert b"\x89\x00" in dead.wake()
        new = creates(ledger, 1)
        assert taken(alive, 1) == ids(new)
        dead.socket.close()


def test_a_reader_who_leaves_is_not_counted_any_more(served: Served) -> None:
    feed = served.server._feed
    for _ in range(3):
        with served.websocket(), served.events(), served.events(public_key=public(ALICE)[0]):
            until(lambda: (feed._readers, feed._choosy_readers) == (3, 1))
        until(lambda: (feed._readers, feed._choosy_readers) == (0, 0))
    assert feed._waiting == set()


def test_many_listen_at_once(ledger: Ledger, served: Served) -> None:
    with ExitStack() as stack:
        websockets = [stack.enter_context(served.websocket()) for _ in range(40)]
        events = [stack.enter_context(served.events()) for _ in range(40)]
        made = [t for _ in range(3) for t in creates(ledger, 20)]
        for websocket in websockets:
            assert taken(websocket, len(made)) == ids(made)
        for stream in events:
            assert stream.take(len(made)) == ids(made)


# --- the end, and what is behind it ------------------------------------------------------------------------


def test_streams_end_with_the_node_and_say_that_it_comes_back(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(6):
        creates(ledger, 400)
    with Served(ledger) as served, served.websocket() as websocket, served.events() as events:
        sleepers = [Sleeper(served), Sleeper(served, "Accept: text/event-stream\r\n")]
        until(lambda: served.server._feed._readers == 4)
        until(lambda: sum(c.transport.get_write_buffer_size() > 0 for c in connections(served)) == 2)
        start = time.monotonic()
        served.stop()
        assert time.monotonic() - start < 5
        with pytest.raises(ConnectionClosedError):
            websocket.recv(HANG_SECONDS)
        assert websocket.close_code == CloseCode.SERVICE_RESTART
        assert events.next() is None
        for sleeper in sleepers:
            sleeper.socket.close()
        assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
        served.start()


def connections(served: Served) -> list[Any]:
    return list(served.server.server_state.connections)


def test_a_restarted_node_goes_on_where_the_reader_was(ledger: Ledger, served: Served) -> None:
    made = creates(ledger, 4)
    with served.events(since="0") as events, served.websocket(since="0") as websocket:
        assert events.take(2) == ids(made)[:2]
        last = events.last_id
        seen = json.loads(websocket.recv(HANG_SECONDS))
        served.stop()
    made += creates(ledger, 2)
    served.start()
    with (
        served.events(last_event_id=last) as events,
        served.websocket(since=f"{seen['sequence']}/{seen['transaction_id']}") as websocket,
    ):
        made += creates(ledger, 2)
        assert events.take(6) == ids(made)[2:]
        assert taken(websocket, 7) == ids(made)[1:]


def test_streams_outlive_a_database_that_is_away(
    ledger: Ledger, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_FIRST_LOOK_SECONDS", SHORT_SECONDS)
    made = creates(ledger, 1)
    with served.websocket() as websocket, served.events(since="0") as events:
        Away.away.add(ledger.database)
        try:
            made += creates(ledger, 2)
            with pytest.raises(InvalidStatus) as caught, served.websocket():
                pass
            assert caught.value.response.status_code == 503
            assert caught.value.response.headers["retry-after"] == "1"
            with served.events() as refused:
                assert refused.response.status_code == 503
        finally:
            Away.away.discard(ledger.database)
        assert taken(websocket, 2) == ids(made)[1:]
        assert events.take(3) == ids(made)


def test_a_server_that_cannot_send_frames_as_they_are_is_not_used(ledger: Ledger) -> None:
    app = create_app(web_ledger(ledger), WebSettings(transaction_bytes=1, backlog_transactions=1))
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def connect_without() -> None:
        scope = {"type": "websocket", "path": PATH, "query_string": b"", "headers": [], "extensions": {}}
        try:
            await app(scope, receive, send)
        finally:
            await app.state.feed.stop()

    with pytest.raises(RuntimeError, match="must be served by"):
        asyncio.run(connect_without())
    assert sent == []


def test_streams_are_in_the_document_of_the_api(served: Served) -> None:
    with httpx.Client(trust_env=False) as client:
        document: dict[str, Any] = client.get(f"http://{served.address}/api/v1/openapi.json").json()
    operation = document["paths"][PATH]["get"]
    assert set(operation["responses"]["200"]["content"]) == {"text/event-stream"}
    assert "406" in operation["responses"]
    assert {p["name"] for p in operation["parameters"]} >= {"since", "public_key", "asset_id"}
