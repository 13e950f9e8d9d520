"""Voting places in RethinkDB: one document per block and node, with what found the place taken beside it.

Invariants:

- A place is filled, kept or refilled, and its evidence is kept, by one atomic write: of votes that arrive at the same
  moment one stands, for ever and for everybody, and the other is kept.
- At most four texts are kept per place.
- Anybody can add places, so only so many of a block are read; where there are more, those of the voters that it names.
- Whose a place is, its key says.  What is in it but no text, or contradicts the key, is junk of a stranger: it counts
  for nothing, and gives way to the next who comes (design.md section 3).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.storage import changes
from bigchaindb.storage.rethinkdb_driver import literal, r
from bigchaindb.storage.rethinkdb_store import may_be_key, rounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.storage.records import StoredBlock, VoteRow
    from bigchaindb.storage.rethinkdb_blocks import Blocks
    from bigchaindb.storage.rethinkdb_rows import Row
    from bigchaindb.storage.rethinkdb_store import Store

__all__ = ["Votes"]

_KEPT: Final = 4
# So many writers may have given the same place to a text of theirs.
_SAME_PLACE: Final = 64
# More than all members have on so many blocks.
_PLACES: Final = 4_096
_BLOCKS: Final = 64


class Votes:
    """The voting places of one ledger."""

    def __init__(self, store: Store, blocks: Blocks) -> None:
        """Read and write with these."""
        self._store = store
        self._blocks = blocks

    def place(self, votes: Sequence[VoteRow]) -> list[str]:
        """See `Storage.place_votes`."""
        self._store.check_open()
        place = self._store.places(len(votes)) if votes else 0
        texts: dict[str, str] = {}
        for numbers in rounds([(_id(vote),) for vote in votes]):
            rows = [{**_row(votes[i]), "text": votes[i].text, "place": place + i} for i in numbers]
            replaces = {_id(votes[i]): text for i in numbers if (text := votes[i].replaces) is not None}
            standing = self._store.put_and_see("votes", rows, _contest(replaces), news=[changes.VOTES])
            texts.update((id_, row.text("text")) for id_, row in standing.items())
        return [texts[_id(vote)] for vote in votes]

    def of_blocks(self, block_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """See `Storage.votes`."""
        found: dict[str, dict[str, str]] = {}
        for row in self._rows(list(dict.fromkeys(block_ids))):
            if (vote := row.vote_in_place()) is not None:
                found.setdefault(vote.block_id, {})[vote.node] = vote.text
        return found

    def _rows(self, block_ids: Sequence[str]) -> list[Row]:
        wanted = [id_ for id_ in block_ids if may_be_key(id_)]
        rows: list[Row] = []
        for start in range(0, len(wanted), _BLOCKS):
            some = wanted[start : start + _BLOCKS]
            found = self._some_rows(some)
            if len(found) < _PLACES:
                rows += found
            else:
                for id_ in some:
                    alone = self._some_rows([id_])
                    rows += alone if len(alone) < _PLACES else self._rows_of_voters(id_)
        return rows

    def _some_rows(self, block_ids: Sequence[str]) -> list[Row]:
        self._store.check_open()
        places = r.table("votes").get_all(r.args(literal(block_ids)), index="block")
        return self._store.rows("votes", places.limit(_PLACES))

    def _rows_of_voters(self, block_id: str) -> list[Row]:
        blocks = self._blocks.of_ids([block_id]).get(block_id, [])
        voters = dict.fromkeys(voter for block in blocks for voter in _voters(block))
        return self._store.find("votes", [f"{block_id}/{voter}" for voter in voters])

    def keep_evidence(self, votes: Sequence[VoteRow]) -> None:
        """See `Storage.keep_evidence`."""
        self._store.check_open()
        place = self._store.places(len(votes)) if votes else 0
        rows = [{**_row(vote), "evidence": [{"text": vote.text, "place": place + i}]} for i, vote in enumerate(votes)]
        self._store.put(
            "votes",
            rows,
            lambda _, standing, new: _with_evidence(_without_junk(standing, new), new["evidence"][0]),
        )

    def evidence(self, limit: int, after: VoteRow | None = None) -> list[VoteRow]:
        """See `Storage.evidence`."""
        behind = self._key_of(after) if after else None
        query = r.table("votes")
        if behind:
            query = query.between(behind[0], r.maxval, index="evidence")
        # A document comes once for each text in it; and two writers may have given the same place.
        query = query.order_by(index="evidence").limit(max(limit, 0) + (_SAME_PLACE if behind else 0))
        found = self._store.rows("votes", query, decides=False)
        kept = {(place, vote.block_id, vote.node, vote.text): vote for row in found for place, vote in row.evidence()}
        return [kept[key] for key in sorted(kept) if behind is None or key > behind][: max(limit, 0)]

    def _key_of(self, vote: VoteRow) -> tuple[int, str, str, str] | None:
        """Return by what a text that is kept is ordered, None if it is not there."""
        kept = (kept for row in self._store.find("votes", [_id(vote)]) for kept in row.evidence())
        return next(
            ((place, each.block_id, each.node, each.text) for place, each in kept if each.text == vote.text), None
        )


def _voters(block: StoredBlock) -> list[str]:
    """Return whose votes a block asks for, as far as its text says so."""
    try:
        voters = json.loads(block.text)["block"]["voters"]
    except (LookupError, RecursionError, TypeError, ValueError):
        return []
    return [voter for voter in voters if isinstance(voter, str)] if isinstance(voters, list) else []


def _id(vote: VoteRow) -> str:
    return f"{vote.block_id}/{vote.node}"


def _row(vote: VoteRow) -> dict[str, Any]:
    return {"id": _id(vote), "block": vote.block_id, "node": vote.node}


def _contest(replaces: dict[str, str]) -> Any:
    known = literal(replaces)

    def contest(_: Any, standing: Any, new: Any) -> Any:
        place = _without_junk(standing, new)
        held = place["text"].default(None)
        is_free = held.eq(None)
        if replaces:
            # A text always equals its own, so nothing is lost where there is none to replace.
            is_free = is_free.or_(held.eq(known[standing["id"]].default(None)))
        return r.branch(
            is_free.or_(held.eq(new["text"])),
            place.merge({"text": new["text"]}),
            _with_evidence(place, {"text": new["text"], "place": new["place"]}),
        )

    return contest


def _without_junk(standing: Any, new: Any) -> Any:
    """Return a place as far as its owner, or somebody who writes as one should, has filled it."""
    whose = {"block": new["block"], "node": new["node"]}
    is_whole = _has_type(standing, "text", "STRING").and_(standing.pluck("block", "node").eq(whose))
    return r.branch(is_whole, standing, standing.without("text").merge(whose))


def _with_evidence(place: Any, kept: Any) -> Any:
    kept = r.expr(kept)
    evidence = r.branch(_has_type(place, "evidence", "ARRAY"), place["evidence"], [])
    evidence = evidence.filter(lambda one: one.type_of().eq("OBJECT"))
    is_known = evidence.filter({"text": kept["text"]}).is_empty().not_()
    is_full = evidence.count().ge(_KEPT)
    return r.branch(is_known.or_(is_full), place, place.merge({"evidence": evidence.append(kept)}))


def _has_type(row: Any, field: str, name: str) -> Any:
    return row[field].type_of().default(None).eq(name)
