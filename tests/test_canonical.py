"""Canonical JSON: one text per value, and every refusal with the place of its cause."""

from __future__ import annotations

import collections
import enum
import json
import re
import sys
import threading
from typing import Any

import pytest
import rapidjson
from hypothesis import assume, given
from hypothesis import strategies as st

from bigchaindb import canonical
from bigchaindb.exceptions import BigchainDBError, InvalidValue

DEEP = 100_000
INTEGERS = st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=25,
)


def nested_list(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def refusal(call: Any, *arguments: Any) -> InvalidValue:
    with pytest.raises(InvalidValue) as caught:
        call(*arguments)
    message = str(caught.value)
    assert message.isprintable()  # one line, whatever was in the value
    assert caught.value.field is not None
    assert message.startswith(f"{caught.value.field}: ")
    return caught.value


# --- laws --------------------------------------------------------------------------------------------------


@given(VALUES)
def test_the_text_is_what_rapidjson_gives(value: Any) -> None:
    assert canonical.dumps(value) == rapidjson.dumps(value, sort_keys=True, ensure_ascii=False)


@given(VALUES)
def test_decoding_gives_a_value_with_the_same_text(value: Any) -> None:
    text = canonical.dumps(value)
    assert canonical.dumps(canonical.loads(text)) == text
    assert canonical.dumps(canonical.loads(text.encode())) == text
    assert canonical.dumps(canonical.loads_canonical(text)) == text
    assert canonical.parse_trusted(text) == canonical.loads(text)


@given(VALUES)
def test_another_json_library_reads_the_same_value(value: Any) -> None:
    assert json.loads(canonical.dumps(value)) == value


@given(VALUES, st.integers(0, 3), st.booleans())
def test_any_spelling_of_a_value_is_read_as_that_value(value: Any, indent: int, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert canonical.dumps(canonical.loads(text)) == canonical.dumps(value)


@given(st.dictionaries(TEXTS, st.integers(0, 9), max_size=8), st.randoms())
def test_the_order_of_keys_does_not_matter(value: dict[str, int], random: Any) -> None:
    pairs = list(value.items())
    random.shuffle(pairs)
    assert canonical.dumps(dict(pairs)) == canonical.dumps(value)


@given(st.lists(TEXTS, unique=True))
def test_keys_are_sorted_by_code_point(keys: list[str]) -> None:
    text = canonical.dumps(dict.fromkeys(keys))
    assert list(json.loads(text)) == sorted(keys)  # Python compares str by code point


@given(st.text(max_size=30) | st.binary(max_size=30).map(lambda data: data.decode("latin-1")))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = canonical.loads(text)
    except InvalidValue as error:
        assert error.field is not None  # noqa: PT017 - either outcome is good
    else:
        assert json.loads(text) == value


@given(st.binary(max_size=30))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = canonical.loads(data)
    except InvalidValue:
        return
    assert json.loads(data.decode()) == value


@given(VALUES, st.text(alphabet='[]{}":,0123456789.eE+- \x00tfn\\', min_size=1, max_size=3), st.data())
def test_a_damaged_text_is_read_or_refused_as_another_library_does(value: Any, junk: str, data: st.DataObject) -> None:
    text = canonical.dumps(value)
    place = data.draw(st.integers(0, len(text)))
    damaged = text[:place] + junk + text[place:]
    try:
        result = canonical.loads(damaged)
    except InvalidValue:
        return
    assert json.loads(damaged) == result


# --- exact bytes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ([], "[]"),
        ({"b": 1, "a": [1, None, True, False]}, '{"a":[1,null,true,false],"b":1}'),
        ("Ö€😀", '"Ö€😀"'),
        ("a/b", '"a/b"'),
        ('"\\', r'"\"\\"'),
        ("\b\f\n\r\t", r'"\b\f\n\r\t"'),
        ("\x00\x1f\x7f\u2028", '"\\u0000\\u001F\x7f\u2028"'),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (1e16, "1e+16"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (canonical.MAX_INTEGER, "9007199254740991"),
        (-canonical.MAX_INTEGER, "-9007199254740991"),
        ({"z": 1, "\uffff": 2, "\U00010000": 3, "é": 4}, '{"z":1,"é":4,"\uffff":2,"\U00010000":3}'),
        ({"a\x00b": 1, "a\x00a": 2, "a": 3, "": 4}, '{"":4,"a":3,"a\\u0000a":2,"a\\u0000b":1}'),
    ],
)
def test_exact_text(value: Any, text: str) -> None:
    assert canonical.dumps(value) == text


def test_one_and_one_point_zero_are_different_values() -> None:
    assert canonical.dumps(canonical.loads("1.0")) == "1.0"
    assert canonical.dumps(canonical.loads("1")) == "1"


def test_long_runs_of_digits_that_are_no_integer_are_fine() -> None:
    assert canonical.dumps("9" * 1000) == f'"{"9" * 1000}"'
    assert canonical.dumps(0.12345678901234568) == "0.12345678901234568"


def test_many_brackets_are_no_depth() -> None:
    value: list[Any] = [[] for _ in range(1000)]
    assert canonical.loads(canonical.dumps(value)) == value
    assert canonical.dumps("[" * 1000) == f'"{"[" * 1000}"'


def test_sixty_four_levels_pass() -> None:
    deepest = nested_list(canonical.MAX_DEPTH)
    assert canonical.loads(canonical.dumps(deepest)) == deepest


BRACKETS = st.text(st.sampled_from('{}[]"\\: ,'))


@given(
    st.lists(st.booleans() | BRACKETS, min_size=60, max_size=70),
    st.lists(BRACKETS | st.lists(BRACKETS), max_size=40),
)
def test_the_depth_is_that_of_the_value_whatever_its_texts_look_like(levels: list[bool | str], wide: list[Any]) -> None:
    value: Any = wide
    for level in levels:
        value = [*wide, value] if isinstance(level, bool) else {level: value, "wide": wide}
    depth = len(levels) + 1 + any(isinstance(item, list) for item in wide)
    if depth <= canonical.MAX_DEPTH:
        assert canonical.loads(canonical.dumps(value)) == value
    else:
        assert "nested more than 64 levels deep" in str(refusal(canonical.dumps, value))


# --- what has no canonical text ----------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "field", "reason"),
    [
        ({"a": [1, {"b": float("nan")}]}, "value.a[1].b", "NaN"),
        ([float("inf")], "value[0]", "infinities"),
        (float("-inf"), "value", "infinities"),
        ({"n": canonical.MAX_INTEGER + 1}, "value.n", "use a string"),
        ([0, -canonical.MAX_INTEGER - 1], "value[1]", "use a string"),
        ([10**5000], "value[0]", "use a string"),
        ({"a": {"b": ["\ud800"]}}, "value.a.b[0]", "lone surrogate"),
        ({"a": {"\udfff": 1}}, "value.a", "lone surrogate"),
        ({"a": {1: 2}}, "value.a", "the key 1 is int, not str"),
        ({None: 1}, "value", "the key None is NoneType"),
        ({10**5000: 1}, "value", "a huge integer is int"),
        ({"x" * 1000: float("nan")}, f"value.{'x' * 40}...", "NaN"),
        ({"a\nb": float("nan")}, r"value.'a\nb'", "NaN"),
        ({"a": (1,)}, "value.a", "tuple has no JSON"),
        ([b"x"], "value[0]", "bytes has no JSON"),
        ([bytearray(b"x")], "value[0]", "bytearray has no JSON"),
        ([memoryview(b"x")], "value[0]", "memoryview has no JSON"),
        ([{1}], "value[0]", "set has no JSON"),
        ([iter([1])], "value[0]", "iterator has no JSON"),
        ([range(3)], "value[0]", "range has no JSON"),
        ([1j], "value[0]", "complex has no JSON"),
        ([Colour.RED], "value[0]", "Colour has no JSON"),
        ([collections.OrderedDict(a=1)], "value[0]", "OrderedDict has no JSON"),
        ([collections.UserString("x" * 10_000)], "value[0]", "UserString has no JSON"),
        (nested_list(canonical.MAX_DEPTH + 1), f"value{'[0]' * canonical.MAX_DEPTH}", "more than 64 levels"),
        (nested_list(DEEP), f"value{'[0]' * canonical.MAX_DEPTH}", "more than 64 levels"),
    ],
    ids=lambda item: item if isinstance(item, str) else type(item).__name__,
)
def test_a_value_without_canonical_text_is_refused_by_its_place(value: Any, field: str, reason: str) -> None:
    error = refusal(canonical.dumps, value)
    assert error.field == field
    assert reason in str(error)


def test_lists_and_dicts_that_contain_themselves_are_too_deep() -> None:
    circle: list[Any] = []
    circle.append(circle)
    wide: dict[str, Any] = {}
    wide["a"] = [wide] * 100
    assert "more than 64 levels" in str(refusal(canonical.dumps, circle))
    assert "more than 64 levels" in str(refusal(canonical.dumps, wide))


def test_the_first_culprit_in_order_is_named() -> None:
    assert refusal(canonical.dumps, [[1, b"x"], b"y"]).field == "value[0][1]"
    assert refusal(canonical.dumps, {"b": b"x", "a": b"y"}).field == "value.b"


def test_the_caller_chooses_the_name() -> None:
    assert refusal(canonical.dumps, {"a": b""}, "payload").field == "payload.a"
    assert refusal(canonical.loads, "[1e400", "payload").field == "payload"
    assert refusal(canonical.loads, '{"a":{"b":1,"b":2}}', "payload").field == "payload.a"


def test_a_good_value_at_the_end_of_the_stack_is_refused_not_mangled() -> None:
    # What fails here is the interpreter, not the value; it still must be no other kind of error.
    value = nested_list(40)

    def at_depth(levels: int) -> str:
        return canonical.dumps(value) if levels == 0 else at_depth(levels - 1)

    for spare in range(60):
        try:
            text = at_depth(sys.getrecursionlimit() - spare)
        except (RecursionError, InvalidValue):
            continue
        assert text == canonical.dumps(value)


# --- what is no text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ("", "value", "not JSON"),
        ("  ", "value", "not JSON"),
        ("[1,]", "value", "not JSON"),
        ("[1", "value", "not JSON"),
        ("1 2", "value", "not JSON"),
        ("01", "value", "not JSON"),
        ("'a'", "value", "not JSON"),
        ("// 1\n1", "value", "not JSON"),
        ("\ufeff1", "value", "not JSON"),
        ("1\x00", "value", "not JSON"),
        ("1\x002", "value", "not JSON"),
        (b"1\x00", "value", "not JSON"),
        ("[1]\x00]", "value", "not JSON"),
        ('"\n"', "value", "not JSON"),
        ("NaN", "value", "not JSON"),
        ("[Infinity]", "value", "not JSON"),
        ("-Infinity", "value", "not JSON"),
        ("1e400", "value", "not JSON"),
        ("[-1e400]", "value", "not JSON"),
        ("[" + "9" * 4000 + "]", "value[0]", "use a string"),
        ("[" + "9" * 5000 + "]", "value", "not JSON"),
        ('{"a":9007199254740992}', "value.a", "use a string"),
        ('"\\ud800"', "value", "surrogate"),
        ('"\\udc00"', "value", "surrogate"),
        ('"\\udc00\\ud800"', "value", "surrogate"),
        ('{"\\udfff":1}', "value", "surrogate"),
        ('"\ud800"', "value", "surrogate"),
        (b'"\xff"', "value", "not UTF-8 at byte 1"),
        (b'"\xed\xa0\x80"', "value", "not UTF-8"),
        (b'"\xc0\x80"', "value", "not UTF-8"),
        ('"a"'.encode("utf-16"), "value", "not UTF-8"),
        ('"a"'.encode("utf-16-le"), "value", "not JSON"),
        ('{"a":1,"a":2}', "value", "duplicate key 'a'"),
        ('{"a":1,"\\u0061":1}', "value", "duplicate key 'a'"),
        ('{"a":1,"a":1}', "value", "duplicate key 'a'"),
        ('{"":1,"":1}', "value", "duplicate key ''"),
        ('[0,{"k":[{"a":1,"b":2,"a":3}]}]', "value[1].k[0]", "duplicate key 'a'"),
        ('{"a":{"b":1,"b":1},"a":2}', "value", "duplicate key 'a'"),
        ('{"\\n":1,"\\n":1}', "value", r"duplicate key '\n'"),
        ("[" * DEEP + "]" * DEEP, "value", "more than 64 levels"),
        ("[" * DEEP, "value", "more than 64 levels"),
        ('{"a":' * DEEP + "1" + "}" * DEEP, "value", "more than 64 levels"),
        ('{"a":' + "[" * DEEP + "]" * DEEP + ',"a":1}', "value", "more than 64 levels"),
        ("[" * 65 + "]" * 65, f"value{'[0]' * 64}", "more than 64 levels"),
    ],
    ids=lambda item: ascii(item)[:30],
)
def test_a_bad_text_is_refused(text: str | bytes, field: str, reason: str) -> None:
    error = refusal(canonical.loads, text)
    assert error.field == field
    assert reason in str(error)
    assert refusal(canonical.loads_canonical, text) is not None


@pytest.mark.parametrize("text", [None, 1, 1.5, [], {}, bytearray(b"1"), memoryview(b"1"), object()], ids=type)
def test_what_is_neither_str_nor_bytes_is_refused(text: Any) -> None:
    assert "give str or bytes" in str(refusal(canonical.loads, text))
    assert "give str or bytes" in str(refusal(canonical.loads_canonical, text))


@pytest.mark.parametrize("text", [" 1", '{"b":1,"a":2}', '"\\u0061"', "1e2", "-0", "1.00", '"\\/"', '"\\u001f"'])
def test_a_text_that_is_not_canonical_can_be_read_but_not_as_a_signed_one(text: str) -> None:
    assert canonical.loads(text) == json.loads(text)
    assert "not canonical" in str(refusal(canonical.loads_canonical, text))


@given(VALUES)
def test_only_the_canonical_text_is_read_as_such(value: Any) -> None:
    spelled = json.dumps(value)
    assume(spelled != canonical.dumps(value))
    with pytest.raises(InvalidValue, match="not canonical"):
        canonical.loads_canonical(spelled)


def test_deep_nesting_is_refused_on_the_small_stack_of_a_thread() -> None:
    caught: list[InvalidValue] = []

    def read_and_write() -> None:
        caught.append(refusal(canonical.loads, "[" * DEEP))
        caught.append(refusal(canonical.dumps, nested_list(DEEP)))

    thread = threading.Thread(target=read_and_write)
    thread.start()
    thread.join(60)
    assert len(caught) == 2


def test_a_refusal_is_one_of_the_packages_errors_and_a_value_error() -> None:
    with pytest.raises(BigchainDBError):
        canonical.loads("")
    with pytest.raises(ValueError, match=re.escape("value: not JSON")):
        canonical.loads("")
