"""The forms of ids and keys in addresses and parameters, as patterns, and what they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HASH", "KEY", "NAMES_OF_FORMS"]

HASH: Final = "^[0-9a-f]{64}$"
KEY: Final = "^[1-9A-HJ-NP-Za-km-z]{32,44}$"

NAMES_OF_FORMS: Final[Mapping[str, str]] = {
    HASH: "a hash (64 characters 0-9 a-f)",
    KEY: "a public key (base58 of 32 bytes)",
}
