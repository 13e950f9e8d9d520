"""Storage that fails when it is told to: what a process sees that dies, or loses its database, at the worst moment."""

from __future__ import annotations

from typing import Any, Final

from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.storage.interface import Storage
from bigchaindb.storage.memory import MemoryDatabase, MemoryStorage

__all__ = ["CrashingStorage"]

_VERBS: Final = frozenset(name for name in vars(Storage) if not name.startswith("_"))


class CrashingStorage(MemoryStorage):
    """One connection that is cut off at a call, before or behind what the call does; others go on.

    In memory nothing is undone, so whatever was stored before the crash stays, as in a database without transactions.
    """

    def __init__(self, shared: MemoryDatabase | None = None) -> None:
        super().__init__(shared)
        self._verb = ""
        self._calls_left = 0
        self._behind = False
        self.is_cut_off = False

    def crash(self, verb: str, *, behind: bool = False, after_calls: int = 0) -> None:
        """Cut off at a verb: after so many calls of it, before (or behind) what the next one does."""
        assert verb in _VERBS
        self._verb, self._behind, self._calls_left = verb, behind, after_calls

    def recover(self) -> None:
        """Be there again."""
        self.is_cut_off, self._verb = False, ""

    def __getattribute__(self, name: str) -> Any:
        attribute = super().__getattribute__(name)
        if name not in _VERBS:
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.is_cut_off:
                raise StorageUnavailable("cut off")
            if name != self._verb:
                return attribute(*args, **kwargs)
            if self._calls_left:
                self._calls_left -= 1
                return attribute(*args, **kwargs)
            self.is_cut_off = True
            if self._behind:
                attribute(*args, **kwargs)
            raise StorageUnavailable(f"cut off at {name}")

        return call
