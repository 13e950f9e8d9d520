"""What every backend promises of blocks and of a node's notes on them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bigchaindb.storage.records import Standing
from tests.storage.make import block, decision, digest, sighting, transaction

if TYPE_CHECKING:
    from bigchaindb.storage.interface import Storage
    from bigchaindb.storage.records import Sighting, StoredBlock

A, B, C = (transaction(name, tag=name.encode() * 16) for name in "abc")
FIRST, SECOND = block("first", A, B), block("second", C)
MANY = 1_234


def write(storage: Storage, *blocks: StoredBlock) -> None:
    storage.append_backlog([A, B, C], 1.0)
    for each in blocks:
        storage.write_block(each)


# --- blocks ------------------------------------------------------------------------------------------------


def test_a_block_comes_back_as_it_was_written(storage: Storage) -> None:
    write(storage, FIRST, block("empty"))
    assert storage.blocks([FIRST.id]) == {FIRST.id: [FIRST]}
    assert storage.blocks([digest("block empty")]) == {digest("block empty"): [block("empty")]}
    assert storage.block_count() == 2


def test_writing_a_block_again_changes_nothing(storage: Storage) -> None:
    write(storage, FIRST, SECOND)
    before = storage.blocks_after(None, 10)
    storage.write_block(FIRST)
    assert storage.blocks_after(None, 10) == before
    assert storage.block_count() == 2


def test_a_forged_block_does_not_shut_out_the_honest_one(storage: Storage) -> None:
    forged = block("first", A, forged="junk")
    write(storage, forged, FIRST)
    assert storage.blocks([FIRST.id]) == {FIRST.id: [forged, FIRST]}
    assert storage.block_count() == 2


def test_blocks_that_are_not_stored_are_left_out(storage: Storage) -> None:
    write(storage, FIRST)
    assert storage.blocks([SECOND.id, FIRST.id, FIRST.id]) == {FIRST.id: [FIRST]}
    assert storage.blocks([]) == {}


def test_blocks_are_read_in_the_order_of_their_arrival_behind_a_cursor(storage: Storage) -> None:
    written = [block(name) for name in "zyxwv"]
    write(storage, *written[:3])
    first = storage.blocks_after(None, 2)
    assert [found for _, found in first] == written[:2]
    write(storage, *written[3:])
    rest = storage.blocks_after(first[-1][0], 10)
    assert [found for _, found in rest] == written[2:]
    assert storage.blocks_after(rest[-1][0], 10) == []
    assert storage.blocks_after(None, 0) == storage.blocks_after(None, -1) == []
    cursors = [cursor for cursor, _ in first + rest]
    assert cursors == sorted(set(cursors))


def test_a_large_block_is_a_block(storage: Storage) -> None:
    many = [transaction(str(each)) for each in range(MANY)]
    large = block("large", *many)
    storage.append_backlog(many, 1.0)
    storage.write_block(large)
    storage.sight("node", [sighting(large)])
    assert storage.blocks([large.id]) == {large.id: [large]}
    found = storage.standings("node", [each.id for each in many])
    assert {id_: each.transaction_hash for id_, (each,) in found.items()} == {each.id: each.hash for each in many}


def test_who_may_miss_the_newest_is_given_nothing_else(storage: Storage) -> None:
    assert storage.blocks_after(None, 10, may_lag=True) == []
    write(storage, FIRST, SECOND)
    everything = storage.blocks_after(None, 10)
    some = storage.blocks_after(None, 10, may_lag=True)
    assert some == everything[: len(some)]
    assert storage.blocks_after(everything[-1][0], 10, may_lag=True) == []


# --- sightings ---------------------------------------------------------------------------------------------


def test_a_note_is_of_one_node(storage: Storage) -> None:
    storage.sight("node", [sighting(FIRST, 1.25), sighting(SECOND, 2.0, checked=False)])
    storage.sight("another", [sighting(FIRST, 7.0)])
    wanted = [FIRST.key, SECOND.key, digest("nothing"), FIRST.key]
    assert storage.sightings("node", wanted) == {
        FIRST.key: sighting(FIRST, 1.25),
        SECOND.key: sighting(SECOND, 2.0, checked=False),
    }
    assert storage.sightings("another", wanted) == {FIRST.key: sighting(FIRST, 7.0)}
    assert storage.sightings("nobody", wanted) == storage.sightings("node", []) == {}


def test_the_first_time_of_seeing_stays(storage: Storage) -> None:
    storage.sight("node", [sighting(FIRST, 5.0)])
    storage.sight("node", [sighting(FIRST, 4.0), sighting(FIRST, 6.0)])
    assert storage.sightings("node", [FIRST.key]) == {FIRST.key: sighting(FIRST, 5.0)}


def test_checked_and_verdict_are_set_but_never_taken_back(storage: Storage) -> None:
    storage.sight("node", [sighting(FIRST, checked=False)])
    storage.sight("node", [sighting(FIRST, checked=True)])
    storage.sight("node", [sighting(FIRST, checked=False, verdict=False)])
    storage.sight("node", [sighting(FIRST, checked=False, verdict=True)])
    storage.sight("node", [sighting(FIRST, checked=False)])
    assert storage.sightings("node", [FIRST.key]) == {FIRST.key: sighting(FIRST, checked=True, verdict=False)}


def test_open_notes_are_those_without_a_verdict_oldest_first(storage: Storage) -> None:
    storage.sight("node", [sighting(FIRST, 9.0), sighting(SECOND, 3.0), sighting(block("x"), 2.0, verdict=True)])
    storage.sight("node", [sighting(block("y"), 1.0, checked=False), sighting(block("z"), 3.0)])
    storage.sight("another", [sighting(block("w"), 0.0)])
    ordered = [sighting(SECOND, 3.0), sighting(block("z"), 3.0), sighting(FIRST, 9.0)]
    assert storage.open_sightings("node", checked=True, limit=10) == ordered
    assert storage.open_sightings("node", checked=True, limit=2) == ordered[:2]
    assert storage.open_sightings("node", checked=True, limit=2, newest_until=math.inf) == ordered[-2:]
    assert storage.open_sightings("node", checked=True, limit=10, newest_until=math.inf) == ordered
    assert storage.open_sightings("node", checked=True, limit=2, newest_until=ordered[1].seen_at) == ordered[:2]
    assert storage.open_sightings("node", checked=True, limit=2, newest_until=0.0) == []
    assert storage.open_sightings("node", checked=True, limit=-1) == []
    assert storage.open_sightings("node", checked=False, limit=10) == [sighting(block("y"), 1.0, checked=False)]


def test_open_notes_can_be_gone_through_in_parts_whatever_becomes_of_them_meanwhile(storage: Storage) -> None:
    blocks = [block(name) for name in "vwxyz"]
    storage.sight("node", [sighting(each, 3.0, checked=False) for each in blocks[:3]])
    storage.sight("node", [sighting(each, at, checked=False) for each, at in zip(blocks[3:], (2.0, 4.0), strict=True)])
    storage.sight("another", [sighting(each, checked=False) for each in blocks])
    ordered = [sighting(blocks[i], at, checked=False) for i, at in ((3, 2.0), (0, 3.0), (1, 3.0), (2, 3.0), (4, 4.0))]

    def part(after: str | None) -> list[Sighting]:
        return storage.open_sightings("node", checked=False, limit=2, after=after)

    assert part(None) == part(block("never noted").key) == ordered[:2]
    assert part(blocks[0].key) == ordered[2:4]
    storage.sight("node", [sighting(blocks[2], 3.0), sighting(blocks[4], 4.0, checked=False, verdict=False)])
    assert part(blocks[2].key) == part(blocks[4].key) == []
    assert part(blocks[0].key) == ordered[2:3]


def test_a_note_leaves_the_open_ones_when_it_is_checked_or_decided(storage: Storage) -> None:
    storage.sight("node", [sighting(FIRST, checked=False), sighting(SECOND, checked=False)])
    storage.sight("node", [sighting(FIRST), sighting(SECOND, checked=False, verdict=False)])
    assert storage.open_sightings("node", checked=False, limit=10) == []
    assert storage.open_sightings("node", checked=True, limit=10) == [sighting(FIRST)]


# --- standings ---------------------------------------------------------------------------------------------


def test_a_transaction_stands_in_the_blocks_that_the_node_noted_as_checked(storage: Storage) -> None:
    both = block("both", C, A)
    write(storage, FIRST, SECOND, both)
    storage.sight("node", [sighting(both, 2.0, verdict=False), sighting(FIRST, 1.0)])
    storage.sight("node", [sighting(SECOND, checked=False)])
    storage.sight("another", [sighting(SECOND)])
    of_first = Standing(FIRST.id, FIRST.key, 1.0, None, A.hash)
    of_both = Standing(both.id, both.key, 2.0, verdict=False, transaction_hash=A.hash)
    assert storage.standings("node", [A.id, A.id, digest("nothing")]) == {A.id: [of_first, of_both]}
    assert [each.key for each in storage.standings("node", [C.id])[C.id]] == [both.key]
    assert storage.standings("nobody", [A.id]) == storage.standings("node", []) == {}


def test_the_blocks_that_the_node_left_aside_are_told_apart(storage: Storage) -> None:
    both = block("both", C, A)
    write(storage, FIRST, both)
    storage.sight("node", [sighting(FIRST, 1.0, checked=False), sighting(both, 2.0)])
    storage.sight("another", [sighting(both, checked=False)])
    aside = Standing(FIRST.id, FIRST.key, 1.0, None, A.hash)
    assert storage.standings("node", [A.id, C.id], checked=False) == {A.id: [aside]}


def test_a_block_that_was_written_before_its_contents_and_again_stands_once(storage: Storage) -> None:
    storage.write_block(FIRST)
    write(storage, FIRST)
    storage.sight("node", [sighting(FIRST)])
    found = storage.standings("node", [A.id, B.id])
    assert {id_: [each.key for each in of_id] for id_, of_id in found.items()} == {A.id: [FIRST.key], B.id: [FIRST.key]}


def test_a_standing_follows_the_note(storage: Storage) -> None:
    write(storage, FIRST)
    storage.sight("node", [sighting(FIRST, checked=False)])
    assert storage.standings("node", [A.id, B.id]) == {}
    storage.sight("node", [sighting(FIRST)])
    assert [each.verdict for each in storage.standings("node", [A.id])[A.id]] == [None]
    storage.append_decisions([decision(FIRST, "node", 1)])
    assert [each.verdict for each in storage.standings("node", [A.id])[A.id]] == [True]


def test_a_standing_tells_which_signed_text_the_block_holds(storage: Storage) -> None:
    other_text = transaction("a", text="other")
    storage.append_backlog([other_text], 1.0)
    write(storage, FIRST, block("other", other_text))
    storage.sight("node", [sighting(FIRST, 1.0), sighting(block("other"), 2.0), sighting(block("other", other_text))])
    assert [each.transaction_hash for each in storage.standings("node", [A.id])[A.id]] == [A.hash, other_text.hash]


def test_a_block_may_repeat_a_transaction(storage: Storage) -> None:
    other_text = transaction("a", text="other")
    storage.append_backlog([other_text], 1.0)
    repeating = block("repeating", A, other_text, A)
    write(storage, repeating)
    storage.sight("node", [sighting(repeating)])
    assert storage.blocks([repeating.id]) == {repeating.id: [repeating]}
    found = [each.transaction_hash for each in storage.standings("node", [A.id])[A.id]]
    assert sorted(found) == sorted([A.hash, other_text.hash])
