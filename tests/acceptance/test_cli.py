"""The command line as an operator meets it: configure, init, start, look, stop, drop."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bigchaindb.version import __version__
from tests.acceptance.machine import group_members, until

if TYPE_CHECKING:
    from bigchaindb import Bigchain
    from tests.acceptance.machine import Machine

PROCESSES = ["supervisor", "builder", "voter", "web"]
COMMANDS = ["configure", "init", "start", "show-config", "export-my-pubkey", "drop", "status"]


def _one_line(text: str) -> str:
    assert text.startswith("Error: ")
    assert text.count("\n") == 1
    return text


def _written(b: Bigchain, number: int = 0) -> str:
    tx = b.create_transaction(b.me, b.me, None, "CREATE", payload={"number": number})
    signed = b.sign_transaction(tx, b.me_private)
    b.write_transaction(signed)
    return str(signed["id"])


# --- help and usage ----------------------------------------------------------------------------------------


def test_version(machine: Machine) -> None:
    assert machine.run("--version").stdout == f"bigchaindb {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(machine: Machine, command: str) -> None:
    result = machine.run(command, "--help")
    assert result.returncode == 0
    assert "-c, --config FILE" in result.stdout
    assert command in machine.run("--help").stdout


@pytest.mark.parametrize("arguments", [["fly"], ["start", "--fast"], ["-c"], []])
def test_wrong_usage_is_exit_code_2(machine: Machine, arguments: list[str]) -> None:
    assert machine.run(*arguments).returncode == 2


# --- configure ---------------------------------------------------------------------------------------------


def test_configure_writes_a_private_file_with_a_key_pair(machine: Machine) -> None:
    result = machine.run("configure", "-y")
    assert result.returncode == 0
    assert stat.S_IMODE(machine.config_path.stat().st_mode) == 0o600
    keypair = json.loads(machine.config_path.read_text())["keypair"]
    assert keypair["public"] in result.stdout
    assert keypair["private"] not in result.stdout + result.stderr


def test_configure_asks(machine: Machine, tmp_path: Path) -> None:
    database = tmp_path / "elsewhere.sqlite"
    result = machine.run("configure", answers=f"sqlite\n{database}\nlocalhost:9999\n\n")
    assert result.returncode == 0
    document = json.loads(machine.config_path.read_text())
    assert document["database"]["path"] == str(database)
    assert document["server"]["bind"] == "localhost:9999"
    assert document["keyring"] == []


def test_configure_refuses_a_bad_answer_with_the_field(machine: Machine) -> None:
    result = machine.run("configure", answers="sqlite\n\nlocalhost\n\n")
    assert result.returncode == 1
    assert "server.bind" in result.stderr
    assert not machine.config_path.exists()


def test_configure_overwrites_nothing_unasked(machine: Machine) -> None:
    machine.run("configure", "-y")
    before = machine.config_path.read_text()
    for arguments, answers in [(["-y"], ""), ([], "n\n"), ([], "")]:
        result = machine.run("configure", *arguments, answers=answers)
        assert result.returncode == 1
        assert machine.config_path.read_text() == before
    assert machine.run("configure", answers="y\n\n\n\n\n").returncode == 0
    assert machine.config_path.read_text() != before


# --- showing -----------------------------------------------------------------------------------------------


def test_show_config_masks_the_private_key_and_shows_what_the_environment_sets(initialised: Machine) -> None:
    initialised.environment["BIGCHAINDB_BLOCK_INTERVAL"] = "0.25"
    result = initialised.run("show-config")
    document = json.loads(result.stdout)
    assert document["block_interval"] == 0.25
    assert json.loads(initialised.config_path.read_text())["keypair"]["private"] not in result.stdout


def test_export_my_pubkey(initialised: Machine) -> None:
    public_key = json.loads(initialised.config_path.read_text())["keypair"]["public"]
    assert initialised.run("export-my-pubkey").stdout == f"{public_key}\n"


@pytest.mark.parametrize("before", [True, False])
def test_another_configuration_file_may_be_named_before_or_behind_the_command(
    machine: Machine, tmp_path: Path, before: bool
) -> None:
    other = str(tmp_path / "other")
    arguments = ["-c", other, "configure", "-y"] if before else ["configure", "-y", "-c", other]
    assert machine.run(*arguments).returncode == 0
    assert not machine.config_path.exists()
    assert machine.run("export-my-pubkey", "-c", other).returncode == 0


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in {"configure", "start"}])
def test_a_machine_that_was_not_configured_is_told_to(machine: Machine, command: str) -> None:
    result = machine.run(command)
    assert result.returncode == 1
    assert "bigchaindb configure" in _one_line(result.stderr)


def test_a_bad_configuration_is_named_with_file_and_field(initialised: Machine) -> None:
    document = json.loads(initialised.config_path.read_text())
    document["database"]["port"] = 70000
    initialised.config_path.write_text(json.dumps(document))
    result = initialised.run("status")
    assert result.returncode == 1
    assert str(initialised.config_path) in _one_line(result.stderr)
    assert "database.port" in result.stderr


# --- init, status, drop ------------------------------------------------------------------------------------


def test_init_twice_finds_the_same_ledger(initialised: Machine) -> None:
    assert initialised.run("init").stdout == initialised.run("init").stdout


@pytest.mark.parametrize("command", ["start", "status", "drop"])
def test_what_needs_a_ledger_says_how_to_make_one(machine: Machine, command: str) -> None:
    machine.run("configure", "-y")
    result = machine.run(command)
    assert result.returncode == 1
    assert "bigchaindb init" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("content", [b"", b"not a database, but a text of some length" * 100])
def test_init_overwrites_no_file_that_is_not_its_own(machine: Machine, content: bytes) -> None:
    machine.run("configure", "-y")
    path = machine.home / "precious"
    machine.environment["BIGCHAINDB_DATABASE_PATH"] = str(path)
    if not content:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE other (x)")
        connection.close()
        content = path.read_bytes()
    path.write_bytes(content)
    result = machine.run("init")
    assert result.returncode == 1
    assert str(path) in _one_line(result.stderr)
    assert path.read_bytes() == content


def test_status_counts(initialised: Machine) -> None:
    idle = initialised.run("status")
    assert idle.returncode == 0
    with initialised.node(), initialised.bigchain() as b:
        for number in range(3):
            assert b.wait_for_transaction(_written(b, number)) == "valid"
        report = json.loads(initialised.run("status", "--json").stdout)
        assert report["running"].startswith("yes")
        assert report["valid_transactions"] == 3
        assert report["backlog"] == 0
        assert report["last_block"].endswith(" valid")
    assert json.loads(initialised.run("status", "--json").stdout)["running"] == "no"


def test_drop_asks_and_deletes(initialised: Machine) -> None:
    with initialised.node(), initialised.bigchain() as b:
        b.wait_for_transaction(_written(b))
        refused = initialised.run("drop", "-y")
        assert refused.returncode == 1
        assert "a node uses this database" in _one_line(refused.stderr)
    assert initialised.run("drop", answers="n\n").returncode == 1
    assert initialised.run("status").returncode == 0
    assert initialised.run("drop", "-y").returncode == 0
    assert "bigchaindb init" in initialised.run("status").stderr
    assert [path.name for path in initialised.home.rglob("*") if path.is_file()] in (
        [".bigchaindb", "log"],
        ["log", ".bigchaindb"],
    )


# --- start and stop ----------------------------------------------------------------------------------------


def test_start_on_a_new_machine_configures_and_initialises_itself_and_says_so(machine: Machine) -> None:
    with machine.node() as running:
        until(lambda: "voter" in running.log, 30)
        assert "Nothing is configured here yet" in running.log
        assert str(machine.config_path) in running.log
        with machine.bigchain() as b:
            assert b.wait_for_transaction(_written(b)) == "valid"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("whole_group", [True, False])
def test_a_signal_stops_everything_within_five_seconds(
    initialised: Machine, number: signal.Signals, whole_group: bool
) -> None:
    running = initialised.start()
    until(lambda: len(group_members(running.process.pid)) == len(PROCESSES), 30)
    began = time.monotonic()
    if whole_group:
        os.killpg(running.process.pid, number)  # as Ctrl-C in a terminal does
    else:
        running.process.send_signal(number)
    assert running.process.wait(5) == 0
    assert not group_members(running.process.pid)
    assert time.monotonic() - began < 5


def test_a_second_start_with_the_same_key_says_so_and_ends(initialised: Machine) -> None:
    with initialised.node(), initialised.bigchain() as b:
        b.wait_for_transaction(_written(b))
        second = initialised.run("start")
        assert second.returncode == 1
        assert "is running already" in second.stderr
        assert b.wait_for_transaction(_written(b, 1)) == "valid"


def test_a_killed_node_does_not_delay_its_successor(initialised: Machine) -> None:
    running = initialised.start()
    with initialised.bigchain() as b:
        b.wait_for_transaction(_written(b))
        running.kill_group()
        began = time.monotonic()
        with initialised.node():
            assert b.wait_for_transaction(_written(b, 1)) == "valid"
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("role", ["builder", "voter"])
def test_a_dead_worker_is_started_again(initialised: Machine, role: str) -> None:
    with initialised.node() as running, initialised.bigchain() as b:
        b.wait_for_transaction(_written(b))
        os.kill(_worker(running.process.pid, role), signal.SIGKILL)
        assert b.wait_for_transaction(_written(b, 1)) == "valid"
        assert f"{role} ended with code -9" in running.log


def test_workers_do_not_outlive_a_killed_supervisor(initialised: Machine) -> None:
    running = initialised.start()
    until(lambda: len(group_members(running.process.pid)) == len(PROCESSES), 30)
    running.process.kill()
    running.process.wait()
    until(lambda: not group_members(running.process.pid), 5)


def test_a_vote_removed_behind_the_nodes_back_stops_it_and_is_named(initialised: Machine) -> None:
    with initialised.node(), initialised.bigchain() as b:
        txid = _written(b)
        b.wait_for_transaction(txid)
        (standing,) = b._node.storage.standings(b.me, [txid])[txid]
    database = initialised.home / ".local/share/bigchaindb/ledger.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM votes WHERE block_id = ?", [standing.block_id])
    connection.close()
    running = initialised.start()
    assert running.process.wait(30) == 1
    assert f"this node's vote on block {standing.block_id} is gone from storage" in running.log


def _worker(supervisor: int, role: str) -> int:
    def find() -> list[int]:
        return [
            pid
            for pid in group_members(supervisor)
            if Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").endswith(role.encode())
        ]

    until(find, 10)
    return find()[0]
