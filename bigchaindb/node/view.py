"""What storage holds, as one node sees it: the answers to `bigchaindb.consensus.view.View`.

Invariants:

- A text is believed when it bears this node's mark, or after it was checked whole; a hash or id from storage never is.
- How large a transaction may be is each node's own business when it takes one in; what others took in is read whatever
  its size, or votes would differ.
- How a block was decided, only this node's signed decision says; a note that says otherwise is not believed.
- Standings are those of blocks that this node checked.
- A block in which a transaction stands for the k-th time stalls after `block_stall_seconds`, doubled at the second
  time, and again at the third and every later one (design.md 3.1).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from bigchaindb.consensus.fulfillments import is_timeless
from bigchaindb.consensus.judging import MAX_AHEAD_SECONDS
from bigchaindb.consensus.view import Standing
from bigchaindb.exceptions import BlockError, TransactionError
from bigchaindb.model.block import MAX_BYTES, Block
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.transaction import Transaction
from bigchaindb.model.vote import Vote
from bigchaindb.node.marks import NO_MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from bigchaindb.model.block import Header
    from bigchaindb.model.federations import Federations
    from bigchaindb.model.transaction import Output
    from bigchaindb.node.marks import Marks
    from bigchaindb.storage.interface import Storage
    from bigchaindb.storage.records import DecisionRow, StoredBlock, StoredTransaction
    from bigchaindb.storage.records import Standing as StoredStanding

__all__ = ["BLOCK_STALL_SECONDS", "LedgerView", "cursor_register", "settled_register"]

BLOCK_STALL_SECONDS: Final = 30.0
_STALL_DOUBLINGS: Final = 2
_REMEMBERED: Final = 50_000
_REMEMBERED_HEADERS: Final = 5_000
_REMEMBERED_VERDICTS: Final = 200_000
_REMEMBERED_OUTPUTS: Final = 20_000
# Of the text of a transaction; a larger one is read again.
_REMEMBERED_BYTES: Final = 2_048
_NOTED_AT_ONCE: Final = 100


def cursor_register(node: str) -> str:
    """Return the name of the register in which a node's voter keeps how far it has noted the blocks."""
    return f"cursor/{node}"


def settled_register(node: str) -> str:
    """Return the name of the register in which a node's voter keeps up to which decision all is in the indexes."""
    return f"settled/{node}"


class LedgerView:
    """One node's view of the ledger, over storage."""

    def __init__(  # noqa: PLR0913 - what a view is made of
        self,
        storage: Storage,
        me: str,
        federations: Federations,
        *,
        ledger: str,
        marks: Marks,
        clock: Callable[[], float],
        block_stall_seconds: float = BLOCK_STALL_SECONDS,
    ) -> None:
        """Put the parts together; nothing is read yet."""
        self._storage = storage
        self._me = me
        self._federations = federations
        self._ledger = ledger
        self._marks = marks
        self._clock = clock
        self._block_stall_seconds = block_stall_seconds
        self._verified: set[str] = set()
        self._headers: dict[str, Header] = {}
        self._verdicts: dict[str, bool] = {}
        self._valid: set[str] = set()
        self._outputs: dict[OutputRef, Output] = {}
        # Whoever holds the node's seat knows which blocks it has not decided.
        self.undecided: Collection[str] = ()
        # Whoever holds the node's seat knows its votes better than storage, which others may alter.
        self.backing: Callable[[Collection[str]], AbstractSet[str]] = self._stored_backing

    @property
    def federation(self) -> tuple[str, ...]:
        """Public keys of the members, sorted."""
        return self._federations.present

    # --- texts -----------------------------------------------------------------------------------------------

    def read(self, stored: StoredTransaction, mark: bytes = NO_MARK) -> Transaction:
        """Take in a stored text: trusting it if it, or the mark given, is this node's; else checking it whole.

        Raises:
            TransactionError: it is not well formed.
        """
        for candidate in (stored.tag, mark):
            if candidate != NO_MARK and self._marks.holds(candidate, stored.hash, stored.text):
                transaction = Transaction.from_trusted_text(stored.text, stored.hash)
                self.remember([transaction])
                return transaction
        return Transaction.from_text(stored.text, MAX_BYTES)

    def is_text_of(self, stored: StoredTransaction, txid: str) -> bool:
        """Tell whether a stored text is a well-formed transaction with this id, reading it only if it must be."""
        if stored.tag != NO_MARK and self._marks.holds(stored.tag, stored.hash, stored.text):
            # It is canonical then, and of the keys of a transaction `id` is the first.
            return stored.text.startswith(f'{{"id":"{txid}"')
        try:
            return Transaction.from_text(stored.text, MAX_BYTES).id == txid
        except TransactionError:
            return False

    def remember(self, verified: Iterable[Transaction]) -> None:
        """Note that the fulfillments of these have been found valid; those with a deadline are passed over."""
        if len(self._verified) > _REMEMBERED:
            self._verified.clear()
        self._verified.update(t.hash for t in verified if is_timeless(t))

    def is_verified(self, transaction: Transaction) -> bool:
        """Tell whether this node has already found this exact signed text's fulfillments valid at all times."""
        return transaction.hash in self._verified

    def mark(self, transaction: Transaction) -> bytes:
        """Return this node's mark for a transaction that it found sound; none where a deadline makes that passing."""
        return self._marks.make(transaction.hash, transaction.text) if is_timeless(transaction) else NO_MARK

    def _readable(self, stored: Iterable[StoredTransaction]) -> list[Transaction]:
        transactions = []
        for item in stored:
            try:
                transactions.append(self.read(item))
            except TransactionError:
                continue  # junk that somebody put into shared storage
        return transactions

    # --- what this node has decided --------------------------------------------------------------------------

    def verdicts(self, block_ids: Collection[str]) -> dict[str, bool]:
        """Return how this node decided these blocks, by its own signed decisions and nothing else in storage."""
        known = {b: verdict for b in block_ids if (verdict := self._verdicts.get(b)) is not None}
        unknown = [b for b in block_ids if b not in known and b != self._ledger and b not in self.undecided]
        for block_id, rows in (self._storage.decisions_on(unknown) if unknown else {}).items():
            for row in rows:
                verdict = self._own_verdict(row, block_id) if row.node == self._me else None
                if verdict is not None:
                    known[block_id] = verdict
        # Threads may share this view: what one has read must not be forgotten by another before it is used.
        self.learn(known)
        return {**known, self._ledger: True} if self._ledger in block_ids else known

    def learn(self, verdicts: Mapping[str, bool]) -> None:
        """Remember how this node has decided blocks, whatever storage says of them later."""
        if len(self._verdicts) > _REMEMBERED_VERDICTS:
            self._verdicts.clear()
        self._verdicts.update(verdicts)

    def _own_verdict(self, row: DecisionRow, block_id: str) -> bool | None:
        try:
            decision = Decision.from_text(row.text)
        except BlockError:
            return None
        if (decision.node, decision.ledger, decision.block_id) != (self._me, self._ledger, block_id):
            return None
        return decision.verdict is Verdict.VALID

    def notes(self, ids: Collection[str]) -> dict[str, list[StoredStanding]]:
        """Return the blocks in which each transaction id stands, with the verdicts that this node has signed."""
        found = self._storage.standings(self._me, list(ids))
        verdicts = self.verdicts({note.block_id for standings in found.values() for note in standings})
        return {
            txid: [
                note if note.verdict is (verdict := verdicts.get(note.block_id)) else note._replace(verdict=verdict)
                for note in standings
            ]
            for txid, standings in found.items()
        }

    # --- what the rules ask ----------------------------------------------------------------------------------

    def standings(self, ids: Collection[str]) -> dict[str, list[Standing]]:
        """Return the blocks in which each transaction id stands, in the order in which this node met them."""
        found = self.notes(ids)
        notes = [note for standings in found.values() for note in standings]
        undecided = {note.block_id for note in notes if note.verdict is None}
        backed = self.backing(undecided) if undecided else frozenset()
        # Only who has seen more than one federation has to ask which one a block is of.
        several = len(self._federations.history) > 1
        headers = self.headers({note.block_id for note in notes} if several else undecided)
        past = {block_id for block_id in headers if not self._is_present(headers[block_id])} if several else set()
        binding = self.supported(undecided & past) if undecided & past else frozenset()
        self._learn_valid(txid for txid, standings in found.items() if any(note.verdict for note in standings))

        # The same for all transactions of a block, of which there are up to a thousand.
        @cache
        def standing(block_id: str, seen_at: float, times: int, *, verdict: bool | None) -> Standing:
            header = headers.get(block_id)
            is_mine = header is not None and header.node == self._me
            live = verdict is None and self._is_patient(seen_at, times) and (block_id in backed or is_mine)
            return Standing(
                block_id,
                verdict,
                backed=block_id in backed,
                live=live,
                binds=block_id in binding,
                present=block_id not in past,
                ahead=header is not None and float(header.timestamp) - self._clock() > MAX_AHEAD_SECONDS,
            )

        return {
            txid: [
                standing(note.block_id, note.seen_at, times, verdict=note.verdict)
                for times, note in enumerate(sorted(standings, key=lambda s: s.seen_at))
            ]
            for txid, standings in found.items()
        }

    def is_known_valid(self, txid: str) -> bool:
        """Tell whether a transaction was lately seen to be decided valid, which is for ever; it asks nobody."""
        return txid in self._valid

    def _learn_valid(self, ids: Iterable[str]) -> None:
        if len(self._valid) > _REMEMBERED:
            self._valid.clear()
        self._valid.update(ids)

    def learn_contents(self, block: Block, transactions: Sequence[Transaction]) -> None:
        """Remember what a block holds that this node has just decided valid: it is likely to be spent next."""
        self._learn_valid(t.id for t in transactions)
        self.learn_header(block)
        self.learn_outputs(transactions)

    def learn_outputs(self, transactions: Iterable[Transaction]) -> None:
        """Remember what well-formed transactions make, unless they are large."""
        if len(self._outputs) > _REMEMBERED_OUTPUTS:
            self._outputs.clear()
        for t in transactions:
            if t.size_bytes <= _REMEMBERED_BYTES:
                self._outputs.update((OutputRef(t.id, output.cid), output) for output in t.outputs)

    def _is_patient(self, seen_at: float, times: int) -> bool:
        """Tell whether an undecided block has not stalled for a transaction that stood in `times` blocks before."""
        patience: float = self._block_stall_seconds * 2 ** min(times, _STALL_DOUBLINGS)
        # A clock that was set back must not lend a block more patience than there is.
        return abs(self._clock() - seen_at) < patience

    def _is_present(self, header: Header | None) -> bool:
        return header is not None and header.voters == self._federations.present

    def spenders(self, refs: Collection[OutputRef]) -> dict[OutputRef, list[str]]:
        """Return the ids of all transactions, of whatever fate, that spend each output."""
        return self._storage.spenders(list(refs))

    def waiting(self, ids: Collection[str]) -> dict[str, list[Transaction]]:
        """Return the well-formed transactions in the backlog under each id."""
        found = {
            txid: [t for t in self._readable(stored) if t.id == txid]
            for txid, stored in self._storage.waiting(list(ids)).items()
        }
        return {txid: transactions for txid, transactions in found.items() if transactions}

    def texts(self, ids: Collection[str]) -> dict[str, list[Transaction]]:
        """Return all well-formed texts that are stored under each id, wherever they wait or stand."""
        return {
            txid: [t for t in self._readable(stored) if t.id == txid]
            for txid, stored in self._storage.transactions(sorted(ids)).items()
        }

    def has_noted_all(self) -> bool:
        """Tell whether this node had noted every block that was stored when it was asked; not while it catches up."""
        name = cursor_register(self._me)
        cursor = self._storage.registers([name]).get(name)
        keys = [stored.key for _, stored in self._storage.blocks_after(cursor, _NOTED_AT_ONCE)]
        return len(keys) < _NOTED_AT_ONCE and len(self._storage.sightings(self._me, keys)) == len(set(keys))

    def left_aside(self, ids: Collection[str]) -> set[str]:
        """Return which of these ids are named by blocks that this node cannot check yet and has left aside.

        Junk under the id of a block that this node has decided is none of these: it holds what it held then.
        """
        found = self._storage.standings(self._me, list(ids), checked=False)
        decided = self.verdicts({note.block_id for notes in found.values() for note in notes})
        return {txid for txid, notes in found.items() if any(note.block_id not in decided for note in notes)}

    def outputs(self, refs: Collection[OutputRef]) -> dict[OutputRef, Output]:
        """Return those outputs whose transaction is stored, whatever its fate."""
        # An id covers its outputs, so what is remembered of them stays true.
        known = {ref: output for ref in refs if (output := self._outputs.get(ref))}
        missing = {ref.txid for ref in refs if ref not in known}
        found = self.transactions(missing) if missing else {}
        self.learn_outputs(found.values())
        by_id = {txid: transaction.outputs for txid, transaction in found.items()}
        unknown = (ref for ref in refs if ref not in known)
        return known | {ref: by_id[ref.txid][ref.cid] for ref in unknown if ref.cid < len(by_id.get(ref.txid, ()))}

    def transactions(self, ids: Collection[str]) -> dict[str, Transaction]:
        """Return those of these transactions that are stored, whatever their fate.

        Of several signed texts it is any: the id covers inputs and outputs, so one is as good as another.
        """
        found: dict[str, Transaction] = {}
        for txid, stored in self._storage.transactions(sorted(ids)).items():
            found.update((t.id, t) for t in self._readable(stored) if t.id == txid)
        return found

    def sizes(self, block_ids: Collection[str]) -> dict[str, int]:
        """Return how many transactions each of these blocks holds, by its signed header."""
        return {block_id: h.transaction_count for block_id, h in self.headers(block_ids).items() if h}

    def supported(self, block_ids: Collection[str]) -> set[str]:
        """Return which of these blocks have a well-signed valid vote by a member of their electorate."""
        supported = set()
        headers = self.headers(block_ids)
        for block_id, places in self._storage.votes(list(block_ids)).items():
            header = headers.get(block_id)
            for node in header.voters if header else ():
                vote = read_vote(places[node], block_id, node) if node in places else None
                if vote and vote.is_valid:
                    supported.add(block_id)
        return supported

    # --- blocks ----------------------------------------------------------------------------------------------

    def _stored_backing(self, block_ids: Collection[str]) -> set[str]:
        backed = set()
        for block_id, places in self._storage.votes(list(block_ids)).items():
            vote = read_vote(places[self._me], block_id, self._me) if self._me in places else None
            if vote and vote.is_valid:
                backed.add(block_id)
        return backed

    def headers(self, block_ids: Collection[str]) -> dict[str, Header | None]:
        """Return the headers of these blocks; None for one that is not there, or not signed by its maker."""
        known = {block_id: header for block_id in block_ids if (header := self._headers.get(block_id))}
        unknown = [block_id for block_id in block_ids if block_id not in known]
        known |= self.learn_blocks(self._storage.blocks(unknown)) if unknown else {}
        return {block_id: known.get(block_id) for block_id in block_ids}

    def learn_blocks(self, stored: Mapping[str, Sequence[StoredBlock]]) -> dict[str, Header]:
        """Remember, and return, the headers of stored blocks, by id; of those only that their maker has signed."""
        found = {
            block_id: header
            for block_id, items in stored.items()
            if (header := next((header for item in items if (header := _header(item.text, block_id))), None))
        }
        self._learn_headers(found)
        return found

    def learn_header(self, block: Block) -> None:
        """Remember the header of a block that was found signed by its maker."""
        self._learn_headers({block.id: block.header})

    def _learn_headers(self, headers: Mapping[str, Header]) -> None:
        if len(self._headers) > _REMEMBERED_HEADERS:
            self._headers.clear()
        self._headers.update(headers)


def _header(text: str, block_id: str) -> Header | None:
    try:
        block = Block.from_text(text)
    except BlockError:
        return None
    return block.header if block.id == block_id and block.is_signed else None


def read_vote(text: str, block_id: str, node: str) -> Vote | None:
    """Return the vote in a place if it is a well-signed one of that node on that block, else None."""
    try:
        vote = Vote.from_text(text)
    except BlockError:
        return None
    return vote if vote.block_id == block_id and vote.node == node else None
