"""Questions about the ledger: what is said of transactions, holdings, histories, blocks and receipts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bigchaindb import canonical
from bigchaindb.consensus.receipts import verify_receipt
from bigchaindb.exceptions import OperationError, ReceiptNotReady, TransactionDoesNotExist, TransactionTimeout
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.rejection import Rejection
from bigchaindb.node import queries
from bigchaindb.node.node import stored_block
from bigchaindb.node.queries import Status
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import Effects, NewTransaction, RejectionRow, Sighting, VoteRow
from tests.consensus.views import garbled
from tests.ledgers import Ledger, Member, key, public, ref, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.crypto import SigningKey
    from bigchaindb.model.block import Block
    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Transaction
    from bigchaindb.storage.records import StoredTransaction

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")
NOWHERE = "0" * 64


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def owned(ledger: Ledger, owner: SigningKey) -> list[OutputRef]:
    return ledger.first.queries.unspent(public(owner)[0])


# --- transactions and their status -------------------------------------------------------------------------


def test_a_transaction_goes_from_the_backlog_through_a_block_to_valid(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    seen = [ledger.first.status(asset)]
    ledger.write(asset)
    seen.append(ledger.first.status(asset))
    ledger.first.builder.step()
    seen.append(ledger.first.status(asset))
    ledger.run()
    seen.append(ledger.first.status(asset))
    assert seen == [Status.UNKNOWN, Status.BACKLOG, Status.UNDECIDED, Status.VALID]
    assert [str(status) for status in seen] == ["unknown", "backlog", "undecided", "valid"]


def test_a_transaction_is_found_at_every_stage(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    assert ledger.first.queries.transaction(asset.id) is None
    ledger.write(asset)
    assert ledger.first.queries.transaction(asset.id) == asset
    ledger.run()
    assert ledger.first.queries.transaction(asset.id) == asset
    assert ledger.first.queries.transaction(ledger.genesis.transaction.id) == ledger.genesis.transaction


def test_of_several_texts_the_one_that_came_furthest_is_told(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    junk = garbled(asset)
    storage = ledger.first.storage
    storage.append_backlog([NewTransaction("f" * 64, asset.id, "junk"), row(junk)], 0.0)
    assert ledger.first.queries.transaction(asset.id) == junk
    ledger.settle(asset)
    assert ledger.first.queries.transaction(asset.id) == asset
    storage.append_backlog([row(junk)], 0.0)
    assert ledger.first.queries.transaction(asset.id) == asset


def test_texts_are_told_of_many_at_once_and_chosen_as_one_is(ledger: Ledger) -> None:
    valid, undecided, waiting, unknown = (ledger.create(ALICE, {"n": n}) for n in range(4))
    junk = garbled(valid)
    storage = ledger.first.storage
    storage.append_backlog([NewTransaction("f" * 64, valid.id, "junk"), row(junk)], 0.0)
    ledger.settle(valid)
    ledger.write(undecided)
    ledger.first.builder.step()
    ledger.write(waiting)
    wanted = [valid, undecided, waiting, ledger.genesis.transaction]
    assert ledger.first.queries.texts([unknown.id, *(t.id for t in wanted)]) == {t.id: t.text for t in wanted}
    assert ledger.first.queries.texts([]) == {}


def test_statuses_of_many_are_told_at_once_and_the_valid_ones_without_the_backlog() -> None:
    class Asked(MemoryStorage):
        ids: tuple[str, ...] = ()

        def waiting(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
            self.ids = tuple(ids)
            return super().waiting(ids)

    ledger = Ledger(connect=Asked)
    first = ledger.first
    valid, undecided, waiting, bad, unknown = (ledger.create(ALICE, {"n": n}) for n in range(5))
    bad = garbled(bad)
    ledger.settle(valid)
    first.storage.append_backlog([row(bad)], 0.0)
    ledger.run()
    block = ledger.put_block(undecided)
    first.storage.sight(first.me, [Sighting(block.key, block.id, ledger.clock(), checked=True)])
    ledger.write(waiting)
    ids = [each.id for each in (valid, undecided, waiting, bad, unknown)]
    assert first.queries.statuses([*ids, *ids[::-1]]) == {
        valid.id: Status.VALID,
        undecided.id: Status.UNDECIDED,
        waiting.id: Status.BACKLOG,
        bad.id: Status.REJECTED,
        unknown.id: Status.UNKNOWN,
    }
    assert isinstance(first.storage, Asked)
    assert first.storage.ids == tuple(ids[1:])


def test_a_text_is_not_told_under_an_id_that_is_not_its_own(ledger: Ledger) -> None:
    asset, other = ledger.create(ALICE), ledger.create(BOB)
    # Even where this node's own mark is on it: the mark does not name the id that it is stored under.
    marked = NewTransaction(other.hash, asset.id, other.text, tag=ledger.first.node.view.mark(other))
    ledger.first.storage.append_backlog([marked, NewTransaction("1" * 64, asset.id, other.text)], 0.0)
    assert ledger.first.queries.texts([asset.id, other.id]) == {}


def test_what_was_rejected_is_still_told(ledger: Ledger) -> None:
    bad = garbled(ledger.create(ALICE))
    ledger.first.storage.append_backlog([row(bad)], 0.0)
    ledger.run()
    assert ledger.statuses(bad) == [Status.REJECTED]
    assert ledger.first.queries.transaction(bad.id) == bad
    assert ledger.first.queries.texts([bad.id]) == {bad.id: bad.text}


def test_a_rejection_bears_this_nodes_signature_and_names_this_ledger(ledger: Ledger) -> None:
    bad = garbled(ledger.create(ALICE))
    forgeries = [
        RejectionRow(bad.hash, bad.id, ledger.first.me, "junk"),
        RejectionRow("1" * 64, bad.id, ledger.first.me, rejected(ledger, bad, by=key("stranger"))),
        RejectionRow("2" * 64, bad.id, ledger.first.me, rejected(ledger, bad, name="1" * 64)),
        RejectionRow("3" * 64, bad.id, ledger.first.me, rejected(ledger, ledger.create(BOB))),
    ]
    ledger.first.storage.reject(forgeries)
    assert ledger.first.queries.rejection(bad.id) is None
    ledger.first.storage.reject([RejectionRow("4" * 64, bad.id, ledger.first.me, rejected(ledger, bad))])
    rejection = ledger.first.queries.rejection(bad.id)
    assert rejection is not None
    assert rejection.reason == "because"


def rejected(ledger: Ledger, transaction: Transaction, *, by: SigningKey | None = None, name: str | None = None) -> str:
    made = Rejection.sign(
        ledger=name or ledger.id,
        transaction_hash=transaction.hash,
        transaction_id=transaction.id,
        reason="because",
        evidence=None,
        timestamp="1.000000",
        key=by or ledger.first.key,
    )
    return made.text


def test_what_a_quorum_of_others_has_rejected_is_rejected_here_too() -> None:
    ledger = Ledger(3, start=False)
    me, one, two = ledger.members
    bad = garbled(ledger.create(ALICE))
    rows = [RejectionRow(bad.hash, bad.id, m.me, rejected(ledger, bad, by=m.key)) for m in (one, two)]
    me.storage.reject(rows[:1])
    assert me.queries.rejection(bad.id) is None
    me.storage.reject(rows)
    assert me.status(bad) is Status.REJECTED


def test_waiting_ends_when_it_is_decided(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    assert ledger.first.queries.wait(asset.id, 0.0) is Status.VALID
    bad = garbled(ledger.create(BOB))
    ledger.first.storage.append_backlog([row(bad)], 0.0)
    ledger.run()
    assert ledger.first.queries.wait(bad.id, 0.0) is Status.REJECTED


def test_waiting_ends_when_the_time_is_over(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    ledger.write(asset)
    with pytest.raises(
        TransactionTimeout, match=rf"transaction {asset.id} still waits in the backlog .* after 0\.01 s"
    ):
        ledger.first.queries.wait(asset.id, 0.01)


def test_transactions_are_found_by_what_they_carry_oldest_first(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_PAGE", 2)
    payload = {"kind": "boat"}
    assets = [ledger.create(owner, payload) for owner in (ALICE, BOB, CAROL)]
    other = ledger.create(ALICE, {"kind": "car"})
    ledger.settle(*assets, other)
    waiting = ledger.create(key("dave"), payload)
    ledger.write(waiting)
    payload_hash = assets[0].payload_hash
    assert payload_hash is not None
    assert ledger.first.queries.with_payload_hash(payload_hash) == assets
    assert ledger.first.queries.with_payload_hash(NOWHERE) == []


def test_an_index_that_lies_about_payloads_is_not_believed(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE, {"kind": "boat"}))
    ledger.first.storage.settle(Effects((), (), (("f" * 64, asset.id),)))
    assert [txid for _, txid in ledger.first.storage.with_payload_hash("f" * 64, None, 9)] == [asset.id]
    assert ledger.first.queries.with_payload_hash("f" * 64) == []


# --- holdings ----------------------------------------------------------------------------------------------


def test_an_owner_has_what_is_valid_and_unspent_oldest_first(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "_PAGE", 2)
    assets = [ledger.create(ALICE, {"n": n}) for n in range(5)]
    ledger.settle(*assets)
    assert owned(ledger, ALICE) == [ref(a) for a in assets]
    spend = ledger.settle(ledger.transfer(ref(assets[1]), ALICE, BOB))
    assert owned(ledger, ALICE) == [ref(assets[i]) for i in (0, 2, 3, 4)]
    assert owned(ledger, BOB) == [ref(spend)]
    assert owned(ledger, CAROL) == []


def test_what_is_on_its_way_out_is_not_had_and_what_is_on_its_way_in_neither(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    spend = ledger.transfer(ref(asset), ALICE, BOB)
    ledger.write(spend)
    assert owned(ledger, ALICE) == owned(ledger, BOB) == []
    assert ledger.first.queries.spender(ref(asset)) == spend.id
    ledger.first.builder.step()
    assert owned(ledger, ALICE) == owned(ledger, BOB) == []
    ledger.run()
    assert (owned(ledger, ALICE), owned(ledger, BOB)) == ([], [ref(spend)])


def test_what_was_rejected_spends_nothing(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    bad = garbled(ledger.transfer(ref(asset), ALICE, BOB))
    ledger.first.storage.append_backlog([row(bad)], 0.0)
    ledger.run()
    assert owned(ledger, ALICE) == [ref(asset)]
    assert ledger.first.queries.spender(ref(asset)) is None


def test_spenders_of_many_outputs_are_told_at_once(ledger: Ledger) -> None:
    assets = [ledger.settle(ledger.create(ALICE, {"number": i})) for i in range(3)]
    spends = [ledger.transfer(ref(asset), ALICE, BOB) for asset in assets[:2]]
    ledger.settle(spends[0])
    ledger.write(spends[1])
    refs = [ref(asset) for asset in assets]
    assert ledger.first.queries.spenders(refs) == {refs[0]: spends[0].id, refs[1]: spends[1].id}
    assert ledger.first.queries.spenders([]) == {}


def test_of_several_spenders_the_valid_one_is_told(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    rivals = [ledger.transfer(ref(asset), ALICE, owner) for owner in (BOB, CAROL)]
    storage = ledger.first.storage
    storage.append_backlog([row(t) for t in rivals], ledger.clock.now)
    ledger.run()
    winner = min(rivals, key=lambda t: t.id)
    assert ledger.first.queries.spender(ref(asset)) == winner.id
    storage.append_backlog([row(max(rivals, key=lambda t: t.id))], 0.0)
    assert ledger.first.queries.spender(ref(asset)) == winner.id


@pytest.mark.parametrize("is_built", [False, True])
def test_a_forged_spend_takes_nothing_from_its_owner(ledger: Ledger, *, is_built: bool) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    forged = garbled(ledger.transfer(ref(asset), ALICE, BOB))
    ledger.first.storage.append_backlog([row(forged)], ledger.clock.now)
    if is_built:
        block = ledger.put_block(forged)
        ledger.first.storage.sight(ledger.first.me, [Sighting(block.key, block.id, ledger.clock.now, checked=True)])
    assert owned(ledger, ALICE) == [ref(asset)]
    assert ledger.first.queries.spender(ref(asset)) is None


def test_what_is_spent_in_an_undecided_block_is_not_unspent_when_it_waits_no_more(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    spend = ledger.transfer(ref(asset), ALICE, BOB)
    block = ledger.put_block(spend)
    ledger.first.storage.sight(ledger.first.me, [Sighting(block.key, block.id, ledger.clock.now, checked=True)])
    ledger.first.storage.drop_backlog(ids=[spend.id])
    assert owned(ledger, ALICE) == []
    assert ledger.first.queries.spender(ref(asset)) == spend.id


def test_what_several_own_each_of_them_has(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create([ALICE, BOB]))
    assert owned(ledger, ALICE) == owned(ledger, BOB) == [ref(asset)]
    ledger.settle(ledger.transfer(ref(asset), [ALICE, BOB], CAROL))
    assert owned(ledger, ALICE) == owned(ledger, BOB) == []


def test_outputs_are_told_whatever_their_fate(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    ledger.write(asset)
    assert ledger.first.queries.outputs([ref(asset), ref(asset, 1)]) == {ref(asset): asset.outputs[0]}


# --- histories ---------------------------------------------------------------------------------------------


def test_a_history_goes_from_the_creation_to_the_last_transfer_given_any_of_them(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    first = ledger.transfer(ref(ledger.settle(asset)), ALICE, BOB)
    second = ledger.transfer(ref(ledger.settle(first)), BOB, CAROL)
    ledger.settle(second)
    pending = ledger.transfer(ref(second), CAROL, ALICE)
    ledger.write(pending)
    for transaction in (asset, first, second):
        assert ledger.first.queries.history(transaction.id) == [asset, first, second]


def test_a_history_follows_each_asset_through_transfers_of_several(ledger: Ledger) -> None:
    boat, car = ledger.create(ALICE, {"kind": "boat"}), ledger.create(ALICE, {"kind": "car"})
    ledger.settle(boat, car)
    both = ledger.settle(ledger.transfer([ref(boat), ref(car)], ALICE, BOB))
    cars = ledger.settle(ledger.transfer(ref(both, 1), BOB, CAROL))
    assert ledger.first.queries.history(boat.id) == [boat, both]
    assert ledger.first.queries.history(car.id) == [car, both, cars]
    assert ledger.first.queries.history(both.id) == [boat, car, both, cars]
    assert ledger.first.queries.history(cars.id) == [car, both, cars]


@pytest.mark.parametrize("stage", ["unknown", "backlog"])
def test_there_is_no_history_of_what_is_not_valid(ledger: Ledger, stage: str) -> None:
    asset = ledger.create(ALICE)
    if stage == "backlog":
        ledger.write(asset)
    with pytest.raises(TransactionDoesNotExist, match=f"there is no valid transaction {asset.id}"):
        ledger.first.queries.history(asset.id)


def test_a_history_ends_where_storage_has_lost_something(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    spend = ledger.settle(ledger.transfer(ref(asset), ALICE, BOB))
    contents = ledger.database.contents
    lost = contents.transactions.pop(asset.hash)
    contents.texts.pop(asset.id)
    assert ledger.first.queries.history(spend.id) == [spend]
    with pytest.raises(TransactionDoesNotExist):
        ledger.first.queries.history(asset.id)
    contents.transactions[asset.hash] = lost


# --- blocks ------------------------------------------------------------------------------------------------


def test_a_block_is_told_with_its_contents_and_verdict(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    block = ledger.put_block(asset)
    view = ledger.first.queries.block(block.id)
    assert view is not None
    assert (view.block, view.verdict) == (block, None)
    assert view.contents is not None
    assert [t.text for t in view.contents] == [asset.text]
    ledger.run()
    view = ledger.first.queries.block(block.id)
    assert view is not None
    assert view.verdict is True
    assert ledger.first.queries.block(NOWHERE) is None


def test_a_block_whose_contents_are_missing_is_told_without(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    block = ledger.block(asset)
    ledger.first.storage.write_block(stored_block(block, [asset.id]))
    view = ledger.first.queries.block(block.id)
    assert view is not None
    assert view.contents is None


def test_junk_under_a_blocks_id_is_not_told(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    block = ledger.block(asset)
    document = canonical.loads(block.text)
    document["signature"] = "x"
    honest = stored_block(block, [asset.id])
    storage = ledger.first.storage
    storage.append_backlog([row(asset)], 0.0)
    other = ledger.block(asset, at="1.000000")
    for number, text in enumerate(("junk", canonical.dumps(document), other.text)):
        storage.write_block(replace(honest, key=f"{number}" * 64, text=text))
    assert ledger.first.queries.block(block.id) is None
    storage.write_block(honest)
    view = ledger.first.queries.block(block.id)
    assert view is not None
    assert view.block == block


def test_votes_are_told_if_they_are_well_signed_ordered_by_voter() -> None:
    ledger = Ledger(3, start=False)
    block = ledger.put_block(ledger.create(ALICE))
    a, b, c = ledger.members
    storage = MemoryStorage(ledger.database)
    votes = [ledger.vote(block, b, "no"), ledger.vote(block, a)]
    storage.place_votes([VoteRow(block.id, v.node, v.text) for v in votes])
    storage.place_votes([VoteRow(block.id, c.me, "junk")])
    assert a.queries.votes(block.id) == sorted(votes, key=lambda v: v.node)
    assert a.queries.votes(NOWHERE) == []


# --- receipts ----------------------------------------------------------------------------------------------


def test_every_valid_transaction_has_a_receipt(ledger: Ledger) -> None:
    assets = [ledger.create(ALICE, {"n": n}) for n in range(5)]
    ledger.write(*assets)
    ledger.run()
    for asset in assets:
        receipt = ledger.first.queries.receipt(asset.id)
        assert verify_receipt(receipt, ledger.federation, "majority") == asset.id
        assert receipt["transaction"] == asset.to_dict()


def test_what_is_not_valid_has_none(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    with pytest.raises(TransactionDoesNotExist):
        ledger.first.queries.receipt(asset.id)
    ledger.write(asset)
    with pytest.raises(TransactionDoesNotExist):
        ledger.first.queries.receipt(asset.id)


def test_genesis_has_none(ledger: Ledger) -> None:
    with pytest.raises(OperationError, match="the genesis transaction has no receipt"):
        ledger.first.queries.receipt(ledger.genesis.transaction.id)


def decided_by_one(ledger: Ledger) -> tuple[Transaction, Block, Member]:
    """A block that the first of three has decided valid, alone."""
    a, b, _ = ledger.members
    asset = ledger.create(ALICE)
    block = ledger.put_block(asset)
    for member in (a, b, a):
        member.voter.step()
    assert a.verdict_on(block)
    assert b.verdict_on(block) is None
    return asset, block, a


def test_there_is_none_before_a_quorum_has_recorded_its_decision() -> None:
    ledger = Ledger(3)
    asset, _, member = decided_by_one(ledger)
    with pytest.raises(ReceiptNotReady, match="a quorum has not recorded its decision yet"):
        member.queries.receipt(asset.id)
    ledger.run()
    assert verify_receipt(member.queries.receipt(asset.id), ledger.federation, "majority") == asset.id


def test_decisions_that_prove_nothing_are_not_in_it() -> None:
    ledger = Ledger(3)
    asset, block, member = decided_by_one(ledger)
    _, b, c = ledger.members
    contents = ledger.database.contents
    mine = contents.decided[block.id][member.me]

    def said(by: Member, verdict: Verdict = Verdict.VALID, on: Block = block, name: str = ledger.id) -> str:
        made = Decision.sign(
            ledger=name,
            sequence=1,
            block_id=on.id,
            verdict=verdict,
            previous=None,
            timestamp="1.000000",
            key=by.key,
        )
        return made.text

    elsewhere = ledger.block(ledger.create(BOB))
    for text in (mine.text, "junk", said(b, Verdict.INVALID), said(b, on=elsewhere), said(b, name="1" * 64)):
        contents.decided[block.id] = {member.me: mine, b.me: replace(mine, node=b.me, text=text)}
        with pytest.raises(ReceiptNotReady):
            member.queries.receipt(asset.id)
    contents.decided[block.id] = {member.me: mine, c.me: replace(mine, node=c.me, text=said(c))}
    assert verify_receipt(member.queries.receipt(asset.id), ledger.federation, "majority") == asset.id


def test_what_stands_in_two_valid_blocks_is_at_home_in_the_smaller() -> None:
    ledger = Ledger(3)
    a, *others = ledger.members
    asset = ledger.create(ALICE)
    blocks = [ledger.put_block(asset, at=f"{ledger.clock.now + n:.6f}") for n in range(2)]
    votes = [ledger.vote(block, member) for block in blocks for member in others]
    MemoryStorage(ledger.database).place_votes([VoteRow(v.block_id, v.node, v.text) for v in votes])
    for member in others:
        member.stop()
    ledger.run()
    assert [a.verdict_on(block) for block in blocks] == [True, True]
    assert a.queries.history(asset.id) == [asset]
    home = min(blocks, key=lambda b: b.id)
    contents = ledger.database.contents
    for block in blocks:
        mine = contents.decided[block.id][a.me]
        others_say = Decision.sign(
            ledger=ledger.id,
            sequence=1,
            block_id=block.id,
            verdict=Verdict.VALID,
            previous=None,
            timestamp="1.000000",
            key=others[0].key,
        )
        contents.decided[block.id][others[0].me] = replace(mine, node=others[0].me, text=others_say.text)
    receipt = a.queries.receipt(asset.id)
    assert receipt["block"] == home.header.to_dict()
    assert verify_receipt(receipt, ledger.federation, "majority") == asset.id


def test_an_index_that_lies_about_blocks_gives_no_receipt(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    other = ledger.create(BOB)
    ledger.write(other)
    ledger.database.contents.standing_in[other.id] = {(ledger.home(asset).key, other.hash): None}
    with pytest.raises(TransactionDoesNotExist, match=f"does not hold {other.id}"):
        ledger.first.queries.receipt(other.id)
