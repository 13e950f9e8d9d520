"""The fulfillments with nothing beneath them: a secret, a signature, a deadline.

Formats ("Types"), as payload, fingerprint, maximum length:

- 0, preimage: the secret; SHA-256 of it; its length
- 4, Ed25519: public key (32 bytes) and signature (64 bytes); the public key; 96
- 99, timeout: the expire time in ASCII; SHA-256 of it; its length

Invariants:

- What the condition derives from never changes, so it derives once; only the signature of an `Ed25519Fulfillment` does.
- A signature in place has 64 bytes; whether it is right, only `holds` says.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, Self

import base58

from bigchaindb import crypto
from bigchaindb.cryptoconditions import deadline, jsonform
from bigchaindb.cryptoconditions.codec import as_bytes, encode_base64url
from bigchaindb.cryptoconditions.condition import Condition
from bigchaindb.cryptoconditions.fulfillment import Fulfillment
from bigchaindb.cryptoconditions.limits import MAX_PAYLOAD_BYTES
from bigchaindb.exceptions import ConditionError, InvalidKey

if TYPE_CHECKING:
    from bigchaindb.cryptoconditions.limits import Census

__all__ = ["Ed25519Fulfillment", "PreimageSha256Fulfillment", "TimeoutFulfillment"]

_COMMON_KEYS: Final = frozenset({"type", "type_id", "bitmask"})


class _Leaf(Fulfillment):
    """A fulfillment with nothing beneath it, all checked by its constructor."""

    __slots__ = ()

    def children(self) -> tuple[()]:
        """Return nothing."""
        return ()

    def check(self) -> None:
        """Do nothing: there is no structure that could break a limit."""


class PreimageSha256Fulfillment(_Leaf):
    """A hash lock: whoever knows the secret may unlock it.  It does not bind the message."""

    __slots__ = ("_condition", "_preimage")

    type_id = 0
    _FEATURES: Final = 0x03
    _TEXT_KEYS: Final = _COMMON_KEYS | {"preimage"}
    _BYTES_KEYS: Final = _COMMON_KEYS | {"preimage_base64"}

    def __init__(self, preimage: str | bytes) -> None:
        """Take the secret; a str stands for its UTF-8.

        Raises:
            ConditionError: it is neither bytes nor text, or is over 65,535 bytes.
        """
        data = as_bytes(preimage, "preimage")
        if len(data) > MAX_PAYLOAD_BYTES:
            raise ConditionError(f"preimage: {len(data)} bytes, {MAX_PAYLOAD_BYTES} at most", field="preimage")
        self._preimage = data
        self._condition: Condition | None = None

    @property
    def preimage(self) -> bytes:
        """The secret."""
        return self._preimage

    def derive(self) -> Condition:
        """Return the condition."""
        if self._condition is None:
            fingerprint = hashlib.sha256(self._preimage).digest()
            self._condition = Condition(self.type_id, self._FEATURES, fingerprint, len(self._preimage))
        return self._condition

    def is_fulfilled(self) -> bool:
        """Return True: knowing the secret is all it takes."""
        return True

    def encode_payload(self) -> bytes:
        """Return the secret."""
        return self._preimage

    def holds(self, message: bytes, now_microseconds: int) -> bool:  # noqa: ARG002 - a secret binds neither
        """Return True."""
        return True

    def json_fields(self) -> dict[str, Any]:
        """Return the secret: as text where it is UTF-8, otherwise as base64url."""
        try:
            return {"preimage": self._preimage.decode()}
        except UnicodeDecodeError:
            return {"preimage_base64": encode_base64url(self._preimage)}

    @classmethod
    def read_payload(cls, payload: bytes, census: Census, depth: int, where: str) -> Self:  # noqa: ARG003
        """Take the payload as the secret."""
        return cls(payload)

    @classmethod
    def read_fields(cls, value: dict[str, Any], census: Census, depth: int, where: str) -> Self:  # noqa: ARG003
        """Read the secret, refusing base64url of what is UTF-8, so that a value has one JSON form."""
        if "preimage_base64" not in value:
            jsonform.keys(value, cls._TEXT_KEYS, where)
            return cls(jsonform.text_field(value, "preimage", where))
        jsonform.keys(value, cls._BYTES_KEYS, where)
        fulfillment = cls(jsonform.base64_field(value, "preimage_base64", where))
        if "preimage" in fulfillment.json_fields():
            path = f"{where}.preimage_base64"
            raise ConditionError(f"{path}: is UTF-8, which belongs in 'preimage' as text", field=path)
        return fulfillment


class Ed25519Fulfillment(_Leaf):
    """A signature by one key, made or still to be made."""

    __slots__ = ("_condition", "_key", "_signature", "_text")

    type_id = 4
    FEATURES: Final = 0x20
    PAYLOAD_BYTES: Final = crypto.KEY_BYTES + crypto.SIGNATURE_BYTES
    _KEYS: Final = _COMMON_KEYS | {"public_key", "signature"}

    def __init__(self, public_key: str | bytes | crypto.VerifyingKey, signature: bytes | None = None) -> None:
        """Take the public key (base58, 32 bytes or a `VerifyingKey`) and, where it exists, the 64-byte signature.

        Raises:
            ConditionError: one of them is no such thing.
        """
        if isinstance(public_key, bytes) and len(public_key) == crypto.KEY_BYTES:
            # Encoding it would cost more than all the rest of reading a fulfillment.
            self._key, self._text = public_key, ""
        else:
            self._key, self._text = _key(public_key)
        if signature is not None and (type(signature) is not bytes or len(signature) != crypto.SIGNATURE_BYTES):
            raise ConditionError(f"signature: must be {crypto.SIGNATURE_BYTES} bytes or None", field="signature")
        self._signature = signature
        self._condition: Condition | None = None

    @property
    def public_key(self) -> str:
        """The key whose signature this is, in base58."""
        if not self._text:
            self._text = str(crypto.VerifyingKey(self._key))
        return self._text

    @property
    def signature(self) -> bytes | None:
        """The 64-byte signature, or None where it is still to be made."""
        return self._signature

    def sign(self, message: str | bytes, signing_key: crypto.SigningKey) -> None:
        """Put the signature of a message in place.

        Args:
            message: what to sign (beneath a prefix: the prefix and the message); a str stands for its UTF-8.
            signing_key: the private half of `public_key`.

        Raises:
            ConditionError: it is another key's, or no key; or the message is malformed.
        """
        if not isinstance(signing_key, crypto.SigningKey):
            raise ConditionError(
                f"signing_key: is {type(signing_key).__name__}, not bigchaindb.crypto.SigningKey", field="signing_key"
            )
        if bytes(signing_key.verifying_key) != self._key:
            raise ConditionError(
                f"signing_key: is that of {signing_key.verifying_key}, this needs that of {self.public_key}",
                field="signing_key",
            )
        self._signature = signing_key.sign_bytes(as_bytes(message, "message"))

    @property
    def condition_uri(self) -> str:
        """The `cc:` URI of the condition."""
        # What every transaction with one owner goes through: no need for a Condition on the way.
        return f"cc:{self.type_id:x}:{self.FEATURES:x}:{encode_base64url(self._key)}:{self.PAYLOAD_BYTES}"

    def derive(self) -> Condition:
        """Return the condition."""
        if self._condition is None:
            self._condition = Condition(self.type_id, self.FEATURES, self._key, self.PAYLOAD_BYTES)
        return self._condition

    def is_fulfilled(self) -> bool:
        """Tell whether there is a signature."""
        return self._signature is not None

    def encode_payload(self) -> bytes:
        """Return the public key and the signature."""
        if self._signature is None:
            raise ConditionError(f"no signature of {self.public_key} yet")
        return self._key + self._signature

    def holds(self, message: bytes, now_microseconds: int) -> bool:  # noqa: ARG002 - signatures do not expire
        """Tell whether there is a signature, and it is the key's signature of the message."""
        return self._signature is not None and crypto.verify(self._key, message, self._signature)

    def json_fields(self) -> dict[str, Any]:
        """Return the key, and the signature or null, in base58."""
        signature = None if self._signature is None else base58.b58encode(self._signature).decode("ascii")
        return {"public_key": self.public_key, "signature": signature}

    @classmethod
    def read_payload(cls, payload: bytes, census: Census, depth: int, where: str) -> Self:  # noqa: ARG003
        """Split the payload into key and signature."""
        if len(payload) != cls.PAYLOAD_BYTES:
            raise ConditionError(f"{where}: payload of {len(payload)} bytes, not {cls.PAYLOAD_BYTES}", field=where)
        return cls(payload[: crypto.KEY_BYTES], payload[crypto.KEY_BYTES :])

    @classmethod
    def read_fields(cls, value: dict[str, Any], census: Census, depth: int, where: str) -> Self:  # noqa: ARG003
        """Read the key, and the signature or null."""
        jsonform.keys(value, cls._KEYS, where)
        signature = None
        if value["signature"] is not None:
            signature = jsonform.base58_field(
                value, "signature", where, crypto.SIGNATURE_BYTES, crypto.SIGNATURE_CHARACTERS
            )
        public_key = jsonform.text_field(value, "public_key", where)
        try:
            return cls(public_key, signature)
        except ConditionError as error:
            raise ConditionError(f"{where}.{error}", field=f"{where}.public_key") from error


def _key(public_key: Any) -> tuple[bytes, str]:
    """Return a public key as 32 bytes and as base58."""
    try:
        key = public_key if isinstance(public_key, crypto.VerifyingKey) else crypto.VerifyingKey(public_key)
        return bytes(key), str(key)
    except InvalidKey as error:
        raise ConditionError(f"public_key: {error}", field="public_key") from error


class TimeoutFulfillment(_Leaf):
    """A deadline: fulfilled by itself, valid until it has passed."""

    __slots__ = ("_condition", "_expire_time")

    type_id = 99
    _FEATURES: Final = 0x09
    _KEYS: Final = _COMMON_KEYS | {"expire_time"}

    def __init__(self, expire_time: str) -> None:
        """Take the last moment at which this is valid: Unix seconds, ten digits and up to six decimals, as text.

        Raises:
            ConditionError: it is no such text.
        """
        if not isinstance(expire_time, str) or not deadline.EXPIRE_TIME.fullmatch(expire_time):
            raise ConditionError(
                "expire_time: must be Unix seconds as text, such as '1460981667' or '1460981667.449279'",
                field="expire_time",
            )
        self._expire_time = expire_time
        self._condition: Condition | None = None

    @property
    def expire_time(self) -> str:
        """The last moment at which this is valid, in Unix seconds, as it was given."""
        return self._expire_time

    def derive(self) -> Condition:
        """Return the condition."""
        if self._condition is None:
            data = self._expire_time.encode("ascii")
            self._condition = Condition(self.type_id, self._FEATURES, hashlib.sha256(data).digest(), len(data))
        return self._condition

    def is_fulfilled(self) -> bool:
        """Return True: there is nothing to add."""
        return True

    def encode_payload(self) -> bytes:
        """Return the expire time in ASCII."""
        return self._expire_time.encode("ascii")

    def holds(self, message: bytes, now_microseconds: int) -> bool:  # noqa: ARG002 - a deadline binds no message
        """Tell whether the deadline has not passed."""
        return now_microseconds <= deadline.microseconds(self._expire_time)

    def json_fields(self) -> dict[str, Any]:
        """Return the expire time."""
        return {"expire_time": self._expire_time}

    @classmethod
    def read_payload(cls, payload: bytes, census: Census, depth: int, where: str) -> Self:  # noqa: ARG003
        """Take the payload as the expire time."""
        try:
            return cls(payload.decode("ascii"))
        except (UnicodeDecodeError, ConditionError) as error:
            raise ConditionError(f"{where}: payload is not an expire time", field=where) from error

    @classmethod
    def read_fields(cls, value: dict[str, Any], census: Census, depth: int, where: str) -> Self:  # noqa: ARG003
        """Read the expire time."""
        jsonform.keys(value, cls._KEYS, where)
        try:
            return cls(value["expire_time"])
        except ConditionError as error:
            raise ConditionError(f"{where}.{error}", field=f"{where}.expire_time") from error
