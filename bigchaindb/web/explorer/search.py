"""From what somebody typed to the page meant.

Invariants:

- What is typed is an id or a key, whole, whatever stands around it; nothing is searched through, only looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bigchaindb.crypto import VerifyingKey
from bigchaindb.exceptions import InvalidKey
from bigchaindb.model.shape import is_hash

if TYPE_CHECKING:
    from bigchaindb.node.node import Node
    from bigchaindb.web.explorer.look import Look

__all__ = ["Hit", "find", "is_key", "tidy"]

_MOST_CHARACTERS: Final = 500
_WORD: Final = re.compile("[0-9A-Za-z]+")
_HEX: Final = re.compile("[0-9A-Fa-f]{64}")


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that may be meant.

    Attributes:
        kind: what it shows, in a word or two.
        path: where it is, beneath the front page.
        note: what makes it different from the others.
    """

    kind: str
    path: str
    note: str


def is_key(text: str) -> bool:
    """Tell whether a text is a public key."""
    try:
        VerifyingKey(text)
    except InvalidKey:
        return False
    return True


def tidy(typed: str) -> str:
    """Return the first id or key in what was typed: quotes, an address, the number of an output may stand around it.

    Where there is none, what was typed is returned as it is, but for space around it.
    """
    text = typed[:_MOST_CHARACTERS].strip()
    for word in _WORD.findall(text):
        if _HEX.fullmatch(word):
            return str(word).lower()
        if is_key(word):
            return str(word)
    return text


def find(look: Look, text: str) -> list[Hit]:
    """Return the pages that an id or key, as `tidy` returns it, may mean, the likeliest first."""
    if is_hash(text):
        return _with_hash(look, text)
    if is_key(text):
        return _with_key(look.node, text)
    return []


def _with_hash(look: Look, text: str) -> list[Hit]:
    hits = []
    if look.queries.transaction(text):
        hits.append(Hit("Transaction", f"transactions/{text}", "a transaction with this id"))
    if look.node.view.headers([text])[text]:
        hits.append(Hit("Block", f"blocks/{text}", "a block with this id"))
    if look.node.storage.with_payload_hash(text, None, 1):
        hits.append(Hit("Payload", f"payloads/{text}", "transactions whose payload has this hash"))
    return hits


def _with_key(node: Node, text: str) -> list[Hit]:
    hits = []
    if any(text in members for members in node.federations.history):
        hits.append(Hit("Node", f"federation#{text}", "a node of the federation that signs with this key"))
    if node.storage.outputs_of(text, spent=None, after=None, limit=1):
        hits.append(Hit("Owner", f"owners/{text}", "what this key owns, and has owned"))
    return hits
