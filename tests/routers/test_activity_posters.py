"""Posters of activities: a printed code, and the place of the phone, check a person in."""

from typing import Any

import httpx
import pytest

from app.core.geo import wgs84_to_gcj02
from app.core.poster_codes import Poster, PosterKind
from app.models.activities import Activity
from app.models.checkins import CheckinMethod
from app.models.ledger import Purpose
from app.models.orgs import Org
from app.runtime import Runtime
from app.services import activity_posters
from tests.factories.activities import current_code, make_activity, make_attended, sign_up
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
)
from tests.factories.quests import LATITUDE, LONGITUDE, position
from tests.factories.refusals import Ask as Refused
from tests.routers.test_audit import entries
from tests.routers.test_stewards import ask as ask_steward
from tests.security.world import Ask, World

MATRIX = """
operation                 rule    nobody alice bob  counter rival sibling parent auditor admin outsider
getActivityPoster         person  401    403   403  403     403   404     200    403     200   404       404=activities.not_found
getActivityPosterSvg      person  401    403   403  403     403   404     200    403     200   404       404=activities.not_found
getActivityPosterWxacode  person  401    403   403  403     403   404     200    403     200   404       404=activities.not_found
renewActivityPoster       person  401    403   403  403     403   404     200    403     200   404       404=activities.not_found
"""  # noqa: E501 - a table
HERE: dict[str, Any] = {
    "location_name": "社区中心",
    "latitude": LATITUDE,
    "longitude": LONGITUDE,
    "radius_m": 100,
}


async def _placed(world: World) -> Ask:
    activity = await make_activity(world.runtime, org=world.home, **HERE)
    return Ask({"activity_id": str(activity.id)})


REQUESTS = dict.fromkeys(
    (
        "getActivityPoster",
        "getActivityPosterSvg",
        "getActivityPosterWxacode",
        "renewActivityPoster",
    ),
    _placed,
)


def code_of(runtime: Runtime, activity: Activity, issue: int = 1) -> str:
    return runtime.posters.make(PosterKind.activity, Poster(activity.serial, issue))


async def check_in(
    api: httpx.AsyncClient, person: TestPerson, code: str, location: Any = None
) -> httpx.Response:
    body = {"code": code} if location is None else {"code": code, "location": location}
    return await api.post("/api/v1/checkins", headers=person.headers, json=body)


async def _too_far(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person, **HERE)
    # 222 m away; of an accuracy of 5 km, 100 m count.
    body = {"code": code_of(runtime, activity), "location": position(4, accuracy_m=5_000)}
    return Refused(person, "POST", "/checkins", {"distance_m": 222, "limit": 200}, body)


REFUSED = {"checkins.too_far": _too_far}
BEYOND_THE_SCHEMA = {"checkins.too_far", "checkins.location_needed", "checkins.no_place"}


async def test_a_poster_is_shown_in_three_forms_and_replaced(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_activity(runtime, org=org, **HERE)
    path = f"/api/v1/activities/{activity.id}/poster"

    shown = await api.get(path, headers=organizer.headers)

    poster = shown.json()
    found = runtime.posters.check(poster["code"], PosterKind.activity)
    assert (found, poster["issue"]) == (Poster(activity.serial, 1), 1)
    assert poster["url"].endswith(f"/c/{poster['code']}")
    svg = await api.get(poster["svg_url"], headers=organizer.headers)
    assert svg.headers["content-type"] == "image/svg+xml"
    drawn = await api.get(poster["wxacode_url"], headers=organizer.headers)
    assert (drawn.headers["content-type"], drawn.content[1:4]) == ("image/png", b"PNG")
    renewed = await api.post(f"{path}/renewal", headers=keyed(organizer))
    assert renewed.json() == poster | {"issue": 2, "code": code_of(runtime, activity, 2)} | {
        "url": renewed.json()["url"]
    }
    for reply in (shown, svg, drawn, renewed):
        assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
    trail = await entries(api, await make_administrator(runtime, org.id), org)
    assert [one["facts"] for one in trail if one["verb"] == "renewed"] == [{"issue": 2}]
    monkeypatch.setattr(activity_posters, "MAX_ISSUE", 2)
    refused = await api.post(f"{path}/renewal", headers=keyed(organizer))
    assert_refused(refused, 409, "activity_posters.used_up")
    assert refused.json()["facts"] == {"limit": 2}
    for other, code in ((await make_activity(runtime, org=org), "checkins.no_place"),):
        bare = await api.get(f"/api/v1/activities/{other.id}/poster", headers=organizer.headers)
        assert_refused(bare, 409, code)


async def test_a_poster_and_the_place_check_in_and_the_award_waits(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, other = await make_people(runtime, 2)
    activity = await make_attended(runtime, person, **HERE)
    await sign_up(runtime, activity, other)
    url = f"https://youth.example.cn/c/{code_of(runtime, activity)}"
    # Read as GCJ-02, the degrees of GPS would be some 500 m away.
    gps = _gps_of(LATITUDE + 0.0003, LONGITUDE)

    first = await check_in(api, person, url, position(0) | gps)
    again = await check_in(api, person, code_of(runtime, activity), position(1))
    misread = await check_in(
        api, other, url, position(0, accuracy_m=1) | gps | {"coordinate_system": "gcj02"}
    )

    assert (first.status_code, again.status_code) == (201, 200), first.text
    assert again.json() == first.json()
    assert first.json()["award"]["state"] == "pending"
    assert first.json()["points"] == {"available": 0, "pending": 4}
    assert_refused(misread, 409, "checkins.too_far")
    assert await balance(runtime, person.id, Purpose.pending) == 4
    await assert_ledger_verifies(runtime)


def _gps_of(latitude: float, longitude: float) -> dict[str, Any]:
    """Return the WGS 84 position that is shown at these degrees of GCJ-02, exact to a metre."""
    north, east = wgs84_to_gcj02(latitude, longitude)
    here = {"latitude": 2 * latitude - north, "longitude": 2 * longitude - east}
    return here | {"coordinate_system": "wgs84"}


async def test_a_poster_alone_is_no_proof_but_a_steward_is(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime)
    activity = await make_attended(runtime, person, org=org, **HERE)
    nowhere = await make_attended(runtime, person, org=org)
    old, path = code_of(runtime, activity), f"/api/v1/activities/{activity.id}/poster"
    checkpoint = runtime.posters.make(PosterKind.checkpoint, Poster(activity.serial, 1))

    absent = await check_in(api, person, old)
    assert_refused(absent, 422, "checkins.location_needed")
    assert "工作人员" in absent.json()["msg"]
    far = await check_in(api, person, old, position(4, accuracy_m=5_000))
    assert_refused(far, 409, "checkins.too_far")
    assert "工作人员" in far.json()["msg"]
    placeless = await check_in(api, person, code_of(runtime, nowhere), position(0))
    assert_refused(placeless, 409, "checkins.no_place")
    unknown = runtime.posters.make(PosterKind.activity, Poster(2**31 - 1, 1))
    for code in (checkpoint, unknown, old[:-1] + "x", code_of(runtime, activity, 2)):
        refused = await check_in(api, person, code, position(0))
        assert_refused(refused, 422, "checkins.code_invalid")
    renewed = (await api.post(f"{path}/renewal", headers=keyed(organizer))).json()["code"]
    replaced = await check_in(api, person, old, position(0))
    assert_refused(replaced, 422, "checkins.code_invalid")

    confirmed = await ask_steward(api, organizer, activity, person_id=str(person.id))
    assert confirmed.status_code == 200, confirmed.text
    assert (await check_in(api, person, renewed, position(0))).status_code == 200
    assert (await check_in(api, person, current_code(runtime, nowhere))).status_code == 201


async def test_who_has_fetched_the_poster_is_confirmed_by_somebody_else(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, person = await make_organizer(runtime, org.id), await make_person(runtime)
    activity = await _at(runtime, org, organizer, person)
    path = f"/api/v1/activities/{activity.id}/poster"
    poster = (await api.get(path, headers=organizer.headers)).json()

    own, others = [
        await check_in(api, one, poster["code"], position(0)) for one in (organizer, person)
    ]

    listed = await api.get(f"/api/v1/activities/{activity.id}/checkins", headers=organizer.headers)
    methods = {one["person_id"]: one["method"] for one in listed.json()["items"]}
    assert methods == dict.fromkeys((str(organizer.id), str(person.id)), CheckinMethod.poster)
    states = [reply.json()["award"] for reply in (own, others)]
    assert [one["state"] for one in states] == ["pending", "pending"]
    reviewer = await make_organizer(runtime, org.id)
    queues = await api.get("/api/v1/me/queues", headers=reviewer.headers)
    counts = {one["kind"]: one["count"] for one in queues.json()["items"]}
    assert counts["proposals"] == 1, "only the award of who fetched the poster needs a review"


async def _at(runtime: Runtime, org: Org, *people: TestPerson) -> Activity:
    activity = await make_activity(runtime, org=org, **HERE)
    await sign_up(runtime, activity, *people)
    return activity
