"""No-shows are settled once: points are deducted, strikes pause sign-up, an appeal undoes it."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlmodel import select

from app.core.clock import now
from app.core.signed_events import MAX_AGE
from app.jobs import no_shows
from app.models.activities import Activity
from app.models.checkins import CLOSES_AFTER_END, Checkin, CheckinMethod
from app.models.deductions import Deduction
from app.models.signups import Signup, SignupStatus
from app.runtime import Runtime
from app.schemas.deductions import AppealDecisionIn, AppealIn
from app.services import deductions
from app.services import no_shows as no_shows_services
from tests.conftest import ScratchFactory
from tests.factories.activities import make_activity
from tests.factories.http import assert_refused, in_process
from tests.factories.inbox import inbox
from tests.factories.ledger import balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_people
from tests.factories.presences import come, make_with_sessions
from tests.factories.signup_terms import (
    HELD_AGO,
    accept_by,
    cancel_by,
    decide_by,
    make_held,
    sign_up_by,
)

API = "/api/v1"


@pytest.fixture
async def alone_runtime(scratch: ScratchFactory) -> AsyncIterator[tuple[FastAPI, Runtime]]:
    """A database of its own: the job settles whatever is due."""
    async with scratch() as app:
        yield app, app.state.runtime


async def made_for(runtime: Runtime, person: TestPerson) -> list[Deduction]:
    async with runtime.database.read() as tx:
        query = select(Deduction).where(Deduction.person_id == person.id)
        return list(await tx.exec(query.order_by(Deduction.id)))  # type: ignore[arg-type]


async def test_who_did_not_come_is_charged_once_and_paused_by_the_third(
    alone_runtime: tuple[FastAPI, Runtime],
) -> None:
    app, runtime = alone_runtime
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    came, missing = await make_people(runtime, 2)
    await give_points(runtime, missing.id, 3, org=org.id)
    for _ in range(2):
        await make_held(runtime, org, [came], [missing])
    old = await make_held(runtime, org, [came], [missing], counts_no_shows=False)
    nobody = await make_held(runtime, org, [], [missing])

    assert await no_shows.settle(runtime) == 2
    assert await no_shows.settle(runtime) == 0

    found = await made_for(runtime, missing)
    assert [one.points for one in found] == [2, 1], "never below zero"
    assert await made_for(runtime, came) == []
    assert await balance(runtime, missing.id) == 0
    async with in_process(app) as api:
        future = await make_activity(runtime, org=org)
        assert (await sign_up_by(api, future, missing)).status_code == 201
        last = await make_held(runtime, org, [came], [missing])
        assert await no_shows.settle(runtime) == 1
        other = await make_activity(runtime, org=org)
        refused = await sign_up_by(api, other, missing)
        assert_refused(refused, 409, "signups.paused")
        read = await api.get(f"{API}/activities/{other.id}", headers=missing.headers)
        assert read.json()["mine"]["reason"]["code"] == "signups.paused"
        assert (await sign_up_by(api, other, came)).status_code == 201
        kinds = [one["kind"] for one in await inbox(api, runtime, missing)]
        assert kinds.count("points_deducted") == 3
        assert kinds.count("signup_paused") == 1

        third = (await made_for(runtime, missing))[-1]
        assert third.created_by == last.created_by
        await appealed(runtime, missing, organizer, third.id)
        assert (await sign_up_by(api, other, missing)).status_code == 201
    assert {old.id, nobody.id}.isdisjoint(await settled_by(runtime, missing))


async def appealed(
    runtime: Runtime, person: TestPerson, organizer: TestPerson, deduction: UUID
) -> None:
    async with runtime.database.transaction() as tx:
        await deductions.appeal(tx, person.id, deduction, AppealIn(reason="当天在医院"))
    async with runtime.database.transaction() as tx:
        granted = AppealDecisionIn(granted=True, reason="有病历")
        await deductions.decide(tx, organizer.id, deduction, granted)


async def settled_by(runtime: Runtime, person: TestPerson) -> set[UUID]:
    query = text("SELECT activity_id FROM no_shows WHERE person_id = :person")
    async with runtime.database.read() as tx:
        return set((await tx.execute(query, {"person": person.id})).scalars())


async def test_sessions_before_the_signup_and_dropped_ones_count_for_nobody(
    alone_runtime: tuple[FastAPI, Runtime],
) -> None:
    _, runtime = alone_runtime
    org = await make_org(runtime)
    came, early, late, single, gone = await make_people(runtime, 5)
    first = now() - timedelta(days=15)
    series, by_session = [
        await make_with_sessions(
            runtime,
            *((first + n * timedelta(days=3), 1) for n in range(3)),
            org=org,
            signup_for=signup_for,
        )
        for signup_for in ("activity", "session")
    ]
    # Signed up: before the first session, before the last, and after all.
    for one, day in ((came, -1), (early, -1), (late, 4), (single, 7)):
        await _had_place(runtime, series, one, 0, first + timedelta(days=day))
    for one, number, day in ((came, 1, -1), (early, 1, -1), (late, 1, 1), (gone, 9, -1)):
        await _had_place(runtime, by_session, one, number, first + timedelta(days=day))
    plain = await make_held(runtime, org, [came], [])
    await _had_place(runtime, plain, late, 0, now())  # once it was over
    await attended(runtime, series, came, 3)
    await attended(runtime, by_session, came, 1)

    assert await no_shows.settle(runtime) == 3

    people = (came, early, late, single, gone)
    assert [len(await made_for(runtime, one)) for one in people] == [0, 2, 1, 0, 0]


async def test_nobody_is_charged_while_a_device_may_still_upload(
    alone_runtime: tuple[FastAPI, Runtime],
) -> None:
    """A check-in that arrives after a week counts, and no deduction stands against it."""
    _, runtime = alone_runtime
    org = await make_org(runtime)
    came, late, missing = await make_people(runtime, 3)
    ago = timedelta(days=7, hours=12)
    held = await make_held(runtime, org, [came], [late, missing], ago=ago)
    assert await no_shows.settle(runtime) == 0
    assert no_shows_services.SETTLED_AFTER > MAX_AGE + CLOSES_AFTER_END
    await come(runtime, held, late, came_at=now() - ago + timedelta(minutes=5))
    later = "UPDATE activities SET starts_at = starts_at - d, ends_at = ends_at - d"
    sql = text(f"{later} FROM (SELECT interval '20 hours' AS d) x WHERE id = :id")
    async with runtime.database.transaction() as tx:
        await tx.execute(sql, {"id": held.id})

    assert await no_shows.settle(runtime) == 1
    assert [len(await made_for(runtime, one)) for one in (came, late, missing)] == [0, 0, 1]


async def test_a_place_that_could_not_be_given_back_any_more_is_no_strike(
    alone_runtime: tuple[FastAPI, Runtime],
) -> None:
    """An hour before the start is the deadline; who signs up later does so knowing it."""
    app, runtime = alone_runtime
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    came, early, late, begun, claimed = await make_people(runtime, 5)
    terms = {"cancel_until_minutes": 60}
    held = await make_held(runtime, org, [came], [early, late, begun, claimed], signup_terms=terms)
    start = now() - HELD_AGO
    for one, minutes in ((early, -61), (late, -59), (begun, 1)):
        await _given(runtime, held, one, start + timedelta(minutes=minutes))
    async with runtime.database.transaction() as tx:
        signed = text("UPDATE signups SET created_at = :at WHERE person_id = :person")
        await tx.execute(signed, {"at": start - timedelta(minutes=1), "person": claimed.id})

    assert await no_shows.settle(runtime) == 2
    people = (came, early, late, begun, claimed)
    assert [len(await made_for(runtime, one)) for one in people] == [0, 1, 0, 0, 1]

    # Each way in which somebody gets a place later than with the sign-up is noted.
    one, two, three = await make_people(runtime, 3)
    async with in_process(app) as api:
        plain = await make_activity(runtime, org=org, capacity=1)
        first = (await sign_up_by(api, plain, one)).json()["id"]
        promoted = (await sign_up_by(api, plain, two)).json()["id"]
        await cancel_by(api, one, first)
        offers = await make_activity(
            runtime, org=org, capacity=1, signup_terms={"offer_minutes": 30}
        )
        first = (await sign_up_by(api, offers, one)).json()["id"]
        offered = (await sign_up_by(api, offers, two)).json()["id"]
        await cancel_by(api, one, first)
        assert (await accept_by(api, two, offered)).status_code == 200
        asks = await make_activity(runtime, org=org, signup_terms={"needs_approval": True})
        approved = (await sign_up_by(api, asks, three)).json()["id"]
        assert (await decide_by(api, organizer, approved, approved=True)).status_code == 200
        at_once = (await sign_up_by(api, plain, three)).json()["id"]
    query = text("SELECT id FROM signups WHERE given_at > created_at AND status = 'confirmed'")
    async with runtime.database.read() as tx:
        noted = {str(one) for one in (await tx.execute(query)).scalars()}
    assert {promoted, offered, approved} <= noted
    assert at_once not in noted


async def _given(runtime: Runtime, activity: Activity, person: TestPerson, at: datetime) -> None:
    sql = text("UPDATE signups SET given_at = :at WHERE activity_id = :id AND person_id = :person")
    async with runtime.database.transaction() as tx:
        await tx.execute(sql, {"at": at, "id": activity.id, "person": person.id})


async def _had_place(
    runtime: Runtime, activity: Activity, person: TestPerson, number: int, at: datetime
) -> None:
    async with runtime.database.transaction() as tx:
        values: dict[str, Any] = {"activity_id": activity.id, "person_id": person.id}
        confirmed = SignupStatus.confirmed
        tx.add(Signup(**values, session=number, status=confirmed, created_at=at))


async def attended(runtime: Runtime, activity: Activity, person: TestPerson, number: int) -> None:
    async with runtime.database.transaction() as tx:
        values: dict[str, Any] = {"activity_id": activity.id, "person_id": person.id}
        by, at = CheckinMethod.steward, activity.ends_at
        tx.add(Checkin(**values, session=number, method=by, checked_in_at=at))
