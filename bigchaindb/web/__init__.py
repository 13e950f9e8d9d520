"""The web server of a node: HTTP API, live events, explorer.

One process, started by the supervisor, that meets the others only through storage.  It takes transactions in as
`Bigchain` does and answers questions; it decides nothing.
"""
