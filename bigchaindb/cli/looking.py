"""The command that shows how a node fares."""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import TYPE_CHECKING, Any

import click

from bigchaindb.cli.options import config_option, database_name, load
from bigchaindb.node.lease import holder_of
from bigchaindb.node.opening import journal_path, open_node
from bigchaindb.node.report import report

if TYPE_CHECKING:
    from pathlib import Path

    from bigchaindb.config import Config
    from bigchaindb.node.node import Node

__all__ = ["status"]


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, as_json: bool) -> None:
    """Show how this node and its federation fare.

    That is how far each member has come, the ledger's counts, the backlog, and evidence of misbehaviour.
    """
    config, path = load()
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
        "database": database_name(config),
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
