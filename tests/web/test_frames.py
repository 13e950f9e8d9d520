"""Events as bytes: whole events in bounded chunks, the same for all who want the same."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from bigchaindb.node.events import Parties, Told
from bigchaindb.web.frames import CHUNK_BYTES, Form, Page, Which, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web.serving import Event

ALL = Which()
EVENT_BYTES = 500


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def page(count: int, parties: Parties | None = None) -> Page:
    ids = tuple(digest(f"transaction {number}") for number in range(count))
    assets = tuple(digest(f"asset {number}") for number in range(count))
    return Page(Told(7, digest("block"), ids, assets, ids), parties)


def event(of: Page, index: int, asset: str | None = None) -> Event:
    return {
        "sequence": 7,
        "block_id": of.told.block_id,
        "asset_id": asset or of.told.assets[index],
        "transaction_id": of.told.transactions[index],
    }


def read(data: bytes, form: Form) -> list[Event]:
    """The events in a chunk, as somebody reads it who knows the format."""
    if form is Form.EVENT_STREAM:
        found = re.findall(r"id: (.*)\ndata: (.*)\n\n", data.decode())
        events = [json.loads(text) for _, text in found]
        assert [place for place, _ in found] == [place_of(e["sequence"], e["transaction_id"]) for e in events]
        return events
    return [json.loads(bytes(frame.data)) for frame in frames(data)]


def frames(data: bytes) -> Iterator[Frame]:
    """The frames of a server, RFC 6455 section 5.2."""
    while data:
        assert data[0] == 0x81  # a whole text message
        assert data[1] == 126  # unmasked, its length in the next two bytes
        size = int.from_bytes(data[2:4])
        yield Frame(Opcode.TEXT, data[4 : 4 + size])
        data = data[4 + size :]


@pytest.mark.parametrize("form", Form)
@given(count=st.integers(1, 300))
def test_the_chunks_of_a_page_are_bounded_and_make_up_all_of_it(form: Form, count: int) -> None:
    whole = page(count)
    events: list[Event] = []
    start: int | None = 0
    while start is not None:
        chunk = whole.chunk(form, ALL, start)
        assert chunk is whole.chunk(form, ALL, start)
        assert 0 < len(chunk.data) < CHUNK_BYTES + EVENT_BYTES
        events += read(chunk.data, form)
        start = chunk.next
    assert events == [event(whole, index) for index in range(count)]


@pytest.mark.parametrize("form", Form)
def test_a_page_can_be_begun_anywhere(form: Form) -> None:
    whole = page(9)
    for start in range(9):
        chunk = whole.chunk(form, ALL, start)
        assert read(chunk.data, form) == [event(whole, index) for index in range(start, 9)]
        assert chunk.next is None


@pytest.mark.parametrize("form", Form)
def test_only_what_is_wanted_is_in_a_chunk(form: Form) -> None:
    asset = digest("wanted")
    whole = page(200, Parties({"alice": (3, 5, 150), "bob": (5,)}, {asset: (0, 5, 199)}))
    for which, indexes in (
        (Which("alice"), [3, 5, 150]),
        (Which("carol"), []),
        (Which(asset_id=asset), [0, 5, 199]),
        (Which(asset_id=digest("other")), []),
        (Which("alice", asset), [5]),
        (Which("bob", asset), [5]),
        (Which("carol", asset), []),
    ):
        told_as = asset if which.asset_id else None
        chunk = whole.chunk(form, which, 0)
        assert read(chunk.data, form) == [event(whole, index, told_as) for index in indexes]
        assert chunk.next is None
        behind = whole.chunk(form, which, 4)
        assert read(behind.data, form) == [event(whole, index, told_as) for index in indexes if index >= 4]


def test_what_many_want_is_bounded_too() -> None:
    whole = page(300, Parties({"alice": tuple(range(300))}, {}))
    found: list[Event] = []
    start: int | None = 0
    while start is not None:
        chunk = whole.chunk(Form.MESSAGES, Which("alice"), start)
        assert 0 < len(chunk.data) < CHUNK_BYTES + EVENT_BYTES
        found += read(chunk.data, Form.MESSAGES)
        start = chunk.next
    assert found == [event(whole, index) for index in range(300)]


def test_nobody_can_be_chosen_before_it_is_known_who_is_there() -> None:
    with pytest.raises(ValueError, match="was not read"):
        page(1).chunk(Form.MESSAGES, Which("alice"), 0)
