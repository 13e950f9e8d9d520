"""Fulfilling with the keys at hand: minimal, valid, and nothing given is changed."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import cryptoconditions as cc
from bigchaindb.cryptoconditions.limits import MAX_DEPTH
from bigchaindb.exceptions import CannotFulfil, ConditionError

from .structures import signing_key

if TYPE_CHECKING:
    from bigchaindb.crypto import SigningKey

SIGNING_KEYS = [signing_key(bytes([i]) * 32) for i in range(1, 10)]
PUBLIC_KEYS = [str(key.verifying_key) for key in SIGNING_KEYS]
ALICE, BOB, CAROL, DAVE = PUBLIC_KEYS[:4]
MESSAGE = "caf\u00e9 \u2713"
DEADLINE, AFTER = "1460981667.000001", "1460981667.000002"


def keys(*public_keys: str) -> dict[str, SigningKey]:
    return {public_key: SIGNING_KEYS[PUBLIC_KEYS.index(public_key)] for public_key in public_keys}


def key(public_key: str) -> cc.Fulfillment:
    return cc.Ed25519Fulfillment(public_key=public_key)


def threshold(required: int, *subs: cc.Node, weights: list[int] | None = None) -> cc.ThresholdSha256Fulfillment:
    fulfillment = cc.ThresholdSha256Fulfillment(threshold=required)
    fulfillment.subconditions = [
        cc.Subcondition(sub, weight) for sub, weight in zip(subs, weights or [1] * len(subs), strict=True)
    ]
    return fulfillment


def inverted(expire_time: str) -> cc.Fulfillment:
    fulfillment = cc.InvertedThresholdSha256Fulfillment(threshold=1)
    fulfillment.add_subfulfillment(cc.TimeoutFulfillment(expire_time))
    return fulfillment


def details(fulfillment: cc.Fulfillment) -> cc.Node:
    """Return what somebody else reads of it."""
    return cc.from_details(json.loads(fulfillment.serialize_json()))


def signers(fulfillment: cc.Fulfillment) -> list[str]:
    return [signature.public_key for signature in cc.signatures(fulfillment)]


def assert_unlocks(fulfilled: cc.Fulfillment, locked: cc.Node, now: str | None = None) -> None:
    """Check that an outcome is valid as it is and as it is read by others, for the same condition."""
    uri = fulfilled.serialize_uri()
    read = cc.Fulfillment.from_uri(uri)
    assert read.serialize_uri() == uri
    assert read.condition_uri == fulfilled.condition_uri == locked.condition_uri
    time = now or ("0" if fulfilled.needs_now() else None)
    assert fulfilled.validate(MESSAGE, time)
    assert read.validate(MESSAGE, time)
    # What is serialised is what was chosen.
    assert [type(node) for node in cc.walk(fulfilled)].count(cc.Condition) == [
        type(node) for node in cc.walk(read)
    ].count(cc.Condition)


def test_a_single_key_signs() -> None:
    locked = details(key(ALICE))
    assert_unlocks(cc.fulfil(locked, MESSAGE, keys(ALICE)), locked)


def test_a_message_may_be_bytes() -> None:
    assert cc.fulfil(key(ALICE), MESSAGE.encode(), keys(ALICE)).validate(MESSAGE)


def test_nothing_given_is_changed() -> None:
    locked = threshold(1, threshold(1, key(ALICE)), inverted(DEADLINE))
    before = locked.serialize_json()
    given_keys = keys(ALICE)
    fulfilled = cc.fulfil(locked, MESSAGE, given_keys)
    assert locked.serialize_json() == before
    assert given_keys == keys(ALICE)
    for node in list(cc.walk(locked)):
        if isinstance(node, cc.ThresholdSha256Fulfillment | cc.InvertedThresholdSha256Fulfillment):
            node.subconditions.clear()
    assert fulfilled.condition_uri == cc.Fulfillment.from_json(json.loads(before)).condition_uri


def test_a_missing_key_is_named() -> None:
    with pytest.raises(CannotFulfil, match=f"no private key for {BOB}$") as caught:
        cc.fulfil(details(threshold(2, key(ALICE), key(BOB))), MESSAGE, keys(ALICE))
    assert caught.value.missing_keys == (BOB,)


def test_only_keys_that_would_help_are_named() -> None:
    # Bob's half is done by Alice already.
    locked = threshold(2, threshold(1, key(ALICE), key(BOB)), key(CAROL))
    with pytest.raises(CannotFulfil) as caught:
        cc.fulfil(locked, MESSAGE, keys(ALICE))
    assert caught.value.missing_keys == (CAROL,)


def test_an_error_names_sixteen_keys_at_most() -> None:
    many = [str(signing_key(bytes([i, 1] * 16)).verifying_key) for i in range(20)]
    with pytest.raises(CannotFulfil, match=f"{many[15]} and 4 more") as caught:
        cc.fulfil(threshold(20, *map(key, many)), MESSAGE, {})
    assert caught.value.missing_keys == tuple(many)


def test_no_more_sign_than_needed_and_the_first_of_equals_do() -> None:
    locked = details(threshold(2, key(ALICE), key(BOB), key(CAROL)))
    fulfilled = cc.fulfil(locked, MESSAGE, keys(CAROL, BOB, ALICE))
    assert_unlocks(fulfilled, locked)
    assert signers(fulfilled) == [ALICE, BOB]


def test_weights_are_chosen_so_that_none_can_be_left_out() -> None:
    # 1 + 5 would do, but 5 alone reaches 3: the one may not sign as well.
    locked = details(threshold(3, key(ALICE), key(BOB), weights=[1, 5]))
    fulfilled = cc.fulfil(locked, MESSAGE, keys(ALICE, BOB))
    assert_unlocks(fulfilled, locked)
    assert signers(fulfilled) == [BOB]


def test_the_cheapest_way_is_taken() -> None:
    cheap, dear = cc.PreimageSha256Fulfillment("x"), cc.PreimageSha256Fulfillment("x" * 500)
    locked = threshold(1, dear, key(ALICE), cheap)
    fulfilled = cc.fulfil(locked, MESSAGE, keys(ALICE))
    assert_unlocks(fulfilled, locked)
    assert cheap in list(cc.walk(fulfilled))


def test_prefixes_are_signed_too() -> None:
    locked = details(cc.PrefixSha256Fulfillment("a", threshold(1, cc.PrefixSha256Fulfillment(b"\xff", key(ALICE)))))
    assert_unlocks(cc.fulfil(locked, MESSAGE, keys(ALICE)), locked)
    with pytest.raises(CannotFulfil) as caught:
        cc.fulfil(locked, MESSAGE, keys(BOB))
    assert caught.value.missing_keys == (ALICE,)


def test_a_hash_lock_whose_secret_is_told_needs_nothing() -> None:
    locked = details(cc.PreimageSha256Fulfillment("secret"))
    assert_unlocks(cc.fulfil(locked, MESSAGE, {}), locked)


@pytest.mark.parametrize("secret", ["s\u00e9cret", "s\u00e9cret".encode()])
def test_a_hash_lock_whose_secret_is_not_told_takes_it_from_those_given(secret: str | bytes) -> None:
    lock = cc.PreimageSha256Fulfillment("s\u00e9cret").condition
    for locked in lock, threshold(2, lock, key(ALICE)), cc.PrefixSha256Fulfillment("p", lock):
        assert_unlocks(cc.fulfil(locked, MESSAGE, keys(ALICE), ["wrong", secret]), locked)
        with pytest.raises(CannotFulfil, match=f"no secret or key given fulfils {lock.serialize_uri()}"):
            cc.fulfil(locked, MESSAGE, keys(ALICE), ["wrong"])


def test_a_secret_must_have_the_length_that_the_lock_says() -> None:
    lock = cc.PreimageSha256Fulfillment("secret").condition
    longer = cc.Condition(0, 3, lock.fingerprint, 7)
    with pytest.raises(CannotFulfil):
        cc.fulfil(longer, MESSAGE, {}, ["secret"])


def test_a_single_key_is_known_by_its_condition() -> None:
    bare = key(ALICE).condition
    for locked in bare, threshold(2, bare, key(BOB)):
        assert_unlocks(cc.fulfil(locked, MESSAGE, keys(ALICE, BOB)), locked)
        with pytest.raises(CannotFulfil) as caught:
            cc.fulfil(locked, MESSAGE, {})
        assert ALICE in caught.value.missing_keys
    # Another maximum is another condition, which no signature derives to.
    with pytest.raises(CannotFulfil, match="no secret or key given fulfils"):
        cc.fulfil(cc.Condition(4, 0x20, bare.fingerprint, 97), MESSAGE, keys(ALICE))


def test_of_other_conditions_nothing_is_known() -> None:
    with pytest.raises(CannotFulfil, match="no secret or key given fulfils cc:2:29:") as caught:
        cc.fulfil(threshold(1, key(ALICE)).condition, MESSAGE, keys(ALICE))
    assert caught.value.missing_keys == ()


def test_owners_may_sign_one_after_the_other() -> None:
    first: Any = details(threshold(2, key(ALICE), key(BOB)))
    first.get_subcondition_from_vk(ALICE)[0].sign(MESSAGE, SIGNING_KEYS[0])
    second = details(first)
    assert_unlocks(cc.fulfil(second, MESSAGE, keys(BOB)), second)
    with pytest.raises(CannotFulfil) as caught:
        cc.fulfil(second, "another message", keys(BOB))
    assert caught.value.missing_keys == (ALICE,)


# --- deadlines -----------------------------------------------------------------------------------------------

ESCROW = threshold(
    1, threshold(2, cc.TimeoutFulfillment(DEADLINE), key(ALICE)), threshold(2, inverted(DEADLINE), key(BOB))
)


@pytest.mark.parametrize(
    ("owners", "now", "signer"),
    [
        ([ALICE], None, ALICE),
        ([BOB], None, BOB),
        ([ALICE], DEADLINE, ALICE),
        ([BOB], AFTER, BOB),
        ([ALICE, BOB], DEADLINE, ALICE),
        ([ALICE, BOB], AFTER, BOB),
    ],
)
def test_escrow_takes_the_branch_that_works(owners: list[str], now: str | None, signer: str) -> None:
    locked = details(ESCROW)
    fulfilled = cc.fulfil(locked, MESSAGE, keys(*owners), now=now)
    assert signers(fulfilled) == [signer]
    assert_unlocks(fulfilled, locked, now or (DEADLINE if signer == ALICE else AFTER))


@pytest.mark.parametrize(("owner", "now", "other"), [(BOB, DEADLINE, ALICE), (ALICE, AFTER, BOB)])
def test_escrow_does_not_open_at_the_wrong_time(owner: str, now: str, other: str) -> None:
    with pytest.raises(CannotFulfil, match=r"a deadline of cc:6[23]:9:") as caught:
        cc.fulfil(details(ESCROW), MESSAGE, keys(owner), now=now)
    assert caught.value.missing_keys == (other,)


def test_deadlines_alone_need_no_key() -> None:
    for locked, now in (cc.TimeoutFulfillment(DEADLINE), DEADLINE), (inverted(DEADLINE), AFTER):
        assert_unlocks(cc.fulfil(details(locked), MESSAGE, {}, now=now), locked, now)
        assert cc.fulfil(details(locked), MESSAGE, {}).is_fulfilled()


# --- arguments -----------------------------------------------------------------------------------------------


def test_malformed_arguments_are_refused() -> None:
    anything: Any = None
    with pytest.raises(ConditionError, match=r"^message: "):
        cc.fulfil(key(ALICE), anything, keys(ALICE))
    with pytest.raises(ConditionError, match=r"^now: "):
        cc.fulfil(key(ALICE), MESSAGE, keys(ALICE), now="soon")
    with pytest.raises(ConditionError, match="not a single one"):
        cc.fulfil(key(ALICE), MESSAGE, keys(ALICE), "secret")
    with pytest.raises(ConditionError, match=r"^secret: is int"):
        cc.fulfil(key(ALICE), MESSAGE, keys(ALICE), [7])  # type: ignore[list-item]
    with pytest.raises(ConditionError, match=f"is that of {BOB}, this needs that of {ALICE}"):
        cc.fulfil(key(ALICE), MESSAGE, {ALICE: SIGNING_KEYS[1]})
    with pytest.raises(ConditionError, match="of 0 subs"):
        cc.fulfil(threshold(1), MESSAGE, keys(ALICE))


# --- laws ----------------------------------------------------------------------------------------------------


@given(
    weights=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    given_keys=st.sets(st.integers(0, 7)),
    data=st.data(),
)
def test_it_works_exactly_when_the_keys_suffice(weights: list[int], given_keys: set[int], data: st.DataObject) -> None:
    required = data.draw(st.integers(1, sum(weights)))
    locked = details(threshold(required, *map(key, PUBLIC_KEYS[: len(weights)]), weights=weights))
    available = {i for i in given_keys if i < len(weights)}
    private_keys = keys(*(PUBLIC_KEYS[i] for i in given_keys))
    if sum(weights[i] for i in available) < required:
        with pytest.raises(CannotFulfil) as caught:
            cc.fulfil(locked, MESSAGE, private_keys)
        assert set(caught.value.missing_keys) == {PUBLIC_KEYS[i] for i in range(len(weights)) if i not in available}
        return
    fulfilled = cc.fulfil(locked, MESSAGE, private_keys)
    assert_unlocks(fulfilled, locked)
    # As few signatures as any minimal choice has.
    fewest = min(
        size
        for size in range(1, len(available) + 1)
        for chosen in itertools.combinations(available, size)
        if 0 <= sum(weights[i] for i in chosen) - required < min(weights[i] for i in chosen)
    )
    assert len(signers(fulfilled)) == fewest


def depth(node: cc.Node) -> int:
    return 1 + max((depth(child) for child in node.children()), default=0) if isinstance(node, cc.Fulfillment) else 1


NODES = st.recursive(
    st.one_of(
        st.sampled_from(PUBLIC_KEYS).map(key),
        st.binary(max_size=60).map(cc.PreimageSha256Fulfillment),
        st.binary(max_size=60).map(lambda secret: cc.PreimageSha256Fulfillment(secret).condition),
        st.sampled_from([DEADLINE, "1460981666", "1460981668"]).map(cc.TimeoutFulfillment),
        st.sampled_from([DEADLINE, "1460981666", "1460981668"]).map(inverted),
    ),
    lambda nodes: st.one_of(
        st.builds(cc.PrefixSha256Fulfillment, st.binary(max_size=9), nodes),
        st.builds(
            lambda subs, share: threshold(
                max(1, sum(weight for _, weight in subs) * share // 4),
                *(node for node, _ in subs),
                weights=[weight for _, weight in subs],
            ),
            st.lists(st.tuples(nodes, st.integers(1, 5)), min_size=1, max_size=4),
            st.integers(0, 4),
        ),
    ),
    max_leaves=9,
).filter(lambda node: depth(node) <= MAX_DEPTH)


@given(NODES, st.sets(st.sampled_from(PUBLIC_KEYS)), st.sampled_from([None, DEADLINE, AFTER]))
def test_whatever_is_fulfilled_is_minimal_and_valid(node: cc.Node, owners: set[str], now: str | None) -> None:
    try:
        fulfilled = cc.fulfil(node, MESSAGE, keys(*owners), now=now)
    except CannotFulfil as error:
        assert owners.isdisjoint(error.missing_keys)  # noqa: PT017 - either outcome is checked
        return
    assert fulfilled.condition_uri == node.condition_uri
    assert set(signers(fulfilled)) <= owners
    uri = fulfilled.serialize_uri()
    assert cc.Fulfillment.from_uri(uri).serialize_uri() == uri
    if now is not None or not fulfilled.needs_now():
        assert_unlocks(fulfilled, node, now)


# --- parts signed elsewhere --------------------------------------------------------------------------------


def parts(locked: cc.Node, *public_keys: str) -> list[cc.Ed25519Fulfillment]:
    return cc.sign_parts(locked, MESSAGE, keys(*public_keys))


def outcome(locked: cc.Node, signing_keys: dict[str, SigningKey], made: list[cc.Ed25519Fulfillment]) -> object:
    """Return what a structure is fulfilled with, or the keys that are missing."""
    try:
        return cc.fulfil(locked, MESSAGE, signing_keys, signatures=made).serialize_uri()
    except CannotFulfil as error:
        return error.missing_keys


@given(st.sets(st.sampled_from([ALICE, BOB, CAROL, DAVE])), st.integers(1, 4))
def test_parts_unlock_what_the_keys_together_would(willing: set[str], required: int) -> None:
    locked = details(threshold(required, key(ALICE), key(BOB), threshold(1, key(CAROL), key(DAVE)), key(ALICE)))
    made = [part for owner in sorted(willing) for part in parts(locked, owner)]
    assert outcome(locked, {}, made) == outcome(locked, keys(*willing), [])


def test_a_part_beneath_a_prefix_signs_the_prefix_too() -> None:
    locked = details(threshold(2, cc.PrefixSha256Fulfillment(b"for the boat: ", key(ALICE)), key(ALICE)))
    made = parts(locked, ALICE)
    assert len({part.signature for part in made}) == 2
    assert_unlocks(cc.fulfil(locked, MESSAGE, {}, signatures=made), locked)
    with pytest.raises(CannotFulfil):
        cc.fulfil(locked, MESSAGE, {}, signatures=made[:1])


def test_a_key_that_is_known_by_its_condition_only_can_sign_a_part() -> None:
    locked = threshold(2, key(ALICE).condition, key(BOB))
    made = parts(locked, ALICE) + parts(locked, BOB)
    assert_unlocks(cc.fulfil(locked, MESSAGE, {}, signatures=made), locked)
    odd = cc.Condition(4, 0x20, key(ALICE).condition.fingerprint, 97)
    assert parts(threshold(1, odd, cc.PreimageSha256Fulfillment("secret").condition), ALICE) == []


def test_parts_change_nothing_and_nothing_is_signed_for_others() -> None:
    locked = threshold(1, key(ALICE), key(BOB), inverted(DEADLINE))
    assert [part.public_key for part in parts(locked, BOB, CAROL)] == [BOB]
    assert [leaf.signature for leaf in cc.signatures(locked)] == [None, None]


def test_signatures_of_something_else_are_left_aside() -> None:
    locked = details(key(ALICE))
    (other,) = cc.sign_parts(locked, "another message", keys(ALICE))
    (good,) = parts(locked, ALICE)
    with pytest.raises(CannotFulfil, match=ALICE):
        cc.fulfil(locked, MESSAGE, {}, signatures=[other, *parts(details(key(BOB)), BOB)])
    assert_unlocks(cc.fulfil(locked, MESSAGE, {}, signatures=[other, good]), locked)


def test_parts_of_what_is_no_structure_are_refused() -> None:
    with pytest.raises(ConditionError, match="not a Fulfillment or Condition"):
        cc.sign_parts({"type_id": 4}, MESSAGE, {})  # type: ignore[arg-type]
    with pytest.raises(ConditionError, match="not a mapping"):
        cc.sign_parts(key(ALICE), MESSAGE, [ALICE])  # type: ignore[arg-type]
