"""Hashes and keys: the published hash, the published signatures, and the odd points where verifiers disagree."""

from __future__ import annotations

import hashlib
import json
import pickle
import traceback
from pathlib import Path
from typing import Any

import base58
import nacl.bindings
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bigchaindb import canonical, crypto
from bigchaindb.exceptions import InvalidKey, InvalidValue

PUBLISHED = json.loads((Path(__file__).parent / "vectors" / "published_transactions.json").read_text())

ORDER = 2**252 + 27742317777372353535851937790883648493  # of the group, RFC 8032 section 5.1
PRIME = 2**255 - 19

# RFC 8032 section 7.1: (private key, public key, message, signature)
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]

# The eight points of small order: a key or an R among them makes signatures that fit more than one message.
SMALL_ORDER = [
    bytes.fromhex(text)
    for text in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    )
]
IDENTITY = SMALL_ORDER[0]
OF_ORDER_8 = SMALL_ORDER[4]
MESSAGE = b"the same text"

KEYS = st.binary(min_size=32, max_size=32)


def key_of(seed: bytes) -> crypto.SigningKey:
    return crypto.SigningKey(base58.b58encode(seed).decode())


def scalar(number: int) -> bytes:
    return (number % ORDER).to_bytes(32, "little")


def challenge(r: bytes, public_key: bytes, message: bytes) -> int:
    """The k of RFC 8032 section 5.1.7."""
    return int.from_bytes(hashlib.sha512(r + public_key + message).digest(), "little") % ORDER


def plus(point: bytes, other: bytes) -> bytes:
    return nacl.bindings.crypto_core_ed25519_add(point, other)


def times_base(number: int) -> bytes:
    return nacl.bindings.crypto_scalarmult_ed25519_base_noclamp(scalar(number))


# --- hashes ------------------------------------------------------------------------------------------------


def test_the_published_payload_hash_reproduces() -> None:
    example = PUBLISHED["payload_hash_example"]
    assert crypto.hash_data(canonical.dumps(example["payload"])) == example["hash"]


@pytest.mark.parametrize(
    ("text", "digest"),
    [  # as in Ethereum
        ("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        ("abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        ("transfer(address,uint256)", "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b"),
    ],
)
def test_known_keccak_hashes(text: str, digest: str) -> None:
    assert crypto.hash_data(text) == digest


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_the_hash_is_of_utf_8_and_is_not_the_sha3_of_fips_202(text: str) -> None:
    digest = crypto.hash_data(text)
    assert bytes.fromhex(digest) == crypto.hash_bytes(text.encode())
    assert digest != hashlib.sha3_256(text.encode()).hexdigest()


@pytest.mark.parametrize("data", [None, "text", 1, bytearray(b"x")], ids=type)
def test_only_bytes_are_hashed_as_bytes(data: Any) -> None:
    with pytest.raises(InvalidValue, match=r"^data: is \w+, not bytes"):
        crypto.hash_bytes(data)


@pytest.mark.parametrize("text", [None, b"text", 1], ids=type)
def test_only_text_is_hashed_as_text(text: Any) -> None:
    with pytest.raises(InvalidValue, match=r"^text: is \w+, not str"):
        crypto.hash_data(text)


def test_a_lone_surrogate_has_no_hash() -> None:
    with pytest.raises(InvalidValue, match="lone surrogate"):
        crypto.hash_data("\ud800")


# --- keys --------------------------------------------------------------------------------------------------


def test_a_new_pair_belongs_together() -> None:
    private_key, public_key = crypto.generate_key_pair()
    assert str(crypto.SigningKey(private_key).verifying_key) == public_key
    assert private_key != public_key


def test_no_pair_is_given_twice() -> None:
    assert len({crypto.generate_key_pair() for _ in range(100)}) == 100


@given(KEYS)
def test_a_public_key_has_one_text_and_one_value(data: bytes) -> None:
    key = crypto.VerifyingKey(data)
    again = crypto.VerifyingKey(str(key))
    assert bytes(again) == bytes(key) == data
    assert str(again) == str(key) == base58.b58encode(data).decode()
    assert again == key
    assert hash(again) == hash(key)
    assert repr(key) == f"VerifyingKey('{key}')"
    assert pickle.loads(pickle.dumps(key)) == key  # noqa: S301 - our own pickle


@given(KEYS, KEYS)
def test_different_keys_are_different(one: bytes, other: bytes) -> None:
    assume(one != other)
    assert crypto.VerifyingKey(one) != crypto.VerifyingKey(other)
    assert crypto.VerifyingKey(one) != one


GOOD_KEY = crypto.generate_key_pair()[1]

BAD_KEYS: dict[str, tuple[Any, str]] = {
    "none": (None, "is NoneType"),
    "a number": (5, "is int"),
    "a list": ([], "is list"),
    "a bytearray": (bytearray(32), "is bytearray"),
    "empty": ("", "has 0 characters"),
    "too short": ("1", "is base58 of 1 bytes"),
    "31 bytes": (base58.b58encode(bytes(31)).decode(), "is base58 of 31 bytes"),
    "33 bytes": (base58.b58encode(bytes(33)).decode(), "is base58 of 33 bytes"),
    "too large": ("z" * 44, "is base58 of 33 bytes"),
    "too long": ("1" * 45, "has 45 characters"),
    "a million characters": ("z" * 10**6, "has 1000000 characters"),
    "zeros": ("0" * 44, "is not base58"),
    "the letters left out": ("IOl0" * 11, "is not base58"),
    "a line end": (f"{GOOD_KEY[:-1]}\n", "is not base58"),
    "a space": (f" {GOOD_KEY[:-1]}", "is not base58"),
    "other letters": ("é" * 43, "is not base58"),
    "a surrogate": ("\ud800" * 43, "is not base58"),
}


@pytest.mark.parametrize(("key", "reason"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_what_is_no_public_key_is_refused(key: Any, reason: str) -> None:
    with pytest.raises(InvalidKey, match=r"^public key ") as caught:
        crypto.VerifyingKey(key)
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()
    assert caught.value.field == "public_key"


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_public_key_has_thirty_two_bytes(size: int) -> None:
    with pytest.raises(InvalidKey, match=f"has {size} bytes, not 32"):
        crypto.VerifyingKey(bytes(size))


@pytest.mark.parametrize("key", [bad for bad, _ in BAD_KEYS.values()], ids=BAD_KEYS)
def test_what_is_no_private_key_is_refused_without_being_shown(key: Any) -> None:
    with pytest.raises(InvalidKey, match=r"^private key is not base58 of 32 bytes$") as caught:
        crypto.SigningKey(key)
    assert caught.value.field == "private_key"
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_a_mistyped_private_key_is_in_no_message() -> None:
    private_key = crypto.generate_key_pair()[0]
    mistyped = private_key[:-1] + "0"
    with pytest.raises(InvalidKey) as caught:
        crypto.SigningKey(mistyped)
    assert mistyped[:8] not in "".join(traceback.format_exception_only(caught.value))
    assert mistyped[:8] not in repr(caught.value)


def test_a_signing_key_shows_its_public_half_only() -> None:
    private_key, public_key = crypto.generate_key_pair()
    key = crypto.SigningKey(private_key)
    assert public_key in repr(key)
    for shown in (repr(key), str(key), f"{key}"):
        assert private_key not in shown


def test_the_public_half_cannot_be_exchanged() -> None:
    key = crypto.SigningKey(crypto.generate_key_pair()[0])
    with pytest.raises(AttributeError):
        key.verifying_key = crypto.VerifyingKey(GOOD_KEY)  # type: ignore[misc]


def test_secrets_differ_by_purpose_and_by_key_and_nothing_else() -> None:
    private_key = crypto.generate_key_pair()[0]
    key, again = crypto.SigningKey(private_key), crypto.SigningKey(private_key)
    assert key.derive_secret(b"a") == again.derive_secret(b"a")
    assert key.derive_secret(b"a") != key.derive_secret(b"b")
    assert key.derive_secret(b"a") != crypto.SigningKey(crypto.generate_key_pair()[0]).derive_secret(b"a")
    assert len(key.derive_secret(b"")) == 32


# --- signatures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "public_key", "message", "signature"), RFC_8032)
def test_signatures_are_those_of_rfc_8032(seed: str, public_key: str, message: str, signature: str) -> None:
    key = key_of(bytes.fromhex(seed))
    assert bytes(key.verifying_key).hex() == public_key
    assert key.sign_bytes(bytes.fromhex(message)).hex() == signature
    assert crypto.verify(bytes.fromhex(public_key), bytes.fromhex(message), bytes.fromhex(signature))


@given(KEYS, st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_signed_as_its_utf_8(seed: bytes, text: str) -> None:
    key = key_of(seed)
    assert key.sign(text) == key.sign(text.encode())
    assert key.verifying_key.verify(text, key.sign(text))
    assert key.verifying_key.verify(text.encode(), key.sign_bytes(text))


@given(KEYS, st.binary(max_size=64), st.data())
def test_one_changed_bit_spoils_a_signature(seed: bytes, message: bytes, data: st.DataObject) -> None:
    key = key_of(seed)
    signature, public_key = key.sign_bytes(message), bytes(key.verifying_key)
    whole = signature + public_key + message
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    number = int.from_bytes(whole, "little") ^ (1 << bit)
    changed = number.to_bytes(len(whole), "little")
    assert crypto.verify(public_key, message, signature)
    assert not crypto.verify(changed[64:96], changed[96:], changed[:64])


@pytest.mark.parametrize(
    "signature",
    [None, 1, [], "", "x", "0" * 88, "\ud800", "1" * 88, "z" * 10**6, b"", bytes(63), bytes(64), bytes(65)],
    ids=lambda item: f"{type(item).__name__}-{len(item) if isinstance(item, str | bytes) else item}",
)
def test_what_is_no_signature_verifies_nothing(signature: Any) -> None:
    assert crypto.VerifyingKey(GOOD_KEY).verify("message", signature) is False


def test_a_signature_with_something_behind_it_is_none() -> None:
    key = crypto.SigningKey(crypto.generate_key_pair()[0])
    signature = key.sign(MESSAGE)
    assert key.verifying_key.verify(MESSAGE, signature)
    assert not key.verifying_key.verify(MESSAGE, f"{signature}\n")
    assert not key.verifying_key.verify(MESSAGE, f"1{signature}")
    assert not key.verifying_key.verify(MESSAGE, key.sign_bytes(MESSAGE) + b"\x00")


@given(KEYS, st.binary(max_size=64), st.integers(-64, 64))
def test_a_signature_ends_where_the_message_begins(seed: bytes, message: bytes, shift: int) -> None:
    key = key_of(seed)
    whole = key.sign_bytes(message) + message
    split = 64 + shift
    assert crypto.verify(bytes(key.verifying_key), whole[split:], whole[:split]) is (len(whole[:split]) == 64)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_no_key_of_another_size_verifies(size: int) -> None:
    assert not crypto.verify(bytes(size), MESSAGE, bytes(64))


def test_nothing_can_be_signed_that_has_a_lone_surrogate() -> None:
    key = crypto.SigningKey(crypto.generate_key_pair()[0])
    for call in (key.sign, lambda message: key.verifying_key.verify(message, key.sign(MESSAGE))):
        with pytest.raises(InvalidValue, match="lone surrogate"):
            call("\ud800")


@pytest.mark.parametrize("message", [None, 1, bytearray(b"x"), memoryview(b"x"), ["x"]], ids=type)
def test_a_message_is_text_or_bytes(message: Any) -> None:
    key = crypto.SigningKey(crypto.generate_key_pair()[0])
    for call in (key.sign, key.sign_bytes):
        with pytest.raises(InvalidValue, match=r"^message: is \w+, not str or bytes"):
            call(message)
    with pytest.raises(InvalidValue, match=r"^message: is \w+, not str or bytes"):
        key.verifying_key.verify(message, key.sign("x"))


# --- where verifiers disagree: pinned to what libsodium does ------------------------------------------------


@given(KEYS, st.integers(1, 15))
def test_the_second_half_of_a_signature_must_be_below_the_group_order(seed: bytes, factor: int) -> None:
    key = key_of(seed)
    signature = key.sign_bytes(MESSAGE)
    more = int.from_bytes(signature[32:], "little") + factor * ORDER
    assume(more < 2**256)
    assert not crypto.verify(bytes(key.verifying_key), MESSAGE, signature[:32] + more.to_bytes(32, "little"))


@pytest.mark.parametrize("public_key", SMALL_ORDER, ids=bytes.hex)
@pytest.mark.parametrize("r", SMALL_ORDER, ids=bytes.hex)
def test_a_key_of_small_order_verifies_nothing(public_key: bytes, r: bytes) -> None:
    # With s = 0 the equation holds for about one message in eight; by the equation alone anybody could sign.
    assert not any(crypto.verify(public_key, b"%d" % i, r + bytes(32)) for i in range(64))


@pytest.mark.parametrize("y", [0, 1])
@pytest.mark.parametrize("sign_bit", [0, 1])
def test_a_key_with_its_coordinate_not_reduced_verifies_nothing(y: int, sign_bit: int) -> None:
    public_key = ((y + PRIME) | sign_bit << 255).to_bytes(32, "little")
    assert not any(crypto.verify(public_key, b"%d" % i, r + bytes(32)) for i in range(16) for r in SMALL_ORDER)


def test_a_signature_whose_first_half_has_small_order_verifies_nothing() -> None:
    secret = 12345
    public_key = times_base(secret)
    s = challenge(IDENTITY, public_key, MESSAGE) * secret  # so that s B = R + k A with R the identity
    assert not crypto.verify(public_key, MESSAGE, IDENTITY + scalar(s))


def test_a_key_with_a_part_of_small_order_verifies_without_the_cofactor() -> None:
    # Verifiers that multiply by 8 take all of these; libsodium those where the odd part happens to vanish.
    secret, nonce = 12345, 67890
    public_key, r = plus(times_base(secret), OF_ORDER_8), times_base(nonce)
    outcomes = set()
    for i in range(100):
        message = b"%d" % i
        k = challenge(r, public_key, message)
        outcome = crypto.verify(public_key, message, r + scalar(nonce + k * secret))
        assert outcome is (k % 8 == 0)
        outcomes.add(outcome)
    assert outcomes == {True, False}


def test_a_first_half_with_a_part_of_small_order_verifies_nothing() -> None:
    secret, nonce = 12345, 67890
    public_key, r = times_base(secret), plus(times_base(nonce), OF_ORDER_8)
    k = challenge(r, public_key, MESSAGE)
    assert not crypto.verify(public_key, MESSAGE, r + scalar(nonce + k * secret))


def test_these_tests_make_good_signatures_where_nothing_is_odd() -> None:
    secret, nonce = 12345, 67890
    public_key, r = times_base(secret), times_base(nonce)
    k = challenge(r, public_key, MESSAGE)
    assert crypto.verify(public_key, MESSAGE, r + scalar(nonce + k * secret))
