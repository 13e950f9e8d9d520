"""What one node sees of what storage holds: junk does not matter, and nothing is believed unread."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bigchaindb import canonical, crypto
from bigchaindb.exceptions import TransactionError
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.vote import Vote
from bigchaindb.node import view as view_module
from bigchaindb.node.marks import NO_MARK, Marks
from bigchaindb.node.node import Node, stored_block
from bigchaindb.node.view import read_vote
from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage
from bigchaindb.storage.records import DecisionRow, NewTransaction, Sighting, StoredBlock, StoredTransaction, VoteRow
from tests.consensus.conditions import until
from tests.consensus.views import create as create_locked
from tests.consensus.views import garbled
from tests.ledgers import NOW, Ledger, Member, key, ref, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.consensus.view import Standing
    from bigchaindb.model.block import Block
    from bigchaindb.model.transaction import Transaction
    from bigchaindb.node.view import LedgerView

ALICE, BOB = key("alice"), key("bob")


@pytest.fixture
def ledger() -> Ledger:
    """Two nodes that do nothing by themselves."""
    return Ledger(2, start=False)


@pytest.fixture
def view(ledger: Ledger) -> LedgerView:
    return ledger.first.node.view


def stored(transaction: Transaction, tag: bytes = b"") -> StoredTransaction:
    return StoredTransaction(transaction.hash, transaction.id, transaction.text, tag)


def store(ledger: Ledger, *rows: NewTransaction) -> None:
    ledger.first.storage.append_backlog(rows, ledger.clock.now)


def sight(ledger: Ledger, block: Block, seen_at: float = NOW, *, verdict: bool | None = None) -> None:
    """Note a block as checked."""
    ledger.first.storage.sight(ledger.first.me, [Sighting(block.key, block.id, seen_at, checked=True, verdict=verdict)])


def standing(ledger: Ledger, transaction: Transaction) -> Standing:
    (only,) = ledger.first.node.view.standings([transaction.id])[transaction.id]
    return only


def record(member: Member, block: Block, *, is_valid: bool, signer: Member | None = None) -> None:
    """Put a decision into a node's log, signed by that node or by another."""
    decision = Decision.sign(
        ledger=member.node.ledger,
        sequence=1,
        block_id=block.id,
        verdict=Verdict.VALID if is_valid else Verdict.INVALID,
        previous=None,
        timestamp=block.header.timestamp,
        key=(signer or member).key,
    )
    member.storage.append_decisions(
        [DecisionRow(member.me, 1, block.id, is_valid, decision.text, 1, block.header.timestamp)]
    )


def vote(ledger: Ledger, block: Block, by: Member, reason: str | None = None) -> None:
    cast = ledger.vote(block, by, reason)
    ledger.first.storage.place_votes([VoteRow(block.id, by.me, cast.text)])


# --- texts -------------------------------------------------------------------------------------------------


def test_a_text_with_this_nodes_mark_is_not_checked_again(ledger: Ledger, view: LedgerView) -> None:
    asset = ledger.create(ALICE)
    marked = stored(asset, view.mark(asset))
    assert view.read(marked) == asset
    assert view.is_verified(asset)


def test_a_mark_may_come_from_the_block_too(ledger: Ledger, view: LedgerView) -> None:
    asset = ledger.create(ALICE)
    assert view.read(stored(asset), view.mark(asset)) == asset
    assert view.is_verified(asset)


@pytest.mark.parametrize("tag", [b"", NO_MARK, b"x" * 16, Marks(key("stranger")).make("0" * 64, "{}")])
def test_a_text_without_it_is_checked_whole(ledger: Ledger, view: LedgerView, tag: bytes) -> None:
    asset = ledger.create(ALICE)
    assert view.read(stored(asset, tag)) == asset
    assert not view.is_verified(asset)
    with pytest.raises(TransactionError):
        view.read(replace(stored(asset, tag), text=asset.text.replace("CREATE", "GENESIS")))


def test_a_mark_is_for_one_text_only(ledger: Ledger, view: LedgerView) -> None:
    asset = ledger.create(ALICE)
    with pytest.raises(TransactionError):
        view.read(replace(stored(asset, view.mark(asset)), text="{}"))
    other = replace(stored(garbled(asset), view.mark(asset)), hash=asset.hash)
    assert view.read(other) == garbled(asset)
    assert not view.is_verified(garbled(asset))


def test_what_holds_a_deadline_is_never_marked_nor_remembered(ledger: Ledger, view: LedgerView) -> None:
    asset = create_locked("boat", locked=until(ALICE, f"{NOW + 9:.0f}"))
    store(ledger, row(asset))
    spend = ledger.transfer(ref(asset), ALICE, BOB)
    view.remember([spend, asset])
    assert not view.is_verified(spend)
    assert view.mark(spend) == NO_MARK
    assert view.is_verified(asset)
    assert view.mark(asset) != NO_MARK


def test_what_is_remembered_is_bounded(ledger: Ledger, view: LedgerView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_module, "_REMEMBERED", 2)
    assets = [ledger.create(ALICE, {"n": n}) for n in range(4)]
    for asset in assets:
        view.remember([asset])
    assert [view.is_verified(asset) for asset in assets] == [False, False, False, True]


# --- the backlog and outputs -------------------------------------------------------------------------------


def test_junk_under_an_honest_id_does_not_matter(ledger: Ledger, view: LedgerView) -> None:
    asset = ledger.create(ALICE)
    other = ledger.create(BOB)
    junk = [
        NewTransaction("1" * 64, asset.id, "junk"),
        NewTransaction("2" * 64, asset.id, other.text),
        NewTransaction("3" * 64, asset.id, '{"id":"' + asset.id + '"}'),
    ]
    store(ledger, *junk, row(asset))
    assert view.waiting([asset.id]) == {asset.id: [asset]}
    assert view.outputs([ref(asset)]) == {ref(asset): asset.outputs[0]}


def test_nothing_but_junk_is_nothing(ledger: Ledger, view: LedgerView) -> None:
    asset = ledger.create(ALICE)
    store(ledger, NewTransaction("1" * 64, asset.id, "junk"))
    assert view.waiting([asset.id, "0" * 64]) == {}
    assert view.outputs([ref(asset)]) == {}


def test_all_texts_of_a_transaction_wait_well_signed_or_not(ledger: Ledger, view: LedgerView) -> None:
    asset = ledger.create(ALICE)
    store(ledger, row(garbled(asset)), row(asset))
    assert view.waiting([asset.id])[asset.id] == [garbled(asset), asset]


def test_outputs_are_found_whatever_the_fate_of_their_transaction(ledger: Ledger, view: LedgerView) -> None:
    asset = ledger.create(ALICE)
    store(ledger, row(asset))
    ledger.first.storage.drop_backlog(ids=[asset.id])
    assert view.outputs([ref(asset), ref(asset, 1), ref(ledger.create(BOB))]) == {ref(asset): asset.outputs[0]}


class Asked(MemoryStorage):
    """Remembers the transactions, blocks and decisions that it was asked for."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.ids: list[str] = []

    def transactions(self, ids: Sequence[str]) -> dict[str, list[StoredTransaction]]:
        self.ids += ids
        return super().transactions(ids)

    def blocks(self, ids: Sequence[str]) -> dict[str, list[StoredBlock]]:
        self.ids += ids
        return super().blocks(ids)

    def decisions_on(self, block_ids: Sequence[str]) -> dict[str, list[DecisionRow]]:
        self.ids += block_ids
        return super().decisions_on(block_ids)


@pytest.fixture
def asked() -> tuple[LedgerView, Asked, Ledger]:
    ledger = Ledger(start=False, connect=Asked)
    storage = ledger.first.storage
    assert isinstance(storage, Asked)
    return ledger.first.node.view, storage, ledger


def test_what_a_block_decided_valid_holds_is_not_asked_for_again(asked: tuple[LedgerView, Asked, Ledger]) -> None:
    view, storage, ledger = asked
    small, large = ledger.create(ALICE), ledger.create(ALICE, {"text": "x" * 5_000})
    store(ledger, row(small), row(large))
    block = ledger.block(small, large)
    view.learn_contents(block, [small, large])
    storage.ids.clear()
    assert view.is_known_valid(small.id)
    assert view.is_known_valid(large.id)
    assert view.headers([block.id]) == {block.id: block.header}
    assert view.outputs([ref(small)]) == {ref(small): small.outputs[0]}
    assert storage.ids == []
    # What would fill the memory is read again.
    assert view.outputs([ref(small), ref(large)]) == {ref(t): t.outputs[0] for t in (small, large)}
    assert view.outputs([ref(small, 7)]) == {}
    assert storage.ids == [large.id, small.id]


def test_what_is_remembered_of_outputs_is_bounded(
    asked: tuple[LedgerView, Asked, Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_module, "_REMEMBERED_OUTPUTS", 1)
    view, storage, ledger = asked
    made = [ledger.create(ALICE, {"n": n}) for n in range(3)]
    store(ledger, *map(row, made))
    storage.ids.clear()
    for transaction in (*made, *made[1:]):
        assert view.outputs([ref(transaction)]) == {ref(transaction): transaction.outputs[0]}
    assert storage.ids == [*(t.id for t in made), made[1].id]


def test_whoever_holds_the_seat_knows_what_is_undecided(asked: tuple[LedgerView, Asked, Ledger]) -> None:
    view, storage, ledger = asked
    block = ledger.block(ledger.create(ALICE))
    view.undecided = {block.id}
    storage.ids.clear()
    assert view.verdicts([block.id]) == {}
    assert storage.ids == []
    view.undecided = ()
    record(ledger.first, block, is_valid=True)
    assert view.verdicts([block.id]) == {block.id: True}


def test_spenders_are_found_whatever_their_fate(ledger: Ledger, view: LedgerView) -> None:
    asset = ledger.create(ALICE)
    store(ledger, row(asset))
    spend = ledger.transfer(ref(asset), ALICE, BOB)
    store(ledger, row(spend))
    ledger.first.storage.drop_backlog(ids=[spend.id])
    assert view.spenders([ref(asset), ref(spend)]) == {ref(asset): [spend.id]}


# --- standings ---------------------------------------------------------------------------------------------


def test_only_blocks_that_this_node_checked_are_spoken_of(ledger: Ledger, view: LedgerView) -> None:
    asset = ledger.create(ALICE)
    block = ledger.put_block(asset)
    assert view.standings([asset.id]) == {}
    storage = ledger.first.storage
    storage.sight(ledger.first.me, [Sighting(block.key, block.id, NOW, checked=False)])
    storage.sight(ledger.members[1].me, [Sighting(block.key, block.id, NOW, checked=True)])
    assert view.standings([asset.id]) == {}
    sight(ledger, block)
    assert standing(ledger, asset).block_id == block.id


@pytest.mark.parametrize("verdict", [None, True, False])
def test_a_verdict_is_this_nodes(ledger: Ledger, *, verdict: bool | None) -> None:
    asset = ledger.create(ALICE)
    block = ledger.put_block(asset)
    sight(ledger, block)
    if verdict is not None:
        record(ledger.first, block, is_valid=verdict)
    assert standing(ledger, asset).verdict is verdict
    assert standing(ledger, asset).live is (verdict is None)


@pytest.mark.parametrize("told", [True, False])
def test_a_note_of_a_verdict_that_this_node_has_not_signed_is_not_believed(ledger: Ledger, *, told: bool) -> None:
    asset = ledger.create(ALICE)
    block = ledger.put_block(asset)
    sight(ledger, block, verdict=told)
    assert standing(ledger, asset).verdict is None
    record(ledger.first, block, is_valid=not told, signer=ledger.members[1])
    assert standing(ledger, asset).verdict is None
    assert ledger.first.queries.status(asset.id) == "undecided"


@pytest.mark.parametrize("told", [True, False])
def test_a_verdict_that_this_node_has_signed_stands_whatever_the_note_says(ledger: Ledger, *, told: bool) -> None:
    asset = ledger.create(ALICE)
    block = ledger.put_block(asset)
    sight(ledger, block, verdict=told)
    record(ledger.first, block, is_valid=not told)
    assert standing(ledger, asset).verdict is not told


def test_a_block_is_live_where_this_node_made_it_or_voted_valid_on_it(ledger: Ledger) -> None:
    me, other = ledger.members
    mine, theirs, backed, refused = (ledger.create(ALICE, {"n": n}) for n in range(4))
    sight(ledger, ledger.put_block(mine, by=me))
    sight(ledger, ledger.put_block(theirs, by=other))
    for transaction, reason in ((backed, None), (refused, "no")):
        block = ledger.put_block(transaction, by=other)
        sight(ledger, block)
        vote(ledger, block, me, reason)
    assert [standing(ledger, t).live for t in (mine, theirs, backed, refused)] == [True, False, True, False]
    assert [standing(ledger, t).backed for t in (mine, theirs, backed, refused)] == [False, False, True, False]


def test_another_nodes_vote_in_ones_own_place_backs_nothing(ledger: Ledger) -> None:
    me, other = ledger.members
    asset = ledger.create(ALICE)
    block = ledger.put_block(asset, by=other)
    sight(ledger, block)
    text = ledger.vote(block, other).text
    ledger.first.storage.place_votes([VoteRow(block.id, me.me, text)])
    assert not standing(ledger, asset).backed


def test_whoever_holds_the_seat_knows_better_than_storage(ledger: Ledger, view: LedgerView) -> None:
    asset = ledger.create(ALICE)
    block = ledger.put_block(asset, by=ledger.members[1])
    sight(ledger, block)
    view.backing = lambda ids: {block.id} & set(ids)
    assert standing(ledger, asset).backed


@pytest.mark.parametrize(("times", "patience"), [(0, 30), (1, 60), (2, 120), (3, 120), (9, 120)])
def test_a_block_stalls_later_at_each_further_try(ledger: Ledger, times: int, patience: int) -> None:
    asset = ledger.create(ALICE)
    for number in range(times):
        earlier = ledger.put_block(asset, at=f"{NOW - 500 + number:.6f}")
        sight(ledger, earlier, NOW - 500 + number, verdict=False)
    block = ledger.put_block(asset)
    sight(ledger, block)
    for seconds, live in ((patience - 1, True), (patience, False)):
        ledger.clock.now = NOW + seconds
        standings = ledger.first.node.view.standings([asset.id])[asset.id]
        assert [s.live for s in standings if s.block_id == block.id] == [live]


def test_standings_come_in_the_order_in_which_blocks_were_met(ledger: Ledger, view: LedgerView) -> None:
    asset = ledger.create(ALICE)
    blocks = [ledger.put_block(asset, at=f"{NOW + n:.6f}") for n in range(3)]
    for block, seen_at in zip(blocks, (5.0, 3.0, 4.0), strict=True):
        sight(ledger, block, seen_at)
    order = [s.block_id for s in view.standings([asset.id])[asset.id]]
    assert order == [blocks[1].id, blocks[2].id, blocks[0].id]


@pytest.mark.parametrize(("seconds", "ahead"), [(0, False), (60, False), (61, True)])
def test_a_block_is_ahead_that_is_dated_more_than_a_minute_later_than_the_clock(
    ledger: Ledger, seconds: int, *, ahead: bool
) -> None:
    asset = ledger.create(ALICE)
    sight(ledger, ledger.put_block(asset, by=ledger.members[1], at=f"{NOW + seconds:.6f}"))
    assert standing(ledger, asset).ahead is ahead
    assert standing(ledger, asset).is_in_the_way is not ahead


def test_a_block_whose_text_is_gone_or_forged_is_nobodys(ledger: Ledger, view: LedgerView) -> None:
    asset = ledger.create(ALICE)
    block = ledger.put_block(asset)
    sight(ledger, block)
    contents = ledger.database.contents.blocks
    honest = contents.pop(block.key)
    assert view.headers([block.id]) == {block.id: None}
    document = canonical.loads(block.text)
    document["signature"] = "x"
    for text in ("junk", canonical.dumps(document)):
        contents["f" * 64] = replace(honest, key="f" * 64, text=text)
        assert view.headers([block.id]) == {block.id: None}
    contents[block.key] = honest
    assert view.headers([block.id]) == {block.id: block.header}


def test_what_is_remembered_of_blocks_is_bounded(
    ledger: Ledger, view: LedgerView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_module, "_REMEMBERED_HEADERS", 2)
    blocks = [ledger.put_block(ledger.create(ALICE, {"n": n})) for n in range(5)]
    for block in blocks:
        assert view.headers([block.id]) == {block.id: block.header}
    # More than it remembers, all in one: none may be missing from the answer.
    assert view.headers([block.id for block in blocks]) == {block.id: block.header for block in blocks}


# --- support -----------------------------------------------------------------------------------------------


def test_a_block_is_supported_by_a_well_signed_valid_vote_of_a_member(ledger: Ledger, view: LedgerView) -> None:
    me, other = ledger.members
    blocks = [ledger.put_block(ledger.create(ALICE, {"n": n})) for n in range(6)]
    vote(ledger, blocks[0], me)
    vote(ledger, blocks[1], other)
    vote(ledger, blocks[2], other, "no")
    storage = MemoryStorage(ledger.database)
    stranger = Vote.sign(blocks[3].id, ledger.id, None, "1.000000", key("stranger"))
    storage.place_votes([VoteRow(blocks[3].id, stranger.node, stranger.text)])
    storage.place_votes([VoteRow(blocks[4].id, other.me, "junk")])
    storage.place_votes([VoteRow(blocks[5].id, other.me, ledger.vote(blocks[0], other).text)])
    assert view.supported([block.id for block in blocks]) == {blocks[0].id, blocks[1].id}


def test_votes_on_what_is_no_block_support_nothing(ledger: Ledger, view: LedgerView) -> None:
    block = ledger.block(ledger.create(ALICE))
    vote(ledger, block, ledger.first)
    assert view.supported([block.id]) == set()


def test_a_place_holds_a_vote_of_that_node_on_that_block_or_none(ledger: Ledger) -> None:
    block = ledger.block(ledger.create(ALICE))
    cast = ledger.vote(block, ledger.first)
    assert read_vote(cast.text, block.id, ledger.first.me) == cast
    assert read_vote(cast.text, "0" * 64, ledger.first.me) is None
    assert read_vote(cast.text, block.id, ledger.members[1].me) is None
    assert read_vote("junk", block.id, ledger.first.me) is None


# --- earlier federations -----------------------------------------------------------------------------------


def grown(ledger: Ledger) -> Node:
    """The first node after a third member has come."""
    newcomer = str(key("newcomer").verifying_key)
    return Node(
        ledger.first.storage,
        ledger.first.key,
        federation=[*ledger.federation, newcomer],
        earlier_federations=[ledger.federation],
        quorum=ledger.quorum,
        clock=ledger.clock,
    )


def test_a_block_of_an_earlier_federation_is_told_apart_and_binds_by_any_valid_vote(ledger: Ledger) -> None:
    view = grown(ledger).view
    voted, bare, decided = (ledger.create(ALICE, {"n": n}) for n in range(3))
    block = ledger.put_block(voted)
    sight(ledger, block)
    vote(ledger, block, ledger.members[1])
    sight(ledger, ledger.put_block(bare))
    sight(ledger, ledger.put_block(decided), verdict=True)
    standings = view.standings([voted.id, bare.id, decided.id])
    assert [(s.present, s.binds) for t in (voted, bare, decided) for s in standings[t.id]] == [
        (False, True),
        (False, False),
        (False, False),
    ]


def test_a_block_of_the_present_federation_does_not_bind_by_the_votes_of_others(ledger: Ledger) -> None:
    node = grown(ledger)
    asset = ledger.create(ALICE)
    block = ledger.block(asset, voters=node.federation, by=ledger.members[1])
    ledger.put(block, asset)
    sight(ledger, block)
    vote(ledger, block, ledger.members[1])
    (only,) = node.view.standings([asset.id])[asset.id]
    assert (only.present, only.binds) == (True, False)


# --- catching up -------------------------------------------------------------------------------------------


def test_a_node_knows_what_stands_in_blocks_that_it_left_aside(ledger: Ledger, view: LedgerView) -> None:
    ledger.first.start()
    asset, other = ledger.create(ALICE), ledger.create(ALICE)
    ledger.put(ledger.block(asset, voters=[*ledger.federation, str(ALICE.verifying_key)]), asset)
    ledger.run()
    assert view.left_aside([asset.id, other.id]) == {asset.id}


def test_junk_under_the_id_of_a_decided_block_is_not_waited_for(ledger: Ledger, view: LedgerView) -> None:
    asset = ledger.create(ALICE)
    block = ledger.block(asset)
    text = block.text.replace(block.signature, "junk")
    junk = StoredBlock(crypto.hash_data(text), block.id, text, (asset.hash,), (asset.id,))
    store(ledger, row(asset))
    ledger.first.storage.write_block(junk)
    ledger.first.storage.sight(ledger.first.me, [Sighting(junk.key, block.id, NOW, checked=False)])
    assert view.left_aside([asset.id]) == {asset.id}
    record(ledger.first, block, is_valid=False)
    assert view.left_aside([asset.id]) == set()


def test_a_node_knows_whether_it_has_noted_all_blocks(ledger: Ledger, view: LedgerView) -> None:
    assert not view.has_noted_all(), "genesis is a block too"
    ledger.first.start()
    ledger.run()
    assert view.has_noted_all()
    asset = ledger.create(ALICE)
    block = ledger.block(asset)
    store(ledger, row(asset))
    ledger.first.storage.write_block(stored_block(block, [asset.id]))
    assert not view.has_noted_all()
    sight(ledger, block)
    assert view.has_noted_all()
