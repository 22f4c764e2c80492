"""Offline codes of a phone, as a steward's device checks them with the published keys."""

from datetime import datetime, timedelta

import httpx

from app.core import base64url
from app.core.clock import now
from app.core.offline_codes import CODE_LENGTH, STEP_SECONDS
from app.models.activities import ActivityStatus
from app.runtime import Runtime
from app.services.offline_codes import PREPARED_BEFORE
from tests.factories.activities import make_activity, make_attended, sign_up
from tests.factories.devices import programmed
from tests.factories.http import assert_refused
from tests.factories.people import make_people, make_person
from tests.factories.refusals import Ask as Refused
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

CODES = "/api/v1/me/offline-codes"
KEYS = "/api/v1/offline-keys"
MATRIX = """
operation           rule    nobody alice bob  counter rival sibling parent auditor admin outsider
listMyOfflineCodes  person  401    200   403  403     403   403     403    403     403   403       403=checkins.not_signed_up
listOfflineKeys     anyone  200    200   200  200     200   200     200    200     200   200
"""  # noqa: E501 - a table
BEYOND_THE_SCHEMA = {"sessions.not_found", "activities.not_open"}


async def _codes(world: World) -> Ask:
    activity = await make_attended(world.runtime, world.alice, org=world.home)
    return Ask(query={"activity_id": str(activity.id)})


REQUESTS = {"listMyOfflineCodes": _codes}


async def known(setup: Setup) -> Known:
    activity = await make_attended(setup.runtime, setup.caller, org=setup.org)
    return {"activity_id": [str(activity.id)]}


async def _too_early(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    starts_at = now() + PREPARED_BEFORE + timedelta(hours=1)
    activity = await make_activity(runtime, starts_at=starts_at)
    facts = {"opens_at": starts_at - PREPARED_BEFORE}
    query = {"activity_id": str(activity.id)}
    person = await make_person(runtime)
    return Refused(person, "GET", "/me/offline-codes", facts, query=query)


REFUSED = {"offline_codes.too_early": _too_early}


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


async def test_a_device_checks_the_codes_of_a_phone(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person, hours=24)
    asked = {"activity_id": str(activity.id)}
    reply = await api.get(CODES, headers=person.headers, params=asked)
    card = (await api.get("/api/v1/me/card", headers=person.headers)).json()["card_no"]
    published = await api.get(KEYS)
    unchanged = await api.get(KEYS, headers={"If-None-Match": published.headers["etag"]})

    assert (published.status_code, unchanged.status_code) == (200, 304)
    assert reply.headers["cache-control"] == "no-store"
    told = reply.json()
    assert told["activity_serial"] == activity.serial
    assert len(told["codes"]) in {296, 297}  # a minute before the start
    assert {len(one["code"]) for one in told["codes"]} == {CODE_LENGTH}
    last = told["codes"][-1]
    assert _seconds(last["starts_at"]) <= _seconds(told["closes_at"]) < _seconds(last["ends_at"])
    for one, following in zip(told["codes"], told["codes"][1:], strict=False):
        assert one["ends_at"] == following["starts_at"]
    keys = {one["id"]: base64url.decode(one["public_key"], 32) for one in published.json()["keys"]}
    check = programmed()["check"]
    for one in (told["codes"][0], last):
        begin, digits = _seconds(one["starts_at"]), card[-4:]
        place = (keys, activity.serial, 0)
        assert check(one["code"], digits, *place, begin) is None
        assert check(one["code"], digits, *place, begin + 2 * STEP_SECONDS) == "of another time"
        assert check(one["code"], digits[::-1] + "x", *place, begin) == "not the card that is shown"
        read = runtime.offline_codes.read(one["code"])
        assert (read.activity, read.session, read.is_for(digits)) == (activity.serial, 0, True)


async def test_who_has_no_place_gets_none(api: httpx.AsyncClient, runtime: Runtime) -> None:
    first, second, third = await make_people(runtime, 3)
    activity = await make_activity(runtime, capacity=1)
    assert await sign_up(runtime, activity, first, second) == ["confirmed", "waitlisted"]
    draft = await make_activity(runtime, status=ActivityStatus.draft)
    over = await make_activity(runtime, starts_at=now() - timedelta(hours=3), hours=2)
    cases = [
        (second, activity, {}, 403, "checkins.not_signed_up", {"status": "waitlisted"}),
        (third, activity, {}, 403, "checkins.not_signed_up", {}),
        (first, draft, {}, 404, "activities.not_found", {}),
        (first, over, {}, 409, "activities.not_open", {"status": "published"}),
        (first, activity, {"session": "1"}, 404, "sessions.not_found", {}),
        (first, activity, {"session": "-1"}, 422, "request.invalid", {}),
    ]
    for person, one, more, status, code, facts in cases:
        asked = {"activity_id": str(one.id)} | more
        refused = await api.get(CODES, headers=person.headers, params=asked)
        assert_refused(refused, status, code)
        assert refused.json().get("facts", {}).items() >= facts.items()
