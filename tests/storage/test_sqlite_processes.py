"""Many processes at one file: each race has one winner, and whoever follows misses nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from bigchaindb.storage.sqlite import SqliteStorage
from tests.storage import crowd
from tests.storage.make import block, transaction

if TYPE_CHECKING:
    from pathlib import Path

MANY = 8
FEW = 3


def test_each_race_has_one_winner_and_all_are_told_the_same(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.sqlite"
    results = crowd.Crowd(MANY, crowd.compete, path).results()
    (genesis,) = {genesis for genesis, _, _ in results}
    with closing(SqliteStorage(path, create=False)) as storage:
        standing = storage.genesis()
        assert standing
        assert standing.id == genesis
        assert storage.block_count() == 1
        for turn in range(crowd.ROUNDS):
            (winner,) = [str(number) for number, (_, swapped, _) in enumerate(results) if swapped[turn]]
            assert storage.registers([f"register {turn}"]) == {f"register {turn}": winner}
            (vote,) = {placed[turn] for _, _, placed in results}
            assert storage.votes([block(str(turn)).id]) == {block(str(turn)).id: {"node": vote}}


def test_what_many_append_at_once_is_stored_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    crowd.Crowd(FEW, crowd.append_the_same, path).results()
    count = crowd.ROUNDS * 20
    with closing(SqliteStorage(path, create=False)) as storage:
        assert storage.backlog_size() == count
        assert len({entry.text.hash for entry in storage.backlog(None, 10_000)}) == count
        assert len(storage.backlog(None, 10_000)) == count
        texts = storage.transactions([transaction(f"0 {each}").id for each in range(20)])
        assert {len(stored) for stored in texts.values()} == {1}
    with closing(sqlite3.connect(path)) as connection:
        for table, name in (("names", "name"), ("texts", "hash")):
            twice = connection.execute(f"SELECT {name} FROM {table} GROUP BY {name} HAVING count(*) > 1")  # noqa: S608
            assert twice.fetchall() == []


def test_whoever_follows_while_many_write_is_woken_and_misses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(SqliteStorage(path, create=True)) as storage:
        writers = crowd.Crowd(FEW, crowd.write, path)
        followed = list(crowd.follow(storage, FEW * crowd.ROUNDS))
        written = [key for keys in writers.results() for key in keys]
        seen = [key for what, key in followed if what == "block"]
        assert sorted(seen) == sorted(written)
        assert seen == [stored.key for _, stored in storage.blocks_after(None, 1000)]
        waiting = [key for what, key in followed if what == "backlog"]
        assert waiting == [entry.text.hash for entry in storage.backlog(None, 1000)]
        assert len(waiting) == len(written)
