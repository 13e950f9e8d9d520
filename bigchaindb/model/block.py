"""Blocks: a signed header over the Merkle root of signed transactions (design.md section 3).

Invariants of every `Block`:

- The header has exactly the fields of the format; `voters` is sorted and names nobody twice.
- `id` is the hash of the canonical header.
- It names 1 to 1,000 transactions, as many as the header counts, none twice.

The signature and whether the transactions add up to the root are checked on demand (`is_signed`, `holds`): a block
that fails there is left aside, which is never a "no".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bigchaindb import canonical, crypto
from bigchaindb.crypto import VerifyingKey
from bigchaindb.exceptions import BlockError, InvalidValue
from bigchaindb.model.merkle import merkle_root
from bigchaindb.model.signed import shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigchaindb.crypto import SigningKey
    from bigchaindb.model.transaction import Transaction

__all__ = ["MAX_BYTES", "MAX_TRANSACTIONS", "VERSION", "Block", "Header", "check_contents"]

VERSION: Final = 1
MAX_TRANSACTIONS: Final = 1000
MAX_BYTES: Final = 4 * 1024 * 1024

_TOP: Final = frozenset({"block", "signature", "transactions"})
_HEADER: Final = frozenset(
    {"version", "ledger", "timestamp", "node_pubkey", "voters", "transactions_root", "transaction_count"}
)


@dataclass(frozen=True, slots=True)
class Header:
    """What a block's maker signs.

    Attributes:
        ledger: id of the genesis block; None in genesis itself.
        timestamp: block time, Unix seconds: the "now" of every deadline in the block.
        node: public key of the maker.
        voters: public keys of the electorate, sorted.
        transactions_root: Merkle root, hexadecimal.
        transaction_count: how many transactions.
    """

    ledger: str | None
    timestamp: str
    node: str
    voters: tuple[str, ...]
    transactions_root: str
    transaction_count: int

    @classmethod
    def from_dict(cls, value: Any) -> Header:
        """Check the shape of a header.

        Raises:
            BlockError: a field is missing, unknown or of the wrong form.
        """
        fields = shape.fields(value, "block", _HEADER)
        shape.equals(fields["version"], "block.version", VERSION)
        voters = shape.keys(fields["voters"], "block.voters")
        if list(voters) != sorted(voters):
            raise shape.fail("block.voters", "must be sorted")
        count = shape.integer(fields["transaction_count"], "block.transaction_count", least=1)
        if count > MAX_TRANSACTIONS:
            raise shape.fail("block.transaction_count", f"must be at most {MAX_TRANSACTIONS}, not {count}")
        return cls(
            None if fields["ledger"] is None else shape.hash(fields["ledger"], "block.ledger"),
            shape.timestamp(fields["timestamp"], "block.timestamp"),
            shape.key(fields["node_pubkey"], "block.node_pubkey"),
            voters,
            shape.hash(fields["transactions_root"], "block.transactions_root"),
            count,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the header as it is hashed and signed."""
        return {
            "version": VERSION,
            "ledger": self.ledger,
            "timestamp": self.timestamp,
            "node_pubkey": self.node,
            "voters": list(self.voters),
            "transactions_root": self.transactions_root,
            "transaction_count": self.transaction_count,
        }

    @property
    def text(self) -> str:
        """The canonical header."""
        return canonical.dumps(self.to_dict())

    @property
    def id(self) -> str:
        """The id of the block with this header."""
        return crypto.hash_data(self.text)

    def is_signed(self, signature: str) -> bool:
        """Tell whether a signature is the maker's, over this header."""
        return VerifyingKey(self.node).verify(self.text, signature)


@dataclass(frozen=True, slots=True)
class Block:
    """A block.

    Attributes:
        id: hash of the canonical header.
        header: what is signed.
        signature: base58; whether it is the maker's, `is_signed` tells.
        transactions: hashes of the signed transactions' texts, in order.
        text: canonical text of header, signature and hashes: what is stored.
    """

    id: str
    header: Header
    signature: str
    transactions: tuple[str, ...]
    text: str

    @classmethod
    def build(
        cls,
        transactions: Sequence[Transaction],
        *,
        ledger: str | None,
        voters: Sequence[str],
        timestamp: str,
        key: SigningKey,
    ) -> Block:
        """Make and sign a block of transactions, in order.

        Raises:
            BlockError: there are none, too many, too many bytes, or one stands twice.
        """
        check_contents(transactions)
        header = Header(
            ledger=ledger,
            timestamp=timestamp,
            node=str(key.verifying_key),
            voters=tuple(sorted(voters)),
            transactions_root=merkle_root([t.leaf for t in transactions]).hex(),
            transaction_count=len(transactions),
        )
        hashes = tuple(t.hash for t in transactions)
        signature = key.sign(header.text)
        text = canonical.dumps({"block": header.to_dict(), "signature": signature, "transactions": list(hashes)})
        return cls(header.id, header, signature, hashes, text)

    @classmethod
    def from_text(cls, text: str) -> Block:
        """Check the shape of a stored block.

        Raises:
            BlockError: the text is not canonical, or not a block.
        """
        try:
            document = canonical.loads_canonical(text, "block")
        except InvalidValue as error:
            raise BlockError(str(error), field=error.field) from error
        shape.fields(document, "block document", _TOP)
        header = Header.from_dict(document["block"])
        hashes = tuple(
            shape.hash(item, f"transactions[{i}]")
            for i, item in enumerate(shape.items(document["transactions"], "transactions"))
        )
        if len(hashes) != header.transaction_count or len(set(hashes)) != len(hashes):
            raise shape.fail("transactions", f"must name {header.transaction_count} transactions, none twice")
        return cls(header.id, header, shape.text(document["signature"], "signature"), hashes, text)

    @property
    def key(self) -> str:
        """Hash of the whole text: what the block is stored under."""
        return crypto.hash_data(self.text)

    @property
    def is_signed(self) -> bool:
        """Whether the signature is the maker's."""
        return self.header.is_signed(self.signature)

    def holds(self, leaves: Sequence[bytes]) -> bool:
        """Tell whether these are, in order, the leaf hashes of the header's root."""
        return (
            len(leaves) == self.header.transaction_count and merkle_root(leaves).hex() == self.header.transactions_root
        )


def check_contents(transactions: Sequence[Transaction]) -> None:
    """Check how many transactions, and bytes of them, a block would hold, and that none stands twice.

    Raises:
        BlockError: a limit of design.md section 3 is broken.
    """
    if not 1 <= len(transactions) <= MAX_TRANSACTIONS:
        raise shape.fail("transactions", f"must be 1 to {MAX_TRANSACTIONS}, not {len(transactions)}")
    size = sum(t.size_bytes for t in transactions)
    if size > MAX_BYTES:
        raise shape.fail("transactions", f"have {size} bytes, more than {MAX_BYTES}")
    if len({t.id for t in transactions}) != len(transactions):
        raise shape.fail("transactions", "hold a transaction twice")
