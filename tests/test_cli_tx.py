"""The commands that use a node over HTTP, before one that is served in this process."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bigchaindb.cli import reaching
from bigchaindb.cli.keyfile import write_key_file
from bigchaindb.client import Client, Patience
from bigchaindb.exceptions import InvalidValue
from tests.client.scripted import Script, answer
from tests.client.transactions import created as made
from tests.onenode import pair, private, public
from tests.served import Served
from tests.shell import Result, Shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bigchaindb.model.transaction import Transaction

UNKNOWN = "0" * 64
PAYLOAD = '{"title": "Sunset over the Spree"}'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("node"), api_token="open-sesame-please") as served:
        yield served


@pytest.fixture
def sh(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A user's shell that knows the node and has keys in files."""
    shell = Shell(tmp_path, monkeypatch)
    monkeypatch.setenv("BIGCHAINDB_URL", served.url)
    monkeypatch.setenv("BIGCHAINDB_API_TOKEN", "open-sesame-please")
    for name in ("alice", "bob"):
        write_key_file(key_file(shell, name), *pair(name))
    return shell


def key_file(sh: Shell, name: str) -> Path:
    return sh.home / f"{name}.key"


def txid(result: Result) -> str:
    """The id that a command printed, which is all that it printed."""
    assert (result.code, result.err) == (0, "")
    (line,) = result.out.splitlines()
    return line


def created(sh: Shell, *owners: str) -> str:
    return txid(sh("tx", "create", PAYLOAD, *(word for owner in owners for word in ("--to", public(owner)))))


def sold(sh: Shell, spent: str, to: str, *by: str) -> Result:
    keys = [word for owner in by for word in ("--key-file", str(key_file(sh, owner)))]
    return sh("tx", "transfer", spent, "--to", public(to), *keys)


# --- the story ---------------------------------------------------------------------------------------------


def test_an_asset_is_created_and_handed_on_and_its_story_told(sh: Shell) -> None:
    painting = created(sh, "alice")
    sale = txid(sold(sh, painting, "bob", "alice"))
    assert sh("tx", "status", sale) == Result(0, "valid\n", "")
    first, second = sh("tx", "history", sale).out.splitlines()
    assert first.startswith(f"{painting} CREATE 20")
    assert first.endswith(f" to {public('alice')}")
    assert second.startswith(f"{sale} TRANSFER 20")
    shown = sh("tx", "show", sale).out
    assert f"transaction: {sale}\noperation:   TRANSFER, valid\n" in shown
    assert f"{painting}:0 by {public('alice')}" in shown
    assert f"output 0:    {public('bob')}, locked by cc:4:20:" in shown
    shown = sh("tx", "show", painting).out
    assert f"input 0:     none, signed by {public('node')}\n" in shown
    assert 'payload:     {"title":"Sunset over the Spree"}' in shown


def test_everything_is_printed_as_json_too(sh: Shell, served: Served) -> None:
    painting = json.loads(sh("tx", "create", PAYLOAD, "--to", public("alice"), "--json").out)
    assert painting == {"id": painting["id"], "status": "valid"}
    key = ("--key-file", str(key_file(sh, "alice")))
    sale = json.loads(sh("tx", "transfer", painting["id"], "--to", public("bob"), *key, "--json").out)
    assert sale["status"] == "valid"
    client = served.client()
    assert json.loads(sh("tx", "show", painting["id"], "--json").out) == client.transaction(painting["id"])
    assert json.loads(sh("tx", "history", sale["id"], "--json").out) == list(client.history(sale["id"]))
    status = json.loads(sh("tx", "status", sale["id"], "--json").out)
    assert status == {"id": sale["id"], "status": "valid", "reason": None}


def test_what_others_wrote_moves_nothing_on_the_screen(sh: Shell) -> None:
    hidden = "\u202e\u2066\u200f\x7f\x9b\x1b\u2028\U000e0001"
    payload = {"title": f"Sonne {hidden}über der Spree 🌅"}
    painting = txid(sh("tx", "create", json.dumps(payload), "--to", public("alice")))
    shown = sh("tx", "show", painting).out
    shown_json, history = sh("tx", "show", painting, "--json").out, sh("tx", "history", painting, "--json").out
    for text in (shown, shown_json, history):
        assert all(c.isprintable() for c in text if c != "\n")
        assert "\\u202e" in text
        assert "über der Spree 🌅" in text
    assert json.loads(shown.partition("payload:")[2]) == payload
    for transaction in (json.loads(shown_json), *json.loads(history)):
        assert transaction["transaction"]["data"]["payload"] == payload


def test_a_second_sale_is_refused_in_one_line(sh: Shell) -> None:
    painting = created(sh, "alice")
    txid(sold(sh, painting, "bob", "alice"))
    assert (
        f"Error: input `{{'cid': 0, 'txid': '{painting}'}}` was already spent"
        in sold(sh, painting, "carol", "alice").error
    )


def test_owners_sign_together(sh: Shell) -> None:
    boat = created(sh, "alice", "bob")
    assert public("bob") in sold(sh, boat, "carol", "alice").error
    txid(sold(sh, f"{boat}:0", "carol", "alice", "bob"))


def test_a_payload_may_be_in_a_file_or_come_in(sh: Shell, served: Served) -> None:
    path = sh.home / "payload.json"
    path.write_text(PAYLOAD)
    for result in (
        sh("tx", "create", f"@{path}", "--to", public("alice")),
        sh("tx", "create", "-", "--to", public("alice"), answers=PAYLOAD),
    ):
        data = served.client().transaction(txid(result))["transaction"]["data"]
        assert data["payload"] == json.loads(PAYLOAD)
    note = sh("tx", "transfer", txid(result), "--to", public("bob"), "--payload", '{"price": 7}', *as_alice(sh))
    assert served.client().transaction(txid(note))["transaction"]["data"]["payload"] == {"price": 7}


def as_alice(sh: Shell) -> tuple[str, str]:
    return "--key-file", str(key_file(sh, "alice"))


def test_one_need_not_wait(sh: Shell) -> None:
    painting = txid(sh("tx", "create", PAYLOAD, "--to", public("alice"), "--wait", "0"))
    assert sh("tx", "status", painting, "--wait", "30") == Result(0, "valid\n", "")
    assert sh("tx", "status", UNKNOWN) == Result(0, "unknown\n", "")
    assert "still unknown after 0.1 s" in sh("tx", "status", UNKNOWN, "--wait", "0.1").error


def test_what_was_rejected_is_a_failure_and_says_why(sh: Shell) -> None:
    painting = made("alice", payload=json.loads(PAYLOAD))
    rejected = {"transaction_id": painting.id, "status": "rejected", "reason": "too late"}
    for option in ((), ("--json",)):
        accepted = {"id": painting.id, "transaction": painting.to_dict()}
        script = Script(answer(202, accepted), answer(200, rejected), answer(200, rejected))
        script.time.now = float(painting.timestamp)
        sh.monkeypatch.setattr(reaching, "Client", lambda _, key, s=script, **__: s.client(key))
        result = sh("tx", "create", PAYLOAD, "--to", public("alice"), *option)
        assert (result.code, result.err) == (1, f"Error: transaction {painting.id} was rejected: too late\n")
        assert painting.id in result.out


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--wait", "5"), 1)])
def test_to_be_rejected_is_a_status_and_for_who_waits_a_failure(sh: Shell, options: tuple[str, ...], code: int) -> None:
    rejected = {"transaction_id": UNKNOWN, "status": "rejected", "reason": "too late"}
    script = Script(*[answer(200, rejected) for _ in range(4)])
    sh.monkeypatch.setattr(reaching, "Client", lambda _, key, **__: script.client(key))
    error = f"Error: transaction {UNKNOWN} was rejected: too late\n" if code else ""
    assert sh("tx", "status", UNKNOWN, *options) == Result(code, "rejected: too late\n", error)
    result = sh("tx", "status", UNKNOWN, *options, "--json")
    assert (result.code, result.err) == (code, error)
    assert json.loads(result.out) == {"id": UNKNOWN, "status": "rejected", "reason": "too late"}


# --- what is on its way ------------------------------------------------------------------------------------


def before(sh: Shell, *answers: httpx.Response | Exception) -> Transaction:
    """An asset that a node creates which answers so from then on, and is not asked twice."""
    painting = made("alice", payload=json.loads(PAYLOAD))
    script = Script(answer(202, {"id": painting.id, "transaction": painting.to_dict()}), *answers)
    script.time.now = float(painting.timestamp)
    once = Patience(attempts=1)
    sh.monkeypatch.setattr(reaching, "Client", lambda _, key, **__: script.client(key, patience=once))
    return painting


def statuses(status: str) -> httpx.Response:
    return answer(200, {"transaction_id": UNKNOWN, "status": status, "reason": None})


@pytest.mark.parametrize(
    ("last", "problem"),
    [
        (lambda: [statuses("backlog"), statuses("backlog")], "is still backlog after 0.001 s"),
        (lambda: [httpx.ConnectError("refused")], "cannot be reached"),
        (lambda: [statuses("rejected"), httpx.ConnectError("refused")], "cannot be reached"),
    ],
)
def test_the_id_of_what_is_on_its_way_is_told_whatever_comes(
    sh: Shell, last: Callable[[], list[httpx.Response | Exception]], problem: str
) -> None:
    create = ("tx", "create", PAYLOAD, "--to", public("alice"), "--wait", "0.001")
    for option in ((), ("--json",)):
        painting = before(sh, *last())
        result = sh(*create, *option)
        assert f"transaction {painting.id}" in result.error
        assert problem in result.error
        told = json.loads(result.out) if option else {"id": result.out.strip(), "status": None}
        assert told == {"id": painting.id, "status": None}


def test_what_may_have_been_created_can_be_asked_for_again(sh: Shell, served: Served) -> None:
    sh.monkeypatch.setattr(reaching, "Client", functools.partial(Client, patience=Patience(attempts=1)))
    create = ("tx", "create", PAYLOAD, "--to", public("alice"))
    error = sh(*create, "--url", "http://127.0.0.1:9").error
    (timestamp,) = re.findall(r"timestamp ([0-9]+\.[0-9]{6})", error)
    painting = txid(sh(*create, "--timestamp", timestamp))
    assert txid(sh(*create, "--timestamp", timestamp)) == painting
    assert served.client().transaction(painting)["transaction"]["timestamp"] == timestamp


def test_a_time_may_have_fewer_decimals(sh: Shell, served: Served) -> None:
    painting = txid(sh("tx", "create", PAYLOAD, "--to", public("alice"), "--timestamp", "1500000000"))
    assert served.client().transaction(painting)["transaction"]["timestamp"] == "1500000000.000000"


def test_a_transfer_is_made_and_kept_and_sent_until_it_is_through(sh: Shell) -> None:
    painting = created(sh, "alice")
    kept = sh.home / "sale.json"
    kept.write_text(sh("tx", "transfer", painting, "--to", public("bob"), "--no-send", *as_alice(sh)).out)
    sale = json.loads(kept.read_text())["id"]
    assert sh("tx", "status", sale).out == "unknown\n"
    assert txid(sh("tx", "send", f"@{kept}")) == sale
    assert txid(sh("tx", "send", "-", answers=kept.read_text())) == sale
    assert json.loads(sh("tx", "send", f"@{kept}", "--json").out) == {"id": sale, "status": "valid"}
    assert "document" in sh("tx", "send", "null").error


def test_whoever_cannot_know_whether_a_transfer_arrived_is_told_its_id(sh: Shell) -> None:
    sh.monkeypatch.setattr(reaching, "Client", functools.partial(Client, patience=Patience(attempts=1)))
    sale = json.loads(sh("tx", "transfer", created(sh, "alice"), "--to", public("bob"), "--no-send", *as_alice(sh)).out)
    error = sh("tx", "send", json.dumps(sale), "--url", "http://127.0.0.1:9").error
    assert f"transaction {sale['id']}" in error


# --- keys and tokens ---------------------------------------------------------------------------------------


def test_a_key_may_be_in_the_environment_or_typed(sh: Shell) -> None:
    painting = created(sh, "alice")
    sh.monkeypatch.setenv("BIGCHAINDB_PRIVATE_KEY", private("alice"))
    sale = txid(sold(sh, painting, "bob"))
    sh.monkeypatch.delenv("BIGCHAINDB_PRIVATE_KEY")
    typed = sh("tx", "transfer", sale, "--to", public("carol"), answers=f"{private('bob')}\n")
    assert typed.code == 0
    assert typed.out.strip().isalnum()
    assert private("bob") not in typed.out + typed.err


def test_a_token_may_be_in_a_file(sh: Shell) -> None:
    sh.monkeypatch.delenv("BIGCHAINDB_API_TOKEN")
    assert "token" in sh("tx", "create", PAYLOAD, "--to", public("alice")).error
    path = sh.home / "token"
    path.write_text("open-sesame-please\n")
    txid(sh("tx", "create", PAYLOAD, "--to", public("alice"), "--token-file", str(path)))
    path.write_bytes(b"\xff")
    assert "holds no token" in sh("tx", "create", PAYLOAD, "--to", public("a"), "--token-file", str(path)).error
    missing = str(sh.home / "nowhere")
    assert "nowhere: No such file" in sh("tx", "create", PAYLOAD, "--to", public("a"), "--token-file", missing).error


def test_a_node_creates_with_its_own_key(sh: Shell, served: Served) -> None:
    sh.monkeypatch.delenv("BIGCHAINDB_API_TOKEN")
    config = str(served.node.config_path)
    painting = txid(sh("tx", "create", PAYLOAD, "--to", public("alice"), "--as-node", "-c", config))
    creation = served.client().transaction(painting)["transaction"]
    assert creation["fulfillments"][0]["current_owners"] == [public("node")]
    assert "bigchaindb configure" in sh("tx", "create", PAYLOAD, "--to", public("alice"), "--as-node").error


@pytest.mark.parametrize("token", ["two words", ""])
def test_a_token_that_is_none_is_named_by_where_it_is_from(sh: Shell, token: str) -> None:
    path = sh.home / "token"
    path.write_text(token)
    create = ("tx", "create", PAYLOAD, "--to", public("alice"))
    assert f"Error: {path}: must be printable ASCII" in sh(*create, "--token-file", str(path)).error
    sh.monkeypatch.setenv("BIGCHAINDB_API_TOKEN", token)
    assert "Error: BIGCHAINDB_API_TOKEN: must be printable ASCII" in sh(*create).error


def test_a_key_that_is_none_is_named_by_where_it_is_from(sh: Shell) -> None:
    transfer = ("tx", "transfer", UNKNOWN, "--to", public("alice"))
    typed = sh(*transfer, answers="topsecret\n")
    assert typed.code == 1
    assert "Error: what was typed: private key is not base58 of 32 bytes" in typed.err
    sh.monkeypatch.setenv("BIGCHAINDB_PRIVATE_KEY", "topsecret")
    error = sh(*transfer).error
    assert error == "Error: BIGCHAINDB_PRIVATE_KEY: private key is not base58 of 32 bytes"


@pytest.mark.usefixtures("sh")
def test_without_a_terminal_no_key_is_asked_for() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "bigchaindb", "tx", "transfer", UNKNOWN, "--to", public("alice")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,  # leaves the terminal of whoever runs the tests behind
        check=False,
    )
    assert "--key-file" in Result(result.returncode, result.stdout, result.stderr).error


# --- which node --------------------------------------------------------------------------------------------


class Spoken:
    """What would be spoken to."""

    def __init__(self, sh: Shell) -> None:
        self._sh = sh
        self._made: list[tuple[str, str | None]] = []
        sh.monkeypatch.setattr(reaching, "Client", self._make)

    def _make(self, url: str, _: str | None, *, api_token: str | None) -> Any:
        self._made.append((url, api_token))
        raise InvalidValue("enough is known")

    def to(self, *arguments: str) -> tuple[str, str | None]:
        assert self._sh("tx", "status", UNKNOWN, *arguments).error == "Error: enough is known"
        return self._made.pop()


def test_a_node_is_named_by_option_environment_configuration_or_is_here(sh: Shell) -> None:
    sh.monkeypatch.delenv("BIGCHAINDB_API_TOKEN")
    assert sh("configure", "-y").code == 0
    spoken = Spoken(sh)
    sh.monkeypatch.setenv("BIGCHAINDB_SERVER_API_TOKEN", "the-token-of-this-node")
    assert spoken.to("--url", "http://option.example") == ("http://option.example", None)
    assert spoken.to()[1] is None
    sh.monkeypatch.delenv("BIGCHAINDB_URL")
    for bind, url in (
        ("localhost:9984", "http://localhost:9984"),
        ("node.example:80", "http://node.example:80"),
        ("0.0.0.0:81", "http://localhost:81"),
        ("[::]:82", "http://[::1]:82"),
        ("[2001:db8::1]:83", "http://[2001:db8::1]:83"),
    ):
        sh.monkeypatch.setenv("BIGCHAINDB_SERVER_BIND", bind)
        assert spoken.to() == (url, "the-token-of-this-node")
    sh.monkeypatch.setenv("BIGCHAINDB_API_TOKEN", "of-mine")
    assert spoken.to()[1] == "of-mine"
    sh.monkeypatch.setenv("BIGCHAINDB_SERVER_BIND", "localhost:0")
    assert "--url" in sh("tx", "status", UNKNOWN).error
    for name in ("BIGCHAINDB_SERVER_BIND", "BIGCHAINDB_SERVER_API_TOKEN", "BIGCHAINDB_API_TOKEN"):
        sh.monkeypatch.delenv(name)
    sh.config_path.unlink()
    assert spoken.to() == ("http://localhost:9984", None)


def test_a_url_that_is_none_is_named_by_where_it_is_from(sh: Shell) -> None:
    for url in ("localhost:9984", "http://localhost:999999"):
        assert "Error: --url: " in sh("tx", "status", UNKNOWN, "--url", url).error
        sh.monkeypatch.setenv("BIGCHAINDB_URL", url)
        assert "Error: BIGCHAINDB_URL: " in sh("tx", "status", UNKNOWN).error


def test_a_url_that_leads_past_the_api_is_told_with_a_hint(sh: Shell, served: Served) -> None:
    for path in ("api/v1", "explorer"):
        for command in (("status", UNKNOWN), ("create", PAYLOAD, "--to", public("alice"))):
            error = sh("tx", *command, "--url", f"{served.url}/{path}").error
            assert f"{served.url}/{path}/api/v1/" in error
            assert "is that the node's URL, without /api or /explorer?" in error
            assert "<" not in error


def test_a_node_that_is_not_there_is_one_line(sh: Shell) -> None:
    sh.monkeypatch.setattr(reaching, "Client", functools.partial(Client, patience=Patience(attempts=1)))
    assert "cannot be reached" in sh("tx", "status", UNKNOWN, "--url", "http://127.0.0.1:9").error


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["create", PAYLOAD, "--to", "nokey"], "'--to': public key 'nokey' is base58 of 4 bytes"),
        (["transfer", UNKNOWN, "--to", "nokey"], "'--to': public key 'nokey' is base58 of 4 bytes"),
        (["create", PAYLOAD, *["--to", public("alice")] * 2], f"'--to': {public('alice')} is named twice"),
        (["create", "[]", "--to", public("alice")], "'PAYLOAD': must be a JSON object"),
        (["transfer", UNKNOWN, "--to", public("alice"), "--payload", "7"], "'--payload': must be a JSON object"),
        (["create", "[", "--to", public("alice")], "'PAYLOAD': not JSON: Parse error"),
        (["send", '"x"'], "'TRANSACTION': must be a JSON object"),
        (["create", "@", "--to", public("alice")], "'PAYLOAD': names no file behind the @"),
    ],
)
def test_an_argument_that_is_none_is_named_as_it_was_typed(sh: Shell, arguments: list[str], problem: str) -> None:
    result = sh("tx", *arguments)
    assert (result.code, result.out) == (2, "")
    assert problem in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", PAYLOAD],
        ["create", "{", "--to", public("alice")],
        ["create", '{"a": 1, "a": 2}', "--to", public("alice")],
        ["create", "@nowhere.json", "--to", public("alice")],
        ["transfer", "--to", public("alice")],
        ["transfer", UNKNOWN],
        ["transfer", "painting", "--to", public("alice")],
        ["transfer", f"{UNKNOWN}:", "--to", public("alice")],
        ["transfer", f"{UNKNOWN}:-1", "--to", public("alice")],
        ["transfer", UNKNOWN, "--to", public("alice"), "--private-key", "x"],
        ["status"],
        ["status", UNKNOWN, "--wait", "-1"],
        ["status", UNKNOWN, "--wait", "nan"],
        ["create", PAYLOAD, "--to", public("alice"), "--wait", "nan"],
        ["create", PAYLOAD, "--to", public("alice"), "--timestamp", "now"],
        ["create", PAYLOAD, "--to", public("alice"), "--timestamp", "1.1234567"],
        ["transfer", UNKNOWN, "--to", public("alice"), "--wait", "nan"],
        ["send"],
        ["send", "{"],
        ["history"],
        ["show"],
    ],
)
def test_wrong_usage_is_exit_code_2(sh: Shell, arguments: list[str]) -> None:
    result = sh("tx", *arguments)
    assert result.code in ({1} if "@nowhere.json" in arguments else {2})
    assert result.out == ""


@pytest.mark.parametrize("command", ["show", "status", "history"])
def test_what_is_no_id_is_a_failure_in_one_line(sh: Shell, command: str) -> None:
    assert "txid" in sh("tx", command, "painting").error
    if command != "status":
        assert UNKNOWN in sh("tx", command, UNKNOWN).error
