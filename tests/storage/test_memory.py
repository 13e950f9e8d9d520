"""What the database in memory does its own way."""

from __future__ import annotations

from contextlib import suppress

from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage
from tests.storage.make import ref, stored, transaction


def test_connections_to_one_database_share_it_and_others_do_not() -> None:
    shared = MemoryDatabase()
    first, second, alone = MemoryStorage(shared), MemoryStorage(shared), MemoryStorage()
    first.append_backlog([transaction("a")], 1.0)
    assert second.backlog_size() == 1
    assert alone.backlog_size() == 0


def test_it_has_no_transactions_so_that_nothing_comes_to_lean_on_them() -> None:
    shared = MemoryDatabase()
    storage, other = MemoryStorage(shared), MemoryStorage(shared)
    with suppress(ZeroDivisionError), storage.batch():
        storage.append_backlog([transaction("a")], 1.0)
        assert other.backlog_size() == 1
        raise ZeroDivisionError
    assert storage.contents([ref(transaction("a"))]) == {transaction("a").hash: stored(transaction("a"))}


def test_what_it_gives_away_is_not_what_it_holds() -> None:
    storage = MemoryStorage()
    storage.append_backlog([transaction("a")], 1.0)
    storage.transactions([transaction("a").id])[transaction("a").id].clear()
    assert storage.transactions([transaction("a").id]) == {transaction("a").id: [stored(transaction("a"))]}
