"""Corrections of check-ins: the award follows, and what was written stays."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from app.core.clock import now
from app.runtime import Runtime
from app.services import corrections
from app.services.ledger.types import MINUTES
from tests.factories.activities import current_code, make_attended
from tests.factories.attendance import award_of
from tests.factories.awards import reverse
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies, balance
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
)
from tests.factories.presences import leave, make_inside, only_checkin
from tests.factories.refusals import Ask as Refused
from tests.routers.test_children import make_class
from tests.routers.test_handovers import came
from tests.security.world import Ask, World

MATRIX = """
operation       rule    nobody alice bob  counter rival sibling parent auditor admin outsider
correctCheckin  person  401    403   403  403     403   404     200+   403     200+  404       404=corrections.not_found
annulCheckin    person  401    403   403  403     403   404     200+   403     200+  404       404=corrections.not_found
"""  # noqa: E501 - a table
HERS = {
    "corrections": "checkin_id IN (SELECT id FROM checkins WHERE person_id = :alice)",
}


BEYOND_THE_SCHEMA = {"body.checked_in_at", "body.checked_out_at"}  # within the session


async def check_in(api: httpx.AsyncClient, runtime: Runtime, person: TestPerson, **of: Any) -> str:
    """Check in at an activity that is paid at once; return the id of the check-in."""
    activity = await make_attended(runtime, person, **of)
    code = {"code": current_code(runtime, activity)}
    reply = await api.post("/api/v1/checkins", headers=person.headers, json=code)
    assert reply.status_code == 201
    checkin: str = reply.json()["checkin"]["id"]
    return checkin


async def _annul(world: World) -> Ask:
    checkin = await check_in(world.api, world.runtime, world.alice, org=world.home)
    return Ask({"checkin_id": checkin}, body={"reason": "本人未到场"})


async def _correct(world: World) -> Ask:
    checkin = await check_in(world.api, world.runtime, world.alice, org=world.home)
    since = now().isoformat()
    return Ask({"checkin_id": checkin}, body={"checked_in_at": since, "reason": "迟到"})


async def _corrected_too_often(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    checkin = await check_in(api, runtime, await make_person(runtime), org=org)
    for _ in range(corrections.MOST):
        assert (await correct(api, organizer, checkin)).is_success
    path, body = f"/checkins/{checkin}/annulment", {"reason": "代签"}
    return Refused(organizer, "POST", path, {"limit": corrections.MOST}, body)


async def _reversed(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    checkin = await check_in(api, runtime, await make_person(runtime), org=org)
    admin = await make_administrator(runtime, org.id)
    assert (await reverse(api, admin, await _award_id(runtime, checkin))).is_success
    path, body = f"/checkins/{checkin}", {"reason": "现场负责人确认"}
    return Refused(organizer, "PUT", path, {"status": "reversed"}, body)


async def _award_id(runtime: Runtime, checkin: str) -> UUID:
    async with runtime.database.read() as tx:
        wanted = {"id": UUID(checkin)}
        [row] = await tx.fetch("SELECT award_id FROM checkins WHERE id = :id", wanted)
    found: UUID = row.award_id
    return found


REFUSED = {"corrections.too_many": _corrected_too_often, "corrections.award_ended": _reversed}
REQUESTS = {"correctCheckin": _correct, "annulCheckin": _annul}


async def correct(
    api: httpx.AsyncClient, organizer: TestPerson, checkin: str, **body: Any
) -> httpx.Response:
    return await api.put(
        f"/api/v1/checkins/{checkin}",
        headers=keyed(organizer),
        json={"reason": "现场负责人确认"} | body,
    )


async def annul(api: httpx.AsyncClient, organizer: TestPerson, checkin: str) -> httpx.Response:
    return await api.post(
        f"/api/v1/checkins/{checkin}/annulment",
        headers=keyed(organizer),
        json={"reason": "代签，本人未到场"},
    )


async def test_other_times_give_another_award(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    starts_at = now() - timedelta(hours=2)
    checkin = await check_in(api, runtime, person, org=org, starts_at=starts_at, hours=4)
    assert await balance(runtime, person.id) == 3

    since = (starts_at + timedelta(minutes=60)).isoformat()
    done = (await correct(api, organizer, checkin, checked_in_at=since)).json()

    assert done["number"] == 1
    assert done["award"]["points"] == 6
    assert done["checked_in_before"] != done["checked_in_at"]
    assert await balance(runtime, person.id) == 6
    assert await balance(runtime, person.id, unit=MINUTES) == 180
    listed = await api.get(
        f"/api/v1/activities/{done['activity_id']}/checkins", headers=organizer.headers
    )
    [shown] = listed.json()["items"]
    assert (shown["checked_in_at"], shown["points"]) == (done["checked_in_at"], 6)
    assert shown["correction"] == "现场负责人确认"
    assert "correction_made" in [one["kind"] for one in await inbox(api, runtime, person)]
    await assert_ledger_verifies(runtime)


async def test_an_annulled_checkin_gives_nothing_and_keeps_its_place(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_attended(runtime, person, org=org)
    code = {"code": current_code(runtime, activity)}
    came = (await api.post("/api/v1/checkins", headers=person.headers, json=code)).json()

    done = await annul(api, organizer, came["checkin"]["id"])
    again = await annul(api, organizer, came["checkin"]["id"])
    back = await api.post("/api/v1/checkins", headers=person.headers, json=code)

    assert done.json()["award"] is None
    assert_refused(again, 409, "corrections.annulled")
    assert (back.status_code, back.json()["award"]["id"]) == (200, came["award"]["id"])
    assert await balance(runtime, person.id) == 0
    assert "correction_annulled" in [one["kind"] for one in await inbox(api, runtime, person)]
    assert (await award_of(runtime, UUID(came["award"]["id"]))).state == "reversed"
    await assert_ledger_verifies(runtime)


async def test_who_is_inside_is_corrected_with_an_end(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    starts_at = now() - timedelta(hours=2)
    activity = await make_inside(runtime, person, org=org, starts_at=starts_at, hours=4)
    checkin = await only_checkin(runtime, activity)
    since, until = starts_at, starts_at + timedelta(minutes=95)

    open_end = await correct(api, organizer, checkin, checked_in_at=since.isoformat())
    future = await correct(api, organizer, checkin, checked_out_at=str(starts_at + LATER))
    times = {"checked_in_at": since.isoformat(), "checked_out_at": until.isoformat()}
    done = await correct(api, organizer, checkin, **times)
    left = await leave(runtime, activity, person)

    assert_refused(open_end, 409, "corrections.still_inside")
    assert_refused(future, 422, "request.invalid")
    assert (done.json()["award"]["points"], done.json()["checked_out_before"]) == (3, None)
    assert (left.is_new, left.result.award) == (False, None)
    assert await balance(runtime, person.id, unit=MINUTES) == 90
    await assert_ledger_verifies(runtime)


async def test_nobody_corrects_an_own_checkin(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    checkin = await check_in(api, runtime, organizer, org=org)

    assert_refused(await annul(api, organizer, checkin), 403, "awards.own_award")
    assert_refused(await correct(api, organizer, checkin), 403, "awards.own_award")


LATER = timedelta(hours=3)


async def test_what_an_administrator_reversed_is_not_given_again(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    admin = await make_administrator(runtime, org.id)
    whole, part = await make_people(runtime, 2)
    for person, points in ((whole, None), (part, 1)):
        checkin = await check_in(api, runtime, person, org=org)
        award_id = await _award_id(runtime, checkin)
        assert (await reverse(api, admin, award_id, points=points)).is_success
        left = await balance(runtime, person.id)

        refused = await correct(api, organizer, checkin)

        assert_refused(refused, 409, "corrections.award_ended")
        assert await balance(runtime, person.id) == left
    await assert_ledger_verifies(runtime)


async def test_nobody_decides_about_a_child_in_his_care(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    guardian, other = [await make_organizer(runtime, org.id) for _ in "ab"]
    course, child = await make_class(api, runtime, guardian, org)

    alone = await came(api, guardian, course, child)
    by_other = await came(api, other, course, child)
    checkin = by_other.json()["checkin_id"]

    assert_refused(alone, 403, "stewards.own")
    assert by_other.status_code == 200
    assert_refused(await correct(api, guardian, checkin), 403, "awards.own_award")
    assert_refused(await annul(api, guardian, checkin), 403, "awards.own_award")
    assert (await correct(api, other, checkin)).is_success
    await assert_ledger_verifies(runtime)


async def test_time_that_becomes_free_is_told_and_counted_by_a_correction(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    first = await check_in(api, runtime, person, org=org)
    second = await check_in(api, runtime, person, org=org)  # at the same time: nothing counts
    assert await balance(runtime, person.id, unit=MINUTES) == 120

    annulled = (await annul(api, organizer, first)).json()

    assert [one["checkin_id"] for one in annulled["overlapping"]] == [second]
    [told] = [
        one for one in await inbox(api, runtime, person) if one["kind"] == "correction_annulled"
    ]
    assert "请联系其组织者更正" in told["text"]
    assert await balance(runtime, person.id, unit=MINUTES) == 0
    assert (await correct(api, organizer, second)).json()["overlapping"] == []
    assert await balance(runtime, person.id, unit=MINUTES) == 120
    await assert_ledger_verifies(runtime)
