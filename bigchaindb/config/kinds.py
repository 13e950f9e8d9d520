"""Kinds of values that settings take: what is accepted, and how an environment variable spells it.

Invariants:

- `accept` is idempotent: what it returned it returns again, so that a constructor may check what was checked before.
- Neither a private key, nor a password, nor a token appears in a message.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bigchaindb.crypto import SigningKey, VerifyingKey
from bigchaindb.exceptions import InvalidKey

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ADDRESS",
    "DATABASE_NAME",
    "FULL_PATH",
    "HOST",
    "LISTS_OF_PUBLIC_KEYS",
    "ORIGINS",
    "PASSWORD",
    "PORT",
    "PRIVATE_KEY",
    "PUBLIC_KEY",
    "PUBLIC_KEYS",
    "TOKEN",
    "USER_NAME",
    "Kind",
    "Refused",
    "choice",
    "integer",
    "json_type",
    "number",
    "or_null",
    "shown",
    "shown_key",
    "split_address",
]

MAX_TEXT_CHARACTERS: Final = 4096
_MAX_PORT: Final = 65535
_SHOWN_CHARACTERS: Final = 60
_SHOWN_INTEGER: Final = 2**63
_LEAST_TOKEN_CHARACTERS: Final = 16

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SYSTEM_NAME: Final = "rethinkdb"
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # what a client can send: RFC 6750
_ORIGIN: Final = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")  # as browsers write it: RFC 6454
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?([eE][-+]?[0-9]{1,3})?")


class Refused(ValueError):
    """A value is not of its kind.  The message has no subject: the caller puts the name of the setting before it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What values a setting takes.

    Attributes:
        name: the kind in words, for the reference.
        accept: returns a JSON value as a `Config` keeps it, or raises `Refused`.
        read: turns the text of an environment variable into the JSON value that would stand in the file, or raises
            `Refused`.
    """

    name: str
    accept: Callable[[Any], Any]
    read: Callable[[str], Any] = str


def json_type(value: Any) -> str:
    """Return what a value is in the words of JSON, with an article."""
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    for known, name in names.items():  # bool before int, which it is too
        if isinstance(value, known):
            return name
    return f"a {type(value).__name__}"


def shown(value: Any) -> str:
    """Return the repr of a string or number, cut where it is long: always one line, which no value can forge."""
    if isinstance(value, int) and abs(value) >= _SHOWN_INTEGER:
        return "a huge integer"
    return _cut(repr(value))


def shown_key(key: Any) -> str:
    """Return a key of a JSON object as `shown`, but a string without its quotes."""
    return _cut(repr(key)[1:-1]) if isinstance(key, str) else shown(key)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused(f"is {json_type(value)}, not a string")
    if not value:
        raise Refused("is empty")
    if len(value) > MAX_TEXT_CHARACTERS:
        raise Refused(f"has more than {MAX_TEXT_CHARACTERS} characters")
    if not value.isprintable():  # control characters, line ends, and lone surrogates, which UTF-8 cannot carry
        raise Refused(f"{shown(value)} has characters that cannot be printed")
    return value


def or_null(kind: Kind) -> Kind:
    """Return the kind that also takes null, which an environment variable spells as empty text."""
    return Kind(
        f"{kind.name} or null",
        lambda value: None if value is None else kind.accept(value),
        lambda text: kind.read(text) if text else None,
    )


def choice(*options: str) -> Kind:
    """Return the kind of one of a few words."""

    def accept(value: Any) -> str:
        if _text(value) not in options:
            raise Refused(f"{shown(value)} is none of {', '.join(options)}")
        return str(value)

    return Kind(" | ".join(f'"{option}"' for option in options), accept)


def integer(least: int, most: int) -> Kind:
    """Return the kind of an integer in a range, both ends included."""

    def accept(value: Any) -> int:
        if type(value) is not int:  # not isinstance: True is no port
            raise Refused(f"is {json_type(value)}, not an integer")
        if not least <= value <= most:
            raise Refused(f"{shown(value)} is not in {least} to {most}")
        return value

    def read(text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise Refused(f"{shown(text)} is not an integer")
        return int(text)

    return Kind(f"integer, {least} to {most}", accept, read)


def number(least: float, most: float) -> Kind:
    """Return the kind of a number in a range, both ends included; a `Config` keeps it as float."""

    def accept(value: Any) -> float:
        if type(value) not in {int, float}:
            raise Refused(f"is {json_type(value)}, not a number")
        if not least <= value <= most:  # NaN is in no range
            raise Refused(f"{shown(value)} is not in {least:g} to {most:g}")
        return float(value)

    def read(text: str) -> float:
        if not _NUMBER.fullmatch(text):
            raise Refused(f"{shown(text)} is not a number")
        return float(text)

    return Kind(f"number, {least:g} to {most:g}", accept, read)


def _host(value: Any) -> str:
    host = _text(value)
    if not _HOST_NAME.fullmatch(host):
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise Refused(f"{shown(host)} is not a host name or address") from None
    return host


def split_address(value: Any) -> tuple[str, int]:
    """Return the host, without brackets, and the port of host:port.

    Raises:
        Refused: it is anything else.
    """
    host, colon, port = _text(value).rpartition(":")
    if not colon or not port:
        raise Refused(f"{shown(value)} has no port: say host:port, as in localhost:9984")
    if not _INTEGER.fullmatch(port):
        raise Refused(f"{shown(port)} is not a port")
    if not 0 <= int(port) <= _MAX_PORT:
        raise Refused(f"the port {port} is not in 0 to {_MAX_PORT}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise Refused(f"{shown(value)}: an IPv6 address stands in brackets, as in [::1]:9984")
    if not host:
        raise Refused(f"{shown(value)} has no host: say host:port, as in localhost:9984")
    return _host(host), int(port)


def _address(value: Any) -> str:
    split_address(value)
    return str(value)


def _path(value: Any) -> str:
    path = _text(value)
    if not Path(path).is_absolute():
        # Relative to what?  A node started from another directory would find an empty ledger.
        raise Refused(f"{shown(path)} is not a full path, one that begins with /")
    return path


def _name(value: Any) -> str:
    if not _NAME.fullmatch(_text(value)):
        raise Refused(f"{shown(value)} is not a name of 1 to 64 letters, digits, _ and -")
    if value == _SYSTEM_NAME:
        raise Refused(f"{shown(value)} is the server's own database")
    return str(value)


def _user_name(value: Any) -> str:
    # What the driver can send.
    if not _text(value).isascii():
        raise Refused(f"{shown(value)} has characters that are not ASCII")
    return str(value)


def _password(value: Any) -> str:
    # It is not quoted, not even by the context of an error.
    if not isinstance(value, str):
        raise Refused(f"is {json_type(value)}, not a string")
    if not value:
        raise Refused("is empty")
    if len(value) > MAX_TEXT_CHARACTERS:
        raise Refused(f"has more than {MAX_TEXT_CHARACTERS} characters")
    if not value.isprintable():
        raise Refused("has characters that cannot be printed")
    return value


def _token(value: Any) -> str:
    # It is not quoted, like a password.
    if not isinstance(value, str):
        raise Refused(f"is {json_type(value)}, not a string")
    if not _LEAST_TOKEN_CHARACTERS <= len(value) <= MAX_TEXT_CHARACTERS:
        raise Refused(f"has not {_LEAST_TOKEN_CHARACTERS} to {MAX_TEXT_CHARACTERS} characters")
    if not _TOKEN.fullmatch(value):
        raise Refused("has characters other than A-Z a-z 0-9 . _ ~ + / - and, at its end, =")
    return value


def _origins(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise Refused(f"is {json_type(value)}, not a list")
    for place, item in enumerate(value):
        if not isinstance(item, str):
            raise Refused(f"item {place} is {json_type(item)}, not a string")
        if not _ORIGIN.fullmatch(item):
            raise Refused(
                f"item {place}, {shown(item)}, is not an origin as browsers send it, like https://example.org"
            )
    return tuple(value)


def _public_key(value: Any) -> str:
    return _key(value, VerifyingKey, "is not a public key: base58 of 32 bytes")


def _private_key(value: Any) -> str:
    return _key(value, SigningKey, "is not a private key: base58 of 32 bytes")


def _key(value: Any, make: type[SigningKey | VerifyingKey], problem: str) -> str:
    # Neither kind is quoted, not even by the context of an error: what stands in the wrong place may be a secret.
    if not isinstance(value, str):
        raise Refused(f"is {json_type(value)}, not a string")
    if not _makes(value, make):
        raise Refused(problem)
    return value


def _makes(value: str, make: type[SigningKey | VerifyingKey]) -> bool:
    try:
        make(value)
    except InvalidKey:
        return False
    return True


def _public_keys(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise Refused(f"is {json_type(value)}, not a list")
    places: dict[str, int] = {}
    for place, item in enumerate(value):
        try:
            key = _public_key(item)
        except Refused as error:
            raise Refused(f"item {place} {error}") from None
        if key in places:
            raise Refused(f"item {place} repeats item {places[key]}")
        places[key] = place
    return tuple(places)


def _lists_of_public_keys(value: Any) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list | tuple):
        raise Refused(f"is {json_type(value)}, not a list")
    lists = []
    for place, item in enumerate(value):
        try:
            lists.append(_public_keys(item))
        except Refused as error:
            raise Refused(f"item {place} {error}") from None
    return tuple(lists)


ADDRESS: Final = Kind("host:port", _address)
HOST: Final = Kind("host name or address", _host)
PORT: Final = integer(1, _MAX_PORT)
FULL_PATH: Final = Kind("full path", _path)
DATABASE_NAME: Final = Kind("name", _name)
USER_NAME: Final = Kind("text", _user_name)
PASSWORD: Final = Kind("text", _password)
TOKEN: Final = Kind("token", _token)
ORIGINS: Final = Kind("list of origins", _origins, lambda text: text.split(",") if text else [])
PUBLIC_KEY: Final = Kind("public key", _public_key)
PRIVATE_KEY: Final = Kind("private key", _private_key)
PUBLIC_KEYS: Final = Kind("list of public keys", _public_keys, lambda text: text.split(":") if text else [])
LISTS_OF_PUBLIC_KEYS: Final = Kind(
    "list of lists of public keys",
    _lists_of_public_keys,
    lambda text: [item.split(":") for item in text.split(",")] if text else [],
)
