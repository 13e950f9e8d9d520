"""What belongs to a transaction id, an output or a payload: lists that only grow, each under one primary key.

A posting is a document `{"id": key, "of": [entries]}` whose key says what is looked up.  One table for all of them
means one write, and one wait for the disk, for all that a batch of transactions adds.

Invariants:

- An entry is added once, at the end, by one atomic write; none is ever taken away.
- What an entry names is stored before the entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bigchaindb.exceptions import StorageMismatch
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_places import named
from bigchaindb.storage.rethinkdb_store import may_be_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.storage.rethinkdb_store import Store

__all__ = ["Postings"]

_TEXTS = "t"
_BLOCKS = "b"
_SPENDERS = "s"
_PAYLOAD = "p"


class Postings:
    """The postings of one ledger."""

    def __init__(self, store: Store) -> None:
        """Read and write with this."""
        self._store = store

    # --- the texts of a transaction id, each with the places at which it waits or has waited -----------------

    @staticmethod
    def text(id_: str, hash_: str, place: int) -> tuple[str, str]:
        """Return the entry of a signed text."""
        return _TEXTS + id_, f"{hash_} {place}"

    def texts(self, ids: Iterable[str]) -> dict[str, list[tuple[str, int]]]:
        """Return the (hash, place) of each id that has any, oldest first."""
        found = self._find(_TEXTS, ids)
        return {id_: [_hash_and_place(entry) for entry in entries] for id_, entries in found.items()}

    # --- the blocks in which a transaction stands ------------------------------------------------------------

    @staticmethod
    def standing(id_: str, key: str, hash_: str) -> tuple[str, str]:
        """Return the entry of a stored block that holds a signed text of a transaction."""
        return _BLOCKS + id_, f"{key} {hash_}"

    def standings(self, ids: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """Return the (block key, hash of the text) of each id that has any, oldest first."""
        found = self._find(_BLOCKS, ids)
        return {id_: [_key_and_hash(entry) for entry in entries] for id_, entries in found.items()}

    # --- the transactions that spend an output ---------------------------------------------------------------

    @staticmethod
    def spender(output: OutputRef, id_: str) -> tuple[str, str]:
        """Return the entry of a transaction that spends an output."""
        return f"{_SPENDERS}{output.txid}/{output.cid}", id_

    def spenders(self, outputs: Iterable[OutputRef]) -> dict[OutputRef, list[str]]:
        """Return the ids of those that spend each output, oldest first."""
        named_ = {f"{output.txid}/{output.cid}": output for output in outputs}
        return {named_[name]: entries for name, entries in self._find(_SPENDERS, named_).items()}

    # --- the transactions with a payload ---------------------------------------------------------------------

    @staticmethod
    def payload(payload_hash: str, id_: str, place: int) -> tuple[str, str]:
        """Return the entry of a transaction with a payload; the place keeps them in order."""
        return f"{_PAYLOAD}{payload_hash}/{named(place, id_)}", id_

    def with_payload(self, payload_hash: str, after: str, limit: int) -> list[tuple[str, str]]:
        """Return up to `limit` (named place, id) behind a named place, oldest first."""
        prefix = f"{_PAYLOAD}{payload_hash}/"
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
        return [(row.text("id").removeprefix(prefix), id_) for row in rows for id_ in row.texts("of")]

    # --- all of them -----------------------------------------------------------------------------------------

    def add(self, entries: Iterable[tuple[str, str]]) -> None:
        """Add entries, each from one of the functions above."""
        lists: dict[str, list[str]] = {}
        for key, entry in entries:
            lists.setdefault(key, []).append(entry)
        self._store.put("postings", [{"id": key, "of": list(dict.fromkeys(of))} for key, of in lists.items()], _added)

    def _find(self, kind: str, names: Iterable[str]) -> dict[str, list[str]]:
        rows = self._store.find("postings", [kind + name for name in names])
        return {row.text("id")[len(kind) :]: row.texts("of") for row in rows}


def _added(_: Any, standing: Any, new: Any) -> Any:
    missing = new["of"].filter(lambda entry: standing["of"].contains(entry).not_())
    return standing.merge({"of": standing["of"].add(missing)})


def _hash_and_place(entry: str) -> tuple[str, int]:
    hash_, _, place = entry.rpartition(" ")
    if not place.isdecimal():
        raise StorageMismatch(f"the ledger is damaged: table postings, entry {entry[:80]!r}")
    return hash_, int(place)


def _key_and_hash(entry: str) -> tuple[str, str]:
    key, _, hash_ = entry.rpartition(" ")
    return key, hash_
