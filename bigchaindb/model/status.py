"""How far a transaction has come (design.md section 3.2)."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Status"]


class Status(StrEnum):
    """How far a transaction has come."""

    BACKLOG = "backlog"
    UNDECIDED = "undecided"
    VALID = "valid"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
