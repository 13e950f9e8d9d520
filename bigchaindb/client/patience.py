"""How often to try again, and how long to wait before.

Invariants:

- The number of attempts and the time spent waiting are bounded.
- Chance is passed in; no clock is read and nobody sleeps here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bigchaindb.exceptions import InvalidValue

__all__ = ["Patience", "retry_after_seconds"]

_SECONDS: Final = re.compile("[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Patience:
    """How patient a client is with a node that is away or busy.

    The pause doubles with each failure.  Between half of it and all of it is waited, as chance has it, so that clients
    that failed together don't come back together.

    Attributes:
        attempts: how often a request is sent, at the most.
        first_pause_seconds: the pause after the first failure.
        longest_pause_seconds: where the doubling ends.
        total_pause_seconds: how long all pauses of a request may be together.
    """

    attempts: int = 6
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 5.0
    total_pause_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Check all fields.

        Raises:
            InvalidValue: there is not one attempt, or a pause is negative.
        """
        if self.attempts < 1:
            raise InvalidValue("patience: attempts must be at least 1", field="attempts")
        for name in ("first_pause_seconds", "longest_pause_seconds", "total_pause_seconds"):
            if not getattr(self, name) >= 0:
                raise InvalidValue(f"patience: {name} must not be negative", field=name)

    def pause_seconds(self, failures: int, paused_seconds: float, chance: float, asked_seconds: float) -> float | None:
        """Return how long to wait before the next attempt; None to give up.

        Args:
            failures: how many attempts have failed, from 1 on.
            paused_seconds: how long the pauses before were together.
            chance: any number from 0 to 1.
            asked_seconds: how long the node has asked to wait at least.
        """
        if failures >= self.attempts:
            return None
        # Bounded first: a power of two soon has no float.
        doubled = self.first_pause_seconds * 2 ** min(failures - 1, 32)
        pause = asked_seconds + min(doubled, self.longest_pause_seconds) * (1 + chance) / 2
        return pause if paused_seconds + pause <= self.total_pause_seconds else None


def retry_after_seconds(header: str | None) -> float:
    """Return how many seconds a Retry-After header asks to wait; 0 where it is absent or is no number of seconds.

    A date, which HTTP allows too, would have to be read by a clock that the node and the client share.
    """
    return float(header) if header is not None and _SECONDS.fullmatch(header.strip()) else 0.0
