"""Sending transactions, alone and in batches, and reading them back."""

from __future__ import annotations

import copy
import json
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bigchaindb import canonical
from bigchaindb.crypto import SigningKey
from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.model.building import create_transaction, sign_transaction
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.transaction import Transaction, transaction_id
from bigchaindb.storage.records import NewTransaction, TextRef
from bigchaindb.storage.sqlite import SqliteStorage
from bigchaindb.web import intake, waiting
from tests.acceptance.machine import until
from tests.consensus.views import garbled
from tests.onenode import private, public
from tests.web.api import ROOT, Api, problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from bigchaindb.node.node import Node
    from tests.onenode import Document

HANG_SECONDS = 30.0
UNKNOWN = "0" * 64


def texts(api: Api) -> set[str]:
    """The ids that wait in the backlog."""
    page = api.ledger.node.storage.backlog(None, 10_000)
    return {entry.text.id for entry in page}


def changed(document: Document, path: str, value: Any) -> Document:
    """A copy of a document with one field changed; `path` is as in `transaction.data`."""
    result = copy.deepcopy(document)
    *names, last = path.split(".")
    place: Any = result
    for name in names:
        place = place[int(name) if name.isdecimal() else name]
    place[last] = value
    return result


# --- one at a time -----------------------------------------------------------------------------------------


def test_a_transaction_is_accepted_when_it_is_stored(api: Api) -> None:
    tx = api.node.create("alice")
    answer = api.post("transactions", tx)
    url = f"{ROOT}/statuses?transaction_id={tx['id']}"
    assert answer.status_code == 202
    assert answer.json() == {"id": tx["id"], "status": "backlog", "status_url": url}
    assert answer.headers["location"] == url
    assert texts(api) == {tx["id"]}
    assert api.get(url).json()["status"] == "backlog"


def test_what_was_sent_comes_back_as_it_was_signed_at_every_stage(api: Api) -> None:
    tx = api.node.create("alice", payload={"float": 1.0, "text": "ü\n\u2028", "deep": [[{}]]})
    assert problem(api.get(f"transactions/{tx['id']}")) == (404, "unknown", "transaction_id")
    api.post("transactions", tx)
    waiting_text = api.get(f"transactions/{tx['id']}").text
    api.node.run()
    assert api.get(f"transactions/{tx['id']}").text == waiting_text == canonical.dumps(tx)


def test_sending_it_again_is_harmless(api: Api) -> None:
    tx = api.node.create("alice")
    for _ in range(2):
        assert api.post("transactions", tx).status_code == 202
    assert len(api.ledger.node.storage.backlog(None, 10)) == 1
    api.node.run()
    answer = api.post("transactions", tx)
    assert (answer.status_code, answer.json()["status"]) == (202, "valid")
    assert texts(api) == set()


def test_blanks_and_escapes_do_not_matter(api: Api) -> None:
    tx = api.node.create("alice", payload={"text": "ü"})
    answer = api.post_text("transactions", json.dumps(tx, indent=4))
    assert answer.status_code == 202
    assert api.get(f"transactions/{tx['id']}").text == canonical.dumps(tx)


def test_a_double_spend_is_refused_with_its_rival(api: Api) -> None:
    asset = api.node.settle(api.node.create("alice"))
    first, second = (api.node.transfer(asset["id"], "alice", to) for to in ("bob", "carol"))
    api.post("transactions", first)
    for _ in ("waiting", "valid"):
        answer = api.post("transactions", second)
        assert problem(answer) == (409, "double_spend", "transaction.fulfillments[0].input")
        assert answer.json()["rival"] == first["id"]
        api.node.run()
    assert api.get(f"transactions/{second['id']}").status_code == 404


PROOF = "transaction.fulfillments.0.fulfillment"
OTHER_DATA = {"hash": UNKNOWN, "payload": {}}
REFUSED: dict[str, tuple[str, Any, tuple[int, str, str]]] = {
    "another id": ("id", UNKNOWN, (422, "invalid_hash", "id")),
    "no id": ("id", 1, (400, "malformed", "id")),
    "another version": ("version", 2, (400, "malformed", "version")),
    "one more field": ("assignee", None, (400, "malformed", "assignee")),
    "another payload": ("transaction.data", OTHER_DATA, (422, "invalid_hash", "transaction.data.hash")),
    "no fulfillment": (PROOF, None, (422, "invalid_signature", "transaction.fulfillments[0]")),
    "junk for one": (PROOF, "cf:4:x", (422, "invalid_signature", "transaction.fulfillments[0]")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_and_named(api: Api, name: str) -> None:
    path, value, expected = REFUSED[name]
    answer = api.post("transactions", changed(api.node.create("alice"), path, value))
    status, error, field = problem(answer)
    assert (status, error) == expected[:2]
    assert field is not None
    assert field.startswith(expected[2])
    assert texts(api) == set()


def test_only_a_node_may_create(api: Api) -> None:
    unsigned = api.node.bigchain.create_transaction(public("alice"), public("alice"), None, "CREATE")
    tx = api.node.bigchain.sign_transaction(unsigned, private("alice"))
    assert problem(api.post("transactions", tx))[:2] == (422, "operation")


def test_what_spends_nothing_known_is_refused(api: Api) -> None:
    asset = api.node.settle(api.node.create("alice"))
    tx = api.node.transfer(asset["id"], "alice", "bob")
    tx["transaction"]["fulfillments"][0]["input"]["txid"] = UNKNOWN
    tx["id"] = transaction_id(tx["transaction"])
    assert problem(api.post("transactions", tx))[:2] == (404, "unknown")


BODIES: dict[str, str | bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"a": "\xff"}',
    "a number": b"1",
    "a list": b"[]",
    "twice the same key": b'{"id": "a", "id": "b"}',
    "twice the same key, escaped": b'{"id": "a", "\\u0069d": "b"}',
    "NaN": b'{"id": NaN}',
    "a huge integer": b'{"id": 9007199254740993}',
    "too deep": b"[" * 1000 + b"]" * 1000,
    "a lone surrogate": b'{"\\ud800": 1}',
    "more behind it": b'{"id": "a"} {}',
    "a NUL": b'{"id": "a"}\x00{',
}


@pytest.mark.parametrize("name", BODIES)
def test_what_is_no_document_is_refused(api: Api, name: str) -> None:
    assert problem(api.post_text("transactions", BODIES[name]))[:2] == (400, "malformed")


def test_a_duplicate_key_deep_inside_is_refused(api: Api) -> None:
    text = json.dumps(api.node.create("alice", payload={"a": 1}))
    answer = api.post_text("transactions", text.replace('"a": 1', '"a": 1, "a": 1'))
    assert problem(answer) == (400, "malformed", "transaction.data.payload")


@pytest.mark.parametrize("form", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_the_body_must_be_told_to_be_json(api: Api, form: str) -> None:
    for path in ("transactions", "transactions/batch", "assets"):
        answer = api.request("POST", path, content=b"{}", headers={"Content-Type": form})
        assert problem(answer) == (415, "unsupported_media_type", "Content-Type")


@pytest.mark.parametrize("form", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_told_in_several_ways(api: Api, form: str) -> None:
    content = canonical.dumps(api.node.create("alice")).encode()
    assert api.request("POST", "transactions", content=content, headers={"Content-Type": form}).status_code == 202


# --- too much ----------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Api]:
    """The API of a node that takes small transactions only, and a few at a time."""
    with Api(tmp_path, transaction_bytes=2000, backlog_transactions=3) as api:
        yield api


class Sending(httpx.AsyncByteStream):
    """A body in parts, which counts how much of it was taken."""

    def __init__(self, parts: int, part: bytes = b" " * 1000) -> None:
        self.taken = 0
        self._parts = parts
        self._part = part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self._parts):
            self.taken += 1
            yield self._part


def send_in_parts(api: Api, path: str, body: Sending, **headers: str) -> httpx.Response:
    told = {"Host": "localhost", "Content-Type": "application/json", **headers}
    return api.request("POST", path, stream=body, headers=told)


LIMITS = {"transactions": 8000, "transactions/batch": 8 * 2**20, "assets": 8000}


@pytest.mark.parametrize("path", LIMITS)
def test_what_says_that_it_is_too_large_is_heard_out_and_refused(small: Api, path: str) -> None:
    body = Sending(10)
    answer = send_in_parts(small, path, body, **{"Content-Length": str(LIMITS[path] + 1)})
    assert problem(answer) == (413, "too_large", None)
    assert body.taken == 10
    assert "connection" not in answer.headers


@pytest.mark.parametrize("path", LIMITS)
@pytest.mark.parametrize("length", [str(2**26), "9" * 30, "x", "-1"])
def test_what_says_that_it_is_huge_is_not_even_heard_out(small: Api, path: str, length: str) -> None:
    body = Sending(10)
    answer = send_in_parts(small, path, body, **{"Content-Length": length})
    assert problem(answer) == (413, "too_large", None)
    assert body.taken == 0
    assert answer.headers["connection"] == "close"


def test_who_asks_first_is_told_before_it_sends(small: Api) -> None:
    body = Sending(10)
    answer = send_in_parts(small, "transactions", body, Expect="100-continue", **{"Content-Length": "10000"})
    assert problem(answer) == (413, "too_large", None)
    assert body.taken == 0


def test_what_says_nothing_is_read_until_it_is_far_too_large(small: Api) -> None:
    for parts, is_heard_out in ((9, True), (20, True), (40_000, False)):
        body = Sending(parts)
        answer = send_in_parts(small, "transactions", body)
        assert problem(answer) == (413, "too_large", None)
        assert (body.taken == parts) is is_heard_out
        assert ("connection" not in answer.headers) is is_heard_out


def test_a_transaction_that_is_too_large_is_refused_though_its_body_is_not(api: Api) -> None:
    me, large = public("node"), {"x": "y" * 2**18}
    unsigned = create_transaction(me, public("alice"), [], "CREATE", payload=large, timestamp="1.000000")
    tx = sign_transaction(unsigned, {me: SigningKey(private("node"))}, {}, max_bytes=2**20)
    assert problem(api.post("transactions", tx))[:2] == (413, "too_large")


def test_when_the_backlog_is_full_nothing_more_is_taken_for_a_while(small: Api) -> None:
    assets = [small.node.create("alice", payload={"n": n}) for n in range(5)]
    for tx in assets[:3]:
        assert small.post("transactions", tx).status_code == 202
    for path, value in (("transactions", assets[3]), ("transactions/batch", [assets[3]])):
        answer = small.post(path, value)
        assert problem(answer) == (429, "backlog_full", None)
        assert int(answer.headers["retry-after"]) > 0
    small.node.run()
    until(lambda: small.post("transactions", assets[3]).status_code == 202, HANG_SECONDS)


def test_what_takes_no_room_is_answered_while_the_backlog_is_full(small: Api) -> None:
    valid = small.node.settle(small.node.create("alice", payload={"n": "valid"}))
    *waiting, more = (small.node.create("alice", payload={"n": n}) for n in range(4))
    for tx in (*waiting, *waiting, valid):
        assert small.post("transactions", tx).status_code == 202
    assert problem(small.post("transactions", more)) == (429, "backlog_full", None)
    assert small.post("transactions/batch", [*waiting, valid]).status_code == 202
    assert problem(small.post("transactions/batch", [*waiting, more])) == (429, "backlog_full", None)
    assert problem(small.post("transactions", {})) == (400, "malformed", "id")
    # Signed in another way it would wait beside itself.
    other = Transaction.from_dict(waiting[0])
    storage = small.ledger.node.storage
    storage.drop_backlog(texts=[TextRef(other.hash, other.id)])
    storage.append_backlog([NewTransaction("f" * 64, other.id, "signed otherwise")], 0.0)
    assert problem(small.post("transactions", waiting[0])) == (429, "backlog_full", None)


def test_a_batch_that_does_not_fit_is_not_taken_in_part(small: Api) -> None:
    first, *assets = (small.node.create("alice", payload={"n": n}) for n in range(4))
    assert small.post("transactions", first).status_code == 202
    answer = small.post("transactions/batch", assets)
    assert problem(answer) == (429, "backlog_full", None)
    assert int(answer.headers["retry-after"]) > 0
    assert texts(small) == {first["id"]}
    assert small.post("transactions/batch", assets[:2]).status_code == 202


def test_a_batch_that_could_never_fit_is_not_told_to_try_again(small: Api) -> None:
    assets = [small.node.create("alice", payload={"n": n}) for n in range(4)]
    answer = small.post("transactions/batch", assets)
    assert problem(answer) == (413, "too_large", "document")
    assert "retry-after" not in answer.headers
    assert texts(small) == set()
    assert small.post("transactions/batch", assets[:3]).status_code == 202


def test_what_will_not_wait_takes_nobody_the_room_to_wait(small: Api) -> None:
    valid = small.node.settle(small.node.create("alice", payload={"n": "valid"}))
    bad = changed(small.node.create("alice", payload={"n": "bad"}), "id", UNKNOWN)
    first, *assets = (small.node.create("alice", payload={"n": n}) for n in range(3))
    for junk in ([0] * 50, [valid] * 50, [bad] * 50, [first] * 50, [first, 0, valid, bad] * 50):
        answer = small.post("transactions/batch", junk)
        assert answer.status_code in {202, 207}
        assert len(answer.json()["items"]) == len(junk)
    assert small.post("transactions/batch", assets).status_code == 202
    assert texts(small) == {first["id"], *(asset["id"] for asset in assets)}


def test_what_comes_at_the_same_time_fits_together_or_not_at_all(small: Api) -> None:
    assets = [small.node.create("alice", payload={"n": n}) for n in range(4)]
    url = f"http://localhost{ROOT}/transactions/batch"
    answers = small.send(*(httpx.Request("POST", url, json=part) for part in (assets[:2], assets[2:])))
    assert sorted(answer.status_code for answer in answers) == [202, 429]
    assert len(texts(small)) == 2


# --- waiting for the decision ------------------------------------------------------------------------------


@pytest.fixture
def working(api: Api) -> Iterator[Api]:
    """The API of a node whose workers work."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.01):
            api.node.run()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield api
    finally:
        stop.set()
        thread.join(HANG_SECONDS)


def test_one_may_wait_until_it_is_valid(working: Api) -> None:
    tx = working.node.create("alice")
    answer = working.request("POST", "transactions", params={"mode": "valid"}, json=tx)
    assert (answer.status_code, answer.json()["status"]) == (200, "valid")
    again = working.request("POST", "transactions", params={"mode": "valid"}, json=tx)
    assert (again.status_code, again.json()) == (200, answer.json())


def test_one_does_not_wait_for_ever(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAIT_SECONDS", 0.05)
    answer = api.request("POST", "transactions", params={"mode": "valid"}, json=api.node.create("alice"))
    assert (answer.status_code, answer.json()["status"]) == (202, "backlog")


def test_what_is_rejected_meanwhile_is_told_with_the_reason(working: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = working.node.create("alice")
    assert working.request("POST", "transactions", params={"mode": "valid"}, json=asset).status_code == 200
    rivals = [working.node.transfer(asset["id"], "alice", to) for to in ("bob", "carol")]
    # Both get in, as they do where two nodes take them in at the same time.
    monkeypatch.setattr("bigchaindb.node.node.admit", lambda transactions, *_: [None] * len(transactions))
    answers = working.send(
        *(httpx.Request("POST", f"http://localhost{ROOT}/transactions?mode=valid", json=tx) for tx in rivals)
    )
    won, lost = sorted(answers, key=lambda answer: answer.status_code)
    assert (won.status_code, won.json()["status"]) == (200, "valid")
    assert problem(lost) == (409, "double_spend", None)
    assert lost.json()["rival"] == won.json()["id"]
    assert "was rejected: " in lost.json()["message"]


def test_what_is_rejected_without_a_rival_is_told_as_invalid(working: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = garbled(Transaction.from_dict(working.node.create("alice")))

    def store(node: Node, transactions: list[Transaction]) -> None:
        node.storage.append_backlog([NewTransaction(t.hash, t.id, t.text) for t in transactions], 0.0)

    # It gets in, as junk in shared storage does.
    monkeypatch.setattr("bigchaindb.node.node.Node.validate", lambda _, transactions: [None] * len(transactions))
    monkeypatch.setattr("bigchaindb.node.node.Node.store", store)
    answer = working.request("POST", "transactions", params={"mode": "valid"}, json=bad.to_dict())
    assert problem(answer) == (422, "invalid", None)
    assert "was rejected: " in answer.json()["message"]


def test_the_mode_is_one_of_two(api: Api) -> None:
    for mode in ("sync", "", "VALID"):
        answer = api.request("POST", "transactions", params={"mode": mode}, json=api.node.create("alice"))
        assert problem(answer) == (400, "malformed", "mode")
    assert texts(api) == set()


# --- batches -----------------------------------------------------------------------------------------------


def test_a_batch_gets_a_verdict_for_each_in_order(api: Api) -> None:
    asset = api.node.settle(api.node.create("alice"))
    first, rival = (api.node.transfer(asset["id"], "alice", to) for to in ("bob", "carol"))
    bad = changed(first, "id", UNKNOWN)
    answer = api.post("transactions/batch", [first, rival, bad, {"what": "is this"}, 7, first])
    assert answer.status_code == 207
    accepted, spent, hash_, shape, number, again = answer.json()["items"]
    url = f"{ROOT}/statuses?transaction_id={first['id']}"
    assert accepted == again == {"id": first["id"], "status": 202, "status_url": url}
    assert (spent["id"], spent["status"], spent["error"]) == (rival["id"], 409, "double_spend")
    assert spent["rival"] == first["id"]
    assert (hash_["id"], hash_["status"], hash_["error"]) == (UNKNOWN, 422, "invalid_hash")
    assert (shape["id"], shape["status"], shape["error"]) == (None, 400, "malformed")
    assert (number["id"], number["status"], number["error"]) == (None, 400, "malformed")
    assert texts(api) == {first["id"]}


def test_later_ones_of_a_batch_may_spend_what_earlier_ones_make(api: Api) -> None:
    asset = api.node.create("alice")
    transfer = offline_transfer(asset, "alice", "bob")
    assert problem(api.post("transactions", transfer))[:2] == (404, "unknown")
    answer = api.post("transactions/batch", [asset, transfer])
    assert answer.status_code == 202
    assert [item["status"] for item in answer.json()["items"]] == [202, 202]
    api.node.run()
    assert api.get("statuses", transaction_id=transfer["id"]).json()["status"] == "valid"


def offline_transfer(asset: Document, owner: str, to: str) -> Document:
    """A signed TRANSFER of what no node knows yet."""
    made = Transaction.from_dict(asset)
    spent = OutputRef(made.id, 0)
    unsigned = create_transaction(public(owner), public(to), [spent], "TRANSFER", timestamp=made.timestamp)
    return sign_transaction(unsigned, {public(owner): SigningKey(private(owner))}, {spent: made.outputs[0]})


def test_a_batch_has_at_most_a_thousand(api: Api) -> None:
    tx = api.node.create("alice")
    assert problem(api.post("transactions/batch", [tx] * 1001)) == (413, "too_large", "document")
    assert api.post("transactions/batch", [tx] * 1000).status_code == 202
    assert texts(api) == {tx["id"]}
    assert len(api.ledger.node.storage.backlog(None, 10)) == 1


@pytest.mark.parametrize("body", ["[]", "{}", "null", "1", '"x"', "[", "[1] 2", "[1,]", "[1 2]", "\xff"])
def test_a_batch_is_a_list(api: Api, body: str) -> None:
    assert problem(api.post_text("transactions/batch", body.encode("latin-1"))) == (400, "malformed", "document")


def test_a_batch_of_nothing_is_told_so(api: Api) -> None:
    assert api.post("transactions/batch", []).json()["message"] == "document: has no transactions"


ALONE = {
    "a number that Python would not read": "9" * 5_000,
    "one within a document": f'{{"a": {"9" * 5_000}}}',
    "nesting that Python would not follow": "[" * 2_000 + "]" * 2_000,
    "no JSON": '{"a" 1}',
    "no JSON at all": "x",
    "NaN": "NaN",
    "a key that is there twice": '{"a": 1, "a": 1}',
    "a body that would be too large": json.dumps({"a": "x" * 2**20}),
    "nothing that is a transaction": "0",
}


@pytest.mark.parametrize("name", ALONE)
def test_an_item_is_refused_as_it_would_be_alone_and_its_neighbours_are_not(api: Api, name: str) -> None:
    alone = api.post_text("transactions", ALONE[name])
    tx = api.node.create("alice")
    body = f"[{json.dumps(tx)}, {ALONE[name]}, {json.dumps(tx)}]"
    answer = api.post_text("transactions/batch", body)
    assert answer.status_code == 207
    first, item, last = answer.json()["items"]
    assert first["status"] == last["status"] == 202
    assert item == {"id": None, **alone.json()}
    for words in ("set_int_max_str_digits", "recursion"):
        assert words not in answer.text


def test_a_large_batch_is_worked_on_in_parts_and_answered_as_one(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_AT_ONCE_BYTES", 3000)
    writes: list[int] = []
    append = SqliteStorage.append_backlog

    def count(self: SqliteStorage, rows: Any, received_at: float) -> None:
        writes.append(len(rows))
        append(self, rows, received_at)

    monkeypatch.setattr(SqliteStorage, "append_backlog", count)
    assets = [api.node.create("alice", payload={"n": n}) for n in range(10)]
    batch = [tx for asset in assets for tx in (asset, offline_transfer(asset, "alice", "bob"))]
    bad = changed(batch[7], "id", UNKNOWN)
    answer = api.post("transactions/batch", [*batch[:7], bad, *batch[8:]])
    assert [item["status"] for item in answer.json()["items"]] == [202] * 7 + [422] + [202] * 12
    assert [item["id"] for item in answer.json()["items"] if item["status"] == 202] == [
        tx["id"] for tx in batch if tx is not batch[7]
    ]
    assert texts(api) == {tx["id"] for tx in batch if tx is not batch[7]}
    assert sum(writes) == 19
    assert len(writes) > 3


# --- many at the same time ---------------------------------------------------------------------------------


def test_what_many_send_at_the_same_time_gets_each_its_own_answer(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[int] = []
    append = SqliteStorage.append_backlog

    def count(self: SqliteStorage, transactions: Any, received_at: float) -> None:
        writes.append(len(transactions))
        append(self, transactions, received_at)

    monkeypatch.setattr(SqliteStorage, "append_backlog", count)
    good = [api.node.create("alice", payload={"n": n}) for n in range(20)]
    bad = [changed(tx, "id", UNKNOWN) for tx in good]
    mixed = [tx for pair in zip(good, bad, strict=True) for tx in pair]
    answers = api.send(*(httpx.Request("POST", f"http://localhost{ROOT}/transactions", json=tx) for tx in mixed))
    assert [answer.status_code for answer in answers] == [202, 422] * 20
    assert [answer.json()["id"] for answer in answers[::2]] == [tx["id"] for tx in good]
    assert texts(api) == {tx["id"] for tx in good}
    assert sum(writes) == 20
    assert len(writes) < 20


def test_rivals_that_are_sent_at_the_same_time_do_not_both_get_in(api: Api) -> None:
    asset = api.node.settle(api.node.create("alice"))
    rivals = [api.node.transfer(asset["id"], "alice", to) for to in ("bob", "carol", "dave")]
    answers = api.send(*(httpx.Request("POST", f"http://localhost{ROOT}/transactions", json=tx) for tx in rivals))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409]


def test_a_fault_of_ours_in_one_request_is_not_felt_by_the_others(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = api.node.create("alice", payload={"n": 1}), api.node.create("alice", payload={"n": 2})

    def stumble(text: str, node: Node) -> Transaction:
        if bad["id"] in text:
            raise RuntimeError(private("node"))
        return intake.read_transaction(text, node)

    monkeypatch.setattr("bigchaindb.web.transactions.read_transaction", stumble)
    requests = [httpx.Request("POST", f"http://localhost{ROOT}/transactions", json=tx) for tx in (bad, good)]
    broken, fine = api.send(*requests)
    assert problem(broken) == (500, "internal", None)
    assert private("node") not in broken.text
    assert fine.status_code == 202


def test_while_storage_is_away_nothing_is_acknowledged(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StorageUnavailable("the disk is on strike")

    tx = api.node.create("alice")
    with monkeypatch.context() as broken:
        broken.setattr(SqliteStorage, "append_backlog", fail)
        for path, value in (("transactions", tx), ("transactions/batch", [tx])):
            answer = api.post(path, value)
            assert problem(answer) == (503, "unavailable", None)
            assert int(answer.headers["retry-after"]) > 0
    assert api.post("transactions", tx).status_code == 202


# --- lists -------------------------------------------------------------------------------------------------


def whole(api: Api, path: str, **params: Any) -> list[Any]:
    """All items of a list, page by page."""
    items: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.get(path, **params, **cursor).json()
        assert len(page["items"]) <= params.get("limit", 100)
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_transactions_are_listed_by_payload(api: Api, limit: int) -> None:
    assets = [api.node.settle(api.node.create(owner, payload={"kind": "boat"})) for owner in ("a", "b", "c")]
    payload_hash = assets[0]["transaction"]["data"]["hash"]
    assert whole(api, "transactions", payload_hash=payload_hash, limit=limit) == assets
    assert whole(api, "transactions", payload_hash=UNKNOWN) == []


def test_what_was_stored_early_and_decided_late_is_behind_the_cursors(api: Api) -> None:
    early, *others = (api.node.create(owner, payload={"kind": "boat"}) for owner in ("a", "b", "c"))
    stored = Transaction.from_dict(early)
    storage = api.ledger.node.storage
    storage.append_backlog([NewTransaction(stored.hash, stored.id, stored.text)], 0.0)
    storage.drop_backlog(texts=[TextRef(stored.hash, stored.id)])
    api.node.settle(*others)
    carrying = {"payload_hash": early["transaction"]["data"]["hash"]}
    page = api.get("transactions", **carrying, limit=1).json()
    assert page["items"] == others[:1]
    api.node.settle(early)
    assert api.get("transactions", **carrying, cursor=page["next"]).json() == {
        "items": [others[1], early],
        "next": None,
    }
    assert whole(api, "transactions", **carrying) == [*others, early]


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_a_history_is_listed_from_the_creation_on(api: Api, limit: int) -> None:
    asset = api.node.settle(api.node.create("alice"))
    first = api.node.settle(api.node.transfer(asset["id"], "alice", "bob"))
    second = api.node.settle(api.node.transfer(first["id"], "bob", "carol"))
    for tx in (asset, first, second):
        assert whole(api, f"transactions/{tx['id']}/history", limit=limit) == [asset, first, second]
    unknown = api.get(f"transactions/{UNKNOWN}/history")
    assert problem(unknown) == (404, "unknown", "transaction_id")


def test_a_page_is_bounded_in_bytes_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigchaindb.node.listing.MAX_CHARACTERS", 3000)
    assets = [api.node.settle(api.node.create(owner, payload={"x": "y" * 1000})) for owner in ("a", "b", "c")]
    payload_hash = assets[0]["transaction"]["data"]["hash"]
    assert len(api.get("transactions", payload_hash=payload_hash).json()["items"]) < 3
    assert whole(api, "transactions", payload_hash=payload_hash) == assets
    monkeypatch.setattr("bigchaindb.node.listing.MAX_CHARACTERS", 1)
    assert whole(api, "transactions", payload_hash=payload_hash) == assets
    transfer = api.node.settle(api.node.transfer(assets[0]["id"], "a", "b"))
    monkeypatch.setattr("bigchaindb.node.histories.MAX_CHARACTERS", 1)
    assert len(api.get(f"transactions/{transfer['id']}/history").json()["items"]) == 1
    assert whole(api, f"transactions/{transfer['id']}/history") == [assets[0], transfer]


@pytest.mark.parametrize("id_", ["x", "0" * 63, "0" * 65, "0" * 63 + "G", "A" * 64, "0" * 64 + "%0A"])
def test_an_id_that_is_none_is_refused(api: Api, id_: str) -> None:
    assert problem(api.get(f"transactions/{id_}")) == (400, "malformed", "transaction_id")
    assert problem(api.get(f"transactions/{id_}/history")) == (400, "malformed", "transaction_id")
