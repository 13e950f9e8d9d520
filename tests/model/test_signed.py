"""Votes, decisions, pledges and rejections: documents that a node signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import canonical, crypto
from bigchaindb.exceptions import BlockError
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.pledge import Pledge
from bigchaindb.model.rejection import Rejection
from bigchaindb.model.vote import MAX_REASON_CHARACTERS, Vote
from tests.ledgers import key, public
from tests.model.documents import ABSENT, TIMESTAMP, put

if TYPE_CHECKING:
    from collections.abc import Callable

NODE = key("node 0")
ME, OTHER = public([NODE, key("node 1")])
A, B, C, D = (digit * 64 for digit in "abcd")

Signed = Vote | Decision | Pledge | Rejection


@dataclass
class Kind:
    """One kind of signed document: an example, how it is read, and what must not pass."""

    example: Signed
    read: Callable[[str], Signed]
    bad: dict[str, Any]


def decision(sequence: int = 2, verdict: Verdict = Verdict.VALID, previous: str | None = B) -> Decision:
    return Decision.sign(
        ledger=A,
        sequence=sequence,
        block_id=C,
        verdict=verdict,
        previous=previous,
        timestamp=TIMESTAMP,
        key=NODE,
    )


def rejection(evidence: str | None = D) -> Rejection:
    return Rejection.sign(
        ledger=A,
        transaction_hash=B,
        transaction_id=C,
        reason="spent already",
        evidence=evidence,
        timestamp=TIMESTAMP,
        key=NODE,
    )


KINDS = {
    "vote": Kind(
        Vote.sign(A, B, "no good", TIMESTAMP, NODE),
        Vote.from_text,
        {
            "voting_for_block": "x",
            "previous_block": None,
            "is_block_valid": "false",
            "invalid_reason": 5,
            "timestamp": 1.5,
        },
    ),
    "decision": Kind(
        decision(),
        Decision.from_text,
        {"ledger": None, "sequence": 0, "block": "x", "verdict": "maybe", "previous": "x", "timestamp": "1"},
    ),
    "pledge": Kind(
        Pledge.sign(A, [[ME], sorted([ME, OTHER])], TIMESTAMP, NODE),
        Pledge.from_text,
        {"ledger": None, "federations": [], "timestamp": 1},
    ),
    "rejection": Kind(
        rejection(),
        Rejection.from_text,
        {
            "ledger": None,
            "transaction_hash": "x",
            "transaction_id": "x",
            "reason": None,
            "evidence": "x",
            "timestamp": "1",
        },
    ),
}

every_kind = pytest.mark.parametrize("kind", KINDS)


def resigned(kind: str, field: str, value: Any) -> str:
    """A document of that kind with one field of its body changed, well signed."""
    document = canonical.loads(KINDS[kind].example.text)
    put(field, value)(document[kind])
    document["signature"] = NODE.sign(canonical.dumps(document[kind]))
    return canonical.dumps(document)


@every_kind
def test_it_reads_as_it_was_signed(kind: str) -> None:
    example = KINDS[kind].example
    assert KINDS[kind].read(example.text) == example
    document = canonical.loads(example.text)
    assert canonical.dumps(document) == example.text
    assert document.keys() == {"node_pubkey", "signature", kind}
    assert NODE.verifying_key.verify(canonical.dumps(document[kind]), document["signature"])
    assert example.node == ME


@every_kind
def test_nobody_elses_signature_passes(kind: str) -> None:
    document = canonical.loads(KINDS[kind].example.text)
    stranger = key("stranger")
    for forged in (
        {**document, "node_pubkey": str(stranger.verifying_key)},
        {**document, "signature": stranger.sign(canonical.dumps(document[kind]))},
        {**document, "signature": "x"},
    ):
        with pytest.raises(BlockError, match="signature: is not that of") as caught:
            KINDS[kind].read(canonical.dumps(forged))
        assert caught.value.field == "signature"


@every_kind
def test_any_change_of_the_body_breaks_the_signature(kind: str) -> None:
    document = canonical.loads(KINDS[kind].example.text)
    for field in document[kind]:
        changed = {**document, kind: {**document[kind], field: "0" * 64}}
        with pytest.raises(BlockError, match="signature: is not that of"):
            KINDS[kind].read(canonical.dumps(changed))


@every_kind
def test_an_id_or_a_key_more_or_less_is_refused(kind: str) -> None:
    document = canonical.loads(KINDS[kind].example.text)
    for field in document:
        with pytest.raises(BlockError, match=f"{kind} document.{field}: is missing"):
            KINDS[kind].read(canonical.dumps({name: value for name, value in document.items() if name != field}))
    with pytest.raises(BlockError, match=f"{kind} document.x: is not a field"):
        KINDS[kind].read(canonical.dumps({**document, "x": 1}))
    for field in document[kind]:
        with pytest.raises(BlockError, match=f"{kind}.{field}: is missing"):
            KINDS[kind].read(resigned(kind, field, ABSENT))
    with pytest.raises(BlockError, match=f"{kind}.x: is not a field"):
        KINDS[kind].read(resigned(kind, "x", 1))


@pytest.mark.parametrize(
    ("kind", "field", "value"), [(kind, *bad) for kind in KINDS for bad in KINDS[kind].bad.items()]
)
def test_a_signed_field_of_the_wrong_form_is_named(kind: str, field: str, value: Any) -> None:
    with pytest.raises(BlockError) as caught:
        KINDS[kind].read(resigned(kind, field, value))
    assert caught.value.field == f"{kind}.{field}"


@every_kind
@pytest.mark.parametrize("change", [lambda t: t + " ", lambda t: t.replace(":", ": ", 1), lambda _: "", lambda _: "[]"])
def test_its_text_is_canonical(kind: str, change: Callable[[str], str]) -> None:
    with pytest.raises(BlockError):
        KINDS[kind].read(change(KINDS[kind].example.text))


@every_kind
def test_one_kind_does_not_pass_for_another(kind: str) -> None:
    for other in KINDS.keys() - {kind}:
        with pytest.raises(BlockError):
            KINDS[other].read(KINDS[kind].example.text)


# --- votes -------------------------------------------------------------------------------------------------


def test_a_vote_is_a_yes_without_and_a_no_with_a_reason() -> None:
    yes, no = Vote.sign(A, B, None, TIMESTAMP, NODE), Vote.sign(A, B, "why", TIMESTAMP, NODE)
    assert (yes.is_valid, yes.reason) == (True, None)
    assert (no.is_valid, no.reason) == (False, "why")
    assert (yes.block_id, yes.previous_block, yes.timestamp) == (A, B, TIMESTAMP)
    assert Vote.from_text(yes.text) == yes


@pytest.mark.parametrize(("is_valid", "reason"), [(True, "why"), (False, None), (1, None), (None, None)])
def test_a_vote_that_contradicts_itself_is_none(is_valid: Any, reason: Any) -> None:
    document = canonical.loads(Vote.sign(A, B, None, TIMESTAMP, NODE).text)
    document["vote"] |= {"is_block_valid": is_valid, "invalid_reason": reason}
    document["signature"] = NODE.sign(canonical.dumps(document["vote"]))
    with pytest.raises(BlockError, match=r"vote\.(is_block_valid|invalid_reason): "):
        Vote.from_text(canonical.dumps(document))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=3000))
def test_a_reason_is_kept_up_to_a_limit(reason: str) -> None:
    vote = Vote.sign(A, B, reason, TIMESTAMP, NODE)
    assert vote.reason == reason[:MAX_REASON_CHARACTERS]
    assert Vote.from_text(vote.text) == vote


# --- decisions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_decision_says_how_a_block_was_decided(verdict: Verdict) -> None:
    made = Decision.from_text(decision(verdict=verdict).text)
    assert (made.ledger, made.block_id, made.verdict, made.timestamp) == (A, C, verdict, TIMESTAMP)


def test_a_log_is_a_chain_over_the_bodies() -> None:
    first = decision(1, previous=None)
    second = decision(2, previous=first.hash)
    assert Decision.from_text(first.text).previous is None
    assert Decision.from_text(second.text).previous == first.hash
    assert first.hash == crypto.hash_data(canonical.dumps(canonical.loads(first.text)["decision"]))


# --- rejections --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("evidence", [D, None])
def test_a_rejection_names_text_and_transaction_and_reason(evidence: str | None) -> None:
    made = Rejection.from_text(rejection(evidence).text)
    assert (made.ledger, made.transaction_hash, made.transaction_id) == (A, B, C)
    assert (made.reason, made.evidence, made.timestamp) == ("spent already", evidence, TIMESTAMP)
