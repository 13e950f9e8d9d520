"""What is raised when a world breaks a promise of the ledger."""

from __future__ import annotations

__all__ = ["Violation"]


class Violation(AssertionError):
    """A promise is broken."""
