"""Who holds what, and what has become of each asset.

An output is a document of `outputs`, `{id: txid/cid, owners, place, ...}`.  Those of an owner are listed in `holdings`:
`u/owner/place` for what is unspent and `g/owner/place` for what is gone, `{id, of: {output: True, or its spender}}`,
where all whose places differ only in the last digit share a list.  What is gone is listed once more in the order in
which it was spent, `s/owner/place` with the place of what its spender made first; its own is in the entry there.

Invariants:

- The document of an output is made once and never changed.  Its place is the one that stands, whoever settles the same
  at the same moment: so all list it under the same key, and every step may be repeated, in any order.
- What is gone is listed as such before it is taken from what is unspent, and for ever.  A slow writer may add it to the
  latter again: so it counts only where it is not gone.
- What is read in order, or by owner, is a primary key: an index costs more than a document of its own, and an index in
  which something moves costs twice as much again.
- The outputs of an asset are in a line, in which the spender of each makes the next; every 64th has a posting, and
  from there one walks, in the server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.model.reference import OutputRef
from bigchaindb.storage import cursors
from bigchaindb.storage.records import Lineage, OutputRow
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_places import PLACE_DIGITS, named
from bigchaindb.storage.rethinkdb_store import keep, may_be_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bigchaindb.storage.records import Effects, NewOutput
    from bigchaindb.storage.rethinkdb_postings import Postings
    from bigchaindb.storage.rethinkdb_rows import Row
    from bigchaindb.storage.rethinkdb_store import Store

__all__ = ["Holdings"]

_UNSPENT: Final = "u"
_GONE: Final = "g"
_SPENT: Final = "s"
_NOBODY: Final = ""

# A list is found by all digits of a place but the last.
_LISTED_DIGITS: Final = 15
_PLACE: Final = re.compile(r"([0-9]{15})([0-9])-.*", re.DOTALL)
_LIST: Final = re.compile(r"[ugs]/.*/([0-9]{15})", re.DOTALL)
_ENTRY: Final = re.compile(r"([0-9])([^/]*)/([0-9]{1,9})")
_SPENT_ENTRY: Final = re.compile(rf"([0-9])([^/]*)/([0-9]{{1,9}})/([0-9]{{{PLACE_DIGITS}}})")

_PAGE: Final = 128
_MARKED: Final = 64


@dataclass(frozen=True, slots=True)
class _Output:
    """An output as it stands.

    Attributes:
        id: txid/cid.
        owners: each once.
        place: the named place.
    """

    id: str
    owners: tuple[str, ...]
    place: str

    @property
    def entry(self) -> str:
        """Return how lists call it."""
        return self.place[_LISTED_DIGITS] + self.id

    @property
    def number(self) -> int:
        """Return the place without the name."""
        return int(self.place[:PLACE_DIGITS])

    def lists(self) -> list[tuple[str, str]]:
        """Return the keys of the lists, unspent and gone, of each owner; what nobody owns is in one as well."""
        tail = self.place[:_LISTED_DIGITS]
        return [(f"{_UNSPENT}/{owner}/{tail}", f"{_GONE}/{owner}/{tail}") for owner in self.owners or (_NOBODY,)]


class Holdings:
    """The outputs of one ledger."""

    def __init__(self, store: Store, postings: Postings) -> None:
        """Read and write with these."""
        self._store = store
        self._postings = postings

    # --- in --------------------------------------------------------------------------------------------------

    def settle(self, effects: Effects) -> None:
        """See `Storage.settle`; every document is right by itself, so it may be begun again anywhere."""
        self._store.check_open()
        rows = _documents(effects.outputs, self._store.places(len(effects.outputs)))
        gone: dict[str, str] = {}
        for ref, spender in effects.spent:
            gone.setdefault(f"{ref.txid}/{ref.cid}", spender)
        # Every node does this for every block, and a look costs a tenth of a write.
        makers = {f"{spender}/0" for spender in gone.values()}
        known = {output.id: output for output in self._standing([*rows, *gone, *makers])}
        missing = [row for id_, row in rows.items() if id_ not in known]
        added: list[_Output] = []

        def add() -> None:
            added.extend(self._add(missing))
            self._list(added, gone, {})

        self._store.together(add, lambda: self._list(known.values(), gone, self._lists(known.values())))
        standing = known | {output.id: output for output in added}
        self._list_as_spent(standing, gone)
        made = [(hash_, txid, standing.get(f"{txid}/0")) for hash_, txid in effects.payloads]
        carried = [self._postings.payload(hash_, txid, first.number) for hash_, txid, first in made if first]
        if carried:
            self._postings.add_payloads(carried)
        lines = ((new.lineage, f"{new.ref.txid}/{new.ref.cid}") for new in effects.outputs)
        marks = [self._postings.mark(of.asset, of.step, id_) for of, id_ in lines if of.step % _MARKED == 0]
        if marks:
            self._postings.add(marks)

    def _add(self, rows: Sequence[Mapping[str, Any]]) -> list[_Output]:
        """Store outputs; return them as they stand, because another may have been first."""
        if self._store.put("outputs", rows, keep) < len(rows):
            return self._standing([row["id"] for row in rows])
        return [_Output(row["id"], tuple(row["owners"]), row["place"]) for row in rows]

    def _standing(self, ids: Iterable[str]) -> list[_Output]:
        rows = self._store.find("outputs", ids, fields=("id", "owners", "place"))
        return self._store.sound(rows, _output)

    def _lists(self, outputs: Iterable[_Output]) -> dict[str, Mapping[str, Any]]:
        return self._found(chain.from_iterable(chain.from_iterable(output.lists() for output in outputs)))

    def _found(self, keys: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        rows = self._store.find("holdings", keys)
        return dict(self._store.sound(rows, lambda row: (row.text("id"), row.mapping("of"))))

    def _list(
        self, outputs: Iterable[_Output], spenders: Mapping[str, str], lists: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """List outputs as unspent or gone where they are not listed so.

        Args:
            outputs: some that stand.
            spenders: by output, for those that are gone.
            lists: those in which the outputs are looked for, as far as they are there.
        """
        added: dict[str, dict[str, object]] = {}
        left: dict[str, list[str]] = {}
        for output in outputs:
            entry, spender = output.entry, spenders.get(output.id)
            for unspent, gone in output.lists():
                is_held, is_gone = entry in lists.get(unspent, ()), entry in lists.get(gone, ())
                if spender is not None and not is_gone:
                    added.setdefault(gone, {})[entry] = spender
                elif spender is None and output.owners and not is_held and not is_gone:
                    added.setdefault(unspent, {})[entry] = True
                if is_held and (is_gone or spender is not None):
                    left.setdefault(unspent, []).append(entry)
        self._store.put("holdings", _list_documents(added), _joined)
        self._store.change("holdings", left, _without)

    def _list_as_spent(self, standing: Mapping[str, _Output], spenders: Mapping[str, str]) -> None:
        """List what is gone in the order in which it was spent, where it is not listed so.

        Args:
            standing: outputs that stand, by id.
            spenders: by output, for those that are gone.
        """
        wanted: dict[str, dict[str, object]] = {}
        for id_, spender in spenders.items():
            output = standing.get(id_)
            if output is not None:
                place = standing.get(f"{spender}/0", output).place
                entry = f"{place[_LISTED_DIGITS]}{id_}/{output.number:0{PLACE_DIGITS}d}"
                for owner in output.owners:
                    wanted.setdefault(f"{_SPENT}/{owner}/{place[:_LISTED_DIGITS]}", {})[entry] = spender
        lists = self._found(wanted)
        missing = {
            key: new
            for key, entries in wanted.items()
            if (new := {entry: spender for entry, spender in entries.items() if entry not in lists.get(key, ())})
        }
        self._store.put("holdings", _list_documents(missing), _joined)

    # --- of an owner -----------------------------------------------------------------------------------------

    def of_owner(self, owner: str, *, spent: bool | None, start: str, limit: int) -> list[OutputRow]:
        """Return up to `limit` holdings of an owner behind a named place; see `Storage.outputs_of`."""
        self._store.check_open()
        if not may_be_key(f"{_GONE}/{owner}/{start}") or owner == _NOBODY or limit < 1:
            return []
        kinds = (_UNSPENT, _GONE) if spent is None else (_SPENT,) if spent else (_UNSPENT,)
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
        behind, bound = prefix + start[:_LISTED_DIGITS], "closed"
        while True:
            lists = r.table("holdings").between(behind, prefix + "~", left_bound=bound)
            found = self._store.rows("holdings", lists.order_by(index="id").limit(size), decides=False)
            gone: set[str] = set()
            if kind == _UNSPENT:
                keys = [_GONE + row.text("id").removeprefix(_UNSPENT) for row in found]
                others = self._store.find("holdings", keys, decides=False)
                gone.update(row.cursor for row in chain.from_iterable(self._store.sound(others, _entries)))
            for row in chain.from_iterable(self._store.sound(found, _entries)):
                if row.cursor > start and row.cursor not in gone:
                    yield row
            if len(found) < size:
                return
            behind, bound = found[-1].text("id"), "open"

    # --- of an asset -----------------------------------------------------------------------------------------

    def lineages(self, outputs: Sequence[OutputRef]) -> dict[OutputRef, Lineage]:
        """See `Storage.lineages`."""
        ids = [f"{output.txid}/{output.cid}" for output in outputs]
        rows = self._store.find("outputs", ids, fields=("id", "asset", "step"), decides=False)
        return dict(self._store.sound(rows, lambda row: (row.ref(), row.lineage())))

    def of_asset(self, asset: str, start: int, limit: int) -> list[OutputRow]:
        """Return up to `limit` outputs of an asset behind a step; see `Storage.outputs_of_asset`."""
        self._store.check_open()
        if not may_be_key(f"{asset}/~"):
            return []
        first = self._line_before(asset, start + 1)
        if first is None or limit < 1:
            return []
        id_, step = first
        if start + 1 - step > _MARKED:
            # One of the two was altered, and to walk from there could take for ever.
            self._store.say_once(f"the ledger is damaged: table outputs, document {id_!r} at step {step}")
            return []
        line = r.range(start - step + limit + 1).fold(
            _with_spender(r.table("outputs").get(id_)),
            lambda row, _: r.branch(row.eq(None), None, _with_spender(_next_of(row, asset))),
            emit=lambda row, _, __: r.branch(row.eq(None), [], [row]),
        )
        found = self._store.sound(self._store.rows("outputs", line, decides=False), _in_line)
        return [OutputRow(cursors.at(step), ref, spender) for step, ref, spender in found if step > start]

    def _line_before(self, asset: str, step: int) -> tuple[str, int] | None:
        """Return where to begin a walk along an asset's line to a step: an output, and at which step it is itself."""
        mark = self._postings.mark_before(asset, step) if step >= _MARKED else None
        if mark:
            rows = self._store.find("outputs", [mark], decides=False)
        else:
            own = r.table("outputs").between(f"{asset}/", f"{asset}/~")
            rows = self._store.rows("outputs", own, decides=False)
        found = self._store.sound(rows, lambda row: (row.text("id"), row.lineage()))
        return next(((id_, line.step) for id_, line in found if line.asset == asset), None)


def _documents(outputs: Sequence[NewOutput], first: int) -> dict[str, dict[str, Any]]:
    """Return the documents of new outputs, by their ids; the first place is given."""
    rows: dict[str, dict[str, Any]] = {}
    for i, new in enumerate(outputs):
        ref = new.ref
        id_ = f"{ref.txid}/{ref.cid}"
        row: dict[str, Any] = {"id": id_, "owners": list(dict.fromkeys(new.owners)), "place": _named(first + i, ref)}
        if new.lineage != Lineage(ref.txid, 1):
            row |= {"asset": new.lineage.asset, "step": new.lineage.step}
        rows.setdefault(id_, row)
    return rows


def _named(place: int, ref: OutputRef) -> str:
    return named(place, f"{ref.txid[:12]}/{ref.cid}")


def _in_line(row: Row) -> tuple[int, OutputRef, str | None]:
    """Return step, output and spender of an output that was walked to."""
    return row.lineage().step, row.ref(), row.text("spent_by") if row.has("spent_by") else None


def _output(row: Row) -> _Output:
    place = row.text("place")
    if not _PLACE.fullmatch(place):
        raise row.damaged("place")
    owners = tuple(row.texts("owners"))
    if not all(may_be_key(f"{_UNSPENT}/{owner}/{place[:_LISTED_DIGITS]}") for owner in owners):
        raise row.damaged("owners")
    return _Output(row.text("id"), owners, place)


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
        ref = OutputRef(entry[2], int(entry[3]))
        at = int(place[1] + entry[1])
        cursor = named(at, f"{entry[4]}{ref.txid}") if form is _SPENT_ENTRY else _named(at, ref)
        rows.append(OutputRow(cursor, ref, None if spender is True else spender))
    return sorted(rows, key=lambda row: row.cursor)


def _list_documents(lists: Mapping[str, Mapping[str, object]]) -> list[dict[str, object]]:
    return [{"id": key, "of": entries} for key, entries in lists.items()]


def _is_list(row: Any) -> Any:
    return row["of"].type_of().default(None).eq("OBJECT")


def _joined(_: Any, standing: Any, new: Any) -> Any:
    # Of two spenders the first stays.
    return r.branch(_is_list(standing), new.merge(standing), new)


def _without(row: Any, gone: Any) -> Any:
    left = row["of"].without(r.args(gone))
    return r.branch(_is_list(row), r.branch(left.keys().is_empty(), None, row.merge({"of": r.literal(left)})), row)


def _with_spender(row: Any) -> Any:
    """Return an output with its spender beside it, if it has one."""

    def looked_up(output: Any) -> Any:
        place = output["place"].match(f"^{_PLACE.pattern}$")["groups"].map(lambda group: group["str"])
        owner = output["owners"].nth(0).default(_NOBODY)
        entries = r.table("holdings").get(r.expr(f"{_GONE}/") + owner + "/" + place.nth(0))["of"]
        spender = entries[place.nth(1) + output["id"]].default(None)
        return output.merge(r.branch(spender.eq(None), {}, {"spent_by": spender}))

    return r.expr(row).do(lambda output: r.branch(output.eq(None), None, looked_up(output)))


def _next_of(row: Any, asset: str) -> Any:
    """Return the output that came of one when it was spent: the one of its spender's that holds the same asset."""
    of_spender = row["spent_by"].do(lambda txid: r.table("outputs").between(txid + "/", txid + "/~"))
    return r.branch(row.has_fields("spent_by"), of_spender.filter({"asset": asset}).nth(0).default(None), None)
