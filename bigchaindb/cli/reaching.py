"""Which node the commands of `tx` speak to, and as whom.

Invariants:

- An option wins over the environment, the environment over the configuration of a node on this machine.
- A token or private key is never an option's value.
- What is wrong is named by where it is from.
"""

from __future__ import annotations

import getpass
import os
import warnings
from typing import TYPE_CHECKING, Final

import click

from bigchaindb import config as configuration
from bigchaindb.cli.keyfile import read_private_key
from bigchaindb.cli.options import config_path
from bigchaindb.client import DEFAULT_URL, Client
from bigchaindb.crypto import SigningKey
from bigchaindb.exceptions import ConfigurationError, InvalidKey, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bigchaindb.config import Config

__all__ = ["open_client", "private_keys"]

_URL: Final = "BIGCHAINDB_URL"
_PRIVATE_KEY: Final = "BIGCHAINDB_PRIVATE_KEY"
_API_TOKEN: Final = "BIGCHAINDB_API_TOKEN"  # noqa: S105 - its name
_ANY_ADDRESS: Final = {"0.0.0.0": "localhost", "::": "::1"}  # noqa: S104 - nobody binds here
_MAX_TOKEN_BYTES: Final = 2**13


def open_client(url: str | None, token_file: Path | None = None, private_key: str | None = None) -> Client:
    """Return a client of the node that is meant.

    Args:
        url: of the node; None for $BIGCHAINDB_URL, or where the configuration has the node listen.
        token_file: holds the node's token; None for $BIGCHAINDB_API_TOKEN, or that of the configuration.
        private_key: what to sign with.

    Raises:
        ConfigurationError: there is a configuration, and something in it is wrong; the file cannot be read; or the URL
            or token is none.
    """
    token = _read_token(token_file) if token_file else os.environ.get(_API_TOKEN)
    sources = {"url": "--url" if url else _URL, "api_token": str(token_file or _API_TOKEN)}
    url = url or os.environ.get(_URL)
    if url is None:
        config = _configuration()
        url = _url_of(config) if config else DEFAULT_URL
        token = token or (config.server.api_token if config else None)
    try:
        return Client(url, private_key, api_token=token)
    except InvalidValue as error:
        if error.field not in sources:
            raise
        problem = str(error).removeprefix(f"{error.field}: ")
        raise ConfigurationError(f"{sources[error.field]}: {problem}", field=error.field) from error


def _configuration() -> Config | None:
    """Return the configuration of the node on this machine, if there is one."""
    path = config_path()
    return configuration.load(path, os.environ) if path.exists() else None


def _url_of(config: Config) -> str:
    host, port = config.server.address
    if not port:
        raise ConfigurationError(
            f"server.bind: {config.server.bind} is any port: say with --url which", field="server.bind"
        )
    host = _ANY_ADDRESS.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _read_token(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_TOKEN_BYTES).decode().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "holds no token"
        raise ConfigurationError(f"{path}: {reason}") from None


def private_keys(key_files: Sequence[Path]) -> list[str]:
    """Return the keys in files; without any, $BIGCHAINDB_PRIVATE_KEY; without that, what is typed.

    Raises:
        ConfigurationError: a file cannot be read, a key is none, or there is no terminal to type one at.
    """
    if key_files:
        return [read_private_key(path) for path in key_files]
    found = os.environ.get(_PRIVATE_KEY)
    key, source = (found, _PRIVATE_KEY) if found else (_typed_key(), "what was typed")
    try:
        SigningKey(key)
    except InvalidKey as error:
        raise ConfigurationError(f"{source}: {error}") from None
    return [key]


def _typed_key() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # what is typed would be seen
        try:
            return str(click.prompt("Private key", hide_input=True, err=True))
        except getpass.GetPassWarning:
            raise ConfigurationError(
                f"no terminal to type a private key at: give --key-file, or set {_PRIVATE_KEY}"
            ) from None
