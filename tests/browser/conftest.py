"""Browser, server and visitors; every test here is a browser test."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.crowd import Crowd, make_crowd
from tests.browser.serving import served
from tests.browser.world import World, make_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from tests.browser.visiting import Visitor

HERE = Path(__file__).parent
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name that, unlike that of this machine, is as little trusted as any other node's over plain HTTP.
    "--host-resolver-rules=MAP node.example 127.0.0.1",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what was not tried for want of a browser."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)]
    missed = [reason for reason in reasons if "no Chromium" in reason]
    if missed:
        reason = missed[0].removeprefix("Skipped: ")
        terminalreporter.write_line(f"{len(missed)} tests in a browser were skipped: {reason}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium with a profile of its own."""
    chromium = os.environ.get("BIGCHAINDB_TEST_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium on the PATH (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only those who have it run these
    except ImportError:
        pytest.skip("no Chromium without Playwright (pip install playwright axe-playwright-python)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def world() -> World:
    """What the pictures show."""
    return make_world()


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    """Where that world is served."""
    with served(world.ledger) as address:
        yield address


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    """What leaves a page little room."""
    return make_crowd()


@pytest.fixture(scope="module")
def crowd_url(crowd: Crowd) -> Iterator[str]:
    """Where that is served."""
    with served(crowd.ledger) as address:
        yield address


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Somebody who visits a node: `visit(url, **how)`, with what Playwright lets a context be."""
    with ExitStack() as stack:

        def begin(address: str, **how: Any) -> Visitor:
            from tests.browser.visiting import Visitor  # noqa: PLC0415 - as above

            context = browser.new_context(**how)
            stack.callback(context.close)
            return Visitor(context, address)

        yield begin
