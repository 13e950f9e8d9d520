"""The command line.

Invariants:

- Exit code 0 for success, 1 for a failure with one line on standard error, 2 for wrong usage.
- One boundary turns errors into that line; commands raise.
- Nothing is overwritten or deleted without asking, or `-y`.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from bigchaindb import config as configuration
from bigchaindb import crypto
from bigchaindb.exceptions import BigchainDBError, ConfigurationError, NodeAlreadyRunning
from bigchaindb.logs import set_up_logging
from bigchaindb.model.genesis import Quorum
from bigchaindb.node.lease import holder_of
from bigchaindb.node.membership import adopt, check_may_change, least_quorum, undo, with_member, without_member
from bigchaindb.node.opening import (
    create_database,
    has_ledger,
    journal_path,
    open_database,
    open_node,
    remove_journals,
)
from bigchaindb.node.report import report
from bigchaindb.pipeline.supervisor import supervise
from bigchaindb.storage.opening import spread_storage
from bigchaindb.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.config import Config
    from bigchaindb.model.genesis import Genesis
    from bigchaindb.node.node import Node

__all__ = ["cli", "main"]

_FAILURE: Final = 1
_MAX_SHARDS: Final = 64
_CONFIG_KEY: Final = "config path"


def main() -> None:
    """Run the command line and exit."""
    try:
        cli.main(prog_name="bigchaindb")
    except BigchainDBError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _fail(message: str) -> None:
    click.echo(f"Error: {' '.join(message.splitlines())}", err=True)
    sys.exit(_FAILURE)


def _remember_config_path(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.find_root().meta[_CONFIG_KEY] = value


def _config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        expose_value=False,
        callback=_remember_config_path,
        help="Configuration file.  [default: $BIGCHAINDB_CONFIG_PATH, or $HOME/.bigchaindb]",
    )(command)


def _yes_option(meaning: str) -> Callable[..., Any]:
    return click.option("-y", "--yes", is_flag=True, help=meaning)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@_config_option
@click.version_option(__version__, message="bigchaindb %(version)s")
def cli() -> None:
    """Run and look after a BigchainDB node."""


def _config_path() -> Path:
    path = click.get_current_context().find_root().meta.get(_CONFIG_KEY)
    return (path or configuration.default_path(os.environ)).absolute()


def _load() -> tuple[Config, Path]:
    path = _config_path()
    return configuration.load(path, os.environ), path


# --- configuring -------------------------------------------------------------------------------------------


@cli.command()
@_config_option
@_yes_option("Ask nothing: take the defaults.")
def configure(*, yes: bool) -> None:
    """Make a key pair and write the configuration file."""
    path = _config_path()
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


@cli.command("show-config")
@_config_option
def show_config() -> None:
    """Print the configuration in force, with what is secret masked."""
    config, _ = _load()
    click.echo(json.dumps(configuration.masked(config), indent=4, ensure_ascii=False))


@cli.command("export-my-pubkey")
@_config_option
def export_my_pubkey() -> None:
    """Print this node's public key, for the keyrings of the other members."""
    config, _ = _load()
    click.echo(config.keypair.public)


# --- running -----------------------------------------------------------------------------------------------


@cli.command()
@_config_option
def init() -> None:
    """Create the database and the ledger in it."""
    config, _ = _load()
    _echo_ledger(create_database(config, time.time), config)


def _echo_ledger(genesis: Genesis, config: Config) -> None:
    click.echo(f"Ledger {genesis.block.id} in {_database_name(config)}")


def _database_name(config: Config) -> str:
    database = config.database
    return str(database.file) if database.backend == "sqlite" else f"{database.host}:{database.port}/{database.name}"


@cli.command()
@_config_option
def start() -> None:
    """Run the node until Ctrl-C.

    On a machine that was never configured, configure with the defaults and create the ledger first.
    """
    path = _config_path()
    if not path.exists():
        config = configuration.new_config(*crypto.generate_key_pair())
        configuration.write(config, path)
        click.echo(f"Nothing is configured here yet: configuration with the defaults written to {path}")
        config = configuration.load(path, os.environ)
        _echo_ledger(create_database(config, time.time), config)
    config = configuration.load(path, os.environ)
    set_up_logging(config.log, "supervisor")
    click.echo(f"Starting node {config.keypair.public} on {_database_name(config)}; Ctrl-C stops it")
    supervise(config, path)


@cli.command()
@_config_option
@_yes_option("Do not ask.")
def drop(*, yes: bool) -> None:
    """Delete the database with everything in it."""
    config, path = _load()
    storage = open_database(config)
    try:
        holder = holder_of(storage, config.keypair.public)
        if holder and holder["alive"] is not False:
            raise NodeAlreadyRunning(f"a node uses this database: process {holder['pid']} on {holder['host']}")
        genesis = storage.genesis()
        if not yes:
            click.confirm(f"Delete {_database_name(config)} with everything in it?", abort=True)
        storage.drop()
    finally:
        storage.close()
    if genesis:
        remove_journals(path, genesis.id)
    click.echo(f"Deleted {_database_name(config)}")


# --- membership --------------------------------------------------------------------------------------------


@cli.group()
def keyring() -> None:
    """Show or change who is a member of the federation, in this node's configuration.

    The federation changes by one member at a time; every member makes the same change and restarts its node.
    """


@keyring.command("list")
@_config_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print all federations so far, for `keyring adopt` of a newcomer."
)
def keyring_list(*, as_json: bool) -> None:
    """Print the public keys of the members, this node's first."""
    config, _ = _load()
    if as_json:
        history = [list(members) for members in (*config.earlier_federations, config.federation)]
        click.echo(json.dumps(history, indent=4))
    else:
        click.echo("\n".join((config.keypair.public, *config.keyring)))


@keyring.command("add")
@_config_option
@click.argument("key")
def keyring_add(key: str) -> None:
    """Make the node with this public KEY a member."""
    _change_keyring(lambda config, has_begun: with_member(config, key, has_begun=has_begun))


@keyring.command("remove")
@_config_option
@click.argument("key")
def keyring_remove(key: str) -> None:
    """Make the node with this public KEY a member no more."""
    _change_keyring(lambda config, has_begun: without_member(config, key, has_begun=has_begun))


@keyring.command("adopt")
@_config_option
@click.argument("file", type=click.File())
def keyring_adopt(file: TextIO) -> None:
    """Take over the federations in FILE, as `keyring list --json` of a member printed them ("-": standard input)."""
    config, path = _load_file()
    try:
        history = json.load(file)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file.name}: is not JSON: {error}") from error
    document = {**configuration.to_document(config), "earlier_federations": history}
    parsed = configuration.parse(document, file.name).earlier_federations
    if not parsed:
        raise ConfigurationError(f"{file.name}: has no federation")
    _write_keyring(adopt(config, parsed), path)


def _change_keyring(change: Callable[[Config, bool], Config]) -> None:
    config, path = _load_file()
    in_force, _ = _load()
    has_begun = has_ledger(in_force)
    changed = change(config, has_begun)
    if has_begun:
        node = open_node(in_force, time.time)
        try:
            undone = undo(config, changed, node)
            if undone is None:
                check_may_change(node)
        finally:
            node.storage.close()
        changed = undone or changed
    _write_keyring(changed, path)


def _load_file() -> tuple[Config, Path]:
    """Load what the file alone says: what the environment sets must not be written into it."""
    path = _config_path()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BIGCHAINDB_")}
    document = configuration.to_document(configuration.load(path, environ))
    document["database"]["path"] = json.loads(path.read_text()).get("database", {}).get("path")
    return configuration.parse(document, str(path)), path


def _write_keyring(config: Config, path: Path) -> None:
    configuration.write(config, path, overwrite=True)
    count = len(config.federation)
    needed = least_quorum(count, Quorum(config.election.quorum))
    click.echo(
        f"The federation has {count} members now, as this node sees it; restart the node. "
        f"{needed} of {count} must vote before anything is decided."
    )


# --- the servers of the database -----------------------------------------------------------------------------


@cli.command("set-shards")
@_config_option
@click.argument("number", type=click.IntRange(1, _MAX_SHARDS))
def set_shards(*, number: int) -> None:
    """Divide each table of a rethinkdb database into NUMBER parts, which its servers share."""
    config, _ = _load()
    spread_storage(config.database, shards=number)
    click.echo(f"{_database_name(config)} is divided into {number}")


@cli.command("set-replicas")
@_config_option
@click.argument("number", type=click.IntRange(1))
def set_replicas(*, number: int) -> None:
    """Keep each part of a rethinkdb database on NUMBER of its servers."""
    config, _ = _load()
    spread_storage(config.database, replicas=number)
    click.echo(f"{_database_name(config)} is kept on {number} {'server' if number == 1 else 'servers'}")


# --- looking -----------------------------------------------------------------------------------------------


@cli.command()
@_config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, as_json: bool) -> None:
    """Show this node, how far each member has come, the ledger's counts, the backlog, and evidence of misbehaviour."""
    config, path = _load()
    node = open_node(config, time.time)
    try:
        shown = _status(node, config, path)
    finally:
        node.storage.close()
    if as_json:
        click.echo(json.dumps(shown, indent=4))
        return
    width = max(map(len, shown)) + 2
    for name, value in shown.items():
        lines = [_as_line(item) for item in value] if isinstance(value, list) else [_as_line(value)]
        text = f"\n{'':{width}}".join(lines or ["none"])
        click.echo(f"{name.replace('_', ' ') + ':':{width}}{text}")


def _status(node: Node, config: Config, path: Path) -> dict[str, Any]:
    seen = report(node)
    latest = seen.latest
    count = len(node.federation)
    return {
        "node": node.me,
        "running": _running(holder_of(node.storage, node.me)),
        "ledger": node.ledger,
        "database": _database_name(config),
        "journal": str(journal_path(path, node.ledger, node.me)),
        "federation": f"{count} {'node' if count == 1 else 'nodes'}, {node.quorum}",
        "members": [
            {
                "node": member.node,
                "decided_blocks": member.decided,
                "last_decision": _local_time(member.last_decided_at) if member.last_decided_at else None,
            }
            for member in seen.members
        ],
        "blocks": seen.blocks,
        "decided_blocks": latest.sequence if latest else 0,
        "valid_transactions": latest.valid_transactions if latest else 0,
        "last_block": f"{latest.block_id} {'valid' if latest.verdict else 'invalid'}" if latest else None,
        "last_block_time": _local_time(latest.newest_time) if latest else None,
        "backlog": seen.backlog,
        "evidence_of_misbehaviour": [
            {"node": misdeed.node, "kind": str(misdeed.kind), "blocks": list(misdeed.blocks)}
            for misdeed in seen.misdeeds
        ],
    }


def _as_line(value: Any) -> str:
    """Return a value of the status in words."""
    match value:
        case None:
            return "-"
        case {"node": node, "decided_blocks": count, "last_decision": last}:
            return f"{node} has decided {count}{f', the last at {last}' if last else ''}"
        case {"node": node, "kind": kind, "blocks": blocks}:
            return f"{node} cast {kind}: {', '.join(blocks)}"
        case _:
            return str(value)


def _running(holder: dict[str, Any] | None) -> str:
    if holder is None or holder["alive"] is False:
        return "no"
    where = f"process {holder['pid']} on {holder['host']}"
    return f"yes, {where}" if holder["alive"] else f"perhaps, {where}"


def _local_time(timestamp: str) -> str:
    return dt.datetime.fromtimestamp(float(timestamp), dt.UTC).isoformat(timespec="seconds")
