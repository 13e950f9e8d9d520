"""Bugs to plant, one at a time, so that one knows that worlds would show them.

Those of design.md 3.5 broke a promise in the model that the rules were made with; the others are mistakes that ledgers
have been made with.  Nothing here is in the product: a plant changes it in this process, and puts it back.

Invariants:

- Every plant is one mistake, as somebody might make it: the smallest change that forgets the rule.
- `CAUGHT_BY` names the first world in which a promise breaks with the plant, among the first 2,000.
"""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from bigchaindb import crypto
from bigchaindb.consensus import admission, judging, selection
from bigchaindb.consensus.facts import Facts
from bigchaindb.consensus.fulfillments import check_fulfillments
from bigchaindb.consensus.judging import No, judge
from bigchaindb.consensus.tally import tally
from bigchaindb.exceptions import Fenced, JournalError, StorageUnavailable
from bigchaindb.model.block import Block
from bigchaindb.model.federations import Federations
from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.model.vote import Vote
from bigchaindb.node import seat as seats
from bigchaindb.node import view as views
from bigchaindb.node.journal import CastVote, entry_line
from bigchaindb.node.seat import Seat
from bigchaindb.node.view import LedgerView
from bigchaindb.pipeline import voter as voters
from bigchaindb.pipeline import worker
from bigchaindb.pipeline.noting import Noting
from bigchaindb.pipeline.voter import Voter
from bigchaindb.storage import memory
from bigchaindb.storage.records import Sighting
from tests.simulation import actors
from tests.simulation.storage import SimulatedStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CAUGHT_BY", "PLANTS", "advance_in_order", "planted"]

# What is changed: (owner, name, what stands there instead).
_Change = tuple[Any, str, Any]


# --- design.md 3.5 -----------------------------------------------------------------------------------------


def _place_before_head() -> list[_Change]:
    return [(Seat, "advance", advance_in_order(["journal", "places", "head"]))]


def _journal_after_head() -> list[_Change]:
    return [(Seat, "advance", advance_in_order(["head", "journal", "places"]))]


def advance_in_order(order: list[str]) -> Any:
    """Return a `Seat.advance` that writes what is cast to journal, head and places in an order of one's own."""

    @contextmanager
    def advance(self: Any, ballots: Any, rulings: Any, prepare: Any) -> Iterator[None]:
        head = replace(self.head, generation=self.head.generation + 1, votes=(), decisions=())
        head, votes = self._sign_votes(head, ballots)
        head, decisions = self._sign_decisions(head, rulings)

        def swap() -> None:
            if not self._storage.swap_register(f"head/{self._me}", self.head.to_text(), head.to_text()):
                raise Fenced("another voter has taken this node's seat")

        def fill() -> None:
            prepare()
            self._fill(head)

        line = entry_line(head.epoch, head.generation, votes, decisions, head.newest_time)
        steps: dict[str, Callable[[], None]] = {
            "journal": lambda: self._journal.append(line),
            "places": fill,
            "head": swap,
        }
        for step in order:
            steps[step]()
        yield
        self.head = head
        for vote in votes:
            self._open_votes[vote.block_id] = CastVote(vote.block_id, vote.is_valid, crypto.hash_data(vote.text))
        for decision in decisions:
            self._open_votes.pop(decision.block_id, None)

    return advance


def _successor_leaves_places() -> list[_Change]:
    fill = Seat._fill

    def fill_own(self: Any, head: Any) -> None:
        if head is not self.head:
            fill(self, head)

    return [(Seat, "_fill", fill_own)]


def _votes_before_epoch() -> list[_Change]:
    take = Seat.take

    def take_late(storage: Any, key: Any, genesis: Any, *others: Any, federations: Any, **more: Any) -> Seat:
        journal, clock = others
        name = f"head/{key.verifying_key}"
        old = seats._read_head(storage.registers([name]).get(name), genesis)
        head = replace(old, epoch=old.epoch + 1)
        early = Seat(storage, key, ledger=genesis.block.id, journal=journal, clock=clock, head=head)
        early._fill(head)
        try:
            early._compare_with_journal(federations)
        except JournalError:
            return take(storage, key, genesis, journal, clock, federations=federations, **more)
        seat = take(storage, key, genesis, journal, clock, federations=federations, **more)
        seat._open_votes = early._open_votes
        return seat

    return [(Seat, "take", staticmethod(take_late))]


def _hasty_membership() -> list[_Change]:
    return [(actors, "check_may_change", lambda _node: None)]


def _rule_2_across_federations() -> list[_Change]:
    def is_valid(self: Any, txid: str, *, but: str | None = None) -> bool:
        return any(standing.verdict for standing in self.standings(txid, but=but))

    return [(Facts, "is_valid_at_present", is_valid)]


def _blind_tie_break() -> list[_Change]:
    return [(selection, "_could_be_built", lambda *_: True)]


def _no_stall() -> list[_Change]:
    return [(LedgerView, "_is_patient", lambda _self, _seen_at, _times: True)]


def _keep_neighbours() -> list[_Change]:
    take = selection._Room.take
    return [(selection._Room, "take", lambda self, transaction, _limit: take(self, transaction, 1_000))]


def _years_ahead() -> list[_Change]:
    return [(judging, "MAX_AHEAD_SECONDS", math.inf)]


def _unlimited_doubling() -> list[_Change]:
    return [(views, "_STALL_DOUBLINGS", 60)]


def _clear_when_built() -> list[_Change]:
    write_block = SimulatedStorage.write_block

    def write_and_clear(self: Any, block: Any) -> None:
        write_block(self, block)
        self.drop_backlog(ids=block.transaction_ids)

    return [(SimulatedStorage, "write_block", write_and_clear)]


# --- others ------------------------------------------------------------------------------------------------


def _count_ballots() -> list[_Change]:
    def count(_voters: Any, votes: Any, quorum: Any) -> bool | None:
        return tally(list(votes), votes, quorum) if votes else None

    return [(voters, "tally", count)]


def _act_before_durable() -> list[_Change]:
    def step(self: Any) -> bool:
        now = self._node.clock()
        noted = self._noting.note_new(now)
        self._load_open(now)
        ballots = self._ballots(now, [])
        for ballot in ballots:
            vote = Vote.sign(ballot.block_id, self._node.ledger, ballot.reason, format_timestamp(now), self._node.key)
            self._open[ballot.block_id].votes[self._node.me] = vote
        rulings, valid = self._rulings(now)
        if rulings:
            self._cast([], rulings, valid, self._begin_to_settle(valid))
        if ballots:
            self._cast(ballots, [], [], self._begin_to_settle([]))
        return noted or bool(ballots) or bool(rulings)

    return [(Voter, "step", step)]


def _no_check_inside_block() -> list[_Change]:
    spends = judging._judge_spends

    def one_by_one(block: Any, transactions: Any, facts: Any) -> No | None:
        return next((no for t in transactions if (no := spends(block, [t], facts))), None)

    return [(judging, "_judge_spends", one_by_one)]


def _makers_voters() -> list[_Change]:
    return [(Federations, "__contains__", lambda _self, _voters: True)]


def _error_as_no() -> list[_Change]:
    def judge_or_refuse(*arguments: Any) -> Any:
        try:
            return judge(*arguments)
        except StorageUnavailable as error:
            return No(str(error))

    return [(voters, "judge", judge_or_refuse)]


def _sign_anew() -> list[_Change]:
    fill = Seat._fill

    def sign_and_fill(self: Any, head: Any) -> None:
        if head is self.head:
            now = format_timestamp(self._clock())
            old = [Vote.from_text(text) for text in head.votes]
            new = [Vote.sign(v.block_id, v.previous_block, v.reason, now, self._key).text for v in old]
            head = replace(head, votes=tuple(new))
        fill(self, head)

    return [(Seat, "_fill", sign_and_fill)]


def _contents_by_id() -> list[_Change]:
    keep = memory._keep

    def keep_by_id(contents: Any, transaction: Any) -> Any:
        standing = contents.texts.get(transaction.id)
        return standing[0] if standing else keep(contents, transaction)

    return [(memory, "_keep", keep_by_id)]


def _cursor_before_note() -> list[_Change]:
    def note(self: Any, now: float) -> bool:
        page = self._storage.blocks_after(self._cursor, 16)
        if not page:
            return False
        if not self._storage.swap_register(self._register, self._cursor, page[-1][0]):
            raise Fenced("another voter has moved this node's cursor")
        self._cursor = page[-1][0]
        known = self._storage.sightings(self._node.me, [stored.key for _, stored in page])
        for _, stored in page:
            if stored.key not in known:
                sighting = Sighting(stored.key, stored.id, now, checked=self._is_whole(stored))
                self._storage.sight(self._node.me, [sighting])
        return True

    return [(Noting, "note_new", note)]


def _unfenced() -> list[_Change]:
    swap = SimulatedStorage.swap_register

    def swap_anyway(self: Any, name: str, expected: str | None, new: str | None) -> bool:
        found = expected if not name.startswith("head/") else self._shared.contents.registers.get(name)
        return swap(self, name, found, new)

    return [(SimulatedStorage, "swap_register", swap_anyway)]


def _junk_keeps_out() -> list[_Change]:
    return [(Seat, "_retry", lambda _self, _row, _text: None)]


def _stall_frees_the_voter() -> list[_Change]:
    standings = LedgerView.standings

    def forget_stalled(self: Any, ids: Any) -> Any:
        return {
            txid: [replace(s, backed=s.backed and s.live) for s in found]
            for txid, found in standings(self, ids).items()
        }

    return [(LedgerView, "standings", forget_stalled)]


def _vote_in_the_past() -> list[_Change]:
    return [(Voter, "_may_vote", lambda self, block: self._seat.vote_on(block.block.id) is None)]


def _decide_before_inputs() -> list[_Change]:
    return [(Voter, "_inputs_decided", lambda *_: True)]


def _no_signature_check() -> list[_Change]:
    return [(judging, "check_fulfillments", lambda *_: None)]


def _no_operation_check() -> list[_Change]:
    return [(judging, "check_operation", lambda *_: None)]


def _no_root_check() -> list[_Change]:
    return [(Block, "holds", lambda self, leaves: len(leaves) == self.header.transaction_count)]


def _valid_twice() -> list[_Change]:
    return [(Facts, "is_valid_at_present", lambda *_, **__: False)]


def _admit_rivals() -> list[_Change]:
    return [(admission, "_waits", lambda *_: False)]


def _never_doubled() -> list[_Change]:
    return [(views, "_STALL_DOUBLINGS", 0)]


def _deadline_ignored() -> list[_Change]:
    def check_at_the_beginning(transaction: Any, spent: Any, _now: Any) -> None:
        check_fulfillments(transaction, spent, "0")

    return [(judging, "check_fulfillments", check_at_the_beginning)]


def _unchained_votes() -> list[_Change]:
    sign = Seat._sign_votes

    def sign_each_as_the_first(self: Any, head: Any, ballots: Any) -> Any:
        return sign(self, replace(head, vote=self._ledger), ballots)

    return [(Seat, "_sign_votes", sign_each_as_the_first)]


def _holdings_late() -> list[_Change]:
    advance = Seat.advance
    return [(Seat, "advance", lambda self, ballots, rulings, _prepare: advance(self, ballots, rulings))]


def _wait_for_ever() -> list[_Change]:
    return [(worker, "_LONGEST_WAIT_SECONDS", math.inf)]


PLANTS: Final[dict[str, Callable[[], list[_Change]]]] = {
    "act-before-durable": _act_before_durable,
    "admit-rivals": _admit_rivals,
    "blind-tie-break": _blind_tie_break,
    "clear-when-built": _clear_when_built,
    "contents-by-id": _contents_by_id,
    "count-ballots": _count_ballots,
    "cursor-before-note": _cursor_before_note,
    "deadline-ignored": _deadline_ignored,
    "decide-before-inputs": _decide_before_inputs,
    "error-as-no": _error_as_no,
    "hasty-membership": _hasty_membership,
    "holdings-late": _holdings_late,
    "journal-after-head": _journal_after_head,
    "junk-keeps-out": _junk_keeps_out,
    "keep-neighbours": _keep_neighbours,
    "makers-voters": _makers_voters,
    "never-doubled": _never_doubled,
    "no-check-inside-block": _no_check_inside_block,
    "no-operation-check": _no_operation_check,
    "no-root-check": _no_root_check,
    "no-signature-check": _no_signature_check,
    "no-stall": _no_stall,
    "place-before-head": _place_before_head,
    "rule-2-across-federations": _rule_2_across_federations,
    "sign-anew": _sign_anew,
    "stall-frees-the-voter": _stall_frees_the_voter,
    "successor-leaves-places": _successor_leaves_places,
    "unchained-votes": _unchained_votes,
    "unfenced": _unfenced,
    "unlimited-doubling": _unlimited_doubling,
    "valid-twice": _valid_twice,
    "vote-in-the-past": _vote_in_the_past,
    "votes-before-epoch": _votes_before_epoch,
    "wait-for-ever": _wait_for_ever,
    "years-ahead": _years_ahead,
}

CAUGHT_BY: Final[dict[str, int]] = {
    "act-before-durable": 0,
    "admit-rivals": 0,
    "blind-tie-break": 5,
    "clear-when-built": 0,
    "contents-by-id": 11,
    "count-ballots": 0,
    "cursor-before-note": 6,
    "deadline-ignored": 138,
    "decide-before-inputs": 61,
    "error-as-no": 53,
    "hasty-membership": 43,
    "holdings-late": 0,
    "journal-after-head": 0,
    "junk-keeps-out": 11,
    "keep-neighbours": 31,
    "makers-voters": 1,
    "never-doubled": 1,
    "no-check-inside-block": 103,
    "no-operation-check": 1,
    "no-root-check": 5,
    "no-signature-check": 1,
    "no-stall": 4,
    "place-before-head": 0,
    "rule-2-across-federations": 67,
    "sign-anew": 0,
    "stall-frees-the-voter": 212,
    "successor-leaves-places": 1,
    "unchained-votes": 0,
    "unfenced": 3,
    "unlimited-doubling": 17,
    "valid-twice": 1,
    "vote-in-the-past": 7,
    "votes-before-epoch": 2,
    "wait-for-ever": 6,
    "years-ahead": 5,
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Let a bug be there while the body runs."""
    with ExitStack() as stack:
        for owner, attribute, instead in PLANTS[name]():
            stack.enter_context(patch.object(owner, attribute, instead))
        yield
