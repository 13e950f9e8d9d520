"""Databases of every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest

from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage
from bigchaindb.storage.rethinkdb import RethinkStorage
from bigchaindb.storage.sqlite import SqliteStorage

if TYPE_CHECKING:
    from pathlib import Path

    from bigchaindb.storage.interface import Storage

Connect = Callable[[], "Storage"]


def _in_rethinkdb(request: pytest.FixtureRequest) -> Connect:
    return partial(RethinkStorage, request.getfixturevalue("empty_ledger"), create=True)


def _in_file(request: pytest.FixtureRequest) -> Connect:
    directory: Path = request.getfixturevalue("tmp_path")
    return partial(SqliteStorage, directory / "ledger.sqlite", create=True)


BACKENDS: dict[str, Callable[[pytest.FixtureRequest], Connect]] = {
    "memory": lambda _: partial(MemoryStorage, MemoryDatabase()),
    "sqlite": _in_file,
    "rethinkdb": _in_rethinkdb,
}
"""What makes an empty database, and gives what connects to it."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what connects on every backend, or on those that its module names in `BACKENDS`."""
    if "connect" in metafunc.fixturenames:
        metafunc.parametrize("connect", getattr(metafunc.module, "BACKENDS", list(BACKENDS)), indirect=True)


@pytest.fixture
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Each call gives another connection to one and the same database."""
    connect_once = BACKENDS[request.param](request)

    with ExitStack() as open_connections:

        def one_more() -> Storage:
            connection = connect_once()
            open_connections.callback(connection.close)
            return connection

        yield one_more


@pytest.fixture
def storage(connect: Connect) -> Storage:
    """One connection to an empty database."""
    return connect()


@pytest.fixture
def other(connect: Connect, storage: Storage) -> Storage:  # noqa: ARG001
    """A second connection to the database of `storage`."""
    return connect()
