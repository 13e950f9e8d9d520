"""The command line in this process: what each command does, prints and ends with; real processes: acceptance tests."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
import runpy
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bigchaindb import config as configuration
from bigchaindb.canonical import dumps
from bigchaindb.cli import cli, looking, main
from bigchaindb.cli import node as node_commands
from bigchaindb.crypto import SigningKey
from bigchaindb.exceptions import LedgerError
from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.model.vote import Vote
from bigchaindb.node.lease import Lease
from bigchaindb.node.opening import journal_path, open_database
from bigchaindb.storage.records import VoteRow
from bigchaindb.version import __version__
from tests.onenode import OneNode, private, public
from tests.restoring import logging_restored
from tests.shell import Result, Shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bigchaindb.config import Config

COMMANDS = [
    *("configure", "init", "start", "show-config", "export-my-pubkey", "drop", "status", "keyring"),
    *("set-shards", "set-replicas", "tx", "keys"),
]
GROUPS = {
    "keyring": ["list", "add", "remove", "adopt"],
    "tx": ["create", "transfer", "show", "status", "history"],
    "keys": ["generate"],
}


@pytest.fixture
def sh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, monkeypatch)


@pytest.fixture
def node(sh: Shell) -> Iterator[OneNode]:
    """A configured node with a ledger in the shell's HOME."""
    with OneNode(sh.home) as node:
        yield node


# --- help, usage, the boundary -----------------------------------------------------------------------------


def test_every_command_has_help_and_says_how_to_name_a_configuration(sh: Shell) -> None:
    assert sorted(cli.commands) == sorted(COMMANDS)
    overview = sh("--help")
    assert overview.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in overview.out
        for arguments in [[command, name] for name in GROUPS[command]] if command in GROUPS else [[command]]:
            for option in ("-h", "--help"):
                result = sh(*arguments, option)
                assert (result.code, result.err) == (0, "")
                assert ("-c, --config FILE" in result.out) == (command != "keys")


@pytest.mark.parametrize("group", [[], *([name] for name in GROUPS)], ids=str)
def test_no_summary_of_a_command_is_cut(sh: Shell, group: list[str]) -> None:
    assert "...\n" not in sh(*group, "--help").out.partition("Commands:")[2]


def test_the_version(sh: Shell) -> None:
    assert sh("--version") == Result(0, f"bigchaindb {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["start", "--fast"],
        ["-c"],
        ["status", "extra"],
        ["keyring"],
        ["keyring", "add"],
        ["tx"],
        ["tx", "show"],
        ["keys"],
        ["configure", "-n"],
        ["set-shards"],
        ["set-shards", "0"],
        ["set-shards", "65"],
        ["set-replicas", "two"],
    ],
)
def test_wrong_usage_is_exit_code_2(sh: Shell, arguments: list[str]) -> None:
    result = sh(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(("Usage: bigchaindb", "Error: "))


@pytest.mark.parametrize(
    "command",
    [
        *(c for c in COMMANDS if c not in {*GROUPS, "configure", "start", "set-shards", "set-replicas"}),
        "set-shards 2",
        "set-replicas 1",
        "keyring list",
        f"keyring add {public('x')}",
    ],
)
def test_a_machine_that_was_not_configured_is_told_to(sh: Shell, command: str) -> None:
    assert "bigchaindb configure" in sh(*command.split()).error
    assert list(sh.home.iterdir()) == []


def _raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (LedgerError("it is\nbroken\r\n at heart"), "Error: it is broken  at heart"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), "Error: /data/x: No space left on device"),
        (OSError(errno.EIO, "Input/output error"), "Error: [Errno 5] Input/output error"),
        (PermissionError(errno.EACCES, "Permission denied", "/etc/x"), "Error: /etc/x: Permission denied"),
    ],
)
def test_whatever_fails_is_told_in_one_line(sh: Shell, node: OneNode, error: Exception, line: str) -> None:
    del node
    sh.monkeypatch.setattr(looking, "open_node", _raising(error))
    assert sh("status").error == line


def test_what_is_a_fault_of_ours_is_no_message_for_operators(sh: Shell, node: OneNode) -> None:
    del node
    sh.monkeypatch.setattr(looking, "open_node", _raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        sh("status")


def test_ctrl_c_ends_a_command_with_one_word(sh: Shell, node: OneNode) -> None:
    del node
    sh.monkeypatch.setattr(looking, "open_node", _raising(KeyboardInterrupt()))
    result = sh("status")
    assert (result.code, result.out, result.err.strip()) == (1, "", "Aborted!")


def test_a_reader_that_went_away_is_no_reason_for_a_traceback(sh: Shell, node: OneNode) -> None:
    del node

    class Broken(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    sh.monkeypatch.setattr(sys, "argv", ["bigchaindb", "show-config"])
    sh.monkeypatch.setattr(sys, "stdout", Broken())
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1


@pytest.mark.parametrize("command", ["show-config", "status", "init", "drop"])
def test_an_environment_variable_that_sets_nothing_is_named(sh: Shell, node: OneNode, command: str) -> None:
    before = node.tables()
    sh.monkeypatch.setenv("BIGCHAINDB_DATABASE_PAHT", "/tmp/x")  # noqa: S108 - never used
    assert "BIGCHAINDB_DATABASE_PAHT is no setting: did you mean BIGCHAINDB_DATABASE_PATH?" in sh(command).error
    assert node.tables() == before


def test_an_environment_variable_of_a_wrong_value_is_named(sh: Shell, node: OneNode) -> None:
    del node
    sh.monkeypatch.setenv("BIGCHAINDB_DATABASE_PORT", "many")
    error = sh("status").error
    assert "BIGCHAINDB_DATABASE_PORT" in error
    assert "database.port" in error


def test_without_a_home_it_is_said_what_to_set(sh: Shell) -> None:
    sh.monkeypatch.delenv("HOME")
    assert "HOME" in sh("configure", "-y").error


def test_the_module_is_the_command(sh: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    sh.monkeypatch.setattr(sys, "argv", ["bigchaindb", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("bigchaindb", run_name="__main__")
    assert ended.value.code == 0
    assert __version__ in capsys.readouterr().out


# --- configure, show-config, export-my-pubkey --------------------------------------------------------------


def test_configure_takes_the_defaults_and_keeps_the_key_to_itself(sh: Shell) -> None:
    result = sh("configure", "-y")
    config = sh.config
    assert (result.code, result.err) == (0, "")
    assert str(sh.config_path) in result.out
    assert config.keypair.public in result.out
    assert config.keypair.private not in result.out
    assert stat.S_IMODE(sh.config_path.stat().st_mode) == 0o600
    assert json.loads(sh.config_path.read_text())["database"]["path"] is None
    defaults = configuration.new_config(config.keypair.private, config.keypair.public)
    assert dataclasses.replace(config, database=defaults.database) == defaults


def test_configure_asks_for_a_file(sh: Shell) -> None:
    result = sh("configure", answers=f"sqlite\n~/mine.sqlite\nlocalhost:9999\n{public('a')}:{public('b')}\n")
    assert result.code == 0
    config = sh.config
    assert config.database.path == str(sh.home / "mine.sqlite")
    assert config.server.bind == "localhost:9999"
    assert config.keyring == (public("a"), public("b"))


def test_configure_asks_for_a_server(sh: Shell) -> None:
    result = sh("configure", answers="rethinkdb\ndb.example.org\n28016\nledger\n\n\n")
    assert result.code == 0
    database = sh.config.database
    assert (database.backend, database.host, database.port, database.name) == (
        "rethinkdb",
        "db.example.org",
        28016,
        "ledger",
    )


def test_configure_writes_nothing_when_an_answer_is_bad(sh: Shell) -> None:
    assert "server.bind" in sh("configure", answers="\n\nnowhere\n\n").err
    assert "keyring" in sh("configure", answers="\n\n\nalice\n").err
    assert sh("configure", answers="sqlite\n").code == 1  # the end of input
    assert list(sh.home.iterdir()) == []


def test_configure_replaces_nothing_unasked(sh: Shell) -> None:
    sh("configure", "-y")
    before = sh.config_path.read_text()
    assert "exists already and was left as it is" in sh("configure", "-y").error
    for answers in ("n\n", "\n", ""):
        assert sh("configure", answers=answers).code == 1
    assert sh.config_path.read_text() == before
    assert sh("configure", answers="y\n\n\n\n\n").code == 0
    assert sh.config_path.read_text() != before


@pytest.mark.parametrize("place", ["before", "behind", "environment"])
def test_another_configuration_may_be_named(sh: Shell, place: str) -> None:
    other = sh.home / "other"
    if place == "environment":
        sh.monkeypatch.setenv("BIGCHAINDB_CONFIG_PATH", str(other))
    arguments = {"before": ["-c", str(other), "configure"], "behind": ["configure", "-c", str(other)]}
    assert sh(*arguments.get(place, ["configure"]), "-y").code == 0
    assert other.exists()
    assert not sh.config_path.exists()


def test_a_configuration_that_cannot_be_written_is_named(sh: Shell) -> None:
    assert str(sh.home / "no" / "file") in sh("configure", "-y", "-c", str(sh.home / "no" / "file")).error


def test_show_config_shows_what_is_in_force_but_no_secret(sh: Shell, node: OneNode) -> None:
    sh.monkeypatch.setenv("BIGCHAINDB_BLOCK_INTERVAL", "0.25")
    result = sh("show-config")
    assert result.code == 0
    assert private("node") not in result.out
    document = json.loads(result.out)
    assert document["block_interval"] == 0.25
    assert document["database"]["path"] == str(node.database_path)
    assert set(document["keypair"]["private"]) == {"*"}


def test_export_my_pubkey(sh: Shell, node: OneNode) -> None:
    del node
    assert sh("export-my-pubkey") == Result(0, f"{public('node')}\n", "")


# --- init, start, drop -------------------------------------------------------------------------------------


def test_init_creates_the_ledger_once(sh: Shell) -> None:
    sh("configure", "-y")
    first = sh("init")
    assert first.code == 0
    assert str(sh.config.database.file) in first.out
    assert sh("init") == first


def test_init_leaves_what_is_not_its_own(sh: Shell) -> None:
    sh("configure", "-y")
    precious = sh.home / "precious"
    precious.write_text("not a database\n" * 100)
    sh.monkeypatch.setenv("BIGCHAINDB_DATABASE_PATH", str(precious))
    assert str(precious) in sh("init").error
    assert precious.read_text() == "not a database\n" * 100


@pytest.fixture
def started(sh: Shell) -> Iterator[list[tuple[Config, Path]]]:
    """What would be supervised."""
    calls: list[tuple[Config, Path]] = []
    sh.monkeypatch.setattr(node_commands, "supervise", lambda config, path: calls.append((config, path)))
    with logging_restored():
        yield calls


def test_start_runs_the_configured_node(sh: Shell, node: OneNode, started: list[tuple[Config, Path]]) -> None:
    result = sh("start")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"Starting node {public('node')} on {node.database_path}; Ctrl-C stops it\n"
    assert started == [(node.config, sh.config_path)]


def test_start_on_a_new_machine_configures_and_initialises_and_says_so(
    sh: Shell, started: list[tuple[Config, Path]]
) -> None:
    result = sh("start")
    assert result.code == 0
    config = sh.config
    said, ledger, starting = result.out.splitlines()
    assert said.endswith(f"configuration with the defaults written to {sh.config_path}")
    assert ledger.endswith(str(config.database.file))
    assert config.keypair.public in starting
    assert started == [(config, sh.config_path)]
    assert sh("init").out.strip() == ledger


def test_start_does_not_initialise_what_was_configured_by_hand(sh: Shell, started: list[tuple[Config, Path]]) -> None:
    sh("configure", "-y")
    sh.monkeypatch.setattr(node_commands, "supervise", _raising(LedgerError("run `bigchaindb init`")))
    result = sh("start")
    assert (result.code, result.err) == (1, "Error: run `bigchaindb init`\n")
    assert not sh.config.database.file.exists()
    assert started == []


def _leave_lease(node: OneNode, of: str = "", **changes: Any) -> None:
    storage = node.bigchain._node.storage
    lease = Lease(storage, of or node.bigchain.me)
    lease.acquire(lambda _: False)
    name = f"lease/{of or node.bigchain.me}"
    held = storage.registers([name])[name]
    assert storage.swap_register(name, held, dumps(json.loads(held) | changes))


def test_drop_asks_and_deletes_database_and_journals(sh: Shell, node: OneNode) -> None:
    journal = journal_path(sh.config_path, node.ledger, public("node"))
    journal.parent.mkdir()
    journal.touch()
    for answers in ("n\n", "\n", ""):
        assert sh("drop", answers=answers).code == 1
    assert node.database_path.exists()
    node.close()
    result = sh("drop", answers="y\n")
    assert result.code == 0
    journals = f"and the journals of its ledger in {journal.parent}"
    assert f"Delete {node.database_path} with everything in it, {journals}? " in result.out
    assert result.out.endswith(f"Deleted {node.database_path}, {journals}\n")
    assert [path.name for path in sh.home.iterdir()] == [".bigchaindb"]


def test_drop_does_not_ask_who_says_yes_beforehand_and_needs_no_ledger(sh: Shell, node: OneNode) -> None:
    node.close()
    node.database_path.unlink()
    configuration_only = sh("drop", "-y")
    assert "bigchaindb init" in configuration_only.error
    open_database(node.config, create=True).close()
    assert sh("drop", "-y") == Result(0, f"Deleted {node.database_path}\n", "")


@pytest.mark.parametrize(
    "changes", [{}, {"machine": "another", "host": "elsewhere", "pid": 5}], ids=["here", "perhaps elsewhere"]
)
def test_drop_deletes_nothing_that_is_in_use(sh: Shell, node: OneNode, changes: dict[str, Any]) -> None:
    _leave_lease(node, **changes)
    where = "process 5 on elsewhere" if changes else f"process {os.getpid()} on "
    assert f"a node uses this database: {where}" in sh("drop", "-y").error
    assert node.database_path.exists()


def test_drop_deletes_nothing_that_the_node_of_a_former_member_uses(sh: Shell, node: OneNode) -> None:
    document = json.loads(sh.config_path.read_text())
    document["earlier_federations"] = [[public("node")], sorted([public("node"), public("a")])]
    sh.config_path.write_text(json.dumps(document))
    _leave_lease(node, of=public("a"))
    assert f"process {os.getpid()} on " in (error := sh("drop", "-y").error)
    assert error.endswith(f", the node of {public('a')}")
    assert node.database_path.exists()


def test_drop_looks_again_when_it_has_its_answer(sh: Shell, node: OneNode) -> None:
    def confirm(*_: object, **__: object) -> None:
        _leave_lease(node)

    sh.monkeypatch.setattr("click.confirm", confirm)
    assert "a node uses this database" in sh("drop").error
    assert node.database_path.exists()


# --- status ------------------------------------------------------------------------------------------------


def _status(sh: Shell) -> dict[str, Any]:
    result = sh("status", "--json")
    assert (result.code, result.err) == (0, "")
    return dict(json.loads(result.out))


def test_status_of_a_new_ledger(sh: Shell, node: OneNode) -> None:
    status = _status(sh)
    assert status["node"] == public("node")
    assert status["ledger"] == node.ledger
    assert status["database"] == str(node.database_path)
    assert status["journal"] == str(journal_path(sh.config_path, node.ledger, public("node")))
    assert status["federation"] == "1 node, majority"
    assert (status["running"], status["backlog"], status["valid_transactions"]) == ("no", 0, 0)
    assert (status["last_block"], status["last_block_time"]) == (None, None)
    assert status["evidence_of_misbehaviour"] == []


def test_status_counts(sh: Shell, node: OneNode) -> None:
    for number in range(2):
        node.settle(node.create("alice", payload={"number": number}))
    node.bigchain.write_transaction(node.create("alice"))
    status = _status(sh)
    assert (status["decided_blocks"], status["valid_transactions"], status["backlog"]) == (2, 2, 1)
    assert status["blocks"] == 3
    assert status["last_block"].endswith(" valid")
    assert status["last_block_time"].endswith("+00:00")
    (member,) = status["members"]
    assert (member["node"], member["decided_blocks"]) == (public("node"), 2)


@pytest.mark.parametrize(
    ("changes", "running"),
    [
        ({}, f"yes, process {os.getpid()} on "),
        ({"machine": "another", "host": "elsewhere", "pid": 5}, "perhaps, process 5 on elsewhere"),
        ({"started": "1"}, "no"),
    ],
)
def test_status_tells_whether_the_node_runs(sh: Shell, node: OneNode, changes: dict[str, Any], running: str) -> None:
    _leave_lease(node, **changes)
    assert _status(sh)["running"].startswith(running)


def test_status_tells_of_a_damaged_lease(sh: Shell, node: OneNode) -> None:
    node.bigchain._node.storage.swap_register(f"lease/{node.bigchain.me}", None, "junk")
    assert _status(sh)["running"] == "perhaps, process None on None"


def test_status_is_readable(sh: Shell, node: OneNode) -> None:
    before = sh("status").out
    assert "last block:" in before
    assert " -\n" in before
    assert " none\n" in before
    signed = node.settle(node.create("alice"))
    block_id = node.bigchain._node.storage.standings(node.bigchain.me, [signed["id"]])[signed["id"]][0].block_id
    second = Vote.sign(block_id, node.ledger, "no", format_timestamp(5.0), SigningKey(private("node")))
    node.bigchain._node.storage.keep_evidence([VoteRow(block_id, node.bigchain.me, second.text)])
    after = sh("status").out
    assert f"{node.bigchain.me} has decided 1, the last at " in after
    assert f"{node.bigchain.me} cast two different votes on a block: {block_id}\n" in after
