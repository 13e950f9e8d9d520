"""One configured node in a directory, with its builder and voter stepped by hand: `OneNode(tmp_path)`.

What `tests.ledgers` is for the rules, this is for what users touch: configuration file, SQLite file, `Bigchain`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import base58

from bigchaindb import Bigchain
from bigchaindb import config as configuration
from bigchaindb.crypto import SigningKey
from bigchaindb.node.journal import MemoryJournal
from bigchaindb.node.opening import create_database, open_node
from bigchaindb.pipeline.builder import Builder
from bigchaindb.pipeline.voter import Voter

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from bigchaindb.config import Config

__all__ = ["Document", "OneNode", "pair", "private", "public", "tables"]

Document = dict[str, Any]

_MAX_STEPS: Final = 100


def private(name: str) -> str:
    """The private key of that name, the same in every run."""
    return base58.b58encode(hashlib.sha256(name.encode()).digest()).decode("ascii")


def public(name: str) -> str:
    """The public key of that name."""
    return str(SigningKey(private(name)).verifying_key)


def pair(name: str) -> tuple[str, str]:
    """The private and the public key of that name."""
    return private(name), public(name)


def tables(path: Path) -> dict[str, list[Any]]:
    """Everything that an SQLite file holds, by table."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}  # noqa: S608


class OneNode:
    """A configuration, its ledger, and whoever uses it in this process."""

    def __init__(self, directory: Path, *, keyring: tuple[str, ...] = ()) -> None:
        self.home = directory
        self.environment = {"HOME": str(directory)}
        self.config_path = directory / ".bigchaindb"
        self.database_path = directory / "ledger.sqlite"
        config = dataclasses.replace(configuration.new_config(*pair("node")), keyring=keyring)
        database = dataclasses.replace(config.database, path=str(self.database_path))
        server = dataclasses.replace(config.server, bind="localhost:0")
        configuration.write(dataclasses.replace(config, database=database, server=server), self.config_path)
        self.genesis = create_database(self.config, time.time)
        self.bigchain = Bigchain(self.config)
        self._workers: tuple[Builder, Voter] | None = None

    @property
    def config(self) -> Config:
        return configuration.load(self.config_path, self.environment)

    @property
    def ledger(self) -> str:
        return self.genesis.block.id

    def close(self) -> None:
        self.bigchain.close()
        if self._workers:
            self._worker_node.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tables(self) -> dict[str, list[Any]]:
        """Everything that is stored."""
        return tables(self.database_path)

    # --- workers ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Build, vote and decide until there is nothing more to do."""
        if self._workers is None:
            self._worker_node = open_node(self.config, time.time)
            builder = Builder(self._worker_node, block_interval_seconds=0.0)
            self._workers = (builder, Voter(self._worker_node, MemoryJournal()))
        for _ in range(_MAX_STEPS):
            steps = [worker.step() for worker in self._workers]
            if not any(steps):
                return
        raise AssertionError(f"the node is not quiet after {_MAX_STEPS} steps")

    def settle(self, *documents: Document) -> Document:
        """Write signed transactions one after the other, run after each, and return the last; all become valid."""
        for document in documents:
            self.bigchain.write_transaction(document)
            self.run()
            assert self.bigchain.get_status(document["id"]) == "valid"
        return documents[-1]

    # --- transactions ----------------------------------------------------------------------------------------

    def create(self, *owners: str, payload: Any = None) -> Document:
        """A signed CREATE for owners by name, not yet written."""
        keys = [public(owner) for owner in owners]
        return self.sign(self.bigchain.create_transaction(self.bigchain.me, keys, None, "CREATE", payload), "node")

    def transfer(self, inputs: Any, owner: str, to: str, payload: Any = None) -> Document:
        """A signed TRANSFER from owner to owner by name, not yet written."""
        unsigned = self.bigchain.create_transaction(public(owner), public(to), inputs, "TRANSFER", payload)
        return self.sign(unsigned, owner)

    def sign(self, unsigned: Document, *owners: str) -> Document:
        """A signed copy."""
        return self.bigchain.sign_transaction(unsigned, [private(owner) for owner in owners])
