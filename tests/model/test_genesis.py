"""The first block: what a ledger begins with, and what is no beginning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bigchaindb.exceptions import BigchainDBError, BlockError
from bigchaindb.model.block import Block
from bigchaindb.model.building import create_transaction, sign_transaction
from bigchaindb.model.genesis import Genesis, Quorum
from bigchaindb.model.transaction import Operation, Transaction
from tests.ledgers import key, public
from tests.model.documents import TIMESTAMP

KEYS = [key(f"node {i}") for i in range(3)]
MAKER = KEYS[0]
FEDERATION = sorted(public(KEYS))
PAYLOAD = {"federation": FEDERATION, "quorum": "majority", "name": "random"}


def genesis(name: str = "random", quorum: Quorum = Quorum.MAJORITY) -> Genesis:
    return Genesis.create(list(reversed(FEDERATION)), quorum, name=name, timestamp=TIMESTAMP, key=MAKER)


def test_a_genesis_holds_the_federation_and_the_rule() -> None:
    made = genesis(quorum=Quorum.TWO_THIRDS)
    assert made.federation == tuple(FEDERATION)
    assert made.quorum is Quorum.TWO_THIRDS
    assert made.block.header.ledger is None
    assert made.block.header.voters == made.federation
    assert made.block.header.node == public(MAKER)[0]
    assert made.block.holds([made.transaction.leaf])
    assert made.transaction.operation is Operation.GENESIS
    assert made.transaction.to_dict()["transaction"]["data"]["payload"] == {**PAYLOAD, "quorum": "two-thirds"}


def test_no_two_ledgers_share_a_genesis() -> None:
    assert genesis("one").block.id != genesis("two").block.id
    assert genesis("one") == genesis("one")


def test_it_reads_as_it_was_made() -> None:
    made = genesis()
    assert Genesis.from_parts(Block.from_text(made.block.text), Transaction.from_text(made.transaction.text)) == made


def forged(
    payload: Any = PAYLOAD, operation: str = "GENESIS", signer: int = 0, maker: int = 0, **block: Any
) -> tuple[Block, Transaction]:
    owner = KEYS[signer]
    me = public(owner)
    unsigned = create_transaction(me, me, [], operation, payload=payload, timestamp=TIMESTAMP)
    transaction = Transaction.from_dict(sign_transaction(unsigned, {me[0]: owner}, {}))
    made = {"ledger": None, "voters": FEDERATION, "timestamp": TIMESTAMP, "key": KEYS[maker], **block}
    return Block.build([transaction], **made), transaction


def unsigned_block() -> tuple[Block, Transaction]:
    block, transaction = forged()
    return replace(block, signature=KEYS[1].sign(block.header.text)), transaction


BAD: dict[str, tuple[tuple[Block, Transaction], str]] = {
    "a block of another ledger": (forged(ledger="1" * 64), "block.ledger"),
    "a block that its maker did not sign": (unsigned_block(), "signature"),
    "another transaction": ((forged()[0], forged({**PAYLOAD, "name": "other"})[1]), "transactions"),
    "a CREATE": (forged(operation="CREATE"), "transaction.operation"),
    "no payload": (forged(None), "payload"),
    "a payload with more": (forged({**PAYLOAD, "x": 1}), "payload.x"),
    "a payload without name": (forged({"federation": FEDERATION, "quorum": "majority"}), "payload.name"),
    "a name that is no str": (forged({**PAYLOAD, "name": 5}), "payload.name"),
    "no federation": (forged({**PAYLOAD, "federation": []}), "payload.federation"),
    "a member that is no key": (forged({**PAYLOAD, "federation": ["x"]}), "payload.federation[0]"),
    "a member twice": (forged({**PAYLOAD, "federation": FEDERATION + FEDERATION[:1]}), "payload.federation"),
    "another electorate": (forged(voters=FEDERATION[:2]), "block.voters"),
    "a federation out of order": (forged({**PAYLOAD, "federation": FEDERATION[::-1]}), "block.voters"),
    "a maker who is no member": (
        forged({**PAYLOAD, "federation": sorted(public(KEYS[1:]))}, voters=public(KEYS[1:])),
        "block.node_pubkey",
    ),
    "a transaction by another member": (forged(signer=1), "block.node_pubkey"),
    "a rule that does not exist": (forged({**PAYLOAD, "quorum": "half"}), "payload.quorum"),
    "a rule that is a list": (forged({**PAYLOAD, "quorum": []}), "payload.quorum"),
}


@pytest.mark.parametrize(("parts", "field"), BAD.values(), ids=BAD)
def test_what_is_no_beginning_is_refused_by_the_name_of_its_field(parts: tuple[Block, Transaction], field: str) -> None:
    with pytest.raises(BlockError) as caught:
        Genesis.from_parts(*parts)
    assert caught.value.field == field


def test_a_stranger_cannot_begin() -> None:
    with pytest.raises(BlockError, match=r"block\.node_pubkey: must be a member"):
        Genesis.create(FEDERATION, Quorum.MAJORITY, name="x", timestamp=TIMESTAMP, key=key("stranger"))


@pytest.mark.parametrize("federation", [[], ["x"], [FEDERATION[0]] * 2])
def test_a_federation_is_of_members(federation: list[str]) -> None:
    with pytest.raises(BigchainDBError):
        Genesis.create(federation, Quorum.MAJORITY, name="x", timestamp=TIMESTAMP, key=MAKER)
