"""Hashes and Ed25519 keys (design.md section 1).

Invariants:

- Hash = Keccak-256 with the original padding, as in Ethereum.  It is not FIPS 202 SHA3-256.
- Keys travel as base58 of 32 bytes, signatures as base58 of 64 bytes; base58 is decoded only after its length was
  checked, because decoding takes quadratic time.
- Signatures are made and checked by libsodium and nothing else: verifiers disagree on odd points.
- What is no key, and what cannot be hashed, signed or checked, is refused with an error of ours.
"""

from __future__ import annotations

import functools
import re
from typing import Final

import base58
import nacl.bindings
import nacl.exceptions
import nacl.utils
from Crypto.Hash import keccak

from bigchaindb.exceptions import InvalidKey, InvalidValue

__all__ = [
    "SigningKey",
    "VerifyingKey",
    "decode_base58",
    "generate_key_pair",
    "hash_bytes",
    "hash_data",
    "verify",
]

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
KEY_CHARACTERS: Final = 44
SIGNATURE_CHARACTERS: Final = 88
_BITS: Final = 256
_BASE58: Final = re.compile("[1-9A-HJ-NP-Za-km-z]+")


def hash_bytes(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 of bytes.

    Raises:
        InvalidValue: `data` is not bytes.
    """
    _want_bytes(data, "data")  # the library takes None for no bytes at all
    return keccak.new(data=data, digest_bits=_BITS).digest()


def hash_data(text: str) -> str:
    """Return the Keccak-256 of a text's UTF-8 bytes as 64 hexadecimal characters.

    Raises:
        InvalidValue: `text` is not a str, or holds a lone surrogate, which UTF-8 cannot carry.
    """
    if not isinstance(text, str):
        raise InvalidValue(f"text: is {type(text).__name__}, not str", field="text")
    return keccak.new(data=_utf_8(text, "text"), digest_bits=_BITS).hexdigest()


def _utf_8(text: str, field: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidValue(f"{field}: has a lone surrogate, which UTF-8 cannot carry", field=field) from error


def _want_bytes(value: bytes, field: str) -> None:
    if not isinstance(value, bytes):
        raise InvalidValue(f"{field}: is {type(value).__name__}, not bytes", field=field)


def decode_base58(text: str, byte_count: int, max_characters: int) -> bytes:
    """Decode base58 of a known size.

    Args:
        text: base58 text.
        byte_count: the exact number of bytes it must hold.
        max_characters: refuse longer text unread.

    Raises:
        InvalidValue: not a str, too long, not base58, or another number of bytes.  The message has no subject, so
            that callers can put the name of the field before it.
    """
    if not isinstance(text, str):
        raise InvalidValue(f"is {type(text).__name__}, not a base58 string")
    if not text or len(text) > max_characters:
        raise InvalidValue(f"has {len(text)} characters: base58 of {byte_count} bytes has 1 to {max_characters}")
    if not _BASE58.fullmatch(text):  # the library would overlook white space at the end
        raise InvalidValue(f"{text!r} is not base58")
    data = base58.b58decode(text)
    if len(data) != byte_count:
        raise InvalidValue(f"{text!r} is base58 of {len(data)} bytes, not {byte_count}")
    return data


def _public_key_bytes(public_key: str) -> bytes:
    if not isinstance(public_key, str):  # here, since the cache could not even look up a list
        raise InvalidValue(f"is {type(public_key).__name__}, not a base58 string")
    return _decode_key(public_key)


@functools.lru_cache(maxsize=4096)
def _decode_key(public_key: str) -> bytes:
    return decode_base58(public_key, KEY_BYTES, KEY_CHARACTERS)


@functools.lru_cache(maxsize=4096)
def _encode_key(key: bytes) -> str:
    if len(key) != KEY_BYTES:
        raise InvalidValue(f"has {len(key)} bytes, not {KEY_BYTES}")
    return base58.b58encode(key).decode("ascii")


def _message_bytes(message: str | bytes) -> bytes:
    if isinstance(message, str):
        return _utf_8(message, "message")
    if not isinstance(message, bytes):
        raise InvalidValue(f"message: is {type(message).__name__}, not str or bytes", field="message")
    return message


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a 64-byte Ed25519 signature of a message was made with the key.

    Raises:
        InvalidValue: an argument is not bytes; bad bytes are just no signature.
    """
    _want_bytes(public_key, "public_key")
    _want_bytes(message, "message")
    _want_bytes(signature, "signature")
    if len(public_key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        nacl.bindings.crypto_sign_open(signature + message, public_key)
    except (nacl.exceptions.BadSignatureError, nacl.exceptions.ValueError):
        return False
    return True


class VerifyingKey:
    """An Ed25519 public key, immutable."""

    __slots__ = ("_bytes", "_text")

    def __init__(self, public_key: str | bytes) -> None:
        """Take base58 of 32 bytes, or the 32 bytes.

        Raises:
            InvalidKey: neither of these.
        """
        try:
            if isinstance(public_key, bytes):
                self._bytes = public_key
                self._text = _encode_key(public_key)
            else:
                self._text = public_key
                self._bytes = _public_key_bytes(public_key)
        except InvalidValue as error:
            raise InvalidKey(f"public key {error}", field="public_key") from error

    def verify(self, message: str | bytes, signature: str | bytes) -> bool:
        """Tell whether `signature` (base58, or 64 bytes) of `message` (str is signed as UTF-8) is this key's.

        What is no signature at all is not this key's.

        Raises:
            InvalidValue: `message` is neither str nor bytes, or holds a lone surrogate, which nobody can sign.
        """
        data = _message_bytes(message)
        try:
            raw = _signature_bytes(signature)
        except InvalidValue:
            return False
        return verify(self._bytes, data, raw)

    def __bytes__(self) -> bytes:
        """Return the 32 bytes."""
        return self._bytes

    def __str__(self) -> str:
        """Return the base58 form."""
        return self._text

    def __repr__(self) -> str:
        """Show the key."""
        return f"VerifyingKey({self._text!r})"

    def __eq__(self, other: object) -> bool:
        """Compare the bytes."""
        return isinstance(other, VerifyingKey) and other._bytes == self._bytes

    def __hash__(self) -> int:
        """Agree with `__eq__`."""
        return hash(self._bytes)


def _signature_bytes(signature: str | bytes) -> bytes:
    if isinstance(signature, bytes):
        return signature
    return decode_base58(signature, SIGNATURE_BYTES, SIGNATURE_CHARACTERS)


def _seed_or_none(private_key: str) -> bytes | None:
    # None, since an error raised while another is handled would carry that one's text, which is the secret.
    try:
        return decode_base58(private_key, KEY_BYTES, KEY_CHARACTERS)
    except InvalidValue:
        return None


class SigningKey:
    """An Ed25519 private key, immutable.  Its text never appears in a repr or an error."""

    __slots__ = ("_key", "_verifying_key")

    def __init__(self, private_key: str) -> None:
        """Take base58 of the 32-byte seed.

        Raises:
            InvalidKey: anything else; the message does not repeat the value, which may be a secret.
        """
        seed = _seed_or_none(private_key)
        if seed is None:
            raise InvalidKey(f"private key is not base58 of {KEY_BYTES} bytes", field="private_key")
        public, self._key = nacl.bindings.crypto_sign_seed_keypair(seed)
        self._verifying_key = VerifyingKey(public)

    @property
    def verifying_key(self) -> VerifyingKey:
        """The public half."""
        return self._verifying_key

    def sign(self, message: str | bytes) -> str:
        """Return the base58 signature of a message; a str is signed as UTF-8.

        Raises:
            InvalidValue: `message` is neither str nor bytes, or holds a lone surrogate.
        """
        return base58.b58encode(self.sign_bytes(message)).decode("ascii")

    def sign_bytes(self, message: str | bytes) -> bytes:
        """Return the 64-byte signature of a message; a str is signed as UTF-8.

        Raises:
            InvalidValue: `message` is neither str nor bytes, or holds a lone surrogate.
        """
        return nacl.bindings.crypto_sign(_message_bytes(message), self._key)[:SIGNATURE_BYTES]

    def derive_secret(self, purpose: bytes) -> bytes:
        """Return 32 bytes that only the holder of this key can compute, another for every purpose.

        Raises:
            InvalidValue: `purpose` is not bytes.
        """
        _want_bytes(purpose, "purpose")
        return hash_bytes(b"bigchaindb secret\x00" + purpose + b"\x00" + self._key[:KEY_BYTES])

    def __repr__(self) -> str:
        """Show the public half only."""
        return f"SigningKey(of {self.verifying_key})"


def generate_key_pair() -> tuple[str, str]:
    """Return a new random key pair as (private key, public key), both base58 of 32 bytes."""
    seed = nacl.utils.random(KEY_BYTES)
    private_key = base58.b58encode(seed).decode("ascii")
    return private_key, str(SigningKey(private_key).verifying_key)
