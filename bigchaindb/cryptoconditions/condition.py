"""A condition: what locks an output, small and of fixed shape whatever stands behind it.

Formats ("URIs and binary forms"):

- URI: `cc:` type(hex) `:` features(hex) `:` base64url(fingerprint) `:` maximum fulfillment length (decimal)
- binary: uint16 type, VARUINT features, VAROCTETS fingerprint, VARUINT maximum fulfillment length

Invariants:

- A `Condition` is valid from its constructor on and never changes.
- Each has one URI, one binary form and one JSON form, and only these are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import base58

from bigchaindb import canonical
from bigchaindb.cryptoconditions import jsonform
from bigchaindb.cryptoconditions.codec import decode_base64url, encode_base64url, encode_octets, encode_uint
from bigchaindb.cryptoconditions.limits import FINGERPRINT_BYTES, MAX_FEATURES, MAX_PAYLOAD_BYTES, TYPE_IDS
from bigchaindb.exceptions import ConditionError

__all__ = ["Condition"]

# The binary form in its grammar: every number has one form, and no maximum takes more than two bytes.
_BINARY: Final = re.compile(
    rb"(?P<type>..)"  # uint16
    rb"\x01(?P<features>.)"  # VARUINT
    rb"\x20(?P<fingerprint>.{32})"  # VAROCTETS
    rb"(?:\x01(?P<short>.)|\x02(?P<long>[^\x00].))",  # VARUINT
    re.DOTALL,
)
# 43 characters of base64url hold 32 bytes; 5 decimal digits hold every maximum.
_URI: Final = re.compile(
    r"cc:(?P<type>0|[1-9a-f][0-9a-f]{0,3})"
    r":(?P<features>[1-9a-f][0-9a-f]?)"
    r":(?P<fingerprint>[A-Za-z0-9_-]{43})"
    r":(?P<maximum>0|[1-9][0-9]{0,4})"
)
_MAX_URI_CHARACTERS: Final = len("cc:ffff:3f::65535") + 43
_SHOWN_CHARACTERS: Final = 80
_FINGERPRINT_CHARACTERS: Final = 44
_KEYS: Final = frozenset({"type", "type_id", "bitmask", "hash", "max_fulfillment_length"})
_MAX_TYPE: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of one of the known types.

    Attributes:
        type_id: number of the type; one of `TYPE_IDS`.
        features: bits of what a validator must support, 1 to 0x3f; called `bitmask` in JSON.
        fingerprint: 32 bytes that stand for the structure behind the condition.
        max_fulfillment_length: bytes, 0 to 65,535; it describes and is not enforced on a payload.
    """

    type_id: int
    features: int
    fingerprint: bytes
    max_fulfillment_length: int

    def __post_init__(self) -> None:
        """Check all fields.

        Raises:
            ConditionError: one of them is out of its range.
        """
        if type(self.type_id) is not int or self.type_id not in TYPE_IDS:
            raise ConditionError("condition: type_id is none of the known types", field="type_id")
        if type(self.features) is not int or not 0 < self.features <= MAX_FEATURES:
            raise ConditionError(f"condition: features must be from 1 to {MAX_FEATURES:#x}", field="features")
        if type(self.fingerprint) is not bytes or len(self.fingerprint) != FINGERPRINT_BYTES:
            raise ConditionError(f"condition: fingerprint must be {FINGERPRINT_BYTES} bytes", field="fingerprint")
        maximum = self.max_fulfillment_length
        if type(maximum) is not int or not 0 <= maximum <= MAX_PAYLOAD_BYTES:
            raise ConditionError(
                f"condition: max_fulfillment_length must be from 0 to {MAX_PAYLOAD_BYTES}",
                field="max_fulfillment_length",
            )

    @property
    def bitmask(self) -> int:
        """The features, by their name in JSON."""
        return self.features

    @property
    def condition_uri(self) -> str:
        """The `cc:` URI, by the name that a `Fulfillment` has for it."""
        return self.serialize_uri()

    def derive(self) -> Condition:
        """Return this: what a `Fulfillment` derives to, a condition that stands in for one is."""
        return self

    @staticmethod
    def from_uri(text: str) -> Condition:
        """Read a `cc:` URI.

        Raises:
            ConditionError: it is not the URI of a condition of a known type, to the character.
        """
        if not isinstance(text, str):
            raise ConditionError(f"condition URI: is {type(text).__name__}, not a text")
        match = _URI.fullmatch(text) if len(text) <= _MAX_URI_CHARACTERS else None
        if match is None:
            raise ConditionError(f"{text[:_SHOWN_CHARACTERS]!r} is not a condition URI")
        return Condition(
            type_id=int(match["type"], 16),
            features=int(match["features"], 16),
            fingerprint=decode_base64url(match["fingerprint"], "fingerprint"),
            max_fulfillment_length=int(match["maximum"]),
        )

    @staticmethod
    def from_binary(data: bytes, where: str = "condition") -> Condition:
        """Read the binary form.

        Args:
            data: all of it, and nothing else.
            where: what to call it in an error message.

        Raises:
            ConditionError: it is not the binary form of a condition of a known type, to the byte.
        """
        if not isinstance(data, bytes):
            raise ConditionError(f"{where}: is {type(data).__name__}, not bytes", field=where)
        match = _BINARY.fullmatch(data)
        if match is None:
            raise ConditionError(f"{where}: not the binary form of a condition", field=where)
        type_id, features, fingerprint, short, long = match.groups()
        return Condition(int.from_bytes(type_id), features[0], fingerprint, int.from_bytes(short or long))

    @staticmethod
    def from_json(value: Any, where: str = "condition") -> Condition:
        """Read the JSON form of a condition that stands in for a sub nobody has fulfilled.

        Args:
            value: the decoded JSON, as in `details` of a transaction.
            where: what to call it in an error message.

        Raises:
            ConditionError: another key, a missing one, or a field out of its range; names the field.
        """
        fields = jsonform.keys(value, _KEYS, where)
        if fields["type"] != "condition":
            raise ConditionError(f"{where}.type: must be 'condition'", field=f"{where}.type")
        return Condition(
            type_id=jsonform.integer_field(fields, "type_id", where, 0, _MAX_TYPE),
            features=jsonform.integer_field(fields, "bitmask", where, 1, MAX_FEATURES),
            fingerprint=jsonform.base58_field(fields, "hash", where, FINGERPRINT_BYTES, _FINGERPRINT_CHARACTERS),
            max_fulfillment_length=jsonform.integer_field(
                fields, "max_fulfillment_length", where, 0, MAX_PAYLOAD_BYTES
            ),
        )

    def serialize_uri(self) -> str:
        """Return the `cc:` URI."""
        fingerprint = encode_base64url(self.fingerprint)
        return f"cc:{self.type_id:x}:{self.features:x}:{fingerprint}:{self.max_fulfillment_length}"

    def serialize_binary(self) -> bytes:
        """Return the binary form."""
        return (
            self.type_id.to_bytes(2)
            + encode_uint(self.features)
            + encode_octets(self.fingerprint)
            + encode_uint(self.max_fulfillment_length)
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form as a value."""
        return {
            "type": "condition",
            "type_id": self.type_id,
            "bitmask": self.features,
            "hash": base58.b58encode(self.fingerprint).decode("ascii"),
            "max_fulfillment_length": self.max_fulfillment_length,
        }

    def serialize_json(self) -> str:
        """Return the JSON form as text."""
        return canonical.dumps(self.to_json())
