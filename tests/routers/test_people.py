"""GET and PUT /me."""

import httpx

from app.core.clock import local_date, now
from app.models.consents import ConsentDocument
from app.models.orgs import Level, Org
from app.models.people import Role
from app.runtime import Runtime
from tests.factories.attachments import attach
from tests.factories.consents import agree
from tests.factories.http import assert_refused
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person, make_with_role
from tests.factories.refusals import Ask as Refused
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
# In the past; no community; both dates, or an interest twice.
BEYOND_THE_SCHEMA = {
    *("body.birth_date", "body.birth_year", "body.community_id", "body"),
    *("orgs.closed", "profiles.guardian_needed", "profiles.under_guardian"),
}


async def _update_me(_: World) -> Ask:
    return Ask(body={"display_name": "改名"})


REQUESTS = {"updateMe": _update_me}


async def known(setup: Setup) -> Known:
    return {"person_id": [str(person.id) for person in setup.others]}


async def _minor(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    child = {"display_name": "小四", "birth_year": local_date(now()).year - 10}
    facts = {"document": "guardian"}
    return Refused(await make_person(runtime), "PUT", "/me", facts, child)


async def _child(api: httpx.AsyncClient, runtime: Runtime) -> TestPerson:
    child = await make_person(runtime)
    assert (await agree(api, child, ConsentDocument.guardian)).status_code == 200
    told = {"display_name": "小四", "birth_year": local_date(now()).year - 10}
    assert (await api.put(ME, headers=child.headers, json=told)).status_code == 200
    return child


async def _grown(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    body = {"display_name": "小四", "birth_date": "1990-01-01"}
    return Refused(await _child(api, runtime), "PUT", "/me", {"document": "guardian"}, body)


REFUSED = {"profiles.guardian_needed": _minor, "profiles.under_guardian": _grown}


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
        held = (await api.get(ME, headers=headers)).json()["roles"]
        return [{k: one[k] for k in ("role", "org_id", "merchant_id")} for one in held]

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


async def test_a_profile_tells_community_interests_language_and_age(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    home, street = [await make_org(runtime, level=one) for one in (Level.community, Level.street)]
    told = {
        "display_name": "四",
        "community_id": str(home.id),
        "interests": ["culture", "health"],
        "language": "en",
        "birth_year": 2001,
        "birth_date": None,
    }
    changed = await api.put(ME, headers=person.headers, json=told)
    assert changed.status_code == 200, changed.text
    assert {name: changed.json()[name] for name in told} == told
    for wrong in (
        {"community_id": str(street.id)},
        {"interests": ["culture", "culture"]},
        {"birth_date": "2000-01-01"},
        {"birth_year": 2999},
        {"language": "fr"},
    ):
        reply = await api.put(ME, headers=person.headers, json=told | wrong)
        assert_refused(reply, 422, "request.invalid")


async def test_a_guardian_agrees_before_a_child_tells_its_age(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """A year alone counts as its last day: who may be under 14 counts as under 14."""
    person, year = await make_person(runtime), local_date(now()).year
    body = {"display_name": "四", "birth_year": year - 14}
    turned = local_date(now()).strftime("%m-%d") == "12-31"

    async def tell() -> httpx.Response:
        return await api.put(ME, headers=person.headers, json=body)

    if not turned:
        assert_refused(await tell(), 409, "profiles.guardian_needed")
    assert (await agree(api, person, ConsentDocument.guardian)).status_code == 200
    assert (await tell()).json()["birth_year"] == year - 14


async def test_a_child_does_not_leave_the_protection_of_children_alone(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Nor by withdrawing the guardian's consent, which a kept account would have again."""
    child = await _child(api, runtime)
    for given in (True, False):
        if not given:
            withdrawn = await agree(api, child, ConsentDocument.guardian, given=False)
            assert withdrawn.status_code == 200
        for changed in ({}, {"birth_date": "1990-01-01"}, {"birth_year": 1990}):
            body = {"display_name": "小四"} | changed
            refused = await api.put(ME, headers=child.headers, json=body)
            assert_refused(refused, 409, "profiles.under_guardian")
    me = (await api.get(ME, headers=child.headers)).json()
    assert me["birth_year"] == local_date(now()).year - 10


async def test_nobody_moves_into_a_closed_community(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Who lives there already stays."""
    org = await make_org(runtime, level=Level.community)
    person, neighbour = await make_person(runtime), await make_person(runtime)
    body = {"display_name": "四", "community_id": str(org.id)}
    assert (await api.put(ME, headers=neighbour.headers, json=body)).status_code == 200
    async with runtime.database.transaction() as tx:
        found = await tx.get(Org, org.id)
        assert found is not None
        found.closed_at = now()
        tx.add(found)
    moves = [await api.put(ME, headers=one.headers, json=body) for one in (person, neighbour)]
    async with runtime.database.transaction() as tx:  # no entry of the audit trail tells of it
        found = await tx.get(Org, org.id)
        assert found is not None
        found.closed_at = None
        tx.add(found)
    assert_refused(moves[0], 409, "orgs.closed")
    assert moves[1].status_code == 200


async def test_a_picture_is_its_persons(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, other = await make_person(runtime), await make_person(runtime)
    made = await attach(api, person, ("person", person.id))
    me = (await api.get(ME, headers=person.headers)).json()
    assert me["avatar_url"] == made["url"]
    found = [await api.get(made["url"], headers=one.headers) for one in (person, other)]
    assert [one.status_code for one in found] == [200, 404]
