"""The pages of an owner, an asset and a payload: lists, in parts, oldest first.

Invariants:

- The index only finds; every row is of a transaction that is decided valid, and says itself what the row tells of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb.web.explorer.drawing import TONES, Span, span_chart
from bigchaindb.web.explorer.rows import TransactionRow, payload_lines, payload_text, transaction_row
from bigchaindb.web.explorer.texts import cut, duration, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from bigchaindb.model.reference import OutputRef
    from bigchaindb.model.transaction import Transaction
    from bigchaindb.node.chronicle import Settled
    from bigchaindb.storage.records import OutputRow
    from bigchaindb.web.explorer.look import Look

__all__ = ["AssetView", "Holder", "Holding", "OwnerView", "PayloadView", "asset_view", "owner_view", "payload_view"]

_PAGE: Final = 50
_HINT_CHARACTERS: Final = 80
_HINT_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Holding:
    """An output that a key owns, or has owned.

    Attributes:
        ref: the output.
        asset: id of the transaction that its asset began with; None where the index does not say.
        hint: the beginning of what that carries, to know it by; empty without a payload, or where it is long.
        since: time of the block that made it.
        owners: all its owners.
        spender: the transaction that spends it, valid or on its way; or None.
        is_spent: the spender is decided valid.
    """

    ref: OutputRef
    asset: str | None
    hint: str
    since: str
    owners: tuple[str, ...]
    spender: str | None
    is_spent: bool


@dataclass(frozen=True, slots=True)
class OwnerView:
    """What the page of an owner shows.

    Attributes:
        key: public key.
        holdings: outputs, oldest first.
        cursor: where the next part begins, or None.
    """

    key: str
    holdings: tuple[Holding, ...]
    cursor: str | None


def owner_view(look: Look, key: str, *, spent: bool | None, after: str | None) -> OwnerView:
    """Return a part of what a key owns (`spent=False`), or of all that it has ever owned (`spent=None`)."""
    rows, cursor = _part(look.node.storage.outputs_of(key, spent=spent, after=after, limit=_PAGE + 1))
    settled = look.chronicle.settled({row.ref.txid for row in rows})
    refs = [row.ref for row in rows]
    lineages = look.node.storage.lineages(refs) if refs else {}
    spenders = look.queries.spenders(refs)
    gone = look.chronicle.settled(set(spenders.values()))
    beginnings = look.chronicle.settled({lineage.asset for lineage in lineages.values()})
    holdings = []
    for row in rows:
        made = settled.get(row.ref.txid)
        owners = _owners(made, row.ref)
        if made is None or key not in owners:
            continue
        spender = spenders.get(row.ref)
        lineage = lineages.get(row.ref)
        asset = lineage.asset if lineage else None
        hint = _hint(beginnings[asset].transaction) if asset in beginnings else ""
        holdings.append(Holding(row.ref, asset, hint, made.timestamp, owners, spender, spender in gone))
    return OwnerView(key, tuple(holdings), cursor)


def _hint(transaction: Transaction) -> str:
    return cut(payload_text(transaction), _HINT_CHARACTERS) if transaction.size_bytes <= _HINT_BYTES else ""


def _owners(settled: Settled | None, ref: OutputRef) -> tuple[str, ...]:
    if settled is None or ref.cid >= len(settled.transaction.outputs):
        return ()
    return settled.transaction.outputs[ref.cid].owners


def _part(rows: list[OutputRow]) -> tuple[list[OutputRow], str | None]:
    """Return the rows of a page, and where the next begins if there is one: a row too many was asked for."""
    shown = rows[:_PAGE]
    return shown, shown[-1].cursor if len(rows) > _PAGE else None


# --- an asset ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holder:
    """One link in an asset's chain of owners.

    Attributes:
        ref: the output.
        operation: of the transaction that made it.
        owners: public keys; none for a hash lock.
        since: time of the block that made it.
        until: time of the block that spent it, or None.
        held: how long that was, or has been, in words.
        tone: which of the drawing's looks it has: owners keep theirs, as far as there are enough.
    """

    ref: OutputRef
    operation: str
    owners: tuple[str, ...]
    since: str
    until: str | None
    held: str
    tone: int


@dataclass(frozen=True, slots=True)
class AssetView:
    """What the page of an asset shows.

    Attributes:
        id: id of the transaction that it began with.
        beginning: that transaction.
        payload: its payload as JSON for people; None without one, or where it is too long.
        holders: who had it, oldest first.
        chart: the same, drawn.
        cursor: where the next part begins, or None.
        is_end: the last holder shown has it now.
    """

    id: str
    beginning: Settled
    payload: str | None
    holders: tuple[Holder, ...]
    chart: Markup
    cursor: str | None
    is_end: bool


def asset_view(look: Look, asset: str, after: str | None) -> AssetView | None:
    """Return a part of an asset's chain of owners; None if no asset began with that transaction."""
    rows, cursor = _part(look.node.storage.outputs_of_asset(asset, after, _PAGE + 1))
    ids = {row.ref.txid for row in rows} | {row.spent_by for row in rows if row.spent_by} | {asset}
    settled = look.chronicle.settled(ids)
    if asset not in settled or settled[asset].transaction.inputs:
        return None
    chain = _chain(rows, settled, is_first=after is None)
    now = f"{look.node.clock():.6f}"
    tones: dict[tuple[str, ...], int] = {}
    holders = []
    for row in chain:
        made = settled[row.ref.txid]
        owners = made.transaction.outputs[row.ref.cid].owners
        spent = settled.get(row.spent_by) if row.spent_by else None
        until = spent.timestamp if spent and row.ref in spent.transaction.inputs else None
        held = duration(float(until or now) - float(made.timestamp))
        tone = tones.setdefault(owners, len(tones) % TONES)
        operation = str(made.transaction.operation)
        holders.append(Holder(row.ref, operation, owners, made.timestamp, until, held, tone))
    spans = [_span(holder, now) for holder in holders]
    return AssetView(
        id=asset,
        beginning=settled[asset],
        payload=payload_lines(payload_text(settled[asset].transaction)),
        holders=tuple(holders),
        chart=span_chart(spans, aria_hidden="true", focusable="false"),
        cursor=cursor,
        is_end=bool(holders) and holders[-1].until is None,
    )


def _chain(rows: Sequence[OutputRow], settled: Mapping[str, Settled], *, is_first: bool) -> list[OutputRow]:
    """Return the rows as far as each spends what the one before it holds, as the transactions themselves say."""
    chain: list[OutputRow] = []
    for row in rows:
        made = settled.get(row.ref.txid)
        if made is None or row.ref.cid >= len(made.transaction.outputs):
            break
        spent = made.transaction.fulfillments[row.ref.cid].input
        if (chain and spent != chain[-1].ref) or (not chain and (spent is None) is not is_first):
            break
        chain.append(row)
    return chain


def _span(holder: Holder, now: str) -> Span:
    start = float(holder.since)
    names = ", ".join(short(owner) for owner in holder.owners) or "whoever knows the secret"
    return Span(start, max(start, float(holder.until or now)), holder.tone, f"{names}: {holder.held}")


# --- a payload ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PayloadView:
    """What the page of a payload shows.

    Attributes:
        hash: of the payload.
        payload: as JSON for people; None where it is too long.
        transactions: those that carry it, in the order in which they were found valid.
        cursor: where the next part begins, or None.
    """

    hash: str
    payload: str | None
    transactions: tuple[TransactionRow, ...]
    cursor: str | None


def payload_view(look: Look, payload_hash: str, after: str | None) -> PayloadView | None:
    """Return a part of the transactions with a payload; None if nothing valid is known to carry it."""
    found = look.node.storage.with_payload_hash(payload_hash, after, _PAGE + 1)
    page = found[:_PAGE]
    if not page and after is None:
        return None
    ids = [txid for _, txid in page]
    settled = look.chronicle.settled(ids)
    carriers = [
        settled[txid] for txid in ids if txid in settled and settled[txid].transaction.payload_hash == payload_hash
    ]
    return PayloadView(
        hash=payload_hash,
        payload=payload_lines(payload_text(carriers[0].transaction)) if carriers else None,
        transactions=tuple(transaction_row(item) for item in carriers),
        cursor=page[-1][0] if len(found) > _PAGE else None,
    )
