"""Live events: server-sent events, read line by line, over as many connections as it takes.

The format is that of the HTML standard ("Server-sent events"), of which a node needs `id`, `data` and comments.

Invariants:

- No event is missed and none comes twice: a new connection goes on right behind the last one's last event.
- What is kept of a line or an event is bounded.
- A silent connection is given up: a node says something now and then, even when nothing happens.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.exceptions import (
    BacklogFull,
    InvalidValue,
    NodeUnreachable,
    StorageUnavailable,
    UnexpectedAnswer,
)
from bigchaindb.model.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bigchaindb.client.connection import Connection

__all__ = ["Event", "follow", "messages", "position"]

SILENCE_SECONDS: Final = 45.0

_PATH: Final = "/api/v1/streams/valid_transactions"
_ACCEPT: Final = "text/event-stream"
_MAX_LINE_BYTES: Final = 2**16
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_POSITION: Final = re.compile(r"(?:0|[1-9][0-9]{0,15})(?:/[0-9a-f]{64})?")
_FIELDS: Final = frozenset({"sequence", "block_id", "asset_id", "transaction_id"})
_PASSING: Final = (NodeUnreachable, StorageUnavailable, BacklogFull)

_shape: Final = Shape(UnexpectedAnswer)


@dataclass(frozen=True, slots=True)
class Event:
    """A transaction was decided valid.

    Attributes:
        sequence: number of the decision on its block, among those of the node that tells.
        block_id: the block it is in.
        asset_id: id of the transaction that the asset began with.
        transaction_id: its id.
    """

    sequence: int
    block_id: str
    asset_id: str
    transaction_id: str

    @property
    def position(self) -> str:
        """Where to go on behind this event: give it to `Client.stream` as `since`."""
        return f"{self.sequence}/{self.transaction_id}"

    @classmethod
    def from_text(cls, text: str) -> Event:
        """Read an event as a node sends it.

        Raises:
            UnexpectedAnswer: it is none.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UnexpectedAnswer("event: is not JSON") from error
        if not isinstance(document, dict):
            raise _shape.fail("event", "is no object")
        _shape.fields({name: document[name] for name in _FIELDS & document.keys()}, "event", _FIELDS)
        return cls(
            _shape.integer(document["sequence"], "event.sequence", least=1),
            *(_shape.hash(document[name], f"event.{name}") for name in ("block_id", "asset_id", "transaction_id")),
        )


def position(since: Any) -> str | None:
    """Read where a stream is to begin: None for now, a decision number, or an event's `position`.

    Raises:
        InvalidValue: it is none of these.
    """
    if since is None:
        return None
    text = str(since) if isinstance(since, int) and not isinstance(since, bool) else since
    if not isinstance(text, str) or not _POSITION.fullmatch(text):
        raise InvalidValue("since: must be a decision number, or the `position` of an event", field="since")
    return text


def follow(connection: Connection, since: str | None, filters: Mapping[str, str | None]) -> Iterator[Event]:
    """Yield events for ever.

    Args:
        connection: the way to the node.
        since: where to begin, see `position`.
        filters: what the node is asked to leave out.

    Raises:
        NodeUnreachable, StorageUnavailable, BacklogFull: the node was away for longer than the patience lasts.
        BigchainDBError: the node refuses.
    """
    failures, paused_seconds = 0, 0.0
    while True:
        try:
            with connection.stream(_PATH, {"since": since, **filters}, {"Accept": _ACCEPT}, SILENCE_SECONDS) as pieces:
                for message in messages(pieces):
                    failures, paused_seconds = 0, 0.0  # it is there
                    if message.data is None:
                        since = message.id
                        continue
                    event = Event.from_text(message.data)
                    if event.position != since:
                        since = event.position
                        yield event
            failure: Exception = NodeUnreachable(f"{connection.url} ended the stream")
        except _PASSING as error:
            failure = error
        failures += 1
        pause = connection.patience.pause_seconds(failures, paused_seconds, connection.chance(), 0.0)
        if pause is None:
            raise failure
        connection.sleep(pause)
        paused_seconds += pause


@dataclass(frozen=True, slots=True)
class Message:
    """What stands between two empty lines of a stream.

    Attributes:
        id: where to go on behind it, or None.
        data: the event, or None where there is none.
    """

    id: str | None
    data: str | None


def messages(pieces: Iterable[bytes]) -> Iterator[Message]:
    """Yield the messages of a stream; one that was not ended is none.

    Raises:
        UnexpectedAnswer: a line or message is too long, or is not UTF-8.
    """
    last_id: str | None = None
    data: list[str] = []
    for line in _lines(pieces):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data or last_id is not None:
                yield Message(last_id, "\n".join(data) if data else None)
            last_id, data = None, []
        elif name == "data":
            data.append(value)
            if sum(map(len, data)) > _MAX_LINE_BYTES:
                raise UnexpectedAnswer(f"stream: an event has more than {_MAX_LINE_BYTES} bytes")
        elif name == "id" and _POSITION.fullmatch(value):
            last_id = value


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = bytearray()
    for piece in pieces:
        rest += piece
        start = 0
        for end in _LINE_END.finditer(rest):
            # A CR at the end may be half of a CR LF.
            if end.end() == len(rest) and end[0] == b"\r":
                break
            yield _text(bytes(rest[start : end.start()]))
            start = end.end()
        del rest[:start]
        if len(rest) > _MAX_LINE_BYTES:
            raise UnexpectedAnswer(f"stream: a line has more than {_MAX_LINE_BYTES} bytes")


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise UnexpectedAnswer(f"stream: is not UTF-8 at byte {error.start} of a line") from error
