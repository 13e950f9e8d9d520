"""How one transaction names an output of another."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["OutputRef"]


class OutputRef(NamedTuple):
    """One output of one transaction.

    Attributes:
        txid: id of the transaction, 64 hexadecimal characters.
        cid: index of the output among that transaction's conditions.
    """

    txid: str
    cid: int
