"""What holds in every world, checked after everything that happens, from the outside.

Nothing here asks the code under test what is right: votes are counted, spends compared and refusals justified anew.

Invariants (of a ledger):

- A node's first vote on a block stays, and is its only one; it is for an electorate that is, or was, the federation,
  and never for an earlier one than it has voted in before.
- No honest node ever signs two different votes on a block, or is accused of anything by another.
- A node votes valid on no two blocks that conflict, unless it has decided the first invalid; it votes "no" for a cause.
- A decision follows from the votes of a quorum, or from a quorum's records; it stays; all honest nodes decide alike.
- No output has two valid spenders; in each log, what is spent stands before what spends it.
- No valid block is dated further ahead of every honest clock than a vote allows.
- What was acknowledged waits in the backlog, or is valid, or was rejected by a quorum; nothing honest is rejected.
- At rest: everything acknowledged and honest is valid for every living node; of everything else there is a verdict,
  but for rivals that split the votes of a federation some of whose members are silent, or that needs two thirds.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from bigchaindb import canonical
from bigchaindb.exceptions import BlockError
from bigchaindb.model.genesis import Quorum
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.vote import Vote
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bigchaindb.storage.records import DecisionRow, RejectionRow, StoredBlock
    from tests.simulation.actors import Member
    from tests.simulation.clients import Signed
    from tests.simulation.world import World

__all__ = ["Invariants"]

_MAX_AHEAD_SECONDS: Final = 60.0
_MAX_BEHIND_SECONDS: Final = 600.0


class Invariants:
    """What was seen of a world so far, and what must follow."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._contents = world.database.contents
        self._votes: dict[tuple[str, str], Vote] = {}
        self._yes: dict[str, dict[OutputRef, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
        self._used: dict[str, int] = {}
        self._logs: dict[str, list[DecisionRow]] = defaultdict(list)
        self._verdicts: dict[str, bool] = {}
        self._decided: dict[str, dict[str, bool]] = defaultdict(dict)
        self._spenders: dict[OutputRef, str] = {}
        self._valid: dict[str, set[str]] = defaultdict(lambda: {world.genesis.transaction.id})
        self._rejected: dict[str, set[str]] = defaultdict(set)
        self._headers: dict[str, dict[str, Any]] = {}
        self._open: dict[str, Signed] = {}
        self._seen_signed = 0

    @property
    def _honest(self) -> dict[str, Member]:
        return {member.me: member for member in self._world.members}

    # --- blocks ----------------------------------------------------------------------------------------------

    def _block(self, block_id: str) -> StoredBlock:
        """The stored block that an honest node checked."""
        for stored in self._contents.blocks.values():
            if stored.id == block_id and any(
                stored.key in notes and notes[stored.key].checked for notes in self._contents.sightings.values()
            ):
                return stored
        raise Violation(f"block {block_id} was voted on or decided, but no honest node has checked it")

    def _header(self, block_id: str) -> dict[str, Any]:
        if block_id not in self._headers:
            self._headers[block_id] = canonical.parse_trusted(self._block(block_id).text)["block"]
        return self._headers[block_id]

    def _spends(self, block_id: str) -> list[tuple[str, OutputRef]]:
        """(transaction id, output spent) of all transactions in a block, in order."""
        texts = [self._contents.transactions[text_hash].text for text_hash in self._block(block_id).transactions]
        return [
            (document["id"], OutputRef(**fulfillment["input"]))
            for document in map(canonical.parse_trusted, texts)
            for fulfillment in document["transaction"]["fulfillments"]
            if fulfillment["input"]
        ]

    # --- votes -----------------------------------------------------------------------------------------------

    def see_vote(self, block_id: str, node: str) -> None:
        """Look at the place of an honest node's vote, after it wrote there."""
        text = self._contents.votes.get(block_id, {}).get(node)
        seen = self._votes.get((block_id, node))
        vote = _vote(text, block_id, node)
        if seen is not None:
            if vote is None or vote.text != seen.text:
                raise Violation(f"the vote of {node} on block {block_id} has changed")
            return
        if vote is None:
            return
        self._votes[block_id, node] = vote
        voters = tuple(self._header(block_id)["voters"])
        if voters not in self._world.federations:
            raise Violation(f"{node} voted on block {block_id}, whose electorate is no federation")
        used = len(self._world.federations) - self._world.federations[::-1].index(voters)
        if used < self._used.get(node, 0):
            raise Violation(f"{node} voted on block {block_id} of an earlier federation than it uses")
        self._used[node] = used
        if vote.is_valid:
            self._check_yes(vote)
        else:
            self._check_no(vote)

    def _check_yes(self, vote: Vote) -> None:
        for txid, ref in self._spends(vote.block_id):
            for block_id, other in self._yes[vote.node][ref]:
                if other != txid and self._decided[vote.node].get(block_id) is not False:
                    raise Violation(f"{vote.node} voted valid on {vote.block_id} and {block_id}, which conflict")
            self._yes[vote.node][ref].append((vote.block_id, txid))

    def _check_no(self, vote: Vote) -> None:
        """A block of honest transactions only, in good time, in no other valid block, is not refused."""
        header, block = self._header(vote.block_id), self._block(vote.block_id)
        if header["node_pubkey"] not in self._honest or self._is_untimely(vote, header):
            return
        signed = [self._world.clients.signed.get(text_hash) for text_hash in block.transactions]
        if all(s and self.must_become_valid(s) and s.transaction.id not in self._valid[vote.node] for s in signed):
            raise Violation(f"{vote.node} refused block {vote.block_id} without a cause: {vote.reason}")

    def _is_untimely(self, vote: Vote, header: dict[str, Any]) -> bool:
        note = self._contents.sightings[vote.node][self._block(vote.block_id).key]
        newest = self._logs[vote.node][-1].newest_time if self._logs[vote.node] else "0"
        timestamp = float(header["timestamp"])
        return note.seen_at - timestamp > _MAX_BEHIND_SECONDS or float(newest) - timestamp > _MAX_AHEAD_SECONDS

    # --- decisions -------------------------------------------------------------------------------------------

    def see_decisions(self, member: Member) -> None:
        """Look at what a node has decided since it was looked at last."""
        log, stored = self._logs[member.me], self._contents.decisions.get(member.me, {})
        while len(log) + 1 in stored:
            row = stored[len(log) + 1]
            self._check_decision(member, row)
            log.append(row)

    def _check_decision(self, member: Member, row: DecisionRow) -> None:
        if row.block_id in self._decided[member.me]:
            raise Violation(f"{member.me} decided block {row.block_id} twice")
        if self._verdicts.setdefault(row.block_id, row.verdict) is not row.verdict:
            raise Violation(f"honest nodes disagree on block {row.block_id}")
        self._decided[member.me][row.block_id] = row.verdict
        header = self._header(row.block_id)
        if tuple(header["voters"]) not in self._world.federations:
            raise Violation(f"{member.me} decided block {row.block_id}, whose electorate is no federation")
        if self._count(row.block_id, header["voters"]) is not row.verdict and not self._is_recorded(row, header):
            raise Violation(f"{member.me} decided block {row.block_id} {row.verdict}, which no votes or records say")
        if not row.verdict:
            return
        if float(header["timestamp"]) > self._world.latest_clock() + _MAX_AHEAD_SECONDS:
            raise Violation(f"block {row.block_id} is valid, and dated {header['timestamp']}")
        self._check_spends(member, row.block_id)

    def _check_spends(self, member: Member, block_id: str) -> None:
        known = self._valid[member.me]
        spends = self._spends(block_id)
        for txid in self._block(block_id).transaction_ids:
            for ref in (ref for spender, ref in spends if spender == txid):
                if self._spenders.setdefault(ref, txid) != txid:
                    raise Violation(f"output {ref} is spent by {txid} and by {self._spenders[ref]}, both valid")
                if ref.txid not in known:
                    raise Violation(f"{member.me} decided {txid} before its input {ref.txid}")
            known.add(txid)

    def _count(self, block_id: str, voters: Iterable[str]) -> bool | None:
        """What the votes in their places say."""
        places = self._contents.votes.get(block_id, {})
        votes = [vote for node in voters if (vote := _vote(places.get(node), block_id, node))]
        yes, members = sum(vote.is_valid for vote in votes), len(list(voters))
        return self._outcome(yes, len(votes) - yes, members)

    def _outcome(self, yes: int, no: int, members: int) -> bool | None:
        if self._world.settings.quorum is Quorum.TWO_THIRDS:
            return True if 3 * yes > 2 * members else False if 3 * no > 2 * members else None
        return True if 2 * yes > members else False if 2 * (members - no) <= members else None

    def _is_recorded(self, row: DecisionRow, header: dict[str, Any]) -> bool:
        """Whether a quorum of the voters has recorded this verdict."""
        others = self._contents.decided.get(row.block_id, {})
        alike = sum(n in others and others[n].verdict is row.verdict for n in header["voters"] if n != row.node)
        return self._outcome(alike, 0, len(header["voters"])) is True

    # --- transactions ----------------------------------------------------------------------------------------

    def must_become_valid(self, signed: Signed) -> bool:
        """Whether a transaction, once acknowledged, has to become valid."""
        return signed.is_honest and signed.creators <= self._world.constant_members

    def see_rejection(self, row: RejectionRow) -> None:
        """Look at a rejection by an honest node."""
        if (row.hash, row.node) not in self._contents.rejections:
            return
        self._rejected[row.hash].add(row.node)
        signed = self._world.clients.signed.get(row.hash)
        if signed is None or not signed.creators <= self._world.constant_members:
            return
        if not all(s.is_acknowledged for s in (signed, *signed.parents)):
            return  # what it spends may not have been stored
        if signed.is_honest:
            raise Violation(f"{row.node} rejected honest transaction {row.id}: {row.text}")
        if signed.deadline is not None and self._world.latest_clock() < signed.deadline:
            raise Violation(f"{row.node} rejected {row.id} before its deadline: {row.text}")

    def check(self) -> None:
        """Check that nothing acknowledged is lost."""
        signed = self._world.clients.signed
        if len(signed) != self._seen_signed:
            self._open.update(list(signed.items())[self._seen_signed :])
            self._seen_signed = len(signed)
        for text_hash, item in list(self._open.items()):
            if text_hash in self._contents.backlog or not item.is_acknowledged:
                continue
            if not any(item.transaction.id in valid for valid in self._valid.values()) and not self._is_rejected(item):
                raise Violation(f"acknowledged transaction {item.transaction.id} is lost")
            del self._open[text_hash]

    def _is_rejected(self, signed: Signed) -> bool:
        rejecting = self._rejected[signed.transaction.hash]
        return any(
            self._outcome(len(rejecting & set(federation)) + len(self._world.liars), 0, len(federation))
            for federation in self._world.federations
        )

    def is_valid_everywhere(self, signed: Signed) -> bool:
        """Whether all living nodes have decided a transaction valid."""
        return all(signed.transaction.id in self._valid[member.me] for member in self._world.living)

    # --- at rest ---------------------------------------------------------------------------------------------

    def is_at_rest(self) -> bool:
        """Whether everything has come to what it must come to."""
        return self._unsettled() is None

    def check_at_rest(self) -> None:
        """Check that it has, and that nothing decided has changed."""
        for node, log in self._logs.items():
            for row in log:
                if self._contents.decisions[node][row.sequence] is not row:
                    raise Violation(f"decision {row.sequence} of {node} has changed")
        for kept in self._contents.evidence:
            first = self._votes.get((kept.block_id, kept.node))
            if first and kept.text != first.text and _vote(kept.text, kept.block_id, kept.node):
                raise Violation(f"{kept.node} signed two votes on block {kept.block_id}")
        for member in self._world.living:
            if wronged := member.writer.accused() & self._honest.keys():
                raise Violation(f"node {member.number} accuses {', '.join(sorted(wronged))}, who are honest")
        unsettled = self._unsettled()
        if unsettled:
            raise Violation(unsettled)

    def _unsettled(self) -> str | None:
        for signed in self._world.clients.signed.values():
            if not signed.is_acknowledged:
                continue
            for member in self._world.living:
                if signed.transaction.id in self._valid[member.me]:
                    continue
                # What a newcomer creates must become valid too, since its node lets it in only once a quorum knows it;
                # what somebody created who has left meanwhile need not.
                if signed.is_honest and signed.creators <= set(self._world.federations[-1]):
                    return f"honest transaction {signed.transaction.id} is not valid at node {member.number}"
                if self._must_be_settled(member, signed) and not self._rejected[signed.transaction.hash]:
                    return f"transaction {signed.transaction.id} is neither valid nor rejected at node {member.number}"
        return None

    def _must_be_settled(self, member: Member, signed: Signed) -> bool:
        """Whether a transaction that is not honest must come to a verdict: where no votes can stay split."""
        if self._world.settings.quorum is Quorum.MAJORITY and len(self._world.federations) == 1:
            return not self._world.dead
        return signed.deadline is not None and not self._stands_undecided(member, signed.transaction.id)

    def _stands_undecided(self, member: Member, txid: str) -> bool:
        notes = self._contents.sightings.get(member.me, {})
        return any(
            key in notes and notes[key].checked and notes[key].verdict is None
            for key, _ in self._contents.standing_in.get(txid, ())
        )


def _vote(text: str | None, block_id: str, node: str) -> Vote | None:
    try:
        vote = Vote.from_text(text) if text is not None else None
    except BlockError:
        return None
    return vote if vote and (vote.node, vote.block_id) == (node, block_id) else None
