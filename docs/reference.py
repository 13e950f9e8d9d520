"""The reference of settings and commands, as Markdown, made from the code that they are in.

Invariants:

- Pure: no file is read, and the machine on which the documentation is built leaves no trace in it.
- Whatever a user can set or type appears; what it means is said in the code, once.
"""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Final

import click

from bigchaindb.cli import cli
from bigchaindb.config import reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bigchaindb.config import Setting

__all__ = ["commands", "commands_markdown", "settings_markdown"]

_PROGRAM: Final = "bigchaindb"


def settings_markdown() -> str:
    """Return a section for every setting, in the order of the file."""
    return "\n".join(map(_setting, reference()))


def _setting(setting: Setting) -> str:
    default = "none: it must be set" if setting.required else f"`{json.dumps(setting.default)}`"
    return (
        f"## `{setting.path}`\n\n"
        f"{setting.meaning}\n\n"
        f"- value: {_literal(setting.type)}\n"
        f"- default: {default}\n"
        f"- environment: `{setting.variable}`\n"
    )


def _literal(kind: str) -> str:
    """Return the words for a kind of values, those that are to be typed as such in code font."""
    return ", ".join(f"`{word}`" for word in kind.split(" | ")) if '"' in kind else kind


def commands() -> list[click.Context]:
    """Return the program itself and all of its commands, each with what is typed for it as `command_path`."""
    return list(_contexts(click.Context(cli, info_name=_PROGRAM, **cli.context_settings)))


def _contexts(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name, command in sorted(context.command.commands.items()):
            yield from _contexts(click.Context(command, info_name=name, parent=context))


def commands_markdown() -> str:
    """Return a section for every command: what it does, how it is called, its options."""
    return "\n".join(map(_command, commands()))


def _command(context: click.Context) -> str:
    command, typed = context.command, context.command_path
    usage = " ".join(command.collect_usage_pieces(context))
    options = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
    lines = [f"## `{typed}`", "", inspect.cleandoc(command.help or ""), "", "```text", f"{typed} {usage}", "```", ""]
    lines += [f"- `{names}`: {meaning}" for names, meaning in options]
    return "\n".join([*lines, ""])
