"""Every page, in light and dark, on desk and phone, with and without JavaScript."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.looks import DESKTOP, MODES, PHONE, WIDTHS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.crowd import Crowd
    from tests.browser.visiting import Visitor
    from tests.browser.world import World

IMAGES = Path(__file__).parents[2] / "docs/images"
PAGES = ["overview", "blocks", "block", "transaction", "transfer", "owner", "asset", "payload", "federation", "search"]
PAGES += ["nothing"]
MISSING = ["unknown", "not found", "no page"]
PICTURES = {
    "overview": ["overview", "light"],
    "overview-dark": ["overview", "dark"],
    "overview-phone": ["overview", "phone"],
    "blocks": ["blocks", "light"],
    "block": ["block", "light"],
    "transaction": ["transaction", "light"],
    "transaction-phone": ["transaction", "dark phone"],
    "owner": ["owner", "light"],
    "payload": ["payload", "light"],
    "asset": ["asset", "light"],
    "federation": ["federation", "light"],
    "not-found": ["not found", "light"],
}
TALLEST = 1100


def unfold(visitor: Visitor) -> None:
    """Open all that can be opened, so that it is looked at too."""
    visitor.page.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = true; })")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [*PAGES, *MISSING])
def test_a_page_is_without_errors_and_anybody_can_use_it(
    visit: Callable[..., Visitor], url: str, world: World, name: str, mode: str
) -> None:
    visitor = visit(url, **MODES[mode])
    if name in MISSING:
        visitor.open(world.missing[name], 404)
    else:
        visitor.open(world.pages[name])
    unfold(visitor)
    assert visitor.violations() == []
    assert visitor.overflow() == 0
    assert visitor.problems == []


def too_wide(visitor: Visitor) -> list[tuple[str, int, int]]:
    """By how much the page that is open is wider than windows of each width, where it is."""
    unfold(visitor)
    found = []
    for width in WIDTHS:
        visitor.page.set_viewport_size({"width": width, "height": 800})
        found.append((visitor.page.url, width, visitor.overflow()))
    return [(address, width, overflow) for address, width, overflow in found if overflow]


def test_no_page_is_wider_than_its_window(visit: Callable[..., Visitor], url: str, world: World) -> None:
    visitor = visit(url)
    wide = []
    for path, status in [(path, 200) for path in world.pages.values()] + [
        (path, 404) for path in world.missing.values()
    ]:
        visitor.open(path, status)
        wide += too_wide(visitor)
    assert wide == []


def test_nor_is_one_whose_rows_are_long(visit: Callable[..., Visitor], crowd_url: str, crowd: Crowd) -> None:
    visitor = visit(crowd_url)
    wide = []
    for path in crowd.pages.values():
        visitor.open(path)
        wide += too_wide(visitor)
    assert wide == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_complete_without_javascript(
    visit: Callable[..., Visitor], url: str, world: World, name: str
) -> None:
    with_script, without = visit(url), visit(url, java_script_enabled=False)
    for visitor in (with_script, without):
        visitor.open(world.pages[name])
    # What the script adds is buttons, and the word beside one.
    added = re.compile(r"^(?:Live|Pause|Copy)+$|(?<=[0-9A-Za-z])Copy$")
    lines = [added.sub("", line) for line in with_script.page.inner_text("main").split("\n")]
    assert [line for line in lines if line] == [line for line in without.page.inner_text("main").split("\n") if line]
    assert without.problems == []


def test_search_works_without_javascript(visit: Callable[..., Visitor], url: str, world: World) -> None:
    visitor = visit(url, java_script_enabled=False)
    visitor.open("/")
    visitor.page.fill("#q", world.car.id)
    visitor.page.click("form button")
    assert visitor.page.url.endswith(f"/explorer/transactions/{world.car.id}")


def test_the_keyboard_alone_reaches_search_and_what_it_finds(
    visit: Callable[..., Visitor], url: str, world: World
) -> None:
    visitor = visit(url, viewport=DESKTOP)
    visitor.open("/")
    path = []
    for _ in range(10):
        visitor.page.keyboard.press("Tab")
        path.append(visitor.focused())
        if path[-1] == "q":
            break
    assert path == ["Skip to the content", "bigchaindb", "Overview", "Blocks", "Federation", "q"]
    visitor.page.keyboard.type(world.ledger.home(world.car).id)
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url("**/blocks/*")
    visitor.page.keyboard.press("/")
    assert visitor.focused() == "q"
    visitor.page.keyboard.type("a/b")
    assert visitor.page.input_value("#q") == "a/b"


def test_the_first_key_leads_past_the_top(visit: Callable[..., Visitor], url: str) -> None:
    visitor = visit(url, viewport=DESKTOP)
    visitor.open("/blocks")
    visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Enter")
    visitor.page.keyboard.press("Tab")
    assert visitor.page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_an_id_can_be_copied_whole_however_short_it_looks(
    visit: Callable[..., Visitor], url: str, world: World
) -> None:
    visitor = visit(url, viewport=PHONE, permissions=["clipboard-read", "clipboard-write"])
    visitor.open(f"/transactions/{world.car.id}")
    visitor.page.click("text=Copy >> nth=0")
    visitor.page.wait_for_selector("text=Copied")
    assert visitor.page.evaluate("navigator.clipboard.readText()") == world.car.id
    visitor.open("/blocks")
    link = visitor.page.locator("td a.id").first
    assert link.evaluate("(it) => it.clientWidth < it.scrollWidth")
    copied = link.evaluate("(it) => { getSelection().selectAllChildren(it); return getSelection().toString(); }")
    assert re.fullmatch("[0-9a-f]{64}", copied)


def test_an_id_can_be_copied_over_plain_http_too(visit: Callable[..., Visitor], url: str, world: World) -> None:
    visitor = visit(url.replace("127.0.0.1", "node.example"), viewport=DESKTOP)
    visitor.open(f"/transactions/{world.car.id}")
    assert not visitor.page.evaluate("isSecureContext")
    visitor.page.click("text=Copy >> nth=0")
    visitor.page.wait_for_selector("text=Copied")
    visitor.page.focus("#q")
    visitor.page.keyboard.press("Control+V")
    assert visitor.page.input_value("#q") == world.car.id
    assert visitor.problems == []


def test_nothing_moves_for_those_who_do_not_want_it(visit: Callable[..., Visitor], url: str) -> None:
    moving = "getComputedStyle(document.querySelector('.live-bar .dot')).animationName"
    names = []
    for motion in ("reduce", "no-preference"):
        visitor = visit(url, reduced_motion=motion)
        visitor.open("/")
        names.append(visitor.page.evaluate(moving))
    assert names == ["none", "breathe"]


@pytest.mark.parametrize("picture", PICTURES)
def test_pictures_are_made(visit: Callable[..., Visitor], url: str, world: World, picture: str, tmp_path: Path) -> None:
    file = f"explorer-{picture}.png"
    assert (IMAGES / file).exists(), "the documentation shows it"
    name, mode = PICTURES[picture]
    how: dict[str, Any] = {**MODES[mode], "reduced_motion": "reduce"}
    visitor = visit(url, **how)
    if name in world.missing:
        visitor.open(world.missing[name], 404)
    else:
        visitor.open(world.pages[name])
    size = how["viewport"]
    height = min(visitor.page.evaluate("document.documentElement.scrollHeight"), TALLEST)
    visitor.page.set_viewport_size({"width": size["width"], "height": height})
    wanted = os.environ.get("BIGCHAINDB_TEST_SCREENSHOTS")
    visitor.page.screenshot(path=(IMAGES if wanted else tmp_path) / file)
    assert visitor.problems == []
