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
- A builder lets what is in a block of its own alone until that has stalled.
- Nothing forged is voted valid or decided so, nor anything after its deadline.
- Votes do not fork; decisions are one chain, and what they make and spend is found with their owners.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from bigchaindb import canonical
from bigchaindb.exceptions import BlockError
from bigchaindb.model.block import Block
from bigchaindb.model.decision import Decision
from bigchaindb.model.genesis import Quorum
from bigchaindb.model.merkle import leaf_hash, merkle_root
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.vote import Vote
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bigchaindb.storage.records import DecisionRow, RejectionRow, StoredBlock
    from tests.simulation.actors import Member
    from tests.simulation.clients import Signed
    from tests.simulation.world import World

__all__ = ["MAX_AHEAD_SECONDS", "Invariants", "vote_in"]

MAX_AHEAD_SECONDS: Final = 60.0
_MAX_BEHIND_SECONDS: Final = 600.0
_BLOCK_STALL_SECONDS: Final = 30.0
_DOUBLINGS: Final = 2


class Invariants:
    """What was seen of a world so far, and what must follow."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._contents = world.database.contents
        self._votes: dict[tuple[str, str], Vote] = {}
        self._followers: dict[tuple[str, str], str] = {}
        self._yes: dict[str, dict[OutputRef, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
        self._used: dict[str, int] = {}
        self._logs: dict[str, list[DecisionRow]] = defaultdict(list)
        self._verdicts: dict[str, bool] = {}
        self._decided: dict[str, dict[str, bool]] = defaultdict(dict)
        self._spenders: dict[OutputRef, str] = {}
        self._valid: dict[str, set[str]] = defaultdict(lambda: {world.genesis.transaction.id})
        self._homes: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
        self._rejected: dict[str, set[str]] = defaultdict(set)
        self._noted: dict[tuple[str, str], int] = {}
        self._blocks: dict[str, StoredBlock] = {}
        self._headers: dict[str, dict[str, Any]] = {}
        self._open: dict[str, Signed] = {}
        self._seen_signed = 0

    @property
    def _honest(self) -> dict[str, Member]:
        return {member.me: member for member in self._world.members}

    # --- blocks ----------------------------------------------------------------------------------------------

    def _block(self, block_id: str) -> StoredBlock:
        """The stored block that an honest node checked, if it is what the node has to make sure of."""
        if block_id not in self._blocks:
            self._blocks[block_id] = self._checked(block_id)
        return self._blocks[block_id]

    def _checked(self, block_id: str) -> StoredBlock:
        """Find a block that was voted on or decided; whoever did that has checked it."""
        for stored in self._contents.blocks.values():
            if stored.id == block_id and any(
                stored.key in notes and notes[stored.key].checked for notes in self._contents.sightings.values()
            ):
                break
        else:
            raise Violation(f"block {block_id} was voted on or decided, but no honest node has checked it")
        block = Block.from_text(stored.text)
        found = [self._contents.transactions.get(text_hash) for text_hash in block.transactions]
        leaves = [leaf_hash(item.text.encode()) for item in found if item]
        if not block.header.is_signed(block.signature) or block.header.node not in block.header.voters:
            raise Violation(f"block {block_id} was voted on or decided, but is not by one of its voters")
        if block.header.ledger != self._world.genesis.block.id:
            raise Violation(f"block {block_id} was voted on or decided, but is another ledger's")
        if merkle_root(leaves).hex() != block.header.transactions_root or [item.id for item in found if item] != list(
            stored.transaction_ids
        ):
            raise Violation(f"block {block_id} was voted on or decided, but its contents are not those of its root")
        return stored

    def _header(self, block_id: str) -> dict[str, Any]:
        if block_id not in self._headers:
            self._headers[block_id] = canonical.parse_trusted(self._block(block_id).text)["block"]
        return self._headers[block_id]

    def _check_sound(self, block_id: str, who: str) -> None:
        """Check that nothing in a block that somebody calls valid is forged, or comes too late."""
        timestamp = float(self._header(block_id)["timestamp"])
        for text_hash in self._block(block_id).transactions:
            signed = self._world.clients.signed.get(text_hash)
            if text_hash in self._world.forgeries:
                raise Violation(f"{who} block {block_id} valid, with a forgery: {self._world.forgeries[text_hash]}")
            if signed and signed.deadline is not None and timestamp > signed.deadline:
                raise Violation(f"{who} block {block_id} valid, after the deadline of {signed.transaction.id}")

    def _spends(self, block_id: str) -> list[tuple[str, OutputRef]]:
        """(transaction id, output spent) of all transactions in a block, in order."""
        texts = [self._contents.transactions[text_hash].text for text_hash in self._block(block_id).transactions]
        return [
            (document["id"], OutputRef(**fulfillment["input"]))
            for document in map(canonical.parse_trusted, texts)
            for fulfillment in document["transaction"]["fulfillments"]
            if fulfillment["input"]
        ]

    def see_note(self, node: str, key: str) -> None:
        """Look at what a node noted of a block."""
        if key in self._contents.sightings.get(node, {}):
            self._noted.setdefault((node, key), self._world.steps)

    def see_block(self, member: Member, now: float, began_at: int, block: StoredBlock) -> None:
        """Look at a block that an honest builder wrote: nothing is in an earlier one of its own that has not stalled.

        Args:
            member: whose builder it is.
            now: when it wrote, by its clock.
            began_at: the number of steps in the world when its own began; it could know what was noted before.
            block: what it wrote.
        """
        me = member.me
        notes = self._contents.sightings.get(me, {})
        for txid in block.transaction_ids:
            known = [k for k in self._keys_of(txid) if self._noted.get((me, k), math.inf) < began_at]
            standing = sorted((notes[k] for k in known if notes[k].checked), key=lambda note: note.seen_at)
            for times, note in enumerate(standing):
                patience = _BLOCK_STALL_SECONDS * 2 ** min(times, _DOUBLINGS)
                is_live = note.block_id not in self._decided[me] and abs(now - note.seen_at) < patience
                if is_live and self._maker(note.key) == me:
                    raise Violation(f"{me} built {txid} anew in {block.id}, while {note.block_id} has not stalled")

    def _keys_of(self, txid: str) -> list[str]:
        return [key for key, _ in self._contents.standing_in.get(txid, ())]

    def _maker(self, key: str) -> str:
        return str(canonical.parse_trusted(self._contents.blocks[key].text)["block"]["node_pubkey"])

    # --- votes -----------------------------------------------------------------------------------------------

    def see_vote(self, block_id: str, node: str) -> None:
        """Look at the place of an honest node's vote, after it wrote there."""
        text = self._contents.votes.get(block_id, {}).get(node)
        seen = self._votes.get((block_id, node))
        vote = vote_in(text, block_id, node)
        if seen is not None:
            if vote is None or vote.text != seen.text:
                raise Violation(f"the vote of {node} on block {block_id} has changed")
            return
        if vote is None:
            return
        self._votes[block_id, node] = vote
        other = self._followers.setdefault((node, vote.previous_block), block_id)
        if other != block_id:
            raise Violation(f"the votes of {node} on {block_id} and {other} follow the same one")
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

    def _generation(self, node: str) -> int:
        """How often a node has cast something; what it casts at once has the same number."""
        return int(canonical.parse_trusted(self._contents.registers[f"head/{node}"])["generation"])

    def _check_yes(self, vote: Vote) -> None:
        self._check_sound(vote.block_id, f"{vote.node} voted")
        voters = self._header(vote.block_id)["voters"]
        for txid in self._block(vote.block_id).transaction_ids:
            for home, since in self._homes[vote.node].get(txid, {}).items():
                if self._header(home)["voters"] == voters and since < self._generation(vote.node):
                    raise Violation(f"{vote.node} voted valid on {vote.block_id}, but {txid} is valid in {home}")
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
        return note.seen_at - timestamp > _MAX_BEHIND_SECONDS or float(newest) - timestamp > MAX_AHEAD_SECONDS

    # --- decisions -------------------------------------------------------------------------------------------

    def see_decisions(self, member: Member) -> None:
        """Look at what a node has decided since it was looked at last."""
        log, stored = self._logs[member.me], self._contents.decisions.get(member.me, {})
        while len(log) + 1 in stored:
            row = stored[len(log) + 1]
            self._check_link(member, row, log)
            self._check_decision(member, row)
            log.append(row)

    def _check_link(self, member: Member, row: DecisionRow, log: Sequence[DecisionRow]) -> None:
        """Check that a decision is signed, and follows the one before; and what is told beside it."""
        decision = Decision.from_text(row.text)
        before = Decision.from_text(log[-1].text).hash if log else None
        said = (decision.node, decision.ledger, decision.sequence, decision.block_id, decision.verdict == "valid")
        if said != (member.me, self._world.genesis.block.id, row.sequence, row.block_id, row.verdict):
            raise Violation(f"decision {row.sequence} of {member.me} is not what its signature says")
        if decision.previous != before or row.sequence != len(log) + 1:
            raise Violation(f"decision {row.sequence} of {member.me} does not follow the one before")
        header, last = self._header(row.block_id), log[-1] if log else None
        count = (last.valid_transactions if last else 0) + row.verdict * header["transaction_count"]
        times = [last.newest_time if last else self._world.genesis.block.header.timestamp]
        newest = max([*times, header["timestamp"]] if row.verdict else times, key=float)
        if (row.valid_transactions, row.newest_time) != (count, newest):
            raise Violation(f"decision {row.sequence} of {member.me} miscounts what is valid")

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
        if float(header["timestamp"]) > self._world.latest_clock() + MAX_AHEAD_SECONDS:
            raise Violation(f"block {row.block_id} is valid, and dated {header['timestamp']}")
        self._check_sound(row.block_id, f"{member.me} decided")
        self._check_spends(member, row.block_id)
        self._check_holdings(row.block_id)

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
            self._homes[member.me][txid][block_id] = self._generation(member.me)

    def _check_holdings(self, block_id: str) -> None:
        """Check that whoever sees that a block is valid finds what it made, and what it spent spent."""
        for text_hash in self._block(block_id).transactions:
            document = canonical.parse_trusted(self._contents.transactions[text_hash].text)
            for output in document["transaction"]["conditions"]:
                ref = OutputRef(document["id"], output["cid"])
                if any(ref not in self._contents.holdings.get(owner, {}) for owner in output["new_owners"]):
                    raise Violation(f"output {ref} is valid, and not among what its owners hold")
        for txid, ref in self._spends(block_id):
            if self._contents.spent.get(ref) != txid:
                raise Violation(
                    f"output {ref} is spent by {txid}, and shown as spent by {self._contents.spent.get(ref)}"
                )

    def _count(self, block_id: str, voters: Iterable[str]) -> bool | None:
        """What the votes in their places say."""
        places = self._contents.votes.get(block_id, {})
        votes = [vote for node in voters if (vote := vote_in(places.get(node), block_id, node))]
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

    def undecided(self) -> list[Signed]:
        """What is honest and acknowledged, and not valid for all who live."""
        signed = self._world.clients.signed.values()
        return [s for s in signed if s.is_honest and s.is_acknowledged and not self.is_valid_everywhere(s)]

    def is_waiting_or_valid(self, member: Member, signed: Signed) -> bool:
        """Whether a transaction waits, or is valid for a node."""
        return signed.transaction.hash in self._contents.backlog or signed.transaction.id in self._valid[member.me]

    def is_valid_everywhere(self, signed: Signed) -> bool:
        """Whether all living nodes have decided a transaction valid."""
        return all(signed.transaction.id in self._valid[member.me] for member in self._world.living)


def vote_in(text: str | None, block_id: str, node: str) -> Vote | None:
    try:
        vote = Vote.from_text(text) if text is not None else None
    except BlockError:
        return None
    return vote if vote and (vote.node, vote.block_id) == (node, block_id) else None
