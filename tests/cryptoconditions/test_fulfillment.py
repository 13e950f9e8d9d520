"""What holds for fulfillments of every type: strict reading, the table of types, random structures."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import ConditionError

from .structures import build, random_structure, signing_key

SIGNATURE = cc.Ed25519Fulfillment(signing_key(b"k" * 32).verifying_key, bytes(64))
URI = SIGNATURE.serialize_uri()
BINARY = SIGNATURE.serialize_binary()

BAD_URIS: dict[str, Any] = {
    "another scheme": URI.replace("cf:", "cc:"),
    "upper-case scheme": URI.replace("cf:", "CF:"),
    "no scheme": URI.removeprefix("cf:"),
    "RSA, which is not ours": URI.replace("cf:4", "cf:3"),
    "unknown type": URI.replace("cf:4", "cf:5"),
    "decimal type": "cf:99:MTQ2MDk4MTY2Nw",
    "upper-case type": "cf:6F:",
    "type with a leading zero": URI.replace("cf:4", "cf:04"),
    "signed type": URI.replace("cf:4", "cf:+4"),
    "no payload": "cf:0",
    "another field": "cf:0::",
    "padding": "cf:0:AA==",
    "stray bits": "cf:0:AB",
    "other base64": "cf:0:+/+/",
    "line break": URI + "\n",
    "space": " " + URI,
    "other letters": "cf:0:\u00e9",
    "nothing": "",
    "colons": ":" * 1_000_000,
    "a megabyte": "cf:0:" + "A" * 1_000_000,
    "no text": None,
    "bytes": URI.encode(),
}
BAD_BINARIES: dict[str, Any] = {
    "nothing": b"",
    "RSA, which is not ours": b"\x00\x03" + BINARY[2:],
    "unknown type": b"\x01\x04" + BINARY[2:],
    "a length in long form": BINARY[:2] + b"\x81" + BINARY[2:],
    "a byte too many": BINARY + b"\x00",
    "a payload over the limit": b"\x00\x00\x83\x01\x00\x00" + bytes(65_536),
    "no bytes": BINARY.hex(),
    "an array": bytearray(BINARY),
}


@pytest.mark.parametrize("uri", BAD_URIS.values(), ids=BAD_URIS)
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(ConditionError):
        cc.Fulfillment.from_uri(uri)


@pytest.mark.parametrize("data", BAD_BINARIES.values(), ids=BAD_BINARIES)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ConditionError):
        cc.Fulfillment.from_binary(data)


def test_every_prefix_is_refused() -> None:
    for end in range(len(BINARY)):
        with pytest.raises(ConditionError):
            cc.Fulfillment.from_binary(BINARY[:end])
    for end in range(len(URI)):
        with pytest.raises(ConditionError):
            cc.Fulfillment.from_uri(URI[:end])


def test_types_have_the_numbers_of_the_format() -> None:
    assert dict(cc.TYPES) == {
        0: cc.PreimageSha256Fulfillment,
        1: cc.PrefixSha256Fulfillment,
        2: cc.ThresholdSha256Fulfillment,
        4: cc.Ed25519Fulfillment,
        98: cc.InvertedThresholdSha256Fulfillment,
        99: cc.TimeoutFulfillment,
    }


@pytest.mark.parametrize("number", [4, 3])
def test_nobody_can_add_a_type(number: int) -> None:
    with pytest.raises(TypeError, match="is not a number of the format, or is taken"):
        type("Impostor", (cc.Fulfillment,), {"type_id": number})
    assert number != 3 or number not in cc.TYPES
    assert cc.TYPES[4] is cc.Ed25519Fulfillment


def random_fulfillments(count: int, *, seed: int, depth: int = 3) -> list[tuple[cc.Fulfillment, bytes]]:
    """Build random structures that can be serialised, with their messages."""
    rng = random.Random(seed)
    found: list[tuple[cc.Fulfillment, bytes]] = []
    while len(found) < count:
        message = rng.choice(["", "x", "caf\u00e9 \u2713"]).encode()
        fulfillment = build(random_structure(rng, rng.randint(1, depth)), message)
        if fulfillment.is_fulfilled():
            found.append((fulfillment, message))
    return found


def test_random_structures_read_back_in_every_form() -> None:
    for fulfillment, message in random_fulfillments(150, seed=1, depth=4):
        uri = fulfillment.serialize_uri()
        read = cc.Fulfillment.from_uri(uri)
        assert read.serialize_uri() == uri
        assert cc.Fulfillment.from_binary(read.serialize_binary()).serialize_uri() == uri
        told = cc.Fulfillment.from_json(json.loads(fulfillment.serialize_json()))
        assert told.serialize_json() == fulfillment.serialize_json()
        assert told.serialize_uri() == uri
        assert read.condition == told.condition == fulfillment.condition
        assert read.condition_uri == fulfillment.condition.serialize_uri()
        assert read.validate(message) == cc.Fulfillment.from_uri(uri).validate(message)
        if fulfillment.validate(message):
            assert read.validate(message)


def test_every_changed_character_is_refused_or_something_else() -> None:
    rng = random.Random(2)
    for fulfillment, message in random_fulfillments(30, seed=3):
        uri = fulfillment.serialize_uri()
        for position in range(min(len(uri), 400)):
            changed = uri[:position] + rng.choice("0123456789ABCdef-_:=") + uri[position + 1 :]
            if changed == uri:
                continue
            try:
                other = cc.Fulfillment.from_uri(changed)
            except ConditionError:
                continue
            # Either it locks something else, or another signature is in it; then it is wrong.
            assert other.condition_uri != fulfillment.condition_uri or not other.validate(message)
            # Only what is valid without a part of it is written without that part.
            if other.serialize_uri() != changed:
                assert not other.validate(message)


def test_junk_is_refused_or_reads_back() -> None:
    rng = random.Random(4)
    for _ in range(3000):
        junk = bytes(rng.choice([0, 1, 1, 1, 2, 3, 4, 98, 99, 127, 128, 255]) for _ in range(rng.randint(0, 40)))
        for read in cc.Fulfillment.from_binary, cc.Condition.from_binary:
            try:
                value = read(junk)
            except ConditionError:
                continue
            assert read(value.serialize_binary()).serialize_binary() == value.serialize_binary()


def test_details_may_tell_a_fulfillment_or_a_condition() -> None:
    assert cc.from_details(SIGNATURE.to_json()).condition_uri == SIGNATURE.condition_uri
    assert cc.from_details(SIGNATURE.condition.to_json()) == SIGNATURE.condition
    with pytest.raises(ConditionError, match=r"^details\.type: "):
        cc.from_details({"uri": SIGNATURE.condition_uri})
