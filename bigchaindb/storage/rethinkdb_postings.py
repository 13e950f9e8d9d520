"""What belongs to a transaction id, an output, a payload or an asset: lists that only grow, each under one primary key.

A posting is a document `{"id": key, "of": [entries]}` whose key says what is looked up.  One table for all of them
means one write, and one wait for the disk, for all that a batch of transactions adds.

The first place that is filed under an id is its **address**, for ever.  What else there is to say of a transaction lies
under its address, beside what is said of those that came with it: the blocks in which it stands, its outputs, and who
spends them.

Invariants:

- An entry is added once, at the end, by one atomic write; none is ever taken away.
- What an entry names may not be stored yet, or never, where its writer was killed: it is passed over.
- A random key costs a page of the disk for itself, so there is one per transaction and one per payload, and one for
  many steps of an asset; all else lies beside what came with it.  What is written to at any time, a place or a spender,
  is so small that it lies in the page.
- Members share the database: an entry that was not written here is passed over, a document gives way.  Whoever alters
  the places of an id hides what lies under its address, as if that were deleted, but not from a process that knows the
  address: what that has voted for it goes on finding, and what it files, too.  It goes by the one that it met first.
- A moment is not one writer's own, so what is filed under it names the transactions.
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Final

from bigchaindb.exceptions import StorageMismatch
from bigchaindb.storage import cursors
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_names import name_of, named_by
from bigchaindb.storage.rethinkdb_places import NTH_DIGITS, PER_MILLISECOND, PLACE, gathered, named, spread
from bigchaindb.storage.rethinkdb_store import is_a, may_be_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.storage.rethinkdb_rows import Row
    from bigchaindb.storage.rethinkdb_store import Store

__all__ = ["PLACES", "Postings"]

PLACES: Final = "t"
_BLOCKS: Final = "b"
_SPENDERS: Final = "s"
_PAYLOAD: Final = "p"
_MARK: Final = "m"

_PLACE: Final = re.compile(PLACE)
_REMEMBERED: Final = 50_000
_FURTHER: Final = 16


class Postings:
    """The postings of one ledger."""

    def __init__(self, store: Store) -> None:
        """Read and write with this."""
        self._store = store
        self._known: dict[str, int] = {}
        # The places of an id but for its address, which is as a rule its only one.
        self._further: dict[str, tuple[int, ...]] = {}
        self._unheard: set[str] = set()

    # --- the places of a transaction id: those of its texts, as a rule ---------------------------------------

    @staticmethod
    def place(id_: str, place: int) -> tuple[str, str]:
        """Return the entry of a place."""
        return PLACES + name_of(id_), spread(place)

    def places(self, ids: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """Return the places of each id that has any, oldest first."""
        wanted = {name_of(id_): id_ for id_ in ids}
        found = self._find(PLACES, wanted)
        places = {wanted[name]: its for name, entries in found.items() if (its := self._places_in(entries))}
        if len(self._unheard) > _REMEMBERED:
            self._unheard = set()
        self._unheard.update(id_ for id_ in wanted.values() if id_ not in places)
        self.learn({id_: its[0] for id_, its in places.items()})
        for id_, its in places.items():
            if len(its) > 1 or id_ in self._further:
                self._further[id_] = tuple(place for place in its if place != self._known.get(id_))
        return places

    def last_places(self, ids: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """Return the places of each id as far as this process knows them; where it knows none, it looks for them."""
        wanted = dict.fromkeys(ids)
        further = self._further
        known = {id_: (at, *further.get(id_, ())) for id_ in wanted if (at := self._known.get(id_)) is not None}
        missing = [id_ for id_ in wanted if id_ not in known]
        return known | self.places(missing) if missing else known

    def is_unheard(self, id_: str) -> bool:
        """Tell whether nothing was filed under an id when it was last looked for; by now there may be something."""
        return id_ in self._unheard

    def addresses(self, ids: Iterable[str]) -> dict[str, int]:
        """Return the address of each id that has one."""
        wanted = dict.fromkeys(ids)
        known = {id_: address for id_ in wanted if (address := self._known.get(id_)) is not None}
        missing = [id_ for id_ in wanted if id_ not in known]
        return known | {id_: its[0] for id_, its in self.places(missing).items()} if missing else known

    def make_addresses(self, ids: Iterable[str], texts: Mapping[str, int] | None = None) -> dict[str, int]:
        """Return the address of each id; one that had none has one then.

        Args:
            ids: of transactions.
            texts: the places of texts that are about to be stored, which may become addresses.
        """
        wanted = list(dict.fromkeys(ids))
        found = self.addresses(wanted)
        missing = [id_ for id_ in wanted if id_ not in found]
        if missing:
            places = dict(texts or {})
            strangers = [id_ for id_ in missing if id_ not in places]
            if strangers:
                places.update(zip(strangers, count(self._store.places(len(strangers))), strict=False))
            self.add(self.place(id_, places[id_]) for id_ in missing)
            found |= self.addresses(missing)
            if len(found) < len(wanted):
                raise StorageMismatch(f"{self._store.server}: the ledger is damaged: what was just posted is gone")
        return found

    def learn(self, addresses: Mapping[str, int]) -> None:
        """Remember addresses."""
        if len(self._known) > _REMEMBERED:
            self._known, self._further = {}, {}
        for id_, address in addresses.items():
            # The one that was met first: what was filed there must not be lost sight of because somebody altered it.
            self._known.setdefault(id_, address)
            self._unheard.discard(id_)

    def learn_places(self, places: Iterable[tuple[str, int]]) -> None:
        """Remember places that were filed here under ids, where anything of these is remembered."""
        for id_, place in places:
            if self._known.get(id_, place) != place:
                self._further[id_] = (*self._further.get(id_, ()), place)[-_FURTHER:]

    def _places_in(self, entries: Iterable[str]) -> tuple[int, ...]:
        places = []
        for entry in entries:
            if _PLACE.fullmatch(entry):
                places.append(gathered(entry))
            else:
                self._store.say_once(f"the ledger is damaged: table postings, entry {entry[:80]!r}")
        return tuple(places)

    # --- the blocks in which a transaction stands ------------------------------------------------------------

    def add_block(self, key: str, transactions: Iterable[tuple[str, str]]) -> None:
        """Add a block that is about to be stored to the (id, hash) of the transactions that it holds."""
        pairs = dict.fromkeys(transactions)
        addresses = self.make_addresses(id_ for id_, _ in pairs)
        listed: dict[str, list[str]] = {}
        for id_, hash_ in pairs:
            listed.setdefault(_BLOCKS + _moment(addresses[id_]), []).append(f"{name_of(id_)}:{name_of(hash_)}")
        self.add((at, f"{key} {','.join(sorted(texts))}") for at, texts in listed.items())

    def standings(self, ids: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """Return the (block key, hash of the text) of each id that has any."""
        at: dict[int, dict[str, str]] = {}
        for id_, address in self.addresses(ids).items():
            at.setdefault(address // PER_MILLISECOND, {})[name_of(id_)] = id_
        wanted = {_moment(millisecond * PER_MILLISECOND): its for millisecond, its in at.items()}
        found: dict[str, dict[tuple[str, str], None]] = {}
        for moment_, entries in self._find(_BLOCKS, wanted).items():
            ids_ = wanted[moment_]
            for entry in entries:
                key, _, texts = entry.rpartition(" ")
                for text in texts.split(","):
                    name, _, hash_ = text.rpartition(":")
                    if name in ids_:
                        found.setdefault(ids_[name], {})[key, named_by(hash_)] = None
        return {id_: list(standings) for id_, standings in found.items()}

    # --- the transactions that spend an output ---------------------------------------------------------------

    @staticmethod
    def spender(output: OutputRef, address: int, id_: str) -> tuple[str, str]:
        """Return the entry of a transaction that spends an output of one with that address."""
        return f"{_SPENDERS}{spread(address)}/{output.cid}", f"{name_of(output.txid)}:{name_of(id_)}"

    def spenders(self, outputs: Iterable[OutputRef]) -> dict[OutputRef, list[str]]:
        """Return the ids of those that spend each output, oldest first."""
        wanted = dict.fromkeys(outputs)
        addresses = self.addresses(output.txid for output in wanted)
        # Two that came in one millisecond may have one address.
        at: dict[str, dict[str, OutputRef]] = {}
        for output in wanted:
            if output.txid in addresses:
                key = f"{spread(addresses[output.txid])}/{output.cid}"
                at.setdefault(key, {})[name_of(output.txid)] = output
        found: dict[OutputRef, list[str]] = {}
        for key, entries in self._find(_SPENDERS, at).items():
            for entry in entries:
                name, _, spender = entry.rpartition(":")
                if name in at[key]:
                    found.setdefault(at[key][name], []).append(named_by(spender))
        return found

    # --- the valid transactions with a payload ---------------------------------------------------------------

    @staticmethod
    def payload(payload_hash: str, id_: str, place: int) -> tuple[str, str]:
        """Return the entry of a transaction with a payload; its place keeps them in order."""
        return f"{_PAYLOAD}{name_of(payload_hash)}/{named(place, id_)}", id_

    def add_payloads(self, entries: Iterable[tuple[str, str]], *, look: bool) -> None:
        """Add entries of transactions with payloads.

        Args:
            entries: from `payload`.
            look: whether others may have added some, and a look may save writing them.
        """
        wanted = dict(entries)
        if look:
            there = self._store.find("postings", wanted, fields=("id",))
            for row in self._store.sound(there, lambda row: row.text("id")):
                wanted.pop(row)
        self.add(wanted.items())

    def with_payload(self, payload_hash: str, after: str, limit: int) -> list[tuple[str, str]]:
        """Return up to `limit` (named place, id) behind a named place; see `Storage.with_payload_hash`."""
        prefix = f"{_PAYLOAD}{name_of(payload_hash)}/"
        self._store.check_open()
        if not may_be_key(prefix + after):
            return []
        query = (
            r.table("postings")
            .between(prefix + after, prefix + "~", left_bound="open")
            .order_by(index="id")
            .limit(limit)
        )
        rows = self._store.rows("postings", query, decides=False)
        found = self._store.sound(rows, lambda row: (row.text("id").removeprefix(prefix), row.some_texts("of")))
        return [(place, id_) for place, ids in found for id_ in ids]

    # --- some of the outputs that have held an asset ---------------------------------------------------------

    @staticmethod
    def mark(asset: str, step: int, output: str) -> tuple[str, str]:
        """Return the entry of an output at a step of an asset's line."""
        return f"{_MARK}{name_of(asset)}/{cursors.at(step)}", output

    def mark_before(self, asset: str, step: int) -> str | None:
        """Return the last such output up to a step."""
        prefix = f"{_MARK}{name_of(asset)}/"
        first, last = prefix, prefix + cursors.at(step)
        query = r.table("postings").between(first, last, right_bound="closed").order_by(index=r.desc("id")).limit(1)
        rows = self._store.rows("postings", query, decides=False)
        return next((output for of in self._store.sound(rows, _entries) for output in of), None)

    # --- all of them -----------------------------------------------------------------------------------------

    def add(self, entries: Iterable[tuple[str, str]]) -> bool:
        """Add entries, each from one of the functions above; tell whether nothing was filed there before."""
        lists: dict[str, list[str]] = {}
        for key, entry in entries:
            lists.setdefault(key, []).append(entry)
        # In the order of the keys they cost the server some percent less.
        rows = [{"id": key, "of": list(dict.fromkeys(of))} for key, of in sorted(lists.items())]
        return self._store.put("postings", rows, _added) == len(rows)

    def _find(self, kind: str, names: Iterable[str]) -> dict[str, list[str]]:
        """Return what is filed under each of these names."""
        rows = self._store.find("postings", [kind + name for name in names])
        return dict(self._store.sound(rows, lambda row: (row.text("id")[len(kind) :], row.some_texts("of"))))


def _moment(address: int) -> str:
    return spread(address)[:-NTH_DIGITS]


def _entries(row: Row) -> list[str]:
    return row.some_texts("of")


def _added(_: Any, standing: Any, new: Any) -> Any:
    missing = new["of"].filter(lambda entry: standing["of"].contains(entry).not_())
    return r.branch(is_a(standing["of"], "ARRAY"), standing.merge({"of": standing["of"].add(missing)}), new)
