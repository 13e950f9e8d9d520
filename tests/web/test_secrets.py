"""The private key, and the token, are in no answer and no line of the log, whatever is asked."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from bigchaindb.config import parse, to_document
from bigchaindb.exceptions import StorageUnavailable
from tests.onenode import private, public
from tests.web.api import ROOT, Api

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TOKEN = "correct-horse-battery-staple"
UNKNOWN = "0" * 64


def test_no_answer_holds_a_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "bigchaindb")
    with Api(tmp_path, api_token=TOKEN) as api:
        asset = api.node.settle(api.node.create("alice"))
        transfer = api.node.settle(api.node.transfer(asset["id"], "alice", "bob"))
        (block,) = api.get("blocks", transaction_id=transfer["id"]).json()["items"]
        answers = []
        for path, operations in api.app.openapi()["paths"].items():
            for transaction_id in (asset["id"], UNKNOWN, private("node")):
                for block_id in (block["id"], UNKNOWN):
                    at = path.replace("{transaction_id}", transaction_id).replace("{block_id}", block_id)
                    for method in {*operations, "delete"} & {"get", "post", "delete"}:
                        if "streams" not in path:
                            answers += [
                                api.request(method.upper(), at, params=params)
                                for params in ({}, {"transaction_id": transaction_id}, {"block_id": block_id})
                            ]
        answers += [
            api.post("assets", {"new_owners": public("alice")}, headers={"Authorization": f"Bearer {given}"})
            for given in (TOKEN, private("node"))
        ]
        answers += [api.post("transactions", json.loads(text)) for text in (json.dumps(transfer), '{"id": 1}')]
        answers += [api.get(path) for path in ("/", "/metrics", f"{ROOT}/openapi.json", "/explorer/", "/nope")]
        assert len({answer.status_code for answer in answers}) > 5
        told = "".join(
            f"{answer.text}{dict(answer.headers)}" for answer in answers if private("node") not in str(answer.url)
        )
        echoed = "".join(answer.text for answer in answers if private("node") in str(answer.url))
        logged = "".join(record.getMessage() for record in caplog.records if record.name.startswith("bigchaindb"))
        for secret in (private("node"), TOKEN):
            assert secret not in told
            assert secret not in logged
        assert TOKEN not in echoed
        assert private("node") not in echoed


def test_not_even_a_broken_node_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Api(tmp_path) as api:
        document = to_document(api.node.config)

        def fail(*_: object) -> None:
            raise StorageUnavailable(f"cannot open {api.node.database_path}")

        monkeypatch.setattr("bigchaindb.storage.sqlite.SqliteStorage.blocks_after", fail)
        answer = api.get("blocks")
        assert answer.status_code == 503
        assert private("node") not in answer.text
        assert parse(document, "test").keypair.private == private("node")
