"""The ledger that many threads use: opened late, and anew when its database was away."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from bigchaindb.exceptions import LedgerError, StorageUnavailable
from bigchaindb.storage.memory import MemoryStorage
from bigchaindb.web.ledger import Ledger
from tests.acceptance.machine import until
from tests.ledgers import Ledger as Whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.node.node import Node

HANG_SECONDS = 30.0


class Opening:
    """Opens a node, or fails as it was told to, and counts."""

    def __init__(self) -> None:
        self.whole = Whole(start=False)
        self.error: Exception | None = None
        self.opened: list[Node] = []
        self.tries = 0

    def __call__(self) -> Node:
        self.tries += 1
        if self.error:
            raise self.error
        self.whole.first.storage = MemoryStorage(self.whole.database)
        self.opened.append(self.whole.first._opened())
        return self.opened[-1]


@pytest.fixture
def opening() -> Opening:
    return Opening()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time."""
    name = "bigchaindb.web.ledger.time.monotonic"
    monkeypatch.setattr(name, lambda: 100.0)
    return lambda seconds: monkeypatch.setattr(name, lambda: 100.0 + seconds)


def test_nothing_is_opened_before_it_is_needed(opening: Opening) -> None:
    ledger = Ledger(opening)
    assert opening.tries == 0
    assert ledger.node is ledger.node is opening.opened[0]
    assert ledger.queries.status("0" * 64) == "unknown"
    assert opening.tries == 1
    ledger.close()


def test_while_the_database_is_away_it_is_tried_seldom_and_everybody_is_told_at_once(
    opening: Opening, now: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bigchaindb")
    ledger = Ledger(opening)
    opening.error = StorageUnavailable("no connection")
    tries = []
    for tick in range(200):
        now(tick / 20)
        with pytest.raises(StorageUnavailable, match="no connection"):
            _ = ledger.node
        tries.append(opening.tries)
    assert tries[0] == 1
    assert 5 < opening.tries < 10
    opening.error = None
    now(100)
    assert ledger.node is opening.opened[0]
    assert caplog.messages == ["database is away: no connection", "database is back"]
    ledger.close()


def test_what_was_doubted_is_opened_anew_and_the_old_one_serves_who_still_uses_it(
    opening: Opening, now: Callable[[float], None]
) -> None:
    ledger = Ledger(opening)
    first = ledger.node
    for tick, count in ((1, 1), (6, 2), (7, 2), (12, 3)):
        now(tick)
        ledger.doubt()
        assert len({id(ledger.node) for _ in range(3)}) == 1
        # An error right after it was opened is no reason to open it again.
        assert opening.tries == count
    second, third = opening.opened[1:]
    assert ledger.node is third
    assert second.storage.genesis()
    with pytest.raises(StorageUnavailable):
        first.storage.genesis()
    ledger.close()
    for node in opening.opened:
        with pytest.raises(StorageUnavailable):
            node.storage.genesis()


def test_what_is_wrong_is_logged_once_until_it_is_opened_anew(
    opening: Opening, now: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bigchaindb")
    ledger = Ledger(opening)
    for tick in (1, 2, 10):
        now(tick)
        _ = ledger.node
        for _ in range(3):
            ledger.doubt(StorageUnavailable("/the/path: busy"))
            ledger.doubt(LedgerError("another ledger"))
    told = ["database fails: /the/path: busy", "database fails: another ledger"]
    assert caplog.messages == told * 2
    caplog.clear()
    for number in range(100):
        ledger.doubt(StorageUnavailable(f"always something else: {number}"))
    assert len(caplog.messages) < 20
    ledger.close()


def test_that_it_is_away_is_logged_once(
    opening: Opening, now: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(opening)
    opening.error = StorageUnavailable("no connection")
    for tick in range(5):
        now(10 * tick)
        with pytest.raises(StorageUnavailable) as caught:
            _ = ledger.node
        ledger.doubt(caught.value)
    assert caplog.messages == ["database is away: no connection"]


def test_while_it_cannot_be_opened_anew_nobody_gets_the_old_one(opening: Opening, now: Callable[[float], None]) -> None:
    ledger = Ledger(opening)
    _ = ledger.node
    opening.error = StorageUnavailable("gone")
    ledger.doubt()
    now(10)
    for _ in range(3):
        with pytest.raises(StorageUnavailable, match="gone"):
            _ = ledger.node
    opening.error = None
    now(20)
    assert ledger.node is opening.opened[1]
    ledger.close()


def test_another_ledger_in_its_place_is_told_as_such_and_tried_again(
    opening: Opening, now: Callable[[float], None]
) -> None:
    ledger = Ledger(opening)
    opening.error = LedgerError("another ledger")
    with pytest.raises(LedgerError, match="another ledger"):
        _ = ledger.node
    opening.error = None
    now(1)
    assert ledger.node is opening.opened[0]
    ledger.close()


def test_one_thread_opens_it_and_the_others_wait_a_moment_only(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigchaindb.web.ledger._PATIENCE_SECONDS", 0.01)
    entered, go_on = threading.Event(), threading.Event()

    def slow() -> Node:
        entered.set()
        assert go_on.wait(HANG_SECONDS)
        return opening()

    ledger = Ledger(slow)
    thread = threading.Thread(target=lambda: ledger.node)
    thread.start()
    assert entered.wait(HANG_SECONDS)
    with pytest.raises(StorageUnavailable, match="is being opened"):
        _ = ledger.node
    go_on.set()
    thread.join(HANG_SECONDS)
    until(lambda: ledger.node is opening.opened[0], HANG_SECONDS)
    assert opening.tries == 1
    ledger.close()


def test_who_comes_while_it_is_opened_gets_it_too(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigchaindb.web.ledger._PATIENCE_SECONDS", HANG_SECONDS)
    entered, go_on = threading.Event(), threading.Event()

    def slow() -> Node:
        entered.set()
        assert go_on.wait(HANG_SECONDS)
        return opening()

    ledger = Ledger(slow)
    got: list[Node] = []
    threads = [threading.Thread(target=lambda: got.append(ledger.node)) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert entered.wait(HANG_SECONDS)
    go_on.set()
    for thread in threads:
        thread.join(HANG_SECONDS)
    assert got == [opening.opened[0]] * 5
    ledger.close()
