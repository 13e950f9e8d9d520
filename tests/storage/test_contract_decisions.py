"""What every backend promises of votes, decisions, holdings and rejections."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from bigchaindb.storage.records import Lineage
from tests.storage.make import (
    ALICE,
    BOB,
    block,
    decision,
    digest,
    effects,
    output,
    rejection,
    sighting,
    transaction,
    vote,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.storage.interface import Storage

FIRST, SECOND, THIRD = block("first"), block("second"), block("third")
MANY = 1_234


# --- votes -------------------------------------------------------------------------------------------------


def test_the_first_vote_in_a_place_stands(storage: Storage, other: Storage) -> None:
    assert storage.place_votes([vote(FIRST, "node", "one")]) == ["one"]
    assert other.place_votes([vote(FIRST, "node", "two")]) == ["one"]
    assert other.place_votes([vote(FIRST, "node", "one")]) == ["one"]
    assert storage.votes([FIRST.id]) == {FIRST.id: {"node": "one"}}


def test_a_vote_pushes_out_only_what_it_names(storage: Storage) -> None:
    storage.place_votes([vote(FIRST, "node", "junk")])
    assert storage.place_votes([vote(FIRST, "node", "honest", replaces="other junk")]) == ["junk"]
    assert storage.place_votes([vote(FIRST, "node", "honest", replaces="junk")]) == ["honest"]
    assert storage.place_votes([vote(FIRST, "node", "late", replaces="junk")]) == ["honest"]
    assert storage.votes([FIRST.id]) == {FIRST.id: {"node": "honest"}}


def test_a_vote_that_would_replace_fills_an_empty_place(storage: Storage) -> None:
    assert storage.place_votes([vote(FIRST, "node", "honest", replaces="junk")]) == ["honest"]


def test_what_is_told_of_places_is_what_stands_after_all_of_a_call(storage: Storage) -> None:
    placed = [vote(FIRST, "node", "junk"), vote(FIRST, "node", "honest", replaces="junk"), vote(FIRST, "node", "late")]
    assert storage.place_votes(placed) == ["honest"] * 3


def test_places_differ_by_block_and_by_node(storage: Storage) -> None:
    placed = [vote(FIRST, "a", "1"), vote(FIRST, "b", "2"), vote(SECOND, "a", "3"), vote(FIRST, "a", "4")]
    assert storage.place_votes(placed) == ["1", "2", "3", "1"]
    assert storage.votes([FIRST.id, SECOND.id, THIRD.id, FIRST.id]) == {
        FIRST.id: {"a": "1", "b": "2"},
        SECOND.id: {"a": "3"},
    }
    assert storage.votes([]) == {}
    assert storage.place_votes([]) == []


def test_many_votes_are_placed_and_found_in_one_call(storage: Storage) -> None:
    blocks = [block(str(each)) for each in range(MANY)]
    texts = [f"vote {each}" for each in range(MANY)]
    placed = [vote(of, "node", text) for of, text in zip(blocks, texts, strict=True)]
    assert storage.place_votes(placed) == texts
    assert storage.votes([of.id for of in blocks]) == {
        of.id: {"node": text} for of, text in zip(blocks, texts, strict=True)
    }


def test_evidence_is_kept_oldest_first(storage: Storage) -> None:
    storage.keep_evidence([vote(SECOND, "node", "1", replaces="x"), vote(FIRST, "node", "2")])
    storage.keep_evidence([vote(SECOND, "node", "3"), vote(SECOND, "other", "4"), vote(SECOND, "node", "1")])
    kept = [vote(SECOND, "node", "1"), vote(FIRST, "node", "2"), vote(SECOND, "node", "3"), vote(SECOND, "other", "4")]
    assert storage.evidence(10) == kept
    assert storage.evidence(3) == kept[:3]
    assert storage.evidence(0) == storage.evidence(-1) == []


def test_evidence_can_be_read_on_from_where_one_was(storage: Storage) -> None:
    storage.keep_evidence([vote(of, "node", text) for text in "12" for of in (SECOND, FIRST)])
    kept = storage.evidence(10)
    assert [storage.evidence(10, after=row) for row in kept] == [kept[i:] for i in range(1, 5)]
    assert storage.evidence(2, after=kept[0]) == kept[1:3]
    assert storage.evidence(10, after=vote(FIRST, "node", "never kept")) == kept


def test_the_first_four_texts_of_a_place_are_kept(storage: Storage) -> None:
    storage.keep_evidence([vote(FIRST, "node", text) for text in "123"])
    storage.place_votes([vote(FIRST, "node", text) for text in "045"])
    storage.keep_evidence([vote(FIRST, "node", "6"), vote(FIRST, "other", "7"), vote(SECOND, "node", "8")])
    assert [row.text for row in storage.evidence(10)] == ["1", "2", "3", "4", "7", "8"]
    assert storage.votes([FIRST.id]) == {FIRST.id: {"node": "0"}}


def test_a_vote_that_finds_its_place_taken_by_another_is_kept_as_evidence(storage: Storage, other: Storage) -> None:
    storage.place_votes([vote(FIRST, "node", "one"), vote(FIRST, "another", "one")])
    other.place_votes([vote(FIRST, "node", "two"), vote(FIRST, "another", "three", replaces="two")])
    assert storage.evidence(10) == [vote(FIRST, "node", "two"), vote(FIRST, "another", "three")]


def test_a_vote_that_is_sent_again_is_no_evidence(storage: Storage) -> None:
    for _ in range(3):
        storage.place_votes([vote(FIRST, "node", "one"), vote(FIRST, "node", "one", replaces="junk")])
    assert storage.evidence(10) == []


def test_what_is_pushed_out_of_a_place_was_there_first_and_is_no_evidence(storage: Storage) -> None:
    storage.place_votes([vote(FIRST, "node", "junk"), vote(FIRST, "node", "honest", replaces="junk")])
    assert storage.votes([FIRST.id]) == {FIRST.id: {"node": "honest"}}
    assert storage.evidence(10) == []


def test_a_place_with_evidence_alone_is_empty(storage: Storage) -> None:
    storage.keep_evidence([vote(FIRST, "node", "second vote")])
    assert storage.place_votes([vote(FIRST, "node", "one")]) == ["one"]
    assert [row.text for row in storage.evidence(10)] == ["second vote"]


def test_evidence_fills_no_place(storage: Storage) -> None:
    storage.keep_evidence([vote(FIRST, "node", "second vote")])
    assert storage.votes([FIRST.id]) == {}


# --- decisions ---------------------------------------------------------------------------------------------


def test_a_log_is_read_in_order(storage: Storage) -> None:
    log = [decision(FIRST, "node", 1), decision(SECOND, "node", 2, verdict=False), decision(THIRD, "node", 3)]
    assert storage.append_decisions(log[:2]) == [each.text for each in log[:2]]
    assert storage.append_decisions(log[2:]) == [log[2].text]
    assert storage.append_decisions([]) == []
    assert storage.decisions("node", 0, 10) == log
    assert storage.decisions("node", 1, 1) == log[1:2]
    assert storage.decisions("node", 3, 10) == storage.decisions("node", 0, -1) == []
    assert storage.latest_decision("node") == log[-1]


def test_logs_differ_by_node(storage: Storage) -> None:
    storage.append_decisions([decision(FIRST, "a", 1), decision(SECOND, "a", 2)])
    storage.append_decisions([decision(SECOND, "b", 1, verdict=False)])
    assert storage.latest_decision("b") == decision(SECOND, "b", 1, verdict=False)
    assert storage.latest_decision("c") is None
    assert storage.decisions("c", 0, 10) == []
    assert storage.decisions_on([SECOND.id, FIRST.id, THIRD.id, FIRST.id]) == {
        FIRST.id: [decision(FIRST, "a", 1)],
        SECOND.id: [decision(SECOND, "a", 2), decision(SECOND, "b", 1, verdict=False)],
    }
    assert storage.decisions_on([]) == {}


def test_decisions_on_a_block_are_ordered_by_node(storage: Storage) -> None:
    for node in ("c", "a", "b"):
        storage.append_decisions([decision(FIRST, node, 1)])
    assert [row.node for row in storage.decisions_on([FIRST.id])[FIRST.id]] == ["a", "b", "c"]


def test_what_stands_in_a_log_stays(storage: Storage, other: Storage) -> None:
    standing = decision(FIRST, "node", 1)
    storage.append_decisions([standing])
    assert other.append_decisions([standing]) == [standing.text]
    assert other.append_decisions([decision(SECOND, "node", 1)]) == [standing.text]
    assert storage.decisions("node", 0, 10) == [standing]
    assert storage.decisions_on([SECOND.id]) == {}


def test_a_log_decides_a_block_once(storage: Storage) -> None:
    standing = decision(FIRST, "node", 1)
    storage.append_decisions([standing])
    assert storage.append_decisions([decision(FIRST, "node", 2, verdict=False)]) == [standing.text]
    assert storage.decisions("node", 0, 10) == storage.decisions_on([FIRST.id])[FIRST.id] == [standing]


def test_a_decision_sets_the_verdict_of_that_nodes_notes(storage: Storage) -> None:
    forged = block("first", forged="junk")
    storage.sight("node", [sighting(FIRST), sighting(forged, checked=False), sighting(SECOND)])
    storage.sight("another", [sighting(FIRST)])
    storage.append_decisions([decision(FIRST, "node", 1, verdict=False)])
    assert storage.sightings("node", [FIRST.key, forged.key, SECOND.key]) == {
        FIRST.key: sighting(FIRST, verdict=False),
        forged.key: sighting(forged, checked=False, verdict=False),
        SECOND.key: sighting(SECOND),
    }
    assert storage.sightings("another", [FIRST.key]) == {FIRST.key: sighting(FIRST)}


def test_a_decision_that_does_not_stand_sets_no_verdict(storage: Storage) -> None:
    storage.append_decisions([decision(FIRST, "node", 1)])
    storage.sight("node", [sighting(SECOND)])
    storage.append_decisions([decision(SECOND, "node", 1, verdict=False)])
    assert storage.sightings("node", [SECOND.key]) == {SECOND.key: sighting(SECOND)}


def test_a_decision_sent_again_sets_the_verdict_of_notes_made_since(storage: Storage) -> None:
    storage.append_decisions([decision(FIRST, "node", 1)])
    storage.sight("node", [sighting(FIRST)])
    storage.append_decisions([decision(FIRST, "node", 1)])
    assert storage.sightings("node", [FIRST.key]) == {FIRST.key: sighting(FIRST, verdict=True)}


# --- holdings ----------------------------------------------------------------------------------------------


def held(storage: Storage, owner: str, *, spent: bool | None = None) -> list[tuple[OutputRef, str | None]]:
    return [(row.ref, row.spent_by) for row in storage.outputs_of(owner, spent=spent, after=None, limit=10_000)]


def test_owners_hold_outputs_oldest_first(storage: Storage) -> None:
    storage.settle(effects((output("z", 1), [ALICE]), (output("z", 0), [ALICE, BOB])))
    storage.settle(effects((output("a"), [ALICE]), (output("b"), [])))
    assert held(storage, ALICE) == [(output("z", 1), None), (output("z", 0), None), (output("a"), None)]
    assert held(storage, BOB) == [(output("z", 0), None)]
    assert held(storage, "carol") == []


def test_spending_moves_a_holding_of_all_its_owners(storage: Storage) -> None:
    storage.settle(effects((output("a"), [ALICE, BOB]), (output("b"), [ALICE])))
    storage.settle(effects((output("c"), [BOB]), spent=[(output("a"), "c")]))
    assert held(storage, ALICE) == [(output("a"), digest("c")), (output("b"), None)]
    assert held(storage, ALICE, spent=True) == held(storage, BOB, spent=True) == [(output("a"), digest("c"))]
    assert held(storage, ALICE, spent=False) == [(output("b"), None)]
    assert held(storage, BOB, spent=False) == [(output("c"), None)]


def test_a_transaction_may_spend_what_is_settled_with_it(storage: Storage) -> None:
    storage.settle(effects((output("a"), [ALICE]), (output("b"), [BOB]), spent=[(output("a"), "b")]))
    assert held(storage, ALICE) == [(output("a"), digest("b"))]


def test_settling_again_changes_nothing(storage: Storage) -> None:
    first = effects((output("a"), [ALICE]), (output("b"), [ALICE, ALICE]))
    second = effects((output("c"), [BOB]), spent=[(output("a"), "c")])
    for each in (first, second, first, second):
        storage.settle(each)
    assert held(storage, ALICE) == [(output("a"), digest("c")), (output("b"), None)]
    assert held(storage, BOB) == [(output("c"), None)]


def test_the_first_spender_of_an_output_stays(storage: Storage) -> None:
    storage.settle(effects((output("a"), [ALICE]), spent=[(output("a"), "b")]))
    storage.settle(effects(spent=[(output("a"), "c")]))
    assert held(storage, ALICE) == [(output("a"), digest("b"))]


def test_holdings_are_read_on_behind_a_cursor(storage: Storage) -> None:
    storage.settle(effects(*[(output("a", cid), [ALICE, BOB]) for cid in range(9)]))
    storage.settle(effects(spent=[(output("a", cid), "b") for cid in (1, 4, 5)]))
    for spent, cids in ((None, list(range(9))), (True, [1, 4, 5]), (False, [0, 2, 3, 6, 7, 8])):
        seen = []
        after = None
        while rows := storage.outputs_of(ALICE, spent=spent, after=after, limit=2):
            assert len(rows) <= 2
            seen += [row.ref.cid for row in rows]
            after = rows[-1].cursor
        assert seen == cids
    assert storage.outputs_of(ALICE, spent=None, after=None, limit=-1) == []


def test_what_is_settled_beside_something_else_is_settled_when_it_was_waited_for(storage: Storage) -> None:
    ends = [storage.settling(effects((output(name), [ALICE]))) for name in "abc"]
    storage.settle(effects((output("d"), [ALICE])))
    with storage.batch():
        for end in ends:
            end()
    assert {row.ref for row in storage.outputs_of(ALICE, spent=False, after=None, limit=9)} == {
        output(name) for name in "abcd"
    }


def test_many_are_settled_in_one_call(storage: Storage) -> None:
    many = [output(str(each), each) for each in range(MANY)]
    storage.settle(effects(*[(ref, [ALICE]) for ref in many]))
    storage.settle(effects(spent=[(ref, "x") for ref in many[::2]]))
    assert [ref for ref, _ in held(storage, ALICE, spent=True)] == many[::2]
    assert [ref for ref, _ in held(storage, ALICE, spent=False)] == many[1::2]


def test_of_what_is_spent_at_once_comes_first_what_the_first_spends(storage: Storage) -> None:
    storage.settle(effects(*[(output(name), [ALICE]) for name in "ab"]))
    spenders = [(output(name), [BOB]) for name in "xy"]
    storage.settle(effects(*spenders, spent=[(output("a"), "y"), (output("b"), "x")]))
    assert held(storage, ALICE, spent=True) == [(output("b"), digest("x")), (output("a"), digest("y"))]


def test_what_is_spent_is_listed_in_the_order_in_which_it_was_spent(storage: Storage) -> None:
    names = "abcdef"
    storage.settle(effects(*[(output(name), [ALICE, BOB]) for name in names]))
    for spent, spender in (("e", "x"), ("bf", "y"), ("ca", "z")):
        gone = effects((output(spender), [BOB]), spent=[(output(name), spender) for name in spent])
        for _ in range(2):
            storage.settle(gone)
    wanted = [("e", "x"), ("b", "y"), ("f", "y"), ("a", "z"), ("c", "z")]
    for owner in (ALICE, BOB):
        assert held(storage, owner, spent=True) == [(output(name), digest(spender)) for name, spender in wanted]
        rows = storage.outputs_of(owner, spent=True, after=None, limit=10)
        for place, row in enumerate(rows, start=1):
            assert storage.outputs_of(owner, spent=True, after=row.cursor, limit=10) == rows[place:]
            assert storage.outputs_of(owner, spent=True, after=row.cursor, limit=1) == rows[place : place + 1]
    assert [ref for ref, _ in held(storage, ALICE)] == [output(name) for name in names]


def test_an_old_output_that_is_spent_late_is_behind_the_cursors_of_what_is_spent(storage: Storage) -> None:
    storage.settle(effects((output("old"), [ALICE]), (output("new"), [ALICE])))
    storage.settle(effects((output("x"), [BOB]), spent=[(output("new"), "x")]))
    (last,) = storage.outputs_of(ALICE, spent=True, after=None, limit=10)
    storage.settle(effects((output("y"), [BOB]), spent=[(output("old"), "y")]))
    (late,) = storage.outputs_of(ALICE, spent=True, after=last.cursor, limit=10)
    assert (late.ref, late.spent_by) == (output("old"), digest("y"))


# --- payloads ----------------------------------------------------------------------------------------------


def carrying(storage: Storage, payload: str, after: str | None = None, limit: int = 10) -> list[str]:
    return [id_ for _, id_ in storage.with_payload_hash(digest(payload), after, limit)]


def test_what_carries_a_payload_is_found_in_the_order_in_which_it_was_settled(storage: Storage, other: Storage) -> None:
    storage.append_backlog([transaction(name) for name in "abc"], 1.0)
    assert carrying(storage, "p") == []
    steps = [
        effects((output("c"), [ALICE]), (output("c", 1), []), payloads=[("p", "c")]),
        effects((output("d"), [ALICE]), (output("e"), []), payloads=[("q", "d")]),
        effects((output("a"), []), (output("b"), [BOB]), payloads=[("p", "a"), ("p", "b")]),
    ]
    for step in steps:
        for each in (storage, other):
            each.settle(step)
    found = storage.with_payload_hash(digest("p"), None, 10)
    assert [id_ for _, id_ in found] == [digest(name) for name in "cab"]
    assert carrying(other, "q") == [digest("d")]
    for place, (cursor, _) in enumerate(found, start=1):
        assert carrying(storage, "p", cursor) == [digest(name) for name in "cab"[place:]]
    assert carrying(storage, "p", limit=1) == [digest("c")]
    assert carrying(storage, "p", limit=-1) == carrying(storage, "r") == []


def test_what_is_settled_later_is_behind_all_cursors(storage: Storage) -> None:
    storage.append_backlog([transaction("early"), transaction("late")], 1.0)
    storage.settle(effects((output("late"), []), payloads=[("p", "late")]))
    ((cursor, _),) = storage.with_payload_hash(digest("p"), None, 10)
    storage.settle(effects((output("early"), []), payloads=[("p", "early")]))
    assert carrying(storage, "p", cursor) == [digest("early")]
    assert carrying(storage, "p") == [digest("late"), digest("early")]


# --- assets ------------------------------------------------------------------------------------------------


def line(asset: str, *names: str) -> dict[OutputRef, Lineage]:
    """Which step of an asset's line the first output of each of these transactions is."""
    return {output(name): Lineage(digest(asset), step) for step, name in enumerate(names, start=1)}


def settle_line(storage: Storage, *names: str, owners: Sequence[str] = (ALICE,)) -> None:
    """Settle transactions that hand an asset on, each to the next."""
    spent = [(output(one), other) for one, other in pairwise(names)]
    storage.settle(effects(*[(output(name), owners) for name in names], spent=spent, lineages=line(names[0], *names)))


def chain(storage: Storage, asset: str) -> list[tuple[OutputRef, str | None]]:
    return [(row.ref, row.spent_by) for row in storage.outputs_of_asset(digest(asset), None, 10_000)]


def test_every_settled_output_has_a_lineage(storage: Storage, other: Storage) -> None:
    settle_line(storage, "a", "b", owners=[ALICE, BOB])
    settle_line(other, "a", "b", "c", owners=[])
    asked = [output("c"), output("a"), output("b"), output("a", 1), output("z"), output("a")]
    assert storage.lineages(asked) == line("a", "a", "b", "c")
    assert storage.lineages([]) == {}


def test_a_lineage_that_stands_stays(storage: Storage) -> None:
    settle_line(storage, "a", "b")
    storage.settle(effects((output("b"), [ALICE]), lineages={output("b"): Lineage(digest("z"), 9)}))
    storage.settle(effects((output("b"), [ALICE])))
    assert storage.lineages([output("b")]) == {output("b"): Lineage(digest("a"), 2)}
    assert [ref for ref, _ in chain(storage, "a")] == [output("a"), output("b")]
    assert chain(storage, "z") == chain(storage, "b") == []


def test_the_outputs_of_an_asset_come_in_the_order_of_their_steps(storage: Storage, other: Storage) -> None:
    for names in (["a"], ["a", "z"], ["a", "z"], ["other"], ["a", "z", "b", "y"], ["a", "z", "b"]):
        for one in (storage, other):
            settle_line(one, *names, owners=[ALICE, BOB])
    assert chain(storage, "a") == [
        (output("a"), digest("z")),
        (output("z"), digest("b")),
        (output("b"), digest("y")),
        (output("y"), None),
    ]
    assert chain(storage, "other") == [(output("other"), None)]
    assert chain(storage, "z") == chain(storage, "unknown") == []


def test_an_asset_may_pass_through_outputs_that_nobody_owns(storage: Storage) -> None:
    settle_line(storage, "a", "b", "c", owners=[])
    settle_line(storage, "a", "b", "c", "d")
    spenders = [digest("b"), digest("c"), digest("d"), None]
    assert chain(storage, "a") == list(zip(line("a", "a", "b", "c", "d"), spenders, strict=True))
    assert held(storage, ALICE) == [(output("d"), None)]


def test_two_assets_may_pass_through_one_transaction(storage: Storage) -> None:
    lines = {
        output("both", 0): Lineage(digest("a"), 2),
        output("both", 1): Lineage(digest("b"), 2),
        output("after"): Lineage(digest("b"), 3),
    }
    storage.settle(effects((output("a"), [ALICE]), (output("b"), [BOB])))
    spent = [(output("a"), "both"), (output("b"), "both")]
    new = [(output("both", 0), [BOB]), (output("both", 1), [ALICE])]
    storage.settle(effects(*new, lineages=lines, spent=spent))
    storage.settle(effects((output("after"), [ALICE]), lineages=lines, spent=[(output("both", 1), "after")]))
    assert chain(storage, "a") == [(output("a"), digest("both")), (output("both", 0), None)]
    assert chain(storage, "b") == [
        (output("b"), digest("both")),
        (output("both", 1), digest("after")),
        (output("after"), None),
    ]


@pytest.mark.parametrize("limit", [1, 3, 64, 100])
def test_the_outputs_of_an_asset_are_read_on_behind_a_cursor(storage: Storage, limit: int) -> None:
    names = [f"step {number}" for number in range(200)]
    settle_line(storage, *names[:-1], owners=[ALICE, BOB])
    seen: list[OutputRef] = []
    after = None
    while rows := storage.outputs_of_asset(digest("step 0"), after, limit):
        assert len(rows) <= limit
        seen += [row.ref for row in rows]
        after = rows[-1].cursor
    # Whoever has read to the end goes on with what has come since.
    settle_line(storage, *names)
    seen += [row.ref for row in storage.outputs_of_asset(digest("step 0"), after, limit)]
    assert seen == [output(name) for name in names]


def test_a_list_of_nothing_can_be_asked_for(storage: Storage) -> None:
    settle_line(storage, "a", "b")
    for limit in (0, -1):
        assert storage.outputs_of_asset(digest("a"), None, limit) == []


def test_the_lineages_of_many_are_found_in_one_call(storage: Storage) -> None:
    names = [str(each) for each in range(MANY)]
    settle_line(storage, *names)
    assert storage.lineages([output(name) for name in [*names, "unknown"]]) == line("0", *names)
    assert [ref for ref, _ in chain(storage, "0")] == [output(name) for name in names]


# --- rejections --------------------------------------------------------------------------------------------


def test_the_first_rejection_of_a_text_by_a_node_stands(storage: Storage) -> None:
    a, other_a, b = transaction("a"), transaction("a", text="other"), transaction("b")
    storage.reject([rejection(a, "z", "1"), rejection(b, "z", "2"), rejection(a, "z", "3")])
    storage.reject([rejection(a, "y", "4"), rejection(other_a, "z", "5"), rejection(b, "z", "6")])
    assert storage.rejections([a.id, b.id, digest("c"), a.id]) == {
        a.id: [rejection(a, "z", "1"), rejection(a, "y", "4"), rejection(other_a, "z", "5")],
        b.id: [rejection(b, "z", "2")],
    }
    assert storage.rejections([]) == {}
