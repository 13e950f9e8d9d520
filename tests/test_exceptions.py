"""Errors: one base catches all of them, none is mistaken for another, and none loses what it says on the way."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from bigchaindb import exceptions
from bigchaindb.exceptions import BigchainDBError

ERRORS = [value for value in vars(exceptions).values() if inspect.isclass(value)]
each_error = pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)


def test_every_error_is_public() -> None:
    assert sorted(error.__name__ for error in ERRORS) == sorted(exceptions.__all__)


@each_error
def test_one_base_catches_all(error: type[BigchainDBError]) -> None:
    assert issubclass(error, BigchainDBError)
    assert error.__doc__


@each_error
def test_an_error_says_what_and_where(error: type[BigchainDBError]) -> None:
    assert str(error("what happened")) == "what happened"
    assert error("what happened").field is None


def test_an_error_names_the_field_at_fault() -> None:
    assert BigchainDBError("what happened", field="transaction.id").field == "transaction.id"


@each_error
def test_an_error_crosses_from_one_process_to_another(error: type[BigchainDBError]) -> None:
    original = error("what happened")
    original.field = "transaction.id"
    for other in (pickle.loads(pickle.dumps(original)), copy.copy(original)):  # noqa: S301 - our own pickle
        assert type(other) is error
        assert str(other) == "what happened"
        assert other.field == "transaction.id"


def test_what_an_error_has_beside_the_message_crosses_too() -> None:
    spent = exceptions.DoubleSpend("spent", field="input", rival="abc")
    locked = exceptions.CannotFulfil("locked", missing_keys=("abc",))
    assert pickle.loads(pickle.dumps(spent)).rival == "abc"  # noqa: S301 - our own pickle
    assert pickle.loads(pickle.dumps(locked)).missing_keys == ("abc",)  # noqa: S301 - our own pickle
    assert exceptions.DoubleSpend("spent").rival is None


@each_error
def test_trouble_with_storage_is_never_a_verdict(error: type[BigchainDBError]) -> None:
    verdicts = (exceptions.TransactionError, exceptions.BlockError, exceptions.InvalidValue, exceptions.ConditionError)
    if issubclass(error, exceptions.StorageError | exceptions.ConfigurationError | exceptions.LedgerError):
        assert not issubclass(error, verdicts)


def test_bad_values_are_value_errors_and_a_wait_that_ends_is_a_timeout() -> None:
    assert issubclass(exceptions.TransactionError, ValueError)
    assert issubclass(exceptions.TransactionTimeout, TimeoutError)
