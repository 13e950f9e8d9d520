"""Bad input to any public function gets an error of ours that names the culprit, and changes nothing."""

from __future__ import annotations

import contextlib
import inspect
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bigchaindb import Bigchain, crypto, util, verify_receipt
from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import BigchainDBError
from tests.bad_input.cases import ALL_ARGUMENTS, CASES, Case
from tests.bad_input.documents import SPENDS
from tests.bad_input.odd import ODD
from tests.bad_input.world import World
from tests.onenode import OneNode, public

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_MESSAGE_CHARACTERS = 500


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with OneNode(tmp_path_factory.mktemp("node")) as node:
        yield World(node)


def contents(value: Any) -> list[Any]:
    """What a value holds, however deep or odd, to be compared with what it holds later."""
    visited: set[int] = set()
    found: list[Any] = []
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict | list | tuple | set):
            found.append((type(item), len(item)))
            if id(item) not in visited:
                visited.add(id(item))
                stack.extend(itertools.chain.from_iterable(item.items()) if isinstance(item, dict) else item)
        else:
            found.append(item)
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_bad_input_is_refused_by_name_and_changes_nothing(world: World, case: Case) -> None:
    value = case.make(world)
    before = contents(value)
    if case.error is None:
        assert case.call(world, value) is False
    else:
        with pytest.raises(BigchainDBError) as caught:
            case.call(world, value)
        assert type(caught.value) is case.error
        named = f"{caught.value.field or ''} | {caught.value}"
        assert any(culprit in named for culprit in case.culprits)
        assert len(str(caught.value)) < LONGEST_MESSAGE_CHARACTERS
        assert "\n" not in str(caught.value)
    assert contents(value) == before
    assert world.node.tables() == world.tables


# --- the table itself --------------------------------------------------------------------------------------


def test_what_the_faults_were_put_into_is_good(world: World) -> None:
    assert world.b.validate_transaction(world.create)
    assert world.b.validate_transaction(world.transfer)
    assert verify_receipt(world.receipt, [world.b.me], "majority") == world.mine["id"]
    for fault in SPENDS.values():
        assert world.b.verify_signature(fault.make(world)) is fault.well_signed


# Where None stands for the ledger of whoever runs these tests.
DEFAULT_LEDGER = {"Bigchain(config)", "util.get_fulfillment_message(bigchain)"}


@pytest.mark.parametrize("name", sorted(ALL_ARGUMENTS.keys() - DEFAULT_LEDGER))
def test_what_is_not_in_the_table_as_bad_is_taken(world: World, name: str) -> None:
    for each in ALL_ARGUMENTS[name].fine:
        ALL_ARGUMENTS[name].call(world, ODD[each]())


# What the types of conditions ask of each other, after everything from outside was checked.
INNER = {
    *("check", "check_body", "check_shape", "children", "derive", "encode", "encode_payload", "holds"),
    *("is_fulfilled", "json_fields", "read_fields", "read_payload"),
}
# What only the package itself gives.
GIVEN_BY_US = {
    *("crypto.decode_base58(byte_count)", "crypto.decode_base58(max_characters)", "cc.Subcondition(stated)"),
    *("cc.Condition.from_binary(where)", "cc.Condition.from_json(where)"),
}
PUBLIC = {
    "Bigchain": Bigchain,
    "verify_receipt": verify_receipt,
    **{f"util.{name}": getattr(util, name) for name in util.__all__},
    **{f"crypto.{name}": getattr(crypto, name) for name in crypto.__all__},
    **{f"cc.{name}": getattr(cc, name) for name in cc.__all__ if name not in {"TYPES", "Node"}},
}


def with_methods(name: str, thing: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """A function or class, and the public methods of the latter, under their full names."""
    yield name, thing
    if inspect.isclass(thing):
        for method, function in inspect.getmembers(thing, callable):
            if not method.startswith("_") and method not in INNER:
                yield f"{name}.{method}", function


def test_the_table_has_every_argument_of_every_public_function() -> None:
    names: dict[tuple[Any, str], set[str]] = {}
    for public_name, thing in PUBLIC.items():
        for name, function in with_methods(public_name, thing):
            for parameter in inspect.signature(function).parameters.keys() - {"self"}:
                # What is inherited goes by several names, of which one is enough.
                names.setdefault((function, parameter), set()).add(f"{name}({parameter})")
    assert len(names) > len(PUBLIC)
    for synonyms in names.values():
        assert synonyms & (ALL_ARGUMENTS.keys() | GIVEN_BY_US), synonyms


# --- what nobody has thought of ----------------------------------------------------------------------------

# What the functions look for, so that they go on looking.
FIELDS = {
    *("id", "version", "transaction", "fulfillments", "conditions", "operation", "timestamp", "data", "fid", "cid"),
    *("txid", "input", "uri", "details", "type", "type_id", "bitmask", "threshold", "subfulfillments", "weight"),
}
TEXTS = {
    "0" * 64,
    public("alice"),
    "CREATE",
    "TRANSFER",
    "fulfillment",
    "condition",
    "1460981667.449279",
    "cf:4:",
    "{}",
}
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=90)
    | st.binary(max_size=90)
    | st.sampled_from(sorted(TEXTS)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.sampled_from(sorted(FIELDS)) | st.text(max_size=3) | st.integers(), inner, max_size=6)
    ),
    max_leaves=12,
)


@given(name=st.sampled_from(sorted(ALL_ARGUMENTS.keys() - DEFAULT_LEDGER)), value=ANYTHING)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_but_errors_of_ours_comes_out(world: World, name: str, value: Any) -> None:
    before = contents(value)
    with contextlib.suppress(BigchainDBError):
        ALL_ARGUMENTS[name].call(world, value)
    assert contents(value) == before
    assert world.node.tables() == world.tables
