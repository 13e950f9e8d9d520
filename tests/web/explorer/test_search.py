"""One box takes any id or key, and leads to the page that is meant."""

from __future__ import annotations

import pytest

from bigchaindb.web.explorer.search import tidy
from tests.ledgers import Ledger, key, public
from tests.web.explorer.site import Site

ALICE = key("alice")
HASH = "0123456789abcdef" * 4


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def site(ledger: Ledger) -> Site:
    return Site(ledger)


def led_to(site: Site, typed: str) -> str:
    answer = site.ask("search", q=typed)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix("/explorer/")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (f"  {HASH}\n", HASH),
        (f'"{HASH}",', HASH),
        (HASH.upper(), HASH),
        (f"https://node.example:9984/explorer/transactions/{HASH}", HASH),
        (f"\ufeff{HASH}\u200b", HASH),
        (f"<{public(ALICE)[0]}>", public(ALICE)[0]),
        (f"http://node.example:9984/explorer/transactions/{HASH}?from=20#raw", HASH),
        (f"http://node.example:9984/explorer/owners/{public(ALICE)[0]}?show=history&after={HASH}", public(ALICE)[0]),
        (f"http://node.example:9984/explorer/federation#{public(ALICE)[0]}", public(ALICE)[0]),
        (f"http://node.example:9984/api/v1/outputs?public_key={public(ALICE)[0]}&spent=false", public(ALICE)[0]),
        (f"{HASH}:12", HASH),
        ("x" * 10_000, "x" * 500),
        ("   ", ""),
    ],
)
def test_what_comes_along_with_an_id_is_taken_off(typed: str, meant: str) -> None:
    assert tidy(typed) == meant


def test_an_id_leads_to_its_transaction_at_every_stage(ledger: Ledger, site: Site) -> None:
    asset = ledger.create(ALICE)
    ledger.write(asset)
    assert led_to(site, asset.id) == f"transactions/{asset.id}"
    ledger.run()
    assert led_to(site, f" {asset.id.upper()} ") == f"transactions/{asset.id}"


def test_blocks_payloads_and_owners_are_found(ledger: Ledger, site: Site) -> None:
    asset = ledger.settle(ledger.create(ALICE, {"kind": "car"}))
    home = ledger.home(asset)
    assert led_to(site, home.id) == f"blocks/{home.id}"
    assert led_to(site, ledger.id) == f"blocks/{ledger.id}"
    assert led_to(site, str(asset.payload_hash)) == f"payloads/{asset.payload_hash}"
    assert led_to(site, public(ALICE)[0]) == f"owners/{public(ALICE)[0]}"


def test_the_key_of_a_node_leads_to_the_federation_unless_it_owns_something(ledger: Ledger, site: Site) -> None:
    node = ledger.first.me
    assert led_to(site, node) == f"federation#{node}"
    ledger.settle(ledger.create(ledger.first.key))
    page = site.page("search", q=node)
    assert "Which one?" in page.text
    assert {f"/explorer/federation#{node}", f"/explorer/owners/{node}"} <= set(page.links)


def test_what_is_not_there_is_a_page_that_says_so(site: Site) -> None:
    for typed in (HASH, "nothing", HASH[:20], "<script>alert(1)</script>", public(key("nobody yet"))[0]):
        page = site.page("search", 404, q=typed)
        assert "Not found" in page.text
        assert tidy(typed) in page.text
        assert "script" not in page.tags[page.tags.index("body") :]


def test_what_was_not_found_stays_in_the_box(site: Site) -> None:
    typed = f' "{HASH}" \u202e'
    page = site.page("search", 404, q=typed)
    assert ("input", "value", f' "{HASH}" \\u202e') in page.attributes
    assert not [value for tag, name, value in site.page("").attributes if (tag, name) == ("input", "value")]


@pytest.mark.parametrize("path", ["search", "search?q=", "search?q=%20"])
def test_an_empty_box_leads_to_help(site: Site, path: str) -> None:
    assert "takes the id of a transaction" in site.page(path).text
