"""No statement reads more the larger the ledger is."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.storage import sqlite_sql as sql
from tests.storage.make import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

STATEMENTS = {
    name: value.text if isinstance(value, sql.Query) else value
    for name, value in vars(sql).items()
    if name.isupper() and isinstance(value, str | sql.Query)
}
# What a bounded list of values is called when it is read from end to end.
BOUNDED = {"CONSTANT", "w", "wanted", "h", "l"}


@pytest.fixture
def tables() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in sql.SCHEMA:
            connection.execute(statement)
        yield connection


def plan(connection: sqlite3.Connection, statement: str) -> list[str]:
    values = [None] * max(statement.count("?"), 1)
    numbered = re.search(r"\?\d", statement)
    count = max(map(int, re.findall(r"\?(\d)", statement))) if numbered else statement.count("?")
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values[:count])]


def reads_from_end_to_end(step: str) -> bool:
    found = re.match(r"SCAN (?:\d+ )?(\w+)", step)
    return found is not None and found[1] not in BOUNDED


def test_the_table_of_statements_is_not_empty() -> None:
    assert len(STATEMENTS) > 40


@pytest.mark.parametrize("name", STATEMENTS)
@pytest.mark.parametrize("count", [1, 500])
def test_every_statement_finds_its_rows_by_an_index(tables: sqlite3.Connection, name: str, count: int) -> None:
    steps = plan(tables, sql.expanded(STATEMENTS[name], count))
    assert [step for step in steps if reads_from_end_to_end(step)] == []


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_sorts_what_it_finds(tables: sqlite3.Connection, name: str) -> None:
    assert [step for step in plan(tables, sql.expanded(STATEMENTS[name], 500)) if "TEMP B-TREE" in step] == []


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_makes_an_index_of_its_own(tables: sqlite3.Connection, name: str) -> None:
    assert [step for step in plan(tables, sql.expanded(STATEMENTS[name], 500)) if "AUTOMATIC" in step] == []


def test_a_statement_without_an_index_would_be_noticed(tables: sqlite3.Connection) -> None:
    steps = plan(tables, "SELECT number FROM names WHERE name = ?")
    assert [step for step in steps if reads_from_end_to_end(step)] == ["SCAN names"]


@given(st.text(st.characters()))
def test_every_text_has_a_key_that_the_tables_can_hold(name: str) -> None:
    assert -(2**63) <= sql.key_of(name) < 2**63


@given(st.text("0123456789abcdef", min_size=11, max_size=11), st.text("0123456789abcdef", min_size=11, max_size=11))
def test_ids_that_differ_early_have_different_keys(one: str, other: str) -> None:
    assert (sql.key_of(one + digest("x")) == sql.key_of(other + digest("x"))) == (one == other)
