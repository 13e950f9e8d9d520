"""The interactive reference: complete, and from nowhere else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.web.api import ROOT, Api, problem

if TYPE_CHECKING:
    import httpx


def policy(answer: httpx.Response) -> str:
    return answer.headers["content-security-policy"]


def test_the_page_and_all_that_it_needs_come_from_the_node(api: Api) -> None:
    page = api.get("docs")
    assert page.headers["content-type"].startswith("text/html")
    needed = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    needed.remove("data:,")
    assert len(needed) == 4
    for path in needed:
        assert not path.startswith(("http:", "https:", "//"))
        assert api.get(path).status_code == 200
    assert "default-src 'none'" in policy(page)
    assert "script-src 'self';" in policy(page)
    assert "<script>" not in page.text
    assert "://" not in page.text + api.get("docs/start.js").text


def test_every_operation_has_a_summary_that_says_what_it_does(api: Api) -> None:
    paths = api.get("openapi.json").json()["paths"]
    assert paths["/healthz"]["get"]["summary"] == "Return that this process lives"
    posting = paths[f"{ROOT}/transactions"]["post"]
    assert posting["summary"] == "Send a signed transaction"
    assert posting["description"].startswith("It is checked and stored durably")
    assert all(len(each["summary"].split()) > 2 for path in paths.values() for each in path.values())


@pytest.mark.parametrize(
    ("name", "form"),
    [("swagger-ui-bundle.js", "text/javascript"), ("swagger-ui.css", "text/css"), ("start.js", "text/javascript")],
)
def test_files_are_what_they_say(api: Api, name: str, form: str) -> None:
    answer = api.get(f"docs/{name}")
    assert answer.headers["content-type"] == f"{form}; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["nothing.js", "..%2F__init__.py", "redoc.standalone.js"])
def test_no_other_file_is_served(api: Api, name: str) -> None:
    assert problem(api.request("GET", f"{ROOT}/docs/{name}")) == (404, "unknown", None)
