"""A batch of transactions as the texts that it consists of, without parsing it as a whole.

A JSON text takes up to twenty times its size once it is parsed, so of a large one only an item at a time ever is.

Invariants:

- What is returned, joined by commas and put into brackets, says the same as the text that was given.
- Whether an item is well formed and strict is not decided here: each is read by itself afterwards.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Final

from bigchaindb.web.problems import ProblemError

__all__ = ["MAX_BATCH", "split_batch"]

MAX_BATCH: Final = 1_000

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_decoder: Final = json.JSONDecoder()
# Nearly all are within the first; a larger one is looked for in larger parts.
_FIRST_WINDOW: Final = 16 * 1024
_GROWTH: Final = 8

_BEHIND_ITEM: Final = frozenset(" \t\n\r,]")


def split_batch(body: bytes, most_characters: int) -> list[str]:
    """Return the items of a JSON array, from 1 to `MAX_BATCH`.

    Args:
        body: JSON as UTF-8.
        most_characters: how long an item may be.

    Raises:
        ProblemError: it is no array, has none or too many items, or one of them is too long.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _malformed(f"not UTF-8 at byte {error.start}") from error
    place = _after_blanks(text, 0)
    if not text.startswith("[", place):
        raise _malformed("must be a list of transactions")
    items: list[str] = []
    place = _after_blanks(text, place + 1)
    while True:
        if len(items) == MAX_BATCH:
            message = f"the batch has more than {MAX_BATCH} transactions"
            raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, field="document")
        end = _end_of_item(text, place, most_characters, len(items))
        items.append(text[place:end])
        place = _after_blanks(text, end)
        if text.startswith(",", place):
            place = _after_blanks(text, place + 1)
            continue
        if not text.startswith("]", place) or _after_blanks(text, place + 1) != len(text):
            raise _malformed(f"is no JSON at character {place}")
        return items


def _end_of_item(text: str, start: int, most: int, number: int) -> int:
    window = _FIRST_WINDOW
    while True:
        part = text[start : start + min(window, most + 1)]
        is_all = start + len(part) == len(text)
        try:
            _, size = _decoder.raw_decode(part)
        except (ValueError, RecursionError) as error:
            if is_all or isinstance(error, RecursionError):
                raise _malformed(f"[{number}]: is no JSON: {error}") from error
        else:
            # A number may go on behind the window, which may also end within it, as in 1e|5.
            if is_all or part[size : size + 1] in _BEHIND_ITEM:
                return start + size
        if len(part) > most:
            message = f"document[{number}]: has more than {most} characters, or is no JSON"
            raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, field=f"document[{number}]")
        window *= _GROWTH


def _after_blanks(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return found.end() if found else place


def _malformed(problem: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.BAD_REQUEST, f"document{'' if problem.startswith('[') else ': '}{problem}", field="document"
    )
