"""Every error that this package raises on purpose.

Invariants:

- One base class, `BigchainDBError`, so that `except BigchainDBError` catches all of them and nothing else.
- The message names the culprit: the field, the input, the file.  `field` repeats it for programs.
- An infrastructure error (`StorageError`) is never a verdict on a transaction (`TransactionError`).
"""

from __future__ import annotations

__all__ = [
    "AccessDenied",
    "BacklogFull",
    "BigchainDBError",
    "BlockError",
    "CannotFulfil",
    "ConditionError",
    "ConfigurationError",
    "DoubleSpend",
    "FederationMismatch",
    "Fenced",
    "InvalidHash",
    "InvalidKey",
    "InvalidReceipt",
    "InvalidSignature",
    "InvalidValue",
    "JournalError",
    "LedgerError",
    "MissingKey",
    "NodeAlreadyRunning",
    "NodeUnreachable",
    "NowRequired",
    "OperationError",
    "ReceiptNotReady",
    "StorageError",
    "StorageMismatch",
    "StorageMissing",
    "StorageUnavailable",
    "TransactionDoesNotExist",
    "TransactionError",
    "TransactionMalformed",
    "TransactionTimeout",
    "TransactionTooLarge",
    "UnexpectedAnswer",
]


class BigchainDBError(Exception):
    """Base of every error raised by this package.

    Attributes:
        field: path of the field at fault, as in `transaction.fulfillments[0].input`, or None.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        """Keep the message, and the path of the field at fault."""
        super().__init__(message)
        self.field = field


# --- values, keys, conditions ------------------------------------------------------------------------------


class InvalidValue(BigchainDBError, ValueError):
    """A value has no canonical JSON: see design.md section 1 and `bigchaindb.canonical`."""


class InvalidKey(BigchainDBError, ValueError):
    """A string is not the base58 of a 32-byte Ed25519 key."""


class ConditionError(BigchainDBError, ValueError):
    """A crypto-condition or fulfillment is malformed, breaks a limit, or cannot do what was asked."""


class NowRequired(ConditionError):
    """A deadline can only be judged against a time, and none was given."""


class CannotFulfil(ConditionError):
    """The keys and secrets given do not suffice to fulfil a condition, or a deadline stands in the way.

    Attributes:
        missing_keys: base58 of the public keys whose private halves were not given, any of which might help.
    """

    def __init__(self, message: str, *, missing_keys: tuple[str, ...] = ()) -> None:
        """Keep the public keys beside the message."""
        super().__init__(message)
        self.missing_keys = missing_keys


# --- transactions ------------------------------------------------------------------------------------------


class TransactionError(BigchainDBError, ValueError):
    """A transaction was refused; the subclasses say why."""


class TransactionMalformed(TransactionError):
    """The transaction does not have the shape of design.md section 2."""


class TransactionTooLarge(TransactionMalformed):
    """The canonical signed transaction has more bytes than this node accepts."""


class InvalidHash(TransactionError):
    """An id, a payload hash or a condition URI is not what its contents derive."""


class InvalidSignature(TransactionError):
    """A fulfillment does not fulfil the condition it answers."""


class MissingKey(TransactionError):
    """Signing needs a private key (or secret) that was not given; the message names the public key."""


class OperationError(TransactionError):
    """The operation is not allowed to do this, or not to this signer."""


class TransactionDoesNotExist(TransactionError):
    """A transaction, or the output that an input names, is not in this ledger."""


class DoubleSpend(TransactionError):
    """An input is already spent, by a decided, an undecided or a waiting transaction.

    Attributes:
        rival: id of the transaction that spends the same output, or None where it is the same transaction.
    """

    def __init__(self, message: str, *, field: str | None = None, rival: str | None = None) -> None:
        """Keep the id of the rival beside the message."""
        super().__init__(message, field=field)
        self.rival = rival


class ReceiptNotReady(BigchainDBError):
    """The transaction is valid, but a quorum has not recorded the decision yet; ask again in a moment."""


class TransactionTimeout(BigchainDBError, TimeoutError):
    """The transaction was not decided in the time given; it may still be."""


# --- blocks, ledger, node ----------------------------------------------------------------------------------


class BlockError(BigchainDBError, ValueError):
    """A block, vote or decision document is not what design.md section 3 says it must be."""


class InvalidReceipt(BigchainDBError, ValueError):
    """A receipt does not prove what it claims."""


class LedgerError(BigchainDBError):
    """The ledger is not usable as it is: not initialised, or not the one this node belongs to."""


class FederationMismatch(LedgerError):
    """This node's configuration and the genesis block disagree on the federation or the quorum rule."""


class JournalError(LedgerError):
    """Storage contradicts what this node has signed: something of its own is gone or was changed."""


class Fenced(BigchainDBError):
    """Another process holds this node's head now, so this one must cast nothing more."""


class NodeAlreadyRunning(BigchainDBError):
    """A node with this key is running, here or on another machine."""


# --- configuration and storage -----------------------------------------------------------------------------


class ConfigurationError(BigchainDBError):
    """A configuration file or environment variable is missing or wrong; the message names file and field."""


class StorageError(BigchainDBError):
    """The database failed.  Never a verdict: whoever meets it tries again or stops."""


class StorageUnavailable(StorageError):
    """The database cannot be reached or is busy for too long; nothing was stored."""


class StorageMismatch(StorageError):
    """The database is damaged, foreign, or of another version; it was left as it is."""


class StorageMissing(StorageMismatch):
    """There is no database at all where one is configured."""


# --- over HTTP ---------------------------------------------------------------------------------------------


class NodeUnreachable(BigchainDBError, ConnectionError):
    """A node did not answer, or not in time.  What was sent may have arrived: sending it again is harmless."""


class BacklogFull(BigchainDBError):
    """A node takes no more transactions until it has decided some; nothing was stored."""


class AccessDenied(BigchainDBError):
    """A node does this for others only; the message says how that can be changed."""


class UnexpectedAnswer(BigchainDBError):
    """A node's answer is not what the API says it must be, or does not hold what was asked for.

    Attributes:
        status: the HTTP status of the answer.
    """

    def __init__(self, message: str, *, field: str | None = None, status: int | None = None) -> None:
        """Keep the status beside the message."""
        super().__init__(message, field=field)
        self.status = status
