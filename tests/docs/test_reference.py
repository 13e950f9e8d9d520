"""Whatever can be set, typed, imported or read on the screen is in the documentation, with words to it."""

from __future__ import annotations

import json
import re

import click
import pytest

import bigchaindb
from bigchaindb import config, cryptoconditions, exceptions
from docs.reference import commands, commands_markdown, settings_markdown
from tests.docs.pages import DOCS, ROOT, blocks

SETTINGS = {setting.path: setting for setting in config.reference()}
COMMANDS = {context.command_path: context for context in commands()}


@pytest.mark.parametrize("path", SETTINGS)
def test_every_setting_is_described(path: str) -> None:
    setting = SETTINGS[path]
    section = sections(settings_markdown())[f"`{path}`"]
    assert setting.meaning.endswith(".")
    assert setting.meaning in section
    assert f"`{setting.variable}`" in section


def test_every_command_of_the_program_is_in_the_reference() -> None:
    assert {f"`{typed}`" for typed in COMMANDS} == sections(commands_markdown()).keys()


@pytest.mark.parametrize("typed", COMMANDS)
def test_every_command_and_each_of_its_options_is_described(typed: str) -> None:
    command = COMMANDS[typed].command
    section = sections(commands_markdown())[f"`{typed}`"]
    assert command.help
    assert command.help.splitlines()[0] in section
    for parameter in command.get_params(COMMANDS[typed]):
        if isinstance(parameter, click.Argument):  # it has no help of its own, so the command's must speak of it
            assert parameter.human_readable_name in command.help
            continue
        assert isinstance(parameter, click.Option)
        assert parameter.help
        assert parameter.help in section
        assert all(spelling in section for spelling in parameter.opts)


def test_the_configuration_shown_is_one_with_the_defaults() -> None:
    (example,) = blocks((DOCS / "configuration.md").read_text(), "json")
    parsed = config.parse(json.loads(example), "configuration.md")
    assert parsed == config.new_config(parsed.keypair.private, parsed.keypair.public)


@pytest.mark.parametrize(
    ("page", "directive"), [("configuration", "settings-reference"), ("commands", "commands-reference")]
)
def test_the_pages_show_what_is_generated(page: str, directive: str) -> None:
    assert f"```{{{directive}}}\n```" in (DOCS / f"{page}.md").read_text()


@pytest.mark.parametrize(
    "name",
    [
        *(f"bigchaindb.{name}" for name in bigchaindb.__all__ if not name.startswith("_")),
        *(f"bigchaindb.cryptoconditions.{name}" for name in cryptoconditions.__all__ if name not in {"Node", "TYPES"}),
    ],
)
def test_every_public_name_is_in_the_api_reference(name: str) -> None:
    assert re.search(rf"^\.\. auto(class|function):: {re.escape(name)}$", (DOCS / "api.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", exceptions.__all__)
def test_every_error_says_when_it_is_raised(name: str) -> None:
    assert getattr(exceptions, name).__doc__


def messages() -> list[str]:
    """Return what the guides for operators say that a node may say, each with … for what varies."""
    guides = "".join((DOCS / name).read_text() for name in ("operating.md", "federation.md"))
    rows = re.findall(r"^\| (`.+?`) \|", guides, re.MULTILINE)
    return [row.strip("`") for row in rows]


@pytest.mark.parametrize("message", messages())
def test_a_message_that_is_explained_is_one_that_a_node_gives(message: str) -> None:
    # Strings that stand side by side are one.
    code = "".join(path.read_text() for path in sorted((ROOT / "bigchaindb").rglob("*.py")))
    code = re.sub(r'"\n\s+f?"', "", code)
    for part in message.split("…"):
        assert part.strip(" .:") in code


def test_there_are_messages_to_explain() -> None:
    assert len(messages()) > 20


def sections(markdown: str) -> dict[str, str]:
    """Return the text under each heading."""
    parts = re.split(r"^## (.+)$", markdown, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
