"""The prefix fulfillment: what is beneath it signs the prefix followed by the message.

Formats ("Types", row 1):

- fingerprint: SHA-256(VAROCTETS prefix, the sub's condition in binary)
- payload: VAROCTETS prefix, the sub-fulfillment in binary
- maximum length: that of VAROCTETS prefix + the sub's maximum

Invariants:

- Prefix and sub stay those of the constructor; the sub may still be signed, or change where it is a threshold.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, Self

from bigchaindb.cryptoconditions import jsonform
from bigchaindb.cryptoconditions.codec import Reader, as_bytes, encode_base64url, encode_octets
from bigchaindb.cryptoconditions.composite import Composite
from bigchaindb.cryptoconditions.condition import Condition
from bigchaindb.cryptoconditions.fulfillment import Fulfillment, read_binary, read_json
from bigchaindb.cryptoconditions.limits import MAX_PAYLOAD_BYTES
from bigchaindb.exceptions import ConditionError

if TYPE_CHECKING:
    from bigchaindb.cryptoconditions.fulfillment import Node
    from bigchaindb.cryptoconditions.limits import Census

__all__ = ["PrefixSha256Fulfillment"]

_KEYS: Final = frozenset({"type", "type_id", "bitmask", "prefix_base64", "subfulfillment"})


class PrefixSha256Fulfillment(Composite):
    """A fulfillment of `prefix + message` by what is beneath it."""

    __slots__ = ("_condition", "_derived_from", "_prefix", "_sub")

    type_id = 1
    _FEATURES: Final = 0x05

    def __init__(self, prefix: str | bytes, subfulfillment: Node) -> None:
        """Put a prefix before the message of another fulfillment.

        Args:
            prefix: bytes, or a str that stands for its UTF-8.
            subfulfillment: what signs prefix and message; a `Condition` where that is not known.

        Raises:
            ConditionError: one of them is no such thing, or the prefix is over 65,535 bytes.
        """
        if not isinstance(subfulfillment, Fulfillment | Condition):
            raise ConditionError(
                f"subfulfillment: is {type(subfulfillment).__name__}, not a Fulfillment or Condition",
                field="subfulfillment",
            )
        self._prefix = as_bytes(prefix, "prefix")
        if len(self._prefix) > MAX_PAYLOAD_BYTES:
            raise ConditionError(f"prefix: {len(self._prefix)} bytes, {MAX_PAYLOAD_BYTES} at most", field="prefix")
        self._sub = subfulfillment
        self._condition: Condition | None = None
        self._derived_from: Condition | None = None

    @property
    def prefix(self) -> bytes:
        """What comes before the message."""
        return self._prefix

    @property
    def subfulfillment(self) -> Node:
        """What signs prefix and message."""
        return self._sub

    def children(self) -> tuple[Node, ...]:
        """Return the sub."""
        return (self._sub,)

    def check_shape(self) -> None:
        """Do nothing: the constructor checked it all."""

    def derive(self) -> Condition:
        """Return the condition."""
        beneath = self._sub.derive()
        if self._condition is None or beneath is not self._derived_from:
            prefix = encode_octets(self._prefix)
            self._condition = Condition(
                type_id=self.type_id,
                features=self._FEATURES | beneath.features,
                fingerprint=hashlib.sha256(prefix + beneath.serialize_binary()).digest(),
                max_fulfillment_length=len(prefix) + beneath.max_fulfillment_length,
            )
            self._derived_from = beneath
        return self._condition

    def is_fulfilled(self) -> bool:
        """Tell whether the sub is."""
        return isinstance(self._sub, Fulfillment) and self._sub.is_fulfilled()

    def encode_payload(self) -> bytes:
        """Return the prefix and the sub."""
        if not isinstance(self._sub, Fulfillment):
            raise ConditionError("nothing fulfils what is beneath the prefix yet")
        return encode_octets(self._prefix) + self._sub.encode()

    def holds(self, message: bytes, now_microseconds: int) -> bool:
        """Tell whether the sub is valid for prefix and message."""
        return isinstance(self._sub, Fulfillment) and self._sub.holds(self._prefix + message, now_microseconds)

    def json_fields(self) -> dict[str, Any]:
        """Return the prefix in base64url, and the sub."""
        return {"prefix_base64": encode_base64url(self._prefix), "subfulfillment": self._sub.to_json()}

    @classmethod
    def read_payload(cls, payload: bytes, census: Census, depth: int, where: str) -> Self:
        """Read the prefix and the sub."""
        reader = Reader(payload, where)
        prefix = reader.octets()
        return cls(prefix, read_binary(payload[reader.position :], census, depth + 1, f"{where}.subfulfillment"))

    @classmethod
    def read_fields(cls, value: dict[str, Any], census: Census, depth: int, where: str) -> Self:
        """Read the prefix and the sub."""
        jsonform.keys(value, _KEYS, where)
        prefix = jsonform.base64_field(value, "prefix_base64", where)
        return cls(prefix, read_json(value["subfulfillment"], census, depth + 1, f"{where}.subfulfillment"))
