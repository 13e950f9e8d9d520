"""A batch of transactions as the texts that it consists of, without parsing it as a whole.

A JSON text takes up to twenty times its size once it is parsed, so of a large one only an item at a time ever is.

Invariants:

- What is returned, joined by commas and put into brackets, says the same as the text that was given.
- Whether an item is JSON at all, and strict, is not decided here, nor how large or deep it may be: each is read, and
  refused, by itself afterwards.  Only of what cannot be taken apart is nothing taken.
- Most items are measured by a parser in C; those that it cannot follow, at a cost that is bounded for a batch.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Final

from bigchaindb.web.problems import ProblemError

__all__ = ["MAX_BATCH", "split_batch"]

MAX_BATCH: Final = 1_000

_BLANK: Final = re.compile(r"[ \t\n\r]*+")
# Numbers are not made of what looks like some: Python would refuse very long ones.
_decoder: Final = json.JSONDecoder(parse_int=str, parse_float=str)
# Nearly all are within the first; a larger one is looked for in larger parts.
_FIRST_WINDOW: Final = 16 * 1024
_GROWTH: Final = 8

_BEHIND_ITEM: Final = frozenset(" \t\n\r,]")

# What is possessive (`*+`, `++`) is not looked at twice.
_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_SCALAR: Final = re.compile(rf'{_STRING}|[^\[\]{{}}", \t\n\r]++', re.DOTALL)
_UP_TO_BRACKET: Final = re.compile(rf'(?:[^\[\]{{}}"]++|{_STRING})*+([\[\]{{}}])', re.DOTALL)
_MOST_BRACKETS: Final = 100_000


def split_batch(body: bytes, most_characters: int) -> list[str]:
    """Return the items of a JSON array, from 1 to `MAX_BATCH`.

    Args:
        body: JSON as UTF-8.
        most_characters: how long an item is that is worth parsing.

    Raises:
        ProblemError: it is no array, has none or too many items, or cannot be taken apart.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _malformed(f"not UTF-8 at byte {error.start}") from error
    place = _after_blanks(text, 0)
    if not text.startswith("[", place):
        raise _malformed("must be a list of transactions")
    items: list[str] = []
    counter = _Counter()
    place = _after_blanks(text, place + 1)
    if text.startswith("]", place):
        raise _malformed("has no transactions")
    while True:
        if len(items) == MAX_BATCH:
            message = f"the batch has more than {MAX_BATCH} transactions"
            raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, field="document")
        end = _parsed_end(text, place, most_characters) or counter.end(text, place)
        items.append(text[place:end])
        place = _after_blanks(text, end)
        if text.startswith(",", place):
            place = _after_blanks(text, place + 1)
            continue
        if not text.startswith("]", place) or _after_blanks(text, place + 1) != len(text):
            raise _malformed(f"is no JSON at character {place}")
        return items


def _parsed_end(text: str, start: int, most: int) -> int | None:
    """Return where an item ends, or None if the parser cannot say."""
    window = _FIRST_WINDOW
    while True:
        part = text[start : start + min(window, most + 1)]
        is_all = start + len(part) == len(text)
        try:
            _, size = _decoder.raw_decode(part)
        except RecursionError:
            return None
        except ValueError:
            pass  # it may go on behind the window
        else:
            # A number may go on there too, or within the window, as in 1e|5.
            if part[size : size + 1] in _BEHIND_ITEM:
                return start + size
        if is_all or len(part) > most:
            return None
        window *= _GROWTH


class _Counter:
    """Finds ends by counting brackets, up to a number of them."""

    def __init__(self) -> None:
        self._left = _MOST_BRACKETS

    def end(self, text: str, start: int) -> int:
        """Return where an item ends."""
        if not text.startswith(("[", "{"), start):
            return _found(_SCALAR, text, start, start).end()
        depth, place = 0, start
        while True:
            found = _found(_UP_TO_BRACKET, text, place, start)
            depth, place = depth + (1 if found[1] in "[{" else -1), found.end()
            if not depth:
                return place
            self._left -= 1
            if self._left < 0:
                message = f"document: has more than {_MOST_BRACKETS} brackets in what is too large, too deep or no JSON"
                raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, field="document")


def _found(pattern: re.Pattern[str], text: str, place: int, start: int) -> re.Match[str]:
    found = pattern.match(text, place)
    if found is None:
        raise _malformed(f"is no JSON: what begins at character {start} has no end")
    return found


def _after_blanks(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return found.end() if found else place


def _malformed(problem: str) -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, f"document: {problem}", field="document")
