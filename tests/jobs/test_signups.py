"""Reminders: who has a place at an activity of tomorrow is told of it once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.core.clock import local_date, midnight, now
from app.core.paging import PageParams
from app.jobs import signups
from app.models.activities import Activity, ActivityStatus
from app.runtime import Runtime
from app.services import signup_reminders
from app.services import signups as service
from tests.conftest import ScratchFactory
from tests.factories.activities import make_activity, sign_up
from tests.factories.people import TestPerson, make_people, make_person
from tests.factories.signup_terms import add_sessions, make_sessions

AN_HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="module")
async def runtime(engines_and_template: Any, worker_number: int) -> AsyncIterator[Runtime]:
    """A database of our own: the job reminds whoever is to be reminded."""
    async with ScratchFactory(engines_and_template, worker_number)() as application:
        yield application.state.runtime


async def make_for(
    runtime: Runtime, days: int, *people: TestPerson, hour: float = 9, **activity: Any
) -> Activity:
    """Make an activity on a day from today on, with people signed up."""
    starts_at = midnight(local_date(now()) + days * A_DAY) + hour * AN_HOUR
    opens_at = now() - A_DAY
    made = await make_activity(
        runtime, starts_at=starts_at, signup_opens_at=opens_at, hours=24, **activity
    )
    await sign_up(runtime, made, *people)
    return made


async def reminders(
    runtime: Runtime, person: TestPerson, kind: str = "activity_tomorrow"
) -> list[str]:
    """Return the ids of the activities that a person was reminded of."""
    query = text(
        "SELECT payload -> 'subject' ->> 'id' FROM outbox WHERE topic = :topic"
        " AND payload ->> 'person_id' = CAST(CAST(:person AS uuid) AS text) ORDER BY id"
    )
    async with runtime.database.read() as tx:
        values = {"person": person.id, "topic": f"notices.{kind}"}
        return list((await tx.execute(query, values)).scalars())


async def set_start(runtime: Runtime, activity: UUID, days: int) -> None:
    at = midnight(local_date(now()) + days * A_DAY) + AN_HOUR
    async with runtime.database.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE activities SET starts_at = CAST(:at AS timestamptz),"
                " ends_at = CAST(:at AS timestamptz) + INTERVAL '1 day' WHERE id = :id"
            ),
            {"at": at, "id": activity},
        )


async def test_only_tomorrow_by_the_shanghai_calendar_counts(runtime: Runtime) -> None:
    person = await make_person(runtime)
    await make_for(runtime, 0, person, hour=23.9)
    first = await make_for(runtime, 1, person, hour=0)
    last = await make_for(runtime, 1, person, hour=23.9)
    await make_for(runtime, 2, person, hour=0)

    await signups.remind(runtime)

    assert sorted(await reminders(runtime, person)) == sorted([str(first.id), str(last.id)])


async def test_each_is_told_once_however_often_the_job_runs(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signups, "BATCH", 2)
    people = await make_people(runtime, 5)
    await make_for(runtime, 1, *people)

    await asyncio.gather(*(signups.remind(runtime) for _ in range(4)))
    await signups.remind(runtime)

    assert [len(await reminders(runtime, one)) for one in people] == [1] * 5


async def test_whoever_has_no_place_is_not_reminded(runtime: Runtime) -> None:
    has, waits, left = await make_people(runtime, 3)
    made = await make_for(runtime, 1, has, waits, capacity=1)
    other = await make_for(runtime, 1, left)
    cancelled = await make_for(runtime, 1, has)
    async with runtime.database.transaction() as tx:
        [signup] = (await service.mine(tx, left.id, PageParams(5))).items
        await service.cancel(tx, left.id, signup.id)
        stop = text("UPDATE activities SET status = :status WHERE id = :id")
        await tx.execute(stop, {"status": ActivityStatus.cancelled, "id": cancelled.id})

    await signups.remind(runtime)

    assert await reminders(runtime, has) == [str(made.id)]
    assert await reminders(runtime, waits) == []
    assert await reminders(runtime, left) == [], other.id


async def test_an_hour_before_each_session_is_told_once(runtime: Runtime) -> None:
    person, other = await make_people(runtime, 2)
    soon = await make_activity(runtime, starts_at=now() + AN_HOUR / 2)
    later = await make_activity(runtime, starts_at=now() + 2 * AN_HOUR)
    series = await make_activity(runtime, starts_at=now() + AN_HOUR / 4, hours=23)
    single = await make_sessions(runtime, 9, 9, starts_at=now() + AN_HOUR / 4)
    await add_sessions(runtime, series, None, None, None, apart=AN_HOUR / 2)
    for activity in (soon, later, series):
        await sign_up(runtime, activity, person)
    async with runtime.database.transaction() as tx:
        claims = [service.Claim(single.id, one.id, session=1) for one in (person, other)]
        await service.claim(tx, claims, now())

    for _ in range(2):
        await asyncio.gather(*(signups.remind_soon(runtime) for _ in range(3)))

    told = await reminders(runtime, person, "signup_in_an_hour")
    expected = [soon.id, single.id, series.id, series.id]
    assert sorted(told) == sorted(str(one) for one in expected)
    assert await reminders(runtime, other, "signup_in_an_hour") == [str(single.id)]


async def test_an_activity_that_moves_to_another_day_is_told_again(runtime: Runtime) -> None:
    person = await make_person(runtime)
    made = await make_for(runtime, 1, person)
    await signups.remind(runtime)
    await set_start(runtime, made.id, days=2)
    for days_on, times in ((0, 1), (1, 2), (1, 2)):
        async with runtime.database.transaction() as tx:
            await signup_reminders.of_tomorrow(tx, now() + days_on * A_DAY, 100)
        assert len(await reminders(runtime, person)) == times
