"""Fulfilling what a condition's details describe, with the keys and secrets at hand.

Invariants:

- Pure: nothing given is changed, no clock is read; the same arguments give the same fulfillment.
- Of the subs of a threshold just enough are fulfilled that none can be left out, and of all such choices the one that
  adds least to the payload; the others become conditions.  So the outcome is valid, and serialises as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.cryptoconditions import deadline
from bigchaindb.cryptoconditions.choices import best_walk
from bigchaindb.cryptoconditions.codec import as_bytes
from bigchaindb.cryptoconditions.condition import Condition
from bigchaindb.cryptoconditions.fulfillment import Fulfillment
from bigchaindb.cryptoconditions.leaves import Ed25519Fulfillment, PreimageSha256Fulfillment
from bigchaindb.cryptoconditions.prefix import PrefixSha256Fulfillment
from bigchaindb.cryptoconditions.threshold import InvertedThresholdSha256Fulfillment, ThresholdSha256Fulfillment
from bigchaindb.exceptions import CannotFulfil, ConditionError

if TYPE_CHECKING:
    from bigchaindb.crypto import SigningKey
    from bigchaindb.cryptoconditions.fulfillment import Node

__all__ = ["fulfil", "sign_parts"]

_SHOWN_OBSTACLES: Final = 16


def fulfil(  # noqa: PLR0913 - what it takes to fulfil
    fulfillment: Node,
    message: str | bytes,
    signing_keys: Mapping[str, SigningKey],
    secrets: Iterable[str | bytes] = (),
    now: str | None = None,
    *,
    signatures: Iterable[Ed25519Fulfillment] = (),
) -> Fulfillment:
    """Return a valid fulfillment of a structure with nothing to spare.

    Signatures that are in place already and are right for the message are used where their key is not given, so
    several owners can sign one after the other.  A bare condition can be fulfilled where it is a hash lock and its
    secret is among `secrets`, or a single key that is given.

    Args:
        fulfillment: the structure, as read from JSON details; a `Condition` where nothing more is told.
        message: what to sign; a str stands for its UTF-8.
        signing_keys: private keys by their public keys in base58.
        secrets: preimages to try on hash locks; a str stands for its UTF-8.
        now: Unix seconds as decimal text; without it deadlines count as met, and only the keys decide.
        signatures: what `sign_parts` returned elsewhere; those that are for another message are left aside.

    Raises:
        CannotFulfil: it takes other keys, secrets or another time; `missing_keys` names the public keys.
        ConditionError: an argument is malformed, or the structure breaks a limit.
    """
    _check_arguments(fulfillment, signing_keys)
    if not isinstance(secrets, Iterable) or isinstance(secrets, str | bytes):
        raise ConditionError("secrets: must be a list of secrets, not a single one", field="secrets")
    secret_bytes = [as_bytes(secret, "secret") for secret in secrets]
    attempt = _Attempt(
        signing_keys,
        {hashlib.sha256(secret).digest(): secret for secret in secret_bytes},
        None if now is None else deadline.microseconds(now),
        _checked_signatures(signatures),
    )
    fulfilled = attempt.fulfil(fulfillment, as_bytes(message, "message"))
    if fulfilled is None:
        raise attempt.error()
    return fulfilled


def _checked_signatures(signatures: Any) -> list[Ed25519Fulfillment]:
    is_list = isinstance(signatures, Iterable) and not isinstance(signatures, str | bytes | dict)
    given = list(signatures) if is_list else [signatures]
    for i, signature in enumerate(given):
        if not isinstance(signature, Ed25519Fulfillment):
            problem = f"must be what `sign_parts` returned, not a {type(signature).__name__}"
            raise ConditionError(f"signatures[{i}]: {problem}", field=f"signatures[{i}]")
    return given


def sign_parts(
    fulfillment: Node, message: str | bytes, signing_keys: Mapping[str, SigningKey]
) -> list[Ed25519Fulfillment]:
    """Return the signatures that these keys can add to a structure, for whoever fulfils it in the end.

    So the owners can sign each on a machine of their own: what they return goes into `fulfil`.

    Args:
        fulfillment: the structure, as read from JSON details; a `Condition` where nothing more is told.
        message: what to sign; a str stands for its UTF-8.
        signing_keys: private keys by their public keys in base58.

    Raises:
        ConditionError: an argument is malformed, or the structure breaks a limit.
    """
    _check_arguments(fulfillment, signing_keys)
    signed = []
    stack = [(fulfillment, as_bytes(message, "message"))]
    while stack:
        node, data = stack.pop()
        match node:
            case PrefixSha256Fulfillment():
                stack.append((node.subfulfillment, node.prefix + data))
            case ThresholdSha256Fulfillment():
                stack.extend((sub.body, data) for sub in reversed(node.subconditions))
            case Ed25519Fulfillment() | Condition():
                leaf = _as_signature(node)
                if leaf is not None and leaf.public_key in signing_keys:
                    leaf.sign(data, signing_keys[leaf.public_key])
                    signed.append(leaf)
    return signed


def _check_arguments(fulfillment: Node, signing_keys: Mapping[str, SigningKey]) -> None:
    if not isinstance(fulfillment, Fulfillment | Condition):
        problem = f"is {type(fulfillment).__name__}, not a Fulfillment or Condition"
        raise ConditionError(f"fulfillment: {problem}", field="fulfillment")
    if not isinstance(signing_keys, Mapping):
        problem = f"is {type(signing_keys).__name__}, not a mapping from public keys"
        raise ConditionError(f"signing_keys: {problem}", field="signing_keys")
    if not isinstance(fulfillment, Condition):
        fulfillment.check()


def _as_signature(node: Ed25519Fulfillment | Condition) -> Ed25519Fulfillment | None:
    """Return an unsigned leaf of the caller's own; None for a condition that is not that of a single key."""
    if isinstance(node, Ed25519Fulfillment):
        return Ed25519Fulfillment(node.public_key)
    if node.type_id == Ed25519Fulfillment.type_id:
        # The fingerprint of a single key is the key.
        leaf = Ed25519Fulfillment(node.fingerprint)
        if leaf.condition == node:
            return leaf
    return None


class _Attempt:
    """One attempt to fulfil a structure, and what stood in its way."""

    __slots__ = ("_now", "_obstacles", "_secrets", "_signatures", "_signing_keys")

    def __init__(
        self,
        signing_keys: Mapping[str, SigningKey],
        secrets: dict[bytes, bytes],
        now_microseconds: int | None,
        signatures: list[Ed25519Fulfillment],
    ) -> None:
        self._signing_keys = signing_keys
        self._signatures = signatures
        self._secrets = secrets
        self._now = now_microseconds
        # Missing public keys as (key, ""), anything else as ("", reason).
        self._obstacles: list[tuple[str, str]] = []

    def error(self) -> CannotFulfil:
        """Return the error that names all obstacles."""
        keys = tuple(dict.fromkeys(key for key, _ in self._obstacles if key))
        reasons = list(dict.fromkeys(reason for _, reason in self._obstacles if reason))
        if keys:
            more = f" and {len(keys) - _SHOWN_OBSTACLES} more" if len(keys) > _SHOWN_OBSTACLES else ""
            reasons.insert(0, f"no private key for {', '.join(keys[:_SHOWN_OBSTACLES])}{more}")
        return CannotFulfil(f"cannot be fulfilled: {'; '.join(reasons[:_SHOWN_OBSTACLES])}", missing_keys=keys)

    def fulfil(self, node: Node, message: bytes) -> Fulfillment | None:
        """Return a node fulfilled, or None after noting why not."""
        match node:
            case Condition():
                return self._condition(node, message)
            case Ed25519Fulfillment():
                return self._signature(node, message)
            case PrefixSha256Fulfillment():
                beneath = self.fulfil(node.subfulfillment, node.prefix + message)
                return None if beneath is None else PrefixSha256Fulfillment(node.prefix, beneath)
            case ThresholdSha256Fulfillment():
                return self._threshold(node, message)
            case InvertedThresholdSha256Fulfillment():
                # What is returned must not change with what was given.
                unlocked = InvertedThresholdSha256Fulfillment(node.threshold)
                unlocked.subconditions = node.subconditions
                node = unlocked
        # A secret, or a deadline: nothing is to be added.
        if self._now is None or node.holds(message, self._now):
            return node
        self._obstacles.append(("", f"a deadline of {node.condition_uri} stands in the way"))
        return None

    def _condition(self, condition: Condition, message: bytes) -> Fulfillment | None:
        secret = self._secrets.get(condition.fingerprint)
        if secret is not None:
            unlocked = PreimageSha256Fulfillment(secret)
            if unlocked.condition == condition:
                return unlocked
        signature = _as_signature(condition)
        if signature is not None:
            return self._signature(signature, message)
        self._obstacles.append(("", f"no secret or key given fulfils {condition.condition_uri}"))
        return None

    def _signature(self, leaf: Ed25519Fulfillment, message: bytes) -> Fulfillment | None:
        signing_key = self._signing_keys.get(leaf.public_key)
        if signing_key is not None:
            signed = Ed25519Fulfillment(leaf.public_key)
            signed.sign(message, signing_key)
            return signed
        for made in (leaf, *self._signatures):
            if made.public_key == leaf.public_key and made.holds(message, 0):
                return Ed25519Fulfillment(made.public_key, made.signature)
        self._obstacles.append((leaf.public_key, ""))
        return None

    def _threshold(self, node: ThresholdSha256Fulfillment, message: bytes) -> Fulfillment | None:
        obstacles_before = len(self._obstacles)
        subs = node.subconditions
        fulfilled: dict[int, Fulfillment] = {}
        for i, sub in enumerate(subs):
            body = self.fulfil(sub.body, message)
            if body is not None:
                fulfilled[i] = body
        if sum(subs[i].weight for i in fulfilled) < node.threshold:
            return None
        # It works without them.
        del self._obstacles[obstacles_before:]

        # Walking by descending weight and stopping at the threshold meets just the minimal choices.  Later subs come
        # first among equals, for on a tie the walk leaves out what comes first.
        order = sorted(fulfilled, key=lambda i: (subs[i].weight, i), reverse=True)
        choices = []
        for i in order:
            added_bytes = len(fulfilled[i].encode()) - len(subs[i].body.derive().serialize_binary())
            choices.append((subs[i].weight, -added_bytes, 0))
        kept = {order[position] for position in best_walk(choices, node.threshold)}

        outcome = ThresholdSha256Fulfillment(node.threshold)
        for i, sub in enumerate(subs):
            if i in kept:
                outcome.add_subfulfillment(fulfilled[i], sub.weight)
            else:
                outcome.add_subcondition(sub.body.derive(), sub.weight)
        return outcome
