"""How far a transaction, or a block, has come."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from bigchaindb.exceptions import TransactionDoesNotExist
from bigchaindb.model.status import Status
from bigchaindb.web.paging import JsonText, as_json
from bigchaindb.web.problems import ProblemError
from bigchaindb.web.schemas import HASH, StatusOf, problems
from bigchaindb.web.state import ask, shared_of

if TYPE_CHECKING:
    from bigchaindb.model.block import Header
    from bigchaindb.node.node import Node
    from bigchaindb.node.queries import Queries

__all__ = ["BLOCK_STATUS", "check_block", "router", "unknown_block"]

router = APIRouter(tags=["transactions"])

BLOCK_STATUS: Final = {True: "valid", False: "rejected", None: "undecided"}
"""What the verdict on a block is called."""


class Which(BaseModel):
    """What to tell of."""

    model_config = ConfigDict(extra="forbid")

    transaction_id: str | None = Field(None, pattern=HASH, description="Id of a transaction.")
    block_id: str | None = Field(None, pattern=HASH, description="Id of a block; one of the two must be given.")


@router.get("/statuses", responses={200: {"model": StatusOf}, **problems(HTTPStatus.NOT_FOUND)})
async def get_status(request: Request, which: Annotated[Which, Query()]) -> JsonText:
    """Return how far a transaction, or a block, has come.

    `backlog`: it waits to be put into a block.  `undecided`: it stands in a block on which there are not enough votes
    yet.  `valid` and `rejected` are final.
    """
    if (which.transaction_id is None) is (which.block_id is None):
        message = "give either transaction_id or block_id"
        raise ProblemError(HTTPStatus.BAD_REQUEST, message, field="transaction_id")
    if which.transaction_id is not None:
        status, reason, _ = await shared_of(request).standings.ask(which.transaction_id)
        if status is Status.UNKNOWN:
            raise TransactionDoesNotExist(f"there is no transaction {which.transaction_id}", field="transaction_id")
        return _answer(which.transaction_id, status, reason)
    block_id = str(which.block_id)
    status_of_block, reason = await ask(request, lambda node, queries: _of_block(node, queries, block_id))
    return _answer(block_id, status_of_block, reason)


def _answer(id_: str, status: str, reason: str | None) -> JsonText:
    return JsonText(as_json({"id": id_, "status": status, "reason": reason}))


def _of_block(node: Node, queries: Queries, block_id: str) -> tuple[str, str | None]:
    check_block(node, block_id)
    verdict = node.view.verdicts([block_id]).get(block_id)
    reasons = [vote.reason for vote in queries.votes(block_id)] if verdict is False else []
    return BLOCK_STATUS[verdict], next((reason for reason in reasons if reason), None)


def check_block(node: Node, block_id: str) -> Header:
    """Return the header of a block.

    Raises:
        ProblemError: it is not there.
    """
    header = node.view.headers([block_id])[block_id]
    if header is None:
        raise unknown_block(block_id)
    return header


def unknown_block(block_id: str) -> ProblemError:
    """Return the error for a block that is not there."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"there is no block {block_id}", field="block_id")
