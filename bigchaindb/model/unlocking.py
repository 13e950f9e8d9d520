"""What users hand over to unlock outputs with: private keys, and secrets of hash locks.

Invariants:

- No error repeats what was given, nor has it in its cause: it may be a secret.
"""

from __future__ import annotations

from typing import Any, Final

from bigchaindb.crypto import SigningKey
from bigchaindb.exceptions import InvalidKey, InvalidValue
from bigchaindb.model.shape import Shape

__all__ = ["as_secrets", "as_signing_keys"]

_shape: Final = Shape(InvalidValue)


def as_signing_keys(private_keys: Any) -> dict[str, SigningKey]:
    """Return the keys given, one or several, by their public halves.

    Raises:
        InvalidKey: one of them is no private key; the message says which.
    """
    listed = private_keys if isinstance(private_keys, list | tuple) else [private_keys]
    keys = {}
    for i, private_key in enumerate(listed):
        try:
            key = SigningKey(private_key)
        except InvalidKey as error:
            place = "private_keys" if listed is not private_keys else f"private_keys[{i}]"
            raise InvalidKey(f"{place}: {error}", field=place) from error
        keys[str(key.verifying_key)] = key
    return keys


def as_secrets(secrets: Any) -> list[bytes]:
    """Return the preimages given as bytes; a str stands for its UTF-8.

    Raises:
        InvalidValue: it is no list, or an item is neither str nor bytes.
    """
    if not isinstance(secrets, list | tuple):
        raise _shape.fail("secrets", f"must be a list of secrets, not a {type(secrets).__name__}")
    preimages = []
    for i, secret in enumerate(secrets):
        place = f"secrets[{i}]"
        if not isinstance(secret, str | bytes):
            raise _shape.fail(place, f"must be str or bytes, not a {type(secret).__name__}")
        try:
            preimages.append(secret if isinstance(secret, bytes) else secret.encode())
        except UnicodeEncodeError:
            raise _shape.fail(place, "has a lone surrogate, which UTF-8 cannot carry") from None
    return preimages
