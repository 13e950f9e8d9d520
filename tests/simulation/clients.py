"""Those who use a world's ledger: what they sign, what they were told, and what they may therefore expect.

A transaction is *honest* when its owners signed no other spend of the same outputs, it has no deadline, and everything
that it builds upon is honest: it must become valid.  Of all others one may expect a verdict at the most.

Invariants:

- Clients know no more than what they signed and what a node told them; they write again what was not acknowledged.
- Rivals are validated at their nodes before any is stored: they are written at the same moment.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb.exceptions import OperationError
from bigchaindb.model.building import create_transaction, sign_transaction
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.model.transaction import Transaction
from tests.consensus.conditions import lock, until
from tests.ledgers import key, lock_with, public
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bigchaindb.crypto import SigningKey
    from bigchaindb.exceptions import TransactionError
    from bigchaindb.model.transaction import Output
    from tests.simulation.actors import Member
    from tests.simulation.world import World

__all__ = ["Clients", "Holding", "Signed"]

_OWNERS: Final = tuple(key(f"owner {i}") for i in range(3))


@dataclass(slots=True, eq=False)
class Signed:
    """A transaction that somebody signed.

    Attributes:
        transaction: what was signed.
        parents: what it spends.
        creators: the nodes whose CREATEs it rests on.
        is_honest: whether it must become valid, as long as its creators are members.
        deadline: for an otherwise honest one: until when it must be in a block, Unix seconds.
        is_acknowledged: a node said that it is stored.
    """

    transaction: Transaction
    parents: tuple[Signed, ...]
    creators: frozenset[str]
    is_honest: bool = True
    deadline: float | None = None
    is_acknowledged: bool = False


@dataclass(slots=True, eq=False)
class Holding:
    """An output that its owner may spend, until a deadline where there is one."""

    ref: OutputRef
    output: Output
    owner: SigningKey
    source: Signed
    deadline: float | None = None


class Clients:
    """All clients of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.signed: dict[str, Signed] = {}
        self.texts_by_id: dict[str, Signed] = {}
        self._holdings: list[Holding] = []
        self.spenders: dict[OutputRef, list[Signed]] = defaultdict(list)

    def act(self) -> None:
        """Sign and write something, or write something again."""
        chance, settings = self.world.chance, self.world.settings
        at = chance.random()
        if len(self.signed) >= settings.transactions or at < 0.1:
            self._write_something_again()
        elif (at := chance.random()) < settings.rivals / 2:
            self._cross_chains()
        elif at < settings.rivals:
            self._sign_rivals()
        elif at < settings.rivals + settings.deadlines:
            self._hurry()
        elif self._holdings and chance.random() < 0.65:
            self._transfer()
        else:
            self.create()

    # --- what they do ----------------------------------------------------------------------------------------

    def create(self) -> None:
        """Create something for somebody."""
        self._write([self.sign_create(self.world.chance.choice(_OWNERS))])

    def make_asset(self) -> list[Holding]:
        """Create something that nobody else spends."""
        signed = self.sign_create(self.world.chance.choice(_OWNERS))
        self._write([signed])
        return self.take_outputs(signed)

    def make_and_pass_on(self) -> None:
        """Create something, and pass it on before that is decided."""
        assets = self.make_asset()
        self._write([self.sign_transfer(assets)])

    def _transfer(self) -> None:
        """Pass something on, perhaps several times before any of it is decided."""
        chance = self.world.chance
        chain = []
        holdings = self._take(chance.choice((1, 1, 2)))
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            if holdings:
                chain.append(self.sign_transfer(holdings))
                holdings = [self._holdings.pop()]
        self._holdings += holdings
        if chance.random() < 0.5:
            self._write(chain)
        else:
            for signed in chain:
                self._write([signed])

    def _hurry(self) -> None:
        """Make something that may be spent until a deadline only, and spend it."""
        chance = self.world.chance
        owner = chance.choice(_OWNERS)
        deadline = self.world.now + chance.choice((3.0, 40.0, 400.0))
        first = self.sign_create(owner, deadline)
        second = self.sign_transfer([self._holdings.pop()])
        self._write([first])
        self._write([second])

    def _sign_rivals(self) -> None:
        """Sign several spends of the same; where their first inputs differ, different builders are to build them."""
        spent = self._take(self.world.chance.choice((1, 2, 2)))
        if spent:
            rivals = []
            for _ in range(self.world.chance.choice((2, 2, 3))):
                rivals.append(self.sign_transfer(spent, is_honest=False))
                spent = [*spent[1:], spent[0]]
            self.write_at_once([[rival] for rival in rivals])

    def _cross_chains(self) -> None:
        """Sign two chains, each ending in a spend of what the other begins with."""
        spent = self._take(2)
        if len(spent) < 2:
            self._holdings += spent
            return
        chains = []
        for one, other in (spent, spent[::-1]):
            begin = self.sign_transfer([one], is_honest=False, to=one.owner)
            end = self.sign_transfer([other, self._holdings.pop()], is_honest=False)
            chains.append([begin, end])
        self.write_at_once(chains)

    def _take(self, count: int) -> list[Holding]:
        """Take up to so many holdings of one owner."""
        if not self._holdings:
            return []
        first = self.world.chance.choice(self._holdings)
        others = [h for h in self._holdings if h.owner is first.owner and h is not first]
        taken = [first, *self.world.chance.sample(others, min(count - 1, len(others)))]
        for holding in taken:
            self._holdings.remove(holding)
        return taken

    # --- signing ---------------------------------------------------------------------------------------------

    def sign_create(self, owner: SigningKey, deadline: float | None = None) -> Signed:
        """Let a node sign a CREATE for an owner, who may have until a deadline to spend it."""
        node = self.world.chance.choice(self._at_work() or self.world.members)
        unsigned = self._unsigned(node.key, owner, [], "CREATE")
        if deadline is not None:
            unsigned = lock_with(unsigned, lock(until(owner, format_timestamp(deadline))))
        transaction = Transaction.from_dict(sign_transaction(unsigned, {node.me: node.key}, {}))
        return self._keep(Signed(transaction, (), frozenset({node.me})), owner, deadline)

    def sign_transfer(
        self, spent: Sequence[Holding], *, is_honest: bool = True, to: SigningKey | None = None
    ) -> Signed:
        """Let the owner sign a TRANSFER of all of these, to somebody."""
        owner, receiver = spent[0].owner, to or self.world.chance.choice(_OWNERS)
        unsigned = self._unsigned(owner, receiver, [h.ref for h in spent], "TRANSFER")
        keys = {str(owner.verifying_key): owner}
        transaction = Transaction.from_dict(sign_transaction(unsigned, keys, {h.ref: h.output for h in spent}))
        sources = tuple(h.source for h in spent)
        deadline = min((h.deadline for h in spent if h.deadline is not None), default=None)
        is_honest = is_honest and all(source.is_honest for source in sources)
        creators = frozenset(creator for source in sources for creator in source.creators)
        signed = Signed(transaction, sources, creators, is_honest and deadline is None, deadline if is_honest else None)
        return self._keep(signed, receiver)

    def _unsigned(self, by: SigningKey, to: SigningKey, refs: Sequence[OutputRef], operation: str) -> dict[str, object]:
        payload, timestamp = {"n": len(self.signed)}, format_timestamp(self.world.now)
        return create_transaction(public(by), public(to), refs, operation, payload=payload, timestamp=timestamp)

    def _keep(self, signed: Signed, owner: SigningKey, deadline: float | None = None) -> Signed:
        transaction = signed.transaction
        self.signed[transaction.hash] = self.texts_by_id[transaction.id] = signed
        for ref in transaction.inputs:
            self.spenders[ref].append(signed)
        for output in transaction.outputs:
            self._holdings.append(Holding(OutputRef(transaction.id, output.cid), output, owner, signed, deadline))
        return signed

    def take_outputs(self, signed: Signed) -> list[Holding]:
        """Take what a transaction made out of what anybody may spend."""
        taken = [h for h in self._holdings if h.source is signed]
        self._holdings = [h for h in self._holdings if h.source is not signed]
        return taken

    # --- writing ---------------------------------------------------------------------------------------------

    def _at_work(self) -> list[Member]:
        """The nodes to which somebody may turn now."""
        members = self.world.living if self.world.is_calm else self.world.members
        return [m for m in members if m.is_up and not m.writer.is_busy]

    def _write(self, batch: Sequence[Signed]) -> None:
        nodes = self._at_work()
        if nodes:
            node = self.world.chance.choice(nodes)
            self._store(node, self._validate(node, batch))

    def write_at_once(
        self,
        batches: Sequence[Sequence[Signed]],
        *,
        meanwhile: Callable[[Sequence[Signed]], None] = lambda _batch: None,
    ) -> None:
        """Write each batch at some node: all are found valid before any is stored.

        Args:
            batches: what is written together.
            meanwhile: what happens after a batch was stored, before the next is.
        """
        at_work = self._at_work()
        if not at_work:
            return
        chosen = [self.world.chance.choice(at_work) for _ in batches]
        found = [self._validate(node, batch) for node, batch in zip(chosen, batches, strict=True)]
        for node, batch, admitted in zip(chosen, batches, found, strict=True):
            self._store(node, admitted)
            meanwhile(batch)

    def _validate(self, node: Member, batch: Sequence[Signed]) -> list[Signed]:
        # Nobody builds upon what may not be stored: junk under its id may be rejected, and with it what spends it.
        batch = [s for s in batch if all(parent.is_acknowledged or parent in batch for parent in s.parents)]
        founded = {s.transaction.hash for s in batch if all(parent.is_acknowledged for parent in s.parents)}
        before = {s.transaction.id: self._in_the_way(node, s) for s in batch}
        answers = node.writer.validate([signed.transaction for signed in batch])
        for signed, error in zip(batch, answers, strict=False):
            if error is not None and signed.transaction.hash in founded:
                self._check_refusal(node, signed, error)
            if error is None and (rivals := before[signed.transaction.id] & self._in_the_way(node, signed)):
                raise Violation(f"node {node.number} let {signed.transaction.id} in, against {', '.join(rivals)}")
        return [signed for signed, error in zip(batch, answers, strict=False) if error is None]

    def _in_the_way(self, node: Member, signed: Signed) -> set[str]:
        """The rivals of a transaction that wait, or that a node has decided valid."""
        found = set()
        for ref in signed.transaction.inputs:
            for rival in self.spenders.get(ref, ()):
                if rival is not signed and self.world.invariants.is_waiting_or_valid(node, rival):
                    found.add(rival.transaction.id)
        return found

    def _store(self, node: Member, admitted: Sequence[Signed]) -> None:
        if admitted and not node.writer.is_busy and node.writer.store([signed.transaction for signed in admitted]):
            for signed in admitted:
                signed.is_acknowledged = True

    def _check_refusal(self, node: Member, signed: Signed, error: TransactionError) -> None:
        """An honest transaction is refused for its creators only, once what it spends is stored."""
        is_permitted = signed.creators <= self.world.constant_members
        if signed.is_honest and is_permitted and not isinstance(error, OperationError):
            raise Violation(f"node {node.number} refused honest transaction {signed.transaction.id}: {error}")

    def _write_something_again(self) -> None:
        everything = list(self.signed.values())
        if everything:
            self._write([self.world.chance.choice(everything)])

    def write_again(self) -> None:
        """Write all that was not acknowledged, in the order in which it was signed."""
        for signed in self.signed.values():
            if not signed.is_acknowledged:
                self._write([signed])
