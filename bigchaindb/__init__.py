"""A federated asset ledger: nodes of several companies keep one record of who owns what.

`Bigchain` is the ledger from Python, `verify_receipt` checks its proofs without it; the command line is `bigchaindb`.
"""

from __future__ import annotations

from bigchaindb.consensus.receipts import verify_receipt
from bigchaindb.core import Bigchain
from bigchaindb.version import __version__

__all__ = ["Bigchain", "__version__", "verify_receipt"]
