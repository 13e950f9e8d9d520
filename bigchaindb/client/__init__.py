"""The ledger over HTTP, from any machine.

`Client` makes and signs transactions where it runs, and sends them to a node.  It needs neither a node nor a database,
and knows nothing of them.
"""

from __future__ import annotations

from bigchaindb.client.client import DEFAULT_URL, Client
from bigchaindb.client.events import Event
from bigchaindb.client.patience import Patience

__all__ = ["DEFAULT_URL", "Client", "Event", "Patience"]
