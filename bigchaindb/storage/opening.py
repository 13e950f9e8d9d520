"""Opening the configured database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bigchaindb.exceptions import ConfigurationError
from bigchaindb.storage.sqlite import SqliteStorage

if TYPE_CHECKING:
    from bigchaindb.config import Database
    from bigchaindb.storage.interface import Storage

__all__ = ["open_storage"]


def open_storage(database: Database, *, create: bool) -> Storage:
    """Open the configured database.

    Args:
        database: where it is.
        create: make it where it is not there.

    Raises:
        ConfigurationError: there is no such backend.
        StorageMismatch: it is not there (without `create`), foreign, damaged, or of another version.
        StorageUnavailable: it cannot be reached.
    """
    if database.backend != "sqlite":
        raise ConfigurationError("database.backend: this build has no rethinkdb backend yet", field="database.backend")
    return SqliteStorage(database.file, create=create)
