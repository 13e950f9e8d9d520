"""What a crypto-condition may be at most, so that hostile input is refused before it costs anything.

Invariants:

- Depth, nodes and sizes are bounded before anything recurses, allocates or hashes.
- A limit is checked in one place: constants here are used by the reader, the constructors and `Census`.
"""

from __future__ import annotations

from typing import Final

from bigchaindb.canonical import MAX_INTEGER
from bigchaindb.exceptions import ConditionError

__all__ = [
    "FINGERPRINT_BYTES",
    "MAX_BASE64_CHARACTERS",
    "MAX_DEPTH",
    "MAX_FEATURES",
    "MAX_NODES",
    "MAX_PAYLOAD_BYTES",
    "MAX_TABLE_CELLS",
    "MAX_WEIGHT",
    "TYPE_IDS",
    "Census",
]

TYPE_IDS: Final = frozenset({0, 1, 2, 4, 98, 99})
FINGERPRINT_BYTES: Final = 32
MAX_FEATURES: Final = 0x3F
MAX_DEPTH: Final = 8
MAX_NODES: Final = 512
MAX_PAYLOAD_BYTES: Final = 65_535
MAX_BASE64_CHARACTERS: Final = (MAX_PAYLOAD_BYTES * 4 + 2) // 3
# Number of subs x threshold: the size of the tables in `choices`.
MAX_TABLE_CELLS: Final = 65_536
# The format has no largest weight, but `details` are JSON, and canonical JSON has no larger integer.
MAX_WEIGHT: Final = MAX_INTEGER


class Census:
    """Counts the nodes of one structure while it is read or walked."""

    __slots__ = ("_nodes",)

    def __init__(self) -> None:
        """Start with no node."""
        self._nodes = 0

    def enter(self, depth: int, where: str) -> None:
        """Count one more node, a stand-in condition included.

        Args:
            depth: of this node; the root is 1.
            where: what to call the node in an error message.

        Raises:
            ConditionError: it is nested too deep, or is one node too many.
        """
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise ConditionError(f"{where}: nested more than {MAX_DEPTH} levels deep", field=where)
        if self._nodes > MAX_NODES:
            raise ConditionError(f"{where}: the structure has more than {MAX_NODES} nodes", field=where)
