"""One look at the ledger: what a page is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bigchaindb.node.chronicle import Chronicle
    from bigchaindb.node.node import Node
    from bigchaindb.node.queries import Queries
    from bigchaindb.storage.records import DecisionRow

__all__ = ["Look"]


@dataclass(frozen=True, slots=True)
class Look:
    """Whom a page asks.

    Attributes:
        node: the node that serves it.
        queries: what can be asked of that.
        chronicle: what can be asked of its log.
        latest: its last decision when the look began, or None: what is behind that may not be seen.
    """

    node: Node
    queries: Queries
    chronicle: Chronicle
    latest: DecisionRow | None

    @property
    def sequence(self) -> int:
        """Number of the last decision when the look began; 0 if there was none."""
        return self.latest.sequence if self.latest else 0
