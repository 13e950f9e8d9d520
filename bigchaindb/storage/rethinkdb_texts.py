"""Signed texts in RethinkDB.

Texts that came together lie together: a document of `transactions` is `{id: all digits of a place, spread, but the
last, of: {last digit + name of the id: {name of the hash: [text, tag]}}}`.  A document for each, under its hash, would
cost the server several times as much, and the more so the more there are.

Invariants:

- A text is found by hash and id, which is to say by the places of its id (`rethinkdb_postings`).
- Under a hash there is one text.  Anything else is a stranger's: at the same place it gives way, at another it is
  passed over where there is the true one.
- No document gets large: a text that would make it so lies in the next.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.crypto import hash_data
from bigchaindb.storage.grouping import grouped
from bigchaindb.storage.records import StoredTransaction, TextRef
from bigchaindb.storage.rethinkdb_driver import r
from bigchaindb.storage.rethinkdb_names import name_of, named_by
from bigchaindb.storage.rethinkdb_places import NEIGHBOURS, PER_MILLISECOND, neighbours
from bigchaindb.storage.rethinkdb_rows import Row
from bigchaindb.storage.rethinkdb_store import is_a

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from bigchaindb.storage.records import NewTransaction
    from bigchaindb.storage.rethinkdb_postings import Postings
    from bigchaindb.storage.rethinkdb_store import Store

__all__ = ["Texts", "in_moments"]

_TABLE: Final = "transactions"
_SHARED_CHARACTERS: Final = 256 * 1024
_JUNK: Final[Iterable[Any]] = (("", None),)


class Texts:
    """The signed texts of one ledger."""

    def __init__(self, store: Store, postings: Postings) -> None:
        """Read and write with these."""
        self._store = store
        self._postings = postings

    def keep(self, transactions: Sequence[NewTransaction], places: Sequence[int]) -> bool:
        """Store texts and their index, each at its place, also where they are stored elsewhere.

        Returns:
            Whether certainly nothing was filed under any of their ids before.
        """
        at: dict[str, int] = {}
        for transaction, place in zip(transactions, places, strict=True):
            at.setdefault(transaction.id, place)
        spent = {output.txid for transaction in transactions for output in transaction.spends}
        addresses = self._postings.make_addresses(spent, at)
        shared: dict[str, dict[str, dict[str, list[str]]]] = {}
        entries = []
        for transaction, place in zip(transactions, places, strict=True):
            key, digit = neighbours(place)
            tag = b2a_base64(transaction.tag, newline=False).decode()
            of_id = shared.setdefault(key, {}).setdefault(digit + name_of(transaction.id), {})
            of_id[name_of(transaction.hash)] = [transaction.text, tag]
            entries.append(self._postings.place(transaction.id, place))
            spends = transaction.spends
            entries += [self._postings.spender(output, addresses[output.txid], transaction.id) for output in spends]
        rows = [{"id": key, "of": of} for key, of in shared.items()]
        is_new: list[bool] = []
        write = partial(self._store.put, _TABLE, rows, _joined)
        self._store.together(write, lambda: is_new.append(self._postings.add(entries)))
        if is_new[0]:
            self._postings.learn(at)
        self._postings.learn_places((t.id, place) for t, place in zip(transactions, places, strict=True))
        return is_new[0]

    def contents(self, texts: Iterable[TextRef]) -> dict[str, StoredTransaction]:
        """See `Storage.contents`."""
        wanted = dict.fromkeys(texts)
        found = self._chosen(wanted, self._postings.places(ref.id for ref in wanted))
        return {ref.hash: text for ref, text in found.items()}

    def of_ids(self, ids: Iterable[str]) -> dict[str, list[StoredTransaction]]:
        """See `Storage.transactions`."""
        found = self._at(self._postings.places(ids), decides=False)
        return grouped((ref.id, text) for ref, text in found.items())

    def _chosen(
        self, texts: Collection[TextRef], places: Mapping[str, Sequence[int]]
    ) -> dict[TextRef, StoredTransaction]:
        """Return those of these texts that lie at these places of their ids.

        A text is its hash's and never changes, so any replica may have it; only that there is none must come from a
        majority.
        """
        found: dict[TextRef, StoredTransaction] = {}
        missing: Collection[TextRef] = texts
        for decides in (False, True):
            at = {ref.id: places[ref.id] for ref in missing if ref.id in places}
            if at:
                found |= self._at(at, decides=decides)
                missing = [ref for ref in texts if ref not in found]
        return {ref: found[ref] for ref in texts if ref in found}

    def _at(self, places: Mapping[str, Iterable[int]], *, decides: bool) -> dict[TextRef, StoredTransaction]:
        """Return the texts of these ids that lie at these places, oldest first; see `_better`."""
        parts: dict[str, dict[str, tuple[int, str]]] = {}
        for id_, its in places.items():
            name = name_of(id_)
            for place in its:
                key, digit = neighbours(place)
                parts.setdefault(key, {})[digit + name] = place, id_
        found: list[tuple[int, StoredTransaction]] = []
        for key, part, texts in self._store.find_parts(_TABLE, parts, decides=decides):
            place, id_ = parts[key][part]
            # What is none of ours keeps nobody from the others there.
            for name, fields in texts.items() if isinstance(texts, dict) else _JUNK:
                try:
                    text, tag = fields
                    tag_bytes = a2b_base64(tag, strict_mode=True)
                    found.append((place, StoredTransaction(named_by(name), id_, _checked(text), tag_bytes)))
                except (TypeError, ValueError):
                    self._store.say_once(str(Row(_TABLE, {"id": key}).damaged("of")))
        found.sort(key=lambda pair: pair[0])
        by_ref: dict[TextRef, StoredTransaction] = {}
        for _, stored in found:
            ref = TextRef(stored.hash, stored.id)
            by_ref[ref] = _better(by_ref[ref], stored) if ref in by_ref else stored
        return by_ref


def _checked(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _better(first: StoredTransaction, second: StoredTransaction) -> StoredTransaction:
    """Return the first of two that are said to be one text, unless it is not and the second is."""
    is_forged = first.text != second.text and hash_data(first.text) != first.hash
    return second if is_forged and hash_data(second.text) == second.hash else first


def in_moments(transactions: Iterable[NewTransaction]) -> Iterator[list[tuple[int, NewTransaction]]]:
    """Give those that may lie in one millisecond, each with how far from its beginning: no document gets large so."""
    part: list[tuple[int, NewTransaction]] = []
    offset = characters = 0
    for transaction in transactions:
        if offset % NEIGHBOURS and characters + len(transaction.text) > _SHARED_CHARACTERS:
            offset += NEIGHBOURS - offset % NEIGHBOURS
        if offset >= PER_MILLISECOND:
            yield part
            part, offset = [], 0
        if offset % NEIGHBOURS == 0:
            characters = 0
        part.append((offset, transaction))
        characters += len(transaction.text)
        offset += 1
    if part:
        yield part


def _joined(_: Any, standing: Any, new: Any) -> Any:
    def joined(pair: Any) -> Any:
        mine = standing["of"][pair[0]].default(None)
        return [pair[0], r.branch(is_a(mine, "OBJECT"), mine.merge(pair[1]), pair[1])]

    # Part by part: what a stranger put there might not let itself be merged.
    rest = standing["of"].without(r.args(new["of"].keys()))
    parts = new["of"].coerce_to("array").map(joined).coerce_to("object")
    return r.branch(is_a(standing["of"], "OBJECT"), {"id": new["id"], "of": rest.merge(parts)}, new)
