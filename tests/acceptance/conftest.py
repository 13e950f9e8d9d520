"""Every test here is an acceptance test, on a machine of its own."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb.config.settings import variable_of
from examples.federation.nodes import sqlite
from examples.federation.rethink import rethinkdb as database_in_rethinkdb
from tests.acceptance.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bigchaindb import Bigchain

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.acceptance)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nothing was ever configured."""
    return Machine(tmp_path)


@pytest.fixture(params=["sqlite", "rethinkdb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The `database` section of a federation's configurations."""
    with _new_database(request, tmp_path) as section:
        yield section


@pytest.fixture(scope="module", params=["sqlite", "rethinkdb"])
def module_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """The same, for one federation that the tests of a module share."""
    with _new_database(request, tmp_path_factory.mktemp("database")) as section:
        yield section


@contextmanager
def _new_database(request: pytest.FixtureRequest, directory: Path) -> Iterator[dict[str, Any]]:
    if request.param == "sqlite":
        yield sqlite(directory)
        return
    host, port = request.getfixturevalue("rethinkdb")
    with database_in_rethinkdb(f"{host}:{port}") as section:
        yield section


@pytest.fixture
def initialised(machine: Machine) -> Machine:
    """A machine with a ledger, and no node running yet."""
    return _with_ledger(machine)


@pytest.fixture
def anywhere(tmp_path: Path, database: dict[str, Any]) -> Machine:
    """The same, with a ledger in a database of each kind."""
    variables = {variable_of(f"database.{name}"): str(value) for name, value in database.items()}
    return _with_ledger(Machine(tmp_path, **variables))


def _with_ledger(machine: Machine) -> Machine:
    assert machine.run("configure", "-y").returncode == 0
    assert machine.run("init").returncode == 0
    return machine


@pytest.fixture
def b(anywhere: Machine) -> Iterator[Bigchain]:
    """The ledger of a running node."""
    with anywhere.node(), anywhere.bigchain() as ledger:
        yield ledger
