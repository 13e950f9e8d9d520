"""The published transactions in a real ledger: five are accepted in order, one is refused for its reason."""

from __future__ import annotations

import pytest

from bigchaindb.exceptions import InvalidSignature
from bigchaindb.model.reference import OutputRef
from bigchaindb.node.queries import Status
from tests.ledgers import Ledger, ref, row
from tests.model.published import ACCEPTED, NODE, REFUSED

# For what is the absent member's turn to build; and where the two others then build the same, one of the blocks stalls.
LONG_ENOUGH_SECONDS = 100


@pytest.fixture
def ledger() -> Ledger:
    """Two nodes, and a third member, who signed the published CREATEs but is not there."""
    return Ledger(2, absent=[NODE])


def test_five_are_accepted_in_order(ledger: Ledger) -> None:
    for transaction in ACCEPTED:
        ledger.write(transaction)
        ledger.run(LONG_ENOUGH_SECONDS)
        assert ledger.statuses(transaction) == [Status.VALID] * 2
    assert [t.id for t in ledger.first.queries.history(ACCEPTED[0].id)] == [ACCEPTED[i].id for i in (0, 1, 3, 4)]


def test_five_are_accepted_at_once_too(ledger: Ledger) -> None:
    ledger.write(*ACCEPTED)
    ledger.run(LONG_ENOUGH_SECONDS)
    assert {status for t in ACCEPTED for status in ledger.statuses(t)} == {Status.VALID}


def test_the_slip_is_refused_at_once_because_it_answers_another_condition(ledger: Ledger) -> None:
    ledger.write(*ACCEPTED[:2])
    ledger.run(LONG_ENOUGH_SECONDS)
    with pytest.raises(InvalidSignature, match=r"transaction\.fulfillments\[0\]\.fulfillment: answers cc:.*, not cc:"):
        ledger.write(REFUSED)
    assert ledger.statuses(REFUSED) == [Status.UNKNOWN] * 2
    assert ledger.first.queries.spender(REFUSED.inputs[0]) is None


def test_the_slip_is_rejected_where_somebody_puts_it_into_the_backlog(ledger: Ledger) -> None:
    ledger.write(*ACCEPTED[:2])
    ledger.run(LONG_ENOUGH_SECONDS)
    ledger.first.storage.append_backlog([row(REFUSED)], ledger.clock.now)
    ledger.run(LONG_ENOUGH_SECONDS)
    assert ledger.statuses(REFUSED) == [Status.REJECTED] * 2
    assert "answers cc:" in ledger.first.reason(REFUSED)
    ledger.write(ACCEPTED[3])
    ledger.run(LONG_ENOUGH_SECONDS)
    assert ledger.statuses(ACCEPTED[3]) == [Status.VALID] * 2


def test_a_block_with_the_slip_is_voted_invalid_by_all(ledger: Ledger) -> None:
    ledger.write(*ACCEPTED[:2])
    ledger.run(LONG_ENOUGH_SECONDS)
    block = ledger.put_block(REFUSED)
    ledger.run()
    for member in ledger.members:
        vote = member.vote_on(block)
        assert vote is not None
        assert "answers cc:" in (vote.reason or "")
        assert member.verdict_on(block) is False


def test_owners_find_what_they_own(ledger: Ledger) -> None:
    ledger.write(*ACCEPTED)
    ledger.run(LONG_ENOUGH_SECONDS)
    spent = {r for t in ACCEPTED for r in t.inputs}
    for transaction in ACCEPTED:
        for owner in transaction.outputs[0].owners:
            unspent = ledger.first.queries.unspent(owner)
            assert (ref(transaction) in unspent) is (OutputRef(transaction.id, 0) not in spent)
