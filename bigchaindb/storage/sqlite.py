"""The ledger's database in one SQLite file: the default, for all nodes of one machine.

Invariants:

- It keeps the contract of `interface`; a batch is one transaction, all or nothing, also when the process is killed.
- A write that has returned is on the disk.  Processes and threads may read and write the same file at once.
- How the file is laid out, and every statement, is in `sqlite_sql`; turns, transactions and errors in `sqlite_file`;
  names and texts, to which the other tables refer by number, in `sqlite_names`.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.model.reference import OutputRef
from bigchaindb.storage import cursors
from bigchaindb.storage import sqlite_sql as sql
from bigchaindb.storage.grouping import grouped
from bigchaindb.storage.interface import Storage
from bigchaindb.storage.records import (
    BacklogEntry,
    DecisionRow,
    Lineage,
    OutputRow,
    RejectionRow,
    Sighting,
    Standing,
    StoredBlock,
    StoredTransaction,
    TextRef,
    VoteRow,
)
from bigchaindb.storage.sqlite_names import SqliteNames
from bigchaindb.storage.sqlite_opening import BUSY_SECONDS, open_file

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from bigchaindb.storage.records import Effects, NewOutput, NewTransaction
    from bigchaindb.storage.sqlite_sql import Query

__all__ = ["SqliteStorage"]

_NOBODY: Final = 0
_UNSPENT: Final = 0
_SPENT_IN_ORDER: Final = 2


class SqliteStorage(Storage):
    """One connection to a ledger in a file; threads may share it, processes may not."""

    def __init__(self, path: str | os.PathLike[str], *, create: bool, busy_seconds: float = BUSY_SECONDS) -> None:
        """Open the ledger in a file.

        Args:
            path: the file; beside it SQLite keeps its log (`-wal`, `-shm`) and writers their queue (`.lock`).
            create: make the file unless it is there.
            busy_seconds: how long any call waits for other writers before it raises.

        Raises:
            StorageMismatch: there is no ledger at that path, or none that this release can use; the message says what.
            StorageUnavailable: others kept it busy, or the disk fails.
        """
        self._file = open_file(path, create=create, busy_seconds=busy_seconds)
        self._names = SqliteNames(self._file)

    # --- life ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """See `Storage.close`."""
        self._file.close()

    def __del__(self) -> None:
        """Close what nobody closed."""
        if hasattr(self, "_file"):
            self._file.close()

    def drop(self) -> None:
        """See `Storage.drop`; other connections refuse to write from then on."""
        self._file.remove()

    def batch(self) -> AbstractContextManager[None]:
        """See `Storage.batch`; here it is all or nothing."""
        return self._file.batch()

    def wait_for_change(self, timeout_seconds: float, of: Collection[str] = ()) -> bool:  # noqa: ARG002 - told of all
        """See `Storage.wait_for_change`."""
        return self._file.wait_for_change(timeout_seconds)

    # --- genesis ---------------------------------------------------------------------------------------------

    def create_genesis(
        self, block: StoredBlock, transaction: NewTransaction, payload_hash: str | None = None
    ) -> StoredBlock:
        """See `Storage.create_genesis`."""
        with self._file.writing():
            standing = self._genesis()
            if standing is None:
                self._names.keep([transaction])
                self._keep_block(block)
                if payload_hash is not None:
                    number = self._names.numbers([transaction.id])[transaction.id]
                    self._file.write(sql.ADD_GENESIS_PAYLOAD, [(sql.key_of(payload_hash), number, payload_hash)])
                self._file.write(sql.ADD_GENESIS, [(block.key,)])
            return standing or block

    def genesis(self) -> StoredBlock | None:
        """See `Storage.genesis`."""
        with self._file.using():
            return self._genesis()

    def _genesis(self) -> StoredBlock | None:
        rows = self._file.rows(sql.GENESIS)
        return _block(rows[0]) if rows else None

    # --- backlog ---------------------------------------------------------------------------------------------

    def append_backlog(self, transactions: Sequence[NewTransaction], received_at: float) -> None:
        """See `Storage.append_backlog`."""
        with self._file.writing():
            texts, added = self._names.keep(transactions)
            there = [text for text in texts if text not in added]
            waiting = {text for (text,) in self._file.rows_of(sql.WAITING_TEXTS, there)}
            assigning = {transaction.hash: transaction.assigning for transaction in transactions}
            new = [
                (text, number, received_at, by)
                for (text, number), by in zip(texts.items(), assigning.values(), strict=True)
                if text not in waiting
            ]
            place = self._count("backlog_place", len(new)) + 1
            self._count("backlog_size", len(new))
            self._file.write(sql.ADD_WAITING, [(place + k, *each) for k, each in enumerate(new)])

    def backlog(self, after: str | None, limit: int) -> list[BacklogEntry]:
        """See `Storage.backlog`."""
        start = cursors.position(after)
        with self._file.using():
            rows = self._file.rows(sql.BACKLOG, start, _at_most(limit))
            self._names.learn((id_, number) for _, _, number, _, id_, _ in rows)
            return [
                BacklogEntry(cursors.at(place), received_at, TextRef(hash_, id_), assigning)
                for place, received_at, _, hash_, id_, assigning in rows
            ]

    def waiting(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        """See `Storage.waiting`."""
        with self._file.using():
            return self._texts(sql.WAITING, ids)

    def drop_backlog(self, *, ids: Sequence[str] = (), texts: Sequence[TextRef] = ()) -> None:
        """See `Storage.drop_backlog`."""
        with self._file.writing():
            dropped = self._file.write_of(sql.DROP_NUMBERS, self._names.numbers(ids).values())
            dropped += self._file.write_of(sql.DROP_TEXTS, self._names.places(self._contents(texts)).values())
            self._count("backlog_size", -dropped)

    def backlog_size(self) -> int:
        """See `Storage.backlog_size`."""
        with self._file.using():
            return self._counter("backlog_size")

    # --- transactions ----------------------------------------------------------------------------------------

    def contents(self, texts: Sequence[TextRef]) -> dict[str, StoredTransaction]:
        """See `Storage.contents`."""
        with self._file.using():
            return self._contents(texts)

    def _contents(self, texts: Iterable[TextRef]) -> dict[str, StoredTransaction]:
        wanted = set(texts)
        rows = self._file.rows_of(sql.CONTENTS, {sql.key_of(ref.hash) for ref in wanted})
        self._names.learn((id_, number) for number, _, id_, _, _ in rows)
        return {
            hash_: StoredTransaction(hash_, id_, text, tag)
            for _, hash_, id_, text, tag in rows
            if (hash_, id_) in wanted
        }

    def transactions(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        """See `Storage.transactions`."""
        with self._file.using():
            return self._texts(sql.TEXTS_OF_NUMBERS, ids)

    def _texts(self, query: Query, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        named = {number: id_ for id_, number in self._names.numbers(ids).items()}
        rows = self._file.rows_of(query, named)
        return grouped(
            (named[number], StoredTransaction(hash_, named[number], text, tag)) for number, hash_, text, tag in rows
        )

    def spenders(self, outputs: Sequence[OutputRef]) -> dict[OutputRef, list[str]]:
        """See `Storage.spenders`."""
        with self._file.using():
            numbers = self._names.numbers(output.txid for output in outputs)
            wanted = {(numbers[output.txid], output.cid): output for output in outputs if output.txid in numbers}
            rows = self._file.rows_of_tuples(sql.SPENDERS, list(wanted))
            return grouped((wanted[number, cid], id_) for number, cid, id_ in rows)

    def with_payload_hash(self, payload_hash: str, after: str | None, limit: int) -> list[tuple[str, str]]:
        """See `Storage.with_payload_hash`."""
        start = cursors.position(after)
        with self._file.using():
            key = sql.key_of(payload_hash)
            rows = self._file.rows(sql.WITH_PAYLOAD, key, start, payload_hash, _at_most(limit))
            return [(cursors.at(place), id_) for place, id_ in rows]

    # --- blocks ----------------------------------------------------------------------------------------------

    def write_block(self, block: StoredBlock) -> None:
        """See `Storage.write_block`."""
        with self._file.writing():
            self._keep_block(block)

    def blocks_after(
        self,
        cursor: str | None,
        limit: int,
        *,
        may_lag: bool = False,  # noqa: ARG002 - nothing lags here
    ) -> list[tuple[str, StoredBlock]]:
        """See `Storage.blocks_after`."""
        start = cursors.position(cursor)
        with self._file.using():
            rows = self._file.rows(sql.BLOCKS_AFTER, start, _at_most(limit))
            return [(cursors.at(place), _block(fields)) for place, *fields in rows]

    def blocks(self, ids: Sequence[str]) -> dict[str, list[StoredBlock]]:
        """See `Storage.blocks`."""
        with self._file.using():
            rows = self._file.rows_of(sql.BLOCKS, dict.fromkeys(ids))
            return grouped((row[1], _block(row)) for row in rows)

    def block_count(self) -> int:
        """See `Storage.block_count`."""
        with self._file.using():
            return self._file.value(sql.BLOCK_COUNT)

    # --- one node's notes on blocks --------------------------------------------------------------------------

    def sight(self, node: str, sightings: Sequence[Sighting]) -> None:
        """See `Storage.sight`."""
        with self._file.writing():
            self._file.write(
                sql.SIGHT,
                [(node, each.key, each.block_id, each.seen_at, each.checked, each.verdict) for each in sightings],
            )

    def sightings(self, node: str, keys: Sequence[str]) -> dict[str, Sighting]:
        """See `Storage.sightings`."""
        with self._file.using():
            rows = self._file.rows_of(sql.SIGHTINGS, dict.fromkeys(keys), node)
            return {row[0]: _sighting(row) for row in rows}

    def open_sightings(
        self,
        node: str,
        *,
        checked: bool,
        limit: int,
        newest_until: float | None = None,
        after: str | None = None,
    ) -> list[Sighting]:
        """See `Storage.open_sightings`."""
        with self._file.using():
            behind = self._file.rows(sql.PLACE_OF_SIGHTING, node, after) if after is not None else []
            if newest_until is not None:
                rows = self._file.rows(sql.NEWEST_OPEN_SIGHTINGS, node, checked, newest_until, _at_most(limit))[::-1]
            elif behind:
                rows = self._file.rows(sql.OPEN_SIGHTINGS_AFTER, node, checked, *behind[0], _at_most(limit))
            else:
                rows = self._file.rows(sql.OPEN_SIGHTINGS, node, checked, _at_most(limit))
            return [_sighting(row) for row in rows]

    def standings(self, node: str, ids: Sequence[str], *, checked: bool = True) -> dict[str, list[Standing]]:
        """See `Storage.standings`."""
        with self._file.using():
            named = {number: id_ for id_, number in self._names.numbers(ids).items()}
            rows = self._file.rows_of(sql.STANDINGS, named, node, checked)
            return grouped(
                (named[number], Standing(block_id, key, seen_at, _verdict(verdict), hash_))
                for number, block_id, key, seen_at, verdict, hash_ in rows
            )

    # --- votes -----------------------------------------------------------------------------------------------

    def place_votes(self, votes: Sequence[VoteRow]) -> list[str]:
        """See `Storage.place_votes`."""
        with self._file.writing():
            for vote in votes:
                # Each by itself: what was pushed out a moment later did not find its place taken.
                if not self._file.write(sql.PLACE_VOTE, [(vote.block_id, vote.node, vote.text, vote.replaces)]):
                    self._file.write(sql.ADD_SECOND_VOTE, [(vote.block_id, vote.node, vote.text)])
            places = {(vote.block_id, vote.node): None for vote in votes}
            rows = self._file.rows_of_tuples(sql.PLACES, list(places))
            standing = {(block_id, node): text for block_id, node, text in rows}
            if len(standing) < len(places):
                raise self._file.damaged("a vote that was placed is not in its place")
            return [standing[vote.block_id, vote.node] for vote in votes]

    def votes(self, block_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """See `Storage.votes`."""
        found: dict[str, dict[str, str]] = {}
        with self._file.using():
            for block_id, node, text in self._file.rows_of(sql.VOTES, block_ids):
                found.setdefault(block_id, {})[node] = text
        return found

    def keep_evidence(self, votes: Sequence[VoteRow]) -> None:
        """See `Storage.keep_evidence`."""
        with self._file.writing():
            self._file.write(sql.ADD_EVIDENCE, [(vote.block_id, vote.node, vote.text) for vote in votes])

    def evidence(self, limit: int, after: VoteRow | None = None) -> list[VoteRow]:
        """See `Storage.evidence`."""
        place = (after.block_id, after.node, after.text) if after else (None, None, None)
        with self._file.using():
            return [VoteRow(*row) for row in self._file.rows(sql.EVIDENCE, *place, _at_most(limit))]

    # --- decisions -------------------------------------------------------------------------------------------

    def append_decisions(self, decisions: Sequence[DecisionRow]) -> list[str]:
        """See `Storage.append_decisions`."""
        with self._file.writing():
            return [self._append_decision(decision) for decision in decisions]

    def _append_decision(self, new: DecisionRow) -> str:
        fields = (new.block_id, new.verdict, new.text, new.valid_transactions, new.newest_time)
        self._file.write(sql.ADD_DECISION, [(new.node, new.sequence, *fields)])
        standing = self._file.rows(sql.DECISION_AT, new.node, new.sequence)
        standing += self._file.rows(sql.DECISION_ON, new.node, new.block_id)
        if not standing:
            raise self._file.damaged("a decision that was appended is not in its place")
        text: str = standing[0][0]
        if text == new.text:
            self._file.write(sql.SET_VERDICT, [(new.verdict, new.node, new.block_id)])
        return text

    def decisions(
        self,
        node: str,
        after_sequence: int,
        limit: int,
        *,
        may_lag: bool = False,  # noqa: ARG002 - nothing lags here
    ) -> list[DecisionRow]:
        """See `Storage.decisions`."""
        with self._file.using():
            rows = self._file.rows(sql.DECISIONS, node, after_sequence, _at_most(limit))
            return [_decision(row) for row in rows]

    def latest_decision(self, node: str) -> DecisionRow | None:
        """See `Storage.latest_decision`."""
        with self._file.using():
            rows = self._file.rows(sql.LATEST_DECISION, node)
            return _decision(rows[0]) if rows else None

    def decisions_on(self, block_ids: Sequence[str]) -> dict[str, list[DecisionRow]]:
        """See `Storage.decisions_on`."""
        with self._file.using():
            rows = self._file.rows_of(sql.DECISIONS_ON, dict.fromkeys(block_ids))
            return grouped((row[2], _decision(row)) for row in rows)

    # --- holdings --------------------------------------------------------------------------------------------

    def settle(self, effects: Effects) -> None:
        """See `Storage.settle`."""
        with self._file.writing():
            numbers = self._names.numbers_of_all(
                [name for new in effects.outputs for name in (new.ref.txid, *new.owners, new.lineage.asset)]
                + [name for ref, spender in effects.spent for name in (ref.txid, spender)]
                + [txid for _, txid in effects.payloads]
            )
            outputs: dict[tuple[int, int], NewOutput] = {}
            for new in effects.outputs:
                outputs.setdefault((numbers[new.ref.txid], new.ref.cid), new)
            self._hold(outputs, numbers)
            self._spend([(numbers[ref.txid], ref.cid, numbers[spender]) for ref, spender in effects.spent])
            carried = [(sql.key_of(hash_), hash_, numbers[txid]) for hash_, txid in effects.payloads]
            self._file.write(sql.ADD_PAYLOAD, carried)

    def _hold(self, outputs: Mapping[tuple[int, int], NewOutput], numbers: Mapping[str, int]) -> None:
        there = set(self._file.rows_of_tuples(sql.OUTPUTS, list(outputs)))
        held: list[tuple[int, int, int, int | None, int | None]] = []
        for (number, cid), new in outputs.items():
            if (number, cid) not in there:
                owners = [numbers[owner] for owner in dict.fromkeys(new.owners)] or [_NOBODY]
                held.append((number, cid, owners[0], numbers[new.lineage.asset], new.lineage.step))
                held += [(number, cid, owner, None, None) for owner in owners[1:]]
        place = self._count("holdings_place", len(held)) + 1
        self._file.write(sql.ADD_OUTPUT, [(*each, place + k) for k, each in enumerate(held)])
        self._file.write(
            sql.ADD_HOLDING, [(owner, place + k, number, cid) for k, (number, cid, owner, *_) in enumerate(held)]
        )

    def _spend(self, spent: Sequence[tuple[int, int, int]]) -> None:
        new: dict[tuple[int, int], tuple[int, int, int, int]] = {}
        for spender, owner, place, number, cid, turn in self._file.rows_of_tuples(sql.SPENT_PLACES, spent):
            new.setdefault((owner, place), (turn, spender, number, cid))
        self._file.write(sql.SPEND_HOLDING, [(spender, *holding) for holding, (_, spender, *_) in new.items()])
        gone = sorted((turn, place, owner, *what) for (owner, place), (turn, *what) in new.items() if owner != _NOBODY)
        first = self._count("holdings_place", len(gone)) + 1
        self._file.write(
            sql.ADD_SPENT_HOLDING,
            [(owner, first + k, number, cid, by) for k, (_, _, owner, by, number, cid) in enumerate(gone)],
        )

    def outputs_of(self, owner: str, *, spent: bool | None, after: str | None, limit: int) -> list[OutputRow]:
        """See `Storage.outputs_of`."""
        start = cursors.position(after)
        with self._file.using():
            number = self._names.numbers([owner]).get(owner)
            if spent is None:
                rows = self._file.rows(sql.HOLDINGS, number, start, number, start, _at_most(limit))
                rows.sort(key=itemgetter(0))
            else:
                kind = _SPENT_IN_ORDER if spent else _UNSPENT
                rows = self._file.rows(sql.HOLDINGS_OF_A_KIND, number, kind, start, _at_most(limit))
            return [_output(row) for row in rows]

    def lineages(self, outputs: Sequence[OutputRef]) -> dict[OutputRef, Lineage]:
        """See `Storage.lineages`."""
        with self._file.using():
            numbers = self._names.numbers(output.txid for output in outputs)
            wanted = {(numbers[output.txid], output.cid): output for output in outputs if output.txid in numbers}
            rows = self._file.rows_of_tuples(sql.LINEAGES, list(wanted))
            return {wanted[number, cid]: Lineage(asset, step) for number, cid, asset, step in rows}

    def outputs_of_asset(self, asset: str, after: str | None, limit: int) -> list[OutputRow]:
        """See `Storage.outputs_of_asset`."""
        start = cursors.position(after)
        with self._file.using():
            number = self._names.numbers([asset]).get(asset)
            found = self._file.rows(sql.LINE_BEFORE, number, start + 1) or self._file.rows(sql.LINE_BEGINNING, number)
            if not found or limit < 1:
                return []
            ((step, *place),) = found
            rows = self._file.rows(sql.LINE, step, *place, number, start - step + 1 + limit)
            return [_output(row) for row in rows if row[0] > start]

    # --- rejections ------------------------------------------------------------------------------------------

    def reject(self, rejections: Sequence[RejectionRow]) -> None:
        """See `Storage.reject`."""
        with self._file.writing():
            self._file.write(sql.ADD_REJECTION, [(each.hash, each.id, each.node, each.text) for each in rejections])

    def rejections(self, ids: Sequence[str]) -> dict[str, list[RejectionRow]]:
        """See `Storage.rejections`."""
        with self._file.using():
            rows = self._file.rows_of(sql.REJECTIONS, dict.fromkeys(ids))
            return grouped((row[1], RejectionRow(*row)) for row in rows)

    # --- registers -------------------------------------------------------------------------------------------

    def registers(self, names: Sequence[str]) -> dict[str, str]:
        """See `Storage.registers`."""
        with self._file.using():
            return dict(self._file.rows_of(sql.REGISTERS, names))

    def swap_register(self, name: str, expected: str | None, new: str | None) -> bool:
        """See `Storage.swap_register`."""
        with self._file.writing():
            found: dict[str, str] = dict(self._file.rows_of(sql.REGISTERS, [name]))
            if found.get(name) != expected:
                return False
            if new is None:
                self._file.write(sql.EMPTY_REGISTER, [(name,)])
            else:
                self._file.write(sql.SET_REGISTER, [(name, new)])
            return True

    # --- what the verbs share ----------------------------------------------------------------------------------

    def _keep_block(self, block: StoredBlock) -> None:
        new = self._file.rows(
            sql.ADD_BLOCK,
            block.key,
            block.id,
            block.text,
            " ".join(block.transactions),
            " ".join(block.transaction_ids),
            block.tags,
        )
        if new:
            ((place,),) = new
            numbers = self._names.numbers_of_all(block.transaction_ids)
            named = zip(block.transaction_ids, block.transactions, strict=True)
            self._file.write(sql.ADD_BLOCK_TRANSACTION, [(numbers[id_], place, hash_) for id_, hash_ in named])

    def _counter(self, name: str) -> int:
        for (value,) in self._file.rows(sql.COUNTER, name):
            return int(value)
        raise self._file.damaged(f"the counter {name} is gone")

    def _count(self, name: str, more: int) -> int:
        """Add to a counter; return what it was before."""
        before = self._counter(name)
        if more:
            self._file.write(sql.COUNT, [(more, name)])
        return before


def _block(row: Sequence[Any]) -> StoredBlock:
    key, id_, text, transactions, transaction_ids, tags = row
    return StoredBlock(key, id_, text, tuple(transactions.split()), tuple(transaction_ids.split()), tags)


def _sighting(row: Sequence[Any]) -> Sighting:
    key, block_id, seen_at, checked, verdict = row
    return Sighting(key, block_id, seen_at, bool(checked), _verdict(verdict))


def _decision(row: Sequence[Any]) -> DecisionRow:
    node, sequence, block_id, verdict, text, valid_transactions, newest_time = row
    return DecisionRow(node, sequence, block_id, bool(verdict), text, valid_transactions, newest_time)


def _output(row: Sequence[Any]) -> OutputRow:
    place, id_, cid, spender = row
    return OutputRow(cursors.at(place), OutputRef(id_, cid), spender)


def _verdict(stored: int | None) -> bool | None:
    return None if stored is None else bool(stored)


def _at_most(limit: int) -> int:
    return max(limit, 0)
