"""Snapshots: one reading for all who ask within its age."""

import asyncio
from datetime import timedelta

import time_machine

from app.core.clock import now
from app.core.snapshots import Snapshots

AGE = timedelta(seconds=1)


class Source:
    """What is read: each reading waits for ``go`` and returns its number, or raises."""

    def __init__(self) -> None:
        self.readings: list[str] = []
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def read(self, key: str) -> int:
        self.readings.append(key)
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return len(self.readings)


async def test_all_who_come_during_a_reading_share_it() -> None:
    source = Source()
    found = Snapshots(source.read, age=AGE, most=10)
    callers = [asyncio.create_task(found.get("a")) for _ in range(5)]
    await asyncio.sleep(0)
    # The first has gone away: its reading is not its own.
    callers[0].cancel()
    await asyncio.sleep(0)
    source.go.set()
    assert await asyncio.gather(*callers[1:]) == [1] * 4
    assert callers[0].cancelled()
    await found.close()


async def test_a_value_is_kept_for_its_age_by_either_direction_of_the_clock() -> None:
    source = Source()
    source.go.set()
    found = Snapshots(source.read, age=AGE, most=10)
    with time_machine.travel(now(), tick=False) as clock:
        assert [await found.get("a"), await found.get("a")] == [1, 1]
        clock.shift(AGE - timedelta(milliseconds=1))
        assert await found.get("a") == 1
        clock.shift(timedelta(milliseconds=1))
        assert await found.get("a") == 2
        clock.shift(timedelta(hours=-1))
        assert await found.get("a") == 3


async def test_an_error_is_raised_in_all_and_not_kept() -> None:
    source = Source()
    source.error = ValueError("x")
    found = Snapshots(source.read, age=AGE, most=10)
    callers = [asyncio.create_task(found.get("a")) for _ in range(3)]
    await asyncio.sleep(0)
    source.go.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(one) for one in results] == [ValueError] * 3
    assert source.readings == ["a"]

    source.error = None
    assert await found.get("a") == 2


async def test_a_bounded_number_of_keys_is_kept() -> None:
    source = Source()
    source.go.set()
    found = Snapshots(source.read, age=AGE, most=2)
    with time_machine.travel(now(), tick=False):
        for key in ("a", "b", "c", "c", "b", "a"):
            await found.get(key)
    assert source.readings == ["a", "b", "c", "a"]
