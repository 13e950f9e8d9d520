"""`Client`: the ledger over HTTP, for those who have no node of their own.

Invariants:

- Private keys and secrets are never sent, but for what a fulfillment tells of a hash lock; they are shown nowhere.
- What a node says is not believed: a transaction counts only under the id that its contents have, and nothing is signed
  over an output that was not proved in that way.
- Whatever is sent may be sent again: it is the same to the byte then, and the node takes it once.
- Documents go in and come out as dicts; none that was given is changed, none that was returned is kept.
"""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from bigchaindb import canonical
from bigchaindb.client.api import MAX_TRANSACTION_BYTES, Api
from bigchaindb.client.connection import Connection
from bigchaindb.client.events import follow, position
from bigchaindb.client.locks import check_lock, locked_with, owners_of
from bigchaindb.client.patience import Patience
from bigchaindb.crypto import SigningKey
from bigchaindb.exceptions import (
    InvalidValue,
    MissingKey,
    NodeUnreachable,
    TransactionMalformed,
    TransactionTimeout,
    UnexpectedAnswer,
)
from bigchaindb.model.building import as_inputs, create_transaction, sign_transaction
from bigchaindb.model.cosigning import as_signatures, cosign
from bigchaindb.model.shape import Shape, shown
from bigchaindb.model.status import Status
from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.model.transaction import Operation, Transaction
from bigchaindb.model.unlocking import as_secrets, as_signing_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx

    from bigchaindb.client.events import Event
    from bigchaindb.cryptoconditions import Node
    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Output

__all__ = ["DEFAULT_URL", "Client"]

DEFAULT_URL: Final = "http://localhost:9984"
DEFAULT_TIMEOUT_SECONDS: Final = 30.0
# Twice what a page has, which may have one transaction more than it should.
_MAX_ANSWER_BYTES: Final = 16 * 2**20
_MAX_WAIT_SECONDS: Final = 10**9
_FIRST_LOOK_SECONDS: Final = 0.02
_LAST_LOOK_SECONDS: Final = 1.0

_shape: Final = Shape(InvalidValue)
_transaction_shape: Final = Shape(TransactionMalformed)


class Client:
    """A user of a node: makes and signs transactions here, sends them there, and follows what becomes of them.

    Every method that asks the node raises `NodeUnreachable` where it does not answer, `StorageUnavailable` while its
    database is away, and `UnexpectedAnswer` where what it says cannot be right; other errors are named with each.
    After `close` they raise `BigchainDBError`.  Threads may share a client.

    Attributes:
        url: where the node is.
        public_key: the key that this client signs with, base58, or None.
    """

    def __init__(  # noqa: PLR0913 - what can be set, and what tests put in place of chance and time
        self,
        url: str = DEFAULT_URL,
        private_key: str | None = None,
        *,
        api_token: str | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        patience: Patience = Patience(),  # noqa: B008 - immutable
        transport: httpx.BaseTransport | None = None,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take what is needed to ask a node; nothing is sent yet.

        Args:
            url: of the node, without `/api`; for all but one's own machine it should be https.
            private_key: what to sign with, base58; None to read only, or to name keys with each transfer.
            api_token: the node's `server.api_token`, which `create` may need.
            timeout_seconds: how long to wait for one answer, at most 1,000,000.
            patience: how often, and how long, to try again what failed for reasons that may pass.
            transport: another way to send requests, see httpx.
            chance: returns a number from 0 to 1.
            clock: returns Unix seconds.
            monotonic: returns seconds since whenever.
            sleep: waits for so many seconds.

        Raises:
            InvalidValue: the URL, the token or the time is none.
            InvalidKey: the private key is none.
        """
        key = None if private_key is None else SigningKey(private_key)
        self._keys = {} if key is None else {str(key.verifying_key): key}
        self._connection = Connection(
            url,
            api_token=api_token,
            timeout_seconds=timeout_seconds,
            max_answer_bytes=_MAX_ANSWER_BYTES,
            patience=patience,
            transport=transport,
            chance=chance,
            clock=monotonic,
            sleep=sleep,
        )
        self._api = Api(self._connection)
        self._clock = clock
        self.url = self._connection.url
        self.public_key = None if key is None else str(key.verifying_key)

    def close(self) -> None:
        """Close the connections to the node."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Return this, to be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        """Name the node and the public key."""
        return f"<Client of {self.url}, {f'key {self.public_key}' if self.public_key else 'without a key'}>"

    # --- handing assets on -----------------------------------------------------------------------------------

    def create(
        self,
        payload: Any = None,
        new_owners: Any = None,
        *,
        timestamp: str | None = None,
        condition: Node | None = None,
        as_node: bool = False,
    ) -> dict[str, Any]:
        """Bring an asset into being, and return its CREATE, which the node has accepted.

        Only nodes of the federation may do so.  The node that is asked makes and signs the transaction, for those who
        have its `api_token` (or, where none is set, are on its own machine).

        Args:
            payload: a dict that describes the asset, or None.
            new_owners: public key, or list of public keys, of those who get it; None for this client's own.
            timestamp: Unix seconds with six decimals, in a str, that go into the transaction; None for now. The same
                arguments with the same timestamp make the same asset.
            condition: what locks it instead of a signature by each of the owners; with `as_node` only.
            as_node: this client's key is that of a node of the federation: make and sign the transaction here. It needs
                no token.

        Raises:
            TransactionMalformed: an argument is of the wrong type or form.
            AccessDenied: the node does not do that for you; the message says what it takes.
            OperationError: `as_node`, and the key is no node's.
            InvalidValue: there is nobody to own it, or the condition is none, or is not possible here.
        """
        owners = self._owners(new_owners, condition)
        timestamp = format_timestamp(self._clock()) if timestamp is None else timestamp
        if as_node:
            if self.public_key is None:
                raise MissingKey("as_node: this client has no key", field="as_node")
            unsigned = create_transaction(
                self.public_key, owners, [], Operation.CREATE, payload=payload, timestamp=timestamp
            )
            return self.send(self._sign(locked_with(unsigned, condition), {}))
        if condition is not None:
            problem = "a node locks what it creates with the keys of the owners: transfer it, or create it `as_node`"
            raise InvalidValue(f"condition: {problem}", field="condition")
        _transaction_shape.keys(owners if isinstance(owners, list) else [owners], "new_owners")
        # What the node is going to make, but for who signs: so it is known what to expect, and checked here.
        expected = create_transaction(owners, owners, [], Operation.CREATE, payload=payload, timestamp=timestamp)
        return self._have_created(expected["transaction"])

    def _have_created(self, expected: dict[str, Any]) -> dict[str, Any]:
        data, timestamp = expected["data"], expected["timestamp"]
        request = {
            "new_owners": expected["conditions"][0]["new_owners"],
            "payload": data and data["payload"],
            "timestamp": timestamp,
        }
        try:
            made = self._api.post_asset(canonical.dumps(request)).to_dict()
        except NodeUnreachable as error:
            again = f"it may have made an asset; asked again with the timestamp {timestamp} it makes no second one"
            raise NodeUnreachable(f"{error}; {again}") from error
        for name in ("operation", "timestamp", "data", "conditions"):
            if made["transaction"][name] != expected[name]:
                raise UnexpectedAnswer(f"transaction.{name}: the node made {made['id']}, which is not what was asked")
        return made

    def transfer(  # noqa: PLR0913 - what a transfer is made of
        self,
        inputs: Any,
        new_owners: Any = None,
        payload: Any = None,
        *,
        condition: Node | None = None,
        private_keys: Any = (),
        secrets: Sequence[str | bytes] = (),
    ) -> dict[str, Any]:
        """Hand outputs on, and return the signed TRANSFER, which the node has accepted.

        Args:
            inputs: what `outputs` yields: `{"txid", "cid"}`, a list of these, or a transaction id, which means its
                output 0. As many outputs come out as go in, all locked alike.
            new_owners: public key, or list of public keys, of those who get them; several own it together and must all
                sign. None with a condition that names the keys itself, or none at all.
            payload: a dict to record with it, or None.
            condition: what locks the outputs instead of a signature by each of the owners; see
                `bigchaindb.cryptoconditions`. Of a hash lock, give `.condition`, so that the secret is not told.
            private_keys: private key, or list of private keys, to sign with beside this client's own.
            secrets: preimages of the hash locks among the inputs.

        Raises:
            TransactionMalformed: an argument is of the wrong type or form.
            TransactionDoesNotExist: there is no such output.
            MissingKey: the keys and secrets do not unlock an input; the message names what is missing.
            DoubleSpend: an input is spent already; `rival` is the transaction that was first.
            InvalidSignature: a deadline stands in the way.
            BacklogFull: the node has too much to do, for longer than the patience lasts.
            InvalidKey, InvalidValue: a key, secret or condition is none.
        """
        keys, preimages = as_signing_keys(private_keys), as_secrets(secrets)
        unsigned, spent = self._transfer(inputs, new_owners, payload, condition)
        return self.send(self._sign(unsigned, spent, keys, preimages))

    def prepare_transfer(
        self, inputs: Any, new_owners: Any = None, payload: Any = None, *, condition: Node | None = None
    ) -> dict[str, Any]:
        """Return an unsigned TRANSFER, to be signed with `sign` or by several with `cosign`; as `transfer`."""
        return self._transfer(inputs, new_owners, payload, condition)[0]

    def _transfer(
        self, inputs: Any, new_owners: Any, payload: Any, condition: Node | None
    ) -> tuple[dict[str, Any], dict[OutputRef, Output]]:
        if new_owners is None and condition is None:
            raise _transaction_shape.fail("new_owners", "must be a public key or a list of them, unless by a condition")
        owners = self._owners(new_owners, condition)
        refs = as_inputs(inputs)
        spent = self._spent(refs)
        current = list(dict.fromkeys(owner for ref in refs if ref in spent for owner in spent[ref].owners))
        timestamp = format_timestamp(self._clock())
        unsigned = create_transaction(current, owners, refs, Operation.TRANSFER, payload=payload, timestamp=timestamp)
        return locked_with(unsigned, condition), spent

    def _owners(self, new_owners: Any, condition: Node | None) -> Any:
        if condition is not None:
            check_lock(condition)
        if new_owners is not None:
            return new_owners
        if condition is not None:
            return owners_of(condition)
        if self.public_key is None:
            raise InvalidValue("new_owners: this client has no key, so say who gets it", field="new_owners")
        return self.public_key

    # --- signing ---------------------------------------------------------------------------------------------

    def sign(
        self, tx: Any, private_keys: Any = (), secrets: Sequence[str | bytes] = (), signatures: Any = ()
    ) -> dict[str, Any]:
        """Return a signed copy of a transaction.

        Args:
            tx: what `prepare_transfer` returned.
            private_keys: private key, or list of private keys, to sign with beside this client's own.
            secrets: preimages of the hash locks among the inputs.
            signatures: what `cosign` returned to the other owners, one list behind the other.

        Raises:
            TransactionMalformed, InvalidHash: it is no transaction.
            TransactionDoesNotExist: an input is not in the ledger.
            MissingKey: a key, signature or secret is missing; the message names the public key.
            InvalidKey, InvalidValue: a key, secret or signature is none.
        """
        keys, preimages, made = as_signing_keys(private_keys), as_secrets(secrets), as_signatures(list(signatures))
        transaction = Transaction.from_dict(tx, MAX_TRANSACTION_BYTES)
        return self._sign(tx, self._spent(transaction.inputs), keys, preimages, made)

    def _sign(
        self, tx: dict[str, Any], spent: dict[OutputRef, Output], keys: Any = None, secrets: Any = (), made: Any = None
    ) -> dict[str, Any]:
        given = {"secrets": secrets, "signatures": made or {}, "max_bytes": MAX_TRANSACTION_BYTES}
        keys = self._keys | (keys or {})
        with suppress(MissingKey):
            return sign_transaction(tx, keys, spent, now=format_timestamp(self._clock()), **given)
        # Where a deadline stands in the way now, whoever prepares for later may sign what the keys fit.
        return sign_transaction(tx, keys, spent, **given)

    def cosign(self, tx: Any, private_keys: Any = ()) -> list[dict[str, Any]]:
        """Return the signatures that the keys at hand can give a transaction, for whoever puts all of them together.

        So several owners can sign each on a machine of their own: hand `tx` around, collect what this returns, and pass
        it to `sign` as `signatures`.

        Args:
            tx: what `prepare_transfer` returned.
            private_keys: private key, or list of private keys, to sign with beside this client's own.

        Returns:
            A list of `{"fid", "public_key", "signature"}`.

        Raises:
            TransactionMalformed, InvalidHash: it is no transaction.
            TransactionDoesNotExist: an input is not in the ledger.
            MissingKey: none of the keys is asked for.
            InvalidKey: a private key is none.
        """
        keys = self._keys | as_signing_keys(private_keys)
        transaction = Transaction.from_dict(tx, MAX_TRANSACTION_BYTES)
        return cosign(transaction, keys, self._spent(transaction.inputs))

    def _spent(self, refs: Sequence[OutputRef]) -> dict[OutputRef, Output]:
        transactions = {txid: self._api.transaction(txid) for txid in dict.fromkeys(ref.txid for ref in refs)}
        outputs = {ref: transactions[ref.txid].outputs for ref in refs}
        return {ref: found[ref.cid] for ref, found in outputs.items() if ref.cid < len(found)}

    def send(self, tx: Any) -> dict[str, Any]:
        """Send a signed transaction, and return it: the node has accepted it, and will not lose it.

        Sending the same transaction again is harmless.

        Raises:
            TransactionError: it was refused; the class says why.
            BacklogFull: the node has too much to do, for longer than the patience lasts.
        """
        transaction = Transaction.from_dict(tx, MAX_TRANSACTION_BYTES)
        try:
            self._api.post_transaction(transaction)
        except NodeUnreachable as error:
            raise NodeUnreachable(f"{error}; transaction {transaction.id} may have arrived") from error
        return transaction.to_dict()

    # --- reading ---------------------------------------------------------------------------------------------

    def transaction(self, txid: str) -> dict[str, Any]:
        """Return a transaction, whatever its status.

        Raises:
            TransactionDoesNotExist: the node knows none with this id.
        """
        return self._api.transaction(_shape.hash(txid, "txid")).to_dict()

    def history(self, txid: str) -> Iterator[dict[str, Any]]:
        """Yield the valid transactions of an asset from its CREATE on, given any of them.

        Raises:
            TransactionDoesNotExist: there is no such valid transaction.
        """
        checked = _shape.hash(txid, "txid")
        return (transaction.to_dict() for transaction in self._api.history(checked))

    def outputs(self, public_key: str | None = None, *, spent: bool | None = False) -> Iterator[dict[str, Any]]:
        """Yield the outputs of a key, oldest first, each as `{"cid", "txid"}`.

        Args:
            public_key: whose; None for this client's own.
            spent: False for what can be spent now, True for what was spent, None for both.
        """
        if public_key is None and self.public_key is None:
            raise InvalidValue("public_key: this client has no key, so say whose", field="public_key")
        key = _shape.key(self.public_key if public_key is None else public_key, "public_key")
        if spent is not None and not isinstance(spent, bool):
            raise _shape.fail("spent", f"must be True, False or None, not {shown(spent)}")
        return ({"cid": ref.cid, "txid": ref.txid} for ref in self._api.outputs(key, spent))

    def status(self, txid: str) -> Status:
        """Return `backlog`, `undecided`, `valid`, `rejected` or `unknown`, as a `Status`, which is a str."""
        return self._api.status(_shape.hash(txid, "txid"))[0]

    def reason(self, txid: str) -> str | None:
        """Return why a transaction was rejected; None if it was not."""
        return self._api.status(_shape.hash(txid, "txid"))[1]

    def wait(self, txid: str, timeout: float = 10.0) -> Status:
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
        if not isinstance(timeout, int | float) or isinstance(timeout, bool) or not 0 <= timeout <= _MAX_WAIT_SECONDS:
            raise _shape.fail("timeout", f"must be a number of seconds from 0 on, not {shown(timeout)}")
        _shape.hash(txid, "txid")
        deadline = self._connection.clock() + timeout
        pause = _FIRST_LOOK_SECONDS
        while True:
            status, _ = self._api.status(txid)
            if status in {Status.VALID, Status.REJECTED}:
                return status
            left = deadline - self._connection.clock()
            if left <= 0:
                raise TransactionTimeout(f"transaction {txid} is still {status} after {timeout} s")
            self._connection.sleep(min(left, pause))
            pause = min(_LAST_LOOK_SECONDS, 2 * pause)

    def stream(
        self, since: int | str | None = None, *, public_key: str | None = None, asset_id: str | None = None
    ) -> Iterator[Event]:
        """Yield an event for every transaction that the node decides valid, for ever.

        Where the connection is lost it is made anew, and goes on without a gap or a repeat.

        Args:
            since: begin behind this decision number or this event's `position`; None for now. The numbers are the
                node's own: another node has others.
            public_key: only what names this key among its owners, new or current.
            asset_id: only what belongs to the asset that began with this transaction.

        Raises:
            NodeUnreachable, StorageUnavailable, BacklogFull: the node was away for longer than the patience lasts.
            InvalidValue: an argument is no such thing.
        """
        filters = {
            "public_key": None if public_key is None else _shape.key(public_key, "public_key"),
            "asset_id": None if asset_id is None else _shape.hash(asset_id, "asset_id"),
        }
        return follow(self._connection, position(since), filters)
