from __future__ import annotations

import traceback
from typing import Any

import pytest

from bigchaindb.exceptions import InvalidKey, InvalidValue
from bigchaindb.model.unlocking import as_secrets, as_signing_keys
from tests.onenode import pair

ALICE, BOB = pair("alice"), pair("bob")


def test_keys_are_found_by_their_public_halves() -> None:
    for given in ([ALICE[0], BOB[0]], (ALICE[0], BOB[0])):
        keys = as_signing_keys(given)
        assert {public: key.sign("x") for public, key in keys.items()} == {
            ALICE[1]: as_signing_keys(ALICE[0])[ALICE[1]].sign("x"),
            BOB[1]: as_signing_keys(BOB[0])[BOB[1]].sign("x"),
        }


def test_secrets_are_bytes_or_utf_8() -> None:
    assert as_secrets(["Xanadu é", b"\xff"]) == ["Xanadu é".encode(), b"\xff"]
    assert as_secrets(()) == []


@pytest.mark.parametrize(
    ("given", "field"),
    [("topsecret", "private_keys"), (["topsecret"], "private_keys[0]"), ([ALICE[0], None], "private_keys[1]")],
)
def test_what_is_no_key_is_named_and_not_told(given: Any, field: str) -> None:
    with pytest.raises(InvalidKey) as caught:
        as_signing_keys(given)
    assert caught.value.field == field
    assert "topsecret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("given", "field"),
    [("topsecret", "secrets"), (["x", 1], "secrets[1]"), (["topsecret\ud800"], "secrets[0]")],
)
def test_what_is_no_secret_is_named_and_not_told(given: Any, field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        as_secrets(given)
    assert caught.value.field == field
    error: BaseException | None = caught.value
    while error is not None:
        assert "topsecret" not in str(error)
        error = error.__cause__
