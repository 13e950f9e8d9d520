"""New assets, which only nodes of the federation may create: this node does so for those who may ask it to."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from bigchaindb import canonical
from bigchaindb.exceptions import InvalidValue
from bigchaindb.model.building import create_transaction, sign_transaction
from bigchaindb.model.shape import Shape
from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.model.transaction import Operation, Transaction
from bigchaindb.web.access import check_may_create
from bigchaindb.web.intake import Sent
from bigchaindb.web.schemas import AcceptedAsset, NewAsset, json_body, problems
from bigchaindb.web.state import shared_of
from bigchaindb.web.transactions import BODY_ROOM, Posting, accepted, answer_accepted, as_text

if TYPE_CHECKING:
    from bigchaindb.node.node import Node

__all__ = ["router"]

router = APIRouter(tags=["assets"])

_shape: Final = Shape(InvalidValue)


@router.post(
    "/assets",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        **accepted(AcceptedAsset),
        **problems(
            HTTPStatus.FORBIDDEN,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            HTTPStatus.TOO_MANY_REQUESTS,
        ),
    },
    openapi_extra={**json_body(NewAsset), "security": [{"token": []}, {}]},
)
async def post_asset(request: Request, how: Annotated[Posting, Query()]) -> Response:
    """Have this node create an asset, and sign its CREATE.

    It needs the node's token; where none is set and only this machine can reach the node, none.
    """
    shared = shared_of(request)
    check_may_create(request, shared.settings)
    async with shared.bodies.of(request, BODY_ROOM * shared.settings.transaction_bytes) as body:
        (verdict,) = await shared.intake.submit(Sent(len(body), lambda: [as_text(body)], _create, with_text=True))
    return await answer_accepted(request, verdict, how.mode, transaction=verdict.text)


def _document(text: str) -> Any:
    try:
        return canonical.loads(text, "document")
    except InvalidValue as error:
        # Fields are named from the document on, as those of a transaction are.
        field = (error.field or "document").removeprefix("document.")
        raise InvalidValue(str(error).removeprefix("document."), field=field) from error


def _create(text: str, node: Node) -> Transaction:
    """Return the signed CREATE that a body asks for."""
    wanted = _shape.fields(_document(text), "", {"new_owners"}, {"payload", "timestamp"})
    owners = wanted["new_owners"]
    timestamp = wanted.get("timestamp")
    unsigned = create_transaction(
        node.me,
        list(_shape.keys(owners if isinstance(owners, list) else [owners], "new_owners")),
        (),
        Operation.CREATE,
        payload=wanted.get("payload"),
        timestamp=format_timestamp(node.clock()) if timestamp is None else timestamp,
    )
    most = node.max_transaction_bytes
    return Transaction.from_dict(sign_transaction(unsigned, {node.me: node.key}, {}, max_bytes=most), most)
