"""Lists of the ledger in pages, oldest first, stable while it grows.

Lists of transactions and outputs are in the order in which the members found valid what puts something there: the
transaction that carries the payload, makes the output, or spends it.

Invariants:

- Whoever follows the cursors, and goes on later from the last, gets each item once, in an order that never changes.  So
  a list ends before what others have found valid and this node has not decided yet: the index has it there already.
- A page does not end among places that are not firm (`Storage.is_firm`), unless there are more than it can hold.
- The cost of a page depends on its size, not on the length of the list or of the ledger.
- Only the end of a list has no cursor to go on from.  A page may be short, and where what is asked for is rare, empty.
- What is in memory at a time is bounded, however many items are asked for, and however long they are.
- What is called valid was decided so by this node; what an index says is checked against what is signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from bigchaindb import canonical
from bigchaindb.exceptions import BlockError
from bigchaindb.model.block import Block
from bigchaindb.node.recorded import found_valid
from bigchaindb.storage import cursors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bigchaindb.model.block import Header
    from bigchaindb.model.reference import OutputRef
    from bigchaindb.node.node import Node
    from bigchaindb.node.queries import Queries
    from bigchaindb.storage.records import OutputRow, StoredBlock

__all__ = ["MAX_CHARACTERS", "TEXTS_AT_ONCE", "BlockEntry", "Holding", "Listing", "Page"]

MAX_CHARACTERS: Final = 4 * 2**20
"""How long the texts on a page may be, all together."""

TEXTS_AT_ONCE: Final = 16
"""How many texts to read at a time: each may be as long as a transaction may be."""

_LEAST_READ: Final = 100
_MAX_READS: Final = 20
_MAX_OPEN: Final = 10_000
_MAX_BLOCKS: Final = 100
# A block names up to a thousand transactions.
_BLOCKS_AT_ONCE: Final = 25

_Item = TypeVar("_Item")
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[_Item]):
    """A part of a list.

    Attributes:
        items: each with the cursor from which the list goes on behind it.
        next: from where the list goes on behind this page; None at its end.
    """

    items: tuple[tuple[str, _Item], ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Holding:
    """An output of a valid transaction.

    Attributes:
        ref: the output.
        spent_by: id of the transaction that spends it, valid or on its way; None if none does.
    """

    ref: OutputRef
    spent_by: str | None


@dataclass(frozen=True, slots=True)
class BlockEntry:
    """A block of a list.

    Attributes:
        id: its id.
        header: what its maker signed.
        signature: the maker's, which was checked.
        verdict: how this node decided it, or None.
    """

    id: str
    header: Header
    signature: str
    verdict: bool | None


class Listing:
    """The lists of one node; may be asked from several threads."""

    def __init__(self, node: Node, queries: Queries) -> None:
        """Read this node's storage."""
        self._node = node
        self._storage = node.storage
        self._queries = queries

    # --- transactions and outputs ----------------------------------------------------------------------------

    def texts_with_payload(self, payload_hash: str, after: str | None, limit: int) -> Page[str]:
        """Return the canonical signed texts of the valid transactions that carry a payload, as they were settled."""

        def keep(rows: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
            for start in range(0, len(rows), TEXTS_AT_ONCE):
                chunk = rows[start : start + TEXTS_AT_ONCE]
                texts = self._queries.texts([txid for _, txid in chunk])
                yield from (
                    (cursor, texts[txid])
                    for cursor, txid in chunk
                    if txid in texts and _payload_hash(texts[txid]) == payload_hash
                )

        return self._settled(
            lambda start, count: self._storage.with_payload_hash(payload_hash, start, count),
            lambda row: row[0],
            lambda row: [row[1]],
            keep,
            after,
            limit,
            weigh=len,
        )

    def holdings(self, owner: str, *, spent: bool | None, after: str | None, limit: int) -> Page[Holding]:
        """Return outputs of valid transactions that name an owner.

        Args:
            owner: public key, base58.
            spent: False for those that could be spent now, True for those that a valid transaction spends, in the order
                in which they were spent, None for all, those among them that a transaction on its way spends.
            after: a cursor of this list.
            limit: how many at the most.
        """

        def keep(rows: Sequence[OutputRow]) -> Iterable[tuple[str, Holding]]:
            open_ = [row.ref for row in rows if row.spent_by is None]
            spenders = self._queries.spenders(open_) if open_ else {}
            for row in rows:
                taken = row.spent_by or spenders.get(row.ref)
                if taken is None or spent is not False:
                    yield row.cursor, Holding(row.ref, taken)

        return self._settled(
            lambda start, count: self._storage.outputs_of(owner, spent=spent, after=start, limit=count),
            lambda row: row.cursor,
            lambda row: [row.ref.txid, row.spent_by] if spent and row.spent_by else [row.ref.txid],
            keep,
            after,
            limit,
        )

    def _settled(  # noqa: PLR0913, PLR0917 - what a page is made of
        self,
        read: Callable[[str | None, int], Sequence[_Row]],
        cursor_of: Callable[[_Row], str],
        needs: Callable[[_Row], list[str]],
        keep: Callable[[Sequence[_Row]], Iterable[tuple[str, _Item]]],
        after: str | None,
        limit: int,
        *,
        weigh: Callable[[_Item], int] | None = None,
    ) -> Page[_Item]:
        """Return a page of a list of what is settled; see `_page`.

        Args:
            read: as there.
            cursor_of: as there.
            needs: returns the transactions that must be valid for a row to be in the list.
            keep: as there, of rows of which all that they need is valid.
            after: as there.
            limit: as there.
            weigh: as there.
        """
        valid: set[str] = set()

        def read_decided(start: str | None, count: int) -> Sequence[_Row]:
            rows = read(start, count)
            needed = list(dict.fromkeys(txid for row in rows for txid in needs(row)))
            valid.update(self._queries.valid(needed))
            awaited = self._awaited([txid for txid in needed if txid not in valid])
            end = next((place for place, row in enumerate(rows) if not awaited.isdisjoint(needs(row))), len(rows))
            return rows[:end]

        return _page(
            read_decided,
            cursor_of,
            lambda rows: keep([row for row in rows if valid.issuperset(needs(row))]),
            after,
            limit,
            weigh=weigh,
            is_firm=self._storage.is_firm,
        )

    def _awaited(self, ids: Sequence[str]) -> set[str]:
        """Return which of these transactions, not valid here, stand in a block that others have found valid."""
        if not ids:
            return set()
        if not self._node.view.has_noted_all():
            return set(ids)
        notes = self._node.view.notes(ids)
        aside = self._storage.standings(self._node.me, list(ids), checked=False)
        open_ = {note.block_id for found in notes.values() for note in found if note.verdict is None}
        open_ |= {note.block_id for found in aside.values() for note in found}
        # Only what others have found valid is filed already.  Any member may file anything, and build a block that
        # nobody ever decides: that must not hide what comes behind it.
        valid = found_valid(self._node, open_)
        return {
            txid
            for found in (notes, aside)
            for txid, standings in found.items()
            # Also what was decided here since it was looked for: who passes it over now never sees it.
            if any(note.verdict or note.block_id in valid for note in standings)
        }

    # --- blocks ----------------------------------------------------------------------------------------------

    def blocks(self, after: str | None, limit: int) -> Page[BlockEntry]:
        """Return all well-signed blocks that are stored, in the order of their arrival; the genesis is the first."""
        limit = min(limit, _MAX_BLOCKS)
        return _page(
            self._storage.blocks_after, lambda row: row[0], self._entries, after, limit, least_read=_BLOCKS_AT_ONCE
        )

    def _entries(self, rows: Sequence[tuple[str, StoredBlock]]) -> Iterator[tuple[str, BlockEntry]]:
        verdicts = self._node.view.verdicts({stored.id for _, stored in rows})
        for cursor, stored in rows:
            entry = _entry(stored, verdicts)
            if entry:
                yield cursor, entry

    def decided_blocks(self, *, verdict: bool, after: str | None, limit: int) -> Page[BlockEntry]:
        """Return the blocks that this node has decided so, in the order of its decisions; the genesis is the first."""

        def read(start: str | None, count: int) -> list[tuple[str, str, bool]]:
            if start is None:
                return [(cursors.at(0), self._node.ledger, True), *read(cursors.at(0), count - 1)]
            first = cursors.position(start) + 1
            rows = self._storage.decisions(self._node.me, first - 1, count)
            # What is read while it is written may have a gap, and a cursor must not pass it.
            told = [row for number, row in enumerate(rows, first) if row.sequence == number]
            return [(cursors.at(row.sequence), row.block_id, row.verdict) for row in told]

        def keep(rows: Sequence[tuple[str, str, bool]]) -> Iterator[tuple[str, BlockEntry]]:
            return self._entries_of([(cursor, block_id) for cursor, block_id, told in rows if told is verdict], verdict)

        return _page(read, lambda row: row[0], keep, after, min(limit, _MAX_BLOCKS))

    def undecided_blocks(self, after: str | None, limit: int) -> Page[BlockEntry]:
        """Return the blocks that this node has checked and not decided, in the order in which it met them."""
        notes = self._storage.open_sightings(self._node.me, checked=True, limit=_MAX_OPEN)
        return self._met([(note.seen_at, note.block_id) for note in notes], [None], after, limit)

    def blocks_with(
        self, txid: str, *, verdicts: Sequence[bool | None], after: str | None, limit: int
    ) -> Page[BlockEntry]:
        """Return the checked blocks in which a transaction stands, in the order in which this node met them.

        Those that are all decided are in the order in which it decided them.

        Args:
            txid: id of the transaction.
            verdicts: how the blocks were decided, each one of True, False and None.
            after: a cursor of this list.
            limit: how many at the most.
        """
        notes = self._node.view.notes([txid]).get(txid, [])
        if None in verdicts:
            return self._met([(note.seen_at, note.block_id) for note in notes], verdicts, after, limit)
        ids = {note.block_id for note in notes}
        numbers = {self._node.ledger: 0} if self._node.ledger in ids else {}
        for block_id, rows in self._storage.decisions_on(sorted(ids)).items():
            numbers.update((block_id, row.sequence) for row in rows if row.node == self._node.me)
        places = sorted((cursors.at(number), block_id) for block_id, number in numbers.items())
        return self._placed(places, verdicts, after, limit)

    def _met(
        self, seen: Iterable[tuple[float, str]], verdicts: Sequence[bool | None], after: str | None, limit: int
    ) -> Page[BlockEntry]:
        """Return those of these blocks that are decided in one of these ways, in the order in which they were seen."""
        first = {block_id: seen_at for seen_at, block_id in sorted(seen, reverse=True)}
        # What was decided meanwhile may be in the list no more, so the place of a block is when and what, not a number.
        places = sorted((f"{seen_at:020.6f}{block_id}", block_id) for block_id, seen_at in first.items())
        return self._placed(places, verdicts, after, limit)

    def _placed(
        self, places: Sequence[tuple[str, str]], verdicts: Sequence[bool | None], after: str | None, limit: int
    ) -> Page[BlockEntry]:
        """Return those of these blocks, each with its place, that are decided in one of these ways."""
        return _page(
            lambda start, count: [place for place in places if place[0] > (start or "")][:count],
            lambda row: row[0],
            lambda rows: self._entries_of(rows, *verdicts),
            after,
            min(limit, _MAX_BLOCKS),
        )

    def _entries_of(self, rows: Sequence[tuple[str, str]], *verdicts: bool | None) -> Iterator[tuple[str, BlockEntry]]:
        """Yield those of these (cursor, block id) that are stored and decided in one of these ways."""
        for start in range(0, len(rows), _BLOCKS_AT_ONCE):
            chunk = rows[start : start + _BLOCKS_AT_ONCE]
            ids = [block_id for _, block_id in chunk]
            stored = self._storage.blocks(ids)
            known = self._node.view.verdicts(ids)
            for cursor, block_id in chunk:
                entries = (entry for item in stored.get(block_id, []) if (entry := _entry(item, known)))
                entry = next((entry for entry in entries if entry.id == block_id), None)
                if entry and entry.verdict in verdicts:
                    yield cursor, entry


def _payload_hash(text: str) -> str | None:
    """Return the payload hash in the text of a well-formed transaction."""
    data = canonical.parse_trusted(text)["transaction"]["data"]
    return str(data["hash"]) if data else None


def _entry(stored: StoredBlock, verdicts: Mapping[str, bool]) -> BlockEntry | None:
    try:
        block = Block.from_text(stored.text)
    except BlockError:
        return None  # junk in shared storage
    if not block.is_signed:
        return None
    return BlockEntry(block.id, block.header, block.signature, verdicts.get(block.id))


def _page(  # noqa: PLR0913 - what a page is made of
    read: Callable[[str | None, int], Sequence[_Row]],
    cursor_of: Callable[[_Row], str],
    keep: Callable[[Sequence[_Row]], Iterable[tuple[str, _Item]]],
    after: str | None,
    limit: int,
    *,
    least_read: int | None = None,
    weigh: Callable[[_Item], int] | None = None,
    is_firm: Callable[[str], bool] = lambda _: True,
) -> Page[_Item]:
    """Read rows behind a cursor until there is something on the page, a bounded number of times.

    Args:
        read: returns so many rows behind a cursor.
        cursor_of: returns the cursor of a row.
        keep: returns the items in rows, each with the cursor of its row.
        after: where to begin.
        limit: how many items at the most.
        least_read: how many rows to read at a time, where fewer are asked for; None for the usual.
        weigh: returns how long an item is; a page has one item, or as many as are not too long together.
        is_firm: tells whether nothing can come before a cursor any more.
    """
    count = max(limit, least_read or _LEAST_READ)
    for _ in range(_MAX_READS):
        rows = read(after, count)
        after = cursor_of(rows[-1]) if len(rows) == count else None
        items: list[tuple[str, _Item]] = []
        size = 0
        for item in keep(rows):
            size += weigh(item[1]) if weigh else 0
            if len(items) == limit or (items and size > MAX_CHARACTERS):
                return _cut(items, items[-1][0], is_firm)
            items.append(item)
        if after is None:
            return Page(tuple(items), None)
        if items:
            return _cut(items, after, is_firm)
    return Page((), after)


def _cut(items: Sequence[tuple[str, _Item]], after: str, is_firm: Callable[[str], bool]) -> Page[_Item]:
    """Return a page that ends where nothing can come before its end any more, if there is such a place on it."""
    end = len(items) if is_firm(after) else sum(1 for _ in takewhile(lambda item: is_firm(item[0]), items))
    return Page(tuple(items[:end]), items[end - 1][0]) if 0 < end < len(items) else Page(tuple(items), after)
