"""Members who lie, with the storage that all members share and the keys that they have.

They forge what they can sign and write what they please where it is theirs to write, or nobody's yet; they do not undo
what stands in storage: that is what the journal is for, and it stops the node.

Invariants:

- A liar signs as itself and as strangers, never as an honest node.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bigchaindb import canonical, crypto
from bigchaindb.model.block import Block, Header
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.merkle import leaf_hash, merkle_root
from bigchaindb.model.rejection import Rejection
from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.model.vote import Vote
from bigchaindb.node.node import stored_block
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import DecisionRow, NewTransaction, RejectionRow, StoredBlock, VoteRow
from tests.ledgers import key, public, row
from tests.simulation.forgeries import Forger, row_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.crypto import SigningKey
    from tests.simulation.world import World

__all__ = ["Liar"]

_STRANGERS: Final = tuple(key(f"stranger {i}") for i in range(3))
_YEARS_SECONDS: Final = 300_000_000.0
_RECENT: Final = 6


class Liar:
    """A member who lies whenever it is asked to act."""

    def __init__(self, world: World, number: int, signing_key: SigningKey) -> None:
        self.number = number
        self.key = signing_key
        self.me = str(signing_key.verifying_key)
        self._world = world
        self._chance = world.chance
        self._storage = MemoryStorage(world.database)
        self._forger = Forger(world, signing_key, _STRANGERS)
        self._sequence = 0
        self._lies = (
            self._vote_both_ways,
            self._vote,
            self._vote,
            self._take_places,
            self._forge,
            self._forge,
            self._pair_rivals,
            self._foretell_rivals,
            self._rival_what_stands,
            self._build_forgeries,
            self._build_forgeries,
            self._build_under_a_false_hash,
            self._elect_others,
            self._elect_the_past,
            self._replay,
            self._let_a_stranger_build,
            self._misdate,
            self._swap_contents,
            self._corrupt,
            self._mislead_the_index,
            self._garble,
            self._litter,
            self._record,
            self._withhold,
        )

    def lie(self) -> None:
        """Do one of these."""
        self._chance.choice(self._lies)()

    # --- votes -----------------------------------------------------------------------------------------------

    def _recent(self) -> list[StoredBlock]:
        return list(self._world.database.contents.blocks.values())[1:][-_RECENT:]

    def _place(self, block_id: str, reason: str | None, by: SigningKey | None = None) -> None:
        signing_key = by or self.key
        vote = Vote.sign(block_id, self._world.genesis.block.id, reason, self._now(), signing_key)
        self._storage.place_votes([VoteRow(block_id, vote.node, vote.text)])

    def _vote_both_ways(self) -> None:
        for block in self._recent()[-2:]:
            for reason in self._chance.sample([None, "because"], 2):
                self._place(block.id, reason)

    def _vote(self) -> None:
        reason = self._chance.choice([None, None, "because"])
        for block in self._recent():
            self._place(block.id, reason)

    def approve(self) -> None:
        """Vote valid on everything new, whatever it conflicts with."""
        for block in self._recent():
            self._place(block.id, None)

    def _take_places(self) -> None:
        """Put junk where honest nodes are to vote."""
        for block in self._recent()[-2:]:
            vote = Vote.sign(block.id, self._world.genesis.block.id, "because", self._now(), self.key)
            for member in self._world.members:
                junk = self._chance.choice(["junk", "", vote.text, vote.text.replace(self.me, member.me)])
                self._storage.place_votes([VoteRow(block.id, member.me, junk)])

    def _withhold(self) -> None:
        """Say nothing."""

    # --- blocks ----------------------------------------------------------------------------------------------

    def _now(self) -> str:
        return format_timestamp(self._world.clock_of(self.number))

    def _some(self, *, unsent: bool = False) -> list[NewTransaction]:
        """Some transactions in any order, of any fate, rivals among them; perhaps also what nobody has stored."""
        contents = self._world.database.contents
        signed = [s.transaction for s in self._world.clients.signed.values()]
        signed = [t for t in signed if unsent or t.hash in contents.transactions]
        waiting = [t for t in signed if t.hash in contents.backlog]
        chosen = self._chance.choice([signed, waiting or signed])
        return [row(t) for t in self._chance.sample(chosen, min(len(chosen), self._chance.randrange(1, 5)))]

    def _build(
        self,
        rows: Sequence[NewTransaction],
        *,
        at: str | None = None,
        voters: Sequence[str] = (),
        by: SigningKey | None = None,
        ledger: str | None = None,
    ) -> Block:
        """A block of these texts in order, whatever they are."""
        maker = by or self.key
        header = Header(
            ledger or self._world.genesis.block.id,
            at or self._now(),
            str(maker.verifying_key),
            tuple(sorted(voters or self._world.federations[-1])),
            merkle_root([leaf_hash(r.text.encode()) for r in rows]).hex(),
            len(rows),
        )
        document = {"block": header.to_dict(), "signature": maker.sign(header.text)}
        return Block.from_text(canonical.dumps({**document, "transactions": [r.hash for r in rows]}))

    def _publish(self, block: Block, rows: Sequence[NewTransaction], ids: Sequence[str] = ()) -> None:
        """Store a block with what it holds, which the liar may have just made up; and perhaps vote for it."""
        new = [r for r in rows if r.hash not in self._world.database.contents.transactions]
        self._storage.append_backlog(new, float(self._now()))
        self._storage.write_block(stored_block(block, ids or [r.id for r in rows]))
        if self._chance.random() < 0.7:
            self._place(block.id, None)

    def _forge(self) -> None:
        """Build what no honest node would: rivals together, children first, what is spent or decided already."""
        if some := self._some():
            self._publish(self._build(some), some)

    def _build_forgeries(self) -> None:
        """Build what can never be valid, alone or among honest neighbours."""
        if forged := self._forger.forge(self._now()):
            waiting = [r for r in self._some() if r.hash in self._world.database.contents.backlog]
            rows = [*self._chance.choice([waiting, []]), *forged]
            self._publish(self._build(rows), rows)

    def _build_under_a_false_hash(self) -> None:
        """Build a good text that is stored, and named by the block, under a hash that is not its own."""
        for honest in self._some()[:1]:
            rows = [replace(honest, hash=crypto.hash_data(honest.text + self._now()))]
            self._publish(self._build(rows), rows)

    def _rivals_that_wait(self) -> list[NewTransaction]:
        """Two that wait and spend the same, nothing else being wrong with either; none where there are no such."""
        waiting = self._world.database.contents.backlog
        known = [s.transaction for s in self._world.clients.signed.values() if s.transaction.hash in waiting]
        pairs = [(a, b) for i, a in enumerate(known) for b in known[:i] if {*a.inputs} & {*b.inputs}]
        return [row(t) for t in self._chance.choice(pairs)] if pairs else []

    def _pair_rivals(self) -> None:
        """Build rivals together."""
        if pair := self._rivals_that_wait():
            block = self._build(pair)
            self._publish(block, pair)
            self._place(block.id, None)

    def _foretell_rivals(self) -> None:
        """Build rivals each in a block of its own, years ahead: neither is to keep the other waiting until then."""
        for rival in self._rivals_that_wait():
            block = self._build([rival], at=format_timestamp(self._world.now + _YEARS_SECONDS))
            self._publish(block, [rival])
            self._place(block.id, None)

    def _rival_what_stands(self) -> None:
        """Build alone what spends the same as something in a block that nobody has decided."""
        contents, signed = self._world.database.contents, self._world.clients.signed
        undecided = [h for b in contents.blocks.values() if b.id not in contents.decided for h in b.transactions]
        standing = [signed[h].transaction for h in undecided if h in signed]
        taken = {ref: t.id for t in standing for ref in t.inputs}
        waiting = [s.transaction for s in signed.values() if s.transaction.hash in contents.backlog]
        rivals = [t for t in waiting if any(taken.get(ref, t.id) != t.id for ref in t.inputs)]
        if rivals:
            rival = [row(self._chance.choice(rivals))]
            self._publish(self._build(rival), rival)

    def _elect_others(self) -> None:
        """Build for an electorate of one's own, all of which votes at once."""
        electorate = [self.key, *_STRANGERS[: self._chance.randrange(4)]]
        honest = self._chance.choice(self._world.members)
        if some := self._some():
            # An honest node in it may think that it was elected.
            block = self._build(some, voters=[*public(electorate), honest.me][: self._chance.randrange(1, 6)])
            self._publish(block, some)
            for member in electorate:
                self._place(block.id, None, member)

    def _elect_the_past(self) -> None:
        """Build for an electorate that the federation was once, or is still."""
        if some := self._some():
            block = self._build(some, voters=self._chance.choice(self._world.federations))
            self._publish(block, some)
            self._place(block.id, None)

    def _replay(self) -> None:
        """Build for another ledger."""
        if some := self._some():
            self._publish(self._build(some, ledger=crypto.hash_data("another ledger")), some)

    def _let_a_stranger_build(self) -> None:
        if some := self._some():
            block = self._build(some, by=_STRANGERS[0])
            self._publish(block, some)
            for stranger in _STRANGERS:
                self._place(block.id, None, stranger)

    def _misdate(self) -> None:
        ahead = self._chance.choice([_YEARS_SECONDS, _YEARS_SECONDS, 300.0, -300.0, -3600.0])
        waiting = [t for t in self._some() if t.hash in self._world.database.contents.backlog]
        if waiting:
            block = self._build(waiting, at=format_timestamp(self._world.now + ahead))
            self._publish(block, waiting)
            self._place(block.id, None)

    def _swap_contents(self) -> None:
        """Name other transactions than those that the root covers."""
        one, other = self._some(), self._some()
        if one and len(one) == len(other):
            document = canonical.loads(self._build(one).text, "block")
            document["transactions"] = [t.hash for t in other]
            block = Block.from_text(canonical.dumps(document))
            self._publish(block, [*one, *other], [t.id for t in other])

    def _corrupt(self) -> None:
        """Store junk under the id of an honest block."""
        for stored in self._recent()[-1:]:
            document = canonical.loads(stored.text, "block")
            document["signature"] = self.key.sign("junk")
            text = canonical.dumps(document)
            junk = StoredBlock(crypto.hash_data(text), stored.id, text, stored.transactions, stored.transaction_ids)
            self._storage.write_block(junk)

    def _mislead_the_index(self) -> None:
        """Index a block under ids that are not those of its contents."""
        some, others = self._some(), self._some()
        if some and len(some) == len(others):
            self._publish(self._build(some), some, [t.id for t in others])

    # --- the rest --------------------------------------------------------------------------------------------

    def _garble(self) -> None:
        """Store honest transactions with fulfillments that do not fulfil, before or after the honest texts."""
        rows = []
        for honest in self._some(unsent=True):
            document = canonical.loads(honest.text, "document")
            for fulfillment in document["transaction"]["fulfillments"]:
                fulfillment["fulfillment"] = self._chance.choice(["cf:4:junk", None])
            rows.append(row_of(document))
            self._world.forgeries[rows[-1].hash] = "garbled"
        self._storage.append_backlog(rows, float(self._now()))
        if rows and self._chance.random() < 0.3:
            self._publish(self._build(rows), rows)

    def _litter(self) -> None:
        """Store what is no transaction, and a forged one."""
        text = f"junk {self._chance.random()}"
        claimed = self._chance.choice([r.id for r in self._some()] or ["0" * 64])
        junk = NewTransaction(crypto.hash_data(text), claimed, text)
        self._storage.append_backlog([junk, *self._forger.forge(self._now())], float(self._now()))

    def _record(self) -> None:
        """Record a verdict at will, and reject what is honest."""
        ledger = self._world.genesis.block.id
        for block in self._recent()[-2:]:
            self._sequence += 1
            verdict = self._chance.choice(list(Verdict))
            decision = Decision.sign(
                ledger=ledger,
                sequence=self._sequence,
                block_id=block.id,
                verdict=verdict,
                previous=None,
                timestamp=self._now(),
                key=self.key,
            )
            is_valid = verdict is Verdict.VALID
            told = DecisionRow(self.me, self._sequence, block.id, is_valid, decision.text, 1, self._now())
            self._storage.append_decisions([told])
        for honest in self._some():
            rejection = Rejection.sign(
                ledger=ledger,
                transaction_hash=honest.hash,
                transaction_id=honest.id,
                reason="because",
                evidence=None,
                timestamp=self._now(),
                key=self.key,
            )
            self._storage.reject([RejectionRow(honest.hash, honest.id, self.me, rejection.text)])
