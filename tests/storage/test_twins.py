"""Whatever is done to the database in memory and to a file, nobody can tell which is which."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.storage.records import Effects, Lineage, NewOutput
from bigchaindb.storage.sqlite import SqliteStorage
from tests.storage.make import block, decision, digest, output, ref, rejection, sighting, transaction, vote

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.storage.interface import Storage
    from bigchaindb.storage.records import OutputRow

NAMES = "abcdef"
NODES = ["node", "another"]
OUTPUTS = [output(name, cid) for name in NAMES for cid in range(2)]
OWNERS = {ref: (("alice", "bob"), ("alice",), ("carol",), ())[place % 4] for place, ref in enumerate(OUTPUTS)}
# One asset goes from the first transaction to the last, another from the second on.
LINEAGES = {
    output(name, cid): Lineage(digest("ab"[cid]), place + 1 - cid) if place >= cid else Lineage("elsewhere", 1)
    for place, name in enumerate(NAMES)
    for cid in (0, 1)
}
SPENDERS = {output(one, cid): digest(other) for one, other in pairwise([*NAMES, "later"]) for cid in (0, 1)}
# What is indexed beside a text follows from its id, as in a ledger.
TRANSACTIONS = [
    transaction(name, text=text, spends=OUTPUTS[place : place + 2])
    for place, name in enumerate(NAMES)
    for text in ("one", "two")
]
PAYLOADS = tuple((digest("pq"[place % 2]), digest(name)) for place, name in enumerate(NAMES))
BLOCKS = [
    block(name, *TRANSACTIONS[place : place + 3], forged=forged)
    for place, name in enumerate(NAMES)
    for forged in ("", "junk")
]

some_transactions = st.lists(st.sampled_from(TRANSACTIONS), max_size=4)
some_block = st.sampled_from(BLOCKS)
some_node = st.sampled_from(NODES)
some_time = st.floats(0, 5)
some_ids = st.lists(st.sampled_from([digest(name) for name in NAMES]), max_size=2)
some_texts = st.sampled_from([None, "", "one", "two"])
some_votes = st.lists(st.builds(vote, some_block, some_node, st.sampled_from(["one", "two"]), some_texts), max_size=3)
some_sightings = st.lists(
    st.builds(sighting, some_block, some_time, checked=st.booleans(), verdict=st.sampled_from([None, True, False])),
    max_size=3,
)
# Some transactions from the first on, each as a whole: what is spent is settled before its spender or with it.
some_effects = st.builds(
    lambda count, order: Effects(
        tuple(NewOutput(ref, OWNERS[ref], LINEAGES[ref]) for ref in order if ref in OUTPUTS[: 2 * count]),
        tuple((ref, SPENDERS[ref]) for ref in order if ref in OUTPUTS[: 2 * (count - 1)]),
        PAYLOADS[:count],
    ),
    st.integers(1, len(NAMES)),
    st.permutations(OUTPUTS + OUTPUTS[:3]),
)

Step = tuple[str, tuple[Any, ...], dict[str, Any]]


def step(name: str, *arguments: st.SearchStrategy[Any], **named: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(name), st.tuples(*arguments), st.fixed_dictionaries(named))


STEPS = st.lists(
    st.one_of(
        step("append_backlog", some_transactions, some_time),
        step("drop_backlog", ids=some_ids),
        step("drop_backlog", texts=st.lists(st.sampled_from([ref(each) for each in TRANSACTIONS]), max_size=2)),
        step("create_genesis", some_block, st.sampled_from(TRANSACTIONS), st.sampled_from([None, digest("p")])),
        step("write_block", some_block),
        step("sight", some_node, some_sightings),
        step("place_votes", some_votes),
        step("keep_evidence", some_votes),
        step(
            "append_decisions",
            st.lists(st.builds(decision, some_block, some_node, st.integers(1, 4), verdict=st.booleans()), max_size=2),
        ),
        step("settle", some_effects),
        step("reject", st.lists(st.builds(rejection, st.sampled_from(TRANSACTIONS), some_node), max_size=2)),
        step("swap_register", st.sampled_from(["x", "y"]), some_texts, some_texts),
    ),
    max_size=25,
)


def pages(read: Callable[[str | None], list[Any]], cursor_of: Callable[[Any], str]) -> list[Any]:
    """A list that is read page by page."""
    found: list[Any] = []
    while page := read(cursor_of(found[-1]) if found else None):
        found += page
    return found


def all_outputs(storage: Storage, owner: str, *, spent: bool | None) -> list[OutputRow]:
    return pages(
        lambda after: storage.outputs_of(owner, spent=spent, after=after, limit=2),
        lambda row: str(row.cursor),
    )


def chain_of(storage: Storage, asset: str) -> list[tuple[OutputRef, str | None]]:
    rows = pages(lambda after: storage.outputs_of_asset(asset, after, 2), lambda row: str(row.cursor))
    return [(row.ref, row.spent_by) for row in rows]


def everything(storage: Storage) -> dict[str, Any]:
    """All that can be read, without what a backend may choose: cursors, and an order where none is promised."""
    ids = [digest(name) for name in NAMES]
    block_ids = [each.id for each in BLOCKS]
    listed = pages(lambda after: storage.backlog(after, 2), lambda entry: entry.cursor)
    arrived = pages(lambda after: storage.blocks_after(after, 2), lambda pair: pair[0])
    with_payload = pages(lambda after: storage.with_payload_hash(digest("p"), after, 2), lambda pair: pair[0])
    holdings = {
        (owner, spent): all_outputs(storage, owner, spent=spent)
        for owner in ("alice", "bob", "carol", "nobody")
        for spent in (None, True, False)
    }
    return {
        "genesis": storage.genesis(),
        "backlog": [(entry.received_at, entry.text, entry.assigning) for entry in listed],
        "backlog_size": storage.backlog_size(),
        "waiting": storage.waiting(ids),
        "contents": storage.contents([ref(each) for each in TRANSACTIONS]),
        "transactions": storage.transactions(ids),
        "spenders": {ref: sorted(found) for ref, found in storage.spenders(OUTPUTS).items()},
        "with_payload_hash": [id_ for _, id_ in with_payload],
        "blocks_after": [stored for _, stored in arrived],
        "blocks": storage.blocks(block_ids),
        "block_count": storage.block_count(),
        "sightings": [storage.sightings(node, [each.key for each in BLOCKS]) for node in NODES],
        "open": [
            storage.open_sightings(node, checked=checked, limit=99) for node in NODES for checked in (True, False)
        ],
        "standings": [
            {id_: sorted(found, key=repr) for id_, found in storage.standings(node, ids).items()} for node in NODES
        ],
        "votes": storage.votes(block_ids),
        "evidence": storage.evidence(99),
        "decisions": [storage.decisions(node, 0, 99) for node in NODES],
        "latest": [storage.latest_decision(node) for node in NODES],
        "decisions_on": storage.decisions_on(block_ids),
        "lineages": storage.lineages(OUTPUTS),
        "assets": {id_: chain_of(storage, id_) for id_ in ids},
        "holdings": {key: [(row.ref, row.spent_by) for row in rows] for key, rows in holdings.items()},
        "rejections": storage.rejections(ids),
        "registers": storage.registers(["x", "y"]),
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, batched=st.booleans())
def test_nobody_can_tell_the_twins_apart(steps: list[Step], batched: bool) -> None:
    with tempfile.TemporaryDirectory() as directory, ExitStack() as opened:
        memory = opened.enter_context(closing(MemoryStorage()))
        file = opened.enter_context(closing(SqliteStorage(Path(directory, "ledger.sqlite"), create=True)))
        assert results_of(memory, steps, batched=batched) == results_of(file, steps, batched=batched)
        assert everything(memory) == everything(file)


def results_of(storage: Storage, steps: list[Step], *, batched: bool) -> list[Any]:
    with storage.batch() if batched else nullcontext():
        return [getattr(storage, name)(*arguments, **named) for name, arguments, named in steps]
