"""Transactions for a federation: assets created at every node, handed on, and now and then to two owners at once.

Invariants:

- What `acknowledged` holds was accepted by a node, so it must be decided by all of them.
- Of every two rivals, at most one may become valid; a node may refuse one of them at once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bigchaindb import crypto
from bigchaindb.exceptions import DoubleSpend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb import Bigchain

__all__ = ["Traffic"]

_TOGETHER_SECONDS: Final = 30.0


@dataclass(slots=True)
class Traffic:
    """What was sent so far.

    Attributes:
        acknowledged: ids of all transactions that a node has accepted, in order.
        pairs: the two ids of each pair of rivals.
        refused: ids of rivals that a node did not accept.
    """

    acknowledged: list[str] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    _alice: tuple[str, str] = field(default_factory=crypto.generate_key_pair, repr=False)
    _bob: tuple[str, str] = field(default_factory=crypto.generate_key_pair, repr=False)
    _carol: tuple[str, str] = field(default_factory=crypto.generate_key_pair, repr=False)

    def create(self, ledger: Bigchain, count: int) -> list[str]:
        """Create assets of Alice's at a node; return their ids."""
        number = len(self.acknowledged)
        created = []
        for i in range(count):
            tx = ledger.create_transaction(ledger.me, self._alice[1], None, "CREATE", payload={"number": number + i})
            created.append(ledger.sign_transaction(tx, ledger.me_private))
        ledger.write_transactions(created)
        ids = [str(tx["id"]) for tx in created]
        self.acknowledged += ids
        return ids

    def transfer(self, ledger: Bigchain, assets: Sequence[str]) -> None:
        """Hand assets of Alice's on to Bob at a node."""
        transfers = [self._transfer(ledger, asset, self._bob[1]) for asset in assets]
        ledger.write_transactions(transfers)
        self.acknowledged += [tx["id"] for tx in transfers]

    def rivals(self, ledgers: tuple[Bigchain, Bigchain], asset: str) -> None:
        """Let Alice hand one asset to Bob at one node and to Carol at another, at the same moment."""
        (transfers,) = self.pairs_of(ledgers[0], [asset])
        together = threading.Barrier(len(transfers))

        def write(ledger: Bigchain, tx: dict[str, Any]) -> None:
            together.wait(_TOGETHER_SECONDS)
            try:
                ledger.write_transaction(tx)
            except DoubleSpend:
                self.refused.add(tx["id"])

        threads = [threading.Thread(target=write, args=pair) for pair in zip(ledgers, transfers, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ids = (str(transfers[0]["id"]), str(transfers[1]["id"]))
        self.pairs.append(ids)
        self.acknowledged += [txid for txid in ids if txid not in self.refused]

    def pairs_of(self, ledger: Bigchain, assets: Sequence[str]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return for each asset of Alice's two signed transfers, to Bob and to Carol, of which nothing is sent yet."""
        return [
            (self._transfer(ledger, asset, self._bob[1]), self._transfer(ledger, asset, self._carol[1]))
            for asset in assets
        ]

    def _transfer(self, ledger: Bigchain, asset: str, owner: str) -> dict[str, Any]:
        tx = ledger.create_transaction(self._alice[1], owner, asset, "TRANSFER")
        return ledger.sign_transaction(tx, self._alice[0])
