"""GET /orgs."""

import httpx

from app.models.orgs import Level
from app.runtime import Runtime
from tests.factories.http import walk
from tests.factories.orgs import make_org, sanmao_street
from tests.security.schema_world import Known, Setup

ORGS = "/api/v1/orgs"
MATRIX = """
operation  rule    nobody alice bob  counter rival sibling parent auditor admin outsider
listOrgs   anyone  200    200   200  200     200   200     200    200     200   200
"""


async def known(setup: Setup) -> Known:
    return {"org_id": [str(setup.org.id)]}


async def test_children_of_an_organisation_are_listed_by_code(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    made = [await make_org(runtime, parent=street, level=Level.community) for _ in range(3)]
    await make_org(runtime, parent=made[0], level=Level.community)

    response = await api.get(ORGS, params={"parent_id": str(street.id)})

    assert response.status_code == 200
    assert response.json() == {
        "items": [
            {
                "id": str(org.id),
                "code": org.code,
                "name": org.name,
                "level": "community",
                "parent_id": str(street.id),
                "closed_at": None,
                "contact_phone": None,
                "contact_note": None,
            }
            for org in made
        ],
        "next_cursor": None,
    }


async def test_pages_hold_everything_exactly_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    street = await sanmao_street(runtime)

    at_once = await walk(api, ORGS, parent_id=str(street.id), limit=100)
    in_threes = await walk(api, ORGS, parent_id=str(street.id), limit=3)

    assert len(at_once) == 33
    assert in_threes == at_once
    assert [org["code"] for org in at_once] == sorted(org["code"] for org in at_once)


async def test_a_level_and_a_part_of_the_name_narrow_the_list(
    api: httpx.AsyncClient,
) -> None:
    found = await walk(api, ORGS, level="street", q="三茅")
    elsewhere = await walk(api, ORGS, level="community", q="三茅街道")

    assert [org["name"] for org in found] == ["三茅街道"]
    assert elsewhere == []


async def test_percent_and_underscore_are_letters_of_a_name(api: httpx.AsyncClient) -> None:
    assert await walk(api, ORGS, q="%") == []
    assert await walk(api, ORGS, q="三_街道") == []
    assert await walk(api, ORGS, q="\\") == []


async def test_an_unknown_parent_has_no_children(api: httpx.AsyncClient) -> None:
    for unknown in ("nope", "00000000-0000-0000-0000-000000000000"):
        assert await walk(api, ORGS, parent_id=unknown) == []
