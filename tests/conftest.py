"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A machine that is busy with something else is no reason to fail.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
