"""A visitor of the explorer: one page in a browser, and what was wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Request

__all__ = ["Visitor"]

# What Chromium says of a page that is answered with 404, as it has to be.
_EXPECTED: Final = "Failed to load resource: the server responded with a status of 404"


class Visitor:
    """Somebody with a browser.

    Attributes:
        page: what is looked at.
        problems: errors on the console, of scripts, and requests to somebody else.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        """Begin on a blank page; `url` is the node's."""
        self._url = url
        self.page = context.new_page()
        self.problems: list[str] = []
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        self.page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"console: {message.text} ({message.location.get('url')})")

    def _on_request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self._url).netloc:
            self.problems.append(f"request to {request.url}")

    def open(self, path: str, status: int = 200) -> None:
        """Go to a page beneath `/explorer`."""
        answer = self.page.goto(f"{self._url}/explorer{path}")
        assert answer is not None
        assert answer.status == status, path
        if status != 200:
            self.problems = [problem for problem in self.problems if _EXPECTED not in problem]

    def violations(self) -> list[str]:
        """What axe finds, of whatever level, each with what to do."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{item['impact']}: {item['id']}: {node['target']}: {node.get('failureSummary')}"
            for item in found
            for node in item["nodes"]
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        wider: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return wider

    def focused(self) -> str:
        """What has the keyboard's focus: its id, or its text."""
        text: str = self.page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        return text
