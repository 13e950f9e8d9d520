"""Blocks, votes on them, and what the nodes have recorded of them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from bigchaindb.exceptions import InvalidValue
from bigchaindb.node.listing import Listing, Page
from bigchaindb.web.paging import Cursor, JsonText, Paged, as_json, page
from bigchaindb.web.schemas import BLOCK_ID, HASH, Block, BlockPage, DecisionPage, VotePage, problems
from bigchaindb.web.state import ask
from bigchaindb.web.statuses import BLOCK_STATUS, check_block, unknown_block

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bigchaindb.model.block import Header
    from bigchaindb.model.decision import Decision
    from bigchaindb.model.vote import Vote
    from bigchaindb.node.listing import BlockEntry
    from bigchaindb.node.node import Node
    from bigchaindb.node.queries import Queries

__all__ = ["router"]

router = APIRouter(tags=["blocks"])

_VERDICTS: Final = {status: verdict for verdict, status in BLOCK_STATUS.items()}


class WhichBlocks(Paged):
    """Which blocks to list."""

    transaction_id: str | None = Field(None, pattern=HASH, description="Only those in which this transaction stands.")
    status: Literal["undecided", "valid", "rejected"] | None = Field(None, description="Only those with this status.")


class OfBlock(Paged):
    """Which block."""

    block_id: str = Field(pattern=HASH, description="Id of a block.")


@router.get("/blocks", responses={200: {"model": BlockPage}, **problems()})
async def list_blocks(request: Request, which: Annotated[WhichBlocks, Query()]) -> JsonText:
    """List blocks, without their transactions.

    Those that are `valid` or `rejected` are in the order in which this node decided them; those that are `undecided`,
    and all those of a transaction, in that in which it met them; all there are, in the order of their arrival.  A page
    has 100 blocks at the most.
    """
    cursor = Cursor("blocks", which.transaction_id, which.status)
    after = cursor.read(which.cursor)
    found = await ask(request, lambda node, queries: _find(Listing(node, queries), which, after))
    items = (_members(e.id, e.header, e.signature, e.verdict) for _, e in found.items)
    return page(map(as_json, items), found.next, cursor)


def _find(listing: Listing, which: WhichBlocks, after: str | None) -> Page[BlockEntry]:
    if which.transaction_id is not None:
        verdicts = list(BLOCK_STATUS) if which.status is None else [_VERDICTS[which.status]]
        return listing.blocks_with(which.transaction_id, verdicts=verdicts, after=after, limit=which.limit)
    if which.status is None:
        return listing.blocks(after, which.limit)
    verdict = _VERDICTS[which.status]
    if verdict is None:
        return listing.undecided_blocks(after, which.limit)
    return listing.decided_blocks(verdict=verdict, after=after, limit=which.limit)


def _members(id_: str, header: Header, signature: str, verdict: bool | None) -> dict[str, Any]:  # noqa: FBT001
    return {"id": id_, "status": BLOCK_STATUS[verdict], "block": header.to_dict(), "signature": signature}


@router.get("/blocks/{block_id}", responses={200: {"model": Block}, **problems(HTTPStatus.NOT_FOUND)})
async def get_block(request: Request, block_id: Annotated[str, Path(**BLOCK_ID)]) -> JsonText:
    """Return a block with its transactions."""
    return JsonText(await ask(request, lambda _, queries: _block(queries, block_id)))


def _block(queries: Queries, block_id: str) -> str:
    view = queries.block(block_id)
    if view is None:
        raise unknown_block(block_id)
    members = as_json(_members(view.block.id, view.block.header, view.block.signature, view.verdict))
    contents = "null" if view.contents is None else f"[{','.join(t.text for t in view.contents)}]"
    return f'{members[:-1]},"transactions":{contents}}}'


@router.get("/votes", responses={200: {"model": VotePage}, **problems(HTTPStatus.NOT_FOUND)})
async def list_votes(request: Request, which: Annotated[OfBlock, Query()]) -> JsonText:
    """List the well-signed votes of a block's voters, ordered by voter; those that came later behind a cursor."""
    return await _signed(request, which, "votes", lambda queries: queries.votes(which.block_id))


@router.get("/decisions", responses={200: {"model": DecisionPage}, **problems(HTTPStatus.NOT_FOUND)})
async def list_decisions(request: Request, which: Annotated[OfBlock, Query()]) -> JsonText:
    """List what the voters of a block have recorded of it, well signed, in the same order."""
    return await _signed(request, which, "decisions", lambda queries: queries.decisions(which.block_id))


async def _signed(
    request: Request, which: OfBlock, name: str, read: Callable[[Queries], Sequence[Vote | Decision]]
) -> JsonText:
    """Return a page of what nodes have signed about a block, each once.

    A node may sign after others whose keys come behind its own, so a cursor says which of the voters were on the pages
    before it: a bit for each, in the order of the block's header, which bounds it.
    """
    cursor = Cursor(name, which.block_id)
    given = _bits(cursor.read(which.cursor))

    def texts(node: Node, queries: Queries) -> list[tuple[int, str]]:
        voters = check_block(node, which.block_id).voters
        signed = {each.node: each.text for each in read(queries)}
        return [
            (1 << place, signed[voter])
            for place, voter in enumerate(voters)
            if voter in signed and not given & 1 << place
        ]

    found = await ask(request, texts)
    shown = found[: which.limit]
    told = f"{given | sum(bit for bit, _ in shown):x}" if len(found) > len(shown) else None
    return page((text for _, text in shown), told, cursor)


def _bits(position: str | None) -> int:
    try:
        return int(position or "0", 16)
    except ValueError as error:
        raise InvalidValue("cursor: this list has given none such", field="cursor") from error
