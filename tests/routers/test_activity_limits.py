"""How long an activity is and how far away, by the service and by the database."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy.exc import IntegrityError

from app.core.clock import now
from app.runtime import Runtime
from tests.factories.activities import activity_body, make_activity
from tests.factories.http import assert_refused
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer

ACTIVITIES = "/api/v1/activities"
A_DAY, TWO_YEARS, A_SECOND = timedelta(days=1), timedelta(days=731), timedelta(seconds=1)
TOO_FAR = [
    pytest.param(-A_DAY, A_DAY + A_SECOND, "ends_at", id="longer than a day"),
    pytest.param(TWO_YEARS - A_DAY, A_DAY + A_SECOND, "ends_at", id="in more than two years"),
    pytest.param(-TWO_YEARS - A_SECOND, A_DAY, "starts_at", id="more than two years ago"),
]


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize(("start", "length", "field"), TOO_FAR)
async def test_an_activity_is_neither_longer_than_a_day_nor_far_away(
    api: httpx.AsyncClient,
    runtime: Runtime,
    start: timedelta,
    length: timedelta,
    field: str,
    language: str,
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    starts = now() + start
    times = {"starts_at": starts.isoformat(), "ends_at": (starts + length).isoformat()}

    response = await api.post(
        ACTIVITIES,
        headers=organizer.headers | {"Accept-Language": language},
        json=activity_body(org, **times),
    )

    assert_refused(response, 422, "request.invalid")
    [error] = response.json()["errors"]
    assert error["field"] == f"body.{field}"
    assert error["msg"].isascii() is (language == "en")


@pytest.mark.parametrize(("start", "length", "field"), TOO_FAR)
async def test_the_database_has_the_same_limits(
    runtime: Runtime, start: timedelta, length: timedelta, field: str
) -> None:
    del field
    hours = length / timedelta(hours=1)
    opens = now() - 2 * TWO_YEARS
    with pytest.raises(IntegrityError, match="ck_activities_"):
        await make_activity(runtime, starts_at=now() + start, hours=hours, signup_opens_at=opens)
    fine = start + (-A_DAY if start > A_DAY else 2 * A_SECOND)
    await make_activity(runtime, starts_at=now() + fine, hours=24, signup_opens_at=opens)
