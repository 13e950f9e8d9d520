"""The worst that we could think of: each is refused with a ConditionError, or costs next to nothing.

No time is asserted but one that is absurdly generous: what would hang, hangs for ever.
"""

from __future__ import annotations

import json
import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb import cryptoconditions as cc
from bigchaindb.cryptoconditions.codec import encode_base64url, encode_octets, encode_uint
from bigchaindb.exceptions import ConditionError

from .structures import signing_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bigchaindb.crypto import SigningKey

RNG = random.Random(5)
HANGING_SECONDS = 20
NOW = "1460981667.449279"


@contextmanager
def at_once() -> Iterator[None]:
    """Require that something takes nothing like what the naive way of doing it would."""
    start = time.process_time()
    yield
    assert time.process_time() - start < HANGING_SECONDS


def uri(type_id: int, payload: bytes) -> str:
    return f"cf:{type_id:x}:{encode_base64url(payload)}"


def framed(type_id: int, payload: bytes) -> bytes:
    return type_id.to_bytes(2) + encode_octets(payload)


def as_fulfillment(weight: int, binary: bytes) -> bytes:
    return encode_uint(weight) + encode_octets(binary) + b"\x00"


def stand_in(weight: int) -> bytes:
    condition = cc.Condition(RNG.choice([0, 4]), RNG.choice([3, 32]), RNG.randbytes(32), RNG.randrange(120))
    return encode_uint(weight) + b"\x00" + encode_octets(condition.serialize_binary())


def threshold(required: int, entries: list[bytes]) -> bytes:
    ordered = sorted(entries, key=lambda entry: (len(entry), entry))
    return encode_uint(required) + encode_uint(len(entries)) + b"".join(ordered)


def nested(depth: int, wrap: Callable[[bytes], bytes]) -> bytes:
    """Return a payload for `wrap`'s type with so many levels, a secret at the bottom."""
    binary = framed(0, b"x")
    for _ in range(depth - 2):
        binary = wrap(binary)
    return binary


def in_threshold(binary: bytes) -> bytes:
    return framed(2, threshold(1, [as_fulfillment(1, binary)]))


def in_prefix(binary: bytes) -> bytes:
    return framed(1, encode_octets(b"") + binary)


# --- refused -------------------------------------------------------------------------------------------------


def weighing(weights: list[int], required: int) -> str:
    return uri(2, threshold(required, [stand_in(weight) for weight in weights]))


SECRET = as_fulfillment(1, framed(0, b""))
REFUSED = {
    "nine levels of thresholds": uri(2, threshold(1, [as_fulfillment(1, nested(9, in_threshold))])),
    "nine levels of prefixes": uri(1, encode_octets(b"") + nested(9, in_prefix)),
    "thousands of levels of thresholds": uri(2, threshold(1, [as_fulfillment(1, nested(4_000, in_threshold))])),
    "thousands of levels of prefixes": uri(1, encode_octets(b"") + nested(9_000, in_prefix)),
    "512 subs, so 513 nodes": uri(2, threshold(1, [SECRET] * 512)),
    "512 stand-ins": weighing([1] * 512, 1),
    "600 nodes in three thresholds": uri(
        2, threshold(1, [as_fulfillment(1, framed(2, threshold(1, [SECRET] * 200)))] * 3)
    ),
    "10,000 subs": uri(2, threshold(1, [SECRET] * 10_000)),
    "a count of 16 million": uri(2, encode_uint(1) + encode_uint(1 << 24) + SECRET * 9_000),
    "a count of 64 KB": uri(2, encode_uint(1) + encode_octets(b"\xff" * 65_000)),
    "a threshold of 64 KB": uri(2, encode_octets(b"\xff" * 65_000)),
    "a weight of 64 KB": uri(2, encode_uint(1) + encode_uint(1) + encode_octets(b"\xff" * 65_000)),
    "a weight of 2^53": weighing([2**53], 1),
    "257 of 257": weighing([1] * 257, 257),
    "511 x 129": weighing([1] * 511, 129),
    "1 x 65,537": weighing([65_537], 65_537),
    "a length of 2^1016": "cf:2:" + encode_base64url(b"\xff" * 128),
    "a payload of 65,536 bytes": uri(0, bytes(65_536)),
    "a megabyte": "cf:0:" + "A" * 1_000_000,
    "a megabyte of nothing": "A" * 1_000_000,
    "a megabyte of colons": ":" * 1_000_000,
    "a megabyte of type": "cf:" + "0" * 1_000_000 + ":",
    "digits of other alphabets": "cf:\u0660:",
    "trailing bits": "cf:0:AB",
    "padding": "cf:0:AA==",
    "upper-case hexadecimal": "cf:6F:",
    "conditions that could be longer than the limit": weighing([1] * 2, 2).replace("cf:2", "cc:2"),
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_it_is_refused(text: str) -> None:
    with at_once(), pytest.raises(ConditionError) as caught:
        cc.Fulfillment.from_uri(text)
    assert len(str(caught.value)) < 1000


def told(**fields: Any) -> dict[str, Any]:
    return {"type": "fulfillment", "type_id": 2, "bitmask": 11, "threshold": 1, **fields}


SECRET_JSON = {**cc.PreimageSha256Fulfillment("").to_json(), "weight": 1}
KEY_JSON = cc.Ed25519Fulfillment(signing_key(b"k" * 32).verifying_key).to_json()


def deep_json(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = cc.PreimageSha256Fulfillment("").to_json()
    for _ in range(depth - 1):
        value = {"type": "fulfillment", "type_id": 1, "bitmask": 7, "prefix_base64": "", "subfulfillment": value}
    return value


def own_child() -> dict[str, Any]:
    value = told()
    value["subfulfillments"] = [{**SECRET_JSON}, value]
    value["weight"] = 1
    return value


REFUSED_JSON: dict[str, dict[Any, Any]] = {
    "nine levels": deep_json(9),
    "a hundred thousand levels": deep_json(100_000),
    "an object within itself": told(subfulfillments=[own_child()]),
    "512 subs": told(subfulfillments=[SECRET_JSON] * 512),
    "a million subs": told(subfulfillments=[SECRET_JSON] * 1_000_000),
    "600 nodes in three thresholds": told(
        subfulfillments=[{**told(subfulfillments=[SECRET_JSON] * 200), "weight": 1}] * 3
    ),
    "257 of 257": told(subfulfillments=[SECRET_JSON] * 257, threshold=257),
    "a weight of 10^5000": told(subfulfillments=[{**SECRET_JSON, "weight": 10**5000}]),
    "a threshold of 10^5000": told(subfulfillments=[SECRET_JSON], threshold=10**5000),
    "a bitmask of 10^5000": {**KEY_JSON, "bitmask": 10**5000},
    "a type of 10^5000": {**KEY_JSON, "type_id": 10**5000},
    "a key of a megabyte": {**KEY_JSON, "public_key": "z" * 1_000_000},
    "a signature of a megabyte": {**KEY_JSON, "signature": "z" * 1_000_000},
    "a prefix of a megabyte": {**deep_json(2), "prefix_base64": "A" * 1_000_000},
    "a secret of a megabyte": {**cc.PreimageSha256Fulfillment("").to_json(), "preimage": "x" * 1_000_000},
    "a deadline of a megabyte": {**cc.TimeoutFulfillment(NOW).to_json(), "expire_time": "1" * 1_000_000},
    "a key of a megabyte's name": {**KEY_JSON, "x" * 1_000_000: 1},
    "a number for a key's name": {**KEY_JSON, 10**5000: 1},
}


@pytest.mark.parametrize("value", REFUSED_JSON.values(), ids=REFUSED_JSON)
def test_its_json_is_refused(value: dict[str, Any]) -> None:
    with at_once(), pytest.raises(ConditionError) as caught:
        cc.Fulfillment.from_json(value)
    assert len(str(caught.value)) < 1000


# --- read, at no great cost ----------------------------------------------------------------------------------


def many_tables(count: int) -> str:
    """Return as many thresholds of so many subs as fit, each with the largest table and no structure to exploit."""
    required = 65_536 // count
    weights = range(required // count + 1, 4 * required // count + 2)
    entries = [
        as_fulfillment(1, framed(2, threshold(required, [stand_in(RNG.choice(weights)) for _ in range(count)])))
        for _ in range(510 // (count + 1))
    ]
    return uri(2, threshold(1, entries))


READ = {
    "eight levels of thresholds": uri(2, threshold(1, [as_fulfillment(1, nested(8, in_threshold))])),
    "eight levels of prefixes": uri(1, encode_octets(b"") + nested(8, in_prefix)),
    "511 subs": uri(2, threshold(128, [SECRET] * 511)),
    "511 stand-ins of any weight": weighing([RNG.randint(1, 40) for _ in range(511)], 128),
    "256 stand-ins of any weight": weighing([RNG.randint(1, 9) for _ in range(256)], 256),
    "40 subs, which the reference would try in 2^40 ways": weighing([RNG.randint(30, 60) for _ in range(40)], 900),
    "the largest weights": weighing([2**53 - 1] * 511, 128),
    "one large threshold": weighing([65_536], 65_536),
    "the largest secret": uri(0, bytes(65_535)),
    "a large secret at the eighth level": uri(
        2, threshold(1, [as_fulfillment(1, nested(8, in_threshold).replace(b"\x00\x00\x01x", b"\x00\x00\x01y"))])
    ),
    **{f"largest tables of {count} subs": many_tables(count) for count in (3, 8, 12, 16, 24, 64, 127)},
}


@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_it_is_read_derived_and_judged(text: str) -> None:
    with at_once():
        fulfillment = cc.Fulfillment.from_uri(text)
        assert fulfillment.condition.max_fulfillment_length <= 65_535
        fulfillment.validate("message", NOW)
        told_again = cc.Fulfillment.from_json(json.loads(fulfillment.serialize_json()))
        assert told_again.condition_uri == fulfillment.condition_uri


def test_choosing_what_to_serialise_takes_no_exponential_time() -> None:
    with at_once():
        fulfillment = cc.ThresholdSha256Fulfillment(threshold=600)
        for i in range(100):
            fulfillment.add_subfulfillment(cc.PreimageSha256Fulfillment(bytes(RNG.randrange(90))), 7 + i * 37 % 41)
        assert cc.Fulfillment.from_uri(fulfillment.serialize_uri()).condition == fulfillment.condition


def test_choosing_whom_to_let_sign_takes_no_exponential_time() -> None:
    private_keys = {str(key.verifying_key): key for key in (signing_key(bytes([i]) * 32) for i in range(1, 61))}
    locked = cc.ThresholdSha256Fulfillment(threshold=1000)
    for i, public_key in enumerate(private_keys):
        locked.add_subfulfillment(cc.Ed25519Fulfillment(public_key=public_key), 30 + i * 31 % 17)
    with at_once():
        fulfilled = cc.fulfil(locked, "message", private_keys)
        assert cc.Fulfillment.from_uri(fulfilled.serialize_uri()).validate("message")


def sign_all(keys: list[SigningKey], message: str) -> cc.Fulfillment:
    fulfillment = cc.ThresholdSha256Fulfillment(threshold=len(keys))
    for key in keys:
        signature = cc.Ed25519Fulfillment(key.verifying_key)
        signature.sign(message, key)
        fulfillment.add_subfulfillment(signature)
    return fulfillment


def test_256_owners_of_256_are_served() -> None:
    keys = [signing_key(bytes([i]) * 32) for i in range(256)]
    with at_once():
        text = sign_all(keys, "message").serialize_uri()
        fulfillment = cc.Fulfillment.from_uri(text)
        assert fulfillment.validate("message")
        assert fulfillment.condition.max_fulfillment_length == 4 + 3 + 256 * (1 + 99)
        assert fulfillment.serialize_uri() == text
        assert len(cc.public_keys(fulfillment)) == 256


# --- put together by hand ------------------------------------------------------------------------------------


def uses(fulfillment: Any) -> list[Callable[[], Any]]:
    return [
        lambda: fulfillment.condition,
        lambda: fulfillment.condition_uri,
        fulfillment.serialize_uri,
        fulfillment.serialize_binary,
        fulfillment.serialize_json,
        lambda: fulfillment.validate("message"),
        fulfillment.needs_now,
        lambda: cc.public_keys(fulfillment),
        lambda: cc.fulfil(fulfillment, "message", {}),
    ]


def test_a_structure_within_itself_is_refused_everywhere() -> None:
    fulfillment = cc.ThresholdSha256Fulfillment(threshold=1)
    fulfillment.add_subfulfillment(cc.PreimageSha256Fulfillment(""))
    for _ in range(3):
        fulfillment.add_subfulfillment(cc.PrefixSha256Fulfillment("", fulfillment))
    for use in uses(fulfillment):
        with at_once(), pytest.raises(ConditionError, match="levels deep"):
            use()


def test_a_structure_that_doubles_at_every_level_is_refused_everywhere() -> None:
    fulfillment: cc.Fulfillment = cc.PreimageSha256Fulfillment("")
    for _ in range(100):
        twice = cc.ThresholdSha256Fulfillment(threshold=1)
        for _ in range(30):
            twice.add_subfulfillment(fulfillment)
        fulfillment = twice
    for use in uses(fulfillment):
        with at_once(), pytest.raises(ConditionError, match=r"levels deep|512 nodes"):
            use()


def test_too_many_subs_are_refused_everywhere() -> None:
    fulfillment = cc.ThresholdSha256Fulfillment(threshold=1)
    for _ in range(512):
        fulfillment.add_subfulfillment(cc.PreimageSha256Fulfillment(""))
    for use in uses(fulfillment):
        with at_once(), pytest.raises(ConditionError, match="512 nodes"):
            use()


def test_a_fulfillment_that_could_get_too_long_has_no_condition() -> None:
    fulfillment = cc.ThresholdSha256Fulfillment(threshold=2)
    for _ in range(2):
        fulfillment.add_subcondition(cc.PreimageSha256Fulfillment(bytes(33_000)).condition)
    with pytest.raises(ConditionError, match="its fulfillment could have 66"):
        fulfillment.condition  # noqa: B018 - deriving raises
    binary = fulfillment.subconditions[0].body.derive().serialize_binary()
    read = cc.Fulfillment.from_uri(uri(2, threshold(2, [b"\x01\x01\x00" + encode_octets(binary)] * 2)))
    with pytest.raises(ConditionError, match="its fulfillment could have 66"):
        read.condition  # noqa: B018 - deriving raises
