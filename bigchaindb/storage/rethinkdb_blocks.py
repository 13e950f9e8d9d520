"""Blocks in RethinkDB, numbered in the order of their arrival.

Invariants:

- The numbers are 1, 2, 3, ... without a gap: n + 1 is tried only after n was seen stored, and a primary key is taken
  once.  So no block arrives behind a cursor, and a reader that finds n + 1 but not n knows that n is there: it reads on
  from n the next time.
- A block is stored once.  Whoever writes it looks, after having seen that number n is taken, for the block among all
  there are, and then tries n + 1 only: a copy that came meanwhile took n + 1 or more, so that this try fails.
- What the block's transactions are looked up by is stored before the block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bigchaindb.exceptions import StorageMismatch, StorageUnavailable
from bigchaindb.storage import cursors
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


class Blocks:
    """The blocks of one ledger."""

    def __init__(self, store: Store, postings: Postings) -> None:
        """Read and write with these."""
        self._store = store
        self._postings = postings

    def add_first(self, block: StoredBlock) -> StoredBlock:
        """Store the first block unless there is one; return the one that stands.

        Raises:
            StorageMismatch: the first of the blocks that are there is no genesis.
        """
        self._index(block)
        row = {**block_row(block), "id": 1, "genesis": True}
        standing = self._store.put_and_see("blocks", [row], keep)
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
        last = blocks.order_by(index=r.desc("id")).limit(1)["id"].nth(0).default(0)
        query = last.do(
            lambda taken: r.branch(
                blocks.get_all(block.key, index="key").is_empty(),
                blocks.insert(row.merge({"id": taken.add(1)}), conflict=keep, return_changes="always"),
                None,
            )
        )
        for _ in range(_TRIES):
            written = self._store.write(query)
            if written is None or written["inserted"]:
                return
        raise StorageUnavailable(f"block {block.id}: others keep storing blocks all the time")

    def _index(self, block: StoredBlock) -> None:
        self._postings.add_block(block.key, zip(block.transaction_ids, block.transactions, strict=True))

    def page(self, cursor: str | None, limit: int) -> list[tuple[str, StoredBlock]]:
        """See `Storage.blocks_after`.

        Raises:
            StorageMismatch: a number is missing.
        """
        start = cursors.position(cursor)
        self._store.check_open()
        if limit <= 0:
            return []
        query = r.table("blocks").between(start, r.maxval, left_bound="open").order_by(index="id").limit(limit)
        rows = self._store.rows("blocks", query)
        page = self._whole(rows, start)
        if rows and not page:
            # It is there by now, or never was.
            page = self._whole(self._store.find("blocks", [start + 1]), start)
        return page

    def _whole(self, rows: Sequence[Row], start: int) -> list[tuple[str, StoredBlock]]:
        """Return the blocks behind a number up to the first that is missing: the trees are read one after the other.

        Raises:
            StorageMismatch: it is not only missing from what was read.
        """
        page: list[tuple[str, StoredBlock]] = []
        for number, row in enumerate(rows, start=start + 1):
            if row.whole("id") != number:
                if not self._store.find("blocks", [number], fields=("id",)):
                    raise StorageMismatch(
                        f"the ledger is damaged: table blocks has no document {number}, but later ones"
                    )
                break
            page.append((cursors.at(number), row.block()))
        return page

    def of_ids(self, ids: Sequence[str]) -> dict[str, list[StoredBlock]]:
        """See `Storage.blocks`; whoever asks compares text and key, so any replica's answer will do."""
        found = self._store.find("blocks", ids, index="block", decides=False)
        rows = sorted(found, key=lambda row: row.whole("id"))
        return grouped((row.text("block"), row.block()) for row in rows)

    def count(self) -> int:
        """Return the last number."""
        last: Any = r.table("blocks").order_by(index=r.desc("id")).limit(1).pluck("id")
        rows = self._store.rows("blocks", last, decides=False)
        return rows[0].whole("id") if rows else 0


def _genesis(row: Row) -> StoredBlock:
    if not row.has("genesis"):
        raise StorageMismatch("the ledger is damaged: the first of its blocks is no genesis")
    return row.block()
