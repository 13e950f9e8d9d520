"""A maker may sign one header twice, each time with another signature: another block to be stored, of the same id.

And what storage says of a block that this node has decided is not believed.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import base58
import pytest
from nacl import bindings

from bigchaindb import canonical
from bigchaindb.model.block import Block
from bigchaindb.model.genesis import Quorum
from tests.ledgers import Ledger, key, ref

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")
NAMES = {str(key(name).verifying_key): name for name in (f"node {number}" for number in range(7))}


def signed_again(block: Block) -> Block:
    """The block with another signature by its maker (RFC 8032, with a nonce of the signer's choice)."""
    secret = bytearray(hashlib.sha512(hashlib.sha256(NAMES[block.header.node].encode()).digest()).digest()[:32])
    secret[0] &= 248
    secret[31] = secret[31] & 127 | 64
    scalar = bindings.crypto_core_ed25519_scalar_reduce(bytes(secret) + bytes(32))
    public = bindings.crypto_scalarmult_ed25519_base_noclamp(bytes(secret))
    nonce = bindings.crypto_core_ed25519_scalar_reduce(hashlib.sha512(b"any other nonce").digest())
    point = bindings.crypto_scalarmult_ed25519_base_noclamp(nonce)
    digest = hashlib.sha512(point + public + block.header.text.encode()).digest()
    challenge = bindings.crypto_core_ed25519_scalar_reduce(digest)
    proof = bindings.crypto_core_ed25519_scalar_add(nonce, bindings.crypto_core_ed25519_scalar_mul(challenge, scalar))
    document = canonical.parse_trusted(block.text) | {"signature": base58.b58encode(point + proof).decode()}
    again = Block.from_text(canonical.dumps(document))
    assert again.is_signed
    assert again.id == block.id
    assert again.key != block.key
    return again


@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_block_that_its_maker_signs_twice_is_decided_once(count: int, when: str, *, restarted: bool) -> None:
    ledger = Ledger(count, quorum=Quorum.TWO_THIRDS)
    asset = ledger.create(ALICE)
    block = ledger.block(asset, by=ledger.members[-1])
    ledger.put(block, asset)
    if when == "before":
        ledger.put(signed_again(block), asset)
    ledger.run()
    assert [member.verdict_on(block) for member in ledger.members] == [True] * count
    if when == "after":
        ledger.put(signed_again(block), asset)
    for _ in range(2):
        if restarted:
            for member in ledger.members:
                member.start()
        ledger.run(40)
    decided = [row.block_id for row in ledger.first.storage.decisions(ledger.first.me, 0, 1_000)]
    assert decided.count(block.id) == 1
    ledger.settle(ledger.transfer(ref(asset), ALICE, BOB))


def test_a_note_that_a_decided_block_is_undecided_is_not_believed() -> None:
    ledger = Ledger(3)
    asset = ledger.settle(ledger.create(ALICE))
    a, b, c = ledger.members
    c.stop()
    block = ledger.put_block(ledger.transfer(ref(asset), ALICE, BOB))
    ledger.run()
    c.start()
    ledger.run()
    assert c.verdict_on(block) is True
    # It decided by the votes of the others, and its head tells of another block by now.
    assert c.vote_on(block) is None
    ledger.settle(ledger.create(BOB, {"n": 1}))
    contents = ledger.database.contents
    notes = contents.sightings[c.me]
    for name, note in notes.items():
        if note.block_id == block.id:
            notes[name] = replace(note, verdict=None, seen_at=note.seen_at + 9)
    contents.votes.pop(block.id)
    a.stop()
    b.stop()
    c.start()
    rival = ledger.put_block(ledger.transfer(ref(asset), ALICE, CAROL), by=a)
    ledger.run(3)
    vote = c.vote_on(rival)
    assert vote is None or not vote.is_valid
    assert [note.verdict for note in contents.sightings[c.me].values() if note.block_id == block.id] == [True]
