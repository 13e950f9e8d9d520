"""The benchmarks run, and print what they promise; how fast anything is, no test asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import __main__, baseline, conditions, federation, http, ledger


@pytest.fixture(autouse=True)
def _found_by_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package under test must be found by what a benchmark starts, as an installed one is."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


def test_the_names_of_the_benchmarks_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["unheard-of"], ["ledger", "unheard-of"], ["ledger", "--large"]):
        assert __main__.main(arguments) == 2
        assert "usage: python -m benchmarks {conditions,ledger,federation,http,soak}...\n" in capsys.readouterr().err


def test_the_unit_is_measured() -> None:
    assert baseline.verifications_per_second(seconds=0.01) > 0


def test_conditions(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "_OWNERS", 3)
    monkeypatch.setattr(conditions, "_ROUNDS", 1)
    monkeypatch.setattr(conditions, "_REPEATS", 1)
    assert __main__.main(["conditions"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("one libsodium verification: ")
    assert "3 owners of 3" in lines
    assert any(line.startswith("  together: ") and line.endswith("(goal: 50 ms)") for line in lines)


def test_ledger(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "TRANSACTIONS", 20)
    monkeypatch.setattr(ledger, "BATCH", 10)
    monkeypatch.setattr(ledger, "LONE_TRANSACTIONS", 5)
    ledger.main()
    printed = capsys.readouterr().out
    for beginning in ("V = ", "CREATE: ", "TRANSFER: ", "lone transaction, write to valid: p50 "):
        assert f"\n{beginning}" in f"\n{printed}"
    for process in ("supervisor", "builder", "voter"):
        assert f"\npeak memory of {process}: " in printed


def test_http(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TRANSACTIONS", 20), ("BATCH", 10), ("READS", 50), ("ROUNDS", 1), ("LONE_TRANSACTIONS", 3)):
        monkeypatch.setattr(http, name, value)
    assert __main__.main(["http"]) == 0
    printed = capsys.readouterr().out
    for beginning in (
        "V = ",
        "POST transactions, CREATE: ",
        "POST transactions/batch of 10, CREATE: ",
        "POST transactions/batch of 10, TRANSFER: ",
        "an empty handler of the framework: ",
        "GET transactions/{id}: ",
        "event of a lone transaction, decided to received: p50 ",
        "peak memory of web: ",
    ):
        assert f"\n{beginning}" in f"\n{printed}"


def test_federation(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(federation, "NODES", (1,))
    monkeypatch.setattr(federation, "TRANSACTIONS", 20)
    monkeypatch.setattr(federation, "LONE_TRANSACTIONS", 5)
    monkeypatch.setattr(federation, "is_there_a_rethinkdb", lambda: False)
    assert __main__.main(["federation"]) == 0
    lines = capsys.readouterr().out.splitlines()
    beginnings = ["CREATE: ", "TRANSFER: ", "lone transaction, write to valid: p50 "]
    for line, beginning in zip(lines, beginnings, strict=False):
        assert line.startswith(f"sqlite, 1 node: {beginning}")
    assert lines[len(beginnings) :] == ["rethinkdb: not measured, since it is not on PATH"]


def test_growth(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(federation, "SMALL", 10)
    monkeypatch.setattr(federation, "LARGE", 80)
    monkeypatch.setattr(federation, "is_there_a_rethinkdb", lambda: False)
    assert __main__.main(["federation", "--large"]) == 0
    lines = capsys.readouterr().out.splitlines()
    beginnings = ["TRANSFER at 10 transactions: ", "TRANSFER at 80 transactions: ", "TRANSFER at 80 is "]
    beginnings.append("TRANSFER of old outputs at 80 transactions: ")
    for line, beginning in zip(lines, beginnings, strict=False):
        assert line.startswith(f"sqlite: {beginning}")
    assert lines[len(beginnings) :] == ["rethinkdb: not measured, since it is not on PATH"]
