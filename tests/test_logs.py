"""Logs: one line per event, with time, level and process, wherever they go."""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.config import Log
from bigchaindb.exceptions import ConfigurationError
from bigchaindb.logs import _OneLine, set_up_logging
from tests.restoring import logging_restored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) (\w+)\[(\d+)\] (.*)")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    with logging_restored():
        yield


def test_an_event_is_one_line_with_time_level_and_process(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(Log(), "builder")
    logging.getLogger("bigchaindb.pipeline.builder").warning("block %s", "x")
    captured = capsys.readouterr()
    match = LINE.fullmatch(captured.err.rstrip("\n"))
    assert match is not None
    assert match.groups() == ("WARNING", "builder", str(os.getpid()), "block x")
    assert captured.out == ""


def test_nothing_that_is_logged_can_pass_for_another_event(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(Log(), "voter")
    logging.getLogger("bigchaindb").info("reason: %s", "bad\r\n2016-01-01T00:00:00.000Z INFO voter[1] all is well")
    logging.getLogger("bigchaindb").error("failed", exc_info=ValueError("first\nsecond"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(LINE.fullmatch(line) for line in lines)
    assert "bad\\r\\n2016" in lines[0]
    assert "ValueError: first\\nsecond" in lines[1]


@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_whatever_is_logged_can_be_printed(text: str) -> None:
    record = logging.makeLogRecord({"msg": "%s", "args": (text,)})
    line = _OneLine().format(record)
    assert line.isprintable()
    assert line == text or not text.isprintable()


def test_times_are_utc(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(Log(), "voter")
    logger = logging.getLogger("bigchaindb")
    record = logger.makeRecord(logger.name, logging.INFO, "", 0, "then", (), None)
    record.created, record.msecs = 1_460_981_667.449, 449.0
    logger.handle(record)
    assert capsys.readouterr().err.startswith("2016-04-18T12:14:27.449Z INFO voter[")


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_what_is_below_the_level_is_not_logged(capsys: pytest.CaptureFixture[str], level: str, count: int) -> None:
    set_up_logging(Log(level=level), "voter")  # type: ignore[arg-type]
    logger = logging.getLogger("bigchaindb.node")
    for log in (logger.debug, logger.info, logger.warning, logger.error):
        log("x")
    assert len(capsys.readouterr().err.splitlines()) == count


def test_a_file_is_appended_to_in_utf_8(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    for process in ("builder", "voter"):
        set_up_logging(Log(file=str(path)), process)
        logging.getLogger("bigchaindb").info("Grüße")
        logging.getLogger("bigchaindb").handlers[0].close()
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    assert first == "before"
    assert [line.split(" ", 2)[2].partition("[")[0] for line in lines] == ["builder", "voter"]
    assert all(line.endswith("Grüße") for line in lines)
    assert capsys.readouterr().err == ""


def test_setting_up_twice_logs_once(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(Log(), "supervisor")
    set_up_logging(Log(), "voter")
    logging.getLogger("bigchaindb").info("x")
    assert " voter[" in capsys.readouterr().err.removesuffix("\n")


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no directory" / "log"
    with pytest.raises(ConfigurationError, match=r"log\.file: .*no directory") as caught:
        set_up_logging(Log(file=str(path)), "voter")
    assert caught.value.field == "log.file"
