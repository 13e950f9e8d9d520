"""From a JSON document and the environment to a `Config`, and back.

Invariants:

- Pure: the environment is an argument, and no argument is changed.
- The environment wins over the document, the document over the defaults.
- `parse(to_document(config), ...) == config`.
"""

from __future__ import annotations

import dataclasses
import difflib
from typing import TYPE_CHECKING, Any, Final, TypeVar

from bigchaindb.config.kinds import Refused, json_type, shown_key
from bigchaindb.config.settings import (
    ENVIRONMENT_PREFIX,
    Config,
    Section,
    field_error,
    join,
    members,
    table,
    variable_of,
)
from bigchaindb.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["apply_environment", "masked", "parse", "setting_variables", "to_document"]

CONFIG_PATH_VARIABLE: Final = "BIGCHAINDB_CONFIG_PATH"
TEST_PREFIX: Final = "BIGCHAINDB_TEST_"
# What `bigchaindb tx` reads; they set nothing of a node.
CLIENT_VARIABLES: Final = frozenset({"BIGCHAINDB_URL", "BIGCHAINDB_PRIVATE_KEY", "BIGCHAINDB_API_TOKEN"})
MASK: Final = "********"
_COMPARED_CHARACTERS: Final = 60

_Some = TypeVar("_Some", bound=Section)


def parse(document: Any, source: str) -> Config:
    """Check a configuration document and make it a `Config`.

    Args:
        document: what the JSON file holds; what is absent has its default.
        source: where it is from, for messages.

    Raises:
        ConfigurationError: an unknown key, a wrong type or value, keys that are missing or are no pair; the message
            names the source and the field.
    """
    try:
        return _build(Config, document)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error}", field=error.field) from error


def _build(section: type[_Some], document: Any) -> _Some:
    if not isinstance(document, dict):
        problem = f"is {json_type(document)}, not an object"
        raise field_error(section.section, problem) if section.section else ConfigurationError(problem)
    items = members(section)
    for key in document:
        if key not in items:
            raise field_error(join(section.section, shown_key(key)), f"is no setting{_suggestion(key, section)}")
    values: dict[str, Any] = {}
    for name, item in items.items():
        inner = item.metadata.get("section")
        if inner is not None:
            values[item.name] = _build(inner, document.get(name, {}))
        elif name in document:
            values[item.name] = document[name]
        elif item.default is dataclasses.MISSING:
            raise field_error(join(section.section, name), "is missing: `bigchaindb configure` makes the keys")
    return section(**values)


def _suggestion(key: Any, section: type[Section]) -> str:
    """Return ": did you mean ...?" for the nearest name of this section or, failing that, of the whole table."""
    here = {name: join(section.section, name) for name in members(section)}
    anywhere = {path.rpartition(".")[2]: path for path in table()} | {path: path for path in table()}
    for names in (here, anywhere):
        near = difflib.get_close_matches(shown_key(key).lower(), names, n=1)
        if near:
            return f": did you mean {names[near[0]]}?"
    return ""


def to_document(config: Config) -> dict[str, Any]:
    """Return the JSON document of a configuration, private key and all; `parse` of it gives an equal `Config`."""
    return _document(config)


def _document(section: Section) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, item in members(type(section)).items():
        value = getattr(section, item.name)
        if isinstance(value, Section):
            value = _document(value)
        document[name] = _as_json(value)
    return document


def _as_json(value: Any) -> Any:
    return [_as_json(item) for item in value] if isinstance(value, tuple) else value


def masked(config: Config) -> dict[str, Any]:
    """Return the document with what is secret replaced by asterisks, to be shown."""
    document = to_document(config)
    for path, item in table().items():
        section, _, name = path.rpartition(".")
        place = document[section] if section else document
        if item.metadata["is_secret"] and place[name] is not None:
            place[name] = MASK
    return document


def apply_environment(document: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return a copy of a document with what the environment sets put over it.

    `BIGCHAINDB_DATABASE_PORT` sets `database.port`, and so on.  A list is split on ":", empty text being the empty
    list; empty text is null where null is allowed.

    Args:
        document: what the JSON file holds; it is not changed.
        environ: the environment, as `os.environ`.

    Raises:
        ConfigurationError: a variable that sets nothing, or has a wrong value; the message names it.
    """
    result = {key: dict(value) if isinstance(value, dict) else value for key, value in document.items()}
    settings = {variable_of(path): (path, item) for path, item in table().items()}
    for variable in setting_variables(environ):
        if variable not in settings:
            near = difflib.get_close_matches(variable[:_COMPARED_CHARACTERS], settings, n=1)
            hint = f": did you mean {near[0]}?" if near else ""
            raise ConfigurationError(f"environment variable {shown_key(variable)} is no setting{hint}", field=variable)
        path, item = settings[variable]
        try:
            value = item.metadata["kind"].read(environ[variable])
            item.metadata["kind"].accept(value)
        except Refused as error:
            raise ConfigurationError(f"environment variable {variable}: {path}: {error}", field=path) from error
        section, _, name = path.rpartition(".")
        place = result.setdefault(section, {}) if section else result
        if isinstance(place, dict):  # where it is none, `parse` says so
            place[name] = value
    return result


def setting_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the environment variables that are meant to set something, sorted."""
    others = {CONFIG_PATH_VARIABLE, *CLIENT_VARIABLES}
    return sorted(
        name
        for name in environ
        if name.startswith(ENVIRONMENT_PREFIX) and name not in others and not name.startswith(TEST_PREFIX)
    )
