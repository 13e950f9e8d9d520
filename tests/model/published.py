"""The six transactions that the authors of the format published, and the only proof of how messages are made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from bigchaindb.model.transaction import Transaction
from tests.ledgers import ref

__all__ = ["ACCEPTED", "DOCUMENTS", "NODE", "OUTPUTS", "PAYLOAD_EXAMPLE", "REFUSED"]

_FILE: Final = json.loads(
    (Path(__file__).parent.parent / "vectors" / "published_transactions.json").read_text(encoding="utf-8")
)

NODE: Final[str] = _FILE["node_public_key"]
PAYLOAD_EXAMPLE: Final[dict[str, Any]] = _FILE["payload_hash_example"]
DOCUMENTS: Final[list[dict[str, Any]]] = [item["transaction"] for item in _FILE["transactions"]]
ACCEPTED: Final = [Transaction.from_dict(item["transaction"]) for item in _FILE["transactions"] if item["accept"]]
(REFUSED,) = [Transaction.from_dict(item["transaction"]) for item in _FILE["transactions"] if not item["accept"]]
OUTPUTS: Final = {ref(transaction, output.cid): output for transaction in ACCEPTED for output in transaction.outputs}
