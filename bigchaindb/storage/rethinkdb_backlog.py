"""The backlog in RethinkDB.

What one call appends waits in one small document: the names of the texts, under the millisecond of the call.  So a
thousand transactions enter the backlog by one write, and leave it by few.

Invariants:

- Text and index are stored before the document that lets them wait: what is seen waiting is whole.
- A text waits while some document lists it.  Where two have listed it at once, both entries leave together, because
  the posting of its id tells of both.
- An entry's place is later than what its writer could know of.  One that becomes visible behind the cursor of a
  reader, because its writer was slow, is given to that reader nevertheless for as long as it is not late by more than
  `_LATE` places; what is later still is found by whoever starts from the beginning, as builders do now and then.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.storage import changes, cursors
from bigchaindb.storage.grouping import grouped
from bigchaindb.storage.records import BacklogEntry, TextRef
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_names import name_of, named_by
from bigchaindb.storage.rethinkdb_places import MOMENT, NTH_DIGITS, PER_MILLISECOND, end_of, moment, nth
from bigchaindb.storage.rethinkdb_store import is_a
from bigchaindb.storage.rethinkdb_texts import in_moments

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bigchaindb.storage.records import NewTransaction, StoredTransaction
    from bigchaindb.storage.rethinkdb_postings import Postings
    from bigchaindb.storage.rethinkdb_rows import Row
    from bigchaindb.storage.rethinkdb_store import Store
    from bigchaindb.storage.rethinkdb_texts import Texts

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
    """The backlog of one ledger."""

    def __init__(self, store: Store, postings: Postings, texts: Texts) -> None:
        """Read and write with these."""
        self._store = store
        self._postings = postings
        self._texts = texts
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
        # A look for what is new, as nearly all is, can be saved: whether it was shows when it is filed.
        unheard = {t.id for t in transactions if self._postings.is_unheard(t.id)}
        waiting = dict(self._waiting(t.id for t in transactions if t.id not in unheard))
        # Also those that are indexed already: whoever indexed them may have ended before the texts were stored.
        new = [t for t in transactions if TextRef(t.hash, t.id) not in waiting]
        for part in in_moments(new):
            first = self._store.places(PER_MILLISECOND)
            texts = [transaction for _, transaction in part]
            if not self._texts.keep(texts, [first + offset for offset, _ in part]):
                waiting |= self._waiting(t.id for t in texts if t.id in unheard)
            placed = [(TextRef(t.hash, t.id), first + offset) for offset, t in part]
            entries = [_entry(text, place) for text, place in placed if text not in waiting]
            document = {"id": moment(first), "at": received_at, "waiting": entries}
            if entries:
                self._store.put("backlog", [document], _joined, news=[changes.BACKLOG])

    # --- who waits -------------------------------------------------------------------------------------------

    def _waiting(self, ids: Iterable[str]) -> list[tuple[TextRef, int]]:
        """Return those texts of these ids that wait, each with its place, the latest first.

        What nothing more is stored for must be on disk, and not only in the memory of a server that may end; and what
        a server that was cut off does not know of waits nevertheless.
        """
        places = self._postings.places(ids)
        documents = self._store.find("backlog", {moment(place) for its in places.values() for place in its})
        entries = chain.from_iterable(self._store.sound(documents, _entries))
        found = [(text, place) for text, place, _ in entries if place in places.get(text.id, ())]
        return sorted(found, key=lambda pair: pair[1], reverse=True)

    def waiting(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        """See `Storage.waiting`."""
        places = dict(self._waiting(ids))
        found = list(self._texts.contents(places).values())
        found.sort(key=lambda transaction: places[TextRef(transaction.hash, transaction.id)])
        return grouped((transaction.id, transaction) for transaction in found)

    def size(self) -> int:
        """See `Storage.backlog_size`.

        It costs as much as there are documents, which is less than there are entries.  Where there are many, they are
        counted at intervals that grow with the cost, because a web server asks all the time.
        """
        self._store.check_open()
        if self._size is None or time.monotonic() >= self._size[1]:
            counts = r.table("backlog").map(
                lambda row: r.branch(is_a(row["waiting"], "ARRAY"), row["waiting"].count(), 0)
            )
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
        texts = self._texts.at_places([(text, place) for text, place, _ in listed])
        page = []
        for text, place, received_at in listed:
            if text in texts:
                reader.take(text.hash, place)
                page.append(BacklogEntry(cursors.at(max(place, start)), received_at, texts[text]))
        reader.forget()
        return page

    def _listed(self, reader: _Reader, start: int, limit: int) -> list[tuple[TextRef, int, float]]:
        """Return text, place and time of the next entries behind a place, and of those that came late before it."""
        found: list[tuple[TextRef, int, float]] = []
        begin = max(start - _LATE, reader.since)
        behind = moment(begin)
        bound = "closed"
        size = _FIRST_PAGE
        while len(found) < limit:
            query = r.table("backlog").between(behind, _END, left_bound=bound).order_by(index="id").limit(size)
            documents = self._store.rows("backlog", query, decides=False)
            found += [
                (text, place, received_at)
                for text, place, received_at in chain.from_iterable(self._store.sound(documents, _entries))
                if place > start or (place > begin and text.hash not in reader.given)
            ]
            if len(documents) < size:
                break
            behind, bound, size = documents[-1].text("id"), "open", min(4 * size, _LAST_PAGE)
        return found[: max(limit, 0)]

    # --- out -------------------------------------------------------------------------------------------------

    def drop(self, ids: Sequence[str], texts: Sequence[TextRef]) -> None:
        """See `Storage.drop_backlog`."""
        of_ids, wanted = set(ids), set(texts)
        gone: dict[str, list[str]] = {}
        for text, place in self._waiting([*of_ids, *(text.id for text in texts)]):
            if text.id in of_ids or text in wanted:
                gone.setdefault(moment(place), []).append(_entry(text, place))
        self._store.change("backlog", gone, _without)


def _last() -> Any:
    """Return the query for the last document, however little of it waits."""
    latest = r.table("backlog").between("", _END).order_by(index=r.desc("id"))["id"]
    return latest.filter(lambda id_: id_.match(MOMENT)).limit(1).coerce_to("array")


def _entry(text: TextRef, place: int) -> str:
    return f"{nth(place)}{name_of(text.id)}:{name_of(text.hash)}"


def _entries(row: Row) -> list[tuple[TextRef, int, float]]:
    """Return (text, place, received at) of what a document lets wait, in order."""
    entries = sorted(row.texts("waiting"))
    first = end_of(row.text("id")) + 1 - PER_MILLISECOND
    if first < 0 or not all(_is_number(entry[:NTH_DIGITS]) for entry in entries):
        raise row.damaged("waiting")
    at = row.number("at")
    named = ((entry[:NTH_DIGITS], entry[NTH_DIGITS:].rpartition(":")) for entry in entries)
    return [(TextRef(named_by(hash_), named_by(id_)), first + int(nth_), at) for nth_, (id_, _, hash_) in named]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _joined(_: Any, standing: Any, new: Any) -> Any:
    return r.branch(
        is_a(standing["waiting"], "ARRAY"),
        standing.merge({"waiting": standing["waiting"].set_union(new["waiting"])}),
        new,
    )


def _without(row: Any, gone: Any) -> Any:
    left = row["waiting"].set_difference(gone)
    return r.branch(is_a(row["waiting"], "ARRAY"), r.branch(left.is_empty(), None, row.merge({"waiting": left})), row)
