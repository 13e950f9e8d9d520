"""Who holds what, and what has become of each asset: documents `{id: txid/cid, owners, place, ...}`, one per output.

Invariants:

- A document is made once; its spender is added once.
- The place orders the outputs of an owner.  Those of an asset are in a line, in which each names its spender; every
  64th has a posting, and from there one walks, in the server.  (An index by asset would cost half as much again as all
  else that is done for an output, even one without entries.)
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.storage import cursors
from bigchaindb.storage.records import Lineage
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_places import named
from bigchaindb.storage.rethinkdb_store import fill, may_be_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.storage.records import Effects, OutputRow
    from bigchaindb.storage.rethinkdb_postings import Postings
    from bigchaindb.storage.rethinkdb_rows import Row
    from bigchaindb.storage.rethinkdb_store import Store

__all__ = ["Holdings"]

_MARKED: Final = 64


class Holdings:
    """The outputs of one ledger."""

    def __init__(self, store: Store, postings: Postings) -> None:
        """Read and write with these."""
        self._store = store
        self._postings = postings

    def settle(self, effects: Effects) -> None:
        """See `Storage.settle`; every row is right by itself, so it may be begun again anywhere."""
        self._store.check_open()
        first = self._store.places(len(effects.outputs))
        rows: dict[str, dict[str, Any]] = {}
        for i, new in enumerate(effects.outputs):
            ref = new.ref
            id_ = f"{ref.txid}/{ref.cid}"
            place = named(first + i, f"{ref.txid[:12]}/{ref.cid}")
            rows.setdefault(id_, {"id": id_, "owners": list(dict.fromkeys(new.owners)), "place": place})
            if new.lineage != Lineage(ref.txid, 1):
                rows[id_].setdefault("asset", new.lineage.asset)
                rows[id_].setdefault("step", new.lineage.step)
        gone: dict[str, str] = {}
        for ref, spender in effects.spent:
            id_ = f"{ref.txid}/{ref.cid}"
            if id_ in rows:
                rows[id_].setdefault("spent_by", spender)
            else:
                gone.setdefault(id_, spender)
        # Every node does this for every block, and a look costs a tenth of a write.
        known = self._store.find("outputs", [*rows, *gone], fields=("id", "spent_by"))
        is_spent = {row.text("id"): row.has("spent_by") for row in known}
        gone.update((id_, row["spent_by"]) for id_, row in rows.items() if id_ in is_spent and "spent_by" in row)
        missing = [row for id_, row in rows.items() if id_ not in is_spent]
        newly_gone = {id_: spender for id_, spender in gone.items() if not is_spent.get(id_)}
        self._store.together(
            lambda: self._store.put("outputs", missing, fill),
            lambda: self._store.change("outputs", newly_gone, _spent),
        )
        lines = ((new.lineage, f"{new.ref.txid}/{new.ref.cid}") for new in effects.outputs)
        marks = [self._postings.mark(of.asset, of.step, id_) for of, id_ in lines if of.step % _MARKED == 0]
        if marks:
            self._postings.add(marks)

    def of_owner(self, owner: str, *, spent: bool | None, start: str, limit: int) -> list[OutputRow]:
        """Return up to `limit` holdings of an owner behind a named place; see `Storage.outputs_of`."""
        self._store.check_open()
        if not may_be_key(owner):
            return []
        held = r.table("outputs")
        rows = [
            row.output()
            for kind in ((False, True) if spent is None else (spent,))
            for row in self._store.rows(
                "outputs",
                held.between([owner, kind, start], [owner, kind, r.maxval], index="held", left_bound="open")
                .order_by(index="held")
                .limit(limit),
                decides=False,
            )
        ]
        return list(islice(sorted(rows, key=lambda row: row.cursor), limit))

    def lineages(self, outputs: Sequence[OutputRef]) -> dict[OutputRef, Lineage]:
        """See `Storage.lineages`."""
        ids = [f"{output.txid}/{output.cid}" for output in outputs]
        rows = self._store.find("outputs", ids, fields=("id", "asset", "step"), decides=False)
        return {row.ref(): row.lineage() for row in rows}

    def of_asset(self, asset: str, start: int, limit: int) -> list[OutputRow]:
        """Return up to `limit` outputs of an asset behind a step; see `Storage.outputs_of_asset`."""
        self._store.check_open()
        if not may_be_key(f"{asset}/~"):
            return []
        first = self._line_before(asset, start + 1)
        if first is None or limit < 1:
            return []
        line = r.range(start - first.lineage().step + limit).fold(
            r.table("outputs").get(first.text("id")),
            lambda row, _: r.branch(row.eq(None), None, _next_of(row, asset)),
            emit=lambda _, __, row: r.branch(row.eq(None), [], [row]),
        )
        rows = [first, *self._store.rows("outputs", line, decides=False)]
        found = [(row.lineage().step, row.output()) for row in rows]
        return [replace(row, cursor=cursors.at(step)) for step, row in found if step > start]

    def _line_before(self, asset: str, step: int) -> Row | None:
        """Return where to begin a walk along an asset's line to a step."""
        mark = self._postings.mark_before(asset, step) if step >= _MARKED else None
        if mark:
            rows = self._store.find("outputs", [mark], decides=False)
        else:
            own = r.table("outputs").between(f"{asset}/", f"{asset}/~")
            rows = [row for row in self._store.rows("outputs", own, decides=False) if row.lineage().asset == asset]
        return rows[0] if rows else None


def _spent(row: Any, spender: Any) -> Any:
    return row.merge(r.branch(row.has_fields("spent_by"), {}, {"spent_by": spender}))


def _next_of(row: Any, asset: str) -> Any:
    """Return the output that came of one when it was spent: the one of its spender's that holds the same asset."""
    of_spender = row["spent_by"].do(lambda txid: r.table("outputs").between(txid + "/", txid + "/~"))
    return r.branch(row.has_fields("spent_by"), of_spender.filter({"asset": asset}).nth(0).default(None), None)
