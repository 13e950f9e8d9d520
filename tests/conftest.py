"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

from tests.rethink import empty_ledger, kept_ledger, new_ledger, pytest_terminal_summary, rethinkdb

__all__ = ["empty_ledger", "kept_ledger", "new_ledger", "pytest_terminal_summary", "rethinkdb"]

# A machine that is busy with something else is no reason to fail.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
