"""The journal: a node's own record of its votes and decisions, beside its configuration (design.md 3.4).

Storage is shared by members who do not fully trust each other; the journal is not.  It is written, and on disk, before
the head; at start it is compared with storage.

Lines are canonical JSON, one per write: `{"epoch", "federations", "from_generation"}` when a voter takes the seat, and
`{"epoch", "generation", "newest_time", "votes": [[block, is_valid, hash]], "decisions": [[sequence, block, is_valid,
hash]]}` for what it casts.  A hash is that of the signed text; `federations` is the fingerprint of the history of
federations that the voter knew, `newest_time` the time of the newest block decided valid so far.

Invariants:

- Append only; a line counts when its newline is on disk.
- An entry that the head never took is void: its generation is one beyond that from which a later epoch started, or, in
  the last epoch, one beyond the head's.  More than one beyond, no crash can explain.
"""

from __future__ import annotations

import bisect
import contextlib
import errno
import fcntl
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from bigchaindb import canonical, crypto
from bigchaindb.exceptions import JournalError, StorageUnavailable
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
    "Starts",
    "Taken",
    "entry_line",
    "read_starts",
    "read_taken",
    "start_line",
]


_FROM: Final = "from_generation"
_START: Final = frozenset({"epoch", _FROM})
_ENTRY: Final = frozenset({"epoch", "generation", "votes", "decisions"})


_shape: Final = Shape(JournalError)

# How many voters in a row may end between raising the epoch and writing it down.
_MOST_CRASHES: Final = 100_000
# Who writes a line is done in milliseconds.
_LOCK_TRIES: Final = 100
_LOCK_TRY_SECONDS: Final = 0.05
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
            StorageUnavailable: another process keeps it to itself.
        """
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with self._locked():
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
            StorageUnavailable: another process keeps the file to itself; nothing was written.
        """
        data = line.encode() + b"\n"
        try:
            with self._locked():
                self._write(data)
        except OSError as error:
            raise JournalError(f"journal {self.path}: {error.strerror}") from error

    def _write(self, data: bytes) -> None:
        with contextlib.ExitStack() as undo:
            # What is half written would become one line with what the next voter writes.
            undo.callback(self._cut, os.fstat(self._file).st_size)
            if os.write(self._file, data) != len(data):
                raise OSError(errno.ENOSPC, "the disk is full")
            os.fsync(self._file)
            undo.pop_all()

    def _cut(self, size: int) -> None:
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, size)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep out whoever else writes: a voter that was replaced may still be there, and even be stopped right now."""
        for _ in range(_LOCK_TRIES):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(_LOCK_TRY_SECONDS)
        else:
            raise StorageUnavailable(f"journal {self.path}: another process is writing to it, and does not end")
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

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


@dataclass(frozen=True, slots=True)
class Taken:
    """What the head took in one write.

    Attributes:
        generation: of the head that took it.
        votes: cast.
        decisions: recorded.
        newest_time: time of the newest block decided valid by then, Unix seconds; None in lines of earlier releases.
    """

    generation: int
    votes: tuple[CastVote, ...]
    decisions: tuple[CastDecision, ...]
    newest_time: str | None


@dataclass(frozen=True, slots=True)
class Starts:
    """When voters took the seat, in order: (epoch, generation that the head was at, fingerprint of the federations)."""

    all: tuple[tuple[int, int, str | None], ...]

    @property
    def last_epoch(self) -> int:
        """The epoch that was written down last; 0 before the first."""
        return self.all[-1][0] if self.all else 0

    @property
    def federations(self) -> str | None:
        """The fingerprint of the federations that the last voter knew; None where none has written it down."""
        return next((fingerprint for _, _, fingerprint in reversed(self.all) if fingerprint), None)

    def end_of(self, epoch: int) -> int | None:
        """Return the generation at which the voter behind an epoch's began; None for the last."""
        later = bisect.bisect_right(self.all, epoch, key=lambda start: start[0])
        return self.all[later][1] if later < len(self.all) else None


def start_line(epoch: int, from_generation: int, federations: str) -> str:
    """Return the line for a voter that took the seat when the head was at a generation."""
    return canonical.dumps({"epoch": epoch, "federations": federations, "from_generation": from_generation})


def entry_line(
    epoch: int, generation: int, votes: Sequence[Vote], decisions: Sequence[Decision], newest_time: str
) -> str:
    """Return the line for what the head is about to take as its next generation."""
    return canonical.dumps(
        {
            "epoch": epoch,
            "generation": generation,
            "newest_time": newest_time,
            "votes": [[v.block_id, v.is_valid, crypto.hash_data(v.text)] for v in votes],
            "decisions": [[d.sequence, d.block_id, d.verdict == "valid", crypto.hash_data(d.text)] for d in decisions],
        }
    )


def read_starts(journal: Journal, head_epoch: int) -> Starts:
    """Return when voters took the seat.

    Args:
        journal: read line by line, so that a long one needs no memory.
        head_epoch: the epoch that the head is at in storage.

    Raises:
        JournalError: a line is damaged; or the head's epoch is none that the journal can explain.
    """
    documents = _documents(journal, _FROM)
    found = ((d["epoch"], d["from_generation"], d.get("federations")) for _, d in documents if _is_start(d))
    starts = Starts(tuple(sorted(found, key=lambda start: start[:2])))
    if starts.last_epoch > head_epoch:
        raise JournalError(_WENT_BACK)
    if head_epoch > starts.last_epoch + _MOST_CRASHES:
        # Not to be written down: the true head, put back, would look like an earlier one for ever.
        raise JournalError(f"this node's head in storage was changed: no voter has ever been at epoch {head_epoch}")
    return starts


def read_taken(journal: Journal, starts: Starts, head_generation: int) -> Iterator[Taken]:
    """Return what the head took, write by write, oldest first; each generation once.

    Args:
        journal: read line by line.
        starts: when voters took the seat.
        head_generation: the generation that the head is at.

    Raises:
        JournalError: a line is damaged; or the journal ends before the head's generation (it was replaced), or goes on
            behind what a crash can explain (storage was put back to an earlier state).
    """
    reached = 0
    for number, document in _documents(journal):
        if _is_start(document):
            continue
        end = starts.end_of(document["epoch"])
        last = head_generation if end is None else end
        if document["generation"] > last + 1:
            raise JournalError(_WENT_BACK)
        if document["generation"] > last:
            continue
        reached = max(reached, document["generation"])
        try:
            yield Taken(
                document["generation"],
                tuple(CastVote(*item) for item in document["votes"]),
                tuple(CastDecision(*item) for item in document["decisions"]),
                document.get("newest_time"),
            )
        except TypeError as error:
            raise JournalError(f"journal line {number}: is no entry") from error
    if reached < head_generation:
        raise JournalError(
            f"the journal ends at generation {reached}, but this node's head in storage is at {head_generation}: "
            "the journal file is missing or was replaced; bring it back, since without it this node could vote twice"
        )


def _is_start(document: dict[str, Any]) -> bool:
    return _FROM in document


def _documents(journal: Journal, with_text: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
    """Return the lines that contain a text, each with its number."""
    for number, line in enumerate(journal.lines(), 1):
        if with_text in line:
            yield number, _parse(line, number)


def _parse(line: str, number: int) -> dict[str, Any]:
    try:
        # Nobody else writes it, there may be a million, and a node that was down is waited for.
        document = canonical.parse_trusted(line)
    except (ValueError, RecursionError) as error:
        raise JournalError(f"journal line {number}: is not JSON: {error}") from error
    if not isinstance(document, dict) or not (document.keys() >= _START or document.keys() >= _ENTRY):
        raise JournalError(f"journal line {number}: is no entry")
    for name in ("epoch", "generation" if document.keys() >= _ENTRY else _FROM):
        _shape.integer(document[name], f"journal line {number}: {name}")
    if "newest_time" in document:
        _shape.timestamp(document["newest_time"], f"journal line {number}: newest_time")
    if "federations" in document:
        _shape.hash(document["federations"], f"journal line {number}: federations")
    return document
