"""What belongs to a transaction id, an output, a payload or an asset: lists that only grow, each under one primary key.

A posting is a document `{"id": key, "of": [entries]}` whose key says what is looked up.  One table for all of them
means one write, and one wait for the disk, for all that a batch of transactions adds.

Invariants:

- An entry is added once, at the end, by one atomic write; none is ever taken away.
- What an entry names may not be stored yet, or never, where its writer was killed: it is passed over.
- A random key costs a page of the disk for itself, so there is at most one per transaction, output and payload, and one
  for many steps of an asset.  Blocks are looked up by the moments of the texts instead: texts that were appended
  together lie together there.
- Members share the database: an entry that was not written here is passed over, a document gives way.
- A moment is not one writer's own, so what is filed under it names the texts by their hashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bigchaindb.storage import cursors
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_places import moment, named
from bigchaindb.storage.rethinkdb_store import may_be_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.storage.rethinkdb_rows import Row
    from bigchaindb.storage.rethinkdb_store import Store

__all__ = ["Postings"]

_TEXTS: Final = "t"
_BLOCKS: Final = "b"
_SPENDERS: Final = "s"
_PAYLOAD: Final = "p"
_MARK: Final = "m"

# How the entry of a block begins that is filed under a transaction id.
_BLOCK_OF_ID: Final = "!"
_PLACE_DIGITS: Final = 16


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
        found = {id_: self._split(entries)[0] for id_, entries in self._find(_TEXTS, ids).items()}
        return {id_: texts for id_, texts in found.items() if texts}

    # --- the blocks in which a transaction stands ------------------------------------------------------------

    def add_block(self, key: str, transactions: Iterable[tuple[str, str]]) -> None:
        """Add a stored block to the (id, hash) of the transactions that it holds."""
        pairs = dict.fromkeys(transactions)
        known = self.texts(id_ for id_, _ in pairs)
        entries: list[tuple[str, str]] = []
        listed: dict[str, list[str]] = {}
        for id_, hash_ in pairs:
            # Of several places the first: it is where this look-up finds it again.
            place = next((place for text, place in known.get(id_, ()) if text == hash_), None)
            if place is None:
                # Whoever wrote this block wrote it before its contents, or under a false id.
                entries.append((_TEXTS + id_, f"{_BLOCK_OF_ID}{key} {hash_}"))
            else:
                listed.setdefault(_BLOCKS + moment(place), []).append(hash_)
        self.add([*entries, *((moment_, f"{key} {','.join(sorted(hashes))}") for moment_, hashes in listed.items())])

    def standings(self, ids: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """Return the (block key, hash of the text) of each id that has any."""
        found = {id_: self._split(entries) for id_, entries in self._find(_TEXTS, ids).items()}
        first_places = {id_: dict(reversed(texts)) for id_, (texts, _) in found.items()}
        moments = [moment(place) for places in first_places.values() for place in places.values()]
        blocks = {at: [_key_and_hashes(entry) for entry in of] for at, of in self._find(_BLOCKS, moments).items()}
        # A block that was written before its contents, and once more after them, is filed in both ways.
        return {
            id_: list(
                dict.fromkeys(
                    blocks_of_id
                    + [
                        (key, hash_)
                        for hash_, place in first_places[id_].items()
                        for key, hashes in blocks.get(moment(place), ())
                        if hash_ in hashes
                    ]
                )
            )
            for id_, (_, blocks_of_id) in found.items()
        }

    # --- the transactions that spend an output ---------------------------------------------------------------

    @staticmethod
    def spender(output: OutputRef, id_: str) -> tuple[str, str]:
        """Return the entry of a transaction that spends an output."""
        return f"{_SPENDERS}{output.txid}/{output.cid}", id_

    def spenders(self, outputs: Iterable[OutputRef]) -> dict[OutputRef, list[str]]:
        """Return the ids of those that spend each output, oldest first."""
        named_ = {f"{output.txid}/{output.cid}": output for output in outputs}
        return {named_[name]: entries for name, entries in self._find(_SPENDERS, named_).items()}

    # --- the valid transactions with a payload ---------------------------------------------------------------

    @staticmethod
    def payload(payload_hash: str, id_: str, place: int) -> tuple[str, str]:
        """Return the entry of a transaction with a payload; its place keeps them in order."""
        return f"{_PAYLOAD}{payload_hash}/{named(place, id_)}", id_

    def add_payloads(self, entries: Iterable[tuple[str, str]]) -> None:
        """Add entries of transactions with payloads, of which others may have added some."""
        wanted = dict(entries)
        # Every node does this for every block, and a look costs a tenth of a write.
        there = self._store.find("postings", wanted, fields=("id",))
        for row in self._store.sound(there, lambda row: row.text("id")):
            wanted.pop(row)
        self.add(wanted.items())

    def with_payload(self, payload_hash: str, after: str, limit: int) -> list[tuple[str, str]]:
        """Return up to `limit` (named place, id) behind a named place; see `Storage.with_payload_hash`."""
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
        found = self._store.sound(rows, lambda row: (row.text("id").removeprefix(prefix), row.some_texts("of")))
        return [(place, id_) for place, ids in found for id_ in ids]

    # --- some of the outputs that have held an asset ---------------------------------------------------------

    @staticmethod
    def mark(asset: str, step: int, output: str) -> tuple[str, str]:
        """Return the entry of an output at a step of an asset's line."""
        return f"{_MARK}{asset}/{cursors.at(step)}", output

    def mark_before(self, asset: str, step: int) -> str | None:
        """Return the last such output up to a step."""
        first, last = f"{_MARK}{asset}/", f"{_MARK}{asset}/{cursors.at(step)}"
        query = r.table("postings").between(first, last, right_bound="closed").order_by(index=r.desc("id")).limit(1)
        rows = self._store.rows("postings", query, decides=False)
        return next((output for of in self._store.sound(rows, _entries) for output in of), None)

    # --- all of them -----------------------------------------------------------------------------------------

    def add(self, entries: Iterable[tuple[str, str]]) -> None:
        """Add entries, each from one of the functions above."""
        lists: dict[str, list[str]] = {}
        for key, entry in entries:
            lists.setdefault(key, []).append(entry)
        self._store.put("postings", [{"id": key, "of": list(dict.fromkeys(of))} for key, of in lists.items()], _added)

    def _find(self, kind: str, names: Iterable[str]) -> dict[str, list[str]]:
        rows = self._store.find("postings", [kind + name for name in names])
        return dict(self._store.sound(rows, lambda row: (row.text("id")[len(kind) :], row.some_texts("of"))))

    def _split(self, entries: Iterable[str]) -> tuple[list[tuple[str, int]], list[tuple[str, str]]]:
        """Return what is filed under an id: the texts, each with its place, and the blocks, each with a hash."""
        texts: list[tuple[str, int]] = []
        blocks: list[tuple[str, str]] = []
        for entry in entries:
            head, _, tail = entry.rpartition(" ")
            if head.startswith(_BLOCK_OF_ID):
                blocks.append((head.removeprefix(_BLOCK_OF_ID), tail))
            elif tail.isascii() and tail.isdecimal() and len(tail) <= _PLACE_DIGITS:
                texts.append((head, int(tail)))
            else:
                self._store.say_once(f"the ledger is damaged: table postings, entry {entry[:80]!r}")
        return texts, blocks


def _entries(row: Row) -> list[str]:
    return row.some_texts("of")


def _added(_: Any, standing: Any, new: Any) -> Any:
    missing = new["of"].filter(lambda entry: standing["of"].contains(entry).not_())
    is_list = standing["of"].type_of().default(None).eq("ARRAY")
    return r.branch(is_list, standing.merge({"of": standing["of"].add(missing)}), new)


def _key_and_hashes(entry: str) -> tuple[str, set[str]]:
    key, _, hashes = entry.rpartition(" ")
    return key, set(hashes.split(","))
