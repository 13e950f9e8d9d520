"""The configuration's file: where it is, reading and writing it.

Invariants:

- A file is written whole or not at all, and only its owner can read it, from the first instant.
- Nothing is overwritten unasked.
- What is read is bounded.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.config.document import (
    CONFIG_PATH_VARIABLE,
    apply_environment,
    parse,
    setting_variables,
    to_document,
)
from bigchaindb.config.kinds import json_type, shown_key
from bigchaindb.config.settings import Config, join
from bigchaindb.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["default_database_path", "default_path", "load", "write", "write_private"]

MAX_FILE_BYTES: Final = 2**20


def default_path(environ: Mapping[str, str]) -> Path:
    """Return where the configuration is: $BIGCHAINDB_CONFIG_PATH, or $HOME/.bigchaindb.

    Raises:
        ConfigurationError: neither variable is set, or HOME is no full path.
    """
    if environ.get(CONFIG_PATH_VARIABLE):
        return Path(environ[CONFIG_PATH_VARIABLE])
    return _home(environ, CONFIG_PATH_VARIABLE) / ".bigchaindb"


def default_database_path(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Return the file of the ledger where none is configured: in the user's data directory.

    Linux and its kin keep to the XDG base directory specification, which says to ignore a relative XDG_DATA_HOME.

    Args:
        environ: the environment, as `os.environ`.
        platform: as `sys.platform`.

    Raises:
        ConfigurationError: HOME is needed and is no full path.
    """
    if platform == "darwin":
        data = _home(environ, "BIGCHAINDB_DATABASE_PATH") / "Library" / "Application Support"
    elif environ.get("XDG_DATA_HOME", "").startswith("/"):
        data = Path(environ["XDG_DATA_HOME"])
    else:
        data = _home(environ, "BIGCHAINDB_DATABASE_PATH") / ".local" / "share"
    return data / "bigchaindb" / "ledger.sqlite"


def _home(environ: Mapping[str, str], instead: str) -> Path:
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        raise ConfigurationError(f"environment variable HOME is not a full path: set it, or {instead}", field="HOME")
    return Path(home)


def load(path: str | Path | None, environ: Mapping[str, str]) -> Config:
    """Read the configuration: the file, with the environment over it.

    Args:
        path: the file, or None for `default_path`.
        environ: the environment, as `os.environ`.

    Returns:
        The configuration, with the default in place of a null `database.path`.

    Raises:
        ConfigurationError: the file is missing, unreadable, not UTF-8 or not JSON, or it or the environment sets
            something wrong; the message names file or variable, and field.
    """
    path = default_path(environ) if path is None else Path(path)
    document = apply_environment(_read(path), environ)
    variables = setting_variables(environ)
    config = parse(document, f"{path} with {', '.join(variables)}" if variables else str(path))
    if config.database.path is not None:
        return config
    database = dataclasses.replace(config.database, path=str(default_database_path(environ)))
    return dataclasses.replace(config, database=database)


class _Object(dict[str, Any]):
    """A JSON object that remembers a key that it was given twice."""

    repeated: str | None = None


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    result = _Object()
    for key, value in pairs:
        if key in result:
            result.repeated = key
        result[key] = value
    return result


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: there is no such file: run `bigchaindb configure` to make it") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(f"{path}: cannot be read: {reason}") from error
    if len(data) > MAX_FILE_BYTES:
        raise ConfigurationError(f"{path}: is longer than {MAX_FILE_BYTES} bytes, so it is no configuration")
    try:
        document = json.loads(data.decode(), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigurationError(f"{path}: is not JSON at {where}: {error.msg}") from error
    except (RecursionError, ValueError) as error:  # ValueError: an integer of thousands of digits
        raise ConfigurationError(f"{path}: is JSON that is too deep or too large for a configuration") from error
    _refuse_repeated(document, path)
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: is {json_type(document)}, not an object")
    return document


def _refuse_repeated(document: Any, path: Path) -> None:
    # Two levels are all there are; anything deeper is refused for its type.
    objects = {"": document} | (document if isinstance(document, dict) else {})
    for section, item in objects.items():
        if isinstance(item, _Object) and item.repeated is not None:
            name = join(section, shown_key(item.repeated))
            raise ConfigurationError(f"{path}: {name}: appears twice", field=name)


def write(config: Config, path: str | Path, *, overwrite: bool = False) -> None:
    """Write the configuration to a file of mode 0600, all of it or nothing, durably.

    Args:
        config: what to write, private key and all.
        path: the file; where it is a symbolic link, what that points to.
        overwrite: replace a file that is there.

    Raises:
        ConfigurationError: the file exists and `overwrite` is false, or it cannot be written; the message names it.
    """
    write_private(json.dumps(to_document(config), indent=4, ensure_ascii=False) + "\n", path, overwrite=overwrite)


def write_private(text: str, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a text that holds a secret to a file; otherwise as `write`."""
    path = Path(path)
    try:
        target = Path(os.path.realpath(path))
        # mkstemp makes a file that only its owner can open, and follows no link that somebody put there.
        descriptor, temporary = tempfile.mkstemp(prefix=f"{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)  # whatever the umask
                file.write(text.encode())
                file.flush()
                os.fsync(descriptor)
            if overwrite:
                os.replace(temporary, target)  # noqa: PTH105 - as link and unlink beside it
            else:
                os.link(temporary, target)  # unlike rename, it fails where a file is
        finally:
            Path(temporary).unlink(missing_ok=True)
        _sync_directory(target.parent)
    except FileExistsError as error:
        raise ConfigurationError(f"{path}: exists already and was left as it is") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(f"{path}: cannot be written: {reason}") from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
