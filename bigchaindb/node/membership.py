"""Changing the federation: one member at a time, and not before a quorum uses the last change (design.md 3.3).

Invariants:

- Every step keeps one member's distance, so that quorums before and after share a node.
- A member's history is added to, never shortened or changed, but for a last step that nobody has used.
- A configuration is changed, never storage: each operator changes the own node's.
- Who uses a federation says so by a signed pledge in storage, when its voter takes the seat: from then on its journal
  holds it to that.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from bigchaindb.consensus.tally import is_quorum
from bigchaindb.crypto import VerifyingKey
from bigchaindb.exceptions import BlockError, ConfigurationError, Fenced, InvalidKey, LedgerError
from bigchaindb.model.federations import Federations
from bigchaindb.model.pledge import Pledge
from bigchaindb.model.timestamp import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bigchaindb.config import Config
    from bigchaindb.model.genesis import Quorum
    from bigchaindb.node.node import Node

__all__ = [
    "adopt",
    "check_extends",
    "check_may_adopt",
    "check_may_change",
    "is_behind",
    "least_quorum",
    "not_seen",
    "pledge",
    "undo",
    "with_member",
    "without_member",
]

_TRIES: Final = 20


def check_may_change(node: Node) -> None:
    """Check that the present federation is in use, so that another may follow it.

    Raises:
        LedgerError: a quorum of its members does not use it yet; the message names who is waited for.
    """
    missing = not_seen(node)
    if missing:
        raise LedgerError(
            f"keyring: the last change is not in use yet: {len(node.federation) - len(missing)} of "
            f"{len(node.federation)} members have started with it, and a quorum must; not seen: {', '.join(missing)}"
        )


def not_seen(node: Node) -> tuple[str, ...]:
    """Return who has not been seen to use the present federation; none once a quorum has."""
    history = node.federations.history
    if len(history) == 1:
        return ()  # the founding federation needs no proof
    users = _users(node, history, node.federation)
    if is_quorum(len(users), len(node.federation), node.quorum):
        return ()
    return tuple(member for member in node.federation if member not in users)


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
    users = _users(node, adopted[:-1], before)
    if not is_quorum(len(users), len(before), node.quorum) and not is_quorum(
        len(_users(node, adopted, last)), len(last), node.quorum
    ):
        missing = ", ".join(member for member in before if member not in users)
        raise LedgerError(
            f"keyring: federation {len(adopted) - 1} of that history is not in use yet, and another may not follow it: "
            f"{len(users)} of {len(before)} members have started with it, and a quorum must; not seen: {missing}"
        )


def pledge(node: Node) -> None:
    """Say, for others to see, that this node uses the federations it is configured for, and goes back to none before.

    Whoever says so has written it into the journal before.

    Raises:
        StorageError: it is not known whether that was stored; say it again.
        Fenced: somebody else says something in this node's name again and again.
    """
    name = _register(node.me)
    for _ in range(_TRIES):
        standing = node.storage.registers([name]).get(name)
        told = _pledge_in(standing, node) if standing else None
        if told and told.node == node.me and told.federations == node.federations.history:
            return
        new = Pledge.sign(node.ledger, node.federations.history, format_timestamp(node.clock()), node.key)
        if node.storage.swap_register(name, standing, new.text):
            return
    raise Fenced("another voter of this node says again and again which federation it uses")


def is_behind(node: Node) -> bool:
    """Tell whether a member that this node knows has pledged to use a federation that this node does not know yet."""
    history = node.federations.history
    members = {member for federation in history for member in federation}
    return bool(_users(node, history, members, beyond=True))


def _users(node: Node, history: Sequence[tuple[str, ...]], members: Iterable[str], *, beyond: bool = False) -> set[str]:
    """Return which of these members have pledged to use a history, or one that goes on from it; or only the latter."""
    names = {_register(member): member for member in members}
    users = set()
    for name, text in node.storage.registers(list(names)).items():
        told = _pledge_in(text, node)
        if told is None or told.node != names[name] or told.federations[: len(history)] != tuple(history):
            continue
        if not beyond or len(told.federations) > len(history):
            users.add(told.node)
    return users


def _pledge_in(text: str, node: Node) -> Pledge | None:
    try:
        told = Pledge.from_text(text)
    except BlockError:
        return None
    return told if told.ledger == node.ledger else None


def _register(node: str) -> str:
    return f"pledge/{node}"


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


def undo(config: Config, changed: Config, node: Node) -> Config | None:
    """Return a configuration without the last change, where `changed` only takes back what nobody has used yet.

    Args:
        config: the present configuration.
        changed: what it would become.
        node: open, as presently configured.

    Returns:
        None where `changed` is another change, or somebody uses the present federation.
    """
    if not config.earlier_federations or changed.federation != tuple(sorted(config.earlier_federations[-1])):
        return None
    if _users(node, node.federations.history, node.federation):
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
    try:
        VerifyingKey(key)
    except InvalidKey:
        raise ConfigurationError("keyring: KEY is not a public key: base58 of 32 bytes", field="keyring") from None
    if key == config.keypair.public:
        raise ConfigurationError("keyring: this node is a member already; add the others", field="keyring")
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
