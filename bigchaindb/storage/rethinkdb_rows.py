"""Documents of RethinkDB as records, and back.

Invariants:

- Members of a federation share the database, so a document may be anything: one that is not as it was written is
  named in a `StorageMismatch`, and goes no further.  In voting places anybody's junk counts for nothing instead.
- Bytes are stored as base64, lists of hashes as one text: both cost the server and the driver least.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from bigchaindb.exceptions import StorageMismatch
from bigchaindb.storage.records import (
    DecisionRow,
    RejectionRow,
    Sighting,
    StoredBlock,
    VoteRow,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Row", "block_row", "decision_id", "decision_row", "sighting_row"]

_SHOWN_CHARACTERS = 80
_HASH_CHARACTERS = 64


class Row:
    """A stored document, of which nothing is taken for granted."""

    __slots__ = ("_called", "_document", "_table")

    def __init__(self, table: str, document: Mapping[str, Any], called: str | None = None) -> None:
        """Look at a document of a table, or at a part of one; what messages call it if not by its id."""
        self._table = table
        self._document = document
        self._called = called

    # --- fields ----------------------------------------------------------------------------------------------

    def text(self, name: str) -> str:
        """Return a field that is a text."""
        value = self._document.get(name)
        if not isinstance(value, str):
            raise self.damaged(name)
        return value

    def number(self, name: str) -> float:
        """Return a field that is a number, which the server may have stored without its fraction of nothing."""
        value = self._document.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.damaged(name)
        return float(value)

    def whole(self, name: str) -> int:
        """Return a field that is a whole number."""
        value = self.number(name)
        if not value.is_integer():
            raise self.damaged(name)
        return int(value)

    def flag(self, name: str) -> bool:
        """Return a field that is true or false."""
        value = self._document.get(name)
        if not isinstance(value, bool):
            raise self.damaged(name)
        return value

    def texts(self, name: str) -> list[str]:
        """Return a field that is a list of texts."""
        value = self._document.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.damaged(name)
        return value

    def some_texts(self, name: str) -> list[str]:
        """Return the texts in a field that is a list, and nothing else that is in it."""
        value = self._document.get(name)
        if not isinstance(value, list):
            raise self.damaged(name)
        return [item for item in value if isinstance(item, str)]

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return a field that is an object."""
        value = self._document.get(name)
        if not isinstance(value, dict):
            raise self.damaged(name)
        return value

    def has(self, name: str) -> bool:
        """Tell whether there is such a field."""
        return name in self._document

    def _bytes(self, name: str) -> bytes:
        try:
            return base64.b64decode(self.text(name), validate=True)
        except ValueError as error:
            raise self.damaged(name) from error

    def _key_part(self, name: str) -> str:
        """Return a field that becomes part of a key: the server does not take every text as one."""
        value = self.text(name)
        if len(value) > _HASH_CHARACTERS or not value.isascii() or "\0" in value:
            raise self.damaged(name)
        return value

    def _verdict(self) -> bool | None:
        return self.flag("verdict") if self.has("verdict") else None

    def damaged(self, name: str) -> StorageMismatch:
        """Return the error that names a field."""
        key = str(self._document.get("id") if self._called is None else self._called)[:_SHOWN_CHARACTERS]
        return StorageMismatch(f"the ledger is damaged: table {self._table}, document {key!r}, field {name}")

    # --- records ---------------------------------------------------------------------------------------------

    def block(self) -> StoredBlock:
        """Return a document of `blocks`."""
        return StoredBlock(
            self._key_part("key"),
            self._key_part("block"),
            self.text("text"),
            tuple(self.text("transactions").split()),
            tuple(self.text("transaction_ids").split()),
            self._bytes("tags"),
        )

    def sighting(self) -> Sighting:
        """Return a document of `sightings`."""
        return Sighting(
            self._key_part("key"),
            self._key_part("block"),
            self.number("seen_at"),
            self.flag("checked"),
            self._verdict(),
        )

    def vote_in_place(self) -> VoteRow | None:
        """Return the text in a document of `votes`; None where the place is empty, or holds a stranger's junk."""
        text = self._document.get("text")
        of = self._whose_place()
        return VoteRow(*of, text) if of is not None and isinstance(text, str) else None

    def evidence(self) -> list[tuple[int, VoteRow]]:
        """Return what a document of `votes` holds as evidence, each with its place, but no stranger's junk."""
        of = self._whose_place()
        kept = self._document.get("evidence")
        if of is None or not isinstance(kept, list):
            return []
        found = [(each.get("place"), each.get("text")) for each in kept if isinstance(each, dict)]
        return [
            (int(place), VoteRow(*of, text))
            for place, text in found
            if isinstance(place, int | float) and place == place // 1 and isinstance(text, str)
        ]

    def _whose_place(self) -> tuple[str, str] | None:
        """Return block and node of a document of `votes`; None where they are not those of its key."""
        block, node = self._document.get("block"), self._document.get("node")
        if isinstance(block, str) and isinstance(node, str) and self._document.get("id") == f"{block}/{node}":
            return block, node
        return None

    def decision(self) -> DecisionRow:
        """Return a document of `decisions`."""
        decision = DecisionRow(
            self.text("node"),
            self.whole("sequence"),
            self.text("block"),
            self.flag("verdict"),
            self.text("text"),
            self.whole("valid_transactions"),
            self.text("newest_time"),
        )
        if self.text("id") != decision_id(decision):
            raise self.damaged("id")
        return decision

    def rejection(self) -> RejectionRow:
        """Return a document of `rejections`."""
        return RejectionRow(self.text("id").partition("/")[0], self.text("tx"), self.text("node"), self.text("text"))


def block_row(block: StoredBlock) -> dict[str, Any]:
    """Return the document of a block, but for its number."""
    return {
        "key": block.key,
        "block": block.id,
        "text": block.text,
        "transactions": " ".join(block.transactions),
        "transaction_ids": " ".join(block.transaction_ids),
        "tags": base64.b64encode(block.tags).decode(),
    }


def sighting_row(node: str, sighting: Sighting, place: int) -> dict[str, Any]:
    """Return the document of one node's note."""
    row: dict[str, Any] = {
        "id": f"{node}/{sighting.key}",
        "node": node,
        "key": sighting.key,
        "block": sighting.block_id,
        "seen_at": sighting.seen_at,
        "checked": sighting.checked,
        "place": place,
    }
    return row if sighting.verdict is None else {**row, "verdict": sighting.verdict}


def decision_id(decision: DecisionRow) -> str:
    """Return the key of an entry of a log, in the order of the log."""
    return f"{decision.node}/{decision.sequence:016d}"


def decision_row(decision: DecisionRow) -> dict[str, Any]:
    """Return the document of an entry of a log."""
    return {
        "id": decision_id(decision),
        "node": decision.node,
        "sequence": decision.sequence,
        "block": decision.block_id,
        "verdict": decision.verdict,
        "text": decision.text,
        "valid_transactions": decision.valid_transactions,
        "newest_time": decision.newest_time,
    }
