"""Federations that change while some of their members do not know it.

*Haste*: one operator takes in one newcomer after the other and tells only these.  Were that permitted, they and the
operator's node would soon be a quorum without any of the others, who meanwhile decide as the federation that they know;
and somebody signs rivals, one for each side.

*Farewell*: a member votes and is never seen again.  The other one decides by that vote; who joins now was not there to
see it cast, finds no quorum that has recorded what came of it, and must get it decided anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.actors import Member
    from tests.simulation.clients import Holding, Signed
    from tests.simulation.world import World

__all__ = ["bid_farewell", "change_in_haste"]

_ASSETS: Final = 4
_LAST_CREATES: Final = 3
# A builder takes over from another after 30 s, from the one before that after 45 s, and so on.
_WAITS_SECONDS: Final = (0.1, 35.0, 35.0, 35.0)


def change_in_haste(world: World) -> None:
    """Let one operator try to take in as many newcomers as there are members, and tell only these."""
    old = list(world.living)
    operator = world.chance.choice(old)
    assets = [asset for _ in range(_ASSETS) for asset in world.clients.make_asset()]
    world.run_until_quiet(old)
    side = [operator]
    for _ in old:
        world.change_federation(operator, may_shrink=False)
        side = [operator, *(member for member in world.living if member not in old)]
        for member in side:
            member.reconfigure(len(world.federations) - 1)
        # Whoever uses the new federation is to be seen using it.
        world.clients.create()
        world.run_until_quiet(side)
    sides = [side, [member for member in old if member is not operator]]
    for asset in assets:
        _sign_one_for_each(world, asset, sides)
    # What the others build is for a federation that this side does not use any more.
    for _ in range(_LAST_CREATES):
        world.clients.create()
    world.step_builders(sides[1])
    world.step_voters(side)
    world.run_living()


def _sign_one_for_each(world: World, asset: Holding, sides: Sequence[Sequence[Member]]) -> None:
    """Sign rivals; when one is stored, one side goes on for a while, and nobody else."""
    rivals = [world.clients.sign_transfer([asset], is_honest=False) for _ in sides]

    def go_on(batch: Sequence[Signed]) -> None:
        for wait in _WAITS_SECONDS:
            world.run_until_quiet(sides[rivals.index(batch[0])])
            world.now += wait

    world.clients.write_at_once([[rival] for rival in rivals], meanwhile=go_on)


def bid_farewell(world: World) -> None:
    """Let one of two members vote and die before it decides, and a newcomer join."""
    world.run_living()
    leaving, staying = world.chance.sample(world.living, 2)
    for _ in range(_LAST_CREATES):
        world.clients.create()
    world.step_builders([leaving, staying])
    world.step_voters([leaving])
    world.dead.append(leaving)
    world.run_until_quiet([staying])
    world.change_federation(staying, may_shrink=False)
