"""Events of one node: how soon after a decision a listener in another process has it.

"Decided" is the timestamp in the signed decision: the voter takes it just before it makes the decision durable, so what
that takes is part of what is measured.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks.load import percentile

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["event_latency"]

_PATH: Final = "/api/v1/streams/valid_transactions"
_WAIT_SECONDS: Final = 30.0


def event_latency(address: str, decide: Callable[[int], None], count: int) -> tuple[float, float]:
    """Return p50 and p99, in seconds, from decided to received.

    Args:
        address: `host:port` of a node on this machine.
        decide: has the node decide one lone transaction, and returns when it has; called with 0, 1, ...
        count: how many to measure.
    """
    received: list[tuple[float, dict[str, Any]]] = []
    with connect(f"ws://{address}{_PATH}", proxy=None) as websocket:

        def listen() -> None:
            try:
                while True:
                    message = websocket.recv()
                    received.append((time.time(), json.loads(message)))
            except ConnectionClosed:
                return

        thread = threading.Thread(target=listen)
        thread.start()
        for number in range(count):
            decide(number)
        deadline = time.monotonic() + _WAIT_SECONDS
        while len(received) < count and time.monotonic() < deadline:
            time.sleep(0.01)
    thread.join()
    if len(received) != count:
        raise RuntimeError(f"{len(received)} events came, not {count}")
    latencies = [at - _decided_at(address, event["block_id"]) for at, event in received]
    return percentile(latencies, 50), percentile(latencies, 99)


def _decided_at(address: str, block_id: str) -> float:
    url = f"http://{address}/api/v1/decisions?block_id={block_id}"
    with urllib.request.urlopen(url, timeout=_WAIT_SECONDS) as answer:
        page = json.load(answer)
    (record,) = page["items"]
    return float(record["decision"]["timestamp"])
