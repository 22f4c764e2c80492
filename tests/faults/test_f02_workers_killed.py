"""F2: the processes that answer HTTP are killed while people sign up, check in and spend."""

import asyncio
import random
import time
from collections.abc import AsyncIterator

import pytest

from bench.crowd import PRICE
from bench.service import WORKERS, Service
from tests.faults.flaws import flawed
from tests.faults.load import Load, different
from tests.faults.measured import Measured
from tests.faults.stage import Stage, stage, struck
from tests.faults.victims import kill, serving
from tests.faults.waiting import until

pytestmark = pytest.mark.faults

CHECKINS, SIGNUPS, CHARGES = 12_000, 4_000, 4_000
COLLECTIONS, DONATIONS, GIVEN = 2_000, 500, 4
KILLS_EACH = 20
CHARGED = 3
DEADLINE_S = 400
WORKER_START_S = 60
FEW = 300


@pytest.fixture(scope="module")
async def one() -> AsyncIterator[Stage]:
    async with stage() as found:
        yield found


async def test_nothing_acknowledged_is_lost_and_a_retry_gets_the_first_reply(
    one: Stage, measured: Measured
) -> None:
    scans = await one.checkins(CHECKINS)
    claims, charges = await one.signups(SIGNUPS), await one.charges(CHARGES, CHARGED)
    collected, given = await one.collections(COLLECTIONS), await one.donations(DONATIONS, GIVEN)
    asks = [*scans, *claims, *charges, *collected, *given]
    random.Random(2).shuffle(asks)
    load, killer, started = one.load(asks), Killer(one.service), time.monotonic()
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        group.create_task(load.run())
        group.create_task(struck(load, KILLS_EACH * WORKERS, len(asks), killer.strike))
    taken, broken = time.monotonic() - started, load.statuses[0]
    measured("F2", "kills, acknowledged", f"{len(killer.killed)}, {len(load.good):,}")
    measured("F2", "seconds, connections broken", f"{taken:.0f}, {broken:,}")
    assert len(load.good) == len(asks), load.statuses

    again = one.load(asks)
    async with asyncio.timeout(DEADLINE_S):
        await again.run()
    other = different(load.good, again.good)
    lost = await one.lost_checkins([pair for pair in load.good if pair[0] in set(scans)])
    doubled = await one.awarded_twice([*scans, *charges])
    wrong = await one.balances_other_than(charges, 10 - CHARGED)
    wrong += await one.balances_other_than(collected, 10 - PRICE)
    wrong += await one.balances_other_than(given, 10 - GIVEN)
    held = await one.still_held([*collected, *given])
    measured("F2", "acknowledged and lost, doubled", f"{lost}, {doubled + wrong}")
    measured("F2", "retries with another reply than the first", f"{other} of {len(asks):,}")
    assert (lost, doubled, wrong, held, other) == (0, 0, 0, 0, 0)
    assert await one.ledger_differences() == []


async def test_control_a_reply_before_the_commit_is_lost(one: Stage, measured: Measured) -> None:
    asks = await one.checkins(FEW)
    with flawed(one.service, "reply_before_commit", workers=2) as hasty:
        load = Load(hasty.port, asks, connections=16)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(load.run())
            await struck(load, 1, 60, lambda: kill(hasty.workers()))
            load.stopped = True
    lost = await one.lost_checkins(load.good)
    measured("F2", "control: lost when replied before commit", f"{lost} of {len(load.good)}")
    assert lost > 0


async def test_control_without_keys_a_retry_gets_another_reply(
    one: Stage, measured: Measured
) -> None:
    asks = await one.charges(20)
    with flawed(one.service, "keys_forgotten") as forgetful:
        first, again = (Load(forgetful.port, asks) for _ in range(2))
        async with asyncio.timeout(60):
            await first.run()
            await again.run()
    other = different(first.kept, again.kept)
    measured("F2", "control: other replies without keys", f"{other} of {len(asks)}")
    assert (len(first.good), other) == (len(asks), len(asks))


class Killer:
    """Kills the workers by turns, each as soon as it serves somebody."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.killed: list[int] = []

    def strike(self) -> None:
        until(lambda: serving(self._service) != [], WORKER_START_S)
        victim = serving(self._service)[0]
        kill([victim])
        self.killed.append(victim.pid)
