"""Immutable values of the ledger: transactions, blocks, votes, decisions; building and signing them."""
