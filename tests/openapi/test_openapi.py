"""A real node, asked all that its OpenAPI document speaks of: each answer is as documented, and none is a 5xx."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.acceptance.machine import Machine
from tests.acceptance.test_http import url_of
from tests.onenode import private, public

if TYPE_CHECKING:
    from bigchaindb import Bigchain

pytest.importorskip("schemathesis", reason="what `tox -e openapi` installs")
pytestmark = pytest.mark.acceptance

CASES = 2_000
EXAMPLES_PER_OPERATION = 75
RUN_SECONDS = 1_200
API = "/api/v1"
HERE = Path(__file__).parent


def populated(b: Bigchain, url: str) -> dict[str, Any]:
    """Write a few transactions; return what schemathesis is told of them, see `tests.openapi.hooks`."""

    def create(number: int) -> dict[str, Any]:
        unsigned = b.create_transaction(b.me, public("alice"), None, "CREATE", payload={"number": number})
        return b.sign_transaction(unsigned, b.me_private)

    def transfer(tx: dict[str, Any], to: str) -> dict[str, Any]:
        unsigned = b.create_transaction(public("alice"), public(to), tx["id"], "TRANSFER")
        return b.sign_transaction(unsigned, private("alice"))

    assets = [create(number) for number in range(5)]
    b.write_transactions(assets)
    transfers = [transfer(tx, to) for tx in assets[:3] for to in ("bob", "carol")]
    b.write_transaction(transfers[0])
    for tx in (*assets, transfers[0]):
        assert b.wait_for_transaction(tx["id"]) == "valid"
    blocks = httpx.get(f"{url}{API}/blocks").json()["items"]
    return {
        "ids": {
            "transaction_id": [tx["id"] for tx in (*assets, transfers[0])],
            "block_id": [block["id"] for block in blocks],
            "payload_hash": [tx["transaction"]["data"]["hash"] for tx in assets],
            "public_key": [public(name) for name in ("alice", "bob", "stranger")],
        },
        "transactions": [*assets, *transfers, *(create(100 + number) for number in range(50))],
    }


def test_every_answer_is_as_documented(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.run("configure", "-y").returncode == 0
    assert machine.run("init").returncode == 0
    with machine.node() as running:
        url = url_of(running)
        with machine.bigchain() as b:
            (tmp_path / "known").write_text(json.dumps(populated(b, url)))
        program, settings = Path(sys.executable).with_name("st"), HERE / "schemathesis.toml"
        command = [str(program), "--config-file", str(settings), "--no-color", "run"]
        done = subprocess.run(
            [*command, f"{url}{API}/openapi.json", "--checks=all", f"--max-examples={EXAMPLES_PER_OPERATION}"],
            env=machine.environment | {"BIGCHAINDB_TEST_KNOWN": str(tmp_path / "known"), "COLUMNS": "200"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        report = done.stdout + done.stderr
        assert done.returncode == 0, report[-20_000:]
        (generated,) = re.findall(r"(\d+) generated", report)
        assert int(generated) >= CASES, report[-5_000:]
        # All that came in was worked off, and the node has nothing to say about any of it.
        assert httpx.get(f"{url}/readyz").status_code == 200
        assert [
            line for line in running.log.splitlines() if re.search(r" (WARNING|ERROR) (web|supervisor)\[", line)
        ] == []
