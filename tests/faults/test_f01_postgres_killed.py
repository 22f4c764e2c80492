"""F1: PostgreSQL is killed again and again while people check in."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.faults.measured import Measured
from tests.faults.stage import Stage, stage, struck
from tests.faults.victims import kill

pytestmark = pytest.mark.faults

CHECKINS = 50_000
KILLS = 20
PLACES = 100
DEADLINE_S = 400
# The control: so many are acknowledged, then comes the kill. The WAL's buffers hold more.
UNSAFE_CHECKINS = 300


@pytest.fixture(scope="module")
async def one() -> AsyncIterator[Stage]:
    async with stage() as found:
        yield found


async def test_no_acknowledged_check_in_is_lost(one: Stage, measured: Measured) -> None:
    asks = await one.checkins(CHECKINS, PLACES)
    load, started = one.load(asks), time.monotonic()
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        group.create_task(load.run())
        group.create_task(struck(load, KILLS, CHECKINS, lambda: kill(one.postgres())))
    taken, statuses = time.monotonic() - started, load.statuses
    lost, doubled = await one.lost_checkins(load.good), await one.awarded_twice(asks)
    measured("F1", "kills, acknowledged", f"{KILLS}, {len(load.good):,} in {taken:.0f} s")
    measured("F1", "told 503 and tried again", f"{statuses[503]:,}")
    measured("F1", "acknowledged and lost, doubled", f"{lost}, {doubled}")
    assert (lost, doubled) == (0, 0)
    assert len(load.good) == CHECKINS
    assert set(statuses) <= {200, 201, 503}, statuses
    assert await one.ledger_differences() == []


async def test_control_without_synchronous_commit_some_are_lost(
    one: Stage, measured: Measured
) -> None:
    await one.settled()
    asks = await one.checkins(UNSAFE_CHECKINS * 4)
    # What is acknowledged stays in the WAL's buffers until somebody writes them.
    await one.admin(
        "ALTER SYSTEM SET synchronous_commit = off",
        "ALTER SYSTEM SET wal_writer_delay = '10s'",
        "ALTER SYSTEM SET wal_writer_flush_after = '1GB'",
        "SELECT pg_reload_conf()",
    )
    load = one.load(asks, connections=16)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await struck(load, 1, UNSAFE_CHECKINS * 2, lambda: kill(one.postgres()))
        load.stopped = True
    await one.settled()
    await one.admin("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
    lost = await one.lost_checkins(load.good)
    measured("F1", "control: lost without synchronous_commit", f"{lost} of {len(load.good)}")
    assert lost > 0
