"""What an owner has."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field

from bigchaindb.node.listing import Listing
from bigchaindb.web.paging import Cursor, JsonText, Paged, as_json, page
from bigchaindb.web.parameters import PublicKey
from bigchaindb.web.schemas import OutputPage, problems
from bigchaindb.web.state import ask

__all__ = ["router"]

router = APIRouter(tags=["outputs"])


class OfOwner(Paged):
    """Which outputs to list."""

    public_key: PublicKey = Field(description="The owner: base58 of an Ed25519 public key.")
    spent: Literal["true", "false"] | None = Field(
        None,
        description="`false`: what could be spent now. `true`: what a valid transaction spends. Without it, all: also "
        "what a transaction spends that is on its way.",
    )


@router.get("/outputs", responses={200: {"model": OutputPage}, **problems()})
async def list_outputs(request: Request, which: Annotated[OfOwner, Query()]) -> JsonText:
    """List the outputs of valid transactions that name an owner, in the order in which these were found valid.

    With `spent=true` it is the order in which what spends them was found valid.
    """
    cursor = Cursor("outputs", which.public_key, which.spent)
    after = cursor.read(which.cursor)
    spent = None if which.spent is None else which.spent == "true"
    found = await ask(
        request,
        lambda node, queries: Listing(node, queries).holdings(
            which.public_key, spent=spent, after=after, limit=which.limit
        ),
    )
    items = ({"txid": h.ref.txid, "cid": h.ref.cid, "spent_by": h.spent_by} for _, h in found.items)
    return page(map(as_json, items), found.next, cursor)
