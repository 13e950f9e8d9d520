"""Places in the lists that RethinkDB keeps in no order of its own: what came later has a later place.

A place is a number of sixteen digits: milliseconds by the server's clock, as this connection reckons it, and three
digits to tell apart what came in one call.  It orders lists and nothing else: no rule knows it.

Invariants:

- The places that one connection gives only grow.
- A place is later than any that the connection was told of.
"""

from __future__ import annotations

import re
import threading
import time
from typing import Final

from bigchaindb.exceptions import InvalidValue

__all__ = [
    "MOMENT",
    "NEIGHBOURS",
    "NTH_DIGITS",
    "PER_MILLISECOND",
    "PLACE",
    "PLACE_DIGITS",
    "Places",
    "end_of",
    "gathered",
    "moment",
    "named",
    "neighbours",
    "nth",
    "place_of",
    "placed",
    "spread",
]

NTH_DIGITS: Final = 3
PER_MILLISECOND: Final = 10**NTH_DIGITS

PLACE_DIGITS: Final = 16
_TENTH_DIGITS: Final = 11
_TAIL_CHARACTERS: Final = 20
_MOST_AHEAD_MILLISECONDS: Final = 30 * 86_400_000
# That many, whose places differ only in the last digit, share a document.
NEIGHBOURS: Final = 10
PLACE: Final = rf"[0-9]{{{PLACE_DIGITS}}}"
# What begins with the last digit is centuries away.
MOMENT: Final = rf"^[0-8][0-9]{{{PLACE_DIGITS - NTH_DIGITS - 1}}}$"
_NAMED: Final = re.compile(rf"([0-9]{{{PLACE_DIGITS}}})-[^\x00]{{0,{_TAIL_CHARACTERS}}}")


class Places:
    """Gives the places of one connection; threads may share it."""

    def __init__(self, now_seconds: float) -> None:
        """Start with the server's clock."""
        self._lock = threading.Lock()
        self._last = 0
        self.learn(now_seconds)

    def learn(self, now_seconds: float, latest: int = 0) -> None:
        """Set the clock by the server's, and pass a place that somebody else has given.

        One that is months ahead nobody honest has given, and whoever goes on from there comes to the end of all places.
        """
        with self._lock:
            self._learnt_at = time.monotonic()
            self._ahead_seconds = now_seconds - self._learnt_at
            if latest < (self._now() + _MOST_AHEAD_MILLISECONDS) * PER_MILLISECOND:
                self._last = max(self._last, latest)

    def age_seconds(self) -> float:
        """Return how long ago something was learnt."""
        return time.monotonic() - self._learnt_at

    def now(self) -> int:
        """Return the place that would be taken at this moment, if none had been before."""
        with self._lock:
            return self._now() * PER_MILLISECOND

    def _now(self) -> int:
        return int((time.monotonic() + self._ahead_seconds) * PER_MILLISECOND)

    def take(self, count: int) -> int:
        """Return the first of so many places in a row; it ends in three zeros."""
        with self._lock:
            first = max(self._now(), self._last // PER_MILLISECOND + 1) * PER_MILLISECOND
            self._last = first + max(count, 1) - 1
            return first


def moment(place: int) -> str:
    """Return the milliseconds of a place, as a key."""
    return f"{place // PER_MILLISECOND:0{PLACE_DIGITS - NTH_DIGITS}d}"


def end_of(at: object) -> int:
    """Return the last place of a moment; 0 for what is none, or cannot be."""
    return (int(at) + 1) * PER_MILLISECOND - 1 if isinstance(at, str) and re.fullmatch(MOMENT, at) else 0


def placed(place: int) -> str:
    """Return a place as a text."""
    return f"{place:0{PLACE_DIGITS}d}"


def spread(place: int) -> str:
    """Return a place as part of a key: near to those of the same tenth of a second, and far from those of the next.

    In order, all that is new would come to the last of the parts into which a table is divided, to one server.
    """
    text = placed(place)
    return text[:_TENTH_DIGITS][::-1] + text[_TENTH_DIGITS:]


def gathered(key: str) -> int:
    """Return the place that is spread so; undoes `spread`."""
    return int(key[:_TENTH_DIGITS][::-1] + key[_TENTH_DIGITS:])


def neighbours(place: int) -> tuple[str, str]:
    """Return the key of the document that a place shares with its neighbours, and the digit that tells it from them."""
    key = spread(place)
    return key[:-1], key[-1]


def nth(place: int) -> str:
    """Return what tells a place from the others of its millisecond."""
    return f"{place % PER_MILLISECOND:0{NTH_DIGITS}d}"


def named(place: int, name: str) -> str:
    """Return a place with a name behind it, so that no two things have the same."""
    return f"{place:0{PLACE_DIGITS}d}-{name[:_TAIL_CHARACTERS]}"


def place_of(cursor: str | None) -> str:
    """Return the named place up to which everything was read; one before all others for None.

    Raises:
        InvalidValue: not a named place.
    """
    if cursor is None:
        return named(0, "")
    if not isinstance(cursor, str) or not _NAMED.fullmatch(cursor):
        raise InvalidValue(f"cursor: {str(cursor)[:40]!r} is none that this ledger gave", field="cursor")
    return cursor
