"""What a node answers about transactions, outputs and blocks, also where shared storage holds junk."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING

import pytest

from bigchaindb import cryptoconditions as cc
from bigchaindb import verify_receipt
from bigchaindb.crypto import hash_data
from bigchaindb.exceptions import OperationError, ReceiptNotReady, TransactionDoesNotExist, TransactionTimeout
from bigchaindb.model.building import create_transaction
from bigchaindb.model.rejection import Rejection
from bigchaindb.model.transaction import Transaction
from bigchaindb.node import queries
from bigchaindb.node.queries import Status
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import NewTransaction, RejectionRow, StoredBlock, VoteRow
from tests.ledgers import Ledger, key, lock_with, public, ref, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.crypto import SigningKey
    from bigchaindb.node.queries import Queries
    from bigchaindb.storage.records import Standing

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")
UNKNOWN = "0" * 64
HANG_SECONDS = 30.0


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def asked(ledger: Ledger) -> Queries:
    return ledger.first.queries


def junk(txid: str, text: str = "junk") -> NewTransaction:
    """What somebody stored under the id of a transaction."""
    return NewTransaction(hash_data(text), txid, text)


def either(ledger: Ledger) -> Transaction:
    """An asset that alice or bob may give away alone, so that there can be two signed texts of one transaction."""
    lock = cc.ThresholdSha256Fulfillment(1)
    for owner in public([ALICE, BOB]):
        lock.add_subfulfillment(cc.Ed25519Fulfillment(owner))
    unsigned = create_transaction(
        public(ledger.first.key), public([ALICE, BOB]), [], "CREATE", timestamp=ledger.clock.timestamp
    )
    condition = {"uri": lock.condition_uri, "details": lock.to_json()}
    return ledger.settle(ledger.sign(lock_with(unsigned, condition), ledger.first.key))


def both_texts(ledger: Ledger, asset: Transaction) -> tuple[Transaction, Transaction]:
    unsigned = create_transaction(
        public([ALICE, BOB]), public(CAROL), [ref(asset)], "TRANSFER", timestamp=ledger.clock.timestamp
    )
    return ledger.sign(unsigned, ALICE), ledger.sign(unsigned, BOB)


# --- status ------------------------------------------------------------------------------------------------


def test_a_transaction_goes_from_unknown_over_backlog_and_undecided_to_valid() -> None:
    ledger = Ledger(nodes=3)
    asked = ledger.first.queries
    boat = ledger.create(ALICE)
    statuses = [asked.status(boat.id)]
    ledger.write(boat)
    statuses.append(asked.status(boat.id))
    for member in ledger.members[1:]:
        member.stop()
    ledger.run(seconds=120)  # until the first takes over, whoever it was assigned to
    statuses.append(asked.status(boat.id))
    ledger.members[1].start()
    ledger.run()
    statuses.append(asked.status(boat.id))
    assert statuses == [Status.UNKNOWN, Status.BACKLOG, Status.UNDECIDED, Status.VALID]
    assert Status.VALID == "valid"  # type: ignore[comparison-overlap]  # what users compare with


def test_what_can_never_become_valid_is_rejected_with_a_reason(ledger: Ledger, asked: Queries) -> None:
    boat = ledger.settle(ledger.create(ALICE))
    first, rival = ledger.transfer(ref(boat), ALICE, BOB), ledger.transfer(ref(boat), ALICE, CAROL)
    ledger.settle(first)
    MemoryStorage(ledger.database).append_backlog([row(rival)], ledger.clock.now)
    ledger.run(seconds=10)
    assert asked.status(rival.id) is Status.REJECTED
    rejection = asked.rejection(rival.id)
    assert rejection is not None
    assert first.id in rejection.reason
    assert asked.rejection(first.id) is None


def test_a_rejection_counts_when_it_is_this_nodes_or_a_quorums() -> None:
    ledger = Ledger(nodes=3, start=False)
    boat = ledger.create(ALICE)
    asked = ledger.first.queries

    def reject(by: SigningKey, ledger_id: str = ledger.id) -> None:
        me = str(by.verifying_key)
        rejection = Rejection.sign(
            ledger=ledger_id,
            transaction_id=boat.id,
            transaction_hash=boat.hash,
            reason=f"says {me}",
            evidence=None,
            timestamp=ledger.clock.timestamp,
            key=by,
        )
        ledger.first.storage.reject([RejectionRow(boat.hash, boat.id, me, rejection.text)])

    ledger.first.storage.reject([RejectionRow(boat.hash, boat.id, "somebody", "junk")])
    reject(ledger.members[0].key, ledger_id=UNKNOWN)
    reject(ledger.members[1].key)
    reject(CAROL)
    assert asked.status(boat.id) is Status.UNKNOWN
    reject(ledger.members[2].key)
    assert asked.status(boat.id) is Status.REJECTED
    for member in ledger.members[1:]:
        rejection = member.queries.rejection(boat.id)
        assert rejection is not None
        assert rejection.reason == f"says {member.me}"


# --- transactions ------------------------------------------------------------------------------------------


def test_a_transaction_is_found_whatever_its_status(ledger: Ledger, asked: Queries) -> None:
    boat = ledger.create(ALICE)
    assert asked.transaction(boat.id) is None
    ledger.write(boat)
    waiting = asked.transaction(boat.id)
    ledger.run()
    valid = asked.transaction(boat.id)
    assert waiting is not None
    assert valid is not None
    assert waiting.text == valid.text == boat.text


def test_what_was_rejected_is_still_found(ledger: Ledger, asked: Queries) -> None:
    boat = ledger.create(ALICE)
    storage = MemoryStorage(ledger.database)
    storage.append_backlog([row(boat)], ledger.clock.now)
    storage.drop_backlog(hashes=[boat.hash])
    found = asked.transaction(boat.id)
    assert found is not None
    assert found.text == boat.text


def test_of_two_signed_texts_the_one_that_came_further_is_shown(ledger: Ledger, asked: Queries) -> None:
    one, other = both_texts(ledger, either(ledger))
    assert one.id == other.id
    assert one.hash != other.hash
    ledger.settle(other)
    MemoryStorage(ledger.database).append_backlog([row(one)], ledger.clock.now)
    found = asked.transaction(one.id)
    assert found is not None
    assert found.hash == other.hash


def test_junk_under_an_id_hides_no_transaction(ledger: Ledger, asked: Queries) -> None:
    boat, other = ledger.create(ALICE), ledger.create(BOB)
    storage = MemoryStorage(ledger.database)
    storage.append_backlog([junk(boat.id), dataclasses.replace(row(other), id=boat.id)], ledger.clock.now)
    assert asked.transaction(boat.id) is None
    storage.append_backlog([row(boat)], ledger.clock.now)
    found = asked.transaction(boat.id)
    assert found is not None
    assert found.text == boat.text


def test_transactions_are_found_by_their_payload(
    ledger: Ledger, asked: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_PAGE", 2)
    boats = [ledger.settle(ledger.create(owner, {"kind": "boat"})) for owner in (ALICE, BOB, CAROL, ALICE, BOB)]
    ledger.settle(ledger.create(ALICE, {"kind": "car"}))
    ledger.write(ledger.create(ALICE, {"kind": "boat", "not": "built"}))
    ledger.write(waiting := ledger.transfer(ref(boats[0]), ALICE, BOB, {"kind": "boat"}))
    payload_hash = boats[0].payload_hash
    assert payload_hash is not None
    assert waiting.payload_hash == payload_hash
    assert [t.id for t in asked.with_payload_hash(payload_hash)] == list(dict.fromkeys(b.id for b in boats))
    assert asked.with_payload_hash(UNKNOWN) == []


# --- waiting -----------------------------------------------------------------------------------------------


def test_waiting_ends_when_the_transaction_is_decided(ledger: Ledger, asked: Queries) -> None:
    boat = ledger.create(ALICE)
    ledger.write(boat)
    worker = threading.Thread(target=ledger.run)
    worker.start()
    assert asked.wait(boat.id, HANG_SECONDS) is Status.VALID
    worker.join(HANG_SECONDS)
    assert asked.wait(boat.id, 0.0) is Status.VALID


def test_waiting_ends_with_the_time(ledger: Ledger, asked: Queries) -> None:
    boat = ledger.create(ALICE)
    ledger.write(boat)
    with pytest.raises(TransactionTimeout, match=f"{boat.id} is backlog after 0.05 s"):
        asked.wait(boat.id, 0.05)


# --- outputs -----------------------------------------------------------------------------------------------


def test_unspent_is_what_is_valid_and_neither_spent_nor_about_to_be(
    ledger: Ledger, asked: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_PAGE", 2)
    assets = [ledger.settle(ledger.create(ALICE, {"number": i})) for i in range(5)]
    ledger.settle(ledger.transfer(ref(assets[0]), ALICE, BOB))
    ledger.write(ledger.transfer(ref(assets[1]), ALICE, BOB))
    ledger.write(ledger.create(ALICE, {"number": 5}))
    owner = public(ALICE)[0]
    assert asked.unspent(owner) == [ref(asset) for asset in assets[2:]]
    assert asked.unspent(public(CAROL)[0]) == []


def test_a_spender_is_the_valid_one_or_one_on_its_way(ledger: Ledger, asked: Queries) -> None:
    boat = ledger.settle(ledger.create(ALICE))
    assert asked.spender(ref(boat)) is None
    first, rival = ledger.transfer(ref(boat), ALICE, BOB), ledger.transfer(ref(boat), ALICE, CAROL)
    ledger.write(first)
    assert asked.spender(ref(boat)) == first.id
    MemoryStorage(ledger.database).append_backlog([row(rival)], ledger.clock.now)
    ledger.run(seconds=10)
    valid = next(t for t in (first, rival) if asked.status(t.id) is Status.VALID)
    assert asked.spender(ref(boat)) == valid.id


def test_what_was_rejected_spends_nothing(ledger: Ledger, asked: Queries) -> None:
    boat = ledger.settle(ledger.create(ALICE))
    forged = ledger.transfer(ref(boat), ALICE, BOB).to_dict()
    forged["transaction"]["fulfillments"][0]["fulfillment"] = None
    storage = MemoryStorage(ledger.database)
    storage.append_backlog([row(Transaction.from_dict(forged))], ledger.clock.now)
    assert asked.spender(ref(boat)) is not None
    ledger.run(seconds=10)
    assert asked.spender(ref(boat)) is None
    assert asked.unspent(public(ALICE)[0]) == [ref(boat)]


def test_the_history_of_an_asset_goes_from_its_create_to_its_last_valid_transfer(
    ledger: Ledger, asked: Queries
) -> None:
    boat = ledger.settle(ledger.create(ALICE))
    second = ledger.settle(ledger.transfer(ref(boat), ALICE, BOB))
    third = ledger.settle(ledger.transfer(ref(second), BOB, CAROL))
    ledger.write(waiting := ledger.transfer(ref(third), CAROL, ALICE))
    for each in (boat, second, third):
        assert [t.id for t in asked.history(each.id)] == [boat.id, second.id, third.id]
    for other in (waiting.id, UNKNOWN):
        with pytest.raises(TransactionDoesNotExist, match=other):
            asked.history(other)


def test_assets_that_meet_and_part_have_the_history_of_each_in_order(ledger: Ledger, asked: Queries) -> None:
    boat, car = (ledger.settle(ledger.create(ALICE, {"number": i})) for i in range(2))
    both = ledger.settle(ledger.transfer([ref(boat), ref(car)], ALICE, ALICE))
    car_alone = ledger.settle(ledger.transfer(ref(both, 1), ALICE, ALICE))
    again = ledger.settle(ledger.transfer([ref(both), ref(car_alone)], ALICE, BOB))
    sold = ledger.settle(ledger.transfer(ref(again, 1), BOB, CAROL))
    for start in (both, again):
        found = [t.id for t in asked.history(start.id)]
        assert found == [boat.id, car.id, both.id, car_alone.id, again.id, sold.id]
    assert [t.id for t in asked.history(sold.id)] == [car.id, both.id, car_alone.id, again.id, sold.id]
    assert [t.id for t in asked.history(boat.id)] == [boat.id, both.id, again.id]


# --- blocks ------------------------------------------------------------------------------------------------


def test_a_block_comes_with_its_verdict_and_contents(ledger: Ledger, asked: Queries) -> None:
    boat = ledger.settle(ledger.create(ALICE))
    block = ledger.home(boat)
    view = asked.block(block.id)
    assert view is not None
    assert view.block == block
    assert view.verdict is True
    assert view.contents is not None
    assert [t.text for t in view.contents] == [boat.text]
    assert asked.block(UNKNOWN) is None


@pytest.mark.parametrize("start", [True, False])
def test_junk_under_the_id_of_a_block_is_passed_over(start: bool) -> None:
    ledger = Ledger(start=start)
    boat = ledger.create(ALICE)
    block, other = ledger.block(boat), ledger.block(boat, at="1700000001.000000")
    storage = MemoryStorage(ledger.database)
    for text in ("junk", other.text, block.text.replace(block.signature, other.signature)):
        storage.write_block(StoredBlock(hash_data(text), block.id, text, (boat.hash,), (boat.id,)))
    assert ledger.first.queries.block(block.id) is None
    ledger.put(block, boat)
    ledger.run()
    view = ledger.first.queries.block(block.id)
    assert view is not None
    assert view.block == block
    assert view.verdict is (True if start else None)


def test_contents_that_do_not_add_up_to_the_root_are_not_shown() -> None:
    ledger = Ledger(start=False)
    boat = ledger.create(ALICE)
    block = ledger.block(boat)
    text = block.text
    MemoryStorage(ledger.database).write_block(StoredBlock(hash_data(text), block.id, text, (boat.hash,), (boat.id,)))
    view = ledger.first.queries.block(block.id)
    assert view is not None
    assert (view.contents, view.verdict) == (None, None)


def test_votes_are_well_signed_and_ordered() -> None:
    ledger = Ledger(nodes=3)
    boat = ledger.settle(ledger.create(ALICE))
    block = ledger.home(boat)
    storage = MemoryStorage(ledger.database)
    storage.place_votes([VoteRow(block.id, "junk", "junk")])
    voters = [vote.node for vote in ledger.first.queries.votes(block.id)]
    assert voters == sorted(voters)
    assert 2 <= len(voters) <= len(set(voters) & set(ledger.federation))
    assert ledger.first.queries.votes(UNKNOWN) == []


# --- receipts ----------------------------------------------------------------------------------------------


def test_a_receipt_proves_that_a_transaction_is_valid() -> None:
    ledger = Ledger(nodes=3)
    boat = ledger.settle(ledger.create(ALICE))
    receipt = ledger.members[1].queries.receipt(boat.id)
    assert verify_receipt(receipt, ledger.federation, "majority") == boat.id


def test_a_receipt_is_of_the_signed_text_that_stands_in_the_block(ledger: Ledger, asked: Queries) -> None:
    one, other = both_texts(ledger, either(ledger))
    ledger.settle(other)
    MemoryStorage(ledger.database).append_backlog([row(one)], ledger.clock.now)
    assert asked.receipt(one.id)["transaction"] == other.to_dict()


def test_what_is_not_valid_or_not_decided_by_anybody_has_no_receipt(ledger: Ledger, asked: Queries) -> None:
    boat = ledger.create(ALICE)
    ledger.write(boat)
    for txid in (boat.id, UNKNOWN):
        with pytest.raises(TransactionDoesNotExist, match=txid):
            asked.receipt(txid)
    with pytest.raises(OperationError, match="genesis"):
        asked.receipt(ledger.genesis.transaction.id)


def test_a_receipt_has_to_wait_for_a_quorum_of_records() -> None:
    ledger = Ledger(nodes=3)
    boat = ledger.settle(ledger.create(ALICE))
    block = ledger.home(boat)
    decided = ledger.database.contents.decided[block.id]
    others = [decided.pop(member.me) for member in ledger.members[1:]]
    with pytest.raises(ReceiptNotReady, match=block.id):
        ledger.first.queries.receipt(boat.id)
    decided[others[0].node] = others[0]
    assert ledger.first.queries.receipt(boat.id)


# --- where storage lies ------------------------------------------------------------------------------------


@pytest.fixture
def lying(ledger: Ledger) -> tuple[Ledger, Transaction, Transaction]:
    """Storage that says a transaction stands where another does; that other one, a TRANSFER of two, is valid."""
    boat = ledger.create(ALICE)
    assets = [ledger.settle(ledger.create(ALICE, {"number": i})) for i in range(2)]
    other = ledger.settle(ledger.transfer([ref(asset) for asset in assets], ALICE, BOB))
    (standing,) = MemoryStorage(ledger.database).standings(ledger.first.me, [other.id])[other.id]

    class Liar(MemoryStorage):
        def standings(self, node: str, ids: Sequence[str]) -> dict[str, list[Standing]]:
            return super().standings(node, ids) | {boat.id: [standing]}

    ledger.first.storage = Liar(ledger.database)
    ledger.first.open()
    return ledger, boat, other


def test_what_is_not_there_has_no_receipt_and_no_history(lying: tuple[Ledger, Transaction, Transaction]) -> None:
    ledger, boat, _ = lying
    for ask in (ledger.first.queries.receipt, ledger.first.queries.history):
        with pytest.raises(TransactionDoesNotExist, match=boat.id):
            ask(boat.id)


def test_what_stands_elsewhere_has_no_receipt(lying: tuple[Ledger, Transaction, Transaction]) -> None:
    ledger, boat, other = lying
    MemoryStorage(ledger.database).append_backlog([row(boat)], ledger.clock.now)
    with pytest.raises(TransactionDoesNotExist, match=f"{ledger.home(other).id} does not hold {boat.id}"):
        ledger.first.queries.receipt(boat.id)


def test_the_history_ends_where_storage_has_lost_it(ledger: Ledger, asked: Queries) -> None:
    boat = ledger.settle(ledger.create(ALICE))
    second = ledger.settle(ledger.transfer(ref(boat), ALICE, BOB))
    del ledger.database.contents.transactions[boat.hash]
    del ledger.database.contents.texts[boat.id]
    assert [t.id for t in asked.history(second.id)] == [second.id]
