"""Transactions with one fault each: `SHAPES` can be seen by looking at them, `SPENDS` only beside the ledger.

A fault is told with the error's class and the field that it must name.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bigchaindb import cryptoconditions as cc
from bigchaindb.crypto import SigningKey
from bigchaindb.exceptions import (
    BigchainDBError,
    DoubleSpend,
    InvalidHash,
    InvalidSignature,
    OperationError,
    TransactionDoesNotExist,
    TransactionMalformed,
    TransactionTooLarge,
)
from tests.bad_input.odd import DEEP, HUGE, SURROGATE, in_itself, nested
from tests.bad_input.world import DEADLINE
from tests.ledgers import resign
from tests.model.documents import ABSENT, put
from tests.onenode import Document, private, public

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bad_input.world import World

__all__ = ["SHAPES", "SPENDS", "Fault"]

HASH: Final = "0" * 64
KEY: Final = public("alice")
BODY: Final = "transaction"
PAYLOAD: Final = "transaction.data.payload"
CLAIM: Final = "transaction.fulfillments[0]"
OUTPUT: Final = "transaction.conditions[0]"


@dataclass(frozen=True)
class Fault:
    """What is wrong with a transaction.

    Attributes:
        make: makes it.
        error: what the transaction is refused with.
        culprit: the field that is named.
        well_signed: whether its fulfillments are valid all the same.
    """

    make: Callable[[World], Any]
    error: type[BigchainDBError]
    culprit: str
    well_signed: bool = False


def _fault(
    path: str,
    value: Any,
    error: type[BigchainDBError] = TransactionMalformed,
    culprit: str = "",
    base: str = "transfer",
) -> Fault:
    def make(world: World) -> Document:
        document: Document = copy.deepcopy(getattr(world, base))
        put(path, value() if callable(value) else value)(document)
        return document

    return Fault(make, error, culprit or path)


def _of_create(path: str, value: Any, error: type[BigchainDBError] = TransactionMalformed, culprit: str = "") -> Fault:
    return _fault(path, value, error, culprit, "create")


def _conditions(change: Callable[[list[Any]], list[Any]]) -> Fault:
    def make(world: World) -> Document:
        document: Document = copy.deepcopy(world.transfer)
        document["transaction"]["conditions"] = change(document["transaction"]["conditions"])
        return document

    return Fault(make, TransactionMalformed, "transaction.conditions")


def _same_input_twice(world: World) -> Document:
    document: Document = copy.deepcopy(world.transfer)
    first, second = document["transaction"]["fulfillments"]
    second["input"] = first["input"]
    return document


_FIELDS = [
    *("id", "version", BODY),
    *(f"{BODY}.{name}" for name in ("fulfillments", "conditions", "operation", "timestamp", "data")),
    *(f"{BODY}.data.{name}" for name in ("hash", "payload")),
    *(f"{CLAIM}.{name}" for name in ("fid", "current_owners", "input", "fulfillment", "input.txid", "input.cid")),
    *(f"{OUTPUT}.{name}" for name in ("cid", "condition", "new_owners", "condition.uri")),
]
_PLACES = ["", BODY, f"{BODY}.data", CLAIM, f"{CLAIM}.input", OUTPUT, f"{OUTPUT}.condition"]
_DETAILS = f"{OUTPUT}.condition.details"
_DETAIL_FIELDS = ["type", "type_id", "bitmask", "public_key", "signature"]
_NO_JSON: dict[str, Any] = {
    "NaN": float("nan"),
    "infinity": float("inf"),
    "a huge integer": 2**53,
    "a very huge integer": HUGE,
    "a lone surrogate": SURROGATE,
    "bytes": b"x",
    "a tuple": (1, 2),
    "a set": {1},
    "a generator": lambda: (i for i in [1]),
    "an object": object,
    "lists 100,000 deep": lambda: nested(100_000, list),
    "dicts far too deep": lambda: nested(DEEP, dict),
    "a list in itself": lambda: in_itself(list),
    "a dict in itself": lambda: in_itself(dict),
    "lists 62 deep": lambda: nested(62, list),  # beneath three levels of the document
}

SHAPES: Final[dict[str, Fault]] = {
    **{f"without {path}": _fault(path, ABSENT) for path in _FIELDS},
    **{f"without {_DETAILS}.{name}": _fault(f"{_DETAILS}.{name}", ABSENT, culprit=_DETAILS) for name in _DETAIL_FIELDS},
    **{f"with one field more in {path or 'all'}": _fault(f"{path}.assignee".lstrip("."), None) for path in _PLACES},
    **{f"{name} in the payload": _fault(f"{PAYLOAD}.to", value) for name, value in _NO_JSON.items()},
    **{
        f"the timestamp {text!r}": _fault(f"{BODY}.timestamp", text)
        for text in (None, 1.5, 5, "", "1", "1.5", "01.000000", "-1.000000", "1.0e9", "\uff11.000000", "1.000000\n")
    },
    "a lone surrogate in a key": _fault(f"{PAYLOAD}.to", {SURROGATE: 1}),
    "a key that is a number": _fault(f"{PAYLOAD}.to", {1: 1}),
    "an id that is a number": _fault("id", 5),
    "an id of capitals": _fault("id", HASH.replace("0", "A")),
    "another id": _fault("id", HASH, InvalidHash),
    "version 2": _fault("version", 2),
    "version true": _fault("version", value=True),
    "version '1'": _fault("version", "1"),
    "a body that is a list": _fault(BODY, []),
    "an unknown operation": _fault(f"{BODY}.operation", "DESTROY"),
    "a lower-case operation": _fault(f"{BODY}.operation", "transfer"),
    "an operation that is a number": _fault(f"{BODY}.operation", 5),
    "data that is a text": _fault(f"{BODY}.data", "x"),
    "a payload that is a list": _fault(PAYLOAD, []),
    "another payload": _fault(f"{PAYLOAD}.to", "carol", InvalidHash, f"{BODY}.data.hash"),
    "another payload hash": _fault(f"{BODY}.data.hash", HASH, InvalidHash),
    "a payload hash that is none": _fault(f"{BODY}.data.hash", "x"),
    "a payload of 300 KiB": _fault(f"{PAYLOAD}.to", "x" * 300 * 1024, TransactionTooLarge, BODY),
    "no fulfillments": _fault(f"{BODY}.fulfillments", []),
    "fulfillments that are a dict": _fault(f"{BODY}.fulfillments", {}),
    "a fulfillment that is null": _fault(CLAIM, None),
    "fid 1 in place 0": _fault(f"{CLAIM}.fid", 1),
    "fid false": _fault(f"{CLAIM}.fid", value=False),
    "an owner twice": _fault(f"{CLAIM}.current_owners", [KEY, KEY]),
    "an owner that is no key": _fault(f"{CLAIM}.current_owners", ["alice"]),
    "an owner that is a number": _fault(f"{CLAIM}.current_owners", [5]),
    "owners that are a text": _fault(f"{CLAIM}.current_owners", KEY),
    "a CREATE without owners": _of_create(f"{CLAIM}.current_owners", []),
    "a CREATE with an input": _of_create(f"{CLAIM}.input", {"txid": HASH, "cid": 0}),
    "a CREATE of two": _fault(f"{BODY}.operation", "CREATE", culprit=CLAIM),
    "a TRANSFER of nothing": _of_create(f"{BODY}.operation", "TRANSFER", culprit=f"{CLAIM}.input"),
    "an input that is an id": _fault(f"{CLAIM}.input", HASH),
    "an input of no id": _fault(f"{CLAIM}.input.txid", "x"),
    "a negative cid": _fault(f"{CLAIM}.input.cid", -1),
    "a cid that is true": _fault(f"{CLAIM}.input.cid", value=True),
    "a cid that is 1.0": _fault(f"{CLAIM}.input.cid", 1.0),
    "a huge cid": _fault(f"{CLAIM}.input.cid", 2**53),
    "the same input twice": Fault(_same_input_twice, TransactionMalformed, "transaction.fulfillments[1].input"),
    "a fulfillment that is a number": _fault(f"{CLAIM}.fulfillment", 5),
    "no conditions": _fault(f"{BODY}.conditions", []),
    "conditions that are a dict": _fault(f"{BODY}.conditions", {}),
    "fewer conditions than fulfillments": _conditions(lambda conditions: conditions[:1]),
    "more conditions than fulfillments": _conditions(lambda conditions: [*conditions, {**conditions[0], "cid": 2}]),
    "a condition that is null": _fault(f"{OUTPUT}.condition", None),
    "cid 1 in place 0": _fault(f"{OUTPUT}.cid", 1),
    "cid false": _fault(f"{OUTPUT}.cid", value=False),
    "new owners that are null": _fault(f"{OUTPUT}.new_owners", None),
    "a new owner twice": _fault(f"{OUTPUT}.new_owners", [KEY, KEY]),
    "a new owner that is no key": _fault(f"{OUTPUT}.new_owners", ["alice"]),
    "a URI that the details do not derive": _fault(
        f"{OUTPUT}.condition.uri", cc.Ed25519Fulfillment(KEY).condition_uri, InvalidHash
    ),
    "a malformed URI beside details": _fault(f"{OUTPUT}.condition.uri", "cc:", InvalidHash),
    "a malformed URI alone": _fault(f"{OUTPUT}.condition", {"uri": "cc:"}, culprit=f"{OUTPUT}.condition.uri"),
    "a URI that is a number": _fault(f"{OUTPUT}.condition.uri", 5),
    "details that are null": _fault(_DETAILS, None),
    "details with one field more": _fault(f"{_DETAILS}.assignee", None, culprit=_DETAILS),
    "details with a wrong bitmask": _fault(f"{_DETAILS}.bitmask", 3, culprit=_DETAILS),
    "details of an unknown type": _fault(f"{_DETAILS}.type_id", 3, culprit=_DETAILS),
    "details with a key that is none": _fault(f"{_DETAILS}.public_key", "alice", culprit=_DETAILS),
}


def _claimed(uri: Callable[[World, str], str | None]) -> Callable[[World], Document]:
    """A TRANSFER whose first fulfillment is made by somebody, of the message that it should sign."""

    def make(world: World) -> Document:
        document: Document = copy.deepcopy(world.transfer)
        claim = document["transaction"]["fulfillments"][0]
        claim["fulfillment"] = uri(world, world.b.fulfillment_message(document, 0))
        return document

    return make


def _signature(owner: str, message: str) -> str:
    fulfillment = cc.Ed25519Fulfillment(public(owner))
    fulfillment.sign(message, SigningKey(private(owner)))
    return fulfillment.serialize_uri()


def _respending(txid: str, cid: int = 0) -> Callable[[World], Document]:
    """A TRANSFER of another output, signed or not: that cannot be told without the output."""

    def make(world: World) -> Document:
        document: Document = copy.deepcopy(world.transfer)
        put(f"{CLAIM}.input", {"txid": txid or world.mine["id"], "cid": cid})(document)
        return resign(document)

    return make


def _changed_later(world: World) -> Document:
    document: Document = copy.deepcopy(world.transfer)
    put(f"{BODY}.timestamp", DEADLINE)(document)
    return resign(document)


def _by_a_stranger(world: World) -> Document:
    return world.node.sign(world.b.create_transaction(public("stranger"), KEY, None, "CREATE"), "stranger")


def _genesis(world: World) -> Document:
    unsigned = world.b.create_transaction(world.b.me, KEY, None, "CREATE")
    put(f"{BODY}.operation", "GENESIS")(unsigned)
    return world.node.sign(resign(unsigned), "node")


def _swapped(world: World) -> Document:
    document: Document = copy.deepcopy(world.transfer)
    first, second = document["transaction"]["fulfillments"]
    first["fulfillment"], second["fulfillment"] = second["fulfillment"], first["fulfillment"]
    return document


_ANSWER = f"{CLAIM}.fulfillment"
_INPUT = f"{CLAIM}.input"

SPENDS: Final[dict[str, Fault]] = {
    "not signed": Fault(_claimed(lambda *_: None), InvalidSignature, _ANSWER),
    "a foreign signature": Fault(_claimed(lambda _, message: _signature("bob", message)), InvalidSignature, _ANSWER),
    "a signature of another message": Fault(_claimed(lambda *_: _signature("alice", "x")), InvalidSignature, _ANSWER),
    "signatures swapped": Fault(_swapped, InvalidSignature, _ANSWER),
    "changed after it was signed": Fault(_changed_later, InvalidSignature, _ANSWER),
    **{
        f"the fulfillment {uri!r}": Fault(_claimed(lambda *_, uri=uri: uri), InvalidSignature, _ANSWER)
        for uri in ("", "cf:", "cf:4:", "cf:4:AAAA", "cf:5:", "cc:4:20:", "x" * 100_000, "\n", "cf:4:\u0661")
    },
    "an unknown input": Fault(_respending(HASH), TransactionDoesNotExist, _INPUT),
    "a cid that is out of range": Fault(_respending("", 1), TransactionDoesNotExist, _INPUT),
    "the largest cid": Fault(_respending("", 2**53 - 1), TransactionDoesNotExist, _INPUT),
    "a spent input": Fault(lambda world: world.spent_again, DoubleSpend, _INPUT, well_signed=True),
    "an input that a waiting one spends": Fault(
        lambda world: world.waiting_again, DoubleSpend, _INPUT, well_signed=True
    ),
    "a deadline that has passed": Fault(lambda world: world.too_late, InvalidSignature, _ANSWER),
    "a CREATE by a stranger": Fault(_by_a_stranger, OperationError, f"{CLAIM}.current_owners", well_signed=True),
    "a GENESIS": Fault(_genesis, OperationError, f"{BODY}.operation", well_signed=True),
}
