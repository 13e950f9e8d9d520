"""Secrets, signatures and deadlines."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
from typing import Any

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import cryptoconditions as cc
from bigchaindb.crypto import SigningKey, VerifyingKey
from bigchaindb.exceptions import ConditionError, InvalidKey, NowRequired

from .structures import signing_key

KEY = signing_key(b"k" * 32)
OTHER = signing_key(b"o" * 32)
PUBLIC_KEY = str(KEY.verifying_key)
MESSAGE = "caf\u00e9 \u2713"


def signed(message: str | bytes = MESSAGE) -> cc.Ed25519Fulfillment:
    signature = cc.Ed25519Fulfillment(public_key=PUBLIC_KEY)
    signature.sign(message, KEY)
    return signature


# --- secrets -------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300))
def test_a_secret_is_its_own_payload_and_its_hash_the_fingerprint(secret: bytes) -> None:
    lock = cc.PreimageSha256Fulfillment(secret)
    assert lock.condition == cc.Condition(0, 3, hashlib.sha256(secret).digest(), len(secret))
    assert lock.preimage == secret
    assert lock.validate("anything")
    for again in (
        cc.Fulfillment.from_uri(lock.serialize_uri()),
        cc.Fulfillment.from_binary(lock.serialize_binary()),
        cc.Fulfillment.from_json(json.loads(lock.serialize_json())),
    ):
        assert isinstance(again, cc.PreimageSha256Fulfillment)
        assert again.preimage == secret
        assert again.serialize_json() == lock.serialize_json()


def test_the_empty_secret_is_a_secret() -> None:
    assert cc.Fulfillment.from_uri("cf:0:").condition_uri == "cc:0:3:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU:0"


def test_a_secret_that_is_text_is_told_as_text() -> None:
    assert cc.PreimageSha256Fulfillment("caf\u00e9").to_json() == {
        "type": "fulfillment",
        "type_id": 0,
        "bitmask": 3,
        "preimage": "caf\u00e9",
    }
    assert cc.PreimageSha256Fulfillment(b"\xff\x00").to_json() == {
        "type": "fulfillment",
        "type_id": 0,
        "bitmask": 3,
        "preimage_base64": "_wA",
    }


@pytest.mark.parametrize("secret", ["\ud800", None, 7, bytearray(b"x"), bytes(65_536)])
def test_what_is_no_secret_is_refused(secret: Any) -> None:
    with pytest.raises(ConditionError, match=r"^preimage: "):
        cc.PreimageSha256Fulfillment(secret)


def test_the_largest_secret_is_a_secret() -> None:
    lock = cc.PreimageSha256Fulfillment(bytes(65_535))
    assert cc.Fulfillment.from_uri(lock.serialize_uri()).condition_uri == lock.condition_uri


# --- signatures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [PUBLIC_KEY, KEY.verifying_key, bytes(KEY.verifying_key)], ids=type)
def test_a_key_may_be_given_in_any_form(form: str | bytes | VerifyingKey) -> None:
    signature = cc.Ed25519Fulfillment(public_key=form)
    assert signature.public_key == PUBLIC_KEY
    assert signature.condition == cc.Condition(4, 0x20, bytes(KEY.verifying_key), 96)
    assert signature.condition_uri == signature.condition.serialize_uri()
    assert signature.bitmask == 0x20


@given(st.one_of(st.text(), st.binary()).filter(lambda message: message != MESSAGE))
def test_a_signature_is_valid_for_its_message_only(message: str | bytes) -> None:
    try:
        signature = signed(message)
    except ConditionError:
        assert isinstance(message, str)  # a lone surrogate
        return
    assert signature.validate(message)
    assert not signature.validate(MESSAGE)
    assert not signed().validate(message)
    again = cc.Fulfillment.from_uri(signature.serialize_uri())
    assert again.validate(message if isinstance(message, bytes) else message.encode())


def test_all_forms_read_back() -> None:
    signature = signed()
    for again in (
        cc.Fulfillment.from_uri(signature.serialize_uri()),
        cc.Fulfillment.from_binary(signature.serialize_binary()),
        cc.Fulfillment.from_json(json.loads(signature.serialize_json())),
        copy.deepcopy(signature),
        pickle.loads(pickle.dumps(signature)),  # noqa: S301 - our own
    ):
        assert isinstance(again, cc.Ed25519Fulfillment)
        assert again.public_key == PUBLIC_KEY
        assert again.signature == signature.signature
        assert again.validate(MESSAGE)
        assert again.serialize_uri() == signature.serialize_uri()
        assert again.to_json() == signature.to_json()


def test_without_a_signature_it_derives_but_unlocks_nothing() -> None:
    unsigned = cc.Ed25519Fulfillment(public_key=PUBLIC_KEY)
    assert unsigned.signature is None
    assert unsigned.to_json() == {
        "type": "fulfillment",
        "type_id": 4,
        "bitmask": 32,
        "public_key": PUBLIC_KEY,
        "signature": None,
    }
    assert unsigned.condition_uri == signed().condition_uri
    assert not unsigned.is_fulfilled()
    assert not unsigned.validate(MESSAGE)
    for serialize in unsigned.serialize_uri, unsigned.serialize_binary:
        with pytest.raises(ConditionError, match=f"no signature of {PUBLIC_KEY} yet"):
            serialize()


def test_only_its_own_key_may_sign() -> None:
    unsigned = cc.Ed25519Fulfillment(public_key=PUBLIC_KEY)
    with pytest.raises(ConditionError, match=f"that of {OTHER.verifying_key}, this needs that of {PUBLIC_KEY}"):
        unsigned.sign(MESSAGE, OTHER)
    assert unsigned.signature is None


@pytest.mark.parametrize("key", ["text", None, KEY.verifying_key])
def test_only_a_signing_key_signs(key: Any) -> None:
    with pytest.raises(ConditionError, match=r"not bigchaindb\.crypto\.SigningKey"):
        cc.Ed25519Fulfillment(public_key=PUBLIC_KEY).sign(MESSAGE, key)


def test_only_text_and_bytes_are_signed_and_validated() -> None:
    number: Any = 7
    with pytest.raises(ConditionError, match=r"^message: is int"):
        cc.Ed25519Fulfillment(public_key=PUBLIC_KEY).sign(number, KEY)
    with pytest.raises(ConditionError, match=r"^message: is int"):
        signed().validate(number)


@pytest.mark.parametrize("key", ["", "x", "0" * 44, "1" * 45, "1" * 1_000_000, b"", bytes(31), None, 7])
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(ConditionError, match=r"^public_key: ") as caught:
        cc.Ed25519Fulfillment(public_key=key)
    assert isinstance(caught.value.__cause__, InvalidKey)


@pytest.mark.parametrize("signature", [b"", bytes(63), bytes(65), "x" * 64, bytearray(64), 7])
def test_what_is_no_signature_is_refused(signature: Any) -> None:
    with pytest.raises(ConditionError, match=r"^signature: "):
        cc.Ed25519Fulfillment(PUBLIC_KEY, signature)


def test_every_flipped_bit_of_key_or_signature_makes_it_invalid() -> None:
    data = signed().serialize_binary()
    for position in range(24, len(data) * 8):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        fulfillment = cc.Fulfillment.from_binary(bytes(flipped))
        assert fulfillment.serialize_binary() == flipped
        assert not fulfillment.validate(MESSAGE)


@pytest.mark.parametrize("payload_bytes", [0, 32, 95, 97, 65_535])
def test_only_key_and_signature_make_a_payload(payload_bytes: int) -> None:
    with pytest.raises(ConditionError, match=f"payload of {payload_bytes} bytes, not 96"):
        cc.Fulfillment.from_uri("cf:4:" + cc.PreimageSha256Fulfillment(bytes(payload_bytes)).serialize_uri()[5:])


# --- deadlines -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expire_time", ["1460981667", "1460981667.4", "1460981667.449279", "0000000000.000000"])
def test_a_deadline_reads_back_in_every_form(expire_time: str) -> None:
    timeout = cc.TimeoutFulfillment(expire_time)
    assert timeout.expire_time == expire_time
    assert timeout.condition == cc.Condition(99, 9, hashlib.sha256(expire_time.encode()).digest(), len(expire_time))
    assert timeout.to_json() == {"type": "fulfillment", "type_id": 99, "bitmask": 9, "expire_time": expire_time}
    for again in (
        cc.Fulfillment.from_uri(timeout.serialize_uri()),
        cc.Fulfillment.from_binary(timeout.serialize_binary()),
        cc.Fulfillment.from_json(json.loads(timeout.serialize_json())),
    ):
        assert again.serialize_uri() == timeout.serialize_uri()
        assert again.to_json() == timeout.to_json()


@pytest.mark.parametrize(
    ("now", "valid"),
    [
        ("0", True),
        ("1460981667", True),
        ("1460981667.449278", True),
        ("1460981667.449279", True),
        ("1460981667.449280", False),
        ("1460981668", False),
        ("14609816670", False),
    ],
)
def test_a_deadline_holds_up_to_its_very_moment(now: str, *, valid: bool) -> None:
    assert cc.TimeoutFulfillment("1460981667.449279").validate("", now) is valid


def test_decimals_beyond_floats_count() -> None:
    # As floats these two are the same.
    assert not cc.TimeoutFulfillment("9999999999.999998").validate("", "9999999999.999999")


def test_a_deadline_needs_to_know_the_time() -> None:
    timeout = cc.TimeoutFulfillment("1460981667")
    assert timeout.needs_now()
    assert not signed().needs_now()
    with pytest.raises(NowRequired):
        timeout.validate("")
    with pytest.raises(ConditionError, match=r"^now: "):
        timeout.validate("", "soon")


@pytest.mark.parametrize(
    "expire_time",
    ["", "146098166", "14609816670", "1460981667.", "1460981667.1234567", "-460981667", "146098166\u0667", None, 7],
)
def test_what_is_no_deadline_is_refused(expire_time: Any) -> None:
    with pytest.raises(ConditionError, match=r"^expire_time: "):
        cc.TimeoutFulfillment(expire_time)
    with pytest.raises(ConditionError, match=r"expire_time"):
        cc.Fulfillment.from_json({**cc.TimeoutFulfillment("1460981667").to_json(), "expire_time": expire_time})


@pytest.mark.parametrize("payload", [b"", b"soon", b"1460981667\n", b"\xb1460981667", b"1460981667.1234567"])
def test_a_payload_that_is_no_deadline_is_refused(payload: bytes) -> None:
    uri = cc.PreimageSha256Fulfillment(payload).serialize_uri().replace("cf:0:", "cf:63:")
    with pytest.raises(ConditionError, match="not an expire time"):
        cc.Fulfillment.from_uri(uri)


# --- JSON ----------------------------------------------------------------------------------------------------

SECRET = cc.PreimageSha256Fulfillment("secret").to_json()
SECRET_BYTES = cc.PreimageSha256Fulfillment(b"\xff").to_json()
SIGNED = signed().to_json()
TIMEOUT = cc.TimeoutFulfillment("1460981667").to_json()

BAD_JSON: dict[str, Any] = {
    "no object": ["fulfillment"],
    "nothing": None,
    "no type": {key: SIGNED[key] for key in SIGNED if key != "type"},
    "another type": {**SIGNED, "type": "signature"},
    "no type_id": {key: SIGNED[key] for key in SIGNED if key != "type_id"},
    "RSA, which is not ours": {**SIGNED, "type_id": 3},
    "another type_id": {**SIGNED, "type_id": 0},
    "type_id as text": {**SIGNED, "type_id": "4"},
    "type_id as bool": {**SIGNED, "type_id": True},
    "type_id as float": {**SIGNED, "type_id": 4.0},
    "type_id as list": {**SIGNED, "type_id": [4]},
    "no bitmask": {key: SIGNED[key] for key in SIGNED if key != "bitmask"},
    "a wrong bitmask": {**SIGNED, "bitmask": 33},
    "bitmask as float": {**SIGNED, "bitmask": 32.0},
    "another key": {**SIGNED, "weight": 1},
    "signature of 63 bytes": {**SIGNED, "signature": base58.b58encode(b"x" * 63).decode()},
    "a long signature": {**SIGNED, "signature": "1" * 1_000_000},
    "an empty signature": {**SIGNED, "signature": ""},
    "a number as signature": {**SIGNED, "signature": 7},
    "no signature": {key: SIGNED[key] for key in SIGNED if key != "signature"},
    "key with white space": {**SIGNED, "public_key": PUBLIC_KEY + "\n"},
    "key as bytes": {**SIGNED, "public_key": bytes(KEY.verifying_key)},
    "no key": {**SIGNED, "public_key": None},
    "secret as number": {**SECRET, "preimage": 7},
    "secret without UTF-8": {**SECRET, "preimage": "\ud800"},
    "secret told twice": {**SECRET, "preimage_base64": "_w"},
    "secret told never": {key: SECRET[key] for key in SECRET if key != "preimage"},
    "text as base64": {**SECRET_BYTES, "preimage_base64": "c2VjcmV0"},
    "padded base64": {**SECRET_BYTES, "preimage_base64": "_w=="},
    "base64 as bytes": {**SECRET_BYTES, "preimage_base64": b"_w"},
    "deadline as number": {**TIMEOUT, "expire_time": 1460981667},
    "deadline with more": {**TIMEOUT, "preimage": ""},
}


@pytest.mark.parametrize("value", BAD_JSON.values(), ids=BAD_JSON)
def test_other_json_is_refused(value: Any) -> None:
    with pytest.raises(ConditionError):
        cc.Fulfillment.from_json(value)


def test_errors_name_the_field() -> None:
    fields = {
        "no type": "fulfillment.type",
        "RSA, which is not ours": "fulfillment.type_id",
        "a wrong bitmask": "fulfillment.bitmask",
        "another key": "fulfillment.weight",
        "a long signature": "fulfillment.signature",
        "key with white space": "fulfillment.public_key",
        "deadline as number": "fulfillment.expire_time",
        "text as base64": "fulfillment.preimage_base64",
    }
    for name, field in fields.items():
        with pytest.raises(ConditionError) as caught:
            cc.Fulfillment.from_json(BAD_JSON[name])
        assert caught.value.field == field, name


def test_a_condition_is_no_fulfillment() -> None:
    with pytest.raises(ConditionError, match="nothing but the hash is known"):
        cc.Fulfillment.from_json(signed().condition.to_json())


def test_signing_again_replaces_the_signature() -> None:
    signature = signed("first")
    signature.sign("second", KEY)
    assert signature.validate("second")
    assert not signature.validate("first")


def test_a_signing_key_is_what_generate_key_pair_gives() -> None:
    private_key = base58.b58encode(b"k" * 32).decode()
    signature = cc.Ed25519Fulfillment(public_key=PUBLIC_KEY)
    signature.sign(MESSAGE, SigningKey(private_key))
    assert signature.serialize_uri() == signed().serialize_uri()
