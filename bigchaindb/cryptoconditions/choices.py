"""Which subs of a threshold to keep: the best of all walks that stop where the threshold is reached.

A walk goes through the subs in a given order and keeps or omits each, at a gain of its own for either; it stops as
soon as the weights kept reach the threshold.  The best gain from sub i on with a weight of r still missing is

    best(i, r) = max(omit[i] + best(i + 1, r), keep[i] + best(i + 1, r - weight[i])),    best(i, r <= 0) = 0

Trying all sets takes 2^n steps; this table has n x threshold cells, which `limits` bounds.  Both uses ("Threshold")
are this walk: what to serialise (order of adding, gains = minus lengths), and the longest fulfillment there can be
(by descending weight, gain = how much longer a sub's fulfillment is than its condition, nothing for omitting).

Invariants:

- Weights are clamped to the threshold, so no weight makes the table larger.
- Where few values of r can be met (few subs, low thresholds, or nearly all subs needed) only those are computed.
- Elsewhere a row of the table is one integer, a field of bits per value of r: one addition, shift or comparison of
  such integers does a whole row at once, which keeps the largest table in the format at a millisecond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Choice", "best_gain", "best_walk"]

# As long as no more values of r are met than this, computing each of them is cheaper than whole rows.
_FEW: Final = 8


# A sub in a walk: its weight (at least 1), what keeping it gains, what omitting it gains.
Choice: TypeAlias = tuple[int, int, int]


def best_gain(choices: Sequence[Choice], threshold: int) -> int:
    """Return the gain of the best walk; all weights together must reach the threshold."""
    return _Table(choices, threshold).best(0, threshold)


def best_walk(choices: Sequence[Choice], threshold: int) -> list[int]:
    """Return the indexes that the best walk keeps; all weights together must reach the threshold.

    On a tie an earlier sub is omitted rather than kept.
    """
    table = _Table(choices, threshold)
    kept = []
    missing = threshold
    for i, (weight, _, _) in enumerate(choices):
        if missing <= 0:
            break
        if table.keeps(i, missing):
            kept.append(i)
            missing -= weight
    return kept


class _Table:
    """`best(i, r)` for every (i, r) that a walk from (0, threshold) can meet."""

    __slots__ = ("_bias", "_choices", "_few", "_field_bits", "_reach", "_rows", "_sparse")

    def __init__(self, choices: Sequence[Choice], threshold: int) -> None:
        self._choices = [(min(weight, threshold), keep, omit) for weight, keep, omit in choices]
        # What the weights from i on can reach, clamped: beyond it nothing can be kept that suffices.
        self._reach = [0]
        for weight, _, _ in reversed(self._choices):
            self._reach.append(min(threshold, self._reach[-1] + weight))
        self._reach.reverse()

        met = self._meet(threshold)
        self._sparse = len(met) - 1
        self._fill_rows()
        self._few: list[dict[int, int]] = [{} for _ in range(self._sparse)]
        for i in reversed(range(self._sparse)):
            self._few[i] = {missing: self._better(i, missing)[0] for missing in met[i]}

    def best(self, i: int, missing: int) -> int:
        if missing <= 0:
            return 0
        if i < self._sparse:
            return self._few[i][missing]
        field = self._rows[i - self._sparse] >> (missing - 1) * self._field_bits
        return (field & (1 << self._field_bits) - 1) - self._bias

    def keeps(self, i: int, missing: int) -> bool:
        """Tell whether the best walk from (i, missing) keeps sub i."""
        return self._better(i, missing)[1]

    def _better(self, i: int, missing: int) -> tuple[int, bool]:
        weight, keep, omit = self._choices[i]
        keeping = keep + self.best(i + 1, missing - weight)
        if missing > self._reach[i + 1]:
            return keeping, True
        omitting = omit + self.best(i + 1, missing)
        return (keeping, True) if keeping > omitting else (omitting, False)

    def _meet(self, threshold: int) -> list[set[int]]:
        """Return the values of `missing` that a walk can meet at each sub, up to where they are no longer few."""
        met = [{threshold}]
        for i, (weight, _, _) in enumerate(self._choices):
            if len(met[-1]) > _FEW:
                break
            reach = self._reach[i + 1]
            kept = {missing - weight for missing in met[-1] if missing > weight}
            met.append(kept.union(missing for missing in met[-1] if missing <= reach))
        return met

    def _fill_rows(self) -> None:
        """Compute the rows from the last sub back to the first that is not sparse.

        Row i has a field for each missing weight from 1 (lowest bits) to `_reach[i]`.  A field holds the gain plus a
        bias that makes it at least 1, and its highest bit is free: as a guard, it shows how a comparison came out.
        """
        dense = self._choices[self._sparse :]
        lowest = sum(min(0, keep, omit) for _, keep, omit in dense)
        highest = sum(max(0, keep, omit) for _, keep, omit in dense)
        self._bias = 1 - lowest
        self._field_bits = bits = (highest - lowest + 1).bit_length() + 1
        full = self._reach[self._sparse]
        ones = ((1 << full * bits) - 1) // ((1 << bits) - 1)  # 1 in each of the fields of the widest row
        reached = self._bias * ones

        row = width = 0
        self._rows = [row]
        for i in reversed(range(self._sparse, len(self._choices))):
            weight, keep, omit = self._choices[i]
            # What omitting can't reach stays 0 there, less than any gain.
            omitting = row + omit * (ones >> (full - width) * bits) if omit else row
            if width < self._reach[i]:
                width = self._reach[i]
                steps = ones >> (full - width) * bits
                guards = steps << bits - 1
                limit = (1 << width * bits) - 1
            # Up to its own weight, keeping this one is all it takes.
            keeping = (row << weight * bits & limit | reached >> (full - weight) * bits) + keep * steps
            wins = ((keeping | guards) - omitting) & guards
            mask = wins - (wins >> bits - 1)
            row = omitting ^ (omitting ^ keeping) & mask
            self._rows.append(row)
        self._rows.reverse()
