"""F7: three times as many people want to sign up as the service can take, for three minutes.

The peak is what 64 busy connections get in the same run, by the same client on the same
cores; three times the load is 192 of them. Beyond that stands the open loop: requests
fall due three times as fast as at the peak, on as many connections as there are phones,
and a phone hangs up after five seconds.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text

from app.models.activities import Activity
from bench.crowd import Resident
from bench.service import Service
from tests.faults.flaws import flawed
from tests.faults.load import SILENT, Ask, Load
from tests.faults.measured import Measured
from tests.faults.stage import API, RULE, Stage, stage
from tests.faults.waiting import eventually

pytestmark = pytest.mark.faults

PEAK_S, WARM_S = 15.0, 5.0
OVERLOAD_S = 180.0
SHORT_S = 20.0
CONNECTIONS, TIMES = 64, 3
PHONES, PATIENCE_S = 6_000, 5.0
GOODPUT = 0.8
PEOPLE, PLACES = 5_000, 200
# A worker's memory may still grow this much after the first third.
GROWTH = 1.15
LOOK_EVERY_S = 2.0
RECOVERED_S = 10.0
MB = 1 << 20

_SIGNUPS = text("SELECT count(*) FROM signups")


@pytest.fixture(scope="module")
async def one() -> AsyncIterator[Stage]:
    async with stage() as found:
        yield found


@pytest.fixture(scope="module")
async def peak(one: Stage) -> float:
    """Sign-ups a second on busy connections, as many as it takes."""
    source = rush(*await crowd(one))
    return goodput(await busy(one.service, source, CONNECTIONS, WARM_S + PEAK_S), WARM_S)


async def test_three_times_the_load(one: Stage, peak: float, measured: Measured) -> None:
    source, sizes = rush(*await crowd(one)), list[float]()
    before = await signups(one)
    load = await busy(one.service, source, TIMES * CONNECTIONS, OVERLOAD_S, sizes)
    good = goodput(load)
    early, late = max(sizes[: len(sizes) // 3]), max(sizes)
    measured("F7", "peak, goodput at 3 x", f"{peak:,.0f}/s, {good:,.0f}/s = {good / peak:.2f}")
    measured("F7", "statuses", dict(load.statuses))
    measured("F7", "largest worker: first third, all", f"{early:.0f} MB, {late:.0f} MB")
    assert set(load.statuses) <= {201, 429, 503}, load.statuses
    assert all(each.says_when for each in load.attempts if each.status != 201)
    assert await signups(one) - before == load.statuses[201], "acknowledged and lost"
    assert late <= GROWTH * early
    assert good >= GOODPUT * peak


async def test_control_without_lists_the_crowd_wins(
    one: Stage, peak: float, measured: Measured
) -> None:
    source = rush(*await crowd(one))
    with flawed(one.service, "one_by_one", workers=2) as other:
        good = goodput(await busy(other, source, TIMES * CONNECTIONS, SHORT_S))
    measured("F7", "control: goodput one by one", f"{good / peak:.2f} of the peak")
    assert good < GOODPUT * peak


async def test_the_open_loop_breaks_nothing(one: Stage, peak: float, measured: Measured) -> None:
    """Goodput is only reported here; no figure was promised."""
    source = rush(*await crowd(one))
    load = Load(
        one.service.port,
        source,
        connections=PHONES,
        rate=TIMES * peak,
        insist=False,
        breaks=1,
        patience_s=PATIENCE_S,
        keep=False,
    )
    await run_for(load, SHORT_S)
    await eventually(one.serves, RECOVERED_S)
    said = f"{goodput(load) / peak:.2f} of the peak, {dict(load.statuses)}"
    measured("F7", "beyond: open loop, goodput, statuses (-1: hung up)", said)
    assert set(load.statuses) <= {201, 429, 503, SILENT}


async def crowd(one: Stage) -> tuple[list[Resident], list[Activity]]:
    people = await one.residents(PEOPLE)
    return people, await one.crowd.activities(PLACES, people[0], rule=RULE)


def rush(people: list[Resident], places: list[Activity]) -> Iterator[Ask]:
    """Everybody signs up to one activity after the other: each a new row."""
    for place in places:
        path = f"{API}/activities/{place.id}/signups"
        yield from (Ask("POST", path, each.id, each.token, body="{}") for each in people)


async def signups(one: Stage) -> int:
    async with one.look() as tx:
        found: int = (await tx.execute(_SIGNUPS)).scalar_one()
    return found


async def busy(
    service: Service,
    source: Iterator[Ask],
    connections: int,
    seconds: float,
    sizes: list[float] | None = None,
) -> Load:
    """Keep so many connections busy; note the size of the largest worker meanwhile, in MB."""
    load = Load(service.port, source, connections=connections, keep=False)
    async with asyncio.TaskGroup() as group:
        group.create_task(run_for(load, seconds))
        while sizes is not None and not load.stopped:
            sizes.append(max(each.memory_info().rss for each in service.workers()) / MB)
            await asyncio.sleep(LOOK_EVERY_S)
    return load


async def run_for(load: Load, seconds: float) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await asyncio.sleep(seconds)
        load.stopped = True


def goodput(load: Load, warm_s: float = 0.0) -> float:
    """Sign-ups a second, after the first seconds."""
    since, until = load.attempts[0].due + warm_s, load.attempts[-1].ended
    return sum(each.status == 201 for each in load.between(since, until)) / (until - since)
