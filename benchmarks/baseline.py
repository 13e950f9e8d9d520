"""What this machine can do at best: V, the unit in which the ledger's speed is told."""

from __future__ import annotations

import time
from typing import Final

from bigchaindb import crypto

_MESSAGE_BYTES: Final = 700


def verifications_per_second(seconds: float = 1.0) -> float:
    """Return V: how many Ed25519 signatures libsodium verifies per second, on one core.

    Args:
        seconds: how long to measure.
    """
    private_key, _ = crypto.generate_key_pair()
    key = crypto.SigningKey(private_key)
    message = b"x" * _MESSAGE_BYTES
    signature = key.sign_bytes(message)
    public_key = bytes(key.verifying_key)
    count = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        crypto.verify(public_key, message, signature)
        count += 1
    return count / elapsed
