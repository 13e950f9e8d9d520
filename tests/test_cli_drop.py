"""`bigchaindb drop` in a federation, on each backend: nobody deletes the ledger under a member whose node runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from bigchaindb import config as configuration
from bigchaindb.node.lease import Lease
from bigchaindb.node.opening import open_database
from tests.onenode import pair, public
from tests.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path

    from bigchaindb.config import Config
    from bigchaindb.config.settings import Database
    from bigchaindb.storage.rethinkdb_driver import Server


@pytest.fixture
def sh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, monkeypatch)


@pytest.fixture(params=["sqlite", "rethinkdb"])
def b(sh: Shell, request: pytest.FixtureRequest) -> Config:
    """The other member of a federation with a ledger, of which the shell's HOME has the configuration of one."""

    def member(name: str, other: str) -> Config:
        config = dataclasses.replace(configuration.new_config(*pair(name)), keyring=(public(other),))
        return dataclasses.replace(config, database=database(config.database))

    def database(default: Database) -> Database:
        if request.param == "sqlite":
            return dataclasses.replace(default, path=str(sh.home / "ledger.sqlite"))
        server: Server = request.getfixturevalue("new_ledger")
        return dataclasses.replace(default, backend="rethinkdb", host=server.host, port=server.port, name=server.name)

    configuration.write(member("a", "b"), sh.config_path)
    assert sh("init").code == 0
    return member("b", "a")


def test_drop_deletes_nothing_while_the_node_of_another_member_runs(sh: Shell, b: Config) -> None:
    storage = open_database(b)
    lease = Lease(storage, b.keypair.public)
    assert lease.acquire(lambda _: False)
    error = sh("drop", "-y").error
    assert "a node uses this database" in error
    assert error.endswith(f", the node of {public('b')}")
    assert sh("status").code == 0
    lease.release()
    storage.close()
    assert sh("drop", "-y").code == 0
    assert "bigchaindb init" in sh("status").error
