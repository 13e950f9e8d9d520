"""Errors: one form, one table."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from bigchaindb import exceptions
from bigchaindb.exceptions import BigchainDBError, DoubleSpend, InvalidValue, StorageUnavailable
from bigchaindb.storage.sqlite import SqliteStorage
from bigchaindb.web.problems import problem_of
from tests.web.api import ROOT, Api, problem

if TYPE_CHECKING:
    from pathlib import Path

ERRORS = [
    kind
    for _, kind in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(kind, BigchainDBError) and kind.__module__ == exceptions.__name__
]
STATUS = {
    "TransactionMalformed": 400,
    "InvalidValue": 400,
    "InvalidKey": 400,
    "TransactionDoesNotExist": 404,
    "DoubleSpend": 409,
    "TransactionTooLarge": 413,
    "InvalidHash": 422,
    "InvalidSignature": 422,
    "OperationError": 422,
    "MissingKey": 422,
    "TransactionError": 422,
    "StorageUnavailable": 503,
    "StorageMismatch": 503,
    "StorageMissing": 503,
    "StorageError": 503,
    "LedgerError": 503,
    "FederationMismatch": 503,
    "JournalError": 503,
}


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_of_the_ledger_is_a_problem(kind: type[BigchainDBError]) -> None:
    error = kind("the message")
    error.field = "the.field"
    told = problem_of(error)
    expected = STATUS.get(kind.__name__)
    if expected is None:
        # Nothing that a request can cause: what it says is not for others.
        assert told["status"] in {409, 500}
        assert (told["status"] == 500) is ("the message" not in told["message"])
    elif expected == 503:
        # Where the database is, and what it says, is not for others either.
        assert (told["status"], told["error"], told["field"]) == (503, "unavailable", None)
        assert "the message" not in told["message"]
    else:
        assert told["status"] == expected
        assert told["message"] == "the message"
        assert told["field"] == "the.field"


def test_a_double_spend_names_the_rival() -> None:
    assert problem_of(DoubleSpend("spent", rival="0" * 64))["rival"] == "0" * 64
    assert "rival" not in problem_of(BigchainDBError("other"))


def test_a_message_is_text_whatever_it_quotes() -> None:
    assert problem_of(InvalidValue("\ud800"))["message"] == "\\ud800"


def test_strangers_are_not_told_where_the_database_is(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StorageUnavailable(f"{tmp_path}/ledger.sqlite: the ledger cannot be used now")

    monkeypatch.setattr(SqliteStorage, "waiting", fail)
    monkeypatch.setattr(SqliteStorage, "append_backlog", fail)
    monkeypatch.setattr(SqliteStorage, "outputs_of", fail)
    tx = api.node.create("alice")
    for answer in (
        api.get(f"transactions/{tx['id']}"),
        api.get("statuses", transaction_id=tx["id"]),
        api.get("outputs", public_key=tx["transaction"]["conditions"][0]["new_owners"][0]),
        api.post("transactions", tx),
        api.post("transactions/batch", [tx]),
    ):
        assert problem(answer) == (503, "unavailable", None)
        assert str(tmp_path) not in answer.text
    assert str(tmp_path) in caplog.text


@pytest.mark.parametrize("path", ["/nope", f"{ROOT}/nope", f"{ROOT}/transactions/", f"{ROOT}/blocks/a/b", "//", "/%00"])
def test_there_is_nothing_elsewhere(api: Api, path: str) -> None:
    assert problem(api.request("GET", path)) == (404, "unknown", None)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "transactions", "GET, HEAD, POST"),
        ("GET", "transactions/batch", "POST"),
        ("DELETE", "transactions/batch", "POST"),
        ("PUT", f"transactions/{'0' * 64}", "GET, HEAD"),
        ("HEAD", "assets", "POST"),
        ("GET", "assets", "POST"),
        ("POST", "blocks", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
        ("TRACE", "outputs", "GET, HEAD"),
        ("MADEUP", "outputs", "GET, HEAD"),
    ],
)
def test_what_is_not_possible_is_told_with_what_is(api: Api, method: str, path: str, allowed: str) -> None:
    answer = api.request(method, path)
    assert answer.headers["allow"] == allowed
    if method != "HEAD":
        assert problem(answer) == (405, "method_not_allowed", None)


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "", "blocks", "/explorer/", "openapi.json", "/nope"]
)
def test_of_what_there_is_to_get_there_is_a_head(api: Api, path: str) -> None:
    got, head = (api.request(method, path) for method in ("GET", "HEAD"))
    assert head.status_code == got.status_code
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]
    if path != "/metrics":
        assert head.headers["content-length"] == got.headers["content-length"]
    assert '{method="HEAD",' in api.get("/metrics").text


def test_what_nobody_has_foreseen_tells_nothing_of_the_inside(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(SqliteStorage, "waiting", stumble)
    answer = api.get(f"transactions/{'0' * 64}")
    assert problem(answer) == (500, "internal", None)
    assert "secret" not in answer.text


PARAMETERS = [
    ("transactions", {"payload_hash": "0" * 64, "limt": "1"}, "limt"),
    ("outputs", {"pubkey": "x"}, "pubkey"),
    (f"transactions/{'0' * 64}", {"a": "1"}, "a"),
    (f"blocks/{'0' * 64}", {"": "1"}, ""),
    ("", {"x" * 100: "1"}, "x" * 60 + "..."),
    ("/healthz", {"a": ""}, "a"),
    ("/", {"x": "1"}, "x"),
    (ROOT, {"x": "1"}, "x"),
    ("openapi.json", {"x": "1"}, "x"),
    ("docs", {"x": "1"}, "x"),
    ("blocks", {"Status": "valid"}, "Status"),
]


@pytest.mark.parametrize(("path", "params", "field"), PARAMETERS)
def test_an_unknown_parameter_is_refused(api: Api, path: str, params: dict[str, str], field: str) -> None:
    answer = api.get(path, **params)
    assert problem(answer) == (400, "malformed", field)
    assert answer.json()["message"] == f"{field}: there is no such parameter here"


def test_a_parameter_that_is_given_twice_is_refused(api: Api) -> None:
    answer = api.request("GET", "blocks?limit=1&limit=2")
    assert problem(answer) == (400, "malformed", "limit")
    assert problem(api.post("transactions?mode=async&mode=valid", {})) == (400, "malformed", "mode")
    assert problem(api.post("transactions?mode", {})) == (400, "malformed", "mode")


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("-1", "limit: is no number"),
        ("x", "limit: is no number"),
        ("1.0", "limit: is no number"),
        ("", "limit: is no number"),
        ("0", "limit: Input should be greater than or equal to 1"),
        ("1001", "limit: Input should be less than or equal to 1000"),
    ],
)
def test_a_limit_that_is_none_is_refused_in_our_words(api: Api, limit: str, message: str) -> None:
    answer = api.get("blocks", limit=limit)
    assert problem(answer) == (400, "malformed", "limit")
    assert answer.json()["message"] == message


# --- other origins -----------------------------------------------------------------------------------------


def test_pages_of_other_origins_get_nothing_unless_they_are_configured(tmp_path: Path, api: Api) -> None:
    asking = {"Origin": "https://example.org"}
    assert "access-control-allow-origin" not in api.request("GET", "", headers=asking).headers
    home = tmp_path / "open"
    home.mkdir()
    with Api(home, cors_origins=("https://example.org",)) as open_:
        answer = open_.request("GET", "", headers=asking)
        assert answer.headers["access-control-allow-origin"] == "https://example.org"
        other = open_.request("GET", "", headers={"Origin": "https://example.com"})
        assert "access-control-allow-origin" not in other.headers
        before = {**asking, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        assert open_.request("OPTIONS", "transactions", headers=before).status_code == 200
        for refused in (
            {**before, "Origin": "https://example.com"},
            {**before, "Access-Control-Request-Method": "DELETE"},
            {**before, "Access-Control-Request-Headers": "x-other"},
        ):
            answer = open_.request("OPTIONS", "transactions", headers=refused)
            assert problem(answer) == (400, "malformed", None)
            assert answer.json()["message"].startswith("Disallowed CORS ")
            assert int(answer.headers["content-length"]) == len(answer.content)
