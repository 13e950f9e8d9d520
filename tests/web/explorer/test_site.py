"""The explorer as a whole: headers, caching, files, errors, and no link that leads nowhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from bigchaindb.crypto import SigningKey
from bigchaindb.exceptions import InvalidValue, LedgerError, StorageUnavailable, TransactionError
from bigchaindb.web import explorer
from tests.ledgers import Ledger, key, public, ref
from tests.onenode import private
from tests.web.explorer.reading import read
from tests.web.explorer.site import Site

ALICE, BOB = key("alice"), key("bob")
NOWHERE = "0" * 64


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def site(ledger: Ledger) -> Site:
    return Site(ledger)


def lively() -> Ledger:
    ledger = Ledger(3)
    asset = ledger.settle(ledger.create([ALICE, BOB], {"kind": "car"}))
    ledger.settle(ledger.transfer(ref(asset), [ALICE, BOB], BOB, {"price": 5}))
    ledger.write(ledger.create(ALICE, {"waiting": True}))
    return ledger


# --- headers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "blocks", "search?q=x", "nowhere", f"blocks/{NOWHERE}", "static/explorer.css"])
def test_every_answer_bears_the_security_headers(site: Site, path: str) -> None:
    headers = site.ask(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_page_is_asked_for_again_and_not_sent_again(ledger: Ledger, site: Site) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    url = f"transactions/{asset.id}"
    first = site.ask(url)
    assert first.headers["cache-control"] == "no-cache"
    same = site.ask(url, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert (same.status_code, same.text) == (304, "")
    assert same.headers["etag"] == first.headers["etag"]
    assert "content-security-policy" in same.headers
    ledger.settle(ledger.transfer(ref(asset), ALICE, BOB))
    assert site.ask(url, headers={"If-None-Match": first.headers["etag"]}).status_code == 200


@pytest.mark.parametrize("path", ["", "blocks", "federation", "static/explorer.js", "nowhere"])
def test_head_is_answered_as_get_is(site: Site, path: str) -> None:
    got, head = site.ask(path), site.ask(path, "HEAD")
    assert head.status_code == got.status_code
    assert head.headers["content-type"] == got.headers["content-type"]


def test_pages_can_only_be_read(site: Site) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert site.ask("blocks", method).status_code == 405
    assert "can only be read" in read(site.ask("blocks", "POST").text).text


def test_long_pages_are_compressed_for_those_who_take_it(ledger: Ledger, site: Site) -> None:
    ledger.settle(ledger.create(ALICE))
    assert site.ask("", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
    assert "content-encoding" not in site.ask("", headers={"Accept-Encoding": "identity"}).headers


# --- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("explorer.css", "text/css"), ("explorer.js", "text/javascript"), ("mark.svg", "image/svg+xml")],
)
def test_files_are_kept_as_long_as_their_address_names_their_version(site: Site, name: str, media_type: str) -> None:
    (address,) = set(re.findall(rf'"(/explorer/static/{re.escape(name)}\?v=\w+)"', site.ask("").text))
    answer = site.ask(address)
    assert answer.headers["content-type"].startswith(media_type)
    assert "immutable" in answer.headers["cache-control"]
    assert site.ask(f"static/{name}?v=other").headers["cache-control"] == "no-cache"
    again = site.ask(address, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("name", ["nothing.css", "..%2fsite.py", "%2e%2e/templates/base.html", ""])
def test_no_other_file_is_served(site: Site, name: str) -> None:
    assert site.ask(f"static/{name}").status_code == 404


# --- errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "nowhere",
        "blocks/",
        f"blocks/{NOWHERE}",
        f"transactions/{NOWHERE}",
        f"assets/{NOWHERE}",
        f"payloads/{NOWHERE}",
        "blocks/x",
        "transactions/%3Cscript%3E",
        "assets/%00",
        "payloads/x",
        "owners/0OIl",
        "owners/" + "1" * 5000,
    ],
)
def test_what_is_not_there_is_a_page_of_the_same_design(site: Site, path: str) -> None:
    page = site.page(path, 404)
    assert "Not found" in page.text
    assert {"header", "nav", "main", "footer", "form"} <= set(page.tags)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("blocks?before=x", 400),
        ("blocks?before=-1", 400),
        ("blocks?before=" + "9" * 30, 400),
        ("blocks?before=٣", 400),
        ("blocks?before=0", 200),
        ("blocks?before=999999999999999", 200),
        (f"owners/{public(ALICE)[0]}?after=junk", 400),
        (f"owners/{public(ALICE)[0]}?after=%00", 400),
        ("?window=../../etc", 200),
    ],
)
def test_an_address_that_somebody_made_up_does_no_harm(site: Site, path: str, status: int) -> None:
    page = site.page(path, status)
    assert page.text


@pytest.mark.parametrize("problem", [StorageUnavailable("server 10.0.0.1 is away"), LedgerError("it is gone")])
def test_while_the_ledger_is_away_every_page_says_so_and_tells_nothing_else(site: Site, problem: Exception) -> None:
    site.source.away = problem  # type: ignore[assignment]
    for path in ("", "blocks", "federation", f"transactions/{NOWHERE}", "search?q=x"):
        answer = site.ask(path)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        assert answer.headers["cache-control"] == "no-store"
        assert "out of reach" in read(answer.text).text
        assert str(problem) not in answer.text
    assert (site.source.doubts > 0) is isinstance(problem, StorageUnavailable)
    site.source.away = None
    assert site.ask("").status_code == 200


@pytest.mark.parametrize("problem", [TransactionError("inside"), RuntimeError("inside")])
def test_what_was_not_foreseen_is_a_page_without_a_traceback(site: Site, problem: Exception) -> None:
    site.source.away = problem  # type: ignore[assignment]
    answer = site.ask("")
    assert answer.status_code == 500
    assert "inside" not in answer.text.replace("inside the node", "")
    assert "Traceback" not in answer.text
    assert "content-security-policy" in answer.headers


def test_a_cursor_of_another_list_is_refused(site: Site) -> None:
    site.source.away = InvalidValue("cursor: junk", field="cursor")
    assert site.ask("blocks").status_code == 400


# --- the whole ---------------------------------------------------------------------------------------------


def test_no_link_leads_nowhere() -> None:
    site = Site(lively())
    seen: set[str] = set()
    left = ["/explorer/"]
    while left and len(seen) < 200:
        address = left.pop(0).partition("#")[0]
        if address in seen or not address.startswith("/explorer/") or "/static/" in address:
            continue
        seen.add(address)
        left += site.page(address).links
    assert not left or len(seen) >= 200
    for kind in ("blocks", "transactions", "owners", "assets", "payloads", "federation"):
        assert any(f"/{kind}" in address for address in seen), kind


def test_every_page_has_one_heading_a_title_and_a_way_around_it() -> None:
    ledger = lively()
    site = Site(ledger)
    titles = set()
    for path in ("", "blocks", f"blocks/{ledger.blocks()[0].id}", "federation", f"owners/{public(BOB)[0]}", "search"):
        page = site.page(path)
        assert page.tags.count("h1") == 1
        assert page.tags.count("main") == 1
        assert page.links[0] == "#main"
        assert "main" in page.ids
        titles.add(page.title)
    assert len(titles) == 6
    assert all(title.endswith("· bigchaindb") for title in titles)


def test_nothing_comes_from_elsewhere() -> None:
    site = Site(lively())
    html = site.ask("").text + site.ask("static/explorer.css").text + site.ask("static/explorer.js").text
    assert not re.findall(r"(?:src|href|url|import)\W{0,3}(?:https?:)?//", html)


def test_all_that_is_read_at_run_time_is_in_the_package() -> None:
    root = Path(explorer.__file__).parent
    (patterns,) = re.findall(
        r'package_data=\{"bigchaindb": (\[.*?\])', (root.parents[2] / "setup.py").read_text(), re.DOTALL
    )
    packaged = {path for pattern in ast.literal_eval(patterns) for path in root.parents[1].glob(pattern)}
    assert {path for kind in ("templates", "static") for path in (root / kind).iterdir()} <= packaged


def test_no_key_is_ever_shown() -> None:
    ledger = lively()
    site = Site(ledger)
    secrets = [private(f"node {number}") for number in range(3)]
    assert {str(SigningKey(secret).verifying_key) for secret in secrets} == set(ledger.federation)
    for path in ("", "federation", "blocks", f"blocks/{ledger.id}", f"owners/{ledger.first.me}"):
        assert not [secret for secret in secrets if secret in site.ask(path).text]


def test_the_explorer_may_stand_behind_a_prefix() -> None:
    answer = Site(lively(), prefix="/ledger").ask("/explorer/blocks")
    page = read(answer.text)
    assert {link.split("/")[1] for link in page.links if link.startswith("/")} == {"ledger"}
    assert "/ledger/api/v1/docs" in page.links
