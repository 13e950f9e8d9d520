"""Transactions, version 1: their shape, ids and messages (design.md section 2).

Invariants of every `Transaction`:

- The document has exactly the fields of the format; fulfillments count fid 0..n-1, conditions cid 0..n-1, and there are
  as many conditions as fulfillments.
- `id` is the hash of the canonical `transaction` with every `fulfillment` null; `data.hash` is the payload's hash.
- Every condition's `uri` is what its `details` derive to.
- CREATE and GENESIS have one fulfillment, without an input; every TRANSFER fulfillment has one, and none twice.
- `text` is the canonical text of the whole, signed or not.

What needs a ledger to tell (signatures, spends) is not checked here; see `bigchaindb.consensus`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from bigchaindb import canonical, crypto
from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import (
    ConditionError,
    InvalidHash,
    InvalidValue,
    TransactionMalformed,
    TransactionTooLarge,
)
from bigchaindb.model.merkle import leaf_hash
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DEFAULT_MAX_BYTES",
    "VERSION",
    "Fulfillment",
    "Operation",
    "Output",
    "Transaction",
    "check_size",
    "document_text",
    "transaction_id",
]

VERSION: Final = 1
DEFAULT_MAX_BYTES: Final = 256 * 1024

_TOP: Final = frozenset({"id", "version", "transaction"})
_BODY: Final = frozenset({"fulfillments", "conditions", "operation", "timestamp", "data"})
_DATA: Final = frozenset({"hash", "payload"})
_FULFILLMENT: Final = frozenset({"fid", "current_owners", "input", "fulfillment"})
_INPUT: Final = frozenset({"txid", "cid"})
_OUTPUT: Final = frozenset({"cid", "condition", "new_owners"})
_URI_ONLY: Final = frozenset({"uri"})
_DETAILS: Final = frozenset({"details"})

_shape: Final = Shape(TransactionMalformed)


class Operation(StrEnum):
    """What a transaction does."""

    CREATE = "CREATE"
    TRANSFER = "TRANSFER"
    GENESIS = "GENESIS"


@dataclass(frozen=True, slots=True)
class Fulfillment:
    """One claim on an output, or on the right to create.

    Attributes:
        fid: index in the transaction.
        owners: public keys of the current owners; empty where none are told.
        input: the output claimed; None for CREATE and GENESIS.
        uri: the fulfillment, `cf:...`, or None while unsigned.
    """

    fid: int
    owners: tuple[str, ...]
    input: OutputRef | None
    uri: str | None

    @property
    def field(self) -> str:
        """Where the fulfillment stands in its document, for error messages."""
        return f"transaction.fulfillments[{self.fid}]"


@dataclass(frozen=True, slots=True)
class Output:
    """One lock on an asset.

    Attributes:
        cid: index in the transaction.
        owners: public keys of the new owners; empty for a hash lock.
        uri: the condition, `cc:...`.
        document: the element of `conditions` as it stands in the transaction; never to be changed.
    """

    cid: int
    owners: tuple[str, ...]
    uri: str
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Transaction:
    """A well-formed transaction.

    Attributes:
        id: 64 hexadecimal characters.
        operation: what it does.
        timestamp: Unix seconds, six decimals, as its maker claims.
        fulfillments: claims, by fid.
        outputs: locks, by cid; output i is what becomes of what fulfillment i gives up.
        payload_hash: hash of the payload, or None.
        text: canonical text.
        document: the parsed text; never to be changed (see `to_dict`).
    """

    id: str
    operation: Operation
    timestamp: str
    fulfillments: tuple[Fulfillment, ...]
    outputs: tuple[Output, ...]
    payload_hash: str | None
    text: str
    document: Mapping[str, Any]

    @classmethod
    def from_dict(cls, document: Any, max_bytes: int = DEFAULT_MAX_BYTES) -> Transaction:
        """Check a document, signed or not, and take it in; the document is copied.

        Args:
            document: a transaction as a dict.
            max_bytes: how many bytes of canonical UTF-8 it may have.

        Raises:
            TransactionMalformed: it does not have the shape of design.md section 2.
            TransactionTooLarge: it has more than `max_bytes`.
            InvalidHash: its id, payload hash or a condition's uri is not what its contents derive.
        """
        _shape.fields(document, "", _TOP)
        text = document_text(document)
        return cls._checked(canonical.parse_trusted(text), text, max_bytes)

    @classmethod
    def from_json(cls, text: str | bytes, max_bytes: int = DEFAULT_MAX_BYTES) -> Transaction:
        """Check a JSON text, canonical or not, and take it in.

        Raises:
            TransactionMalformed: also where the text is not JSON, or a key is there twice.
            TransactionTooLarge, InvalidHash: as `from_dict`.
        """
        try:
            document, canonical_text = canonical.normalised(text, "document")
        except InvalidValue as error:
            raise _malformed(error) from error
        _shape.fields(document, "", _TOP)
        return cls._checked(document, canonical_text, max_bytes)

    @classmethod
    def from_text(cls, text: str, max_bytes: int = DEFAULT_MAX_BYTES) -> Transaction:
        """Check a canonical text and take it in.

        Raises:
            TransactionMalformed: also where the text is not JSON, or not canonical.
            TransactionTooLarge: as `from_dict`.
            InvalidHash: as `from_dict`.
        """
        try:
            document = canonical.loads_canonical(text, "document")
        except InvalidValue as error:
            raise _malformed(error) from error
        _shape.fields(document, "", _TOP)
        return cls._checked(document, text, max_bytes)

    @classmethod
    def from_trusted_text(cls, text: str, text_hash: str) -> Transaction:
        """Take in a text, and its hash, that this node has checked before, without checking them again."""
        transaction = cls._assemble(canonical.parse_trusted(text), text)
        transaction.__dict__["hash"] = text_hash  # where cached_property keeps it
        return transaction

    @classmethod
    def _checked(cls, document: dict[str, Any], text: str, max_bytes: int) -> Transaction:
        check_size(text, max_bytes)
        _check_shape(document)
        wanted = transaction_id(document["transaction"])
        if document["id"] != wanted:
            raise InvalidHash(f"id: {document['id']} is not the hash of the transaction, {wanted}", field="id")
        return cls._assemble(document, text)

    @classmethod
    def _assemble(cls, document: dict[str, Any], text: str) -> Transaction:
        body = document["transaction"]
        return cls(
            id=document["id"],
            operation=Operation(body["operation"]),
            timestamp=body["timestamp"],
            fulfillments=tuple(
                Fulfillment(
                    fid=f["fid"],
                    owners=tuple(f["current_owners"] or ()),
                    input=OutputRef(f["input"]["txid"], f["input"]["cid"]) if f["input"] else None,
                    uri=f["fulfillment"],
                )
                for f in body["fulfillments"]
            ),
            outputs=tuple(
                Output(c["cid"], tuple(c["new_owners"] or ()), c["condition"]["uri"], c) for c in body["conditions"]
            ),
            payload_hash=body["data"]["hash"] if body["data"] else None,
            text=text,
            document=document,
        )

    @cached_property
    def hash(self) -> str:
        """Hash of `text`: what the transaction is stored under."""
        return crypto.hash_data(self.text)

    @cached_property
    def leaf(self) -> bytes:
        """The transaction's leaf in a block's Merkle tree."""
        return leaf_hash(self.text.encode())

    @cached_property
    def size_bytes(self) -> int:
        """Bytes of UTF-8 in `text`."""
        return _size_bytes(self.text)

    @cached_property
    def inputs(self) -> tuple[OutputRef, ...]:
        """The outputs that this transaction spends."""
        return tuple(f.input for f in self.fulfillments if f.input)

    def to_dict(self) -> dict[str, Any]:
        """Return the document as a dict of the caller's own."""
        return dict(canonical.parse_trusted(self.text))

    def message(self, fulfillment: Fulfillment, spent: Output | None) -> str:
        """Return what a fulfillment signs (canonical JSON, signed as UTF-8).

        Args:
            fulfillment: one of `fulfillments`.
            spent: the output that it claims; None for CREATE and GENESIS.
        """
        body = self.document["transaction"]
        return canonical.dumps(
            {
                "operation": body["operation"],
                "timestamp": body["timestamp"],
                "data": body["data"],
                "version": self.document["version"],
                "id": self.id,
                "input": body["fulfillments"][fulfillment.fid]["input"],
                "condition": spent.document if spent else _creator_condition(fulfillment.owners[0]),
            }
        )


def transaction_id(body: Mapping[str, Any]) -> str:
    """Return the id of a transaction, from its `transaction` field: the hash of it with every fulfillment null.

    Raises:
        TransactionMalformed: `fulfillments` is not a list of dicts, or the body has no canonical text.
    """
    fulfillments = body.get("fulfillments")
    if not isinstance(fulfillments, list) or not all(isinstance(f, dict) for f in fulfillments):
        raise _shape.fail("transaction.fulfillments", "must be a list of dicts")
    unsigned = [{**f, "fulfillment": None} for f in fulfillments]
    try:
        return crypto.hash_data(canonical.dumps({**body, "fulfillments": unsigned}, "transaction"))
    except InvalidValue as error:
        raise TransactionMalformed(str(error), field=error.field) from error


def document_text(document: Mapping[str, Any]) -> str:
    """Return the canonical text of a whole transaction document.

    Raises:
        TransactionMalformed: it has none; the message names the field.
    """
    try:
        return canonical.dumps(document, "document")
    except InvalidValue as error:
        raise _malformed(error) from error


def check_size(text: str, max_bytes: int) -> None:
    """Check that the text of a transaction has not more than so many bytes of UTF-8.

    Raises:
        TransactionTooLarge: it has.
    """
    size = _size_bytes(text)
    if size > max_bytes:
        raise TransactionTooLarge(f"transaction: {size} bytes, more than {max_bytes}", field="transaction")


def _malformed(error: InvalidValue) -> TransactionMalformed:
    """Name the field from the document on, as every other check does."""
    field = (error.field or "document").removeprefix("document.")
    return TransactionMalformed(str(error).removeprefix("document."), field=field)


def _size_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _creator_condition(node_public_key: str) -> dict[str, Any]:
    """Return what stands for the spent output in the message of a CREATE: the creator's unsigned details."""
    details = {"bitmask": 32, "public_key": node_public_key, "signature": None, "type": "fulfillment", "type_id": 4}
    return {"condition": {"details": details}}


# --- the shape ---------------------------------------------------------------------------------------------


def _check_shape(document: dict[str, Any]) -> None:
    _shape.hash(document["id"], "id")
    _shape.equals(document["version"], "version", VERSION)
    body = _shape.fields(document["transaction"], "transaction", _BODY)
    operation = _shape.text(body["operation"], "transaction.operation")
    if operation not in Operation.__members__:
        raise _shape.fail("transaction.operation", f"must be CREATE, TRANSFER or GENESIS, not {operation[:20]!r}")
    _shape.timestamp(body["timestamp"], "transaction.timestamp")
    _check_data(body["data"])
    _check_fulfillments(body["fulfillments"], transfer=operation == Operation.TRANSFER)
    _check_conditions(body["conditions"], len(body["fulfillments"]))


def _check_data(data: Any) -> None:
    if data is None:
        return
    _shape.fields(data, "transaction.data", _DATA)
    if not isinstance(data["payload"], dict):
        raise _shape.fail("transaction.data.payload", f"must be a dict, not {type(data['payload']).__name__}")
    _shape.hash(data["hash"], "transaction.data.hash")
    wanted = crypto.hash_data(canonical.dumps(data["payload"]))
    if data["hash"] != wanted:
        field = "transaction.data.hash"
        raise InvalidHash(f"{field}: {data['hash']} is not the hash of the payload, {wanted}", field=field)


def _check_fulfillments(fulfillments: Any, *, transfer: bool) -> None:
    seen: set[OutputRef] = set()
    for i, item in enumerate(_shape.items(fulfillments, "transaction.fulfillments")):
        field = f"transaction.fulfillments[{i}]"
        _shape.fields(item, field, _FULFILLMENT)
        _shape.equals(item["fid"], f"{field}.fid", i)
        if item["fulfillment"] is not None:
            _shape.text(item["fulfillment"], f"{field}.fulfillment")
        if transfer:
            if item["current_owners"] is not None:
                _shape.keys(item["current_owners"], f"{field}.current_owners", least=0)
            ref = _check_input(item["input"], f"{field}.input")
            if ref in seen:
                raise _shape.fail(f"{field}.input", f"spends output {ref.cid} of {ref.txid} a second time")
            seen.add(ref)
        else:
            _shape.keys(item["current_owners"], f"{field}.current_owners")
            if item["input"] is not None:
                raise _shape.fail(f"{field}.input", "must be null: only a TRANSFER has inputs")
    if not transfer and len(fulfillments) != 1:
        raise _shape.fail("transaction.fulfillments", "must have one item: only a TRANSFER has more")


def _check_input(value: Any, field: str) -> OutputRef:
    _shape.fields(value, field, _INPUT)
    return OutputRef(_shape.hash(value["txid"], f"{field}.txid"), _shape.integer(value["cid"], f"{field}.cid"))


def _check_conditions(conditions: Any, wanted: int) -> None:
    count = len(_shape.items(conditions, "transaction.conditions"))
    if count != wanted:
        problem = f"{count} conditions for {wanted} fulfillments: condition i is what becomes of input i"
        raise _shape.fail("transaction.conditions", problem)
    for i, item in enumerate(conditions):
        field = f"transaction.conditions[{i}]"
        _shape.fields(item, field, _OUTPUT)
        _shape.equals(item["cid"], f"{field}.cid", i)
        condition = _shape.fields(item["condition"], f"{field}.condition", _URI_ONLY, _DETAILS)
        uri = _shape.text(condition["uri"], f"{field}.condition.uri")
        if "details" in condition:
            _shape.keys(item["new_owners"], f"{field}.new_owners")
            _check_details(condition["details"], uri, f"{field}.condition")
        else:
            if item["new_owners"] is not None:
                _shape.keys(item["new_owners"], f"{field}.new_owners", least=0)
            try:
                cc.Condition.from_uri(uri)
            except ConditionError as error:
                raise _shape.fail(f"{field}.condition.uri", str(error)) from error


def _check_details(details: Any, uri: str, field: str) -> None:
    try:
        node = cc.from_details(details)
        derived = node.serialize_uri() if isinstance(node, cc.Condition) else node.condition_uri
    except ConditionError as error:
        raise _shape.fail(f"{field}.details", str(error)) from error
    if derived != uri:
        raise InvalidHash(
            f"{field}.uri: {uri[:200]} is not what the details derive to, {derived}", field=f"{field}.uri"
        )
