"""Escrow: Alice may have it until the deadline, Bob afterwards; and every way to cheat that we could think of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import InvalidSignature, MissingKey, TransactionError
from bigchaindb.model.building import create_transaction
from bigchaindb.model.genesis import Quorum
from bigchaindb.model.transaction import Transaction
from bigchaindb.node.queries import Status
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import TextRef, VoteRow
from tests.consensus.conditions import after, escrow, lock, until
from tests.consensus.payloads import INVERTED, THRESHOLD, Sub, as_condition, as_fulfillment, binary, payload, uri
from tests.ledgers import NOW, Ledger, key, lock_with, public, ref, resign, row

if TYPE_CHECKING:
    from bigchaindb.crypto import SigningKey

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")
HOUR = 3600
DEADLINE_AT = NOW + HOUR
DEADLINE = f"{DEADLINE_AT:.0f}"
LOCK = escrow(ALICE, BOB, DEADLINE)


class Escrow:
    """A ledger in which Alice and Bob have such an asset."""

    def __init__(self, nodes: int = 1, quorum: Quorum = Quorum.MAJORITY) -> None:
        # What an absent member is to build, another one takes over after a while.
        self.patience_seconds = 0 if nodes == 1 else 80
        self.ledger = Ledger(nodes, quorum=quorum)
        maker = self.ledger.first.key
        unsigned = create_transaction(
            public(maker), public([ALICE, BOB]), [], "CREATE", timestamp=self.ledger.clock.timestamp
        )
        self.asset = self.ledger.settle(self.ledger.sign(lock_with(unsigned, lock(LOCK)), maker))

    def unsigned(self, to: SigningKey) -> dict[str, Any]:
        return create_transaction(
            None, public(to), [ref(self.asset)], "TRANSFER", timestamp=self.ledger.clock.timestamp
        )

    def transfer(self, by: SigningKey, *, now: str | None = None) -> Transaction:
        """A transfer to oneself, signed in the branch that one's key fits, whatever the time is."""
        return self.ledger.sign(self.unsigned(by), by, now=now)

    def fulfilled(self, by: SigningKey, make: Any) -> Transaction:
        """A transfer to oneself whose fulfillment `make(signature)` makes, the signature being one's own and right."""
        document = self.unsigned(by)
        transaction = Transaction.from_dict(document)
        signature = cc.Ed25519Fulfillment(public_key=public(by)[0])
        message = transaction.message(transaction.fulfillments[0], self.asset.outputs[0])
        signature.sign(message, by)
        document["transaction"]["fulfillments"][0]["fulfillment"] = make(signature)
        return Transaction.from_dict(document)

    def at(self, seconds: float) -> None:
        """Turn the clock to so many seconds behind the deadline."""
        self.ledger.clock.now = DEADLINE_AT + seconds

    def accepts(self, transaction: Transaction) -> bool:
        """Tell whether it may be written and becomes valid; where not, whichever way it is tried."""
        try:
            self.ledger.write(transaction)
        except InvalidSignature:
            self.slip_in(transaction)
            assert set(self.ledger.statuses(transaction)) <= {Status.BACKLOG, Status.REJECTED, Status.UNKNOWN}
            return False
        self.ledger.run(seconds=self.patience_seconds)
        return set(self.ledger.statuses(transaction)) == {Status.VALID}

    def slip_in(self, transaction: Transaction) -> None:
        """Try the backlog, past `write`, and a block, past the builder."""
        MemoryStorage(self.ledger.database).append_backlog([row(transaction)], self.ledger.clock.now)
        self.ledger.run()
        block = self.ledger.put_block(transaction)
        self.ledger.run()
        assert self.ledger.first.verdict_on(block) is False


@pytest.fixture
def deal() -> Escrow:
    return Escrow()


# --- as it is meant ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "owner"),
    [(-HOUR, ALICE), (-1, ALICE), (0, ALICE), (0.000001, BOB), (1, BOB), (100 * HOUR, BOB)],
)
def test_one_of_them_may_have_it_and_the_other_may_not(deal: Escrow, seconds: float, owner: SigningKey) -> None:
    deal.at(seconds)
    other = BOB if owner is ALICE else ALICE
    assert not deal.accepts(deal.transfer(other))
    assert deal.accepts(deal.transfer(owner))


def test_nobody_else_may_ever_have_it(deal: Escrow) -> None:
    for seconds in (-1, 1):
        deal.at(seconds)
        with pytest.raises(MissingKey):
            deal.transfer(CAROL)


def test_whoever_has_it_has_it(deal: Escrow) -> None:
    deal.at(-1)
    taken = deal.transfer(ALICE)
    assert deal.accepts(taken)
    deal.at(1)
    with pytest.raises(TransactionError, match="already spent"):
        deal.ledger.write(deal.transfer(BOB))
    assert deal.ledger.first.queries.unspent(public(ALICE)[0]) == [ref(taken)]


def test_signing_for_now_signs_only_what_holds_now(deal: Escrow) -> None:
    deal.transfer(ALICE, now=f"{DEADLINE_AT:.6f}")
    with pytest.raises(MissingKey, match="a deadline"):
        deal.transfer(BOB, now=f"{DEADLINE_AT:.6f}")


# --- what is in the fulfillment ----------------------------------------------------------------------------


def inverted(deadline: str = DEADLINE) -> cc.InvertedThresholdSha256Fulfillment:
    passed = cc.InvertedThresholdSha256Fulfillment(threshold=1)
    passed.add_subfulfillment(cc.TimeoutFulfillment(expire_time=deadline))
    return passed


TIMEOUT = cc.TimeoutFulfillment(expire_time=DEADLINE)
LATER = str(int(DEADLINE) + 100 * HOUR)
EARLIER = str(int(DEADLINE) - HOUR)


def outer(mine: Sub, other: cc.Fulfillment) -> str:
    """The outer threshold: one's own branch, and the other's left out."""
    return uri(THRESHOLD, payload(1, mine, as_condition(other)))


def branch(*subs: Sub, threshold: int = 2) -> Sub:
    return as_fulfillment(binary(THRESHOLD, payload(threshold, *subs)))


ALICES, BOBS = until(ALICE, DEADLINE), after(BOB, DEADLINE)
NO_SUBS = binary(INVERTED, payload(1))
TIMEOUT_LEFT_OUT = binary(INVERTED, payload(1, as_condition(TIMEOUT)))

# Each makes a fulfillment out of Alice's right signature, after the deadline.
LATE: dict[str, Any] = {
    "without the timeout": lambda s: outer(branch(as_fulfillment(s), as_condition(TIMEOUT)), BOBS),
    "the timeout gone": lambda s: outer(branch(as_fulfillment(s)), BOBS),
    "a threshold of one": lambda s: outer(branch(as_fulfillment(s), as_condition(TIMEOUT), threshold=1), BOBS),
    "a heavier signature": lambda s: outer(branch(as_fulfillment(s, 2), as_condition(TIMEOUT)), BOBS),
    "a heavy signature and a light timeout": lambda s: outer(
        branch(as_fulfillment(s, 2), as_fulfillment(TIMEOUT)), BOBS
    ),
    "a later timeout": lambda s: outer(
        branch(as_fulfillment(s), as_fulfillment(cc.TimeoutFulfillment(expire_time=LATER))), BOBS
    ),
    "the same moment in other digits": lambda s: outer(
        branch(as_fulfillment(s), as_fulfillment(cc.TimeoutFulfillment(expire_time=DEADLINE + ".0"))), BOBS
    ),
    "an inverted timeout in its place": lambda s: outer(branch(as_fulfillment(s), as_fulfillment(inverted())), BOBS),
    "bob's branch with alice's key": lambda s: outer(branch(as_fulfillment(inverted()), as_fulfillment(s)), ALICES),
    "nothing but the signature": lambda s: s.serialize_uri(),
    "the branch without the outer threshold": lambda s: uri(
        THRESHOLD, payload(2, as_fulfillment(s), as_fulfillment(TIMEOUT))
    ),
    "no branch at all": lambda _: uri(THRESHOLD, payload(1, as_condition(ALICES), as_condition(BOBS))),
    "an outer threshold of zero": lambda _: uri(THRESHOLD, payload(0, as_condition(ALICES), as_condition(BOBS))),
}

# Each makes a fulfillment out of Bob's right signature, before the deadline.
EARLY: dict[str, Any] = {
    "without the inverted timeout": lambda s: outer(branch(as_fulfillment(s), as_condition(inverted())), ALICES),
    "the inverted timeout gone": lambda s: outer(branch(as_fulfillment(s)), ALICES),
    "an inverted threshold without subs": lambda s: outer(branch(as_fulfillment(s), as_fulfillment(NO_SUBS)), ALICES),
    "the timeout beneath it as a condition": lambda s: outer(
        branch(as_fulfillment(s), as_fulfillment(TIMEOUT_LEFT_OUT)), ALICES
    ),
    "an earlier timeout beneath it": lambda s: outer(
        branch(as_fulfillment(s), as_fulfillment(inverted(EARLIER))), ALICES
    ),
    "a heavier threshold beneath": lambda s: outer(
        branch(as_fulfillment(s), as_fulfillment(binary(INVERTED, payload(2, as_fulfillment(TIMEOUT))))), ALICES
    ),
    "a heavier timeout beneath it": lambda s: outer(
        branch(as_fulfillment(s), as_fulfillment(binary(INVERTED, payload(1, as_fulfillment(TIMEOUT, 2))))), ALICES
    ),
    "the timeout itself": lambda s: outer(branch(as_fulfillment(s), as_fulfillment(TIMEOUT)), ALICES),
    "a threshold of one": lambda s: outer(branch(as_fulfillment(s), as_condition(inverted()), threshold=1), ALICES),
    "alice's branch with bob's key": lambda s: outer(branch(as_fulfillment(TIMEOUT), as_fulfillment(s)), BOBS),
    "a signature beside it": lambda s: outer(
        branch(as_fulfillment(s), as_fulfillment(binary(INVERTED, payload(1, as_fulfillment(s))))), ALICES
    ),
}


@pytest.mark.parametrize("make", LATE.values(), ids=LATE)
def test_alice_is_too_late_whatever_she_writes(deal: Escrow, make: Any) -> None:
    deal.at(1)
    assert not deal.accepts(deal.fulfilled(ALICE, make))


@pytest.mark.parametrize("make", EARLY.values(), ids=EARLY)
def test_bob_is_too_early_whatever_he_writes(deal: Escrow, make: Any) -> None:
    deal.at(-1)
    assert not deal.accepts(deal.fulfilled(BOB, make))


def test_these_attempts_differ_from_what_is_right_by_the_cheat_alone(deal: Escrow) -> None:
    """The helpers do make valid fulfillments where nothing is wrong."""
    right = deal.fulfilled(ALICE, lambda s: outer(branch(as_fulfillment(s), as_fulfillment(TIMEOUT)), BOBS))
    assert right.fulfillments[0].uri == deal.transfer(ALICE).fulfillments[0].uri
    deal.at(1)
    assert not deal.accepts(right)
    late = deal.fulfilled(BOB, lambda s: outer(branch(as_fulfillment(s), as_fulfillment(inverted())), ALICES))
    assert deal.accepts(late)


def test_both_branches_at_once_are_more_than_needed(deal: Escrow) -> None:
    def both(signature: cc.Ed25519Fulfillment) -> str:
        mine = branch(as_fulfillment(signature), as_fulfillment(TIMEOUT))
        others = branch(as_condition(cc.Ed25519Fulfillment(public_key=public(BOB)[0])), as_fulfillment(inverted()))
        return uri(THRESHOLD, payload(1, mine, others))

    deal.at(-1)
    assert not deal.accepts(deal.fulfilled(ALICE, both))
    deal.at(1)
    assert not deal.accepts(deal.fulfilled(ALICE, both))


def test_somebody_elses_signature_does_not_move_to_another_transfer(deal: Escrow) -> None:
    deal.at(-1)
    document = deal.transfer(ALICE).to_dict()
    document["transaction"]["conditions"] = deal.unsigned(CAROL)["transaction"]["conditions"]
    assert not deal.accepts(Transaction.from_dict(resign(document)))


def test_the_lock_itself_cannot_be_weakened_where_it_is_told() -> None:
    """A 98 over something else than deadlines, or over none, is no lock that a transaction may carry."""
    details = LOCK.to_json()
    bobs = next(
        sub for sub in details["subfulfillments"] if any(s["type_id"] == INVERTED for s in sub["subfulfillments"])
    )
    beneath = next(s for s in bobs["subfulfillments"] if s["type_id"] == INVERTED)
    for subs in ([], [{**TIMEOUT.condition.to_json(), "weight": 1}]):
        beneath["subfulfillments"] = subs
        with pytest.raises(TransactionError, match="details"):
            Transaction.from_dict(
                lock_with(
                    create_transaction(public(CAROL), public(BOB), [], "CREATE", timestamp="1.000000"),
                    {"details": details, "uri": LOCK.condition_uri},
                )
            )


# --- when it is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claimed", ["1.000000", f"{NOW:.6f}", f"{DEADLINE_AT:.6f}"])
def test_what_a_transaction_says_of_its_time_does_not_matter(deal: Escrow, claimed: str) -> None:
    deal.at(1)
    document = deal.unsigned(ALICE)
    document["transaction"]["timestamp"] = claimed
    assert not deal.accepts(deal.ledger.sign(resign(document), ALICE))
    document = deal.unsigned(BOB)
    document["transaction"]["timestamp"] = claimed
    assert deal.accepts(deal.ledger.sign(resign(document), BOB))


def test_what_was_signed_in_time_must_be_built_in_time(deal: Escrow) -> None:
    deal.at(-10)
    signed_in_time = deal.transfer(ALICE)
    deal.at(1)
    assert not deal.accepts(signed_in_time)


def test_what_was_written_in_time_but_built_too_late_is_rejected_in_the_end(deal: Escrow) -> None:
    deal.at(-1)
    late = deal.transfer(ALICE)
    deal.ledger.write(late)
    deal.at(1)
    deal.ledger.run(seconds=20)
    assert deal.ledger.statuses(late) == [Status.BACKLOG]
    deal.at(100)
    bobs = deal.ledger.settle(deal.transfer(BOB))
    deal.ledger.run(seconds=20)
    assert deal.ledger.statuses(late) == [Status.REJECTED]
    assert deal.ledger.first.queries.spender(ref(deal.asset)) == bobs.id


def test_what_was_found_valid_before_the_deadline_is_judged_again_after_it(deal: Escrow) -> None:
    """No mark, no memory of the check at writing may outlive the deadline."""
    deal.at(-1)
    late = deal.transfer(ALICE)
    deal.ledger.write(late)
    stored = MemoryStorage(deal.ledger.database).contents([TextRef(late.hash, late.id)])
    deal.ledger.first.node.view.read(stored[late.hash])
    deal.at(1)
    block = deal.ledger.put_block(late)
    deal.ledger.run(seconds=5)
    assert deal.ledger.first.verdict_on(block) is False
    assert deal.ledger.statuses(late) != [Status.VALID]


@pytest.mark.parametrize("tag", [b"", bytes(16), b"x" * 16])
def test_a_tag_in_storage_or_in_a_block_makes_nothing_verified(deal: Escrow, tag: bytes) -> None:
    deal.at(1)
    late = deal.transfer(ALICE)
    storage = MemoryStorage(deal.ledger.database)
    storage.append_backlog([replace(row(late), tag=tag)], deal.ledger.clock.now)
    deal.ledger.run(seconds=5)
    block = deal.ledger.block(late)
    deal.ledger.put(block, late)
    stored = deal.ledger.database.contents.blocks[block.key]
    deal.ledger.database.contents.blocks[block.key] = replace(stored, tags=tag)
    deal.ledger.run(seconds=5)
    assert deal.ledger.first.verdict_on(block) is False


def test_now_is_never_before_the_newest_decided_block(deal: Escrow) -> None:
    """A node whose clock is set back does not give Alice her time again."""
    deal.at(20)
    deal.ledger.settle(deal.ledger.create(CAROL))
    deal.at(-20)
    late = deal.transfer(ALICE)
    with pytest.raises(InvalidSignature):
        deal.ledger.write(late)
    MemoryStorage(deal.ledger.database).append_backlog([row(late)], deal.ledger.clock.now)
    deal.ledger.run(seconds=10)
    assert deal.ledger.statuses(late) == [Status.BACKLOG]
    assert deal.accepts(deal.transfer(BOB))


# --- liars among the members --------------------------------------------------------------------------------


@pytest.fixture
def lied_to() -> Escrow:
    """Four members under two-thirds, of whom the last lies."""
    deal = Escrow(4, Quorum.TWO_THIRDS)
    deal.ledger.members[3].stop()
    return deal


def lie(deal: Escrow, transaction: Transaction, seconds: float) -> list[bool | None]:
    """Let the liar build a block dated so many seconds behind the deadline, and vote for it; what the others decide."""
    ledger = deal.ledger
    liar = ledger.members[3]
    block = ledger.put_block(transaction, by=liar, at=f"{DEADLINE_AT + seconds:.6f}")
    vote = ledger.vote(block, liar)
    MemoryStorage(ledger.database).place_votes([VoteRow(block.id, liar.me, vote.text)])
    ledger.run(seconds=5)
    return [member.verdict_on(block) for member in ledger.members[:3]]


def test_a_block_dated_back_behind_what_was_decided_since_is_refused(lied_to: Escrow) -> None:
    lied_to.at(61)
    lied_to.ledger.settle(lied_to.ledger.create(CAROL))
    assert lie(lied_to, lied_to.transfer(ALICE), 0) == [False] * 3


def test_a_block_dated_back_more_than_ten_minutes_is_refused_on_an_idle_ledger_too(lied_to: Escrow) -> None:
    lied_to.at(601)
    assert lie(lied_to, lied_to.transfer(ALICE), 0) == [False] * 3


def test_a_block_from_the_future_waits_for_its_time(lied_to: Escrow) -> None:
    lied_to.at(-200)
    bobs = lied_to.transfer(BOB)
    assert lie(lied_to, bobs, 1) == [None] * 3
    assert lied_to.ledger.statuses(bobs) == [Status.UNDECIDED] * 3
    assert lied_to.ledger.first.queries.unspent(public(ALICE)[0]) == [ref(lied_to.asset)]
    assert lied_to.accepts(lied_to.transfer(ALICE)), "Alice still has her hour"
    lied_to.ledger.run(seconds=300)
    assert lied_to.ledger.first.verdict_on(lied_to.ledger.home(bobs)) is False


def test_a_block_from_the_future_is_voted_on_when_its_time_has_come_and_alice_did_not_take_hers(
    lied_to: Escrow,
) -> None:
    lied_to.at(-200)
    bobs = lied_to.transfer(BOB)
    assert lie(lied_to, bobs, 1) == [None] * 3
    lied_to.ledger.run(seconds=300)
    assert lied_to.ledger.statuses(bobs) == [Status.VALID] * 3


def test_a_block_dated_years_ahead_moves_nobodys_deadline(lied_to: Escrow) -> None:
    lied_to.at(-200)
    ledger = lied_to.ledger
    junk = ledger.create(CAROL)
    assert lie(lied_to, junk, 10**9) == [None] * 3
    assert lied_to.accepts(lied_to.transfer(ALICE))
    assert float(ledger.first.node.newest_decided()) < DEADLINE_AT
