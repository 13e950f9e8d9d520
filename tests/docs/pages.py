"""The pages of the documentation, read as a list of things to type and what is to be seen then.

A page speaks to its reader in fenced blocks of these languages; any other is there to be read only:

- `shell`: commands for a shell,
- `sh`: a command that installs what it runs; typed only where its output is shown,
- `python`: statements for one interactive Python,
- `output`: directly behind one of them, all that it prints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DOCS", "README", "ROOT", "Step", "blocks", "rewritten", "steps"]

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
README: Final = ROOT / "README.md"

_BLOCK: Final = re.compile(r"^```(?P<language>[a-z]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_RUNNABLE: Final = frozenset({"shell", "sh", "python"})


@dataclass(frozen=True, slots=True)
class Step:
    """Something to type.

    Attributes:
        language: `shell`, `sh` or `python`.
        source: what to type, with its line end.
        expected: what is to be seen then; empty for nothing.
        line: number of the first line of `source` in the page.
        place: where in the page `expected` stands, or would: start and end.
    """

    language: str
    source: str
    expected: str
    line: int
    place: tuple[int, int]


def blocks(page: str, language: str) -> list[str]:
    """Return the text of all blocks of a language, in order."""
    return [found["text"] for found in _BLOCK.finditer(page) if found["language"] == language]


def steps(page: str) -> list[Step]:
    """Return what a page asks its reader to type, in order."""
    found = list(_BLOCK.finditer(page))
    result = []
    for i, block in enumerate(found):
        if block["language"] not in _RUNNABLE:
            continue
        line = page.count("\n", 0, block.start("text")) + 1
        expected, place = "", (block.end(), block.end())
        if i + 1 < len(found) and _follows(page, block, found[i + 1]):
            expected, place = found[i + 1]["text"], found[i + 1].span()
        elif block["language"] == "sh":
            continue
        result.append(Step(block["language"], block["text"], expected, line, place))
    return result


def _follows(page: str, block: re.Match[str], following: re.Match[str]) -> bool:
    return following["language"] == "output" and not page[block.end() : following.start()].strip()


def rewritten(page: str, seen: Mapping[Step, str]) -> str:
    """Return a page with what was really seen in place of what was expected."""
    for step, output in sorted(seen.items(), key=lambda item: item[0].place, reverse=True):
        start, end = step.place
        block = f"```output\n{output}```" if output else ""
        gap = "\n\n" if block and start == end else ""
        page = page[:start] + gap + block + page[end:]
    return page
