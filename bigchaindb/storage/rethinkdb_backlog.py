"""The backlog in RethinkDB.

What one call appends waits in one small document: the hashes of the texts, under the millisecond of the call.  So a
thousand transactions enter the backlog by one write, and leave it by few.

Invariants:

- Text and index are stored before the document that lets them wait: what is seen waiting is whole.
- A text waits while some document lists it.  Where two have listed it at once, both entries leave together, because
  its posting tells of both.
- An entry's place is later than what its writer could know of.  One that becomes visible behind the cursor of a
  reader, because its writer was slow, is given to that reader nevertheless for as long as it is not late by more than
  `_LATE` places; what is later still is found by whoever starts from the beginning, as builders do now and then.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.storage import changes, cursors
from bigchaindb.storage.grouping import grouped
from bigchaindb.storage.records import BacklogEntry
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_places import MOMENT, NTH_DIGITS, PER_MILLISECOND, end_of, moment, nth
from bigchaindb.storage.rethinkdb_rows import transaction_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bigchaindb.storage.records import NewTransaction, StoredTransaction
    from bigchaindb.storage.rethinkdb_postings import Postings
    from bigchaindb.storage.rethinkdb_rows import Row
    from bigchaindb.storage.rethinkdb_store import Store

__all__ = ["Backlog"]

_LATE: Final = 1_000 * PER_MILLISECOND
_LEARN_SECONDS: Final = 0.25
_FIRST_PAGE: Final = 4
_LAST_PAGE: Final = 1_024
# What sorts behind this is no moment, or one that is centuries away.
_END: Final = "9"
_COUNTED_DOCUMENTS: Final = 1_000
# A count that took long will do for so many times as long.
_COUNT_SHARE: Final = 20


@dataclass(slots=True)
class _Reader:
    """How far one thread has read the backlog.

    Attributes:
        since: where it began.
        latest: the last place it was given.
        given: the places of the latest texts that it was given.
    """

    since: int = 0
    latest: int = 0
    given: dict[str, int] = field(default_factory=dict)

    def is_at(self, place: int) -> bool:
        """Tell whether this reader goes on from a place."""
        return self.since <= place <= self.latest

    def take(self, hash_: str, place: int) -> None:
        """Note what it is given."""
        self.given[hash_] = place
        self.latest = max(self.latest, place)

    def forget(self) -> None:
        """Forget what can't be taken for late any more."""
        horizon = self.latest - _LATE
        if self.given and next(iter(self.given.values())) <= horizon:
            self.given = {hash_: place for hash_, place in self.given.items() if place > horizon}


class Backlog:
    """The backlog of one ledger, and the texts in it."""

    def __init__(self, store: Store, postings: Postings) -> None:
        """Read and write with these."""
        self._store = store
        self._postings = postings
        self._of_thread = threading.local()
        self._size: tuple[int, float] | None = None

    # --- in --------------------------------------------------------------------------------------------------

    def append(self, transactions: Sequence[NewTransaction], received_at: float) -> None:
        """See `Storage.append_backlog`."""
        texts: dict[str, NewTransaction] = {}
        for transaction in transactions:
            texts.setdefault(transaction.hash, transaction)
        self._store.check_open()
        unique = list(texts.values())
        for start in range(0, len(unique), PER_MILLISECOND):
            self._append(unique[start : start + PER_MILLISECOND], received_at)

    def _append(self, transactions: Sequence[NewTransaction], received_at: float) -> None:
        self._store.learn_places(_LEARN_SECONDS, _last())
        known = self._postings.texts(transaction.id for transaction in transactions)
        waiting = self._waiting(known)
        new = [transaction for transaction in transactions if transaction.hash not in waiting]
        if new:
            first = self._store.places(len(new))
            self._keep(new, first)
            entries = [_entry(transaction.hash, first + i) for i, transaction in enumerate(new)]
            document = {"id": moment(first), "at": received_at, "waiting": entries}
            self._store.put("backlog", [document], _joined, news=[changes.BACKLOG])

    def keep(self, transaction: NewTransaction) -> None:
        """Store a text and its index, and let it not wait."""
        self._keep([transaction], self._store.places(1))

    def _keep(self, transactions: Sequence[NewTransaction], first: int) -> None:
        # Also those that are indexed already: whoever indexed them may have ended before the texts were stored.
        rows = [transaction_row(transaction) for transaction in transactions]
        entries = []
        for place, transaction in enumerate(transactions, start=first):
            entries.append(self._postings.text(transaction.id, transaction.hash, place))
            entries += [self._postings.spender(output, transaction.id) for output in transaction.spends]
        self._store.together(lambda: self._store.put("transactions", rows, _kept), lambda: self._postings.add(entries))

    # --- texts -----------------------------------------------------------------------------------------------

    def contents(self, hashes: Iterable[str]) -> dict[str, StoredTransaction]:
        """See `Storage.contents`.

        A text is its hash's and never changes, so any replica may have it; only that there is none must come from a
        majority.
        """
        wanted = list(dict.fromkeys(hashes))
        rows = self._store.find("transactions", wanted, decides=False)
        found = dict(self._store.sound(rows, _text))
        missing = [hash_ for hash_ in wanted if hash_ not in found]
        if missing:
            found.update(self._store.sound(self._store.find("transactions", missing), _text))
        return found

    # --- who waits -------------------------------------------------------------------------------------------

    def _waiting(self, known: Mapping[str, Iterable[tuple[str, int]]]) -> dict[str, int]:
        """Return those of these texts that wait, with their place.

        What nothing more is stored for must be on disk, and not only in the memory of a server that may end; and what
        a server that was cut off does not know of waits nevertheless.
        """
        pairs = [(hash_, place) for texts in known.values() for hash_, place in texts]
        documents = self._store.find("backlog", [moment(place) for _, place in pairs])
        listed = {(hash_, place) for entries in self._store.sound(documents, _entries) for hash_, place, _ in entries}
        return {hash_: place for hash_, place in pairs if (hash_, place) in listed}

    def waiting(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        """See `Storage.waiting`."""
        places = self._waiting(self._postings.texts(ids))
        found = list(self.contents(places).values())
        found.sort(key=lambda transaction: places[transaction.hash])
        return grouped((transaction.id, transaction) for transaction in found)

    def size(self) -> int:
        """See `Storage.backlog_size`.

        It costs as much as there are documents, which is less than there are entries.  Where there are many, they are
        counted at intervals that grow with the cost, because a web server asks all the time.
        """
        self._store.check_open()
        if self._size is None or time.monotonic() >= self._size[1]:
            counts = r.table("backlog").map(lambda row: r.branch(_is_list(row), row["waiting"].count(), 0))
            began = time.monotonic()
            size, documents = self._store.read(
                counts.limit(_COUNTED_DOCUMENTS).coerce_to("array").do(lambda some: [some.sum(), some.count()]),
                decides=False,
            )
            if documents < _COUNTED_DOCUMENTS:
                self._size = None
                return int(size)
            size = int(self._store.read(counts.sum(), decides=False))
            now = time.monotonic()
            self._size = size, now + _COUNT_SHARE * (now - began)
        return self._size[0]

    # --- in order --------------------------------------------------------------------------------------------

    def page(self, after: str | None, limit: int) -> list[BacklogEntry]:
        """See `Storage.backlog`."""
        start = cursors.position(after)
        self._store.check_open()
        reader: _Reader | None = getattr(self._of_thread, "reader", None)
        if reader is None or start == 0 or not reader.is_at(start):
            reader = self._of_thread.reader = _Reader(since=start, latest=start)
        listed = self._listed(reader, start, limit)
        texts = self.contents([hash_ for hash_, _, _ in listed])
        page = []
        for hash_, place, received_at in listed:
            if hash_ in texts:
                reader.take(hash_, place)
                page.append(BacklogEntry(cursors.at(max(place, start)), received_at, texts[hash_]))
        reader.forget()
        return page

    def _listed(self, reader: _Reader, start: int, limit: int) -> list[tuple[str, int, float]]:
        """Return hash, place and time of the next entries behind a place, and of those that came late before it."""
        found: list[tuple[str, int, float]] = []
        begin = max(start - _LATE, reader.since)
        behind = moment(begin)
        bound = "closed"
        size = _FIRST_PAGE
        while len(found) < limit:
            query = r.table("backlog").between(behind, _END, left_bound=bound).order_by(index="id").limit(size)
            documents = self._store.rows("backlog", query, decides=False)
            found += [
                (hash_, place, received_at)
                for entries in self._store.sound(documents, _entries)
                for hash_, place, received_at in entries
                if place > start or (place > begin and hash_ not in reader.given)
            ]
            if len(documents) < size:
                break
            behind, bound, size = documents[-1].text("id"), "open", min(4 * size, _LAST_PAGE)
        return found[: max(limit, 0)]

    # --- out -------------------------------------------------------------------------------------------------

    def drop(self, ids: Sequence[str], hashes: Sequence[str]) -> None:
        """See `Storage.drop_backlog`."""
        rows = self._store.find("transactions", hashes, fields=("id", "tx"))
        by_id, by_hash = set(ids), set(hashes)
        gone: dict[str, list[str]] = {}
        for id_, texts in self._postings.texts([*by_id, *self._store.sound(rows, lambda row: row.text("tx"))]).items():
            for hash_, place in texts:
                if id_ in by_id or hash_ in by_hash:
                    gone.setdefault(moment(place), []).append(_entry(hash_, place))
        self._store.change("backlog", gone, _without)


def _text(row: Row) -> tuple[str, StoredTransaction]:
    return row.text("id"), row.transaction()


def _kept(_: Any, standing: Any, new: Any) -> Any:
    # Under a hash there is one text; anything else is a stranger's.
    return r.branch(standing.pluck("tx", "text").eq(new.pluck("tx", "text")), new.merge(standing), new)


def _last() -> Any:
    """Return the query for the last document, however little of it waits."""
    latest = r.table("backlog").between("", _END).order_by(index=r.desc("id"))["id"]
    return latest.filter(lambda id_: id_.match(MOMENT)).limit(1).coerce_to("array")


def _entry(hash_: str, place: int) -> str:
    return nth(place) + hash_


def _entries(row: Row) -> list[tuple[str, int, float]]:
    """Return (hash, place, received at) of what a document lets wait, in order."""
    entries = sorted(row.texts("waiting"))
    first = end_of(row.text("id")) + 1 - PER_MILLISECOND
    if first < 0 or not all(_is_number(entry[:NTH_DIGITS]) for entry in entries):
        raise row.damaged("waiting")
    at = row.number("at")
    return [(entry[NTH_DIGITS:], first + int(entry[:NTH_DIGITS]), at) for entry in entries]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _joined(_: Any, standing: Any, new: Any) -> Any:
    return r.branch(_is_list(standing), standing.merge({"waiting": standing["waiting"].set_union(new["waiting"])}), new)


def _is_list(row: Any) -> Any:
    return row["waiting"].type_of().default(None).eq("ARRAY")


def _without(row: Any, gone: Any) -> Any:
    left = row["waiting"].set_difference(gone)
    return r.branch(_is_list(row), r.branch(left.is_empty(), None, row.merge({"waiting": left})), row)
