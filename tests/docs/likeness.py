"""Whether two texts are alike but for what differs from run to run: keys, ids, signatures, times, processes.

Such names may differ, but only as names do: where a page shows the same id twice, the run must too, and where it shows
two ids, the run must show two.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Names", "anonymous"]

_KINDS: Final = {
    "time": r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3}Z|\+00:00)",
    "seconds": r"\b\d{10}\.\d{6}\b",
    "process": r"\bprocess \d+ on \S+|(?<=\w\[)\d+(?=\] )",
    "fulfillment": r"(?<=cf:[0-9a-f]:)[\w-]{20,}",
    "fingerprint": r"(?<=:)[\w-]{43}(?=:)",
    "hash": r"\b[0-9a-f]{64}\b",
    "signature": r"\b[1-9A-HJ-NP-Za-km-z]{85,88}\b",
    "key": r"\b[1-9A-HJ-NP-Za-km-z]{40,44}\b",
}
_NAMES: Final = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()))
# Two of these may happen to be equal, or not.
_FLEETING: Final = frozenset({"time", "seconds", "process"})


def anonymous(text: str) -> str:
    """Return a text with every name replaced by its kind."""
    return _NAMES.sub(lambda name: f"<{name.lastgroup}>", text)


class Names:
    """Which name of a run stands for which of a page."""

    def __init__(self) -> None:
        """Know none."""
        self._seen: dict[str, str] = {}
        self._expected: dict[str, str] = {}

    def alike(self, expected: str, seen: str) -> bool:
        """Tell whether texts are alike, given all that were compared before."""
        if anonymous(expected) != anonymous(seen):
            return False
        pairs = zip(_NAMES.finditer(expected), _NAMES.finditer(seen), strict=True)
        return all(mine.lastgroup in _FLEETING or self._fit(mine[0], other[0]) for mine, other in pairs)

    def _fit(self, expected: str, seen: str) -> bool:
        return self._seen.setdefault(expected, seen) == seen and self._expected.setdefault(seen, expected) == expected
