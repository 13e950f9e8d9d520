"""The rules of the ledger: pure functions over a narrow read-only view (design.md section 3).

- `tally` counts votes; `judging` says how to vote; `selection` what to build; `admission` what to let in.
- `fulfillments` checks one transaction's claims; `receipts` proves one to an outsider.
- `view` is all that the rules may ask of a ledger; `facts` asks it in a handful of batched reads.
"""
