"""F18: the app, PostgreSQL and Redis are killed in the middle of a redemption day.

250 people with an order each, four counters that scan at once, no-shows and walk-ins: nothing is
lost, done twice or stays held, and the day balances. Everybody repeats with the same key.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import psutil
import pytest

from app.core.clock import now
from bench.service import Service, service
from tests.factories.redemption_days import HOUR, set_times
from tests.faults.flaws import flawed
from tests.faults.load import BROKEN, Ask, Load, Reply, different
from tests.faults.measured import Measured
from tests.faults.redemption_day import (
    ASKED_AGAIN_S,
    RedemptionDay,
    make_redemption_day,
)
from tests.faults.server import run
from tests.faults.stage import Stage, stage
from tests.faults.test_f11_jobs_killed import jobs
from tests.faults.victims import kill, serving, valkey_of
from tests.faults.waiting import eventually, until

pytestmark = pytest.mark.faults

PEOPLE, ABSENT, WALK_INS = 250, 25, 20
PHONES = 32
# Strikes in the orders, the hand-overs and the walk-ins; the close and the releases have one each.
STRIKES = {"orders": 2, "handovers": 4, "walk_ins": 1}
MASTER_AT = 4  # which strike at the app is at the master; the others are at a worker
LATER_S = 0.02
DEADLINE_S, END_S, GONE_S, START_S = 120, 60, 30, 90
FEW = 40
SECOND = timedelta(seconds=1)

Strike = Callable[[], None]
Kept = Sequence[tuple[Ask, Reply]]


@pytest.fixture(scope="module")
async def one() -> AsyncIterator[Stage]:
    async with stage() as found:
        yield found


@dataclass
class App:
    """Kills a worker that serves, and at times the master, which is then started again."""

    one: Stage
    stack: ExitStack
    running: Service
    strikes: int = 0

    def strike(self) -> None:
        self.strikes += 1
        if self.strikes == MASTER_AT:
            self._kill_the_master()
        else:
            until(lambda: self.running.workers() != [], START_S)
            kill(serving(self.running)[:1] or self.running.workers()[:1])

    def _kill_the_master(self) -> None:
        orphans = self.running.process.children(recursive=True)
        kill([self.running.process])
        _, alive = psutil.wait_procs(orphans, GONE_S)
        assert alive == []
        again = service(self.running.port, data_dir=self.one.data_dir)
        self.running = self.stack.enter_context(again)


@pytest.fixture(scope="module")
def app(one: Stage) -> Iterator[App]:
    with ExitStack() as stack:
        yield App(one, stack, one.service)


def kill_when_there(find: Callable[[], list[psutil.Process]]) -> None:
    until(lambda: find() != [])
    kill(find())


def striking(victim: str, one: Stage, app: App) -> Strike:
    """Return what kills a victim. The keeper starts engines again, and the master its workers."""
    return {
        "PostgreSQL": lambda: kill_when_there(one.postgres),
        "Redis": lambda: kill_when_there(lambda: valkey_of(one.data_dir)),
        "the app": app.strike,
    }[victim]


@dataclass
class Run:
    """A day that is struck at moments that a seed decides."""

    day: RedemptionDay
    strike: Strike
    dice: random.Random
    struck: int = 0
    loads: list[Load] = field(default_factory=list)

    @property
    def kept(self) -> list[tuple[Ask, Reply]]:
        return [pair for load in self.loads for pair in load.kept]

    async def orders(self) -> None:
        asks = self.day.orders()
        await self.send([asks], STRIKES["orders"], connections=PHONES)
        self.day.ordered(asks, self.loads[-1].good)

    async def send(
        self, parts: Sequence[Sequence[Ask]], strikes: int, connections: int = 1
    ) -> None:
        """Send each part by phones of its own, and strike meanwhile, in spans of equal length."""
        await settled(self.day.stage)
        of = sum(map(len, parts))
        loads = [
            self.day.stage.load(part, connections=connections, rest=ASKED_AGAIN_S) for part in parts
        ]
        self.loads += loads
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            for load in loads:
                group.create_task(load.run())
            for number in range(strikes):
                after = int((number + self.dice.uniform(0.2, 0.8)) * of / strikes)
                await replied(loads, after)
                await asyncio.sleep(self.dice.uniform(0, LATER_S))
                await self.hit()

    async def hit(self) -> None:
        await asyncio.to_thread(self.strike)
        self.struck += 1

    async def release(self) -> None:
        """End the orders; strike while a worker releases them, and run it again."""
        day = self.day
        await settled(day.stage)
        await set_times(day.stage.service.settings, day.id, now() - SECOND, now() + HOUR)

        async def some() -> bool:
            return await day.released() > 0

        async def all_of_them() -> bool:
            return await day.released() == day.absent

        async with jobs(day.stage) as worker:
            await eventually(some, END_S)
            await self.hit()
            kill([worker])
        await settled(day.stage)
        async with jobs(day.stage):
            await eventually(all_of_them, END_S)

    async def close(self) -> None:
        """End the day; its absences are recorded, and it is closed."""
        day, ended = self.day, now() - SECOND
        await settled(day.stage)
        await set_times(day.stage.service.settings, day.id, ended, ended)
        async with jobs(day.stage):
            await eventually(day.is_settled, END_S)
        await self.send([[day.closing()]], 1)


async def settled(one: Stage) -> None:
    """Wait until workers that were killed have been replaced, and the rest has got over it."""
    await eventually(one.serves, START_S)
    await one.settled()


async def replied(loads: Sequence[Load], number: int) -> None:
    async def enough() -> bool:
        return sum(len(load.kept) for load in loads) >= number

    await eventually(enough, DEADLINE_S)


async def repeated(one: Stage, kept: Kept) -> Kept:
    """Send everything again, each with its key."""
    await settled(one)
    again = one.load([ask for ask, _ in kept], connections=PHONES, rest=ASKED_AGAIN_S)
    async with asyncio.timeout(DEADLINE_S):
        await again.run()
    return again.kept


def replays(kept: Kept) -> int:
    return sum(b"\r\nidempotency-replayed: true" in reply.head.lower() for _, reply in kept)


@pytest.mark.parametrize("victim", ["PostgreSQL", "Redis", "the app"])
async def test_a_day_is_exact_whatever_is_killed(
    one: Stage, app: App, measured: Measured, victim: str
) -> None:
    day = await make_redemption_day(one, PEOPLE, absent=ABSENT, walk_ins=WALK_INS)
    started = time.monotonic()
    it = Run(day, striking(victim, one, app), random.Random(18))
    await it.orders()
    await it.send(await day.handovers(), STRIKES["handovers"])
    await it.release()
    await it.send(await day.walk_ins(), STRIKES["walk_ins"])
    await it.close()
    taken = time.monotonic() - started
    again = await repeated(one, it.kept)
    found = await day.wrong()
    verified = await asyncio.to_thread(run, one.data_dir, "ledger", "verify")
    statuses = sum((load.statuses for load in it.loads), start=Counter[int]())
    replies = f"{len(it.kept)}, {statuses[BROKEN]}, {statuses[503]}, {replays(it.kept)}"
    measured("F18", f"kills of {victim}", f"{it.struck} in {taken:.0f} s")
    measured("F18", "replies, broken off, told 503, replayed at once", replies)
    measured("F18", "lost, twice or still held", found or 0)
    assert {reply.status for _, reply in it.kept} <= {200, 201}, statuses
    assert len(it.kept) == PEOPLE + (PEOPLE - ABSENT) + WALK_INS + 1
    assert found == {}
    assert (different(it.kept, again), replays(again)) == (0, len(it.kept))
    report = json.loads(it.kept[-1][1].body)
    assert report["balances"]
    assert report["ledger_held"] == sum(day.spent())
    assert [item["counted"] for item in report["items"]] == day.left()
    assert verified.returncode == 0, verified.stdout


async def test_control_a_reply_before_the_commit_is_lost(one: Stage, measured: Measured) -> None:
    day = await make_redemption_day(one, FEW)
    it = Run(day, lambda: None, random.Random(18))
    asks = day.orders()
    await it.send([asks], 0, connections=PHONES)
    day.ordered(asks, it.loads[-1].good)
    with flawed(one.service, "reply_before_commit", workers=2) as hasty:
        counters = [Load(hasty.port, part, connections=1) for part in await day.handovers()]
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            for counter in counters:
                group.create_task(counter.run())
            await replied(counters, len(counters))
            await asyncio.to_thread(kill, hasty.workers())
            for counter in counters:
                counter.stopped = True
    said = sum(len(counter.good) for counter in counters)
    lost = said - (FEW - (await day.wrong())["collected"])
    measured("F18", "control: lost when replied before commit", f"{lost} of {said}")
    assert lost > 0


async def test_control_without_keys_an_order_is_made_twice(one: Stage, measured: Measured) -> None:
    day = await make_redemption_day(one, FEW, spare=FEW)
    asks = day.orders()
    with flawed(one.service, "keys_forgotten") as forgetful:
        first, again = (Load(forgetful.port, asks, connections=4) for _ in range(2))
        async with asyncio.timeout(DEADLINE_S):
            await first.run()
            await again.run()
    wrong = await day.wrong()
    measured("F18", "control: people with two orders without keys", f"{wrong['orders']} of {FEW}")
    assert (wrong["orders"], different(first.kept, again.kept)) == (FEW, FEW)
