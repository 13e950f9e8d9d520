"""RethinkDB killed and started again under load: nodes wait for it, lose nothing, and go on by themselves."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from bigchaindb.exceptions import StorageUnavailable
from examples.federation.nodes import Federation
from examples.federation.traffic import Traffic
from tests.acceptance.federation import REASSIGN_SECONDS, assert_all_valid, verdicts_when_equal
from tests.acceptance.machine import until
from tests.rethink import new_name, own_server, patiently

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from examples.federation.nodes import Member

KILLS = 3
LEAST_LOAD = 200
LEAST_REFUSALS = 20
HANG_SECONDS = 60.0


class Load:
    """Creates assets at one node and hands them on, whether the database is there or not, until told to stop."""

    def __init__(self, member: Member) -> None:
        self.traffic = Traffic()
        self.refusals = 0
        self._member = member
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with patiently(self._member.bigchain) as ledger:
            while not self._stop.is_set():
                try:
                    assets = self.traffic.create(ledger, 10)
                    self.traffic.transfer(ledger, assets[:5])
                except StorageUnavailable:
                    # Told so, and not that it was stored: whoever writes may write again.
                    self.refusals += 1
                    self._stop.wait(0.05)


def test_nothing_is_lost_or_decided_twice_and_the_nodes_recover_by_themselves(tmp_path: Path) -> None:
    with own_server() as server:
        database = {"backend": "rethinkdb", "host": "127.0.0.1", "port": server.port, "name": new_name()}
        with Federation(tmp_path, 3, database, backlog_reassign_delay=REASSIGN_SECONDS) as federation:
            federation.init()
            federation.start()
            with Load(federation.members[0]) as load:
                for _ in range(KILLS):
                    _more(lambda: len(load.traffic.acknowledged), LEAST_LOAD)
                    before = [patiently(member.decisions) for member in federation.members]
                    server.kill()
                    _more(lambda: load.refusals, LEAST_REFUSALS)
                    server.start()
                    _assert_all_go_on(federation.members)
                    for member, log in zip(federation.members, before, strict=True):
                        assert patiently(member.decisions)[: len(log)] == log
            assert_all_valid(federation.members, load.traffic.acknowledged)
            verdicts_when_equal(federation.members)
            for member in federation.members:
                assert member.is_running
                log = member.decisions()
                assert len({row.block_id for row in log}) == len(log)


def test_nodes_that_start_before_their_database_wait_for_it(tmp_path: Path) -> None:
    with own_server() as server:
        database = {"backend": "rethinkdb", "host": "127.0.0.1", "port": server.port, "name": new_name()}
        with Federation(tmp_path, 1, database) as federation:
            federation.init()
            server.stop()
            federation.start()
            (member,) = federation.members
            until(lambda: "database is away, waiting for it" in member.log, HANG_SECONDS)
            server.start()
            traffic = Traffic()
            with patiently(member.bigchain) as ledger:
                # One table may be there before another is.
                patiently(lambda: traffic.create(ledger, 10))
            assert_all_valid([member], traffic.acknowledged)
            assert member.log.count("database is away") == 1


def _more(count: Callable[[], int], least: int) -> None:
    """Wait until a count has risen by so much."""
    enough = count() + least
    until(lambda: count() >= enough, HANG_SECONDS)


def _assert_all_go_on(members: list[Member]) -> None:
    """See that every node decides something new by itself once the server answers again, and say after how long.

    Ten seconds are asked for; on an idle machine it takes three to six.
    """
    back = time.monotonic()
    latest = [len(patiently(member.decisions)) for member in members]
    until(
        lambda: all(len(patiently(m.decisions)) > count for m, count in zip(members, latest, strict=True)),
        HANG_SECONDS,
    )
    print(f"all nodes decide again after {time.monotonic() - back:.1f} s")  # noqa: T201 - shown with -s
