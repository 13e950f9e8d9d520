"""What a condition asks for: in words, and drawn as a tree."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import cryptoconditions as cc
from bigchaindb.web.explorer.conditions import Branch, Kind, read_condition
from bigchaindb.web.explorer.trees import narrow_tree, wide_tree
from tests.ledgers import key, public

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from markupsafe import Markup

ALICE, BOB, CAROL = (public(key(name))[0] for name in ("alice", "bob", "carol"))
DEADLINE = "1700000000.000000"
WHEN = "14 Nov 2023, 22:13:20"

both = pytest.mark.parametrize("draw", [wide_tree, narrow_tree])


def document(node: cc.Node) -> dict[str, Any]:
    return {"uri": node.condition_uri, "details": node.to_json()}


def threshold(number: int, *subs: cc.Node | tuple[cc.Node, int]) -> cc.ThresholdSha256Fulfillment:
    made = cc.ThresholdSha256Fulfillment(number)
    made.subconditions = [cc.Subcondition(*(sub if isinstance(sub, tuple) else (sub, 1))) for sub in subs]
    return made


def later() -> cc.InvertedThresholdSha256Fulfillment:
    made = cc.InvertedThresholdSha256Fulfillment(1)
    made.add_subfulfillment(cc.TimeoutFulfillment(DEADLINE))
    return made


def walk(branch: Branch) -> Iterator[Branch]:
    yield branch
    for sub in branch.beneath:
        yield from walk(sub)


def parsed(drawing: Markup) -> ET.Element:
    return ET.fromstring(str(drawing))  # noqa: S314 - our own drawing


# --- in words ----------------------------------------------------------------------------------------------


def test_a_signature_names_its_key() -> None:
    branch = read_condition(document(cc.Ed25519Fulfillment(ALICE)))
    assert (branch.kind, branch.key, branch.words) == (Kind.KEY, ALICE, f"a signature by {ALICE}")
    assert branch.label == f"{ALICE[:8]}…"


def test_the_hash_of_a_signature_is_the_key_itself() -> None:
    condition = cc.Ed25519Fulfillment(ALICE).condition
    assert read_condition({"uri": condition.serialize_uri()}).key == ALICE


def test_of_a_hash_lock_only_the_hash_is_told() -> None:
    condition = cc.PreimageSha256Fulfillment("secret").condition
    branch = read_condition({"uri": condition.serialize_uri()})
    assert branch.kind is Kind.SECRET
    assert condition.fingerprint.hex() in branch.words


def test_a_secret_that_is_told_is_shown_so_that_it_harms_nobody() -> None:
    branch = read_condition(document(cc.PreimageSha256Fulfillment(b"\xff<b>\xe2\x80\xae")))
    assert branch.words == "the secret “\\xff<b>\\u202e”, which is told here"


def test_an_escrow_is_told_branch_by_branch() -> None:
    pay = threshold(2, cc.Ed25519Fulfillment(BOB), cc.TimeoutFulfillment(DEADLINE))
    back = threshold(2, cc.Ed25519Fulfillment(ALICE), later())
    branch = read_condition(document(threshold(1, pay, back)))
    assert [(each.kind, each.label) for each in walk(branch)] == [
        (Kind.THRESHOLD, "1 of 2"),
        (Kind.THRESHOLD, "2 of 2"),
        (Kind.KEY, f"{BOB[:8]}…"),
        (Kind.DEADLINE, f"until {WHEN}"),
        (Kind.THRESHOLD, "2 of 2"),
        (Kind.KEY, f"{ALICE[:8]}…"),
        (Kind.WAIT, f"after {WHEN}"),
    ]
    assert branch.words == "1 of these 2:"


def test_weights_prefixes_and_sealed_parts_are_told() -> None:
    inner = threshold(1, cc.Ed25519Fulfillment(CAROL))
    prefix = cc.PrefixSha256Fulfillment("board:", cc.Ed25519Fulfillment(BOB))
    branch = read_condition(document(threshold(5, (cc.Ed25519Fulfillment(ALICE), 3), (prefix, 2), inner.condition)))
    assert (branch.label, branch.words) == ("weight 5 of 6", "a weight of 5 out of 6:")
    assert [each.weight for each in branch.beneath] == [3, 2, 1]
    assert branch.beneath[1].beneath[0].key == BOB
    assert "6 bytes" in branch.beneath[1].words
    assert branch.beneath[2].kind is Kind.SEALED
    assert inner.condition.fingerprint.hex() in branch.beneath[2].words
    assert read_condition(document(inner)).words == "this:"


def test_a_wait_on_several_deadlines_lists_them() -> None:
    made = cc.InvertedThresholdSha256Fulfillment(2)
    for second in (1, 2, 3):
        made.add_subfulfillment(cc.TimeoutFulfillment(f"170000000{second}"))
    branch = read_condition(document(made))
    assert [each.kind for each in branch.beneath] == [Kind.DEADLINE] * 3
    assert branch.label == "below 2"


# --- drawn -------------------------------------------------------------------------------------------------

BRANCHES = st.recursive(
    st.builds(
        Branch,
        st.sampled_from([Kind.KEY, Kind.SECRET, Kind.DEADLINE]),
        st.text(st.characters(exclude_categories=["C"]), max_size=30),
        st.text(st.characters(exclude_categories=["C"]), max_size=30),
        st.none() | st.just(ALICE),
        st.integers(1, 5),
    ),
    lambda inner: st.builds(
        Branch,
        st.just(Kind.THRESHOLD),
        st.just("1 of n"),
        st.just("some of these:"),
        st.none(),
        st.integers(1, 5),
        st.lists(inner, min_size=1, max_size=4).map(tuple),
    ),
    max_leaves=12,
)


@both
@given(root=BRANCHES)
def test_every_branch_has_a_box_inside_the_drawing_and_no_two_overlap(
    draw: Callable[[Branch, str], Markup], root: Branch
) -> None:
    drawn = parsed(draw(root, "/owners/"))
    boxes = [rect.attrib for rect in drawn.iter("rect")]
    assert len(boxes) == len(list(walk(root)))
    assert len([edge for edge in drawn.iter("path") if edge.attrib["class"] == "edge"]) == len(boxes) - 1
    sides = [
        (
            float(box["x"]),
            float(box["y"]),
            float(box["x"]) + float(box["width"]),
            float(box["y"]) + float(box["height"]),
        )
        for box in boxes
    ]
    width, height = float(drawn.attrib["width"]), float(drawn.attrib["height"])
    assert all(left >= 0 and top >= 0 and right <= width and bottom <= height for left, top, right, bottom in sides)
    for number, (left, top, right, bottom) in enumerate(sides):
        for other_left, other_top, other_right, other_bottom in sides[:number]:
            apart = right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top
            assert apart


@both
def test_keys_lead_to_their_owners_and_are_passed_over_by_the_keyboard(draw: Callable[[Branch, str], Markup]) -> None:
    branch = read_condition(document(threshold(1, cc.Ed25519Fulfillment(ALICE), cc.Ed25519Fulfillment(BOB))))
    drawn = parsed(draw(branch, "/explorer/owners/"))
    links = [link.attrib for link in drawn.iter("a")]
    assert [link["href"] for link in links] == [f"/explorer/owners/{owner}" for owner in (ALICE, BOB)]
    assert {link["tabindex"] for link in links} == {"-1"}
    assert drawn.attrib["aria-hidden"] == "true"


@both
def test_whatever_stands_in_a_branch_stays_text(draw: Callable[[Branch, str], Markup]) -> None:
    hostile = "</text><script>alert(1)</script>"
    drawn = draw(Branch(Kind.SECRET, hostile, hostile, weight=3), "/owners/")
    assert "<script" not in drawn
    assert [text.text for text in parsed(drawn).iter("text")] == [f"×3 {hostile}"]  # noqa: RUF001 - as printed


def test_the_root_of_a_wide_tree_is_on_top_however_many_leaves_there_are() -> None:
    leaves = [cc.Ed25519Fulfillment(ALICE)] * 40
    branch = read_condition(document(threshold(1, threshold(30, *leaves), cc.Ed25519Fulfillment(BOB))))
    tops = [float(rect.attrib["y"]) for rect in parsed(wide_tree(branch, "")).iter("rect")]
    assert tops[0] == min(tops)


def test_what_is_filled_rests_upon_something() -> None:
    branch = read_condition(document(threshold(2, cc.Ed25519Fulfillment(ALICE), later())))
    drawn = parsed(wide_tree(branch, ""))
    looks = [group.attrib["class"] for group in drawn.iter("g") if "node" in group.attrib.get("class", "")]
    assert looks == ["node inner", "node", "node"]


def test_a_narrow_tree_is_as_wide_as_it_is_deep_and_no_wider() -> None:
    branch = read_condition(document(threshold(1, threshold(1, threshold(1, cc.Ed25519Fulfillment(ALICE))))))
    boxes = [
        (float(rect.attrib["x"]), float(rect.attrib["y"])) for rect in parsed(narrow_tree(branch, "")).iter("rect")
    ]
    assert {(round(after[0] - before[0]), after[1] > before[1]) for before, after in pairwise(boxes)} == {(24, True)}


def test_the_largest_condition_there_may_be_is_drawn() -> None:
    branch = read_condition(document(threshold(1, *[cc.Ed25519Fulfillment(ALICE)] * 511)))
    for draw in (wide_tree, narrow_tree):
        assert len(list(parsed(draw(branch, "")).iter("rect"))) == 512
