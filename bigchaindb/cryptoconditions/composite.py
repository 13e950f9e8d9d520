"""What the fulfillments with something beneath them have in common.

Invariants:

- Depth, number of nodes and the shape of every node are checked before anything recurses: after `check`, no method of
  the package can recurse deeper than the limit, whatever was put together by hand.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from bigchaindb import crypto
from bigchaindb.cryptoconditions.fulfillment import Fulfillment, walk
from bigchaindb.cryptoconditions.leaves import Ed25519Fulfillment
from bigchaindb.exceptions import ConditionError, InvalidKey

if TYPE_CHECKING:
    from bigchaindb.cryptoconditions.fulfillment import Node

__all__ = ["Composite", "public_keys", "signatures"]


def signatures(structure: Node) -> list[Ed25519Fulfillment]:
    """Return all signatures, made or to be made, of a structure, in its order.

    Raises:
        ConditionError: the structure is nested too deep or has too many nodes.
    """
    return [node for node in walk(structure) if isinstance(node, Ed25519Fulfillment)]


def public_keys(structure: Node) -> tuple[str, ...]:
    """Return the keys (base58) that a structure names, each once, in its order.

    A condition that stands in for something names no key: what is behind it is not told.

    Raises:
        ConditionError: the structure is nested too deep or has too many nodes.
    """
    return tuple(dict.fromkeys(leaf.public_key for leaf in signatures(structure)))


class Composite(Fulfillment):
    """A fulfillment with others beneath it."""

    __slots__ = ()

    @abstractmethod
    def check_shape(self) -> None:
        """Raise ConditionError if this node, apart from what is beneath it, is not what its type must be."""

    def check(self) -> None:
        """Raise ConditionError if the structure breaks a limit, or a node of it is not what its type must be."""
        for node in walk(self):
            if isinstance(node, Composite):
                node.check_shape()

    def get_subcondition_from_vk(self, public_key: str) -> list[Ed25519Fulfillment]:
        """Return the signatures of a key, made or to be made, wherever they stand in the structure.

        The objects returned are those of the structure: signing them signs it.

        Args:
            public_key: base58 of 32 bytes.

        Raises:
            ConditionError: `public_key` is no key, or the structure breaks a limit.
        """
        try:
            wanted = bytes(crypto.VerifyingKey(public_key))
        except InvalidKey as error:
            raise ConditionError(str(error), field="public_key") from error
        return [leaf for leaf in signatures(self) if leaf.derive().fingerprint == wanted]
