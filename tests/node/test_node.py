"""A member of a ledger: what it opens, what it takes in, and what is stored then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bigchaindb.exceptions import DoubleSpend, FederationMismatch, InvalidSignature, JournalError, LedgerError
from bigchaindb.model.genesis import Genesis, Quorum
from bigchaindb.node.node import Node, create_ledger, stored_block
from bigchaindb.node.queries import Status
from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage
from bigchaindb.storage.records import DecisionRow, NewTransaction
from tests.consensus.views import garbled
from tests.ledgers import NOW, Clock, Ledger, key, public, ref

if TYPE_CHECKING:
    from collections.abc import Sequence

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")
NODE = key("node 0")
ME = public(NODE)[0]


def opened(
    database: MemoryDatabase,
    *,
    federation: Sequence[str] = (ME,),
    earlier: Sequence[Sequence[str]] = (),
    quorum: Quorum = Quorum.MAJORITY,
) -> Node:
    return Node(
        MemoryStorage(database),
        NODE,
        federation=federation,
        earlier_federations=earlier,
        quorum=quorum,
        clock=Clock(),
    )


def begun(database: MemoryDatabase, federation: Sequence[str] = (ME,), name: str = "test") -> Genesis:
    return create_ledger(MemoryStorage(database), NODE, federation, Quorum.MAJORITY, name=name, clock=Clock())


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


# --- beginning and opening ---------------------------------------------------------------------------------


def test_a_ledger_begins_once_and_whoever_comes_second_finds_it(database: MemoryDatabase) -> None:
    first = begun(database, name="first")
    assert begun(database, name="second") == first
    node = opened(database)
    assert node.genesis == first
    assert node.ledger == first.block.id
    assert node.me == ME
    assert node.federation == (ME,)


def test_a_database_without_a_ledger_says_how_to_begin(database: MemoryDatabase) -> None:
    with pytest.raises(LedgerError, match="holds no ledger yet: run `bigchaindb init`"):
        opened(database)


def test_another_federation_than_the_ledgers_is_refused(database: MemoryDatabase) -> None:
    begun(database)
    with pytest.raises(
        FederationMismatch, match=rf"keyring: this node's federation is .*; the ledger's is {ME} .*keyring adopt"
    ) as caught:
        opened(database, federation=[ME, *public(ALICE)])
    assert caught.value.field == "keyring"


def test_another_rule_than_the_ledgers_is_refused(database: MemoryDatabase) -> None:
    begun(database)
    with pytest.raises(
        FederationMismatch, match="configured for two-thirds, the ledger was created under majority"
    ) as caught:
        opened(database, quorum=Quorum.TWO_THIRDS)
    assert caught.value.field == "election.quorum"


def test_the_first_of_several_federations_is_the_ledgers(database: MemoryDatabase) -> None:
    begun(database)
    grown = [ME, *public(ALICE)]
    node = opened(database, federation=grown, earlier=[[ME]])
    assert node.federation == tuple(sorted(grown))
    with pytest.raises(FederationMismatch):
        opened(database, federation=[ME, *public([ALICE, BOB])], earlier=[grown])


@pytest.mark.parametrize("damage", ["no transaction", "a forged transaction", "a forged block", "unsigned"])
def test_what_is_no_beginning_is_not_opened(database: MemoryDatabase, damage: str) -> None:
    genesis = begun(database)
    transactions = database.contents.transactions
    text_hash = genesis.transaction.hash
    assert database.contents.genesis is not None
    if damage == "no transaction":
        del transactions[text_hash]
    elif damage == "a forged transaction":
        transactions[text_hash] = replace(transactions[text_hash], text="{}")
    elif damage == "a forged block":
        database.contents.genesis = replace(database.contents.genesis, text="{}")
    else:
        forged = garbled(genesis.transaction)
        block = genesis.block.build(
            [forged], ledger=None, voters=[ME], timestamp=genesis.block.header.timestamp, key=NODE
        )
        transactions[forged.hash] = replace(transactions[text_hash], hash=forged.hash, text=forged.text)
        database.contents.genesis = stored_block(block, [forged.id])
    with pytest.raises(LedgerError, match="the genesis block in storage"):
        opened(database)


# --- taking in ---------------------------------------------------------------------------------------------


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def backlog(ledger: Ledger) -> list[str]:
    return [entry.text.id for entry in ledger.first.storage.backlog(None, 100)]


def test_what_is_written_waits(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    assert ledger.first.node.write([asset]) == [None]
    (entry,) = ledger.first.storage.backlog(None, 10)
    assert entry.text == (asset.hash, asset.id)
    assert ledger.first.storage.contents([entry.text])[asset.hash].text == asset.text
    assert entry.received_at == NOW
    assert ledger.statuses(asset) == [Status.BACKLOG]


def test_of_several_those_that_are_sound_are_stored_and_of_the_others_it_is_said_why(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    spend, rival = ledger.create(BOB), garbled(ledger.create(CAROL))
    answers = ledger.first.node.write([asset, rival, spend])
    assert [type(answer) for answer in answers] == [type(None), InvalidSignature, type(None)]
    assert backlog(ledger) == [asset.id, spend.id]


def test_nothing_is_stored_where_nothing_is_sound(ledger: Ledger) -> None:
    before = ledger.database.changes
    ledger.first.node.write([garbled(ledger.create(ALICE))])
    ledger.first.node.write([])
    assert ledger.database.changes == before


def test_validating_stores_nothing_and_says_the_same(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    good, rival = ledger.transfer(ref(asset), ALICE, BOB), ledger.transfer(ref(asset), ALICE, CAROL)
    before = ledger.database.changes
    answers = ledger.first.node.validate([good, rival])
    assert [type(answer) for answer in answers] == [type(None), DoubleSpend]
    assert ledger.database.changes == before
    ledger.write(good)
    with pytest.raises(DoubleSpend, match="was already spent"):
        ledger.write(rival)


def test_writing_twice_is_harmless(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    ledger.write(asset)
    ledger.write(asset, asset)
    assert backlog(ledger) == [asset.id]
    ledger.run()
    ledger.write(asset)
    ledger.run()
    assert ledger.statuses(asset) == [Status.VALID]


def test_what_was_verified_is_marked_for_the_nodes_other_processes(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    ledger.write(asset)
    (entry,) = ledger.first.storage.backlog(None, 10)
    ledger.first.open()
    ledger.first.node.view.read(ledger.first.storage.contents([entry.text])[asset.hash])
    assert ledger.first.node.view.is_verified(asset)


def test_what_is_valid_already_is_accepted_again_and_stored_no_more(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    spend = ledger.settle(ledger.transfer(ref(asset), ALICE, BOB))
    appended = ledger.database.contents.appended
    for member in (ledger.first.start(), ledger.first):
        member.write(asset, spend)
    assert ledger.database.contents.appended == appended
    assert ledger.first.storage.backlog_size() == 0


# --- time --------------------------------------------------------------------------------------------------


def test_block_time_is_the_later_of_the_clock_and_the_newest_block_decided_valid(ledger: Ledger) -> None:
    node = ledger.first.node
    assert node.block_time() == node.newest_decided() == ledger.genesis.block.header.timestamp
    ledger.clock.now += 10
    assert node.block_time() == f"{NOW + 10:.6f}"
    assert node.newest_decided() == f"{NOW:.6f}"
    ledger.settle(ledger.create(ALICE))
    ledger.clock.now -= 5
    assert node.block_time() == node.newest_decided() == f"{NOW + 10:.6f}"


@pytest.mark.parametrize("count", [31, 40, 600])
def test_no_number_of_blocks_decided_invalid_turns_time_back(ledger: Ledger, count: int) -> None:
    """Any member can have blocks decided invalid."""
    ledger.clock.now += 10
    ledger.settle(ledger.create(ALICE))
    asset = ledger.create(ALICE, {"n": 1})
    for number in range(count):
        ledger.put_block(asset, at=f"{NOW - 1000 - number:.6f}")
    ledger.run()
    assert len(ledger.first.storage.decisions(ledger.first.me, 0, 1000)) == count + 1
    assert ledger.first.node.newest_decided() == f"{NOW + 10:.6f}"
    ledger.first.open()
    assert ledger.first.node.newest_decided() == f"{NOW + 10:.6f}"


def test_genesis_is_valid_for_every_node(ledger: Ledger) -> None:
    assert ledger.statuses(ledger.genesis.transaction) == [Status.VALID]


def test_stored_blocks_are_indexed_as_they_are(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    block = ledger.block(asset)
    kept = stored_block(block, [asset.id], b"tags")
    assert (kept.key, kept.id, kept.text, kept.tags) == (block.key, block.id, block.text, b"tags")
    assert (kept.transactions, kept.transaction_ids) == ((asset.hash,), (asset.id,))


def test_a_transaction_is_indexed_by_what_it_spends_when_new_and_by_what_it_carries_when_valid(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    spend = ledger.transfer(ref(asset), ALICE, BOB, {"to": "bob"})
    ledger.write(spend)
    assert ledger.first.storage.spenders([ref(asset)]) == {ref(asset): [spend.id]}
    assert spend.payload_hash is not None
    assert ledger.first.storage.with_payload_hash(spend.payload_hash, None, 9) == []
    ledger.run()
    assert [txid for _, txid in ledger.first.storage.with_payload_hash(spend.payload_hash, None, 9)] == [spend.id]
    assert NewTransaction("x", "y", "z").spends == ()


# --- what others may write into storage --------------------------------------------------------------------


def test_a_decision_that_is_not_this_nodes_tells_no_time_and_stops_it() -> None:
    ledger = Ledger()
    member = ledger.first
    ledger.settle(ledger.create(ALICE))
    forged = DecisionRow(
        node=member.me,
        sequence=10**6,
        block_id="ab" * 32,
        verdict=True,
        text="not even JSON",
        valid_transactions=0,
        newest_time="9999999999.000000",
    )
    member.storage.append_decisions([forged])
    with pytest.raises(JournalError, match="decision 1000000 in storage"):
        member.node.newest_decided()


def test_the_newest_time_is_read_from_signed_headers() -> None:
    ledger = Ledger()
    member = ledger.first
    asset = ledger.create(ALICE)
    ledger.settle(asset)
    home = ledger.home(asset)
    assert member.node.newest_decided() == home.header.timestamp


def test_an_index_that_was_changed_lets_no_rival_in() -> None:
    """The verdict beside a block is an index: only the signed decision says how the block was decided."""
    ledger = Ledger()
    member = ledger.first
    asset = ledger.create(ALICE)
    ledger.settle(asset)
    spend, rival = (ledger.transfer(ref(asset), ALICE, owner) for owner in (BOB, CAROL))
    ledger.settle(spend)
    home = ledger.home(spend)
    noted = member.storage.sightings(member.me, [home.key])[home.key]
    ledger.database.contents.sightings[member.me][home.key] = replace(noted, verdict=False)
    member.start()
    with pytest.raises(DoubleSpend):
        member.write(rival)
    assert member.status(spend) == Status.VALID
