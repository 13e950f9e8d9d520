"""What the example prints: a table that can be drawn anew, plain lines elsewhere, one line for a failure."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from examples.federation.view import Row, Screen

ROOT = Path(__file__).parents[1]
ROWS = [Row(f"node{n}", "B" * 44, "running", 1_234, 56_789, 12_345, "0123456789ab… invalid") for n in (1, 10)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [80, 33])
def test_no_line_of_the_table_wraps(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    Screen().show(1.0, ROWS)
    lines = terminal.getvalue().splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert max(map(len, lines)) <= columns
    assert all(line.endswith("invalid") for line in lines[2:]) == (columns == 80)


def test_elsewhere_a_head_stands_above_the_first_rows_alone(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    for second in (1.0, 2.0):
        screen.show(second, ROWS)
    head, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 * len(ROWS)
    assert "backlog" not in "".join(rows)
    assert head.index("node") == rows[0].index("node1")
    assert head.index("decided last") == rows[0].index("0123456789ab")


def test_a_server_that_is_not_there_is_one_line() -> None:
    command = [sys.executable, "-m", "examples.federation", "--rethinkdb", "localhost:1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "localhost:1" in done.stderr
