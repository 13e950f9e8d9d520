"""The voter: notes blocks, votes on them, and records what is decided (design.md 3 and 3.1).

Invariants:

- A vote is durable before anything is done because of it: decisions count the votes in storage.
- It knows the blocks that `noting` has found whole, and those only; what waits for something is judged again.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from bigchaindb.consensus.facts import Facts
from bigchaindb.consensus.judging import No, Times, Wait, judge
from bigchaindb.consensus.tally import tally
from bigchaindb.exceptions import BlockError, JournalError, TransactionError
from bigchaindb.model.block import Block
from bigchaindb.model.transaction import Transaction
from bigchaindb.node.effects import effects
from bigchaindb.node.membership import pledge
from bigchaindb.node.recorded import honest_verdict, quorum_verdict
from bigchaindb.node.seat import Ballot, Ruling, Seat
from bigchaindb.node.view import BLOCK_STALL_SECONDS, read_vote, settled_register
from bigchaindb.pipeline.every import Every
from bigchaindb.pipeline.noting import Noting
from bigchaindb.pipeline.watch import Watch
from bigchaindb.storage import changes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bigchaindb.model.vote import Vote
    from bigchaindb.node.journal import Journal
    from bigchaindb.node.node import Node
    from bigchaindb.storage.records import DecisionRow, Sighting, StoredBlock

__all__ = ["Memory", "Voter"]

_PAGE: Final = 16
_MAX_OPEN: Final = 256
_MAX_LOADED: Final = 12
_RETRY_SECONDS: Final = 1.0
# It reads all that was ever decided, again and again: that must not be what a busy node is busy with.
_SCRUB_SHARE: Final = 0.02
_BUSY_SCRUB_SHARE: Final = 0.005

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Open:
    """A checked block that this node has not decided."""

    sighting: Sighting
    block: Block
    stored: StoredBlock
    contents: list[Transaction | TransactionError] | None = None
    votes: dict[str, Vote] = field(default_factory=dict)
    judged_at: float = float("-inf")
    judged_after: int = -1


@dataclass(slots=True)
class Memory:
    """What a process remembers from one of its voters to the next.

    Attributes:
        said: what it has logged, and logs only once.
        compared: the generation of the head up to which it has compared storage with the journal.
    """

    said: set[str] = field(default_factory=set)
    compared: int = 0


class Voter:
    """One node's voter; `step` does what there is to do.

    Attributes:
        waits_for: the changes that can give it something to do.
    """

    waits_for: Final = (changes.BLOCKS, changes.VOTES)

    def __init__(self, node: Node, journal: Journal, memory: Memory | None = None) -> None:
        """Take the node's seat.

        Args:
            node: whose voter it is.
            journal: what it has cast.
            memory: of this process; it outlives the voter.

        Raises:
            JournalError: storage contradicts what this node has cast.
        """
        self._node = node
        self._storage = node.storage
        memory = memory or Memory()
        self._noting = Noting(node, memory.said)
        self._seat = Seat.take(
            node.storage,
            node.key,
            node.genesis,
            journal,
            node.clock,
            federations=node.federations,
            compared=memory.compared,
            prepare=self._enter_holdings_of,
        )
        memory.compared = self._seat.head.generation
        pledge(node)
        node.view.backing = self._seat.backed
        node.sight_genesis()
        self._open: dict[str, _Open] = {}
        self._noting.go_on(self._seat.trouble)
        self._settled_register = settled_register(node.me)
        self._settled = self._storage.registers([self._settled_register]).get(self._settled_register)
        self._recheck = Every(_RETRY_SECONDS)
        self._ask_others = Every(_RETRY_SECONDS)
        self._scrub = Every(_RETRY_SECONDS)
        self._older_after: str | None = None
        self._watch = Watch(node, memory.said)
        self._settle_rest()

    def step(self) -> bool:
        """Note new blocks, then vote on and decide what can be.

        Returns:
            Whether there may be more to do at once.

        Raises:
            Fenced: another voter has this node's seat; this one must end.
            JournalError: storage contradicts what this node has cast; it must end.
            StorageError: make a new voter and go on.
        """
        now = self._node.clock()
        noted = self._noting.note_new(now)
        self._load_open(now)
        rulings, valid = self._rulings(now)
        # Holdings are for ever.  What this node's vote alone decides can be settled while the next are judged; of
        # several voters one may lie, and put another vote in the place of its own before anything is recorded here.
        is_alone = all(block.header.voters == (self._node.me,) for block, _ in valid)
        await_settled = self._begin_to_settle(valid) if is_alone else partial(self._settle, valid)
        ballots = self._ballots(now, rulings)
        if ballots or rulings:
            self._cast(ballots, rulings, valid, await_settled)
        self._watch.step(now, self._open)
        is_busy = noted or bool(ballots) or bool(rulings)
        if self._scrub.is_due(now):
            began = self._node.clock()
            self._seat.scrub.step()
            self._scrub.took(self._node.clock() - began, _BUSY_SCRUB_SHARE if is_busy else _SCRUB_SHARE)
        return is_busy

    def seconds_until_due(self) -> float | None:
        """Return None: a voter waits for changes only; what it retries, it retries whenever it is stepped."""
        return None

    # --- loading ---------------------------------------------------------------------------------------------

    def _load_open(self, now: float) -> None:
        """Know the checked, undecided blocks, oldest first; look at those left aside now and then."""
        if self._recheck.is_due(now):
            self._noting.recheck_aside(now)
        newest = self._storage.open_sightings(self._node.me, checked=True, limit=_MAX_OPEN, newest_until=math.inf)
        wanted = newest
        if len(newest) == _MAX_OPEN:
            # Who notes that this node will see blocks in the next century must not hide what it sees today.
            newest = self._storage.open_sightings(self._node.me, checked=True, limit=_MAX_OPEN, newest_until=now)
            wanted = self._some_older(newest) + newest
        # What was just looked at need not be read again.
        noted = self._noting.take_noted()
        for sighting in wanted:
            if sighting.key in noted:
                whole = noted[sighting.key]
                self._open.setdefault(sighting.block_id, _Open(sighting, whole.block, whole.stored, whole.contents))
        missing = [s for s in wanted if s.block_id not in self._open]
        # A note that says otherwise than this node's own decision is mended, and not believed.
        told = self._noting.with_verdicts(missing) if missing else []
        if decided := [sighting for sighting in told if sighting.verdict is not None]:
            self._storage.sight(self._node.me, decided)
        missing = [sighting for sighting in told if sighting.verdict is None]
        passed = self._noting.take_passed()
        read = {s.block_id: [item] for s in missing if (item := passed.get(s.key)) and item.id == s.block_id}
        unread = [s.block_id for s in missing if s.block_id not in read]
        stored = {**(self._storage.blocks(unread) if unread else {}), **read}
        for sighting in missing:
            for item in stored.get(sighting.block_id, []):
                if item.key == sighting.key and (block := self._noting.acceptable(item)):
                    self._open[block.id] = _Open(sighting, block, item)
        self._open = {s.block_id: self._open[s.block_id] for s in wanted if s.block_id in self._open}
        self._node.view.undecided = self._open.keys()

    def _some_older(self, newest: list[Sighting]) -> list[Sighting]:
        """Choose a few, in turn, of the undecided blocks that came before these."""
        # Blocks that nobody will ever decide must neither fill the memory nor keep new ones out of sight.
        keys = {sighting.key for sighting in newest}
        some = self._noting.some_open(self._older_after, checked=True)
        older = [sighting for sighting in some if sighting.key not in keys]
        # Behind the last of these come the newest: it is the first ones' turn again.
        self._older_after = some[-1].key if some and len(older) == len(some) else None
        return older

    def _contents(self, open_block: _Open) -> list[Transaction | TransactionError] | None:
        """Return a block's contents, None where they do not add up to its root now; a few blocks' are kept."""
        if open_block.contents is None:
            loaded = [other for other in self._open.values() if other.contents is not None]
            for other in loaded[: max(0, len(loaded) - _MAX_LOADED + 1)]:
                other.contents = None
            open_block.contents = self._noting.load(open_block.block, open_block.stored)
        return open_block.contents

    # --- voting ----------------------------------------------------------------------------------------------

    def _ballots(self, now: float, rulings: Sequence[Ruling]) -> list[Ballot]:
        """Judge what is not voted on; votes and rulings of this round count for the blocks behind."""
        ballots: list[Ballot] = []
        decided = {ruling.block_id for ruling in rulings}
        # What is about to be recorded as valid binds as if this node had voted for it; as invalid, no more.
        refused = {ruling.block_id for ruling in rulings if not ruling.is_valid}
        backed = decided - refused
        newest = float(self._seat.head.newest_time)
        self._node.view.backing = lambda ids: (self._seat.backed(ids) | (backed & set(ids))) - refused
        for block_id, open_block in self._open.items():
            if block_id in decided or not self._may_vote(open_block) or not self._is_due(open_block, now):
                continue
            contents = self._contents(open_block)
            if contents is None:
                continue
            opinion = judge(
                open_block.block, contents, self._node.view, Times(now, open_block.sighting.seen_at, newest)
            )
            open_block.judged_at, open_block.judged_after = now, self._seat.head.sequence
            if isinstance(opinion, Wait):
                self._node.view.remember(_well_formed(contents))
                _log.debug("block %s waits: %s", block_id, opinion.reason)
                continue
            if isinstance(opinion, No):
                _log.info("block %s refused: %s", block_id, opinion.reason)
                if opinion.rival_block:
                    self._watch.compare(block_id, opinion.rival_block)
                ballots.append(Ballot(block_id, opinion.reason))
                continue
            backed.add(block_id)
            ballots.append(Ballot(block_id, None))
        self._node.view.backing = self._seat.backed
        return ballots

    def _may_vote(self, open_block: _Open) -> bool:
        """Tell whether this node has a vote to cast on a block; under an earlier federation it has none."""
        is_present = open_block.block.header.voters == self._node.federation
        return is_present and self._seat.vote_on(open_block.block.id) is None

    def _is_due(self, open_block: _Open, now: float) -> bool:
        """Tell whether a block that waited may fare otherwise now: something was decided, or time has passed."""
        # A clock that was set back has passed no time, and must not stand still either.
        is_recent = 0 <= now - open_block.judged_at < _RETRY_SECONDS
        return open_block.judged_after < self._seat.head.sequence or not is_recent

    # --- deciding --------------------------------------------------------------------------------------------

    def _rulings(self, now: float) -> tuple[list[Ruling], list[tuple[Block, list[Transaction]]]]:
        """Decide what the votes in storage decide; with the valid blocks' transactions."""
        rulings: list[Ruling] = []
        valid: list[tuple[Block, list[Transaction]]] = []
        votes = self._storage.votes(list(self._open)) if self._open else {}
        records = self._records(now)
        just_valid: set[str] = set()
        for block_id, open_block in self._open.items():
            header = open_block.block.header
            places = votes.get(block_id, {})
            self._seat.check_place(block_id, places.get(self._node.me))
            verdict = self._verdict(open_block, places, records.get(block_id, ()))
            if verdict is None:
                continue
            if verdict:
                contents = self._contents(open_block)
                if contents is None or not self._inputs_decided(open_block, _well_formed(contents), just_valid):
                    continue
                valid.append((open_block.block, _well_formed(contents)))
                just_valid.update(t.id for t in valid[-1][1])
            elif self._seat.backed([block_id]):
                # They bear this node out when it votes valid on a rival, whatever stands in their places by then.
                self._watch.keep(vote for vote in open_block.votes.values() if not vote.is_valid)
            rulings.append(Ruling(block_id, verdict, header.transaction_count, header.timestamp))
        return rulings, valid

    def _records(self, now: float) -> dict[str, list[DecisionRow]]:
        """Return what others have recorded of the blocks that have been undecided here for long; now and then."""
        if not self._ask_others.is_due(now):
            return {}
        late = [block_id for block_id, o in self._open.items() if abs(now - o.sighting.seen_at) >= BLOCK_STALL_SECONDS]
        return self._storage.decisions_on(late) if late else {}

    def _verdict(self, open_block: _Open, places: dict[str, str], records: Sequence[DecisionRow]) -> bool | None:
        """Decide by the votes, or where these are not enough for long, by what others have recorded.

        Whoever was away may find other votes in storage than those that once were counted: a member that lies can
        put another in the place of its own.  And a newcomer was not there to see them cast.
        """
        block, header = open_block.block, open_block.block.header
        if self._node.me in header.voters:
            verdict = tally(header.voters, self._count(open_block, places), self._node.quorum)
            return honest_verdict(records, block.id, header, self._node.quorum) if verdict is None else verdict
        rows = self._storage.decisions_on([block.id]).get(block.id, [])
        return quorum_verdict(rows, block.id, block.header, self._node.quorum)

    def _count(self, open_block: _Open, places: dict[str, str]) -> dict[str, bool]:
        """Return the votes that count: the first well-signed one of each node, whatever stands in its place now."""
        block_id = open_block.block.id
        for node, text in places.items():
            known = open_block.votes.get(node)
            if known and known.text == text:
                continue
            if node not in open_block.block.header.voters:
                self._noting.log_once("vote by a stranger", block_id, f"{node} has no vote on it")
                continue
            vote = read_vote(text, block_id, node)
            if vote and known:
                self._watch.keep([known, vote])
            elif vote:
                open_block.votes[node] = vote
        return {node: vote.is_valid for node, vote in open_block.votes.items()}

    def _inputs_decided(self, open_block: _Open, transactions: list[Transaction], just_valid: set[str]) -> bool:
        """Tell whether this node has decided what the block spends; where it voted valid, it had."""
        if self._seat.vote_on(open_block.block.id):
            return True
        facts = Facts(transactions, self._node.view)
        here = {t.id for t in transactions} | just_valid
        return all(facts.undecided_inputs(t) <= here for t in transactions)

    # --- casting ---------------------------------------------------------------------------------------------

    def _cast(
        self,
        ballots: Sequence[Ballot],
        rulings: Sequence[Ruling],
        valid: Sequence[tuple[Block, list[Transaction]]],
        await_settled: Callable[[], None],
    ) -> None:
        with self._seat.advance(ballots, rulings, await_settled):
            if rulings:
                self._finish(valid, self._seat.head.sequence + len(rulings))
        # From now on nobody can hide them from this voter by deleting them.
        self._node.view.learn({ruling.block_id: ruling.is_valid for ruling in rulings})
        for block, transactions in valid:
            self._node.view.learn_contents(block, transactions)
        for ruling in rulings:
            self._open.pop(ruling.block_id)
            level = logging.DEBUG if ruling.is_valid else logging.INFO
            verdict = "valid" if ruling.is_valid else "invalid"
            _log.log(level, "block %s %s, %d transactions", ruling.block_id, verdict, ruling.transaction_count)

    def _begin_to_settle(self, valid: Sequence[tuple[Block, list[Transaction]]]) -> Callable[[], None]:
        """Bring the index of holdings up to date: whoever sees that a transaction is valid finds what it made.

        Returns:
            What waits until that is done.
        """
        if not valid:
            return lambda: None
        return self._storage.settling(effects(self._node, [t for _, contents in valid for t in contents]))

    def _settle(self, valid: Sequence[tuple[Block, list[Transaction]]]) -> None:
        self._begin_to_settle(valid)()

    def _finish(self, valid: Sequence[tuple[Block, list[Transaction]]], sequence: int) -> None:
        """Let what a quorum has recorded wait no more, and note that all is done up to a decision."""
        if valid:
            self._storage.drop_backlog(ids=self._recorded_by_quorum(valid))
        settled = str(sequence)
        if not self._storage.swap_register(self._settled_register, self._settled, settled):
            raise self._seat.trouble("this node's note of what it has settled")
        self._settled = settled

    def _recorded_by_quorum(self, valid: Sequence[tuple[Block, list[Transaction]]]) -> list[str]:
        decided = self._storage.decisions_on([block.id for block, _ in valid])
        ids = []
        for block, transactions in valid:
            if quorum_verdict(decided.get(block.id, []), block.id, block.header, self._node.quorum):
                ids += [t.id for t in transactions]
        return ids

    def _settle_rest(self) -> None:
        """Do what has to be done about decisions, and was not, because of a crash."""
        if self._settled is not None and not self._settled.isdecimal():
            raise JournalError("this node's note in storage of what it has settled was changed: it is no number")
        settled = int(self._settled or 0)
        while settled < self._seat.head.sequence:
            rows = self._storage.decisions(self._node.me, settled, _PAGE)
            valid = self._all_decided([row.block_id for row in rows if row.verdict])
            settled = rows[-1].sequence
            with self._storage.batch():
                self._settle(valid)
                self._finish(valid, settled)

    def _enter_holdings_of(self, block_ids: Sequence[str]) -> None:
        self._settle(self._all_decided(block_ids))

    def _all_decided(self, block_ids: Sequence[str]) -> list[tuple[Block, list[Transaction]]]:
        stored = self._storage.blocks(block_ids) if block_ids else {}
        return [self._decided(block_id, stored.get(block_id, [])) for block_id in block_ids]

    def _decided(self, block_id: str, stored: Sequence[StoredBlock]) -> tuple[Block, list[Transaction]]:
        """Return a block that this node has decided valid, with its transactions.

        Raises:
            JournalError: it is not what it was when it was decided.
        """
        for item in stored:
            try:
                block = Block.from_text(item.text)
            except BlockError:
                continue
            # Whose it is, and for whom, was checked then.
            contents = self._noting.load(block, item) if block.id == block_id and block.is_signed else None
            if contents is not None:
                return block, _well_formed(contents)
        raise JournalError(f"block {block_id}, which this node has decided valid, is gone from storage or was changed")


def _well_formed(contents: Sequence[Transaction | TransactionError]) -> list[Transaction]:
    return [t for t in contents if isinstance(t, Transaction)]
