"""Texts for people: what a ledger holds, so that it can be looked at without harm.

Invariants:

- Nothing here escapes HTML; the templates and `svg` do.
- What cannot be seen, or would turn its neighbours around, is shown as an escape of JSON, which changes no value in
  a JSON text.
- Whatever is printed has a bound, however hostile the text.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from bigchaindb.model.timestamp import microseconds

__all__ = ["ago", "cut", "duration", "iso_time", "plain_time", "pretty_json", "short", "split_ids", "visible"]

# Controls, and the format characters of Unicode: joiners, direction marks and overrides, tags, surrogates.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_PART: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
_ID: Final = re.compile(r"\b([0-9a-f]{64})\b")
_INDENT: Final = "  "
_OPENING: Final = frozenset("[{")
_CLOSING: Final = frozenset("]}")
_BREAKING: Final = frozenset("[{,")
_COLON: Final = ":"
_BASIC_PLANE: Final = 0xFFFF
_SHORT_HEAD: Final = 8
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86_400, 31_556_952
_UNITS: Final = ((_YEAR, "year"), (_DAY, "day"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s"))


def visible(text: str) -> str:
    r"""Return a text with all that cannot be seen as `\u....`; line feeds and tabs stay."""
    return _UNSEEN.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code <= _BASIC_PLANE:
        return f"\\u{code:04x}"
    offset = code - _BASIC_PLANE - 1
    return f"\\u{0xD800 + (offset >> 10):04x}\\u{0xDC00 + (offset & 0x3FF):04x}"


def cut(text: str, most: int) -> str:
    """Return a text made visible, and cut where it is longer than so many characters."""
    seen = visible(text[: most + 1])
    return seen if len(seen) <= most else f"{seen[: most - 1]}…"


def short(identifier: str) -> str:
    """Return the beginning of an id or key, for where there is no room."""
    return identifier if len(identifier) <= _SHORT_HEAD + 1 else f"{identifier[:_SHORT_HEAD]}…"


def split_ids(text: str) -> list[str]:
    """Return a text in parts, of which every second is an id."""
    return _ID.split(text)


def pretty_json(text: str, most: int) -> str:
    """Return a canonical JSON text with its structure on lines of their own; no number or string is written anew.

    Args:
        text: JSON as this ledger writes it.
        most: how many characters the lines may come to; a text that would need more is returned on one line.
    """
    lines: list[str] = []
    size = depth = 0
    line = before = ""
    for part in _PART.findall(text):
        closes = part in _CLOSING
        depth -= closes
        if before and (before in _BREAKING or closes) and not (closes and before in _OPENING):
            lines.append(line)
            size += len(line)
            if size > most:
                return visible(text)
            line = _INDENT * depth
        line += part + " " * (part == _COLON)
        depth += part in _OPENING
        before = part
    return visible("\n".join([*lines, line]))


# --- times -------------------------------------------------------------------------------------------------


def _moment(timestamp: str) -> datetime:
    return datetime.fromtimestamp(microseconds(timestamp) // 1_000_000, UTC)


def iso_time(timestamp: str) -> str:
    """Return a timestamp of the ledger as `<time>` wants it."""
    return f"{_moment(timestamp):%Y-%m-%dT%H:%M:%SZ}"


def plain_time(timestamp: str) -> str:
    """Return a timestamp of the ledger for people, in UTC."""
    moment = _moment(timestamp)
    return f"{moment.day} {moment:%b %Y, %H:%M:%S}"


def duration(seconds: float) -> str:
    """Return a span of time in its two largest units, rounded down, such as `3 min 20 s`."""
    left = max(0, int(seconds))
    parts: list[tuple[int, str]] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if parts or count:
            parts.append((count, unit))
    if not parts:
        return "less than a second"
    return " ".join(_amount(count, unit) for count, unit in parts[:2] if count)


def _amount(count: int, unit: str) -> str:
    plural = "s" if count != 1 and unit in {"year", "day"} else ""
    return f"{count:,} {unit}{plural}"


def ago(timestamp: str, now: float) -> str:
    """Return how long before now something was, such as `3 min 20 s ago`."""
    seconds = now - float(timestamp)
    return f"{duration(seconds)} ago" if seconds >= 1 else "just now"
