"""What RethinkDB's keys hold of a hash: the same 32 bytes in 43 characters rather than 64.

A key stands in the tree and once more in the document, and how many documents lie in a page is what a write costs.

Invariants:

- Two texts never have the same name: what is no hash has itself, behind a sign that begins no hash's.
- A name holds no "/", no ":" and no ",", unless what it names does.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from typing import Final

__all__ = ["name_of", "named_by"]

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_HASH_CHARACTERS: Final = 64
_NAME_CHARACTERS: Final = 43
_OTHER: Final = "="
# Of the last character, two bits are none of the hash's, and zero.
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
# An id is asked for some ten times while its block is made and decided.
_REMEMBERED: Final = 2**14


def name_of(text: str) -> str:
    """Return the name of a hash, or of anything else that is asked for like one."""
    return _shortened(text) if len(text) == _HASH_CHARACTERS else _OTHER + text


def named_by(name: str) -> str:
    """Return what has this name; for what is no name, something that no key can hold."""
    if name.startswith(_OTHER):
        return name.removeprefix(_OTHER)
    return _restored(name) if len(name) == _NAME_CHARACTERS else "\0" + name


@lru_cache(_REMEMBERED)
def _shortened(text: str) -> str:
    return urlsafe_b64encode(bytes.fromhex(text))[:-1].decode() if _HASH.fullmatch(text) else _OTHER + text


@lru_cache(_REMEMBERED)
def _restored(name: str) -> str:
    # Decoding would pass over much that is no part of a name.
    return urlsafe_b64decode(name + "=").hex() if _NAME.fullmatch(name) else "\0" + name
