"""Checks on the shape of a JSON document, each with an error that names the field.

Invariants:

- A check returns the value it was given, typed, or raises the error class it was told to raise.
- `bool` is never an integer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.canonical import MAX_INTEGER
from bigchaindb.crypto import VerifyingKey
from bigchaindb.exceptions import BigchainDBError, InvalidKey
from bigchaindb.model.timestamp import is_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

__all__ = ["Shape", "is_hash", "shown"]

_HASH: Final = re.compile("[0-9a-f]{64}")
_SHOWN: Final = 60
_SHOWN_TYPES: Final = (str, bytes, int, float, bool, type(None))


def is_hash(value: object) -> bool:
    """Tell whether a value is a hash as this ledger writes them: 64 lower-case hexadecimal characters."""
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def shown(value: Any) -> str:
    """Return what an error message calls a value: short, and never failing, however odd the value is."""
    if type(value) not in _SHOWN_TYPES:  # what others made may be too deep to show, or show itself as it likes
        return f"a {type(value).__name__}"[:_SHOWN]
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return "a huge integer"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _key_name(key: Any) -> str:
    return key[:_SHOWN] if isinstance(key, str) and key.isprintable() else shown(key)


@dataclass(frozen=True, slots=True)
class Shape:
    """Checks that raise one class of error.

    Attributes:
        error: what to raise; called with a message and `field`.
    """

    error: Callable[..., BigchainDBError]

    def fail(self, field: str, problem: str) -> BigchainDBError:
        """Return the error for a field."""
        return self.error(f"{field}: {problem}", field=field)

    def fields(
        self, value: Any, field: str, names: AbstractSet[str], optional: AbstractSet[str] = frozenset()
    ) -> dict[str, Any]:
        """Want a dict with these keys, neither fewer nor more but for the optional; "" names the whole document."""
        if not isinstance(value, dict):
            raise self.fail(field or "document", f"must be a dict, not {shown(value)}")
        if value.keys() != names:
            prefix = f"{field}." if field else ""
            for name in sorted(names - value.keys()):
                raise self.fail(f"{prefix}{name}", "is missing")
            for name in sorted(map(_key_name, value.keys() - names - optional)):
                raise self.fail(f"{prefix}{name}", "is not a field of this document")
        return value

    def items(self, value: Any, field: str, *, least: int = 1) -> list[Any]:
        """Want a list of at least so many items."""
        if not isinstance(value, list):
            raise self.fail(field, f"must be a list, not {shown(value)}")
        if len(value) < least:
            raise self.fail(field, f"must have at least {least} item" + "s" * (least != 1))
        return value

    def text(self, value: Any, field: str) -> str:
        """Want a str."""
        if not isinstance(value, str):
            raise self.fail(field, f"must be a str, not {shown(value)}")
        return value

    def integer(self, value: Any, field: str, *, least: int = 0) -> int:
        """Want an int of at least so much, and no larger than canonical JSON can hold."""
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_INTEGER:
            raise self.fail(field, f"must be an int of at least {least}, not {shown(value)}")
        return value

    def equals(self, value: Any, field: str, wanted: Any) -> None:
        """Want exactly this int or str."""
        if value != wanted or type(value) is not type(wanted):
            raise self.fail(field, f"must be {wanted!r}, not {shown(value)}")

    def hash(self, value: Any, field: str) -> str:
        """Want a hash."""
        if not is_hash(value):
            raise self.fail(field, f"must be a hash (64 characters 0-9 a-f), not {shown(value)}")
        return str(value)

    def timestamp(self, value: Any, field: str) -> str:
        """Want a timestamp."""
        if not is_timestamp(value):
            raise self.fail(field, f"must be Unix seconds with six decimals in a str, not {shown(value)}")
        return str(value)

    def key(self, value: Any, field: str) -> str:
        """Want a public key."""
        try:
            return str(VerifyingKey(self.text(value, field)))
        except InvalidKey as error:
            raise self.fail(field, str(error)) from error

    def keys(self, value: Any, field: str, *, least: int = 1) -> tuple[str, ...]:
        """Want a list of public keys, none twice."""
        keys = tuple(self.key(item, f"{field}[{i}]") for i, item in enumerate(self.items(value, field, least=least)))
        if len(set(keys)) != len(keys):
            raise self.fail(field, "names a key twice")
        return keys
