"""The journal: a node's own record of its votes and decisions, beside its configuration (design.md 3.4).

Storage is shared by members who do not fully trust each other; the journal is not.  It is written, and on disk, before
the head; at start it is compared with storage.

Lines are canonical JSON, one per write: `{"epoch", "from_generation"}` when a voter takes the seat, and
`{"epoch", "generation", "votes": [[block, is_valid, hash]], "decisions": [[sequence, block, is_valid, hash]]}` for what
it casts, the hash being that of the signed text.

Invariants:

- Append only; a line counts when its newline is on disk.
- An entry that the head never took is void: its generation is one beyond that from which a later epoch started, or, in
  the last epoch, one beyond the head's.  More than one beyond, no crash can explain.
"""

from __future__ import annotations

import bisect
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from bigchaindb import canonical, crypto
from bigchaindb.exceptions import InvalidValue, JournalError
from bigchaindb.model.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bigchaindb.model.decision import Decision
    from bigchaindb.model.vote import Vote

__all__ = [
    "CastDecision",
    "CastVote",
    "FileJournal",
    "Journal",
    "MemoryJournal",
    "entry_line",
    "read_taken",
    "start_line",
]


_START: Final = frozenset({"epoch", "from_generation"})
_ENTRY: Final = frozenset({"epoch", "generation", "votes", "decisions"})


_shape: Final = Shape(JournalError)

# How many voters in a row may end between raising the epoch and writing it down.
_MOST_CRASHES: Final = 100_000
_WENT_BACK: Final = (
    "this node has cast more than its head in storage tells: the database was put back to an earlier state; "
    "bring the newest one back, since acknowledged transactions are missing in this one"
)


class Journal(Protocol):
    """Where lines are kept."""

    def append(self, line: str) -> None:
        """Add a line; it is durable when this returns."""

    def lines(self) -> Iterator[str]:
        """Return all lines, oldest first."""


class MemoryJournal:
    """A journal for tests and simulations."""

    def __init__(self) -> None:
        """Start empty."""
        self._lines: list[str] = []

    def append(self, line: str) -> None:
        """Add a line."""
        self._lines.append(line)

    def lines(self) -> Iterator[str]:
        """Return all lines, oldest first."""
        return iter(list(self._lines))


class FileJournal:
    """A journal in a file, mode 0600, each line on disk when `append` returns."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; a last line that was cut short by a crash is cut off.

        Raises:
            JournalError: the file cannot be opened.
        """
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._cut_torn_line()
            directory = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise JournalError(f"journal {path}: {error.strerror}") from error

    def _cut_torn_line(self) -> None:
        size = os.fstat(self._file).st_size
        step = 4096
        end = size
        while end > 0:
            start = max(0, end - step)
            chunk = os.pread(self._file, end - start, start)
            newline = chunk.rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end != size:
            os.ftruncate(self._file, end)
            os.fsync(self._file)

    def append(self, line: str) -> None:
        """Add a line and wait until it is on disk.

        Raises:
            JournalError: it could not be written; nothing may be cast then.
        """
        data = line.encode() + b"\n"
        try:
            if os.write(self._file, data) != len(data):
                raise JournalError(f"journal {self.path}: the disk is full")
            os.fsync(self._file)
        except OSError as error:
            raise JournalError(f"journal {self.path}: {error.strerror}") from error

    def lines(self) -> Iterator[str]:
        """Return all lines, oldest first.

        Raises:
            JournalError: the file cannot be read.
        """
        try:
            # What is no UTF-8 is for the reader to find, with the number of its line.
            with self.path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                for line in file:
                    yield line.rstrip("\n")
        except OSError as error:
            raise JournalError(f"journal {self.path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class CastVote:
    """A vote that the head took."""

    block_id: str
    is_valid: bool
    hash: str


@dataclass(frozen=True, slots=True)
class CastDecision:
    """A decision that the head took."""

    sequence: int
    block_id: str
    is_valid: bool
    hash: str


def start_line(epoch: int, from_generation: int) -> str:
    """Return the line for a voter that took the seat when the head was at a generation."""
    return canonical.dumps({"epoch": epoch, "from_generation": from_generation})


def entry_line(epoch: int, generation: int, votes: Sequence[Vote], decisions: Sequence[Decision]) -> str:
    """Return the line for what the head is about to take as its next generation."""
    return canonical.dumps(
        {
            "epoch": epoch,
            "generation": generation,
            "votes": [[v.block_id, v.is_valid, crypto.hash_data(v.text)] for v in votes],
            "decisions": [[d.sequence, d.block_id, d.verdict == "valid", crypto.hash_data(d.text)] for d in decisions],
        }
    )


def read_taken(
    journal: Journal, head_generation: int, head_epoch: int
) -> Iterator[tuple[list[CastVote], list[CastDecision]]]:
    """Return what the head took, write by write, oldest first.

    Args:
        journal: read twice, line by line, so that a long one needs no memory.
        head_generation: the generation that the head is at.
        head_epoch: the epoch that the head was at before this voter raised it.

    Raises:
        JournalError: a line is damaged; or the journal ends before the head's generation (it was replaced), or goes on
            behind what a crash can explain (storage was put back to an earlier state).
    """
    starts = sorted((d["epoch"], d["from_generation"]) for _, d in _documents(journal) if "from_generation" in d)
    if starts and starts[-1][0] > head_epoch:
        raise JournalError(_WENT_BACK)
    if head_epoch > (starts[-1][0] if starts else 0) + _MOST_CRASHES:
        # Not to be written down: the true head, put back, would look like an earlier one for ever.
        raise JournalError(f"this node's head in storage was changed: no voter has ever been at epoch {head_epoch}")
    reached = 0
    for number, document in _documents(journal):
        if "from_generation" in document:
            continue
        later = bisect.bisect_right(starts, (document["epoch"], math.inf))
        last = starts[later][1] if later < len(starts) else head_generation
        if document["generation"] > last + 1:
            raise JournalError(_WENT_BACK)
        if document["generation"] > last:
            continue
        reached = max(reached, document["generation"])
        try:
            cast = (
                [CastVote(*item) for item in document["votes"]],
                [CastDecision(*item) for item in document["decisions"]],
            )
        except TypeError as error:
            raise JournalError(f"journal line {number}: is no entry") from error
        yield cast
    if reached < head_generation:
        raise JournalError(
            f"the journal ends at generation {reached}, but this node's head in storage is at {head_generation}: "
            "the journal file is missing or was replaced; bring it back, since without it this node could vote twice"
        )


def _documents(journal: Journal) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(journal.lines(), 1):
        yield number, _parse(line, number)


def _parse(line: str, number: int) -> dict[str, Any]:
    try:
        document = canonical.loads(line, f"journal line {number}")
    except InvalidValue as error:
        raise JournalError(str(error)) from error
    if not isinstance(document, dict) or not (document.keys() >= _START or document.keys() >= _ENTRY):
        raise JournalError(f"journal line {number}: is no entry")
    for name in ("epoch", "generation" if document.keys() >= _ENTRY else "from_generation"):
        _shape.integer(document[name], f"journal line {number}: {name}")
    return document
