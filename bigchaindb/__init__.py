"""A federated asset ledger."""
