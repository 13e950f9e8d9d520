"""What is done now and then, by a clock that may be set."""

from __future__ import annotations

__all__ = ["Every"]


class Every:
    """Is due at once, and then every so many seconds.

    A clock that was set back makes it due too: otherwise nothing would be done until it has caught up.
    """

    def __init__(self, seconds: float) -> None:
        """Be due."""
        self._seconds = seconds
        self._last: float | None = None

    def is_due(self, now: float) -> bool:
        """Tell whether it is time; if so, the next time is so many seconds from now."""
        due = self._last is None or not 0 <= now - self._last < self._seconds
        if due:
            self._last = now
        return due
