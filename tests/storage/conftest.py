"""Databases of every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest

from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage
from bigchaindb.storage.sqlite import SqliteStorage

if TYPE_CHECKING:
    from pathlib import Path

    from bigchaindb.storage.interface import Storage

Connect = Callable[[], "Storage"]


BACKENDS: dict[str, Callable[[Path], Connect]] = {
    "memory": lambda _: partial(MemoryStorage, MemoryDatabase()),
    "sqlite": lambda directory: partial(SqliteStorage, directory / "ledger.sqlite", create=True),
}
"""What makes an empty database in a directory, and gives what connects to it."""


@pytest.fixture(params=BACKENDS)
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connect]:
    """Each call gives another connection to one and the same database."""
    connect_once = BACKENDS[request.param](tmp_path)

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
