"""Nodes whose clocks are minutes apart (design.md 3.2)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from bigchaindb.model.block import Block
from bigchaindb.node.opening import open_node
from examples.federation.nodes import Federation, sqlite
from examples.federation.traffic import Traffic
from tests.acceptance.federation import REASSIGN_SECONDS, assert_all_valid, verdicts_when_equal

if TYPE_CHECKING:
    from examples.federation.nodes import Member

AHEAD_SECONDS = (-120, 0, 0, 120)
SOME = 8
ROOT = Path(__file__).parents[2]
# Python reads a file of this name when it starts.
SITE = """import os, time
right = time.time
time.time = lambda: right() + float(os.environ["SECONDS_AHEAD"])
"""


def block_times(member: Member) -> list[float]:
    """The times of all blocks."""
    node = open_node(member.config, time.time)
    try:
        stored = [block for _, block in node.storage.blocks_after(None, 1_000)]
    finally:
        node.storage.close()
    return [float(Block.from_text(block.text).header.timestamp) for block in stored]


def test_nodes_whose_clocks_are_minutes_apart_decide_everything_alike(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    with Federation(tmp_path, 4, sqlite(tmp_path), backlog_reassign_delay=REASSIGN_SECONDS) as federation:
        federation.init()
        for member, seconds in zip(federation.members, AHEAD_SECONDS, strict=True):
            member.environment = {"PYTHONPATH": f"{ROOT}:{site}", "SECONDS_AHEAD": str(seconds)}
        started = time.time()
        federation.start()
        traffic = Traffic()
        for member in federation.members:
            with member.bigchain() as ledger:
                traffic.transfer(ledger, traffic.create(ledger, SOME))
        assert_all_valid(federation.members, traffic.acknowledged)
        verdicts_when_equal(federation.members)
        # The one that is ahead has built, too.
        assert max(block_times(federation.members[0])) > started + AHEAD_SECONDS[-1]
