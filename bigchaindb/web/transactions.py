"""Transactions: sending them, and reading them back."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from bigchaindb.exceptions import DoubleSpend
from bigchaindb.model.status import Status
from bigchaindb.node.histories import history
from bigchaindb.node.listing import Listing
from bigchaindb.web.batches import MAX_BATCH, split_batch
from bigchaindb.web.intake import Sent, read_transaction
from bigchaindb.web.paging import Cursor, JsonText, Paged, as_json, page
from bigchaindb.web.problems import ProblemError, problem_of
from bigchaindb.web.schemas import (
    HASH,
    TRANSACTION_ID,
    Accepted,
    BatchVerdicts,
    TransactionBody,
    TransactionPage,
    json_body,
    problems,
)
from bigchaindb.web.state import API, ask, shared_of
from bigchaindb.web.waiting import WAIT_SECONDS, decided

if TYPE_CHECKING:
    from bigchaindb.web.intake import Verdict

__all__ = ["BODY_ROOM", "Posting", "accepted", "answer_accepted", "as_text", "router"]

router = APIRouter(tags=["transactions"])

_BATCH_BYTES: Final = 8 * 2**20
# JSON that is not canonical takes more bytes: escapes, blanks.
BODY_ROOM: Final = 4


class Posting(BaseModel):
    """How an answer to a new transaction is to be."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["async", "valid"] = Field(
        "async",
        description="`async` answers when the transaction is stored; `valid` waits until it is decided, "
        f"{WAIT_SECONDS:.0f} seconds at the most.",
    )


class ByPayload(Paged):
    """Which transactions to list."""

    payload_hash: str = Field(pattern=HASH, description="Hash of the canonical payload.")


# --- sending -----------------------------------------------------------------------------------------------


def accepted(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return how answers to a new transaction are described."""
    headers = {"Location": {"description": "Where its status is.", "schema": {"type": "string"}}}
    return {
        200: {"model": model, "description": "It is decided valid.", "headers": headers},
        202: {"model": model, "description": "It is stored and will be decided.", "headers": headers},
    }


_REFUSALS: Final = problems(
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
)


@router.post(
    "/transactions",
    status_code=HTTPStatus.ACCEPTED,
    responses={**accepted(Accepted), **_REFUSALS},
    openapi_extra=json_body(TransactionBody),
)
async def post_transaction(request: Request, how: Annotated[Posting, Query()]) -> Response:
    """Send a signed transaction.

    It is checked and stored durably before the answer comes.  Sending the same transaction again is harmless.
    """
    shared = shared_of(request)
    async with shared.bodies.of(request, BODY_ROOM * shared.settings.transaction_bytes) as body:
        (verdict,) = await shared.intake.submit(Sent(len(body), lambda: [as_text(body)], read_transaction))
    return await answer_accepted(request, verdict, how.mode)


def as_text(body: bytes) -> str:
    """Return a body that must be UTF-8 as text.

    Raises:
        ProblemError: it is not.
    """
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        message = f"document: not UTF-8 at byte {error.start}"
        raise ProblemError(HTTPStatus.BAD_REQUEST, message, field="document") from error


async def answer_accepted(request: Request, verdict: Verdict, mode: str, **more: Any) -> Response:
    """Return the answer to a transaction that was submitted.

    Args:
        request: what brought it.
        verdict: what became of it.
        mode: whether to wait for the decision; see `Posting`.
        more: further members of the answer, as texts that are JSON already.

    Raises:
        BigchainDBError: it was refused, or a rival won while this waited.
        ProblemError: it was rejected for another reason while this waited.
    """
    if verdict.error is not None:
        raise verdict.error
    txid = str(verdict.id)
    status, reason, rival = verdict.status, None, None
    if mode == "valid" and status is not Status.VALID:
        status, reason, rival = await decided(request, txid)
    if status is Status.REJECTED:
        message = f"transaction {txid} was rejected: {reason}"
        if rival is not None:
            raise DoubleSpend(message, rival=rival)
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
    if status is Status.UNKNOWN:
        # A moment ago it was there: it is on its way from one place to the next.
        status = Status.BACKLOG
    url = _status_url(request, txid)
    members = [f'"id":"{txid}"', f'"status":"{status}"', f'"status_url":{as_json(url)}']
    members += [f'"{name}":{text}' for name, text in more.items()]
    is_done = mode == "valid" and status is Status.VALID
    code = HTTPStatus.OK if is_done else HTTPStatus.ACCEPTED
    return JsonText(f"{{{','.join(members)}}}", code, {"Location": url})


def _status_url(request: Request, txid: str) -> str:
    """Return where the status of a transaction is, as a path, since a proxy may have another name for this server."""
    return f"{request.scope.get('root_path', '')}{API}/statuses?transaction_id={txid}"


@router.post(
    "/transactions/batch",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        202: {"model": BatchVerdicts, "description": "All are stored and will be decided."},
        207: {"model": BatchVerdicts, "description": "Some were refused; the others are stored."},
        **problems(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.TOO_MANY_REQUESTS
        ),
    },
    openapi_extra=json_body(TransactionBody, is_list=True, most=MAX_BATCH),
)
async def post_batch(request: Request) -> Response:
    """Send up to 1,000 signed transactions; later ones may spend what earlier ones make.

    Each is accepted or refused by itself: `items` has a verdict for each, in order, which says what posting it alone
    would have answered.
    """
    shared = shared_of(request)
    most_bytes = BODY_ROOM * shared.settings.transaction_bytes
    async with shared.bodies.of(request, max(_BATCH_BYTES, most_bytes)) as body:
        sent = Sent(len(body), lambda: split_batch(body, most_bytes), read_transaction, most_bytes=most_bytes)
        verdicts = await shared.intake.submit(sent)
    code = HTTPStatus.MULTI_STATUS if any(v.error for v in verdicts) else HTTPStatus.ACCEPTED
    return JsonText(f'{{"items":[{",".join(_item(request, v) for v in verdicts)}]}}', code)


def _item(request: Request, verdict: Verdict) -> str:
    if verdict.error is not None:
        return as_json({"id": verdict.id, **problem_of(verdict.error)})
    url = as_json(_status_url(request, str(verdict.id)))
    return f'{{"id":"{verdict.id}","status":202,"status_url":{url}}}'


# --- reading -----------------------------------------------------------------------------------------------


@router.get("/transactions/batch", include_in_schema=False)
async def get_batch() -> None:
    """Say that there is nothing to read, rather than take this for an id."""
    raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)


@router.get(
    "/transactions/{transaction_id}",
    responses={200: {"model": TransactionBody, "description": "As it was signed."}, **problems(HTTPStatus.NOT_FOUND)},
)
async def get_transaction(request: Request, transaction_id: Annotated[str, Path(**TRANSACTION_ID)]) -> Response:
    """Return a signed transaction, whatever its status."""
    return JsonText(await shared_of(request).text(transaction_id))


@router.get("/transactions", responses={200: {"model": TransactionPage}, **problems()})
async def list_transactions(request: Request, which: Annotated[ByPayload, Query()]) -> Response:
    """List the valid transactions that carry a payload, in the order in which they were found valid."""
    cursor = Cursor("payload", which.payload_hash)
    after = cursor.read(which.cursor)
    found = await ask(
        request,
        lambda node, queries: Listing(node, queries).texts_with_payload(which.payload_hash, after, which.limit),
    )
    return page((text for _, text in found.items), found.next, cursor)


@router.get(
    "/transactions/{transaction_id}/history",
    responses={200: {"model": TransactionPage}, **problems(HTTPStatus.NOT_FOUND)},
)
async def get_history(
    request: Request, transaction_id: Annotated[str, Path(**TRANSACTION_ID)], how: Annotated[Paged, Query()]
) -> Response:
    """List the valid transactions of the assets that a valid transaction is part of, from CREATE on."""
    cursor = Cursor("history", transaction_id)
    after = cursor.read(how.cursor)
    found = await ask(request, lambda node, queries: history(node, queries, transaction_id, after, how.limit))
    return page((text for _, text in found.items), found.next, cursor)
