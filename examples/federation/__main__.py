"""`python -m examples.federation`: nodes are started, sent transactions, killed and started again, and must agree.

Ends with exit code 0 only if every accepted transaction was decided, by every node, and every node has given the same
verdict on every block.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bigchaindb.exceptions import BigchainDBError, TransactionTimeout
from bigchaindb.node.opening import open_node
from examples.federation.nodes import Federation, sqlite
from examples.federation.rethink import rethinkdb
from examples.federation.traffic import Traffic
from examples.federation.view import Screen, look

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb import Bigchain
    from bigchaindb.node.node import Node

ROUND_SECONDS: Final = 1.0
CREATES: Final = 5
START_SECONDS: Final = 30.0
SETTLE_SECONDS: Final = 60.0
REASSIGN_SECONDS: Final = 3.0
INTERRUPTED: Final = 130


class Tour:
    """The federation at work, round by round."""

    def __init__(self, federation: Federation, ledgers: list[Bigchain], nodes: list[Node]) -> None:
        """Show members that were configured, each with its ledger open."""
        self._federation = federation
        self._ledgers = ledgers
        self._nodes = nodes
        self._traffic = Traffic()
        self._assets: list[str] = []
        self._screen = Screen()
        self._began = time.monotonic()

    def run(self, seconds: float) -> bool:
        """Send transactions for some time, with one node killed in the second third of it; tell whether all agree."""
        members = self._federation.members
        victim = members[-1]
        self._federation.start()
        self._assets += self._traffic.create(self._ledgers[0], CREATES)
        for ledger in self._ledgers:
            ledger.wait_for_transaction(self._assets[-1], START_SECONDS)
        self._screen.say(f"{len(members)} nodes are up, and have decided on the first block")
        rounds = max(3, round(seconds / ROUND_SECONDS))
        for number in range(rounds):
            if number == rounds // 3:
                victim.kill()
                self._screen.say(f"{victim.name} is killed (SIGKILL)")
            if number == 2 * rounds // 3:
                victim.start()
                self._screen.say(f"{victim.name} is started again")
            self._send()
            self._show()
            time.sleep(ROUND_SECONDS)
        return self._settle()

    def _send(self) -> None:
        running = [
            ledger for member, ledger in zip(self._federation.members, self._ledgers, strict=True) if member.is_running
        ]
        if self._assets and running:
            self._traffic.rivals((running[0], running[-1]), self._assets.pop(0))
        for ledger in running:
            assets, self._assets = self._assets[: CREATES - 1], self._assets[CREATES - 1 :]
            self._traffic.transfer(ledger, assets)
        for ledger in running:
            self._assets += self._traffic.create(ledger, CREATES)

    def _show(self) -> None:
        rows = [look(member, node) for member, node in zip(self._federation.members, self._nodes, strict=True)]
        self._screen.show(time.monotonic() - self._began, rows)

    def _settle(self) -> bool:
        """Wait for what is still under way, and compare."""
        deadline = time.monotonic() + SETTLE_SECONDS
        try:
            fates = [self._fates(ledger, deadline) for ledger in self._ledgers]
        except TransactionTimeout as error:
            self._screen.say(f"not decided: {error}")
            return False
        verdicts = self._compared(deadline)
        self._show()
        self._screen.keep()
        valid = list(fates[0].values()).count("valid")
        wins = [[fates[0].get(txid) for txid in pair].count("valid") for pair in self._traffic.pairs]
        say = self._screen.say
        say(f"{len(fates[0])} transactions accepted: {valid} valid, {len(fates[0]) - valid} rejected")
        say(f"{len(wins)} pairs of rivals: {wins.count(1)} with exactly one valid")
        say(f"{len(self._traffic.refused)} of the rivals refused at once, so not among the accepted")
        blocks = set().union(*verdicts)
        agreed = sum(all(blocks_of.get(block) is verdicts[0].get(block) for blocks_of in verdicts) for block in blocks)
        say(f"{len(blocks)} blocks: {agreed} with the same verdict at every node, each in its own order")
        agree = all(fate == fates[0] for fate in fates) and agreed == len(blocks) and set(wins) <= {1}
        say("All nodes agree." if agree else "THE NODES DO NOT AGREE.")
        return agree

    def _fates(self, ledger: Bigchain, deadline: float) -> dict[str, str]:
        """Return what became of every accepted transaction, by one node; the first node is watched meanwhile."""
        fates = {}
        shown = time.monotonic()
        for txid in self._traffic.acknowledged:
            fates[txid] = str(ledger.wait_for_transaction(txid, max(0.0, deadline - time.monotonic())))
            if time.monotonic() - shown >= ROUND_SECONDS:
                shown = time.monotonic()
                self._show()
        return fates

    def _compared(self, deadline: float) -> list[dict[str, bool]]:
        """Return every node's verdicts, as soon as all have decided the same blocks."""
        while True:
            verdicts = [member.verdicts() for member in self._federation.members]
            if all(v.keys() == verdicts[0].keys() for v in verdicts) or time.monotonic() >= deadline:
                return verdicts
            time.sleep(ROUND_SECONDS / 10)


def main(arguments: list[str]) -> int:
    """Run the example; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.federation", description=__doc__)
    parser.add_argument("--nodes", type=_at_least(1), default=4, metavar="N", help="how many [default: 4]")
    parser.add_argument("--backend", choices=["sqlite", "rethinkdb"], default="sqlite", help="[default: sqlite]")
    parser.add_argument(
        "--rethinkdb", type=_address, metavar="HOST:PORT", help="a server to use [default: start a throw-away one]"
    )
    parser.add_argument("--seconds", type=_at_least(3), default=12, metavar="N", help="of traffic [default: 12]")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bigchaindb-federation-") as directory, ExitStack() as stack:
        place = Path(directory)
        if options.backend == "rethinkdb" or options.rethinkdb:
            database = stack.enter_context(rethinkdb(options.rethinkdb))
        else:
            database = sqlite(place)
        federation = Federation(place, options.nodes, database, backlog_reassign_delay=REASSIGN_SECONDS)
        federation.init()
        ledgers = [stack.enter_context(member.bigchain()) for member in federation.members]
        nodes = []
        for member in federation.members:
            nodes.append(open_node(member.config, time.time))
            stack.callback(nodes[-1].storage.close)
        with federation:
            return 0 if Tour(federation, ledgers, nodes).run(options.seconds) else 1


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdecimal()):
        raise argparse.ArgumentTypeError("must be host:port")
    return text


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}")
        return value

    return number


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (BigchainDBError, RuntimeError) as error:
        sys.exit(f"{error}".strip())
