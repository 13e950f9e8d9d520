"""Thresholds, upright and inverted."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import cryptoconditions as cc
from bigchaindb.cryptoconditions.codec import encode_octets, encode_uint
from bigchaindb.exceptions import ConditionError, NowRequired

from .structures import signing_key

KEYS = [signing_key(bytes([i]) * 32) for i in range(1, 9)]
A, B, C = (str(key.verifying_key) for key in KEYS[:3])
MESSAGE = "caf\u00e9 \u2713"


def unsigned(*public_keys: str) -> list[cc.Fulfillment]:
    return [cc.Ed25519Fulfillment(public_key=public_key) for public_key in public_keys]


def signed(*indexes: int, message: str = MESSAGE) -> list[cc.Fulfillment]:
    signatures = []
    for i in indexes:
        signature = cc.Ed25519Fulfillment(KEYS[i].verifying_key)
        signature.sign(message, KEYS[i])
        signatures.append(signature)
    return list(signatures)


def threshold_of(threshold: int, subs: list[cc.Fulfillment], weights: list[int] | None = None) -> Any:
    fulfillment = cc.ThresholdSha256Fulfillment(threshold=threshold)
    for sub, weight in zip(subs, weights or [1] * len(subs), strict=True):
        fulfillment.add_subfulfillment(sub, weight)
    return fulfillment


def inverted_of(threshold: int, *expire_times: str) -> cc.InvertedThresholdSha256Fulfillment:
    fulfillment = cc.InvertedThresholdSha256Fulfillment(threshold=threshold)
    for expire_time in expire_times:
        fulfillment.add_subfulfillment(cc.TimeoutFulfillment(expire_time))
    return fulfillment


def as_uri(type_id: int, payload: bytes) -> str:
    return cc.PreimageSha256Fulfillment(payload).serialize_uri().replace("cf:0:", f"cf:{type_id:x}:")


def entry(weight: int, sub: cc.Node) -> bytes:
    """Encode a sub as it stands in a payload."""
    if isinstance(sub, cc.Condition):
        return encode_uint(weight) + b"\x00" + encode_octets(sub.serialize_binary())
    return encode_uint(weight) + encode_octets(sub.serialize_binary()) + b"\x00"


def kept_secrets(fulfillment: cc.Fulfillment) -> list[bytes]:
    """Return the secrets that are still there after serialising."""
    nodes = cc.walk(cc.Fulfillment.from_uri(fulfillment.serialize_uri()))
    return [node.preimage for node in nodes if isinstance(node, cc.PreimageSha256Fulfillment)]


def payload_of(threshold: int, *entries: bytes) -> bytes:
    """Encode a payload by hand, the subs sorted."""
    ordered = sorted(entries, key=lambda item: (len(item), item))
    return encode_uint(threshold) + encode_uint(len(entries)) + b"".join(ordered)


# --- building, deriving, validating --------------------------------------------------------------------------


def test_the_documented_example_derives_and_serialises() -> None:
    # From the reference implementation's own documentation.
    fulfillment = cc.ThresholdSha256Fulfillment(threshold=1)
    fulfillment.add_subcondition(cc.Condition.from_uri("cc:4:20:7Bcrk61eVjv0kyxw4SRQNMNUZ-8u_U1k6_gZaDRn4r8:96"))
    fulfillment.add_subfulfillment(cc.Fulfillment.from_uri("cf:0:"))
    assert fulfillment.condition_uri == "cc:2:2b:mJUaGKCuF5n-3tfXM2U81VYtHbX-N8MP6kz8R-ASwNQ:146"
    uri = "cf:2:AQEBAgEBAwAAAAABAQAnAAQBICDsFyuTrV5WO_STLHDhJFA0w1Rn7y79TWTr-BloNGfivwFg"
    assert fulfillment.serialize_uri() == uri
    assert cc.Fulfillment.from_uri(uri).serialize_uri() == uri


def test_the_order_of_adding_does_not_matter_to_the_condition() -> None:
    assert threshold_of(2, unsigned(A, B, C)).condition == threshold_of(2, unsigned(C, A, B)).condition


def test_threshold_and_weights_matter_to_the_condition() -> None:
    conditions = {
        threshold_of(2, unsigned(A, B)).condition_uri,
        threshold_of(1, unsigned(A, B)).condition_uri,
        threshold_of(2, unsigned(A, B), [2, 1]).condition_uri,
        threshold_of(2, unsigned(A, B), [1, 2]).condition_uri,
        inverted_of(1, "1460981667").condition_uri,
        threshold_of(1, [cc.TimeoutFulfillment("1460981667")]).condition_uri,
    }
    assert len(conditions) == 6


def test_as_many_as_required_must_sign_and_no_more() -> None:
    for count, valid in (0, False), (1, False), (2, True), (3, False):
        fulfillment = threshold_of(2, signed(0, 1, 2)[:count] + unsigned(A, B, C)[count:])
        assert fulfillment.validate(MESSAGE) is valid, count
        assert fulfillment.is_fulfilled() is (count >= 2)


def test_weights_count() -> None:
    assert threshold_of(3, signed(0, 1) + unsigned(C), [2, 1, 5]).validate(MESSAGE)
    assert not threshold_of(3, signed(0, 1) + unsigned(C), [1, 1, 5]).validate(MESSAGE)
    # Five would do without the one.
    assert not threshold_of(3, signed(0, 1), [1, 5]).validate(MESSAGE)


def test_each_signature_must_be_right() -> None:
    assert not threshold_of(2, signed(0) + signed(1, message="other")).validate(MESSAGE)


def test_serialising_leaves_out_what_is_not_needed() -> None:
    fulfillment = cc.Fulfillment.from_uri(threshold_of(2, signed(0, 1, 2)).serialize_uri())
    assert fulfillment.validate(MESSAGE)
    assert len(cc.signatures(fulfillment)) == 2


def test_on_a_tie_serialising_leaves_out_the_sub_added_first() -> None:
    # Keeping the first costs as much as its condition (39 bytes) and the second.
    secrets: list[cc.Fulfillment] = [cc.PreimageSha256Fulfillment("x" * 49), cc.PreimageSha256Fulfillment("y" * 10)]
    assert kept_secrets(threshold_of(1, secrets)) == [b"y" * 10]
    secrets[0] = cc.PreimageSha256Fulfillment("x" * 48)
    assert kept_secrets(threshold_of(1, secrets)) == [b"x" * 48]


def test_serialising_prefers_what_is_shorter() -> None:
    secret: cc.Fulfillment = cc.PreimageSha256Fulfillment("")
    fulfillment = cc.Fulfillment.from_uri(threshold_of(1, [secret, *signed(0)]).serialize_uri())
    assert cc.signatures(fulfillment) == []
    assert fulfillment.validate("anything")


def test_what_serialising_keeps_may_be_more_than_is_needed() -> None:
    # By the reference's rules: omitting the first would cost more than keeping it, and it is walked first.
    secrets: list[cc.Fulfillment] = [cc.PreimageSha256Fulfillment(""), cc.PreimageSha256Fulfillment("x" * 100)]
    fulfillment = cc.Fulfillment.from_uri(threshold_of(3, secrets, [1, 3]).serialize_uri())
    assert not fulfillment.validate("")


def test_what_is_not_fulfilled_is_not_serialised() -> None:
    fulfillment = threshold_of(2, signed(0) + unsigned(B, C))
    for serialize in fulfillment.serialize_uri, fulfillment.serialize_binary:
        with pytest.raises(ConditionError, match="a weight of 2 is required, 1 is there"):
            serialize()


def test_a_sub_that_is_not_fulfilled_itself_counts_as_a_condition() -> None:
    inner = threshold_of(2, signed(1) + unsigned(C))
    fulfillment = threshold_of(1, [inner, *signed(0)])
    assert fulfillment.validate(MESSAGE)
    assert cc.Fulfillment.from_uri(fulfillment.serialize_uri()).validate(MESSAGE)


def test_thresholds_nest() -> None:
    inner = threshold_of(2, signed(0, 1) + unsigned(C))
    fulfillment = threshold_of(2, [inner, cc.PrefixSha256Fulfillment("p", signed(3, message="p" + MESSAGE)[0])])
    assert fulfillment.validate(MESSAGE)
    again = cc.Fulfillment.from_uri(fulfillment.serialize_uri())
    assert again.validate(MESSAGE)
    assert again.condition == fulfillment.condition
    assert again.bitmask == 0x2D


def test_the_condition_follows_every_change_beneath() -> None:
    inner = threshold_of(1, unsigned(A))
    outer = threshold_of(1, [inner])
    before = outer.condition
    assert outer.condition is before
    inner.add_subfulfillment(unsigned(B)[0])
    assert outer.condition == threshold_of(1, [threshold_of(1, unsigned(A, B))]).condition != before
    inner.subconditions.pop()
    assert outer.condition == before
    # A signature changes nothing of it.
    cc.signatures(outer)[0].sign(MESSAGE, KEYS[0])
    assert outer.condition == before


def test_the_walkthrough_runs_as_printed() -> None:
    condition = cc.ThresholdSha256Fulfillment(threshold=2)
    for public_key in A, B, C:
        condition.add_subfulfillment(cc.Ed25519Fulfillment(public_key=public_key))
    details = json.loads(condition.serialize_json())
    uri = condition.condition.serialize_uri()

    fulfillment: Any = cc.Fulfillment.from_json(details)
    sub1 = fulfillment.get_subcondition_from_vk(A)[0]
    sub2 = fulfillment.get_subcondition_from_vk(B)[0]
    sub3 = fulfillment.get_subcondition_from_vk(C)[0]
    fulfillment.subconditions = []
    sub1.sign(MESSAGE, KEYS[0])
    fulfillment.add_subfulfillment(sub1)
    sub2.sign(MESSAGE, KEYS[1])
    fulfillment.add_subfulfillment(sub2)
    fulfillment.add_subcondition(sub3.condition)

    assert fulfillment.validate(MESSAGE) is True
    read = cc.Fulfillment.from_uri(fulfillment.serialize_uri())
    assert read.validate(MESSAGE) is True
    assert read.condition_uri == uri


def test_a_key_is_found_wherever_it_stands() -> None:
    inner = threshold_of(1, unsigned(B, C))
    outer = threshold_of(1, [*unsigned(A), cc.PrefixSha256Fulfillment("p", inner), *unsigned(B)])
    found = outer.get_subcondition_from_vk(B)
    assert [signature.public_key for signature in found] == [B, B]
    assert found[0] is inner.subconditions[0].body
    assert outer.get_subcondition_from_vk(str(KEYS[5].verifying_key)) == []
    assert cc.public_keys(outer) == (A, B, C)
    with pytest.raises(ConditionError, match="public key"):
        outer.get_subcondition_from_vk("nobody")


def test_a_condition_that_stands_in_names_no_key() -> None:
    fulfillment = threshold_of(1, signed(0))
    fulfillment.add_subcondition(unsigned(B)[0].condition)
    assert cc.public_keys(fulfillment) == (A,)
    assert cc.public_keys(fulfillment.condition) == ()
    assert [type(node) for node in cc.walk(fulfillment)] == [
        cc.ThresholdSha256Fulfillment,
        cc.Ed25519Fulfillment,
        cc.Condition,
    ]


def test_a_copy_is_independent() -> None:
    original = threshold_of(1, unsigned(A, B))
    twin = copy.deepcopy(original)
    twin.get_subcondition_from_vk(A)[0].sign(MESSAGE, KEYS[0])
    assert twin.validate(MESSAGE)
    assert not original.validate(MESSAGE)
    assert twin.condition == original.condition


# --- deadlines -----------------------------------------------------------------------------------------------

BEFORE, DEADLINE, AFTER = "1460981667.000000", "1460981667.000001", "1460981667.000002"


def escrow(first: list[cc.Fulfillment], second: list[cc.Fulfillment]) -> Any:
    """Until the deadline it is the first owner's, then the second's."""
    in_time = threshold_of(2, [cc.TimeoutFulfillment(DEADLINE), *first])
    too_late = threshold_of(2, [inverted_of(1, DEADLINE), *second])
    return threshold_of(1, [in_time, too_late])


def test_an_inverted_threshold_holds_once_its_deadlines_have_passed() -> None:
    assert not inverted_of(1, DEADLINE).validate("", DEADLINE)
    assert inverted_of(1, DEADLINE).validate("", AFTER)
    both = inverted_of(2, "1460981667", "1460981669")
    assert not both.validate("", "1460981667")
    assert both.validate("", "1460981668")


def test_an_inverted_threshold_reads_back_in_every_form() -> None:
    fulfillment = inverted_of(2, "1460981669", "1460981667", "1460981667.5")
    assert fulfillment.condition_uri.startswith("cc:62:9:")
    assert fulfillment.is_fulfilled()
    for again in (
        cc.Fulfillment.from_uri(fulfillment.serialize_uri()),
        cc.Fulfillment.from_binary(fulfillment.serialize_binary()),
        cc.Fulfillment.from_json(json.loads(fulfillment.serialize_json())),
    ):
        assert isinstance(again, cc.InvertedThresholdSha256Fulfillment)
        assert again.serialize_uri() == fulfillment.serialize_uri()
        assert again.condition == fulfillment.condition
        assert len(again.subconditions) == 3


@pytest.mark.parametrize(
    ("first", "second", "now", "valid"),
    [
        ([0], [], BEFORE, True),
        ([0], [], DEADLINE, True),
        ([0], [], AFTER, False),
        ([], [1], DEADLINE, False),
        ([], [1], AFTER, True),
        ([], [], BEFORE, False),
        ([], [], AFTER, False),
    ],
)
def test_escrow(first: list[int], second: list[int], now: str, *, valid: bool) -> None:
    fulfillment = escrow(signed(*first) or unsigned(A), signed(*second) or unsigned(B))
    assert fulfillment.validate(MESSAGE, now) is valid
    if fulfillment.is_fulfilled():
        read = cc.Fulfillment.from_uri(fulfillment.serialize_uri())
        assert read.validate(MESSAGE, now) is valid
        assert read.condition == fulfillment.condition


def test_anything_that_holds_a_deadline_needs_to_know_the_time() -> None:
    for fulfillment in escrow(signed(0), unsigned(B)), inverted_of(1, DEADLINE):
        assert fulfillment.needs_now()
        with pytest.raises(NowRequired):
            fulfillment.validate(MESSAGE)
    # A deadline that nobody claims does not matter: the condition in its place tells nothing.
    claimed = threshold_of(1, signed(0))
    claimed.add_subcondition(cc.TimeoutFulfillment(DEADLINE).condition)
    assert not claimed.needs_now()
    assert claimed.validate(MESSAGE)


def test_only_deadlines_stand_beneath_an_inverted_threshold() -> None:
    inverted = inverted_of(1, DEADLINE)
    timeout = cc.TimeoutFulfillment(DEADLINE)
    with pytest.raises(ConditionError, match="only timeout fulfillments"):
        inverted.add_subcondition(timeout.condition)
    for sub in *signed(0), inverted_of(1, DEADLINE), cc.PreimageSha256Fulfillment(""), threshold_of(1, [timeout]):
        with pytest.raises(ConditionError, match="only timeout fulfillments"):
            inverted.add_subfulfillment(sub)
    inverted.subconditions.append(cc.Subcondition(timeout.condition))
    with pytest.raises(ConditionError, match="only timeout fulfillments"):
        inverted.serialize_uri()


def test_nor_are_others_read_beneath_it() -> None:
    timeout = cc.TimeoutFulfillment(DEADLINE)
    good = payload_of(1, entry(1, timeout), entry(1, timeout))
    assert cc.Fulfillment.from_uri(as_uri(98, good)).serialize_uri() == as_uri(98, good)
    for other in timeout.condition, cc.PreimageSha256Fulfillment(DEADLINE), inverted_of(1, DEADLINE):
        with pytest.raises(ConditionError, match="only timeout fulfillments"):
            cc.Fulfillment.from_uri(as_uri(98, payload_of(1, entry(1, timeout), entry(1, other))))
    told = inverted_of(1, DEADLINE, DEADLINE).to_json()
    told["subfulfillments"][1] = {**timeout.condition.to_json(), "weight": 1}
    with pytest.raises(ConditionError, match="only timeout fulfillments"):
        cc.Fulfillment.from_json(told)


# --- reading -------------------------------------------------------------------------------------------------

SIGNED_A, SIGNED_B = signed(0, 1)
STAND_IN = unsigned(C)[0].condition
GOOD = payload_of(2, entry(1, SIGNED_A), entry(1, SIGNED_B), entry(1, STAND_IN))
UNSORTED = encode_uint(1) + encode_uint(2)

BAD_PAYLOADS = {
    "nothing": b"",
    "no count": encode_uint(1),
    "no sub": payload_of(1),
    "fewer subs than counted": encode_uint(1) + encode_uint(2) + entry(1, SIGNED_A),
    "threshold of zero": payload_of(0, entry(1, SIGNED_A)),
    "threshold over the total weight": payload_of(3, entry(1, SIGNED_A), entry(1, SIGNED_B)),
    "threshold in two bytes": b"\x02\x00\x01" + payload_of(1, entry(1, SIGNED_A))[2:],
    "weight of zero": payload_of(1, entry(0, SIGNED_A), entry(1, SIGNED_B)),
    "weight beyond JSON": payload_of(1, entry(2**53, SIGNED_A)),
    "weight in two bytes": payload_of(1, b"\x02\x00\x01" + entry(1, SIGNED_A)[2:]),
    "neither fulfillment nor condition": payload_of(1, encode_uint(1) + b"\x00\x00", entry(1, SIGNED_A)),
    "fulfillment and condition": payload_of(
        1,
        encode_uint(1) + encode_octets(SIGNED_A.serialize_binary()) + encode_octets(STAND_IN.serialize_binary()),
    ),
    "longer before shorter": UNSORTED + entry(1, SIGNED_A) + entry(1, STAND_IN),
    "greater before smaller": UNSORTED + b"".join(sorted([entry(1, SIGNED_A), entry(1, SIGNED_B)], reverse=True)),
    "an unknown type beneath": GOOD.replace(b"\x00\x04\x60", b"\x00\x03\x60"),
    "a byte too many": GOOD + b"\x00",
    "a length in long form": payload_of(1, encode_uint(1) + b"\x81" + entry(1, SIGNED_A)[2:]),
}


@pytest.mark.parametrize("payload", BAD_PAYLOADS.values(), ids=BAD_PAYLOADS)
def test_other_payloads_are_refused(payload: bytes) -> None:
    with pytest.raises(ConditionError, match=r"^(fulfillment|weight|ThresholdSha256Fulfillment|threshold)"):
        cc.Fulfillment.from_uri(as_uri(2, payload))


def test_a_payload_is_refused_at_every_prefix() -> None:
    assert cc.Fulfillment.from_uri(as_uri(2, GOOD)).validate(MESSAGE)
    for end in range(len(GOOD)):
        with pytest.raises(ConditionError):
            cc.Fulfillment.from_uri(as_uri(2, GOOD[:end]))


def test_every_flipped_bit_is_refused_or_something_else() -> None:
    original = cc.Fulfillment.from_uri(as_uri(2, GOOD))
    for position in range(len(GOOD) * 8):
        flipped = bytearray(GOOD)
        flipped[position // 8] ^= 1 << position % 8
        try:
            other = cc.Fulfillment.from_uri(as_uri(2, bytes(flipped)))
        except ConditionError:
            continue
        # No second text of the same: it locks something else, or unlocks nothing.
        assert other.condition != original.condition or not other.validate(MESSAGE)


def test_the_same_sub_may_stand_twice() -> None:
    twice = payload_of(1, entry(1, STAND_IN), entry(1, STAND_IN), entry(1, SIGNED_A))
    assert cc.Fulfillment.from_uri(as_uri(2, twice)).serialize_uri() == as_uri(2, twice)


def test_what_does_not_suffice_still_reads_but_is_not_valid() -> None:
    too_few = payload_of(2, entry(1, SIGNED_A), entry(1, STAND_IN))
    fulfillment = cc.Fulfillment.from_uri(as_uri(2, too_few))
    assert not fulfillment.is_fulfilled()
    assert not fulfillment.validate(MESSAGE)
    assert fulfillment.serialize_uri() == as_uri(2, too_few)


def test_what_is_more_than_needed_still_reads_but_is_not_valid() -> None:
    too_many = payload_of(1, entry(1, SIGNED_A), entry(1, SIGNED_B))
    fulfillment = cc.Fulfillment.from_uri(as_uri(2, too_many))
    assert not fulfillment.validate(MESSAGE)
    assert cc.Fulfillment.from_uri(fulfillment.serialize_uri()).validate(MESSAGE)


def test_a_sub_that_came_as_a_fulfillment_must_be_one() -> None:
    # As a condition the incomplete sub would not matter; but what came as a fulfillment is judged as one.
    incomplete = cc.Fulfillment.from_uri(as_uri(2, payload_of(2, entry(1, SIGNED_B), entry(1, STAND_IN))))
    payload = payload_of(1, entry(1, incomplete))
    fulfillment = cc.Fulfillment.from_uri(as_uri(2, payload))
    assert fulfillment.is_fulfilled()
    assert not fulfillment.validate(MESSAGE)
    assert fulfillment.serialize_uri() == as_uri(2, payload)
    assert not cc.Fulfillment.from_uri(as_uri(2, payload_of(2, entry(1, incomplete), entry(1, SIGNED_A)))).validate(
        MESSAGE
    )


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 400), st.booleans()), min_size=1, max_size=7), st.data())
def test_what_is_serialised_reads_back(subs: list[tuple[int, int, bool]], data: st.DataObject) -> None:
    total = sum(weight for _, weight, fulfilled in subs if fulfilled)
    fulfillment = cc.ThresholdSha256Fulfillment(data.draw(st.integers(1, max(1, min(total, 9000)))))
    for i, weight, fulfilled in subs:
        sub = signed(i)[0]
        if fulfilled:
            fulfillment.add_subfulfillment(sub, weight)
        else:
            fulfillment.add_subcondition(sub.condition, weight)
    if not fulfillment.is_fulfilled():
        return
    uri = fulfillment.serialize_uri()
    again = cc.Fulfillment.from_uri(uri)
    assert again.serialize_uri() == uri
    assert again.condition == fulfillment.condition
    assert len(uri) * 3 // 4 <= again.condition.max_fulfillment_length + 400  # it describes, and is no bound
    told = cc.Fulfillment.from_json(json.loads(fulfillment.serialize_json()))
    assert told.condition == fulfillment.condition
    assert told.serialize_uri() == uri


# --- refusing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0, -1, 65_537, 2**70, 1.0, "1", None, True])
@pytest.mark.parametrize("cls", [cc.ThresholdSha256Fulfillment, cc.InvertedThresholdSha256Fulfillment])
def test_what_is_no_threshold_is_refused(cls: Any, threshold: Any) -> None:
    with pytest.raises(ConditionError, match=r"^threshold: "):
        cls(threshold=threshold)


@pytest.mark.parametrize("weight", [0, -1, 2**53, 1.0, "1", None, True])
def test_what_is_no_weight_is_refused(weight: Any) -> None:
    fulfillment = cc.ThresholdSha256Fulfillment(threshold=1)
    with pytest.raises(ConditionError, match=r"^weight: "):
        fulfillment.add_subfulfillment(SIGNED_A, weight=weight)
    with pytest.raises(ConditionError, match=r"^weight: "):
        fulfillment.add_subcondition(STAND_IN, weight=weight)
    assert fulfillment.subconditions == []


def test_fulfillments_and_conditions_are_not_confused() -> None:
    fulfillment: Any = cc.ThresholdSha256Fulfillment(threshold=1)
    for no_fulfillment in STAND_IN, None, "cf:0:":
        with pytest.raises(ConditionError, match="not a Fulfillment"):
            fulfillment.add_subfulfillment(no_fulfillment)
    for no_condition in SIGNED_A, None, STAND_IN.serialize_uri():
        with pytest.raises(ConditionError, match="not a Condition"):
            fulfillment.add_subcondition(no_condition)
    with pytest.raises(ConditionError, match="not a Fulfillment or Condition"):
        cc.Subcondition(fulfillment.subconditions)


def test_what_somebody_put_among_the_subs_is_checked() -> None:
    fulfillment = threshold_of(1, signed(0))
    fulfillment.subconditions.append(SIGNED_B)
    for use in fulfillment.serialize_uri, fulfillment.to_json, lambda: fulfillment.validate(""):
        with pytest.raises(ConditionError, match="hold Ed25519Fulfillment, not Subcondition"):
            use()


def test_threshold_and_weights_must_go_together() -> None:
    with pytest.raises(ConditionError, match="threshold 3 is over the total weight of 2"):
        threshold_of(3, unsigned(A, B)).condition  # noqa: B018 - deriving raises
    with pytest.raises(ConditionError, match="threshold 1 of 0 subs"):
        cc.ThresholdSha256Fulfillment(threshold=1).condition  # noqa: B018 - deriving raises


JSON = threshold_of(2, unsigned(A, B, C)).to_json()
SUBS = JSON["subfulfillments"]
BAD_JSON: dict[str, Any] = {
    "threshold of zero": {**JSON, "threshold": 0},
    "threshold over the total weight": {**JSON, "threshold": 4},
    "threshold as text": {**JSON, "threshold": "2"},
    "threshold as bool": {**JSON, "threshold": True},
    "huge threshold": {**JSON, "threshold": 10**5000},
    "no subs": {**JSON, "subfulfillments": []},
    "subs as dict": {**JSON, "subfulfillments": {"0": SUBS[0]}},
    "subs as tuple": {**JSON, "subfulfillments": tuple(SUBS)},
    "a sub without weight": {**JSON, "subfulfillments": [SUBS[0], {**SIGNED_A.to_json()}]},
    "a sub that is no object": {**JSON, "subfulfillments": [SUBS[0], None, SUBS[1]]},
    "weight of zero": {**JSON, "subfulfillments": [{**SUBS[0], "weight": 0}, *SUBS]},
    "weight beyond JSON": {**JSON, "subfulfillments": [{**SUBS[0], "weight": 2**53}, *SUBS]},
    "weight as float": {**JSON, "subfulfillments": [{**SUBS[0], "weight": 1.0}, *SUBS]},
    "features of the type only": {**JSON, "bitmask": 9},
    "another key": {**JSON, "weight": 1},
    "the other type": {**JSON, "type_id": 98},
}


@pytest.mark.parametrize("value", BAD_JSON.values(), ids=BAD_JSON)
def test_other_json_is_refused(value: Any) -> None:
    with pytest.raises(ConditionError):
        cc.Fulfillment.from_json(value)


def test_errors_name_the_sub() -> None:
    with pytest.raises(ConditionError) as caught:
        cc.Fulfillment.from_json({**JSON, "subfulfillments": [*SUBS, {**SUBS[0], "signature": "x"}]})
    assert caught.value.field == "fulfillment.subfulfillments[3].signature"
    with pytest.raises(ConditionError) as caught:
        cc.Fulfillment.from_json({**JSON, "subfulfillments": [SUBS[0], {**SUBS[1], "public_key": "x"}]})
    assert caught.value.field == "fulfillment.subfulfillments[1].public_key"
    with pytest.raises(ConditionError) as caught:
        cc.Fulfillment.from_json({**JSON, "subfulfillments": [SUBS[0], {**SUBS[1], "weight": True}]})
    assert caught.value.field == "fulfillment.subfulfillments[1].weight"


def test_stand_ins_are_told_as_conditions() -> None:
    fulfillment = threshold_of(1, unsigned(A))
    fulfillment.add_subcondition(STAND_IN, weight=3)
    assert fulfillment.to_json()["subfulfillments"][1] == {**STAND_IN.to_json(), "weight": 3}
    assert cc.Fulfillment.from_json(fulfillment.to_json()).condition == fulfillment.condition
