"""The backlog in RethinkDB.

What one call appends waits in one small document: the names of the texts, and whose turn it is to build each, under the
millisecond of the call.  So a thousand transactions enter the backlog by one write, and leave it by few.

Invariants:

- Text and index are stored before the document that lets them wait: what is seen waiting is whole.
- A text waits while some document lists it.  The postings of its id tell of all that does; whoever lets an id or a text
  leave looks where it has met it, and anew only for what is not there.  So an entry that another process has appended
  since may stay, until a builder meets it.
- An entry's place is later than what its writer could know of.  One that becomes visible behind the cursor of a
  reader, because its writer was slow, is given to that reader nevertheless for as long as it is not late by more than
  `_LATE` places; what is later still is found by whoever starts from the beginning, as builders do now and then.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bigchaindb.storage import changes, cursors
from bigchaindb.storage.grouping import grouped
from bigchaindb.storage.records import ASSIGNING_CHARACTERS, BacklogEntry, TextRef
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_names import name_of, named_by
from bigchaindb.storage.rethinkdb_places import MOMENT, NTH_DIGITS, PER_MILLISECOND, end_of, moment, nth
from bigchaindb.storage.rethinkdb_store import is_a
from bigchaindb.storage.rethinkdb_texts import in_moments

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

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
_LED_CHARACTERS: Final = NTH_DIGITS + ASSIGNING_CHARACTERS
# What sorts behind this is no moment, or one that is centuries away.
_END: Final = "9"
_COUNTED_DOCUMENTS: Final = 1_000
# A count that took long will do for so many times as long.
_COUNT_SHARE: Final = 20


class _Listed(NamedTuple):
    """An entry of the backlog.

    Attributes:
        text: what waits.
        place: where the text lies, and so where in the backlog it is.
        received_at: as `BacklogEntry`.
        assigning: as `BacklogEntry`.
        entry: all this as it is stored.
    """

    text: TextRef
    place: int
    received_at: float
    assigning: str
    entry: str


@dataclass(slots=True)
class _Reader:
    """How far one thread has read the backlog.

    Attributes:
        since: where it began.
        latest: the last place it was given.
        given: the places of the latest texts that it was given.
        entries: the latest entries that it was given, by document: it reads these again and again.
    """

    since: int = 0
    latest: int = 0
    given: dict[str, int] = field(default_factory=dict)
    entries: dict[str, set[str]] = field(default_factory=dict)

    def is_at(self, place: int) -> bool:
        """Tell whether this reader goes on from a place."""
        return self.since <= place <= self.latest

    def take(self, each: _Listed) -> None:
        """Note what it is given."""
        self.given[each.text.hash] = each.place
        self.entries.setdefault(moment(each.place), set()).add(each.entry)
        self.latest = max(self.latest, each.place)

    def passed(self, at: str, start: int) -> Collection[str]:
        """Return entries of a document that it was given and that are not behind a place."""
        given = self.entries.get(at, set())
        if given and at >= moment(start):
            return {entry for entry in given if at == moment(start) and entry[:NTH_DIGITS] <= nth(start)}
        return given

    def forget(self) -> None:
        """Forget what can't be taken for late any more."""
        horizon = self.latest - _LATE
        if self.given and next(iter(self.given.values())) <= horizon:
            self.given = {hash_: place for hash_, place in self.given.items() if place > horizon}
            self.entries = {at: entries for at, entries in self.entries.items() if end_of(at) > horizon}


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
        waiting = {each.text for each in self._waiting(t.id for t in transactions if t.id not in unheard)}
        # Also those that are indexed already: whoever indexed them may have ended before the texts were stored.
        new = [t for t in transactions if TextRef(t.hash, t.id) not in waiting]
        for part in in_moments(new):
            first = self._store.places(PER_MILLISECOND)
            texts = [transaction for _, transaction in part]
            if not self._texts.keep(texts, [first + offset for offset, _ in part]):
                waiting.update(each.text for each in self._waiting(t.id for t in texts if t.id in unheard))
            entries = [_entry(t, first + offset) for offset, t in part if TextRef(t.hash, t.id) not in waiting]
            document = {"id": moment(first), "at": received_at, "waiting": entries}
            if entries:
                self._store.put("backlog", [document], _joined, news=[changes.BACKLOG])

    # --- who waits -------------------------------------------------------------------------------------------

    def _waiting(self, ids: Iterable[str]) -> list[_Listed]:
        """Return the entries of those texts of these ids that wait, the latest first.

        What nothing more is stored for must be on disk, and not only in the memory of a server that may end; and what
        a server that was cut off does not know of waits nevertheless.
        """
        return self._waiting_at(self._postings.places(ids))

    def _waiting_at(self, places: Mapping[str, Collection[int]]) -> list[_Listed]:
        """Return the entries of those texts that wait at these places of their ids, the latest first."""
        documents = self._store.find("backlog", {moment(place) for its in places.values() for place in its})
        entries = chain.from_iterable(self._store.sound(documents, _entries))
        found = [each for each in entries if each.place in places.get(each.text.id, ())]
        return sorted(found, key=lambda each: each.place, reverse=True)

    def waiting(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        """See `Storage.waiting`."""
        places = {each.text: each.place for each in self._waiting(ids)}
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
        page = []
        for each in listed:
            reader.take(each)
            page.append(BacklogEntry(cursors.at(max(each.place, start)), each.received_at, each.text, each.assigning))
        reader.forget()
        return page

    def _listed(self, reader: _Reader, start: int, limit: int) -> list[_Listed]:
        """Return the next entries behind a place, and those that came late before it."""
        found: list[_Listed] = []
        begin = max(start - _LATE, reader.since)
        behind = moment(begin)
        bound = "closed"
        size = _FIRST_PAGE
        while len(found) < limit:
            query = r.table("backlog").between(behind, _END, left_bound=bound).order_by(index="id").limit(size)
            documents = self._store.rows("backlog", query, decides=False)
            found += [
                each
                for each in chain.from_iterable(
                    self._store.sound(documents, lambda row: _entries(row, reader.passed(row.text("id"), start)))
                )
                if each.place > start or (each.place > begin and each.text.hash not in reader.given)
            ]
            if len(documents) < size:
                break
            behind, bound, size = documents[-1].text("id"), "open", min(4 * size, _LAST_PAGE)
        return found[: max(limit, 0)]

    # --- out -------------------------------------------------------------------------------------------------

    def drop(self, ids: Sequence[str], texts: Sequence[TextRef]) -> None:
        """See `Storage.drop_backlog`."""
        of_ids, wanted = set(ids), set(texts)
        # Where this process has met them; what is not there is looked for.
        found = self._waiting_at(self._postings.last_places(of_ids.union(text.id for text in wanted)))
        rest = of_ids.difference(each.text.id for each in found)
        rest |= {text.id for text in wanted.difference(each.text for each in found)}
        if rest:
            found += self._waiting(rest)
        gone: dict[str, set[str]] = {}
        for each in found:
            if each.text.id in of_ids or each.text in wanted:
                gone.setdefault(moment(each.place), set()).add(each.entry)
        self._store.change("backlog", {at: list(entries) for at, entries in gone.items()}, _without)


def _last() -> Any:
    """Return the query for the last document, however little of it waits."""
    latest = r.table("backlog").between("", _END).order_by(index=r.desc("id"))["id"]
    return latest.filter(lambda id_: id_.match(MOMENT)).limit(1).coerce_to("array")


def _entry(transaction: NewTransaction, place: int) -> str:
    assigning = transaction.assigning.ljust(ASSIGNING_CHARACTERS)
    return f"{nth(place)}{assigning}{name_of(transaction.id)}:{name_of(transaction.hash)}"


def _entries(row: Row, but: Collection[str] = ()) -> list[_Listed]:
    """Return what a document lets wait, in order, but for some entries."""
    entries = sorted(entry for entry in row.texts("waiting") if entry not in but)
    first = end_of(row.text("id")) + 1 - PER_MILLISECOND
    if first < 0 or not all(_is_number(entry[:NTH_DIGITS]) for entry in entries):
        raise row.damaged("waiting")
    at = row.number("at")
    found = []
    for entry in entries:
        id_, _, hash_ = entry[_LED_CHARACTERS:].rpartition(":")
        assigning = entry[NTH_DIGITS:_LED_CHARACTERS].rstrip()
        text = TextRef(named_by(hash_), named_by(id_))
        found.append(_Listed(text, first + int(entry[:NTH_DIGITS]), at, assigning, entry))
    return found


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
