"""A file is a sound ledger, or it is refused with a reason and left as it is."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bigchaindb.exceptions import BigchainDBError, StorageError, StorageMismatch, StorageUnavailable
from bigchaindb.storage import sqlite_file, sqlite_opening
from bigchaindb.storage import sqlite_sql as sql
from bigchaindb.storage.sqlite import SqliteStorage
from tests.storage.make import (
    ALICE,
    BOB,
    block,
    decision,
    digest,
    effects,
    output,
    ref,
    rejection,
    sighting,
    transaction,
)
from tests.storage.make import vote as make_vote
from tests.storage.test_contract_life import EVERY_CALL

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE_BYTES = 4096
# How the pages of tables and indexes begin (SQLite file format, section 1.6); others hold nothing but contents.
TREE_PAGES = {2, 5, 10, 13}
MANY = 200


def fill(storage: SqliteStorage) -> None:
    """Put something into every table."""
    many = [transaction(str(each), spends=[output(str(each + 1), each % 3)]) for each in range(MANY)]
    written = block("A", *many)
    storage.create_genesis(block("G", many[0]), many[0])
    storage.append_backlog(many, 1.0)
    storage.write_block(written)
    storage.sight("node", [sighting(written)])
    storage.place_votes([make_vote(written, "node")])
    storage.keep_evidence([make_vote(written, "node")])
    storage.append_decisions([decision(written, "node", 1)])
    held = [(output(str(each)), [ALICE, BOB]) for each in range(MANY)]
    carried = [("p", str(each)) for each in range(MANY)]
    storage.settle(effects(*held, spent=[(output("1"), "2")], payloads=carried))
    storage.reject([rejection(many[0], "node")])
    storage.swap_register("name", None, "text")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A sound ledger that nobody has open."""
    path = tmp_path / "ledger.sqlite"
    with closing(SqliteStorage(path, create=True)) as storage:
        fill(storage)
    return path


def everything_in(directory: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in directory.iterdir() if entry.is_file()}


def refusal(path: Path, *, create: bool = False) -> str:
    """The reason for which a file is refused, after a look whether anything changed."""
    before = everything_in(path.parent)
    with pytest.raises(StorageMismatch) as caught:
        SqliteStorage(path, create=create)
    assert everything_in(path.parent) == before
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


# --- making one --------------------------------------------------------------------------------------------


def test_a_missing_ledger_is_refused_and_not_made(tmp_path: Path) -> None:
    assert "`bigchaindb init`" in refusal(tmp_path / "ledger.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_new_ledger_and_its_directories_are_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / "ledger.sqlite"
    with closing(SqliteStorage(path, create=True)) as storage:
        storage.swap_register("name", None, "text")
        files = list(path.parent.iterdir())
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


def test_closing_leaves_one_file_and_the_queue(ledger: Path) -> None:
    assert sorted(everything_in(ledger.parent)) == ["ledger.sqlite", "ledger.sqlite.lock"]


def test_an_empty_file_is_filled_only_where_one_is_to_be_made(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.touch()
    assert "empty" in refusal(path)
    SqliteStorage(path, create=True).close()
    SqliteStorage(path, create=False).close()


def test_whoever_waits_too_long_for_another_who_makes_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Path(f"{path}.lock").open("wb") as maker:
        fcntl.flock(maker, fcntl.LOCK_EX)
        with pytest.raises(StorageUnavailable, match="begun to make"):
            SqliteStorage(path, create=True, busy_seconds=0.05)
    assert not path.exists()
    SqliteStorage(path, create=True).close()


def test_a_ledger_that_is_there_is_opened_not_made(ledger: Path) -> None:
    with closing(SqliteStorage(ledger, create=True)) as storage:
        assert storage.registers(["name"]) == {"name": "text"}


def test_a_name_may_have_any_characters(tmp_path: Path) -> None:
    path = tmp_path / "a b%20c?d#e&é.sqlite"
    with closing(SqliteStorage(path, create=True)) as storage:
        storage.swap_register("name", None, "text")
    assert path.is_file()
    with closing(SqliteStorage(str(path), create=False)) as storage:
        assert storage.registers(["name"]) == {"name": "text"}


def test_the_log_of_a_ledger_that_is_gone_is_not_taken_for_that_of_a_new_one(ledger: Path) -> None:
    log = Path(f"{ledger}-wal")
    with closing(SqliteStorage(ledger, create=False)) as storage:
        storage.swap_register("name", "text", "more")
        shutil.copy(log, f"{log}.copy")
    ledger.unlink()
    Path(f"{log}.copy").rename(log)
    assert log.name in refusal(ledger, create=True)


# --- what is no ledger -------------------------------------------------------------------------------------


def text(path: Path) -> None:
    path.write_text("dear diary, " * 1000)


def noise(path: Path) -> None:
    path.write_bytes(random.Random(0).randbytes(3 * PAGE_BYTES))


def directory(path: Path) -> None:
    path.mkdir()


def queue(path: Path) -> None:
    os.mkfifo(path)


def another_application(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 7")
        connection.execute("CREATE TABLE names (number, key, name)")


def no_application(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE names (number, key, name)")


def another_application_with_a_log(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE diary (text)")


FOREIGN: dict[str, tuple[Callable[[Path], None], str]] = {
    "a text": (text, "no SQLite database"),
    "noise": (noise, "no SQLite database"),
    "a directory": (directory, "a directory"),
    "a queue": (queue, "no regular file"),
    "a database of another application": (another_application, "another application"),
    "a database of no application": (no_application, "another application"),
    "a database with a write-ahead log": (another_application_with_a_log, "another application"),
}


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_ledger_is_refused_and_left_as_it_is(tmp_path: Path, name: str, create: bool) -> None:
    make, reason = FOREIGN[name]
    path = tmp_path / "ledger.sqlite"
    make(path)
    if create:
        Path(f"{path}.lock").touch()
    assert reason in refusal(path, create=create)


def test_a_foreign_database_in_use_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as owner:
        owner.execute("PRAGMA journal_mode = WAL")
        owner.execute("CREATE TABLE diary (text)")
        assert "another application" in refusal(path)


def test_a_ledger_of_a_later_format_is_refused_and_left_as_it_is(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA user_version = 5")
    assert "format 5" in refusal(ledger)


def test_a_place_where_nothing_can_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageMismatch, match="cannot hold a ledger"):
        SqliteStorage(tmp_path / "file" / "ledger.sqlite", create=True)
    assert everything_in(tmp_path) == {"file": b""}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
@pytest.mark.parametrize(("file_mode", "directory_mode"), [(0o000, 0o700), (0o400, 0o700), (0o600, 0o500)])
def test_what_this_user_may_not_write_is_refused(ledger: Path, file_mode: int, directory_mode: int) -> None:
    ledger.chmod(file_mode)
    ledger.parent.chmod(directory_mode)
    try:
        with pytest.raises(StorageMismatch, match="may not"):
            SqliteStorage(ledger, create=False)
    finally:
        ledger.parent.chmod(0o700)


def test_what_the_system_does_not_let_us_write_is_refused(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for forbidden in (ledger, ledger.parent):
        monkeypatch.setattr(os, "access", lambda path, _, forbidden=forbidden: Path(path) != forbidden)
        assert "may not" in refusal(ledger)


# --- what is damaged ---------------------------------------------------------------------------------------


def damage(path: Path, at: int, with_: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(with_)


@pytest.mark.parametrize("large", [False, True])
def test_a_damaged_first_page_is_found_on_opening(ledger: Path, monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    monkeypatch.setattr(sqlite_opening, "_SMALL_PAGES", 0 if large else 1000)
    damage(ledger, 0, bytes(100))
    assert "no SQLite database, or its first page is damaged" in refusal(ledger)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("left", [0.5, 0.99])
def test_a_cut_file_is_found_on_opening(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, left: float, large: bool
) -> None:
    monkeypatch.setattr(sqlite_opening, "_SMALL_PAGES", 0 if large else 1000)
    os.truncate(ledger, int(ledger.stat().st_size * left))
    assert "damaged" in refusal(ledger)


def test_any_damaged_page_of_a_table_or_an_index_of_a_small_ledger_is_found_on_opening(ledger: Path) -> None:
    sound = ledger.read_bytes()
    pages = [at for at in range(PAGE_BYTES, len(sound), PAGE_BYTES) if sound[at] in TREE_PAGES]
    assert len(pages) > 40
    for at in pages:
        damage(ledger, at, bytes(PAGE_BYTES))
        assert "damaged" in refusal(ledger)
        ledger.write_bytes(sound)


def test_a_missing_index_is_found_on_opening(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("DROP INDEX names_by_key")
    assert "names_by_key is not as this release makes it" in refusal(ledger)


def test_a_row_that_no_release_wrote_is_found_when_it_is_read(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("UPDATE registers SET text = CAST(x'ff' AS TEXT)")
        connection.commit()
    with closing(SqliteStorage(ledger, create=False)) as storage, pytest.raises(StorageMismatch, match="damaged"):
        storage.registers(["name"])


def test_a_value_of_a_kind_that_was_not_stored_is_damage(ledger: Path) -> None:
    names = sql.Query("SELECT name, number FROM names", frozenset({(str, int)}))
    with closing(SqliteStorage(ledger, create=False)) as storage, storage._file.using():
        assert storage._file.rows(names)
        with pytest.raises(StorageMismatch, match="damaged"):
            storage._file.rows(sql.Query("SELECT NULL, number FROM names", names.shapes))


def test_what_the_driver_cannot_even_say_is_damage(ledger: Path) -> None:
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "its message holds a part of the damage")
    assert isinstance(sqlite_file.translated(error, ledger), StorageMismatch)


@pytest.mark.parametrize(
    ("statement", "call"),
    [
        ("DELETE FROM counters", "backlog_size"),
        ("DELETE FROM counters", "append_backlog"),
        ("DROP TABLE votes", "votes"),
        ("DROP TABLE backlog", "append_backlog"),
    ],
)
def test_what_is_gone_is_found_when_it_is_needed(ledger: Path, statement: str, call: str) -> None:
    with closing(SqliteStorage(ledger, create=False)) as storage:
        with closing(sqlite3.connect(ledger)) as connection:
            connection.execute(statement)
            connection.commit()
        with pytest.raises(StorageMismatch, match="damaged"):
            EVERY_CALL[call](storage)


def calls(storage: SqliteStorage) -> list[Callable[[], object]]:
    """Calls that read and write every table."""
    ids = [digest(str(each)) for each in range(MANY)]
    texts = [ref(transaction(str(each))) for each in range(MANY)]
    harmless = [name for name in EVERY_CALL if name not in {"drop", "batch"}]
    return [
        lambda: storage.contents(texts),
        lambda: storage.waiting(ids),
        lambda: storage.transactions(ids),
        lambda: storage.standings("node", ids),
        lambda: storage.spenders([output(str(each), each % 3) for each in range(MANY)]),
        lambda: [storage.outputs_of(ALICE, spent=spent, after=None, limit=MANY) for spent in (None, True, False)],
        lambda: storage.place_votes([make_vote(block("A"), "node"), make_vote(block("A"), "another")]),
        lambda: storage.append_decisions([decision(block("A"), "node", 1), decision(block("B"), "node", 2)]),
        *[lambda name=name: EVERY_CALL[name](storage) for name in harmless],
        lambda: fill(storage),
        lambda: storage.drop_backlog(ids=ids, texts=texts),
    ]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_damaged_no_other_error_comes_out(ledger: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(sqlite_opening, "_SMALL_PAGES", 0)
    chance = random.Random(seed)
    sound = ledger.read_bytes()
    for _ in range(chance.choice([1, 3, 30])):
        page = chance.randrange(1, len(sound) // PAGE_BYTES) * PAGE_BYTES
        with_, at = chance.choice(
            [
                (chance.randbytes(1), chance.randrange(len(sound))),
                (chance.randbytes(1), page + chance.randrange(100)),
                (bytes(PAGE_BYTES), page),
                (sound[-PAGE_BYTES:], page),
            ]
        )
        damage(ledger, at, with_)
    try:
        storage = SqliteStorage(ledger, create=False)
    except StorageMismatch:
        return
    with closing(storage):
        for call in calls(storage):
            try:
                call()
            except BigchainDBError as error:
                assert isinstance(error, StorageError)  # noqa: PT017 - other errors of ours would be wrong, too
                assert not isinstance(error, StorageUnavailable)  # noqa: PT017


# --- a log that was left -----------------------------------------------------------------------------------


def test_what_is_only_in_the_log_of_a_killed_process_is_there(ledger: Path, tmp_path: Path) -> None:
    crashed = tmp_path / "crashed.sqlite"
    with closing(SqliteStorage(ledger, create=False)) as storage:
        storage.append_backlog([transaction(f"late {each}") for each in range(1000)], 2.0)
        for ending in ("", "-wal"):
            shutil.copy(f"{ledger}{ending}", f"{crashed}{ending}")
    with closing(SqliteStorage(crashed, create=False)) as storage:
        assert storage.backlog_size() == MANY + 1000
        assert len(storage.backlog(None, 10_000)) == MANY + 1000


def test_a_file_that_needs_its_log_is_whole_with_it(ledger: Path, tmp_path: Path) -> None:
    # A checkpoint writes the first page first; a process killed in it leaves a file that is shorter than it says.
    crashed = tmp_path / "crashed.sqlite"
    with closing(SqliteStorage(ledger, create=False)) as storage:
        storage.append_backlog([transaction(f"late {each}") for each in range(1000)], 2.0)
        shutil.copy(f"{ledger}-wal", f"{crashed}-wal")
        short = ledger.read_bytes()
    grown = ledger.read_bytes()
    assert len(grown) > len(short)
    crashed.write_bytes(grown[:PAGE_BYTES] + short[PAGE_BYTES:])
    with closing(SqliteStorage(crashed, create=False)) as storage:
        assert storage.backlog_size() == MANY + 1000
    crashed.write_bytes(grown[:PAGE_BYTES] + short[PAGE_BYTES:])
    assert "damaged" in refusal(crashed)
