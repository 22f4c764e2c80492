"""The mini-program's part of logging a web page in."""

import httpx

from app.runtime import Runtime
from tests.factories.http import assert_refused
from tests.factories.pages import CHROME
from tests.factories.people import make_person
from tests.security.schema_world import MANY, Known, Setup
from tests.security.world import Ask, World

LOGINS = "/api/v1/auth/web-logins"
MATRIX = """
operation        rule    nobody alice bob  counter rival sibling parent auditor admin outsider
getWebLogin      person  401    200   200  200     200   200     200    200     200   200
confirmWebLogin  person  401    200   200  200     200   200     200    200     200   200
"""
HERS = {
    "web_logins": "family_id IN (SELECT id FROM token_families WHERE person_id = :alice)",
}
BEYOND_THE_SCHEMA = {"auth.web_login_over"}


async def _shown(world: World) -> Ask:
    ticket = await world.runtime.tickets.issue(CHROME)
    return Ask(ids={"ticket": ticket.name})


REQUESTS = {"getWebLogin": _shown, "confirmWebLogin": _shown}


async def known(setup: Setup) -> Known:
    return {"ticket": [(await setup.runtime.tickets.issue(CHROME)).name for _ in range(MANY)]}


async def test_a_phone_sees_number_and_browser_and_confirms(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    ticket = await runtime.tickets.issue(CHROME)

    seen = await api.get(f"{LOGINS}/{ticket.name}", headers=person.headers)
    assert seen.json() == {
        "number": ticket.number,
        "browser": "Chrome · Windows",
        "expires_in": seen.json()["expires_in"],
    }
    assert 100 < seen.json()["expires_in"] <= 120
    assert (
        await runtime.tickets.take(ticket.name, ticket.secret) is None
    )  # looking confirms nothing

    for _ in range(2):  # its reply may be lost
        confirmed = await api.post(f"{LOGINS}/{ticket.name}", headers=person.headers)
        assert confirmed.status_code == 200, confirmed.text
    assert await runtime.tickets.take(ticket.name, ticket.secret) == person.id


async def test_what_one_person_confirmed_another_cannot(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    first, second = await make_person(runtime), await make_person(runtime)
    ticket = await runtime.tickets.issue(CHROME)

    assert (await api.post(f"{LOGINS}/{ticket.name}", headers=first.headers)).status_code == 200
    late = await api.post(f"{LOGINS}/{ticket.name}", headers=second.headers)

    assert_refused(late, 404, "auth.web_login_over")
    assert await runtime.tickets.take(ticket.name, ticket.secret) == first.id


async def test_an_unknown_ticket_is_over(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    for call in (api.get, api.post):
        assert_refused(
            await call(f"{LOGINS}/nothing", headers=person.headers), 404, "auth.web_login_over"
        )
