"""Canonical JSON: the one text of a value that is hashed and signed (design.md section 1).

Invariants:

- `dumps` gives `rapidjson.dumps(value, sort_keys=True, ensure_ascii=False)` or raises; equal values have equal texts.
- Only dict with string keys, list, str, int, float, bool and None pass; NaN, infinities, integers beyond
  +-(2^53 - 1), lone surrogates and more than 64 levels are refused, each with the path of the culprit.
- `loads` also refuses what a JSON parser would silently repair: duplicate keys, and what follows a NUL.  It raises
  nothing but InvalidValue, whatever it is given.
- A message is short and in one line, however long or odd the value is.

The C encoder does the common case.  Only where it fails, or where its text shows that a rule might be broken (a long
run of digits, too many levels), is the value walked in Python to find the culprit.  (So one thing passes unseen: a
`rapidjson.RawJSON`, which no parser gives and nobody makes by mistake.)
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import rapidjson

from bigchaindb.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_DEPTH", "MAX_INTEGER", "dumps", "loads", "loads_canonical", "normalised", "parse_trusted"]

MAX_DEPTH: Final = 64
MAX_INTEGER: Final = 2**53 - 1

_SHOWN_CHARACTERS: Final = 40
_SHOWN_TYPES: Final = (str, bytes, int, float, bool, type(None))
# To find a long run of digits, make them all the same and look for sixteen: many times as fast as a regular expression.
_SAME_DIGITS: Final = bytes.maketrans(b"0123456789", b"0000000000")
_LONG_RUN: Final = b"0" * 16
# To find how deep it goes, forget all but the brackets, make them all round, and take the innermost pairs away, level
# by level: many times as fast as walking the value, which a list of many documents would need.
_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_ROUND: Final = bytes.maketrans(b"{[]}", b"(())")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"{[]}"))


class _Encoder(rapidjson.Encoder):
    def default(self, value: Any) -> Any:
        # In the library's own error would be the value's repr, which may fail.
        raise TypeError(f"{type(value).__name__} has no JSON")


# Made once, since the functions of the same names would make them for every call.
_encode: Final[Callable[[Any], Any]] = _Encoder(
    sort_keys=True,
    ensure_ascii=False,
    number_mode=0,  # neither NaN nor infinities
    bytes_mode=rapidjson.BM_NONE,
    iterable_mode=rapidjson.IM_ONLY_LISTS,
    mapping_mode=rapidjson.MM_ONLY_DICTS,
)
_decode: Final = rapidjson.Decoder(number_mode=0)


def dumps(value: Any, where: str = "value") -> str:
    """Encode a value as canonical JSON.

    Args:
        value: dict with string keys, list, str, int, float, bool or None, nested at most 64 deep.
        where: what to call the value in an error message.

    Returns:
        The canonical text; its UTF-8 encoding is what is hashed and signed.

    Raises:
        InvalidValue: the value has no canonical text; the message names the place and the reason.
    """
    try:
        text: str = _encode(value)
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        _walk(value, where)
        raise InvalidValue(f"{where}: {_shorten(str(error))}", field=where) from error
    if text.count("{") + text.count("[") > MAX_DEPTH or _has_long_run(text.encode()):
        # Most such runs are in hashes, and most such brackets beside each other.
        bare = _STRING.sub("", text).encode()
        if _has_long_run(bare) or _is_too_deep(bare):
            _walk(value, where)
    return text


def _has_long_run(text: bytes) -> bool:
    """Tell whether somewhere are as many digits as the largest integer has."""
    return _LONG_RUN in text.translate(_SAME_DIGITS)


def _is_too_deep(bare: bytes) -> bool:
    """Tell whether a JSON text without its strings has more than `MAX_DEPTH` levels."""
    brackets = bare.translate(_ROUND, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            break
        brackets = brackets.replace(b"()", b"")
    return bool(brackets)


def loads(text: str | bytes, where: str = "value") -> Any:
    """Decode JSON text, canonical or not, into a value that `dumps` accepts.

    Args:
        text: JSON as str or UTF-8 bytes.
        where: what to call the value in an error message.

    Returns:
        The value; `dumps` of it is the canonical text.

    Raises:
        InvalidValue: not JSON, a duplicate key, or a value that has no canonical text.
    """
    return normalised(text, where)[0]


def normalised(text: str | bytes, where: str = "value") -> tuple[Any, str]:
    """Decode JSON text as `loads`; return the value and its canonical text.

    Raises:
        InvalidValue: as `loads`.
    """
    text = _decoded(text, where)
    value, canonical = _parsed(text, where)
    if canonical != text:
        # Only a text that is not canonical can hide anything from the parser.
        _refuse_duplicates(text, where)
    return value, canonical


def loads_canonical(text: str, where: str = "value") -> Any:
    """Decode a text that must be canonical, as everything that was signed or hashed is.

    Raises:
        InvalidValue: as `loads`, or `dumps` of the value would give another text.
    """
    text = _decoded(text, where)
    value, canonical = _parsed(text, where)
    if canonical != text:
        raise InvalidValue(f"{where}: the text is not canonical JSON", field=where)
    return value


def parse_trusted(text: str) -> Any:
    """Decode a text that `dumps` made and nobody else could have changed, without checking it again."""
    return _decode(text)


def _parsed(text: str, where: str) -> tuple[Any, str]:
    """Return the value of a text, and its canonical text."""
    try:
        value = _decode(text)
    except (ValueError, RecursionError) as error:
        raise _not_json(error, where) from error
    return value, dumps(value, where)


def _decoded(text: str | bytes, where: str) -> str:
    if isinstance(text, str):
        return text
    if not isinstance(text, bytes):
        raise InvalidValue(f"{where}: {type(text).__name__} is no JSON text: give str or bytes", field=where)
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise InvalidValue(f"{where}: not UTF-8 at byte {error.start}", field=where) from error


def _not_json(error: ValueError | RecursionError, where: str) -> InvalidValue:
    too_deep = isinstance(error, RecursionError)
    reason = f"nested more than {MAX_DEPTH} levels deep" if too_deep else f"not JSON: {error}"
    return InvalidValue(f"{where}: {reason}", field=where)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all its keys, duplicates too."""


def _refuse_duplicates(text: str, where: str) -> None:
    try:
        value = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        # The other parser stops at a NUL and overlooks the rest; a duplicate can hide what is too deep.
        raise _not_json(error, where) from error
    stack: list[tuple[Any, str]] = [(value, where)]
    while stack:
        item, path = stack.pop()
        if isinstance(item, _Pairs):
            seen: set[str] = set()
            for key, child in item:
                if key in seen:
                    raise InvalidValue(f"{path}: duplicate key {_show(key)}", field=path)
                seen.add(key)
                stack.append((child, f"{path}.{_name(key)}"))
        elif isinstance(item, list):
            stack.extend((child, f"{path}[{i}]") for i, child in enumerate(item))


def _walk(value: Any, where: str) -> None:
    """Raise for the first place in `value` that breaks a rule; return if there is none."""
    # An explicit stack: the depth of hostile input must not become the depth of our recursion.
    stack: list[tuple[Any, str, int]] = [(value, where, 1)]
    while stack:
        item, path, depth = stack.pop()
        problem = _problem(item, depth)
        if problem:
            raise InvalidValue(f"{path}: {problem}", field=path)
        if type(item) is dict:
            for key in item:
                problem = _key_problem(key)
                if problem:
                    raise InvalidValue(f"{path}: {problem}", field=path)
            stack.extend((child, f"{path}.{_name(key)}", depth + 1) for key, child in reversed(item.items()))
        elif type(item) is list:
            stack.extend((item[i], f"{path}[{i}]", depth + 1) for i in reversed(range(len(item))))


def _problem(item: Any, depth: int) -> str | None:
    if type(item) in {dict, list}:  # not isinstance: the encoder takes no subclasses of these
        return f"nested more than {MAX_DEPTH} levels deep" if depth > MAX_DEPTH else None
    if isinstance(item, str):
        return "text has a lone surrogate, which UTF-8 cannot carry" if _has_surrogate(item) else None
    if item is None or isinstance(item, bool):
        return None
    if isinstance(item, int):
        return None if -MAX_INTEGER <= item <= MAX_INTEGER else "integer beyond 2^53 - 1: use a string"
    if isinstance(item, float):
        # NaN is the one value that differs from itself; infinity minus itself is NaN.
        return None if item - item == 0 else "NaN and infinities have no JSON: use a string"
    return f"{type(item).__name__} has no JSON: use dict, list, str, int, float, bool or None"


def _key_problem(key: Any) -> str | None:
    if not isinstance(key, str):
        return f"the key {_show(key)} is {type(key).__name__}, not str"
    return "a key has a lone surrogate, which UTF-8 cannot carry" if _has_surrogate(key) else None


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _name(key: str) -> str:
    return _shorten(key if key.isprintable() else repr(key))


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def _show(value: Any) -> str:
    if type(value) not in _SHOWN_TYPES:  # what others made may be too deep to show, or show itself as it likes
        return _shorten(f"<{type(value).__name__}>")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return "a huge integer"
    return _shorten(repr(value))
