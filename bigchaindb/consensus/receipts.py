"""Receipts: proof for an outsider that a transaction is valid (design.md section 7).

A receipt is `{"transaction", "index", "path", "block", "signature", "decisions"}`: the signed transaction, its place
and Merkle path (hexadecimal, bottom up), the block's header and signature, and signed decision records.

Invariants:

- `verify_receipt` needs no node, no clock and no storage; what it accepts, a quorum of the block's voters has decided.
- Votes prove nothing here: a liar's second, uncounted vote bears a good signature too.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from bigchaindb import canonical
from bigchaindb.consensus.tally import is_quorum
from bigchaindb.exceptions import BigchainDBError, InvalidReceipt, InvalidValue
from bigchaindb.model.block import MAX_BYTES, Header
from bigchaindb.model.decision import Decision, Verdict
from bigchaindb.model.genesis import Quorum
from bigchaindb.model.merkle import merkle_path, root_from_path
from bigchaindb.model.shape import Shape, shown
from bigchaindb.model.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bigchaindb.model.block import Block

__all__ = ["make_receipt", "verify_receipt"]

_FIELDS: Final = frozenset({"transaction", "index", "path", "block", "signature", "decisions"})
_shape: Final = Shape(InvalidReceipt)
_argument: Final = Shape(InvalidValue)


def make_receipt(
    block: Block, leaves: Sequence[bytes], transaction: Transaction, decisions: Iterable[str]
) -> dict[str, Any]:
    """Put a receipt together.

    Args:
        block: a block decided valid.
        leaves: the leaf hashes of its transactions, in order.
        transaction: one of them.
        decisions: canonical texts of decision records on the block.
    """
    index = leaves.index(transaction.leaf)
    return {
        "transaction": transaction.to_dict(),
        "index": index,
        "path": [sibling.hex() for sibling in merkle_path(leaves, index)],
        "block": block.header.to_dict(),
        "signature": block.signature,
        "decisions": [canonical.parse_trusted(text) for text in decisions],
    }


def verify_receipt(receipt: Any, federation: Collection[str], quorum: str) -> str:
    """Check a receipt, offline.

    Args:
        receipt: what `Bigchain.get_receipt` returned.
        federation: public keys of the members at the time of the block, in any order; from a source you trust.
        quorum: `majority` or `two-thirds`; the rule in the ledger's genesis.

    Returns:
        The id of the transaction that is thereby proven valid.

    Raises:
        InvalidReceipt: something does not hold; the message says what.
        InvalidValue: `federation` is not a list of public keys, or `quorum` is not a rule.
    """
    members = _argument.keys(list(federation) if isinstance(federation, Collection) else federation, "federation")
    if not isinstance(quorum, str) or quorum not in set(Quorum):
        raise _argument.fail("quorum", f"must be majority or two-thirds, not {shown(quorum)}")
    try:
        return _verify(receipt, members, Quorum(quorum))
    except InvalidReceipt:
        raise
    except BigchainDBError as error:
        raise InvalidReceipt(str(error), field=error.field) from error


def _verify(receipt: Any, federation: Collection[str], quorum: Quorum) -> str:
    fields = _shape.fields(receipt, "receipt", _FIELDS)
    # How large a transaction may be, each ledger says for itself; no block holds a larger one.
    transaction = Transaction.from_dict(fields["transaction"], MAX_BYTES)
    header = Header.from_dict(fields["block"])
    if list(header.voters) != sorted(federation):
        raise _shape.fail("block.voters", "are not the federation")
    if header.node not in header.voters:
        raise _shape.fail("block.node_pubkey", "is no member of the federation")
    if not header.is_signed(_shape.text(fields["signature"], "signature")):
        raise _shape.fail("signature", "is not that of the block's maker")
    path = [bytes.fromhex(_shape.hash(item, "path")) for item in _shape.items(fields["path"], "path", least=0)]
    index = _shape.integer(fields["index"], "index")
    root = root_from_path(transaction.leaf, index, header.transaction_count, path)
    if root is None or root.hex() != header.transactions_root:
        raise _shape.fail("path", "does not lead from the transaction to the block's root")
    deciders = {
        _check_decision(item, header, f"decisions[{i}]")
        for i, item in enumerate(_shape.items(fields["decisions"], "decisions"))
    }
    if not is_quorum(len(deciders), len(header.voters), quorum):
        problem = f"{len(deciders)} of {len(header.voters)} voters say valid: no quorum under {quorum}"
        raise _shape.fail("decisions", problem)
    return transaction.id


def _check_decision(item: Any, header: Header, field: str) -> str:
    decision = Decision.from_text(canonical.dumps(item, field))
    if decision.node not in header.voters:
        raise _shape.fail(field, f"{decision.node} is no voter of the block")
    if decision.block_id != header.id or decision.ledger != header.ledger:
        raise _shape.fail(field, "is about another block")
    if decision.verdict is not Verdict.VALID:
        raise _shape.fail(field, "does not say valid")
    return decision.node
