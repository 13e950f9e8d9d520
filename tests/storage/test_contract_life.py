"""What every backend promises of its life: connections, batches, waiting for a change, genesis, registers."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from bigchaindb.exceptions import BigchainDBError, StorageError, StorageUnavailable
from bigchaindb.storage import changes
from bigchaindb.storage.records import Effects
from tests.storage.make import block, decision, digest, effects, output, ref, rejection, stored, transaction, vote

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.storage.interface import Storage
    from tests.storage.conftest import Connect

SOON_SECONDS = 0.01
HANG_SECONDS = 30.0
LONG_SECONDS = 10 * HANG_SECONDS  # who is not woken is not there in time

EVERY_CALL: dict[str, Callable[[Storage], object]] = {
    "batch": lambda storage: storage.batch().__enter__(),
    "wait_for_change": lambda storage: storage.wait_for_change(0),
    "create_genesis": lambda storage: storage.create_genesis(block("G", transaction("g")), transaction("g")),
    "genesis": lambda storage: storage.genesis(),
    "append_backlog": lambda storage: storage.append_backlog([transaction("a")], 1.0),
    "backlog": lambda storage: storage.backlog(None, 10),
    "waiting": lambda storage: storage.waiting([digest("a")]),
    "drop_backlog": lambda storage: storage.drop_backlog(ids=[digest("a")], texts=[ref(transaction("a"))]),
    "backlog_size": lambda storage: storage.backlog_size(),
    "contents": lambda storage: storage.contents([ref(transaction("a"))]),
    "transactions": lambda storage: storage.transactions([digest("a")]),
    "spenders": lambda storage: storage.spenders([]),
    "with_payload_hash": lambda storage: storage.with_payload_hash(digest("a"), None, 10),
    "write_block": lambda storage: storage.write_block(block("A")),
    "blocks_after": lambda storage: storage.blocks_after(None, 10),
    "blocks": lambda storage: storage.blocks([digest("a")]),
    "block_count": lambda storage: storage.block_count(),
    "sight": lambda storage: storage.sight("node", []),
    "sightings": lambda storage: storage.sightings("node", [digest("a")]),
    "open_sightings": lambda storage: storage.open_sightings("node", checked=True, limit=10),
    "standings": lambda storage: storage.standings("node", [digest("a")]),
    "place_votes": lambda storage: storage.place_votes([]),
    "votes": lambda storage: storage.votes([digest("a")]),
    "keep_evidence": lambda storage: storage.keep_evidence([]),
    "evidence": lambda storage: storage.evidence(10),
    "append_decisions": lambda storage: storage.append_decisions([]),
    "decisions": lambda storage: storage.decisions("node", 0, 10),
    "latest_decision": lambda storage: storage.latest_decision("node"),
    "decisions_on": lambda storage: storage.decisions_on([digest("a")]),
    "settle": lambda storage: storage.settle(Effects((), ())),
    "settling": lambda storage: storage.settling(Effects((), ()))(),
    "outputs_of": lambda storage: storage.outputs_of("owner", spent=None, after=None, limit=10),
    "lineages": lambda storage: storage.lineages([output("a")]),
    "outputs_of_asset": lambda storage: storage.outputs_of_asset(digest("a"), None, 10),
    "reject": lambda storage: storage.reject([]),
    "rejections": lambda storage: storage.rejections([digest("a")]),
    "registers": lambda storage: storage.registers(["name"]),
    "swap_register": lambda storage: storage.swap_register("name", None, "text"),
    "drop": lambda storage: storage.drop(),
}
"""Every verb of the contract with a harmless argument; other suites use it too."""


def test_the_table_above_leaves_no_verb_out(storage: Storage) -> None:
    verbs = {name for name in dir(storage) if not name.startswith("_") and callable(getattr(storage, name))}
    # The latter looks at a clock.
    assert verbs - set(EVERY_CALL) == {"close", "is_firm"}


# --- connections -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY_CALL)
def test_after_closing_every_call_says_that_storage_is_unavailable(storage: Storage, name: str) -> None:
    storage.close()
    with pytest.raises(StorageUnavailable, match="closed"):
        EVERY_CALL[name](storage)


def test_closing_twice_is_harmless(storage: Storage) -> None:
    storage.close()
    storage.close()


def test_what_one_connection_stores_another_reads_at_once(storage: Storage, other: Storage) -> None:
    storage.append_backlog([transaction("a")], 1.0)
    assert other.contents([ref(transaction("a"))]) == {transaction("a").hash: stored(transaction("a"))}


def test_what_is_stored_outlives_the_connection(storage: Storage, connect: Connect) -> None:
    storage.swap_register("name", None, "text")
    storage.close()
    assert connect().registers(["name"]) == {"name": "text"}


def test_a_dropped_database_is_closed_and_gone(storage: Storage, connect: Connect) -> None:
    storage.append_backlog([transaction("a")], 1.0)
    storage.create_genesis(block("G", transaction("g")), transaction("g"))
    storage.drop()
    with pytest.raises(StorageUnavailable):
        storage.genesis()
    again = connect()
    assert again.genesis() is None
    assert again.backlog(None, 10) == []


def test_threads_may_share_a_connection(storage: Storage) -> None:
    def write(thread: int) -> None:
        for turn in range(10):
            storage.append_backlog([transaction(f"{thread} {turn}")], 1.0)
            with storage.batch():
                storage.swap_register(f"{thread}", str(turn - 1) if turn else None, str(turn))

    threads = [threading.Thread(target=write, args=(each,), daemon=True) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_SECONDS)
    assert storage.backlog_size() == 40
    assert storage.registers(["0", "1", "2", "3"]) == dict.fromkeys("0123", "9")


# --- batches -----------------------------------------------------------------------------------------------


def test_reads_inside_a_batch_see_the_writes_before_them(storage: Storage) -> None:
    with storage.batch():
        storage.swap_register("name", None, "text")
        assert storage.registers(["name"]) == {"name": "text"}
        storage.append_backlog([transaction("a")], 1.0)
        assert storage.backlog_size() == 1


def test_after_a_batch_everything_in_it_is_stored(storage: Storage, other: Storage) -> None:
    with storage.batch():
        storage.swap_register("name", None, "text")
        storage.append_backlog([transaction("a")], 1.0)
    assert other.registers(["name"]) == {"name": "text"}
    assert other.backlog_size() == 1


def test_an_empty_batch_is_harmless(storage: Storage) -> None:
    with storage.batch():
        pass
    assert storage.backlog_size() == 0


def test_batches_do_not_nest(storage: Storage) -> None:
    with storage.batch():
        storage.swap_register("name", None, "text")
        with pytest.raises(StorageError, match="nest"), storage.batch():
            pytest.fail("a batch began inside a batch")
    assert storage.registers(["name"]) == {"name": "text"}


def test_an_error_leaves_a_batch_as_it_is_and_the_next_one_works(storage: Storage) -> None:
    with pytest.raises(ZeroDivisionError), storage.batch():
        raise ZeroDivisionError
    with storage.batch():
        storage.swap_register("name", None, "text")
    assert storage.registers(["name"]) == {"name": "text"}


# --- waiting for a change ----------------------------------------------------------------------------------


def test_waiting_ends_without_a_change_when_the_time_is_over(storage: Storage) -> None:
    storage.wait_for_change(SOON_SECONDS)
    assert storage.wait_for_change(SOON_SECONDS) is False
    assert storage.wait_for_change(0) is False
    assert storage.wait_for_change(-1) is False


def test_a_change_between_two_calls_is_not_overslept(storage: Storage, other: Storage) -> None:
    storage.wait_for_change(0)
    other.swap_register("name", None, "text")
    assert storage.wait_for_change(HANG_SECONDS) is True
    assert storage.wait_for_change(0) is False


def test_a_change_before_the_first_call_is_not_overslept(storage: Storage, other: Storage) -> None:
    storage.registers(["name"])
    other.swap_register("name", None, "text")
    storage.registers(["name"])
    assert storage.wait_for_change(HANG_SECONDS) is True


WRITES: list[tuple[str, Callable[[Storage], object]]] = [
    (changes.BACKLOG, lambda storage: storage.append_backlog([transaction("b")], 1.0)),
    (changes.BLOCKS, lambda storage: storage.write_block(block("first", transaction("a")))),
    (changes.VOTES, lambda storage: storage.place_votes([vote(block("first"), "node")])),
    (changes.decisions_of("node"), lambda storage: storage.append_decisions([decision(block("first"), "node", 1)])),
    (changes.REJECTIONS, lambda storage: storage.reject([rejection(transaction("a"), "node")])),
]


@pytest.mark.parametrize(("change", "write"), WRITES, ids=[change for change, _ in WRITES])
@pytest.mark.parametrize("batched", [False, True], ids=["alone", "in a batch"])
def test_who_waits_for_a_change_is_told_of_it(
    storage: Storage, other: Storage, change: str, write: Callable[[Storage], object], *, batched: bool
) -> None:
    other.append_backlog([transaction("a")], 1.0)
    storage.wait_for_change(0)
    with other.batch() if batched else nullcontext():
        write(other)
    assert storage.wait_for_change(HANG_SECONDS, ("anything", change)) is True
    assert storage.wait_for_change(0) is False


def test_a_waiting_thread_is_woken_and_holds_nobody_up(storage: Storage, other: Storage) -> None:
    storage.wait_for_change(0)
    told: list[bool] = []
    thread = threading.Thread(target=lambda: told.append(storage.wait_for_change(LONG_SECONDS)), daemon=True)
    thread.start()
    storage.registers(["name"])  # another thread uses the same connection meanwhile
    other.swap_register("name", None, "text")
    thread.join(HANG_SECONDS)
    assert told == [True]


def test_each_thread_hears_of_a_change(storage: Storage, other: Storage) -> None:
    other.swap_register("name", None, "text")
    told: list[bool] = []
    threads = [
        threading.Thread(target=lambda: told.append(storage.wait_for_change(LONG_SECONDS)), daemon=True)
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_SECONDS)
    assert told == [True, True, True]


def test_closing_wakes_who_waits(storage: Storage) -> None:
    storage.wait_for_change(0)
    caught: list[BigchainDBError] = []

    def wait() -> None:
        try:
            storage.wait_for_change(LONG_SECONDS)
        except BigchainDBError as error:
            caught.append(error)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    storage.close()
    thread.join(HANG_SECONDS)
    assert [type(error) for error in caught] == [StorageUnavailable]


# --- genesis -----------------------------------------------------------------------------------------------


def test_an_empty_database_has_no_genesis(storage: Storage) -> None:
    assert storage.genesis() is None
    assert storage.block_count() == 0


def test_the_first_genesis_stands(storage: Storage, other: Storage) -> None:
    first, second = transaction("g1"), transaction("g2")
    assert storage.create_genesis(block("G1", first), first) == block("G1", first)
    assert other.create_genesis(block("G2", second), second) == block("G1", first)
    assert other.genesis() == block("G1", first)
    assert storage.block_count() == 1
    assert storage.contents([ref(first), ref(second)]) == {first.hash: stored(first)}


def test_genesis_is_a_block_like_others_and_the_first(storage: Storage) -> None:
    transactions = transaction("g")
    genesis = storage.create_genesis(block("G", transactions), transactions, digest("federation"))
    storage.write_block(block("A"))
    assert [found for _, found in storage.blocks_after(None, 10)] == [genesis, block("A")]
    assert storage.blocks([genesis.id]) == {genesis.id: [genesis]}
    assert storage.backlog_size() == 0


def test_genesis_is_found_by_its_payload_before_all_others(storage: Storage) -> None:
    storage.create_genesis(block("G", transaction("g")), transaction("g"), digest("p"))
    storage.settle(effects((output("a"), []), payloads=[("p", "a")]))
    found = storage.with_payload_hash(digest("p"), None, 10)
    assert [id_ for _, id_ in found] == [digest("g"), digest("a")]
    assert storage.with_payload_hash(digest("p"), found[0][0], 10) == found[1:]


# --- registers ---------------------------------------------------------------------------------------------


def test_an_empty_register_takes_what_expects_nothing(storage: Storage) -> None:
    assert storage.registers(["name"]) == {}
    assert storage.swap_register("name", "something", "text") is False
    assert storage.swap_register("name", None, "text") is True
    assert storage.registers(["name", "another"]) == {"name": "text"}


def test_a_register_changes_only_for_who_knows_what_it_holds(storage: Storage, other: Storage) -> None:
    storage.swap_register("name", None, "one")
    assert other.swap_register("name", None, "two") is False
    assert other.swap_register("name", "zero", "two") is False
    assert other.swap_register("name", "one", "two") is True
    assert storage.swap_register("name", "one", "three") is False
    assert storage.registers(["name"]) == {"name": "two"}


def test_a_register_can_be_emptied(storage: Storage) -> None:
    storage.swap_register("name", None, "text")
    assert storage.swap_register("name", "other", None) is False
    assert storage.swap_register("name", "text", None) is True
    assert storage.registers(["name"]) == {}
    assert storage.swap_register("name", None, None) is True


def test_an_empty_text_is_something(storage: Storage) -> None:
    assert storage.swap_register("name", None, "") is True
    assert storage.swap_register("name", None, "text") is False
    assert storage.registers(["name"]) == {"name": ""}
