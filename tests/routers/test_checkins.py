"""POST /checkins: from a scanned code to points."""

from datetime import timedelta

import httpx

from app.core.clock import now
from app.runtime import Runtime
from tests.factories.activities import current_code, make_activity, make_attended
from tests.factories.http import assert_refused
from tests.factories.ledger import balance
from tests.factories.people import make_person


async def test_a_scan_gives_points_and_hours_at_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person, hours=3)

    response = await api.post(
        "/api/v1/checkins",
        headers=person.headers,
        json={"code": current_code(runtime, activity)},
    )

    assert response.status_code == 201
    body = response.json()
    assert body["checkin"]["activity_id"] == str(activity.id)
    assert body["award"] == {
        "id": body["award"]["id"],
        "points": 6,
        "minutes": 180,
        "state": "available",
        "rule_key": "volunteer_hour",
        "reason": "按规则足额计分",
    }
    assert body["points"] == {"available": 6, "pending": 0}
    assert await balance(runtime, person.id) == 6


async def test_a_second_scan_returns_the_first_result(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person)
    request = {"code": current_code(runtime, activity)}

    first = await api.post("/api/v1/checkins", headers=person.headers, json=request)
    second = await api.post("/api/v1/checkins", headers=person.headers, json=request)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


async def test_without_a_place_there_is_no_check_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    activity = await make_activity(runtime)

    response = await api.post(
        "/api/v1/checkins",
        headers=person.headers,
        json={"code": current_code(runtime, activity)},
    )

    assert_refused(response, 403, "checkins.not_signed_up")


async def test_outside_the_window_there_is_no_check_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person, starts_at=now() + timedelta(hours=1))

    response = await api.post(
        "/api/v1/checkins",
        headers=person.headers,
        json={"code": current_code(runtime, activity)},
    )

    assert_refused(response, 409, "checkins.outside_window")


async def test_an_old_code_is_told_apart_from_a_forged_one(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person)
    old = current_code(runtime, activity, age_seconds=60)
    future = current_code(runtime, activity, age_seconds=-30)
    fresh = current_code(runtime, activity)
    forged = ("B" if fresh[0] == "A" else "A") + fresh[1:]

    async def scan(code: str) -> httpx.Response:
        return await api.post("/api/v1/checkins", headers=person.headers, json={"code": code})

    assert_refused(await scan(old), 422, "checkins.code_expired")
    assert_refused(await scan(future), 422, "checkins.code_invalid")
    assert_refused(await scan(forged), 422, "checkins.code_invalid")
    assert_refused(await scan("short"), 422, "checkins.code_invalid")
