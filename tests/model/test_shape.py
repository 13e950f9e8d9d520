"""Checks on the shape of a document: each names the field at fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb.exceptions import BlockError
from bigchaindb.model.shape import Shape, is_hash
from tests.ledgers import key

if TYPE_CHECKING:
    from collections.abc import Callable

shape = Shape(BlockError)
KEY = str(key("a").verifying_key)
HASH = "0123456789abcdef" * 4


def test_a_check_returns_what_it_was_given() -> None:
    assert shape.fields({"a": 1}, "x", {"a"}) == {"a": 1}
    assert shape.fields({"a": 1, "b": 2}, "x", {"a"}, {"b"}) == {"a": 1, "b": 2}
    assert shape.items([1], "x") == [1]
    assert shape.items([], "x", least=0) == []
    assert shape.text("t", "x") == "t"
    assert shape.integer(0, "x") == 0
    assert shape.hash(HASH, "x") == HASH
    assert shape.timestamp("1.000000", "x") == "1.000000"
    assert shape.key(KEY, "x") == KEY
    assert shape.keys([KEY], "x") == (KEY,)
    assert shape.keys([], "x", least=0) == ()
    shape.equals(1, "x", 1)


BAD: dict[str, tuple[Callable[[], Any], str, str]] = {
    "no dict": (lambda: shape.fields([1], "x", {"a"}), "x", "must be a dict, not a list"),
    "no document": (lambda: shape.fields(None, "", {"a"}), "document", "must be a dict, not None"),
    "a missing field of the document": (lambda: shape.fields({}, "", {"a"}), "a", "is missing"),
    "an unknown field of the document": (lambda: shape.fields({"b": 1}, "", set()), "b", "is not a field"),
    "a missing field": (lambda: shape.fields({}, "x", {"a"}), "x.a", "is missing"),
    "an unknown field": (lambda: shape.fields({"a": 1, "b": 2}, "x", {"a"}), "x.b", "is not a field"),
    "an unknown field beside an optional one": (
        lambda: shape.fields({"a": 1, "b": 2, "c": 3}, "x", {"a"}, {"b"}),
        "x.c",
        "is not a field",
    ),
    "a key that is no str": (lambda: shape.fields({"a": 1, 7: 2}, "x", {"a"}), "x.7", "is not a field"),
    "a long key": (lambda: shape.fields({"k" * 999: 1}, "x", set()), "x." + "k" * 60, "is not a field"),
    "a key that cannot be printed": (
        lambda: shape.fields({"\ud800\n": 1}, "x", set()),
        "x.'\\ud800\\n'",
        "not a field",
    ),
    "no list": (lambda: shape.items("ab", "x"), "x", "must be a list, not 'ab'"),
    "an empty list": (lambda: shape.items([], "x"), "x", "at least 1 item"),
    "a short list": (lambda: shape.items([1], "x", least=2), "x", "at least 2 items"),
    "no str": (lambda: shape.text(b"a", "x"), "x", "must be a str, not b'a'"),
    "no int": (lambda: shape.integer("1", "x"), "x", "must be an int of at least 0, not '1'"),
    "a float": (lambda: shape.integer(1.0, "x"), "x", "not 1.0"),
    "a bool for an int": (lambda: shape.integer(value=True, field="x"), "x", "not True"),
    "too small an int": (lambda: shape.integer(0, "x", least=1), "x", "at least 1, not 0"),
    "too large an int": (lambda: shape.integer(2**53, "x"), "x", "not a huge integer"),
    "a huge int for a str": (lambda: shape.text(10**5000, "x"), "x", "a huge integer"),
    "a bool for one": (lambda: shape.equals(value=True, field="x", wanted=1), "x", "must be 1, not True"),
    "a float for one": (lambda: shape.equals(1.0, "x", 1), "x", "must be 1, not 1.0"),
    "another value": (lambda: shape.equals(2, "x", 1), "x", "must be 1, not 2"),
    "no hash": (lambda: shape.hash(HASH.upper(), "x"), "x", "must be a hash"),
    "no timestamp": (lambda: shape.timestamp(1.5, "x"), "x", "must be Unix seconds with six decimals in a str"),
    "no key": (lambda: shape.key("0OIl", "x"), "x", "public key '0OIl' is not base58"),
    "a number for a key": (lambda: shape.key(5, "x"), "x", "must be a str, not 5"),
    "no keys": (lambda: shape.keys([], "x"), "x", "at least 1 item"),
    "a bad key among keys": (lambda: shape.keys([KEY, "x"], "x"), "x[1]", "public key"),
    "a key twice": (lambda: shape.keys([KEY, KEY], "x"), "x", "names a key twice"),
    "a long value": (lambda: shape.integer("7" * 999, "x"), "x", "'" + "7" * 59 + "..."),
}


@pytest.mark.parametrize(("check", "field", "problem"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_named(check: Callable[[], Any], field: str, problem: str) -> None:
    with pytest.raises(BlockError) as caught:
        check()
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", ["", HASH[1:], HASH + "0", HASH.replace("a", "g"), HASH + "\n", 5, None, [HASH]])
def test_a_hash_has_64_lower_case_hexadecimal_characters(value: object) -> None:
    assert is_hash(HASH)
    assert not is_hash(value)
