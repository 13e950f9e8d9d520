"""From a configuration to an open node.

Invariants:

- Nothing is created here but what `create_database` is asked to create.
- The journal lies beside the configuration file, one file per ledger and node.
"""

from __future__ import annotations

import secrets
import shutil
from typing import TYPE_CHECKING

from bigchaindb.crypto import SigningKey
from bigchaindb.exceptions import StorageMissing
from bigchaindb.model.genesis import Genesis, Quorum
from bigchaindb.node.node import Node, create_ledger
from bigchaindb.storage.opening import open_storage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bigchaindb.config import Config
    from bigchaindb.storage.interface import Storage

__all__ = ["create_database", "has_ledger", "journal_path", "open_database", "open_node", "remove_journals"]


def open_database(config: Config, *, create: bool = False) -> Storage:
    """Open the configured database.

    Raises:
        StorageError: it is not there (and `create` is False), not ours, damaged, or out of reach.
    """
    return open_storage(config.database, create=create)


def open_node(config: Config, clock: Callable[[], float]) -> Node:
    """Open the configured database as the configured node; closing `Node.storage` closes all.

    Raises:
        StorageError: as `open_database`.
        LedgerError: the database holds no ledger, or another federation's.
    """
    storage = open_database(config)
    try:
        return Node(
            storage,
            SigningKey(config.keypair.private),
            federation=config.federation,
            earlier_federations=config.earlier_federations,
            quorum=Quorum(config.election.quorum),
            clock=clock,
            max_transaction_bytes=config.limits.transaction_bytes,
        )
    except BaseException:
        storage.close()
        raise


def create_database(config: Config, clock: Callable[[], float]) -> Genesis:
    """Create the configured database and the ledger in it, or find them.

    Raises:
        StorageError: as `open_database`.
        LedgerError: the database holds something that is no ledger.
    """
    storage = open_database(config, create=True)
    try:
        return create_ledger(
            storage,
            SigningKey(config.keypair.private),
            config.federation,
            Quorum(config.election.quorum),
            name=secrets.token_hex(16),
            clock=clock,
        )
    finally:
        storage.close()


def has_ledger(config: Config) -> bool:
    """Tell whether there is a ledger in the configured database.

    Raises:
        StorageError: as `open_database`, but for a database that is not there.
    """
    if config.database.backend == "sqlite" and not config.database.file.exists():
        return False
    try:
        storage = open_database(config)
    except StorageMissing:
        return False
    try:
        return storage.genesis() is not None
    finally:
        storage.close()


def journal_path(config_path: Path, ledger: str, node: str) -> Path:
    """Return where a node keeps its journal of a ledger."""
    return _journal_directory(config_path) / f"{ledger}-{node}.journal"


def remove_journals(config_path: Path, ledger: str) -> None:
    """Delete the journals of a ledger that is no more."""
    for path in _journal_directory(config_path).glob(f"{ledger}-*.journal"):
        path.unlink()
    if not any(_journal_directory(config_path).glob("*")):
        shutil.rmtree(_journal_directory(config_path), ignore_errors=True)


def _journal_directory(config_path: Path) -> Path:
    return config_path.with_name(config_path.name + ".journals")
