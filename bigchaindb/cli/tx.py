"""The commands that speak to a node over HTTP, as its users do.

Invariants:

- What a script wants stands alone on standard output: an id, a status, or JSON.
- Arguments are checked before anything is sent, and the id of what was sent is told whatever comes.
- What others wrote is printed with control and format characters escaped, which could rearrange what is to be seen.
- No private key or token is an argument: other users of the machine can see those.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bigchaindb import canonical
from bigchaindb.cli.arguments import WAIT_SECONDS, read_inputs, read_json, read_owners, read_timestamp
from bigchaindb.cli.options import config_option, load
from bigchaindb.cli.reaching import open_client, private_keys
from bigchaindb.exceptions import BigchainDBError, TransactionError, TransactionTimeout
from bigchaindb.model.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.client import Client

__all__ = ["tx"]

_DEFAULT_WAIT_SECONDS: Final = 10.0


def _url_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--url",
        metavar="URL",
        help="Where the node is.  [default: $BIGCHAINDB_URL, or `server.bind` of the configuration here]",
    )(command)


def _json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def _to_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--to",
        "owners",
        metavar="KEY",
        callback=read_owners,
        multiple=True,
        required=True,
        help="Public key of who gets it; more than once for several, who own it together.",
    )(command)


def _wait_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--wait",
        "wait_seconds",
        type=WAIT_SECONDS,
        metavar="SECONDS",
        default=_DEFAULT_WAIT_SECONDS,
        show_default=True,
        help="How long to wait until it is decided; 0 not to wait.",
    )(command)


@click.group()
def tx() -> None:
    """Create, transfer and look at transactions, over HTTP."""


# --- making them -------------------------------------------------------------------------------------------


@tx.command()
@config_option
@_url_option
@click.argument("payload", callback=read_json)
@_to_option
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File with the node's `server.api_token`.  [default: $BIGCHAINDB_API_TOKEN, or the configuration here]",
)
@click.option(
    "--as-node", is_flag=True, help="Sign with the key of the node that is configured here, instead of asking it to."
)
@click.option(
    "--timestamp",
    callback=read_timestamp,
    metavar="SECONDS",
    help="Time to put into the transaction, in Unix seconds; however often this is run with the same one, there is one "
    "asset.  [default: now]",
)
@_wait_option
@_json_option
def create(  # noqa: PLR0913 - its options
    *,
    payload: Any,
    owners: list[str],
    url: str | None,
    token_file: Path | None,
    timestamp: str | None,
    wait_seconds: float,
    as_node: bool,
    as_json: bool,
) -> None:
    """Bring an asset into being, and print the id of its transaction.

    PAYLOAD describes the asset: a JSON object, @FILE to read it from a file, or - for standard input.
    """
    private_key = load()[0].keypair.private if as_node else None
    with open_client(url, token_file, private_key) as client:
        sent = client.create(payload, owners, timestamp=timestamp, as_node=as_node)
        _told(client, sent, wait_seconds, as_json=as_json)


@tx.command()
@config_option
@_url_option
@click.argument("inputs", callback=read_inputs, nargs=-1, required=True)
@_to_option
@click.option("--payload", callback=read_json, metavar="JSON", help="What to record with it: JSON, @FILE, or -.")
@click.option(
    "--key-file",
    "key_files",
    type=click.Path(path_type=Path),
    metavar="FILE",
    multiple=True,
    help="File with a private key to sign with; more than once for several.  [default: $BIGCHAINDB_PRIVATE_KEY, or "
    "what is typed]",
)
@click.option(
    "--no-send", is_flag=True, help="Print the signed transaction instead of sending it; `tx send` does that."
)
@_wait_option
@_json_option
def transfer(  # noqa: PLR0913 - its options
    *,
    inputs: list[dict[str, Any]],
    owners: list[str],
    payload: Any,
    key_files: tuple[Path, ...],
    no_send: bool,
    url: str | None,
    wait_seconds: float,
    as_json: bool,
) -> None:
    """Hand assets on, and print the id of the transaction.

    INPUTS are the outputs to spend, each the id of a transaction, or TXID:CID for another than its output 0.
    """
    keys = private_keys(key_files)
    with open_client(url) as client:
        if no_send:
            _print_json(client.sign(client.prepare_transfer(inputs, owners, payload), keys))
            return
        sent = client.transfer(inputs, owners, payload, private_keys=keys)
        _told(client, sent, wait_seconds, as_json=as_json)


@tx.command()
@config_option
@_url_option
@click.argument("transaction", callback=read_json)
@_wait_option
@_json_option
def send(transaction: Any, url: str | None, wait_seconds: float, *, as_json: bool) -> None:
    """Send a signed transaction, and print its id. Sent again, it is taken once.

    TRANSACTION is what `tx transfer --no-send` printed: JSON, @FILE to read it from a file, or - for standard input.
    """
    with open_client(url) as client:
        _told(client, client.send(transaction), wait_seconds, as_json=as_json)


def _told(client: Client, sent: dict[str, Any], wait_seconds: float, *, as_json: bool) -> None:
    """Print the id whatever comes, since the transaction is on its way; then wait."""
    txid, status = sent["id"], None
    if not as_json:
        click.echo(txid)
    try:
        status, reason = _followed(client, txid, wait_seconds)
    except TransactionTimeout:
        raise
    except BigchainDBError as error:
        raise BigchainDBError(f"transaction {txid} was accepted, but cannot be followed: {error}") from error
    finally:
        if as_json:
            _print_json({"id": txid, "status": status})
    _check_not_rejected(txid, status, reason)


def _check_not_rejected(txid: str, status: Status, reason: str | None) -> None:
    if status is Status.REJECTED:
        raise TransactionError(f"transaction {txid} was rejected: {reason}")


def _followed(client: Client, txid: str, wait_seconds: float) -> tuple[Status, str | None]:
    """Return the status of a transaction, waiting so long until it is decided, and why it was rejected."""
    status = client.wait(txid, wait_seconds) if wait_seconds else client.status(txid)
    return status, client.reason(txid) if status is Status.REJECTED else None


# --- looking at them ---------------------------------------------------------------------------------------


@tx.command()
@config_option
@_url_option
@click.argument("txid")
@_json_option
def show(txid: str, url: str | None, *, as_json: bool) -> None:
    """Print the transaction with the id TXID, whatever its status."""
    with open_client(url) as client:
        transaction = client.transaction(txid)
        status = client.status(txid)
    if as_json:
        _print_json(transaction)
        return
    body = transaction["transaction"]
    click.echo(f"transaction: {txid}\noperation:   {body['operation']}, {status}")
    click.echo(f"time:        {_local_time(body['timestamp'])}")
    for fulfillment in body["fulfillments"]:
        spent = fulfillment["input"]
        what = f"{spent['txid']}:{spent['cid']}" if spent else "none, signed"
        click.echo(f"input {fulfillment['fid']}:     {what} by {_names(fulfillment['current_owners'])}")
    for output in body["conditions"]:
        click.echo(f"output {output['cid']}:    {_names(output['new_owners'])}, locked by {output['condition']['uri']}")
    if body["data"]:
        click.echo(f"payload:     {_escaped(canonical.dumps(body['data']['payload']))}")


@tx.command()
@config_option
@_url_option
@click.argument("txid")
@click.option(
    "--wait",
    "wait_seconds",
    type=WAIT_SECONDS,
    metavar="SECONDS",
    default=0.0,
    help="How long to wait until it is decided; the exit code is 0 then only if it is valid.  [default: not to wait]",
)
@_json_option
def status(txid: str, url: str | None, wait_seconds: float, *, as_json: bool) -> None:
    """Print how far the transaction with the id TXID has come.

    It is backlog, undecided, valid, rejected or unknown.
    """
    with open_client(url) as client:
        found, reason = _followed(client, txid, wait_seconds)
    if as_json:
        _print_json({"id": txid, "status": found, "reason": reason})
    else:
        click.echo(f"{found}: {reason}" if reason else found)
    if wait_seconds:
        _check_not_rejected(txid, found, reason)


@tx.command()
@config_option
@_url_option
@click.argument("txid")
@_json_option
def history(txid: str, url: str | None, *, as_json: bool) -> None:
    """Print the valid transactions of an asset, oldest first.

    TXID is the id of any of them.
    """
    with open_client(url) as client:
        transactions = list(client.history(txid))
    if as_json:
        _print_json(transactions)
        return
    for transaction in transactions:
        body = transaction["transaction"]
        owners = "; ".join(_names(output["new_owners"]) for output in body["conditions"])
        click.echo(f"{transaction['id']} {body['operation']} {_local_time(body['timestamp'])} to {owners}")


def _names(owners: list[str] | None) -> str:
    return ", ".join(owners) if owners else "whoever knows the secret"


def _local_time(timestamp: str) -> str:
    return dt.datetime.fromtimestamp(float(timestamp), dt.UTC).isoformat(timespec="seconds")


def _print_json(value: Any) -> None:
    click.echo(_escaped(json.dumps(value, indent=4, ensure_ascii=False)))


def _escaped(text: str) -> str:
    """Return the same JSON with whatever is not seen as itself escaped: it may move or hide what stands around it."""
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
