"""The command line.

Invariants:

- Exit code 0 for success, 1 for a failure with one line on standard error, 2 for wrong usage.
- One boundary turns errors into that line; commands raise.
- Nothing is overwritten or deleted without asking, or `-y`.
"""

from __future__ import annotations

import sys
from typing import Final

import click

from bigchaindb.cli import node
from bigchaindb.cli.keys import keys
from bigchaindb.cli.looking import status
from bigchaindb.cli.membership import keyring
from bigchaindb.cli.options import config_option
from bigchaindb.cli.tx import tx
from bigchaindb.exceptions import BigchainDBError
from bigchaindb.version import __version__

__all__ = ["cli", "main"]

_FAILURE: Final = 1


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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@click.version_option(__version__, message="bigchaindb %(version)s")
def cli() -> None:
    """Run and look after a BigchainDB node, and use one over HTTP."""


for _command in (
    *(node.configure, node.show_config, node.export_my_pubkey, node.init, node.start, node.drop),
    *(node.set_shards, node.set_replicas),
    *(keyring, status, keys, tx),
):
    cli.add_command(_command)
