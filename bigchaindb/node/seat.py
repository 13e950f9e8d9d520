"""A node's seat in the federation: the only way in which it casts votes and decisions (design.md section 3).

Invariants:

- Order: journal, then head, then place.  What the head took is cast, and nothing else is.
- Whoever takes the seat raises the epoch, then fills the places that the head tells of, then compares storage with the
  journal; whoever held it before finds the head changed and can cast nothing more (`Fenced`).
- One vote per block; votes and decisions form one chain each.
- Whoever has taken the seat under a federation takes it under that or a later one only (design.md 3.3).
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bigchaindb import crypto
from bigchaindb.exceptions import Fenced, JournalError, StorageUnavailable
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.model.vote import Vote
from bigchaindb.node.head import Head, PendingDecision
from bigchaindb.node.journal import CastVote, Starts, entry_line, read_starts, read_taken, start_line
from bigchaindb.node.scrub import Scrub, check_decisions, check_vote, check_votes
from bigchaindb.node.view import read_vote
from bigchaindb.storage.records import DecisionRow, VoteRow

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from bigchaindb.crypto import SigningKey
    from bigchaindb.model.federations import Federations
    from bigchaindb.model.genesis import Genesis
    from bigchaindb.node.journal import CastDecision, Journal, Taken
    from bigchaindb.storage.interface import Storage

__all__ = ["Ballot", "Ruling", "Seat"]

_TRIES: Final = 20
_PAGE: Final = 500
_NEWEST: Final = 50


@dataclass(frozen=True, slots=True)
class Ballot:
    """A vote to cast: "no" if there is a reason."""

    block_id: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision to record.

    Attributes:
        block_id: the block decided.
        is_valid: how.
        transaction_count: how many transactions it holds.
        block_time: its timestamp.
    """

    block_id: str
    is_valid: bool
    transaction_count: int
    block_time: str


class Seat:
    """The hold on a node's head; `take` gets one.

    Attributes:
        head: as this voter has left it in storage.
        scrub: compares, a part at a time, what this node has ever cast with storage.
    """

    def __init__(  # noqa: PLR0913 - what a seat is made of
        self,
        storage: Storage,
        key: SigningKey,
        *,
        ledger: str,
        journal: Journal,
        clock: Callable[[], float],
        head: Head,
    ) -> None:
        """Use `take` instead."""
        self._storage = storage
        self._key = key
        self._me = str(key.verifying_key)
        self._ledger = ledger
        self._journal = journal
        self._clock = clock
        self.head = head
        self._written = head.to_text()
        self._open_votes: dict[str, CastVote] = {}
        self._is_certain = True
        self.scrub = Scrub(storage, self._me, tuple)

    @classmethod
    def take(  # noqa: PLR0913 - what a seat is made of
        cls,
        storage: Storage,
        key: SigningKey,
        genesis: Genesis,
        journal: Journal,
        clock: Callable[[], float],
        *,
        federations: Federations,
        compared: int = 0,
        prepare: Callable[[Sequence[str]], None] | None = None,
    ) -> Seat:
        """Take the seat from whoever holds it.

        Args:
            storage: the database.
            key: the node's.
            genesis: of the ledger.
            journal: the node's.
            clock: returns Unix seconds.
            federations: all that this node is configured to know.
            compared: the generation up to which this process has compared storage with the journal already.
            prepare: called with the blocks that the head says are decided valid, before anybody can see that: stores
                what whoever sees a decision must find.

        Raises:
            JournalError: storage contradicts the journal, or the journal does not reach the head; or this node has
                used a federation that is not among these.
            Fenced: others took it again and again.
        """
        name = _register(str(key.verifying_key))
        for _ in range(_TRIES):
            text = storage.registers([name]).get(name)
            old = _read_head(text, genesis)
            head = replace(old, epoch=old.epoch + 1)
            if storage.swap_register(name, text, head.to_text()):
                break
        else:
            raise Fenced("the head of this node changes all the time: is another voter running with its key?")
        seat = cls(storage, key, ledger=genesis.block.id, journal=journal, clock=clock, head=head)
        if prepare is not None:
            prepare([row.block_id for row in map(seat._row, head.decisions) if row.verdict])
        seat._fill(head)
        try:
            seat._compare_with_journal(federations, compared)
        except JournalError as error:
            if storage.registers([name]).get(name) != head.to_text():
                raise Fenced("another voter has taken this node's seat meanwhile") from error
            raise
        journal.append(start_line(head.epoch, head.generation, federations.fingerprint))
        return seat

    def trouble(self, what: str) -> Fenced | StorageUnavailable:
        """Return what it means that a note of this node in storage is another than this voter left it.

        Either another voter has the seat; or a write that was given up, because no answer came, has arrived late.
        """
        name = _register(self._me)
        if self._storage.registers([name]).get(name) != self._written:
            return Fenced(f"another voter has moved {what}")
        return StorageUnavailable(f"a write that was given up has moved {what}")

    def backed(self, block_ids: Collection[str]) -> set[str]:
        """Return which of these blocks this node has voted valid on, of those it has not decided."""
        return {block_id for block_id in block_ids if self.vote_on(block_id)}

    def vote_on(self, block_id: str) -> bool | None:
        """Return how this node voted on a block that it has not decided; None if it did not."""
        cast = self._open_votes.get(block_id)
        return cast.is_valid if cast else None

    def check_place(self, block_id: str, text: str | None) -> None:
        """Compare what stands in the place of a vote on an undecided block with what was cast.

        Raises:
            JournalError: it is gone, or was changed.
        """
        cast = self._open_votes.get(block_id)
        if cast:
            check_vote(cast, text)

    @contextmanager
    def advance(
        self, ballots: Sequence[Ballot], rulings: Sequence[Ruling], prepare: Callable[[], None] | None = None
    ) -> Iterator[None]:
        """Cast votes and record decisions; what is stored in the body is committed with them where that can be.

        Args:
            ballots: the votes.
            rulings: the decisions.
            prepare: called when all this is certain, and before anybody can see it: when it has returned, what whoever
                sees a decision must find is stored.

        Raises:
            Fenced: somebody else took the seat, or an earlier call failed; nothing was cast.
            JournalError: the journal cannot be written (nothing was cast), or a place holds other words of this node.
            StorageError: it is not known what was cast; take the seat again.
        """
        if not self._is_certain:
            # The journal holds what may or may not have been cast; only `take` finds out.
            raise Fenced("it is not known what this voter has cast: take the seat again")
        self._is_certain = False
        head = replace(self.head, generation=self.head.generation + 1, votes=(), decisions=())
        head, votes = self._sign_votes(head, ballots)
        head, decisions = self._sign_decisions(head, rulings)
        self._journal.append(entry_line(head.epoch, head.generation, votes, decisions, head.newest_time))
        with self._storage.batch():
            name = _register(self._me)
            if not self._storage.swap_register(name, self.head.to_text(), head.to_text()):
                raise Fenced("another voter has taken this node's seat")
            self._written = head.to_text()
            if prepare is not None:
                prepare()
            self._fill(head)
            yield
        self.head = head
        self._is_certain = True
        for vote in votes:
            self._open_votes[vote.block_id] = CastVote(vote.block_id, vote.is_valid, crypto.hash_data(vote.text))
        for decision in decisions:
            self._open_votes.pop(decision.block_id, None)

    def _sign_votes(self, head: Head, ballots: Sequence[Ballot]) -> tuple[Head, list[Vote]]:
        votes = []
        previous = head.vote
        for ballot in ballots:
            timestamp = format_timestamp(self._clock())
            votes.append(Vote.sign(ballot.block_id, previous, ballot.reason, timestamp, self._key))
            previous = ballot.block_id
        return replace(head, vote=previous, votes=tuple(vote.text for vote in votes)), votes

    def _sign_decisions(self, head: Head, rulings: Sequence[Ruling]) -> tuple[Head, list[Decision]]:
        decisions: list[Decision] = []
        pending: list[PendingDecision] = []
        for ruling in rulings:
            decision = Decision.sign(
                ledger=self._ledger,
                sequence=head.sequence + 1,
                block_id=ruling.block_id,
                verdict=Verdict.VALID if ruling.is_valid else Verdict.INVALID,
                previous=head.decision,
                timestamp=format_timestamp(self._clock()),
                key=self._key,
            )
            head = replace(
                head,
                sequence=decision.sequence,
                decision=decision.hash,
                valid_transactions=head.valid_transactions + ruling.transaction_count * ruling.is_valid,
                # Of valid blocks only: any member can have a block decided invalid, whatever date it bears.
                newest_time=max(head.newest_time, ruling.block_time, key=float)
                if ruling.is_valid
                else head.newest_time,
            )
            decisions.append(decision)
            pending.append(PendingDecision(decision.text, head.valid_transactions, head.newest_time))
        return replace(head, decisions=tuple(pending)), decisions

    # --- places ----------------------------------------------------------------------------------------------

    def _fill(self, head: Head) -> None:
        """Put what the head tells of into its places."""
        # Decisions first: whoever sees a vote must see the decision "invalid" on a rival that allows it.
        decisions = [self._row(pending) for pending in head.decisions]
        if decisions:
            for row, text in zip(decisions, self._storage.append_decisions(decisions), strict=True):
                if text != row.text:
                    raise JournalError(f"another decision stands at number {row.sequence} of this node's log")
        rows = [VoteRow(Vote.from_text(text).block_id, self._me, text) for text in head.votes]
        for _ in range(_TRIES):
            if not rows:
                break
            standing = self._storage.place_votes(rows)
            rows = [r for row, text in zip(rows, standing, strict=True) if (r := self._retry(row, text))]
        else:
            raise JournalError(
                f"the place of this node's vote on block {rows[0].block_id} is filled with junk, ever anew"
            )

    def _retry(self, row: VoteRow, text: str) -> VoteRow | None:
        """Return what to place next, None if the vote stands; a place held by no vote of this node is not taken."""
        if text == row.text:
            return None
        if read_vote(text, row.block_id, self._me):
            raise JournalError(f"another vote of this node stands on block {row.block_id}: does somebody use its key?")
        return replace(row, replaces=text)

    def _row(self, pending: PendingDecision) -> DecisionRow:
        decision = Decision.from_text(pending.text)
        return DecisionRow(
            node=self._me,
            sequence=decision.sequence,
            block_id=decision.block_id,
            verdict=decision.verdict is Verdict.VALID,
            text=pending.text,
            valid_transactions=pending.valid_transactions,
            newest_time=pending.newest_time,
        )

    # --- the journal -----------------------------------------------------------------------------------------

    def _compare_with_journal(self, federations: Federations, compared: int = 0) -> None:
        """Check that everything this node has cast stands in storage, and learn which votes are open.

        Args:
            federations: all that this node is configured to know.
            compared: the generation up to which storage was compared before: for that, the journal's word is enough.

        Raises:
            JournalError: naming the first vote or decision that does not.
        """
        starts = read_starts(self._journal, self.head.epoch - 1)
        newest: deque[Taken] = deque(maxlen=_NEWEST)
        votes: list[CastVote] = []
        decisions: list[CastDecision] = []
        last = _Last(self._ledger)
        for taken in read_taken(self._journal, starts, self.head.generation):
            last.take(taken)
            newest.append(taken)
            if taken.generation <= compared:
                self._learn(taken.votes, taken.decisions)
                continue
            votes += taken.votes
            decisions += taken.decisions
            if len(votes) + len(decisions) >= _PAGE:
                self._compare(votes, decisions)
                votes, decisions = [], []
        self._compare(votes, decisions)
        self._compare_head(last)
        if starts.federations is not None and not federations.began_with(starts.federations):
            raise JournalError(
                f"this node has used a later federation, or another, than the {len(federations.history)} that its "
                "configuration knows; take over the history of another member: `bigchaindb keyring adopt`"
            )
        # From here on the journal goes on in this epoch, and what a voter before it did not get through is void.
        own = Starts((*starts.all, (self.head.epoch, self.head.generation, federations.fingerprint)))
        self.scrub = Scrub(self._storage, self._me, lambda: self._taken_so_far(own), newest)

    def _taken_so_far(self, starts: Starts) -> Iterator[Taken]:
        """Return what the head has taken by now; what is cast while this is read stands behind it in the journal."""
        generation = self.head.generation
        for taken in read_taken(self._journal, starts, generation) if generation else ():
            yield taken
            if taken.generation == generation:
                return

    def _compare_head(self, last: _Last) -> None:
        """Check that the head goes on from what was cast last, so that nobody can make the node fork its chains."""
        texts = check_decisions(self._storage, self._me, [last.decision]) if last.decision else {}
        told = (self.head.vote, self.head.sequence, self.head.decision, self.head.newest_time)
        known = (
            last.vote,
            last.decision.sequence if last.decision else 0,
            Decision.from_text(texts[last.decision.sequence]).hash if last.decision else None,
            last.newest_time or self.head.newest_time,
        )
        if told != known:
            raise JournalError(
                f"this node's head in storage was changed: it goes on from {told}, the journal from {known}"
            )

    def _compare(self, votes: Sequence[CastVote], decisions: Sequence[CastDecision]) -> None:
        check_votes(self._storage, self._me, votes)
        check_decisions(self._storage, self._me, decisions)
        self._learn(votes, decisions)

    def _learn(self, votes: Iterable[CastVote], decisions: Iterable[CastDecision]) -> None:
        self._open_votes.update((vote.block_id, vote) for vote in votes)
        for decision in decisions:
            self._open_votes.pop(decision.block_id, None)


class _Last:
    """What a journal says was cast last."""

    def __init__(self, ledger: str) -> None:
        self.vote = ledger
        self.decision: CastDecision | None = None
        self.newest_time: str | None = None

    def take(self, taken: Taken) -> None:
        self.newest_time = taken.newest_time or self.newest_time
        if taken.votes:
            self.vote = taken.votes[-1].block_id
        if taken.decisions:
            self.decision = taken.decisions[-1]


def _register(node: str) -> str:
    return f"head/{node}"


def _read_head(text: str | None, genesis: Genesis) -> Head:
    if text is None:
        return Head(0, 0, genesis.block.id, 0, None, 0, genesis.block.header.timestamp)
    return Head.from_text(text)
