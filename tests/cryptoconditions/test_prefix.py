"""The prefix fulfillment."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import cryptoconditions as cc
from bigchaindb.cryptoconditions.codec import encode_octets
from bigchaindb.exceptions import ConditionError

from .structures import signing_key

KEY = signing_key(b"k" * 32)
PUBLIC_KEY = str(KEY.verifying_key)
# From the reference implementation's own documentation.
DOCUMENTED = "cc:1:25:7myveZs3EaZMMuez-3kq6u69BDNYMYRMi_VF9yIuFLc:102"
DOCUMENTED_SUB = "cc:4:20:7Bcrk61eVjv0kyxw4SRQNMNUZ-8u_U1k6_gZaDRn4r8:96"


def prefixed(prefix: str | bytes, message: bytes) -> cc.PrefixSha256Fulfillment:
    """Sign a message beneath a prefix."""
    signature = cc.Ed25519Fulfillment(public_key=PUBLIC_KEY)
    signature.sign((prefix.encode() if isinstance(prefix, str) else prefix) + message, KEY)
    return cc.PrefixSha256Fulfillment(prefix, signature)


def test_the_documented_example_derives() -> None:
    assert cc.PrefixSha256Fulfillment("2016:", cc.Condition.from_uri(DOCUMENTED_SUB)).condition_uri == DOCUMENTED


@given(st.binary(max_size=300), st.binary(max_size=50))
def test_what_is_beneath_signs_prefix_and_message(prefix: bytes, message: bytes) -> None:
    fulfillment = prefixed(prefix, message)
    sub = fulfillment.subfulfillment
    assert fulfillment.prefix == prefix
    assert fulfillment.condition == cc.Condition(
        type_id=1,
        features=0x25,
        fingerprint=hashlib.sha256(encode_octets(prefix) + sub.derive().serialize_binary()).digest(),
        max_fulfillment_length=len(encode_octets(prefix)) + 96,
    )
    assert fulfillment.validate(message)
    assert not fulfillment.validate(message + b"x")
    for again in (
        cc.Fulfillment.from_uri(fulfillment.serialize_uri()),
        cc.Fulfillment.from_binary(fulfillment.serialize_binary()),
        cc.Fulfillment.from_json(json.loads(fulfillment.serialize_json())),
    ):
        assert again.validate(message)
        assert again.condition == fulfillment.condition
        assert again.serialize_uri() == fulfillment.serialize_uri()
        assert again.to_json() == fulfillment.to_json()


def test_a_prefix_cannot_be_moved_into_the_message() -> None:
    assert prefixed("ab", b"cd").condition != prefixed("abc", b"d").condition


def test_a_condition_may_stand_beneath_until_somebody_fulfils_it() -> None:
    complete = prefixed("2016:", b"message")
    told = cc.PrefixSha256Fulfillment("2016:", complete.subfulfillment.derive())
    assert told.condition_uri == complete.condition_uri
    assert not told.is_fulfilled()
    assert not told.validate(b"message")
    with pytest.raises(ConditionError, match="nothing fulfils what is beneath"):
        told.serialize_uri()
    again = cc.Fulfillment.from_json(told.to_json())
    assert again.condition_uri == complete.condition_uri
    assert again.to_json() == told.to_json()


def test_it_is_fulfilled_when_what_is_beneath_is() -> None:
    signature = cc.Ed25519Fulfillment(public_key=PUBLIC_KEY)
    fulfillment = cc.PrefixSha256Fulfillment("p", signature)
    assert not fulfillment.is_fulfilled()
    signature.sign("pm", KEY)
    assert fulfillment.is_fulfilled()
    assert fulfillment.validate("m")


def test_the_condition_follows_a_threshold_that_changes_beneath() -> None:
    threshold = cc.ThresholdSha256Fulfillment(threshold=1)
    threshold.add_subfulfillment(cc.Ed25519Fulfillment(public_key=PUBLIC_KEY))
    fulfillment = cc.PrefixSha256Fulfillment("p", threshold)
    before = fulfillment.condition
    assert fulfillment.condition is before
    threshold.add_subfulfillment(cc.PreimageSha256Fulfillment("secret"))
    assert fulfillment.condition == cc.PrefixSha256Fulfillment("p", threshold).condition != before


def test_signatures_beneath_are_found() -> None:
    fulfillment = prefixed("p", b"m")
    assert fulfillment.get_subcondition_from_vk(PUBLIC_KEY) == [fulfillment.subfulfillment]
    assert fulfillment.children() == (fulfillment.subfulfillment,)


@pytest.mark.parametrize(
    ("prefix", "sub"),
    [
        (None, cc.PreimageSha256Fulfillment("")),
        (7, cc.PreimageSha256Fulfillment("")),
        ("\ud800", cc.PreimageSha256Fulfillment("")),
        (bytes(65_536), cc.PreimageSha256Fulfillment("")),
        ("p", None),
        ("p", DOCUMENTED_SUB),
    ],
)
def test_anything_else_is_refused(prefix: Any, sub: Any) -> None:
    with pytest.raises(ConditionError):
        cc.PrefixSha256Fulfillment(prefix, sub)


def test_a_prefix_that_makes_the_fulfillment_too_long_is_refused() -> None:
    longest = 65_535 - 3 - 96
    assert prefixed(bytes(longest), b"").condition.max_fulfillment_length == 65_535
    with pytest.raises(ConditionError, match="max_fulfillment_length"):
        prefixed(bytes(longest + 1), b"").condition  # noqa: B018 - deriving raises
    with pytest.raises(ConditionError, match="payload of 65536 bytes"):
        prefixed(bytes(65_535 - 3 - 98), b"").serialize_uri()


PAYLOAD = prefixed("p", b"m").encode_payload()
SUB = PAYLOAD[2:]
BAD_PAYLOADS = {
    "nothing": b"",
    "no sub": encode_octets(b"p"),
    "a long form": b"\x81\x01p" + SUB,
    "an unknown type beneath": encode_octets(b"p") + b"\x00\x03" + SUB[2:],
    "a byte too many": PAYLOAD + b"\x00",
}


def as_uri(payload: bytes) -> str:
    return cc.PreimageSha256Fulfillment(payload).serialize_uri().replace("cf:0:", "cf:1:")


@pytest.mark.parametrize("payload", BAD_PAYLOADS.values(), ids=BAD_PAYLOADS)
def test_other_payloads_are_refused(payload: bytes) -> None:
    with pytest.raises(ConditionError, match=r"^fulfillment"):
        cc.Fulfillment.from_uri(as_uri(payload))


def test_a_payload_is_refused_at_every_prefix() -> None:
    assert cc.Fulfillment.from_uri(as_uri(PAYLOAD)).validate("m")
    for end in range(len(PAYLOAD)):
        with pytest.raises(ConditionError):
            cc.Fulfillment.from_uri(as_uri(PAYLOAD[:end]))


JSON = prefixed("p", b"m").to_json()
BAD_JSON: dict[str, Any] = {
    "padding": {**JSON, "prefix_base64": "cA=="},
    "no text": {**JSON, "prefix_base64": None},
    "no prefix": {key: JSON[key] for key in JSON if key != "prefix_base64"},
    "nothing beneath": {**JSON, "subfulfillment": None},
    "a weight beneath": {**JSON, "subfulfillment": {**JSON["subfulfillment"], "weight": 1}},
    "features of the type only": {**JSON, "bitmask": 5},
}


@pytest.mark.parametrize("value", BAD_JSON.values(), ids=BAD_JSON)
def test_other_json_is_refused(value: Any) -> None:
    with pytest.raises(ConditionError, match=r"^fulfillment"):
        cc.Fulfillment.from_json(value)
