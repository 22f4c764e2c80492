"""Links that open a statement for five minutes without a login."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from time_machine import travel

from app.core.clock import local_date, now
from app.runtime import Runtime
from app.services.statement_links import LINK_LASTS
from tests.factories.http import assert_refused
from tests.factories.ledger import give_points
from tests.factories.people import TestPerson, make_person
from tests.security.world import Ask, World

API = "/api/v1"
PATH = f"{API}/me/points/statement-links"
MATRIX = """
operation            rule    nobody alice bob  counter rival sibling parent auditor admin outsider
createStatementLink  person  401    200+  200  200     200   200     200    200     200   200
"""

BEYOND_THE_SCHEMA = {"body.until"}  # before since


async def _create(_: World) -> Ask:
    return Ask(body={})


REQUESTS = {"createStatementLink": _create}


async def links(api: httpx.AsyncClient, person: TestPerson, **body: Any) -> dict[str, Any]:
    made = await api.post(PATH, headers=person.headers, json=body)
    assert made.status_code == 200, made.text
    found: dict[str, Any] = made.json()
    return found


async def test_a_link_opens_what_the_login_opens(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 7)
    made = await links(api, person)

    with travel(now(), tick=False):
        page = await api.get(made["html_url"])
        own = await api.get(f"{API}/me/points/statement.html", headers=person.headers)
    sheet = await api.get(made["xlsx_url"])

    assert page.status_code == sheet.status_code == 200
    assert page.text == own.text
    assert page.headers["content-type"] == own.headers["content-type"]
    assert sheet.headers["content-type"].endswith("spreadsheetml.sheet")
    day = local_date(now())
    assert f"since={day.replace(day=1)}&until={day}" in made["html_url"]


async def test_a_link_opens_one_statement_for_five_minutes_and_nothing_else(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, other = await make_person(runtime), await make_person(runtime)
    url = (await links(api, person, since="2026-03-01", until="2026-03-31"))["html_url"]
    signature = url.partition("signature=")[2]
    forged = [
        url.partition("?")[0],
        url.replace(signature, "0" * 64),
        url.replace(str(person.id), str(other.id)),
        url.replace("since=2026-03-01", "since=2026-01-01"),
        url.replace("until=2026-03-31", "until=2026-12-31"),
        url.replace("unit=points", "unit=minutes"),
        url.replace("expires=", "expires=9"),
    ]
    for one in forged:
        assert one != url
        assert_refused(await api.get(one, headers=other.headers), 404, "statement_links.invalid")
    assert (await api.get(url)).status_code == 200
    with travel(now() + LINK_LASTS + timedelta(seconds=1)):
        assert_refused(await api.get(url), 404, "statement_links.invalid")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"unit": "stars"}, 404, "ledger.unit_unknown"),
        ({"since": "2026-03-02", "until": "2026-03-01"}, 422, "request.invalid"),
    ],
)
async def test_a_statement_that_cannot_be_made_has_no_link(
    api: httpx.AsyncClient, runtime: Runtime, body: dict[str, Any], status: int, code: str
) -> None:
    person = await make_person(runtime)
    assert_refused(await api.post(PATH, headers=person.headers, json=body), status, code)
