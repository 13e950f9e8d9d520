"""Making, checking, spreading and dropping the tables of a ledger in RethinkDB."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb.exceptions import ConfigurationError, StorageMismatch, StorageUnavailable
from bigchaindb.storage import rethinkdb_schema
from bigchaindb.storage.rethinkdb import RethinkStorage
from bigchaindb.storage.rethinkdb_driver import Server, r
from bigchaindb.storage.rethinkdb_pool import Pool
from bigchaindb.storage.rethinkdb_schema import FORMAT_VERSION, TABLES, Opened, open_ledger, spread
from tests.rethink import own_server
from tests.storage.make import ref, stored, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HANG_SECONDS = 60.0


def admin(server: Server, query: Any) -> Any:
    """Do what an operator does."""
    with closing(Pool(server)) as pool:
        return pool.administer(query)


def open_(server: Server, *, create: bool = False) -> Opened:
    with closing(Pool(server)) as pool:
        return open_ledger(pool, create=create)


@pytest.fixture
def ledger(kept_ledger: Server) -> Server:
    """A ledger that is there, with tables as they should be; what is in it does not matter."""
    open_(kept_ledger, create=True)
    return kept_ledger


def refused(server: Server) -> str:
    """Why a ledger is refused, also where it might be made."""
    messages = set()
    for create in (False, True):
        with pytest.raises(StorageMismatch) as caught:
            open_(server, create=create)
        messages.add(str(caught.value))
    (message,) = messages
    return message


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what the servers find out of each other."""
    deadline = time.monotonic() + HANG_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# --- making and dropping -----------------------------------------------------------------------------------


def test_a_ledger_is_made_once_found_again_and_gone_when_dropped(new_ledger: Server) -> None:
    with pytest.raises(StorageMismatch, match="the ledger is not there: run `bigchaindb init`"):
        open_(new_ledger)
    assert new_ledger.name not in admin(new_ledger, r.db_list())
    with closing(RethinkStorage(new_ledger, create=True)) as storage:
        storage.append_backlog([transaction("a")], 1.0)
    with closing(RethinkStorage(new_ledger, create=True)) as storage:
        assert storage.contents([ref(transaction("a"))]) == {transaction("a").hash: stored(transaction("a"))}
    RethinkStorage(new_ledger, create=False).drop()
    assert new_ledger.name not in admin(new_ledger, r.db_list())
    with pytest.raises(StorageMismatch, match="is not there"):
        open_(new_ledger)


def test_several_may_make_it_at_the_same_moment(new_ledger: Server) -> None:
    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(lambda _: open_(new_ledger, create=True), range(4)))
    assert len({each.writer for each in opened}) == 4
    assert sorted(admin(new_ledger, r.db(new_ledger.name).table_list())) == sorted(TABLES)
    for name, indexes in TABLES.items():
        assert sorted(admin(new_ledger, r.table(name).index_list())) == sorted(indexes)


def test_whoever_was_killed_while_making_it_is_replaced(new_ledger: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    admin(new_ledger, r.db_create(f"{new_ledger.name}_init"))
    monkeypatch.setattr(rethinkdb_schema, "_STUCK_SECONDS", 0.3)
    open_(new_ledger, create=True)
    assert f"{new_ledger.name}_init" not in admin(new_ledger, r.db_list())


def test_a_database_of_somebody_else_is_not_taken_for_the_turn_of_one_who_was_killed(
    new_ledger: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(new_ledger, name=f"{new_ledger.name}_init")
    admin(other, r.db_create(other.name))
    admin(other, r.table_create("precious"))
    monkeypatch.setattr(rethinkdb_schema, "_STUCK_SECONDS", 0.3)
    try:
        with pytest.raises(StorageMismatch, match="is in the way; choose another database"):
            open_(new_ledger, create=True)
        assert admin(other, r.table_list()) == ["precious"]
    finally:
        admin(other, r.db_drop(other.name))


def test_what_was_begun_is_completed(ledger: Server) -> None:
    admin(ledger, r.table("votes").index_drop("evidence"))
    admin(ledger, r.table_drop("rejections"))
    with pytest.raises(StorageMismatch, match="the ledger lacks votes, rejections: run `bigchaindb init`"):
        open_(ledger)
    open_(ledger, create=True)
    open_(ledger)


def test_nobody_opens_what_is_not_complete_to_the_end(ledger: Server) -> None:
    admin(ledger, r.table("registers").get("format").delete())
    with pytest.raises(StorageMismatch, match="the ledger is incomplete: run `bigchaindb init`"):
        open_(ledger)
    open_(ledger, create=True)
    open_(ledger)


def test_the_version_and_the_clock_of_the_server_are_known(ledger: Server) -> None:
    one, other = open_(ledger), open_(ledger)
    assert one.version >= (2, 4, 0)
    assert other.now_seconds >= one.now_seconds
    assert other.writer != one.writer


# --- what is refused ---------------------------------------------------------------------------------------


@pytest.fixture
def weakened(ledger: Server, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A ledger of which one table promises less."""
    table, settings = request.param
    admin(ledger, r.table(table).config().update(settings))
    yield ledger
    admin(ledger, r.table(table).config().update({"durability": "hard", "write_acks": "majority"}))


@pytest.mark.parametrize(
    "weakened",
    [("votes", {"durability": "soft"}), ("postings", {"write_acks": "single"})],
    ids=str,
    indirect=True,
)
def test_a_weaker_table_is_refused_with_the_command_that_mends_it(weakened: Server) -> None:
    message = refused(weakened)
    assert re.search(
        r"table (votes|postings) may lose what it has acknowledged, having (durability|write_acks)", message
    )
    _, _, command = message.partition("mend it with ")
    admin(weakened, eval(command, {"r": r}))  # noqa: S307 - an operator would type it
    open_(weakened)


def test_the_table_of_hints_may_be_as_weak_as_it_is(ledger: Server) -> None:
    assert admin(ledger, r.table("bells").config()["durability"]) == "soft"
    open_(ledger)


def test_somebody_elses_tables_are_left_alone(new_ledger: Server) -> None:
    admin(new_ledger, r.db_create(new_ledger.name))
    admin(new_ledger, r.table_create("bigchain"))
    assert "has tables that are not of a ledger: bigchain; choose another database.name" in refused(new_ledger)
    assert admin(new_ledger, r.table_list()) == ["bigchain"]


@pytest.mark.parametrize("version", [0, FORMAT_VERSION - 1, str(FORMAT_VERSION), None])
def test_a_ledger_of_another_format_is_left_alone(ledger: Server, version: object) -> None:
    mark = r.table("registers").get("format")
    admin(ledger, mark.update({"version": version}))
    try:
        assert f"the ledger has format {version!r}; this release knows {FORMAT_VERSION}" in refused(ledger)
    finally:
        admin(ledger, mark.update({"version": FORMAT_VERSION}))


def test_a_ledger_of_another_format_is_not_completed(ledger: Server) -> None:
    mark = r.table("registers").get("format")
    admin(ledger, mark.update({"version": 2}))
    admin(ledger, r.table_drop("holdings"))
    try:
        assert f"the ledger has format 2; this release knows {FORMAT_VERSION}" in refused(ledger)
        assert "holdings" not in admin(ledger, r.table_list())
    finally:
        admin(ledger, mark.update({"version": FORMAT_VERSION}))
        open_(ledger, create=True)


def test_a_user_with_too_few_rights_is_told_which_to_ask_for(ledger: Server) -> None:
    user = replace(ledger, user="berlin", password="x")
    admin(ledger, r.db("rethinkdb").table("users").insert({"id": "berlin", "password": "x"}, conflict="replace"))
    try:
        admin(ledger, r.db(ledger.name).grant("berlin", {"read": True, "write": True}))
        found = re.search(r"it needs (r\.db.*)$", refused(user))
        assert found
        admin(ledger, eval(found[1], {"r": r, "true": True}))  # noqa: S307 - an operator would type it
        with closing(RethinkStorage(user, create=False)) as storage:
            storage.append_backlog([transaction("a")], 1.0)
            assert storage.wait_for_change(0) is False
    finally:
        admin(ledger, r.db("rethinkdb").table("users").get("berlin").delete())


def test_of_several_servers_one_that_keeps_a_table_alone_is_warned_of_and_missed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with own_server() as one, own_server("--server-name", "two", "--join", f"127.0.0.1:{one.cluster_port}") as two:
        ledger = Server("127.0.0.1", one.port, "ledger")
        on_two = {"shards": [{"primary_replica": "two", "replicas": ["two"]}]}
        until(lambda: admin(ledger, r.db("rethinkdb").table("server_status").count()) == 2)
        open_(ledger, create=True)
        warning = "has 2 servers, but tables are kept on one only: run `bigchaindb set-replicas 2`"
        assert warning in caplog.text
        admin(ledger, r.table("votes").config().update(on_two))
        admin(ledger, r.table("votes").wait())
        two.kill()
        until(lambda: admin(ledger, r.db("rethinkdb").table("server_status").count()) == 1)
        for create in (False, True):
            with pytest.raises(StorageUnavailable, match=r"table \w+ is not available: None of the replicas"):
                open_(ledger, create=create)


# --- spreading ---------------------------------------------------------------------------------------------


def shape(server: Server) -> set[tuple[int, int]]:
    """How many shards and replicas there are of each table."""
    configs = [admin(server, r.table(name).config()) for name in TABLES]
    return {(len(each["shards"]), len(each["shards"][0]["replicas"])) for each in configs}


def test_every_table_is_divided_and_keeps_what_is_in_it(new_ledger: Server) -> None:
    with closing(RethinkStorage(new_ledger, create=True)) as storage:
        many = [transaction(str(each)) for each in range(100)]
        storage.append_backlog(many, 1.0)
        spread(new_ledger, shards=3)
        assert shape(new_ledger) == {(3, 1)}
        spread(new_ledger, replicas=1)
        assert shape(new_ledger) == {(3, 1)}
        assert storage.contents([ref(each) for each in many]) == {each.hash: stored(each) for each in many}
        assert [entry.text for entry in storage.backlog(None, 200)] == [ref(each) for each in many]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [({"replicas": 40}, "Can't put 40 replicas"), ({"shards": 65}, "Maximum number of shards is 64")],
)
def test_what_the_cluster_cannot_do_is_refused(ledger: Server, wanted: dict[str, int], reason: str) -> None:
    before = shape(ledger)
    with pytest.raises(ConfigurationError, match=reason):
        spread(ledger, **wanted)
    assert shape(ledger) == before


def test_only_a_ledger_is_spread(new_ledger: Server) -> None:
    with pytest.raises(StorageMismatch, match="run `bigchaindb init`"):
        spread(new_ledger, shards=2)


def test_a_dropped_ledger_is_away_for_those_who_still_use_it(new_ledger: Server) -> None:
    with closing(RethinkStorage(new_ledger, create=True)) as storage:
        RethinkStorage(new_ledger, create=False).drop()
        with pytest.raises(StorageUnavailable, match="does not exist"):
            storage.registers(["name"])
        with pytest.raises(StorageUnavailable, match="does not exist"):
            storage.swap_register("name", None, "text")
