"""A running node finds out what was taken out of storage, or changed in it, behind its back, and stops."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bigchaindb import crypto
from bigchaindb.exceptions import JournalError, StorageUnavailable
from bigchaindb.node.journal import CastVote, Taken
from bigchaindb.node.scrub import Scrub
from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage
from bigchaindb.storage.records import VoteRow
from tests.crashes import CrashingStorage
from tests.ledgers import Ledger, key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bigchaindb.model.block import Block

ALICE = key("alice")
BLOCK = "1" * 64
SECONDS = 30


@pytest.fixture
def ledger() -> Ledger:
    """One node, and so many decided blocks that it takes several looks to go through them."""
    ledger = Ledger()
    ledger.settle(*(ledger.create(ALICE, {"n": n}) for n in range(20)))
    return ledger


def _vote_gone(ledger: Ledger, block: Block) -> str:
    del ledger.database.contents.votes[block.id]
    return f"this node's vote on block {block.id} is gone from storage"


def _vote_changed(ledger: Ledger, block: Block) -> str:
    ledger.database.contents.votes[block.id][ledger.first.me] = ledger.vote(block, ledger.first, "no").text
    return f"this node's vote on block {block.id} was changed in storage"


def _decision_gone(ledger: Ledger, block: Block) -> str:
    log = ledger.database.contents.decisions[ledger.first.me]
    (sequence,) = (number for number, row in log.items() if row.block_id == block.id)
    del log[sequence]
    return f"this node's decision {sequence}, on block {block.id}, is gone from storage"


def _block_gone(ledger: Ledger, block: Block) -> str:
    del ledger.database.contents.blocks[block.key]
    return f"block {block.id}, which this node has decided valid, is gone from storage or was changed"


def _signature_changed(ledger: Ledger, block: Block) -> str:
    blocks = ledger.database.contents.blocks
    forged = blocks[block.key].text.replace(block.signature, ledger.first.key.sign("something else"))
    blocks[block.key] = replace(blocks[block.key], text=forged)
    return f"block {block.id}, which this node has decided valid, is gone from storage or was changed"


def _contents_changed(ledger: Ledger, block: Block) -> str:
    (text_hash,) = block.transactions
    other = ledger.create(ALICE, {"n": "another"})
    texts = ledger.database.contents.transactions
    texts[text_hash] = replace(texts[text_hash], text=other.text)
    return f"block {block.id}, which this node has decided valid, is gone from storage or was changed"


@pytest.mark.parametrize("back", [0, 10, 19])
@pytest.mark.parametrize(
    "tamper", [_vote_gone, _vote_changed, _decision_gone, _block_gone, _signature_changed, _contents_changed]
)
def test_what_is_gone_or_was_changed_stops_a_running_node_which_names_it(
    ledger: Ledger, tamper: Callable[[Ledger, Block], str], back: int
) -> None:
    problem = tamper(ledger, ledger.blocks()[::-1][back])
    with pytest.raises(JournalError) as caught:
        ledger.run(seconds=SECONDS)
    assert str(caught.value) == problem


def test_a_node_whose_storage_is_as_it_left_it_goes_on(ledger: Ledger) -> None:
    ledger.run(seconds=SECONDS)
    ledger.settle(ledger.create(ALICE))


class Lagging(MemoryStorage):
    """A replica that lacks the votes once, and has them then."""

    asked = 0

    def votes(self, block_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        self.asked += 1
        return {} if self.asked == 1 else super().votes(block_ids)


def test_what_a_replica_lacks_for_a_moment_is_not_gone() -> None:
    storage = Lagging(MemoryDatabase())
    storage.place_votes([VoteRow(BLOCK, "node", "text")])
    cast = CastVote(BLOCK, is_valid=True, hash=crypto.hash_data("text"))
    scrub = Scrub(storage, "node", tuple, [Taken(1, (cast,), (), None)])
    for _ in range(3):
        scrub.step()
    assert storage.asked == 2


def test_what_a_voter_wrote_down_and_could_not_cast_is_not_missed() -> None:
    ledger = Ledger(connect=CrashingStorage)
    ledger.put_block(ledger.create(ALICE))
    storage = ledger.first.storage
    assert isinstance(storage, CrashingStorage)
    storage.crash("swap_register", after_calls=1)  # one for the cursor, and the next for the head
    with pytest.raises(StorageUnavailable):
        ledger.first.voter.step()
    assert '"votes":[[' in list(ledger.first.journal.lines())[-1]
    storage.recover()
    ledger.clock.now += 1  # so that the vote that is cast is another
    ledger.first.start()
    ledger.settle(*(ledger.create(ALICE, {"n": n}) for n in range(20)))
    ledger.run(seconds=SECONDS)
