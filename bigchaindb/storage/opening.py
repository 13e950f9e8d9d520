"""Opening the configured database.

Invariants:

- What a backend needs is loaded when it is configured: the driver of RethinkDB takes longer to load than all the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bigchaindb.exceptions import ConfigurationError
from bigchaindb.storage.sqlite import SqliteStorage

if TYPE_CHECKING:
    from bigchaindb.config import Database
    from bigchaindb.storage.interface import Storage
    from bigchaindb.storage.rethinkdb_driver import Server

__all__ = ["open_storage", "spread_storage"]


def open_storage(database: Database, *, create: bool) -> Storage:
    """Open the configured database.

    Args:
        database: where it is.
        create: make it where it is not there.

    Raises:
        ConfigurationError: the server does not let this user in.
        StorageMismatch: it is not there (without `create`), foreign, damaged, of another version, or may lose what it
            has acknowledged.
        StorageUnavailable: it cannot be reached.
    """
    if database.backend == "sqlite":
        return SqliteStorage(database.file, create=create)
    return _open_rethinkdb(database, create=create)


def spread_storage(database: Database, *, shards: int | None = None, replicas: int | None = None) -> None:
    """Divide the configured database into so many parts, or keep it on so many servers; what is not given stays.

    Raises:
        ConfigurationError: this backend, or this cluster, cannot do that.
        StorageMismatch: as `open_storage`.
        StorageUnavailable: it cannot be reached, or is still at work; do it again.
    """
    if database.backend == "sqlite":
        raise ConfigurationError(
            "database.backend: a sqlite database is one file: only rethinkdb has shards and replicas",
            field="database.backend",
        )
    from bigchaindb.storage.rethinkdb_schema import spread  # noqa: PLC0415

    spread(_server(database), shards=shards, replicas=replicas)


def _open_rethinkdb(database: Database, *, create: bool) -> Storage:
    from bigchaindb.storage.rethinkdb import RethinkStorage  # noqa: PLC0415

    return RethinkStorage(_server(database), create=create)


def _server(database: Database) -> Server:
    from bigchaindb.storage.rethinkdb_driver import Server  # noqa: PLC0415

    return Server(
        host=database.host,
        port=database.port,
        name=database.name,
        user=database.user,
        password=database.password or "",
        tls_ca=database.tls_ca,
    )
