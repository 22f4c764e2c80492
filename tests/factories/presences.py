"""Presences for tests: activities with sessions and check-outs, who comes and who leaves."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.rotating_codes import Action
from app.models.activities import Activity
from app.models.sessions import ActivitySession
from app.runtime import Runtime
from app.services import checkins, checkouts
from app.services.checkins import Recorded, Scan
from app.services.checkouts import Leave, Left
from tests.factories.activities import make_activity, make_attended
from tests.factories.people import TestPerson


def leaving_code(runtime: Runtime, activity: Activity) -> str:
    return runtime.codes.make(Action.check_out, activity.serial, now().timestamp()).text


async def make_with_sessions(
    runtime: Runtime, *spans: tuple[datetime, float], **activity: Any
) -> Activity:
    """Create an activity with sessions, each with its start and its length in hours."""
    starts_at = min(start for start, _ in spans)
    ends_at = max(start + timedelta(hours=hours) for start, hours in spans)
    hours = (ends_at - starts_at) / timedelta(hours=1)
    made = await make_activity(
        runtime, starts_at=starts_at, hours=hours, sessions=len(spans), **activity
    )
    async with runtime.database.transaction() as tx:
        for number, (start, hours) in enumerate(spans, 1):
            tx.add(
                ActivitySession(
                    activity_id=made.id,
                    number=number,
                    starts_at=start,
                    ends_at=start + timedelta(hours=hours),
                )
            )
    return made


async def make_inside(runtime: Runtime, person: TestPerson, **activity: Any) -> Activity:
    """Check a person in at an activity that asks for a check-out."""
    made = await make_attended(runtime, person, checks_out=True, **activity)
    came = await come(runtime, made, person)
    assert came.result.award is None
    return made


async def come(runtime: Runtime, activity: Activity, person: TestPerson, **scan: Any) -> Recorded:
    async with runtime.database.transaction() as tx:
        [came] = await checkins.record(tx, [Scan(activity.serial, person.id, **scan)], now())
    assert isinstance(came, Recorded)
    return came


async def leave(runtime: Runtime, activity: Activity, person: TestPerson) -> Left:
    async with runtime.database.transaction() as tx:
        [left] = await checkouts.record(tx, [Leave(activity.serial, person.id)], now())
    assert isinstance(left, Left)
    return left


async def only_checkin(runtime: Runtime, activity: Activity) -> str:
    async with runtime.database.read() as tx:
        wanted = {"id": activity.id}
        [row] = await tx.fetch("SELECT id FROM checkins WHERE activity_id = :id", wanted)
    return str(row.id)


async def checkout_of(runtime: Runtime, checkin: UUID) -> UUID:
    async with runtime.database.read() as tx:
        [row] = await tx.fetch("SELECT id FROM checkouts WHERE checkin_id = :id", {"id": checkin})
    found: UUID = row.id
    return found
