"""The front page: how far the ledger has come, how fast it goes, and what is newest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb.model.timestamp import format_timestamp
from bigchaindb.web.explorer.drawing import bar_chart, top_of_scale
from bigchaindb.web.explorer.pace import count_per_stretch, window_end
from bigchaindb.web.explorer.rows import BlockRow, TransactionRow, block_rows, transaction_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from bigchaindb.node.chronicle import Mark
    from bigchaindb.web.explorer.look import Look
    from bigchaindb.web.explorer.pace import Window

__all__ = ["Front", "Throughput", "front"]

_BLOCKS: Final = 10
_UNDECIDED: Final = 4
_TRANSACTIONS: Final = 10
_LATELY_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Throughput:
    """How many transactions were decided valid over time.

    Attributes:
        window: how far back it looks.
        chart: drawn.
        top: what the chart's upper edge stands for.
        start: when it begins.
        end: when it ends.
        total: how many in all.
        most: how many in the best stretch.
        table: (from, to, how many), oldest first.
    """

    window: Window
    chart: Markup
    top: float
    start: str
    end: str
    total: int
    most: int
    table: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Front:
    """What the front page shows.

    Attributes:
        transactions: how many were decided valid.
        waiting: how many wait.
        members: how many nodes decide.
        lately: how many were decided valid in the last minute.
        decided_at: when this node decided last, or None.
        throughput: over time.
        blocks: the newest, undecided ones first.
        newest: the newest transactions.
    """

    transactions: int
    waiting: int
    members: int
    lately: int
    decided_at: str | None
    throughput: Throughput
    blocks: tuple[BlockRow, ...]
    newest: tuple[TransactionRow, ...]


def front(look: Look, window: Window) -> Front:
    """Return the front page as of now."""
    node, chronicle = look.node, look.chronicle
    now = node.clock()
    end = window_end(window, now)
    marks = chronicle.pace(min(end - window.seconds, now - _LATELY_SECONDS))
    decided = chronicle.decided(None, _BLOCKS)
    undecided = chronicle.undecided(_UNDECIDED)
    return Front(
        transactions=look.latest.valid_transactions if look.latest else 0,
        waiting=node.storage.backlog_size(),
        members=len(node.federation),
        lately=round(sum(count_per_stretch(marks, now - _LATELY_SECONDS, _LATELY_SECONDS + 1, 1))),
        decided_at=next((entry.decision.timestamp for entry in decided if entry.decision), None),
        throughput=_throughput(marks, window, end),
        blocks=tuple(block_rows([*undecided, *decided][:_BLOCKS])),
        newest=tuple(transaction_row(settled) for settled in chronicle.newest(decided, _TRANSACTIONS)),
    )


def _throughput(marks: Sequence[Mark], window: Window, end: float) -> Throughput:
    start = end - window.seconds
    counts = count_per_stretch(marks, start, window.stretch_seconds, window.stretches)
    top = top_of_scale(max(counts))
    size = window.stretches_per_row
    table = []
    for first in range(0, window.stretches, size):
        begin = start + first * window.stretch_seconds
        until = begin + size * window.stretch_seconds
        table.append((format_timestamp(begin), format_timestamp(until), round(sum(counts[first : first + size]))))
    return Throughput(
        window=window,
        chart=bar_chart(counts, top, aria_hidden="true", focusable="false"),
        top=top,
        start=format_timestamp(start),
        end=format_timestamp(end),
        total=round(sum(counts)),
        most=round(max(counts)),
        table=tuple(table),
    )
