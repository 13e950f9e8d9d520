"""The settled outputs in RethinkDB: whose each is, where in the lists, and which asset it holds.

Outputs of transactions that came together lie together, under the addresses of these (`rethinkdb_postings`): a document
of `outputs` is `{id: all digits of an address, spread, but the last, of: {last digit + name of the id/cid: {owners,
place, asset and step}}}`, where asset and step are left out of what begins an asset.

Invariants:

- What is stored of an output is stored once and never changed.  Its place is the one that stands, whoever settles the
  same at the same moment: so all list it under the same key, and every step may be repeated, in any order.
- The outputs of an asset are in a line, in which the spender of each makes the next; every 64th has a posting, and
  from there one walks, in the server.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bigchaindb.exceptions import StorageMismatch
from bigchaindb.model.reference import OutputRef
from bigchaindb.storage import cursors
from bigchaindb.storage.records import Lineage, OutputRow
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_names import name_of, named_by
from bigchaindb.storage.rethinkdb_places import PLACE, PLACE_DIGITS, named, neighbours
from bigchaindb.storage.rethinkdb_postings import PLACES
from bigchaindb.storage.rethinkdb_rows import Row
from bigchaindb.storage.rethinkdb_store import is_a, may_be_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bigchaindb.storage.records import NewOutput
    from bigchaindb.storage.rethinkdb_postings import Postings
    from bigchaindb.storage.rethinkdb_store import Store

__all__ = ["GONE", "LISTED_DIGITS", "NOBODY", "UNSPENT", "Output", "Outputs", "named_place"]

# Kinds of lists in `holdings`, by which the spender of an output is found; see there.
UNSPENT: Final = "u"
GONE: Final = "g"
NOBODY: Final = ""
# A list is found by all digits of a place but the last.
LISTED_DIGITS: Final = PLACE_DIGITS - 1

_TABLE: Final = "outputs"
_PLACE: Final = re.compile(rf"([0-9]{{{LISTED_DIGITS}}})([0-9])-.*", re.DOTALL)
_CID: Final = "[0-9]{1,9}"
_MARKED: Final = 64
_REMEMBERED: Final = 20_000
# More often nothing can have been handed on.
_MANY: Final = 10**12


class Output(NamedTuple):
    """An output as it stands.

    Attributes:
        ref: which.
        owners: each once.
        place: the named place.
        lineage: which asset it holds.
    """

    ref: OutputRef
    owners: tuple[str, ...]
    place: str
    lineage: Lineage

    @property
    def entry(self) -> str:
        """Return how lists call it."""
        return f"{self.place[LISTED_DIGITS]}{name_of(self.ref.txid)}/{self.ref.cid}"

    @property
    def number(self) -> int:
        """Return the place without the name."""
        return int(self.place[:PLACE_DIGITS])

    def lists(self) -> list[tuple[str, str]]:
        """Return the keys of the lists, unspent and gone, of each owner; what nobody owns is in one as well."""
        tail = self.place[:LISTED_DIGITS]
        return [(f"{UNSPENT}/{owner}/{tail}", f"{GONE}/{owner}/{tail}") for owner in self.owners or (NOBODY,)]


class Outputs:
    """The settled outputs of one ledger."""

    def __init__(self, store: Store, postings: Postings) -> None:
        """Read and write with these."""
        self._store = store
        self._postings = postings
        self._known: dict[OutputRef, Output] = {}

    # --- in and out ------------------------------------------------------------------------------------------

    def find(self, refs: Iterable[OutputRef]) -> dict[OutputRef, Output]:
        """Return what stands of these outputs; what is not settled is left out."""
        wanted = dict.fromkeys(refs)
        found = {ref: output for ref in wanted if (output := self._known.get(ref))}
        missing = [ref for ref in wanted if ref not in found]
        parts = self._parts(missing, self._postings.addresses(ref.txid for ref in missing))
        read: dict[OutputRef, Output] = {}
        for key, part, fields in self._store.find_parts(_TABLE, parts):
            ref = parts[key][part]
            try:
                row = Row(_TABLE, fields if isinstance(fields, dict) else {}, called=f"{ref.txid}/{ref.cid}")
                read[ref] = _output(ref, row)
            except StorageMismatch as error:
                self._store.say_once(str(error))
        self._learn(read)
        return found | read

    def _learn(self, outputs: Mapping[OutputRef, Output]) -> None:
        # They never change, and what was made last is likely to be spent next.
        if len(self._known) > _REMEMBERED:
            self._known = {}
        self._known.update(outputs)

    def add(self, outputs: Sequence[NewOutput]) -> dict[OutputRef, Output]:
        """Store outputs, each once; return them as they stand, because another may have been first."""
        addresses = self._postings.make_addresses(new.ref.txid for new in outputs)
        # As late as may be: whoever follows a list waits until nothing can be filed before a place any more.
        first = self._store.places(len(outputs))
        by_ref = {
            new.ref: Output(new.ref, tuple(dict.fromkeys(new.owners)), named_place(place, new.ref), new.lineage)
            for place, new in enumerate(outputs, start=first)
        }
        parts = self._parts(by_ref, addresses)
        rows = [
            {"id": key, "of": {part: _fields(by_ref[ref]) for part, ref in refs.items()}} for key, refs in parts.items()
        ]
        if self._store.put(_TABLE, rows, _joined) < len(rows):
            return self.find(by_ref)
        self._learn(by_ref)
        return by_ref

    def lineages(self, refs: Iterable[OutputRef]) -> dict[OutputRef, Lineage]:
        """See `Storage.lineages`."""
        return {ref: output.lineage for ref, output in self.find(refs).items()}

    @staticmethod
    def _parts(refs: Iterable[OutputRef], addresses: Mapping[str, int]) -> dict[str, dict[str, OutputRef]]:
        """Return where these outputs are: by key of the document, by name in it."""
        parts: dict[str, dict[str, OutputRef]] = {}
        for ref in refs:
            if ref.txid in addresses:
                key, digit = neighbours(addresses[ref.txid])
                parts.setdefault(key, {})[f"{digit}{name_of(ref.txid)}/{ref.cid}"] = ref
        return parts

    # --- of an asset -----------------------------------------------------------------------------------------

    def mark(self, outputs: Iterable[NewOutput]) -> None:
        """Note those of these outputs from which the line of an asset can be walked."""
        lines = ((new.lineage, f"{new.ref.txid}/{new.ref.cid}") for new in outputs)
        marks = [self._postings.mark(of.asset, of.step, id_) for of, id_ in lines if of.step % _MARKED == 0]
        if marks:
            self._postings.add(marks)

    def of_asset(self, asset: str, start: int, limit: int) -> list[OutputRow]:
        """Return up to `limit` outputs of an asset behind a step; see `Storage.outputs_of_asset`."""
        self._store.check_open()
        if limit < 1 or not may_be_key(f"{PLACES}{name_of(asset)}/{cursors.at(start)}"):
            return []
        first = self._line_before(asset, start + 1)
        if first is None:
            return []
        step = first.lineage.step
        if start + 1 - step > _MARKED:
            # One of the two was altered, and to walk from there could take for ever.
            self._store.say_once(f"the ledger is damaged: table outputs, document {first.ref} at step {step}")
            return []
        name, cid = name_of(first.ref.txid), str(first.ref.cid)
        line = r.range(start - step + limit + 1).fold(
            _with_spender(_of_transaction(name).filter({"cid": cid}).nth(0).default(None)),
            lambda row, _: r.branch(row.eq(None), None, _with_spender(_next_of(row, name_of(asset)))),
            emit=lambda row, _, __: r.branch(row.eq(None), [], [row]),
        )
        found = self._store.sound(self._store.rows(_TABLE, line, decides=False), _in_line)
        return [OutputRow(cursors.at(step), ref, spender) for step, ref, spender in found if step > start]

    def _line_before(self, asset: str, step: int) -> Output | None:
        """Return an output from which to walk along an asset's line to a step."""
        mark = self._postings.mark_before(asset, step) if step >= _MARKED else None
        if mark:
            txid, _, cid = mark.rpartition("/")
            refs = [OutputRef(txid, int(cid))] if re.fullmatch(_CID, cid) else []
        else:
            rows = self._store.rows(_TABLE, _of_transaction(name_of(asset)), decides=False)
            refs = self._store.sound(rows, _ref)
        return next((output for output in self.find(refs).values() if output.lineage.asset == asset), None)


def named_place(place: int, ref: OutputRef) -> str:
    """Return a place with the name of an output behind it."""
    return named(place, f"{ref.txid[:12]}/{ref.cid}")


def _fields(output: Output) -> dict[str, Any]:
    fields: dict[str, Any] = {"owners": list(output.owners), "place": output.place}
    if output.lineage != Lineage(output.ref.txid, 1):
        fields |= {"asset": name_of(output.lineage.asset), "step": output.lineage.step}
    return fields


def _output(ref: OutputRef, row: Row) -> Output:
    place = row.text("place")
    if not _PLACE.fullmatch(place):
        raise row.damaged("place")
    owners = tuple(row.texts("owners"))
    tail = place[:LISTED_DIGITS]
    for owner in owners:
        if not may_be_key(f"{UNSPENT}/{owner}/{tail}"):
            raise row.damaged("owners")
    return Output(ref, owners, place, _lineage(ref, row))


def _lineage(ref: OutputRef, row: Row) -> Lineage:
    if not row.has("asset"):
        return Lineage(ref.txid, 1)
    lineage = Lineage(named_by(row.text("asset")), row.whole("step"))
    if not 0 < lineage.step < _MANY:
        raise row.damaged("step")
    if not may_be_key(lineage.asset):
        raise row.damaged("asset")
    return lineage


def _ref(row: Row) -> OutputRef:
    cid = row.text("cid")
    if not re.fullmatch(_CID, cid):
        raise row.damaged("cid")
    return OutputRef(named_by(row.text("name")), int(cid))


def _in_line(row: Row) -> tuple[int, OutputRef, str | None]:
    """Return step, output and spender of an output that was walked to."""
    ref = _ref(row)
    return _lineage(ref, row).step, ref, named_by(row.text("spent_by")) if row.has("spent_by") else None


def _joined(_: Any, standing: Any, new: Any) -> Any:
    # Of what two say of an output the first stays, whole.
    missing = new["of"].without(r.args(standing["of"].keys()))
    return r.branch(is_a(standing["of"], "OBJECT"), standing.merge({"of": missing}), new)


# --- in the server ---------------------------------------------------------------------------------------


def _of_transaction(name: Any) -> Any:
    """Return the outputs of the transaction that has a name, each with that and its cid."""
    posting = r.table("postings").get(r.expr(PLACES) + name)["of"].default(None)
    places = r.branch(is_a(posting, "ARRAY"), posting, [])
    addresses = places.filter(lambda entry: is_a(entry, "STRING").and_(entry.match(f"^{PLACE}$"))).limit(1)

    def at(address: Any) -> Any:
        of = r.table(_TABLE).get(address.slice(0, LISTED_DIGITS))["of"].default(None)
        shared = r.branch(is_a(of, "OBJECT"), of.coerce_to("array"), [])
        mine = address.slice(LISTED_DIGITS) + name
        split = shared.map(lambda pair: {"of": pair[0].split("/"), "is": pair[1]})
        found = split.filter(
            lambda part: part["of"].count().eq(2).and_(part["of"][0].eq(mine), is_a(part["is"], "OBJECT"))
        )
        return found.map(lambda part: part["is"].merge({"name": name, "cid": part["of"][1]}))

    return addresses.concat_map(at)


def _with_spender(row: Any) -> Any:
    """Return an output with its spender beside it, if it has one."""

    def looked_up(output: Any) -> Any:
        place = output["place"].match(f"^{_PLACE.pattern}$")["groups"].map(lambda group: group["str"])
        owner = output["owners"].nth(0).default(NOBODY)
        entries = r.table("holdings").get(r.expr(f"{GONE}/") + owner + "/" + place.nth(0))["of"]
        spender = entries[place.nth(1) + output["name"] + "/" + output["cid"]].default(None)
        return output.merge(r.branch(spender.eq(None), {}, {"spent_by": spender}))

    return r.expr(row).do(lambda output: r.branch(output.eq(None), None, looked_up(output)))


def _next_of(row: Any, asset: str) -> Any:
    """Return the output that came of one when it was spent: the one of its spender's that holds the same asset."""
    spenders = row["spent_by"].do(_of_transaction)
    return r.branch(row.has_fields("spent_by"), spenders.filter({"asset": asset}).nth(0).default(None), None)
