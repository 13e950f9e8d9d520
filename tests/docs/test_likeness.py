from __future__ import annotations

import pytest

from tests.docs.likeness import Names

ID, OTHER_ID, THIRD_ID = "a1" * 32, "b2" * 32, "c3" * 32
KEY, OTHER_KEY = "BwuhqQX8FPsmqYiRV2CSZYWWsSWgSSQQFHjqxKEuqkPs", "qv8DvdNG5nZHWCP5aPSqgqxAvaPJpQj19abRvFCntor"
URI = "cc:4:20:oqXTWvR3afHHX8OaOO84kZxS6nH4GEBXD4Vw8Mc5iBo:96"
OTHER_URI = "cc:4:20:DIfyalZvV_9ukoO01mxmK3nxsfAWSKYYF33XDYkbY4E:96"


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        ("valid\n", "valid\n"),
        (f"id {ID}", f"id {OTHER_ID}"),
        (f"owner '{KEY}'", f"owner '{OTHER_KEY}'"),
        (f"locked by {URI}", f"locked by {OTHER_URI}"),
        ("at 1460981667.449279", "at 1795183200.000001"),
        (
            "2026-11-20T14:03:00.125Z INFO supervisor[17] node runs",
            "2027-01-01T00:00:00.000Z INFO supervisor[4711] node runs",
        ),
        (f"{ID} spends {OTHER_ID}, not {ID}", f"{OTHER_ID} spends {THIRD_ID}, not {OTHER_ID}"),
    ],
)
def test_names_may_differ_from_run_to_run(expected: str, seen: str) -> None:
    assert Names().alike(expected, seen)


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        ("valid\n", "rejected\n"),
        (f"id {ID}", f"id {KEY}"),
        (f"locked by {URI}", f"locked by {URI.replace('96', '97')}"),
        (f"{ID} spends {ID}", f"{ID} spends {OTHER_ID}"),
        (f"{ID} spends {OTHER_ID}", f"{ID} spends {ID}"),
        ("7 blocks", "8 blocks"),
    ],
)
def test_everything_else_may_not(expected: str, seen: str) -> None:
    assert not Names().alike(expected, seen)


def test_a_name_stays_the_same_all_over_a_page() -> None:
    names = Names()
    assert names.alike(f"wrote {ID}", f"wrote {THIRD_ID}")
    assert names.alike(f"read {ID}", f"read {THIRD_ID}")
    assert not names.alike(f"read {ID}", f"read {OTHER_ID}")
