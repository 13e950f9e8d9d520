"""Errors as HTTP answers: one table from exception to status, one form for all (RFC 9457).

Invariants:

- Every answer with a status from 400 on, whoever made it, is `application/problem+json` with `status`, `error`,
  `message` and `field`.
- What was not foreseen is a 500 that tells nothing of the inside, and a database that fails a 503 that tells nothing of
  where it is; the log has the rest.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from bigchaindb.exceptions import (
    BigchainDBError,
    DoubleSpend,
    InvalidHash,
    InvalidKey,
    InvalidSignature,
    InvalidValue,
    LedgerError,
    OperationError,
    ReceiptNotReady,
    StorageError,
    TransactionDoesNotExist,
    TransactionError,
    TransactionMalformed,
    TransactionTooLarge,
)
from bigchaindb.web.forms import NAMES_OF_FORMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

__all__ = ["INTERNAL", "NAMES", "NOWHERE", "Problem", "ProblemError", "add_handlers", "members", "problem_of"]

RETRY_SECONDS: Final = 1

# The first that fits counts: a subclass stands before its base.
_TABLE: Final[tuple[tuple[type[BigchainDBError], HTTPStatus, str], ...]] = (
    (DoubleSpend, HTTPStatus.CONFLICT, "double_spend"),
    (ReceiptNotReady, HTTPStatus.CONFLICT, "not_ready"),
    (TransactionTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large"),
    (TransactionMalformed, HTTPStatus.BAD_REQUEST, "malformed"),
    (InvalidValue, HTTPStatus.BAD_REQUEST, "malformed"),
    (InvalidKey, HTTPStatus.BAD_REQUEST, "malformed"),
    (TransactionDoesNotExist, HTTPStatus.NOT_FOUND, "unknown"),
    (InvalidHash, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_hash"),
    (InvalidSignature, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_signature"),
    (OperationError, HTTPStatus.UNPROCESSABLE_ENTITY, "operation"),
    (TransactionError, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid"),
    (StorageError, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
    (LedgerError, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
)

NAMES: Final[Mapping[int, str]] = {
    HTTPStatus.BAD_REQUEST: "malformed",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "unknown",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.NOT_ACCEPTABLE: "not_acceptable",
    HTTPStatus.REQUEST_TIMEOUT: "timeout",
    HTTPStatus.CONFLICT: "double_spend",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid",
    HTTPStatus.TOO_MANY_REQUESTS: "backlog_full",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "too_large",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}
"""What `error` is called where only the status says what is wrong."""

_AWAY: Final = "the ledger's database is away or busy; try again in a moment"
INTERNAL: Final = "something went wrong inside the node; its log says what"
NOWHERE: Final = "there is nothing at this address"


class ProblemError(Exception):
    """A refusal for which the ledger has no exception; for handlers only."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Say what is wrong.

        Args:
            status: of the answer.
            message: what a person reads.
            field: what is at fault, as exceptions of the ledger name it.
            headers: more headers of the answer.
        """
        super().__init__(message)
        self.status = status
        self.members = members(status, message, field)
        self.headers = dict(headers or {})


class Problem(Response):
    """An error as an answer."""

    media_type = "application/problem+json"

    def __init__(self, content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        """Answer with what `members` or `problem_of` returned."""
        super().__init__(json.dumps(content, ensure_ascii=False), content["status"], dict(headers or {}))


def members(status: int, message: str, field: str | None = None, error: str | None = None) -> dict[str, Any]:
    """Return a problem."""
    return {"status": int(status), "error": error or NAMES[status], "message": _clean(message), "field": field}


def problem_of(error: BigchainDBError) -> dict[str, Any]:
    """Return the problem that an exception of the ledger stands for."""
    for kind, status, name in _TABLE:
        if isinstance(error, kind):
            if status == HTTPStatus.SERVICE_UNAVAILABLE:
                return members(status, _AWAY, None, name)
            problem = members(status, str(error), error.field, name)
            return {**problem, "rival": error.rival} if isinstance(error, DoubleSpend) else problem
    return members(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL)


def _clean(message: str) -> str:
    """Return a message without what UTF-8 cannot carry: a part of what somebody sent may be quoted in it."""
    return message.encode(errors="backslashreplace").decode()


def add_handlers(app: FastAPI) -> None:
    """Let an app answer every error as a problem."""
    app.add_exception_handler(BigchainDBError, _on_ledger_error)
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_anything)


async def _on_ledger_error(request: Request, error: Exception) -> Problem:
    assert isinstance(error, BigchainDBError)  # noqa: S101 - registered for it
    problem = problem_of(error)
    if problem["status"] != HTTPStatus.SERVICE_UNAVAILABLE:
        return Problem(problem)
    request.app.state.ledger.doubt(error)
    return Problem(problem, {"Retry-After": str(RETRY_SECONDS)})


async def _on_problem(_: Request, error: Exception) -> Problem:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for it
    return Problem(error.members, error.headers)


async def _on_validation_error(_: Request, error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    first = error.errors()[0]
    field = str(first["loc"][-1])
    return Problem(members(HTTPStatus.BAD_REQUEST, f"{field}: {_reason(first)}", field))


def _reason(error: Mapping[str, Any]) -> str:
    match error["type"]:
        case "extra_forbidden":
            return "there is no such parameter here"
        case "missing":
            return "is missing"
        case "string_pattern_mismatch":
            # Without what was given: it may be a private key.
            form = NAMES_OF_FORMS.get(error["ctx"]["pattern"])
            return f"must be {form}" if form else "is not of the form that it must have"
        case "value_error":  # a validator of ours
            return str(error["ctx"]["error"])
        case _:
            return str(error["msg"])


async def _on_http_exception(request: Request, error: Exception) -> Problem:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    headers = dict(error.headers or {})
    message = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND:
        message = NOWHERE
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # Each of the framework's routes knows only what it does itself.
        headers["Allow"] = ", ".join(request.app.state.operations().methods(request.url.path)) or headers.get(
            "Allow", ""
        )
        message = f"{request.method} is not possible here, but {headers['Allow']}"
    name = NAMES.get(error.status_code, "refused")
    return Problem(members(error.status_code, message, None, name), headers)


async def _on_anything(_: Request, _error: Exception) -> Problem:
    return Problem(members(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL))
