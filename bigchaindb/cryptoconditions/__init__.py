"""Crypto-conditions in their early (2016) form, with `cc:` and `cf:` URIs: what locks an output and what unlocks it.

Invariants:

- What this derives and serialises agrees byte for byte with the reference implementation, five-bells-condition 3.3.1,
  on every type that it has (0, 1, 2, 4); types 98 and 99 (deadlines) are this ledger's own.
- It knows nothing of ledgers, clocks or databases.
- Whatever comes from outside is refused with a `ConditionError`, at a cost bounded by `limits`.
"""

from __future__ import annotations

from bigchaindb.cryptoconditions.composite import public_keys, signatures
from bigchaindb.cryptoconditions.condition import Condition
from bigchaindb.cryptoconditions.fulfillment import TYPES, Fulfillment, Node, from_details, walk
from bigchaindb.cryptoconditions.leaves import Ed25519Fulfillment, PreimageSha256Fulfillment, TimeoutFulfillment
from bigchaindb.cryptoconditions.prefix import PrefixSha256Fulfillment
from bigchaindb.cryptoconditions.signing import fulfil, sign_parts
from bigchaindb.cryptoconditions.threshold import (
    InvertedThresholdSha256Fulfillment,
    Subcondition,
    ThresholdSha256Fulfillment,
)

__all__ = [
    "TYPES",
    "Condition",
    "Ed25519Fulfillment",
    "Fulfillment",
    "InvertedThresholdSha256Fulfillment",
    "Node",
    "PrefixSha256Fulfillment",
    "PreimageSha256Fulfillment",
    "Subcondition",
    "ThresholdSha256Fulfillment",
    "TimeoutFulfillment",
    "from_details",
    "fulfil",
    "public_keys",
    "sign_parts",
    "signatures",
    "walk",
]
