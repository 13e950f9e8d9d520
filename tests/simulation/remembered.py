"""Pure functions that remember: seven nodes that verify the same signature need not compute it seven times.

Invariants:

- Only functions whose answer follows from their arguments, and whose answers nobody changes, are remembered; what they
  raise is computed again.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from bigchaindb import crypto
from bigchaindb.crypto import SigningKey, VerifyingKey
from bigchaindb.model import merkle
from bigchaindb.model.block import Block, Header
from bigchaindb.model.decision import Decision
from bigchaindb.model.transaction import Transaction
from bigchaindb.model.vote import Vote
from bigchaindb.node import journal
from bigchaindb.node.marks import Marks

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["remembering"]

_REMEMBERED: Final = 20_000
_OF_CLASSES: Final[tuple[tuple[Any, str], ...]] = (
    (Vote, "from_text"),
    (Decision, "from_text"),
    (Block, "from_text"),
    (Transaction, "from_text"),
    (Transaction, "from_trusted_text"),
)
_OF_VALUES: Final[tuple[tuple[Any, str], ...]] = ((VerifyingKey, "verify"), (SigningKey, "sign"), (Marks, "make"))
_OF_MODULES: Final[tuple[tuple[Any, str], ...]] = (
    (crypto, "hash_data"),
    (crypto, "verify"),
    (crypto, "decode_base58"),
    (merkle, "hash_bytes"),
    (journal, "_parse"),
)
_PROPERTIES: Final[tuple[tuple[Any, str], ...]] = ((Header, "text"),)


@contextmanager
def remembering() -> Iterator[None]:
    """Let pure functions remember while the body runs."""
    with ExitStack() as stack:
        for owner, name in (*_OF_CLASSES, *_OF_MODULES):
            stack.enter_context(patch.object(owner, name, staticmethod(_remembered(getattr(owner, name)))))
        for owner, name in _OF_VALUES:
            stack.enter_context(patch.object(owner, name, _remembered(owner.__dict__[name])))
        for owner, name in _PROPERTIES:
            stack.enter_context(patch.object(owner, name, property(_remembered(owner.__dict__[name].fget))))
        yield


def _remembered(function: Any) -> Any:
    return lru_cache(maxsize=_REMEMBERED)(function)
