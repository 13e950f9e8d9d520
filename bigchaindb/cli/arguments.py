"""What users type behind the commands of `tx`, read.

Invariants:

- What is wrong in itself is wrong usage, named as it was typed; nobody was asked for anything then.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

import click

from bigchaindb import canonical
from bigchaindb.crypto import VerifyingKey
from bigchaindb.exceptions import InvalidKey, InvalidValue
from bigchaindb.model.timestamp import is_timestamp

__all__ = ["WAIT_SECONDS", "read_inputs", "read_json", "read_owners", "read_timestamp"]

_MAX_JSON_BYTES: Final = 2**24
_OUTPUT: Final = re.compile("(?P<txid>[0-9a-f]{64})(?::(?P<cid>[0-9]{1,15}))?")


class _Seconds(click.FloatRange):
    """How long to wait; not a number is none, though it lies outside of no range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return a number of seconds."""
        seconds = super().convert(value, param, ctx)
        return self.fail(f"{value!r} is not a number of seconds", param, ctx) if math.isnan(seconds) else float(seconds)


WAIT_SECONDS: Final = _Seconds(0, 86_400)


def read_json(_: click.Context, __: click.Parameter, value: str | None) -> dict[str, Any] | None:
    """Read a JSON object: from a file where the value is `@FILE`, from standard input where it is `-`."""
    if value is None:
        return None
    if value == "@":
        raise click.BadParameter("names no file behind the @")
    text: str | bytes = value
    if value == "-" or value.startswith("@"):
        with click.open_file(value.removeprefix("@"), "rb") as file:
            text = file.read(_MAX_JSON_BYTES)
    try:
        found = canonical.loads(text, "JSON")
    except InvalidValue as error:
        raise click.BadParameter(str(error).removeprefix("JSON: ")) from error
    if found is not None and not isinstance(found, dict):
        raise click.BadParameter('must be a JSON object, as in {"title": "Sunset"}')
    return found


def read_inputs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[dict[str, Any]]:
    """Read outputs, each as `TXID` or `TXID:CID`."""
    outputs = []
    for value in values:
        found = _OUTPUT.fullmatch(value)
        if found is None:
            raise click.BadParameter(f"{value!r} is neither the id of a transaction nor such an id, a colon, a number")
        outputs.append({"txid": found["txid"], "cid": int(found["cid"] or 0)})
    return outputs


def read_owners(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[str]:
    """Read public keys, none twice."""
    for i, value in enumerate(values):
        try:
            VerifyingKey(value)
        except InvalidKey as error:
            raise click.BadParameter(str(error)) from error
        if value in values[:i]:
            raise click.BadParameter(f"{value} is named twice")
    return list(values)


def read_timestamp(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Read Unix seconds, with six decimals or fewer."""
    if value is None:
        return None
    whole, _point, decimals = value.partition(".")
    timestamp = f"{whole}.{decimals:0<6}"
    if not is_timestamp(timestamp):
        raise click.BadParameter(f"{value!r} is not Unix seconds with at most six decimals")
    return timestamp
