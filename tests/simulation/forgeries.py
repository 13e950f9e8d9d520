"""Transactions that break a rule by themselves, whatever block they stand in: none of them may ever be valid.

The world keeps a list of them, so that whoever votes valid on one, or decides it valid, is found out without asking any
rule of the code under test.

Invariants:

- A forger has its own key and those of strangers: no honest node's, and no owner's.
- What it puts in the place of a signature is one, of another key or over another message, wherever one can be had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bigchaindb import canonical, crypto
from bigchaindb import cryptoconditions as cc
from bigchaindb.model.building import create_transaction
from bigchaindb.model.reference import OutputRef
from bigchaindb.model.transaction import Transaction
from bigchaindb.storage.records import NewTransaction
from tests.ledgers import public, resign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bigchaindb.crypto import SigningKey
    from bigchaindb.model.transaction import Output
    from tests.simulation.world import World

__all__ = ["Forger", "row_of"]

Document = dict[str, Any]


def row_of(document: Document) -> NewTransaction:
    """A document as storage takes it, well formed or not."""
    text = canonical.dumps(document)
    inputs = [f["input"] for f in document["transaction"]["fulfillments"]]
    spends = tuple(OutputRef(**claimed) for claimed in inputs if claimed)
    return NewTransaction(crypto.hash_data(text), document["id"], text, spends=spends)


class Forger:
    """Makes forged transactions of what clients have signed."""

    def __init__(self, world: World, key: SigningKey, strangers: Sequence[SigningKey]) -> None:
        self._world = world
        self._chance = world.chance
        self._key = key
        self._strangers = strangers
        self._kinds = (
            self._take_with_own_key,
            self._sign_as_the_owner,
            self._lift_a_signature,
            self._leave_unsigned,
            self._pass_on_what_was_taken,
            self._create_as_a_stranger,
            self._create_as_a_member,
            self._begin_anew,
            self._claim_an_id,
            self._multiply,
            self._spend_nothing,
        )

    def forge(self, now: str) -> list[NewTransaction]:
        """Forge something; none where there is nothing to forge from.  The world is told, the nodes are not."""
        # Only of what is stored: junk that comes first under an id keeps that one transaction out, a known limit.
        stored = self._world.database.contents.transactions
        known = [s.transaction for text_hash, s in self._world.clients.signed.items() if text_hash in stored]
        if not known:
            return []
        kind = self._chance.choice(self._kinds)
        rows = [row_of(document) for document in kind(self._chance.choice(known), now)]
        name = kind.__name__.strip("_").replace("_", " ")
        self._world.forgeries.update((forged.hash, name) for forged in rows)
        return rows

    # --- another's output ------------------------------------------------------------------------------------

    def _take_with_own_key(self, of: Transaction, now: str) -> list[Document]:
        return [_fulfilled(self._transfer(of, now), self._key, _outputs(of))]

    def _sign_as_the_owner(self, of: Transaction, now: str) -> list[Document]:
        """Name the owner's key; the signature is another's."""
        return [_fulfilled(self._transfer(of, now), self._key, _outputs(of), named=of.outputs[0].owners[0])]

    def _lift_a_signature(self, of: Transaction, now: str) -> list[Document]:
        """Take the owner's signature from another transaction."""
        forged = self._transfer(of, now)
        ref = forged["transaction"]["fulfillments"][0]["input"]
        for signed in self._world.clients.signed.values():
            for fulfillment in signed.transaction.fulfillments:
                if fulfillment.input and fulfillment.input._asdict() == ref:
                    forged["transaction"]["fulfillments"][0]["fulfillment"] = fulfillment.uri
        return [forged]

    def _leave_unsigned(self, of: Transaction, now: str) -> list[Document]:
        return [self._transfer(of, now)]

    def _pass_on_what_was_taken(self, of: Transaction, now: str) -> list[Document]:
        """Take an output, and spend what came of that as its owner, with a good signature."""
        (taken,) = self._take_with_own_key(of, now)
        source = Transaction.from_dict(taken)
        return [taken, _fulfilled(self._transfer(source, now), self._key, _outputs(source))]

    # --- creations -------------------------------------------------------------------------------------------

    def _create_as_a_stranger(self, _of: Transaction, now: str) -> list[Document]:
        stranger = self._chance.choice(self._strangers)
        return [_fulfilled(self._create(stranger, now), stranger, {})]

    def _create_as_a_member(self, _of: Transaction, now: str) -> list[Document]:
        """Name an honest member as the creator; the signature is another's."""
        member = self._chance.choice(self._world.members)
        return [_fulfilled(self._create(member.key, now), self._key, {}, named=member.me)]

    def _begin_anew(self, _of: Transaction, now: str) -> list[Document]:
        """A well-signed GENESIS, which may stand in the first block only."""
        document = self._create(self._key, now)
        document["transaction"]["operation"] = "GENESIS"
        return [_fulfilled(resign(document), self._key, {})]

    # --- what is no transaction ------------------------------------------------------------------------------

    def _claim_an_id(self, of: Transaction, now: str) -> list[Document]:
        """A good CREATE of the liar's own under the id of another transaction."""
        return [{**_fulfilled(self._create(self._key, now), self._key, {}), "id": of.id}]

    def _multiply(self, _of: Transaction, now: str) -> list[Document]:
        """Make two assets where one was created."""
        document = _fulfilled(self._create(self._key, now), self._key, {})
        conditions = document["transaction"]["conditions"]
        conditions.append({**conditions[0], "cid": 1})
        return [resign(document)]

    def _spend_nothing(self, of: Transaction, now: str) -> list[Document]:
        """Spend an output that nothing has made, as its owner."""
        ref = self._chance.choice([OutputRef(of.id, len(of.outputs)), OutputRef(crypto.hash_data(now), 0)])
        unsigned = self._unsigned(self._key, [ref], "TRANSFER", now)
        mine = Transaction.from_dict(self._create(self._key, now)).outputs[0]
        return [_fulfilled(unsigned, self._key, {ref: mine})]

    # --- parts -----------------------------------------------------------------------------------------------

    def _transfer(self, of: Transaction, now: str) -> Document:
        """An unsigned TRANSFER of an output to the liar."""
        return self._unsigned(self._key, [OutputRef(of.id, 0)], "TRANSFER", now)

    def _create(self, creator: SigningKey, now: str) -> Document:
        return self._unsigned(creator, [], "CREATE", now)

    def _unsigned(self, by: SigningKey, refs: Sequence[OutputRef], operation: str, now: str) -> Document:
        payload = {"forged": self._chance.random()}
        return create_transaction(public(by), public(self._key), refs, operation, payload=payload, timestamp=now)


def _outputs(transaction: Transaction) -> dict[OutputRef, Output]:
    return {OutputRef(transaction.id, output.cid): output for output in transaction.outputs}


def _fulfilled(
    document: Document, key: SigningKey, spent: Mapping[OutputRef, Output], *, named: str | None = None
) -> Document:
    """Put signatures by a key into every fulfillment, as if they were those of the key that is named."""
    transaction = Transaction.from_dict(document)
    for fulfillment in transaction.fulfillments:
        message = transaction.message(fulfillment, spent[fulfillment.input] if fulfillment.input else None)
        signature = key.sign_bytes(message.encode())
        made = cc.Ed25519Fulfillment(public_key=named or str(key.verifying_key), signature=signature)
        document["transaction"]["fulfillments"][fulfillment.fid]["fulfillment"] = made.serialize_uri()
    return document
