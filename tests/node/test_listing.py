"""Lists in pages: complete, in order, and the same however they are cut and however the ledger grows meanwhile."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from bigchaindb.exceptions import InvalidValue
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.node import listing
from bigchaindb.node.effects import effects
from bigchaindb.node.listing import Holding, Listing, Page
from bigchaindb.node.node import stored_block
from bigchaindb.node.queries import Status
from bigchaindb.node.view import cursor_register
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import DecisionRow, Effects, Lineage, NewOutput, Sighting, StoredBlock, VoteRow
from tests.consensus.views import garbled
from tests.ledgers import Ledger, key, public, ref, row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bigchaindb.crypto import SigningKey
    from bigchaindb.model.transaction import Transaction

ALICE, BOB = key("alice"), key("bob")
PAYLOAD = {"kind": "boat"}
MANY = 7

Item = TypeVar("Item")
each_limit = pytest.mark.parametrize("limit", [1, 2, 3, 1000])


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture(autouse=True)
def _short_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a list of a few items already takes several reads."""
    monkeypatch.setattr(listing, "_LEAST_READ", 2)
    monkeypatch.setattr(listing, "_BLOCKS_AT_ONCE", 2)
    monkeypatch.setattr(listing, "TEXTS_AT_ONCE", 2)


def lists(ledger: Ledger) -> Listing:
    return Listing(ledger.first.node, ledger.first.queries)


def whole(read: Callable[[str | None], Page[Item]], limit: int = 1000) -> list[Item]:
    """All items, page by page."""
    items: list[Item] = []
    after: str | None = None
    while True:
        page = read(after)
        assert len(page.items) <= limit
        items += [item for _, item in page.items]
        if page.next is None:
            return items
        after = page.next


def creates(ledger: Ledger, count: int = MANY) -> list[Transaction]:
    """So many valid assets with one payload, each in a block of its own."""
    made = []
    for n in range(count):
        ledger.clock.now += 1 + n
        made.append(ledger.settle(ledger.create(ALICE, PAYLOAD)))
    return made


# --- payloads ----------------------------------------------------------------------------------------------


def payload_hash(transaction: Transaction) -> str:
    assert transaction.payload_hash
    return transaction.payload_hash


@each_limit
def test_transactions_are_found_by_what_they_carry_oldest_first(ledger: Ledger, limit: int) -> None:
    made = creates(ledger)
    ledger.settle(ledger.create(ALICE, {"kind": "car"}))
    waiting = ledger.create(BOB, PAYLOAD)
    ledger.write(waiting)
    found = whole(lambda after: lists(ledger).texts_with_payload(payload_hash(waiting), after, limit), limit)
    assert found == [t.text for t in made]


@pytest.mark.parametrize("most", [1, 2000, 5000])
def test_a_page_is_as_long_as_it_may_be(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(listing, "MAX_CHARACTERS", most)
    made = creates(ledger)
    page = lists(ledger).texts_with_payload(payload_hash(made[0]), None, 1000)
    texts = [text for _, text in page.items]
    assert len(texts) == 1 or sum(map(len, texts)) <= most
    assert len(texts) == MANY or sum(map(len, texts)) + len(made[len(texts)].text) > most
    found = whole(lambda after: lists(ledger).texts_with_payload(payload_hash(made[0]), after, 1000))
    assert found == [t.text for t in made]


def test_what_comes_later_is_behind_a_cursor(ledger: Ledger) -> None:
    first = creates(ledger, 2)
    page = lists(ledger).texts_with_payload(payload_hash(first[0]), None, 1)
    ledger.clock.now += 100
    later = ledger.settle(ledger.create(BOB, PAYLOAD))
    rest = whole(lambda after: lists(ledger).texts_with_payload(payload_hash(later), after or page.next, 1))
    assert rest == [first[1].text, later.text]


def test_an_item_has_the_cursor_from_which_the_list_goes_on_behind_it(ledger: Ledger) -> None:
    made = creates(ledger, 4)
    page = lists(ledger).texts_with_payload(payload_hash(made[0]), None, 1000)
    for place, (cursor, _) in enumerate(page.items):
        rest = whole(partial(_with_payload, ledger, made[0], cursor))
        assert rest == [t.text for t in made[place + 1 :]]


def _with_payload(ledger: Ledger, like: Transaction, start: str, after: str | None) -> Page[str]:
    return lists(ledger).texts_with_payload(payload_hash(like), after or start, 1000)


def test_an_index_that_lies_about_payloads_is_not_believed(ledger: Ledger) -> None:
    boat, car = ledger.create(ALICE, PAYLOAD), ledger.create(ALICE, {"kind": "car"})
    ledger.settle(car, boat)
    ledger.first.storage.settle(Effects((), (), ((payload_hash(boat), car.id),)))
    assert len(ledger.first.storage.with_payload_hash(payload_hash(boat), None, 9)) == 2
    assert whole(lambda after: lists(ledger).texts_with_payload(payload_hash(boat), after, 10)) == [boat.text]


@each_limit
def test_what_was_stored_early_and_decided_late_comes_late(ledger: Ledger, limit: int) -> None:
    early, late = (ledger.create(owner, PAYLOAD) for owner in (ALICE, BOB))
    ledger.write(early, late)
    ledger.put_block(late)
    while ledger.first.voter.step():
        pass
    assert ledger.statuses(early) == [Status.BACKLOG]

    def read(after: str | None) -> Page[str]:
        return lists(ledger).texts_with_payload(payload_hash(early), after, limit)

    (cursor, text), *more = read(None).items
    assert (text, more) == (late.text, [])
    ledger.run()
    assert whole(lambda after: read(after or cursor), limit) == [early.text]
    assert whole(read, limit) == [late.text, early.text]


def test_one_that_was_signed_in_several_ways_is_there_once(ledger: Ledger) -> None:
    boat = ledger.create(ALICE, PAYLOAD)
    ledger.first.storage.append_backlog([row(garbled(boat))], 0.0)
    ledger.settle(boat)
    assert [t for _, t in lists(ledger).texts_with_payload(payload_hash(boat), None, 10).items] == [boat.text]


# --- holdings ----------------------------------------------------------------------------------------------


def held(ledger: Ledger, owner: SigningKey, *, spent: bool | None, limit: int = 1000) -> list[Holding]:
    (name,) = public(owner)
    return whole(lambda after: lists(ledger).holdings(name, spent=spent, after=after, limit=limit), limit)


@each_limit
def test_an_owner_has_what_is_valid_and_unspent_oldest_first(ledger: Ledger, limit: int) -> None:
    made = creates(ledger)
    gone = ledger.settle(ledger.transfer(ref(made[2]), ALICE, BOB))
    on_its_way = ledger.transfer(ref(made[4]), ALICE, BOB)
    ledger.write(on_its_way, ledger.create(ALICE, {"not": "yet"}))
    spenders = {made[2].id: gone.id, made[4].id: on_its_way.id}
    everything = [Holding(ref(t), spenders.get(t.id)) for t in made]
    assert held(ledger, ALICE, spent=None, limit=limit) == everything
    assert held(ledger, ALICE, spent=False, limit=limit) == [h for h in everything if h.spent_by is None]
    assert held(ledger, ALICE, spent=True, limit=limit) == [everything[2]]
    assert held(ledger, BOB, spent=False, limit=limit) == [Holding(ref(gone), None)]


def test_many_that_are_on_their_way_out_do_not_hide_what_is_behind_them(ledger: Ledger) -> None:
    made = creates(ledger)
    for t in made[:-1]:
        ledger.write(ledger.transfer(ref(t), ALICE, BOB))
    (name,) = public(ALICE)
    page = lists(ledger).holdings(name, spent=False, after=None, limit=1)
    assert [item for _, item in page.items] == [Holding(ref(made[-1]), None)]


def test_what_is_rare_may_leave_a_page_empty_but_the_list_goes_on(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_MAX_READS", 1)
    made = creates(ledger)
    for t in made[:-1]:
        ledger.write(ledger.transfer(ref(t), ALICE, BOB))
    (name,) = public(ALICE)
    page = lists(ledger).holdings(name, spent=False, after=None, limit=1)
    assert page.items == ()
    assert page.next is not None
    assert held(ledger, ALICE, spent=False, limit=1) == [Holding(ref(made[-1]), None)]


def test_what_others_have_decided_and_this_node_not_is_not_had() -> None:
    ledger = Ledger(nodes=3)
    asset = ledger.create(ALICE)
    ledger.first.stop()
    ledger.settle(asset)
    assert held(ledger, ALICE, spent=None) == []
    ledger.first.start()
    ledger.run()
    assert held(ledger, ALICE, spent=None) == [Holding(OutputRef(asset.id, 0), None)]


@each_limit
def test_what_is_spent_is_listed_as_it_was_spent(ledger: Ledger, limit: int) -> None:
    made = creates(ledger, 4)
    spends = [ledger.settle(ledger.transfer(ref(made[n]), ALICE, BOB)) for n in (3, 1)]
    (name,) = public(ALICE)
    read = partial(lists(ledger).holdings, name, spent=True, limit=limit)
    gone = [Holding(ref(made[n]), spend.id) for n, spend in zip((3, 1), spends, strict=True)]
    assert whole(lambda after: read(after=after), limit) == gone
    last = read(after=None).items[-1][0]
    spends.append(ledger.settle(ledger.transfer(ref(made[0]), ALICE, BOB)))
    gone.append(Holding(ref(made[0]), spends[-1].id))
    assert whole(lambda after: read(after=after or last), limit) == gone[min(limit, 2) :]
    assert whole(lambda after: read(after=after), limit) == gone


# --- in step with other members ----------------------------------------------------------------------------


class Ahead:
    """Another member has found a transfer of Alice's valid, and this node a later one, but not yet the first."""

    def __init__(self) -> None:
        self.ledger = Ledger(3)
        made = creates(self.ledger, 2)
        self.first, self.second = (self.ledger.transfer(ref(t), ALICE, BOB, PAYLOAD) for t in made)
        self.member = self.ledger.first
        self.member.storage.settle(effects(self.member.node, [self.first]))
        self.ledger.settle(self.second)
        others = self.ledger.members[1:]
        for member in self.ledger.members:
            member.stop()
        self.block = self.ledger.block(self.first)
        self.stored = self.ledger.put(self.block, self.first)
        votes = [VoteRow(self.block.id, other.me, self.ledger.vote(self.block, other).text) for other in others]
        self.member.storage.place_votes(votes)

    def lists(self) -> list[list[Any]]:
        found = lists(self.ledger)
        alice, bob = public([ALICE, BOB])
        reads: list[Callable[[str | None], Page[Any]]] = [
            lambda after: found.texts_with_payload(payload_hash(self.first), after, 2),
            lambda after: found.holdings(alice, spent=True, after=after, limit=1),
            lambda after: found.holdings(bob, spent=None, after=after, limit=1),
            lambda after: found.holdings(bob, spent=False, after=after, limit=1),
        ]
        return [whole(read) for read in reads]


@pytest.mark.parametrize("is_noted", [False, True])
def test_a_list_ends_before_what_others_have_decided_and_this_node_not(*, is_noted: bool) -> None:
    ahead = Ahead()
    made = ahead.lists()[0]
    if is_noted:
        ahead.member.voter._noting.note_new(ahead.ledger.clock.now)
    assert [len(found) for found in ahead.lists()] == [2, 0, 0, 0]
    ahead.member.start()
    ahead.ledger.run()
    both = [ahead.first, ahead.second]
    held_now = [Holding(ref(t), None) for t in both]
    gone = [Holding(t.inputs[0], t.id) for t in both]
    assert ahead.lists() == [[*made, *(t.text for t in both)], gone, held_now, held_now]


def sight_all(ahead: Ahead) -> None:
    """Let the node have noted all, and have left the block aside."""
    storage, me = ahead.member.storage, ahead.member.me
    storage.sight(me, [Sighting(ahead.stored.key, ahead.block.id, ahead.ledger.clock.now, checked=False)])
    register = cursor_register(me)
    last = storage.blocks_after(None, 100)[-1][0]
    assert storage.swap_register(register, storage.registers([register])[register], last)


def test_a_list_ends_before_what_this_node_cannot_decide_yet() -> None:
    ahead = Ahead()
    sight_all(ahead)
    assert [len(found) for found in ahead.lists()] == [2, 0, 0, 0]


def test_what_is_decided_while_a_list_is_read_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = Ahead()
    valid = ahead.member.queries.valid

    def then_decide(ids: Sequence[str]) -> list[str]:
        found = valid(ids)
        if not ahead.member.is_running:
            ahead.member.start()
            ahead.ledger.run()
        return found

    queries = ahead.member.queries
    monkeypatch.setattr(queries, "valid", then_decide)
    (bob,) = public(BOB)
    found = Listing(ahead.member.node, queries)
    assert found.holdings(bob, spent=None, after=None, limit=1) == Page((), None)
    assert [item.ref for _, item in found.holdings(bob, spent=None, after=None, limit=1).items] == [ref(ahead.first)]


def test_junk_in_an_index_ends_no_list(ledger: Ledger) -> None:
    """What stands in no block, or in one that was decided invalid, never comes."""
    bad = garbled(ledger.create(ALICE, PAYLOAD))
    ledger.put_block(bad)
    ledger.run()
    nowhere = OutputRef("f" * 64, 0)
    for junk in (nowhere, ref(bad)):
        held_by = (NewOutput(junk, tuple(public(ALICE)), Lineage(junk.txid, 1)),)
        ledger.first.storage.settle(Effects(held_by, (), ((payload_hash(bad), junk.txid),)))
    made = ledger.settle(ledger.create(ALICE, PAYLOAD))
    assert held(ledger, ALICE, spent=False) == [Holding(ref(made), None)]
    assert whole(lambda after: lists(ledger).texts_with_payload(payload_hash(made), after, 10)) == [made.text]


def test_a_block_that_nobody_will_ever_decide_ends_no_list() -> None:
    """Any member may build one for the next century, or leave junk that names an id, and file what is in it."""
    ledger = Ledger(4)
    liar = ledger.members[-1]
    late = ledger.create(ALICE, PAYLOAD, by=liar)
    ledger.put(ledger.block(late, by=liar, at=format_timestamp(ledger.clock.now + 3e9)), late)
    liar.storage.settle(effects(liar.node, [late]))
    named = OutputRef("f" * 64, 0)
    held_by = (NewOutput(named, tuple(public(ALICE)), Lineage(named.txid, 1)),)
    liar.storage.settle(Effects(held_by, (), ((payload_hash(late), named.txid),)))
    liar.storage.write_block(StoredBlock("a" * 64, "b" * 64, "junk", ("c" * 64,), (named.txid,), b""))
    made = ledger.settle(ledger.create(ALICE, PAYLOAD))
    assert held(ledger, ALICE, spent=False) == [Holding(ref(made), None)]
    assert whole(lambda after: lists(ledger).texts_with_payload(payload_hash(made), after, 10)) == [made.text]


def test_a_list_ends_before_what_the_members_have_recorded_of_a_block_that_this_node_does_not_know() -> None:
    ahead = Ahead()
    contents = ahead.ledger.database.contents
    contents.votes.pop(ahead.block.id)
    contents.blocks[ahead.stored.key] = replace(ahead.stored, text="a block of a later release")
    sight_all(ahead)
    assert [len(found) for found in ahead.lists()] == [3, 1, 1, 1]
    for other in ahead.ledger.members[1:]:
        sequence = len(other.storage.decisions(other.me, 0, 1_000)) + 1
        decision = Decision.sign(
            ledger=other.node.ledger,
            sequence=sequence,
            block_id=ahead.block.id,
            verdict=Verdict.VALID,
            previous="1" * 64,
            timestamp=ahead.block.header.timestamp,
            key=other.key,
        )
        when = ahead.block.header.timestamp
        record = DecisionRow(
            other.me, sequence, ahead.block.id, verdict=True, text=decision.text, valid_transactions=1, newest_time=when
        )
        other.storage.append_decisions([record])
    assert [len(found) for found in ahead.lists()] == [2, 0, 0, 0]


# --- places that are not firm ------------------------------------------------------------------------------


class Slow(MemoryStorage):
    """Something may still be filed before the places of all that is held, but of the first."""

    firm = 2

    def is_firm(self, cursor: str) -> bool:
        return int(cursor) <= self.firm


@pytest.mark.parametrize(
    ("firm", "limit", "lengths"),
    [(9, 3, [3, 2]), (4, 3, [3, 2]), (3, 3, [2, 3]), (3, 5, [5]), (3, 1, [1] * 5), (3, 2, [2, 2, 1]), (1, 3, [3, 2])],
)
def test_a_page_ends_where_nothing_can_come_before_its_end(
    monkeypatch: pytest.MonkeyPatch, firm: int, limit: int, lengths: list[int]
) -> None:
    monkeypatch.setattr(listing, "_LEAST_READ", 100)
    monkeypatch.setattr(Slow, "firm", firm)
    ledger = Ledger(connect=Slow)
    made = creates(ledger, 5)
    (name,) = public(ALICE)
    pages: list[list[OutputRef]] = []
    after: str | None = None
    while not pages or after is not None:
        page = lists(ledger).holdings(name, spent=None, after=after, limit=limit)
        pages.append([holding.ref for _, holding in page.items])
        after = page.next
    assert [len(page) for page in pages] == lengths
    assert [found for page in pages for found in page] == [ref(t) for t in made]


def test_a_stranger_has_nothing(ledger: Ledger) -> None:
    assert held(ledger, key("stranger"), spent=None) == []


# --- blocks ------------------------------------------------------------------------------------------------


def block_ids(read: Callable[[str | None], Page[listing.BlockEntry]], limit: int = 1000) -> list[str]:
    return [entry.id for entry in whole(read, limit)]


@each_limit
def test_blocks_come_in_the_order_of_their_arrival_genesis_first(ledger: Ledger, limit: int) -> None:
    made = creates(ledger)
    entries = whole(lambda after: lists(ledger).blocks(after, limit), limit)
    assert [entry.id for entry in entries] == [ledger.id, *(ledger.home(t).id for t in made)]
    assert {entry.verdict for entry in entries} == {True}
    for entry in entries:
        assert entry.header.id == entry.id
        assert entry.header.is_signed(entry.signature)


@each_limit
def test_blocks_come_by_how_this_node_decided_them(ledger: Ledger, limit: int) -> None:
    made = creates(ledger, 3)
    bad = garbled(ledger.create(ALICE, {"bad": True}))
    invalid = ledger.put_block(bad)
    ledger.run()
    made += creates(ledger, 2)
    ledger.first.stop()
    open_ = [ledger.put_block(ledger.create(ALICE, {"n": n})) for n in range(3)]
    ledger.clock.now += 1
    ledger.first.voter._noting.note_new(ledger.clock.now)
    valid = [ledger.id, *(ledger.home(t).id for t in made)]

    def decided(*, verdict: bool) -> list[str]:
        return block_ids(lambda after: lists(ledger).decided_blocks(verdict=verdict, after=after, limit=limit), limit)

    assert decided(verdict=True) == valid
    assert decided(verdict=False) == [invalid.id]
    undecided = block_ids(lambda after: lists(ledger).undecided_blocks(after, limit), limit)
    assert sorted(undecided) == sorted(block.id for block in open_)


def test_what_is_decided_meanwhile_leaves_the_list_of_the_undecided_and_shifts_nothing(ledger: Ledger) -> None:
    ledger.first.stop()
    blocks = []
    for n in range(3):
        ledger.clock.now += 1
        blocks.append(ledger.put_block(ledger.create(ALICE, {"n": n})))
        ledger.first.voter._noting.note_new(ledger.clock.now)
    page = lists(ledger).undecided_blocks(None, 1)
    assert [entry.id for _, entry in page.items] == [blocks[0].id]
    ledger.first.start()
    ledger.run()
    ledger.first.stop()
    late = ledger.put_block(ledger.create(ALICE, {"late": True}))
    ledger.clock.now += 1
    ledger.first.voter._noting.note_new(ledger.clock.now)
    page = lists(ledger).undecided_blocks(page.next, 10)
    assert [entry.id for _, entry in page.items] == [late.id]
    assert page.next is None


def test_the_blocks_of_a_transaction_are_told_with_their_verdicts(ledger: Ledger) -> None:
    asset, other = ledger.create(ALICE), garbled(ledger.create(BOB))
    bad = ledger.put_block(asset, other)
    ledger.run()
    ledger.clock.now += 1
    good = ledger.put_block(asset)
    ledger.run()
    for limit in (1, 2, 1000):
        assert with_transaction(ledger, asset.id, limit=limit) == [(bad.id, False), (good.id, True)]
        assert with_transaction(ledger, asset.id, [False], limit=limit) == [(bad.id, False)]
        assert with_transaction(ledger, asset.id, [None], limit=limit) == []
    assert with_transaction(ledger, ref(ledger.create(BOB, {"other": 1})).txid) == []
    assert with_transaction(ledger, ledger.genesis.transaction.id) == [(ledger.id, True)]


def test_the_blocks_of_a_transaction_that_are_decided_are_told_as_they_were_decided(ledger: Ledger) -> None:
    asset = ledger.create(ALICE)
    bad = [garbled(ledger.create(BOB, {"n": n})) for n in range(2)]
    early = ledger.block(asset, bad[0])
    ledger.first.storage.write_block(stored_block(early, [asset.id, bad[0].id]))  # without its contents
    ledger.run(seconds=1)
    late = ledger.put_block(asset, bad[1])
    ledger.run()
    read = partial(lists(ledger).blocks_with, asset.id, verdicts=[False], limit=10)
    ((cursor, entry),) = read(after=None).items
    assert entry.id == late.id
    ledger.put(early, asset, bad[0])
    ledger.run(seconds=10)
    assert [entry.id for _, entry in read(after=cursor).items] == [early.id]
    assert with_transaction(ledger, asset.id, [False], limit=1) == [(late.id, False), (early.id, False)]


def with_transaction(
    ledger: Ledger, txid: str, verdicts: Sequence[bool | None] = (True, False, None), limit: int = 100
) -> list[tuple[str, bool | None]]:
    """The blocks in which a transaction stands, page by page, and how they were decided."""
    entries = whole(lambda after: lists(ledger).blocks_with(txid, verdicts=verdicts, after=after, limit=limit), limit)
    return [(entry.id, entry.verdict) for entry in entries]


def test_junk_among_the_blocks_is_passed_over(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    home = ledger.home(asset)
    storage = ledger.first.storage
    storage.write_block(StoredBlock("1" * 64, home.id, "junk", (), ()))
    storage.write_block(StoredBlock("2" * 64, home.id, home.text.replace(home.signature, "1" * 88), (), ()))
    assert block_ids(lambda after: lists(ledger).blocks(after, 1)) == [ledger.id, home.id]
    assert with_transaction(ledger, asset.id) == [(home.id, True)]


def test_a_page_of_blocks_is_bounded_however_many_are_asked_for(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_MAX_BLOCKS", 3)
    creates(ledger)
    reads: list[Callable[[str | None], Page[listing.BlockEntry]]] = [
        lambda after: lists(ledger).blocks(after, 1000),
        lambda after: lists(ledger).decided_blocks(verdict=True, after=after, limit=1000),
    ]
    for read in reads:
        assert len(read(None).items) == 3
        assert len(whole(read)) == MANY + 1


@pytest.mark.parametrize("cursor", ["x", "", "-1"])
def test_a_cursor_that_is_none_is_refused(ledger: Ledger, cursor: str) -> None:
    (name,) = public(ALICE)
    reads: list[Callable[[], object]] = [
        lambda: lists(ledger).blocks(cursor, 1),
        lambda: lists(ledger).decided_blocks(verdict=True, after=cursor, limit=1),
        lambda: lists(ledger).holdings(name, spent=None, after=cursor, limit=1),
        lambda: lists(ledger).texts_with_payload("0" * 64, cursor, 1),
    ]
    for read in reads:
        with pytest.raises(InvalidValue):
            read()
