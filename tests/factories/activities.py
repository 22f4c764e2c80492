"""Activities for tests, by default published and open for check-in, a minute before the start."""

import json
from datetime import datetime, timedelta
from typing import Any

import httpx

from app.core.clock import now
from app.core.rotating_codes import Action
from app.models.activities import Activity, ActivityStatus, Category
from app.models.orgs import Org
from app.models.signups import SignupStatus
from app.queries import activities as queries
from app.runtime import Runtime
from app.services import signups
from app.services.signups import Claim
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_person


def activity_body(org: Org, **changes: Any) -> dict[str, Any]:
    """Return a valid body of POST /activities: two hours, begun a minute ago."""
    starts_at = now() - timedelta(minutes=1)
    return {
        "org_id": str(org.id),
        "title": "清明植树",
        "description": "带水",
        "category": "volunteer_service",
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=2)).isoformat(),
        "rule_key": "volunteer_hour",
    } | changes


async def make_activity(
    runtime: Runtime,
    *,
    org: Org | None = None,
    capacity: int | None = None,
    rule_key: str = "volunteer_hour",
    hours: float = 2,
    starts_at: datetime | None = None,
    status: ActivityStatus = ActivityStatus.published,
    **changes: Any,
) -> Activity:
    """Create an activity. With ``volunteer_hour`` a check-in gives 2 points per hour.

    A check-in counts from the start, so it gives the whole length until then.
    """
    org = org or await make_org(runtime)
    creator = await make_person(runtime)
    starts_at = starts_at or now() + timedelta(minutes=1)
    ends_at = starts_at + timedelta(hours=hours)
    values: dict[str, Any] = {
        "org_id": org.id,
        "org_path": org.path,
        "title": "清明植树",
        "description": "",
        "category": Category.volunteer_service,
        "status": status,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "signup_opens_at": starts_at - timedelta(days=7),
        "signup_closes_at": ends_at,
        "capacity": capacity,
        "rule_key": rule_key,
        "created_by": creator.id,
        "created_at": now(),
    }
    for name in ("signup_terms", "eligibility"):
        if name in changes:
            changes[name] = json.dumps(changes[name])
    activity = Activity(**(values | changes))
    async with runtime.database.transaction() as tx:
        await queries.insert(tx, activity)
    return activity


async def sign_up(runtime: Runtime, activity: Activity, *people: TestPerson) -> list[str]:
    """Sign people up in order; return their statuses."""
    async with runtime.database.transaction() as tx:
        outcomes = await signups.claim(tx, [Claim(activity.id, p.id) for p in people], now())
    statuses: list[str] = [
        one.signup.status for one in outcomes if isinstance(one, signups.Claimed)
    ]
    assert len(statuses) == len(people)
    return statuses


def edit_body(activity: Activity, **changes: Any) -> dict[str, Any]:
    """Return the body of PUT /activities/{id} that changes nothing but this."""
    same = ("title", "description", "category", "starts_at", "ends_at", "capacity", "rule_key")
    others = ("signup_for", "signup_opens_at", "signup_closes_at")
    body = {name: getattr(activity, name) for name in (*same, *others)} | changes
    if "ends_at" in changes and "signup_closes_at" not in changes:
        del body["signup_closes_at"]
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in body.items()}


async def edit(
    api: httpx.AsyncClient,
    editor: TestPerson,
    activity: Activity,
    body: dict[str, Any],
    version: object = 1,
) -> httpx.Response:
    return await api.put(
        f"/api/v1/activities/{activity.id}",
        headers=editor.headers | {"If-Match": f'"{version}"'},
        json=body,
    )


async def make_attended(runtime: Runtime, person: TestPerson, **activity: Any) -> Activity:
    """Create an activity at which the person has a confirmed place."""
    made = await make_activity(runtime, **activity)
    assert await sign_up(runtime, made, person) == [SignupStatus.confirmed]
    return made


def current_code(runtime: Runtime, activity: Activity, *, age_seconds: float = 0) -> str:
    """Return the activity's check-in code, of now or of some time ago."""
    at = now().timestamp() - age_seconds
    return runtime.codes.make(Action.check_in, activity.serial, at).text
