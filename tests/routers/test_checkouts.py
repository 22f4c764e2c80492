"""POST /checkouts: the time between check-in and check-out becomes points and hours."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
import time_machine

from app.core.clock import now
from app.models.checkins import CLOSES_AFTER_END
from app.models.checkouts import Departure
from app.runtime import Runtime
from app.services import checkins, checkouts
from app.services.checkins import Recorded, Scan
from app.services.ledger.types import MINUTES
from tests.factories.activities import current_code, make_attended, sign_up
from tests.factories.attendance import shanghai
from tests.factories.http import assert_refused, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer, make_person
from tests.factories.policies import SHIPPED, open_unit, publish_in
from tests.factories.presences import come, leave, leaving_code, make_inside, make_with_sessions
from tests.factories.refusals import Ask as Refused
from tests.security.world import Ask, World

MATRIX = """
operation  rule    nobody alice bob  counter rival sibling parent auditor admin outsider
checkOut   person  401    201+  409  409     409   409     409    409     409   409       409=checkouts.not_checked_in
"""  # noqa: E501 - a table
HERS = {"checkouts": "person_id = :alice"}
BEYOND_THE_SCHEMA = {"checkins.code_invalid", "checkins.code_expired"}


async def _check_out(world: World) -> Ask:
    activity = await make_inside(world.runtime, world.alice, org=world.home)
    return Ask(body={"code": leaving_code(world.runtime, activity)})


async def _too_late(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person, starts_at = await make_person(runtime), now() - timedelta(hours=2)
    with time_machine.travel(starts_at, tick=False):
        activity = await make_inside(runtime, person, starts_at=starts_at, hours=1)
    body = {"code": leaving_code(runtime, activity)}
    facts = {"closes_at": activity.ends_at + CLOSES_AFTER_END}
    return Refused(person, "POST", "/checkouts", facts, body)


REFUSED = {"checkouts.over": _too_late}
REQUESTS = {"checkOut": _check_out}


async def test_the_time_between_is_paid_in_half_hours_with_the_checkout(runtime: Runtime) -> None:
    person, begins = await make_person(runtime), shanghai(9, 20)
    with time_machine.travel(begins - timedelta(minutes=10), tick=False) as clock:
        activity = await make_inside(runtime, person, starts_at=begins, hours=3)
        clock.move_to(begins + timedelta(minutes=100))
        first = await leave(runtime, activity, person)
        again = await leave(runtime, activity, person)

    assert first.is_new
    assert first.result.checkin.minutes == 100
    assert first.result.award is not None
    assert (first.result.award.points, first.result.award.minutes) == (3, 90)
    assert first.result.points.available == 3
    assert (again.is_new, again.result) == (False, first.result)
    assert await balance(runtime, person.id, unit=MINUTES) == 90
    await assert_ledger_verifies(runtime)


async def test_a_code_of_a_checkin_does_not_check_out(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    activity = await make_inside(runtime, person)
    plain = await make_attended(runtime, person)
    codes = {
        "checkouts.checkin_code": current_code(runtime, activity),
        "checkouts.not_asked": leaving_code(runtime, plain),
    }
    for refusal, code in codes.items():
        reply = await api.post("/api/v1/checkouts", headers=person.headers, json={"code": code})
        assert_refused(reply, 422 if refusal.endswith("code") else 409, refusal)

    stranger = await make_person(runtime)
    code = leaving_code(runtime, activity)
    reply = await api.post("/api/v1/checkouts", headers=stranger.headers, json={"code": code})
    assert_refused(reply, 409, "checkouts.not_checked_in")


async def test_each_session_is_paid_by_its_own_presence(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, first = await make_person(runtime), shanghai(9, 20, 19)
    second = first + timedelta(days=7)
    with time_machine.travel(first - timedelta(days=1), tick=False) as clock:
        series = await make_with_sessions(runtime, (first, 2), (second, 2), checks_out=True)
        await sign_up(runtime, series, person)
        paid = []
        for evening in (first, second):
            clock.move_to(evening - timedelta(minutes=29))
            came = await come(runtime, series, person)
            clock.move_to(evening + timedelta(minutes=90))
            left = await leave(runtime, series, person)
            paid.append((came.result.checkin.session, left.result.award))

    assert [(session, award and award.minutes) for session, award in paid] == [(1, 90), (2, 90)]
    assert await balance(runtime, person.id, unit=MINUTES) == 180
    [mine] = await walk(api, "/api/v1/me/signups", person.headers)
    latest = (second - timedelta(minutes=29)).astimezone(UTC).isoformat().replace("+00:00", "Z")
    assert (mine["session"], mine["checked_in_at"], mine["minutes"]) == (0, latest, 90)
    await assert_ledger_verifies(runtime)


async def test_who_comes_late_is_at_the_session_that_runs(runtime: Runtime) -> None:
    person, first = await make_person(runtime), shanghai(9, 20, 9)
    second = first + timedelta(minutes=80)
    with time_machine.travel(first - timedelta(days=1), tick=False) as clock:
        series = await make_with_sessions(runtime, (first, 1), (second, 1), checks_out=True)
        await sign_up(runtime, series, person)
        found = []
        for minutes in (-40, -20, 55, 70, 100):  # refused, opens, runs, opens, runs
            clock.move_to(first + timedelta(minutes=minutes))
            async with runtime.database.transaction() as tx:
                [came] = await checkins.record(tx, [Scan(series.serial, person.id)], now())
            found.append(came.result.checkin.session if isinstance(came, Recorded) else None)

    assert found == [None, 1, 1, 2, 2]


async def test_codes_are_taken_as_the_url_of_the_screen(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_attended(runtime, person, org=org, checks_out=True)
    path = f"/api/v1/activities/{activity.id}/checkin-code"

    shown = (await api.get(path, headers=organizer.headers)).json()
    came = await api.post("/api/v1/checkins", headers=person.headers, json={"code": shown["url"]})
    shown = (await api.get(f"{path}?action=check_out", headers=organizer.headers)).json()
    left = await api.post("/api/v1/checkouts", headers=person.headers, json={"code": shown["url"]})

    assert came.status_code == 201
    assert shown["url"].endswith(f"/c/{shown['code']}")
    assert left.status_code == 201


@pytest.mark.parametrize(("paid", "minutes"), [(0, 0), (60, 60)])
async def test_who_forgets_gets_what_the_rules_say(
    api: httpx.AsyncClient, runtime: Runtime, paid: int, minutes: int
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    source = SHIPPED.replace("forgotten_minutes = 0", f"forgotten_minutes = {paid}")
    await publish_in(runtime, await open_unit(runtime), org, source)
    begins = now() + timedelta(hours=1)
    with time_machine.travel(begins, tick=False) as clock:
        activity = await make_inside(runtime, person, org=org, starts_at=begins, hours=2)
        clock.move_to(begins + timedelta(hours=2, minutes=29))
        await close(runtime)
        before = await ended(runtime, activity.id)
        clock.move_to(begins + timedelta(hours=2, minutes=31))
        await close(runtime)
        assert await close(runtime) == 0
        late = await leave(runtime, activity, person)

    assert before == []
    assert await ended(runtime, activity.id) == [(Departure.forgotten, begins + timedelta(hours=2))]
    assert not late.is_new
    assert await balance(runtime, person.id, unit=MINUTES) == minutes
    assert "checkout_forgotten" in [one["kind"] for one in await inbox(api, runtime, person)]
    await assert_ledger_verifies(runtime)


async def close(runtime: Runtime) -> int:
    async with runtime.database.transaction() as tx:
        return await checkouts.close_forgotten(tx, now(), limit=200)


async def ended(runtime: Runtime, activity: UUID) -> list[tuple[str, datetime]]:
    async with runtime.database.snapshot() as tx:
        rows = await tx.fetch(
            "SELECT departure, left_at FROM checkouts WHERE activity_id = :id", {"id": activity}
        )
    return [(row.departure, row.left_at) for row in rows]
