"""Blocks in RethinkDB, numbered in the order of their arrival.

Invariants:

- The numbers are 1, 2, 3, ... without a gap: n + 1 is tried only after n was seen stored, and a primary key is taken
  once.  So no block arrives behind a cursor, and a reader that found n + 1 but not n finds n when it reads once more.
- A block is stored once.  Whoever writes it looks, after having seen that number n is taken, for the block among all
  there are, and then tries n + 1 only: a copy that came meanwhile took n + 1 or more, so that this try fails.
- What the block's transactions are looked up by is stored before the block.
- Members share the database, so anything may be under any key.  What is no block is passed over, a gap that stays is
  too, and a number that is too far from the others to be the next is none: nobody can use the numbers up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bigchaindb.exceptions import StorageMismatch, StorageUnavailable
from bigchaindb.storage import changes, cursors
from bigchaindb.storage.grouping import grouped
from bigchaindb.storage.rethinkdb_driver import literal, r
from bigchaindb.storage.rethinkdb_rows import block_row
from bigchaindb.storage.rethinkdb_store import keep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.storage.records import StoredBlock
    from bigchaindb.storage.rethinkdb_postings import Postings
    from bigchaindb.storage.rethinkdb_rows import Row
    from bigchaindb.storage.rethinkdb_store import Store

__all__ = ["Blocks"]

# Each failure is somebody else's success.
_TRIES: Final = 200
# Whoever wants the numbers to end has to store a document for each of so many.
_MAX_GAP: Final = 10**6


class Blocks:
    """The blocks of one ledger."""

    def __init__(self, store: Store, postings: Postings) -> None:
        """Read and write with these."""
        self._store = store
        self._postings = postings
        self._seen = 0

    def add_first(self, block: StoredBlock) -> StoredBlock:
        """Store the first block unless there is one; return the one that stands.

        Raises:
            StorageMismatch: the first of the blocks that are there is no genesis.
        """
        self._index(block)
        row = {**block_row(block), "id": 1, "genesis": True}
        standing = self._store.put_and_see("blocks", [row], keep, news=[changes.BLOCKS])
        (first,) = standing.values()
        return _genesis(first)

    def first(self) -> StoredBlock | None:
        """Return the first block, or None."""
        found = self._store.find("blocks", [1])
        return _genesis(found[0]) if found and found[0].has("genesis") else None

    def add(self, block: StoredBlock) -> None:
        """See `Storage.write_block`."""
        self._store.check_open()
        self._index(block)
        row = literal(block_row(block))
        blocks = r.table("blocks")
        for _ in range(_TRIES):
            query = _last(self._last(decides=True) if self._seen == 0 else self._seen).do(
                lambda taken: r.branch(
                    blocks.get_all(block.key, index="key").is_empty(),
                    blocks.insert(row.merge({"id": taken + 1}), conflict=keep).merge({"taken": taken}),
                    None,
                )
            )
            written = self._store.write(query, news=[changes.BLOCKS])
            if written is None or written["inserted"]:
                return
            self._seen = int(written["taken"])
        raise StorageUnavailable(f"block {block.id}: others keep storing blocks all the time")

    def _last(self, *, decides: bool) -> int:
        """Return the last number; for `decides` see `Pool.read`."""
        while True:
            found = int(self._store.read(_last(self._seen), decides=decides))
            if found == self._seen:
                return found
            self._seen = found

    def _index(self, block: StoredBlock) -> None:
        self._postings.add_block(block.key, zip(block.transaction_ids, block.transactions, strict=True))

    def page(self, cursor: str | None, limit: int, *, may_lag: bool) -> list[tuple[str, StoredBlock]]:
        """See `Storage.blocks_after`; what is given is on the disks of a majority also where it may lag."""
        start: float = cursors.position(cursor)
        self._store.check_open()
        if may_lag and self._store.read(_numbers(start).is_empty(), decides=False):
            return []
        page: list[tuple[str, StoredBlock]] = []
        while not page and limit > 0:
            rows = self._store.rows("blocks", _numbers(start).order_by(index="id").limit(limit))
            page = [(cursors.at(number), block) for number, block in self._without_gap(rows, start)]
            if len(rows) < limit:
                break
            start = rows[-1].number("id")
        return page

    def _without_gap(self, rows: Sequence[Row], start: float) -> list[tuple[int, StoredBlock]]:
        """Return the numbered blocks that were read behind a number, and what was not seen though it is among them."""
        first = int(start) + 1
        if rows and [row.number("id") for row in rows] != list(range(first, first + len(rows))):
            # The trees of a table are read one after the other, so what came meanwhile may be seen and what came before
            # it not.  By now that is there, or never was.
            seen = r.table("blocks").between(start, rows[-1].number("id"), left_bound="open", right_bound="closed")
            rows = self._store.rows("blocks", seen.order_by(index="id").limit(len(rows)))
            numbers = {row.number("id") for row in rows}
            missing = next((number for number in range(first, int(max(numbers))) if number not in numbers), None)
            if missing is not None:
                self._store.say_once(f"the ledger is damaged: table blocks has no document {missing}, but later ones")
        return self._store.sound(rows, _numbered)

    def of_ids(self, ids: Sequence[str]) -> dict[str, list[StoredBlock]]:
        """See `Storage.blocks`."""
        found = self._store.sound(self._store.find("blocks", ids, index="block"), _numbered)
        return grouped((block.id, block) for _, block in sorted(found, key=lambda pair: pair[0]))

    def count(self) -> int:
        """Return the last number."""
        self._store.check_open()
        return self._last(decides=False)


def _numbers(seen: Any) -> Any:
    """Return the query for the documents that may be blocks behind a number."""
    return r.table("blocks").between(seen, seen + _MAX_GAP, left_bound="open", right_bound="closed")


def _last(seen: int) -> Any:
    """Return the query for the last number behind one that was seen, as a rule: ask again from there to be sure."""
    last = r.expr(seen)
    for _ in range(2):
        last = last.do(
            lambda seen: _numbers(seen).order_by(index=r.desc("id")).limit(1)["id"].nth(0).default(seen).floor()
        )
    return last


def _numbered(row: Row) -> tuple[int, StoredBlock]:
    return row.whole("id"), row.block()


def _genesis(row: Row) -> StoredBlock:
    if not row.has("genesis"):
        raise StorageMismatch("the ledger is damaged: the first of its blocks is no genesis")
    return row.block()
