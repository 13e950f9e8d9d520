"""The configured backend is the one that opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bigchaindb.config import Database
from bigchaindb.exceptions import ConfigurationError, StorageMismatch
from bigchaindb.storage.opening import open_storage

if TYPE_CHECKING:
    from pathlib import Path


def test_sqlite_opens_the_file_that_is_configured(tmp_path: Path) -> None:
    database = Database(path=str(tmp_path / "ledger.sqlite"))
    with pytest.raises(StorageMismatch, match="no ledger here"):
        open_storage(database, create=False)
    open_storage(database, create=True).close()
    open_storage(database, create=False).close()
    assert (tmp_path / "ledger.sqlite").is_file()


def test_a_backend_that_this_build_lacks_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"database\.backend.*rethinkdb") as caught:
        open_storage(Database(backend="rethinkdb"), create=True)
    assert caught.value.field == "database.backend"
