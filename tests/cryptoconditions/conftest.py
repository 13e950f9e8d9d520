"""Says at the end of a run how much was compared with the reference implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

COMPARED = pytest.StashKey[int]()


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Print the number of cases compared."""
    compared = config.stash.get(COMPARED, 0)
    if compared:
        terminalreporter.write_line(f"five-bells-condition: {compared} cases compared")
