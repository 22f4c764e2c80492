"""GET and PUT /me."""

import httpx

from app.models.people import Role
from app.runtime import Runtime
from tests.factories.http import assert_refused
from tests.factories.orgs import make_org
from tests.factories.people import make_organizer, make_person, make_with_role
from tests.factories.rewards import make_counter
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

ME = "/api/v1/me"
MATRIX = """
operation  rule    nobody alice bob  counter rival sibling parent auditor admin outsider
getMe      person  401    200+  200  200     200   200     200    200     200   200
updateMe   person  401    200+  200  200     200   200     200    200     200   200
"""
HERS = {"people": "id = :alice", "role_grants": "person_id = :alice"}
BEYOND_THE_SCHEMA = {"body.birth_date"}  # in the past


async def _update_me(_: World) -> Ask:
    return Ask(body={"display_name": "改名"})


REQUESTS = {"updateMe": _update_me}


async def known(setup: Setup) -> Known:
    return {"person_id": [str(person.id) for person in setup.others]}


async def test_a_resident_sees_itself_without_roles(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime, name="李雷")

    response = await api.get(ME, headers=person.headers)

    assert response.status_code == 200
    body = response.json()
    assert body["id"] == str(person.id)
    assert body["display_name"] == "李雷"
    assert body["roles"] == []
    assert (body["birth_date"], body["shows_name"]) == (None, False)


async def test_roles_name_the_place_where_they_hold(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, counter = await make_org(runtime), await make_counter(runtime)
    organizer = await make_organizer(runtime, org.id)
    auditor = await make_with_role(runtime, Role.auditor, org=org.id)

    async def roles(headers: dict[str, str]) -> object:
        return (await api.get(ME, headers=headers)).json()["roles"]

    at_org = {"org_id": str(org.id), "merchant_id": None}
    at_merchant = {"org_id": None, "merchant_id": str(counter.merchant.id)}
    assert await roles(organizer.headers) == [{"role": "organizer"} | at_org]
    assert await roles(auditor.headers) == [{"role": "auditor"} | at_org]
    assert await roles(counter.staff.headers) == [{"role": "merchant_staff"} | at_merchant]


async def test_a_put_replaces_what_the_person_tells(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    told = {"display_name": "  小四  ", "birth_date": "2001-02-03", "shows_name": True}

    changed = await api.put(ME, headers=person.headers, json=told)
    then = await api.put(ME, headers=person.headers, json={"display_name": "四"})

    assert changed.status_code == 200
    assert changed.json()["display_name"] == "小四"
    assert changed.json()["birth_date"] == "2001-02-03"
    assert changed.json()["shows_name"] is True
    assert then.json()["birth_date"] is None
    assert then.json()["shows_name"] is False
    assert (await api.get(ME, headers=person.headers)).json() == then.json()


async def test_nobody_gives_itself_a_role(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    body = {"display_name": "x", "roles": [{"role": "administrator"}]}

    response = await api.put(ME, headers=person.headers, json=body)

    assert_refused(response, 422, "request.invalid")
    assert (await api.get(ME, headers=person.headers)).json()["roles"] == []


async def test_an_unchanged_reply_is_not_sent_again(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    first = await api.get(ME, headers=person.headers)
    known = person.headers | {"If-None-Match": first.headers["etag"]}

    same = await api.get(ME, headers=known)
    await api.put(ME, headers=person.headers, json={"display_name": "另一个"})
    changed = await api.get(ME, headers=known)

    assert same.status_code == 304
    assert same.content == b""
    assert changed.status_code == 200
    assert changed.json()["display_name"] == "另一个"


async def test_without_a_login_there_is_no_me(api: httpx.AsyncClient) -> None:
    assert_refused(await api.get(ME), 401, "auth.login_required")
    assert_refused(await api.put(ME, json={"display_name": "x"}), 401, "auth.login_required")


async def test_lengths_count_what_was_sent(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """As the document has it: blanks that are cut off afterwards count too."""
    person = await make_person(runtime)
    for name, status in (("x" * 40, 200), (" " + "x" * 39, 200), (" " + "x" * 40, 422), (" ", 422)):
        body = {"display_name": name, "shows_name": False}
        reply = await api.put("/api/v1/me", headers=person.headers, json=body)
        assert reply.status_code == status, name
