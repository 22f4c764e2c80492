"""POST /checkins: from a scanned code to points."""

import re
from datetime import timedelta
from itertools import cycle
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.clock import now
from app.core.rotating_codes import Action
from app.models.activities import Activity, ActivityStatus
from app.models.checkins import Checkin
from app.queries.awards import granting as granting_queries
from app.runtime import Runtime
from app.services.ledger.types import MINUTES
from tests.factories.activities import current_code, make_activity, make_attended, sign_up
from tests.factories.attendance import attend, shanghai
from tests.factories.awards import give_award, propose
from tests.factories.http import assert_refused
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.factories.policies import SHIPPED, open_unit, publish_in
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation  rule    nobody alice bob  counter rival sibling parent auditor admin outsider
checkIn    person  401    201+  403  403     403   403     403    403     403   403       403=checkins.not_signed_up
"""  # noqa: E501 - a table
HERS = {"checkins": "person_id = :alice", "attended_times": "person_id = :alice"}
BEYOND_THE_SCHEMA = {"checkins.code_invalid", "checkins.code_expired", "checkins.device_used"}


async def _check_in(world: World) -> Ask:
    activity = await make_attended(world.runtime, world.alice, org=world.home)
    return Ask(body={"code": current_code(world.runtime, activity)})


REQUESTS = {"checkIn": _check_in}


async def completion(setup: Setup) -> Completion:
    """Give a code of this moment for any code: a screen's is soon too old."""
    attended = [await make_attended(setup.runtime, setup.caller, org=setup.org) for _ in range(FEW)]
    screens = cycle(attended)

    def complete(body: dict[str, Any], known: Known) -> None:
        if body.get("code") in known["code"]:
            body["code"] = current_code(setup.runtime, next(screens))

    return complete


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


async def test_the_result_tells_what_is_pending_too(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    await propose(api, await make_organizer(runtime, org.id), org, person)
    activity = await make_attended(runtime, person, org=org, hours=2)
    request = {"code": current_code(runtime, activity)}

    for _ in range(2):
        response = await api.post("/api/v1/checkins", headers=person.headers, json=request)
        assert response.json()["points"] == {"available": 4, "pending": 15}


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


@pytest.mark.parametrize("hours", [1, -4], ids=["too early", "too late"])
async def test_outside_the_window_there_is_no_check_in(
    api: httpx.AsyncClient, runtime: Runtime, hours: int
) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person, starts_at=now(), hours=2)
    async with runtime.database.transaction() as tx:
        await tx.fetch(
            "UPDATE activities SET starts_at = starts_at + :moved, ends_at = ends_at + :moved"
            " WHERE id = :id",
            {"moved": timedelta(hours=hours), "id": activity.id},
        )

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


async def test_over_a_rules_cap_a_check_in_counts_and_says_why_it_gives_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """activity_checkin gives 1 point, at most 2 a day."""
    person = await make_person(runtime)
    awards = []
    for language in ("zh-CN", "zh-CN", "zh-CN", "en"):
        activity = await make_attended(runtime, person, rule_key="activity_checkin")
        response = await scan(api, runtime, person, activity, language)
        assert response.status_code == 201
        awards.append(response.json()["award"])

    assert [award["points"] for award in awards] == [1, 1, 0, 0]
    assert awards[1]["reason"] == "按规则足额计分"
    assert awards[2]["reason"] == "已达本规则每日上限"
    assert awards[3]["reason"] == "Limited by the rule's daily cap."
    assert await balance(runtime, person.id) == 2
    await assert_ledger_verifies(runtime)


async def test_hours_of_service_count_in_full_beyond_the_cap_on_points(runtime: Runtime) -> None:
    """volunteer_hour gives 2 points an hour, at most 8 a day; hours have no cap."""
    person, org = await make_person(runtime), await make_org(runtime)

    awards = [
        await attend(runtime, person, org, shanghai(3, 1, hour), hours=hours)
        for hour, hours in ((8, 3), (11, 3), (15, 1.5))
    ]

    assert [award.points for award in awards] == [6, 2, 0]
    assert [award.minutes for award in awards] == [180, 180, 90]
    assert await balance(runtime, person.id, unit=MINUTES) == 450


async def test_hours_count_in_whole_half_hours(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person, hours=1.9)

    award = (await scan(api, runtime, person, activity)).json()["award"]

    assert (award["points"], award["minutes"]) == (3, 90)


@pytest.mark.parametrize("change", ["off = true", None], ids=["off", "gone"])
async def test_what_was_announced_is_paid_though_the_rule_is_no_more(
    api: httpx.AsyncClient, runtime: Runtime, change: str | None
) -> None:
    """Nobody checks in in vain because a committee publishes new rules on the day."""
    person, org = await make_person(runtime), await make_org(runtime)
    unit = await open_unit(runtime)
    before = await publish_in(runtime, unit, org, SHIPPED)
    activity = await make_attended(runtime, person, org=org, rule_key="activity_checkin")
    rule = re.search(r"\[rules\.activity_checkin\]\n.*?\n(?=\n)", SHIPPED, re.DOTALL)
    assert rule is not None
    without = SHIPPED.replace(rule[0], f"{rule[0]}{change}\n" if change else "")
    version = await publish_in(runtime, unit, org, without)

    response = await api.post(
        "/api/v1/checkins",
        headers=person.headers,
        json={"code": current_code(runtime, activity)},
    )

    assert response.status_code == 201, response.text
    assert response.json()["award"]["points"] == 1
    async with runtime.database.read() as tx:
        award = await granting_queries.find(tx, UUID(response.json()["award"]["id"]))
    assert award is not None
    assert award.policy_version == (version if change else before)


async def test_the_overall_daily_cap_binds_across_rules(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """No rule's own cap is reached; all together reach 24 points a day."""
    person, org = await make_person(runtime), await make_org(runtime)
    await give_award(runtime, person, org, rule_key="commendation", points=15)
    await give_award(runtime, person, org, rule_key="blood_donation", points=8)
    activity = await make_attended(runtime, person, hours=2)

    award = (await scan(api, runtime, person, activity, "en")).json()["award"]

    assert award["points"] == 1
    assert award["reason"] == "Limited by the overall daily cap."


async def test_yesterdays_points_do_not_fill_todays_cap(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    await give_award(runtime, person, org, rule_key="activity_checkin", points=2, days_ago=1)
    activity = await make_attended(runtime, person, rule_key="activity_checkin")

    award = (await scan(api, runtime, person, activity)).json()["award"]

    assert award["points"] == 1


@pytest.mark.parametrize("system", ["gcj02", "wgs84"])
@pytest.mark.parametrize("latitude", [32.23, -45.0, 90], ids=["near", "far", "the pole"])
async def test_a_location_is_noted_and_never_refused(
    api: httpx.AsyncClient, runtime: Runtime, system: str, latitude: float
) -> None:
    person = await make_person(runtime)
    activity = await make_attended(
        runtime, person, location_name="江边", latitude=32.23, longitude=119.8, radius_m=50
    )
    place = {
        "latitude": latitude,
        "longitude": 119.8,
        "accuracy_m": 15.5,
        "coordinate_system": system,
    }

    response = await api.post(
        "/api/v1/checkins",
        headers=person.headers,
        json={"code": current_code(runtime, activity), "location": place},
    )

    assert response.status_code == 201
    assert response.json()["award"]["points"] == 4
    noted = await distance_of(runtime, response.json()["checkin"]["id"])
    if latitude == 32.23:
        # WGS-84 is shifted by some hundred metres in China; GCJ-02 is what the map showed.
        assert noted == 0 if system == "gcj02" else 100 < noted < 1000
    else:
        assert noted > 1_000_000


async def test_another_activitys_code_checks_in_only_there(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    mine = await make_attended(runtime, person)
    other = await make_activity(runtime)

    response = await scan(api, runtime, person, other)

    assert_refused(response, 403, "checkins.not_signed_up")
    assert response.json()["msg"] == "您未报名此活动"
    assert await balance(runtime, person.id) == 0
    assert (await scan(api, runtime, person, mine)).status_code == 201


async def test_who_waits_for_a_place_cannot_check_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    first, second = await make_person(runtime), await make_person(runtime)
    activity = await make_activity(runtime, capacity=1)
    assert await sign_up(runtime, activity, first, second) == ["confirmed", "waitlisted"]

    response = await scan(api, runtime, second, activity)

    assert_refused(response, 403, "checkins.not_signed_up")
    assert response.json()["msg"] == "您还在候补，未获得名额"
    assert await balance(runtime, second.id) == 0


async def test_who_gave_the_place_back_cannot_check_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person)
    signup = (await api.get("/api/v1/me/signups", headers=person.headers)).json()["items"][0]
    await api.delete(f"/api/v1/signups/{signup['id']}", headers=person.headers)

    response = await scan(api, runtime, person, activity)

    assert_refused(response, 403, "checkins.not_signed_up")
    assert response.json()["msg"] == "您的报名已取消"


async def test_a_cancelled_activity_takes_no_check_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person)
    async with runtime.database.transaction() as tx:
        row = await tx.get(Activity, activity.id)
        assert row is not None
        row.status = ActivityStatus.cancelled
        tx.add(row)

    response = await scan(api, runtime, person, activity)

    assert_refused(response, 409, "activities.not_open")


async def test_a_code_of_another_purpose_is_no_check_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person)
    leaving = runtime.codes.make(Action.check_out, activity.serial, now().timestamp()).text

    for _ in range(12):  # the tenth guess would be the last
        response = await api.post(
            "/api/v1/checkins", headers=person.headers, json={"code": leaving}
        )
        assert_refused(response, 422, "checkins.checkout_code")
    code = {"code": current_code(runtime, activity)}
    assert (await api.post("/api/v1/checkins", headers=person.headers, json=code)).is_success


async def test_a_code_of_no_activity_looks_like_a_forged_one(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)

    for serial in (0, 2**31 - 1):
        code = runtime.codes.make(Action.check_in, serial, now().timestamp()).text
        response = await api.post("/api/v1/checkins", headers=person.headers, json={"code": code})
        assert_refused(response, 422, "checkins.code_invalid")


async def test_the_code_of_the_two_steps_before_is_still_accepted(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person)
    code = current_code(runtime, activity, age_seconds=29)

    response = await api.post("/api/v1/checkins", headers=person.headers, json={"code": code})

    assert response.status_code == 201


async def test_a_check_in_needs_a_login(api: httpx.AsyncClient, runtime: Runtime) -> None:
    activity = await make_activity(runtime)

    response = await api.post("/api/v1/checkins", json={"code": current_code(runtime, activity)})

    assert_refused(response, 401, "auth.login_required")


async def scan(
    api: httpx.AsyncClient,
    runtime: Runtime,
    person: TestPerson,
    activity: Activity,
    language: str = "zh-CN",
) -> httpx.Response:
    return await api.post(
        "/api/v1/checkins",
        headers=person.headers | {"Accept-Language": language},
        json={"code": current_code(runtime, activity)},
    )


async def distance_of(runtime: Runtime, checkin_id: str) -> int:
    async with runtime.database.read() as tx:
        row = await tx.get(Checkin, UUID(checkin_id))
    assert row is not None
    assert row.distance_m is not None
    return row.distance_m
