"""Numbers that only go up, kept in storage for whoever watches a node; nothing depends on them.

Invariants:

- Each is one node's own; its processes add to it, one after the other.
- What is counted here has no other place where it could be looked up at once, however large the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bigchaindb.storage.interface import Storage

__all__ = ["REJECTED", "add", "read", "restarts_of"]

REJECTED: Final = "rejected"
"""How many signed texts a node's builder has rejected."""

_TRIES: Final = 10


def restarts_of(role: str) -> str:
    """Return the name of the counter of how often the process with this role was started again."""
    return f"restarts/{role}"


def read(storage: Storage, node: str, names: Sequence[str]) -> dict[str, int]:
    """Return a node's counters; those that were never added to are 0."""
    registers = storage.registers([_register(node, name) for name in names])
    return {name: _number(registers.get(_register(node, name))) for name in names}


def add(storage: Storage, node: str, numbers: Mapping[str, int]) -> None:
    """Add to a node's counters.

    Where somebody else gets in between again and again, it is left: an observer can do with less.
    """
    for name, number in numbers.items():
        register = _register(node, name)
        for _ in range(_TRIES):
            held = storage.registers([register]).get(register)
            if storage.swap_register(register, held, str(_number(held) + number)):
                break


def _register(node: str, name: str) -> str:
    return f"count/{node}/{name}"


def _number(text: str | None) -> int:
    # Shared storage may hold anything.
    return int(text) if text is not None and text.isascii() and text.isdecimal() else 0
