"""All cases of bad input in one table."""

from __future__ import annotations

import copy
import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import (
    BigchainDBError,
    CannotFulfil,
    ConditionError,
    InvalidKey,
    InvalidReceipt,
    InvalidValue,
    MissingKey,
    OperationError,
    TransactionDoesNotExist,
    TransactionMalformed,
    TransactionTimeout,
    TransactionTooLarge,
)
from tests.bad_input.arguments import ARGUMENTS
from tests.bad_input.documents import SHAPES, SPENDS, Fault
from tests.bad_input.odd import HUGE, ODD, SURROGATE, Argument, in_itself, nested
from tests.bad_input.structures import STRUCTURES
from tests.onenode import private, public

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bad_input.world import World

__all__ = ["ALL_ARGUMENTS", "CASES", "Case"]

HASH: Final = "0" * 64
KEY: Final = public("alice")
LEAF: Final = cc.Ed25519Fulfillment(KEY)
ALL_ARGUMENTS: Final = ARGUMENTS | STRUCTURES


@dataclass(frozen=True)
class Case:
    """One bad value for one argument.

    Attributes:
        call: calls the function with the value.
        make: makes the value.
        error: what it is refused with; None where the answer is "no".
        culprits: what is named: one of these.
    """

    call: Callable[[World, Any], object]
    make: Callable[[World], Any]
    error: type[BigchainDBError] | None
    culprits: tuple[str, ...]


# --- what only looks right: (argument, what is bad about it, value or what makes it, error, what is named) -----------

_CREATE: Final = "Bigchain.create_transaction"
_SIGN: Final = "Bigchain.sign_transaction"
_MALFORMED_INPUTS: Final[dict[str, tuple[Any, str]]] = {
    "no id": ("x", ""),
    "an id of capitals": ("A" * 64, ""),
    "no cid": ({"txid": HASH}, ".cid"),
    "no txid": ({"cid": 0}, ".txid"),
    "one field more": ({"txid": HASH, "cid": 0, "fid": 0}, ".fid"),
    "a bad txid": ({"txid": "x", "cid": 0}, ".txid"),
    "a negative cid": ({"txid": HASH, "cid": -1}, ".cid"),
    "a cid that is true": ({"txid": HASH, "cid": True}, ".cid"),
    "a cid that is 0.0": ({"txid": HASH, "cid": 0.0}, ".cid"),
    "a cid that is a text": ({"txid": HASH, "cid": "0"}, ".cid"),
    "a huge cid": ({"txid": HASH, "cid": 2**53}, ".cid"),
    "a very huge cid": ({"txid": HASH, "cid": HUGE}, ".cid"),
}
_BAD_PAYLOADS: Final[dict[str, Any]] = {
    "NaN": math.nan,
    "infinity": -math.inf,
    "a huge integer": 2**53,
    "a lone surrogate": SURROGATE,
    "a lone surrogate in a key": {SURROGATE: 1},
    "a number as a key": {1: 1},
    "a tuple as a key": {(HUGE,): 1},
    "a tuple": (1,),
    "a set": {1},
    "bytes": b"x",
    "a generator": lambda _: (i for i in [1]),
    "an object": lambda _: object(),
    "what is too deep": lambda _: nested(65, list),
    "what is far too deep": lambda _: nested(100_000, dict),
    "a list in itself": lambda _: in_itself(list),
}

BAD: Final[list[tuple[str, str, Any, type[BigchainDBError], str]]] = [
    *(
        (f"{_CREATE}({name})", problem, value, TransactionMalformed, name)
        for name in ("current_owners", "new_owners")
        for problem, value in {
            "no key": "alice",
            "a key among which is none": [KEY, "alice"],
            "a number among keys": [KEY, 5],
            "a key twice": [KEY, KEY],
            "a tuple of keys": (KEY,),
            "keys in a key's place": [[KEY]],
        }.items()
    ),
    (
        f"{_CREATE}(new_owners)",
        "more than any condition has",
        lambda _: _many_keys(),
        TransactionMalformed,
        "new_owners",
    ),
    *(
        (f"{_CREATE}(inputs)", problem, value, TransactionMalformed, f"inputs{where}")
        for problem, (value, where) in _MALFORMED_INPUTS.items()
    ),
    *(
        (f"{_CREATE}(inputs)", f"{problem}, second", [HASH, value], TransactionMalformed, f"inputs[1]{where}")
        for problem, (value, where) in _MALFORMED_INPUTS.items()
    ),
    (f"{_CREATE}(inputs)", "the same twice", [HASH, {"txid": HASH, "cid": 0}], TransactionMalformed, "inputs"),
    (f"{_CREATE}(inputs of a CREATE)", "any", HASH, OperationError, "inputs"),
    *(
        (f"{_CREATE}(operation)", repr(operation), operation, OperationError, "operation")
        for operation in ("create", "CREATE ", "DESTROY", "GENESIS", "__members__")
    ),
    (f"{_CREATE}(operation)", "TRANSFER of nothing", "TRANSFER", OperationError, "inputs"),
    *(
        (f"{_CREATE}(payload[a])", problem, value, TransactionMalformed, "payload.a")
        for problem, value in _BAD_PAYLOADS.items()
    ),
    (f"{_CREATE}(payload[a])", "300 KiB", lambda _: "x" * 300 * 1024, TransactionTooLarge, "transaction"),
    (
        f"{_CREATE}(payload[a])",
        "300 KiB in 100,000 characters",
        lambda _: "€" * 100 * 1024,
        TransactionTooLarge,
        "transaction",
    ),
    (f"{_SIGN}(private_keys)", "another's", [private("bob")], MissingKey, KEY),
    (f"{_SIGN}(private_keys)", "one that is none", [private("alice"), "alice"], InvalidKey, "private_keys[1]"),
    (f"{_SIGN}(private_keys of a joint owner)", "one of two", [private("alice")], MissingKey, public("bob")),
    (f"{_SIGN}(secrets)", "one alone", "secret", InvalidValue, "secrets"),
    (f"{_SIGN}(secrets)", "a number", ["secret", 5], InvalidValue, "secrets[1]"),
    (f"{_SIGN}(secrets)", "a lone surrogate", [SURROGATE], InvalidValue, "secrets[0]"),
    (f"{_SIGN}(secrets of a hash lock)", "none", [], MissingKey, "transaction.fulfillments[0]"),
    (f"{_SIGN}(secrets of a hash lock)", "another", ["another"], MissingKey, "transaction.fulfillments[0]"),
    *(
        (f"{_SIGN}(tx)", name, SPENDS[name].make, SPENDS[name].error, SPENDS[name].culprit)
        for name in ("an unknown input", "a cid that is out of range", "the largest cid")
    ),
    *(
        ("Bigchain.wait_for_transaction(timeout)", repr(timeout), timeout, InvalidValue, "timeout")
        for timeout in (-1, -0.001, 1e10, "1", [1])
    ),
    ("Bigchain.wait_for_transaction(txid)", "unknown", HASH, TransactionTimeout, HASH),
    ("Bigchain.wait_for_transaction(txid)", "waiting", lambda w: w.waiting["id"], TransactionTimeout, "backlog"),
    *(
        ("Bigchain.get_spent(input)", problem, value, TransactionMalformed, f"input{where}")
        for problem, (value, where) in _MALFORMED_INPUTS.items()
    ),
    ("Bigchain.get_spent(input)", "two", [HASH, "1" * 64], TransactionMalformed, "input"),
    ("Bigchain.get_history(txid)", "unknown", HASH, TransactionDoesNotExist, "txid"),
    ("Bigchain.get_history(txid)", "waiting", lambda w: w.waiting["id"], TransactionDoesNotExist, "txid"),
    ("Bigchain.get_receipt(txid)", "unknown", HASH, TransactionDoesNotExist, "txid"),
    ("Bigchain.get_receipt(txid)", "waiting", lambda w: w.waiting["id"], TransactionDoesNotExist, "txid"),
    ("Bigchain.get_receipt(txid)", "genesis", lambda w: w.node.genesis.transaction.id, OperationError, "txid"),
    *(
        ("Bigchain.fulfillment_message(fid)", repr(fid), fid, TransactionMalformed, "fulfillment.fid")
        for fid in (2, -1, True, 2**53)
    ),
    *(
        ("util.get_fulfillment_message(fulfillment)", problem, value, TransactionMalformed, "fulfillment.fid")
        for problem, value in {
            "no fid": {},
            "fid 2": {"fid": 2},
            "fid true": {"fid": True},
            "a text": {"fid": "0"},
        }.items()
    ),
    *(
        ("util.get_hash_data(tx)", problem, {"transaction": value}, TransactionMalformed, f"transaction{where}")
        for problem, (value, where) in {
            "an empty body": ({}, ".fulfillments"),
            "a body that is a list": ([], ""),
            "fulfillments of None": ({"fulfillments": [None]}, ".fulfillments"),
            "a key that is a number": ({"fulfillments": [{5: 1}]}, ".fulfillments[0]"),
            "a set": ({"fulfillments": [], "data": {1}}, ".data"),
        }.items()
    ),
    *(),
    ("verify_receipt(federation)", "a key twice", [KEY, KEY], InvalidValue, "federation"),
    ("verify_receipt(federation)", "another", [KEY], InvalidReceipt, "block.voters"),
    ("verify_receipt(quorum)", "capitals", "MAJORITY", InvalidValue, "quorum"),
    *(
        (f"crypto.{name}", problem, value, InvalidKey, "key")
        for name in ("SigningKey(private_key)", "VerifyingKey(public_key)")
        for problem, value in {"a bit short": "1" * 31, "a bit long": KEY + "1", "a space behind": KEY + " "}.items()
    ),
    ("cc.Fulfillment.from_uri(text)", "a condition", LEAF.condition_uri, ConditionError, "URI"),
    (
        "cc.Condition.from_uri(text)",
        "the largest number",
        "cc:4:20:" + "A" * 43 + ":99999",
        ConditionError,
        "max_fulfillment_length",
    ),
    ("cc.Condition.from_json(value)", "a fulfillment", LEAF.to_json(), ConditionError, "condition"),
    ("cc.from_details(value)", "one key more", LEAF.to_json() | {"weight": 1}, ConditionError, "details.weight"),
    ("cc.from_details(value)", "another bitmask", LEAF.to_json() | {"bitmask": 3}, ConditionError, "details.bitmask"),
    ("cc.fulfil(signing_keys)", "another's", {public("bob"): None}, CannotFulfil, KEY),
    ("cc.TimeoutFulfillment(expire_time)", "nine digits", "146098166.449279", ConditionError, "expire_time"),
    ("cc.TimeoutFulfillment(expire_time)", "a sign", "-1460981667", ConditionError, "expire_time"),
    ("cc.Fulfillment.validate(now)", "a float", "1e9", ConditionError, "now"),
]


def _many_keys() -> list[str]:
    return [public(f"owner {i}") for i in range(600)]


# --- the table ---------------------------------------------------------------------------------------------

# The same functions with other good arguments, for values that are bad only beside these.
_BESIDE: Final[dict[str, Callable[[World, Any], object]]] = {
    f"{_CREATE}(inputs of a CREATE)": lambda w, x: w.b.create_transaction(w.b.me, KEY, x, "CREATE"),
    f"{_CREATE}(payload[a])": lambda w, x: w.b.create_transaction(w.b.me, KEY, None, "CREATE", payload={"a": x}),
    f"{_SIGN}(private_keys of a joint owner)": lambda w, x: w.b.sign_transaction(_spend(w, w.joint), x),
    f"{_SIGN}(secrets of a hash lock)": lambda w, x: w.b.sign_transaction(_spend(w, w.locked), private("alice"), x),
}
_MESSAGES: Final = ("Bigchain.fulfillment_message(tx)", "util.get_fulfillment_message(tx)")
_TAKE_DOCUMENTS: Final = (
    "Bigchain.validate_transaction(tx)",
    "Bigchain.write_transaction(tx)",
    "Bigchain.write_transactions(transactions[1])",
)
_ANSWER_NO: Final = ("Bigchain.verify_signature(tx)", "Bigchain.validate_fulfillments(tx)")


def _spend(world: World, owned: Any) -> Any:
    return world.b.create_transaction(KEY, KEY, owned["id"], "TRANSFER")


def _odd_cases() -> Iterator[tuple[str, Case]]:
    for name, argument in ALL_ARGUMENTS.items():
        for problem, make in ODD.items():
            if problem not in argument.fine:
                error, culprits = argument.error, argument.culprits
                if problem in argument.otherwise:
                    error, culprit = argument.otherwise[problem]
                    culprits = (culprit,)
                yield f"{name}: {problem}", Case(argument.call, _made_by(make), error, culprits)


def _bad_cases() -> Iterator[tuple[str, Case]]:
    for name, problem, value, error, culprit in BAD:
        call = _BESIDE[name] if name in _BESIDE else ALL_ARGUMENTS[name].call
        make = value if callable(value) else _made_by(functools.partial(copy.deepcopy, value))
        yield f"{name}: {problem}", Case(call, make, error, (culprit,))


def _made_by(make: Callable[[], Any]) -> Callable[[World], Any]:
    return lambda _: make()


def _document_cases() -> Iterator[tuple[str, Case]]:
    for faults, takers in ((SHAPES, (f"{_SIGN}(tx)", *_MESSAGES, *_TAKE_DOCUMENTS)), (SPENDS, _TAKE_DOCUMENTS)):
        for problem, fault in faults.items():
            for name in takers:
                place = "transactions[1]." if "transactions[1]" in name else ""
                yield f"{name}: {problem}", _case(ALL_ARGUMENTS[name], fault, fault.error, f"{place}{fault.culprit}")
            noes = ("Bigchain.is_valid_transaction(tx)", *(() if fault.well_signed else _ANSWER_NO))
            for name in noes:
                yield f"{name}: {problem}", _case(ALL_ARGUMENTS[name], fault, None, "")


def _case(argument: Argument, fault: Fault, error: type[BigchainDBError] | None, culprit: str) -> Case:
    return Case(argument.call, fault.make, error, (culprit,))


CASES: Final[dict[str, Case]] = {**dict(_odd_cases()), **dict(_bad_cases()), **dict(_document_cases())}
