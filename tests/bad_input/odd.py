"""Values of wrong types, and how an argument meets them."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.exceptions import BigchainDBError
    from tests.bad_input.world import World

__all__ = ["DEEP", "HUGE", "ODD", "SURROGATE", "TEXTS", "Argument", "in_itself", "nested"]

HUGE: Final = 10**5000  # which Python refuses to show
SURROGATE: Final = "\ud800"
DEEP: Final = 12_000  # deeper than any version of Python recurses


@functools.cache
def nested(depth: int, kind: type) -> Any:
    """Lists, tuples or dicts in one another."""
    value: Any = kind()
    for _ in range(depth - 1):
        value = {"a": value} if kind is dict else kind([value])
    return value


def in_itself(kind: type) -> Any:
    """A list or dict that holds itself."""
    value = kind()
    value.update(a=value) if kind is dict else value.append(value)
    return value


class _Unshowable:
    """What cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("cannot be shown")


ODD: Final[dict[str, Callable[[], Any]]] = {
    "None": lambda: None,
    "an int": lambda: 5,
    "a negative int": lambda: -1,
    "a huge int": lambda: HUGE,
    "a bool": lambda: True,
    "a float": lambda: 1.5,
    "NaN": lambda: math.nan,
    "infinity": lambda: math.inf,
    "a text": lambda: "x",
    "an empty text": lambda: "",
    "a lone surrogate": lambda: SURROGATE,
    "a long text": lambda: "x" * 100_000,
    "bytes": lambda: b"x",
    "a bytearray": lambda: bytearray(b"x"),
    "an empty list": list,
    "an empty tuple": tuple,
    "an empty dict": dict,
    "a list of None": lambda: [None],
    "a tuple of a huge int": lambda: (HUGE,),
    "a dict with a number as a key": lambda: {HUGE: 1},
    "a generator": lambda: (i for i in [1]),
    "an object": object,
    "what cannot be shown": _Unshowable,
    "lists far too deep": lambda: [nested(DEEP, tuple)],  # tuples, since these are shown by what is in them
    "dicts far too deep": lambda: nested(DEEP, dict),
    "a list in itself": lambda: in_itself(list),
    "a dict in itself": lambda: in_itself(dict),
}
TEXTS: Final = {"a text", "an empty text", "a long text"}


@dataclass(frozen=True)
class Argument:
    """One argument of one function.

    Attributes:
        call: calls the function, with all other arguments good.
        error: what a bad value is refused with; None where the answer to a bad value is "no".
        culprits: what is named: one of these.
        fine: the odd values that are not bad here.
        otherwise: other errors for some of the odd values, each with what it names.
    """

    call: Callable[[World, Any], object]
    error: type[BigchainDBError] | None
    culprits: tuple[str, ...] = ()
    fine: set[str] = field(default_factory=set)
    otherwise: dict[str, tuple[type[BigchainDBError], str]] = field(default_factory=dict)
