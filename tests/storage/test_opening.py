"""The configured backend is the one that opens."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb.config import Database
from bigchaindb.exceptions import ConfigurationError, StorageMismatch
from bigchaindb.storage.opening import open_storage, spread_storage
from bigchaindb.storage.rethinkdb_driver import Connection, r

if TYPE_CHECKING:
    from bigchaindb.storage.rethinkdb_driver import Server


def test_sqlite_opens_the_file_that_is_configured(tmp_path: Path) -> None:
    database = Database(path=str(tmp_path / "ledger.sqlite"))
    with pytest.raises(StorageMismatch, match="no ledger here"):
        open_storage(database, create=False)
    open_storage(database, create=True).close()
    open_storage(database, create=False).close()
    assert (tmp_path / "ledger.sqlite").is_file()


def test_rethinkdb_opens_the_database_that_is_configured(new_ledger: Server) -> None:
    database = Database(backend="rethinkdb", host=new_ledger.host, port=new_ledger.port, name=new_ledger.name)
    with pytest.raises(StorageMismatch, match=f"{new_ledger.name}: the ledger is not there: run `bigchaindb init`"):
        open_storage(database, create=False)
    open_storage(database, create=True).close()
    open_storage(database, create=False).close()


def test_user_and_password_are_those_that_are_configured(rethinkdb: tuple[str, int]) -> None:
    host, port = rethinkdb
    database = Database(backend="rethinkdb", host=host, port=port, user="nobody", password="open sesame")
    with pytest.raises(ConfigurationError, match="lets user 'nobody' not in"):
        open_storage(database, create=True)


def test_a_user_gets_in_with_the_password_that_is_configured(new_ledger: Server) -> None:
    open_storage(_configured(new_ledger), create=True).close()
    users = r.db("rethinkdb").table("users")
    with closing(Connection(new_ledger)) as admin:
        admin.run(users.insert({"id": "madrid", "password": "open sesame"}, conflict="replace"))
        try:
            admin.run(r.db(new_ledger.name).grant("madrid", {"read": True, "write": True}))
            admin.run(r.db("rethinkdb").grant("madrid", {"read": True}))
            right = _configured(new_ledger, user="madrid", password="open sesame")
            open_storage(right, create=False).close()
            with pytest.raises(ConfigurationError, match="lets user 'madrid' not in") as caught:
                open_storage(replace(right, password="open says me"), create=False)
            assert caught.value.field == "database.password"
        finally:
            admin.run(users.get("madrid").delete())


def test_certificates_are_those_that_are_configured(new_ledger: Server, tmp_path: Path) -> None:
    missing = str(tmp_path / "ca.pem")
    for open_or_spread in (lambda of: open_storage(of, create=True), lambda of: spread_storage(of, shards=2)):
        with pytest.raises(ConfigurationError, match=r"ca\.pem") as caught:
            open_or_spread(_configured(new_ledger, tls_ca=missing))
        assert caught.value.field == "database.tls_ca"


def _configured(server: Server, **others: Any) -> Database:
    return Database(backend="rethinkdb", host=server.host, port=server.port, name=server.name, **others)


def test_the_driver_of_rethinkdb_is_loaded_only_where_it_is_configured(tmp_path: Path) -> None:
    program = (
        "import sys; from bigchaindb.config import Database; from bigchaindb.storage.opening import open_storage; "
        "open_storage(Database(path=sys.argv[1]), create=True).close(); sys.exit('rethinkdb' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "ledger.sqlite")], check=True, timeout=60, cwd=root)


@pytest.mark.parametrize("wanted", [{"shards": 2}, {"replicas": 3}])
def test_a_file_has_neither_shards_nor_replicas(tmp_path: Path, wanted: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="only rethinkdb has shards and replicas") as caught:
        spread_storage(Database(path=str(tmp_path / "ledger.sqlite")), **wanted)
    assert caught.value.field == "database.backend"
