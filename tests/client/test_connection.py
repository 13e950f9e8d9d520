"""What goes wrong between a client and a node: what is tried again, what is not, and what it is called in the end."""

from __future__ import annotations

import socket
import threading
import traceback
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bigchaindb.client import Client, Patience
from bigchaindb.exceptions import (
    AccessDenied,
    BacklogFull,
    BigchainDBError,
    DoubleSpend,
    InvalidHash,
    InvalidSignature,
    InvalidValue,
    NodeUnreachable,
    OperationError,
    StorageUnavailable,
    TransactionDoesNotExist,
    TransactionError,
    TransactionMalformed,
    TransactionTooLarge,
    UnexpectedAnswer,
)
from tests.client.scripted import Pieces, Script, answer, problem, raw, transaction_answer
from tests.client.transactions import created
from tests.onenode import private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TX = created("alice", payload={"title": "Sunset"})
GET = f"GET /api/v1/transactions/{TX.id}"
POST = "POST /api/v1/transactions"
TOKEN = "topsecret-token"
ONCE = Patience(attempts=1)


def found() -> httpx.Response:
    return transaction_answer(TX)


def accepted() -> httpx.Response:
    return answer(202, {"id": TX.id})


# --- tried again -------------------------------------------------------------------------------------------

PASSING: list[Callable[[], httpx.Response | Exception]] = [
    lambda: httpx.ConnectError("connection refused"),
    lambda: httpx.ConnectTimeout("timed out"),
    lambda: httpx.ReadTimeout("timed out"),
    lambda: httpx.WriteTimeout("timed out"),
    lambda: httpx.PoolTimeout("timed out"),
    lambda: httpx.ReadError("connection reset by peer"),
    lambda: httpx.WriteError("broken pipe"),
    lambda: httpx.RemoteProtocolError("server disconnected without sending a response"),
    lambda: httpx.Response(200, stream=Pieces(b'{"id": ', httpx.ReadError("reset"))),
    lambda: httpx.Response(200, headers={"Content-Length": "400"}, stream=Pieces(b'{"id": ')),
    lambda: problem(429, "backlog_full"),
    lambda: problem(503, "unavailable"),
    lambda: raw(502, b"<h1>Bad Gateway</h1>", "text/html"),
    lambda: raw(503, b"", "text/plain"),
    lambda: raw(504, b"", "text/plain"),
]


@pytest.mark.parametrize("failure", PASSING)
def test_what_may_pass_is_tried_again(failure: Callable[[], httpx.Response | Exception]) -> None:
    script = Script(failure(), failure(), found())
    assert script.client().transaction(TX.id) == TX.to_dict()
    assert script.sent == [GET] * 3
    assert script.time.sleeps == [0.1, 0.2]


@pytest.mark.parametrize("failure", PASSING)
def test_what_is_sent_again_is_the_same_to_the_byte(failure: Callable[[], httpx.Response | Exception]) -> None:
    script = Script(failure(), failure(), accepted())
    assert script.client().send(TX.to_dict()) == TX.to_dict()
    assert script.sent == [POST] * 3
    assert {request.content for request in script.requests} == {TX.text.encode()}
    assert {request.headers["Content-Type"] for request in script.requests} == {"application/json"}


@pytest.mark.parametrize("failure", PASSING)
def test_it_is_tried_no_more_often_than_patience_has_it(failure: Callable[[], httpx.Response | Exception]) -> None:
    script = Script(*[failure() for _ in range(4)])
    with pytest.raises((NodeUnreachable, StorageUnavailable, BacklogFull)):
        script.client(patience=Patience(attempts=4)).transaction(TX.id)
    assert script.sent == [GET] * 4


def test_what_may_have_arrived_is_named() -> None:
    client = Script(*[httpx.ReadTimeout("timed out") for _ in range(2)]).client(private("alice"), patience=ONCE)
    with pytest.raises(NodeUnreachable, match=f"transaction {TX.id} may have arrived"):
        client.send(TX.to_dict())
    with pytest.raises(NodeUnreachable, match=r"asked again with the timestamp 1500000000\.000000"):
        client.create({"title": "Sunset"})


def test_all_pauses_together_have_a_bound_too() -> None:
    script = Script(*[httpx.ConnectError("refused") for _ in range(9)])
    patience = Patience(attempts=100, longest_pause_seconds=1.0, total_pause_seconds=6.0)
    with pytest.raises(NodeUnreachable):
        script.client(patience=patience).transaction(TX.id)
    assert sum(script.time.sleeps) == pytest.approx(5.5)


def test_a_pause_is_as_long_as_chance_has_it_and_doubles() -> None:
    chances = iter([0.0, 1.0, 0.5])
    script = Script(*[httpx.ConnectError("refused") for _ in range(3)], found())
    script.client(chance=lambda: next(chances)).transaction(TX.id)
    assert script.time.sleeps == [0.05, 0.2, pytest.approx(0.3)]


@pytest.mark.parametrize("status", [(429, "backlog_full"), (503, "unavailable")])
def test_a_node_that_asks_for_time_gets_it(status: tuple[int, str]) -> None:
    script = Script(problem(*status, retry_after="7"), accepted())
    script.client().send(TX.to_dict())
    assert script.time.sleeps == [pytest.approx(7.1)]


@pytest.mark.parametrize(
    ("status", "error"), [((429, "backlog_full"), BacklogFull), ((503, "unavailable"), StorageUnavailable)]
)
def test_a_node_that_asks_for_more_time_than_there_is_is_not_waited_for(
    status: tuple[int, str], error: type[Exception]
) -> None:
    script = Script(problem(*status, "come back tomorrow", retry_after="86400"))
    with pytest.raises(error, match="come back tomorrow"):
        script.client().send(TX.to_dict())
    assert script.time.sleeps == []


# --- not tried again ---------------------------------------------------------------------------------------

REFUSALS = [
    (400, "malformed", TransactionMalformed),
    (401, "unauthorized", AccessDenied),
    (403, "forbidden", AccessDenied),
    (404, "unknown", TransactionDoesNotExist),
    (409, "double_spend", DoubleSpend),
    (413, "too_large", TransactionTooLarge),
    (422, "invalid_hash", InvalidHash),
    (422, "invalid_signature", InvalidSignature),
    (422, "operation", OperationError),
    (422, "invalid", TransactionError),
    (500, "internal", UnexpectedAnswer),
    (418, "teapot", UnexpectedAnswer),
]


@pytest.mark.parametrize(("status", "name", "error"), REFUSALS, ids=[refusal[1] for refusal in REFUSALS])
def test_a_refusal_is_the_error_that_the_node_met_and_is_final(
    status: int, name: str, error: type[BigchainDBError]
) -> None:
    script = Script(problem(status, name, "the reason", field="transaction.data"))
    with pytest.raises(error, match="the reason") as caught:
        script.client().send(TX.to_dict())
    assert type(caught.value) is error
    assert script.sent == [POST]
    if isinstance(caught.value, UnexpectedAnswer):
        assert caught.value.status == status
        assert str(status) in str(caught.value)
    else:
        assert caught.value.field == "transaction.data"


@pytest.mark.parametrize(("rival", "known"), [("c" * 64, "c" * 64), (None, None), ("no hash", None), (7, None)])
def test_a_double_spend_names_its_rival(rival: object, known: str | None) -> None:
    with pytest.raises(DoubleSpend) as caught:
        Script(problem(409, "double_spend", rival=rival)).client().send(TX.to_dict())
    assert caught.value.rival == known


def test_a_question_that_is_malformed_is_not_called_a_transaction() -> None:
    with pytest.raises(InvalidValue) as caught:
        Script(problem(400, "malformed")).client().transaction(TX.id)
    assert not isinstance(caught.value, TransactionError)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["http://elsewhere.example/", "/api/v2/assets", None])
def test_no_redirect_is_followed(status: int, where: str | None) -> None:
    script = Script(raw(status, b"", "text/plain", **({"Location": where} if where else {})))
    with pytest.raises(UnexpectedAnswer, match=f"redirects.*{where or ''}") as caught:
        script.client(private("alice"), api_token=TOKEN).create({"title": "Sunset"})
    assert caught.value.status == status
    assert script.sent == ["POST /api/v1/assets"]


# --- what is no answer -------------------------------------------------------------------------------------


class Endless(httpx.SyncByteStream):
    """A body without an end."""

    def __init__(self) -> None:
        self.given_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.given_bytes += 2**20
            yield b" " * 2**20


@pytest.mark.parametrize("status", [200, 404, 503])
def test_an_endless_answer_is_read_to_a_bound(status: int) -> None:
    body = Endless()
    script = Script(httpx.Response(status, headers={"Content-Type": "application/json"}, stream=body))
    with pytest.raises(UnexpectedAnswer, match=r"more than .* bytes"):
        script.client().transaction(TX.id)
    assert body.given_bytes < 64 * 2**20


def test_an_answer_that_drips_is_given_up() -> None:
    script = Script()
    drip = Pieces(*[b" "] * 1000, on_piece=lambda: script.time.sleep(1.0))
    script.answers = [httpx.Response(200, stream=drip)]
    with pytest.raises(NodeUnreachable, match=r"within 30\.0 s"):
        script.client(patience=ONCE).transaction(TX.id)
    assert sum(script.time.sleeps) < 40


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"id": NaN}', b"[" * 100_000, b"1" * 10_000, b"nul"])
@pytest.mark.parametrize("status", [200, 404])
def test_what_is_no_json_is_no_answer(content: bytes, status: int) -> None:
    media_type = "application/json" if status == 200 else "application/problem+json"
    script = Script(raw(status, content, media_type))
    with pytest.raises(UnexpectedAnswer, match=f"{status} to GET .* no JSON") as caught:
        script.client().transaction(TX.id)
    assert caught.value.status == status
    assert script.sent == [GET]


@pytest.mark.parametrize(
    "response",
    [
        lambda: raw(200, b"<html>Welcome to our hotel's network", "text/html"),
        lambda: raw(404, b"<html>Not found", "text/html"),
        lambda: raw(404, b"{}", "application/problem+json"),
        lambda: problem(404, "unknown", "Not Found"),
        lambda: raw(404, b"[]", "application/problem+json"),
        lambda: raw(404, b'{"error": 1, "message": "x"}', "application/problem+json"),
        lambda: raw(200, TX.text.encode(), "application/json", Content_Encoding="gzip"),
        lambda: httpx.Response(204, stream=Pieces()),
        lambda: answer(200, None),
        lambda: answer(200, [TX.to_dict()]),
        lambda: answer(200, TX.to_dict() | {"id": "0" * 64}),
        lambda: answer(200, {**TX.to_dict(), "transaction": TX.to_dict()["transaction"] | {"timestamp": "1.000000"}}),
        lambda: transaction_answer(created("mallory")),
    ],
)
def test_what_is_not_what_was_asked_for_is_no_answer(response: Callable[[], httpx.Response]) -> None:
    script = Script(response())
    with pytest.raises(UnexpectedAnswer) as caught:
        script.client().transaction(TX.id)
    assert caught.value.status in {200, 204, 404}
    assert script.sent == [GET]


@pytest.mark.parametrize("value", [None, [], {}, {"id": "0" * 64}, {"id": 7}])
def test_an_acceptance_of_something_else_is_none(value: Any) -> None:
    with pytest.raises(UnexpectedAnswer, match=r"POST http://node\.example/api/v1/transactions"):
        Script(answer(202, value)).client().send(TX.to_dict())


@pytest.mark.parametrize(
    "response",
    [
        lambda: problem(404, "unknown", "there is nothing at this address"),
        lambda: raw(404, b"<html>Not found", "text/html"),
        lambda: raw(405, b"<html>Not allowed", "text/html"),
        lambda: raw(200, b"<html>Welcome", "text/html"),
        lambda: raw(307, b"", "text/plain", Location="https://node.example/"),
    ],
)
def test_what_is_no_node_is_named_and_whether_it_should_be_one_is_asked(response: Callable[[], httpx.Response]) -> None:
    with pytest.raises(UnexpectedAnswer) as caught:
        Script(response()).client(url="http://node.example/explorer").transaction(TX.id)
    assert f"GET http://node.example/explorer/api/v1/transactions/{TX.id}" in str(caught.value)
    assert str(caught.value).endswith("is that the node's URL, without /api or /explorer?")
    assert "<html>" not in str(caught.value)


def test_what_a_node_says_cannot_write_on_the_screen_at_will() -> None:
    nasty = "\x1b[2Jgone\r\n" + "x" * 10_000
    for response in (
        problem(422, "invalid", nasty),
        problem(422, nasty, nasty, field=nasty),
        raw(500, nasty.encode(), "text/plain"),
        raw(302, b"", "text/plain", Location="http://x.example/" + "x" * 10_000),
        raw(200, b"{}", "x" * 10_000),
    ):
        with pytest.raises(BigchainDBError) as caught:
            Script(response).client().send(TX.to_dict())
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 1500


# --- where to, and as whom ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://node.example", f"http://node.example/api/v1/transactions/{TX.id}"),
        ("http://node.example/", f"http://node.example/api/v1/transactions/{TX.id}"),
        ("http://node.example:65535", f"http://node.example:65535/api/v1/transactions/{TX.id}"),
        (
            "https://node.example:8443/ledgers/one/",
            f"https://node.example:8443/ledgers/one/api/v1/transactions/{TX.id}",
        ),
        ("http://[::1]:9984", f"http://[::1]:9984/api/v1/transactions/{TX.id}"),
    ],
)
def test_a_node_may_be_anywhere(url: str, asked: str) -> None:
    script = Script(found())
    client = script.client(url=url)
    client.transaction(TX.id)
    assert [str(request.url) for request in script.requests] == [asked]
    assert repr(client) == f"<Client of {url.rstrip('/')}, without a key>"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:9984",
        "ftp://node.example",
        "",
        "http://",
        "http://user:topsecret@node.example",
        "http://node.example/?x=topsecret",
        "http://node.example/#topsecret",
        "http://node.example:port",
        "http://node.example:0",
        "http://node.example:-1",
        "http://node.example:65536",
        None,
        b"http://node.example",
    ],
)
def test_what_is_no_url_of_a_node_is_refused(url: Any) -> None:
    with pytest.raises(InvalidValue, match="url: ") as caught:
        Client(url)
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "two words", "line\nend", "caf\u00e9", 7, "x" * 5000])
def test_what_cannot_be_a_token_is_refused_and_not_told(token: Any) -> None:
    with pytest.raises(InvalidValue, match="api_token") as caught:
        Client(api_token=token)
    assert str(token) not in str(caught.value) or not token


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 10**7, True, "x", None])
def test_a_time_must_be_more_than_nothing_and_have_an_end(seconds: Any) -> None:
    with pytest.raises(InvalidValue, match="timeout_seconds"):
        Client(timeout_seconds=seconds)


def test_the_token_goes_where_it_is_needed_and_nowhere_else() -> None:
    script = Script(found(), accepted(), problem(403, "forbidden", "wrong token"))
    client = script.client(private("alice"), api_token=TOKEN)
    client.transaction(TX.id)
    client.send(TX.to_dict())
    with pytest.raises(AccessDenied) as caught:
        client.create({"title": "Sunset"})
    assert [request.headers.get("Authorization") for request in script.requests] == [None, None, f"Bearer {TOKEN}"]
    assert TOKEN not in repr(client) + "".join(traceback.format_exception(caught.value))


# --- over real sockets -------------------------------------------------------------------------------------


@contextmanager
def serving(respond: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server of our own on this machine; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            respond(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def broken_off(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "400")
    handler.end_headers()
    handler.wfile.write(b'{"id": ')


def whole(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    handler.wfile.write(TX.text.encode())


def silent(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.recv(1)  # until the client has gone


def test_nobody_is_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with Client(url, patience=ONCE) as client, pytest.raises(NodeUnreachable, match=f"{url} cannot be reached"):
            client.transaction(TX.id)


@pytest.mark.parametrize(("respond", "problem"), [(broken_off, "cannot be reached"), (silent, r"within 0\.2 s")])
def test_an_answer_breaks_off_or_never_comes(respond: Callable[[BaseHTTPRequestHandler], None], problem: str) -> None:
    with (
        serving(respond) as url,
        Client(url, patience=ONCE, timeout_seconds=0.2) as client,
        pytest.raises(NodeUnreachable, match=problem),
    ):
        client.transaction(TX.id)


def test_no_proxy_is_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving(whole) as url, Client(url, patience=ONCE) as client:
        assert client.transaction(TX.id) == TX.to_dict()
