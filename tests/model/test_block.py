"""Blocks: ids, signatures, roots; what is one and what is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import canonical, crypto
from bigchaindb.exceptions import BlockError
from bigchaindb.model.block import MAX_BYTES, MAX_TRANSACTIONS, Block, Header, check_contents
from bigchaindb.model.building import create_transaction
from bigchaindb.model.merkle import merkle_root
from bigchaindb.model.transaction import Transaction
from tests.ledgers import key, public
from tests.model.documents import ABSENT, TIMESTAMP, put

MAKER = key("node 0")
VOTERS = public([key("node 0"), key("node 1"), key("node 2")])
LEDGER = "1" * 64


def transaction(number: int, size_bytes: int = 0) -> Transaction:
    payload = {"number": number, "text": "x" * size_bytes}
    document = create_transaction(public(MAKER), public(key("a")), [], "CREATE", payload=payload, timestamp=TIMESTAMP)
    return Transaction.from_dict(document, max_bytes=2 * MAX_BYTES)


def block(*transactions: Transaction) -> Block:
    return Block.build(transactions, ledger=LEDGER, voters=VOTERS, timestamp=TIMESTAMP, key=MAKER)


TWO = [transaction(1), transaction(2)]


def test_a_block_holds_its_transactions_in_order_under_a_signed_header() -> None:
    made = block(*TWO)
    assert made.id == crypto.hash_data(made.header.text)
    assert made.key == crypto.hash_data(made.text)
    assert made.is_signed
    assert MAKER.verifying_key.verify(made.header.text, made.signature)
    assert made.transactions == tuple(t.hash for t in TWO)
    assert made.header.node == public(MAKER)[0]
    assert made.header.ledger == LEDGER
    assert made.header.voters == tuple(sorted(VOTERS))
    assert made.header.timestamp == TIMESTAMP
    assert made.header.transaction_count == 2
    assert made.header.transactions_root == merkle_root([t.leaf for t in TWO]).hex()


def test_what_adds_up_to_the_root_is_held_and_nothing_else() -> None:
    made = block(*TWO)
    one, two = (t.leaf for t in TWO)
    assert made.holds([one, two])
    assert not made.holds([two, one])
    assert not made.holds([one])
    assert not made.holds([])
    assert not made.holds([one, two, two])
    assert not made.holds([one, transaction(3).leaf])


def test_a_block_reads_as_it_was_written() -> None:
    made = block(*TWO)
    assert Block.from_text(made.text) == made
    assert canonical.dumps(canonical.loads(made.text)) == made.text


@given(st.permutations(VOTERS))
def test_voters_are_sorted_whatever_order_they_were_given_in(voters: list[str]) -> None:
    made = Block.build(TWO, ledger=LEDGER, voters=voters, timestamp=TIMESTAMP, key=MAKER)
    assert made.header.voters == tuple(sorted(VOTERS))
    assert made.id == block(*TWO).id


def test_somebody_elses_signature_is_read_but_is_none() -> None:
    document = canonical.loads(block(*TWO).text)
    document["signature"] = key("node 1").sign(block(*TWO).header.text)
    forged = Block.from_text(canonical.dumps(document))
    assert forged.id == block(*TWO).id
    assert forged.key != block(*TWO).key
    assert not forged.is_signed


@pytest.mark.parametrize("signature", ["", "x", "0OIl", "1" * 64])
def test_what_is_no_signature_is_none(signature: str) -> None:
    document = {**canonical.loads(block(*TWO).text), "signature": signature}
    assert not Block.from_text(canonical.dumps(document)).is_signed


# Name: (the place to change, what to put there, and the field that is to blame where that is another one).
BAD: dict[str, tuple[str, Any] | tuple[str, Any, str]] = {
    "an unknown field": ("x", 1, "block document.x"),
    "without block": ("block", ABSENT, "block document.block"),
    "without signature": ("signature", ABSENT, "block document.signature"),
    "without transactions": ("transactions", ABSENT, "block document.transactions"),
    "a header that is a list": ("block", []),
    "an unknown field in the header": ("block.height", 1),
    "without voters": ("block.voters", ABSENT),
    "version 2": ("block.version", 2),
    "version as bool": ("block.version", True),
    "a ledger that is no hash": ("block.ledger", "x"),
    "a ledger that is false": ("block.ledger", False),
    "a timestamp that is a number": ("block.timestamp", 1.5),
    "a maker that is no key": ("block.node_pubkey", "x"),
    "no voters": ("block.voters", []),
    "voters that are a dict": ("block.voters", {}),
    "a voter that is no key": ("block.voters[0]", "x"),
    "a voter twice": ("block.voters", [VOTERS[0], VOTERS[0]]),
    "voters out of order": ("block.voters", sorted(VOTERS, reverse=True)),
    "a root that is no hash": ("block.transactions_root", "x"),
    "no transactions counted": ("block.transaction_count", 0),
    "a count that is text": ("block.transaction_count", "2"),
    "a count that is a bool": ("block.transaction_count", True),
    "more than 1,000 counted": ("block.transaction_count", MAX_TRANSACTIONS + 1),
    "another count": ("block.transaction_count", 3, "transactions"),
    "a signature that is null": ("signature", None),
    "transactions that are a dict": ("transactions", {}),
    "no transactions": ("transactions", []),
    "a transaction that is no hash": ("transactions[1]", "x"),
    "a whole transaction": ("transactions[1]", TWO[1].to_dict()),
    "a transaction twice": ("transactions", [TWO[0].hash] * 2),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_what_is_no_block_is_refused_by_the_name_of_its_field(case: tuple[str, Any] | tuple[str, Any, str]) -> None:
    path, value, field = (*case, case[0])[:3]
    document = canonical.loads(block(*TWO).text)
    put(path, value)(document)
    with pytest.raises(BlockError) as caught:
        Block.from_text(canonical.dumps(document))
    assert caught.value.field == field


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", block(*TWO).text + " ", block(*TWO).text.replace(":", ": ", 1)]
)
def test_a_text_that_is_not_canonical_is_refused(text: str) -> None:
    with pytest.raises(BlockError):
        Block.from_text(text)


def test_a_header_alone_can_be_checked() -> None:
    header = block(*TWO).header
    assert Header.from_dict(header.to_dict()) == header
    assert header.is_signed(block(*TWO).signature)
    genesis = {**header.to_dict(), "ledger": None}
    assert Header.from_dict(genesis).ledger is None


def test_a_block_has_1_to_1000_transactions() -> None:
    thousand = [transaction(i) for i in range(MAX_TRANSACTIONS)]
    check_contents(thousand)
    for contents in ([], [*thousand, transaction(MAX_TRANSACTIONS)]):
        with pytest.raises(BlockError, match=f"transactions: must be 1 to 1000, not {len(contents)}"):
            check_contents(contents)
        with pytest.raises(BlockError):
            block(*contents)


def test_a_block_has_at_most_4_mebibytes_of_transactions() -> None:
    room = MAX_BYTES - 3 * transaction(0).size_bytes
    fitting = [transaction(i, room // 3) for i in range(3)]
    check_contents(fitting)
    with pytest.raises(BlockError, match="more than 4194304"):
        check_contents([*fitting, transaction(4)])


def test_a_block_holds_no_transaction_twice_not_even_under_another_signature() -> None:
    document = TWO[0].to_dict()
    document["transaction"]["fulfillments"][0]["fulfillment"] = "cf:4:other"
    other_text = Transaction.from_dict(document)
    with pytest.raises(BlockError, match="hold a transaction twice"):
        check_contents([TWO[0], TWO[0]])
    with pytest.raises(BlockError, match="hold a transaction twice"):
        check_contents([TWO[0], other_text])
