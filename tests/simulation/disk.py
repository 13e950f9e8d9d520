"""A node's disk, on which its journal is: it outlives every process, may be full, and may be cut off in mid-line.

Invariants:

- As with `bigchaindb.node.journal.FileJournal`, a line that an error was reported for is not there; only who dies while
  writing leaves a part of one, and whoever opens the journal next cuts that off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bigchaindb.exceptions import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.actors import Process
    from tests.simulation.world import World

__all__ = ["Crash", "Disk", "DiskFull", "SimulatedJournal"]


class Crash(BaseException):
    """The process is dead; nothing in it may catch this."""


class DiskFull(JournalError):
    """Nothing can be written: the node ends, until its operator has made room."""


class Disk:
    """What is on it: whole lines, and perhaps a part of another."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.torn = ""


class SimulatedJournal:
    """A node's journal, opened by one of its processes."""

    def __init__(self, world: World, process: Process, disk: Disk) -> None:
        self._world = world
        self._process = process
        self._disk = disk
        disk.torn = ""

    def append(self, line: str) -> None:
        """Add a line, unless something happens.

        Raises:
            DiskFull: nothing was written.
            Crash: the node died, after some of the line or all of it.
        """
        written = self._world.append_to_disk(self._process, line)
        if written is None:
            raise DiskFull("simulated: the disk is full")
        if written == len(line):
            self._disk.lines.append(self._disk.torn + line)
        else:
            self._disk.torn += line[:written]
        if self._process.is_killed:
            raise Crash

    def lines(self) -> Iterator[str]:
        """Return all lines, oldest first."""
        return iter(list(self._disk.lines))
