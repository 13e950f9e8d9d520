"""One running node per key: a lease in storage (design.md section 5).

The lease is a register with the holder's machine, process and a beat that the holder counts up.  No clocks are
compared: whether a holder on another machine lives is seen by whether its beat moves.

Invariants:

- Two nodes with one key do not run on, wherever they are; a lease left by a dead process of this machine is taken at
  once, and one left on another machine after `LEASE_SECONDS` without a beat.
- The lease keeps operators from a mistake; what keeps the ledger safe is the epoch of the head (see `seat`).
"""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bigchaindb import canonical
from bigchaindb.exceptions import InvalidValue, NodeAlreadyRunning

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.storage.interface import Storage

__all__ = ["BEAT_SECONDS", "LEASE_SECONDS", "Lease", "holder_of"]

LEASE_SECONDS: Final = 10.0
BEAT_SECONDS: Final = 2.0
_STEP_SECONDS: Final = 0.5
_ZOMBIE: Final = "Z"  # dead, but its parent has not asked for the exit code yet


class Lease:
    """A node's lease; `acquire` gets it, `renew` keeps it, `release` gives it back."""

    def __init__(self, storage: Storage, node: str) -> None:
        """Prepare; nothing is stored yet."""
        self._storage = storage
        self._node = node
        self._name = _register(node)
        self._instance = uuid.uuid4().hex
        self._beat = 0
        self._text: str | None = None

    def acquire(self, wait: Callable[[float], bool]) -> bool:
        """Take the lease.

        Args:
            wait: waits so many seconds, or returns True at once because there is no time left; used only where the
                holder is on another machine.

        Returns:
            False if there was no time to see whether the holder lives; nothing was taken then.

        Raises:
            NodeAlreadyRunning: somebody holds it and lives.
        """
        text = self._read()
        if text is not None:
            holder = _parse(text)
            if holder.get("machine") == _machine():
                if _is_alive(holder):
                    raise self._running(holder)
            else:
                for _ in range(round(LEASE_SECONDS / _STEP_SECONDS)):
                    if wait(_STEP_SECONDS):
                        return False
                    if self._read() != text:
                        raise self._running(holder)
        mine = self._mine()
        if not self._storage.swap_register(self._name, text, mine):
            raise self._running(_parse(self._read() or "{}"))
        self._text = mine
        return True

    def renew(self) -> bool:
        """Count the beat up; False where somebody else has the lease now."""
        self._beat += 1
        mine = self._mine()
        if not self._storage.swap_register(self._name, self._text, mine):
            # An earlier beat may stand there although storage failed before it could say so.
            standing = self._read()
            is_mine = standing is not None and _parse(standing).get("instance") == self._instance
            if not is_mine or not self._storage.swap_register(self._name, standing, mine):
                return False
        self._text = mine
        return True

    def release(self) -> None:
        """Give the lease back, if it is still held."""
        self._storage.swap_register(self._name, self._text, None)

    def _read(self) -> str | None:
        return self._storage.registers([self._name]).get(self._name)

    def _mine(self) -> str:
        return canonical.dumps(
            {
                "machine": _machine(),
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "started": _started(os.getpid()),
                "instance": self._instance,
                "beat": self._beat,
            }
        )

    def _running(self, holder: dict[str, Any]) -> NodeAlreadyRunning:
        where = f"process {holder.get('pid')} on {holder.get('host')}"
        return NodeAlreadyRunning(f"a node with the key {self._node} is running already: {where}")


def holder_of(storage: Storage, node: str) -> dict[str, Any] | None:
    """Return who holds a node's lease, `{"host", "pid", "alive", ...}`, or None.

    `alive` is None where the holder is on another machine, or the register is damaged.
    """
    text = storage.registers([_register(node)]).get(_register(node))
    if text is None:
        return None
    holder = _parse(text)
    alive = _is_alive(holder) if holder.get("machine") == _machine() else None
    return {"host": None, "pid": None, **holder, "alive": alive}


def _register(node: str) -> str:
    return f"lease/{node}"


def _parse(text: str) -> dict[str, Any]:
    try:
        holder = canonical.loads(text)
    except InvalidValue:
        return {}
    return holder if isinstance(holder, dict) else {}


def _machine() -> str:
    """Name this machine for as long as it is up; where processes are numbered apart (containers), apart."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{socket.gethostname()} {uuid.getnode():x}"


def _started(pid: int) -> str | None:
    """Return when a process was started, so that a number used again is not taken for it; None if unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == _ZOMBIE else fields[19]


def _is_alive(holder: dict[str, Any]) -> bool:
    pid = holder.get("pid")
    if not isinstance(pid, int) or pid <= 0:  # what is not above zero stands for groups of processes
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it lives, and is somebody else's
    return _started(pid) == holder.get("started")
