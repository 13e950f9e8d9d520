"""The commands that change who is a member of the federation."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, TextIO

import click

from bigchaindb import config as configuration
from bigchaindb.cli.options import config_option, config_path, database_name, load
from bigchaindb.exceptions import ConfigurationError, FederationMismatch, LedgerError
from bigchaindb.model.federations import Federations
from bigchaindb.model.genesis import Quorum
from bigchaindb.node.membership import (
    adopt,
    check_extends,
    check_may_adopt,
    check_may_change,
    least_quorum,
    undo,
    with_member,
    without_member,
)
from bigchaindb.node.opening import has_ledger, journal_path, open_node

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bigchaindb.config import Config

__all__ = ["keyring"]


@click.group()
def keyring() -> None:
    """Show or change who is a member of the federation.

    What is shown and changed is this node's configuration. The federation changes by one member at a time; every member
    makes the same change and restarts its node.
    """


@keyring.command("list")
@config_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print all federations so far, for `keyring adopt` of a newcomer."
)
def keyring_list(*, as_json: bool) -> None:
    """Print the public keys of the members, this node's first."""
    config, _ = load()
    if as_json:
        history = [list(members) for members in (*config.earlier_federations, config.federation)]
        click.echo(json.dumps(history, indent=4))
    else:
        click.echo("\n".join((config.keypair.public, *config.keyring)))


@keyring.command("add")
@config_option
@click.argument("key")
def keyring_add(key: str) -> None:
    """Make the node with this public KEY a member."""
    _change_keyring(lambda config, has_begun: with_member(config, key, has_begun=has_begun))


@keyring.command("remove")
@config_option
@click.argument("key")
def keyring_remove(key: str) -> None:
    """Make the node with this public KEY a member no more."""
    _change_keyring(lambda config, has_begun: without_member(config, key, has_begun=has_begun))


@keyring.command("adopt")
@config_option
@click.argument("file", type=click.File())
def keyring_adopt(file: TextIO) -> None:
    """Take over the federations in FILE ("-": standard input).

    They are what `keyring list --json` of a member printed. A newcomer takes over what it is told. A node that knows
    federations of the ledger takes what goes on from these.
    """
    config, path = _load_file()
    try:
        history = json.load(file)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file.name}: is not JSON: {error}") from error
    document = {**configuration.to_document(config), "earlier_federations": history}
    parsed = configuration.parse(document, file.name).earlier_federations
    if not parsed:
        raise ConfigurationError(f"{file.name}: has no federation")
    changed = adopt(config, parsed)
    _check_adopted(changed)
    _write_keyring(changed, path, has_begun=True)


def _check_adopted(changed: Config) -> None:
    """Check what this node would go on with against what it knows; of a ledger that it knows nothing of, nothing."""
    in_force, _ = load()
    adopted = (*changed.earlier_federations, changed.federation)
    if not has_ledger(in_force):
        if in_force.earlier_federations:
            known = Federations.of(in_force.federation, in_force.earlier_federations)
            check_extends(known.history, Federations.of(adopted[-1], adopted[:-1]).history)
        return
    try:
        node = open_node(in_force, time.time)
    except FederationMismatch as error:
        if error.field == "election.quorum":
            raise
        return  # a newcomer, or one whose history was never this ledger's
    try:
        check_may_adopt(node, adopted)
    finally:
        node.storage.close()


def _change_keyring(change: Callable[[Config, bool], Config]) -> None:
    config, path = _load_file()
    in_force, _ = load()
    has_begun = has_ledger(in_force)
    if not has_begun:
        _check_never_began(config, in_force, path)
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
    _write_keyring(changed, path, has_begun=has_begun)


def _check_never_began(config: Config, in_force: Config, path: Path) -> None:
    """Check that no ledger in the database means that there was none: its history would be forgotten."""
    journals = journal_path(path, "*", in_force.keypair.public)
    journal = next(journals.parent.glob(journals.name), None)
    if not config.earlier_federations and journal is None:
        return
    evidence = "it has `earlier_federations`" if config.earlier_federations else f"its journal is {journal}"
    raise LedgerError(
        f"keyring: {database_name(in_force)} holds no ledger, but this node has taken part in one ({evidence}): bring "
        f"it back, or correct `database` in {path}; for another ledger, `bigchaindb configure` a node anew"
    )


def _load_file() -> tuple[Config, Path]:
    """Load what the file alone says: what the environment sets must not be written into it."""
    path = config_path()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BIGCHAINDB_")}
    document = configuration.to_document(configuration.load(path, environ))
    document["database"]["path"] = json.loads(path.read_text()).get("database", {}).get("path")
    return configuration.parse(document, str(path)), path


def _write_keyring(config: Config, path: Path, *, has_begun: bool) -> None:
    configuration.write(config, path, overwrite=True)
    count = len(config.federation)
    needed = least_quorum(count, Quorum(config.election.quorum))
    click.echo(
        f"The federation has {count} members now, as this node sees it{'; restart the node' if has_begun else ''}. "
        f"{needed} of {count} must vote before anything is decided."
    )
