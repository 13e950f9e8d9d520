"""From a configuration to an open node: nothing is created unasked, nothing is left open after a failure."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb import config as configuration
from bigchaindb.exceptions import (
    ConfigurationError,
    FederationMismatch,
    LedgerError,
    StorageMismatch,
    StorageUnavailable,
)
from bigchaindb.model.genesis import Quorum
from bigchaindb.node.opening import (
    create_database,
    has_ledger,
    journal_path,
    open_database,
    open_node,
    remove_journals,
)
from examples.federation.rethink import rethinkdb as database_in_rethinkdb
from tests.onenode import OneNode, pair, public

if TYPE_CHECKING:
    from bigchaindb.config import Config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A configuration whose database does not exist yet."""
    return _with(configuration.new_config(*pair("node")), "database", path=str(tmp_path / "here" / "ledger.sqlite"))


def _with(config: Config, section: str, **changes: Any) -> Config:
    return dataclasses.replace(config, **{section: dataclasses.replace(getattr(config, section), **changes)})


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_is_created_unasked(config: Config, tmp_path: Path) -> None:
    assert not has_ledger(config)
    with pytest.raises(StorageMismatch, match="bigchaindb init"):
        open_database(config)
    with pytest.raises(StorageMismatch, match="bigchaindb init"):
        open_node(config, time.time)
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_is_created_once_and_found_afterwards(config: Config) -> None:
    genesis = create_database(config, time.time)
    assert has_ledger(config)
    assert create_database(config, time.time) == genesis
    node = open_node(config, time.time)
    assert (node.ledger, node.me, node.federation) == (genesis.block.id, public("node"), (public("node"),))
    assert node.quorum is Quorum.MAJORITY
    node.storage.close()


def test_no_two_ledgers_have_the_same_genesis(config: Config, tmp_path: Path) -> None:
    other = _with(config, "database", path=str(tmp_path / "other.sqlite"))
    assert create_database(config, lambda: 5.0) != create_database(other, lambda: 5.0)


def test_a_node_is_opened_as_configured(config: Config) -> None:
    config = _with(config, "limits", transaction_bytes=5000)
    config = _with(config, "election", quorum="two-thirds")
    config = dataclasses.replace(config, keyring=(public("other"),))
    create_database(config, time.time)
    node = open_node(config, lambda: 5.0)
    assert node.max_transaction_bytes == 5000
    assert node.quorum is Quorum.TWO_THIRDS
    assert node.federation == tuple(sorted([public("node"), public("other")]))
    assert node.clock() == 5.0
    node.storage.close()


def test_a_database_without_a_ledger_is_none_to_work_on(config: Config) -> None:
    open_database(config, create=True).close()
    assert not has_ledger(config)
    with pytest.raises(LedgerError, match="bigchaindb init"):
        open_node(config, time.time)


def test_a_ledger_of_another_federation_is_refused_and_closed(config: Config) -> None:
    create_database(config, time.time)
    stranger = dataclasses.replace(config, keyring=(public("other"),))
    before = open_files()
    for _ in range(3):
        with pytest.raises(FederationMismatch, match="keyring") as caught:
            open_node(stranger, time.time)
        assert caught.value.field == "keyring"
    assert open_files() == before


def test_a_database_that_is_out_of_reach_holds_no_ledger_that_could_be_denied(config: Config) -> None:
    config = _with(config, "database", backend="rethinkdb", port=1)
    for attempt in (open_database, has_ledger):
        with pytest.raises((ConfigurationError, StorageUnavailable)):
            attempt(config)


# --- journals ----------------------------------------------------------------------------------------------


def test_journals_lie_beside_the_configuration_one_per_ledger_and_node() -> None:
    path = Path("/etc/node.json")
    paths = {journal_path(path, ledger, node) for ledger in ("a", "b") for node in ("x", "y")}
    assert len(paths) == 4
    assert {p.parent.parent for p in paths} == {path.parent}
    assert journal_path(Path("/etc/other.json"), "a", "x") not in paths


def test_only_the_journals_of_the_ledger_that_is_gone_are_removed(tmp_path: Path) -> None:
    config_path = tmp_path / "config"
    mine, too, others = (journal_path(config_path, ledger, node) for ledger, node in ("ax", "ay", "bx"))
    for path in (mine, too, others):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    remove_journals(config_path, "a")
    assert [p.exists() for p in (mine, too, others)] == [False, False, True]
    remove_journals(config_path, "b")
    assert list(tmp_path.iterdir()) == []
    remove_journals(config_path, "b")


def test_what_somebody_else_put_beside_the_journals_stays(tmp_path: Path) -> None:
    mine = journal_path(tmp_path / "config", "a", "x")
    mine.parent.mkdir()
    mine.touch()
    (mine.parent / "notes").touch()
    remove_journals(tmp_path / "config", "a")
    assert [p.name for p in mine.parent.iterdir()] == ["notes"]


def test_what_tests_use_is_a_node_as_an_operator_has_it(tmp_path: Path) -> None:
    with OneNode(tmp_path) as node:
        assert has_ledger(node.config)
        assert node.bigchain.get_status(node.settle(node.create("alice"))["id"]) == "valid"


def test_where_nothing_was_made_in_rethinkdb_yet_there_is_no_ledger(rethinkdb: tuple[str, int], config: Config) -> None:
    host, port = rethinkdb
    with database_in_rethinkdb(f"{host}:{port}") as section:
        elsewhere = _with(config, "database", **section)
        assert not has_ledger(elsewhere)
        create_database(elsewhere, time.time)
        assert has_ledger(elsewhere)
