"""Threshold payloads made by hand, byte by byte, as only somebody makes them who wants to get around a condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigchaindb.cryptoconditions.codec import encode_base64url, encode_octets, encode_uint

if TYPE_CHECKING:
    from bigchaindb import cryptoconditions as cc

__all__ = ["Sub", "as_condition", "as_fulfillment", "binary", "payload", "uri"]

THRESHOLD, INVERTED = 2, 98


@dataclass(frozen=True)
class Sub:
    """What stands beneath a threshold: binary fulfillment or binary condition, and its weight."""

    fulfillment: bytes = b""
    condition: bytes = b""
    weight: int = 1


def as_fulfillment(of: cc.Fulfillment | bytes, weight: int = 1) -> Sub:
    """Present as a fulfillment."""
    return Sub(fulfillment=of if isinstance(of, bytes) else of.serialize_binary(), weight=weight)


def as_condition(of: cc.Fulfillment, weight: int = 1) -> Sub:
    """Left out: only its condition stands there."""
    return Sub(condition=of.condition.serialize_binary(), weight=weight)


def payload(threshold: int, *subs: Sub) -> bytes:
    """The payload of a threshold, its subs sorted as they must be."""
    entries = [encode_uint(s.weight) + encode_octets(s.fulfillment) + encode_octets(s.condition) for s in subs]
    entries.sort(key=lambda entry: (len(entry), entry))
    return encode_uint(threshold) + encode_uint(len(entries)) + b"".join(entries)


def binary(type_id: int, content: bytes) -> bytes:
    """A fulfillment in binary."""
    return type_id.to_bytes(2) + encode_octets(content)


def uri(type_id: int, content: bytes) -> str:
    """A fulfillment as URI."""
    return f"cf:{type_id:x}:{encode_base64url(content)}"
