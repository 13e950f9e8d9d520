"""Hundreds listen while many post: nobody who keeps up misses an event or gets one twice, and memory stays bounded.

`BIGCHAINDB_TEST_SOAK_SECONDS` says for how long: `tox` and so CI for sixty seconds, pytest by itself for ten.
`python -m benchmarks soak` does the same for sixty and prints what it measured.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks import soak as benchmark
from benchmarks.soak import SECONDS_VARIABLE, Report, soak

SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0


@pytest.fixture(autouse=True)
def _found_by_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def test_no_event_is_lost_or_doubled_under_many_listeners_and_clients() -> None:
    report = soak(float(os.environ.get(SECONDS_VARIABLE, SECONDS)))
    assert report.problems() == []
    assert len(report.posted) > 0
    assert sorted(report.heard) == ["streams", "websockets"]
    assert {"supervisor", "builder", "voter", "web"} <= set(report.peak_mebibytes)
    assert report.end_seconds < STOP_SECONDS


def test_the_benchmark_prints_what_it_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, count in (("LISTENERS", 4), ("CLIENTS", 2), ("SLEEPERS", 1)):
        monkeypatch.setattr(benchmark, name, count)
    monkeypatch.setenv(SECONDS_VARIABLE, "0.5")
    benchmark.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 listeners, 1 who never read, 2 clients, ")
    assert lines[-1] == "no event was lost, none came twice"


GOOD = Report(
    seconds=1.0,
    posted=frozenset({"a", "b"}),
    refused=0,
    latencies=[0.1],
    heard={"websockets": ["a", "b"], "streams": ["b", "a"]},
    disagreeing=0,
    lost=0,
    peak_mebibytes={"web": 399.0},
    end_seconds=1.0,
)
BAD: list[tuple[dict[str, Any], str]] = [
    ({"heard": {"streams": ["a"]}}, "streams: 1 events were lost"),
    ({"heard": {"streams": ["a", "b", "a"]}}, "streams: 1 events came twice"),
    ({"heard": {"streams": ["a", "b", "c"]}}, "streams: 1 events of nothing that was posted"),
    ({"disagreeing": 2}, "2 listeners heard something else than the others"),
    ({"lost": 3}, "3 listeners were cut off"),
    ({"peak_mebibytes": {"web": 400.0}}, "web took 400 MiB"),
]


@pytest.mark.parametrize(("changes", "problem"), BAD, ids=[problem for _, problem in BAD])
def test_what_must_not_be_is_named(changes: dict[str, Any], problem: str) -> None:
    assert GOOD.problems() == []
    assert replace(GOOD, **changes).problems() == [problem]
