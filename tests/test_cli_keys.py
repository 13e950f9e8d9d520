"""The commands that make users' keys, and the files that these are in."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from bigchaindb.cli.keyfile import read_private_key, write_key_file
from bigchaindb.crypto import SigningKey
from bigchaindb.exceptions import ConfigurationError
from tests.onenode import pair, private, public
from tests.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, monkeypatch)


def test_a_key_pair_is_printed(sh: Shell) -> None:
    result = sh("keys", "generate")
    assert (result.code, result.err) == (0, "")
    public_line, private_line = result.out.splitlines()
    public_key, private_key = public_line.split()[-1], private_line.split()[-1]
    assert str(SigningKey(private_key).verifying_key) == public_key
    shown = json.loads(sh("keys", "generate", "--json").out)
    assert str(SigningKey(shown["private"]).verifying_key) == shown["public"]
    assert list(sh.home.iterdir()) == []


def test_a_key_pair_is_written_for_its_owner_only(sh: Shell) -> None:
    path = sh.home / "alice.key"
    result = sh("keys", "generate", "--output", str(path))
    assert (result.code, result.err) == (0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    private_key = read_private_key(path)
    assert result.out == f"{SigningKey(private_key).verifying_key}\n"
    assert json.loads(sh("keys", "generate", "-o", str(sh.home / "bob.key"), "--json").out).keys() == {"public"}


def test_no_file_is_overwritten(sh: Shell) -> None:
    path = sh.home / "alice.key"
    sh("keys", "generate", "-o", str(path))
    before = path.read_bytes()
    assert "exists already" in sh("keys", "generate", "-o", str(path)).error
    assert path.read_bytes() == before
    assert "No such file" in sh("keys", "generate", "-o", str(sh.home / "nowhere" / "x")).error


def test_a_file_may_hold_nothing_but_the_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_key_file(path, *pair("alice"))
    assert read_private_key(path) == private("alice")
    path.write_text(f"\n{private('bob')} \n")
    assert read_private_key(path) == private("bob")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"topsecret",
        b"{topsecret",
        b"[" * 100_000,
        b'{"private": "topsecret"}',
        b'{"private": 7}',
        b'{"public": "x"}',
        b'{"keypair": {"private": "topsecret"}}',
    ],
)
def test_what_holds_no_key_is_refused_and_not_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="holds no") as caught:
        read_private_key(path)
    assert str(path) in str(caught.value)
    assert "topsecret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere: No such file"):
        read_private_key(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="directory"):
        read_private_key(tmp_path)


def test_a_key_on_the_command_line_is_refused_and_not_repeated(sh: Shell) -> None:
    key = private("alice")
    error = sh("tx", "transfer", "0" * 64, "--to", public("bob"), "--key-file", key).error
    assert "was given a key, not a file" in error
    assert key not in error


def test_whoever_leaves_a_key_open_to_others_is_warned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key"
    write_key_file(path, *pair("alice"))
    read_private_key(path)
    assert capsys.readouterr().err == ""
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        assert read_private_key(path) == private("alice")
        assert f"Warning: {path} is open to other users" in capsys.readouterr().err
