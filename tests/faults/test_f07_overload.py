"""F7: three times as many people want to sign up as the service can take, for three minutes.

The peak is what 64 busy connections get in the same run. Then requests fall due three
times as fast, whatever became of those before. The load generator and the refusals
take their share of the same cores.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from bench.crowd import Resident
from bench.memory import largest
from bench.service import Service
from bench.wrk import CONNECTIONS, Rush, rush
from tests.faults.flaws import flawed
from tests.faults.measured import Measured
from tests.faults.stage import API, RULE, Stage, stage
from tests.faults.waiting import eventually

pytestmark = [pytest.mark.faults, pytest.mark.needs_wrk]

WARM_S, PEAK_S, OVERLOAD_S, SHORT_S = 5, 15, 180, 20
TIMES, PHONES = 3, 6_000
GOODPUT = 0.8
PEOPLE = 5_000
# More requests a second than can be sent: nobody signs up twice to the same activity.
MOST_A_SECOND = 12_000
# A worker's memory may still grow this much after the first third.
GROWTH = 1.15
LOOK_EVERY_S = 2.0
RECOVERED_S = 10.0

_SIGNUPS = text("SELECT count(*) FROM signups")


@dataclass(frozen=True)
class Applicants:
    """People who all want to go wherever something is on."""

    stage: Stage
    people: list[Resident]

    async def rush(
        self,
        seconds: int,
        service: Service | None = None,
        *,
        rate: float = 0,
        connections: int = CONNECTIONS,
    ) -> Rush:
        """Sign up to one new activity after the other."""
        number = seconds * MOST_A_SECOND // PEOPLE
        places = await self.stage.crowd.activities(number, self.people[0], rule=RULE)
        paths = [f"{API}/activities/{place.id}/signups" for place in places]
        tokens = [one.token for one in self.people]
        url = (service or self.stage.service).url
        return await asyncio.to_thread(
            rush, url, tokens, paths, seconds, rate=rate, connections=connections
        )

    async def signups(self) -> int:
        async with self.stage.look() as tx:
            found: int = (await tx.execute(_SIGNUPS)).scalar_one()
        return found


@pytest.fixture(scope="module")
async def applicants() -> AsyncIterator[Applicants]:
    async with stage() as one:
        yield Applicants(one, await one.residents(PEOPLE))


@pytest.fixture(scope="module")
async def peak(applicants: Applicants, measured: Measured) -> float:
    """Sign-ups a second on busy connections."""
    await applicants.rush(WARM_S)
    found = (await applicants.rush(PEAK_S)).goodput
    most = (await applicants.rush(PEAK_S, connections=TIMES * CONNECTIONS)).goodput
    measured("F7", "beside it: on three times the connections", f"{most:,.0f}/s")
    return found


async def test_three_times_the_peak(
    applicants: Applicants, peak: float, measured: Measured
) -> None:
    before, sizes = await applicants.signups(), list[float]()
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(note_sizes(applicants.stage.service, sizes))
        load = await applicants.rush(OVERLOAD_S, rate=TIMES * peak, connections=PHONES)
        looking.cancel()
    good = f"{load.goodput:,.0f}/s = {load.goodput / peak:.2f}"
    early, late = max(sizes[: len(sizes) // 3]), max(sizes)
    measured("F7", "peak, offered, goodput", f"{peak:,.0f}/s, {load.offered:,.0f}/s, {good}")
    measured("F7", "statuses", dict(load.statuses))
    measured("F7", "largest worker: first third, all", f"{early:.0f} MiB, {late:.0f} MiB")
    assert load.goodput >= GOODPUT * peak
    assert set(load.statuses) <= {201, 429, 503}, load.statuses
    assert (load.without_retry_after, load.broken) == (0, 0)
    assert await applicants.signups() - before >= load.statuses[201], "acknowledged and lost"
    assert late <= GROWTH * early
    await eventually(applicants.stage.serves, RECOVERED_S)


async def test_control_without_lists_the_crowd_wins(
    applicants: Applicants, peak: float, measured: Measured
) -> None:
    with flawed(applicants.stage.service, "one_by_one", workers=2) as other:
        load = await applicants.rush(SHORT_S, other, rate=TIMES * peak, connections=PHONES)
    measured("F7", "control: goodput one by one", f"{load.goodput / peak:.2f} of the peak")
    assert load.goodput < GOODPUT * peak


async def note_sizes(service: Service, sizes: list[float]) -> None:
    """Note the size of the largest worker, in MiB, now and then."""
    while True:
        sizes.append(largest(service))
        await asyncio.sleep(LOOK_EVERY_S)
