"""The commands that spread a RethinkDB database over its servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path

    from bigchaindb.storage.rethinkdb_driver import Server


@pytest.fixture
def sh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A configured node."""
    shell = Shell(tmp_path, monkeypatch)
    assert shell("configure", "-y").code == 0
    return shell


@pytest.fixture
def on_rethinkdb(sh: Shell, new_ledger: Server) -> Shell:
    """A configured node with a ledger in RethinkDB."""
    settings = {"BACKEND": "rethinkdb", "HOST": new_ledger.host, "PORT": new_ledger.port, "NAME": new_ledger.name}
    for name, value in settings.items():
        sh.monkeypatch.setenv(f"BIGCHAINDB_DATABASE_{name}", str(value))
    assert sh("init").code == 0
    return sh


@pytest.mark.parametrize("command", ["set-shards", "set-replicas"])
def test_a_file_cannot_be_spread(sh: Shell, command: str) -> None:
    assert "only rethinkdb has shards and replicas" in sh(command, "2").error


def test_tables_are_divided_and_the_ledger_stays_what_it_was(on_rethinkdb: Shell, new_ledger: Server) -> None:
    before = on_rethinkdb("status", "--json")
    result = on_rethinkdb("set-shards", "2")
    where = f"{new_ledger.host}:{new_ledger.port}/{new_ledger.name}"
    assert (result.code, result.out) == (0, f"{where} is divided into 2\n")
    assert on_rethinkdb("set-replicas", "1").out == f"{where} is kept on 1 server\n"
    assert on_rethinkdb("status", "--json") == before


def test_more_replicas_than_servers_are_refused_in_the_words_of_the_server(on_rethinkdb: Shell) -> None:
    assert "Can't put 64 replicas on servers" in on_rethinkdb("set-replicas", "64").error


def test_what_is_no_ledger_yet_is_not_spread(sh: Shell, new_ledger: Server) -> None:
    settings = {"BACKEND": "rethinkdb", "HOST": new_ledger.host, "PORT": new_ledger.port, "NAME": new_ledger.name}
    for name, value in settings.items():
        sh.monkeypatch.setenv(f"BIGCHAINDB_DATABASE_{name}", str(value))
    assert "run `bigchaindb init`" in sh("set-shards", "2").error


def test_a_database_is_dropped_with_all_that_is_in_it(on_rethinkdb: Shell) -> None:
    assert on_rethinkdb("drop", "-y").code == 0
    assert "run `bigchaindb init`" in on_rethinkdb("status").error
