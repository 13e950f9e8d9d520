"""Building and signing transactions (design.md section 2); pure: time and keys are passed in.

Invariants:

- No function changes its arguments; each returns a document of the caller's own.
- What `sign_transaction` returns is valid, given the outputs it was told are spent; otherwise it raises.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from bigchaindb import canonical, crypto
from bigchaindb import cryptoconditions as cc
from bigchaindb.exceptions import (
    ConditionError,
    InvalidValue,
    MissingKey,
    OperationError,
    TransactionDoesNotExist,
    TransactionMalformed,
)
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.shape import Shape, shown
from bigchaindb.model.transaction import (
    DEFAULT_MAX_BYTES,
    VERSION,
    Fulfillment,
    Operation,
    Output,
    Transaction,
    document_text,
    transaction_id,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bigchaindb.crypto import SigningKey

__all__ = ["as_inputs", "create_transaction", "lock_of", "sign_transaction", "spent_output"]

_shape: Final = Shape(TransactionMalformed)


def as_inputs(inputs: Any, field: str = "inputs") -> list[OutputRef]:
    """Read what users give as inputs.

    Args:
        inputs: None, a transaction id (meaning its output 0), `{"txid", "cid"}`, or a list of these.
        field: what to call them in an error message.

    Raises:
        TransactionMalformed: anything else; the message names which.
    """
    if inputs is None:
        return []
    if not isinstance(inputs, list):
        return [_as_input(inputs, field)]
    return [_as_input(item, f"{field}[{i}]") for i, item in enumerate(inputs)]


def _as_input(value: Any, field: str) -> OutputRef:
    if isinstance(value, str):
        return OutputRef(_shape.hash(value, field), 0)
    if isinstance(value, OutputRef):
        value = value._asdict()
    _shape.fields(value, field, {"txid", "cid"})
    return OutputRef(_shape.hash(value["txid"], f"{field}.txid"), _shape.integer(value["cid"], f"{field}.cid"))


def create_transaction(  # noqa: PLR0913 - the walkthrough's five, and the time
    current_owners: Any,
    new_owners: Any,
    inputs: Sequence[OutputRef],
    operation: str,
    *,
    payload: Any = None,
    timestamp: str,
) -> dict[str, Any]:
    """Return an unsigned transaction.

    Args:
        current_owners: public key, or list of public keys, of those who sign; every fulfillment names all of them.
        new_owners: public key, or list of public keys, of those who get it; several own it together, each must sign.
            None or an empty list leaves `condition` null: fill it in (a hash lock, say) and set `id` anew with
            `bigchaindb.util.get_hash_data` before signing.
        inputs: outputs to spend; none for CREATE.
        operation: CREATE or TRANSFER.
        payload: a dict to record, or None.
        timestamp: Unix seconds with six decimals.

    Returns:
        The transaction as a dict, each `fulfillment` null; as many conditions as inputs (one for CREATE), all alike.

    Raises:
        TransactionMalformed: an argument has the wrong type; the message names it.
        OperationError: inputs for a CREATE, none for a TRANSFER, or an operation that does not exist.
    """
    operation = _operation(operation, inputs)
    if len(set(inputs)) != len(inputs):
        raise _shape.fail("inputs", "name an output twice")
    owners = _owners(current_owners, "current_owners", least=0 if operation == Operation.TRANSFER else 1)
    condition = _condition_for(_owners(new_owners, "new_owners", least=0))
    claims: list[OutputRef | None] = list(inputs) or [None]
    try:
        body = {
            "operation": str(operation),
            "timestamp": _shape.timestamp(timestamp, "timestamp"),
            "data": _data(payload),
            "fulfillments": [
                {"fid": i, "current_owners": owners, "input": ref and ref._asdict(), "fulfillment": None}
                for i, ref in enumerate(claims)
            ],
            "conditions": [{"cid": i, **condition} for i in range(len(claims))],
        }
        document = {"id": transaction_id(body), "version": VERSION, "transaction": body}
        # A round trip gives the caller a document that shares nothing with its arguments.
        return dict(canonical.parse_trusted(document_text(document)))
    except InvalidValue as error:
        raise TransactionMalformed(str(error), field=error.field) from error


def _operation(operation: Any, inputs: Sequence[OutputRef]) -> Operation:
    if not isinstance(operation, str) or operation not in Operation.__members__:
        raise OperationError(f"operation: must be CREATE or TRANSFER, not {shown(operation)}", field="operation")
    if operation == Operation.TRANSFER and not inputs:
        raise OperationError("inputs: a TRANSFER spends at least one output", field="inputs")
    if operation != Operation.TRANSFER and inputs:
        raise OperationError(f"inputs: a {operation} has no inputs", field="inputs")
    return Operation(operation)


def _owners(value: Any, field: str, *, least: int) -> list[str]:
    if value is None:
        value = []
    return list(_shape.keys(value if isinstance(value, list) else [value], field, least=least))


def _data(payload: Any) -> dict[str, Any] | None:
    if payload is None:
        return None
    if not isinstance(payload, dict):
        raise _shape.fail("payload", f"must be a dict, not {type(payload).__name__}")
    return {"hash": crypto.hash_data(canonical.dumps(payload, "payload")), "payload": payload}


def _condition_for(owners: list[str]) -> dict[str, Any]:
    """Return the condition that each of the owners must fulfil, with its owners."""
    if not owners:
        return {"condition": None, "new_owners": None}
    keys = [cc.Ed25519Fulfillment(public_key=owner) for owner in owners]
    lock: cc.Fulfillment = keys[0]
    try:
        if len(keys) > 1:
            lock = cc.ThresholdSha256Fulfillment(threshold=len(keys))
            for key in keys:
                lock.add_subfulfillment(key)
        return {"condition": {"details": lock.to_json(), "uri": lock.condition_uri}, "new_owners": owners}
    except ConditionError as error:
        raise _shape.fail("new_owners", str(error)) from error


# --- signing -----------------------------------------------------------------------------------------------


def sign_transaction(  # noqa: PLR0913 - what it takes to sign
    document: Any,
    keys: Mapping[str, SigningKey],
    spent: Mapping[OutputRef, Output],
    *,
    secrets: Sequence[bytes] = (),
    signatures: Mapping[int, Sequence[cc.Ed25519Fulfillment]] = MappingProxyType({}),
    now: str | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> dict[str, Any]:
    """Return a transaction with every fulfillment made.

    Args:
        document: a transaction, as `create_transaction` returns it.
        keys: signing keys by public key.
        spent: the outputs that the inputs name.
        secrets: preimages that hash locks may ask for.
        signatures: those made elsewhere, by fid; see `bigchaindb.model.cosigning`.
        now: Unix seconds at which deadlines are judged; None to sign whichever branch the keys fit.
        max_bytes: how many bytes of canonical UTF-8 the unsigned document may have.

    Raises:
        TransactionMalformed: the document is not a transaction.
        InvalidHash: its id (or another hash) does not fit its contents.
        TransactionDoesNotExist: an input is not in `spent`.
        MissingKey: the keys and secrets do not fulfil a condition; the message names what is missing.
    """
    transaction = Transaction.from_dict(document, max_bytes)
    signed = transaction.to_dict()
    for fulfillment in transaction.fulfillments:
        output = spent_output(fulfillment, spent)
        message = transaction.message(fulfillment, output)
        made = signatures.get(fulfillment.fid, ())
        try:
            lock = cc.fulfil(lock_of(fulfillment, output), message, keys, secrets, now, signatures=made)
            uri = lock.serialize_uri()
        except ConditionError as error:
            # "from None": the cause says the same, and users meet this one often.
            raise MissingKey(f"{fulfillment.field}: {error}", field=fulfillment.field) from None
        signed["transaction"]["fulfillments"][fulfillment.fid]["fulfillment"] = uri
    return signed


def spent_output(fulfillment: Fulfillment, spent: Mapping[OutputRef, Output]) -> Output | None:
    """Return the output that a fulfillment claims; None for CREATE.

    Raises:
        TransactionDoesNotExist: it is not in `spent`.
    """
    ref = fulfillment.input
    if ref is None:
        return None
    if ref not in spent:
        field = f"{fulfillment.field}.input"
        raise TransactionDoesNotExist(f"{field}: there is no output {ref.cid} of {ref.txid}", field=field)
    return spent[ref]


def lock_of(fulfillment: Fulfillment, output: Output | None) -> cc.Node:
    """Return what must be fulfilled; where only its URI is known, a bare condition."""
    if output is None:
        return cc.Ed25519Fulfillment(public_key=fulfillment.owners[0])
    details = output.document["condition"].get("details")
    return cc.Condition.from_uri(output.uri) if details is None else cc.from_details(details)
