"""Which blocks there are: a voter's notes on them, and what they hold (design.md 3).

Invariants:

- What this node has decided is noted as decided, whatever storage says of it: a note may be altered, and its maker may
  sign a block once more, which makes another one of the same id.
- Every block is noted before the cursor passes it, so what was missed while the node was down is caught up with.
- A block that cannot be checked yet, or is none of this ledger's, is left aside and looked at again, in turn; that is
  never a "no".
- Why a block is left aside is logged once per kind.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from bigchaindb.exceptions import BlockError, InvalidValue, JournalError, TransactionError
from bigchaindb.model.block import Block
from bigchaindb.model.merkle import leaf_hash
from bigchaindb.node.marks import MARK_BYTES
from bigchaindb.node.view import cursor_register
from bigchaindb.storage.records import Sighting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bigchaindb.exceptions import BigchainDBError
    from bigchaindb.model.transaction import Transaction
    from bigchaindb.node.node import Node
    from bigchaindb.storage.records import StoredBlock

__all__ = ["Noted", "Noting"]

_PAGE: Final = 16
_MAX_NOTED: Final = 4
_SHOWN_CHARACTERS: Final = 80

_log = logging.getLogger(__name__)


class Noted(NamedTuple):
    """A block that was found whole a moment ago."""

    block: Block
    stored: StoredBlock
    contents: list[Transaction | TransactionError]


class Noting:
    """Goes through the blocks in the order of their arrival."""

    def __init__(self, node: Node, said: set[str]) -> None:
        """Be at the beginning; `go_on` before anything is noted.

        Args:
            node: whose notes.
            said: what this process has logged, and logs only once.
        """
        self._node = node
        self._storage = node.storage
        self._said = said
        self._register = cursor_register(node.me)
        self._cursor: str | None = None
        self._moved: Callable[[str], BigchainDBError] = JournalError
        self._noted: dict[str, Noted] = {}
        self._passed: dict[str, StoredBlock] = {}
        self._aside_after: str | None = None

    def go_on(self, moved: Callable[[str], BigchainDBError]) -> None:
        """Go on where this node's last voter stopped, which must be the last: its seat was taken.

        Args:
            moved: returns what to raise where a note of this node in storage is not as it was left here.
        """
        self._moved = moved
        self._cursor = self._storage.registers([self._register]).get(self._register)

    def note_new(self, now: float) -> bool:
        """Note the next few new blocks; tell whether there were any.

        Raises:
            JournalError: the cursor in storage is none.
            BigchainDBError: somebody else moved the cursor; see `go_on`.
        """
        try:
            page = self._storage.blocks_after(self._cursor, _PAGE, may_lag=True)
        except InvalidValue as error:
            raise JournalError(f"this node's cursor in storage was changed: {error}") from error
        if not page:
            return False
        known = self._storage.sightings(self._node.me, [stored.key for _, stored in page])
        # This node's builder has noted its own blocks.
        self._passed = {stored.key: stored for _, stored in page if stored.key in known}
        new = [
            Sighting(stored.key, stored.id, now, checked=self._is_whole(stored))
            for _, stored in page
            if stored.key not in known
        ]
        cursor = page[-1][0]
        with self._storage.batch():
            self._storage.sight(self._node.me, self.with_verdicts(new))
            if not self._storage.swap_register(self._register, self._cursor, cursor):
                raise self._moved("this node's cursor")
        self._cursor = cursor
        return True

    def recheck_aside(self, now: float) -> None:
        """Look again at what was left aside."""
        # In turn: whoever fills this list with junk must not keep an honest block out of sight.
        aside = self.some_open(self._aside_after, checked=False)
        self._aside_after = aside[-1].key if aside else None
        stored = self._storage.blocks([s.block_id for s in aside]) if aside else {}
        by_key = {item.key: item for items in stored.values() for item in items}
        whole = [
            Sighting(s.key, s.block_id, now, checked=True)
            for s in aside
            if s.key in by_key and self._is_whole(by_key[s.key])
        ]
        if whole:
            self._storage.sight(self._node.me, self.with_verdicts(whole))

    def with_verdicts(self, sightings: Sequence[Sighting]) -> list[Sighting]:
        """Return these notes with what this node has decided, by its own signed decisions."""
        verdicts = self._node.view.verdicts({sighting.block_id for sighting in sightings})
        for sighting in sightings:
            if sighting.block_id in verdicts:
                self._noted.pop(sighting.key, None)
        return [replace(sighting, verdict=verdicts.get(sighting.block_id)) for sighting in sightings]

    def some_open(self, after: str | None, *, checked: bool) -> list[Sighting]:
        """Return the next few of this node's open notes behind one; the first again where there are none."""
        some = self._storage.open_sightings(self._node.me, checked=checked, limit=_PAGE, after=after)
        if not some and after is not None:
            some = self._storage.open_sightings(self._node.me, checked=checked, limit=_PAGE)
        return some

    def take_noted(self) -> dict[str, Noted]:
        """Return by key what was found whole since the last call, so far as it is kept, and need not be read again."""
        noted, self._noted = self._noted, {}
        return noted

    def take_passed(self) -> dict[str, StoredBlock]:
        """Return by key what was read since the last call and had been noted before; it was not looked at."""
        passed, self._passed = self._passed, {}
        return passed

    # --- what a block is, and holds --------------------------------------------------------------------------

    def _is_whole(self, stored: StoredBlock) -> bool:
        """Tell whether a block is by a member, for this electorate, and all it holds is here and rightly indexed."""
        block = self.acceptable(stored)
        if block is None:
            return False
        # Whoever stored it said what to index, and rivals are found through that; of what is malformed, nothing is.
        contents = self.load(block, stored) if stored.transactions == block.transactions else []
        if contents is None:
            return False
        indexed = zip(contents, stored.transaction_ids, strict=False)
        is_true = all(isinstance(t, TransactionError) or t.id == txid for t, txid in indexed)
        if is_true and len(stored.transaction_ids) == len(contents) > 0:
            if len(self._noted) < _MAX_NOTED:
                self._noted[stored.key] = Noted(block, stored, contents)
            return True
        self.log_once("block under a false index", stored.id, "is indexed under other transactions than it holds")
        return False

    def acceptable(self, stored: StoredBlock) -> Block | None:
        """Return a block if its electorate is, or was, the federation, and its maker one of them."""
        try:
            block = Block.from_text(stored.text)
        except BlockError as error:
            self.log_once("malformed block", stored.id, str(error))
            return None
        header = block.header
        if block.key != stored.key or block.id != stored.id:
            self.log_once("block under a false key", stored.id, "key or id is not that of the text")
        elif header.ledger != self._node.ledger:
            self.log_once("block of another ledger", stored.id, f"ledger is {header.ledger}")
        elif header.voters not in self._node.federations:
            self.log_once("block for another electorate", stored.id, "voters are no federation known here")
        elif header.node not in header.voters or not block.is_signed:
            self.log_once("block by a stranger", stored.id, f"not signed by a member as {header.node}")
        else:
            self._node.view.learn_header(block)
            return block
        return None

    def load(self, block: Block, stored: StoredBlock) -> list[Transaction | TransactionError] | None:
        """Return what a block holds, an error for what is malformed; None where that does not add up to its root."""
        found = self._storage.contents(stored.texts())
        texts = [found[h] for h in block.transactions if h in found]
        if not block.holds([leaf_hash(t.text.encode()) for t in texts]):
            self.log_once("block with other contents", block.id, "contents do not add up to its root")
            return None
        contents: list[Transaction | TransactionError] = []
        for i, item in enumerate(texts):
            try:
                contents.append(self._node.view.read(item, stored.tags[i * MARK_BYTES : (i + 1) * MARK_BYTES]))
            except TransactionError as error:
                contents.append(error)
        return contents

    def log_once(self, kind: str, block_id: str, detail: str) -> None:
        """Log what is wrong with a block or a vote on it, unless something of that kind was logged before."""
        # Once per kind, not per block: strangers must not be able to fill the log.
        if kind not in self._said:
            self._said.add(kind)
            _log.warning("%s left aside: %s: %s", kind, block_id[:_SHOWN_CHARACTERS], detail)
