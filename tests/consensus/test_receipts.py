"""Receipts: every honest one is accepted, every forged one refused, and nobody but InvalidReceipt says so."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import canonical
from bigchaindb.consensus.receipts import make_receipt, verify_receipt
from bigchaindb.exceptions import InvalidReceipt, InvalidValue
from bigchaindb.model.block import Block
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.genesis import Quorum
from tests.consensus.views import LEDGER, at, create, garbled, transfer
from tests.ledgers import key, public
from tests.model.documents import ABSENT, put

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bigchaindb.model.transaction import Transaction

BOAT = create("boat")
CONTENTS = [create("car"), transfer(BOAT), create("bike"), create("train"), create("plane")]
KEYS = [key(f"node {i}") for i in range(4)]
FEDERATION = public(KEYS)


def block(contents: Sequence[Transaction] = CONTENTS, *, maker: int = 0, ledger: str | None = LEDGER) -> Block:
    return Block.build(contents, ledger=ledger, voters=FEDERATION, timestamp=at(0), key=KEYS[maker])


def decision(of: Block, node: int, verdict: Verdict = Verdict.VALID, *, ledger: str = LEDGER) -> str:
    made = Decision.sign(
        ledger=ledger,
        sequence=7,
        block_id=of.id,
        verdict=verdict,
        previous="2" * 64,
        timestamp=at(1),
        key=KEYS[node] if node < len(KEYS) else key("stranger"),
    )
    return made.text


def receipt(index: int = 1, deciders: Sequence[int] = (0, 1, 2), contents: Sequence[Transaction] = CONTENTS) -> Any:
    of = block(contents)
    return make_receipt(of, [t.leaf for t in contents], contents[index], [decision(of, node) for node in deciders])


# --- honest ones -------------------------------------------------------------------------------------------


@given(st.integers(1, 9), st.data())
def test_every_transaction_of_a_decided_block_is_proven(count: int, data: st.DataObject) -> None:
    contents = [create(f"{i}") for i in range(count)]
    index = data.draw(st.integers(0, count - 1))
    assert verify_receipt(receipt(index, contents=contents), FEDERATION, "majority") == contents[index].id


@pytest.mark.parametrize("federation", [FEDERATION, FEDERATION[::-1], frozenset(FEDERATION)])
@pytest.mark.parametrize("rule", list(Quorum))
def test_members_come_in_any_order(federation: Any, rule: Quorum) -> None:
    assert verify_receipt(receipt(), federation, rule) == CONTENTS[1].id
    assert verify_receipt(receipt(), federation, str(rule)) == CONTENTS[1].id


@pytest.mark.parametrize("size_bytes", [300 * 1024, 3 * 2**20])
def test_a_transaction_as_large_as_a_ledger_may_allow_is_proven(size_bytes: int) -> None:
    large = create("large", size_bytes=size_bytes)
    assert verify_receipt(receipt(0, contents=[large, CONTENTS[0]]), FEDERATION, "majority") == large.id


def test_a_receipt_is_json() -> None:
    assert canonical.loads(canonical.dumps(receipt())) == receipt()
    assert verify_receipt(canonical.loads(canonical.dumps(receipt())), FEDERATION, "majority")


def test_a_receipt_given_is_not_changed() -> None:
    given_receipt = receipt()
    before = copy.deepcopy(given_receipt)
    verify_receipt(given_receipt, FEDERATION, "majority")
    assert given_receipt == before


# --- quorums -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "deciders", "proven"),
    [
        ("majority", (0, 1, 2), True),
        ("majority", (0, 1), False),
        ("majority", (1,), False),
        ("two-thirds", (0, 1, 2), True),
        ("two-thirds", (3, 2), False),
        ("majority", (0, 0, 0, 0), False),
    ],
)
def test_a_quorum_of_different_voters_must_say_valid(rule: str, deciders: tuple[int, ...], *, proven: bool) -> None:
    if proven:
        verify_receipt(receipt(deciders=deciders), FEDERATION, rule)
    else:
        with pytest.raises(InvalidReceipt, match=f"of 4 voters say valid: no quorum under {rule}"):
            verify_receipt(receipt(deciders=deciders), FEDERATION, rule)


@pytest.mark.parametrize(
    ("federation", "rule", "field"),
    [
        (FEDERATION, "half", "quorum"),
        (FEDERATION, None, "quorum"),
        ([], "majority", "federation"),
        (None, "majority", "federation"),
        (["x"], "majority", "federation[0]"),
        ([*FEDERATION, FEDERATION[0]], "majority", "federation"),
    ],
)
def test_a_rule_or_a_federation_that_is_none_is_a_mistake_of_the_caller(federation: Any, rule: Any, field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        verify_receipt(receipt(), federation, rule)
    assert caught.value.field == field


# --- forged ones -------------------------------------------------------------------------------------------


def with_block(make: Callable[[], Block], contents: Sequence[Transaction] = CONTENTS) -> Callable[[Any], Any]:
    """A receipt about another block, with whatever decisions on it."""

    def change(_: Any) -> Any:
        of = make()
        decisions = [decision(of, node, ledger=of.header.ledger or LEDGER) for node in range(4)]
        return make_receipt(of, [t.leaf for t in contents], contents[1], decisions)

    return change


def with_decision(text: str) -> Callable[[Any], Any]:
    """The receipt with one more decision."""
    return lambda given: {**given, "decisions": [*given["decisions"], canonical.loads(text)]}


FIRST = "decisions[0]"
FORGED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no dict": (lambda _: [], "receipt"),
    "an unknown field": (put("x", 1), "receipt.x"),
    **{
        f"without {field}": (put(field, ABSENT), f"receipt.{field}")
        for field in ("transaction", "index", "path", "block", "signature", "decisions")
    },
    "no transaction": (put("transaction", None), "document"),
    "another payload": (put("transaction.transaction.timestamp", "1.000000"), "id"),
    "another transaction": (lambda r: {**r, "transaction": CONTENTS[0].to_dict()}, "path"),
    "another text of it": (lambda r: {**r, "transaction": garbled(CONTENTS[1]).to_dict()}, "path"),
    "an index that is text": (put("index", "1"), "index"),
    "another index": (put("index", 2), "path"),
    "an index beyond the block": (put("index", 5), "path"),
    "a negative index": (put("index", -1), "index"),
    "no path": (put("path", []), "path"),
    "a path that is no list": (put("path", "x"), "path"),
    "a path of no hashes": (put("path[0]", "x"), "path"),
    "another path": (put("path[1]", "0" * 64), "path"),
    "a longer path": (lambda r: {**r, "path": [*r["path"], "0" * 64]}, "path"),
    "a header that is none": (put("block.version", 2), "block.version"),
    "another root": (put("block.transactions_root", "0" * 64), "signature"),
    "another count": (put("block.transaction_count", 6), "signature"),
    "another block time": (put("block.timestamp", at(1)), "signature"),
    "another ledger": (put("block.ledger", "0" * 64), "signature"),
    "another signature": (put("signature", KEYS[0].sign("x")), "signature"),
    "a signature that is none": (put("signature", None), "signature"),
    "another electorate": (put("block.voters", sorted(FEDERATION[:3])), "block.voters"),
    "a larger electorate": (put("block.voters", sorted([*FEDERATION, *public(key("x"))])), "block.voters"),
    "a block by a stranger": (
        with_block(
            lambda: Block.build(CONTENTS, ledger=LEDGER, voters=FEDERATION, timestamp=at(0), key=key("stranger"))
        ),
        "block.node_pubkey",
    ),
    "a first block": (with_block(lambda: block(ledger=None)), "decisions[0]"),
    "no decisions": (put("decisions", []), "decisions"),
    "decisions that are a dict": (put("decisions", {}), "decisions"),
    "a decision that is none": (put(FIRST, {}), "decision document.decision"),
    "a decision that is no JSON": (put(FIRST, {1: 1}), FIRST),
    "a decision with another verdict": (put(f"{FIRST}.decision.verdict", "invalid"), "signature"),
    "a decision with a bad signature": (put(f"{FIRST}.signature", "x"), "signature"),
    "a decision by a stranger": (with_decision(decision(block(), 9)), "decisions[3]"),
    "a decision on another block": (with_decision(decision(block(maker=1), 3)), "decisions[3]"),
    "a decision in another ledger": (with_decision(decision(block(), 3, ledger="3" * 64)), "decisions[3]"),
    "a decision that says invalid": (with_decision(decision(block(), 3, Verdict.INVALID)), "decisions[3]"),
}


@pytest.mark.parametrize(("change", "field"), FORGED.values(), ids=FORGED)
def test_a_forged_receipt_is_refused_by_the_name_of_what_is_forged(change: Callable[[Any], Any], field: str) -> None:
    forged = receipt()
    changed = change(forged)
    with pytest.raises(InvalidReceipt) as caught:
        verify_receipt(forged if changed is None else changed, FEDERATION, "majority")
    assert caught.value.field == field


def test_a_receipt_of_one_federation_proves_nothing_to_those_who_trust_another() -> None:
    for federation in (FEDERATION[:3], [*FEDERATION, *public(key("x"))]):
        with pytest.raises(InvalidReceipt, match=r"block\.voters: are not the federation"):
            verify_receipt(receipt(), federation, "majority")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**60) | st.floats() | st.text(max_size=5) | st.just("0" * 64),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_no_change_anywhere_gets_through(data: st.DataObject) -> None:
    """Every field is bound by a signature, a hash, or the trust in the federation."""
    forged = receipt()
    place: Any = forged
    while True:
        step = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else list(range(len(place)))))
        deeper = isinstance(place[step], dict | list) and place[step] and data.draw(st.booleans())
        if not deeper:
            break
        place = place[step]
    place[step] = data.draw(json_values)
    if canonical_or_none(forged) == canonical.dumps(receipt()):
        return
    with pytest.raises(InvalidReceipt):
        verify_receipt(forged, FEDERATION, "two-thirds")


def canonical_or_none(value: Any) -> str | None:
    try:
        return canonical.dumps(value)
    except ValueError:
        return None


@given(json_values)
def test_whatever_is_given_the_answer_is_an_id_or_an_error_of_ours(value: Any) -> None:
    with pytest.raises(InvalidReceipt):
        verify_receipt(value, FEDERATION, "majority")
