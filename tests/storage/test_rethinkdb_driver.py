"""Getting to a RethinkDB server, and what its errors mean."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.exceptions import ConfigurationError, InvalidValue, StorageError, StorageMismatch, StorageUnavailable
from bigchaindb.storage.rethinkdb_driver import Connection, Server, literal, r, version_of, written
from tests.rethink import free_ports, own_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bigchaindb.exceptions import BigchainDBError

PASSWORD = "open sesame, ü€🂡"


@pytest.fixture
def server(rethinkdb: tuple[str, int]) -> Server:
    """The server of this run; no database of it is used."""
    return Server(*rethinkdb, "nowhere")


@pytest.fixture
def connection(server: Server) -> Iterator[Connection]:
    """A connection to it."""
    with closing(Connection(server)) as found:
        yield found


def caught(connection: Connection, query: Any) -> BigchainDBError:
    """The error that a query ends with."""
    with pytest.raises((StorageError, InvalidValue)) as found:
        connection.run(query)
    return found.value


# --- getting in --------------------------------------------------------------------------------------------


def test_a_query_gives_its_value_and_a_sequence_all_of_it(connection: Connection) -> None:
    assert connection.run(r.expr({"a": [1, None, "x"]})) == {"a": [1, None, "x"]}
    assert connection.run(r.range(250_000).map(lambda number: number.mul(2))) == list(range(0, 500_000, 2))
    assert connection.is_usable()


def test_a_closed_connection_is_not_usable_and_closing_twice_is_harmless(server: Server) -> None:
    connection = Connection(server)
    connection.close()
    connection.close()
    assert not connection.is_usable()
    assert isinstance(caught(connection, r.expr(1)), StorageUnavailable)


@pytest.fixture
def user(server: Server) -> Iterator[Server]:
    """The server, as a user with a password and no rights."""
    with closing(Connection(server)) as admin:
        users = r.db("rethinkdb").table("users")
        admin.run(users.insert({"id": "berlin", "password": PASSWORD}, conflict="replace"))
        yield replace(server, user="berlin", password=PASSWORD)
        admin.run(users.get("berlin").delete())


def test_the_right_password_lets_a_user_in(user: Server) -> None:
    with closing(Connection(user)) as connection:
        assert connection.run(r.expr(1)) == 1


@pytest.mark.parametrize(("name", "password"), [("berlin", "open says me"), ("berlin", ""), ("paris", PASSWORD)])
def test_a_wrong_password_is_an_error_of_the_configuration_that_does_not_show_it(
    user: Server, name: str, password: str
) -> None:
    with pytest.raises(
        ConfigurationError, match=r"lets user '(berlin|paris)' not in: (Wrong password|Unknown user)"
    ) as e:
        Connection(replace(user, user=name, password=password))
    assert e.value.field == "database.password"
    assert not any(password in repr(e.value) for password in (PASSWORD, "open says me"))


def test_a_password_is_in_no_repr(user: Server) -> None:
    assert PASSWORD not in repr(user)
    assert PASSWORD not in str(user)


def test_what_a_user_may_not_do_names_the_user(user: Server) -> None:
    with closing(Connection(user)) as connection:
        error = caught(connection, r.db_create("x"))
    assert isinstance(error, StorageMismatch)
    assert "`berlin` does not have the required `config` permission" in str(error)


def test_where_nobody_listens_the_server_is_away() -> None:
    (port,) = free_ports(1)
    with pytest.raises(StorageUnavailable, match=rf"RethinkDB 127\.0\.0\.1:{port}/x cannot be reached: .*refused"):
        Connection(Server("127.0.0.1", port, "x"))


def test_a_host_that_nobody_knows_is_away() -> None:
    with pytest.raises(StorageUnavailable, match=r"RethinkDB nobody\.invalid:28015/x cannot be reached: "):
        Connection(Server("nobody.invalid", 28015, "x"))


@contextmanager
def somebody_else(says: bytes) -> Iterator[int]:
    """Somebody who answers whatever comes with the same bytes, and ends; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with listening.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(says)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    "says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff\0", b"[]\0", b"ERROR: no\0", b'{"a": 1}\0']
)
def test_whoever_does_not_speak_as_rethinkdb_does_is_away(says: bytes) -> None:
    with somebody_else(says) as port, pytest.raises(StorageUnavailable, match="cannot be reached"):
        Connection(Server("127.0.0.1", port, "x"))


# --- waiting for an answer ---------------------------------------------------------------------------------


def test_a_server_that_falls_silent_is_away_after_a_while() -> None:
    with own_server() as throw_away:
        server = Server("127.0.0.1", throw_away.port, "x")
        with closing(Connection(server, answer_seconds=0.2)) as connection:
            throw_away.freeze()
            with pytest.raises(StorageUnavailable, match="no answer; what was being written may have been, or not"):
                connection.run(r.expr(2))
            assert not connection.is_usable()
        throw_away.thaw()
        with closing(Connection(server)) as other:
            assert other.run(r.expr(3)) == 3


def test_what_may_take_longer_is_waited_for_longer() -> None:
    with own_server() as throw_away:
        server = Server("127.0.0.1", throw_away.port, "x")
        with closing(Connection(server, answer_seconds=0.2)) as connection:
            throw_away.freeze()
            thaw = threading.Timer(0.5, throw_away.thaw)
            thaw.start()
            assert connection.run(r.expr(1), answer_seconds=60.0) == 1
            thaw.join()
            with pytest.raises(StorageUnavailable, match="anything else"):
                connection.run(r.error("anything else"), answer_seconds=60.0)
            throw_away.freeze()
            with pytest.raises(StorageUnavailable, match="no answer"):
                connection.run(r.expr(2))
        throw_away.thaw()


def test_a_connection_that_broke_while_nobody_used_it_is_not_usable() -> None:
    with own_server() as throw_away:
        connection = Connection(Server("127.0.0.1", throw_away.port, "x"))
        throw_away.kill()
        assert not connection.is_usable()
        with pytest.raises(StorageUnavailable):
            connection.run(r.expr(1))
        connection.close()


# --- TLS ---------------------------------------------------------------------------------------------------


def certificate(directory: Path, name: str) -> tuple[str, str]:
    """Make a certificate for localhost that vouches for itself; return its file and that of the key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    made, key = str(directory / f"{name}.pem"), str(directory / f"{name}.key")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", key, "-out", made], check=True, capture_output=True)
    return made, key


def test_over_tls_a_server_must_show_a_certificate_that_is_vouched_for(tmp_path: Path) -> None:
    made, key = certificate(tmp_path, "server")
    other, _ = certificate(tmp_path, "other")
    with own_server("--driver-tls-key", key, "--driver-tls-cert", made) as throw_away:
        server = Server("localhost", throw_away.port, "x", tls_ca=made)
        with closing(Connection(server)) as connection:
            assert connection.run(r.range(1000).map(lambda _: "x" * 1000)) == ["x" * 1000] * 1000
            assert connection.is_usable()
        with pytest.raises(ConfigurationError, match=r"is not vouched for by .*other\.pem") as caught_:
            Connection(replace(server, tls_ca=other))
        assert caught_.value.field == "database.tls_ca"
        with pytest.raises(StorageUnavailable):
            Connection(replace(server, tls_ca=None))


def test_a_server_without_tls_is_told_from_one_with(server: Server, tmp_path: Path) -> None:
    made, _ = certificate(tmp_path, "server")
    with pytest.raises(ConfigurationError, match=r"server\.pem") as found:
        Connection(replace(server, tls_ca=made))
    assert found.value.field == "database.tls_ca"
    assert isinstance(found.value.__cause__, ssl.SSLError)


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_without_certificates_is_an_error_of_the_configuration(
    server: Server, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(ConfigurationError, match=r"ca\.pem") as found:
        Connection(replace(server, tls_ca=str(tmp_path / "ca.pem")))
    assert found.value.field == "database.tls_ca"


# --- errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "kind", "message"),
    [
        (r.db("nowhere").table("x").get(1), StorageUnavailable, "Database `nowhere` does not exist"),
        (r.db("rethinkdb").table("x").get(1), StorageUnavailable, "Table `rethinkdb.x` does not exist"),
        (r.expr({})["a"], StorageMismatch, "damaged: No attribute `a`"),
        (r.expr(1).add("a"), StorageMismatch, "damaged: Expected type NUMBER"),
        (r.expr("\ud800"), InvalidValue, "no Unicode text"),
        (r.json("{"), InvalidValue, "JSON"),
        (r.error("anything else"), StorageUnavailable, "anything else"),
    ],
)
def test_an_error_says_what_it_means_for_the_ledger(
    connection: Connection, query: Any, kind: type[Exception], message: str
) -> None:
    error = caught(connection, query)
    assert type(error) is kind
    assert message in str(error)
    assert connection.run(r.expr(1)) == 1


def test_an_error_does_not_print_what_was_sent(connection: Connection) -> None:
    error = caught(connection, r.expr("x" * 10_000).add(1))
    told: BaseException | None = error
    while told is not None:
        assert len(str(told)) < 400
        told = told.__cause__ or told.__context__


# --- values ------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts, lambda some: st.lists(some, max_size=3)
    )
)
def test_a_value_is_sent_as_its_json(value: Any) -> None:
    assert json.loads(written(value)) == value


def test_what_was_sent_comes_back(connection: Connection) -> None:
    value = {"text": "\x00 \x7f é 漢 🂡 \\ ' \" \n </script>", "list": [1.5, None, True], "$": "\u2028"}
    assert connection.run(literal(value)) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]], ids=str)
def test_what_has_no_json_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValue, match="no ledger can hold"):
        literal(value)


# --- versions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "version"),
    [
        (["rethinkdb 2.4.4 (x86_64-linux-gnu) (GCC 12.2.0)"], (2, 4, 4)),
        (["rethinkdb 2.4.4~0bookworm (CLANG 14)", "rethinkdb 2.4.0 (GCC 4.6)"], (2, 4, 0)),
        (["rethinkdb 10.0.1"], (10, 0, 1)),
    ],
)
def test_a_cluster_is_as_old_as_its_oldest_server(texts: list[str], version: tuple[int, int, int]) -> None:
    assert version_of(texts) == version


@pytest.mark.parametrize("old", ["rethinkdb 2.3.7 (GCC)", "rethinkdb 1.16.0", "rethinkdb 0.0.0"])
def test_one_server_that_is_too_old_is_one_too_many(old: str) -> None:
    with pytest.raises(StorageMismatch, match=r"runs there; at least 2\.4\.0 is needed"):
        version_of(["rethinkdb 2.4.4 (GCC)", old])


@pytest.mark.parametrize("odd", ["", "rethinkdb", "mongodb 7.0.0", "rethinkdb 2.4"])
def test_a_server_that_does_not_say_how_old_it_is_is_refused(odd: str) -> None:
    with pytest.raises(StorageMismatch, match="unknown version"):
        version_of([odd])


def test_a_cluster_without_servers_is_none() -> None:
    with pytest.raises(StorageMismatch, match="is needed"):
        version_of([])
