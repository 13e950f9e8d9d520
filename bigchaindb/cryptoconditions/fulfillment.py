"""What all fulfillments have in common, and the table of their types.

A fulfillment is the structure behind a condition, from which the condition derives; with signatures and secrets in
place it unlocks it.  Formats ("URIs and binary forms"):

- URI: `cf:` type(hex) `:` base64url(payload)
- binary: uint16 type, VAROCTETS payload

Invariants:

- `TYPES` is the only place that knows which type has which number; it cannot be changed from outside.
- Reading is strict: whatever does not encode to the same text again is refused.
- Nothing recurses into a structure before its depth and its number of nodes were checked (`walk`).
- No clock: whoever validates says what time it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeAlias

from bigchaindb import canonical
from bigchaindb.cryptoconditions import deadline
from bigchaindb.cryptoconditions.codec import (
    Reader,
    as_bytes,
    decode_base64url,
    encode_base64url,
    encode_octets,
)
from bigchaindb.cryptoconditions.condition import Condition
from bigchaindb.cryptoconditions.jsonform import known_bitmask
from bigchaindb.cryptoconditions.limits import MAX_PAYLOAD_BYTES, TYPE_IDS, Census
from bigchaindb.exceptions import ConditionError, NowRequired

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["TYPES", "Fulfillment", "Node", "from_details", "read_binary", "read_json", "walk"]

_types: dict[int, type[Fulfillment]] = {}
TYPES: Final[Mapping[int, type[Fulfillment]]] = MappingProxyType(_types)

_SHOWN_CHARACTERS: Final = 80
_ROOT: Final = "fulfillment"
_TYPE_BY_HEX: Final = {f"{type_id:x}": type_id for type_id in TYPE_IDS}


class Fulfillment(ABC):
    """A fulfillment of any type, complete or not."""

    __slots__ = ()

    type_id: ClassVar[int]

    def __init_subclass__(cls) -> None:
        """Enter a type in the table under its number."""
        super().__init_subclass__()
        if "type_id" in cls.__dict__:
            if cls.type_id not in TYPE_IDS or cls.type_id in _types:
                raise TypeError(f"{cls.__name__}: {cls.type_id} is not a number of the format, or is taken")
            _types[cls.type_id] = cls

    # --- reading ---

    @staticmethod
    def from_uri(text: str) -> Fulfillment:
        """Read a `cf:` URI; its subs keep the order of the payload.

        Raises:
            ConditionError: it is not the URI of a fulfillment of a known type, to the character, or breaks a limit.
        """
        if not isinstance(text, str):
            raise ConditionError(f"fulfillment URI: is {type(text).__name__}, not a text")
        # At most two colons are looked for, however long the text is.
        scheme, *rest = text.split(":", 2)
        cls = TYPES.get(_TYPE_BY_HEX.get(rest[0], -1)) if len(rest) == 2 else None  # noqa: PLR2004
        if scheme != "cf" or cls is None:
            raise ConditionError(f"{text[:_SHOWN_CHARACTERS]!r} is not the URI of a fulfillment of a known type")
        return _read_payload(cls, decode_base64url(rest[1], "payload"), Census(), 1, _ROOT)

    @staticmethod
    def from_binary(data: bytes) -> Fulfillment:
        """Read the binary form; its subs keep the order of the payload.

        Raises:
            ConditionError: it is not the binary form of a fulfillment of a known type, to the byte, or breaks a limit.
        """
        if not isinstance(data, bytes):
            raise ConditionError(f"{_ROOT}: is {type(data).__name__}, not bytes")
        return read_binary(data, Census(), 1, _ROOT)

    @staticmethod
    def from_json(value: Any) -> Fulfillment:
        """Read the JSON form, as in `details` of a transaction.

        Args:
            value: the decoded JSON, a dict with `"type": "fulfillment"`.

        Raises:
            ConditionError: an unknown type or key, a missing key, a field out of its range, a wrong bitmask, or a
                limit broken; names the field.
        """
        node = read_json(value, Census(), 1, _ROOT)
        if isinstance(node, Condition):
            raise ConditionError(f"{_ROOT}: is a condition, of which nothing but the hash is known", field=_ROOT)
        return node

    # --- writing ---

    def serialize_uri(self) -> str:
        """Return the `cf:` URI.

        Raises:
            ConditionError: a signature or secret that it needs is absent, or a limit is broken.
        """
        self.check()
        return f"cf:{self.type_id:x}:{encode_base64url(self._checked_payload())}"

    def serialize_binary(self) -> bytes:
        """Return the binary form.

        Raises:
            ConditionError: a signature or secret that it needs is absent, or a limit is broken.
        """
        self.check()
        return self.encode()

    def serialize_json(self) -> str:
        """Return the JSON form as canonical text; signatures may be absent (null).

        Raises:
            ConditionError: a limit is broken.
        """
        return canonical.dumps(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form as a value.

        Raises:
            ConditionError: a limit is broken.
        """
        self.check()
        return {"type": "fulfillment", "type_id": self.type_id, "bitmask": self.derive().features, **self.json_fields()}

    # --- what it derives to, and whether it holds ---

    @property
    def condition(self) -> Condition:
        """The condition that this fulfils; needs no signature.

        Raises:
            ConditionError: a limit is broken.
        """
        self.check()
        return self.derive()

    @property
    def condition_uri(self) -> str:
        """The `cc:` URI of the condition.

        Raises:
            ConditionError: a limit is broken.
        """
        return self.condition.serialize_uri()

    @property
    def bitmask(self) -> int:
        """The features of the condition, by their name in JSON."""
        return self.condition.features

    def validate(self, message: str | bytes, now: str | None = None) -> bool:
        """Tell whether this unlocks its condition for a message.

        Args:
            message: what is signed; a str stands for its UTF-8.
            now: Unix seconds as decimal text, such as "1460981667.449279"; of a transaction in a block, the block's.

        Raises:
            NowRequired: there is a deadline (type 98 or 99) anywhere in the structure, and no `now`.
            ConditionError: `message` or `now` is malformed, or a limit is broken.
        """
        data = as_bytes(message, "message")
        microseconds = None if now is None else deadline.microseconds(now)
        self.check()
        if microseconds is None and self.needs_now():
            raise NowRequired("a deadline can only be judged against a time: pass `now`")
        return self.holds(data, microseconds or 0)

    def needs_now(self) -> bool:
        """Tell whether there is a deadline (type 98 or 99) anywhere in the structure."""
        return any(node.type_id in deadline.TYPE_IDS for node in walk(self) if not isinstance(node, Condition))

    # --- what the types do ---

    @abstractmethod
    def children(self) -> tuple[Node, ...]:
        """Return the nodes directly beneath."""

    @abstractmethod
    def check(self) -> None:
        """Raise ConditionError if the structure breaks a limit, or a node of it is not what its type must be."""

    def encode(self) -> bytes:
        """Return the binary form; the structure was checked."""
        return self.type_id.to_bytes(2) + encode_octets(self._checked_payload())

    def _checked_payload(self) -> bytes:
        payload = self.encode_payload()
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ConditionError(f"{type(self).__name__}: payload of {len(payload)} bytes, {MAX_PAYLOAD_BYTES} at most")
        return payload

    @abstractmethod
    def derive(self) -> Condition:
        """Return the condition; the structure was checked."""

    @abstractmethod
    def is_fulfilled(self) -> bool:
        """Tell whether all signatures and secrets that this needs are in place, be they right or wrong."""

    @abstractmethod
    def encode_payload(self) -> bytes:
        """Return the payload; the structure was checked.

        Raises:
            ConditionError: this is not fulfilled.
        """

    @abstractmethod
    def holds(self, message: bytes, now_microseconds: int) -> bool:
        """Tell whether this is valid for a message at a time; the structure was checked."""

    @abstractmethod
    def json_fields(self) -> dict[str, Any]:
        """Return what the JSON form has beside type, type_id and bitmask; the structure was checked."""

    @classmethod
    @abstractmethod
    def read_payload(cls, payload: bytes, census: Census, depth: int, where: str) -> Self:
        """Read a payload at a depth of the structure that `census` counts."""

    @classmethod
    @abstractmethod
    def read_fields(cls, value: dict[str, Any], census: Census, depth: int, where: str) -> Self:
        """Read a JSON form whose `type` and `type_id` say that it is of this type; leaves the bitmask unchecked."""


Node: TypeAlias = Fulfillment | Condition


def walk(root: Node) -> Iterator[Node]:
    """Yield all nodes of a structure, each before what is beneath it.

    Raises:
        ConditionError: `root` is no structure, or is nested too deep (which includes one that contains itself), or has
            too many nodes.
    """
    if not isinstance(root, Fulfillment | Condition):
        raise ConditionError(f"{_ROOT}: is {type(root).__name__}, not a Fulfillment or Condition", field=_ROOT)
    census = Census()
    # A stack of our own: a structure that contains itself must not become a recursion.
    stack = [(root, 1)]
    while stack:
        node, depth = stack.pop()
        census.enter(depth, type(node).__name__)
        yield node
        if not isinstance(node, Condition):
            stack.extend((child, depth + 1) for child in reversed(node.children()))


def from_details(value: Any) -> Node:
    """Read the JSON form of a fulfillment or of a bare condition: `details` of a transaction may be either.

    Args:
        value: the decoded JSON, a dict with `"type"` being "fulfillment" or "condition".

    Raises:
        ConditionError: as `Fulfillment.from_json`.
    """
    return read_json(value, Census(), 1, "details")


def read_binary(data: bytes, census: Census, depth: int, where: str) -> Fulfillment:
    """Read the binary form of a fulfillment at a depth of the structure that `census` counts."""
    reader = Reader(data, where)
    type_id = int.from_bytes(reader.fixed(2))
    payload = reader.octets()
    reader.finish()
    cls = TYPES.get(type_id)
    if cls is None:
        raise ConditionError(f"{where}: {type_id} is none of the known types", field=where)
    return _read_payload(cls, payload, census, depth, where)


def _read_payload(cls: type[Fulfillment], payload: bytes, census: Census, depth: int, where: str) -> Fulfillment:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ConditionError(f"{where}: payload of {len(payload)} bytes, {MAX_PAYLOAD_BYTES} at most", field=where)
    census.enter(depth, where)
    return cls.read_payload(payload, census, depth, where)


def read_json(value: Any, census: Census, depth: int, where: str) -> Node:
    """Read the JSON form of a fulfillment, or of a condition that stands in for one, in a structure being counted."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in ("fulfillment", "condition"):
        raise ConditionError(f"{where}.type: must be 'fulfillment' or 'condition'", field=f"{where}.type")
    census.enter(depth, where)
    if kind == "condition":
        return Condition.from_json(value, where)
    type_id = value.get("type_id")
    # A bool is an int to Python, but not to JSON.
    cls = TYPES.get(type_id) if type(type_id) is int else None
    if cls is None:
        raise ConditionError(f"{where}.type_id: is none of the known types", field=f"{where}.type_id")
    fulfillment = cls.read_fields(value, census, depth, where)
    known_bitmask(value, fulfillment.derive().features, where)
    return fulfillment
