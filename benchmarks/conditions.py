"""How fast crypto-conditions are: the one owner of the usual transaction, 256 owners of 256, and the worst table.

Each line tells the best of several rounds of CPU time, and how many signature verifications of this machine that is:
the second number holds anywhere.
"""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Final

from benchmarks.baseline import verifications_per_second
from bigchaindb import crypto
from bigchaindb import cryptoconditions as cc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OWNERS: Final = 256
_GOAL_MILLISECONDS: Final = 50
_ROUNDS: Final = 7
_MESSAGE: Final = "x" * 700
_REPEATS: Final = 500


def lines() -> Iterator[str]:
    """Measure, and yield one line per result."""
    verify_seconds = 1 / verifications_per_second(0.5)
    yield f"one libsodium verification: {verify_seconds * 1e6:.0f} us"

    def line(name: str, seconds: float) -> str:
        return f"{name}: {seconds * 1e3:.3f} ms = {seconds / verify_seconds:.2f} verifications"

    yield "one owner"
    key = _keys(1)[0]
    single = cc.Ed25519Fulfillment(key.verifying_key)
    details = json.loads(single.serialize_json())
    single.sign(_MESSAGE, key)
    uri = single.serialize_uri()
    read = cc.Fulfillment.from_uri(uri)
    yield line("  read its URI", _best(lambda: cc.Fulfillment.from_uri(uri), _REPEATS))
    yield line("  derive its condition URI", _best(lambda: read.condition_uri, _REPEATS))
    yield line(
        "  derive it from JSON details", _best(lambda: cc.Fulfillment.from_json(details).condition_uri, _REPEATS)
    )
    yield line("  validate", _best(lambda: read.validate(_MESSAGE), _REPEATS))

    yield f"{_OWNERS} owners of {_OWNERS}"
    keys = _keys(_OWNERS)
    total = 0.0
    signed = _sign(keys)
    uri = signed.serialize_uri()
    read = cc.Fulfillment.from_uri(uri)
    for name, action in (
        ("sign", lambda: _sign(keys)),
        ("serialise", lambda: cc.Fulfillment.serialize_uri(signed)),
        ("read", lambda: cc.Fulfillment.from_uri(uri)),
        ("derive the condition", lambda: _derive(signed)),
        ("validate", lambda: read.validate(_MESSAGE)),
    ):
        seconds = _best(action)
        total += seconds
        yield line(f"  {name}", seconds)
    yield line("  together", total) + f" (goal: {_GOAL_MILLISECONDS} ms)"

    yield "511 conditions of random weights, threshold 128: the largest table"
    largest = _largest_table()
    yield line("  derive the condition", _best(lambda: _derive(largest)))


def main() -> None:
    """Print the results as they come."""
    for text in lines():
        print(text, flush=True)


def _best(action: Callable[[], object], repeats: int = 1) -> float:
    """Return the CPU seconds of one call, in the best of several rounds."""
    rounds = []
    for _ in range(_ROUNDS):
        start = time.process_time()
        for _ in range(repeats):
            action()
        rounds.append((time.process_time() - start) / repeats)
    return min(rounds)


def _keys(count: int) -> list[crypto.SigningKey]:
    return [crypto.SigningKey(crypto.generate_key_pair()[0]) for _ in range(count)]


def _sign(keys: list[crypto.SigningKey]) -> cc.ThresholdSha256Fulfillment:
    fulfillment = cc.ThresholdSha256Fulfillment(threshold=len(keys))
    for key in keys:
        signature = cc.Ed25519Fulfillment(key.verifying_key)
        signature.sign(_MESSAGE, key)
        fulfillment.add_subfulfillment(signature)
    return fulfillment


def _derive(fulfillment: cc.ThresholdSha256Fulfillment) -> cc.Condition:
    # A new one each time: a threshold derives once.
    fresh = cc.ThresholdSha256Fulfillment(threshold=fulfillment.threshold)
    fresh.subconditions = fulfillment.subconditions
    return fresh.condition


def _largest_table() -> cc.ThresholdSha256Fulfillment:
    chance = random.Random(1)  # noqa: S311 - the same ones every time
    fulfillment = cc.ThresholdSha256Fulfillment(threshold=128)
    for _ in range(511):
        condition = cc.Condition(0, 3, chance.randbytes(32), chance.randrange(120))
        fulfillment.add_subcondition(condition, chance.randint(1, 40))
    return fulfillment


if __name__ == "__main__":
    main()
