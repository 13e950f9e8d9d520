"""The history of an asset in pages, from CREATE on.

Invariants:

- The cost of a page depends on its size, not on the length of the history.
- A transaction is told when this node has decided it valid, and when it spends what is told before it: the index says
  where to look, the signed texts say what is so.
- Of several assets, each transaction comes once, behind all that it builds upon.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from bigchaindb.exceptions import InvalidValue, TransactionDoesNotExist
from bigchaindb.model.reference import OutputRef
from bigchaindb.node.effects import lineages
from bigchaindb.node.listing import Page
from bigchaindb.storage import cursors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.model.transaction import Transaction
    from bigchaindb.node.node import Node
    from bigchaindb.node.queries import Queries

__all__ = ["history"]

_READ_AT_ONCE: Final = 100
_MAX_DIGITS: Final = 15


def history(node: Node, queries: Queries, txid: str, after: str | None, limit: int) -> Page[str]:
    """Return the canonical signed texts of valid transactions of the assets that a valid transaction is part of.

    Args:
        node: whose storage to read.
        queries: the same node's.
        txid: any transaction of the history.
        after: a cursor of this list.
        limit: how many at the most.

    Raises:
        TransactionDoesNotExist: there is no such valid transaction.
        InvalidValue: `after` is no cursor of this list.
    """
    start = queries.transaction(txid) if queries.valid([txid]) else None
    if start is None:
        raise TransactionDoesNotExist(f"there is no valid transaction {txid}", field="transaction_id")
    assets = _assets(node, start)
    steps = _steps(after, len(assets))
    at_once = min(limit, _READ_AT_ONCE)
    lines = [_Line(node, queries, asset, step, at_once) for asset, step in zip(assets, steps, strict=True)]
    if any(line.is_lost for line in lines):
        return Page((), after)  # where it left off is in no index yet
    items: list[tuple[str, str]] = []
    while len(items) < limit:
        transaction = _next(node, lines)
        if transaction is None:
            return Page(tuple(items), None)
        for line in lines:
            line.pass_over(transaction)
        items.append((",".join(str(line.step) for line in lines), transaction.text))
    return Page(tuple(items), items[-1][0])


def _assets(node: Node, transaction: Transaction) -> list[str]:
    """Return the assets that a transaction is part of, in the order of its outputs."""
    found = lineages(node, [transaction])
    return list(dict.fromkeys(found[OutputRef(transaction.id, output.cid)].asset for output in transaction.outputs))


def _steps(after: str | None, count: int) -> list[int]:
    parts = after.split(",") if after is not None else ["0"] * count
    if len(parts) != count or not all(
        part.isascii() and part.isdecimal() and len(part) <= _MAX_DIGITS for part in parts
    ):
        raise InvalidValue("cursor: this list has given none such", field="cursor")
    return [int(part) for part in parts]


def _next(node: Node, lines: Sequence[_Line]) -> Transaction | None:
    """Return the first transaction that is next in each of the lines that it is part of; None at the end of all."""
    for line in lines:
        transaction = line.head
        if transaction is None:
            continue
        shared = {line.asset} if len(lines) == 1 else set(_assets(node, transaction))
        if all(other.head is transaction or other.is_at(transaction) for other in lines if other.asset in shared):
            return transaction
    return None


class _Line:
    """What happened to one asset, from a step on; read as far as needed."""

    def __init__(self, node: Node, queries: Queries, asset: str, step: int, at_once: int) -> None:
        self.asset = asset
        self._at_once = at_once
        self.step = step
        self._storage = node.storage
        self._queries = queries
        self._ahead: deque[Transaction] = deque()
        self._last: OutputRef | None = None
        self._is_over = False
        if step > 0:
            row = next(iter(self._storage.outputs_of_asset(asset, cursors.at(step - 1), 1)), None)
            self._last = row.ref if row else None
        self.is_lost = step > 0 and self._last is None

    @property
    def head(self) -> Transaction | None:
        """What comes next."""
        if not self._ahead and not self._is_over:
            self._read()
        return self._ahead[0] if self._ahead else None

    def is_at(self, transaction: Transaction) -> bool:
        """Tell whether a transaction comes next."""
        return self.head is not None and self.head.id == transaction.id

    def pass_over(self, transaction: Transaction) -> None:
        """Go on behind a transaction, if it comes next."""
        if self._ahead and self._ahead[0].id == transaction.id:
            self._ahead.popleft()
            self.step += 1

    def _read(self) -> None:
        rows = self._storage.outputs_of_asset(self.asset, cursors.at(self.step), self._at_once)
        refs = [row.ref for row in rows] or self._not_settled()
        ids = [ref.txid for ref in refs]
        valid = set(self._queries.valid(ids))
        found = self._queries.transactions(ids)
        for ref in refs:
            transaction = found.get(ref.txid)
            if ref.txid not in valid or transaction is None or not self._goes_on(ref, transaction):
                self._is_over = True
                return
            self._ahead.append(transaction)
            self._last = ref
        self._is_over = not refs

    def _not_settled(self) -> list[OutputRef]:
        """Return what comes next but is in no index yet: decided a moment ago, or by others who died then."""
        if self._last is None:
            return [OutputRef(self.asset, 0)]
        spender = self._queries.spender(self._last)
        transaction = self._queries.transaction(spender) if spender else None
        return [OutputRef(transaction.id, transaction.inputs.index(self._last))] if transaction else []

    def _goes_on(self, ref: OutputRef, transaction: Transaction) -> bool:
        if ref.cid >= len(transaction.fulfillments):
            return False
        return transaction.fulfillments[ref.cid].input == self._last
