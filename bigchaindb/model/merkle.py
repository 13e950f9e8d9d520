"""Merkle trees over Keccak-256, in the shape of RFC 6962 section 2.1.

Invariants:

- A leaf is hashed behind 0x00, an inner node behind 0x01, so that neither can pass for the other.
- A tree of n leaves splits at the largest power of two smaller than n; a path has one hash per level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bigchaindb.crypto import hash_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["leaf_hash", "merkle_path", "merkle_root", "root_from_path"]

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """Return the 32-byte hash of a leaf's data."""
    return hash_bytes(_LEAF + data)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes.

    Raises:
        ValueError: there are none.
    """
    if not leaves:
        raise ValueError("a Merkle tree has at least one leaf")
    level = list(leaves)
    # Pairing neighbours and carrying an odd last one up gives RFC 6962's shape, without recursion.
    while len(level) > 1:
        paired = [hash_bytes(_NODE + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
    return level[0]


def merkle_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the sibling hashes of a leaf from the bottom up.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of a tree of {len(leaves)}")
    path = []
    level = list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        paired = [hash_bytes(_NODE + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
        index //= 2
    return path


def root_from_path(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a leaf hash at an index of a tree with `count` leaves has by a path.

    Returns:
        The root, or None where a path for that index and count has another length.
    """
    if not 0 <= index < count:
        return None
    siblings = iter(path)
    current = leaf
    while count > 1:
        sibling_index = index ^ 1
        if sibling_index < count:
            sibling = next(siblings, None)
            if sibling is None:
                return None
            pair = sibling + current if index & 1 else current + sibling
            current = hash_bytes(_NODE + pair)
        index //= 2
        count = (count + 1) // 2
    return current if next(siblings, None) is None else None
