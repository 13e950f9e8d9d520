"""Small records for tests: `transaction("a")` and `block("A", ...)` are the same wherever the names are."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from bigchaindb.model.reference import OutputRef
from bigchaindb.storage.records import (
    DecisionRow,
    Effects,
    Lineage,
    NewOutput,
    NewTransaction,
    RejectionRow,
    Sighting,
    StoredBlock,
    StoredTransaction,
    TextRef,
    VoteRow,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ALICE = "alice"
BOB = "bob"


def digest(name: str) -> str:
    """64 hexadecimal characters, different for each name."""
    return hashlib.sha256(name.encode()).hexdigest()


def transaction(
    name: str,
    *,
    spends: Sequence[OutputRef] = (),
    text: str = "",
    tag: bytes = b"",
) -> NewTransaction:
    """The transaction of that name; another `text` is another signed text of the same transaction."""
    return NewTransaction(
        hash=digest(f"text {name} {text}"),
        id=digest(name),
        text=f'{{"transaction": "{name}", "signed": "{text}"}}',
        tag=tag,
        spends=tuple(spends),
    )


def stored(new: NewTransaction) -> StoredTransaction:
    """What storage gives back of a transaction."""
    return StoredTransaction(new.hash, new.id, new.text, new.tag)


def ref(of: StoredTransaction) -> TextRef:
    """What its text is found by."""
    return TextRef(of.hash, of.id)


def output(name: str, cid: int = 0) -> OutputRef:
    """An output of the transaction of that name."""
    return OutputRef(digest(name), cid)


def block(name: str, *transactions: StoredTransaction, forged: str = "") -> StoredBlock:
    """The block of that name; `forged` makes other stored blocks under the same id."""
    return StoredBlock(
        key=digest(f"block {name} {forged}"),
        id=digest(f"block {name}"),
        text=f'{{"block": "{name}", "forged": "{forged}"}}',
        transactions=tuple(each.hash for each in transactions),
        transaction_ids=tuple(each.id for each in transactions),
        tags=b"".join(each.tag for each in transactions),
    )


def sighting(of: StoredBlock, seen_at: float = 1.0, *, checked: bool = True, verdict: bool | None = None) -> Sighting:
    """A note on a block."""
    return Sighting(of.key, of.id, seen_at, checked, verdict)


def vote(of: StoredBlock, node: str, text: str = "vote", replaces: str | None = None) -> VoteRow:
    """A vote on a block."""
    return VoteRow(of.id, node, text, replaces)


def decision(of: StoredBlock, node: str, sequence: int, *, verdict: bool = True, text: str = "") -> DecisionRow:
    """An entry of a node's log."""
    text = text or f"{node} decided {of.id} {verdict} at {sequence}"
    return DecisionRow(node, sequence, of.id, verdict, text, sequence * 10, f"{sequence}.000000")


def rejection(of: StoredTransaction, node: str, text: str = "rejected") -> RejectionRow:
    """A rejection of a signed text."""
    return RejectionRow(of.hash, of.id, node, text)


def effects(
    *outputs: tuple[OutputRef, Sequence[str]],
    spent: Sequence[tuple[OutputRef, str]] = (),
    lineages: Mapping[OutputRef, Lineage] | None = None,
    payloads: Sequence[tuple[str, str]] = (),
) -> Effects:
    """What valid transactions do: new outputs with their owners, and spent ones with the names of their spenders.

    Payloads are those of the transactions that have them, both by name.
    Outputs without a lineage hold an asset that they began.
    """
    held = lineages or {}
    return Effects(
        outputs=tuple(NewOutput(ref, tuple(owners), held.get(ref, Lineage(ref.txid, 1))) for ref, owners in outputs),
        spent=tuple((ref, digest(spender)) for ref, spender in spent),
        payloads=tuple((digest(payload), digest(carrier)) for payload, carrier in payloads),
    )
