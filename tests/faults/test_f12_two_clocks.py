"""F12: two hosts disagree by ten minutes at midnight; the one that is late refuses.

What it would have dated into the day that is sealed comes a day later by the other host.
"""

from datetime import timedelta

import httpx
import pytest

from app.core.clock import local_date, midnight, now
from tests.factories.activities import current_code, make_activity, sign_up
from tests.factories.ledger import balance
from tests.factories.people import TestPerson, make_people
from tests.faults.hosts import Ground, Town, real_now
from tests.faults.measured import Measured

pytestmark = pytest.mark.faults

A_DAY, A_MINUTE = timedelta(days=1), timedelta(minutes=1)
LATE = 10 * A_MINUTE
PEOPLE = 6  # half of them by the host that is late


class Gathering:
    """People at an activity round midnight, who check in at either host."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.midnight = midnight(local_date(real_now()) + A_DAY)

    async def begin(self) -> None:
        """A minute before midnight, by the right clock."""
        await self.town.set(self.midnight - A_MINUTE, late=LATE)
        runtime = self.town.runtime
        starts_at = self.midnight - 120 * A_MINUTE
        self.activity = await make_activity(runtime, starts_at=starts_at, hours=4)
        self.early = await make_people(runtime, PEOPLE)
        self.after = await make_people(runtime, PEOPLE)
        await sign_up(runtime, self.activity, *self.early, *self.after)

    async def checks_in(
        self, url: str, person: TestPerson, late: timedelta = timedelta(0)
    ) -> tuple[int, str]:
        """Return status and code of a check-in with the screen that the host shows."""
        code = current_code(self.town.runtime, self.activity, age_seconds=late.total_seconds())
        headers = self.town.headers(person.id, now() - late)
        async with httpx.AsyncClient(base_url=f"{url}/api/v1") as api:
            reply = await api.post("/checkins", json={"code": code}, headers=headers)
        return reply.status_code, reply.json().get("code", "")

    async def points(self) -> list[int]:
        everybody = [*self.early, *self.after]
        return [await balance(self.town.runtime, person.id) for person in everybody]


async def check_in_at_both(
    gathering: Gathering, people: list[TestPerson], right: str, late: str
) -> int:
    """Check people in, half of them at the late host first; return how many it refused."""
    for one in people[::2]:
        assert await gathering.checks_in(right, one) == (201, "")
    for one in people[1::2]:
        assert await gathering.checks_in(late, one, LATE) == (503, "service.clock")
        assert await gathering.checks_in(right, one) == (201, "")
    return len(people[1::2])


async def test_the_host_that_is_late_refuses(ground: Ground, measured: Measured) -> None:
    async with ground.town() as town:
        gathering = Gathering(town)
        town.add("right", "late")
        await gathering.begin()
        with town.web("right") as right, town.web("late") as late:
            refused = await check_in_at_both(gathering, gathering.early, right, late)
            await town.set(gathering.midnight + 6 * A_MINUTE, late=LATE)
            await town.seals("right", 1)
            refused += await check_in_at_both(gathering, gathering.after, right, late)
            ready = await town.readiness(late)
            assert (ready["status"], ready["clock"]) == ("degraded", "wrong")
            proven = [await town.is_proven(right, one.id) for one in gathering.early]
        assert proven == [True] * PEOPLE
        assert town.verified() == 0
        points = await gathering.points()
        # Time counts by the clock (decision 0022): for two hours, and for an hour and a half.
        assert points == [4] * PEOPLE + [3] * PEOPLE
    measured(
        "F12", "check-ins refused by the late host, kept by the other", f"{refused}, {refused}"
    )


async def test_control_a_host_that_trusts_its_clock(ground: Ground, measured: Measured) -> None:
    """PostgreSQL still refuses. Without its trigger too the seal of the day breaks."""
    async with ground.town() as town:
        gathering = Gathering(town)
        town.add("right", "late")
        await gathering.begin()
        with town.web("right") as right, town.web("late", "trusting") as late:
            for one in gathering.early:
                assert await gathering.checks_in(right, one) == (201, "")
            await town.set(gathering.midnight + 6 * A_MINUTE, late=LATE)
            await town.seals("right", 1)
            first, second, *_ = gathering.after
            assert await gathering.checks_in(late, first, LATE) == (503, "service.busy")
            assert town.verified() == 0
            trigger = "ALTER TABLE ledger_transfers {} TRIGGER refuse_closed_days"
            await town.admin(trigger.format("DISABLE"))
            assert await gathering.checks_in(late, second, LATE) == (201, "")
            await town.admin(trigger.format("ENABLE"))
            proven = [await town.is_proven(right, one.id) for one in gathering.early]
        assert town.verified() == 1
        assert not all(proven)
    measured("F12", "control: proofs broken without the guards", proven.count(False))
