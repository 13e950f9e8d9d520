"""One node: storage, rules, keys, clock and journal brought together.

- `node.Node` is the member of a ledger: it validates, stores and answers questions (`queries`).
- `view` answers the rules from storage; `marks` remembers what was verified; `seat` casts votes and decisions, with the
  `journal` beside it.
"""
