"""Pages of a running node: what changes appears, at a bearable pace, and can be paused; who is cut off is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.machine import Machine, until
from tests.browser.looks import DESKTOP, WIDTHS
from tests.browser.serving import served
from tests.ledgers import Ledger, key, public, ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Request

    from tests.browser.visiting import Visitor

START_SECONDS = 30
MILLISECONDS = 20_000


class LiveNode:
    """A node that runs, with its explorer."""

    def __init__(self, machine: Machine, url: str) -> None:
        self.url = url
        self._machine = machine

    def write(self, count: int = 1, **payload: Any) -> str:
        """Write so many transactions, each decided before the next is written, and return the id of the last."""
        with self._machine.bigchain() as b:
            for number in range(count):
                unsigned = b.create_transaction(b.me, b.me, None, "CREATE", payload={**payload, "number": number})
                signed = b.sign_transaction(unsigned, b.me_private)
                b.write_transaction(signed)
                assert b.wait_for_transaction(signed["id"], START_SECONDS) == "valid"
            return str(signed["id"])


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNode]:
    """A node as an operator starts it."""
    machine = Machine(tmp_path_factory.mktemp("home"))
    for command in (["configure", "-y"], ["init"]):
        result = machine.run(*command)
        assert result.returncode == 0, result.stderr
    with machine.node() as running:
        until(lambda: re.search(r"serving http://\S+", running.log), START_SECONDS)
        address = re.search(r"serving (http://\S+)", running.log)
        assert address is not None
        yield LiveNode(machine, address[1])


def marked(visitor: Visitor) -> bool:
    """Tell whether the page is the one that `mark` was set on, and was never loaded anew."""
    return bool(visitor.page.evaluate("window.mark === 1"))


def test_a_transaction_appears_without_reload_and_search_finds_it(
    visit: Callable[..., Visitor], node: LiveNode
) -> None:
    node.write()
    visitor = visit(node.url, viewport=DESKTOP)
    visitor.open("/")
    visitor.page.evaluate("window.mark = 1")
    txid = node.write(kind="seen")
    row = visitor.page.locator(f"a[href='/explorer/transactions/{txid}']")
    row.wait_for(timeout=MILLISECONDS)
    assert marked(visitor)
    assert visitor.page.locator("#live tr.new").count() >= 1
    visitor.page.fill("#q", txid)
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url(f"**/explorer/transactions/{txid}")
    assert visitor.problems == []


def test_much_at_once_is_fetched_at_a_bearable_pace(visit: Callable[..., Visitor], node: LiveNode) -> None:
    visitor = visit(node.url)
    asked: list[str] = []

    def count(request: Request) -> None:
        if request.url.endswith("/explorer/"):
            asked.append(request.url)

    visitor.open("/")
    visitor.page.on("request", count)
    visitor.page.evaluate("window.begun = performance.now()")
    txid = node.write(40, kind="many")
    visitor.page.locator(f"a[href='/explorer/transactions/{txid}']").wait_for(timeout=MILLISECONDS)
    milliseconds = visitor.page.evaluate("performance.now() - window.begun")
    assert 1 <= len(asked) <= milliseconds / 1000 + 1
    assert visitor.problems == []


def test_a_reader_can_pause_and_go_on(visit: Callable[..., Visitor], node: LiveNode) -> None:
    paused, other = visit(node.url), visit(node.url)
    for visitor in (paused, other):
        visitor.open("/")
    paused.page.click("button:has-text('Pause')")
    link = f"a[href='/explorer/transactions/{node.write(kind='unseen')}']"
    other.page.locator(link).wait_for(timeout=MILLISECONDS)
    assert paused.page.locator(link).count() == 0
    paused.page.click("button:has-text('Go on')")
    paused.page.locator(link).wait_for(timeout=MILLISECONDS)
    assert paused.problems == other.problems == []


def test_what_was_opened_and_has_the_focus_stays_so(visit: Callable[..., Visitor], node: LiveNode) -> None:
    visitor = visit(node.url)
    visitor.open("/")
    visitor.page.click("summary")
    assert visitor.page.locator("summary").evaluate("(it) => it === document.activeElement")
    txid = node.write(kind="meanwhile")
    visitor.page.locator(f"a[href='/explorer/transactions/{txid}']").wait_for(timeout=MILLISECONDS)
    assert visitor.page.locator("#numbers table").is_visible()
    assert visitor.page.locator("summary").evaluate("(it) => it === document.activeElement")


def test_screen_readers_are_told_politely(visit: Callable[..., Visitor], node: LiveNode) -> None:
    visitor = visit(node.url)
    visitor.open("/")
    assert visitor.page.locator("p[role=status]").count() == 1
    assert visitor.page.locator("[aria-live=assertive], [role=alert]").count() == 0
    assert visitor.page.locator("#live [aria-live], #live [role=status]").count() == 0
    node.write(kind="announced")
    visitor.page.locator("p[role=status]", has_text="transaction").wait_for(state="attached", timeout=MILLISECONDS)


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("/blocks", "undecided", "1"),
        ("/blocks/{home}", "none yet", "Decided here"),
        ("/transactions/{asset}", "undecided", "valid"),
        ("/owners/{owner}", "owns nothing", "held"),
        ("/owners/{owner}?show=history", "never owned anything", "held"),
        ("/federation", "0 blocks", "1 block"),
    ],
)
def test_every_page_is_live(visit: Callable[..., Visitor], path: str, before: str, after: str) -> None:
    ledger = Ledger()
    asset = ledger.create(key("alice"), {"kind": "car"})
    ledger.write(asset)
    ledger.first.builder.step()
    ids = {"asset": asset.id, "home": ledger.home(asset).id}
    with served(ledger) as url:
        visitor = visit(url, viewport=DESKTOP)
        visitor.open(path.format(owner=public(key("alice"))[0], **ids))
        visitor.page.evaluate("window.mark = 1")
        assert before in visitor.page.inner_text("main")
        ledger.run()
        until(lambda: before not in visitor.page.inner_text("main"), MILLISECONDS / 1000)
        assert after in visitor.page.inner_text("main")
        assert marked(visitor)
        assert visitor.problems == []
        visitor.page.close()


def test_whatever_carries_a_payload_appears_on_its_page(visit: Callable[..., Visitor]) -> None:
    ledger = Ledger()
    first, second = (ledger.create(key(owner), {"kind": "car"}) for owner in ("alice", "bob"))
    ledger.settle(first)
    with served(ledger) as url:
        visitor = visit(url, viewport=DESKTOP)
        visitor.open(f"/payloads/{first.payload_hash}")
        visitor.page.evaluate("window.mark = 1")
        ledger.settle(second)
        visitor.page.locator(f"main a[href='/explorer/transactions/{second.id}']").wait_for(timeout=MILLISECONDS)
        assert marked(visitor)
        assert visitor.problems == []
        visitor.page.close()


def test_an_asset_is_followed_from_hand_to_hand(visit: Callable[..., Visitor]) -> None:
    ledger = Ledger()
    asset = ledger.settle(ledger.create(key("alice")))
    with served(ledger) as url:
        visitor = visit(url, viewport=DESKTOP)
        visitor.open(f"/assets/{asset.id}")
        ledger.settle(ledger.transfer(ref(asset), key("alice"), key("bob")))
        visitor.page.locator(f"a[href='/explorer/owners/{public(key('bob'))[0]}']").wait_for(timeout=MILLISECONDS)
        visitor.page.close()


def test_a_page_that_hears_nothing_any_more_says_since_when(visit: Callable[..., Visitor]) -> None:
    ledger = Ledger()
    with served(ledger) as url:
        visitor = visit(url, viewport={"width": min(WIDTHS), "height": 800})
        visitor.open("/federation")
        state = visitor.page.locator(".live-bar")
        assert state.inner_text().startswith("Live")
    state.get_by_text(re.compile(r"^No connection; as of \d\d:\d\d:\d\d$")).wait_for(timeout=MILLISECONDS)
    assert visitor.page.locator("p[role=status]").inner_text() == "No connection."
    bar, heading = state.bounding_box(), visitor.page.locator("h1").bounding_box()
    assert bar is not None
    assert heading is not None
    assert bar["y"] + bar["height"] <= heading["y"]


def test_a_page_that_is_answered_again_is_live_again(visit: Callable[..., Visitor], node: LiveNode) -> None:
    visitor = visit(node.url)
    visitor.open("/")
    visitor.page.route("**/explorer/**", lambda route: route.fulfill(status=503))
    node.write(kind="unheard of")
    state = visitor.page.locator(".live-bar")
    state.get_by_text("No connection").wait_for(timeout=MILLISECONDS)
    visitor.page.unroute("**/explorer/**")
    state.get_by_text("Live").wait_for(timeout=MILLISECONDS)


def test_every_page_of_a_running_node_keeps_to_its_policy(visit: Callable[..., Visitor], node: LiveNode) -> None:
    visitor = visit(node.url)
    for path in ("/", "/blocks", "/federation", "/search"):
        visitor.open(path)
    assert visitor.problems == []
