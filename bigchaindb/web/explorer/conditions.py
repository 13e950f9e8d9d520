"""What a condition asks for, as a tree of branches that can be drawn and read out.

Invariants:

- A branch says nothing that the condition does not: where only a hash is told, it says that.
- Depth and number of branches are those of `bigchaindb.cryptoconditions.limits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from bigchaindb import cryptoconditions as cc
from bigchaindb.crypto import VerifyingKey
from bigchaindb.cryptoconditions import deadline
from bigchaindb.web.explorer.texts import cut, plain_time, short

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Branch", "Kind", "read_condition"]

_SHOWN_SECRET: Final = 60
_SECOND: Final = 1_000_000


class Kind(StrEnum):
    """What a branch asks for."""

    KEY = "key"
    SECRET = "secret"  # noqa: S105 - a kind of lock
    DEADLINE = "deadline"
    WAIT = "wait"
    THRESHOLD = "threshold"
    PREFIX = "prefix"
    SEALED = "sealed"


@dataclass(frozen=True, slots=True)
class Branch:
    """One node of a condition.

    Attributes:
        kind: what it asks for.
        label: that in a few characters.
        words: that in a sentence's part; ends with a colon where more stands beneath.
        key: the public key whose signature it asks for, or None.
        weight: what it counts towards the threshold above it.
        beneath: what stands beneath.
    """

    kind: Kind
    label: str
    words: str
    key: str | None = None
    weight: int = 1
    beneath: tuple[Branch, ...] = ()


def read_condition(condition: Mapping[str, Any]) -> Branch:
    """Return the branches of `condition` in a transaction's output, which was checked when it was read."""
    details = condition.get("details")
    return _branch(cc.Condition.from_uri(condition["uri"]) if details is None else cc.from_details(details), 1)


def _branch(node: cc.Node, weight: int) -> Branch:
    match node:
        case cc.Condition():
            return _of_hash(node, weight)
        case cc.Ed25519Fulfillment():
            return _of_key(node.public_key, weight)
        case cc.InvertedThresholdSha256Fulfillment():
            return _of_wait(node, weight)
        case cc.ThresholdSha256Fulfillment():
            return _of_threshold(node, weight)
        case _:
            return _of_other(node, weight)


def _of_other(node: cc.Fulfillment, weight: int) -> Branch:
    match node:
        case cc.PreimageSha256Fulfillment():
            secret = cut(node.preimage.decode(errors="backslashreplace"), _SHOWN_SECRET)
            return Branch(Kind.SECRET, "secret, told", f"the secret “{secret}”, which is told here", weight=weight)
        case cc.TimeoutFulfillment():
            moment = _time(node)
            return Branch(Kind.DEADLINE, f"until {moment}", f"no later than {moment} UTC", weight=weight)
        case cc.PrefixSha256Fulfillment():
            words = f"what follows, over a prefix of {len(node.prefix):,} bytes and the message:"
            return Branch(Kind.PREFIX, "prefix", words, weight=weight, beneath=(_branch(node.subfulfillment, 1),))
        case _:
            raise TypeError(f"{type(node).__name__} is no node of a condition")


def _of_key(key: str, weight: int) -> Branch:
    return Branch(Kind.KEY, short(key), f"a signature by {key}", key, weight)


def _of_threshold(node: cc.ThresholdSha256Fulfillment, weight: int) -> Branch:
    subs = node.subconditions
    beneath = tuple(_branch(sub.body, sub.weight) for sub in subs)
    if all(sub.weight == 1 for sub in subs):
        label = f"{node.threshold} of {len(subs)}"
        words = f"{node.threshold} of these {len(subs)}:" if len(subs) > 1 else "this:"
    else:
        total = sum(sub.weight for sub in subs)
        label = f"weight {node.threshold:,} of {total:,}"
        words = f"a weight of {node.threshold:,} out of {total:,}:"
    return Branch(Kind.THRESHOLD, label, words, weight=weight, beneath=beneath)


def _of_wait(node: cc.InvertedThresholdSha256Fulfillment, weight: int) -> Branch:
    subs = node.subconditions
    deadlines = [(sub.body, sub.weight) for sub in subs if isinstance(sub.body, cc.TimeoutFulfillment)]
    if len(deadlines) == 1:
        moment = _time(deadlines[0][0])
        return Branch(Kind.WAIT, f"after {moment}", f"later than {moment} UTC", weight=weight)
    beneath = tuple(_branch(body, each) for body, each in deadlines)
    words = f"that less than {node.threshold:,} of these deadlines still holds:"
    return Branch(Kind.WAIT, f"below {node.threshold}", words, weight=weight, beneath=beneath)


def _of_hash(node: cc.Condition, weight: int) -> Branch:
    if node.type_id == cc.Ed25519Fulfillment.type_id:
        # The one type whose hash is no hash: it is the key.
        return _of_key(str(VerifyingKey(node.fingerprint)), weight)
    digest = node.fingerprint.hex()
    if node.type_id == cc.PreimageSha256Fulfillment.type_id:
        return Branch(Kind.SECRET, f"hash {short(digest)}", f"the secret whose SHA-256 is {digest}", weight=weight)
    words = f"a condition of type {node.type_id}, of which only the hash {digest} is told"
    return Branch(Kind.SEALED, f"sealed {short(digest)}", words, weight=weight)


def _time(node: cc.TimeoutFulfillment) -> str:
    micros = deadline.microseconds(node.expire_time)
    return plain_time(f"{micros // _SECOND}.{micros % _SECOND:06d}")
