"""The threshold fulfillments: so much weight of what is beneath them (type 2), or just not (type 98).

Formats ("Threshold"), subs sorted by the length of their encoding, then bytewise:

- fingerprint: SHA-256(uint32 threshold, VARUINT count, per sub: VARUINT weight, condition in binary)
- payload: VARUINT threshold, VARUINT count, per sub: VARUINT weight, VAROCTETS fulfillment, VAROCTETS condition,
  exactly one of which is not empty
- maximum length: 4 + that of VARUINT count + per sub 1 (5 where its weight is not 1) + all the subs' conditions + the
  most by which fulfillments can exceed the conditions in whose place they are

Invariants:

- Subs keep the order in which they were added, or that of the payload; it decides ties when serialising.
- The condition derives once for what the threshold consists of, however often it is asked for.
- Beneath an inverted threshold only deadlines stand, all of them as fulfillments: otherwise whoever spends could leave
  one out, or replace it by its condition, and so make "not reached" true too early.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Self

from bigchaindb.cryptoconditions import jsonform
from bigchaindb.cryptoconditions.choices import best_gain, best_walk
from bigchaindb.cryptoconditions.codec import Reader, encode_octets, encode_uint, length_of_octets
from bigchaindb.cryptoconditions.composite import Composite
from bigchaindb.cryptoconditions.condition import Condition
from bigchaindb.cryptoconditions.fulfillment import Fulfillment, Node, read_binary, read_json
from bigchaindb.cryptoconditions.leaves import TimeoutFulfillment
from bigchaindb.cryptoconditions.limits import MAX_NODES, MAX_PAYLOAD_BYTES, MAX_TABLE_CELLS, MAX_WEIGHT
from bigchaindb.exceptions import ConditionError

if TYPE_CHECKING:
    from bigchaindb.cryptoconditions.limits import Census

__all__ = ["InvertedThresholdSha256Fulfillment", "Subcondition", "ThresholdSha256Fulfillment"]

_KEYS: Final = frozenset({"type", "type_id", "bitmask", "threshold", "subfulfillments"})
_ABSENT: Final = encode_octets(b"")


@dataclass(frozen=True, slots=True)
class Subcondition:
    """What stands beneath a threshold.

    Attributes:
        body: a fulfillment, complete or not, or a condition that stands in for one.
        weight: what it counts towards the threshold, from 1 to 2^53 - 1.
        stated: it came in a payload, so it counts as what it came as: a fulfillment even where that is incomplete.
    """

    body: Node
    weight: int = 1
    stated: bool = False

    def __post_init__(self) -> None:
        """Check all fields.

        Raises:
            ConditionError: one of them is no such thing.
        """
        if not isinstance(self.body, (Condition, Fulfillment)):
            raise ConditionError(f"sub: is {type(self.body).__name__}, not a Fulfillment or Condition", field="body")
        if type(self.weight) is not int or not 0 < self.weight <= MAX_WEIGHT:
            raise ConditionError(f"weight: must be an integer from 1 to {MAX_WEIGHT}", field="weight")


class _Threshold(Composite):
    """What both types share: everything but what goes into the payload and what makes them valid."""

    __slots__ = ("_condition", "_derived_from", "_subs", "_threshold")

    _FEATURES: Final = 0x09

    def __init__(self, threshold: int) -> None:
        """Require a weight of `threshold` beneath; the subs are added afterwards.

        Raises:
            ConditionError: `threshold` is not an integer from 1 to 65,536.
        """
        if type(threshold) is not int or not 0 < threshold <= MAX_TABLE_CELLS:
            raise ConditionError(f"threshold: must be an integer from 1 to {MAX_TABLE_CELLS}", field="threshold")
        self._threshold = threshold
        self._subs: list[Subcondition] = []
        self._condition: Condition | None = None
        self._derived_from: list[tuple[int, Condition]] = []

    @property
    def threshold(self) -> int:
        """The weight required."""
        return self._threshold

    @property
    def subconditions(self) -> list[Subcondition]:
        """What stands beneath, in the order of adding.  The list may be changed, or another one assigned."""
        return self._subs

    @subconditions.setter
    def subconditions(self, subs: Iterable[Subcondition]) -> None:
        if not isinstance(subs, Iterable):
            raise ConditionError(f"subconditions: are {type(subs).__name__}, not a list", field="subconditions")
        self._subs = list(subs)

    def add_subfulfillment(self, subfulfillment: Fulfillment, weight: int = 1) -> None:
        """Add a fulfillment, complete or not.

        Raises:
            ConditionError: it is none, the weight is not an integer from 1 to 2^53 - 1, or this type takes no such sub.
        """
        if not isinstance(subfulfillment, Fulfillment):
            raise ConditionError(f"sub: is {type(subfulfillment).__name__}, not a Fulfillment", field="subfulfillment")
        self._add(Subcondition(subfulfillment, weight))

    def add_subcondition(self, subcondition: Condition, weight: int = 1) -> None:
        """Add a condition that stands in for a fulfillment which is not known or not needed.

        Raises:
            ConditionError: it is none, the weight is not an integer from 1 to 2^53 - 1, or this type takes no such sub.
        """
        if not isinstance(subcondition, Condition):
            raise ConditionError(f"sub: is {type(subcondition).__name__}, not a Condition", field="subcondition")
        self._add(Subcondition(subcondition, weight))

    def _add(self, sub: Subcondition) -> None:
        self.check_body(sub.body)
        self._subs.append(sub)

    def check_body(self, body: Node) -> None:
        """Raise ConditionError if nothing of the kind may stand beneath this type."""

    def children(self) -> tuple[Node, ...]:
        """Return the bodies of the subs.

        Raises:
            ConditionError: somebody has put something else among the subs.
        """
        for sub in self._subs:
            if type(sub) is not Subcondition:
                raise ConditionError(
                    f"subconditions: hold {type(sub).__name__}, not Subcondition", field="subconditions"
                )
        return tuple([sub.body for sub in self._subs])

    def check_shape(self) -> None:
        """Raise ConditionError if threshold, weights, number and kind of the subs do not go together."""
        where = type(self).__name__
        bodies = self.children()
        _check_size(len(bodies), self._threshold, where)
        total = sum([sub.weight for sub in self._subs])
        if self._threshold > total:
            raise ConditionError(f"{where}: threshold {self._threshold} is over the total weight of {total}")
        for body in bodies:
            self.check_body(body)

    def derive(self) -> Condition:
        """Return the condition."""
        beneath = [(sub.weight, sub.body.derive()) for sub in self._subs]
        if self._condition is None or beneath != self._derived_from:
            self._condition = self._derive_from(beneath)
            self._derived_from = beneath
        return self._condition

    def _derive_from(self, beneath: list[tuple[int, Condition]]) -> Condition:
        features = self._FEATURES
        entries = []
        maximum = 4 + len(encode_uint(len(beneath)))
        choices = []
        for weight, condition in beneath:
            binary = condition.serialize_binary()
            entries.append(encode_uint(weight) + binary)
            features |= condition.features
            maximum += (1 if weight == 1 else 5) + len(binary)
            fulfillment_length = 2 + length_of_octets(condition.max_fulfillment_length)
            choices.append((weight, fulfillment_length - len(binary), 0))
        choices.sort(key=itemgetter(0), reverse=True)
        maximum += best_gain(choices, self._threshold)
        if maximum > MAX_PAYLOAD_BYTES:
            raise ConditionError(
                f"{type(self).__name__}: its fulfillment could have {maximum} bytes, {MAX_PAYLOAD_BYTES} at most"
            )
        head = self._threshold.to_bytes(4) + encode_uint(len(beneath))
        fingerprint = hashlib.sha256(head + _join_sorted(entries)).digest()
        return Condition(self.type_id, features, fingerprint, maximum)

    def _encode_subs(self, kept: dict[int, bytes]) -> bytes:
        """Return the payload in which the subs in `kept`, by index, are fulfillments, all others conditions."""
        entries = []
        for i, sub in enumerate(self._subs):
            fulfillment = kept.get(i)
            if fulfillment is None:
                body = _ABSENT + encode_octets(sub.body.derive().serialize_binary())
            else:
                body = encode_octets(fulfillment) + _ABSENT
            entries.append(encode_uint(sub.weight) + body)
        return encode_uint(self._threshold) + encode_uint(len(entries)) + _join_sorted(entries)

    def json_fields(self) -> dict[str, Any]:
        """Return the threshold and the subs, each with its weight."""
        subs = [{**sub.body.to_json(), "weight": sub.weight} for sub in self._subs]
        return {"threshold": self._threshold, "subfulfillments": subs}

    @classmethod
    def read_payload(cls, payload: bytes, census: Census, depth: int, where: str) -> Self:
        """Read threshold and subs; they must be sorted, as whatever is written is."""
        reader = Reader(payload, where)
        threshold = reader.uint(MAX_TABLE_CELLS)
        count = reader.uint(MAX_NODES)
        _check_size(count, threshold, where)
        fulfillment = cls(threshold)
        before = (0, b"")
        for i in range(count):
            start = reader.position
            fulfillment._subs.append(_read_sub(reader, census, depth + 1, f"{where}.subfulfillments[{i}]"))
            place = _place(reader.since(start))
            if place < before:
                raise ConditionError(f"{where}.subfulfillments[{i}]: belongs before the one before it", field=where)
            before = place
        reader.finish()
        fulfillment.check_shape()
        return fulfillment

    @classmethod
    def read_fields(cls, value: dict[str, Any], census: Census, depth: int, where: str) -> Self:
        """Read threshold and subs, in their order."""
        jsonform.keys(value, _KEYS, where)
        fulfillment = cls(jsonform.integer_field(value, "threshold", where, 1, MAX_TABLE_CELLS))
        subs = value["subfulfillments"]
        path = f"{where}.subfulfillments"
        if not isinstance(subs, list):
            raise ConditionError(f"{path}: is {type(subs).__name__}, not a list", field=path)
        _check_size(len(subs), fulfillment.threshold, where)
        for i, sub in enumerate(subs):
            sub_path = f"{path}[{i}]"
            if not isinstance(sub, dict) or "weight" not in sub:
                raise ConditionError(f"{sub_path}: has no 'weight'", field=f"{sub_path}.weight")
            weight = jsonform.integer_field(sub, "weight", sub_path, 1, MAX_WEIGHT)
            body = read_json({key: sub[key] for key in sub if key != "weight"}, census, depth + 1, sub_path)
            fulfillment._subs.append(Subcondition(body, weight))
        fulfillment.check_shape()
        return fulfillment


class ThresholdSha256Fulfillment(_Threshold):
    """Valid when what is beneath it is, to at least the weight required, and with nothing to spare."""

    __slots__ = ()

    type_id = 2

    def _fulfilled(self) -> list[tuple[int, Fulfillment, int]]:
        """Return index, body and weight of the subs that count as fulfilled, in their order."""
        return [
            (i, sub.body, sub.weight)
            for i, sub in enumerate(self._subs)
            if not isinstance(sub.body, Condition) and (sub.stated or sub.body.is_fulfilled())
        ]

    def is_fulfilled(self) -> bool:
        """Tell whether the weights of the subs that count as fulfilled reach the threshold."""
        return sum([weight for _, _, weight in self._fulfilled()]) >= self._threshold

    def encode_payload(self) -> bytes:
        """Return the payload with the cheapest subs that suffice, as the reference implementation chooses them.

        What was read although it does not suffice is written as it was read, again as the reference does.
        """
        fulfilled = self._fulfilled()
        binaries = [body.encode() for _, body, _ in fulfilled]
        total = sum([weight for _, _, weight in fulfilled])
        if total >= self._threshold:
            choices = [
                (weight, -len(binary), -len(body.derive().serialize_binary()))
                for (_, body, weight), binary in zip(fulfilled, binaries, strict=True)
            ]
            kept = best_walk(choices, self._threshold)
        elif all(sub.stated for sub in self._subs):
            kept = list(range(len(fulfilled)))
        else:
            raise ConditionError(f"not fulfilled yet: a weight of {self._threshold} is required, {total} is there")
        return self._encode_subs({fulfilled[i][0]: binaries[i] for i in kept})

    def holds(self, message: bytes, now_microseconds: int) -> bool:
        """Tell whether what counts as fulfilled suffices, is minimal and all valid."""
        fulfilled = self._fulfilled()
        weights = [weight for _, _, weight in fulfilled]
        total = sum(weights)
        if total < self._threshold or self._threshold + min(weights) <= total:
            return False
        return all(body.holds(message, now_microseconds) for _, body, _ in fulfilled)


class InvertedThresholdSha256Fulfillment(_Threshold):
    """Valid when the deadlines beneath it that have not passed do not reach the threshold any more."""

    __slots__ = ()

    type_id = 98

    def check_body(self, body: Node) -> None:
        """Raise ConditionError unless it is a deadline in full."""
        if not isinstance(body, TimeoutFulfillment):
            raise ConditionError(
                "only timeout fulfillments (type 99) may stand beneath an inverted threshold", field="subconditions"
            )

    def is_fulfilled(self) -> bool:
        """Return True: deadlines need nothing added."""
        return True

    def _deadlines(self) -> list[tuple[TimeoutFulfillment, int]]:
        return [(sub.body, sub.weight) for sub in self._subs if isinstance(sub.body, TimeoutFulfillment)]

    def encode_payload(self) -> bytes:
        """Return the payload, with every sub as a fulfillment."""
        return self._encode_subs({i: body.encode() for i, (body, _) in enumerate(self._deadlines())})

    def holds(self, message: bytes, now_microseconds: int) -> bool:
        """Tell whether the weights of the valid subs do not reach the threshold."""
        valid = sum([weight for body, weight in self._deadlines() if body.holds(message, now_microseconds)])
        return valid < self._threshold


def _place(entry: bytes) -> tuple[int, bytes]:
    """Return what encoded subs are sorted by: length, then bytes."""
    return len(entry), entry


def _join_sorted(entries: list[bytes]) -> bytes:
    ordered = sorted(entries, key=_place)
    return b"".join(ordered)


def _check_size(count: int, threshold: int, where: str) -> None:
    if not 0 < count <= MAX_NODES or threshold < 1 or count * threshold > MAX_TABLE_CELLS:
        raise ConditionError(
            f"{where}: threshold {threshold} of {count} subs: both must be at least 1, "
            f"and their product at most {MAX_TABLE_CELLS}",
            field=where,
        )


def _read_sub(reader: Reader, census: Census, depth: int, where: str) -> Subcondition:
    weight = reader.uint(MAX_WEIGHT)
    fulfillment = reader.octets()
    condition = reader.octets()
    if bool(fulfillment) == bool(condition):
        raise ConditionError(f"{where}: must have either a fulfillment or a condition", field=where)
    if fulfillment:
        return Subcondition(read_binary(fulfillment, census, depth, where), weight, stated=True)
    census.enter(depth, where)
    return Subcondition(Condition.from_binary(condition, where), weight, stated=True)
