"""Sessions, shifts and terms of sign-up for tests."""

from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import text, update
from sqlmodel import col

from app.core.clock import now
from app.models.activities import Activity, SignupFor
from app.models.orgs import Org
from app.models.people import Person
from app.models.posts import Post
from app.models.sessions import ActivitySession
from app.runtime import Runtime
from tests.factories.activities import make_activity, sign_up
from tests.factories.http import keyed
from tests.factories.people import TestPerson

API = "/api/v1"
HELD_AGO = timedelta(days=8, hours=2)


async def add_sessions(
    runtime: Runtime,
    activity: Activity,
    *capacities: int | None,
    starts_at: datetime | None = None,
    apart: timedelta = timedelta(hours=3),
    shifts: bool = False,
) -> None:
    """Add sessions of an hour with these capacities, numbered from 1; ``shifts``: by posts."""
    first = starts_at or activity.starts_at
    async with runtime.database.transaction() as tx:
        for number, capacity in enumerate(capacities, 1):
            post = Post(activity_id=activity.id, name=f"岗位{number}", description="")
            if shifts:
                tx.add(post)
                await tx.flush()
            begins = first + (number - 1) * apart
            tx.add(
                ActivitySession(
                    activity_id=activity.id,
                    number=number,
                    post_id=post.id if shifts else None,
                    starts_at=begins,
                    ends_at=begins + timedelta(hours=1),
                    capacity=capacity,
                )
            )
        await tx.execute(
            text("UPDATE activities SET sessions = :n WHERE id = :id"),
            {"n": len(capacities), "id": activity.id},
        )


async def make_sessions(
    runtime: Runtime, *capacities: int | None, shifts: bool = False, **activity: Any
) -> Activity:
    """Make an activity to whose sessions people sign up singly."""
    values: dict[str, Any] = {"hours": 23, "signup_for": SignupFor.session} | activity
    made = await make_activity(runtime, **values)
    await add_sessions(runtime, made, *capacities, shifts=shifts)
    return made


async def make_held(
    runtime: Runtime,
    org: Org,
    came: list[TestPerson],
    missing: list[TestPerson],
    ago: timedelta = HELD_AGO,
    **more: Any,
) -> Activity:
    """Make an activity of an hour that began so long ago, at which some were and some were not.

    By default its no-shows are due.
    """
    starts_at = now() - ago
    made = await make_activity(runtime, org=org, starts_at=now() + timedelta(hours=1), **more)
    await sign_up(runtime, made, *came, *missing)
    async with runtime.database.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO checkins (id, activity_id, person_id, session, method, checked_in_at)"
                " SELECT uuidv7(), :id, unnest(CAST(:people AS uuid[])), 0, 'rotating_code', :at"
            ),
            {"id": made.id, "people": [one.id for one in came], "at": starts_at},
        )
        await tx.execute(
            text(
                "UPDATE activities SET starts_at = :at, ends_at = :end, checkins = :n,"
                " checks_out = true WHERE id = :id"
            ),
            {"id": made.id, "at": starts_at, "end": starts_at + timedelta(hours=1), "n": len(came)},
        )
        await tx.execute(
            text("UPDATE signups SET created_at = :at WHERE activity_id = :id"),
            {"id": made.id, "at": starts_at - timedelta(days=1)},
        )
    return made


async def sign_up_by(
    api: httpx.AsyncClient, activity: Activity, person: TestPerson, **body: Any
) -> httpx.Response:
    path = f"{API}/activities/{activity.id}/signups"
    return await api.post(path, headers=person.headers, json=body)


async def cancel_by(api: httpx.AsyncClient, person: TestPerson, signup: str) -> httpx.Response:
    return await api.delete(f"{API}/signups/{signup}", headers=person.headers)


async def accept_by(api: httpx.AsyncClient, person: TestPerson, signup: str) -> httpx.Response:
    return await api.post(f"{API}/signups/{signup}/acceptance", headers=person.headers)


async def decide_by(
    api: httpx.AsyncClient, organizer: TestPerson, signup: str, **body: Any
) -> httpx.Response:
    path = f"{API}/signups/{signup}/decision"
    asked = {"reason": None} | body
    return await api.post(path, headers=keyed(organizer), json=asked)


async def counters(runtime: Runtime, activity: Activity) -> list[tuple[int, int]]:
    """Return (places, waiting) of an activity, then of its sessions by number."""
    async with runtime.database.read() as tx:
        rows = await tx.execute(
            text(
                "SELECT signups_confirmed, signups_waitlisted FROM ("
                "SELECT 0 AS number, signups_confirmed, signups_waitlisted"
                " FROM activities WHERE id = :id UNION ALL"
                " SELECT number, signups_confirmed, signups_waitlisted"
                " FROM activity_sessions WHERE activity_id = :id) x ORDER BY number"
            ),
            {"id": activity.id},
        )
        return [(one.signups_confirmed, one.signups_waitlisted) for one in rows]


async def describe(runtime: Runtime, person: TestPerson, **values: Any) -> None:
    """Set columns of a person: birth date, community."""
    if not values:
        return
    async with runtime.database.transaction() as tx:
        await tx.execute(update(Person).where(col(Person.id) == person.id).values(**values))
