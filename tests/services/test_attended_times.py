"""For which time an attendance counts: from the check-in to the planned end, no moment twice."""

import random
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
import time_machine

from app.core.clock import BEGINNING
from app.models.orgs import Org
from app.runtime import Runtime
from app.schemas.awards.review import RejectionIn
from app.services import checkins
from app.services.awards import reversal, review
from app.services.checkins import Recorded, Scan
from app.services.ledger.types import MINUTES
from tests.engines import as_owner
from tests.factories.activities import make_attended
from tests.factories.attendance import attend, in_force_since, shanghai
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer, make_person
from tests.factories.policies import SHIPPED, open_unit

NOON = 12
EXTRA, SERVICE, SESSION = "professional_service", "volunteer_hour", "activity_checkin"


@pytest.fixture
async def somebody(runtime: Runtime) -> tuple[TestPerson, Org]:
    return await make_person(runtime), await make_org(runtime)


def at(hour: float) -> datetime:
    return shanghai(3, 1, 0) + timedelta(minutes=round(hour * 60))


async def came(
    runtime: Runtime,
    somebody: tuple[TestPerson, Org],
    hour: float,
    starts: float,
    hours: float = 2,
    rule_key: str = SERVICE,
) -> tuple[int, int]:
    """Check in at an hour of the day; return points and minutes."""
    award = await attend(
        runtime, *somebody, at(hour), starts_at=at(starts), hours=hours, rule_key=rule_key
    )
    return award.points, award.minutes


@pytest.mark.parametrize(
    ("hour", "given"),
    [
        pytest.param(11.5, (4, 120), id="half an hour early"),
        pytest.param(12, (4, 120), id="in time"),
        pytest.param(12.02, (3, 90), id="a minute late"),
        pytest.param(13.5, (1, 30), id="half an hour before the end"),
        pytest.param(13.6, (0, 0), id="less than half an hour before the end"),
        pytest.param(14.4, (0, 0), id="after the end"),
    ],
)
async def test_time_counts_from_the_check_in_and_not_before_the_start(
    runtime: Runtime, somebody: tuple[TestPerson, Org], hour: float, given: tuple[int, int]
) -> None:
    assert await came(runtime, somebody, hour, NOON) == given
    assert await balance(runtime, somebody[0].id) == given[0]


@pytest.mark.parametrize(
    ("second", "given"),
    [
        pytest.param({"hour": 13, "starts": 13}, (2, 60), id="the end overlaps"),
        pytest.param({"hour": 12.5, "starts": 12.5, "hours": 1}, (0, 0), id="inside"),
        pytest.param({"hour": 12, "starts": 12, "hours": 3.2}, (2, 60), id="around"),
        pytest.param({"hour": 13.9, "starts": 14}, (4, 120), id="afterwards"),
        pytest.param({"hour": 12, "starts": 12, "rule_key": SESSION}, (1, 0), id="per session"),
        pytest.param({"hour": 12, "starts": 12, "rule_key": EXTRA}, (2, 0), id="an extra"),
    ],
)
async def test_no_moment_counts_twice(
    runtime: Runtime,
    somebody: tuple[TestPerson, Org],
    second: dict[str, float],
    given: tuple[int, int],
) -> None:
    await came(runtime, somebody, 12, NOON)

    assert await came(runtime, somebody, **second) == given  # type: ignore[arg-type]
    await assert_ledger_verifies(runtime)


async def test_time_that_was_counted_before_is_the_reason(
    runtime: Runtime, somebody: tuple[TestPerson, Org]
) -> None:
    """Not of who came too late to have half an hour."""
    reasons = [
        (await attend(runtime, *somebody, at(hour), starts_at=at(starts), hours=hours)).reason
        for hour, starts, hours in ((12, 12, 2), (12.5, 12.5, 1), (13, 13, 2), (16.6, 15, 2))
    ]
    assert reasons == ["full", "counted_before", "full", "full"]


async def test_extras_share_their_hours_too(
    runtime: Runtime, somebody: tuple[TestPerson, Org]
) -> None:
    await came(runtime, somebody, 12, NOON, rule_key=EXTRA)

    assert await came(runtime, somebody, 13, 13, rule_key=EXTRA) == (1, 0)


async def test_time_that_pays_nothing_stays_free(
    runtime: Runtime, somebody: tuple[TestPerson, Org]
) -> None:
    assert await came(runtime, somebody, 13.6, NOON) == (0, 0)
    assert await came(runtime, somebody, 13.6, 13.6) == (4, 120)


async def test_somebody_else_has_hours_of_her_own(
    runtime: Runtime, somebody: tuple[TestPerson, Org]
) -> None:
    await came(runtime, somebody, 12, NOON)

    assert await came(runtime, (await make_person(runtime), somebody[1]), 12, NOON) == (4, 120)


async def test_what_is_reversed_counts_again(
    runtime: Runtime, somebody: tuple[TestPerson, Org]
) -> None:
    first = await attend(runtime, *somebody, at(12))
    administrator = await make_administrator(runtime, somebody[1].id)
    async with runtime.database.transaction() as tx:
        await reversal.reverse(tx, administrator.id, first.id, "登记错误")

    assert await came(runtime, somebody, 12.5, 12.5) == (4, 120)
    assert await balance(runtime, somebody[0].id) == 4


async def test_what_is_rejected_counts_again(
    runtime: Runtime, somebody: tuple[TestPerson, Org]
) -> None:
    person, org = somebody
    reviewed = "[release.rotating_code]\nreviewers = 1"
    source = SHIPPED.replace("[release.rotating_code]", reviewed)
    source = source.replace('unit = "points"', f'unit = "{await open_unit(runtime)}"')
    await in_force_since(runtime, org, source, BEGINNING)
    first = await attend(runtime, person, org, at(12))
    assert (first.state, first.minutes) == ("pending", 120)
    reviewer = await make_organizer(runtime, org.id)
    async with runtime.database.transaction() as tx:
        await review.reject(tx, reviewer.id, first.id, RejectionIn(reason="未到场"))

    assert await came(runtime, somebody, 12.5, 12.5) == (4, 120)


async def test_a_long_activity_of_before_the_limit_pays_no_more_than_a_day(
    runtime: Runtime, somebody: tuple[TestPerson, Org]
) -> None:
    person, org = somebody
    with time_machine.travel(at(12), tick=False):
        long = await make_attended(
            runtime, person, org=org, hours=60, starts_at=at(12), before_limits=True
        )
        async with runtime.database.transaction() as tx:
            [done] = await checkins.record(tx, [Scan(long.serial, person.id)], at(12))

    assert isinstance(done, Recorded)
    assert done.result.award is not None
    assert done.result.award.minutes == 24 * 60


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_happens_every_moment_counts_once(
    runtime: Runtime, somebody: tuple[TestPerson, Org], seed: int
) -> None:
    """The same said once more, by sets of minutes: check-ins and reversals at random."""
    chance, counted = random.Random(seed), dict[UUID, set[int]]()
    administrator = await make_administrator(runtime, somebody[1].id)
    for minute in sorted(chance.sample(range(6 * 60, 20 * 60), 25)):
        if counted and chance.random() < 0.2:
            award_id = chance.choice([*counted])
            del counted[award_id]
            async with runtime.database.transaction() as tx:
                await reversal.reverse(tx, administrator.id, award_id, "登记错误")
            continue
        starts = minute + chance.randrange(-89, 31)
        hours = chance.choice([1, 2, 3])
        award = await attend(
            runtime, *somebody, at(minute / 60), starts_at=at(starts / 60), hours=hours
        )
        mine = {*range(max(minute, starts), starts + hours * 60)}.difference(*counted.values())
        assert award.minutes == len(mine) // 30 * 30
        if award.minutes:
            counted[award.id] = mine
    assert await balance(runtime, somebody[0].id, unit=MINUTES) == sum(
        len(mine) // 30 * 30 for mine in counted.values()
    )


async def test_the_database_lets_no_moment_count_twice(
    runtime: Runtime, somebody: tuple[TestPerson, Org]
) -> None:
    award = await attend(runtime, *somebody, at(12))
    again = f"""
        BEGIN; SET CONSTRAINTS ALL DEFERRED;
        INSERT INTO attended_times (award_id, person_id, is_extra, during)
        SELECT gen_random_uuid(), person_id, is_extra, during FROM attended_times
        WHERE award_id = '{award.id}'; ROLLBACK
    """  # noqa: S608 - an id of ours
    with pytest.raises(asyncpg.ExclusionViolationError):
        await as_owner(runtime.settings, again)
