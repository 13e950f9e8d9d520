"""Whoever types what the pages say sees what the pages say.

With BIGCHAINDB_TEST_REWRITE_DOCS set, what was really seen is written into the pages instead, to be read before it is
committed.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.likeness import Names, anonymous
from tests.docs.pages import DOCS, README, ROOT, blocks, rewritten, steps
from tests.docs.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.docs.pages import Step

PAGES = [README, DOCS / "walkthrough.md", DOCS / "client.md", DOCS / "operating.md"]
VECTORS = [DOCS / "formats.md"]
REWRITE = "BIGCHAINDB_TEST_REWRITE_DOCS"


@pytest.mark.acceptance
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_shows_what_its_reader_sees(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(path, Reader(tmp_path, monkeypatch), Names().alike)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_vectors_are_the_same_for_everybody(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(path, Reader(tmp_path, monkeypatch), str.__eq__)


def compare(path: Path, reader: Reader, alike: Callable[[str, str], bool]) -> None:
    """Type a page, and compare each step, or write what is seen into the page."""
    page = path.read_text()
    rewrite = REWRITE in os.environ
    seen: dict[Step, str] = {}
    with reader:
        for step in steps(page):
            seen[step] = reader.type(step)
            if not rewrite and not alike(step.expected, seen[step]):
                where = f"{path.name}, line {step.line}"
                assert anonymous(seen[step]) == anonymous(step.expected), where
                assert seen[step] == step.expected, f"{where}: names that were one are two, or two are one"
    assert seen, "the page asks its reader to do something"
    if rewrite:
        path.write_text(rewritten(page, seen))


@pytest.mark.parametrize("path", [README, *sorted(DOCS.rglob("*.md"))], ids=lambda path: path.stem)
def test_what_can_be_typed_is_typed_by_the_test(path: Path) -> None:
    assert path in PAGES + VECTORS or not steps(path.read_text())


def test_the_readme_has_one_command_to_run_it_and_one_to_test_it() -> None:
    assert blocks(README.read_text(), "sh") == [
        "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/bigchaindb start\n",
        "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox p -o\n",
    ]


def test_the_example_of_the_readme_has_ten_lines() -> None:
    example = next(step for step in steps(README.read_text()) if step.language == "python")
    assert len([line for line in example.source.splitlines() if line]) == 10


@pytest.mark.parametrize("target", re.findall(r"\]\(([^):]+)\)", README.read_text()))
def test_what_the_readme_links_to_exists(target: str) -> None:
    assert (ROOT / target).is_file()
