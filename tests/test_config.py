"""Configuration: what is read from where, what wins, and that every mistake is named with its place."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import pickle
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import config, crypto
from bigchaindb.exceptions import ConfigurationError

# Fixed, since the private key has 43 characters: with one more it still has the size of a key.
PRIVATE = "SufQDbT9hWe5iYupyHGeBeKAGCq9e7jVMdCXcPSH8sg"
PUBLIC = str(crypto.SigningKey(PRIVATE).verifying_key)
OTHERS = tuple(crypto.generate_key_pair()[1] for _ in range(3))
KEYPAIR = {"public": PUBLIC, "private": PRIVATE}
TOKEN = "correct-horse-battery-staple"
DOCUMENT: dict[str, Any] = {"keypair": KEYPAIR}
PATHS = [setting.path for setting in config.reference()]
VARIABLES = [setting.variable for setting in config.reference()]


def with_value(path: str, value: Any, document: dict[str, Any] = DOCUMENT) -> dict[str, Any]:
    """Return a document with one more value; `path` is as in `database.port`."""
    result: dict[str, Any] = copy.deepcopy(document)
    section, _, name = path.rpartition(".")
    place = result.setdefault(section, {}) if section else result
    place[name] = value
    return result


def value_at(document: dict[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = value[name]
    return value


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a user with a good configuration."""
    (tmp_path / ".bigchaindb").write_text(json.dumps(DOCUMENT))
    return {"HOME": str(tmp_path)}


# --- values ------------------------------------------------------------------------------------------------


def test_a_key_pair_is_all_that_must_be_given() -> None:
    assert config.to_document(config.parse(DOCUMENT, "here")) == {
        "server": {"bind": "localhost:9984", "api_token": None, "cors_origins": []},
        "database": {
            "backend": "sqlite",
            "path": None,
            "host": "localhost",
            "port": 28015,
            "name": "bigchaindb",
            "user": "admin",
            "password": None,
            "tls_ca": None,
        },
        "keypair": KEYPAIR,
        "keyring": [],
        "earlier_federations": [],
        "backlog_reassign_delay": 30.0,
        "block_interval": 0.05,
        "election": {"quorum": "majority"},
        "limits": {"transaction_bytes": 262144, "backlog_transactions": 100000},
        "log": {"level": "info", "file": None},
    }
    assert config.parse(DOCUMENT, "here") == config.new_config(PRIVATE, PUBLIC)


GOOD: dict[str, list[Any]] = {
    "server.bind": ["0.0.0.0:1", "example.org:65535", "localhost:0", "[::1]:9984", "a-b.c_d:80"],
    "server.api_token": [None, TOKEN, "a" * 4096, "abcdefgh-._~+/12=="],
    "server.cors_origins": [[], ["https://example.org", "http://localhost:8080", "http://[::1]:80"]],
    "database.backend": ["sqlite", "rethinkdb"],
    "database.path": [None, "/", "/var/lib/a b/ü.sqlite"],
    "database.host": ["localhost", "10.0.0.1", "::1", "db.example.org"],
    "database.port": [1, 28015, 65535],
    "database.name": ["a", "A_1-b", "x" * 64],
    "database.user": ["admin", "node 1", "a=b,c"],
    "database.password": [None, "x", "correct horse battery staple", "ü€🂡"],
    "database.tls_ca": [None, "/etc/ssl/ca.pem"],
    "keyring": [[], list(OTHERS)],
    "earlier_federations": [[], [list(OTHERS), [PUBLIC]]],
    "backlog_reassign_delay": [0, 1, 0.5, 86400],
    "block_interval": [0, 0.001, 60],
    "election.quorum": ["majority", "two-thirds"],
    "limits.transaction_bytes": [1024, 262144, 4194304],
    "limits.backlog_transactions": [1, 100000, 10**9],
    "log.level": ["debug", "info", "warning", "error"],
    "log.file": [None, "/var/log/ledger"],
}


@pytest.mark.parametrize(("path", "value"), [(path, value) for path, values in GOOD.items() for value in values])
def test_a_good_value_comes_back_as_it_went_in(path: str, value: Any) -> None:
    result = config.parse(with_value(path, value), "here")
    assert value_at(config.to_document(result), path) == value


@given(st.fixed_dictionaries({path: st.sampled_from(values) for path, values in GOOD.items()}))
def test_a_document_of_a_configuration_gives_it_back(values: dict[str, Any]) -> None:
    document = DOCUMENT
    for path, value in values.items():
        document = with_value(path, value, document)
    result = config.parse(document, "here")
    assert config.parse(config.to_document(result), "there") == result
    assert config.parse(json.loads(json.dumps(config.to_document(result))), "there") == result
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - our own pickle
    assert hash(result) == hash(config.parse(document, "here"))


def test_nothing_can_be_changed() -> None:
    result = config.parse(with_value("keyring", list(OTHERS)), "here")
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.keyring = ()  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.server.bind = "x:1"  # type: ignore[misc]
    assert isinstance(result.keyring, tuple)


def test_a_replaced_value_is_checked_like_a_read_one() -> None:
    result = config.new_config(PRIVATE, PUBLIC)
    assert dataclasses.replace(result, keyring=OTHERS).keyring == OTHERS
    with pytest.raises(ConfigurationError, match=r"^keyring: item 3 repeats item 0$"):
        dataclasses.replace(result, keyring=(*OTHERS, OTHERS[0]))
    with pytest.raises(ConfigurationError, match=r"^database\.port: "):
        dataclasses.replace(result.database, port=0)


def test_the_federation_is_everybody_sorted() -> None:
    result = config.parse(with_value("keyring", list(OTHERS)), "here")
    assert result.federation == tuple(sorted((PUBLIC, *OTHERS)))


def test_other_keys_leave_the_rest_as_it_is() -> None:
    before = config.parse(with_value("keyring", list(OTHERS)), "here")
    private, public = crypto.generate_key_pair()
    after = before.with_keys(private, public)
    assert after.keypair.public == public
    assert after.keyring == before.keyring
    with pytest.raises(ConfigurationError, match=r"^keypair\.public: is not the public key"):
        before.with_keys(private, PUBLIC)


@pytest.mark.parametrize(("bind", "address"), [("a.org:80", ("a.org", 80)), ("[::1]:9984", ("::1", 9984))])
def test_the_address_of_the_server_in_parts(bind: str, address: tuple[str, int]) -> None:
    assert config.Server(bind=bind).address == address


def test_a_database_file_is_known_once_the_default_was_filled_in() -> None:
    assert config.Database(path="/a/b").file == Path("/a/b")
    with pytest.raises(ConfigurationError, match=r"^database\.path: is null"):
        assert config.Database().file


def test_what_is_secret_is_not_shown(home: dict[str, str]) -> None:
    secrets = {"BIGCHAINDB_DATABASE_PASSWORD": "open sesame", "BIGCHAINDB_SERVER_API_TOKEN": TOKEN}
    result = config.load(None, {**home, **secrets})
    shown = config.masked(result)
    assert [secret for secret in (PRIVATE, "open sesame", TOKEN) if secret in repr(result) + json.dumps(shown)] == []
    assert shown["keypair"]["private"] == shown["database"]["password"] == shown["server"]["api_token"] == "********"
    assert config.to_document(result)["keypair"]["private"] == PRIVATE
    assert config.to_document(result)["server"]["api_token"] == TOKEN
    assert config.to_document(result)["database"]["password"] == "open sesame"


def test_what_is_not_secret_is_shown_and_so_is_that_there_is_no_password(home: dict[str, str]) -> None:
    result = config.load(None, home)
    assert config.masked(result) | {"keypair": KEYPAIR} == config.to_document(result)


@pytest.mark.parametrize("path", ["database.password", "server.api_token"])
@pytest.mark.parametrize("secret", ["open\nsesame", ["open sesame"], "open sesame " * 1000], ids=type)
def test_a_secret_that_cannot_be_one_is_not_shown(path: str, secret: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^here: {path}: ") as caught:
        config.parse(with_value(path, secret), "here")
    error: BaseException | None = caught.value
    while error is not None:
        assert "sesame" not in str(error)
        error = error.__cause__ or error.__context__


# --- mistakes in a document --------------------------------------------------------------------------------

BAD: dict[str, list[tuple[Any, str]]] = {
    "server": [(None, "is null, not an object"), ([], "is a list"), ("x", "is a string")],
    "server.bind": [
        (9984, "is a number, not a string"),
        ("", "is empty"),
        ("localhost", "has no port"),
        ("localhost:", "has no port"),
        (":9984", "has no host"),
        ("[]:9984", "has no host"),
        ("localhost:http", "'http' is not a port"),
        ("localhost: 80", "' 80' is not a port"),
        ("localhost:٣", "is not a port"),
        ("localhost:65536", "the port 65536 is not in 0 to 65535"),
        ("localhost:-1", "the port -1 is not in"),
        ("::1:9984", "an IPv6 address stands in brackets"),
        ("[::g]:9984", "'::g' is not a host name"),
        ("-a:80", "'-a' is not a host name"),
        ("a b:80", "'a b' is not a host name"),
        ("a\n:80", "cannot be printed"),
        ("a:" + "9" * 5000, "more than 4096 characters"),
    ],
    "database.backend": [("mysql", "'mysql' is none of sqlite, rethinkdb"), (None, "is null"), (["sqlite"], "a list")],
    "database.path": [
        ("", "is empty"),
        ("ledger.sqlite", "is not a full path"),
        ("~/ledger.sqlite", "is not a full path"),
        ("/a\x00b", "cannot be printed"),
        ("/a\udc80", "cannot be printed"),
        (True, "is a boolean"),
    ],
    "database.host": [("http://a", "is not a host name"), (1, "is a number"), ("a..b-", "is not a host name")],
    "database.port": [
        (0, "0 is not in 1 to 65535"),
        (65536, "65536 is not in"),
        (-1, "-1 is not in"),
        (10**5000, "a huge integer is not in"),
        (True, "is a boolean, not an integer"),
        (28015.0, "is a number, not an integer"),
        ("28015", "is a string, not an integer"),
        (None, "is null, not an integer"),
        ({}, "is an object, not an integer"),
        ((), "is a tuple, not an integer"),
    ],
    "server.api_token": [
        (1, "is a number, not a string"),
        ("", "has not 16 to 4096 characters"),
        ("x" * 15, "has not 16 to 4096 characters"),
        ("x" * 4097, "has not 16 to 4096 characters"),
        ("open sesame open sesame", "has characters other than"),
        ("open=sesame=open=sesame", "has characters other than"),
        ("öpen-sesame-open-sesame", "has characters other than"),
    ],
    "server.cors_origins": [
        (None, "is null, not a list"),
        ("https://example.org", "is a string, not a list"),
        ([1], "item 0 is a number, not a string"),
        (["https://example.org", "*"], "item 1, '*', is not an origin"),
        (["https://example.org/"], "is not an origin"),
        (["HTTPS://example.org"], "is not an origin"),
        (["example.org"], "is not an origin"),
        (["ftp://example.org"], "is not an origin"),
        (["https://example.org\nx"], "is not an origin"),
    ],
    "database.name": [
        ("", "is empty"),
        ("a b", "is not a name"),
        ("x" * 65, "is not a name"),
        ("ä", "is not a name"),
        ("rethinkdb", "is the server's own database"),
    ],
    "database.user": [("", "is empty"), ("ä", "not ASCII"), ("a\nb", "cannot be printed"), (None, "is null")],
    "database.password": [
        ("", "is empty"),
        (1, "is a number, not a string"),
        ("a\nb", "has characters that cannot be printed"),
        ("x" * 5000, "has more than 4096 characters"),
    ],
    "database.tls_ca": [("", "is empty"), ("ca.pem", "is not a full path")],
    "keypair": [({}, "keypair.public: is missing"), ({"public": PUBLIC}, "keypair.private: is missing")],
    "keypair.public": [
        (None, "is null"),
        ("", "is not a public key"),
        (PUBLIC + "0", "is not a public key"),
        (OTHERS[0], "is not the public key of keypair.private"),
    ],
    "keypair.private": [
        (None, "is null"),
        (12, "is a number"),
        ("", "is not a private key"),
        (PRIVATE + "0", "is not a private key"),
    ],
    "keyring": [
        (None, "is null, not a list"),
        (OTHERS[0], "is a string, not a list"),
        ({}, "is an object"),
        ([1], "item 0 is a number"),
        ([OTHERS[0], "x"], "item 1 is not a public key"),
        ([*OTHERS, OTHERS[1]], "item 3 repeats item 1"),
        ([OTHERS[0], PUBLIC], "has this node's own key"),
    ],
    "earlier_federations": [
        (None, "is null, not a list"),
        ([OTHERS[0]], "item 0 is a string, not a list"),
        ([[OTHERS[0]], ["x"]], "item 1 item 0 is not a public key"),
    ],
    "backlog_reassign_delay": [
        (-1, "-1 is not in 0 to 86400"),
        (86401, "is not in"),
        (float("nan"), "nan is not in"),
        (float("inf"), "inf is not in"),
        (10**400, "a huge integer is not in"),
        (True, "is a boolean, not a number"),
        ("30", "is a string, not a number"),
    ],
    "block_interval": [(60.1, "60.1 is not in 0 to 60"), (None, "is null")],
    "election.quorum": [("all", "'all' is none of majority, two-thirds")],
    "limits.transaction_bytes": [(1023, "is not in"), (4194305, "is not in"), (2e5, "not an integer")],
    "limits.backlog_transactions": [(0, "0 is not in 1 to"), (10**9 + 1, "is not in"), (None, "is null")],
    "log.level": [("INFO", "'INFO' is none of"), (1, "is a number")],
    "log.file": [("x" * 100, "xxx... is not a full path"), ("", "is empty")],
    "sever": [({}, "is no setting: did you mean server?")],
    "bind": [("x", "is no setting: did you mean server.bind?")],
    "server.port": [(1, "is no setting: did you mean database.port?")],
    "database.databse": [(1, "is no setting")],
    "database.prot": [(1, "is no setting: did you mean database.port?")],
    "Keyring": [([], "is no setting: did you mean keyring?")],
    "backlog_reassign_delay_seconds": [(1, "did you mean backlog_reassign_delay?")],
    "qqqq": [(1, "qqqq: is no setting")],
    "x" * 1000: [(1, "xxx...: is no setting")],
}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [(path, value, reason) for path, cases in BAD.items() for value, reason in cases],
    ids=lambda item: ascii(item)[:30] if isinstance(item, str) else type(item).__name__,
)
def test_a_mistake_is_named_with_source_and_field(path: str, value: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config.parse(with_value(path, value), "/home/a/.bigchaindb")
    message, field = str(caught.value), caught.value.field
    assert field is not None
    assert field.startswith(path[:60]) or path in {"keypair.private", "keyring"}
    assert message.startswith(f"/home/a/.bigchaindb: {field}: ")
    assert reason in message.replace(f"{field}: ", "", 1) or reason in message
    assert message.isprintable()
    assert len(message) < 200


@pytest.mark.parametrize("path", [path for path in BAD if path in PATHS])
def test_the_field_of_a_mistake_is_the_path_of_the_setting(path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config.parse(with_value(path, {"what": "is this"}), "here")
    assert caught.value.field == path


@pytest.mark.parametrize("path", PATHS)
def test_every_setting_has_its_mistakes_and_its_good_values_listed(path: str) -> None:
    assert path in BAD
    assert path in GOOD or path.startswith("keypair.")


@pytest.mark.parametrize("document", [None, [], "x", 1, True], ids=str)
def test_a_document_is_an_object(document: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^here: is .*, not an object$"):
        config.parse(document, "here")


@pytest.mark.parametrize("key", [1, None, (1, 2), 10**5000, "a\nb", "\ud800"], ids=type)
def test_an_odd_key_is_no_setting(key: Any) -> None:
    with pytest.raises(ConfigurationError, match="is no setting") as caught:
        config.parse({**DOCUMENT, key: 1}, "here")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "keypair", [{"public": PRIVATE + "0", "private": PRIVATE}, {**KEYPAIR, "private": PRIVATE + "0"}]
)
def test_keys_in_wrong_places_are_not_shown(keypair: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config.parse({"keypair": keypair, "keyring": [PRIVATE + "0"]}, "here")
    error: BaseException | None = caught.value
    while error is not None:
        assert PRIVATE[:10] not in str(error)
        error = error.__cause__ or error.__context__


# --- the environment ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("BIGCHAINDB_SERVER_BIND", "0.0.0.0:80", "server.bind", "0.0.0.0:80"),
        ("BIGCHAINDB_SERVER_API_TOKEN", TOKEN, "server.api_token", TOKEN),
        ("BIGCHAINDB_SERVER_API_TOKEN", "", "server.api_token", None),
        ("BIGCHAINDB_SERVER_CORS_ORIGINS", "", "server.cors_origins", []),
        (
            "BIGCHAINDB_SERVER_CORS_ORIGINS",
            "https://a.org,http://localhost:80",
            "server.cors_origins",
            ["https://a.org", "http://localhost:80"],
        ),
        ("BIGCHAINDB_DATABASE_BACKEND", "rethinkdb", "database.backend", "rethinkdb"),
        ("BIGCHAINDB_DATABASE_PATH", "/a/b:c", "database.path", "/a/b:c"),
        ("BIGCHAINDB_DATABASE_PATH", "", "database.path", None),
        ("BIGCHAINDB_DATABASE_HOST", "::1", "database.host", "::1"),
        ("BIGCHAINDB_DATABASE_PORT", "7", "database.port", 7),
        ("BIGCHAINDB_DATABASE_NAME", "other", "database.name", "other"),
        ("BIGCHAINDB_DATABASE_USER", "berlin", "database.user", "berlin"),
        ("BIGCHAINDB_DATABASE_PASSWORD", "a:b", "database.password", "a:b"),
        ("BIGCHAINDB_DATABASE_PASSWORD", "", "database.password", None),
        ("BIGCHAINDB_DATABASE_TLS_CA", "/ca.pem", "database.tls_ca", "/ca.pem"),
        ("BIGCHAINDB_KEYRING", "", "keyring", []),
        ("BIGCHAINDB_KEYRING", OTHERS[0], "keyring", [OTHERS[0]]),
        ("BIGCHAINDB_EARLIER_FEDERATIONS", "", "earlier_federations", []),
        (
            "BIGCHAINDB_EARLIER_FEDERATIONS",
            f"{OTHERS[0]},{OTHERS[0]}:{OTHERS[1]}",
            "earlier_federations",
            [[OTHERS[0]], [OTHERS[0], OTHERS[1]]],
        ),
        ("BIGCHAINDB_KEYRING", ":".join(OTHERS), "keyring", list(OTHERS)),
        ("BIGCHAINDB_BACKLOG_REASSIGN_DELAY", "7", "backlog_reassign_delay", 7.0),
        ("BIGCHAINDB_BLOCK_INTERVAL", "1.5e-1", "block_interval", 0.15),
        ("BIGCHAINDB_ELECTION_QUORUM", "two-thirds", "election.quorum", "two-thirds"),
        ("BIGCHAINDB_LIMITS_TRANSACTION_BYTES", "2048", "limits.transaction_bytes", 2048),
        ("BIGCHAINDB_LIMITS_BACKLOG_TRANSACTIONS", "7", "limits.backlog_transactions", 7),
        ("BIGCHAINDB_LOG_LEVEL", "debug", "log.level", "debug"),
        ("BIGCHAINDB_LOG_FILE", "/log", "log.file", "/log"),
    ],
)
def test_the_environment_wins_over_the_file(variable: str, text: str, path: str, value: Any) -> None:
    for document in (DOCUMENT, with_value(path, "something wrong")):
        untouched = copy.deepcopy(document)
        result = config.parse(config.apply_environment(document, {variable: text}), "here")
        assert value_at(config.to_document(result), path) == value
        assert document == untouched


def test_the_keys_can_come_from_the_environment() -> None:
    environ = {"BIGCHAINDB_KEYPAIR_PUBLIC": PUBLIC, "BIGCHAINDB_KEYPAIR_PRIVATE": PRIVATE}
    result = config.parse(config.apply_environment({}, environ), "here")
    assert result == config.new_config(PRIVATE, PUBLIC)


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        ("BIGCHAINDB_DATABASE_PORT", "", "database.port: '' is not an integer"),
        ("BIGCHAINDB_DATABASE_PORT", "x", "'x' is not an integer"),
        ("BIGCHAINDB_DATABASE_PORT", "1_0", "'1_0' is not an integer"),
        ("BIGCHAINDB_DATABASE_PORT", " 1", "' 1' is not an integer"),
        ("BIGCHAINDB_DATABASE_PORT", "٣", "is not an integer"),
        ("BIGCHAINDB_DATABASE_PORT", "9" * 5000, "is not an integer"),
        ("BIGCHAINDB_DATABASE_PORT", "70000", "70000 is not in 1 to 65535"),
        ("BIGCHAINDB_BLOCK_INTERVAL", "nan", "block_interval: 'nan' is not a number"),
        ("BIGCHAINDB_BLOCK_INTERVAL", "inf", "'inf' is not a number"),
        ("BIGCHAINDB_BLOCK_INTERVAL", "1e999", "inf is not in"),
        ("BIGCHAINDB_BLOCK_INTERVAL", "-1", "-1.0 is not in"),
        ("BIGCHAINDB_KEYRING", ":", "keyring: item 0 is not a public key"),
        ("BIGCHAINDB_KEYRING", f"{OTHERS[0]}:{OTHERS[0]}", "keyring: item 1 repeats item 0"),
        ("BIGCHAINDB_SERVER_BIND", "", "server.bind: is empty"),
        ("BIGCHAINDB_LOG_FILE", "log\udc80", "log.file: "),
        ("BIGCHAINDB_KEYPAIR_PRIVATE", PRIVATE + "0", "keypair.private: is not a private key"),
    ],
)
def test_a_mistake_in_the_environment_is_named_with_its_variable(variable: str, text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config.apply_environment(DOCUMENT, {variable: text})
    assert str(caught.value).startswith(f"environment variable {variable}: {caught.value.field}: ")
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("BIGCHAINDB_DATABSE_PATH", ": did you mean BIGCHAINDB_DATABASE_PATH?"),
        ("BIGCHAINDB_DATABASE", ""),
        ("BIGCHAINDB_", ""),
        ("BIGCHAINDB_database_port", ""),
        ("BIGCHAINDB_QQQQQQQQQQQQQQQQQQQQQQQQQ", ""),
    ],
)
def test_a_variable_that_sets_nothing_is_named(variable: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match="is no setting") as caught:
        config.apply_environment(DOCUMENT, {variable: "x"})
    assert f"{variable} is no setting{hint}" in str(caught.value)
    assert caught.value.field == variable


def test_other_variables_are_left_alone() -> None:
    environ = {
        "BIGCHAINDB_CONFIG_PATH": "/x",
        "BIGCHAINDB_TEST_": "1",
        "BIGCHAINDB_TEST_ANYTHING": "1",
        "BIGCHAINDB_URL": "http://node.example",
        "BIGCHAINDB_PRIVATE_KEY": "x",
        "BIGCHAINDB_API_TOKEN": "x",
        "BIGCHAINDBX": "1",
        "bigchaindb_server_bind": "1",
        "DATABASE_PORT": "x",
    }
    assert config.apply_environment(DOCUMENT, environ) == DOCUMENT


def test_a_section_that_is_none_stays_for_parse_to_refuse() -> None:
    document = {**DOCUMENT, "database": "sqlite"}
    result = config.apply_environment(document, {"BIGCHAINDB_DATABASE_PORT": "7"})
    with pytest.raises(ConfigurationError, match=r"^here: database: is a string, not an object$"):
        config.parse(result, "here")


# --- the reference -----------------------------------------------------------------------------------------


def test_the_reference_lists_every_setting_of_the_file_in_its_order() -> None:
    document = config.to_document(config.new_config(PRIVATE, PUBLIC))
    leaves = [
        f"{section}.{name}" if name else section
        for section, value in document.items()
        for name in (value if isinstance(value, dict) else [""])
    ]
    assert leaves == PATHS


@pytest.mark.parametrize("setting", config.reference(), ids=lambda setting: setting.path)
def test_a_setting_is_described(setting: config.Setting) -> None:
    assert setting.variable == "BIGCHAINDB_" + setting.path.replace(".", "_").upper()
    assert setting.type
    assert setting.meaning.endswith(".")
    assert setting.required is setting.path.startswith("keypair.")
    if not setting.required:
        assert setting.default == value_at(config.to_document(config.new_config(PRIVATE, PUBLIC)), setting.path)


def test_no_two_settings_share_a_variable() -> None:
    assert len(set(VARIABLES)) == len(VARIABLES)


# --- places ------------------------------------------------------------------------------------------------


def test_where_the_file_is() -> None:
    assert config.default_path({"HOME": "/home/a"}) == Path("/home/a/.bigchaindb")
    assert config.default_path({"HOME": "/home/a", "BIGCHAINDB_CONFIG_PATH": ""}) == Path("/home/a/.bigchaindb")
    assert config.default_path({"HOME": "/home/a", "BIGCHAINDB_CONFIG_PATH": "c.json"}) == Path("c.json")
    assert config.default_path({"BIGCHAINDB_CONFIG_PATH": "/etc/b"}) == Path("/etc/b")


@pytest.mark.parametrize(
    ("environ", "platform", "path"),
    [
        ({"HOME": "/home/a"}, "linux", "/home/a/.local/share/bigchaindb/ledger.sqlite"),
        ({"HOME": "/home/a"}, "freebsd14", "/home/a/.local/share/bigchaindb/ledger.sqlite"),
        ({"HOME": "/home/a", "XDG_DATA_HOME": "/data"}, "linux", "/data/bigchaindb/ledger.sqlite"),
        ({"XDG_DATA_HOME": "/data"}, "linux", "/data/bigchaindb/ledger.sqlite"),
        ({"HOME": "/home/a", "XDG_DATA_HOME": "data"}, "linux", "/home/a/.local/share/bigchaindb/ledger.sqlite"),
        ({"HOME": "/home/a", "XDG_DATA_HOME": ""}, "linux", "/home/a/.local/share/bigchaindb/ledger.sqlite"),
        ({"HOME": "/Users/a"}, "darwin", "/Users/a/Library/Application Support/bigchaindb/ledger.sqlite"),
        (
            {"HOME": "/Users/a", "XDG_DATA_HOME": "/data"},
            "darwin",
            "/Users/a/Library/Application Support/bigchaindb/ledger.sqlite",
        ),
    ],
)
def test_where_the_ledger_is(environ: dict[str, str], platform: str, path: str) -> None:
    assert config.default_database_path(environ, platform) == Path(path)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}], ids=str)
def test_without_a_home_both_places_must_be_said(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="HOME is not a full path: set it, or BIGCHAINDB_CONFIG_PATH"):
        config.default_path(environ)
    for platform in ("linux", "darwin"):
        with pytest.raises(ConfigurationError, match=r"HOME .*: set it, or BIGCHAINDB_DATABASE_PATH"):
            config.default_database_path(environ, platform)


# --- reading the file --------------------------------------------------------------------------------------


def test_the_file_of_the_user_is_read(home: dict[str, str]) -> None:
    result = config.load(None, home)
    assert result.database.file == config.default_database_path(home)
    assert dataclasses.replace(result, database=config.Database()) == config.new_config(PRIVATE, PUBLIC)


def test_a_path_in_the_file_stays(home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "other").write_text(json.dumps(with_value("database.path", "/srv/ledger")))
    assert config.load(tmp_path / "other", {}).database.file == Path("/srv/ledger")
    assert config.load(str(tmp_path / "other"), {}).database.file == Path("/srv/ledger")
    assert config.load(None, {**home, "BIGCHAINDB_CONFIG_PATH": str(tmp_path / "other")}).database.path == "/srv/ledger"


def test_the_environment_wins_over_what_is_loaded(home: dict[str, str]) -> None:
    result = config.load(None, {**home, "BIGCHAINDB_DATABASE_PORT": "7", "BIGCHAINDB_TEST_X": "1"})
    assert result.database.port == 7


def test_a_mistake_between_file_and_environment_names_both(home: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config.load(None, {**home, "BIGCHAINDB_KEYRING": PUBLIC})
    assert f"{home['HOME']}/.bigchaindb with BIGCHAINDB_KEYRING: keyring: " in str(caught.value)


UNREADABLE = {
    "empty": (b"", "is not JSON at line 1, column 1"),
    "cut short": (b'{\n "keyring": [', "is not JSON at line 2, column 14"),
    "no JSON": (b'{\n  "keyring" []\n}', "is not JSON at line 2, column 13"),
    "a comment": (b"# hello\n{}", "is not JSON at line 1, column 1"),
    "not UTF-8": (b'{"a": "\xff"}', "is not UTF-8 at byte 7"),
    "with a byte order mark": (b"\xef\xbb\xbf{}", "is not JSON at line 1, column 1"),
    "a list": (b"[]", "is a list, not an object"),
    "too deep": (b'{"a":' + b"[" * 100_000, "too deep or too large"),
    "a huge integer": (b'{"block_interval": ' + b"9" * 5000 + b"}", "too deep or too large"),
    "too long": (b" " * (2**20 + 1), "is longer than 1048576 bytes"),
    "twice the same": (b'{"keyring": [], "keyring": []}', "keyring: appears twice"),
    "twice the same inside": (b'{"server": {"bind": "a:1", "bind": "a:1"}}', "server.bind: appears twice"),
    "twice the same, escaped": (b'{"server": {"bind": "a:1", "b\\u0069nd": 1}}', "server.bind: appears twice"),
    "twice a section": (b'{"server": {}, "server": {}}', "server: appears twice"),
    "twice something deep": (b'{"server": {"bind": {"a": 1, "a": 1}}}', "server.bind: is an object, not a string"),
    "not a number": (b'{"block_interval": NaN}', "block_interval: nan is not in"),
}


@pytest.mark.parametrize(("data", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_is_no_configuration_is_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(data)
    environ = {"BIGCHAINDB_KEYPAIR_PUBLIC": PUBLIC, "BIGCHAINDB_KEYPAIR_PRIVATE": PRIVATE} if b"NaN" in data else {}
    with pytest.raises(ConfigurationError) as caught:
        config.load(path, environ)
    assert str(caught.value).startswith(str(path))
    assert reason in str(caught.value)
    assert path.read_bytes() == data


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="run `bigchaindb configure`") as caught:
        config.load(None, {"HOME": str(tmp_path)})
    assert str(tmp_path / ".bigchaindb") in str(caught.value)


def test_what_is_no_file_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="Is a directory"):
        config.load(tmp_path, {})
    with pytest.raises(ConfigurationError, match="Not a directory"):
        config.load(tmp_path / "file" / "config", {})
    with pytest.raises(ConfigurationError, match=r"cannot be read: .*embedded null"):
        config.load("a\x00b", {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else_cannot_be_read(home: dict[str, str]) -> None:
    config.default_path(home).chmod(0)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        config.load(None, home)


def test_importing_reads_nothing() -> None:
    # A bad environment would be noticed.
    command = [sys.executable, "-c", "import bigchaindb.config"]
    subprocess.run(command, check=True, env={"BIGCHAINDB_NONSENSE": "1", "PYTHONPATH": os.pathsep.join(sys.path)})


# --- writing the file --------------------------------------------------------------------------------------


def a_config() -> config.Config:
    return config.new_config(*crypto.generate_key_pair())


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    written = dataclasses.replace(config.new_config(PRIVATE, PUBLIC), database=config.Database(path="/ü"))
    config.write(written, tmp_path / "config")
    assert config.load(tmp_path / "config", {}) == written
    assert (tmp_path / "config").read_text().endswith("}\n")
    assert os.listdir(tmp_path) == ["config"]  # noqa: PTH208 - names are what is asked


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
@pytest.mark.parametrize("overwrite", [False, True])
def test_only_the_owner_can_ever_read_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int, *, overwrite: bool
) -> None:
    path = tmp_path / "config"
    if overwrite:
        path.write_text("")
        path.chmod(0o644)
    modes = []
    fdopen = os.fdopen

    def watching(descriptor: int, mode: str) -> Any:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return fdopen(descriptor, mode)

    monkeypatch.setattr(os, "fdopen", watching)
    before = os.umask(umask)
    try:
        config.write(a_config(), path, overwrite=overwrite)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [mode & 0o077 for mode in modes] == [0]


def test_a_file_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("mine")
    with pytest.raises(ConfigurationError, match="exists already and was left as it is") as caught:
        config.write(a_config(), path)
    assert str(path) in str(caught.value)
    assert path.read_text() == "mine"
    config.write(a_config(), path, overwrite=True)
    assert config.load(path, {"HOME": "/"})
    assert os.listdir(tmp_path) == ["config"]  # noqa: PTH208 - names are what is asked


def test_where_a_link_points_the_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    config.write(a_config(), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    config.write(a_config(), tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert config.load(tmp_path / "target", {"HOME": "/"}) == config.load(tmp_path / "link", {"HOME": "/"})


@pytest.mark.parametrize(
    ("call", "overwrite"),
    [("fsync", False), ("fsync", True), ("fchmod", False), ("fchmod", True), ("link", False), ("replace", True)],
)
def test_a_failure_on_the_way_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, *, overwrite: bool
) -> None:
    path = tmp_path / "config"
    if overwrite:
        config.write(a_config(), path)
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(ConfigurationError, match="cannot be written: No space left on device"):
        config.write(a_config(), path, overwrite=overwrite)
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before


def test_a_reader_sees_one_whole_file_or_the_other(tmp_path: Path) -> None:
    path = tmp_path / "config"
    configs = [a_config(), dataclasses.replace(a_config(), keyring=OTHERS)]
    environ = {"HOME": str(tmp_path)}
    known = {one.keypair.public for one in configs}
    config.write(configs[0], path)
    done = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(config.load(path, environ).keypair.public)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for i in range(100):
            config.write(configs[i % 2], path, overwrite=True)
    finally:
        done.set()
        reader.join(60)
    assert not reader.is_alive()
    assert seen
    assert seen <= known


def test_of_several_who_write_at_once_one_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "config"
    configs = [a_config() for _ in range(8)]
    start = threading.Barrier(len(configs))
    written: list[str] = []
    refused: list[str] = []

    def attempt(mine: config.Config) -> None:
        start.wait(60)
        try:
            config.write(mine, path)
        except ConfigurationError as error:
            refused.append(str(error))
        else:
            written.append(mine.keypair.public)

    threads = [threading.Thread(target=attempt, args=(mine,)) for mine in configs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(written) == 1
    assert len(refused) == len(configs) - 1
    assert config.load(path, {"HOME": "/"}).keypair.public == written[0]


def test_a_place_that_is_none_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="No such file or directory"):
        config.write(a_config(), tmp_path / "nowhere" / "config")
    with pytest.raises(ConfigurationError, match="Not a directory"):
        config.write(a_config(), tmp_path / "file" / "config")
    with pytest.raises(ConfigurationError, match="exists already"):
        config.write(a_config(), tmp_path)
    with pytest.raises(ConfigurationError, match="Is a directory"):
        config.write(a_config(), tmp_path, overwrite=True)
    with pytest.raises(ConfigurationError, match=r"cannot be written: .*embedded null"):
        config.write(a_config(), "a\x00b")
