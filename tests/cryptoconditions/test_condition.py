"""Conditions: three forms each, read only as they are written."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import ConditionError

URI = "cc:4:20:7Bcrk61eVjv0kyxw4SRQNMNUZ-8u_U1k6_gZaDRn4r8:96"
HASH = "7Bcrk61eVjv0kyxw4SRQNMNUZ-8u_U1k6_gZaDRn4r8"

CONDITIONS = st.builds(
    cc.Condition,
    type_id=st.sampled_from([0, 1, 2, 4, 98, 99]),
    features=st.integers(1, 0x3F),
    fingerprint=st.binary(min_size=32, max_size=32),
    max_fulfillment_length=st.one_of(st.integers(0, 300), st.integers(0, 65_535)),
)

BAD_URIS = {
    "another scheme": URI.replace("cc:", "cf:"),
    "upper-case scheme": URI.replace("cc:", "CC:"),
    "RSA, which is not ours": URI.replace("cc:4", "cc:3"),
    "unknown type": URI.replace("cc:4", "cc:5"),
    "decimal type": URI.replace("cc:4", "cc:98"),
    "type with a leading zero": URI.replace("cc:4", "cc:04"),
    "five digits of type": URI.replace("cc:4", "cc:10000"),
    "no features": URI.replace(":20:", ":0:"),
    "features with a leading zero": URI.replace(":20:", ":020:"),
    "unknown features": URI.replace(":20:", ":40:"),
    "three digits of features": URI.replace(":20:", ":120:"),
    "upper-case features": URI.replace(":20:", ":2B:"),
    "stray bits in the fingerprint": URI.replace("n4r8:", "n4r9:"),
    "short fingerprint": URI.replace("n4r8:", "n4r:"),
    "long fingerprint": URI.replace("n4r8:", "n4r8A:"),
    "padded fingerprint": URI.replace("n4r8:", "n4r8=:"),
    "other base64": URI.replace("Z-8u_U", "Z+8u/U"),
    "maximum over the limit": URI.replace(":96", ":65536"),
    "six digits of maximum": URI.replace(":96", ":100000"),
    "maximum with a leading zero": URI.replace(":96", ":096"),
    "negative maximum": URI.replace(":96", ":-1"),
    "signed maximum": URI.replace(":96", ":+96"),
    "other digits": URI.replace(":96", ":\u0669\u0666"),
    "no maximum": URI.replace(":96", ""),
    "empty maximum": URI.replace(":96", ":"),
    "another field": URI + ":1",
    "line break": URI + "\n",
    "space": " " + URI,
    "nothing": "",
    "a megabyte": "cc:4:20:" + "A" * 1_000_000,
    "no text": None,
    "bytes": URI.encode(),
}

BINARY = cc.Condition.from_uri(URI).serialize_binary()
BAD_BINARIES = {
    "nothing": b"",
    "no bytes": BINARY.hex(),
    "RSA, which is not ours": b"\x00\x03" + BINARY[2:],
    "unknown type": b"\x01\x04" + BINARY[2:],
    "no features": BINARY[:3] + b"\x00" + BINARY[4:],
    "unknown features": BINARY[:3] + b"\x40" + BINARY[4:],
    "features in two bytes": BINARY[:2] + b"\x02\x00\x20" + BINARY[4:],
    "long form of a length": BINARY[:2] + b"\x81\x01\x20" + BINARY[4:],
    "short fingerprint": BINARY[:4] + b"\x1f" + BINARY[6:],
    "long fingerprint": BINARY[:4] + b"\x21\x00" + BINARY[5:],
    "maximum in two bytes": BINARY[:37] + b"\x02\x00\x60",
    "maximum in no byte": BINARY[:37] + b"\x00",
    "maximum over the limit": BINARY[:37] + b"\x03\x01\x00\x00",
    "a byte too many": BINARY + b"\x00",
}

FIELDS: dict[str, list[Any]] = {
    "type_id": [3, 5, -1, 2**70, "4", 4.0, None, True],
    "features": [0, 0x40, -1, 2**70, "32", None, True],
    "fingerprint": [b"", bytes(31), bytes(33), bytearray(32), "x" * 32, None],
    "max_fulfillment_length": [-1, 65_536, 2**70, "96", 96.0, None, True],
}

JSON = cc.Condition.from_uri(URI).to_json()
BAD_JSON: dict[str, Any] = {
    "another type": {**JSON, "type": "fulfillment"},
    "RSA, which is not ours": {**JSON, "type_id": 3},
    "type as text": {**JSON, "type_id": "4"},
    "type as bool": {**JSON, "type_id": True},
    "no features": {**JSON, "bitmask": 0},
    "unknown features": {**JSON, "bitmask": 64},
    "hash of 31 bytes": {**JSON, "hash": "1" * 31},
    "long hash": {**JSON, "hash": "1" * 100_000},
    "hash with other characters": {**JSON, "hash": "0OIl"},
    "no hash": {**JSON, "hash": None},
    "maximum over the limit": {**JSON, "max_fulfillment_length": 65_536},
    "maximum as float": {**JSON, "max_fulfillment_length": 96.0},
    "another key": {**JSON, "weight": 1},
    "a key that is no text": {**JSON, 7: 1},
    "a missing key": {key: JSON[key] for key in JSON if key != "bitmask"},
    "a list": [],
    "nothing": None,
}


@given(CONDITIONS)
def test_all_three_forms_read_back(condition: cc.Condition) -> None:
    assert cc.Condition.from_uri(condition.serialize_uri()) == condition
    assert cc.Condition.from_binary(condition.serialize_binary()) == condition
    assert cc.Condition.from_json(json.loads(condition.serialize_json())) == condition
    assert cc.from_details(json.loads(condition.serialize_json())) == condition


@given(CONDITIONS)
def test_the_binary_form_is_refused_at_every_prefix_and_with_more(condition: cc.Condition) -> None:
    data = condition.serialize_binary()
    for end in range(len(data)):
        with pytest.raises(ConditionError):
            cc.Condition.from_binary(data[:end])
    with pytest.raises(ConditionError):
        cc.Condition.from_binary(data + b"\x00")


@given(CONDITIONS)
def test_every_flipped_bit_is_refused_or_read_as_what_it_is(condition: cc.Condition) -> None:
    data = condition.serialize_binary()
    for position in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        try:
            other = cc.Condition.from_binary(bytes(flipped))
        except ConditionError:
            continue
        assert other != condition
        assert other.serialize_binary() == flipped


@given(CONDITIONS, st.data())
def test_every_changed_character_is_refused_or_read_as_what_it_is(condition: cc.Condition, data: st.DataObject) -> None:
    uri = condition.serialize_uri()
    character = data.draw(st.sampled_from("0123456789abcdefABCZ-_:+/= \u0660"))
    for position in range(len(uri)):
        changed = uri[:position] + character + uri[position + 1 :]
        try:
            other = cc.Condition.from_uri(changed)
        except ConditionError:
            continue
        assert other.serialize_uri() == changed


@pytest.mark.parametrize("uri", BAD_URIS.values(), ids=BAD_URIS)
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(ConditionError):
        cc.Condition.from_uri(uri)


@pytest.mark.parametrize("data", BAD_BINARIES.values(), ids=BAD_BINARIES)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ConditionError):
        cc.Condition.from_binary(data)


@pytest.mark.parametrize("value", BAD_JSON.values(), ids=BAD_JSON)
def test_other_json_is_refused(value: Any) -> None:
    with pytest.raises(ConditionError):
        cc.Condition.from_json(value)


def test_errors_name_the_field() -> None:
    with pytest.raises(ConditionError, match="hash") as caught:
        cc.Condition.from_json({**JSON, "hash": "0"}, "details")
    assert caught.value.field == "details.hash"
    with pytest.raises(ConditionError, match="has no 'bitmask'") as caught:
        cc.Condition.from_json(BAD_JSON["a missing key"], "details")
    assert caught.value.field == "details.bitmask"


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in FIELDS for value in FIELDS[field]])
def test_the_constructor_checks_every_field(field: str, value: Any) -> None:
    with pytest.raises(ConditionError) as caught:
        dataclasses.replace(cc.Condition.from_uri(URI), **{field: value})
    assert caught.value.field == field


def test_a_condition_does_not_change() -> None:
    condition = cc.Condition.from_uri(URI)
    with pytest.raises(dataclasses.FrozenInstanceError):
        condition.type_id = 0  # type: ignore[misc]
    assert copy.deepcopy(condition) == pickle.loads(pickle.dumps(condition)) == condition  # noqa: S301 - our own
    assert hash(condition) == hash(cc.Condition.from_uri(URI))


def test_a_condition_answers_to_the_names_of_a_fulfillment() -> None:
    condition = cc.Condition.from_uri(URI)
    assert condition.condition_uri == URI
    assert condition.bitmask == condition.features == 0x20
    assert condition.derive() is condition


def test_the_types_of_the_ledger_have_their_number_in_hexadecimal() -> None:
    for type_id, text in (98, "62"), (99, "63"):
        condition = cc.Condition(type_id, 9, bytes(32), 10)
        assert condition.serialize_uri() == f"cc:{text}:9:{'A' * 43}:10"
        assert cc.Condition.from_uri(condition.serialize_uri()) == condition
