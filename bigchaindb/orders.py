"""What a supervisor tells a process that it starts, and when such a process ends.

The order is one line of JSON on standard input, so that the private key is in no argument list.

Invariants:

- A process that was given an order ends when its standard input does: it does not outlive its supervisor, however that
  died.
- Nothing is sent after the order.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FATAL", "read_order", "when_input_ends", "write_order"]

FATAL: Final = 3
"""The exit code that says: a restart would not mend it."""


def write_order(config: dict[str, Any], **more: Any) -> str:
    """Return the line that tells a process for which node it works, and more."""
    return json.dumps({"config": config, **more})


def read_order() -> dict[str, Any] | None:
    """Return the order, or None where the supervisor died before it could say anything."""
    line = sys.stdin.readline()
    return dict(json.loads(line)) if line else None


def when_input_ends(stop: Callable[[], object]) -> None:
    """Call `stop`, in a thread of its own, when standard input ends."""
    threading.Thread(target=_wait, args=(stop,), daemon=True).start()


def _wait(stop: Callable[[], object]) -> None:
    while sys.stdin.readline():
        pass
    stop()
