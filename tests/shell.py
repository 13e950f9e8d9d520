"""A HOME in which `bigchaindb` is called, in this process."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from click.testing import CliRunner

from bigchaindb import config as configuration
from bigchaindb.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from bigchaindb.config import Config

__all__ = ["Result", "Shell"]


@dataclass(frozen=True)
class Result:
    """What a command ended with, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that tells of a failure."""
        assert self.code == 1
        line, end, rest = self.err.partition("\n")
        assert (line[:7], end, rest) == ("Error: ", "\n", "")
        return line


class Shell:
    """A HOME, and the command line in it: `sh("status", "--json")`."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.config_path = home / ".bigchaindb"
        self.monkeypatch = monkeypatch
        for name in list(os.environ):
            if name.startswith(("BIGCHAINDB_", "XDG_")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(home))

    def __call__(self, *arguments: str, answers: str = "") -> Result:
        self.monkeypatch.setattr(sys, "argv", ["bigchaindb", *arguments])
        with CliRunner().isolation(input=answers) as (out, err, _):
            try:
                main()
            except SystemExit as ended:
                code = ended.code
            return Result(int(code or 0), out.getvalue().decode(), err.getvalue().decode())

    @property
    def config(self) -> Config:
        return configuration.load(self.config_path, os.environ)
