"""Every test here is an acceptance test, on a machine of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from examples.federation.nodes import sqlite
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


@pytest.fixture
def database(tmp_path: Path) -> dict[str, Any]:
    """The `database` section of a federation's configurations."""
    return sqlite(tmp_path)


@pytest.fixture(scope="module")
def module_database(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same, for one federation that the tests of a module share."""
    return sqlite(tmp_path_factory.mktemp("database"))


@pytest.fixture
def initialised(machine: Machine) -> Machine:
    """A machine with a ledger, and no node running yet."""
    assert machine.run("configure", "-y").returncode == 0
    assert machine.run("init").returncode == 0
    return machine


@pytest.fixture
def b(initialised: Machine) -> Iterator[Bigchain]:
    """The ledger of a running node."""
    with initialised.node(), initialised.bigchain() as ledger:
        yield ledger
