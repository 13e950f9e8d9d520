"""`bigchaindb keyring`: who is a member, and how that changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bigchaindb.node.opening import journal_path
from tests.onenode import OneNode, public
from tests.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, monkeypatch)


@pytest.fixture
def node(sh: Shell) -> Iterator[OneNode]:
    """A configured node with a ledger in the shell's HOME."""
    with OneNode(sh.home) as node:
        yield node


def test_before_the_ledger_begins_members_come_and_go_freely(sh: Shell) -> None:
    sh("configure", "-y")
    me = sh.config.keypair.public
    for name in ("a", "b"):
        added = sh("keyring", "add", public(name))
        assert (added.code, "restart" in added.out) == (0, False)
    assert f"{public('a')} is a member already" in sh("keyring", "add", public("a")).error
    assert sh("keyring", "list").out.split() == [me, public("a"), public("b")]
    assert sh("keyring", "remove", public("a")).code == 0
    assert sh("keyring", "list").out.split() == [me, public("b")]
    assert sh.config.earlier_federations == ()


def test_after_it_has_begun_every_change_is_a_step_of_its_history(sh: Shell, node: OneNode) -> None:
    assert "restart the node" in sh("keyring", "add", public("a")).out
    history = json.loads(sh("keyring", "list", "--json").out)
    assert history == [[public("node")], sorted([public("node"), public("a")])]
    assert sh.config.earlier_federations == ((public("node"),),)
    assert "not in use yet" in sh("keyring", "add", public("b")).error
    assert sh("status").code == 0
    node.close()


def test_a_change_that_nobody_has_used_yet_can_be_taken_back(sh: Shell, node: OneNode) -> None:
    before = sh.config_path.read_text()
    assert "2 of 2 must vote" in sh("keyring", "add", public("a")).out
    assert "not in use yet" in sh("keyring", "add", public("b")).error
    assert sh("keyring", "remove", public("a")).code == 0
    assert json.loads(sh.config_path.read_text()) == json.loads(before)
    assert sh("status").code == 0
    node.close()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["add", "alice"], "KEY is not a public key"),
        (["add", public("node")], "this node is a member already"),
        (["remove", public("node")], "cannot remove itself"),
        (["remove", public("a")], "is no member"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(sh: Shell, node: OneNode, arguments: list[str], problem: str) -> None:
    del node
    before = sh.config_path.read_text()
    assert problem in sh("keyring", *arguments).error
    assert sh.config_path.read_text() == before


def test_what_the_environment_sets_is_not_written_into_the_file(sh: Shell) -> None:
    sh("configure", "-y")
    sh.monkeypatch.setenv("BIGCHAINDB_BLOCK_INTERVAL", "0.25")
    assert sh("keyring", "add", public("a")).code == 0
    document = json.loads(sh.config_path.read_text())
    assert document["block_interval"] != 0.25
    assert document["database"]["path"] is None


@pytest.fixture
def newcomer(sh: Shell, node: OneNode) -> str:
    """The public key of a configuration in the shell's HOME for the ledger of somebody else's node."""
    node.config_path.unlink()
    sh.monkeypatch.setenv("BIGCHAINDB_DATABASE_PATH", str(node.database_path))
    sh("configure", "-y")
    return sh.config.keypair.public


def test_a_newcomer_adopts_the_history_that_a_member_tells(sh: Shell, newcomer: str) -> None:
    history = [[public("node")], sorted([public("node"), newcomer])]
    (sh.home / "history").write_text(json.dumps(history))
    for source, answers in ((str(sh.home / "history"), ""), ("-", json.dumps(history))):
        assert sh("keyring", "adopt", source, answers=answers).code == 0
        assert json.loads(sh("keyring", "list", "--json").out) == history


def test_a_newcomer_may_correct_what_was_another_ledgers(sh: Shell, newcomer: str) -> None:
    for founder in ("x", "node"):
        history = [[public(founder)], sorted([public(founder), newcomer])]
        assert sh("keyring", "adopt", "-", answers=json.dumps(history)).code == 0
    assert sh("status").code == 0


def test_adopting_goes_round_no_refusal(sh: Shell, node: OneNode) -> None:
    me, a, b = public("node"), public("a"), public("b")
    assert sh("keyring", "add", a).code == 0
    before = sh.config_path.read_text()
    history = [[me], sorted([me, a]), sorted([me, a, b])]
    assert "not in use yet" in sh("keyring", "add", b).error
    for adopted, problem in (
        (history, "federation 2 of that history is not in use yet"),
        ([[me]], "federation 2 of the 2 that this node knows is missing"),
        ([[me], sorted([me, b])], "federation 2 of the 2 that this node knows is another one"),
    ):
        assert problem in sh("keyring", "adopt", "-", answers=json.dumps(adopted)).error
        assert sh.config_path.read_text() == before
    assert sh("keyring", "adopt", "-", answers=json.dumps(history[:2])).code == 0
    node.close()


def test_a_ledger_that_is_not_there_now_is_no_reason_to_forget(sh: Shell, node: OneNode) -> None:
    assert sh("keyring", "add", public("a")).code == 0
    node.close()
    node.database_path.unlink()
    assert "is missing in that history" in sh("keyring", "adopt", "-", answers=json.dumps([[public("node")]])).error


@pytest.mark.parametrize("arguments", [("add", "b"), ("remove", "a")])
def test_a_history_is_not_forgotten_while_its_database_is_missing(
    sh: Shell, node: OneNode, arguments: tuple[str, str]
) -> None:
    assert sh("keyring", "add", public("a")).code == 0
    node.close()
    before = sh.config_path.read_text()
    aside = node.database_path.rename(sh.home / "aside")
    error = sh("keyring", arguments[0], public(arguments[1])).error
    assert f"{node.database_path} holds no ledger" in error
    assert "earlier_federations" in error
    assert sh.config_path.read_text() == before
    aside.rename(node.database_path)
    assert sh("keyring", "remove", public("a")).code == 0
    assert sh("status").code == 0


def test_a_node_with_a_journal_has_a_ledger_somewhere(sh: Shell, node: OneNode) -> None:
    node.close()
    journal = journal_path(sh.config_path, node.ledger, public("node"))
    journal.parent.mkdir()
    journal.touch()
    node.database_path.unlink()
    before = sh.config_path.read_text()
    error = sh("keyring", "add", public("a")).error
    assert f"{node.database_path} holds no ledger" in error
    assert str(journal) in error
    assert sh.config_path.read_text() == before
    journal.rename(journal_path(sh.config_path, node.ledger, public("a")))  # somebody else's
    assert sh("keyring", "add", public("a")).code == 0


def test_under_another_quorum_nothing_is_adopted(sh: Shell, node: OneNode) -> None:
    del node
    document = json.loads(sh.config_path.read_text())
    sh.config_path.write_text(json.dumps({**document, "election": {"quorum": "two-thirds"}}))
    assert "election.quorum" in sh("keyring", "adopt", "-", answers=json.dumps([[public("node")]])).error


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not JSON"),
        ("[]", "has no federation"),
        ("[[]]", "is no member of that federation"),
        ("5", "earlier_federations"),
        (json.dumps([[public("x")]]), "is no member of that federation"),
        (json.dumps([[public("x")], [public("node")]]), "differs from 1 by 2 members"),
    ],
)
def test_a_history_that_is_none_is_refused(sh: Shell, node: OneNode, text: str, problem: str) -> None:
    del node
    before = sh.config_path.read_text()
    assert problem in sh("keyring", "adopt", "-", answers=text).error
    assert sh.config_path.read_text() == before
