"""What a run of worlds has come to, told at the end of the test run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_LINES: pytest.StashKey[list[str]] = pytest.StashKey()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Says a line at the end of the run."""
    return request.config.stash.setdefault(_LINES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was simulated."""
    for line in terminalreporter.config.stash.get(_LINES, []):
        terminalreporter.write_line(line)
