"""`Bigchain`: the ledger as the walkthrough's users know it, over one node's storage.

Invariants:

- Documents go in and come out as dicts; none that was given is changed, none that was returned is kept.
- Nothing is configured or opened before a `Bigchain` is made.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from bigchaindb import canonical, crypto
from bigchaindb import config as configuration
from bigchaindb.config import Config
from bigchaindb.consensus.fulfillments import check_fulfillments
from bigchaindb.exceptions import (
    ConfigurationError,
    InvalidValue,
    MissingKey,
    OperationError,
    TransactionDoesNotExist,
    TransactionError,
    TransactionMalformed,
)
from bigchaindb.model.building import as_inputs, create_transaction, sign_transaction
from bigchaindb.model.shape import Shape, shown
from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.model.transaction import Operation, Transaction, check_size, document_text
from bigchaindb.model.unlocking import as_secrets, as_signing_keys
from bigchaindb.node.opening import open_node
from bigchaindb.node.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.status import Status
    from bigchaindb.model.transaction import Output

__all__ = ["Bigchain"]

_shape: Final = Shape(InvalidValue)
_transaction_shape: Final = Shape(TransactionMalformed)
_MAX_TIMEOUT_SECONDS: Final = 10**9


class Bigchain:
    """A node's ledger: create, sign, write, read and follow transactions.

    Every method raises `StorageUnavailable` while the database cannot be reached, and `InvalidValue` for an id or key
    that is none; other errors are named with each.

    Attributes:
        me: public key of this node, base58.
        me_private: its private key, base58.
        nodes_except_me: public keys of the other members of the federation.
    """

    def __init__(self, config: Config | str | Path | None = None) -> None:
        """Open the ledger of a configured node.

        Args:
            config: a configuration, or the path of its file; None for `$BIGCHAINDB_CONFIG_PATH` or
                `$HOME/.bigchaindb`, with `BIGCHAINDB_*` variables over it.

        Raises:
            ConfigurationError: there is no configuration, or something in it is wrong.
            StorageError: the database is missing, damaged, foreign or out of reach.
            LedgerError: it holds no ledger, or another federation's.
        """
        if not isinstance(config, Config):
            if config is not None and not isinstance(config, str | Path):
                raise ConfigurationError(
                    f"config: must be a Config, a path or None, not {shown(config)}", field="config"
                )
            config = configuration.load(config, os.environ)
        self._node = open_node(config, time.time)
        self._queries = Queries(self._node)
        self.me = self._node.me
        self.me_private = config.keypair.private
        self.nodes_except_me = list(config.keyring)

    def close(self) -> None:
        """Release the database."""
        self._node.storage.close()

    def __enter__(self) -> Self:
        """Return this, to be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        """Name the node and the ledger."""
        return f"<Bigchain of node {self.me}, ledger {self._node.ledger}>"

    # --- making transactions ---------------------------------------------------------------------------------

    @staticmethod
    def generate_keys() -> tuple[str, str]:
        """Return a new random key pair as (private key, public key)."""
        return crypto.generate_key_pair()

    def create_transaction(
        self, current_owners: Any, new_owners: Any, inputs: Any, operation: str, payload: Any = None
    ) -> dict[str, Any]:
        """Return an unsigned transaction.

        Args:
            current_owners: public key, or list of public keys, of those who own the inputs; for a CREATE, this node.
            new_owners: public key, or list of public keys, of those who get the asset; several own it together and
                must all sign. None to put in a condition of your own, see `bigchaindb.util.get_hash_data`.
            inputs: None for a CREATE; else what `get_owned_ids` lists: `{"txid", "cid"}`, a list of these, or a
                transaction id, which means its output 0.
            operation: `CREATE` or `TRANSFER`.
            payload: a dict to record with it, or None.

        Raises:
            TransactionMalformed: an argument is of the wrong type or form.
            TransactionTooLarge: even unsigned it has more bytes than this node takes.
            OperationError: the operation is neither of these, or its inputs do not go with it.
        """
        refs = as_inputs(inputs)
        if isinstance(operation, str) and operation == Operation.GENESIS:
            raise OperationError("operation: must be CREATE or TRANSFER: `init` makes the GENESIS", field="operation")
        timestamp = format_timestamp(self._node.clock())
        tx = create_transaction(current_owners, new_owners, refs, operation, payload=payload, timestamp=timestamp)
        check_size(document_text(tx), self._node.max_transaction_bytes)
        return tx

    def sign_transaction(self, tx: Any, private_keys: Any, secrets: Sequence[str | bytes] = ()) -> dict[str, Any]:
        """Return a signed copy of a transaction.

        Args:
            tx: what `create_transaction` returned.
            private_keys: private key, or list of private keys, of as many owners as the conditions ask for.
            secrets: preimages of the hash locks among the inputs.

        Raises:
            TransactionMalformed, InvalidHash: it is no transaction; after a change, `id` has to be set anew.
            InvalidKey: a private key is none.
            InvalidValue: a secret is none.
            MissingKey: a key or secret is missing; the message names the public key.
            TransactionDoesNotExist: an input is not in the ledger.
        """
        keys = as_signing_keys(private_keys)
        preimages = as_secrets(secrets)
        most = self._node.max_transaction_bytes
        spent = self._spent_outputs(Transaction.from_dict(tx, most))
        with suppress(MissingKey):
            return sign_transaction(tx, keys, spent, secrets=preimages, now=self._node.block_time(), max_bytes=most)
        # Where a deadline stands in the way now, whoever prepares for later may sign what the keys fit.
        return sign_transaction(tx, keys, spent, secrets=preimages, max_bytes=most)

    def verify_signature(self, tx: Any) -> bool:
        """Tell whether a transaction is well formed and its fulfillments are valid now; nothing else is checked."""
        try:
            transaction = self._transaction(tx)
            check_fulfillments(transaction, self._spent_outputs(transaction), self._node.block_time())
        except TransactionError:
            return False
        return True

    validate_fulfillments = verify_signature

    def validate_transaction(self, tx: Any) -> bool:
        """Check that a signed transaction could be written now.

        Returns:
            True.

        Raises:
            TransactionMalformed, TransactionTooLarge: it has not the shape of a transaction.
            InvalidHash: its id, payload hash or a condition's uri is not what its contents derive.
            OperationError: its operation is not allowed, or not to its signer.
            TransactionDoesNotExist: an input is not in the ledger.
            InvalidSignature: a fulfillment is missing or not valid.
            DoubleSpend: an input is spent already, or about to be.
        """
        for error in self._node.validate([self._transaction(tx)]):
            if error is not None:
                raise error
        return True

    def is_valid_transaction(self, tx: Any) -> bool:
        """Tell whether `validate_transaction` would return."""
        try:
            return self.validate_transaction(tx)
        except TransactionError:
            return False

    def write_transaction(self, tx: Any) -> None:
        """Validate a signed transaction and store it, durably, to be built into a block.

        Writing the same transaction twice is harmless.

        Raises:
            TransactionError: as `validate_transaction`; nothing was stored.
        """
        for error in self._node.write([self._transaction(tx)]):
            if error is not None:
                raise error

    def write_transactions(self, transactions: Any) -> None:
        """Write several transactions at once, all or none; later ones may spend what earlier ones make.

        Raises:
            TransactionError: as `validate_transaction`, for the first that is refused; the message says which. Nothing
                was stored.
        """
        parsed = []
        for i, tx in enumerate(_shape.items(transactions, "transactions", least=0)):
            try:
                parsed.append(self._transaction(tx))
            except TransactionError as error:
                raise _numbered(error, i) from None
        for i, refusal in enumerate(self._node.validate(parsed)):
            if refusal is not None:
                raise _numbered(refusal, i)
        self._node.store(parsed)

    # --- reading ---------------------------------------------------------------------------------------------

    def get_transaction(self, txid: str) -> dict[str, Any] | None:
        """Return a transaction by its id, whatever its status (see `get_status`); None if there is none."""
        transaction = self._queries.transaction(_shape.hash(txid, "txid"))
        return transaction.to_dict() if transaction else None

    def get_status(self, txid: str) -> Status:
        """Return `backlog`, `undecided`, `valid`, `rejected` or `unknown`, as a `Status`, which is a str."""
        return self._queries.status(_shape.hash(txid, "txid"))

    def get_statuses(self, txids: Sequence[str]) -> dict[str, Status]:
        """Return for each of several ids what `get_status` does; much faster than one at a time."""
        ids = [_shape.hash(txid, f"txids[{i}]") for i, txid in enumerate(_shape.items(txids, "txids", least=0))]
        return self._queries.statuses(ids)

    def get_rejection(self, txid: str) -> dict[str, Any] | None:
        """Return the signed record of why a transaction was rejected; None if it was not."""
        rejection = self._queries.rejection(_shape.hash(txid, "txid"))
        return dict(canonical.parse_trusted(rejection.text)) if rejection else None

    def wait_for_transaction(self, txid: str, timeout: float = 10.0) -> Status:
        """Wait until a transaction is decided.

        Args:
            txid: its id.
            timeout: seconds to wait at the most.

        Returns:
            `valid` or `rejected`.

        Raises:
            TransactionTimeout: it is still undecided then.
            InvalidValue: `timeout` is no number of seconds from 0 on.
        """
        # NaN is not between any two numbers.
        if (
            not isinstance(timeout, int | float)
            or isinstance(timeout, bool)
            or not 0 <= timeout <= _MAX_TIMEOUT_SECONDS
        ):
            raise _shape.fail("timeout", f"must be a number of seconds from 0 on, not {shown(timeout)}")
        return self._queries.wait(_shape.hash(txid, "txid"), timeout)

    def get_owned_ids(self, public_key: str) -> list[dict[str, Any]]:
        """Return what a key owns and could spend now, oldest first, each as `{"cid", "txid"}`.

        That is every output of a valid transaction that names the key among its new owners, and that neither a valid
        transaction spends nor one that is on its way.
        """
        return [_input(ref) for ref in self._queries.unspent(_shape.key(public_key, "public_key"))]

    def get_spent(self, input: Any) -> dict[str, Any] | None:  # noqa: A002 - the walkthrough's name
        """Return the transaction that spends an output, valid or on its way; None if there is none.

        Args:
            input: `{"txid", "cid"}`, or a transaction id, which means its output 0.

        Raises:
            TransactionMalformed: it is not one output.
        """
        refs = as_inputs(input, "input")
        if len(refs) != 1:
            raise _transaction_shape.fail("input", "must be one output")
        spender = self._queries.spender(refs[0])
        return self.get_transaction(spender) if spender else None

    def get_tx_by_payload_hash(self, payload_hash: str) -> list[dict[str, Any]]:
        """Return the valid transactions that carry a payload with this hash, as they became valid."""
        return [t.to_dict() for t in self._queries.with_payload_hash(_shape.hash(payload_hash, "payload_hash"))]

    def get_history(self, txid: str) -> list[dict[str, Any]]:
        """Return the valid transactions of an asset from its CREATE on, given any of them.

        Raises:
            TransactionDoesNotExist: there is no such valid transaction.
        """
        return [t.to_dict() for t in self._queries.history(_shape.hash(txid, "txid"))]

    def get_block(self, block_id: str) -> dict[str, Any] | None:
        """Return a block as `{"id", "block", "signature", "verdict", "transactions"}`; None if there is none.

        `verdict` is `valid`, `invalid` or `undecided`, as this node decided it; `transactions` are whole, or None where
        storage does not hold what adds up to the block's root.
        """
        view = self._queries.block(_shape.hash(block_id, "block_id"))
        if view is None:
            return None
        return {
            "id": view.block.id,
            "block": view.block.header.to_dict(),
            "signature": view.block.signature,
            "verdict": {True: "valid", False: "invalid", None: "undecided"}[view.verdict],
            "transactions": view.contents and [canonical.parse_trusted(t.text) for t in view.contents],
        }

    def get_votes(self, block_id: str) -> list[dict[str, Any]]:
        """Return the well-signed votes on a block, ordered by voter."""
        votes = self._queries.votes(_shape.hash(block_id, "block_id"))
        return [canonical.parse_trusted(vote.text) for vote in votes]

    def get_receipt(self, txid: str) -> dict[str, Any]:
        """Return a proof that a transaction is valid, for `bigchaindb.verify_receipt`.

        Raises:
            TransactionDoesNotExist: it is not decided valid.
            ReceiptNotReady: a quorum has not recorded its decision yet.
            OperationError: it is the genesis transaction, which nobody decides.
        """
        return self._queries.receipt(_shape.hash(txid, "txid"))

    # --- within ----------------------------------------------------------------------------------------------

    def fulfillment_message(self, tx: Any, fid: int) -> str:
        """Return what a fulfillment of a transaction signs; see `bigchaindb.util.get_fulfillment_message`."""
        transaction = self._transaction(tx)
        if _transaction_shape.integer(fid, "fulfillment.fid") >= len(transaction.fulfillments):
            raise _transaction_shape.fail("fulfillment.fid", f"there is no fulfillment {fid} in this transaction")
        fulfillment = transaction.fulfillments[fid]
        spent = self._spent_outputs(transaction)
        if fulfillment.input is not None and fulfillment.input not in spent:
            txid, cid = fulfillment.input
            field = f"{fulfillment.field}.input"
            raise TransactionDoesNotExist(f"{field}: there is no output {cid} of {txid}", field=field)
        return transaction.message(fulfillment, spent[fulfillment.input] if fulfillment.input else None)

    def _transaction(self, tx: Any) -> Transaction:
        return Transaction.from_dict(tx, self._node.max_transaction_bytes)

    def _spent_outputs(self, transaction: Transaction) -> dict[OutputRef, Output]:
        return self._queries.outputs(transaction.inputs)


def _input(ref: OutputRef) -> dict[str, Any]:
    return {"cid": ref.cid, "txid": ref.txid}


def _numbered(error: TransactionError, index: int) -> TransactionError:
    """Return the same error, with the number of the transaction at fault."""
    place = f"transactions[{index}]"
    error.args = (f"{place}: {error}",)
    error.field = f"{place}.{error.field}" if error.field else place
    return error
