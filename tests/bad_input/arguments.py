"""The arguments of `Bigchain`, `verify_receipt`, `util`, `canonical` and `crypto`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bigchaindb import Bigchain, canonical, crypto, util, verify_receipt
from bigchaindb.exceptions import (
    ConfigurationError,
    InvalidKey,
    InvalidReceipt,
    InvalidValue,
    MissingKey,
    OperationError,
    TransactionMalformed,
)
from tests.bad_input.odd import TEXTS, Argument
from tests.onenode import private, public

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bad_input.world import World

__all__ = ["ARGUMENTS"]

KEY: Final = public("alice")
SIGNING_KEY: Final = crypto.SigningKey(private("alice"))
VERIFYING_KEY: Final = SIGNING_KEY.verifying_key
NONE: Final = {"None"}
MESSAGES: Final = {*TEXTS, "bytes"}


def _of_document(call: Callable[[World, Any], object]) -> Argument:
    return Argument(call, TransactionMalformed, ("document", "id"))


def _of_id(name: str, call: Callable[[World, Any], object]) -> Argument:
    return Argument(call, InvalidValue, (name,))


_MAKING: Final = {
    "Bigchain(config)": Argument(
        lambda _, x: Bigchain(x),
        ConfigurationError,
        ("config", "there is no such file", "cannot be read"),
        {"None", "a long text"},  # a path is shown whole
    ),
    "Bigchain.create_transaction(current_owners)": Argument(
        lambda w, x: w.b.create_transaction(x, KEY, None, "CREATE"), TransactionMalformed, ("current_owners",)
    ),
    "Bigchain.create_transaction(new_owners)": Argument(
        lambda w, x: w.b.create_transaction(w.b.me, x, None, "CREATE"),
        TransactionMalformed,
        ("new_owners",),
        {"None", "an empty list"},
    ),
    "Bigchain.create_transaction(inputs)": Argument(
        lambda w, x: w.b.create_transaction(KEY, KEY, x, "TRANSFER"),
        TransactionMalformed,
        ("inputs",),
        otherwise=dict.fromkeys(("None", "an empty list"), (OperationError, "inputs")),
    ),
    "Bigchain.create_transaction(operation)": Argument(
        lambda w, x: w.b.create_transaction(w.b.me, KEY, None, x), OperationError, ("operation",)
    ),
    "Bigchain.create_transaction(payload)": Argument(
        lambda w, x: w.b.create_transaction(w.b.me, KEY, None, "CREATE", payload=x),
        TransactionMalformed,
        ("payload",),
        {"None", "an empty dict"},
    ),
    "Bigchain.sign_transaction(tx)": _of_document(lambda w, x: w.b.sign_transaction(x, private("alice"))),
    "Bigchain.sign_transaction(private_keys)": Argument(
        lambda w, x: w.b.sign_transaction(w.transfer, x),
        InvalidKey,
        ("private_keys",),
        otherwise=dict.fromkeys(("an empty list", "an empty tuple"), (MissingKey, "transaction.fulfillments[0]")),
    ),
    "Bigchain.sign_transaction(secrets)": Argument(
        lambda w, x: w.b.sign_transaction(w.transfer, private("alice"), x),
        InvalidValue,
        ("secrets",),
        {"an empty list", "an empty tuple"},
    ),
}

_WRITING: Final = {
    "Bigchain.verify_signature(tx)": Argument(lambda w, x: w.b.verify_signature(x), None),
    "Bigchain.validate_fulfillments(tx)": Argument(lambda w, x: w.b.validate_fulfillments(x), None),
    "Bigchain.is_valid_transaction(tx)": Argument(lambda w, x: w.b.is_valid_transaction(x), None),
    "Bigchain.validate_transaction(tx)": _of_document(lambda w, x: w.b.validate_transaction(x)),
    "Bigchain.write_transaction(tx)": _of_document(lambda w, x: w.b.write_transaction(x)),
    "Bigchain.write_transactions(transactions)": Argument(
        lambda w, x: w.b.write_transactions(x),
        InvalidValue,
        ("transactions",),
        {"an empty list"},
        dict.fromkeys(
            ("a list of None", "lists far too deep", "a list in itself"),
            (TransactionMalformed, "transactions[0].document"),
        ),
    ),
    "Bigchain.write_transactions(transactions[1])": Argument(
        lambda w, x: w.b.write_transactions([w.create, x]), TransactionMalformed, ("transactions[1].",)
    ),
}

_READING: Final = {
    "Bigchain.get_transaction(txid)": _of_id("txid", lambda w, x: w.b.get_transaction(x)),
    "Bigchain.get_status(txid)": _of_id("txid", lambda w, x: w.b.get_status(x)),
    "Bigchain.get_statuses(txids)": Argument(
        lambda w, x: w.b.get_statuses(x), InvalidValue, ("txids",), {"an empty list"}
    ),
    "Bigchain.get_rejection(txid)": _of_id("txid", lambda w, x: w.b.get_rejection(x)),
    "Bigchain.wait_for_transaction(txid)": _of_id("txid", lambda w, x: w.b.wait_for_transaction(x, 0)),
    "Bigchain.wait_for_transaction(timeout)": Argument(
        lambda w, x: w.b.wait_for_transaction(w.mine["id"], x), InvalidValue, ("timeout",), {"an int", "a float"}
    ),
    "Bigchain.get_owned_ids(public_key)": _of_id("public_key", lambda w, x: w.b.get_owned_ids(x)),
    "Bigchain.get_spent(input)": Argument(lambda w, x: w.b.get_spent(x), TransactionMalformed, ("input",)),
    "Bigchain.get_tx_by_payload_hash(payload_hash)": _of_id("payload_hash", lambda w, x: w.b.get_tx_by_payload_hash(x)),
    "Bigchain.get_history(txid)": _of_id("txid", lambda w, x: w.b.get_history(x)),
    "Bigchain.get_block(block_id)": _of_id("block_id", lambda w, x: w.b.get_block(x)),
    "Bigchain.get_votes(block_id)": _of_id("block_id", lambda w, x: w.b.get_votes(x)),
    "Bigchain.get_receipt(txid)": _of_id("txid", lambda w, x: w.b.get_receipt(x)),
    "Bigchain.fulfillment_message(tx)": _of_document(lambda w, x: w.b.fulfillment_message(x, 0)),
    "Bigchain.fulfillment_message(fid)": Argument(
        lambda w, x: w.b.fulfillment_message(w.transfer, x), TransactionMalformed, ("fulfillment.fid",)
    ),
    "verify_receipt(receipt)": Argument(
        lambda w, x: verify_receipt(x, [w.b.me], "majority"), InvalidReceipt, ("receipt",)
    ),
    "verify_receipt(federation)": Argument(
        lambda w, x: verify_receipt(w.receipt, x, "majority"), InvalidValue, ("federation",)
    ),
    "verify_receipt(quorum)": Argument(lambda w, x: verify_receipt(w.receipt, [w.b.me], x), InvalidValue, ("quorum",)),
}

_HELPERS: Final = {
    "util.get_hash_data(tx)": Argument(lambda _, x: util.get_hash_data(x), TransactionMalformed, ("transaction",)),
    "util.get_fulfillment_message(tx)": _of_document(
        lambda w, x: util.get_fulfillment_message(x, {"fid": 0}, bigchain=w.b)
    ),
    "util.get_fulfillment_message(fulfillment)": Argument(
        lambda w, x: util.get_fulfillment_message(w.transfer, x, bigchain=w.b), TransactionMalformed, ("fulfillment",)
    ),
    "util.get_fulfillment_message(serialized)": Argument(
        lambda w, x: util.get_fulfillment_message(w.transfer, {"fid": 0}, x, w.b),
        InvalidValue,
        ("serialized",),
        {"a bool"},
    ),
    "util.get_fulfillment_message(bigchain)": Argument(
        lambda w, x: util.get_fulfillment_message(w.transfer, {"fid": 0}, bigchain=x), InvalidValue, ("bigchain",), NONE
    ),
    "canonical.dumps(value)": Argument(
        lambda _, x: canonical.dumps(x),
        InvalidValue,
        ("value",),
        {
            *TEXTS,
            *("None", "an int", "a negative int", "a bool", "a float"),
            *("an empty list", "an empty dict", "a list of None"),
        },
    ),
    "canonical.loads(text)": Argument(lambda _, x: canonical.loads(x), InvalidValue, ("value",)),
}

_KEYS: Final = {
    "crypto.hash_data(text)": Argument(lambda _, x: crypto.hash_data(x), InvalidValue, ("text",), TEXTS),
    "crypto.hash_bytes(data)": Argument(lambda _, x: crypto.hash_bytes(x), InvalidValue, ("data",), {"bytes"}),
    "crypto.decode_base58(text)": Argument(lambda _, x: crypto.decode_base58(x, 32, 44), InvalidValue, ("base58",)),
    "crypto.verify(public_key)": Argument(
        lambda _, x: crypto.verify(x, b"", bytes(64)), InvalidValue, ("public_key",), {"bytes"}
    ),
    "crypto.verify(message)": Argument(
        lambda _, x: crypto.verify(bytes(32), x, bytes(64)), InvalidValue, ("message",), {"bytes"}
    ),
    "crypto.verify(signature)": Argument(
        lambda _, x: crypto.verify(bytes(32), b"", x), InvalidValue, ("signature",), {"bytes"}
    ),
    "crypto.SigningKey(private_key)": Argument(lambda _, x: crypto.SigningKey(x), InvalidKey, ("private key",)),
    "crypto.SigningKey.sign(message)": Argument(lambda _, x: SIGNING_KEY.sign(x), InvalidValue, ("message",), MESSAGES),
    "crypto.SigningKey.sign_bytes(message)": Argument(
        lambda _, x: SIGNING_KEY.sign_bytes(x), InvalidValue, ("message",), MESSAGES
    ),
    "crypto.SigningKey.derive_secret(purpose)": Argument(
        lambda _, x: SIGNING_KEY.derive_secret(x), InvalidValue, ("purpose",), {"bytes"}
    ),
    "crypto.VerifyingKey(public_key)": Argument(lambda _, x: crypto.VerifyingKey(x), InvalidKey, ("public key",)),
    "crypto.VerifyingKey.verify(message)": Argument(
        lambda _, x: VERIFYING_KEY.verify(x, bytes(64)), InvalidValue, ("message",), MESSAGES
    ),
    "crypto.VerifyingKey.verify(signature)": Argument(lambda _, x: VERIFYING_KEY.verify("x", x), None),
}

ARGUMENTS: Final[dict[str, Argument]] = _MAKING | _WRITING | _READING | _HELPERS | _KEYS
