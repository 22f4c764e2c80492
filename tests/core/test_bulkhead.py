"""A crowd waits its turn, but not for an engine that is down."""

import asyncio

import pytest

from app.core import bulkhead as module
from app.core.bulkhead import Bulkhead
from app.core.errors import Busy


class Visit:
    """A task that is let in, stays until told to leave, and knows how far it came."""

    def __init__(self, bulkhead: Bulkhead) -> None:
        self.is_in, self.may_leave = False, asyncio.Event()
        self._bulkhead = bulkhead
        self.task = asyncio.create_task(self._visit())

    async def _visit(self) -> None:
        async with self._bulkhead:
            self.is_in = True
            await self.may_leave.wait()

    async def leave(self) -> None:
        self.may_leave.set()
        await self.task


async def visits(bulkhead: Bulkhead, number: int) -> list[Visit]:
    found = [Visit(bulkhead) for _ in range(number)]
    await settled()
    return found


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_so_many_are_in_and_the_next_follows_in_order() -> None:
    one, two, three, four = await visits(Bulkhead(2, 60), 4)
    assert [v.is_in for v in (one, two, three, four)] == [True, True, False, False]
    await two.leave()
    await settled()
    assert [v.is_in for v in (three, four)] == [True, False]
    for visit in (one, three, four):
        visit.may_leave.set()
    await asyncio.gather(one.task, three.task, four.task)
    assert four.is_in


async def test_who_waits_too_long_is_told_to_come_back() -> None:
    inside, waiting = await visits(Bulkhead(1, 0.01), 2)
    with pytest.raises(Busy):
        await waiting.task
    await inside.leave()


async def test_trouble_sends_away_who_waits_and_closes_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bulkhead = Bulkhead(1, 60)
    inside, *waiting = await visits(bulkhead, 3)
    bulkhead.trouble()
    answers = await asyncio.gather(*(v.task for v in waiting), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Busy, Busy]
    await inside.leave()
    (late,) = await visits(bulkhead, 1)
    with pytest.raises(Busy):
        await late.task

    monkeypatch.setattr(module, "CLOSED_S", 0.0)
    bulkhead.trouble()
    (later,) = await visits(bulkhead, 1)
    assert later.is_in
    await later.leave()


async def test_a_place_given_to_somebody_who_left_is_handed_on() -> None:
    bulkhead = Bulkhead(1, 60)
    inside, leaving, staying = await visits(bulkhead, 3)
    inside.may_leave.set()
    await asyncio.sleep(0)  # the place has been given, but who got it has not woken up
    leaving.task.cancel()
    await settled()
    assert not leaving.is_in
    assert staying.is_in
    await staying.leave()
    (next_one,) = await visits(bulkhead, 1)
    assert next_one.is_in, "no place was lost"
    await next_one.leave()


async def test_who_goes_while_waiting_loses_nobody_a_place() -> None:
    bulkhead = Bulkhead(1, 60)
    inside, leaving, staying = await visits(bulkhead, 3)
    leaving.task.cancel()
    await settled()
    await inside.leave()
    await settled()
    assert staying.is_in
    await staying.leave()
