"""Rounds: everybody gets the answer to their own question, few questions are asked of storage."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.exceptions import StorageUnavailable
from bigchaindb.web.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Sequence

HANG_SECONDS = 30.0


async def ask_all(rounds: Rounds[int, str], items: Sequence[int]) -> list[str | BaseException]:
    return await asyncio.wait_for(
        asyncio.gather(*(rounds.ask(item) for item in items), return_exceptions=True), HANG_SECONDS
    )


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 12))
def test_everybody_gets_their_own_answer_in_rounds_that_are_bounded(items: list[int], most: int) -> None:
    rounds_taken: list[list[int]] = []

    def answer(taken: Sequence[int]) -> list[str]:
        rounds_taken.append(list(taken))
        return [str(item) for item in taken]

    rounds = Rounds(answer, most=most, weigh=lambda item: item)
    assert asyncio.run(ask_all(rounds, items)) == [str(item) for item in items]
    assert [item for taken in rounds_taken for item in taken] == items
    for taken in rounds_taken:
        assert len(taken) == 1 or sum(taken) <= most


def test_what_comes_while_a_round_is_under_way_is_answered_by_the_next() -> None:
    entered, go_on = threading.Event(), threading.Event()
    taken: list[list[int]] = []

    def answer(items: Sequence[int]) -> list[str]:
        taken.append(list(items))
        entered.set()
        assert go_on.wait(HANG_SECONDS)
        return [str(item) for item in items]

    async def scenario() -> list[str]:
        rounds = Rounds(answer, most=100)
        first = asyncio.create_task(rounds.ask(1))
        await asyncio.to_thread(entered.wait, HANG_SECONDS)
        rest = [asyncio.create_task(rounds.ask(n)) for n in range(2, 10)]
        await asyncio.sleep(0)
        go_on.set()
        return [await task for task in (first, *rest)]

    assert asyncio.run(scenario()) == [str(n) for n in range(1, 10)]
    assert taken == [[1], [2, 3, 4, 5, 6, 7, 8, 9]]


def test_when_storage_fails_all_of_the_round_are_told_and_the_next_goes_on() -> None:
    fails = [True, False]

    def answer(items: Sequence[int]) -> list[str]:
        if fails.pop(0):
            raise StorageUnavailable("away")
        return [str(item) for item in items]

    async def scenario() -> None:
        rounds = Rounds(answer, most=100)
        answers = await ask_all(rounds, [1, 2, 3])
        assert [type(each) for each in answers] == [StorageUnavailable] * 3
        assert await ask_all(rounds, [4, 5]) == ["4", "5"]

    asyncio.run(scenario())


def test_who_has_waited_behind_a_round_that_failed_does_not_wait_for_another() -> None:
    entered, go_on = threading.Event(), threading.Event()
    taken: list[list[int]] = []

    def answer(items: Sequence[int]) -> list[str]:
        taken.append(list(items))
        entered.set()
        assert go_on.wait(HANG_SECONDS)
        if 1 in items:
            raise StorageUnavailable("busy")
        return [str(item) for item in items]

    async def scenario() -> None:
        rounds = Rounds(answer, most=100)
        first = asyncio.create_task(rounds.ask(1))
        await asyncio.to_thread(entered.wait, HANG_SECONDS)
        rest = [asyncio.create_task(rounds.ask(n)) for n in range(2, 10)]
        await asyncio.sleep(0)
        go_on.set()
        for task in (first, *rest):
            with pytest.raises(StorageUnavailable, match="busy"):
                await task
        assert await rounds.ask(2) == "2"

    asyncio.run(scenario())
    assert taken == [[1], [2]]


def test_what_nobody_has_foreseen_is_felt_by_its_cause_alone() -> None:
    def answer(items: Sequence[int]) -> list[str]:
        return [str(10 // item) for item in items]

    answers = asyncio.run(ask_all(Rounds(answer, most=100), [1, 0, 2]))
    assert answers[0::2] == ["10", "5"]
    assert isinstance(answers[1], ZeroDivisionError)


def test_who_has_gone_away_meanwhile_disturbs_nobody() -> None:
    go_on = threading.Event()

    def answer(items: Sequence[int]) -> list[str]:
        assert go_on.wait(HANG_SECONDS)
        return [str(item) for item in items]

    async def scenario() -> str:
        rounds = Rounds(answer, most=100)
        gone, stays = (asyncio.create_task(rounds.ask(n)) for n in (1, 2))
        await asyncio.sleep(0.01)
        gone.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await stays

    assert asyncio.run(scenario()) == "2"
