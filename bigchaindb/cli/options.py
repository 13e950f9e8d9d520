"""What commands have in common: which configuration they are about, and how they ask."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bigchaindb import config as configuration

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigchaindb.config import Config

__all__ = ["config_option", "config_path", "database_name", "load", "yes_option"]

_CONFIG_KEY: Final = "config path"


def _remember_config_path(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.find_root().meta[_CONFIG_KEY] = value


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command be told which configuration file to use; it may stand before or behind the command's name."""
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        expose_value=False,
        callback=_remember_config_path,
        help="Configuration file.  [default: $BIGCHAINDB_CONFIG_PATH, or $HOME/.bigchaindb]",
    )(command)


def yes_option(meaning: str) -> Callable[..., Any]:
    """Let a command be told not to ask."""
    return click.option("-y", "--yes", is_flag=True, help=meaning)


def config_path() -> Path:
    """Return the full path of the configuration file of the command that runs."""
    path = click.get_current_context().find_root().meta.get(_CONFIG_KEY)
    return (path or configuration.default_path(os.environ)).absolute()


def load() -> tuple[Config, Path]:
    """Return the configuration in force, and the path of its file."""
    path = config_path()
    return configuration.load(path, os.environ), path


def database_name(config: Config) -> str:
    """Return what to call the database of a configuration."""
    database = config.database
    return str(database.file) if database.backend == "sqlite" else f"{database.host}:{database.port}/{database.name}"
