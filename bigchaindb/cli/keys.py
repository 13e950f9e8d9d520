"""The commands that take care of users' keys."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bigchaindb import crypto
from bigchaindb.cli.keyfile import write_key_file

__all__ = ["keys"]


@click.group()
def keys() -> None:
    """Make keys for users of the ledger. Those of a node are in its configuration."""


@keys.command("generate")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the key pair to this new file, for your eyes only, and print nothing but the public key.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def generate(output: Path | None, *, as_json: bool) -> None:
    """Make a new key pair, and print it."""
    private_key, public_key = crypto.generate_key_pair()
    pair = {"public": public_key}
    if output is None:
        pair["private"] = private_key
    else:
        write_key_file(output, private_key, public_key)
    if as_json:
        click.echo(json.dumps(pair, indent=4))
    elif output is None:
        click.echo(f"Public key:  {public_key}\nPrivate key: {private_key}")
    else:
        click.echo(public_key)
