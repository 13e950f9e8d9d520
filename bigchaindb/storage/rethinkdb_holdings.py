"""Who holds what.

The outputs of an owner (`rethinkdb_outputs`) are listed in `holdings`: `u/owner/place` for what is unspent and
`g/owner/place` for what is gone, `{id, of: {output: True, or its spender}}`, where all whose places differ only in the
last digit share a list.  What is gone is listed once more in the order in which it was spent, `s/owner/place` with the
place of what its spender made first; its own is in the entry there.

Invariants:

- What is gone is listed as such before it is taken from what is unspent, and for ever.  A slow writer may add it to the
  latter again: so it counts only where it is not gone.
- What is read in order, or by owner, is a primary key: an index costs more than a document of its own, and an index in
  which something moves costs twice as much again.
"""

from __future__ import annotations

import re
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.model.reference import OutputRef
from bigchaindb.storage.records import OutputRow
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_names import name_of, named_by
from bigchaindb.storage.rethinkdb_outputs import GONE, LISTED_DIGITS, NOBODY, UNSPENT, named_place
from bigchaindb.storage.rethinkdb_places import PLACE_DIGITS, named, placed
from bigchaindb.storage.rethinkdb_store import is_a, may_be_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bigchaindb.storage.records import Effects, NewOutput
    from bigchaindb.storage.rethinkdb_outputs import Output, Outputs
    from bigchaindb.storage.rethinkdb_postings import Postings
    from bigchaindb.storage.rethinkdb_rows import Row
    from bigchaindb.storage.rethinkdb_store import Store

__all__ = ["Holdings"]

_SPENT: Final = "s"

_LIST: Final = re.compile(rf"[ugs]/.*/([0-9]{{{LISTED_DIGITS}}})", re.DOTALL)
_ENTRY: Final = re.compile(r"([0-9])([^/]*)/([0-9]{1,9})")
_SPENT_ENTRY: Final = re.compile(rf"{_ENTRY.pattern}/([0-9]{{{PLACE_DIGITS}}})")

_PAGE: Final = 128


class Holdings:
    """The holdings of one ledger."""

    def __init__(self, store: Store, postings: Postings, outputs: Outputs) -> None:
        """Read and write with these."""
        self._store = store
        self._postings = postings
        self._outputs = outputs

    # --- in --------------------------------------------------------------------------------------------------

    def settle(self, effects: Effects) -> None:
        """See `Storage.settle`; every document is right by itself, so it may be begun again anywhere."""
        self._store.check_open()
        new: dict[OutputRef, NewOutput] = {}
        for output in effects.outputs:
            new.setdefault(output.ref, output)
        gone: dict[OutputRef, str] = {}
        for ref, spender in effects.spent:
            gone.setdefault(ref, spender)
        makers = {OutputRef(spender, 0) for spender in gone.values()}
        known = self._outputs.find([*new, *gone, *makers])
        missing = [output for ref, output in new.items() if ref not in known]
        # Every node does this for every block, and a look costs a tenth of a write: so whoever is not the first looks
        # before it writes, and whoever seems to be the first does not look.
        is_first = len(missing) == len(new) > 0
        standing = dict(known)

        def add() -> None:
            added = self._outputs.add(missing)
            standing.update(added)
            self._list(added.values(), gone, {}, self._as_spent(standing, gone) if is_first else {})

        if is_first:
            self._store.together(add, lambda: self._list(known.values(), gone, None, {}))
        else:
            if missing:
                add()
            spent = self._as_spent(standing, gone)
            keys = chain.from_iterable(chain.from_iterable(output.lists() for output in known.values()))
            self._list(known.values(), gone, self._found([*keys, *spent]), spent)
        made = [(hash_, txid, standing.get(OutputRef(txid, 0))) for hash_, txid in effects.payloads]
        carried = [self._postings.payload(hash_, txid, first.number) for hash_, txid, first in made if first]
        if carried:
            self._postings.add_payloads(carried, look=not is_first)
        self._outputs.mark(effects.outputs)

    def _found(self, keys: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        rows = self._store.find("holdings", keys)
        return dict(self._store.sound(rows, lambda row: (row.text("id"), row.mapping("of"))))

    def _list(
        self,
        outputs: Iterable[Output],
        spenders: Mapping[OutputRef, str],
        lists: Mapping[str, Mapping[str, Any]] | None,
        others: Mapping[str, Mapping[str, object]],
    ) -> None:
        """List outputs as unspent or gone, and put other entries into other lists, where they are not there.

        Args:
            outputs: some that stand.
            spenders: their ids by output, for those that are gone.
            lists: those in which all this is looked for, as far as they are there; None where nobody has looked, and
                what is gone was unspent until now.
            others: entries by list.
        """
        there = lists or {}
        added: dict[str, dict[str, object]] = {}
        left: dict[str, list[str]] = {}
        for output in outputs:
            entry, spender = output.entry, spenders.get(output.ref)
            for unspent, gone in output.lists():
                is_held, is_gone = lists is None or entry in there.get(unspent, ()), entry in there.get(gone, ())
                if spender is not None and not is_gone:
                    added.setdefault(gone, {})[entry] = name_of(spender)
                elif spender is None and output.owners and not is_held and not is_gone:
                    added.setdefault(unspent, {})[entry] = True
                if is_held and (is_gone or spender is not None):
                    left.setdefault(unspent, []).append(entry)
        for key, entries in others.items():
            if new := {entry: value for entry, value in entries.items() if entry not in there.get(key, ())}:
                added[key] = new
        self._store.put("holdings", _list_documents(added), _joined)
        self._store.change("holdings", left, _without)

    @staticmethod
    def _as_spent(
        standing: Mapping[OutputRef, Output], spenders: Mapping[OutputRef, str]
    ) -> dict[str, dict[str, object]]:
        """Return the lists of what is gone in the order in which it was spent, as far as these say.

        Args:
            standing: outputs that stand.
            spenders: their ids by output, for those that are gone.
        """
        lists: dict[str, dict[str, object]] = {}
        for ref, spender in spenders.items():
            output = standing.get(ref)
            if output is not None:
                place = standing.get(OutputRef(spender, 0), output).place
                entry = f"{place[LISTED_DIGITS]}{name_of(ref.txid)}/{ref.cid}/{placed(output.number)}"
                for owner in output.owners:
                    key = f"{_SPENT}/{owner}/{place[:LISTED_DIGITS]}"
                    lists.setdefault(key, {})[entry] = name_of(spender)
        return lists

    # --- of an owner -----------------------------------------------------------------------------------------

    def of_owner(self, owner: str, *, spent: bool | None, start: str, limit: int) -> list[OutputRow]:
        """Return up to `limit` holdings of an owner behind a named place; see `Storage.outputs_of`."""
        self._store.check_open()
        if not may_be_key(f"{GONE}/{owner}/{start}") or owner == NOBODY or limit < 1:
            return []
        kinds = (UNSPENT, GONE) if spent is None else (_SPENT,) if spent else (UNSPENT,)
        # What moves meanwhile is found where it comes to, because that is read later.
        rows = {
            row.cursor: row
            for kind in kinds
            for row in islice(self._walk(kind, owner, start, min(limit, _PAGE)), limit)
        }
        return [rows[cursor] for cursor in sorted(rows)[:limit]]

    def _walk(self, kind: str, owner: str, start: str, size: int) -> Iterator[OutputRow]:
        """Give the entries of an owner's lists of a kind behind a named place, in order."""
        prefix = f"{kind}/{owner}/"
        behind, bound = prefix + start[:LISTED_DIGITS], "closed"
        while True:
            lists = r.table("holdings").between(behind, prefix + "~", left_bound=bound)
            found = self._store.rows("holdings", lists.order_by(index="id").limit(size), decides=False)
            gone: set[str] = set()
            if kind == UNSPENT:
                keys = [GONE + row.text("id").removeprefix(UNSPENT) for row in found]
                others = self._store.find("holdings", keys, decides=False)
                gone.update(row.cursor for row in chain.from_iterable(self._store.sound(others, _entries)))
            for row in chain.from_iterable(self._store.sound(found, _entries)):
                if row.cursor > start and row.cursor not in gone:
                    yield row
            if len(found) < size:
                return
            behind, bound = found[-1].text("id"), "open"


def _entries(row: Row) -> list[OutputRow]:
    """Return what a list holds, in order."""
    key = row.text("id")
    place = _LIST.fullmatch(key)
    form = _SPENT_ENTRY if key.startswith(_SPENT) else _ENTRY
    entries = [(form.fullmatch(entry), spender) for entry, spender in row.mapping("of").items()]
    rows = []
    for entry, spender in entries:
        if place is None or entry is None or not (spender is True or isinstance(spender, str)):
            raise row.damaged("of")
        ref = OutputRef(named_by(entry[2]), int(entry[3]))
        at = int(place[1] + entry[1])
        cursor = named(at, f"{entry[4]}{ref.txid}") if form is _SPENT_ENTRY else named_place(at, ref)
        rows.append(OutputRow(cursor, ref, None if spender is True else named_by(spender)))
    return sorted(rows, key=lambda row: row.cursor)


def _list_documents(lists: Mapping[str, Mapping[str, object]]) -> list[dict[str, object]]:
    return [{"id": key, "of": entries} for key, entries in lists.items()]


def _joined(_: Any, standing: Any, new: Any) -> Any:
    # Of two spenders the first stays.
    return r.branch(is_a(standing["of"], "OBJECT"), new.merge(standing), new)


def _without(row: Any, gone: Any) -> Any:
    left = row["of"].without(r.args(gone))
    return r.branch(
        is_a(row["of"], "OBJECT"), r.branch(left.keys().is_empty(), None, row.merge({"of": r.literal(left)})), row
    )
