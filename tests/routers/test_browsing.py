"""Activities as readers see them: what they bring, how far they are, the reader's own part."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, event

from app.core.clock import now
from app.core.db import Session
from app.models.activities import Activity, ActivityStatus
from app.models.orgs import Level, Org
from app.models.people import Role
from app.runtime import Runtime
from app.schemas.browsing import BrowsedActivityDetailOut
from app.services import orgs
from tests.factories.activities import current_code, make_activity, make_attended, sign_up
from tests.factories.http import assert_refused, walk
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_person, make_with_role
from tests.factories.policies import SHIPPED, open_unit, publish_in
from tests.routers.test_audit import entries

ACTIVITIES = "/api/v1/activities"
HERE: dict[str, Any] = {"lat": 32.23, "lng": 119.8}
PLACE: dict[str, Any] = {"location_name": "青年之家", "longitude": 119.8, "radius_m": 100}
STATES: dict[str, dict[str, Any]] = {
    "open": {},
    "full": {"capacity": 1},
    "early": {"signup_opens_at": timedelta(hours=1), "signup_closes_at": timedelta(hours=2)},
    "late": {"signup_opens_at": timedelta(hours=-2), "signup_closes_at": timedelta(hours=-1)},
    "over": {"starts_at": timedelta(hours=-3)},
    "closed": {"status": ActivityStatus.closed},
    "cancelled": {"status": ActivityStatus.cancelled, "cancel_reason": "暴雨"},
}


async def make_in_state(runtime: Runtime, state: str, org: Org | None = None) -> Activity:
    """Create an activity in a state of STATES; it has a confirmed place if it is full."""
    changes: dict[str, Any] = {
        name: now() + value if isinstance(value, timedelta) else value
        for name, value in STATES[state].items()
    }
    activity = await make_activity(runtime, org=org, **changes)
    if state == "full":
        await sign_up(runtime, activity, await make_person(runtime))
    return activity


async def seen(
    api: httpx.AsyncClient,
    activity: Activity,
    person: TestPerson | None = None,
    language: str = "zh-CN",
) -> dict[str, Any]:
    """Return the detail, which the list must show in the same way."""
    headers = {"Accept-Language": language} | (person.headers if person else {})
    response = await api.get(f"{ACTIVITIES}/{activity.id}", headers=headers)
    assert response.status_code == 200, response.text
    whole: dict[str, Any] = response.json()
    query = {"org_id": str(activity.org_id)}
    listed = (await api.get(ACTIVITIES, headers=headers, params=query)).json()
    beside = {"contact", "evidence"}
    assert {n: v for n, v in whole.items() if n not in beside} in listed["items"]
    return whole


@pytest.mark.parametrize("state", STATES)
async def test_a_reader_reads_what_a_sign_up_would_reply(
    api: httpx.AsyncClient, runtime: Runtime, state: str
) -> None:
    activity, person = await make_in_state(runtime, state), await make_person(runtime)
    language = {"Accept-Language": "en"}

    mine = (await seen(api, activity, person, "en"))["mine"]
    assert mine["signup"] is None

    tried = await api.post(f"{ACTIVITIES}/{activity.id}/signups", headers=person.headers | language)
    assert mine["may_sign_up"] is (tried.status_code == 201)
    assert mine["would_wait"] is (tried.json().get("status") == "waitlisted")
    if mine["may_sign_up"]:
        assert mine["reason"] is None
        own = (await seen(api, activity, person))["mine"]
        assert own["signup"].items() <= tried.json().items()
        assert own["signups"] == [own["signup"]]
        assert (own["may_sign_up"], own["would_wait"], own["reason"]) == (False, False, None)
    else:
        problem = tried.json()
        assert mine["reason"] == {name: problem[name] for name in ("code", "msg", "facts")}
        assert problem["facts"]


async def test_a_reader_reads_the_waiting_position_and_the_check_in(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    first, second, other = [await make_person(runtime) for _ in range(3)]
    activity = await make_activity(runtime, capacity=1)
    await sign_up(runtime, activity, other, first, second)
    waiting = (await seen(api, activity, second))["mine"]
    assert waiting["signup"]["position"] == 2
    assert waiting["checked_in_at"] is None

    scan = {"code": current_code(runtime, activity)}
    done = await api.post("/api/v1/checkins", headers=other.headers, json=scan)
    assert done.status_code == 201, done.text
    attended = (await seen(api, activity, other))["mine"]
    assert attended["checked_in_at"] == done.json()["checkin"]["checked_in_at"]
    assert (await seen(api, activity, first))["mine"]["checked_in_at"] is None


async def test_a_cancelled_sign_up_is_none(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person)
    signup = (await seen(api, activity, person))["mine"]["signup"]["id"]
    await api.delete(f"/api/v1/signups/{signup}", headers=person.headers)
    mine = (await seen(api, activity, person))["mine"]
    assert (mine["signup"], mine["may_sign_up"]) == (None, True)


async def test_everybody_reads_what_an_activity_brings(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime, hours=2.5)
    shown = await seen(api, activity)
    assert shown["mine"] is None
    assert shown["org_name"]
    assert shown["category_name"] == "志愿服务"
    english = await seen(api, activity, language="en")
    assert english["category_name"] == "Volunteer service"
    assert (shown["brings"]["points"], shown["brings"]["minutes"]) == (5, 150)
    assert shown["brings"]["per"] == "hour"
    moments = {name: datetime.fromisoformat(shown[name]) for name in shown if name.endswith("_at")}
    assert moments["checkin_opens_at"] == activity.starts_at - timedelta(minutes=30)
    assert moments["checkin_closes_at"] == activity.ends_at + timedelta(minutes=30)


async def test_an_activity_of_no_known_rule_is_shown(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    assert (await seen(api, await make_activity(runtime, rule_key="gone")))["brings"] is None


async def test_what_it_brings_follows_a_new_policy(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity = await make_activity(runtime, hours=2.5)
    before = await api.get(f"{ACTIVITIES}/{activity.id}")
    async with runtime.database.read() as tx:
        org = await orgs.get(tx, activity.org_id)
    dearer = SHIPPED.replace('per = "hour"\npoints = 2', 'per = "hour"\npoints = 3')
    await publish_in(runtime, await open_unit(runtime), org, dearer)
    after = await api.get(
        f"{ACTIVITIES}/{activity.id}", headers={"If-None-Match": before.headers["etag"]}
    )
    assert [one.json()["brings"]["points"] for one in (before, after)] == [5, 7]


async def test_own_part_is_written_as_the_whole_is(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The part of each reader is put into what all of them read, whatever stands there."""
    waits, comes = [await make_person(runtime) for _ in range(2)]
    activity = await make_activity(runtime, capacity=1, description='"mine":null} 小雨\n')
    await sign_up(runtime, activity, comes, waits)
    for reader, expected in ((None, None), (waits, "waitlisted"), (comes, "confirmed")):
        headers = reader.headers if reader else {}
        body = (await api.get(f"{ACTIVITIES}/{activity.id}", headers=headers)).json()
        signup = body["mine"] and body["mine"]["signup"]["status"]
        assert (signup, body["description"]) == (expected, activity.description)
        whole = BrowsedActivityDetailOut.model_validate(body | {"brings": None, "evidence": []})
        assert [*body] == [*whole.model_dump()]


async def test_the_list_without_a_token_is_kept_by_its_etag(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    activity, person = await make_activity(runtime), await make_person(runtime)
    query = {"org_id": str(activity.org_id)}
    first = await api.get(ACTIVITIES, params=query)
    tag = {"If-None-Match": first.headers["etag"]}
    assert (await api.get(ACTIVITIES, params=query, headers=tag)).status_code == 304
    mine = await api.get(ACTIVITIES, params=query, headers=tag | person.headers)
    assert mine.status_code == 200


async def test_activities_are_sorted(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    made = [
        await make_activity(
            runtime,
            org=org,
            starts_at=now() + timedelta(hours=hours),
            created_at=now() + timedelta(minutes=created),
            **({**PLACE, "latitude": latitude} if latitude else {}),
        )
        for hours, created, latitude in [
            (1, 3, 32.25),
            (2, 1, None),
            (-1, 2, 32.24),  # runs
            (3, 4, 32.23),
            (-3, 5, 32.23),  # is over
        ]
    ]
    ids = {str(one.id): number for number, one in enumerate(made)}
    expected = {
        "start": [4, 2, 0, 1, 3],
        "start of upcoming": [2, 0, 1, 3],
        "distance": [3, 2, 0, 1],
        "newest": [3, 0, 2, 1],
    }
    for name, numbers in expected.items():
        sort, _, upcoming = name.partition(" of ")
        query = HERE | {"org_id": str(org.id), "sort": sort, "upcoming": bool(upcoming)}
        items = await walk(api, ACTIVITIES, limit=1, **query)
        assert [ids[one["id"]] for one in items] == numbers, name
        assert {ids[one["id"]]: one["distance_m"] for one in items}.get(3) == 0
    distances = {ids[one["id"]]: one["distance_m"] for one in items}
    assert distances == {0: 2224, 1: None, 2: 1112, 3: 0}


async def test_what_was_cancelled_or_closed_is_not_upcoming(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    opened, closed, cancelled = [
        await make_in_state(runtime, state, org) for state in ("open", "closed", "cancelled")
    ]
    given = await make_activity(runtime, org=org)
    await sign_up(runtime, given, person)
    organizer = await make_with_role(runtime, Role.organizer, org=org.id)
    ended = await api.post(
        f"{ACTIVITIES}/{given.id}/cancel", headers=organizer.headers, json={"reason": "暴雨"}
    )
    assert ended.status_code == 200, ended.text
    everything = [opened, closed, cancelled, given]
    searches: list[tuple[dict[str, Any], list[Activity]]] = [
        ({}, everything),
        ({"upcoming": True}, [opened]),
        ({"upcoming": True, "sort": "newest"}, [opened]),
        ({"upcoming": True, "status": "cancelled"}, [cancelled, given]),
    ]
    for query, expected in searches:
        items = await walk(api, ACTIVITIES, org_id=str(org.id), **query)
        assert {one["id"] for one in items} == {str(one.id) for one in expected}, query
    mine = (await seen(api, given, person))["mine"]
    assert mine["may_sign_up"] is False
    assert mine["signup"]["status"] == "confirmed"
    assert mine["reason"]["code"] == "activities.not_open"
    assert mine["reason"]["facts"]["status"] == "cancelled"


@pytest.mark.parametrize("query", [{"sort": "distance"}, {"lat": 32.2}, {"lng": 119.8}])
async def test_a_distance_needs_a_position(api: httpx.AsyncClient, query: dict[str, Any]) -> None:
    refused = await api.get(ACTIVITIES, params=query)
    assert_refused(refused, 422, "request.invalid")
    assert [one["field"] for one in refused.json()["errors"]] == ["query.lat"]


async def test_a_page_takes_the_same_number_of_statements(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    sent: list[object] = []
    fetch = Session.fetch

    def note(*given: object) -> None:
        sent.append(given[2])

    async def noted(session: Session, statement: str, params: dict[str, Any]) -> Any:
        sent.append(statement)
        return await fetch(session, statement, params)

    monkeypatch.setattr(Session, "fetch", noted)
    event.listen(Engine, "before_cursor_execute", note)
    costs = []
    try:
        for number in (1, 2, 3):
            await make_attended(runtime, person, org=org)
            sent.clear()
            query = {"org_id": str(org.id)}
            page = await api.get(ACTIVITIES, params=query, headers=person.headers)
            assert [one["mine"]["signup"]["status"] for one in page.json()["items"]] == (
                ["confirmed"] * number
            )
            costs.append(len(sent))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert costs == [5, 5, 5]


async def test_own_sign_ups_show_the_activity_and_what_it_brought(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    attended = await make_attended(runtime, person, title="清明植树", **PLACE, latitude=32.23)
    coming = await make_attended(runtime, person)
    scan = {"code": current_code(runtime, attended)}
    checkin = (await api.post("/api/v1/checkins", headers=person.headers, json=scan)).json()

    later, earlier = await walk(api, "/api/v1/me/signups", person.headers)

    assert later["activity_id"] == str(coming.id)
    assert {later[n] for n in ("checked_in_at", "award_state", "points", "minutes")} == {None}
    assert {
        n: earlier[n] for n in ("title", "location_name", "activity_status", "award_state")
    } == {
        "title": "清明植树",
        "location_name": "青年之家",
        "activity_status": "published",
        "award_state": "available",
    }
    assert (earlier["points"], earlier["minutes"]) == (4, 120)
    assert earlier["checked_in_at"] == checkin["checkin"]["checked_in_at"]
    assert datetime.fromisoformat(earlier["starts_at"]) == attended.starts_at
    assert datetime.fromisoformat(earlier["ends_at"]) == attended.ends_at


async def test_a_detail_tells_whom_to_ask_and_what_the_award_needs(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The community's own contact, else that of the nearest organisation above."""
    street = await make_org(runtime)
    home = await make_org(runtime, parent=street, level=Level.community)
    admin = await make_administrator(runtime, street.id)
    activity = await make_activity(runtime, org=home, rule_key="commendation")
    first = await seen(api, activity)
    assert first["contact"] is None
    assert [one["name"] for one in first["evidence"]] == ["document", "public_notice"]

    async def tell(org: Org, **contact: str) -> None:
        path = f"/api/v1/orgs/{org.id}/contact"
        told = await api.put(path, headers=admin.headers, json=contact)
        assert told.status_code == 200, told.text
        assert told.json()["contact_phone"] == contact.get("phone")

    await tell(street, phone="0511-88321234", note="王老师，工作日9–17点")
    assert (await seen(api, activity))["contact"] == {
        "org_id": str(street.id),
        "org_name": street.name,
        "phone": "0511-88321234",
        "note": "王老师，工作日9–17点",
    }
    await tell(home, phone="110 120")
    assert (await seen(api, activity))["contact"]["phone"] == "110 120"
    await tell(home)
    assert (await seen(api, activity))["contact"]["org_id"] == str(street.id)
    made = [one["fields"] for one in await entries(api, admin, home) if one["verb"] == "changed"]
    assert made == [["contact_phone"]] * 2
