"""Events as bytes, made once for all who are told of them.

An event is `{"sequence", "block_id", "asset_id", "transaction_id"}`.  A WebSocket carries each as a text message; as a
frame of the server's it bears no mask (RFC 6455, 5.1), so all readers get the same bytes.  A stream of server-sent
events (HTML standard, 9.2) carries it with `id: SEQUENCE/TRANSACTION_ID`, which is where to go on behind it.

Invariants:

- A chunk holds whole events, and not much more than `CHUNK_BYTES`: so much is kept for a reader who does not read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

from websockets.frames import Frame, Opcode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bigchaindb.node.events import Parties, Told

__all__ = ["CHUNK_BYTES", "Chunk", "Form", "Page", "Which", "place_of"]

CHUNK_BYTES: Final = 16 * 1024
_REMEMBERED_CHUNKS: Final = 256


class Form(Enum):
    """How events are sent."""

    MESSAGES = auto()
    EVENT_STREAM = auto()


@dataclass(frozen=True, slots=True)
class Which:
    """Which events a reader wants.

    Attributes:
        public_key: only of transactions that give something to this key, or take something from it.
        asset_id: only of transactions that begin this asset or hand it on.
    """

    public_key: str | None = None
    asset_id: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether none are left out."""
        return self.public_key is None and self.asset_id is None


class Chunk(NamedTuple):
    """Some events of a page.

    Attributes:
        data: their bytes; none where there is no event for this reader.
        next: index of the first transaction behind them; None at the end of the page.
    """

    data: bytes
    next: int | None


def place_of(sequence: int, transaction_id: str | None) -> str:
    """Return what a reader gives as `since` to go on behind an event, or behind a whole decision."""
    return f"{sequence}/{transaction_id}" if transaction_id else str(sequence)


class Page:
    """The events of one decision.

    Attributes:
        told: what they tell.
        parties: whom they are about, once that was read.
    """

    __slots__ = ("_chunks", "_texts", "parties", "told")

    def __init__(self, told: Told, parties: Parties | None = None) -> None:
        """Take over what is told; nothing is encoded yet."""
        self.told = told
        self.parties = parties
        self._texts: list[bytes] | None = None
        self._chunks: dict[tuple[Form, int], Chunk] = {}

    def __len__(self) -> int:
        """Return how many events there are."""
        return len(self.told.transactions)

    def chunk(self, form: Form, which: Which, start: int) -> Chunk:
        """Return the first events from an index on, as many as fit; `parties` must be there unless all are wanted."""
        if not which.is_all:
            return self._filled(form, ((index, which.asset_id) for index in self._matching(which) if index >= start))
        # Readers begin at the same places, as a rule.
        chunk = self._chunks.get((form, start))
        if chunk is None:
            chunk = self._filled(form, ((index, None) for index in range(start, len(self))))
            if len(self._chunks) < _REMEMBERED_CHUNKS:
                self._chunks[form, start] = chunk
        return chunk

    def _matching(self, which: Which) -> Iterable[int]:
        if self.parties is None:
            raise ValueError("whom this page is about was not read")
        of_key = self.parties.by_key.get(which.public_key, ()) if which.public_key else None
        of_asset = self.parties.by_asset.get(which.asset_id, ()) if which.asset_id else None
        if of_key is None or of_asset is None:
            return of_key or of_asset or ()
        return sorted(set(of_key) & set(of_asset))

    def _filled(self, form: Form, events: Iterable[tuple[int, str | None]]) -> Chunk:
        parts: list[bytes] = []
        size_bytes = 0
        for index, asset in events:
            if size_bytes >= CHUNK_BYTES:
                return Chunk(b"".join(parts), index)
            parts.append(self._encoded(form, index, asset))
            size_bytes += len(parts[-1])
        return Chunk(b"".join(parts), None)

    def _encoded(self, form: Form, index: int, asset: str | None) -> bytes:
        text = self._text(index) if asset is None else self._made(index, asset)
        if form is Form.MESSAGES:
            return Frame(Opcode.TEXT, text).serialize(mask=False)
        place = place_of(self.told.sequence, self.told.transactions[index])
        return b"id: %b\ndata: %b\n\n" % (place.encode(), text)

    def _text(self, index: int) -> bytes:
        if self._texts is None:
            self._texts = [self._made(i, asset) for i, asset in enumerate(self.told.assets)]
        return self._texts[index]

    def _made(self, index: int, asset: str) -> bytes:
        event = {
            "sequence": self.told.sequence,
            "block_id": self.told.block_id,
            "asset_id": asset,
            "transaction_id": self.told.transactions[index],
        }
        return json.dumps(event, separators=(",", ":")).encode()
