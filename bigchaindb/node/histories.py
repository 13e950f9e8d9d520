"""The history of an asset in pages, from CREATE on.

Invariants:

- The cost of a page depends on its size, not on the length of the history; what is in memory at a time is bounded.
- A transaction is told when this node has decided it valid, and when it spends what is told before it: the index says
  where to look, the signed texts say what is so.
- Of several assets, each transaction comes once, in the order in which this node has decided them: so behind all that
  it builds upon.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from bigchaindb import canonical
from bigchaindb.exceptions import InvalidValue, TransactionDoesNotExist
from bigchaindb.model.reference import OutputRef
from bigchaindb.node.effects import lineages
from bigchaindb.node.listing import MAX_CHARACTERS, TEXTS_AT_ONCE, Page
from bigchaindb.storage import cursors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bigchaindb.model.transaction import Transaction
    from bigchaindb.node.node import Node
    from bigchaindb.node.queries import Queries

__all__ = ["history"]

_MAX_DIGITS: Final = 15

_PlacesOf: TypeAlias = "Callable[[Node, Sequence[str]], dict[str, tuple[int, int]]]"


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
    at_once = max(1, TEXTS_AT_ONCE // len(assets))
    # Of one asset, the order is that of its line.
    places = _places if len(assets) > 1 else _no_places
    steps = _steps(after, len(assets))
    lines = [_Line(node, queries, asset, step, at_once, places) for asset, step in zip(assets, steps, strict=True)]
    if any(line.is_lost for line in lines):
        return Page((), after)  # where it left off is in no index yet
    items: list[tuple[str, str]] = []
    size = 0
    while heads := [head for line in lines if (head := line.head)]:
        told = min(heads)
        size += len(told.text)
        if len(items) == limit or (items and size > MAX_CHARACTERS):
            return Page(tuple(items), items[-1][0])
        for line in lines:
            line.pass_over(told)
        items.append((",".join(str(line.step) for line in lines), told.text))
    return Page(tuple(items), None)


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


class _Told(NamedTuple):
    """A transaction of a history, in the order of this node's decisions.

    Attributes:
        sequence: the decision that made it valid; 0 for the genesis.
        place: its place in that block.
        txid: its id.
        text: what was signed.
    """

    sequence: int
    place: int
    txid: str
    text: str


def _no_places(_: Node, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(ids, (0, 0))


def _places(node: Node, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return where each of these valid transactions stands: decision, and place in the block."""
    found: dict[str, list[tuple[int, int]]] = {txid: [] for txid in ids}
    for txid, notes in node.view.notes(ids).items():
        for note in notes:
            if note.verdict:
                stored = next(
                    (s for s in node.storage.blocks([note.block_id])[note.block_id] if s.key == note.key), None
                )
                rows = node.storage.decisions_on([note.block_id]).get(note.block_id, [])
                sequence = next((row.sequence for row in rows if row.node == node.me), 0)
                place = stored.transaction_ids.index(txid) if stored and txid in stored.transaction_ids else 0
                found[txid].append((sequence, place))
    return {txid: min(places, default=(0, 0)) for txid, places in found.items()}


class _Line:
    """What happened to one asset, from a step on; read as far as needed."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it is read with
        self, node: Node, queries: Queries, asset: str, step: int, at_once: int, places: _PlacesOf
    ) -> None:
        self.step = step
        self._node = node
        self._queries = queries
        self._asset = asset
        self._at_once = at_once
        self._places = places
        self._ahead: deque[_Told] = deque()
        self._last: OutputRef | None = None
        self._is_over = False
        if step > 0:
            row = next(iter(node.storage.outputs_of_asset(asset, cursors.at(step - 1), 1)), None)
            self._last = row.ref if row else None
        self.is_lost = step > 0 and self._last is None

    @property
    def head(self) -> _Told | None:
        """What comes next."""
        if not self._ahead and not self._is_over:
            self._read()
        return self._ahead[0] if self._ahead else None

    def pass_over(self, told: _Told) -> None:
        """Go on behind a transaction, if it comes next."""
        if self._ahead and self._ahead[0].txid == told.txid:
            self._ahead.popleft()
            self.step += 1

    def _read(self) -> None:
        rows = self._node.storage.outputs_of_asset(self._asset, cursors.at(self.step), self._at_once)
        refs = [row.ref for row in rows] or self._not_settled()
        ids = self._queries.valid([ref.txid for ref in refs])
        texts = self._queries.texts(ids)
        places = self._places(self._node, ids)
        for ref in refs:
            text = texts.get(ref.txid)
            if text is None or not self._goes_on(ref, text):
                self._is_over = True
                return
            self._ahead.append(_Told(*places[ref.txid], ref.txid, text))
            self._last = ref
        self._is_over = not refs

    def _not_settled(self) -> list[OutputRef]:
        """Return what comes next but is in no index yet: decided a moment ago, or by others who died then."""
        if self._last is None:
            return [OutputRef(self._asset, 0)]
        spender = self._queries.spender(self._last)
        transaction = self._queries.transaction(spender) if spender else None
        return [OutputRef(transaction.id, transaction.inputs.index(self._last))] if transaction else []

    def _goes_on(self, ref: OutputRef, text: str) -> bool:
        """Tell whether a well-formed transaction gives up the last output in the place of this one."""
        fulfillments = canonical.parse_trusted(text)["transaction"]["fulfillments"]
        if ref.cid >= len(fulfillments):
            return False
        spent = fulfillments[ref.cid]["input"]
        return (spent and OutputRef(spent["txid"], spent["cid"])) == self._last
