"""What subscribers are told: each transaction once, in the order of this node's decisions, when it can be found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigchaindb.exceptions import StorageMismatch
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.node import events
from bigchaindb.node.events import EventLog, Told
from bigchaindb.node.view import settled_register
from bigchaindb.storage.records import DecisionRow, Sighting, StoredBlock
from tests.consensus.views import garbled
from tests.ledgers import Ledger, key, public, ref

if TYPE_CHECKING:
    from bigchaindb.crypto import SigningKey
    from bigchaindb.model.block import Block
    from bigchaindb.model.transaction import Transaction
    from bigchaindb.node.events import Section

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def log_of(ledger: Ledger) -> EventLog:
    return EventLog(ledger.first.node)


def everything(log: EventLog, after: int = 0) -> list[Told]:
    """All that is told behind a decision, read section by section."""
    found: list[Told] = []
    settled = log.settled()
    while (section := log.read(after, settled)).until > after:
        found += section.told
        after = section.until
    return found


def told_ids(log: EventLog, after: int = 0) -> list[str]:
    return [txid for told in everything(log, after) for txid in told.transactions]


def seen(ledger: Ledger, *transactions: Transaction) -> Block:
    """A block that the first member has noted as checked."""
    block = ledger.put_block(*transactions)
    member = ledger.first
    member.storage.sight(member.me, [Sighting(block.key, block.id, ledger.clock.now, checked=True)])
    return block


def decide(ledger: Ledger, block: Block, *, signer: str = "", is_valid: bool = True, settles: bool = True) -> None:
    """Put a decision of the first member's into its log, as no voter would."""
    member = ledger.first
    sequence = log_of(ledger).decided() + 1
    decision = Decision.sign(
        ledger=ledger.id,
        sequence=sequence,
        block_id=block.id,
        verdict=Verdict.VALID if is_valid else Verdict.INVALID,
        previous=None,
        timestamp=block.header.timestamp,
        key=key(signer) if signer else member.key,
    )
    row = DecisionRow(member.me, sequence, block.id, is_valid, decision.text, sequence, block.header.timestamp)
    member.storage.append_decisions([row])
    if settles:
        settle(ledger, sequence)


def settle(ledger: Ledger, sequence: int) -> None:
    name = settled_register(ledger.first.me)
    storage = ledger.first.storage
    assert storage.swap_register(name, storage.registers([name]).get(name), str(sequence))


# --- the log -----------------------------------------------------------------------------------------------


def test_transactions_are_told_in_the_order_of_their_block_with_their_assets(ledger: Ledger) -> None:
    boat, car = ledger.create(ALICE, {"kind": "boat"}), ledger.create(ALICE, {"kind": "car"})
    ledger.write(boat, car)
    ledger.run()
    both = ledger.settle(ledger.transfer([ref(car), ref(boat)], ALICE, BOB))
    first, second = everything(log_of(ledger))
    home = ledger.home(boat)
    contents = {boat.hash: boat.id, car.hash: car.id}
    assert first == Told(
        sequence=1,
        block_id=home.id,
        transactions=tuple(contents[text_hash] for text_hash in home.transactions),
        assets=tuple(contents[text_hash] for text_hash in home.transactions),
        hashes=home.transactions,
    )
    assert second == Told(2, ledger.home(both).id, (both.id,), (car.id,), (both.hash,))


def test_what_is_invalid_is_not_told(ledger: Ledger) -> None:
    ledger.put_block(garbled(ledger.create(ALICE)))
    ledger.run()
    good = ledger.settle(ledger.create(BOB))
    log = log_of(ledger)
    assert (log.decided(), log.settled()) == (2, 2)
    assert [told.sequence for told in everything(log)] == [2]
    assert told_ids(log) == [good.id]


def test_a_ledger_without_decisions_tells_nothing(ledger: Ledger) -> None:
    log = log_of(ledger)
    assert (log.decided(), log.settled(), log.one(0), log.one(1)) == (0, 0, None, None)
    section = log.read(0, 0)
    assert (section.told, section.until, section.is_full) == ((), 0, False)


def test_one_decision_can_be_asked_for(ledger: Ledger) -> None:
    one, other = ledger.settle(ledger.create(ALICE)), ledger.settle(ledger.create(BOB))
    log = log_of(ledger)
    assert [told.transactions if told else None for told in map(log.one, (0, 1, 2, 3))] == [
        None,
        (one.id,),
        (other.id,),
        None,
    ]


def test_nothing_is_told_before_it_can_be_found(ledger: Ledger) -> None:
    """A node that dies between its decision and what follows from it settles that when it starts again."""
    asset = ledger.settle(ledger.create(ALICE))
    settle(ledger, 0)
    log = log_of(ledger)
    assert (log.decided(), log.settled(), told_ids(log), log.one(1)) == (1, 0, [], None)
    ledger.first.start()
    assert told_ids(log) == [asset.id]


def test_a_transaction_in_two_valid_blocks_is_told_once_with_the_first(ledger: Ledger) -> None:
    asset, other = ledger.settle(ledger.create(ALICE)), ledger.create(BOB)
    again = seen(ledger, other, asset)
    decide(ledger, again)
    log = log_of(ledger)
    assert [(told.sequence, told.transactions) for told in everything(log)] == [(1, (asset.id,)), (2, (other.id,))]
    assert [told.hashes for told in everything(log, 1)] == [(other.hash,)]


def test_a_transaction_whose_other_block_is_invalid_or_undecided_is_told(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    refused, undecided, valid = (seen(ledger, asset, ledger.create(BOB, {"turn": turn})) for turn in range(3))
    decide(ledger, refused, is_valid=False)
    decide(ledger, valid)
    assert asset.id in told_ids(log_of(ledger))
    assert undecided.id not in {told.block_id for told in everything(log_of(ledger))}


def test_a_log_is_told_the_same_in_whatever_sections_it_is_read() -> None:
    ledger = Ledger()
    made = [ledger.settle(ledger.create(ALICE, {"number": number})) for number in range(70)]
    log = log_of(ledger)
    sections: list[Section] = []
    after = 0
    while not sections or sections[-1].is_full:
        sections.append(log.read(after, log.settled()))
        after = sections[-1].until
    assert len(sections) > 1
    assert [txid for section in sections for told in section.told for txid in told.transactions] == [t.id for t in made]
    for start in (0, 1, 33, 64, 69, 70):
        assert told_ids(log, start) == [t.id for t in made[start:]]


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=8), most=st.integers(1, 7))
def test_a_section_holds_as_much_as_it_may_and_at_least_one_decision(sizes: list[int], most: int) -> None:
    ledger = Ledger()
    for turn, size in enumerate(sizes):
        ledger.write(*[ledger.create(ALICE, {"turn": turn, "number": number}) for number in range(size)])
        ledger.run()
    log = log_of(ledger)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(events, "_TRANSACTIONS", most)
        after = 0
        while after < log.settled():
            section = log.read(after, log.settled())
            counts = [len(told.transactions) for told in section.told]
            assert counts
            assert sum(counts[:-1]) < most
            assert section.is_full == (section.until < log.settled())
            after = section.until


# --- what storage may not do -------------------------------------------------------------------------------


def test_a_decision_that_this_node_has_not_signed_is_not_told(ledger: Ledger) -> None:
    decide(ledger, seen(ledger, ledger.create(ALICE)), signer="mallory")
    with pytest.raises(StorageMismatch, match="decision 1 in storage is not this node's"):
        everything(log_of(ledger))


def test_what_is_no_decision_is_not_told(ledger: Ledger) -> None:
    ledger.settle(ledger.create(ALICE))
    rows = ledger.database.contents.decisions[ledger.first.me]
    rows[1] = replace(rows[1], text="junk")
    with pytest.raises(StorageMismatch, match="decision 1"):
        everything(log_of(ledger))


def test_a_transaction_that_is_gone_and_was_never_settled_is_missed(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    decide(ledger, seen(ledger, asset))
    assert told_ids(log_of(ledger)) == [asset.id]
    del ledger.database.contents.texts[asset.id]
    with pytest.raises(StorageMismatch, match=f"transaction {asset.id}, decided valid, is gone"):
        everything(log_of(ledger))


def test_a_decision_about_another_block_is_not_told(ledger: Ledger) -> None:
    ledger.settle(ledger.create(ALICE))
    other = seen(ledger, ledger.create(BOB))
    rows = ledger.database.contents.decisions[ledger.first.me]
    rows[1] = replace(rows[1], block_id=other.id)
    with pytest.raises(StorageMismatch, match="decision 1"):
        everything(log_of(ledger))


def test_a_block_that_is_gone_is_missed(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    del ledger.database.contents.blocks[ledger.home(asset).key]
    with pytest.raises(StorageMismatch, match="which this node decided valid, is gone"):
        everything(log_of(ledger))


def test_a_block_forged_under_the_id_of_another_is_seen_through(ledger: Ledger) -> None:
    asset, junk = ledger.settle(ledger.create(ALICE)), ledger.create(BOB)
    forged = StoredBlock("0" * 64, ledger.home(asset).id, "junk", (junk.hash,), (junk.id,))
    ledger.first.storage.write_block(forged)
    assert told_ids(log_of(ledger)) == [asset.id]


def test_a_note_of_what_is_settled_that_was_changed_is_noticed(ledger: Ledger) -> None:
    name = settled_register(ledger.first.me)
    ledger.first.storage.swap_register(name, ledger.first.storage.registers([name]).get(name), "junk")
    with pytest.raises(StorageMismatch, match=r"settled/.* holds no number"):
        log_of(ledger).settled()


# --- whom and what it is about -----------------------------------------------------------------------------


def test_a_decision_is_about_who_gives_and_who_takes_and_about_what(ledger: Ledger) -> None:
    boat, car = ledger.create(ALICE, {"kind": "boat"}), ledger.create([BOB, CAROL], {"kind": "car"})
    ledger.settle(boat, car)
    mine = ledger.transfer(ref(boat), ALICE, BOB)
    yours = ledger.transfer(ref(car), [BOB, CAROL], ALICE)
    ledger.write(mine, yours)
    ledger.run()
    log = log_of(ledger)
    last = everything(log)[-1]
    parties = log.parties(last)
    at = {txid: index for index, txid in enumerate(last.transactions)}
    both = tuple(sorted(at.values()))
    assert parties.by_key == {name(ALICE): both, name(BOB): both, name(CAROL): (at[yours.id],)}
    assert parties.by_asset == {boat.id: (at[mine.id],), car.id: (at[yours.id],)}


def test_who_makes_an_asset_neither_gives_nor_takes(ledger: Ledger) -> None:
    ledger.settle(ledger.create(ALICE))
    log = log_of(ledger)
    assert set(log.parties(everything(log)[0]).by_key) == {name(ALICE)}


def test_a_transaction_of_several_assets_is_about_each(ledger: Ledger) -> None:
    boat, car = ledger.create(ALICE, {"kind": "boat"}), ledger.create(ALICE, {"kind": "car"})
    ledger.settle(boat, car)
    ledger.settle(ledger.transfer([ref(car), ref(boat)], ALICE, BOB))
    log = log_of(ledger)
    assert log.parties(everything(log)[-1]).by_asset == {boat.id: (0,), car.id: (0,)}


def test_a_text_that_is_gone_is_missed(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    log = log_of(ledger)
    (told,) = everything(log)
    del ledger.database.contents.transactions[asset.hash]
    with pytest.raises(StorageMismatch, match=f"transaction text {asset.hash}, decided valid, is gone"):
        log.parties(told)


def test_many_transactions_are_read_a_few_at_a_time(ledger: Ledger) -> None:
    made = [ledger.create(ALICE, {"number": number}) for number in range(120)]
    ledger.write(*made)
    ledger.run()
    gifts = [ledger.transfer(ref(asset), ALICE, BOB) for asset in made]
    ledger.write(*gifts)
    ledger.run()
    log = log_of(ledger)
    for told in everything(log):
        parties = log.parties(told)
        assert parties.by_key[name(ALICE)] == tuple(range(len(told.transactions)))
        assert all(parties.by_asset[asset] == (index,) for index, asset in enumerate(told.assets))


def name(owner: SigningKey) -> str:
    return public(owner)[0]
