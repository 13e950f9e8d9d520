"""Conditions to lock outputs with, and hostile fulfillments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bigchaindb import cryptoconditions as cc
from bigchaindb.cryptoconditions.codec import encode_base64url, encode_octets, encode_uint
from tests.ledgers import public

if TYPE_CHECKING:
    from bigchaindb.crypto import SigningKey

__all__ = ["escrow", "lock", "oversized", "until"]


def lock(fulfillment: cc.Fulfillment) -> dict[str, Any]:
    """A condition as a transaction holds it, with its details."""
    return {"details": fulfillment.to_json(), "uri": fulfillment.condition_uri}


def until(owner: SigningKey, deadline: str) -> cc.ThresholdSha256Fulfillment:
    """What an owner may have until a deadline."""
    return _both(cc.TimeoutFulfillment(expire_time=deadline), owner)


def after(owner: SigningKey, deadline: str) -> cc.ThresholdSha256Fulfillment:
    """What an owner may have from a deadline on."""
    passed = cc.InvertedThresholdSha256Fulfillment(threshold=1)
    passed.add_subfulfillment(cc.TimeoutFulfillment(expire_time=deadline))
    return _both(passed, owner)


def escrow(before: SigningKey, afterwards: SigningKey, deadline: str) -> cc.ThresholdSha256Fulfillment:
    """What the first may have until the deadline, and the second afterwards."""
    either = cc.ThresholdSha256Fulfillment(threshold=1)
    either.add_subfulfillment(until(before, deadline))
    either.add_subfulfillment(after(afterwards, deadline))
    return either


def _both(condition: cc.Fulfillment, owner: SigningKey) -> cc.ThresholdSha256Fulfillment:
    both = cc.ThresholdSha256Fulfillment(threshold=2)
    both.add_subfulfillment(condition)
    both.add_subfulfillment(cc.Ed25519Fulfillment(public_key=public(owner)[0]))
    return both


def oversized() -> str:
    """A fulfillment that parses, but whose condition would exceed the limits."""
    standins = [cc.Condition(2, 9, bytes([i]) * 32, 65_000).serialize_binary() for i in range(2)]
    entries = [encode_uint(1) + encode_octets(b"") + encode_octets(standin) for standin in standins]
    return "cf:2:" + encode_base64url(encode_uint(2) + encode_uint(2) + b"".join(entries))
