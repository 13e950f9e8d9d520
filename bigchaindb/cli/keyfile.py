"""Files that hold a user's key pair.

Invariants:

- A file is made for its owner's eyes only, and never in place of another.
- A private key gets on no command line, where other users of the machine would see it, and into no message.
"""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Final

import click

from bigchaindb.config import write_private
from bigchaindb.crypto import SigningKey
from bigchaindb.exceptions import ConfigurationError, InvalidKey

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_private_key", "write_key_file"]

_MAX_BYTES: Final = 2**16
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def write_key_file(path: Path, private_key: str, public_key: str) -> None:
    """Write a key pair to a new file that only its owner can read.

    Raises:
        ConfigurationError: there is such a file, or it cannot be written.
    """
    write_private(json.dumps({"public": public_key, "private": private_key}, indent=4) + "\n", path)


def read_private_key(path: Path) -> str:
    """Return the private key in a file: one that `write_key_file` made, or one with nothing but the key.

    Raises:
        ConfigurationError: it cannot be read, or holds no key; the message tells nothing of what it holds.
    """
    if _is_key(str(path)):
        raise ConfigurationError(
            "--key-file: was given a key, not a file. Whoever looks at the processes of this machine has seen it: put "
            "it into a file, and better make a new one"
        )
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            text = file.read(_MAX_BYTES).decode().strip()
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else "holds no key"
        raise ConfigurationError(f"{path}: {reason}") from None
    if mode & _OTHERS:
        click.echo(f"Warning: {path} is open to other users of this machine; close it with chmod 600", err=True)
    key = _in_json(text) if text.startswith("{") else text
    if not _is_key(key):
        raise ConfigurationError(f"{path}: holds no private key, as `bigchaindb keys generate` writes it")
    return key


def _in_json(text: str) -> str:
    try:
        key = json.loads(text)["private"]
    except (ValueError, RecursionError, KeyError):
        return ""
    return key if isinstance(key, str) else ""


def _is_key(text: str) -> bool:
    try:
        SigningKey(text)
    except InvalidKey:
        return False
    return True
