"""Several people check in with one phone: at most five a day."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import local_date, now
from app.core.redis import RedisDown
from app.models.activities import Activity
from app.runtime import Runtime
from app.services.checkin_devices import MOST_PEOPLE
from tests.factories.activities import current_code, make_activity, sign_up
from tests.factories.http import assert_refused
from tests.factories.people import TestPerson, make_people


async def scan(
    api: httpx.AsyncClient, runtime: Runtime, activity: Activity, person: TestPerson, token: str
) -> httpx.Response:
    return await api.post(
        "/api/v1/checkins",
        headers=person.headers | {"X-Device-Token": token},
        json={"code": current_code(runtime, activity)},
    )


async def _hall(runtime: Runtime, number: int = MOST_PEOPLE + 1) -> tuple[Activity, Any]:
    activity = await make_activity(runtime)
    people = await make_people(runtime, number)
    await sign_up(runtime, activity, *people)
    return activity, people


async def test_a_sixth_person_is_refused_on_the_day(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity, people = await _hall(runtime)
    token, last = str(activity.id), people[-1]

    first = [await scan(api, runtime, activity, one, token) for one in people]
    again = await scan(api, runtime, activity, people[0], token)
    forged = await api.post(
        "/api/v1/checkins",
        headers=last.headers | {"X-Device-Token": f"{token}2"},
        json={"code": "A" * 32},
    )

    assert [one.status_code for one in first] == [201] * MOST_PEOPLE + [409]
    assert_refused(first[-1], 409, "checkins.device_used")
    assert first[-1].json()["facts"] == {"limit": MOST_PEOPLE}
    assert again.status_code == 200, "who belongs to a phone may repeat"
    assert_refused(forged, 422, "checkins.code_invalid")
    for text in ("x" * 65, "", "a\tb"):
        refused = await scan(api, runtime, activity, last, text)
        assert_refused(refused, 422, "request.invalid")
    tomorrow = local_date(now()) + timedelta(days=1)
    assert await runtime.phone_users.admits(f"{tomorrow}:{token}", str(last.id))

    def unheard(*_: object) -> None:
        raise AssertionError("no header, no question")

    monkeypatch.setattr(runtime.phone_users, "admits", unheard)
    bare = {"code": current_code(runtime, activity)}
    plain = await api.post("/api/v1/checkins", headers=last.headers, json=bare)
    assert plain.status_code == 201


async def test_without_redis_everybody_is_admitted(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(answer: Any) -> Any:
        answer.close()
        raise RedisDown

    monkeypatch.setattr(runtime.phone_users._breaker, "call", down)
    for person in range(MOST_PEOPLE + 1):
        assert await runtime.phone_users.admits("one", str(person))
