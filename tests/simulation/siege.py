"""Rivals that always come when they do the most harm: each in a block of another node, so that the votes are split.

*Siege*: one of three nodes is dead, and neither block is ever decided.  An honest transaction that shares such a block
waits until it stalls, is built anew, and would meet the next rival, for ever; at each further try its block is at most
half as large, so that in the end it is alone.

*Treason*: one of four nodes votes valid on both.
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Final

from tests.ledgers import key
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.clients import Holding, Signed
    from tests.simulation.world import World

__all__ = ["commit_treason", "lay_siege"]

_BESIEGER: Final = key("besieger")
_FIRST_PATIENCE_SECONDS: Final = 30.0
_LAST_PATIENCE_SECONDS: Final = 120.0
# Behind the patience of a block: clocks differ by a few seconds, and builders look at what waits every five.
_SLACK_SECONDS: Final = 12.0
_TREASONS: Final = 4


def lay_siege(world: World) -> None:
    """Let rivals go on for as long as an honest transaction may need, and a little longer.

    Raises:
        Violation: it still is not valid.
    """
    tries = round(log2(world.settings.max_block)) + 1
    pairs = _make_assets(world, tries)
    honest = _make_honest(world)
    world.clients.write_at_once([[honest]])
    patience = _FIRST_PATIENCE_SECONDS
    for pair in pairs:
        _sign_rivals(world, *pair)
        world.run_in_turn()
        world.now += patience + _SLACK_SECONDS
        patience = min(2 * patience, _LAST_PATIENCE_SECONDS)
    if not world.invariants.is_valid_everywhere(honest):
        raise Violation(f"honest transaction {honest.transaction.id} never got away from rivals in {tries} tries")


def commit_treason(world: World) -> None:
    """Let liars vote valid on both of two rivals, again and again."""
    for pair in _make_assets(world, _TREASONS):
        _sign_rivals(world, *pair)
        world.run_in_turn()
        for liar in world.liars:
            liar.approve()
        world.run_in_turn()


def _make_assets(world: World, count: int) -> list[tuple[Holding, Holding]]:
    """Let there be pairs of assets, decided, one for each of two living nodes to be the first to build its spends."""
    first, second = (member.me for member in world.living[:2])
    held: dict[str, list[Holding]] = {first: [], second: []}
    while min(len(found) for found in held.values()) < count:
        signed = world.clients.sign_create(_BESIEGER)
        (holding,) = world.clients.take_outputs(signed)
        builder = _builder(world, holding.ref.txid)
        if builder in held:
            held[builder].append(holding)
            world.clients.write_at_once([[signed]])
    world.run_living()
    return list(zip(held[first], held[second], strict=False))[:count]


def _make_honest(world: World) -> Signed:
    """Sign a CREATE that a living node is the first to build."""
    while True:
        signed = world.clients.sign_create(_BESIEGER)
        (holding,) = world.clients.take_outputs(signed)
        if _builder(world, holding.ref.txid) in {member.me for member in world.living}:
            return signed


def _sign_rivals(world: World, one: Holding, other: Holding) -> None:
    """Let two rivals get into blocks of different nodes."""
    rivals = [world.clients.sign_transfer(spent, is_honest=False) for spent in ((one, other), (other, one))]
    # The smaller comes when the larger is in a block already, or it would be built first, and the larger never.
    rivals.sort(key=lambda signed: signed.transaction.id, reverse=True)
    world.clients.write_at_once([[rival] for rival in rivals], meanwhile=lambda batch: _build(world, batch[0]))


def _build(world: World, rival: Signed) -> None:
    """Let the builder go on whose turn it is; the other has not heard of it when its own comes."""
    builder = _builder(world, rival.transaction.inputs[0].txid)
    world.step_builders([member for member in world.living if member.me == builder])


def _builder(world: World, txid: str) -> str:
    """Who is the first to build a CREATE of this id, and spends of what it makes."""
    number = int(txid[:16], 16)
    return sorted(world.federations[-1])[number % len(world.federations[-1])]
