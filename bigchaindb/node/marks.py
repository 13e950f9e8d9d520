"""Marks: a node's own proof to itself that it has verified a signed text (design.md section 5).

A mark is a keyed BLAKE2b over hash and text, with a secret that only this node's private key derives.  So whoever
alters storage cannot make one, and the node's other processes need not verify the same signatures again.

Invariants:

- A mark says: the text is canonical and well formed, `hash` is its hash, and its fulfillments are valid at all times.
- What holds a deadline is never marked.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bigchaindb.crypto import SigningKey

__all__ = ["MARK_BYTES", "NO_MARK", "Marks"]

MARK_BYTES: Final = 16
NO_MARK: Final = bytes(MARK_BYTES)


class Marks:
    """Makes and checks one node's marks."""

    def __init__(self, key: SigningKey) -> None:
        """Derive the secret from the node's key."""
        self._secret = key.derive_secret(b"verified transactions")

    def make(self, text_hash: str, text: str) -> bytes:
        """Return the mark of a text under its hash, `MARK_BYTES` long."""
        # The length says where the hash ends; storage may hold any hash and any text, also what is no UTF-8.
        data = f"{len(text_hash)}:{text_hash}{text}".encode(errors="surrogatepass")
        return hashlib.blake2b(data, key=self._secret, digest_size=MARK_BYTES).digest()

    def holds(self, mark: bytes, text_hash: str, text: str) -> bool:
        """Tell whether a mark is this node's, for that text and hash."""
        return len(mark) == MARK_BYTES and hmac.compare_digest(mark, self.make(text_hash, text))
