"""Checks that the JSON form of conditions and fulfillments has in common.

Invariants:

- An object has exactly the keys of its type: no meaning hides in a key that somebody else might read.
- Every refusal names the path of the field, as in `fulfillment.subfulfillments[2].public_key`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bigchaindb.crypto import decode_base58
from bigchaindb.cryptoconditions.codec import decode_base64url
from bigchaindb.exceptions import ConditionError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

__all__ = ["base58_field", "base64_field", "integer_field", "keys", "known_bitmask", "text_field"]


def keys(value: Any, expected: AbstractSet[str], where: str) -> dict[str, Any]:
    """Return `value` if it is a dict with exactly the keys expected.

    Raises:
        ConditionError: it is not; the message names the first key (in alphabetical order) that is missing or unknown.
    """
    if not isinstance(value, dict):
        raise ConditionError(f"{where}: is {type(value).__name__}, not an object", field=where)
    if value.keys() != expected:
        missing = sorted(expected - value.keys())
        if missing:
            raise ConditionError(f"{where}: has no {missing[0]!r}", field=f"{where}.{missing[0]}")
        unknown = min(key[:40] if isinstance(key, str) else type(key).__name__ for key in value.keys() - expected)
        raise ConditionError(f"{where}: {unknown!r} is not a key of this type", field=f"{where}.{unknown}")
    return value


def integer_field(value: dict[str, Any], key: str, where: str, lowest: int, highest: int) -> int:
    """Return the integer under `key`, which must be in the range given."""
    number = value[key]
    # A bool is an int to Python, but not to JSON.
    if type(number) is not int or not lowest <= number <= highest:
        path = f"{where}.{key}"
        raise ConditionError(f"{path}: must be an integer from {lowest} to {highest}", field=path)
    return number


def text_field(value: dict[str, Any], key: str, where: str) -> str:
    """Return the text under `key`."""
    text = value[key]
    if not isinstance(text, str):
        path = f"{where}.{key}"
        raise ConditionError(f"{path}: is {type(text).__name__}, not a text", field=path)
    return text


def base64_field(value: dict[str, Any], key: str, where: str) -> bytes:
    """Return the bytes whose base64url is under `key`."""
    return decode_base64url(text_field(value, key, where), f"{where}.{key}")


def base58_field(value: dict[str, Any], key: str, where: str, byte_count: int, max_characters: int) -> bytes:
    """Return the bytes whose base58 is under `key`."""
    path = f"{where}.{key}"
    try:
        return decode_base58(value[key], byte_count, max_characters)
    except ValueError as error:
        raise ConditionError(f"{path} {error}", field=path) from error


def known_bitmask(value: dict[str, Any], features: int, where: str) -> None:
    """Require that `bitmask` says what the structure beneath derives to."""
    bitmask = value["bitmask"]
    if type(bitmask) is not int or bitmask != features:
        path = f"{where}.bitmask"
        raise ConditionError(f"{path}: must be {features} here", field=path)
