"""Voting places in RethinkDB: one document per block and node, with what found the place taken beside it.

Invariants:

- A place is filled, kept or refilled, and its evidence is kept, by one atomic write: of votes that arrive at the same
  moment one stands, for ever and for everybody, and the other is kept.
- At most four texts are kept per place.
- Whose a place is, its key says.  What is in it but no text, or contradicts the key, is junk of a stranger: it counts
  for nothing, and gives way to the next who comes (design.md section 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bigchaindb.storage.rethinkdb_driver import literal, r
from bigchaindb.storage.rethinkdb_store import rounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.storage.records import VoteRow
    from bigchaindb.storage.rethinkdb_store import Store

__all__ = ["Votes"]

_KEPT: Final = 4
# So many writers may have given the same place to a text of theirs.
_SAME_PLACE: Final = 64


class Votes:
    """The voting places of one ledger."""

    def __init__(self, store: Store) -> None:
        """Read and write with this."""
        self._store = store

    def place(self, votes: Sequence[VoteRow]) -> list[str]:
        """See `Storage.place_votes`."""
        self._store.check_open()
        place = self._store.places(len(votes)) if votes else 0
        texts: dict[int, str] = {}
        for numbers in rounds([(_id(vote),) for vote in votes]):
            rows = [{**_row(votes[i]), "text": votes[i].text, "place": place + i} for i in numbers]
            replaces = {_id(votes[i]): text for i in numbers if (text := votes[i].replaces) is not None}
            standing = self._store.put_and_see("votes", rows, _contest(replaces))
            texts.update((i, standing[_id(votes[i])].text("text")) for i in numbers)
        return [texts[i] for i in range(len(votes))]

    def of_blocks(self, block_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """See `Storage.votes`."""
        found: dict[str, dict[str, str]] = {}
        for row in self._store.find("votes", block_ids, index="block"):
            if (vote := row.vote_in_place()) is not None:
                found.setdefault(vote.block_id, {})[vote.node] = vote.text
        return found

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
        found = self._store.rows("votes", query)
        kept = {(place, vote.block_id, vote.node, vote.text): vote for row in found for place, vote in row.evidence()}
        return [kept[key] for key in sorted(kept) if behind is None or key > behind][: max(limit, 0)]

    def _key_of(self, vote: VoteRow) -> tuple[int, str, str, str] | None:
        """Return by what a text that is kept is ordered, None if it is not there."""
        kept = (kept for row in self._store.find("votes", [_id(vote)]) for kept in row.evidence())
        return next(
            ((place, each.block_id, each.node, each.text) for place, each in kept if each.text == vote.text), None
        )


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
