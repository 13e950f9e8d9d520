"""What SQLite does beyond the contract: batches that are all or nothing, patience with others, and its own limits."""

from __future__ import annotations

import fcntl
import gc
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bigchaindb.exceptions import InvalidValue, StorageError, StorageUnavailable
from bigchaindb.model.reference import OutputRef
from bigchaindb.storage import sqlite_file
from bigchaindb.storage.records import NewTransaction, TextRef
from bigchaindb.storage.sqlite import SqliteStorage
from tests.storage.make import ALICE, block, digest, effects, output, ref, sighting, stored, transaction, vote

if TYPE_CHECKING:
    from collections.abc import Iterator

HANG_SECONDS = 30.0
PATIENCE_SECONDS = 0.1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def storage(path: Path) -> Iterator[SqliteStorage]:
    with closing(SqliteStorage(path, create=True, busy_seconds=PATIENCE_SECONDS)) as opened:
        yield opened


@pytest.fixture
def other(path: Path, storage: SqliteStorage) -> Iterator[SqliteStorage]:  # noqa: ARG001 - it makes the file
    with closing(SqliteStorage(path, create=False, busy_seconds=PATIENCE_SECONDS)) as opened:
        yield opened


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Another process that runs a script and can be talked to."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


# --- batches -----------------------------------------------------------------------------------------------


def write_some(storage: SqliteStorage) -> None:
    written = block("A", transaction("a"))
    storage.append_backlog([transaction("a"), transaction("b")], 1.0)
    storage.write_block(written)
    storage.sight("node", [sighting(written)])
    storage.place_votes([vote(written, "node")])
    storage.settle(effects((output("a"), [ALICE])))


def assert_empty(storage: SqliteStorage) -> None:
    assert storage.backlog_size() == 0
    assert storage.backlog(None, 10) == []
    assert storage.transactions([digest("a"), digest("b")]) == {}
    assert storage.block_count() == 0
    assert storage.sightings("node", [block("A").key]) == {}
    assert storage.votes([block("A").id]) == {}
    assert storage.outputs_of(ALICE, spent=None, after=None, limit=10) == []


def test_nobody_sees_a_batch_before_it_ends(storage: SqliteStorage, other: SqliteStorage) -> None:
    with storage.batch():
        write_some(storage)
        assert_empty(other)
    assert other.backlog_size() == 2


def test_a_batch_that_fails_is_undone(storage: SqliteStorage, other: SqliteStorage) -> None:
    def fail() -> None:
        with storage.batch():
            write_some(storage)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert_empty(storage)
    assert_empty(other)


def test_an_error_of_the_callers_own_passes_a_batch_as_it_is(storage: SqliteStorage) -> None:
    for mine in (OSError("mine"), sqlite3.OperationalError("mine"), UnicodeError("mine"), OverflowError("mine")):
        with pytest.raises(type(mine)) as caught, storage.batch():
            raise mine
        assert caught.value is mine


def test_nothing_of_a_batch_is_stored_when_a_write_in_it_failed_and_was_caught(storage: SqliteStorage) -> None:
    def carry_on() -> None:
        with storage.batch():
            write_some(storage)
            with pytest.raises(InvalidValue):
                storage.swap_register("name", None, "\ud800")
            with pytest.raises(StorageUnavailable, match="failed"):
                storage.swap_register("name", None, "text")
            with pytest.raises(StorageUnavailable, match="failed"):
                storage.registers(["name"])

    with pytest.raises(StorageUnavailable, match="failed"):
        carry_on()
    assert_empty(storage)
    storage.swap_register("name", None, "text")
    assert storage.registers(["name"]) == {"name": "text"}


def test_nothing_of_a_batch_is_stored_when_a_write_in_it_broke_off(storage: SqliteStorage) -> None:
    unpaired = replace(block("A", transaction("a")), transaction_ids=())

    def carry_on() -> None:
        with storage.batch():
            with pytest.raises(ValueError, match="zip"):
                storage.write_block(unpaired)
            write_some(storage)

    with pytest.raises(StorageUnavailable, match="failed"):
        carry_on()
    assert_empty(storage)


def test_what_was_read_in_a_batch_that_was_undone_is_forgotten(storage: SqliteStorage) -> None:
    def fail() -> None:
        with storage.batch():
            storage.append_backlog([transaction("a")], 1.0)
            assert digest("a") in storage.transactions([digest("a")])
            assert storage.contents([ref(transaction("a"))])
            assert storage.backlog(None, 10)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    storage.append_backlog([transaction("b")], 1.0)
    assert storage.transactions([digest("a")]) == {}
    assert storage.contents([ref(transaction("a"))]) == {}
    assert storage.transactions([digest("b")]) == {digest("b"): [stored(transaction("b"))]}


def test_a_batch_cannot_end_with_the_connection_closed_in_it(storage: SqliteStorage, other: SqliteStorage) -> None:
    def close_early() -> None:
        with storage.batch():
            write_some(storage)
            storage.close()

    with pytest.raises(StorageUnavailable, match="closed"):
        close_early()
    assert_empty(other)


def test_other_threads_wait_for_the_end_of_a_batch(storage: SqliteStorage) -> None:
    begun, tried = threading.Event(), threading.Event()
    errors: list[Exception] = []

    def read() -> None:
        begun.wait(HANG_SECONDS)
        try:
            storage.backlog_size()
        except StorageUnavailable as error:
            errors.append(error)
        tried.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    with storage.batch():
        begun.set()
        assert tried.wait(HANG_SECONDS)
    thread.join(HANG_SECONDS)
    assert ["another thread" in str(error) for error in errors] == [True]


KILLED_IN_A_BATCH = """
import sys
from bigchaindb.storage.sqlite import SqliteStorage
from tests.storage.test_sqlite import transaction, write_some
storage = SqliteStorage(sys.argv[1], create=False)
storage.append_backlog([transaction("before")], 1.0)
with storage.batch():
    write_some(storage)
    # Enough to push pages out of the cache, and so into the log.
    for turn in range(20):
        storage.append_backlog([transaction(f"{turn} {each}", text="x" * 3000) for each in range(1000)], 1.0)
    print("in a batch", flush=True)
    sys.stdin.read()
"""


def test_nothing_of_a_batch_is_left_when_its_process_is_killed_in_it(path: Path, storage: SqliteStorage) -> None:
    with python(KILLED_IN_A_BATCH, path) as process:
        assert process.stdout
        assert process.stdout.readline() == "in a batch\n"
        process.kill()
        process.wait(HANG_SECONDS)
    assert [entry.text for entry in storage.backlog(None, 10)] == [ref(transaction("before"))]
    storage.drop_backlog(ids=[digest("before")])
    assert_empty(storage)
    storage.swap_register("name", None, "text")  # nothing keeps writers out


# --- names that share a key --------------------------------------------------------------------------------


def look_alike(name: str) -> NewTransaction:
    """A transaction that shares the keys of its id and hash with all others from here."""
    same = "a" * 20
    return NewTransaction(
        hash=f"{same}{name} text",
        id=f"{same}{name}",
        text=name,
        spends=(OutputRef(f"{same}{name} spent", 0),),
    )


def test_names_that_share_a_key_are_told_apart(storage: SqliteStorage, other: SqliteStorage) -> None:
    names = ["one", "two", "three", "four"]
    made = [look_alike(name) for name in names]
    storage.append_backlog(made[:2], 1.0)
    storage.append_backlog(made[1:], 1.0)
    held = effects(*[(OutputRef(each.id, 0), [f"{'a' * 20}{each.text} owner"]) for each in made])
    storage.settle(replace(held, payloads=tuple((f"{'a' * 20}{each.text} payload", each.id) for each in made)))
    for reader in (storage, other):
        assert reader.backlog_size() == 4
        for each in (*made, look_alike("five")):
            known = each in made
            assert reader.contents([ref(each)]) == ({each.hash: stored(each)} if known else {})
            assert reader.transactions([each.id]) == ({each.id: [stored(each)]} if known else {})
            assert reader.spenders(each.spends) == ({each.spends[0]: [each.id]} if known else {})
            carriers = reader.with_payload_hash(f"{'a' * 20}{each.text} payload", None, 9)
            assert [id_ for _, id_ in carriers] == [each.id] * known
            holdings = reader.outputs_of(f"{'a' * 20}{each.text} owner", spent=None, after=None, limit=9)
            assert [row.ref.txid for row in holdings] == [each.id] * known
    storage.drop_backlog(ids=[made[0].id], texts=[ref(made[1])])
    assert [entry.text for entry in other.backlog(None, 10)] == [ref(each) for each in made[2:]]


def test_a_hash_that_somebody_names_as_an_id_shuts_no_text_out(storage: SqliteStorage) -> None:
    honest = transaction("honest")
    storage.append_backlog([transaction("junk", spends=[OutputRef(honest.hash, 0)])], 1.0)
    storage.append_backlog([honest], 1.0)
    assert storage.contents([ref(honest)]) == {honest.hash: stored(honest)}


def test_more_names_than_are_remembered_are_found_all_the_same(
    storage: SqliteStorage, other: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigchaindb.storage.sqlite_names._KNOWN_NAMES", 10)
    many = [transaction(str(each)) for each in range(100)]
    storage.append_backlog(many, 1.0)
    for each in many * 2:
        assert other.transactions([each.id]) == {each.id: [stored(each)]}
    assert len(other._names._known) <= 11


# --- what cannot be stored ---------------------------------------------------------------------------------


def test_what_no_file_can_hold_is_refused_and_nothing_is_stored(storage: SqliteStorage) -> None:
    written = block("A", transaction("a"))
    with pytest.raises(InvalidValue):
        storage.append_backlog([transaction("a"), replace(transaction("b"), text="\ud800")], 1.0)
    with pytest.raises(InvalidValue):
        storage.settle(effects((OutputRef(digest("a"), 2**64), [ALICE])))
    with pytest.raises(InvalidValue):
        storage.place_votes([vote(written, "node"), vote(written, "another", "\ud800")])
    with pytest.raises(InvalidValue):
        storage.swap_register("name", None, object())  # type: ignore[arg-type]
    assert_empty(storage)


def test_what_no_ledger_can_hold_may_be_asked_for(storage: SqliteStorage) -> None:
    storage.append_backlog([transaction("a")], 1.0)
    for odd in ("", " ", "\ud800", "\x00", "é" * 100, "0x10", "_", "9" * 100):
        assert storage.transactions([odd]) == {}
        assert storage.contents([TextRef(odd, odd)]) == {}
        assert storage.waiting([odd]) == {}
        assert storage.spenders([OutputRef(odd, 0)]) == {}
        assert storage.outputs_of(odd, spent=None, after=None, limit=9) == []
        assert storage.lineages([OutputRef(odd, 0)]) == {}
        assert storage.outputs_of_asset(odd, None, 9) == []


# --- others in the way -------------------------------------------------------------------------------------


def test_whoever_waits_too_long_is_told_and_stores_nothing(storage: SqliteStorage, other: SqliteStorage) -> None:
    with storage.batch():
        storage.swap_register("name", None, "text")
        with pytest.raises(StorageUnavailable, match="locked"):
            other.swap_register("name", None, "another")
        with pytest.raises(StorageUnavailable, match="locked"), other.batch():
            pytest.fail("a second writer came in")
        assert other.registers(["name"]) == {}  # readers need not wait
    assert other.registers(["name"]) == {"name": "text"}
    assert other.swap_register("name", "text", "another") is True


def test_a_queue_that_does_not_move_holds_nobody_up_for_ever(path: Path, storage: SqliteStorage) -> None:
    with Path(f"{path}.lock").open("rb") as stuck:
        fcntl.flock(stuck, fcntl.LOCK_EX)
        assert storage.swap_register("name", None, "text") is True


def test_a_ledger_in_use_is_not_dropped(storage: SqliteStorage, other: SqliteStorage) -> None:
    storage.swap_register("name", None, "text")
    with pytest.raises(StorageUnavailable, match="others still use"):
        storage.drop()
    assert other.registers(["name"]) == storage.registers(["name"]) == {"name": "text"}
    with pytest.raises(StorageError, match="batch"), storage.batch():
        storage.drop()
    other.close()
    storage.drop()


def test_a_dropped_ledger_leaves_nothing(path: Path, storage: SqliteStorage) -> None:
    storage.swap_register("name", None, "text")
    storage.drop()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("then", ["removed", "replaced"])
def test_nothing_is_written_where_nobody_would_find_it(path: Path, storage: SqliteStorage, then: str) -> None:
    storage.swap_register("name", None, "text")
    path.rename(f"{path}.moved")
    if then == "replaced":
        path.touch()
    with pytest.raises(StorageUnavailable, match="removed or replaced"):
        storage.swap_register("name", "text", "lost")
    assert storage.registers(["name"]) == {"name": "text"}


def test_the_log_does_not_grow_for_ever_while_somebody_always_reads(
    path: Path, storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = 400_000
    monkeypatch.setattr(sqlite_file, "_LOG_BYTES", bound)
    monkeypatch.setattr(sqlite_file, "_EMPTYING_SECONDS", 0.01)
    storage._file._log_bound = bound
    storage._file._execute(f"PRAGMA journal_size_limit = {bound}")
    log = Path(f"{path}-wal")

    def write(turns: int) -> None:
        for turn in range(turns):
            storage.append_backlog([transaction(f"{log.stat().st_size} {turn}", text="x" * 50_000)], 1.0)

    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM backlog").fetchall()
        write(30)
        assert log.stat().st_size > 2 * bound  # it could not be emptied, and nobody waited for long
        reader.execute("COMMIT")
    write(30)
    assert log.stat().st_size <= bound + 200_000
    assert storage.backlog_size() == 60


FULL_DISK = """
import resource, sys
from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.storage.sqlite import SqliteStorage
from tests.storage.make import transaction
storage = SqliteStorage(sys.argv[1], create=False)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
stored = 0
try:
    while True:
        with storage.batch():
            storage.append_backlog([transaction(f"first {stored}", text="x" * 50_000)], 1.0)
            storage.append_backlog([transaction(f"second {stored}", text="x" * 50_000)], 1.0)
        stored += 2
except StorageUnavailable as error:
    assert storage.backlog_size() == stored
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    storage.append_backlog([transaction("last")], 1.0)
    print(stored + 1)
"""


def test_a_full_disk_is_told_and_loses_nothing(path: Path, storage: SqliteStorage) -> None:
    with python(FULL_DISK, path) as process:
        said, _ = process.communicate(timeout=HANG_SECONDS)
    assert int(said) > 1
    assert storage.backlog_size() == len(storage.backlog(None, 1000)) == int(said)


# --- processes and threads ---------------------------------------------------------------------------------


FORKED = """
import os, sys
from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.storage.sqlite import SqliteStorage
storage = SqliteStorage(sys.argv[1], create=False)
child = os.fork()
if child == 0:
    for call in (storage.genesis, storage.backlog_size, lambda: storage.swap_register("name", None, "text")):
        try:
            call()
        except StorageUnavailable as error:
            print("fork" in str(error), flush=True)
    storage.close()
    storage.close()
    del storage
    print("closed", flush=True)
    os._exit(0)
os.waitpid(child, 0)
storage.swap_register("name", None, "text of the parent")
storage.close()
"""


def test_a_child_process_may_not_use_what_its_parent_opened(path: Path, storage: SqliteStorage) -> None:
    with python(FORKED, path) as process:
        said, _ = process.communicate(timeout=HANG_SECONDS)
    assert said.splitlines() == ["True", "True", "True", "closed"]
    assert process.returncode == 0
    assert storage.registers(["name"]) == {"name": "text of the parent"}


def test_what_nobody_closed_is_closed_with_the_last_reference(path: Path, storage: SqliteStorage) -> None:
    storage.close()
    forgotten = SqliteStorage(path, create=False)
    forgotten.swap_register("name", None, "text")
    assert Path(f"{path}-wal").exists()
    del forgotten
    gc.collect()
    assert not Path(f"{path}-wal").exists()


def test_what_could_not_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(StorageError):
            SqliteStorage(tmp_path / "nowhere", create=False)
    assert len(list(Path("/dev/fd").iterdir())) == before
