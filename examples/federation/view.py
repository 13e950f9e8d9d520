"""What each node says of the ledger, as lines: a table that is drawn anew on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.node.node import Node
    from examples.federation.nodes import Member

__all__ = ["Row", "Screen", "look"]

_SHOWN_CHARACTERS: Final = 12
_HEAD: Final = f"{'node':8}{'key':14}{'state':8}{'blocks':>8}{'valid tx':>9}{'backlog':>8}  decided last"


@dataclass(frozen=True, slots=True)
class Row:
    """One node's view.

    Attributes:
        name: of the node.
        key: its public key.
        state: `running` or `down`.
        decided: how many blocks it has decided.
        valid: how many transactions it has decided valid.
        backlog: how many transactions wait.
        last: id of the block that it decided last, with its verdict; empty before the first.
    """

    name: str
    key: str
    state: str
    decided: int
    valid: int
    backlog: int
    last: str

    def __str__(self) -> str:
        """Return it as a line of the table."""
        key = f"{self.key[:_SHOWN_CHARACTERS]}…"
        return f"{self.name:8}{key:14}{self.state:8}{self.decided:8,}{self.valid:9,}{self.backlog:8,}  {self.last}"


def look(member: Member, node: Node) -> Row:
    """Ask storage what a node has decided, whether it runs or not."""
    latest = node.storage.latest_decision(node.me)
    verdict = "valid" if latest and latest.verdict else "invalid"
    return Row(
        member.name,
        node.me,
        "running" if member.is_running else "down",
        latest.sequence if latest else 0,
        latest.valid_transactions if latest else 0,
        node.storage.backlog_size(),
        f"{latest.block_id[:_SHOWN_CHARACTERS]}… {verdict}" if latest else "",
    )


class Screen:
    """Standard output: `say` adds a line for good, `show` replaces the table, `keep` leaves it as it is."""

    def __init__(self) -> None:
        """Nothing is printed yet."""
        self._is_terminal = sys.stdout.isatty()
        self._drawn = 0
        self._has_head = False

    def say(self, text: str) -> None:
        """Print a line; on a terminal above the table, which is drawn again by the next `show`."""
        self._erase()
        print(text, flush=True)

    def show(self, seconds: float, rows: Sequence[Row]) -> None:
        """Print what each node says, `seconds` after the beginning."""
        if not self._is_terminal:
            if not self._has_head:
                print(f"{'':9}{_HEAD}")
            self._has_head = True
            for row in rows:
                print(f"{seconds:5.1f} s  {row}", flush=True)
            return
        self._erase()
        # A line that wraps would be two to erase.
        width = shutil.get_terminal_size().columns
        lines = [line[:width] for line in (f"{seconds:.1f} s", _HEAD, *map(str, rows))]
        print("\n".join(lines), flush=True)
        self._drawn = len(lines)

    def keep(self) -> None:
        """Let the last table stand."""
        self._drawn = 0

    def _erase(self) -> None:
        if self._drawn:
            # Up over the table, and clear from there to the end of the screen.
            print(f"\x1b[{self._drawn}A\x1b[J", end="")
        self._drawn = 0
