"""Errors as HTTP answers: one table from exception to status, one form for all (RFC 9457).

Invariants:

- Every answer with a status from 400 on, whoever made it, is `application/problem+json` with `status`, `error`,
  `message` and `field`.
- What was not foreseen is a 500 that tells nothing of the inside; the log has the rest.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from bigchaindb.exceptions import (
    BigchainDBError,
    DoubleSpend,
    InvalidKey,
    InvalidValue,
    LedgerError,
    ReceiptNotReady,
    StorageError,
    TransactionDoesNotExist,
    TransactionError,
    TransactionMalformed,
    TransactionTimeout,
    TransactionTooLarge,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

__all__ = ["Problem", "ProblemError", "add_handlers", "problem_of"]

RETRY_SECONDS: Final = 1

# The first that fits counts: a subclass stands before its base.
_STATUS: Final[tuple[tuple[type[BigchainDBError], HTTPStatus], ...]] = (
    (DoubleSpend, HTTPStatus.CONFLICT),
    (TransactionTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (TransactionMalformed, HTTPStatus.BAD_REQUEST),
    (TransactionDoesNotExist, HTTPStatus.NOT_FOUND),
    (TransactionError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (InvalidValue, HTTPStatus.BAD_REQUEST),
    (InvalidKey, HTTPStatus.BAD_REQUEST),
    (ReceiptNotReady, HTTPStatus.CONFLICT),
    (TransactionTimeout, HTTPStatus.GATEWAY_TIMEOUT),
    (StorageError, HTTPStatus.SERVICE_UNAVAILABLE),
    (LedgerError, HTTPStatus.SERVICE_UNAVAILABLE),
)

_NAMES: Final[dict[int, str]] = {
    HTTPStatus.BAD_REQUEST: "malformed",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "unknown",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_TIMEOUT: "timeout",
    HTTPStatus.CONFLICT: "conflict",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid",
    HTTPStatus.TOO_MANY_REQUESTS: "backlog_full",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}
_INTERNAL: Final = "something went wrong inside the node; its log says what"


class ProblemError(Exception):
    """A refusal that has no exception of the ledger: raised by handlers only."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        error: str | None = None,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        """Say what is wrong."""
        super().__init__(message)
        self.status = status
        self.error = error or _NAMES[status]
        self.field = field
        self.headers = dict(headers or {})
        self.more = more


class Problem(JSONResponse):
    """An error as an answer."""

    media_type = "application/problem+json"

    def __init__(self, status: int, members: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        """Answer with the members of a problem, as `problem_of` makes them."""
        super().__init__(members, status_code=status, headers=dict(headers or {}))


def _members(status: int, error: str, message: str, field: str | None, **more: Any) -> dict[str, Any]:
    return {"status": int(status), "error": error, "message": message, "field": field, **more}


def problem_of(error: BigchainDBError) -> dict[str, Any]:
    """Return an exception of the ledger as the members of a problem."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _members(status, _NAMES[status], _INTERNAL, None)
    if isinstance(error, DoubleSpend):
        return _members(status, "double_spend", str(error), error.field, rival=error.rival)
    return _members(status, _NAMES[status], str(error), error.field)


def add_handlers(app: FastAPI) -> None:
    """Let an app answer every error as a problem."""
    app.add_exception_handler(BigchainDBError, _on_ledger_error)
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_anything)


async def _on_ledger_error(request: Request, error: Exception) -> Problem:
    assert isinstance(error, BigchainDBError)  # noqa: S101 - registered for it
    if isinstance(error, StorageError):
        request.app.state.ledger.doubt()
    members = problem_of(error)
    headers = {"Retry-After": str(RETRY_SECONDS)} if members["status"] == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Problem(members["status"], members, headers)


async def _on_problem(_: Request, error: Exception) -> Problem:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for it
    members = _members(error.status, error.error, str(error), error.field, **error.more)
    return Problem(error.status, members, error.headers)


async def _on_validation_error(_: Request, error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or None
    message = f"{field}: {first['msg']}" if field else str(first["msg"])
    return Problem(HTTPStatus.BAD_REQUEST, _members(HTTPStatus.BAD_REQUEST, "malformed", message, field))


async def _on_http_exception(_: Request, error: Exception) -> Problem:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    name = _NAMES.get(error.status_code, HTTPStatus(error.status_code).phrase.lower().replace(" ", "_"))
    return Problem(error.status_code, _members(error.status_code, name, error.detail, None), error.headers)


async def _on_anything(_: Request, _error: Exception) -> Problem:
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return Problem(status, _members(status, _NAMES[status], _INTERNAL, None))
