"""What a world must have come to in the end: checked when the faults have stopped and everybody is quiet.

Invariants (of a ledger, at rest):

- Everything acknowledged and honest is valid for every living node.  Of everything else there is a verdict, but for
  rivals that split the votes of a federation some of whose members are silent, or that needs two thirds.
- The votes of a node are one chain; no decision has changed.
- Owners are shown what valid transactions made, but for what these, or others on their way, spend.
- Those, and only those, are accused of having voted twice who have.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from bigchaindb import canonical
from bigchaindb.model.genesis import Quorum
from bigchaindb.model.reference import OutputRef
from tests.simulation.invariants import MAX_AHEAD_SECONDS, Invariants, vote_in
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.actors import Member
    from tests.simulation.clients import Signed

__all__ = ["AtRest"]


class AtRest(Invariants):
    """What was seen of a world, and what must have come of it."""

    def is_at_rest(self) -> bool:
        """Whether everything has come to what it must come to."""
        return self._unsettled() is None

    def check_at_rest(self) -> None:
        """Check that it has, and that nothing decided has changed."""
        for node, log in self._logs.items():
            for row in log:
                if self._contents.decisions[node][row.sequence] is not row:
                    raise Violation(f"decision {row.sequence} of {node} has changed")
        accused = [(member, member.writer.accused()) for member in self._world.living]
        guilty = self._equivocating()
        for member, found in accused:
            if wronged := found & self._honest.keys():
                raise Violation(f"node {member.number} accuses {', '.join(sorted(wronged))}, who are honest")
            if missed := guilty - found:
                raise Violation(f"node {member.number} does not accuse {', '.join(sorted(missed))}, who voted twice")
        for member in self._world.living:
            self._check_votes_follow(member)
            self._check_shown(member)
        unsettled = self._unsettled()
        if unsettled:
            raise Violation(unsettled)

    def _equivocating(self) -> set[str]:
        """Who is proven to have signed two votes on a block, by what is kept."""
        guilty = set()
        for kept in self._contents.evidence:
            standing = vote_in(self._contents.votes.get(kept.block_id, {}).get(kept.node), kept.block_id, kept.node)
            if standing and kept.text != standing.text and vote_in(kept.text, kept.block_id, kept.node):
                guilty.add(kept.node)
        if signed_twice := guilty & self._honest.keys():
            raise Violation(f"{', '.join(sorted(signed_twice))} signed two votes on a block")
        return guilty & {member for federation in self._world.federations for member in federation}

    def _check_votes_follow(self, member: Member) -> None:
        """Check that the votes of a node are one chain from the genesis on."""
        cast = {block_id for block_id, node in self._votes if node == member.me}
        at = self._world.genesis.block.id
        while (member.me, at) in self._followers:
            at = self._followers[member.me, at]
            cast.remove(at)
        if cast:
            raise Violation(f"the votes of {member.me} on {', '.join(sorted(cast))} do not follow its others")

    def _check_shown(self, member: Member) -> None:
        """Check that owners are shown what valid transactions made, but for what these, or others on the way, spend."""
        valid = [
            s.transaction for s in self._world.clients.signed.values() if s.transaction.id in self._valid[member.me]
        ]
        spent = {ref for t in valid for ref in t.inputs}
        held: dict[str, set[OutputRef]] = defaultdict(set)
        for transaction in valid:
            for output in transaction.outputs:
                ref = OutputRef(transaction.id, output.cid)
                if ref not in spent:
                    held[output.owners[0]].add(ref)
        on_the_way = {
            ref
            for s in self._world.clients.signed.values()
            if self._is_on_the_way(member, s.transaction.id)
            for ref in s.transaction.inputs
        }
        for owner, refs in held.items():
            shown = set(member.writer.unspent(owner))
            if not refs - on_the_way <= shown <= refs:
                raise Violation(f"node {member.number} shows {owner} other holdings than there are")

    def _is_on_the_way(self, member: Member, txid: str) -> bool:
        """Whether what is not valid waits, if only under a false hash, or stands in an undecided block."""
        if txid in self._valid[member.me]:
            return False
        waiting = {text.hash for text in self._contents.texts.get(txid, ())} & self._contents.backlog.keys()
        return not waiting <= self._world.forgeries.keys() or self._stands_undecided(member, txid)

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
        return not self._is_contended(member, signed)

    def _is_contended(self, member: Member, signed: Signed) -> bool:
        """Whether a transaction, a rival of it or of what it spends is in a block that a node has not decided.

        What it spends may also be in one that the node has left aside: somebody else may know how to decide that.
        """
        rivals = (r for ref in signed.transaction.inputs for r in self._world.clients.spenders[ref])
        return any(self._stands_undecided(member, r.transaction.id) for r in (signed, *rivals)) or any(
            self._is_contended(member, parent) or self._stands_undecided(member, parent.transaction.id, checked=False)
            for parent in signed.parents
        )

    def _stands_undecided(self, member: Member, txid: str, *, checked: bool = True) -> bool:
        """Whether a transaction is in a block that a node has checked, or left aside, and may decide by now."""
        notes = self._contents.sightings.get(member.me, {})
        latest = self._world.latest_clock() + MAX_AHEAD_SECONDS
        return any(
            key in notes
            and (notes[key].checked, notes[key].verdict) == (checked, None)
            and float(canonical.parse_trusted(self._contents.blocks[key].text)["block"]["timestamp"]) <= latest
            for key, _ in self._contents.standing_in.get(txid, ())
        )
