"""The arguments of `bigchaindb.cryptoconditions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bigchaindb import crypto
from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import CannotFulfil, ConditionError
from tests.bad_input.odd import TEXTS, Argument
from tests.onenode import private, public

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["STRUCTURES"]

KEY: Final = public("alice")
SIGNING_KEY: Final = crypto.SigningKey(private("alice"))
DICTS: Final = {"an empty dict", "dicts far too deep", "a dict in itself"}
SHORT: Final = {"a text", "an empty text", "bytes"}
MESSAGES: Final = {*TEXTS, "bytes"}


def _argument(call: Callable[[Any], object], *culprits: str, fine: Iterable[str] = ()) -> Argument:
    return Argument(lambda _, x: call(x), ConditionError, culprits, set(fine))


def _leaf() -> cc.Ed25519Fulfillment:
    return cc.Ed25519Fulfillment(KEY)


def _threshold() -> cc.ThresholdSha256Fulfillment:
    return cc.ThresholdSha256Fulfillment(1)


def _uri_with(subs: Any) -> str:
    threshold = _threshold()
    threshold.subconditions = subs
    return threshold.condition_uri


def _fulfil(structure: Any = None, *arguments: Any, **named: Any) -> cc.Fulfillment:
    return cc.fulfil(structure, *(arguments or ("x", {KEY: SIGNING_KEY})), **named)


STRUCTURES: Final[dict[str, Argument]] = {
    "cc.Condition(type_id)": _argument(lambda x: cc.Condition(x, 32, bytes(32), 96), "type_id"),
    "cc.Condition(features)": _argument(lambda x: cc.Condition(4, x, bytes(32), 96), "features", fine={"an int"}),
    "cc.Condition(fingerprint)": _argument(lambda x: cc.Condition(4, 32, x, 96), "fingerprint"),
    "cc.Condition(max_fulfillment_length)": _argument(
        lambda x: cc.Condition(4, 32, bytes(32), x), "max_fulfillment_length", fine={"an int"}
    ),
    "cc.Condition.from_uri(text)": _argument(cc.Condition.from_uri, "condition URI"),
    "cc.Condition.from_binary(data)": _argument(cc.Condition.from_binary, "condition"),
    "cc.Condition.from_json(value)": _argument(cc.Condition.from_json, "condition"),
    "cc.Fulfillment.from_uri(text)": _argument(cc.Fulfillment.from_uri, "fulfillment URI", "URI of a fulfillment"),
    "cc.Fulfillment.from_binary(data)": _argument(cc.Fulfillment.from_binary, "fulfillment"),
    "cc.Fulfillment.from_json(value)": _argument(cc.Fulfillment.from_json, "fulfillment"),
    "cc.Fulfillment.validate(message)": _argument(lambda x: _leaf().validate(x), "message", fine=MESSAGES),
    "cc.Fulfillment.validate(now)": _argument(lambda x: _leaf().validate("x", x), "now", fine={"None"}),
    "cc.from_details(value)": _argument(cc.from_details, "details"),
    "cc.walk(root)": _argument(lambda x: list(cc.walk(x)), "fulfillment"),
    "cc.public_keys(structure)": _argument(cc.public_keys, "fulfillment"),
    "cc.signatures(structure)": _argument(cc.signatures, "fulfillment"),
    "cc.fulfil(fulfillment)": _argument(_fulfil, "fulfillment"),
    "cc.fulfil(message)": _argument(lambda x: _fulfil(_leaf(), x, {KEY: SIGNING_KEY}), "message", fine=MESSAGES),
    "cc.fulfil(signing_keys)": Argument(
        lambda _, x: _fulfil(_leaf(), "x", x),
        ConditionError,
        ("signing_keys",),
        otherwise=dict.fromkeys((*DICTS, "a dict with a number as a key"), (CannotFulfil, KEY)),
    ),
    "cc.fulfil(signing_keys[KEY])": Argument(
        lambda _, x: _fulfil(_leaf(), "x", {KEY: x}),
        ConditionError,
        ("signing_key",),
        otherwise={"None": (CannotFulfil, KEY)},
    ),
    "cc.fulfil(secrets)": _argument(
        lambda x: _fulfil(_leaf(), secrets=x), "secret", fine={*DICTS, "an empty list", "an empty tuple"}
    ),
    "cc.fulfil(secrets[0])": _argument(lambda x: _fulfil(_leaf(), secrets=[x]), "secret", fine=MESSAGES),
    "cc.fulfil(signatures)": _argument(
        lambda x: _fulfil(_leaf(), signatures=x), "signatures", fine={"an empty list", "an empty tuple"}
    ),
    "cc.fulfil(signatures[0])": _argument(lambda x: _fulfil(_leaf(), signatures=[x]), "signatures[0]"),
    "cc.sign_parts(fulfillment)": _argument(lambda x: cc.sign_parts(x, "x", {KEY: SIGNING_KEY}), "fulfillment"),
    "cc.sign_parts(message)": _argument(
        lambda x: cc.sign_parts(_leaf(), x, {KEY: SIGNING_KEY}), "message", fine=MESSAGES
    ),
    "cc.sign_parts(signing_keys)": _argument(
        lambda x: cc.sign_parts(_leaf(), "x", x), "signing_keys", fine={*DICTS, "a dict with a number as a key"}
    ),
    "cc.sign_parts(signing_keys[KEY])": _argument(lambda x: cc.sign_parts(_leaf(), "x", {KEY: x}), "signing_key"),
    "cc.fulfil(now)": _argument(lambda x: _fulfil(_leaf(), now=x), "now", fine={"None"}),
    "cc.Ed25519Fulfillment(public_key)": _argument(cc.Ed25519Fulfillment, "public_key"),
    "cc.Ed25519Fulfillment(signature)": _argument(lambda x: cc.Ed25519Fulfillment(KEY, x), "signature", fine={"None"}),
    "cc.Ed25519Fulfillment.sign(message)": _argument(lambda x: _leaf().sign(x, SIGNING_KEY), "message", fine=MESSAGES),
    "cc.Ed25519Fulfillment.sign(signing_key)": _argument(lambda x: _leaf().sign("x", x), "signing_key"),
    "cc.PreimageSha256Fulfillment(preimage)": _argument(cc.PreimageSha256Fulfillment, "preimage", fine=SHORT),
    "cc.PrefixSha256Fulfillment(prefix)": _argument(
        lambda x: cc.PrefixSha256Fulfillment(x, _leaf()), "prefix", fine=SHORT
    ),
    "cc.PrefixSha256Fulfillment(subfulfillment)": _argument(
        lambda x: cc.PrefixSha256Fulfillment("x", x), "subfulfillment"
    ),
    "cc.TimeoutFulfillment(expire_time)": _argument(cc.TimeoutFulfillment, "expire_time"),
    "cc.ThresholdSha256Fulfillment(threshold)": _argument(cc.ThresholdSha256Fulfillment, "threshold", fine={"an int"}),
    "cc.ThresholdSha256Fulfillment.add_subfulfillment(subfulfillment)": _argument(
        lambda x: _threshold().add_subfulfillment(x), "subfulfillment"
    ),
    "cc.ThresholdSha256Fulfillment.add_subfulfillment(weight)": _argument(
        lambda x: _threshold().add_subfulfillment(_leaf(), x), "weight", fine={"an int"}
    ),
    "cc.ThresholdSha256Fulfillment.add_subcondition(subcondition)": _argument(
        lambda x: _threshold().add_subcondition(x), "subcondition"
    ),
    "cc.ThresholdSha256Fulfillment.add_subcondition(weight)": _argument(
        lambda x: _threshold().add_subcondition(_leaf().condition, x), "weight", fine={"an int"}
    ),
    "cc.ThresholdSha256Fulfillment.subconditions": _argument(_uri_with, "subconditions", "threshold 1 of 0 subs"),
    "cc.ThresholdSha256Fulfillment.get_subcondition_from_vk(public_key)": _argument(
        lambda x: _threshold().get_subcondition_from_vk(x), "public_key"
    ),
    "cc.InvertedThresholdSha256Fulfillment(threshold)": _argument(
        cc.InvertedThresholdSha256Fulfillment, "threshold", fine={"an int"}
    ),
    "cc.InvertedThresholdSha256Fulfillment.add_subfulfillment(subfulfillment)": _argument(
        lambda x: cc.InvertedThresholdSha256Fulfillment(1).add_subfulfillment(x), "subfulfillment"
    ),
    "cc.Subcondition(body)": _argument(cc.Subcondition, "body"),
    "cc.Subcondition(weight)": _argument(lambda x: cc.Subcondition(_leaf(), x), "weight", fine={"an int"}),
}
