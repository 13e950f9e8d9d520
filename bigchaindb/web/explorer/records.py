"""The pages of a block and of a transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb.exceptions import TransactionError
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.status import Status
from bigchaindb.model.transaction import Operation
from bigchaindb.web.explorer.conditions import read_condition
from bigchaindb.web.explorer.rows import BlockRow, block_rows, payload_lines, payload_text
from bigchaindb.web.explorer.texts import pretty_json
from bigchaindb.web.explorer.trees import narrow_tree, wide_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from bigchaindb.model.block import Header
    from bigchaindb.model.rejection import Rejection
    from bigchaindb.model.transaction import Fulfillment, Output, Transaction
    from bigchaindb.model.vote import Vote
    from bigchaindb.node.chronicle import Chronicle, Entry
    from bigchaindb.node.node import Node
    from bigchaindb.storage.records import StoredTransaction
    from bigchaindb.web.explorer.conditions import Branch
    from bigchaindb.web.explorer.look import Look

__all__ = ["BlockView", "Step", "TransactionView", "block_view", "transaction_view"]

_STEPS: Final = 20
_TRANSACTIONS: Final = 50
_RAW_CHARACTERS: Final = 512 * 1024


# --- a block -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BlockView:
    """What the page of a block shows.

    Attributes:
        row: the block as in lists.
        header: what its maker signed.
        is_genesis: it is the first block.
        is_known: its electorate is, or was, the federation; otherwise the block is left aside.
        votes: voter and vote, None where there is none, in the order of the electorate.
        first: index of the first transaction shown, from 0.
        transactions: (id, transaction or None where it cannot be read) from there on.
        is_whole: storage holds what adds up to the block's root.
        before: the block that this node decided before it, or None.
        after: the one after it, or None.
    """

    row: BlockRow
    header: Header
    is_genesis: bool
    is_known: bool
    votes: tuple[tuple[str, Vote | None], ...]
    first: int
    transactions: tuple[tuple[str, Transaction | None], ...]
    is_whole: bool
    before: str | None
    after: str | None

    @property
    def next_first(self) -> int | None:
        """Where the next part of the transactions begins, or None."""
        end = self.first + len(self.transactions)
        return end if self.is_whole and end < self.header.transaction_count else None


def block_view(look: Look, block_id: str, first: int) -> BlockView | None:
    """Return the page of a block, with its transactions from an index on; None if there is no such block."""
    stored = look.queries.block(block_id)
    if stored is None:
        return None
    entry = look.chronicle.entry(block_id)
    rows = block_rows([entry])
    if not rows:
        return None
    header = stored.block.header
    before, after = _neighbours(look.chronicle, entry)
    return BlockView(
        row=rows[0],
        header=header,
        is_genesis=block_id == look.node.ledger,
        is_known=header.voters in look.node.federations,
        votes=tuple((voter, entry.votes.get(voter)) for voter in header.voters),
        first=first,
        transactions=_transactions(look.node, (stored.contents or [])[first : first + _TRANSACTIONS]),
        is_whole=stored.contents is not None,
        before=before,
        after=after,
    )


def _transactions(node: Node, stored: Sequence[StoredTransaction]) -> tuple[tuple[str, Transaction | None], ...]:
    found: list[tuple[str, Transaction | None]] = []
    for item in stored:
        try:
            transaction = node.view.read(item)
        except TransactionError:
            found.append((item.hash, None))  # a block may hold anything, until it is voted on
        else:
            found.append((transaction.id, transaction))
    return tuple(found)


def _neighbours(chronicle: Chronicle, entry: Entry) -> tuple[str | None, str | None]:
    if entry.decision is None:
        return None, None
    place = entry.decision.sequence
    around = {near.decision.sequence: near.block_id for near in chronicle.decided(place + 2, 3) if near.decision}
    return around.get(place - 1), around.get(place + 1)


# --- a transaction -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One input of a transaction, and what becomes of it.

    Attributes:
        fulfillment: the claim.
        spent: the output claimed, or None for a CREATE, or where it is not stored.
        output: the new lock.
        branch: what it asks for.
        wide: the same, drawn for wide screens.
        narrow: and for narrow ones.
        asset: id of the transaction that the asset began with, or None where that is not known (yet).
        spender: the transaction that spends the output, valid or on its way; or None.
        is_spent: the spender is decided valid.
    """

    fulfillment: Fulfillment
    spent: Output | None
    output: Output
    branch: Branch
    wide: Markup
    narrow: Markup
    asset: str | None
    spender: str | None
    is_spent: bool


@dataclass(frozen=True, slots=True)
class TransactionView:
    """What the page of a transaction shows.

    Attributes:
        transaction: what is shown.
        status: how far it has come.
        rejection: why it can never become valid, or None.
        block: the block it stands in: its home, or the newest that is undecided; or None.
        first: index of the first step shown, from 0.
        steps: from there on.
        payload: its payload as JSON for people; None without one, or where it is too long to show twice.
        payload_bytes: how large the payload is.
        raw: the whole transaction as JSON for people.
    """

    transaction: Transaction
    status: Status
    rejection: Rejection | None
    block: BlockRow | None
    first: int
    steps: tuple[Step, ...]
    payload: str | None
    payload_bytes: int
    raw: str

    @property
    def named(self) -> set[str]:
        """What the rejection may name and has a page: the rival, and what is spent."""
        spent = {step.fulfillment.input.txid for step in self.steps if step.fulfillment.input and step.spent}
        return spent | ({self.rejection.evidence} if self.rejection and self.rejection.evidence else set())

    @property
    def next_first(self) -> int | None:
        """Where the next part of the steps begins, or None."""
        end = self.first + len(self.steps)
        return end if end < len(self.transaction.outputs) else None


def transaction_view(look: Look, txid: str, first: int, owners_url: str) -> TransactionView | None:
    """Return the page of a transaction, with its steps from an index on; None if there is no such transaction."""
    transaction = look.queries.transaction(txid)
    if transaction is None:
        return None
    status = look.queries.status(txid)
    payload = payload_text(transaction)
    return TransactionView(
        transaction=transaction,
        status=status,
        rejection=look.queries.rejection(txid) if status is Status.REJECTED else None,
        block=_block_of(look, txid),
        first=first,
        steps=_steps(look, transaction, first, owners_url, is_valid=status is Status.VALID),
        payload=payload_lines(payload),
        payload_bytes=len(payload.encode()),
        raw=pretty_json(transaction.text, _RAW_CHARACTERS),
    )


def _block_of(look: Look, txid: str) -> BlockRow | None:
    notes = look.node.view.notes([txid]).get(txid, [])
    valid = sorted(note.block_id for note in notes if note.verdict)
    undecided = [note.block_id for note in notes if note.verdict is None]
    found = valid[:1] or undecided[-1:]
    return next(iter(block_rows([look.chronicle.entry(block_id) for block_id in found])), None)


def _steps(look: Look, transaction: Transaction, first: int, owners_url: str, *, is_valid: bool) -> tuple[Step, ...]:
    shown = range(first, min(first + _STEPS, len(transaction.outputs)))
    refs = {i: OutputRef(transaction.id, i) for i in shown}
    spent = look.queries.outputs([ref for i in shown if (ref := transaction.fulfillments[i].input)])
    spenders = look.queries.spenders(list(refs.values()))
    settled = look.chronicle.settled(set(spenders.values()))
    assets = _assets(look.node, transaction, list(refs.values())) if is_valid else {}
    steps = []
    for i, ref in refs.items():
        fulfillment, output = transaction.fulfillments[i], transaction.outputs[i]
        branch = read_condition(output.document["condition"])
        spender = spenders.get(ref)
        steps.append(
            Step(
                fulfillment=fulfillment,
                spent=spent.get(fulfillment.input) if fulfillment.input else None,
                output=output,
                branch=branch,
                wide=wide_tree(branch, owners_url),
                narrow=narrow_tree(branch, owners_url),
                asset=assets.get(ref),
                spender=spender,
                is_spent=spender in settled,
            )
        )
    return tuple(steps)


def _assets(node: Node, transaction: Transaction, refs: Sequence[OutputRef]) -> Mapping[OutputRef, str]:
    if transaction.operation is not Operation.TRANSFER:
        return dict.fromkeys(refs, transaction.id)
    return {ref: lineage.asset for ref, lineage in node.storage.lineages(refs).items()}
