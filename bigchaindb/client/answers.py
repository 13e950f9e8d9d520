"""A node's answers over HTTP, and the errors that they stand for.

Invariants:

- Nothing that a node says is believed to be in form before it was looked at; what is not becomes `UnexpectedAnswer`.
- What a node says gets into messages as one bounded line of printable characters.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from bigchaindb.exceptions import (
    AccessDenied,
    BacklogFull,
    BigchainDBError,
    DoubleSpend,
    InvalidHash,
    InvalidSignature,
    InvalidValue,
    NodeUnreachable,
    OperationError,
    StorageUnavailable,
    TransactionDoesNotExist,
    TransactionError,
    TransactionMalformed,
    TransactionTooLarge,
    UnexpectedAnswer,
)
from bigchaindb.model.shape import is_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Answer", "clean"]

_PROBLEM: Final = "application/problem+json"
_JSON: Final = "application/json"
_TEXT: Final = "text/plain"
_HINT: Final = "is that the node's URL, without /api or /explorer?"
_SHOWN_CHARACTERS: Final = 500
_FIRST_SUCCESS: Final = 200
_FIRST_REDIRECT: Final = 300
_FIRST_ERROR: Final = 400
# What a proxy says of a node that is away.
_AWAY: Final = frozenset({502, 503, 504})

# What the node's own exception was, by the `error` of the problem.
_ERRORS: Final[Mapping[str, Callable[..., BigchainDBError]]] = {
    "malformed": TransactionMalformed,
    "too_large": TransactionTooLarge,
    "unknown": TransactionDoesNotExist,
    "invalid_hash": InvalidHash,
    "invalid_signature": InvalidSignature,
    "operation": OperationError,
    "invalid": TransactionError,
    "forbidden": AccessDenied,
    "unauthorized": AccessDenied,
    "backlog_full": BacklogFull,
    "unavailable": StorageUnavailable,
}


def clean(text: str) -> str:
    """Return what may be shown of a text from elsewhere: one line, printable, not long."""
    shown = "".join(c if c.isprintable() else " " for c in text[: _SHOWN_CHARACTERS + 1])
    return shown if len(text) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "..."


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node answered, whole.

    Attributes:
        asked: what it was asked, as in `GET http://localhost:9984/api/v1/`.
        status: HTTP status.
        media_type: Content-Type without its parameters, in lower case.
        content: the body.
        location: where it redirects to, or None.
        retry_after_seconds: how long it asks to wait.
    """

    asked: str
    status: int
    media_type: str
    content: bytes
    location: str | None = None
    retry_after_seconds: float = 0.0

    @property
    def is_success(self) -> bool:
        """Whether the status says that all went well."""
        return _FIRST_SUCCESS <= self.status < _FIRST_REDIRECT

    def json(self) -> Any:
        """Return the value of a successful answer.

        Raises:
            UnexpectedAnswer: it holds no JSON.
            BigchainDBError: it is not successful: what it says is wrong.
        """
        if not self.is_success:
            raise self.error()
        if self.media_type != _JSON:
            raise self.unexpected(f"holds {clean(self.media_type) or 'nothing'}, not {_JSON}: {_HINT}")
        return self._value()

    def _value(self) -> Any:
        try:
            return json.loads(self.content, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:  # ValueError: also what is not UTF-8, and huge numbers
            raise self.unexpected(f"holds what is no JSON: {clean(str(error))}") from error

    def unexpected(self, problem: str) -> UnexpectedAnswer:
        """Return the error for an answer that is not as it must be."""
        return UnexpectedAnswer(f"the answer {self.status} to {self.asked} {problem}", status=self.status)

    def error(self) -> BigchainDBError:
        """Return the error that an answer without success stands for."""
        if self.status < _FIRST_ERROR:
            where = f" to {clean(self.location)}" if self.location else ""
            return self.unexpected(f"redirects{where}, which is not followed: {_HINT}")
        if self.media_type != _PROBLEM:
            if self.status in _AWAY:
                return NodeUnreachable(f"{self.asked}: answered {self.status}, not by the node itself")
            said = f" ({clean(self.content.decode(errors='replace'))!r})" if self.media_type == _TEXT else ""
            return self.unexpected(f"holds {clean(self.media_type) or 'nothing'}{said}, not {_PROBLEM}: {_HINT}")
        try:
            problem = self._value()
        except UnexpectedAnswer as error:
            return error
        if not isinstance(problem, dict) or not all(isinstance(problem.get(n), str) for n in ("error", "message")):
            return self.unexpected("has no `error` and `message`")
        return self._as_error(problem)

    def _as_error(self, problem: dict[str, Any]) -> BigchainDBError:
        name, message, field = problem["error"], clean(problem["message"]), problem.get("field")
        field = clean(field) if isinstance(field, str) else None
        if name == "double_spend":
            rival = problem.get("rival")
            return DoubleSpend(message, field=field, rival=rival if is_hash(rival) else None)
        if name == "malformed" and self.asked.startswith("GET"):
            # It cannot have been a transaction.
            return InvalidValue(message, field=field)
        # Without a field, it is the path that a server does not know: this is no node, or not its URL.
        if name in _ERRORS and not (name == "unknown" and field is None):
            return _ERRORS[name](message, field=field)
        return self.unexpected(f"says {clean(name)}: {message}{f': {_HINT}' if name == 'unknown' else ''}")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
