"""Changing the federation: one member at a time, and not before a quorum uses the last change (design.md 3.3).

Invariants:

- Every step keeps one member's distance, so that quorums before and after share a node.
- A member's history is added to, never shortened or changed, but for a last step that nobody has used.
- A configuration is changed, never storage: each operator changes the own node's.
- Nobody's word is taken for a vote: who uses a federation is told by well-signed votes on its blocks, in storage.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from bigchaindb.consensus.tally import is_quorum
from bigchaindb.exceptions import ConfigurationError, LedgerError
from bigchaindb.model.federations import Federations
from bigchaindb.node.view import read_vote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bigchaindb.config import Config
    from bigchaindb.model.block import Header
    from bigchaindb.model.genesis import Quorum
    from bigchaindb.node.node import Node

__all__ = [
    "adopt",
    "check_extends",
    "check_may_adopt",
    "check_may_change",
    "least_quorum",
    "not_seen",
    "undo",
    "with_member",
    "without_member",
]

_BLOCKS_LOOKED_AT: Final = 500


def check_may_change(node: Node) -> None:
    """Check that the present federation is in use, so that another may follow it.

    Raises:
        LedgerError: a quorum of its members has not voted under it yet; the message names who is waited for.
    """
    missing = not_seen(node)
    if missing:
        raise LedgerError(
            f"keyring: the last change is not in use yet: {len(node.federation) - len(missing)} of "
            f"{len(node.federation)} members have voted under it, and a quorum must; not seen: {', '.join(missing)}"
        )


def not_seen(node: Node) -> tuple[str, ...]:
    """Return who has not been seen to use the present federation; none once a quorum has."""
    if len(node.federations.history) == 1:
        return ()
    seen = _seen_voters(node)
    if is_quorum(len(seen), len(node.federation), node.quorum):
        return ()
    return tuple(member for member in node.federation if member not in seen)


def check_may_adopt(node: Node, history: Sequence[Sequence[str]]) -> None:
    """Check that a member may go on with a history of federations.

    However many changes it has missed: where a quorum uses a federation, the steps before that were taken by its rules.

    Args:
        node: open, as presently configured.
        history: what to adopt; the last is to be the present one.

    Raises:
        ConfigurationError: the history lacks what this node knows, or tells it otherwise.
        LedgerError: its last step is from a federation that is not in use yet; the message names who is waited for.
    """
    known, adopted = node.federations.history, Federations.of(history[-1], history[:-1]).history
    check_extends(known, adopted)
    if len(adopted) <= max(len(known), 2):  # the founding federation needs no proof that it was in use
        return
    before, last = adopted[-2:]
    # What others have decided meanwhile this node may not have looked at yet.
    blocks = _newest_blocks(node, {member for members in adopted for member in members})
    seen = _voters_of(node, blocks, before)
    if not any(
        is_quorum(len(voters), len(members), node.quorum)
        for members, voters in ((before, seen), (last, _voters_of(node, blocks, last)))
    ):
        missing = ", ".join(member for member in before if member not in seen)
        raise LedgerError(
            f"keyring: federation {len(adopted) - 1} of that history is not in use yet, and another may not follow it: "
            f"{len(seen)} of {len(before)} members have voted under it, and a quorum must; not seen: {missing}"
        )


def check_extends(known: Sequence[tuple[str, ...]], adopted: Sequence[tuple[str, ...]]) -> None:
    """Check that a history begins with another one; members are sorted in both.

    Raises:
        ConfigurationError: naming the first federation that is missing or another.
    """
    for number, members in enumerate(known, 1):
        if number > len(adopted):
            problem = "is missing in that history, which may be an old one"
        elif adopted[number - 1] != members:
            problem = "is another one in that history"
        else:
            continue
        raise ConfigurationError(
            f"keyring: federation {number} of the {len(known)} that this node knows {problem}; a history is only added "
            "to (what nobody has used yet, `keyring add` or `keyring remove` takes back)",
            field="earlier_federations",
        )


def _seen_voters(node: Node) -> set[str]:
    """Return who has voted, well signed, on one of the newest blocks of the present federation."""
    # This node may not have looked yet at what the others have decided under it.
    members = {member for federation in node.federations.history for member in federation}
    return _voters_of(node, _newest_blocks(node, members), node.federation)


def _newest_blocks(node: Node, deciders: Iterable[str]) -> dict[str, Header | None]:
    """Return the newest blocks that these members have decided, and that this node has not."""
    undecided = node.storage.open_sightings(node.me, checked=True, limit=_BLOCKS_LOOKED_AT, newest=True)
    ids = {sighting.block_id for sighting in undecided}
    for member in deciders:
        latest = node.storage.latest_decision(member)
        after = max(0, latest.sequence - _BLOCKS_LOOKED_AT) if latest else 0
        ids.update(row.block_id for row in node.storage.decisions(member, after, _BLOCKS_LOOKED_AT))
    return node.view.headers(ids)


def _voters_of(node: Node, blocks: Mapping[str, Header | None], federation: tuple[str, ...]) -> set[str]:
    """Return which members of a federation have voted, well signed, on one of these blocks that is for it."""
    its_own = [block_id for block_id, header in blocks.items() if header and header.voters == federation]
    return {
        member
        for block_id, places in node.storage.votes(its_own).items()
        for member in federation
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
