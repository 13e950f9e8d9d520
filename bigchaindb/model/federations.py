"""The federations of a ledger, one after the other (design.md 3.3).

Invariants:

- The first is the one in genesis; each differs from the one before by exactly one member, so that every quorum before
  a change shares a node with every quorum after it.
- The same members may be the federation again, later: what a vote was cast under, its block alone does not say.
- Members are public keys, sorted, none twice; a federation is never empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigchaindb import canonical, crypto
from bigchaindb.exceptions import FederationMismatch

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Federations"]


@dataclass(frozen=True, slots=True)
class Federations:
    """All federations of a ledger, as one node is configured to know them.

    Attributes:
        history: members of each, sorted, oldest first; the last is the present one.
    """

    history: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        """Check the steps.

        Raises:
            FederationMismatch: two that follow each other differ by none or by more than one member.
        """
        for number, (before, after) in enumerate(zip(self.history, self.history[1:], strict=False), 1):
            changed = set(before) ^ set(after)
            if len(changed) != 1:
                raise FederationMismatch(
                    f"earlier_federations: federation {number + 1} differs from {number} by {len(changed)} members: "
                    "a federation changes by one member at a time",
                    field="earlier_federations",
                )

    @classmethod
    def of(cls, present: Iterable[str], earlier: Iterable[Iterable[str]] = ()) -> Federations:
        """Return the history that ends with the present members; each may come in any order."""
        return cls(tuple(tuple(sorted(members)) for members in (*earlier, present)))

    @property
    def founding(self) -> tuple[str, ...]:
        """The members in genesis."""
        return self.history[0]

    @property
    def present(self) -> tuple[str, ...]:
        """The members now."""
        return self.history[-1]

    @property
    def fingerprint(self) -> str:
        """Hash of the whole history."""
        return crypto.hash_data(canonical.dumps([list(members) for members in self.history]))

    def began_with(self, fingerprint: str) -> bool:
        """Tell whether this history is, or goes on from, the one with a fingerprint."""
        counts = range(len(self.history), 0, -1)
        return any(Federations(self.history[:count]).fingerprint == fingerprint for count in counts)

    def __contains__(self, voters: object) -> bool:
        """Tell whether an electorate is, or was, the federation."""
        return voters in self.history
