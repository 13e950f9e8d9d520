"""What the node says of itself, and whether it is well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bigchaindb.exceptions import StorageMismatch, StorageUnavailable
from bigchaindb.version import __version__
from tests.onenode import OneNode, public
from tests.web.api import ROOT, Api, problem

if TYPE_CHECKING:
    from pathlib import Path

    from bigchaindb.node.node import Node


def test_the_root_of_the_api_says_what_this_node_is(api: Api) -> None:
    told = api.get("").json()
    assert (told["software"], told["version"]) == ("BigchainDB", __version__)
    assert (told["ledger"], told["node"]) == (api.node.ledger, public("node"))
    assert (told["keyring"], told["quorum"]) == ([], "majority")
    assert told["limits"] == {"transaction_bytes": 2**18, "batch_transactions": 1000}


def test_its_links_lead_somewhere(api: Api) -> None:
    for name, path in api.get("").json()["links"].items():
        if name != "streams":
            assert api.get(path).status_code in {200, 400, 405}, name


def test_the_keyring_is_told(tmp_path: Path) -> None:
    api = Api(tmp_path)
    api.node = OneNode(_empty(tmp_path / "two"), keyring=(public("other"),))
    with api:
        assert api.get("").json()["keyring"] == [public("other")]


def _empty(directory: Path) -> Path:
    directory.mkdir()
    return directory


def test_browsers_are_shown_the_explorer(api: Api) -> None:
    answer = api.request("GET", "/", headers={"Accept": "text/html,application/xhtml+xml,*/*"})
    assert answer.is_redirect
    assert answer.headers["location"] == "/explorer/"
    assert api.request("GET", "/", headers={"Accept": "application/json"}).json() == api.get("").json()
    assert api.get("/").json() == api.get(ROOT).json() == api.get("").json()
    assert api.get("/explorer").headers["location"] == "/explorer/"


def test_it_is_healthy_and_ready(api: Api) -> None:
    assert api.get("/healthz").json() == api.get("/readyz").json() == {"status": "ok"}


@pytest.mark.parametrize("error", [StorageUnavailable("no connection"), StorageMismatch("not a ledger")])
def test_without_its_database_it_is_healthy_but_not_ready(tmp_path: Path, error: Exception) -> None:
    def fail(_: OneNode) -> Node:
        raise error

    with Api(tmp_path, fail) as api:
        assert api.get("/healthz").json() == {"status": "ok"}
        for path in ("/readyz", f"{ROOT}/", f"{ROOT}/blocks", f"{ROOT}/statuses?transaction_id={'0' * 64}"):
            answer = api.get(path)
            assert problem(answer)[:2] == (503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
