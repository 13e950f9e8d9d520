"""The commands that set a node up, run it, and take care of its database."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from bigchaindb import config as configuration
from bigchaindb import crypto
from bigchaindb.cli.options import config_option, config_path, database_name, load, yes_option
from bigchaindb.exceptions import ConfigurationError, NodeAlreadyRunning
from bigchaindb.logs import set_up_logging
from bigchaindb.node.lease import holder_of
from bigchaindb.node.opening import create_database, journal_path, open_database, remove_journals
from bigchaindb.pipeline.supervisor import supervise
from bigchaindb.storage.opening import spread_storage

if TYPE_CHECKING:
    from bigchaindb.config import Config
    from bigchaindb.model.genesis import Genesis
    from bigchaindb.storage.interface import Storage

__all__ = ["configure", "drop", "export_my_pubkey", "init", "set_replicas", "set_shards", "show_config", "start"]

_MAX_SHARDS: Final = 64

# --- configuring -------------------------------------------------------------------------------------------


@click.command()
@config_option
@yes_option("Ask nothing: take the defaults.")
def configure(*, yes: bool) -> None:
    """Make a key pair and write the configuration file.

    What BIGCHAINDB_* variables set is not written into it, and counts only where they are set.
    """
    path = config_path()
    if path.exists():
        if yes:
            raise ConfigurationError(f"{path}: exists already and was left as it is; `bigchaindb start` uses it")
        click.confirm(
            f"{path} exists already. Replace it, and lose the private key in it, and with it the ledger of that node?",
            abort=True,
        )
    config = configuration.new_config(*crypto.generate_key_pair())
    if not yes:
        config = _ask(config)
    configuration.write(config, path, overwrite=path.exists())
    click.echo(f"Configuration written to {path}")
    click.echo(f"Public key of this node: {config.keypair.public}")


def _ask(config: Config) -> Config:
    """Ask for what operators choose; everything else keeps its default."""
    document = configuration.to_document(config)
    database = document["database"]
    database["backend"] = click.prompt(
        "Database backend", type=click.Choice(["sqlite", "rethinkdb"]), default=database["backend"]
    )
    if database["backend"] == "sqlite":
        default = str(configuration.default_database_path(os.environ))
        answer = click.prompt("Database file", default=default)
        database["path"] = None if answer == default else str(Path(answer).expanduser().absolute())
    else:
        for name in ("host", "port", "name"):
            database[name] = click.prompt(f"Database {name}", default=database[name])
    document["server"]["bind"] = click.prompt("HTTP API address", default=document["server"]["bind"])
    answer = click.prompt("Public keys of the other members, separated by ':'", default="", show_default=False)
    document["keyring"] = [key for key in answer.split(":") if key]
    return configuration.parse(document, "answers")


@click.command("show-config")
@config_option
def show_config() -> None:
    """Print the configuration in force, with secrets masked."""
    config, _ = load()
    click.echo(json.dumps(configuration.masked(config), indent=4, ensure_ascii=False))


@click.command("export-my-pubkey")
@config_option
def export_my_pubkey() -> None:
    """Print this node's public key, for the other members.

    They put it into their keyrings.
    """
    config, _ = load()
    click.echo(config.keypair.public)


# --- running -----------------------------------------------------------------------------------------------


@click.command()
@config_option
def init() -> None:
    """Create the database and the ledger in it."""
    config, _ = load()
    _echo_ledger(create_database(config, time.time), config)


def _echo_ledger(genesis: Genesis, config: Config) -> None:
    click.echo(f"Ledger {genesis.block.id} in {database_name(config)}")


@click.command()
@config_option
def start() -> None:
    """Run the node until Ctrl-C.

    On a machine that was never configured, configure with the defaults and create the ledger first.
    """
    path = config_path()
    if not path.exists():
        config = configuration.new_config(*crypto.generate_key_pair())
        configuration.write(config, path)
        click.echo(f"Nothing is configured here yet: configuration with the defaults written to {path}")
        config = configuration.load(path, os.environ)
        _echo_ledger(create_database(config, time.time), config)
    config = configuration.load(path, os.environ)
    set_up_logging(config.log, "supervisor")
    click.echo(f"Starting node {config.keypair.public} on {database_name(config)}; Ctrl-C stops it")
    supervise(config, path)


@click.command()
@config_option
@yes_option("Do not ask.")
def drop(*, yes: bool) -> None:
    """Delete the database and the journals of its ledger."""
    config, path = load()
    storage = open_database(config)
    try:
        _check_unused(storage, config)
        genesis = storage.genesis()
        directory = journal_path(path, genesis.id, config.keypair.public).parent if genesis else None
        journals = f", and the journals of its ledger in {directory}" if directory else ""
        if not yes:
            click.confirm(f"Delete {database_name(config)} with everything in it{journals}?", abort=True)
            _check_unused(storage, config)  # an answer may take hours
        storage.drop()
    finally:
        storage.close()
    if genesis:
        remove_journals(path, genesis.id)
    click.echo(f"Deleted {database_name(config)}{journals}")


def _check_unused(storage: Storage, config: Config) -> None:
    """Check that no node of anybody who is, or ever was, a member uses the database.

    Raises:
        NodeAlreadyRunning: naming one that does, or that may do so on another machine.
    """
    me = config.keypair.public
    known = dict.fromkeys(key for members in (config.federation, *config.earlier_federations) for key in members)
    for key in (me, *(key for key in known if key != me)):
        holder = holder_of(storage, key)
        if holder and holder["alive"] is not False:
            whose = "" if key == me else f", the node of {key}"
            raise NodeAlreadyRunning(f"a node uses this database: process {holder['pid']} on {holder['host']}{whose}")


# --- the servers of the database -----------------------------------------------------------------------------


@click.command("set-shards")
@config_option
@click.argument("number", type=click.IntRange(1, _MAX_SHARDS))
def set_shards(*, number: int) -> None:
    """Divide a rethinkdb database into NUMBER parts.

    Each table is divided, and the servers share the parts.
    """
    config, _ = load()
    spread_storage(config.database, shards=number)
    click.echo(f"{database_name(config)} is divided into {number}")


@click.command("set-replicas")
@config_option
@click.argument("number", type=click.IntRange(1))
def set_replicas(*, number: int) -> None:
    """Keep a rethinkdb database on NUMBER of its servers."""
    config, _ = load()
    spread_storage(config.database, replicas=number)
    click.echo(f"{database_name(config)} is kept on {number} {'server' if number == 1 else 'servers'}")
