"""The journal: append only, on disk before anything is cast, and read back for what the head took."""

from __future__ import annotations

import fcntl
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import crypto
from bigchaindb.exceptions import JournalError, StorageUnavailable
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.vote import Vote
from bigchaindb.node import journal as journals
from bigchaindb.node.journal import (
    CastDecision,
    CastVote,
    FileJournal,
    Journal,
    MemoryJournal,
    Taken,
    entry_line,
    read_starts,
    read_taken,
    start_line,
)
from tests.ledgers import key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NODE = key("node 0")
TIMESTAMP = "1.000000"
LATER = "2.000000"
GENESIS = "0" * 64
HISTORY = "1" * 64


def block_id(number: int) -> str:
    return f"{number:064x}"


def vote(number: int, reason: str | None = None) -> Vote:
    return Vote.sign(block_id(number), GENESIS, reason, TIMESTAMP, NODE)


def decision(number: int, sequence: int, verdict: Verdict = Verdict.VALID) -> Decision:
    return Decision.sign(
        ledger=GENESIS,
        sequence=sequence,
        block_id=block_id(number),
        verdict=verdict,
        previous=None,
        timestamp=TIMESTAMP,
        key=NODE,
    )


def write(journal: Journal, *steps: tuple[str, int, int]) -> None:
    """Write `("start", epoch, generation)` and `("vote", epoch, generation)`: a vote on the block of that number."""
    for what, epoch, generation in steps:
        if what == "start":
            journal.append(start_line(epoch, generation, HISTORY))
        else:
            journal.append(entry_line(epoch, generation, [vote(generation)], [], TIMESTAMP))


def taken(journal: Journal, generation: int, epoch: int) -> list[int]:
    """The blocks of the votes that the head took."""
    return [int(v.block_id, 16) for one in read(journal, generation, epoch) for v in one.votes]


def read(journal: Journal, generation: int, epoch: int) -> list[Taken]:
    return list(read_taken(journal, read_starts(journal, epoch), generation))


# --- what the head took ------------------------------------------------------------------------------------


def test_what_was_cast_reads_back_by_its_hash() -> None:
    journal = MemoryJournal()
    yes, no, valid, invalid = vote(1), vote(2, "why"), decision(3, 1), decision(4, 2, Verdict.INVALID)
    journal.append(start_line(1, 0, HISTORY))
    journal.append(entry_line(1, 1, [yes, no], [valid], TIMESTAMP))
    journal.append(entry_line(1, 2, [], [invalid], LATER))
    votes = (
        CastVote(block_id(1), is_valid=True, hash=crypto.hash_data(yes.text)),
        CastVote(block_id(2), is_valid=False, hash=crypto.hash_data(no.text)),
    )
    first = CastDecision(1, block_id(3), is_valid=True, hash=crypto.hash_data(valid.text))
    second = CastDecision(2, block_id(4), is_valid=False, hash=crypto.hash_data(invalid.text))
    assert read(journal, 2, 1) == [
        Taken(1, votes, (first,), TIMESTAMP),
        Taken(2, (), (second,), LATER),
    ]


def test_the_last_voter_that_took_the_seat_says_under_which_federations() -> None:
    journal = MemoryJournal()
    assert read_starts(journal, 0).federations is None
    journal.append(start_line(1, 0, HISTORY))
    journal.append('{"epoch":2,"from_generation":0}')
    assert read_starts(journal, 2).federations == HISTORY
    journal.append(start_line(3, 0, "2" * 64))
    assert read_starts(journal, 3).federations == "2" * 64


def test_a_journal_of_an_earlier_release_is_read() -> None:
    journal = MemoryJournal()
    journal.append('{"epoch":1,"from_generation":0}')
    journal.append('{"decisions":[],"epoch":1,"generation":1,"votes":[]}')
    assert read(journal, 1, 1) == [Taken(1, (), (), None)]


def test_an_empty_journal_is_that_of_a_node_which_has_cast_nothing() -> None:
    assert taken(MemoryJournal(), 0, 0) == []


def test_an_entry_that_the_head_did_not_take_before_a_crash_is_void() -> None:
    journal = MemoryJournal()
    write(journal, ("start", 1, 0), ("vote", 1, 1), ("vote", 1, 2))
    assert taken(journal, 2, 1) == [1, 2]
    assert taken(journal, 1, 1) == [1]
    write(journal, ("start", 2, 1), ("vote", 2, 2))
    assert taken(journal, 2, 2) == [1, 2]


def test_an_entry_of_a_voter_that_was_replaced_is_void() -> None:
    journal = MemoryJournal()
    write(journal, ("start", 1, 0), ("vote", 1, 1), ("start", 2, 1), ("vote", 2, 2), ("vote", 1, 2), ("vote", 2, 3))
    assert taken(journal, 3, 2) == [1, 2, 3]


def test_a_voter_that_died_before_it_could_say_that_it_started_is_no_matter() -> None:
    journal = MemoryJournal()
    write(journal, ("start", 1, 0), ("vote", 1, 1), ("vote", 1, 2), ("start", 3, 1), ("vote", 3, 2))
    assert taken(journal, 2, 3) == [1, 2]


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=6))
def test_whatever_crashes_what_was_taken_is_read_and_nothing_else(runs: list[tuple[int, bool]]) -> None:
    """Each run starts, casts so many votes, and may crash between journal and head."""
    journal = MemoryJournal()
    generation, expected = 0, []
    for epoch, (count, crashes) in enumerate(runs, 1):
        journal.append(start_line(epoch, generation, HISTORY))
        for _ in range(count):
            generation += 1
            cast = vote(1000 * epoch + generation)
            journal.append(entry_line(epoch, generation, [cast], [], TIMESTAMP))
            expected.append(cast.block_id)
        if crashes and count:
            generation -= 1
            expected.pop()
    found = [v.block_id for one in read(journal, generation, len(runs)) for v in one.votes]
    assert found == expected


# --- contradictions ----------------------------------------------------------------------------------------


def test_a_journal_that_is_missing_is_an_error() -> None:
    with pytest.raises(JournalError, match="the journal ends at generation 0, but this node's head in storage is at 3"):
        taken(MemoryJournal(), 3, 1)


def test_a_journal_that_ends_before_the_head_is_an_error() -> None:
    journal = MemoryJournal()
    write(journal, ("start", 1, 0), ("vote", 1, 1))
    with pytest.raises(JournalError, match=r"the journal ends at generation 1, but .* at 2"):
        taken(journal, 2, 1)


@pytest.mark.parametrize(("generation", "epoch"), [(1, 2), (0, 1), (2, 1), (3, 1)])
def test_a_head_that_went_back_further_than_a_crash_can_explain_is_an_error(generation: int, epoch: int) -> None:
    journal = MemoryJournal()
    write(journal, ("start", 1, 0), ("vote", 1, 1), ("start", 2, 1), ("vote", 2, 2), ("vote", 2, 3))
    assert taken(journal, 3, 2) == [1, 2, 3]
    assert taken(journal, 2, 2) == [1, 2]
    with pytest.raises(JournalError, match="put back to an earlier state"):
        taken(journal, generation, epoch)


def test_a_voter_that_would_start_from_before_the_one_before_it_is_an_error() -> None:
    journal = MemoryJournal()
    write(journal, ("start", 1, 0), ("vote", 1, 1), ("vote", 1, 2), ("vote", 1, 3), ("start", 2, 1))
    with pytest.raises(JournalError, match="put back to an earlier state"):
        taken(journal, 1, 2)


DAMAGED: dict[str, Any] = {
    "no JSON": "{",
    "a list": "[]",
    "an empty line": "",
    "an object that is no entry": '{"epoch":1}',
    "junk": "\udcff\udcfe",
    "an epoch that is text": '{"epoch":"1","from_generation":0}',
    "a generation that is text": '{"decisions":[],"epoch":1,"generation":"1","votes":[]}',
    "votes that are none": '{"decisions":[],"epoch":1,"generation":1,"votes":[[1]]}',
    "votes that are a number": '{"decisions":[],"epoch":1,"generation":1,"votes":1}',
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_is_named(line: str) -> None:
    journal = MemoryJournal()
    write(journal, ("start", 1, 0))
    journal.append(line)
    with pytest.raises(JournalError, match="journal line 2: "):
        taken(journal, 1, 1)


# --- files -------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "node.journal"


@pytest.fixture
def journal(path: Path) -> Iterator[FileJournal]:
    opened = FileJournal(path)
    yield opened
    opened.close()


def reread(path: Path) -> list[str]:
    opened = FileJournal(path)
    try:
        return list(opened.lines())
    finally:
        opened.close()


def test_a_journal_file_is_for_its_owner_only(journal: FileJournal) -> None:
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700


def test_lines_come_back_in_order_from_another_process(journal: FileJournal, path: Path) -> None:
    assert list(journal.lines()) == []
    journal.append("one")
    journal.append("two €")
    assert list(journal.lines()) == ["one", "two €"]
    assert reread(path) == ["one", "two €"]


@pytest.mark.parametrize("torn", [1, 3, 4096, 10_000])
def test_a_line_that_a_crash_cut_short_is_cut_off(journal: FileJournal, path: Path, torn: int) -> None:
    journal.append("one")
    with path.open("ab") as file:
        file.write(b"x" * torn)
    assert reread(path) == ["one"]
    assert path.read_bytes() == b"one\n"


def test_a_file_with_nothing_but_a_torn_line_is_empty(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"x" * 5000)
    assert reread(path) == []
    assert path.read_bytes() == b""


def test_what_is_written_while_another_reads_goes_to_the_end(journal: FileJournal, path: Path) -> None:
    other = FileJournal(path)
    journal.append("one")
    other.append("two")
    journal.append("three")
    other.close()
    assert list(journal.lines()) == ["one", "two", "three"]


def test_what_is_no_utf_8_is_a_damaged_line(journal: FileJournal, path: Path) -> None:
    journal.append(start_line(1, 0, HISTORY))
    with path.open("ab") as file:
        file.write(b'{"epoch":\xff}\n')
    with pytest.raises(JournalError, match="journal line 2: "):
        taken(journal, 0, 1)


def test_a_journal_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match=f"journal {tmp_path}/file/node.journal: "):
        FileJournal(tmp_path / "file" / "node.journal")
    with pytest.raises(JournalError, match=f"journal {tmp_path}: Is a directory"):
        FileJournal(tmp_path)


def test_a_journal_that_is_gone_is_named(journal: FileJournal, path: Path) -> None:
    path.unlink()
    with pytest.raises(JournalError, match=f"journal {path}: No such file"):
        list(journal.lines())


def test_a_journal_that_cannot_be_written_casts_nothing(path: Path) -> None:
    journal = FileJournal(path)
    journal.close()
    with pytest.raises(JournalError, match="Bad file descriptor"):
        journal.append("x")


def test_a_full_disk_is_an_error(journal: FileJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda _, data: len(data) - 1)
    with pytest.raises(JournalError, match="the disk is full"):
        journal.append("x")


def test_what_a_full_disk_cut_short_does_not_run_into_the_next_line(
    journal: FileJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    journal.append("first")
    other = FileJournal(path)
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, data: write(file, data[:3]))
        with pytest.raises(JournalError, match="the disk is full"):
            journal.append("lost")
    other.append("second")
    other.close()
    assert reread(path) == ["first", "second"]


def test_whoever_is_stopped_while_it_writes_keeps_its_successor_waiting_but_not_for_ever(
    journal: FileJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "_LOCK_TRIES", 3)
    journal.append("first")
    fcntl.flock(journal._file, fcntl.LOCK_EX)
    with pytest.raises(StorageUnavailable, match=f"journal {path}: another process is writing to it"):
        FileJournal(path)
    fcntl.flock(journal._file, fcntl.LOCK_UN)
    successor = FileJournal(path)
    fcntl.flock(journal._file, fcntl.LOCK_EX)
    with pytest.raises(StorageUnavailable):
        successor.append("second")
    fcntl.flock(journal._file, fcntl.LOCK_UN)
    successor.append("third")
    assert list(successor.lines()) == ["first", "third"]
    successor.close()
