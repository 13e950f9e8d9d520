"""The ledger's database in a RethinkDB cluster: for federations whose nodes run on several machines.

Invariants:

- It keeps the contract of `interface`.  There are no transactions over several documents, so content is stored first
  and then the document that makes it visible; every step may be repeated.
- A write has returned when a majority of the replicas has it on disk; what decides anything is read from a majority.
  What must not be decided twice is one document, changed by one atomic write.
- Every look-up is by a key.  How documents look is in `rethinkdb_schema` and `rethinkdb_rows`; how they are sent,
  in `rethinkdb_store`; connections and errors are those of `rethinkdb_pool` and `rethinkdb_driver`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bigchaindb.storage import changes, cursors
from bigchaindb.storage.grouping import grouped
from bigchaindb.storage.interface import Storage
from bigchaindb.storage.records import Lineage, Standing
from bigchaindb.storage.rethinkdb_backlog import Backlog
from bigchaindb.storage.rethinkdb_blocks import Blocks
from bigchaindb.storage.rethinkdb_driver import literal, r
from bigchaindb.storage.rethinkdb_holdings import Holdings
from bigchaindb.storage.rethinkdb_outputs import Outputs
from bigchaindb.storage.rethinkdb_places import PLACE_DIGITS, place_of
from bigchaindb.storage.rethinkdb_postings import Postings
from bigchaindb.storage.rethinkdb_rows import Row, decision_id, decision_row, sighting_row
from bigchaindb.storage.rethinkdb_store import Store, keep, rounds
from bigchaindb.storage.rethinkdb_texts import Texts
from bigchaindb.storage.rethinkdb_votes import Votes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.storage.records import (
        BacklogEntry,
        DecisionRow,
        Effects,
        NewTransaction,
        OutputRow,
        RejectionRow,
        Sighting,
        StoredBlock,
        StoredTransaction,
        TextRef,
        VoteRow,
    )
    from bigchaindb.storage.rethinkdb_driver import Server

__all__ = ["RethinkStorage"]

_LAST_SEQUENCE = "9" * 16
# From taking a place to filing under it.  A query that takes longer is given up.
_FILING_SECONDS = 10.0


class RethinkStorage(Storage):
    """The connections of one process to one ledger; threads may share it, processes may not."""

    def __init__(self, server: Server, *, create: bool) -> None:
        """Connect to the ledger.

        Args:
            server: where it is.
            create: make what is missing of the database.

        Raises:
            StorageMismatch: there is no ledger, or none that can be trusted; the message says how to mend that.
            StorageUnavailable: the server cannot be reached.
            ConfigurationError: it does not let this user in.
        """
        self._store = Store(server, create=create)
        postings = self._postings = Postings(self._store)
        self._texts = Texts(self._store, postings)
        self._backlog = Backlog(self._store, postings, self._texts)
        self._blocks = Blocks(self._store, postings)
        self._votes = Votes(self._store, self._blocks)
        self._outputs = Outputs(self._store, postings)
        self._holdings = Holdings(self._store, postings, self._outputs)

    # --- life ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """See `Storage.close`."""
        self._store.close()

    def __del__(self) -> None:
        """Close what nobody closed."""
        if hasattr(self, "_store"):
            self._store.close()

    def drop(self) -> None:
        """See `Storage.drop`."""
        self._store.check_open()
        self._store.drop()

    def batch(self) -> AbstractContextManager[None]:
        """See `Storage.batch`; here every write is done at once, and the others are told at the end."""
        return self._store.batch()

    def wait_for_change(self, timeout_seconds: float, of: Collection[str] = ()) -> bool:
        """See `Storage.wait_for_change`."""
        return self._store.wait_for_change(timeout_seconds, of)

    # --- genesis ---------------------------------------------------------------------------------------------

    def create_genesis(
        self, block: StoredBlock, transaction: NewTransaction, payload_hash: str | None = None
    ) -> StoredBlock:
        """See `Storage.create_genesis`."""
        standing = self._blocks.first()
        if standing is None:
            self._texts.keep([transaction], [self._store.places(1)])
            if payload_hash is not None:
                self._postings.add([self._postings.payload(payload_hash, transaction.id, 0)])
            standing = self._blocks.add_first(block)
        return standing

    def genesis(self) -> StoredBlock | None:
        """See `Storage.genesis`."""
        return self._blocks.first()

    # --- backlog ---------------------------------------------------------------------------------------------

    def append_backlog(self, transactions: Sequence[NewTransaction], received_at: float) -> None:
        """See `Storage.append_backlog`."""
        self._backlog.append(transactions, received_at)

    def backlog(self, after: str | None, limit: int) -> list[BacklogEntry]:
        """See `Storage.backlog`."""
        return self._backlog.page(after, limit)

    def waiting(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        """See `Storage.waiting`."""
        return self._backlog.waiting(ids)

    def drop_backlog(self, *, ids: Sequence[str] = (), texts: Sequence[TextRef] = ()) -> None:
        """See `Storage.drop_backlog`."""
        self._backlog.drop(ids, texts)

    def backlog_size(self) -> int:
        """See `Storage.backlog_size`."""
        return self._backlog.size()

    # --- transactions ----------------------------------------------------------------------------------------

    def contents(self, texts: Sequence[TextRef]) -> dict[str, StoredTransaction]:
        """See `Storage.contents`."""
        return self._texts.contents(texts)

    def transactions(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        """See `Storage.transactions`."""
        return self._texts.of_ids(ids)

    def spenders(self, outputs: Sequence[OutputRef]) -> dict[OutputRef, list[str]]:
        """See `Storage.spenders`."""
        return self._postings.spenders(outputs)

    def with_payload_hash(self, payload_hash: str, after: str | None, limit: int) -> list[tuple[str, str]]:
        """See `Storage.with_payload_hash`."""
        return self._postings.with_payload(payload_hash, place_of(after), max(limit, 0))

    # --- blocks ----------------------------------------------------------------------------------------------

    def write_block(self, block: StoredBlock) -> None:
        """See `Storage.write_block`."""
        self._blocks.add(block)

    def blocks_after(self, cursor: str | None, limit: int, *, may_lag: bool = False) -> list[tuple[str, StoredBlock]]:
        """See `Storage.blocks_after`."""
        return self._blocks.page(cursor, limit, may_lag=may_lag)

    def blocks(self, ids: Sequence[str]) -> dict[str, list[StoredBlock]]:
        """See `Storage.blocks`."""
        return self._blocks.of_ids(ids)

    def block_count(self) -> int:
        """See `Storage.block_count`."""
        return self._blocks.count()

    # --- one node's notes on blocks --------------------------------------------------------------------------

    def sight(self, node: str, sightings: Sequence[Sighting]) -> None:
        """See `Storage.sight`."""
        place = self._store.places(len(sightings))
        rows = [sighting_row(node, sighting, place + i) for i, sighting in enumerate(sightings)]
        self._store.put("sightings", rows, _noted)

    def sightings(self, node: str, keys: Sequence[str]) -> dict[str, Sighting]:
        """See `Storage.sightings`."""
        rows = self._store.find("sightings", [f"{node}/{key}" for key in keys])
        return {sighting.key: sighting for sighting in self._store.sound(rows, Row.sighting)}

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
        behind = self._store.find("sightings", [f"{node}/{after}"]) if after is not None else []
        places = self._store.sound(behind, lambda row: [row.number("seen_at"), row.whole("place")])
        first = places[0] if places else [r.minval, r.minval]
        last = r.maxval if newest_until in {None, math.inf} else newest_until
        bounds = [[node, checked, *first], [node, checked, last, r.maxval]]
        is_newest = newest_until is not None
        order = r.desc("open") if is_newest else "open"
        notes = r.table("sightings").between(*bounds, index="open", left_bound="open")
        query = notes.order_by(index=order).limit(max(limit, 0))
        found = self._store.sound(self._store.rows("sightings", query, decides=False), Row.sighting)
        return found[::-1] if is_newest else found

    def standings(self, node: str, ids: Sequence[str], *, checked: bool = True) -> dict[str, list[Standing]]:
        """See `Storage.standings`."""
        known = self._postings.standings(ids)
        noted = self.sightings(node, [key for pairs in known.values() for key, _ in pairs])
        found = [
            (id_, Standing(noted[key].block_id, key, noted[key].seen_at, noted[key].verdict, hash_))
            for id_, pairs in known.items()
            for key, hash_ in pairs
            if key in noted and noted[key].checked == checked
        ]
        return grouped(sorted(found, key=lambda pair: pair[1].seen_at))

    # --- votes -----------------------------------------------------------------------------------------------

    def place_votes(self, votes: Sequence[VoteRow]) -> list[str]:
        """See `Storage.place_votes`."""
        return self._votes.place(votes)

    def votes(self, block_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """See `Storage.votes`."""
        return self._votes.of_blocks(block_ids)

    def keep_evidence(self, votes: Sequence[VoteRow]) -> None:
        """See `Storage.keep_evidence`."""
        self._votes.keep_evidence(votes)

    def evidence(self, limit: int, after: VoteRow | None = None) -> list[VoteRow]:
        """See `Storage.evidence`."""
        return self._votes.evidence(limit, after)

    # --- decisions -------------------------------------------------------------------------------------------

    def append_decisions(self, decisions: Sequence[DecisionRow]) -> list[str]:
        """See `Storage.append_decisions`.

        A log's numbers are given once whoever writes at the same time; that a log decides a block once is looked up
        before, which is enough because a log has one writer (design.md section 3: the head).
        """
        found = self._store.find("decisions", [new.block_id for new in decisions], index="block", decides=False)
        on_block = {
            (row.text("node"), row.text("block")): (row.text("id"), row.text("text"))
            for row in found
            if self._store.sound([row], Row.decision)
        }
        texts: dict[int, str] = {}
        for numbers in rounds([((new.node, new.block_id), (new.node, new.sequence)) for new in decisions]):
            news = [decisions[i] for i in numbers]
            rows = [decision_row(new) for new in news if (new.node, new.block_id) not in on_block]
            told = {changes.decisions_of(new.node) for new in news}
            seen = self._store.put_and_see("decisions", rows, keep, news=told)
            stored = {id_: row.text("text") for id_, row in seen.items()}
            for i, new in zip(numbers, news, strict=True):
                id_ = decision_id(new)
                if id_ not in stored:
                    stored[id_] = self._standing_decision(id_, *on_block[new.node, new.block_id])
                elif stored[id_] == new.text:
                    on_block[new.node, new.block_id] = id_, new.text
                texts[i] = stored[id_]
        self._set_verdicts([new for i, new in enumerate(decisions) if texts[i] == new.text])
        return [texts[i] for i in range(len(decisions))]

    def _standing_decision(self, id_: str, elsewhere: str, text: str) -> str:
        """Return what stands at a place of a log, or else the log's decision on the block that would."""
        at_place = self._store.find("decisions", [id_]) if id_ != elsewhere else []
        return at_place[0].text("text") if at_place else text

    def _set_verdicts(self, decisions: Sequence[DecisionRow]) -> None:
        verdicts = {f"{new.node}/{new.block_id}": new.verdict for new in decisions}
        if verdicts:
            of_blocks = literal([[new.node, new.block_id] for new in decisions])
            notes = r.table("sightings").get_all(r.args(of_blocks), index="of_block")
            self._store.write(
                literal(verdicts).do(
                    lambda known: notes.update(
                        lambda row: r.branch(
                            row.has_fields("verdict"), {}, {"verdict": known[row["node"] + "/" + row["block"]]}
                        )
                    )
                )
            )

    def decisions(self, node: str, after_sequence: int, limit: int, *, may_lag: bool = False) -> list[DecisionRow]:
        """See `Storage.decisions`."""
        first, last = f"{node}/{after_sequence:016d}", f"{node}/{_LAST_SEQUENCE}"
        log = r.table("decisions").between(first, last, left_bound="open").order_by(index="id")
        query = log.filter(_is_entry).limit(max(limit, 0))
        return [row.decision() for row in self._store.rows("decisions", query, decides=not may_lag)]

    def latest_decision(self, node: str) -> DecisionRow | None:
        """See `Storage.latest_decision`."""
        log = r.table("decisions").between(f"{node}/", f"{node}/{_LAST_SEQUENCE}")
        rows = self._store.rows("decisions", log.order_by(index=r.desc("id")).filter(_is_entry).limit(1), decides=False)
        return rows[0].decision() if rows else None

    def decisions_on(self, block_ids: Sequence[str]) -> dict[str, list[DecisionRow]]:
        """See `Storage.decisions_on`."""
        rows = self._store.sound(self._store.find("decisions", block_ids, index="block"), Row.decision)
        return grouped((row.block_id, row) for row in sorted(rows, key=lambda row: row.node))

    # --- holdings --------------------------------------------------------------------------------------------

    def settle(self, effects: Effects) -> None:
        """See `Storage.settle`."""
        self._holdings.settle(effects)

    def settling(self, effects: Effects) -> Callable[[], None]:
        """See `Storage.settling`: most of the time that it takes is spent waiting for the disk."""
        return self._store.beside(lambda: self._holdings.settle(effects))

    def is_firm(self, cursor: str) -> bool:
        """See `Storage.is_firm`."""
        return self._store.is_past(int(place_of(cursor)[:PLACE_DIGITS]), _FILING_SECONDS)

    def outputs_of(self, owner: str, *, spent: bool | None, after: str | None, limit: int) -> list[OutputRow]:
        """See `Storage.outputs_of`."""
        return self._holdings.of_owner(owner, spent=spent, start=place_of(after), limit=max(limit, 0))

    def lineages(self, outputs: Sequence[OutputRef]) -> dict[OutputRef, Lineage]:
        """See `Storage.lineages`."""
        return self._outputs.lineages(outputs)

    def outputs_of_asset(self, asset: str, after: str | None, limit: int) -> list[OutputRow]:
        """See `Storage.outputs_of_asset`."""
        return self._outputs.of_asset(asset, cursors.position(after), max(limit, 0))

    # --- rejections ------------------------------------------------------------------------------------------

    def reject(self, rejections: Sequence[RejectionRow]) -> None:
        """See `Storage.reject`."""
        place = self._store.places(len(rejections))
        rows = [
            {"id": f"{new.hash}/{new.node}", "tx": new.id, "node": new.node, "text": new.text, "place": place + i}
            for i, new in enumerate(rejections)
        ]
        self._store.put("rejections", rows, keep, news=[changes.REJECTIONS])

    def rejections(self, ids: Sequence[str]) -> dict[str, list[RejectionRow]]:
        """See `Storage.rejections`."""
        rows = self._store.find("rejections", ids, index="tx")
        found = self._store.sound(rows, lambda row: (row.whole("place"), row.rejection()))
        return grouped((new.id, new) for _, new in sorted(found, key=lambda pair: pair[0]))

    # --- registers -------------------------------------------------------------------------------------------

    def registers(self, names: Sequence[str]) -> Mapping[str, str]:
        """See `Storage.registers`."""
        rows = self._store.find("registers", [f"={name}" for name in names])
        return {row.text("id")[1:]: row.text("text") for row in rows}

    def swap_register(self, name: str, expected: str | None, new: str | None) -> bool:
        """See `Storage.swap_register`."""
        row = None if new is None else {"id": f"={name}", "text": new}
        query = (
            r.table("registers")
            .get(f"={name}")
            .replace(
                lambda standing: r.branch(standing["text"].default(None).eq(expected), row, standing),
                return_changes="always",
            )
        )
        self._store.check_open()
        (change,) = self._store.write(query)["changes"]
        held = (change["old_val"] or {}).get("text")
        return bool(held == expected)


def _noted(_: Any, standing: Any, new: Any) -> Any:
    of_block = ("node", "key", "block")
    kinds = standing.pluck("checked", "seen_at", "place").values().map(lambda value: value.type_of())
    is_note = standing.pluck(*of_block).eq(new.pluck(*of_block)).and_(kinds.eq(["BOOL", "NUMBER", "NUMBER"]))
    noted = new.merge(standing).merge({"checked": standing["checked"].or_(new["checked"])})
    return r.branch(is_note, noted, new)


def _is_entry(row: Any) -> Any:
    """Tell whether a document in the range of a log is under a key of one."""
    return row["id"].match("/[0-9]{16}$")
