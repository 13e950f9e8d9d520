"""The lease: one running node per key, whoever held it before, and however that ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb import canonical
from bigchaindb.exceptions import NodeAlreadyRunning, StorageUnavailable
from bigchaindb.node import lease
from bigchaindb.node.lease import BEAT_SECONDS, LEASE_SECONDS, Lease, holder_of
from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NODE = "node"
REGISTER = f"lease/{NODE}"
HANG_SECONDS = 30.0


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage(MemoryDatabase())


def no_wait(_: float) -> bool:
    raise AssertionError("a lease of this machine is judged at once")


class Waits:
    """Waits that take no time; `meanwhile` happens in each."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.seconds = 0.0
        self._meanwhile = meanwhile

    def __call__(self, seconds: float) -> bool:
        self.seconds += seconds
        self._meanwhile()
        return False


def left_by(storage: MemoryStorage, **changes: Any) -> str:
    """Put somebody's lease into storage: this process', with these changes."""
    Lease(storage, NODE).acquire(no_wait)
    held = storage.registers([REGISTER])[REGISTER]
    text = canonical.dumps(canonical.loads(held) | changes)
    assert storage.swap_register(REGISTER, held, text)
    return text


def is_taken(storage: MemoryStorage, text: str | None) -> bool:
    return storage.registers([REGISTER]).get(REGISTER) != text


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """Another process of this machine."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process


def test_a_free_lease_is_taken_and_given_back(storage: MemoryStorage) -> None:
    mine = Lease(storage, NODE)
    assert holder_of(storage, NODE) is None
    assert mine.acquire(no_wait)
    holder = holder_of(storage, NODE)
    assert holder is not None
    assert (holder["host"], holder["pid"], holder["alive"]) == (socket.gethostname(), os.getpid(), True)
    mine.release()
    assert holder_of(storage, NODE) is None


def test_two_keys_do_not_meet(storage: MemoryStorage) -> None:
    assert Lease(storage, NODE).acquire(no_wait)
    assert Lease(storage, "another").acquire(no_wait)


# --- the holder was on this machine ------------------------------------------------------------------------


def test_a_live_process_of_this_machine_keeps_its_lease(storage: MemoryStorage, child: subprocess.Popen[bytes]) -> None:
    text = left_by(storage, pid=child.pid, started=lease._started(child.pid))
    with pytest.raises(NodeAlreadyRunning, match=rf"key {NODE} is running already: process {child.pid} on "):
        Lease(storage, NODE).acquire(no_wait)
    assert not is_taken(storage, text)


def test_a_process_of_somebody_else_is_alive_too(storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    left_by(storage)

    def forbidden(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    with pytest.raises(NodeAlreadyRunning):
        Lease(storage, NODE).acquire(no_wait)


def test_a_dead_process_does_not_delay_its_successor(storage: MemoryStorage, child: subprocess.Popen[bytes]) -> None:
    text = left_by(storage, pid=child.pid, started=lease._started(child.pid))
    child.kill()
    child.wait(HANG_SECONDS)
    assert Lease(storage, NODE).acquire(no_wait)
    assert is_taken(storage, text)


def test_a_dead_process_that_nobody_has_asked_for_its_exit_code_is_dead(
    storage: MemoryStorage, child: subprocess.Popen[bytes]
) -> None:
    left_by(storage, pid=child.pid, started=lease._started(child.pid))
    child.kill()
    deadline = time.monotonic() + HANG_SECONDS
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
    assert Lease(storage, NODE).acquire(no_wait)


def test_a_number_that_another_process_has_now_is_no_sign_of_life(storage: MemoryStorage) -> None:
    left_by(storage, pid=os.getpid(), started="1")
    holder = holder_of(storage, NODE)
    assert holder is not None
    assert holder["alive"] is False
    assert Lease(storage, NODE).acquire(no_wait)


@pytest.mark.parametrize("pid", [None, "1", 0, -1, 2**53 - 1])
def test_what_is_no_process_is_dead(storage: MemoryStorage, pid: Any) -> None:
    left_by(storage, pid=pid, started=None)
    assert Lease(storage, NODE).acquire(no_wait)


def test_where_the_system_tells_nothing_of_processes_their_numbers_must_do(
    storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lease, "Path", lambda path: tmp_path / path.lstrip("/"))
    left_by(storage)
    with pytest.raises(NodeAlreadyRunning):
        Lease(storage, NODE).acquire(no_wait)


# --- the holder is on another machine ----------------------------------------------------------------------


def test_a_silent_lease_of_another_machine_is_taken_after_a_while(storage: MemoryStorage) -> None:
    text = left_by(storage, machine="another")
    holder = holder_of(storage, NODE)
    assert holder is not None
    assert holder["alive"] is None
    waits = Waits()
    assert Lease(storage, NODE).acquire(waits)
    assert is_taken(storage, text)
    assert waits.seconds == LEASE_SECONDS > 2 * BEAT_SECONDS


def test_a_lease_of_another_machine_that_beats_is_kept(storage: MemoryStorage) -> None:
    text = left_by(storage, machine="another", host="elsewhere", pid=5)

    def beat() -> None:
        storage.swap_register(REGISTER, text, canonical.dumps(canonical.loads(text) | {"beat": 1}))

    waits = Waits(beat)
    with pytest.raises(NodeAlreadyRunning, match="process 5 on elsewhere"):
        Lease(storage, NODE).acquire(waits)
    assert 0 < waits.seconds < BEAT_SECONDS  # the first beat is enough


def test_who_is_told_to_stop_meanwhile_takes_nothing(storage: MemoryStorage) -> None:
    text = left_by(storage, machine="another")
    assert not Lease(storage, NODE).acquire(lambda _: True)
    assert not is_taken(storage, text)


def test_of_two_that_take_the_same_lease_one_gets_it() -> None:
    class JustTooLate(MemoryStorage):
        def swap_register(self, name: str, expected: str | None, new: str | None) -> bool:
            assert super().swap_register(name, None, canonical.dumps({"pid": 5, "host": "elsewhere"}))
            return super().swap_register(name, expected, new)

    with pytest.raises(NodeAlreadyRunning, match="process 5 on elsewhere"):
        Lease(JustTooLate(MemoryDatabase()), NODE).acquire(no_wait)


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"machine":5}'])
def test_a_damaged_lease_is_waited_for_and_taken(storage: MemoryStorage, text: str) -> None:
    storage.swap_register(REGISTER, None, text)
    holder = holder_of(storage, NODE)
    assert holder is not None
    assert (holder["host"], holder["pid"], holder["alive"]) == (None, None, None)
    assert Lease(storage, NODE).acquire(Waits())
    assert is_taken(storage, text)


# --- keeping it --------------------------------------------------------------------------------------------


def test_every_renewal_is_a_beat(storage: MemoryStorage) -> None:
    mine = Lease(storage, NODE)
    mine.acquire(no_wait)
    texts = {storage.registers([REGISTER])[REGISTER]}
    for _ in range(3):
        assert mine.renew()
        texts.add(storage.registers([REGISTER])[REGISTER])
    assert len(texts) == 4
    mine.release()
    assert holder_of(storage, NODE) is None


@pytest.mark.parametrize("taken_by", [canonical.dumps({"instance": "another"}), "junk", None])
def test_who_has_lost_the_lease_is_told_and_leaves_it(storage: MemoryStorage, taken_by: str | None) -> None:
    mine = Lease(storage, NODE)
    mine.acquire(no_wait)
    storage.swap_register(REGISTER, storage.registers([REGISTER])[REGISTER], taken_by)
    assert not mine.renew()
    mine.release()
    assert storage.registers([REGISTER]).get(REGISTER) == taken_by


class Mute(MemoryStorage):
    """Does what it is told, but fails before it can say so."""

    fails = False

    def swap_register(self, name: str, expected: str | None, new: str | None) -> bool:
        done = super().swap_register(name, expected, new)
        if self.fails:
            raise StorageUnavailable("no answer")
        return done


def test_a_beat_whose_answer_was_lost_loses_no_lease() -> None:
    storage = Mute(MemoryDatabase())
    mine = Lease(storage, NODE)
    mine.acquire(no_wait)
    storage.fails = True
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            mine.renew()
    storage.fails = False
    assert mine.renew()
    mine.release()
    assert holder_of(storage, NODE) is None
