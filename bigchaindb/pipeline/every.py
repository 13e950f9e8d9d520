"""What is done now and then, by a clock that may be set."""

from __future__ import annotations

from typing import Final

__all__ = ["Every"]

# A clock that was set forward while something was done must not put it off for ever.
_LONGEST_PAUSE_SECONDS: Final = 60.0


class Every:
    """Is due at once, and then every so many seconds.

    A clock that was set back makes it due too: otherwise nothing would be done until it has caught up.
    """

    def __init__(self, seconds: float) -> None:
        """Be due, and then not again for so many seconds."""
        self._seconds = seconds
        self._pause = seconds
        self._last: float | None = None

    def is_due(self, now: float) -> bool:
        """Tell whether it is time; if so, the next time is so many seconds from now."""
        due = self._last is None or not 0 <= now - self._last < self._pause
        if due:
            self._last = now
            self._pause = self._seconds
        return due

    def took(self, seconds: float, share: float) -> None:
        """Put the next time off, for a minute at most, where this one took more than a share of the time, of 1."""
        self._pause = max(self._seconds, min(seconds / share, _LONGEST_PAUSE_SECONDS))
