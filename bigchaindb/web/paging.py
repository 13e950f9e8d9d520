"""Lists in pages.

Invariants:

- A page ends where it could hold no more, and says with `next` where to go on; `next` is null at the end of the list.
- A cursor belongs to one list, with its parameters, of one ledger: another list refuses it.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.responses import Response

from bigchaindb import crypto
from bigchaindb.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_ITEMS", "Cursor", "JsonText", "Paged", "as_json", "page"]

MAX_ITEMS: Final = 1_000
_DEFAULT_ITEMS: Final = 100
_MARK_CHARACTERS: Final = 12


def _decimal(value: Any) -> Any:
    """Refuse what Python takes for a number but the documentation does not: signs, blanks, fractions."""
    if isinstance(value, str) and not (value.isascii() and value.isdecimal()):
        raise ValueError("is no number")
    return value


class Paged(BaseModel):
    """The parameters that every list has."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, BeforeValidator(_decimal)] = Field(
        _DEFAULT_ITEMS, ge=1, le=MAX_ITEMS, description="How many items at the most; there may be fewer on a page."
    )
    cursor: Annotated[str, WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]+$"})] | None = Field(
        None, description="`next` of the page before; without it, the list begins."
    )


class Cursor:
    """Positions in one list."""

    def __init__(self, *of: str | None) -> None:
        """Name the list and its parameters."""
        self._mark = crypto.hash_data(json.dumps(of))[:_MARK_CHARACTERS]

    def write(self, position: str) -> str:
        """Return a position as it is given to others."""
        return urlsafe_b64encode(f"{self._mark}{position}".encode()).decode().rstrip("=")

    def read(self, cursor: str | None) -> str | None:
        """Return the position in what `write` has returned.

        Raises:
            InvalidValue: it is no cursor of this list.
        """
        if cursor is None:
            return None
        try:
            text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
        except (binascii.Error, UnicodeError):
            text = ""
        if not text.startswith(self._mark) or self.write(text.removeprefix(self._mark)) != cursor:
            raise InvalidValue("cursor: this list has given none such", field="cursor")
        return text.removeprefix(self._mark)


def as_json(value: Any) -> str:
    """Return a value as JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class JsonText(Response):
    """An answer that is JSON already."""

    media_type = "application/json"


def page(items: Iterable[str], following: str | None, cursor: Cursor) -> JsonText:
    """Return a page.

    Args:
        items: what is on it, as JSON.
        following: position from which the list goes on; None at its end.
        cursor: how positions are written.
    """
    shown = None if following is None else cursor.write(following)
    return JsonText(f'{{"items":[{",".join(items)}],"next":{json.dumps(shown)}}}')
