"""Numbers of sessions: one that the activity has not is refused wherever it is named."""

from datetime import timedelta

import httpx

from app.core.clock import now
from app.models.activities import Activity
from app.runtime import Runtime
from app.services import signups
from app.services.signups import Claim, Claimed
from tests.factories.activities import make_activity, make_attended, sign_up
from tests.factories.devices import register
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer, make_people, make_person
from tests.factories.presences import come, make_with_sessions
from tests.factories.scans import Recorder
from tests.routers.test_card_guesses import card_no
from tests.routers.test_children import CHILDREN, make_class, make_pickup
from tests.routers.test_offline_codes import CODES
from tests.routers.test_rosters import fetch
from tests.routers.test_stewards import ask, desk

HOUR = timedelta(hours=1)


async def test_a_steward_checks_in_to_sessions_that_are_there_alone(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, steward = await desk(runtime)
    person, stranger = await make_person(runtime), await make_person(runtime)
    begun = now() - 10 * HOUR
    series = await make_with_sessions(
        runtime, (begun, 1), (now() + 10 * HOUR, 1), org=org, signup_closes_at=now() + HOUR
    )
    plain = await make_attended(runtime, person, org=org)
    await sign_up(runtime, series, person)
    card = await card_no(api, stranger)

    for number in (0, 3, 99):
        for body in ({"person_id": str(person.id)}, {"card_no": card, "walk_in": True}):
            told = await ask(api, steward, series, session=number, **body)
            assert_refused(told, 404, "sessions.not_found")
        many = await ask(api, steward, series, "/batches", session=number, card_nos=[card])
        codes = [one["refusal"]["code"] for one in many.json()["items"]]
        assert codes == ["sessions.not_found"]
    closed = await ask(api, steward, series, session=1, person_id=str(person.id))
    assert_refused(closed, 409, "checkins.outside_window")
    other = await ask(api, steward, plain, session=1, person_id=str(person.id))
    assert_refused(other, 404, "sessions.not_found")
    own = await ask(api, steward, plain, session=0, person_id=str(person.id))
    assert (own.status_code, own.json()["session"]) == (200, 0)
    assert await balance(runtime, person.id) == 4
    await assert_ledger_verifies(runtime)


async def test_a_steward_checks_out_of_the_session_that_is_named(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, steward = await desk(runtime)
    person, begun = await make_person(runtime), now() - HOUR
    both = [(begun, 2), (now() + HOUR / 4, 2)]
    series = await make_with_sessions(runtime, *both, org=org, checks_out=True)
    await sign_up(runtime, series, person)
    for number in (1, 2):
        await come(runtime, series, person, session=number)
    named = {"action": "check_out", "person_id": str(person.id)}

    first = await ask(api, steward, series, session=1, **named)
    unknown = await ask(api, steward, series, session=9, **named)

    assert (first.json()["session"], first.json()["checked_out_at"] is None) == (1, False)
    assert_refused(unknown, 409, "checkouts.not_checked_in")
    again = await ask(api, steward, series, session=1, person_id=str(person.id))
    assert again.json()["checked_out_at"] == first.json()["checked_out_at"]


async def test_codes_and_lists_of_a_class_are_of_sessions_that_are_there(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    guardian, org = await make_person(runtime), await make_org(runtime)
    steward = await make_organizer(runtime, org.id)
    course, child = await make_class(api, runtime, guardian, org)
    pickup = await make_pickup(api, guardian, child)
    body = {"activity_id": str(course.id), "pickup_id": pickup, "session": 7}
    path = f"{CHILDREN}/{child}/handover-codes"

    made = await api.post(path, headers=guardian.headers, json=body)
    listed = await api.get(
        f"/api/v1/activities/{course.id}/class-list?session=7", headers=steward.headers
    )

    assert_refused(made, 404, "sessions.not_found")
    assert_refused(listed, 404, "sessions.not_found")


async def test_an_annulled_presence_is_over(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, steward = await desk(runtime)
    person = await make_person(runtime)
    activity = await make_activity(runtime, org=org, checks_out=True)
    await sign_up(runtime, activity, person)
    came = await come(runtime, activity, person)
    path = f"/api/v1/checkins/{came.result.checkin.id}"
    annulled = await api.post(f"{path}/annulment", headers=keyed(steward), json={"reason": "代签"})
    assert annulled.is_success

    named = {"person_id": str(person.id)}
    for action in ("check_in", "check_out"):
        told = await ask(api, steward, activity, action=action, **named)
        assert_refused(told, 409, "corrections.annulled")
    since, until = now() - HOUR / 60, now()
    for more in ({}, {"checked_in_at": since.isoformat(), "checked_out_at": until.isoformat()}):
        body = {"reason": "误操作"} | more
        told = await api.put(path, headers=keyed(steward), json=body)
        assert_refused(told, 409, "corrections.annulled")
    await assert_ledger_verifies(runtime)


async def test_each_session_of_a_series_has_its_roster_and_codes(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, organizer = await desk(runtime)
    device = await register(api, organizer, org)
    here, elsewhere = await make_people(runtime, 2)
    spans = [(now() + n * timedelta(days=7) - HOUR, 2.0) for n in (-1, 0, 1)]
    common = {"org": org, "signup_closes_at": now() + HOUR}
    whole = await make_with_sessions(runtime, *spans, **common)
    single = await make_with_sessions(runtime, *spans, signup_for="session", **common)
    await sign_up(runtime, whole, here, elsewhere)
    async with runtime.database.transaction() as tx:
        claims = [Claim(single.id, here.id, 2), Claim(single.id, elsewhere.id, 3)]
        before = now() - 2 * HOUR
        assert all(isinstance(one, Claimed) for one in await signups.claim(tx, claims, before))

    async def numbers(activity: Activity, **asked: int) -> list[tuple[int, int]]:
        """Return session and people of the roster; of both their session, and if it has codes."""
        roster = await fetch(api, organizer, activity, device, **asked)
        found = [(roster.json()["session"], roster.json()["people"])]
        for one in (here, elsewhere):
            query = {"activity_id": str(activity.id)} | asked
            codes = await api.get(CODES, headers=one.headers, params=query)
            shown = codes.json()
            found.append((shown.get("session", 0), int("codes" in shown)))
        return found

    assert await numbers(whole) == [(2, 2), (2, 1), (2, 1)]
    assert await numbers(whole, session=3) == [(3, 2), (3, 1), (3, 1)]
    assert await numbers(single) == [(2, 1), (2, 1), (3, 1)]
    assert await numbers(single, session=3) == [(3, 1), (0, 0), (3, 1)]
    for number, status, code in ((0, 404, "sessions.not_found"), (1, 409, "activities.not_open")):
        refused = await fetch(api, organizer, whole, device, session=number)
        assert_refused(refused, status, code)
    recorder = Recorder(runtime, device, whole)
    told = await recorder.upload(api, organizer, [await recorder.showed(here, now(), session=2)])
    assert [one["outcome"] for one in told["items"]] == ["counted"]
