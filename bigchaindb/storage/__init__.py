"""The only door to databases; see `interface` for the contract."""
