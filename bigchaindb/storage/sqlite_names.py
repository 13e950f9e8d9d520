"""How the SQLite backend names things: the tables `names` and `texts`, to which all others refer by number.

Invariants:

- Names that share a key (`sqlite_sql.key_of`) are told apart by comparing them.
- The number of a name never changes once it is committed; only such numbers are remembered.
- What is indexed is part of what an id covers, so the first text of an id speaks for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bigchaindb.storage import sqlite_sql as sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bigchaindb.storage.records import NewTransaction
    from bigchaindb.storage.sqlite_file import SqliteFile

__all__ = ["SqliteNames"]

# What a few full blocks name; about 5 MB.
_KNOWN_NAMES: Final = 20_000


class SqliteNames:
    """The numbers of names, and the texts that they stand for, in one file."""

    def __init__(self, file: SqliteFile) -> None:
        """Look up and add names in this file; whoever calls is `using` it, or `writing` to it."""
        self._file = file
        self._known: dict[str, int] = {}

    def numbers(self, names: Iterable[str]) -> dict[str, int]:
        """Return the number of each name that has one."""
        wanted = set(names)
        numbers = {name: self._known[name] for name in wanted if name in self._known}
        if len(numbers) < len(wanted):
            rows = self._file.rows_of(sql.NUMBERS, [sql.key_of(name) for name in wanted if name not in numbers])
            found = [(name, number) for name, number in rows if name in wanted]
            self.learn(found)
            numbers.update(found)
        return numbers

    def learn(self, numbers: Iterable[tuple[str, int]]) -> None:
        """Remember the numbers of names: they never change once they are committed."""
        if not self._file.in_transaction:
            if len(self._known) > _KNOWN_NAMES:
                self._known.clear()
            self._known.update(numbers)

    def numbers_of_all(self, names: Sequence[str]) -> dict[str, int]:
        """Return the number of each name, after giving one to each that has none; only while writing."""
        numbers = self.numbers(names)
        new = [name for name in dict.fromkeys(names) if name not in numbers]
        if new:
            given = list(enumerate(new, start=self._file.value(sql.LAST_NUMBER) + 1))
            self._file.write(sql.ADD_NAME, [(number, sql.key_of(name), name) for number, name in given])
            numbers.update((name, number) for number, name in given)
        return numbers

    def places(self, hashes: Iterable[str]) -> dict[str, int]:
        """Return the place of each text, by hash, that is stored."""
        wanted = set(hashes)
        rows = self._file.rows_of(sql.TEXT_SEQUENCES, map(sql.key_of, wanted))
        return {hash_: place for hash_, place in rows if hash_ in wanted}

    def keep(self, transactions: Sequence[NewTransaction]) -> tuple[dict[int, int], set[int]]:
        """Store texts and their index.

        Returns:
            The place of each text and the number of its id, in order, and which of these places are new.
        """
        names = [transaction.id for transaction in transactions]
        names += [output.txid for transaction in transactions for output in transaction.spends]
        first_new = self._file.value(sql.LAST_NUMBER) + 1
        numbers = self.numbers_of_all(names)
        texts = {transaction.hash: transaction for transaction in transactions}
        places = self.places(texts)
        new = [transaction for hash_, transaction in texts.items() if hash_ not in places]
        added = dict(enumerate(new, start=self._file.value(sql.LAST_TEXT) + 1))
        places.update((transaction.hash, place) for place, transaction in added.items())
        named_before = {numbers[transaction.id] for transaction in new if numbers[transaction.id] < first_new}
        indexed = {number for (number,) in self._file.rows_of(sql.NUMBERS_WITH_TEXT, named_before)}
        self._add_texts(added, numbers, indexed)
        return {places[hash_]: numbers[transaction.id] for hash_, transaction in texts.items()}, set(added)

    def _add_texts(self, added: dict[int, NewTransaction], numbers: dict[str, int], indexed: set[int]) -> None:
        rows: list[tuple[object, ...]] = []
        spends: list[tuple[int, int, int]] = []
        for place, transaction in added.items():
            number = numbers[transaction.id]
            if number not in indexed:
                indexed.add(number)
                spends += [(numbers[output.txid], output.cid, number) for output in transaction.spends]
            key = sql.key_of(transaction.hash)
            rows.append((place, number, key, transaction.hash, transaction.tag, transaction.text))
        self._file.write(sql.ADD_TEXT, rows)
        self._file.write(sql.ADD_SPEND, spends)
