"""Numbers, octet strings and base64url: one encoding each, and no other is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.cryptoconditions.codec import (
    Reader,
    as_bytes,
    decode_base64url,
    encode_base64url,
    encode_octets,
    encode_uint,
    length_of_octets,
)
from bigchaindb.cryptoconditions.limits import MAX_BASE64_CHARACTERS, MAX_PAYLOAD_BYTES
from bigchaindb.exceptions import ConditionError

ANY = 2**64

OCTETS = {
    0: "00",
    1: "01",
    127: "7f",
    128: "8180",
    255: "81ff",
    256: "820100",
    65_535: "82ffff",
    65_536: "83010000",
}
UINTS = {
    0: "0100",
    1: "0101",
    127: "017f",
    128: "0180",
    255: "01ff",
    256: "020100",
    65_535: "02ffff",
    65_536: "03010000",
    2**53 - 1: "071fffffffffffff",
}
NOT_SHORTEST = [
    "80",  # no digits in the length
    "8100",  # a length of 0 in two bytes
    "817f" + "00" * 127,  # a length below 128 in two bytes
    "820080" + "00" * 128,  # a zero before the length
    "83000100" + "00" * 256,
]
NOT_SHORTEST_UINT = [
    "00",  # no digits
    "020000",  # zero in two bytes
    "020001",  # a zero before the digit
]


@pytest.mark.parametrize(("length", "prefix"), OCTETS.items())
def test_octets_begin_with_the_shortest_form_of_their_length(length: int, prefix: str) -> None:
    assert encode_octets(b"x" * length) == bytes.fromhex(prefix) + b"x" * length
    assert length_of_octets(length) == len(bytes.fromhex(prefix)) + length


@pytest.mark.parametrize(("number", "encoded"), UINTS.items())
def test_a_number_has_as_few_bytes_as_possible_but_one(number: int, encoded: str) -> None:
    assert encode_uint(number).hex() == encoded
    assert Reader(bytes.fromhex(encoded), "x").uint(ANY) == number


@given(st.binary(max_size=300), st.binary(max_size=5))
def test_octets_read_back_and_leave_what_follows(data: bytes, rest: bytes) -> None:
    reader = Reader(encode_octets(data) + rest, "x")
    assert reader.octets() == data
    assert reader.since(0) == encode_octets(data)
    assert reader.fixed(len(rest)) == rest
    reader.finish()


@given(st.integers(0, ANY))
def test_numbers_read_back(number: int) -> None:
    reader = Reader(encode_uint(number), "x")
    assert reader.uint(ANY) == number
    reader.finish()


@given(st.binary(max_size=300))
def test_octets_cut_short_anywhere_are_refused(data: bytes) -> None:
    encoded = encode_octets(data)
    for end in range(len(encoded)):
        with pytest.raises(ConditionError, match=r"^x: "):
            Reader(encoded[:end], "x").octets()


@given(st.integers(0, ANY))
def test_numbers_cut_short_anywhere_are_refused(number: int) -> None:
    encoded = encode_uint(number)
    for end in range(len(encoded)):
        with pytest.raises(ConditionError, match=r"^x: "):
            Reader(encoded[:end], "x").uint(ANY)


@given(st.binary(max_size=20))
def test_whatever_octets_are_read_were_written_like_that(data: bytes) -> None:
    reader = Reader(data, "x")
    try:
        octets = reader.octets()
    except ConditionError:
        return
    assert encode_octets(octets) == data[: reader.position]


@given(st.binary(max_size=20))
def test_whatever_number_is_read_was_written_like_that(data: bytes) -> None:
    reader = Reader(data, "x")
    try:
        number = reader.uint(ANY)
    except ConditionError:
        return
    assert encode_uint(number) == data[: reader.position]


@pytest.mark.parametrize("encoded", NOT_SHORTEST)
def test_a_length_that_could_be_shorter_is_refused(encoded: str) -> None:
    with pytest.raises(ConditionError, match="shortest form"):
        Reader(bytes.fromhex(encoded), "x").octets()


@pytest.mark.parametrize("encoded", NOT_SHORTEST_UINT)
def test_a_number_that_could_be_shorter_is_refused(encoded: str) -> None:
    with pytest.raises(ConditionError, match="shortest form"):
        Reader(bytes.fromhex(encoded), "x").uint(ANY)


@pytest.mark.parametrize(("number", "maximum"), [(1, 0), (64, 63), (256, 255), (65_536, 65_535), (2**64, 2**53)])
def test_a_number_over_the_maximum_is_refused(number: int, maximum: int) -> None:
    with pytest.raises(ConditionError, match=f"over {maximum}"):
        Reader(encode_uint(number), "x").uint(maximum)
    assert Reader(encode_uint(maximum), "x").uint(maximum) == maximum


def test_bytes_left_over_are_refused() -> None:
    reader = Reader(b"ab", "here")
    reader.fixed(1)
    with pytest.raises(ConditionError, match="here: 1 bytes too many"):
        reader.finish()


def test_reading_past_the_end_is_refused() -> None:
    with pytest.raises(ConditionError, match="here: ends"):
        Reader(b"ab", "here").fixed(3)


@given(st.binary(max_size=300))
def test_base64url_reads_back(data: bytes) -> None:
    text = encode_base64url(data)
    assert "=" not in text
    assert decode_base64url(text, "x") == data


@given(st.text(alphabet="ABCabc019-_+/= \n\u00e9", max_size=12))
def test_whatever_base64url_is_read_was_written_like_that(text: str) -> None:
    try:
        data = decode_base64url(text, "x")
    except ConditionError:
        return
    assert encode_base64url(data) == text


@pytest.mark.parametrize(
    "text",
    [
        "AA==",  # padding
        "AB",  # stray bits
        "AAB",
        "A",  # no number of bytes has one character
        "AAAAA",
        "A+A/",  # the other alphabet
        "AA AA",
        "AAAA\n",
        "\u00e9AAA",
        "\uff21AAA",  # a full-width A
        "A\x00AAA",
        "=",
        "A===",
    ],
)
def test_other_base64_is_refused(text: str) -> None:
    with pytest.raises(ConditionError, match=r"^here: not"):
        decode_base64url(text, "here")


def test_base64url_beyond_the_largest_payload_is_refused_unread() -> None:
    assert len(encode_base64url(bytes(MAX_PAYLOAD_BYTES))) == MAX_BASE64_CHARACTERS
    assert len(decode_base64url("A" * MAX_BASE64_CHARACTERS, "x")) == MAX_PAYLOAD_BYTES
    with pytest.raises(ConditionError, match="at most"):
        decode_base64url("A" * (MAX_BASE64_CHARACTERS + 1), "x")


def test_text_stands_for_its_utf8() -> None:
    assert as_bytes("caf\u00e9 \u2713", "x") == "caf\u00e9 \u2713".encode()
    assert as_bytes(b"\xff", "x") == b"\xff"


@pytest.mark.parametrize("value", ["\ud800", 1, None, bytearray(b"x")])
def test_what_has_no_bytes_is_refused_by_name(value: str) -> None:
    with pytest.raises(ConditionError, match=r"^message: ") as caught:
        as_bytes(value, "message")
    assert caught.value.field == "message"
