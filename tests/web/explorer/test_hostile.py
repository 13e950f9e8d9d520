"""Whatever a transaction carries is shown, fast, and does nothing."""

from __future__ import annotations

import html
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.ledgers import Ledger, key, row
from tests.web.explorer.reading import read
from tests.web.explorer.site import Site

if TYPE_CHECKING:
    from bigchaindb.model.transaction import Transaction

ALICE = key("alice")
HANG_SECONDS = 30.0
KIB = 1024


def nested(depth: int, inner: Any) -> Any:
    for _ in range(depth):
        inner = [inner]
    return inner


PAYLOADS: dict[str, dict[str, Any]] = {
    "tags": {
        "</pre><script>alert(1)</script>": "<img src=x onerror=alert(1)>",
        "quotes": "\"'><svg/onload=alert(1)>",
        "templates": "{{ 7 * 7 }} {% raw %}",
        "comment": "<!-- --> ]]> &lt;script&gt;",
    },
    "direction": {"\u202ename": "\u2066\u202eevil\u2069", "invisible": "a\u200b\ufeff\u0000\u007f\U000e0041b"},
    "long": {"one": "x" * (250 * KIB)},
    "long word of another script": {"one": "ש" * (60 * KIB)},
    "deep": {"deep": nested(60, "bottom")},
    "deep and wide": {"deep": nested(58, list(range(40_000)))},
    "many keys": {str(number): {} for number in range(15_000)},
    "marks": {"zalgo": "a" + "\u0301" * 5_000},
    "escapes": {"\\": '"\\\\"{[,:]}', "line": "\n\r\t\u2028"},
}

each_payload = pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())


def shown(ledger: Ledger, transaction: Transaction) -> str:
    """The pages of a transaction, of its block and its owner, in one."""
    site = Site(ledger)
    paths = ["", f"transactions/{transaction.id}", f"blocks/{ledger.home(transaction).id}"]
    paths += [f"assets/{transaction.id}", f"payloads/{transaction.payload_hash}"]
    return "".join(site.ask(path).text for path in paths)


@each_payload
def test_a_payload_is_shown_and_does_nothing(payload: dict[str, Any]) -> None:
    ledger = Ledger()
    asset = ledger.settle(ledger.create(ALICE, payload))
    begun = time.monotonic()
    text = shown(ledger, asset)
    assert time.monotonic() - begun < HANG_SECONDS
    for part in text.split("<!doctype html>")[1:]:
        page = read(part)  # which fails for handlers, styles and scripts that stand inline
        assert page.tags.count("script") == 1
        assert "img" not in page.tags
    assert not [char for char in text if char in "\u202e\u2066\u2069\u200b\ufeff\x00\x7f\U000e0041"]
    assert len(text) < 4 * KIB * KIB


@each_payload
def test_the_whole_transaction_can_be_copied_from_the_page(payload: dict[str, Any]) -> None:
    ledger = Ledger()
    asset = ledger.settle(ledger.create(ALICE, payload))
    page = Site(ledger).ask(f"transactions/{asset.id}").text
    raw = page.rpartition('data-copy="transaction">')[2].partition("</pre>")[0]
    assert json.loads(html.unescape(raw)) == asset.to_dict()


def test_a_large_payload_is_printed_once() -> None:
    ledger = Ledger()
    asset = ledger.settle(ledger.create(ALICE, {"one": "x" * (100 * KIB)}))
    assert "too long to be shown" in read(Site(ledger).ask(f"payloads/{asset.payload_hash}").text).text
    page = read(Site(ledger).ask(f"transactions/{asset.id}").text)
    assert "102,410 bytes; see the whole transaction" in page.text
    assert page.text.count("x" * (100 * KIB)) == 1


def test_junk_under_an_id_is_no_transaction() -> None:
    ledger = Ledger()
    asset = ledger.create(ALICE)
    ledger.first.storage.append_backlog([row(asset)], 0.0)
    ledger.first.storage.drop_backlog(ids=[asset.id])
    assert Site(ledger).ask(f"transactions/{asset.id}").status_code == 200
    contents = ledger.database.contents
    junk = type(contents.transactions[asset.hash])(asset.hash, asset.id, '{"junk": "<script>"}')
    contents.transactions[asset.hash] = junk
    contents.texts[asset.id] = [junk]
    assert Site(ledger).ask(f"transactions/{asset.id}").status_code == 404
