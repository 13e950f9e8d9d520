"""Cursors: where a reader of a long list left off.

Invariants:

- Whoever holds a cursor may compare it with others of its list as text, store it, and hand it back; nothing more.
- A cursor that no storage gave is refused with `InvalidValue`, because it may come from outside.
"""

from __future__ import annotations

import re
from typing import Final

from bigchaindb.exceptions import InvalidValue

__all__ = ["at", "position"]

_DIGITS: Final = 16
_FORM: Final = re.compile(rf"[0-9]{{{_DIGITS}}}")


def at(place: int) -> str:
    """Return the cursor of one who has read up to and including this position, counted from 1."""
    return f"{place:0{_DIGITS}d}"


def position(cursor: str | None) -> int:
    """Return the position up to which everything was read; 0 for None.

    Raises:
        InvalidValue: not a cursor.
    """
    if cursor is None:
        return 0
    if not isinstance(cursor, str) or not _FORM.fullmatch(cursor):
        raise InvalidValue(f"cursor: {str(cursor)[:40]!r} is none that this ledger gave", field="cursor")
    return int(cursor)
