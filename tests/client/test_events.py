"""Server-sent events, however they are cut into pieces and connections."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.client import Event, Patience
from bigchaindb.client.events import Message, messages, position
from bigchaindb.exceptions import InvalidValue, NodeUnreachable, StorageUnavailable, UnexpectedAnswer
from tests.client.scripted import Pieces, Script, answer, problem, raw
from tests.onenode import public

if TYPE_CHECKING:
    from collections.abc import Iterator

ASSET, BLOCK = "a" * 64, "b" * 64
HEARTBEAT = b": still here\n\n"


def txid(number: int) -> str:
    return f"{number:064x}"


def event(number: int, sequence: int = 7) -> Event:
    return Event(sequence, BLOCK, ASSET, txid(number))


def written(told: Event, line_end: str = "\n") -> bytes:
    """An event as a node writes it."""
    data = {"sequence": told.sequence, "block_id": BLOCK, "asset_id": ASSET, "transaction_id": told.transaction_id}
    return line_end.join((f"id: {told.position}", f"data: {json.dumps(data)}", "", "")).encode()


def streamed(*pieces: bytes | Exception) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": "text/event-stream; charset=utf-8"}, stream=Pieces(*pieces))


def taken(events: Iterator[Event], count: int) -> list[Event]:
    return [next(events) for _ in range(count)]


def asked_since(script: Script) -> list[str | None]:
    return [request.url.params.get("since") for request in script.requests]


# --- one stream --------------------------------------------------------------------------------------------


@given(st.data(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_it_does_not_matter_where_a_stream_is_cut(data: st.DataObject, line_end: str) -> None:
    text = HEARTBEAT.replace(b"\n", line_end.encode()) + written(event(1), line_end) + written(event(2), line_end)
    whole = text + b": the end\n"
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)))))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    found = list(messages(pieces))
    assert [message.id for message in found] == [event(1).position, event(2).position]
    assert [Event.from_text(message.data or "") for message in found] == [event(1), event(2)]


def test_what_the_standard_says_of_lines() -> None:
    text = b"event: x\nretry: 5\nid:3\ndata:a\ndata:  b\ndata\nid: no number\n\n\n\ndata: unfinished"
    assert list(messages([text])) == [Message("3", "a\n b\n")]


def test_an_id_alone_says_where_one_is() -> None:
    assert list(messages([b"id: 12\n\n"])) == [Message("12", None)]


@pytest.mark.parametrize(
    "pieces",
    [[b"x" * 40_000, b"x" * 40_000], [b"data: " + b"x" * 40_000 + b"\n"] * 2, [b"data: \xff\n\n"]],
    ids=["line", "event", "encoding"],
)
def test_what_is_too_long_or_no_text_is_refused(pieces: list[bytes]) -> None:
    with pytest.raises(UnexpectedAnswer, match="stream: "):
        list(messages(pieces))


GOOD: dict[str, Any] = {"sequence": 7, "block_id": BLOCK, "asset_id": ASSET, "transaction_id": txid(1)}


def test_an_event_may_tell_more_than_is_known_today() -> None:
    assert Event.from_text(json.dumps(GOOD | {"colour": "red"})) == event(1)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[" * 100_000,
        "[]",
        "7",
        json.dumps({name: value for name, value in GOOD.items() if name != "asset_id"}),
        json.dumps(GOOD | {"sequence": 0}),
        json.dumps(GOOD | {"sequence": True}),
        json.dumps(GOOD | {"block_id": "b"}),
        json.dumps(GOOD | {"transaction_id": None}),
    ],
)
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(UnexpectedAnswer, match="event"):
        Event.from_text(text)


@pytest.mark.parametrize(
    ("since", "text"),
    [(None, None), (0, "0"), (17, "17"), ("17", "17"), (event(1).position, f"7/{txid(1)}")],
)
def test_a_stream_begins_behind_a_number_or_an_event(since: Any, text: str | None) -> None:
    assert position(since) == text


@pytest.mark.parametrize("since", [True, -1, "x", "7/x", 1.0, f"7/{txid(1)}\n", "07", b"7"])
def test_it_begins_nowhere_else(since: Any) -> None:
    with pytest.raises(InvalidValue, match="since"):
        Script().client().stream(since)


# --- over several connections ------------------------------------------------------------------------------


def test_events_are_asked_for_and_come() -> None:
    script = Script(streamed(HEARTBEAT, written(event(1)), written(event(2))))
    events = script.client().stream(6, public_key=public("alice"), asset_id=ASSET)
    assert taken(events, 2) == [event(1), event(2)]
    (request,) = script.requests
    assert request.url.path == "/api/v1/streams/valid_transactions"
    assert dict(request.url.params) == {"since": "6", "public_key": public("alice"), "asset_id": ASSET}
    assert request.headers["Accept"] == "text/event-stream"


@pytest.mark.parametrize(
    "breaking",
    [
        httpx.ReadError("reset by peer"),
        httpx.ReadTimeout("timed out"),
        httpx.RemoteProtocolError("peer closed connection"),
        b"",
        b"id: 9\ndata: {half of an ev",
    ],
)
def test_what_breaks_goes_on_behind_the_last_event(breaking: bytes | Exception) -> None:
    script = Script(
        streamed(written(event(1)), written(event(2)), breaking),
        streamed(written(event(3))),
    )
    assert taken(script.client().stream(6), 3) == [event(1), event(2), event(3)]
    assert asked_since(script) == ["6", event(2).position]


def test_who_began_now_goes_on_from_then() -> None:
    script = Script(
        streamed(b"id: 41\n\n", HEARTBEAT, httpx.ReadError("gone")),
        streamed(HEARTBEAT),
        streamed(written(event(1, 42))),
    )
    assert taken(script.client().stream(), 1) == [event(1, 42)]
    assert asked_since(script) == [None, "41", "41"]


def test_a_heartbeat_with_an_id_moves_on_where_events_are_left_out() -> None:
    script = Script(
        streamed(written(event(1, 7)), b"id: 5000\n\n", httpx.ReadError("gone")), streamed(written(event(2, 5001)))
    )
    assert taken(script.client().stream(6), 2) == [event(1, 7), event(2, 5001)]
    assert asked_since(script) == ["6", "5000"]


def test_an_event_that_comes_again_is_not_told_again() -> None:
    script = Script(streamed(written(event(1))), streamed(written(event(1)), written(event(2))))
    assert taken(script.client().stream(6), 2) == [event(1), event(2)]


def test_a_node_that_is_away_for_a_while_is_asked_again() -> None:
    script = Script(
        streamed(written(event(1))),
        httpx.ConnectError("refused"),
        problem(503, "unavailable"),
        problem(429, "backlog_full"),
        streamed(written(event(2))),
    )
    assert taken(script.client().stream(6), 2) == [event(1), event(2)]
    assert script.time.sleeps == [0.1, 0.2, 0.4, 0.8]


def test_patience_begins_anew_with_every_sign_of_life() -> None:
    patience = Patience(attempts=2)
    script = Script(*[streamed(HEARTBEAT.replace(b": ", b"id: 6\n: ")) for _ in range(5)], streamed(written(event(1))))
    assert taken(script.client(patience=patience).stream(6), 1) == [event(1)]
    assert script.time.sleeps == [0.1] * 5


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (lambda: httpx.ConnectError("refused"), NodeUnreachable),
        (lambda: problem(503, "unavailable"), StorageUnavailable),
        (lambda: streamed(HEARTBEAT), NodeUnreachable),
    ],
)
def test_a_node_that_stays_away_is_told_in_the_end(failure: Any, error: type[Exception]) -> None:
    script = Script(*[failure() for _ in range(6)])
    with pytest.raises(error):
        next(script.client().stream(6))
    assert len(script.time.sleeps) == 5


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (problem(400, "malformed", "since: is ahead of this node"), InvalidValue),
        (answer(200, []), UnexpectedAnswer),
        (raw(307, b"", "text/plain", Location="http://elsewhere.example/"), UnexpectedAnswer),
    ],
)
def test_a_refusal_is_not_asked_for_twice(refusal: httpx.Response, error: type[Exception]) -> None:
    script = Script(refusal)
    with pytest.raises(error):
        next(script.client().stream(6))


def test_a_node_that_is_away_for_too_long_is_given_up() -> None:
    script = Script(*[httpx.ConnectError("refused") for _ in range(9)])
    patience = Patience(attempts=100, longest_pause_seconds=1.0, total_pause_seconds=6.0)
    with pytest.raises(NodeUnreachable):
        next(script.client(patience=patience).stream(6))
    assert sum(script.time.sleeps) == pytest.approx(5.5)


def test_who_listens_no_more_leaves_no_connection_open() -> None:
    stream = streamed(written(event(1)), written(event(2)))
    events = Script(stream).client().stream(6)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert stream.is_closed
