"""The builder: what it builds when, what stays in the backlog, and what is rejected with reason and evidence."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bigchaindb import canonical, crypto
from bigchaindb.consensus.selection import assignee, turn, turn_by
from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.model.block import MAX_TRANSACTIONS
from bigchaindb.model.building import create_transaction
from bigchaindb.model.rejection import Rejection
from bigchaindb.node.queries import Status
from bigchaindb.pipeline import waiting_room
from bigchaindb.pipeline.builder import Builder
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import NewTransaction, RejectionRow, VoteRow
from tests.consensus.conditions import lock, until
from tests.consensus.views import garbled
from tests.crashes import CrashingStorage
from tests.ledgers import Ledger, Member, key, lock_with, public, ref, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.model.transaction import Transaction
    from bigchaindb.storage.records import BacklogEntry, StoredTransaction

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")
REASSIGN_SECONDS = 30


@pytest.fixture
def one() -> Ledger:
    """One node."""
    return Ledger()


@pytest.fixture
def three() -> Ledger:
    """Three nodes."""
    return Ledger(3)


def creates(ledger: Ledger, count: int, prefix: str = "") -> list[Transaction]:
    return [ledger.create(ALICE, {"name": f"{prefix}{i}"}) for i in range(count)]


def step(ledger: Ledger, times: int = 1) -> None:
    """Let the first member build, and nobody vote."""
    for _ in range(times):
        ledger.first.builder.step()


def sizes(ledger: Ledger) -> list[int]:
    return [block.header.transaction_count for block in ledger.blocks()]


def assigned(ledger: Ledger, member: Member, name: str = "") -> Transaction:
    """A CREATE that is this member's turn to build."""
    candidates = (ledger.create(ALICE, {"name": f"{name}{i}"}) for i in range(100))
    return next(t for t in candidates if assignee(t, ledger.federation) == member.me)


def backlog(ledger: Ledger) -> list[str]:
    """Ids of what waits, in order."""
    return [entry.text.id for entry in MemoryStorage(ledger.database).backlog(None, 10_000)]


def turned_down(ledger: Ledger, *transactions: Transaction) -> None:
    """Put texts past `write` into the backlog."""
    MemoryStorage(ledger.database).append_backlog([row(t) for t in transactions], ledger.clock.now)


# --- when to build -----------------------------------------------------------------------------------------


def test_a_builder_is_woken_by_what_waits_and_by_its_own_nodes_decisions(one: Ledger) -> None:
    assert Builder(one.first.node).waits_for == ("backlog", f"decisions/{one.first.me}")


def test_a_log_that_is_read_while_it_is_written_is_read_on_from_the_gap(
    one: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = Builder(one.first.node)
    for number in range(2):
        one.settle(one.create(ALICE, {"n": number}))
    storage, me = one.first.storage, one.first.me
    rows = storage.decisions(me, 0, 10)
    with monkeypatch.context() as patched:
        patched.setattr(storage, "decisions", lambda *_, **__: rows[:1] + rows[2:])
        builder._read_decisions()
    assert builder._decisions_read == rows[0].sequence
    builder._read_decisions()
    assert builder._decisions_read == rows[-1].sequence


def test_an_idle_builder_builds_at_once(one: Ledger) -> None:
    transactions = creates(one, 3)
    one.write(*transactions)
    step(one)
    (block,) = one.blocks()
    assert block.transactions == tuple(t.hash for t in transactions)
    assert block.header.timestamp == one.clock.timestamp
    assert block.header.voters == tuple(one.federation)
    assert block.header.ledger == one.id
    assert block.is_signed


def test_a_busy_builder_waits_for_the_interval(one: Ledger) -> None:
    one.write(*creates(one, 1, "a"))
    step(one)
    one.write(*creates(one, 2, "b"))
    step(one, 3)
    assert sizes(one) == [1]
    assert one.first.builder.seconds_until_due() == pytest.approx(0.05)
    one.clock.now += 0.06
    assert one.first.builder.seconds_until_due() == 0.0
    step(one)
    assert sizes(one) == [1, 2]


def test_a_busy_builder_builds_a_full_block_at_once(one: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigchaindb.pipeline.builder.MAX_TRANSACTIONS", 3)
    one.write(*creates(one, 1, "a"))
    step(one)
    one.write(*creates(one, 3, "b"))
    step(one)
    assert sizes(one) == [1, 3]
    assert MAX_TRANSACTIONS == 1000


def test_a_builder_with_nothing_to_do_is_not_due(one: Ledger) -> None:
    assert not one.first.builder.step()
    assert one.first.builder.seconds_until_due() is None


def test_at_most_four_blocks_are_undecided_at_a_time(one: Ledger) -> None:
    for i in range(6):
        one.write(*creates(one, 1, f"{i}-"))
        step(one)
        one.clock.now += 0.1
        step(one)
    assert sizes(one) == [1, 1, 1, 1]
    assert one.first.builder.seconds_until_due() is None
    one.run()
    assert sizes(one) == [1, 1, 1, 1, 2]


def test_blocks_that_nobody_decides_do_not_stop_the_builder(three: Ledger) -> None:
    """Rivals split the votes while a node is away; honest neighbours need not wait for its return."""
    for member in three.members[1:]:
        member.stop()
    for i in range(6):
        three.write(assigned(three, three.first, f"{i}-"))
        three.run(seconds=1)
    assert len(three.blocks()) == 4
    three.run(seconds=60)
    assert len(three.blocks()) > 5


def test_block_time_is_never_before_the_newest_decided_block(one: Ledger) -> None:
    one.settle(one.create(ALICE))
    newest = one.clock.timestamp
    one.clock.now -= 30
    later = one.settle(one.create(BOB))
    assert float(newest) <= float(one.home(later).header.timestamp) < float(newest) + 0.001


# --- whose turn --------------------------------------------------------------------------------------------


def test_each_builds_what_it_is_assigned(three: Ledger) -> None:
    for member in three.members:
        transaction = assigned(three, member)
        three.write(transaction)
        three.run()
        assert three.home(transaction).header.node == member.me


def test_another_builds_what_has_waited_too_long_by_its_own_clock(three: Ledger) -> None:
    a, b, absent = three.members
    absent.stop()
    transaction = assigned(three, absent)
    three.write(transaction)
    three.run(seconds=REASSIGN_SECONDS - 1)
    assert three.blocks() == []
    assert three.statuses(transaction) == [Status.BACKLOG] * 2
    three.run(seconds=70)
    assert three.home(transaction).header.node in {a.me, b.me}
    assert three.statuses(transaction) == [Status.VALID] * 2


def test_what_was_built_meanwhile_is_not_taken_over(three: Ledger) -> None:
    a, absent = three.members[0], three.members[2]
    absent.stop()
    transaction = assigned(three, absent)
    three.write(transaction)
    three.run(seconds=10)
    absent.start()
    three.run(seconds=60)
    assert [block.header.node for block in three.blocks()] == [absent.me]
    assert a.status(transaction) is Status.VALID


def test_an_entry_says_enough_of_whose_turn_it_is(three: Ledger) -> None:
    asset = three.settle(three.create(ALICE))
    many = [*creates(three, 20), three.transfer(ref(asset), ALICE, BOB)]
    three.write(*many)
    entries = three.database.contents.backlog
    for transaction in many:
        for member in three.members:
            told = turn_by(entries[transaction.hash].assigning, three.federation, member.me)
            assert told == turn(transaction, three.federation, member.me)


def test_a_lie_about_whose_turn_it_is_only_delays(three: Ledger) -> None:
    """A node leaves to others what is said to be theirs, and looks at what is said to be its own."""
    a, b, _ = three.members
    transaction = assigned(three, b)
    three.write(transaction)
    entries = three.database.contents.backlog
    assert entries[transaction.hash].assigning == transaction.id[:16]
    entries[transaction.hash] = replace(entries[transaction.hash], assigning=assigned(three, a).id[:16])
    three.run(seconds=REASSIGN_SECONDS - 1)
    assert three.blocks() == []
    three.run(seconds=REASSIGN_SECONDS)
    assert three.statuses(transaction) == [Status.VALID] * 3


@pytest.mark.parametrize("junk", ["", "no number", "é"])
def test_where_nothing_is_said_of_whose_turn_it_is_every_node_looks(three: Ledger, junk: str) -> None:
    transaction = assigned(three, three.members[1])
    three.write(transaction)
    entries = three.database.contents.backlog
    entries[transaction.hash] = replace(entries[transaction.hash], assigning=junk)
    three.run()
    assert three.statuses(transaction) == [Status.VALID] * 3
    assert three.home(transaction).header.node == three.members[1].me


def test_a_text_that_waits_twice_is_taken_in_once(three: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, _ = three.members
    transaction = assigned(three, a)
    three.write(transaction)
    listed = a.storage.backlog

    def backlog(after: str | None, limit: int) -> list[BacklogEntry]:
        page = listed(after, limit)
        return page + [replace(entry, assigning=assigned(three, b).id[:16]) for entry in page]

    monkeypatch.setattr(a.storage, "backlog", backlog)
    a.builder.step()
    assert [block.header.transaction_count for block in three.blocks()] == [1]
    assert a.builder._room.left(9, float("inf")) == {}
    three.run()
    assert three.statuses(transaction) == [Status.VALID] * 3


def test_what_is_gone_from_storage_keeps_its_neighbours_from_nothing(one: Ledger) -> None:
    first, gone, last = creates(one, 3)
    one.write(first, gone, last)
    contents = one.database.contents
    contents.texts[gone.id] = []
    one.run(seconds=30)
    assert [one.first.status(t) for t in (first, last)] == [Status.VALID] * 2


def test_what_is_taken_over_is_read_a_little_at_a_time(three: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows how large a text is that nobody has read."""
    a, _, absent = three.members
    absent.stop()
    many = [assigned(three, absent, f"{each} ") for each in range(200)]
    three.write(*many)
    most: list[int] = []
    read = a.storage.waiting

    def waiting(ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        most.append(len(ids))
        return read(ids)

    monkeypatch.setattr(a.storage, "waiting", waiting)
    three.run(seconds=2 * REASSIGN_SECONDS + 30)
    assert three.statuses(many[-1]) == [Status.VALID] * 2
    assert max(most) <= 32


def test_rivals_are_assigned_to_one_builder_and_one_of_them_wins(three: Ledger) -> None:
    asset = three.settle(three.create(ALICE))
    rivals = [three.transfer(ref(asset), ALICE, owner) for owner in (BOB, CAROL)]
    turned_down(three, *rivals)
    three.run(seconds=5)
    assert sorted(str(three.first.status(t)) for t in rivals) == ["rejected", "valid"]
    assert len({block.header.node for block in three.blocks()[1:]}) == 1


# --- the backlog -------------------------------------------------------------------------------------------


def test_an_entry_stays_until_its_transaction_is_decided(one: Ledger) -> None:
    transaction = one.create(ALICE)
    one.write(transaction)
    assert one.statuses(transaction) == [Status.BACKLOG]
    step(one, 3)
    assert one.statuses(transaction) == [Status.UNDECIDED]
    assert backlog(one) == [transaction.id]
    one.first.voter.step()
    assert one.statuses(transaction) == [Status.UNDECIDED]
    assert backlog(one) == [transaction.id]
    one.run()
    assert one.statuses(transaction) == [Status.VALID]
    assert backlog(one) == []


def test_an_entry_stays_until_a_quorum_has_recorded_the_decision(three: Ledger) -> None:
    a, b, c = three.members
    transaction = assigned(three, a)
    three.write(transaction)
    a.builder.step()
    for member in (a, b, a):
        member.voter.step()
    assert a.status(transaction) is Status.VALID
    assert backlog(three) == [transaction.id]
    b.voter.step()
    assert backlog(three) == []
    assert c.status(transaction) is Status.UNKNOWN


def test_a_transaction_is_built_once(one: Ledger) -> None:
    one.write(*creates(one, 5))
    one.run(seconds=60)
    assert sizes(one) == [5]


def test_what_was_refused_in_one_block_is_built_into_another(three: Ledger) -> None:
    a, b, c = three.members
    transaction = assigned(three, a)
    three.write(transaction)
    a.builder.step()
    (block,) = three.blocks()
    votes = [three.vote(block, member, "no") for member in (b, c)]
    MemoryStorage(three.database).place_votes([VoteRow(v.block_id, v.node, v.text) for v in votes])
    a.voter.step()
    assert a.verdict_on(block) is False
    assert backlog(three) == [transaction.id]
    b.stop()
    a.builder.step()
    assert len(three.blocks()) == 2, "though no clock has moved"
    assert three.blocks()[1].transactions == block.transactions


def test_what_another_builder_got_refused_is_built_anew_by_it(three: Ledger) -> None:
    """A decision on a block of another node frees what waits for it here too."""
    a, b, c = three.members
    asset = assigned(three, b)
    three.write(asset)
    spend = three.transfer(ref(asset), ALICE, BOB)
    three.write(spend)
    three.run()
    assert three.statuses(spend) == [Status.VALID] * 3
    assert c.status(asset) is Status.VALID
    assert a.status(asset) is Status.VALID


def test_writing_what_is_valid_already_is_harmless(one: Ledger) -> None:
    asset = one.settle(one.create(ALICE))
    one.write(asset)
    one.run(seconds=20)
    assert one.statuses(asset) == [Status.VALID]
    assert backlog(one) == []
    assert sizes(one) == [1]


def test_chains_wait_for_their_inputs_and_are_built_in_order(one: Ledger) -> None:
    asset = one.create(ALICE)
    one.write(asset)
    first = one.transfer(ref(asset), ALICE, BOB)
    one.write(first)
    second = one.transfer(ref(first), BOB, CAROL)
    one.write(second)
    one.run()
    assert one.statuses(second) == [Status.VALID]
    assert [block.transactions for block in one.blocks()] == [(asset.hash,), (first.hash,), (second.hash,)]


def test_a_restarted_builder_goes_on_with_what_waits(one: Ledger) -> None:
    transactions = creates(one, 3)
    one.write(*transactions[:2])
    step(one)
    one.write(transactions[2])
    one.first.start()
    one.run()
    assert [one.first.status(t) for t in transactions] == [Status.VALID] * 3
    assert sizes(one) == [2, 1]


def test_what_a_slow_clock_put_before_the_cursor_is_found_later(one: Ledger) -> None:
    one.settle(one.create(ALICE))
    late = one.create(BOB)
    turned_down(one, late)
    entries = one.database.contents.backlog
    entries[late.hash] = replace(entries[late.hash], cursor="0" * 16, received_at=0.0)
    one.run(seconds=12)
    assert one.statuses(late) == [Status.BACKLOG]
    entries[late.hash] = replace(entries[late.hash], cursor=f"{1:016d}")
    one.run(seconds=12)
    assert one.statuses(late) == [Status.VALID]


def test_a_backlog_larger_than_the_builders_memory_is_worked_off(one: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_room, "MAX_READY", 3)
    monkeypatch.setattr(waiting_room, "MAX_BLOCKED", 3)
    monkeypatch.setattr("bigchaindb.pipeline.builder._PAGE", 2)
    transactions = creates(one, 12)
    one.write(*transactions)
    one.run(seconds=60)
    assert [one.first.status(t) for t in transactions] == [Status.VALID] * 12


def test_entries_that_must_wait_keep_no_others_out_however_many_they_are(
    one: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may CREATE can date a block years ahead; what spends its outputs waits for it, and is let in."""
    monkeypatch.setattr(waiting_room, "MAX_READY", 4)
    monkeypatch.setattr(waiting_room, "MAX_BLOCKED", 5)
    monkeypatch.setattr("bigchaindb.pipeline.builder._PAGE", 3)
    far = creates(one, 20, "far")
    one.put_block(*far, at=f"{one.clock.now + 10**7:.6f}")
    one.run()
    one.write(*(one.transfer(ref(t), ALICE, BOB) for t in far))
    honest = one.create(BOB)
    one.write(honest)
    one.run(seconds=60)
    assert one.statuses(honest) == [Status.VALID]
    assert len(backlog(one)) == 20


@pytest.mark.parametrize("back", [1.0, 600.0])
def test_a_clock_that_is_set_back_stops_nothing(three: Ledger, back: float) -> None:
    for member in three.members[1:]:
        member.stop()
    others = [assigned(three, member, "theirs") for member in three.members[1:]]
    mine = assigned(three, three.first, "mine")
    three.write(mine, *others)
    three.run(seconds=5)
    three.clock.now -= back
    three.run(seconds=45)  # from now on: a block's patience, and another's turn, are 30 seconds
    held = [text_hash for block in three.blocks() for text_hash in block.transactions]
    assert held.count(mine.hash) >= 2
    assert {t.hash for t in others} & set(held)


# --- rejections --------------------------------------------------------------------------------------------


def test_the_loser_of_two_rivals_is_rejected_with_reason_and_evidence(one: Ledger) -> None:
    asset = one.settle(one.create(ALICE))
    winner, loser = sorted((one.transfer(ref(asset), ALICE, owner) for owner in (BOB, CAROL)), key=lambda t: t.id)
    turned_down(one, loser, winner)
    one.run()
    assert one.statuses(winner) == [Status.VALID]
    assert one.statuses(loser) == [Status.REJECTED]
    rejection = one.first.queries.rejection(loser.id)
    assert rejection is not None
    assert rejection.reason == f"output 0 of {asset.id} was already spent by {winner.id}"
    assert rejection.evidence == winner.id
    assert rejection.transaction_hash == loser.hash
    assert rejection.ledger == one.id
    assert backlog(one) == []


def test_what_strangers_create_is_logged_once(one: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    stranger = key("stranger")
    for number in range(5):
        unsigned = create_transaction(
            public(stranger), public(ALICE), [], "CREATE", payload={"n": number}, timestamp=one.clock.timestamp
        )
        one.first.storage.append_backlog([row(one.sign(unsigned, stranger))], one.clock.now)
    with caplog.at_level(logging.INFO):
        one.run(seconds=5)
    assert backlog(one) == []
    assert [line.startswith("CREATE by a stranger rejected: ") for line in caplog.messages] == [True]


def test_what_spends_what_was_rejected_is_rejected_too(one: Ledger) -> None:
    asset = one.settle(one.create(ALICE))
    winner, loser = sorted((one.transfer(ref(asset), ALICE, owner) for owner in (BOB, CAROL)), key=lambda t: t.id)
    turned_down(one, winner, loser)
    owner = BOB if loser.outputs[0].owners[0] == str(BOB.verifying_key) else CAROL
    child = one.transfer(ref(loser), owner, ALICE)
    turned_down(one, child)
    one.run(seconds=10)
    assert one.statuses(child) == [Status.REJECTED]
    assert one.first.reason(child) == f"input {loser.id} does not exist"


def test_a_rejection_is_for_one_signed_text_and_another_may_be_fine(one: Ledger) -> None:
    asset = one.settle(one.create(ALICE))
    good = one.transfer(ref(asset), ALICE, BOB)
    turned_down(one, garbled(good))
    one.run()
    assert one.statuses(good) == [Status.REJECTED]
    one.settle(good)


def test_each_node_finds_out_for_itself_before_it_rejects(three: Ledger) -> None:
    a, b, c = three.members
    bad = next(
        bad for i in range(20) if assignee(bad := garbled(three.create(ALICE, {"i": i})), three.federation) == a.me
    )
    turned_down(three, bad)
    a.builder.step()
    assert backlog(three) == [bad.id], "one of three is no quorum"
    b.builder.step()
    b.clock.now += 2
    b.builder.step()
    assert backlog(three) == []
    assert [m.queries.rejection(bad.id) is not None for m in (a, b)] == [True, True]
    assert {r.node for r in c.storage.rejections([bad.id])[bad.id]} == {a.me, b.me}


def test_what_others_reject_falsely_becomes_valid(three: Ledger) -> None:
    liars = three.members[1:]
    good = assigned(three, three.first)
    three.write(good)
    rows = []
    for liar in liars:
        rejection = Rejection.sign(
            ledger=three.id,
            transaction_hash=good.hash,
            transaction_id=good.id,
            reason="because",
            evidence=None,
            timestamp=three.clock.timestamp,
            key=liar.key,
        )
        rows.append(RejectionRow(good.hash, good.id, liar.me, rejection.text))
    three.first.storage.reject(rows)
    three.run()
    assert three.statuses(good) == [Status.VALID] * 3


def test_forged_rejections_of_others_are_not_counted(three: Ledger) -> None:
    a, b, c = three.members
    bad = next(
        bad for i in range(20) if assignee(bad := garbled(three.create(ALICE, {"i": i})), three.federation) == a.me
    )
    turned_down(three, bad)
    a.storage.reject([RejectionRow(bad.hash, bad.id, b.me, "forged"), RejectionRow(bad.hash, bad.id, c.me, "{}")])
    a.builder.step()
    assert backlog(three) == [bad.id]


def test_rejections_in_another_ledger_of_the_same_members_are_not_counted(three: Ledger) -> None:
    a, *others = three.members
    bad = next(
        bad for i in range(20) if assignee(bad := garbled(three.create(ALICE, {"i": i})), three.federation) == a.me
    )
    turned_down(three, bad)
    for other in others:
        rejection = Rejection.sign(
            ledger="1" * 64,
            transaction_hash=bad.hash,
            transaction_id=bad.id,
            reason="because",
            evidence=None,
            timestamp=three.clock.timestamp,
            key=other.key,
        )
        a.storage.reject([RejectionRow(bad.hash, bad.id, other.me, rejection.text)])
    a.builder.step()
    assert backlog(three) == [bad.id]


def test_a_missed_deadline_is_rejected_once_a_block_was_decided_a_minute_later(one: Ledger) -> None:
    unsigned = one.create(ALICE).to_dict()
    deadline = f"{one.clock.now + 5:.0f}"
    asset = one.sign(lock_with(unsigned, lock(until(ALICE, deadline))), one.first.key)
    one.settle(asset)
    spend = one.transfer(ref(asset), ALICE, BOB)
    one.write(spend)
    one.clock.now += 6
    one.run(seconds=100)
    assert one.statuses(spend) == [Status.BACKLOG], "no later block was decided, so an earlier one may still come"
    one.settle(one.create(CAROL))
    one.run(seconds=20)
    assert one.statuses(spend) == [Status.REJECTED]
    assert "does not fulfil the condition at" in one.first.reason(spend)


# --- junk --------------------------------------------------------------------------------------------------


def junk(text: str, name: str = "x", **claims: str) -> NewTransaction:
    return NewTransaction(claims.get("hash_", crypto.hash_data(text)), claims.get("id_", name * 64), text)


@pytest.mark.parametrize("text", ["junk", "{}", "[]", ""])
def test_a_text_that_is_no_transaction_is_thrown_out(one: Ledger, text: str) -> None:
    one.first.storage.append_backlog([junk(text, "a")], one.clock.now)
    good = one.settle(one.create(ALICE))
    one.run()
    assert backlog(one) == []
    assert one.statuses(good) == [Status.VALID]


def test_junk_that_names_an_input_is_thrown_out_whosever_it_would_be(three: Ledger) -> None:
    texts = [f'{{"transaction": {{"fulfillments": [{{"input": {{"txid": "{n:064x}"}}}}]}}}}' for n in range(9)]
    texts += [text.replace("000000000000000", f"{n}00000000000000", 1) for n, text in enumerate(texts)]
    three.first.storage.append_backlog([junk(text, f"{n:x}") for n, text in enumerate(texts[:16])], three.clock.now)
    three.run(seconds=120)
    assert backlog(three) == []


@pytest.mark.parametrize("claims", [{"hash_": "f" * 64}, {"id_": "f" * 64}])
def test_a_good_text_under_a_false_hash_or_id_is_thrown_out_and_holds_up_nobody(
    one: Ledger, claims: dict[str, str]
) -> None:
    good, neighbour = creates(one, 2)
    true = {"hash_": good.hash, "id_": good.id}
    one.first.storage.append_backlog([junk(good.text, **{**true, **claims})], one.clock.now)
    one.write(neighbour)
    one.run(seconds=12)
    assert one.statuses(neighbour) == [Status.VALID]
    assert backlog(one) == []


def test_junk_under_an_honest_id_does_not_keep_the_honest_text_out(one: Ledger) -> None:
    good = one.create(ALICE)
    one.first.storage.append_backlog([junk("junk", id_=good.id)], one.clock.now)
    one.settle(good)
    assert backlog(one) == []


def test_two_texts_of_one_transaction_become_valid_once(one: Ledger) -> None:
    """An owner may sign twice with different results; the id is the same."""
    asset = one.settle(one.create(ALICE))
    spend = one.transfer(ref(asset), ALICE, BOB)
    document = canonical.loads(garbled(spend).text)
    turned_down(one, spend, one.sign(document, ALICE))
    one.run()
    assert one.statuses(spend) == [Status.VALID]
    assert backlog(one) == []


# --- crashes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize(
    "verb", ["write_block", "sight", "reject", "drop_backlog", "standings", "backlog", "decisions"]
)
def test_a_builder_that_dies_at_any_moment_loses_nothing(verb: str, *, behind: bool) -> None:
    ledger = Ledger(connect=CrashingStorage)
    member = ledger.first
    asset = ledger.settle(ledger.create(ALICE))
    rivals = sorted((ledger.transfer(ref(asset), ALICE, owner) for owner in (BOB, CAROL)), key=lambda t: t.id)
    other = ledger.create(ALICE, {"name": "other"})
    turned_down(ledger, *rivals, other)
    storage = member.storage
    assert isinstance(storage, CrashingStorage)
    storage.crash(verb, behind=behind)
    try:
        ledger.run(seconds=1)
    except StorageUnavailable:
        storage.recover()
        member.start()
    storage.recover()
    ledger.run(seconds=70)
    assert [member.status(t) for t in (*rivals, other)] == [Status.VALID, Status.REJECTED, Status.VALID]
    assert backlog(ledger) == []


def test_a_builder_knows_the_decisions_that_were_there_before_it(one: Ledger) -> None:
    one.settle(*creates(one, 3))
    builder = Builder(one.first.node)
    assert not builder.step()
