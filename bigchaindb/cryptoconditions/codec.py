"""The few encodings that everything else is made of: numbers, octet strings, base64url.

The forms are those of the section "Numbers and strings" of the format:

- octet string (VAROCTETS): length below 128 in one byte, otherwise `0x80 | k` and k big-endian bytes; then the bytes.
- VARUINT: the shortest big-endian form of an integer, at least one byte, as an octet string.

Invariants:

- Every value has one encoding, and the reader refuses all others: `write(read(data)) == data`.
- The reader never reads past its end, never recurses, and looks at a length before it copies or converts.
"""

from __future__ import annotations

import binascii
from typing import Final

from bigchaindb.cryptoconditions.limits import MAX_BASE64_CHARACTERS
from bigchaindb.exceptions import ConditionError

__all__ = [
    "Reader",
    "as_bytes",
    "decode_base64url",
    "encode_base64url",
    "encode_octets",
    "encode_uint",
    "length_of_octets",
]

_LONG: Final = 0x80
_ONE_BYTE: Final = tuple(b"\x01" + number.to_bytes() for number in range(0x100))
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")


def as_bytes(value: str | bytes, what: str) -> bytes:
    """Return bytes as they are, and a text as its UTF-8.

    Raises:
        ConditionError: neither of them, or a text that has no UTF-8; names `what`.
    """
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ConditionError(f"{what}: is {type(value).__name__}, not str or bytes", field=what)
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise ConditionError(f"{what}: has a lone surrogate, which UTF-8 cannot carry", field=what) from error


def encode_octets(data: bytes) -> bytes:
    """Return VAROCTETS of some bytes."""
    length = len(data)
    if length < _LONG:
        return length.to_bytes() + data
    prefix = length.to_bytes((length.bit_length() + 7) // 8)
    return (_LONG | len(prefix)).to_bytes() + prefix + data


def length_of_octets(length: int) -> int:
    """Return the length of VAROCTETS of `length` bytes."""
    return 1 + length if length < _LONG else 1 + (length.bit_length() + 7) // 8 + length


def encode_uint(number: int) -> bytes:
    """Return VARUINT of an integer >= 0."""
    if number < len(_ONE_BYTE):
        return _ONE_BYTE[number]
    return encode_octets(number.to_bytes((number.bit_length() + 7) // 8))


def encode_base64url(data: bytes) -> str:
    """Return base64url without padding."""
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL).decode("ascii")


def decode_base64url(text: str, where: str) -> bytes:
    """Decode base64url without padding.

    Raises:
        ConditionError: over the size of the largest payload, or not what `encode_base64url` gives: padding, characters
            of another alphabet, stray bits in the last character.
    """
    if len(text) > MAX_BASE64_CHARACTERS:
        raise ConditionError(f"{where}: {len(text)} characters, {MAX_BASE64_CHARACTERS} at most", field=where)
    try:
        data = binascii.a2b_base64(text.encode("ascii").translate(_FROM_URL) + b"==")
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ConditionError(f"{where}: not base64url: {error}", field=where) from error
    # The library overlooks strange characters and bits: what it read must give the same text again.
    if encode_base64url(data) != text:
        raise ConditionError(f"{where}: not the base64url (without padding) of any bytes", field=where)
    return data


class Reader:
    """Reads values off the front of some bytes."""

    __slots__ = ("_data", "_where", "position")

    def __init__(self, data: bytes, where: str) -> None:
        """Read `data`, called `where` in error messages."""
        self._data = data
        self._where = where
        self.position = 0

    def fixed(self, width: int) -> bytes:
        """Read `width` bytes.

        Raises:
            ConditionError: fewer are left.
        """
        start = self.position
        self.position = start + width
        if self.position > len(self._data):
            raise self._error("ends in the middle of a value")
        return self._data[start : self.position]

    def octets(self) -> bytes:
        """Read VAROCTETS.

        Raises:
            ConditionError: it ends early, or the length is not in its shortest form.
        """
        data, start = self._data, self.position + 1
        if start > len(data):
            raise self._error("ends before a length")
        length = data[start - 1]
        if length >= _LONG:
            prefix = data[start : start + (length ^ _LONG)]
            start += length ^ _LONG
            length = int.from_bytes(prefix)
            if length < _LONG or not prefix[0]:
                raise self._error("a length is not in its shortest form")
        self.position = start + length
        if self.position > len(data):
            raise self._error("ends in the middle of a value")
        return data[start : self.position]

    def uint(self, maximum: int) -> int:
        """Read VARUINT.

        Raises:
            ConditionError: it ends early, is not in its shortest form, or is more than `maximum`.
        """
        digits = self.octets()
        # Converting is for numbers of a sane size only.
        if len(digits) > ((maximum.bit_length() + 7) // 8 or 1):
            raise self._error(f"a number is over {maximum}")
        if not digits or (len(digits) > 1 and not digits[0]):
            raise self._error("a number is not in its shortest form")
        number = int.from_bytes(digits)
        if number > maximum:
            raise self._error(f"a number is over {maximum}")
        return number

    def since(self, start: int) -> bytes:
        """Return again what was read since the position was `start`."""
        return self._data[start : self.position]

    def finish(self) -> None:
        """Require that everything was read.

        Raises:
            ConditionError: bytes are left over.
        """
        left = len(self._data) - self.position
        if left:
            raise self._error(f"{left} bytes too many at the end")

    def _error(self, problem: str) -> ConditionError:
        return ConditionError(f"{self._where}: {problem}", field=self._where)
