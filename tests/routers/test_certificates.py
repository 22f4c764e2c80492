"""Certificates of hours: of who has a confirmed name, checked by anybody."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.clock import local_date, now
from app.models.orgs import Level, Org
from app.queries import name_confirmations
from app.runtime import Runtime
from app.schemas.certificates import CertificateIn
from app.services.certificates import issuing
from tests.factories.activities import make_activity, sign_up
from tests.factories.awards import give_award, reverse
from tests.factories.clock import noon, travel
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.organizing import Desk
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_organizer, make_person
from tests.factories.presences import come, make_with_sessions
from tests.factories.refusals import Ask as Refused
from tests.factories.sessions import DAY, add_sessions, attend, forget_attendance, times
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

CERTIFICATES, CHECKS = "/api/v1/me/certificates", "/api/v1/certificates"
MATRIX = """
operation             rule    nobody alice bob  counter rival sibling parent auditor admin outsider
issueMyCertificate    person  401    201+  409  409     409   409     409    409     409   409       409=certificates.name_unconfirmed
listMyCertificates    person  401    200+  200  200     200   200     200    200     200   200
getMyCertificateFile  person  401    200   404  404     404   404     404    404     404   404       404=certificates.not_found
getMyCertificateOfHours  person  401  200  409 409 409   409   409    409     409   409       409=certificates.name_unconfirmed
issueSeriesCertificate  person  401  201+ 409 409  409   409   409    409     409   409       409=certificates.name_unconfirmed
checkCertificate      anyone  200+   200+  200+ 200+    200+  200+    200+   200+    200+  200+
"""  # noqa: E501 - a table
HERS = {"certificates": "person_id = :alice"}
BESIDE_POINTS = {"certificates"}
BEYOND_THE_SCHEMA = {
    *("body.since", "body.until"),
    *("certificates.name_unconfirmed", "certificates.no_hours", "certificates.series_incomplete"),
}
HIDDEN_AT_FIRST: set[str] = set()


async def _confirm(runtime: Runtime, person: TestPerson, org: Org) -> None:
    organizer = await make_organizer(runtime, org.id)
    async with runtime.database.transaction() as tx:
        await name_confirmations.add(tx, person.id, org.id, organizer.id)


async def _with_hours(runtime: Runtime, person: TestPerson, org: Org) -> None:
    """Let an organizer confirm the name, and give an hour of yesterday."""
    await _confirm(runtime, person, org)
    await give_award(runtime, person, org, points=2, minutes=60, days_ago=1)


async def issue(api: httpx.AsyncClient, person: TestPerson, **body: Any) -> httpx.Response:
    return await api.post(CERTIFICATES, headers=keyed(person), json=body)


async def _issuing(world: World) -> Ask:
    await _with_hours(world.runtime, world.alice, world.home)
    return Ask(body={})


async def _issued(world: World) -> Ask:
    await _issuing(world)
    made = (await issue(world.api, world.alice)).json()
    return Ask({"certificate_id": made["id"], "code": made["code"]})


async def _attended(world: World) -> Ask:
    """Alice has attended the two of three sessions that complete a series."""
    series = await _series(world.api, world.runtime, world.alice, 2, org=world.home)
    await _confirm(world.runtime, world.alice, world.home)
    return Ask({"activity_id": series}, {})


async def _series(
    api: httpx.AsyncClient, runtime: Runtime, person: TestPerson, times_there: int, org: Org
) -> str:
    activity = await make_activity(
        runtime, org=org, title="青年夜校", starts_at=now() + DAY, minimum_attendance=2
    )
    organizer = await make_organizer(runtime, org.id)
    made = await add_sessions(
        api, organizer, activity.id, *(times(n * DAY) | {"title": f"第{n}课"} for n in (1, 2, 3))
    )
    for one in made[:times_there]:
        await attend(runtime, one, person)
    return str(activity.id)


REQUESTS = {
    "issueSeriesCertificate": _attended,
    "issueMyCertificate": _issuing,
    "listMyCertificates": _issued,
    "getMyCertificateFile": _issued,
    "getMyCertificateOfHours": _issued,
    "checkCertificate": _issued,
}


async def known(setup: Setup) -> Known:
    await _with_hours(setup.runtime, setup.caller, setup.org)
    made = (await issue(setup.api, setup.caller)).json()
    return {"certificate_id": [made["id"]], "code": [made["code"]]}


async def test_a_certificate_needs_a_confirmed_name_and_hours(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime, level=Level.community), await make_person(runtime)
    assert_refused(await issue(api, person), 409, "certificates.name_unconfirmed")
    await _with_hours(runtime, person, org)
    today = local_date(now())
    for until in (today - timedelta(days=9), today - timedelta(days=2)):
        days = {"since": "2020-01-01", "until": until.isoformat()}
        assert_refused(await issue(api, person, **days), 409, "certificates.no_hours")
    for since, until in ((today, today + timedelta(days=1)), (today, today - timedelta(days=1))):
        days = {"since": since.isoformat(), "until": until.isoformat()}
        assert_refused(await issue(api, person, **days), 422, "request.invalid")
    made = (await issue(api, person)).json()
    yesterday = (today - timedelta(days=1)).isoformat()
    assert (made["minutes"], made["since"], made["name"]) == (60, yesterday, person.name)
    assert [one["id"] for one in await walk(api, CERTIFICATES, person.headers)] == [made["id"]]
    for hours in (60, 60, 120):  # the certificate that there is, until hours are added
        if hours > 60:
            await give_award(runtime, person, org, points=2, minutes=60, days_ago=1)
        drawn = await api.get(f"{CERTIFICATES}/hours.pdf", headers=person.headers)
        assert (drawn.status_code, drawn.content[:5]) == (200, b"%PDF-")
        newest, *older = await walk(api, CERTIFICATES, person.headers)
        assert (newest["minutes"], len(older)) == (hours, int(hours > 60))


async def test_annulled_sessions_complete_no_series(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    await _confirm(runtime, person, org)
    begins = [(now() + timedelta(minutes=one), 1) for one in (-10, 10)]
    series = await make_with_sessions(runtime, *begins, org=org, minimum_attendance=2)
    await sign_up(runtime, series, person)
    came = [await come(runtime, series, person, session=number) for number in (1, 2)]
    path = f"/api/v1/activities/{series.id}"
    made = await api.post(f"{path}/series-certificates", headers=keyed(person), json={})
    assert made.status_code == 201, made.text
    annul = f"/api/v1/checkins/{came[1].result.checkin.id}/annulment"
    assert (await api.post(annul, headers=keyed(organizer), json={"reason": "代签"})).is_success

    mine = (await api.get(f"{path}/my-series", headers=person.headers)).json()
    again = await api.post(f"{path}/series-certificates", headers=keyed(person), json={})
    checked = await api.get(f"{CHECKS}/{made.json()['code']}")

    assert (mine["attended"], mine["is_reached"]) == (1, False)
    assert_refused(again, 409, "certificates.series_incomplete")
    assert checked.json()["is_current"] is False


async def _too_few(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, person = await make_org(runtime), await make_person(runtime)
    await _confirm(runtime, person, org)
    series = await _series(api, runtime, person, 0, org)
    path = f"/activities/{series}/series-certificates"
    return Refused(person, "POST", path, {"used": 0, "limit": 2}, {})


REFUSED = {"certificates.series_incomplete": _too_few}


async def test_a_series_is_certified_and_checked_by_code(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    series = await _series(api, runtime, person, 2, org)
    path = f"/api/v1/activities/{series}/series-certificates"
    unnamed = await api.post(path, headers=keyed(person), json={})
    assert_refused(unnamed, 409, "certificates.name_unconfirmed")
    await _confirm(runtime, person, org)

    made = await api.post(path, headers=keyed(person), json={})

    assert made.status_code == 201, made.text
    certificate = made.json()
    assert (certificate["title"], certificate["sessions"], certificate["minutes"]) == (
        *("青年夜校", 2, 0),
    )
    file = await api.get(f"{CERTIFICATES}/{certificate['id']}/file", headers=person.headers)
    assert (file.status_code, file.content[:5]) == (200, b"%PDF-")
    check = f"{CHECKS}/{certificate['code']}"
    found = (await api.get(check)).json()
    assert (found["sessions"], found["name"], found["is_current"]) == (2, "王*四", True)
    await forget_attendance(runtime, series)
    assert (await api.get(check)).json()["is_current"] is False
    refused = await api.post(path, headers=keyed(person), json={})
    assert_refused(refused, 409, "certificates.series_incomplete")


async def test_anybody_may_check_a_code_and_learns_when_hours_were_taken_back(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime, level=Level.community), await make_person(runtime)
    await _with_hours(runtime, person, org)
    award = await give_award(runtime, person, org, points=2, minutes=60)
    code = (await issue(api, person)).json()["code"]
    typed = "-".join(re.findall("....", code)).lower()
    found = (await api.get(f"{CHECKS}/{typed}")).json()
    assert (found["minutes"], found["is_current"], found["name"]) == (120, True, "王*四")
    assert str(person.id) not in str(found)
    administrator = await make_administrator(runtime, org.id)
    assert (await reverse(api, administrator, award)).is_success
    found = (await api.get(f"{CHECKS}/{code}")).json()
    assert (found["minutes"], found["is_current"]) == (120, False)
    assert_refused(await api.get(f"{CHECKS}/{code[:-1]}"), 404, "certificates.not_found")


async def test_hours_that_are_not_over_are_not_certified(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Minutes are posted at the check-in. What is issued stays current when they have ended."""
    with travel(noon()):
        person, desk = await make_person(runtime), Desk(api, runtime)
        await desk.open(hours=3, starts_at=now() - timedelta(minutes=1))
        async with runtime.database.transaction() as tx:
            await name_confirmations.add(tx, person.id, desk.org.id, desk.organizer.id)
        await sign_up(runtime, desk.activity, person)
        assert (await desk.check_in(person)).json()["award"]["minutes"] == 150
        assert_refused(await issue(api, person), 409, "certificates.no_hours")
        await give_award(runtime, person, desk.org, points=2, minutes=60)
        first = (await issue(api, person)).json()
        assert first["minutes"] == 60
    with travel(desk.activity.ends_at - timedelta(seconds=1)):
        assert await _issued_now(runtime, person) == (60, [60])
    with travel(desk.activity.ends_at):
        assert await _issued_now(runtime, person) == (210, [60, 150])
        found = (await api.get(f"{CHECKS}/{first['code']}")).json()
        assert (found["minutes"], found["is_current"]) == (60, True)
        async with runtime.database.read() as tx:
            lines = (await issuing.sheet(tx, person.id, UUID(first["id"]))).lines
        assert [one.minutes for one in lines] == [60]


async def _issued_now(runtime: Runtime, person: TestPerson) -> tuple[int, list[int]]:
    """Issue a certificate without a token, which would have ended; return sum and lines."""
    async with runtime.database.transaction() as tx:
        made = await issuing.issue(tx, person.id, CertificateIn())
        assert (await issuing.check(tx, made.code)).is_current
        shown = await issuing.sheet(tx, person.id, made.id)
    return made.minutes, sorted(one.minutes for one in shown.lines)


async def test_the_pdf_is_a_page_with_text_and_no_font(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime, level=Level.community), await make_person(runtime)
    await _with_hours(runtime, person, org)
    made = (await issue(api, person)).json()
    reply = await api.get(f"{CERTIFICATES}/{made['id']}/file", headers=person.headers)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/pdf")
    assert reply.content.startswith(b"%PDF-")
    assert b"/STSong-Light" in reply.content
    assert b"FontFile" not in reply.content
    assert len(reply.content) < 50_000


@pytest.mark.parametrize("code", ["%00", "ABC%00DEF"])
async def test_a_code_with_nul_is_no_code(api: httpx.AsyncClient, code: str) -> None:
    assert_refused(await api.get(f"{CHECKS}/{code}"), 422, "request.invalid")
