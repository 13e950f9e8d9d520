"""One look at the ledger: what a page is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bigchaindb.node.chronicle import Chronicle
    from bigchaindb.node.node import Node
    from bigchaindb.node.queries import Queries

__all__ = ["Look"]


@dataclass(frozen=True, slots=True)
class Look:
    """Whom a page asks.

    Attributes:
        node: the node that serves it.
        queries: what can be asked of that.
        chronicle: what can be asked of its log.
    """

    node: Node
    queries: Queries
    chronicle: Chronicle
