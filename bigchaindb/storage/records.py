"""The values that go into storage and come out of it.

Invariants:

- What is signed is stored as its canonical text and comes back byte for byte; the other fields are an index beside it.
- Nothing here is checked: storage keeps what it is given, and whoever reads decides what to believe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from bigchaindb.model.reference import OutputRef

__all__ = [
    "BacklogEntry",
    "DecisionRow",
    "Effects",
    "Lineage",
    "NewOutput",
    "NewTransaction",
    "OutputRow",
    "RejectionRow",
    "Sighting",
    "Standing",
    "StoredBlock",
    "StoredTransaction",
    "TextRef",
    "VoteRow",
]

# As many as `bigchaindb.consensus.selection` looks at.
ASSIGNING_CHARACTERS: Final = 16


class TextRef(NamedTuple):
    """What a signed text is found by.

    Attributes:
        hash: of the text.
        id: the transaction's id.
    """

    hash: str
    id: str


@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """A signed transaction as stored.

    Attributes:
        hash: hash of `text`; the key.  (The id does not cover the fulfillments, so it cannot be the key.)
        id: the transaction's id.
        text: canonical signed text.
        tag: mark of the node that verified it before it stored it, or empty; see `bigchaindb.node.marks`.
    """

    hash: str
    id: str
    text: str
    tag: bytes = b""


@dataclass(frozen=True, slots=True)
class NewTransaction(StoredTransaction):
    """A signed transaction on its way in, with what is indexed beside it.

    Attributes:
        spends: the outputs that it would spend.
    """

    spends: tuple[OutputRef, ...] = ()

    @property
    def assigning(self) -> str:
        """The beginning of the id that says whose turn it is to build it: of what its first input spends, or its own.

        See design.md 3.2, and `BacklogEntry`.
        """
        return (self.spends[0].txid if self.spends else self.id)[:ASSIGNING_CHARACTERS]


@dataclass(frozen=True, slots=True)
class BacklogEntry:
    """A text that waits.  The text itself is left to `Storage.contents`: most nodes need none of what others build.

    Attributes:
        cursor: position in the backlog; opaque, ordered as the backlog is.
        received_at: Unix seconds by the clock of the node that stored it.
        text: what waits.
        assigning: `NewTransaction.assigning`, as whoever stored it said.
    """

    cursor: str
    received_at: float
    text: TextRef
    assigning: str


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block as stored.

    Attributes:
        key: hash of `text`; the key.  (The id covers the header alone, so junk under an honest id must not shut the
            honest block out.)
        id: the block's id.
        text: canonical text of header, signature and the hashes of the transactions.
        transactions: hashes of the signed transactions, in order.
        transaction_ids: their ids, in the same order; what is indexed.
        tags: marks of the builder's node on these transactions, concatenated, or empty.
    """

    key: str
    id: str
    text: str
    transactions: tuple[str, ...]
    transaction_ids: tuple[str, ...]
    tags: bytes = b""

    def texts(self) -> list[TextRef]:
        """Return what its transactions are found by."""
        return list(map(TextRef, self.transactions, self.transaction_ids))


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one node has noted of one stored block.

    Attributes:
        key: key of the stored block.
        block_id: the block's id.
        seen_at: Unix seconds by that node's clock when it first noted the block.
        checked: the node checked signature, electorate and contents; while False, the block is left aside.
        verdict: how the node decided it, or None.
    """

    key: str
    block_id: str
    seen_at: float
    checked: bool
    verdict: bool | None = None


class Standing(NamedTuple):
    """One checked block in which a transaction stands, as one node sees it.

    Attributes:
        block_id: the block.
        key: key of the stored block.
        seen_at: when the node first noted the block, Unix seconds by its clock.
        verdict: how the node decided it, or None.
        transaction_hash: which signed text of the transaction the block holds.
    """

    block_id: str
    key: str
    seen_at: float
    verdict: bool | None
    transaction_hash: str


@dataclass(frozen=True, slots=True)
class VoteRow:
    """The content of one voting place.

    Attributes:
        block_id: the block voted on.
        node: public key of the voter whose place it is.
        text: canonical signed vote.
        replaces: on the way in: the text which this vote may push out because it is no vote of that node, or None.
    """

    block_id: str
    node: str
    text: str
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One entry of a node's decision log.

    Attributes:
        node: public key of the node whose log it is.
        sequence: 1, 2, ... in that log.
        block_id: the block decided.
        verdict: True for valid.
        text: canonical signed decision.
        valid_transactions: how many transactions this node has decided valid, this block included.
        newest_time: the latest timestamp among the blocks decided valid so far, Unix seconds as text.
    """

    node: str
    sequence: int
    block_id: str
    verdict: bool
    text: str
    valid_transactions: int
    newest_time: str


@dataclass(frozen=True, slots=True)
class RejectionRow:
    """One node's record that a signed text can never become valid.

    Attributes:
        hash: hash of the signed transaction's text.
        id: the transaction's id.
        node: public key of the node that says so.
        text: canonical signed rejection.
    """

    hash: str
    id: str
    node: str
    text: str


class Lineage(NamedTuple):
    """Where an output stands in the line of those that have held one asset, of which each spends the one before.

    Attributes:
        asset: id of the transaction that began the asset.
        step: 1 for that transaction's output, 2 for the one that spent it, ...
    """

    asset: str
    step: int


@dataclass(frozen=True, slots=True)
class NewOutput:
    """An output on its way into the index of holdings.

    Attributes:
        ref: the output.
        owners: their public keys; none where nobody but who knows a secret may spend it.
        lineage: which asset it holds.
    """

    ref: OutputRef
    owners: tuple[str, ...]
    lineage: Lineage


@dataclass(frozen=True, slots=True)
class Effects:
    """What valid transactions do to the indexes of holdings and of payloads.

    Attributes:
        outputs: new outputs, in order.
        spent: outputs that are gone, each with the id of its spender.
        payloads: hash of a payload and id of a transaction that carries it, whose outputs are among these or settled.
    """

    outputs: tuple[NewOutput, ...]
    spent: tuple[tuple[OutputRef, str], ...]
    payloads: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class OutputRow:
    """One output among those of an owner, or of an asset.

    Attributes:
        cursor: position in the list; opaque, in the order of the list, and good for no other.
        ref: the output.
        spent_by: id of the valid transaction that spent it, or None.
    """

    cursor: str
    ref: OutputRef
    spent_by: str | None
