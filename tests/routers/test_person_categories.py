"""Categories of people: recorded for a list with an outcome each, ended, and told."""

import secrets
from datetime import timedelta

import httpx

from app.core.clock import local_date, now
from app.runtime import Runtime
from tests.factories.courtesies import API, category_body
from tests.factories.exports import FORMS, exported
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_organizer, make_people, make_person
from tests.factories.refusals import Ask as Refused
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation               rule       nobody alice bob  counter rival sibling parent auditor admin outsider
recordPersonCategories  organizer  401    403   403  403     403   403     201+   403     201+  403
listPersonCategories    reader     401    403   403  403     403   403     200+   200+    200+  403
endPersonCategory       organizer  401    403   403  403     403   404     200+   403     200+  404       404=person_categories.not_found
listMyPersonCategories  person     401    200+  200  200     200   200     200    200     200   200
"""  # noqa: E501 - a table
HERS = {"person_categories": "person_id = :alice"}
BESIDE_POINTS = {"person_categories"}
BEYOND_THE_SCHEMA = {"body", "body.until"}  # nobody on the list; a day in the past
NOTICES = ("person_category_recorded", "person_category_ended")


async def _record(world: World) -> Ask:
    """Another reason each time: what is there already leaves no entry."""
    body = category_body(world.home, world.alice)
    return Ask(body=body | {"reason": f"名册{secrets.token_hex(4)}"})


async def _recorded(world: World) -> Ask:
    await world.post("admin", "person-categories", (await _record(world)).body)
    query = {"org_id": str(world.home.id)}
    found = await walk(world.api, f"{API}/person-categories", _headers(world, "admin"), **query)
    return Ask({"person_category_id": found[0]["id"]}, {"reason": "已离职"})


async def _listed(world: World) -> Ask:
    await _recorded(world)
    return Ask(query={"org_id": str(world.home.id)})


def _headers(world: World, who: str) -> dict[str, str]:
    person = world.everybody[who]
    assert person is not None
    return person.headers


async def _mine(world: World) -> Ask:
    await _recorded(world)
    return Ask()


REQUESTS = {
    "recordPersonCategories": _record,
    "listPersonCategories": _listed,
    "endPersonCategory": _recorded,
    "listMyPersonCategories": _mine,
}


async def _ended(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    body = category_body(org, person)
    await api.post(f"{API}/person-categories", headers=keyed(organizer), json=body)
    [one] = await walk(api, f"{API}/me/person-categories", person.headers)
    path, why = f"/person-categories/{one['id']}/end", {"reason": "已离职"}
    done = await api.post(API + path, headers=keyed(organizer), json=why)
    return Refused(organizer, "POST", path, {"ended_at": done.json()["ended_at"]}, why)


REFUSED = {"person_categories.ended": _ended}


async def known(setup: Setup) -> Known:
    people = setup.others[:FEW]
    body = category_body(setup.org, *people)
    await setup.post(setup.organizer, "/person-categories", **body)
    listed = await walk(
        setup.api, f"{API}/person-categories", setup.organizer.headers, org_id=str(setup.org.id)
    )
    return {"person_category_id": [one["id"] for one in listed]}


async def test_a_list_is_recorded_with_an_outcome_each(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, admin = (
        await make_organizer(runtime, org.id),
        await make_administrator(runtime, org.id),
    )
    first, second = await make_people(runtime, 2)
    cards = [
        (await api.get(f"{API}/me/card", headers=one.headers)).json()["card_no"]
        for one in (first, organizer)
    ]
    body = category_body(org, second) | {
        "card_nos": [*cards, cards[0], "6800000000081", "123"],
    }
    path = f"{API}/person-categories"
    made = (await api.post(path, headers=keyed(organizer), json=body)).json()
    outcomes = [one["outcome"] for one in made["items"]]
    assert (outcomes, made["added"]) == (["added", "own", "unknown", "unknown", "added"], 2)

    later = body | {"until": (local_date(now()) + timedelta(days=90)).isoformat()}
    for expected in ("renewed", "there"):
        again = (await api.post(path, headers=keyed(organizer), json=later)).json()
        assert again["items"][0]["outcome"] == expected
    [mine] = await walk(api, f"{API}/me/person-categories", first.headers)
    assert (mine["category"], mine["until"]) == ("rider", later["until"])
    assert [one["kind"] for one in await inbox(api, runtime, first)] == [
        "person_category_recorded"
    ] * 2
    for days in (-2, 4_000):
        day = (local_date(now()) + timedelta(days=days)).isoformat()
        refused = await api.post(path, headers=keyed(organizer), json=body | {"until": day})
        assert_refused(refused, 422, "request.invalid")

    end = f"{path}/{mine['id']}/end"
    done = await api.post(end, headers=keyed(admin), json={"reason": "已离职"})
    assert done.json()["display_name"] == "王*四"
    assert (await inbox(api, runtime, first))[0]["kind"] == "person_category_ended"
    verbs = [one["verb"] for one in await entries(api, admin, org)]
    assert verbs == ["ended", "changed", "changed", "created", "created"]
    files = [
        await exported(api, "/person-categories", form, admin, org_id=str(org.id)) for form in FORMS
    ]
    assert [[row["类别"] for row in rows] for rows in files] == [["骑手", "骑手"]] * 2


async def test_nobody_ends_a_category_of_their_own(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    one, other = [await make_organizer(runtime, org.id) for _ in range(2)]
    body = category_body(org, other)
    await api.post(f"{API}/person-categories", headers=keyed(one), json=body)
    [mine] = await walk(api, f"{API}/me/person-categories", other.headers)
    path = f"{API}/person-categories/{mine['id']}/end"
    refused = await api.post(path, headers=keyed(other), json={"reason": "不要"})
    assert_refused(refused, 403, "person_categories.own")
