"""A day that was sealed too early, by a clock that was wrong for a while, and the rest of it."""

from datetime import date, datetime, timedelta

import pytest
from fastapi import FastAPI
from sqlmodel import select

from app.core.clock import midnight
from app.core.db import Session
from app.jobs import seals as job
from app.jobs.batches import in_batches
from app.models.audit import AuditEntry
from app.models.orgs import Org
from app.queries.awards import attendance as attendance_queries
from app.queries.awards.attendance import Act, Window
from app.runtime import Runtime
from app.services import audit
from app.services.ledger import moments
from app.services.policies import history
from tests.factories.activities import current_code, make_activity
from tests.factories.attendance import award_of
from tests.factories.clock import A_DAY, TODAY, travel
from tests.factories.http import assert_refused, in_process, keyed
from tests.factories.ledger import assert_ledger_verifies, give_points
from tests.factories.orgs import make_org
from tests.factories.people import make_person

pytestmark = pytest.mark.usefixtures("at_noon")
AN_HOUR = timedelta(hours=1)
DAY = TODAY - A_DAY
AFTERNOON, END = midnight(DAY) + 15 * AN_HOUR, midnight(DAY + A_DAY)
API = "/api/v1"


@pytest.fixture
async def runtime(alone: FastAPI) -> Runtime:
    """At three in the afternoon the day is sealed: the clocks were past midnight for a while."""
    found: Runtime = alone.state.runtime
    await give_points(found, (await make_person(found)).id, 1, at=AFTERNOON - AN_HOUR)
    await seal(found, DAY)
    return found


async def seal(runtime: Runtime, day: date) -> None:
    with travel(midnight(day + A_DAY) + AN_HOUR):
        assert await job.seal(runtime) == 1


async def acts(runtime: Runtime, org: Org) -> list[Act]:
    """Read what a simulation replays of the organisation."""
    async with runtime.database.snapshot() as tx:
        unit = (await history.in_force(tx, org.path)).unit_id
        window = Window(midnight(DAY), END + A_DAY, org.path, unit)
        everybody = attendance_queries.acts_of_people(tx, window, [])
        return [act async for theirs in everybody for act in theirs]


async def test_who_comes_in_the_rest_of_the_day_signs_up_checks_in_and_is_paid(
    alone: FastAPI, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    with travel(AFTERNOON):
        person = await make_person(runtime)
        activity = await make_activity(runtime, org=org, starts_at=AFTERNOON - AN_HOUR)
        later = await make_activity(runtime, org=org, starts_at=END)
        async with in_process(alone) as api:
            signups = f"{API}/activities/{activity.id}/signups"
            signed = await api.post(signups, headers=keyed(person))
            body = {"code": current_code(runtime, activity)}
            done = await api.post(f"{API}/checkins", json=body, headers=person.headers)
            # What is not open yet by the clock is not open by the date of postings either.
            await api.post(f"{API}/activities/{later.id}/signups", headers=keyed(person))
            body = {"code": current_code(runtime, later)}
            early = await api.post(f"{API}/checkins", json=body, headers=person.headers)

    assert signed.status_code == 201, signed.text
    assert datetime.fromisoformat(signed.json()["created_at"]) == AFTERNOON
    assert done.status_code == 201, done.text
    award = await award_of(runtime, done.json()["award"]["id"])
    assert (award.points, award.minutes, award.awarded_at) == (2, 60, END)
    assert_refused(early, 409, "checkins.outside_window")
    assert [one.checked_in_at for one in await acts(runtime, org)] == [AFTERNOON]
    await assert_ledger_verifies(runtime)
    await seal(runtime, DAY + A_DAY)
    await assert_ledger_verifies(runtime)


async def test_a_window_that_is_over_stays_over(alone: FastAPI, runtime: Runtime) -> None:
    """A clock that is wrong is refused as before: windows are compared with one that is checked."""
    with travel(AFTERNOON):
        person = await make_person(runtime)
        over = await make_activity(runtime, starts_at=AFTERNOON - 3 * AN_HOUR)
        async with in_process(alone) as api:
            refused = await api.post(f"{API}/activities/{over.id}/signups", headers=keyed(person))
        async with runtime.database.transaction() as tx:
            assert await moments.checked_now(tx) == AFTERNOON
            assert await moments.moment(tx) == END
    assert_refused(refused, 409, "activities.not_open")


async def test_an_audit_entry_of_the_rest_of_the_day_enters_no_sealed_day(runtime: Runtime) -> None:
    org = await make_org(runtime)
    with travel(AFTERNOON):
        async with runtime.database.transaction() as tx:
            await audit.write_about(tx, None, "imported", ("org", org.id), org.id)
    async with runtime.database.read() as tx:
        entries = await tx.exec(select(AuditEntry).where(AuditEntry.org_id == org.id))
        assert [one.at for one in entries] == [END]
    await assert_ledger_verifies(runtime)


async def test_jobs_release_and_expire_nothing_before_the_clock_is_there(runtime: Runtime) -> None:
    """Public notice, say, would end up to a day early."""
    dated: list[datetime] = []

    async def work(tx: Session, *, at: datetime) -> int:
        dated.append(at)
        return 0

    for moment in (AFTERNOON, END, END + AN_HOUR):
        with travel(moment):
            await in_batches(runtime, 1, work)
    assert dated == [END, END + AN_HOUR]
