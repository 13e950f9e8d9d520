"""A siege: one of three nodes is dead, and somebody goes on signing rivals so that every block with one gets stuck.

Two rivals built at the same moment by the two living nodes split their votes, and with the third dead neither block is
ever decided.  An honest transaction that shares such a block waits until it stalls, is built anew, and would meet the
next rival, for ever; at each further try its block is at most half as large, so that in the end it is alone.
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, Final

from tests.ledgers import key
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.clients import Holding, Signed
    from tests.simulation.world import World

__all__ = ["lay_siege"]

_BESIEGER: Final = key("besieger")
_FIRST_PATIENCE_SECONDS: Final = 30.0
_LAST_PATIENCE_SECONDS: Final = 120.0
# Behind the patience of a block: clocks differ by a few seconds, and builders look at what waits every five.
_SLACK_SECONDS: Final = 12.0


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
    for one, other in pairs:
        rivals = [world.clients.sign_transfer(spent, is_honest=False) for spent in ((one, other), (other, one))]
        nodes = [node for node in world.living if node.me in {_builder(world, h) for h in (one, other)}]
        world.clients.write_at_once([[rival] for rival in rivals], nodes)
        world.run_in_turn()
        world.now += patience + _SLACK_SECONDS
        patience = min(2 * patience, _LAST_PATIENCE_SECONDS)
    if not world.invariants.is_valid_everywhere(honest):
        raise Violation(f"honest transaction {honest.transaction.id} never got away from rivals in {tries} tries")


def _make_assets(world: World, count: int) -> list[tuple[Holding, Holding]]:
    """Let there be pairs of assets, decided, whose spends are the first for one living node and for the other."""
    first, second = (member.me for member in world.living)
    held: dict[str, list[Holding]] = {first: [], second: []}
    while min(len(found) for found in held.values()) < count:
        signed = world.clients.sign_create(_BESIEGER)
        (holding,) = world.clients.take_outputs(signed)
        builder = _builder(world, holding)
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
        if _builder(world, holding) in {member.me for member in world.living}:
            return signed


def _builder(world: World, holding: Holding) -> str:
    """Who is the first to build a spend of this."""
    number = int(holding.ref.txid[:16], 16)
    return sorted(world.federations[-1])[number % len(world.federations[-1])]
