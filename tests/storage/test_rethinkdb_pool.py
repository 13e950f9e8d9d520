"""The connections of a process to RethinkDB, in good times and in bad."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.storage.rethinkdb_driver import Server, r
from bigchaindb.storage.rethinkdb_pool import Pool
from tests.rethink import own_server, patiently

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rethink import ThrowAwayServer

HANG_SECONDS = 60.0
ROOT = Path(__file__).parents[2]


@pytest.fixture
def pool(rethinkdb: tuple[str, int]) -> Iterator[Pool]:
    with closing(Pool(Server(*rethinkdb, "nowhere"))) as found:
        yield found


@pytest.fixture(scope="module")
def mortal() -> Iterator[ThrowAwayServer]:
    """A server that may be killed; each test leaves it running."""
    with own_server() as server:
        yield server


@pytest.fixture
def mortal_pool(mortal: ThrowAwayServer) -> Iterator[Pool]:
    with closing(Pool(Server("127.0.0.1", mortal.port, "nowhere"))) as found:
        yield found


# --- in good times -----------------------------------------------------------------------------------------


def test_more_threads_than_connections_all_get_their_own_answers(pool: Pool) -> None:
    with ThreadPoolExecutor(30) as threads:
        answers = list(threads.map(lambda number: pool.read(r.expr(number).mul(2)), range(300)))
    assert answers == list(range(0, 600, 2))
    assert 1 <= len(pool._idle) <= 8


def test_one_thread_uses_one_connection(pool: Pool) -> None:
    for number in range(20):
        assert pool.read(r.expr(number)) == number
    assert len(pool._idle) == 1


def test_a_closed_pool_says_so(pool: Pool) -> None:
    pool.close()
    pool.close()
    for ask in (pool.read, pool.write, pool.administer, pool.hint):
        with pytest.raises(StorageUnavailable, match="this connection is closed"):
            ask(r.expr(1))


def test_closing_does_not_break_a_query_that_runs(pool: Pool) -> None:
    rows = r.range(400_000).map(lambda number: number.mul(number))
    started = threading.Event()

    def ask() -> int:
        started.set()
        return len(pool.read(rows))

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(ask)
        started.wait(HANG_SECONDS)
        while pool._used == 0 and not answer.done():
            time.sleep(0.001)
        pool.close()
        assert answer.result(HANG_SECONDS) == 400_000
    assert pool._idle == []


def test_a_child_process_is_told_to_open_its_own(rethinkdb: tuple[str, int]) -> None:
    program = """
import os, sys
from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.storage.rethinkdb_driver import Server, r
from bigchaindb.storage.rethinkdb_pool import Pool

pool = Pool(Server(sys.argv[1], int(sys.argv[2]), "nowhere"))
child = os.fork()
if not child:
    try:
        pool.read(r.expr(1))
    except StorageUnavailable as error:
        pool.close()
        os._exit(0 if "opened before a fork" in str(error) else 1)
    os._exit(2)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert pool.read(r.expr(1)) == 1, "the child closed the connection of its parent"
pool.close()
sys.exit(code)
"""
    host, port = rethinkdb
    subprocess.run([sys.executable, "-c", program, host, str(port)], check=True, cwd=ROOT, timeout=HANG_SECONDS)


# --- in bad times ------------------------------------------------------------------------------------------


def test_a_server_that_was_killed_and_is_back_is_found_again(
    mortal: ThrowAwayServer, mortal_pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    mortal.kill()
    for _ in range(20):
        with pytest.raises(StorageUnavailable):
            mortal_pool.read(r.expr(1))
    mortal.start()
    assert patiently(lambda: mortal_pool.read(r.expr(7))) == 7
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("bigchaindb")]
    assert len(ours) == 2
    assert ours[0].startswith("database is away: RethinkDB 127.0.0.1:")
    assert ours[1].startswith("database is back: RethinkDB 127.0.0.1:")


def test_while_the_server_is_away_most_calls_fail_without_asking_it(mortal: ThrowAwayServer, mortal_pool: Pool) -> None:
    mortal.kill()
    problems = set()
    for _ in range(200):
        with pytest.raises(StorageUnavailable) as caught:
            mortal_pool.read(r.expr(1))
        problems.add(id(caught.value.__cause__))
    assert len(problems) < 100
    mortal.start()
    assert patiently(lambda: mortal_pool.read(r.expr(7))) == 7


def test_who_asks_only_after_the_server_is_back_notices_nothing(mortal: ThrowAwayServer, mortal_pool: Pool) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda number: mortal_pool.read(r.expr(number)), range(50))) == list(range(50))
    mortal.kill()
    mortal.start()
    assert mortal_pool.read(r.expr(5)) == 5


def test_a_query_that_was_sent_when_the_server_died_is_not_sent_again(
    mortal: ThrowAwayServer, mortal_pool: Pool
) -> None:
    users = r.db("rethinkdb").table("users")
    with ThreadPoolExecutor(1) as threads:
        mortal.freeze()
        answer = threads.submit(mortal_pool.administer, users.insert({"id": "berlin", "password": "x"}))
        while mortal_pool._used == 0 and not answer.done():
            time.sleep(0.001)
        mortal.kill()
        assert isinstance(answer.exception(HANG_SECONDS), StorageUnavailable)
    mortal.start()
    assert patiently(lambda: mortal_pool.read(r.expr(7))) == 7
    assert mortal_pool.administer(users.get("berlin")) is None
