"""Sessions, posts and shifts for tests, made over the API."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from app.core.clock import now
from app.runtime import Runtime
from tests.engines import as_owner
from tests.factories.http import keyed
from tests.factories.people import TestPerson

ACTIVITIES = "/api/v1/activities"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def times(start: timedelta, length: timedelta = HOUR) -> dict[str, str]:
    """Return the times of a session that starts so long from now."""
    starts_at = now() + start
    return {"starts_at": starts_at.isoformat(), "ends_at": (starts_at + length).isoformat()}


async def add_sessions(
    api: httpx.AsyncClient, organizer: TestPerson, activity: object, *wanted: dict[str, Any]
) -> list[dict[str, Any]]:
    path, body = f"{ACTIVITIES}/{activity}/sessions", {"sessions": list(wanted)}
    reply = await api.post(path, headers=keyed(organizer), json=body)
    assert reply.status_code == 201, reply.text
    made: list[dict[str, Any]] = reply.json()["items"]
    return made


async def add_post(
    api: httpx.AsyncClient, organizer: TestPerson, activity: object, name: str = "入口引导"
) -> dict[str, Any]:
    path = f"{ACTIVITIES}/{activity}/posts"
    reply = await api.post(path, headers=keyed(organizer), json={"name": name})
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def change(
    api: httpx.AsyncClient, organizer: TestPerson, session: dict[str, Any], **changes: Any
) -> httpx.Response:
    """Edit a session as it was read, but for these changes."""
    body = {name: session[name] for name in ("title", "starts_at", "ends_at", "capacity")}
    path = f"{ACTIVITIES}/{session['activity_id']}/sessions/{session['number']}"
    headers = organizer.headers | {"If-Match": f'"{session["version"]}"'}
    return await api.put(path, headers=headers, json=body | changes)


_TAKE = text("""
WITH made AS (
    INSERT INTO signups (activity_id, session, person_id, status)
    VALUES (:activity, :number, :person, 'confirmed') RETURNING id
), held AS (
    INSERT INTO shift_holds (signup_id, person_id, during)
    SELECT made.id, :person, tstzrange(n.starts_at, n.ends_at) FROM made, activity_sessions n
    WHERE n.activity_id = :activity AND n.number = :number AND n.post_id IS NOT NULL
), counted AS (
    UPDATE activity_sessions SET signups_confirmed = signups_confirmed + 1
    WHERE activity_id = :activity AND number = :number
), summed AS (
    UPDATE activities SET signups_confirmed = signups_confirmed + 1 WHERE id = :activity
)
SELECT id FROM made
""")


async def take(runtime: Runtime, session: dict[str, Any], person: TestPerson) -> str:
    """Give a person a place at a session, and the time of a shift; return the id of the sign-up."""
    values = {"activity": UUID(session["activity_id"]), "number": session["number"]}
    async with runtime.database.transaction() as tx:
        made = await tx.execute(_TAKE, values | {"person": person.id})
        return str(made.scalar_one())


_LEAVE = text("""
WITH gone AS (
    UPDATE signups SET status = 'cancelled', cancelled_at = now() WHERE id = :signup
    RETURNING activity_id, session
), freed AS (
    DELETE FROM shift_holds WHERE signup_id = :signup
), summed AS (
    UPDATE activities a SET signups_confirmed = signups_confirmed - 1
    FROM gone WHERE a.id = gone.activity_id
)
UPDATE activity_sessions s SET signups_confirmed = signups_confirmed - 1
FROM gone WHERE s.activity_id = gone.activity_id AND s.number = gone.session
""")


async def leave(runtime: Runtime, signup: str) -> None:
    """Cancel a place at a session."""
    async with runtime.database.transaction() as tx:
        await tx.execute(_LEAVE, {"signup": UUID(signup)})


_ATTEND = text("""
WITH counted AS (
    UPDATE activity_sessions SET checkins = checkins + 1
    WHERE activity_id = :activity AND number = :number
), summed AS (
    UPDATE activities SET checkins = checkins + 1, checks_out = true WHERE id = :activity
)
INSERT INTO checkins (activity_id, session, person_id, method, checked_in_at, is_walk_in)
VALUES (:activity, :number, :person, 'rotating_code', :at, true)
""")


async def attend(runtime: Runtime, session: dict[str, Any], person: TestPerson) -> None:
    """Check a person in at a session, without a place, and without an award until a check-out."""
    values = {"activity": UUID(session["activity_id"]), "number": session["number"]}
    async with runtime.database.transaction() as tx:
        await tx.execute(_ATTEND, values | {"person": person.id, "at": now()})


async def forget_attendance(runtime: Runtime, activity: object) -> None:
    """Delete the check-ins of ``attend``: without awards, `ledger verify` would tell of them."""
    await as_owner(
        runtime.settings,
        f"DELETE FROM checkins WHERE activity_id = '{activity}';"  # noqa: S608
        f"UPDATE activity_sessions SET checkins = 0 WHERE activity_id = '{activity}';"
        f"UPDATE activities SET checkins = 0 WHERE id = '{activity}'",
    )


def moment(value: str) -> datetime:
    return datetime.fromisoformat(value)
