"""Changing the federation: one member at a time, and not before a quorum uses the last change (design.md 3.3).

Invariants:

- Every step keeps one member's distance, so that quorums before and after share a node.
- A configuration is changed, never storage: each operator changes the own node's.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from bigchaindb.consensus.tally import is_quorum
from bigchaindb.exceptions import ConfigurationError, LedgerError
from bigchaindb.model.federations import Federations
from bigchaindb.node.view import read_vote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bigchaindb.config import Config
    from bigchaindb.model.genesis import Quorum
    from bigchaindb.node.node import Node

__all__ = ["adopt", "check_may_change", "least_quorum", "undo", "with_member", "without_member"]

_BLOCKS_LOOKED_AT: Final = 500


def check_may_change(node: Node) -> None:
    """Check that the present federation is in use, so that another may follow it.

    Raises:
        LedgerError: a quorum of its members has not voted under it yet; the message names who is waited for.
    """
    if len(node.federations.history) == 1:
        return
    seen = _seen_voters(node)
    if not is_quorum(len(seen), len(node.federation), node.quorum):
        missing = ", ".join(member for member in node.federation if member not in seen)
        raise LedgerError(
            f"keyring: the last change is not in use yet: {len(seen)} of {len(node.federation)} members have voted "
            f"under it, and a quorum must; not seen: {missing}"
        )


def _seen_voters(node: Node) -> set[str]:
    """Return who has voted, well signed, on one of the newest blocks of the present federation."""
    latest = node.storage.latest_decision(node.me)
    newest = latest.sequence if latest else 0
    rows = node.storage.decisions(node.me, max(0, newest - _BLOCKS_LOOKED_AT), _BLOCKS_LOOKED_AT)
    undecided = node.storage.open_sightings(node.me, checked=True, limit=_BLOCKS_LOOKED_AT, newest=True)
    ids = [row.block_id for row in rows] + [sighting.block_id for sighting in undecided]
    headers = node.view.headers(ids)
    present = [block_id for block_id, header in headers.items() if header and header.voters == node.federation]
    return {
        member
        for block_id, places in node.storage.votes(present).items()
        for member in node.federation
        if member in places and read_vote(places[member], block_id, member)
    }


def undo(config: Config, changed: Config, node: Node) -> Config | None:
    """Return a configuration without the last change, where `changed` only takes back what nobody has used yet.

    Args:
        config: the present configuration.
        changed: what it would become.
        node: open, as presently configured.

    Returns:
        None where `changed` is another change, or somebody has voted under the present federation.
    """
    if not config.earlier_federations or changed.federation != tuple(sorted(config.earlier_federations[-1])):
        return None
    if _seen_voters(node):
        return None
    return dataclasses.replace(changed, earlier_federations=config.earlier_federations[:-1])


def least_quorum(count: int, quorum: Quorum) -> int:
    """Return how many of so many voters it takes to decide."""
    return next(n for n in range(1, count + 1) if is_quorum(n, count, quorum))


def with_member(config: Config, key: str, *, has_begun: bool) -> Config:
    """Return a configuration for the federation with one more member.

    Args:
        config: the present one.
        key: public key of the member.
        has_begun: there is a ledger already, so that the change is a step in its history.

    Raises:
        ConfigurationError: it is a member already, or no key.
    """
    if key in config.federation:
        raise ConfigurationError(f"keyring: {key} is a member already", field="keyring")
    return _changed(config, (*config.keyring, key), has_begun=has_begun)


def without_member(config: Config, key: str, *, has_begun: bool) -> Config:
    """Return a configuration for the federation without a member.

    Raises:
        ConfigurationError: it is no member, or this node itself, which cannot leave by its own word.
    """
    if key == config.keypair.public:
        raise ConfigurationError("keyring: this node cannot remove itself; the others remove it", field="keyring")
    if key not in config.keyring:
        raise ConfigurationError(f"keyring: {key} is no member", field="keyring")
    return _changed(config, [k for k in config.keyring if k != key], has_begun=has_begun)


def _changed(config: Config, keyring: Iterable[str], *, has_begun: bool) -> Config:
    earlier = (*config.earlier_federations, config.federation) if has_begun else ()
    return dataclasses.replace(config, keyring=tuple(keyring), earlier_federations=earlier)


def adopt(config: Config, history: Sequence[Sequence[str]]) -> Config:
    """Return a configuration for a history of federations, as `keyring list --json` of another member tells it.

    Raises:
        ConfigurationError: this node is no member of the last of them.
        FederationMismatch: two that follow each other differ by more than one member.
    """
    federations = Federations.of(history[-1], history[:-1])
    if config.keypair.public not in federations.present:
        raise ConfigurationError(
            f"keyring: this node, {config.keypair.public}, is no member of that federation", field="keyring"
        )
    keyring = tuple(key for key in federations.present if key != config.keypair.public)
    return dataclasses.replace(config, keyring=keyring, earlier_federations=federations.history[:-1])
