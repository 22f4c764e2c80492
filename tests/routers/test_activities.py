"""Activities: drafting, publishing, browsing, polling, and the organizer's screen."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.core.clock import now
from app.models.activities import Activity, ActivityStatus, Category
from app.models.orgs import Level
from app.models.people import Role
from app.runtime import Runtime
from app.services.policies import history
from tests.factories.activities import activity_body, current_code, make_activity, make_attended
from tests.factories.http import assert_refused, walk
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_person,
    make_with_role,
)
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

ACTIVITIES = "/api/v1/activities"
MATRIX = """
operation             rule       nobody alice bob  counter rival sibling parent auditor admin outsider
listActivities        anyone     200    200   200  200     200   200     200    200     200   200
listActivities draft  anyone     403    403   403  403     403   403     200+   200+    200+  403
createActivity        organizer  401    403   403  403     403   403     201+   403     201+  403
publishActivity       organizer  401    403   403  403     403   404     200+   403     200+  404       404=activities.not_found
getActivity           anyone     200    200+  200  200     200   200     200    200     200   200
getActivity draft     anyone     404    404   404  404     404   404     200+   200+    200+  404       404=activities.not_found
getCheckinCode        person     401    403   403  403     403   404     200    403     200   404       404=activities.not_found
getCheckinCodeSvg     person     401    403   403  403     403   404     200    403     200   404       404=activities.not_found
"""  # noqa: E501 - a table
HERS = {
    "activities": "org_id = :home AND status = 'draft'",
    "activity_organizers": "person_id = :alice",
}
BEYOND_THE_SCHEMA = {
    "body",  # one time before another
    "body.starts_at",
    "body.ends_at",
    "body.signup_opens_at",
    "body.signup_closes_at",
    "body.signup_for",  # to a class people sign up
    "body.rule_key",  # of the policy in force
    "query.lat",  # with lng
    "body.eligibility",  # an organisation that is there, tiers of the policy, whole numbers
    "body.signup_terms",
    "body.capacity",  # 3.0 is no whole number to us
    "body.minimum_attendance",  # nor is this
    "body.checks_out",  # only by rules that pay by time
}
RULE_KEY = "volunteer_hour"


async def _draft(world: World) -> Activity:
    return await make_activity(world.runtime, org=world.home, status=ActivityStatus.draft)


async def _drafts_of_home(world: World) -> Ask:
    await _draft(world)
    return Ask(query={"org_id": str(world.home.id), "status": "draft"})


async def _create(world: World) -> Ask:
    return Ask(body=activity_body(world.home))


async def _attended(world: World) -> Ask:
    activity = await make_attended(world.runtime, world.alice, org=world.home)
    return Ask({"activity_id": str(activity.id)})


async def _draft_of_home(world: World) -> Ask:
    return Ask({"activity_id": str((await _draft(world)).id)})


async def _published(world: World) -> Ask:
    return Ask({"activity_id": str((await make_activity(world.runtime, org=world.home)).id)})


REQUESTS = {
    "listActivities draft": _drafts_of_home,
    "createActivity": _create,
    "getActivity": _attended,
    "getActivity draft": _draft_of_home,
    "publishActivity": _draft_of_home,
    "getCheckinCode": _published,
    "getCheckinCodeSvg": _published,
}


async def known(setup: Setup) -> Known:
    states = [ActivityStatus.draft] * FEW + [ActivityStatus.published] * FEW
    made = [await make_activity(setup.runtime, org=setup.org, status=state) for state in states]
    return {
        "activity_id": [str(one.id) for one in made],
        "rule_key": [RULE_KEY],
        "starts_at": [(now() - timedelta(minutes=1)).isoformat()],
        "ends_at": [(now() + timedelta(hours=2)).isoformat()],
    }


async def completion(_: Setup) -> Completion:
    def complete(body: dict[str, Any], known: Known) -> None:
        if body.get("rule_key") in known["rule_key"]:
            body["rule_key"] = RULE_KEY

    return complete


async def draft(
    api: httpx.AsyncClient, organizer: TestPerson, body: dict[str, Any]
) -> dict[str, Any]:
    response = await api.post(ACTIVITIES, headers=organizer.headers, json=body)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def test_an_organizer_drafts_an_activity(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    place = {"name": "三茅青年之家", "latitude": 32.23, "longitude": 119.8, "radius_m": 150}
    body = activity_body(org, capacity=30, location=place)

    made = await draft(api, organizer, body)

    assert made["status"] == "draft"
    for name in ("org_id", "title", "description", "category", "capacity", "rule_key", "location"):
        assert made[name] == body[name]
    assert datetime.fromisoformat(made["starts_at"]) == datetime.fromisoformat(body["starts_at"])
    assert made["starts_at"].endswith("Z")
    assert (made["signups_confirmed"], made["signups_waitlisted"], made["checkins"]) == (0, 0, 0)


async def test_sign_up_runs_until_the_end_unless_times_are_given(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    opens, closes = now() + timedelta(minutes=1), now() + timedelta(minutes=30)

    silent = await draft(api, organizer, activity_body(org))
    told = await draft(
        api,
        organizer,
        activity_body(org, signup_opens_at=opens.isoformat(), signup_closes_at=closes.isoformat()),
    )

    assert silent["signup_closes_at"] == silent["ends_at"]
    assert datetime.fromisoformat(silent["signup_opens_at"]) <= now()
    assert datetime.fromisoformat(told["signup_opens_at"]) == opens
    assert datetime.fromisoformat(told["signup_closes_at"]) == closes


async def test_all_ten_categories_are_taken(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)

    made = [await draft(api, organizer, activity_body(org, category=one.value)) for one in Category]

    assert [one["category"] for one in made] == [
        *("thought_guidance", "culture", "health", "employment", "social_life"),
        *("rights_protection", "safety", "social_practice", "volunteer_service"),
        "property_affairs",
    ]


async def test_publishing_opens_a_draft_and_may_be_repeated(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    made = await draft(api, organizer, activity_body(org))
    path = f"{ACTIVITIES}/{made['id']}"

    first = await api.post(f"{path}/publish", headers=organizer.headers)
    second = await api.post(f"{path}/publish", headers=organizer.headers)

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == made | {"status": "published", "phase": "running", "version": 2}
    assert first.json().items() <= (await api.get(path)).json().items()


async def test_a_cancelled_activity_is_not_published_again(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_activity(runtime, org=org, status=ActivityStatus.cancelled)

    response = await api.post(f"{ACTIVITIES}/{activity.id}/publish", headers=organizer.headers)

    assert_refused(response, 409, "activities.not_draft")


async def test_a_draft_exists_only_for_those_who_run_or_audit_the_place(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    community = await make_org(runtime, parent=street, level=Level.community)
    sibling = await make_org(runtime, parent=street, level=Level.community)
    activity = await make_activity(runtime, org=community, status=ActivityStatus.draft)
    path = f"{ACTIVITIES}/{activity.id}"
    insiders = [
        await make_organizer(runtime, community.id),
        await make_organizer(runtime, street.id),
        await make_administrator(runtime, street.id),
        await make_with_role(runtime, Role.auditor, org=street.id),
    ]
    outsiders = [
        {},
        (await make_person(runtime)).headers,
        (await make_organizer(runtime, sibling.id)).headers,
    ]

    for person in insiders:
        assert (await api.get(path, headers=person.headers)).status_code == 200
    for headers in outsiders:
        assert_refused(await api.get(path, headers=headers), 404, "activities.not_found")


async def test_drafts_are_listed_only_to_those_who_run_the_place(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    activity = await make_activity(runtime, org=org, status=ActivityStatus.draft)
    organizer, resident = await make_organizer(runtime, org.id), await make_person(runtime)
    query = {"org_id": str(org.id), "status": "draft"}

    mine = await api.get(ACTIVITIES, headers=organizer.headers, params=query)

    assert [one["id"] for one in mine.json()["items"]] == [str(activity.id)]
    assert await walk(api, ACTIVITIES, organizer.headers, org_id=str(org.id)) == []
    for headers in ({}, resident.headers):
        refused = await api.get(ACTIVITIES, headers=headers, params=query)
        assert_refused(refused, 403, "auth.forbidden")


async def test_a_sibling_organizer_meets_no_such_activity(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    mine = await make_org(runtime, parent=street, level=Level.community)
    other = await make_org(runtime, parent=street, level=Level.community)
    sibling = await make_organizer(runtime, other.id)
    activity = await make_activity(runtime, org=mine, status=ActivityStatus.draft)
    path = f"{ACTIVITIES}/{activity.id}"

    calls = [
        await api.post(f"{path}/publish", headers=sibling.headers),
        await api.get(f"{path}/checkin-code", headers=sibling.headers),
        await api.get(f"{path}/checkin-code.svg", headers=sibling.headers),
    ]

    for response in calls:
        assert_refused(response, 404, "activities.not_found")
    created = await api.post(ACTIVITIES, headers=sibling.headers, json=activity_body(mine))
    assert_refused(created, 403, "auth.forbidden")


async def test_a_resident_organizes_nothing(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    activity = await make_activity(runtime, org=org)
    people = [
        await make_person(runtime),
        await make_with_role(runtime, Role.auditor, org=org.id),
    ]

    for person in people:
        for response in [
            await api.post(ACTIVITIES, headers=person.headers, json=activity_body(org)),
            await api.post(f"{ACTIVITIES}/{activity.id}/publish", headers=person.headers),
            await api.get(f"{ACTIVITIES}/{activity.id}/checkin-code", headers=person.headers),
            await api.get(f"{ACTIVITIES}/{activity.id}/checkin-code.svg", headers=person.headers),
        ]:
            assert_refused(response, 403, "auth.forbidden")


async def test_an_unknown_organisation_is_told(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    body = activity_body(org, org_id=str(uuid4()))

    response = await api.post(ACTIVITIES, headers=organizer.headers, json=body)

    assert_refused(response, 404, "orgs.not_found")


@pytest.mark.parametrize("rule_key", ["no_such_rule", "blood_donation", "register_realname"])
async def test_a_rule_that_attendance_cannot_meet_is_refused_by_name(
    api: httpx.AsyncClient, runtime: Runtime, rule_key: str
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    body = activity_body(org, rule_key=rule_key)

    response = await api.post(ACTIVITIES, headers=organizer.headers, json=body)

    assert_refused(response, 422, "request.invalid")
    assert [one["field"] for one in response.json()["errors"]] == ["body.rule_key"]


async def test_times_must_be_in_order(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    moment = [(now() + timedelta(hours=hours)).isoformat() for hours in range(5)]

    for times in [
        {"starts_at": moment[2], "ends_at": moment[1]},
        {"starts_at": moment[1], "ends_at": moment[1]},
        {"starts_at": moment[1], "ends_at": moment[2], "signup_closes_at": moment[3]},
        {"starts_at": moment[1], "ends_at": moment[2], "signup_opens_at": moment[2]},
        {
            "starts_at": moment[3],
            "ends_at": moment[4],
            "signup_opens_at": moment[2],
            "signup_closes_at": moment[1],
        },
    ]:
        response = await api.post(
            ACTIVITIES, headers=organizer.headers, json=activity_body(org, **times)
        )
        assert_refused(response, 422, "request.invalid")


async def test_a_list_holds_the_whole_subtree_and_nothing_beside_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street, elsewhere = await make_org(runtime), await make_org(runtime)
    community = await make_org(runtime, parent=street, level=Level.community)
    made = [await make_activity(runtime, org=org) for org in (street, community, elsewhere)]

    of_street = await walk(api, ACTIVITIES, org_id=str(street.id))
    of_community = await walk(api, ACTIVITIES, org_id=str(community.id))

    assert {one["id"] for one in of_street} == {str(made[0].id), str(made[1].id)}
    assert [one["id"] for one in of_community] == [str(made[1].id)]


async def test_filters_narrow_the_list(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    soon, later = now() + timedelta(days=1), now() + timedelta(days=9)
    health = await make_activity(runtime, org=org, category=Category.health, starts_at=soon)
    night = await make_activity(runtime, org=org, title="青年夜校100%_\\", starts_at=later)
    off = await make_activity(
        runtime, org=org, status=ActivityStatus.cancelled, starts_at=later + timedelta(days=1)
    )

    async def found(**query: Any) -> list[str]:
        items = await walk(api, ACTIVITIES, org_id=str(org.id), **query)
        return [item["id"] for item in items]

    assert await found() == [str(health.id), str(night.id), str(off.id)]
    assert await found(category="health") == [str(health.id)]
    assert await found(status="published") == [str(health.id), str(night.id)]
    assert await found(status="cancelled") == [str(off.id)]
    assert await found(starts_after=soon.isoformat()) == [str(night.id), str(off.id)]
    assert await found(starts_after="9999-12-31T23:59:59Z") == []
    assert str(night.id) in await found(starts_after="0001-01-01T00:00:00+14:00")
    assert await found(q="夜校") == [str(night.id)]
    assert await found(q="１００% 夜校") == [str(night.id)]
    assert await found(q="") == await found()
    assert await found(category="health", q="夜校") == []


async def test_pages_hold_everything_exactly_once_in_order_of_start(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    day = now() + timedelta(days=3)
    # Two at the same moment: the cursor must not lose one of them.
    starts = [day, day, day, day + timedelta(hours=1), day - timedelta(hours=1)]
    made = [await make_activity(runtime, org=org, starts_at=start) for start in starts]

    for limit in (1, 2, 3, 5, 100):
        items = await walk(api, ACTIVITIES, org_id=str(org.id), limit=limit)
        assert len(items) == len(made)
        assert {item["id"] for item in items} == {str(one.id) for one in made}
        moments = [item["starts_at"] for item in items]
        assert moments == sorted(moments)


async def test_a_filter_by_an_unknown_organisation_is_told(api: httpx.AsyncClient) -> None:
    for unknown in (str(uuid4()), "nope"):
        response = await api.get(ACTIVITIES, params={"org_id": unknown})
        assert_refused(response, 404, "orgs.not_found")


async def test_counters_and_etag_follow_the_signups(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime, capacity=1)
    path = f"{ACTIVITIES}/{activity.id}"
    people = [await make_person(runtime) for _ in range(2)]
    before = await api.get(path)
    known = {"If-None-Match": before.headers["etag"]}
    unchanged = await api.get(path, headers=known)

    for person in people:
        await api.post(f"{path}/signups", headers=person.headers, json={})
    scanned = await api.post(
        "/api/v1/checkins",
        headers=people[0].headers,
        json={"code": current_code(runtime, activity)},
    )

    assert unchanged.status_code == 304
    assert unchanged.content == b""
    assert unchanged.headers["etag"] == before.headers["etag"]
    assert scanned.status_code == 201
    after = await api.get(path, headers=known)
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
    counters = ("capacity", "signups_confirmed", "signups_waitlisted", "checkins")
    assert [after.json()[name] for name in counters] == [1, 1, 1, 1]


async def test_the_screen_shows_a_code_that_checks_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime)
    activity = await make_activity(runtime, org=org)
    path = f"{ACTIVITIES}/{activity.id}"
    await api.post(f"{path}/signups", headers=person.headers, json={})

    shown = await api.get(f"{path}/checkin-code", headers=organizer.headers)

    assert shown.status_code == 200
    body = shown.json()
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", body["code"])
    assert 0 < body["refresh_after_seconds"] <= 15
    left = datetime.fromisoformat(body["expires_at"]) - now()
    assert timedelta(seconds=25) < left <= timedelta(seconds=45)
    assert body["svg_url"] == f"{path}/checkin-code.svg"
    scanned = await api.post(
        "/api/v1/checkins", headers=person.headers, json={"code": body["code"]}
    )
    assert scanned.status_code == 201


async def test_the_picture_of_the_code_is_svg_and_never_cached(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_activity(runtime, org=org)

    response = await api.get(
        f"{ACTIVITIES}/{activity.id}/checkin-code.svg", headers=organizer.headers
    )

    assert response.status_code == 200
    assert response.headers["content-type"] == "image/svg+xml"
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers
    assert b"<svg" in response.content


async def test_a_draft_has_no_code(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_activity(runtime, org=org, status=ActivityStatus.draft)

    for path in ("checkin-code", "checkin-code.svg"):
        response = await api.get(f"{ACTIVITIES}/{activity.id}/{path}", headers=organizer.headers)
        assert_refused(response, 409, "activities.not_open")
        assert response.json()["msg"] == "活动尚未发布"


async def test_a_refused_request_does_not_spoil_the_policy_for_the_next(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request of a process reads the policy; it may well be refused."""
    monkeypatch.setattr(history, "_loaded", {})
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    wrong = activity_body(org, rule_key="no_such_rule")
    refused = await api.post(ACTIVITIES, headers=organizer.headers, json=wrong)

    made = await api.post(ACTIVITIES, headers=organizer.headers, json=activity_body(org))

    assert refused.status_code == 422
    assert made.status_code == 201
