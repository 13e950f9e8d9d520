"""The processes of a running node: `builder`, `voter` and the `supervisor` that keeps them running.

Loops without rules of their own: what to build and how to vote, `bigchaindb.consensus` says.
"""
