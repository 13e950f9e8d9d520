"""Structures as plain data, as in the vectors: described once, built by us and by the reference implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import base58

from bigchaindb import cryptoconditions as cc
from bigchaindb.crypto import SigningKey

if TYPE_CHECKING:
    import random

Structure = dict[str, Any]


def signing_key(seed: bytes) -> SigningKey:
    return SigningKey(base58.b58encode(seed).decode())


def build(structure: Structure, message: bytes) -> cc.Fulfillment:
    """Build and sign what a structure describes."""
    match structure["type"]:
        case "preimage":
            return cc.PreimageSha256Fulfillment(bytes.fromhex(structure["preimage"]))
        case "ed25519":
            key = signing_key(bytes.fromhex(structure["seed"]))
            signature = cc.Ed25519Fulfillment(public_key=str(key.verifying_key))
            signature.sign(message, key)
            return signature
        case "prefix":
            prefix = bytes.fromhex(structure["prefix"])
            return cc.PrefixSha256Fulfillment(prefix, build(structure["sub"], prefix + message))
    threshold = cc.ThresholdSha256Fulfillment(threshold=structure["threshold"])
    for sub in structure["subs"]:
        body = build(sub["node"], message)
        if sub["fulfilled"]:
            threshold.add_subfulfillment(body, weight=sub["weight"])
        else:
            threshold.add_subcondition(body.condition, weight=sub["weight"])
    return threshold


def is_met(structure: Structure) -> bool:
    """Tell whether the weights of all that is fulfilled in a structure reach its thresholds."""
    match structure["type"]:
        case "prefix":
            return is_met(structure["sub"])
        case "threshold":
            weights = [int(sub["weight"]) for sub in structure["subs"] if sub["fulfilled"]]
            return sum(weights) >= int(structure["threshold"])
    return True


def random_structure(rng: random.Random, depth: int) -> Structure:
    """Describe a random structure of types 0, 1, 2 and 4, at most so deep; most of them can be fulfilled."""
    kind = rng.choice(["preimage", "ed25519", "ed25519", "prefix", "threshold", "threshold", "threshold"])
    if depth == 1 and kind in ("prefix", "threshold"):
        kind = "ed25519"
    match kind:
        case "preimage":
            return {"type": "preimage", "preimage": rng.randbytes(rng.choice([0, 1, 5, 40, 130, 300])).hex()}
        case "ed25519":
            return {"type": "ed25519", "seed": rng.randbytes(32).hex()}
        case "prefix":
            prefix = rng.randbytes(rng.choice([0, 3, 127, 128, 260])).hex()
            return {"type": "prefix", "prefix": prefix, "sub": random_structure(rng, depth - 1)}
    subs: list[dict[str, Any]] = []
    for _ in range(rng.choice([1, 2, 2, 3, 3, 4, 5])):
        node = random_structure(rng, depth - 1)
        weight = rng.choice([1, 1, 1, 2, 3, 7, 128, 300])
        subs.append({"weight": weight, "fulfilled": is_met(node) and rng.random() < 0.8, "node": node})
    total = max(1, sum(int(sub["weight"]) for sub in subs if sub["fulfilled"] or rng.random() < 0.05))
    threshold = rng.choice([1, total, rng.randint(1, total)])
    return {"type": "threshold", "threshold": threshold, "subs": subs}
