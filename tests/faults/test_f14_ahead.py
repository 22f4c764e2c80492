"""F14: the clock of the host, PostgreSQL's too, is 800 days ahead for more than a minute."""

from datetime import timedelta

import pytest

from app.core.clock import now
from app.jobs import worker
from app.services import jobs
from tests.factories.awards import give_award
from tests.factories.ledger import balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_people
from tests.faults.hosts import Ground, Town, real_now
from tests.faults.measured import Measured
from tests.faults.waiting import eventually

pytestmark = pytest.mark.faults

A_DAY = timedelta(days=1)
AHEAD, LASTS_S = 800 * A_DAY, 75
PEOPLE, WAITING = 45, 5
# What runs at least once while the clock is wrong, in a worker that started before.
SOON = {"expire-lots", "expire-reservations", "pay-from-funds", "release-awards", "seal-days"}


async def prepare(town: Town) -> list[TestPerson]:
    """Some have points of yesterday for almost two years, the others awards that wait a day."""
    runtime, org = town.runtime, await make_org(town.runtime)
    people = await make_people(runtime, PEOPLE + WAITING)
    ends = now() + 700 * A_DAY
    for one in people[:PEOPLE]:
        await give_points(runtime, one.id, 40, org=org.id, expires_at=ends, at=now() - A_DAY)
    for one in people[PEOPLE:]:
        await give_award(runtime, one, org, points=5, proof="poster_code")
    return people


async def changed(town: Town, people: list[TestPerson]) -> tuple[int, int]:
    """Count people whose points expired, and people whose award was released."""
    balances = [await balance(town.runtime, one.id) for one in people]
    return balances[:PEOPLE].count(0), WAITING - balances[PEOPLE:].count(0)


async def held(town: Town) -> set[str]:
    async with town.runtime.database.read() as tx:
        return set(await jobs.held(tx))


async def test_nothing_expires_and_nothing_is_released(ground: Ground, measured: Measured) -> None:
    async with ground.town() as town:
        town.add("only")
        people = await prepare(town)
        with town.web("only") as url:
            async with town.worker("only"):
                await eventually(lambda: all_ran(town), 30)
                await town.set(real_now() + AHEAD)
                await eventually(lambda: waits_for(town, SOON), LASTS_S)
                ready = await town.readiness(url)
                assert ready["status"] == "degraded"
                assert set(ready["held_jobs"]) >= SOON
            async with town.worker("only"):  # a worker that starts then tries every job at once
                await eventually(lambda: waits_for(town, SOON | {"fund-months", "forget"}), 30)
                assert await changed(town, people) == (0, 0)
                await town.set(real_now())
            async with town.worker("only"):
                await eventually(lambda: nothing_is_held(town), 30)
            proven = [await town.is_proven(url, one.id) for one in people[:5]]
        assert proven == [True] * 5
        assert await changed(town, people) == (0, 0)
        assert town.verified() == 0
    measured("F14", "people whose points expired, whose awards were released", "0, 0")


async def test_control_a_worker_that_trusts_the_clock(ground: Ground, measured: Measured) -> None:
    async with ground.town() as town:
        town.add("only")
        people = await prepare(town)
        await town.seals("only", 1, "hasty")
        await town.set(real_now() + AHEAD)
        async with town.worker("only", "hasty"):

            async def all_changed() -> bool:
                return await changed(town, people) == (PEOPLE, WAITING)

            await eventually(all_changed, 30)
        await town.set(real_now())
        found = await changed(town, people)
        assert found == (PEOPLE, WAITING)
    measured("F14", "control: without the guard", f"{found[0]} expired, {found[1]} released")


async def all_ran(town: Town) -> bool:
    """Whether each job has run once: a job that never ran is not held."""
    async with town.runtime.database.read() as tx:
        [row] = await tx.fetch("SELECT count(begun_at) AS jobs FROM job_runs", {})
    return bool(row.jobs == len(worker.jobs()))


async def waits_for(town: Town, names: set[str]) -> bool:
    return names <= await held(town)


async def nothing_is_held(town: Town) -> bool:
    return not await held(town)
