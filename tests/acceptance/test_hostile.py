"""A member that breaks every rule it can, beside three honest nodes under two-thirds: it decides nothing.

The hostile member has a good key and a place in the federation, but no node: it writes into the shared storage what it
likes.  So each test says what it writes, and then that the honest nodes go on as if it had not.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb import canonical, crypto
from bigchaindb.consensus.selection import assignee
from bigchaindb.crypto import SigningKey
from bigchaindb.model.block import Block
from bigchaindb.model.building import create_transaction, sign_transaction
from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.model.transaction import Transaction
from bigchaindb.model.vote import Vote
from bigchaindb.node.node import stored_block
from bigchaindb.node.opening import open_node
from bigchaindb.storage.records import NewTransaction, TextRef, VoteRow
from examples.federation.nodes import Federation, Member
from tests.acceptance.federation import DECIDE_SECONDS, REASSIGN_SECONDS, assert_all_valid, verdicts_when_equal
from tests.acceptance.machine import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


ALICE, BOB, CAROL = (crypto.generate_key_pair() for _ in range(3))


class Hostile:
    """A member's key, the real storage, and no scruples."""

    def __init__(self, member: Member) -> None:
        self.node = open_node(member.config, time.time)
        self.storage = self.node.storage
        self.key = self.node.key
        self.me = self.node.me

    @property
    def now(self) -> str:
        return format_timestamp(time.time())

    def block(
        self, *transactions: Transaction, voters: list[str] | None = None, key: SigningKey | None = None
    ) -> Block:
        """A block that is not stored yet."""
        return Block.build(
            transactions,
            ledger=self.node.ledger,
            voters=voters or self.node.federation,
            timestamp=self.now,
            key=key or self.key,
        )

    def put(self, block: Block, *transactions: Transaction) -> Block:
        """Store a block whose transactions never waited in the backlog."""
        rows = [NewTransaction(t.hash, t.id, t.text, spends=t.inputs) for t in transactions]
        self.storage.append_backlog(rows, time.time())
        self.storage.drop_backlog(texts=[TextRef(row.hash, row.id) for row in rows])
        self.storage.write_block(stored_block(block, [t.id for t in transactions]))
        return block

    def vote(self, block: Block, reason: str | None = None, key: SigningKey | None = None) -> Vote:
        return Vote.sign(block.id, self.node.ledger, reason, self.now, key or self.key)

    def place(self, block: Block, node: str, text: str) -> None:
        self.storage.place_votes([VoteRow(block.id, node, text)])


class Besieged:
    """Three honest nodes that run, and the hostile fourth member."""

    def __init__(self, federation: Federation) -> None:
        *self.honest, traitor = federation.members
        self.hostile = Hostile(traitor)
        self.ledger = self.honest[0].bigchain()
        self._assets: list[str] = []

    def close(self) -> None:
        self.ledger.close()
        self.hostile.storage.close()

    def asset(self) -> str:
        """An asset of Alice's, valid at every honest node; it is the hostile member's turn to build what spends it.

        So what the hostile member has to let wait for a moment, to store it at all, goes into no honest block.
        """
        if not self._assets:
            self._assets = [txid for txid in self.created(12 * 4) if self._is_for_hostile(txid)]
        return self._assets.pop()

    def created(self, count: int) -> list[str]:
        """New assets of Alice's, valid at every honest node."""
        made = []
        for number in range(count):
            tx = self.ledger.create_transaction(self.ledger.me, ALICE[1], None, "CREATE", payload={"number": number})
            made.append(self.ledger.sign_transaction(tx, self.ledger.me_private))
        self.ledger.write_transactions(made)
        ids = [str(tx["id"]) for tx in made]
        assert_all_valid(self.honest, ids)
        return ids

    def _is_for_hostile(self, asset: str) -> bool:
        return assignee(self.transfer(asset, BOB), self.hostile.node.federation) == self.hostile.me

    def transfer(self, asset: str, new_owner: tuple[str, str]) -> Transaction:
        """A transfer that Alice has signed; nothing of it is sent."""
        tx = self.ledger.create_transaction(ALICE[1], new_owner[1], asset, "TRANSFER")
        return Transaction.from_dict(self.ledger.sign_transaction(tx, ALICE[0]))

    def spends(self, asset: str) -> None:
        """See that Alice can still hand an asset on to Bob, and that all honest nodes say so."""
        transfer = self.transfer(asset, BOB)
        self.ledger.write_transaction(transfer.to_dict())
        assert_all_valid(self.honest, [transfer.id])

    def decided(self, block: Block) -> bool:
        """Wait until every honest node has decided a block; return how they all have."""
        until(lambda: all(block.id in member.verdicts() for member in self.honest), DECIDE_SECONDS)
        found = {member.verdicts()[block.id] for member in self.honest}
        assert len(found) == 1
        return found.pop()

    def left_aside(self, blocks: list[Block], kind: str) -> None:
        """See that no honest node decides these blocks, and that each logs their kind once."""
        until(lambda: all(f"{kind} left aside" in member.log for member in self.honest), DECIDE_SECONDS)
        self.created(1)  # what came later is decided, so these have been passed
        for member in self.honest:
            assert member.log.count(f"{kind} left aside") == 1
            assert not member.verdicts().keys() & {block.id for block in blocks}

    def status(self, member: Member) -> dict[str, Any]:
        return dict(json.loads(member.run("status", "--json").stdout))


@pytest.fixture(scope="module")
def besieged(tmp_path_factory: pytest.TempPathFactory, module_database: dict[str, Any]) -> Iterator[Besieged]:
    directory: Path = tmp_path_factory.mktemp("besieged")
    settings = {"election": {"quorum": "two-thirds"}, "backlog_reassign_delay": REASSIGN_SECONDS}
    with Federation(directory, 4, module_database, **settings) as federation:
        federation.init()
        for member in federation.members[:3]:
            member.start()
        siege = Besieged(federation)
        try:
            yield siege
        finally:
            siege.close()


def forged(block: Block, maker: str) -> Block:
    """The same block with another's name as its maker, and a signature that is not that one's."""
    document = json.loads(block.text)
    document["block"]["node_pubkey"] = maker
    return Block.from_text(canonical.dumps(document))


def test_a_forged_list_of_voters_counts_for_nothing_even_if_all_of_them_have_signed(besieged: Besieged) -> None:
    hostile = besieged.hostile
    asset = besieged.asset()
    blocks = []
    for voters in ([hostile.me], sorted([hostile.me, *(member.public for member in besieged.honest[:1])])):
        theft = besieged.transfer(asset, CAROL)
        blocks.append(hostile.put(hostile.block(theft, voters=voters), theft))
        hostile.place(blocks[-1], hostile.me, hostile.vote(blocks[-1]).text)
    besieged.left_aside(blocks, "block for another electorate")
    besieged.spends(asset)


def test_blocks_by_strangers_or_in_the_name_of_others_are_left_aside(besieged: Besieged) -> None:
    hostile = besieged.hostile
    asset = besieged.asset()
    stranger = SigningKey(crypto.generate_key_pair()[0])
    theft = besieged.transfer(asset, CAROL)
    blocks = [
        hostile.put(hostile.block(theft, key=stranger), theft),
        hostile.put(forged(hostile.block(theft), besieged.honest[0].public), theft),
    ]
    for block in blocks:
        hostile.place(block, hostile.me, hostile.vote(block).text)
    besieged.left_aside(blocks, "block by a stranger")
    besieged.spends(asset)


def test_votes_by_strangers_do_not_make_a_bad_block_valid(besieged: Besieged) -> None:
    hostile = besieged.hostile
    asset = besieged.asset()
    besieged.spends(asset)
    theft = besieged.transfer(asset, CAROL)
    block = hostile.block(theft)
    for _ in range(10):
        stranger = SigningKey(crypto.generate_key_pair()[0])
        hostile.place(block, str(stranger.verifying_key), hostile.vote(block, key=stranger).text)
    hostile.place(block, hostile.me, hostile.vote(block).text)
    hostile.put(block, theft)
    assert besieged.decided(block) is False
    for member in besieged.honest:
        assert member.log.count("vote by a stranger left aside") == 1


@pytest.mark.parametrize("junk", ["unsigned", "signed by another", "no vote at all"])
def test_junk_that_comes_first_into_the_places_of_others_keeps_nobody_out(besieged: Besieged, junk: str) -> None:
    hostile = besieged.hostile
    transfer = besieged.transfer(besieged.asset(), BOB)
    block = hostile.block(transfer)
    no = hostile.vote(block, "I say so").text
    for member in besieged.honest:
        named = no.replace(hostile.me, member.public)
        hostile.place(block, member.public, {"unsigned": named, "signed by another": no}.get(junk, "junk"))
    hostile.put(block, transfer)
    assert besieged.decided(block) is True
    places = hostile.storage.votes([block.id])[block.id]
    for member in besieged.honest:
        assert Vote.from_text(places[member.public]).node == member.public


def test_a_second_vote_changes_nothing_and_is_shown(besieged: Besieged) -> None:
    hostile = besieged.hostile
    transfer = besieged.transfer(besieged.asset(), BOB)
    block = hostile.block(transfer)
    first, second = hostile.vote(block), hostile.vote(block, "changed my mind")
    for vote in (first, second, first, second):
        hostile.place(block, hostile.me, vote.text)
    hostile.put(block, transfer)
    assert besieged.decided(block) is True
    deed = f"{hostile.me} cast two different votes on a block"
    until(lambda: all(f"{deed}: {block.id}" in member.log for member in besieged.honest), DECIDE_SECONDS)
    for member in besieged.honest:
        assert member.log.count(deed) == 1
        assert f"{deed}: {block.id}" in member.run("status").stdout
    assert hostile.storage.votes([block.id])[block.id][hostile.me] == first.text


def test_valid_votes_on_two_conflicting_blocks_change_nothing_and_are_shown(besieged: Besieged) -> None:
    hostile = besieged.hostile
    asset = besieged.asset()
    rivals = [besieged.transfer(asset, owner) for owner in (BOB, CAROL)]
    blocks = [hostile.block(rival) for rival in rivals]
    for block, rival in zip(blocks, rivals, strict=True):
        hostile.place(block, hostile.me, hostile.vote(block).text)
        hostile.put(block, rival)
    assert [besieged.decided(block) for block in blocks] == [True, False]
    deed = {
        "node": hostile.me,
        "kind": "valid votes on two conflicting blocks",
        "blocks": sorted(block.id for block in blocks),
    }
    member = besieged.honest[0]
    until(lambda: deed in besieged.status(member)["evidence_of_misbehaviour"], DECIDE_SECONDS)


def test_what_strangers_create_is_rejected_and_logged_once(besieged: Besieged) -> None:
    hostile = besieged.hostile
    creates = []
    for _ in range(20):
        stranger = SigningKey(crypto.generate_key_pair()[0])
        name = str(stranger.verifying_key)
        unsigned = create_transaction([name], [name], [], "CREATE", timestamp=hostile.now)
        creates.append(Transaction.from_dict(sign_transaction(unsigned, {name: stranger}, {})))
    before = {member: member.log.splitlines() for member in besieged.honest}
    rows = [NewTransaction(create.hash, create.id, create.text) for create in creates]
    hostile.storage.append_backlog(rows, time.time())
    with besieged.honest[1].bigchain() as ledger:
        for create in creates:
            assert ledger.wait_for_transaction(create.id, DECIDE_SECONDS) == "rejected"
    lines = [line for member in besieged.honest for line in member.log.splitlines()[len(before[member]) :]]
    assert any("CREATE by a stranger rejected: " in line for line in lines)
    assert len([line for line in lines if "rejected" in line]) <= len(besieged.honest)


def test_after_all_this_the_honest_nodes_agree_and_nobody_honest_is_accused(besieged: Besieged) -> None:
    """Last in this file, since it looks back at the others."""
    besieged.spends(besieged.asset())
    verdicts_when_equal(besieged.honest)
    for member in besieged.honest:
        accused = {deed["node"] for deed in besieged.status(member)["evidence_of_misbehaviour"]}
        assert accused <= {besieged.hostile.me}
        assert member.is_running
