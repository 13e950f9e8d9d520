"""Points in time, as exact decimals.

Invariants:

- A time is an integer number of microseconds, never a float: two nodes never differ on whether a deadline has passed.
"""

from __future__ import annotations

import re
from typing import Final

from bigchaindb.exceptions import ConditionError

__all__ = ["EXPIRE_TIME", "TYPE_IDS", "microseconds"]

# The types that can only be judged against a time.
TYPE_IDS: Final = frozenset({98, 99})
# What a deadline looks like in a payload ("Types", row 99).
EXPIRE_TIME: Final = re.compile(r"[0-9]{10}(\.[0-9]{1,6})?")

# "Now" may also be the time of a simulated clock that began at zero.
_NOW: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_MAX_CHARACTERS: Final = 19
_DECIMALS: Final = 6


def microseconds(now: str) -> int:
    """Return a time given as decimal text in Unix seconds, with at most six decimals, in microseconds.

    Raises:
        ConditionError: it is no such text.
    """
    if not isinstance(now, str) or len(now) > _MAX_CHARACTERS or not _NOW.fullmatch(now):
        raise ConditionError("now: must be Unix seconds as decimal text, such as '1460981667.449279'", field="now")
    seconds, _, fraction = now.partition(".")
    return int(seconds + fraction.ljust(_DECIMALS, "0"))
