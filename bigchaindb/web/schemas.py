"""What goes in and comes out, for the OpenAPI document.

Nothing is checked with these: requests are parsed by the rules of the ledger, and answers are what is stored.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from bigchaindb.web.forms import HASH, KEY
from bigchaindb.web.problems import NAMES

__all__ = [
    "BLOCK_ID",
    "HASH",
    "KEY",
    "TRANSACTION_ID",
    "About",
    "Accepted",
    "AcceptedAsset",
    "BatchVerdicts",
    "Block",
    "BlockPage",
    "DecisionPage",
    "Health",
    "Holding",
    "NewAsset",
    "OutputPage",
    "ProblemBody",
    "StatusOf",
    "TransactionBody",
    "TransactionPage",
    "VotePage",
    "json_body",
    "problems",
]

_TIMESTAMP: Final = r"^(0|[1-9][0-9]{0,10})\.[0-9]{6}$"
_EXAMPLE_ID: Final = "8e2f0c7b3a1d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7"

Hash = Annotated[str, Field(pattern=HASH)]
Key = Annotated[str, Field(pattern=KEY)]
Timestamp = Annotated[str, Field(pattern=_TIMESTAMP, description="Unix seconds with exactly six decimals.")]

TRANSACTION_ID: Final = {"pattern": HASH, "description": "Id of a transaction: 64 hexadecimal characters."}
BLOCK_ID: Final = {"pattern": HASH, "description": "Id of a block: 64 hexadecimal characters."}


class _Exact(BaseModel):
    model_config = ConfigDict(extra="forbid")


# --- transactions ------------------------------------------------------------------------------------------


class Input(_Exact):
    """An output of an earlier transaction."""

    txid: Hash
    cid: Annotated[int, Field(ge=0)]


class FulfillmentBody(_Exact):
    """What gives up one output, or brings an asset into being."""

    fid: Annotated[int, Field(ge=0, description="Its place in the list, from 0.")]
    current_owners: list[Key] | None
    input: Input | None = Field(description="What it spends; null in a CREATE.")
    fulfillment: str | None = Field(description="A crypto-condition fulfillment, `cf:...`.")


class Lock(_Exact):
    """A crypto-condition."""

    uri: Annotated[str, Field(description="`cc:...`, what `details` derive to.")]
    details: Annotated[
        dict[str, Any], Field(description="The condition as a tree; absent where a secret is kept.")
    ] = {}


class ConditionBody(_Exact):
    """What becomes of what the fulfillment at the same place gives up."""

    cid: Annotated[int, Field(ge=0, description="Its place in the list, from 0.")]
    condition: Lock
    new_owners: list[Key] | None


class Data(_Exact):
    """A payload and its hash."""

    hash: Hash
    payload: dict[str, Any]


class Inner(_Exact):
    """What the id of a transaction covers, but for the fulfillments themselves."""

    operation: Literal["CREATE", "TRANSFER", "GENESIS"]
    timestamp: Timestamp
    data: Data | None
    fulfillments: Annotated[list[FulfillmentBody], Field(min_length=1)]
    conditions: Annotated[list[ConditionBody], Field(min_length=1)]


class TransactionBody(_Exact):
    """A signed transaction, version 1."""

    id: Hash
    version: Literal[1]
    transaction: Inner


class TransactionPage(_Exact):
    """A page of signed transactions."""

    items: list[TransactionBody]
    next: str | None = Field(description="Where to go on; null at the end.")


class Accepted(_Exact):
    """A transaction that the node has stored, and what is known of it now."""

    id: Hash
    status: Literal["backlog", "undecided", "valid"]
    status_url: str


class AcceptedAsset(Accepted):
    """The CREATE that the node has made, signed and stored."""

    transaction: TransactionBody


class AcceptedOfBatch(_Exact):
    """A transaction of a batch that the node has stored."""

    id: Hash
    status: Literal[202]
    status_url: str


class ProblemBody(_Exact):
    """An error (RFC 9457)."""

    status: int
    error: str = Field(description="What kind of error, for programs.")
    message: str = Field(description="What is wrong, for people.")
    field: str | None = Field(description="The field or parameter at fault.")


class RivalProblemBody(ProblemBody):
    """A double spend."""

    rival: Hash | None = Field(description="The transaction that spends the same output.")


class RefusedOfBatch(_Exact):
    """A transaction of a batch that was refused: a problem, with its id where it has one."""

    id: Hash | None
    status: int
    error: str
    message: str
    field: str | None
    rival: Hash | None = Field(None, description="With `double_spend`: the transaction that spends the same output.")


class BatchVerdicts(_Exact):
    """What became of each transaction, in the order in which they were sent."""

    items: list[AcceptedOfBatch | RefusedOfBatch]


class NewAsset(_Exact):
    """An asset to be created by this node."""

    new_owners: Key | Annotated[list[Key], Field(min_length=1, json_schema_extra={"uniqueItems": True})] = Field(
        description="Who gets it; several own it together."
    )
    payload: dict[str, Any] | None = Field(None, description="What is recorded with it.")
    timestamp: Timestamp | None = Field(
        None, description="The same request with the same timestamp makes the same transaction. Now, if absent."
    )


class StatusOf(_Exact):
    """How far a transaction or a block has come."""

    id: Hash
    status: Literal["backlog", "undecided", "valid", "rejected"] = Field(
        description="Of a block: `undecided`, `valid` or `rejected` (decided invalid)."
    )
    reason: str | None = Field(description="Why it was rejected.")


# --- holdings, blocks --------------------------------------------------------------------------------------


class Holding(_Exact):
    """An output of a valid transaction."""

    txid: Hash
    cid: Annotated[int, Field(ge=0)]
    spent_by: Hash | None = Field(description="The transaction that spends it, valid or on its way; null if none does.")


class OutputPage(_Exact):
    """A page of what an owner has or had."""

    items: list[Holding]
    next: str | None


class Header(_Exact):
    """What the maker of a block signs."""

    version: Literal[1]
    ledger: Hash | None
    timestamp: Timestamp
    node_pubkey: Key
    voters: list[Key]
    transactions_root: Hash
    transaction_count: Annotated[int, Field(ge=1, le=1000)]


class BlockSummary(_Exact):
    """A block without its transactions."""

    id: Hash
    status: Literal["undecided", "valid", "rejected"]
    block: Header
    signature: str


class Block(BlockSummary):
    """A block with its transactions."""

    transactions: list[TransactionBody] | None = Field(description="Null where storage does not hold all of them.")


class BlockPage(_Exact):
    """A page of blocks."""

    items: list[BlockSummary]
    next: str | None


class VoteBody(_Exact):
    """What a node thinks of a block."""

    voting_for_block: Hash
    previous_block: Hash
    is_block_valid: bool
    invalid_reason: str | None
    timestamp: Timestamp


class SignedVote(_Exact):
    """A vote, signed over the canonical `vote`."""

    node_pubkey: Key
    signature: str
    vote: VoteBody


class VotePage(_Exact):
    """A page of the well-signed votes on a block, ordered by voter."""

    items: list[SignedVote]
    next: str | None


class DecisionBody(_Exact):
    """How a node saw a block decided."""

    ledger: Hash
    sequence: Annotated[int, Field(ge=1)]
    block: Hash
    verdict: Literal["valid", "invalid"]
    previous: Hash | None
    timestamp: Timestamp


class SignedDecision(_Exact):
    """A decision record, signed over the canonical `decision`."""

    node_pubkey: Key
    signature: str
    decision: DecisionBody


class DecisionPage(_Exact):
    """A page of the well-signed decision records on a block, ordered by node."""

    items: list[SignedDecision]
    next: str | None


# --- the node ----------------------------------------------------------------------------------------------


class About(_Exact):
    """What this node is."""

    software: Literal["BigchainDB"]
    version: str
    ledger: Hash
    node: Key
    keyring: list[Key]
    quorum: Literal["majority", "two-thirds"]
    limits: dict[str, int]
    links: dict[str, str]


class Health(_Exact):
    """All is well."""

    status: Literal["ok"]


# --- how they stand in the document ------------------------------------------------------------------------


def problems(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return the errors that an operation may answer with, beside those that all may."""
    all_ = {*statuses, HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE}
    return {int(status): _problem(status) for status in sorted(all_)}


def _problem(status: HTTPStatus) -> dict[str, Any]:
    model = RivalProblemBody if status == HTTPStatus.CONFLICT else ProblemBody
    headers = {}
    if status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        headers["Retry-After"] = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}
    return {
        "description": f"{status.phrase}: `{NAMES[status]}`",
        "headers": headers,
        "content": {"application/problem+json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}},
    }


def json_body(model: type[BaseModel], *, is_list: bool = False, most: int | None = None) -> dict[str, Any]:
    """Return how a body is described that FastAPI does not parse."""
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{model.__name__}"}
    if is_list:
        schema = {"type": "array", "items": schema, "minItems": 1, "maxItems": most}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
