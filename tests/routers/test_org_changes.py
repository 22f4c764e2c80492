"""The organisation tree changes over the API: created, renamed, moved, closed, opened again."""

from itertools import count
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.jobs.outbox import relay
from app.models.activities import ActivityStatus
from app.models.merchants import MerchantState
from app.models.orgs import Level, Org
from app.models.people import Role
from app.models.rewards import RewardState
from app.runtime import Runtime
from tests.factories.activities import activity_body, make_activity
from tests.factories.awards import approve, award_body, give_award, propose
from tests.factories.deductions import deduction_body
from tests.factories.http import assert_refused, keyed
from tests.factories.leaderboards import fed
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_person,
    make_with_role,
)
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_counter, make_reward
from tests.factories.signup_terms import describe
from tests.routers.test_audit import entries
from tests.routers.test_roles import give
from tests.security.schema_world import MANY, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
ORGS = f"{API}/orgs"
REASON = {"reason": "区划调整"}
MATRIX = """
operation  rule           nobody alice bob  counter rival sibling parent auditor admin outsider
createOrg  administrator  401    403   403  403     403   403     403    403     201   403
renameOrg  administrator  401    403   403  403     403   403     403    403     200   403
setOrgContact  administrator  401  403  403  403  403  403    403    403     200   403
moveOrg    administrator  401    403   403  403     403   403     403    403     200   403
closeOrg   administrator  401    403   403  403     403   403     403    403     200   403
reopenOrg  administrator  401    403   403  403     403   403     403    403     200   403
"""
BEYOND_THE_SCHEMA = {"body.level", "body.parent_id"}
_codes = count(800_000_000)


def org_body(parent: Org, **changes: Any) -> dict[str, Any]:
    code, level = str(next(_codes)), Level.community
    return {"parent_id": str(parent.id), "code": code, "name": "新社区", "level": level} | changes


async def post(
    api: httpx.AsyncClient, caller: TestPerson, org: Any, verb: str, **body: Any
) -> httpx.Response:
    org_id = org["id"] if isinstance(org, dict) else org.id
    path = f"{ORGS}/{org_id}/{verb}"
    return await api.post(path, headers=keyed(caller), json=REASON | body)


async def _street_of(world: World) -> Org:
    async with world.runtime.database.read() as tx:
        return await tx.get_one(Org, above(world.home))


async def _create(world: World) -> Ask:
    return Ask(body=org_body(await _street_of(world)))


async def _rename(world: World) -> Ask:
    made = await make_org(world.runtime, parent=await _street_of(world), level=Level.community)
    return Ask({"org_id": str(made.id)}, {"name": "新名"})


async def _contact(world: World) -> Ask:
    return Ask((await _rename(world)).ids, {"phone": "0511-88321234", "note": "王老师，工作日"})


async def _move(world: World) -> Ask:
    street = await _street_of(world)
    made, to = [
        await make_org(world.runtime, parent=street, level=level)
        for level in (Level.community, Level.street)
    ]
    return Ask({"org_id": str(made.id)}, REASON | {"parent_id": str(to.id)})


async def _close(world: World) -> Ask:
    made = await make_org(world.runtime, parent=await _street_of(world), level=Level.community)
    return Ask({"org_id": str(made.id)}, REASON)


async def _reopen(world: World) -> Ask:
    ask, street = await _close(world), await _street_of(world)
    admin = await make_administrator(world.runtime, street.id)
    assert (await post(world.api, admin, {"id": ask.ids["org_id"]}, "closure")).status_code == 200
    return ask


REQUESTS = {
    "createOrg": _create,
    "renameOrg": _rename,
    "setOrgContact": _contact,
    "moveOrg": _move,
    "closeOrg": _close,
    "reopenOrg": _reopen,
}


async def _closed(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    community, admin = (await make_tree(runtime))[1:]
    closed = (await post(api, admin, community, "closure")).json()
    facts = {"closed_at": closed["closed_at"]}
    return Refused(admin, "POST", f"/orgs/{community.id}/closure", facts, REASON)


async def _in_use(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    street = (await make_tree(runtime))[0]
    await make_activity(runtime, org=street)
    await make_counter(runtime, org=street)
    facts = {"orgs": 1, "activities": 1, "merchants": 1}
    admin = await make_administrator(runtime, above(street))
    return Refused(admin, "POST", f"/orgs/{street.id}/closure", facts, REASON)


async def _code_taken(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    street, community, admin = await make_tree(runtime)
    body = org_body(street, code=community.code)
    return Refused(admin, "POST", "/orgs", {"org_name": community.name}, body)


async def _below_itself(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    street, community = (await make_tree(runtime))[:2]
    admin = await make_administrator(runtime, above(street))
    facts = {"org_name": street.name, "parent_name": community.name}
    body = REASON | {"parent_id": str(community.id)}
    return Refused(admin, "POST", f"/orgs/{street.id}/move", facts, body)


REFUSED = {
    "orgs.closed": _closed,
    "orgs.in_use": _in_use,
    "orgs.code_taken": _code_taken,
    "orgs.below_itself": _below_itself,
}


async def known(setup: Setup) -> Known:
    made = [
        await make_org(setup.runtime, parent=setup.org, level=Level.community) for _ in range(MANY)
    ]
    return {"parent_id": [str(setup.org.id)], "org_id": [str(one.id) for one in made]}


def above(org: Org) -> UUID:
    assert org.parent_id is not None
    return org.parent_id


async def make_tree(runtime: Runtime) -> tuple[Org, Org, TestPerson]:
    """Make a street of a district, with a community, and an administrator of the street."""
    district = await make_org(runtime, level=Level.district)
    street = await make_org(runtime, parent=district)
    community = await make_org(runtime, parent=street, level=Level.community)
    return street, community, await make_administrator(runtime, street.id)


async def test_a_county_grows_and_is_renamed(api: httpx.AsyncClient, runtime: Runtime) -> None:
    street, _, admin = await make_tree(runtime)
    body = org_body(street)

    made = await api.post(ORGS, headers=keyed(admin), json=body)
    path = f"{ORGS}/{made.json()['id']}"
    named = [
        await api.put(path, headers=admin.headers, json={"name": "幸福社区"}) for _ in range(2)
    ]

    assert made.status_code == 201, made.text
    assert made.json() | body == made.json()
    assert [one.json()["name"] for one in named] == ["幸福社区"] * 2
    listed = await api.get(ORGS, params={"parent_id": str(street.id), "q": "幸福"})
    assert [one["id"] for one in listed.json()["items"]] == [made.json()["id"]]
    renamed, created = await entries(api, admin, street, subject=f"org:{made.json()['id']}")
    assert (created["verb"], created["facts"]) == ("created", {"about": f"org:{street.id}"})
    assert renamed["facts"] == {"before": "新社区", "after": "幸福社区"}
    for changes in ({"level": "street"}, {"level": "city"}):
        reply = await api.post(ORGS, headers=keyed(admin), json=org_body(street, **changes))
        assert_refused(reply, 422, "request.invalid")
    below = await make_administrator(runtime, made.json()["id"])
    assert (await give(api, below, await make_person(runtime), _org(made))).status_code == 201
    await assert_ledger_verifies(runtime)


def _org(reply: httpx.Response) -> Any:
    return type("Made", (), {"id": reply.json()["id"]})


async def test_a_moved_subtree_takes_roles_activities_and_boards_along(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Organizers of the old street lose it, those of the new one get it; its own stay."""
    city = await make_org(runtime, level=Level.city)
    old, new = [await make_org(runtime, parent=city, level=Level.district) for _ in range(2)]
    street = await make_org(runtime, parent=old)
    community = await make_org(runtime, parent=street, level=Level.community)
    admin = await make_administrator(runtime, city.id)
    organizers = [await make_organizer(runtime, one.id) for one in (old, new, community)]
    activity = await make_activity(runtime, org=community)
    person = await make_person(runtime)
    await give_award(runtime, person, community)
    params = {"org_id": str(community.id)}

    async def seen() -> tuple[list[int], list[int], list[int]]:
        may = [
            (await api.get(f"{API}/awards", headers=one.headers, params=params)).status_code
            for one in organizers
        ]
        places = [{"org_id": str(one.id)} for one in (old, new, community)]
        listed = [await api.get(f"{API}/activities", params=one) for one in places]
        boards = [
            await api.get(f"{API}/leaderboards", params=one | {"period": "all"}) for one in places
        ]
        return (
            may,
            [len(one.json()["items"]) for one in listed],
            [len(one.json()["items"]) for one in boards],
        )

    await fed(runtime)
    before = await seen()
    moved = await post(api, admin, street, "move", parent_id=str(new.id))
    await relay(runtime)
    await fed(runtime)

    assert before == ([200, 403, 200], [1, 0, 1], [1, 0, 1])
    assert moved.status_code == 200, moved.text
    assert moved.json()["parent_id"] == str(new.id)
    assert await seen() == ([403, 200, 200], [0, 1, 1], [0, 1, 1])
    assert activity.org_id == community.id
    [entry] = await entries(api, admin, city, subject=f"org:{street.id}")
    assert (entry["verb"], entry["facts"]) == ("relocated", {"about": f"org:{new.id}"})
    await assert_ledger_verifies(runtime)


async def test_who_administers_one_place_alone_moves_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street, community, admin = await make_tree(runtime)
    other = await make_org(runtime)
    own = await make_administrator(runtime, community.id)
    for caller, parent in ((admin, other), (own, street), (own, other)):
        refused = await post(api, caller, community, "move", parent_id=str(parent.id))
        assert_refused(refused, 403, "auth.forbidden")
    assert_refused(await post(api, own, community, "closure"), 403, "auth.forbidden")


@pytest.mark.parametrize("status", [ActivityStatus.draft, ActivityStatus.published])
async def test_a_closed_organisation_takes_nothing_new(
    api: httpx.AsyncClient, runtime: Runtime, status: ActivityStatus
) -> None:
    street, community, admin = await make_tree(runtime)
    organizer = await make_organizer(runtime, community.id)
    await make_with_role(runtime, Role.auditor, org=community.id)
    activity = await make_activity(runtime, org=community, status=status)
    first = await post(api, admin, community, "closure")
    if status is ActivityStatus.published:
        assert_refused(first, 409, "orgs.in_use")
        return
    assert first.status_code == 200

    person = await make_person(runtime)
    headers = keyed(organizer)
    body = activity_body(community)
    publish = f"{API}/activities/{activity.id}/publish"
    refused = [
        await api.post(f"{API}/activities", headers=organizer.headers, json=body),
        await api.post(publish, headers=headers),
        await give(api, admin, person, community),
        await api.post(
            f"{API}/appointments",
            headers=keyed(admin),
            json={"role": "organizer", "org_id": str(community.id)},
        ),
        await api.post(ORGS, headers=keyed(admin), json=org_body(community)),
        await api.put(f"{ORGS}/{community.id}", headers=admin.headers, json={"name": "x"}),
        await post(api, admin, community, "move", parent_id=str(community.id)),
    ]
    for one in refused:
        assert_refused(one, 409, "orgs.closed")
        assert one.json()["facts"] == {"closed_at": first.json()["closed_at"]}
    signed = await api.post(f"{API}/activities/{activity.id}/signups", headers=person.headers)
    assert signed.status_code == 404
    assert (await post(api, admin, community, "reopening")).json()["closed_at"] is None
    assert_refused(await post(api, admin, community, "reopening"), 409, "orgs.open")
    assert (await api.post(publish, headers=keyed(organizer))).status_code == 200
    verbs = [e["verb"] for e in await entries(api, admin, street, subject=f"org:{community.id}")]
    assert verbs == ["reopened", "closed"]


async def test_a_closed_organisation_gives_and_takes_no_points_but_ends_what_was_begun(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street, community, admin = await make_tree(runtime)
    organizer, other = [await make_organizer(runtime, community.id) for _ in range(2)]
    person = await make_person(runtime)
    counter = await make_counter(runtime, org=community, state=MerchantState.suspended)
    reward = await make_reward(runtime, counter, state=RewardState.draft)
    await describe(runtime, person, community_id=community.id)
    [begun] = await propose(api, organizer, community, person)
    suspension = f"{API}/people/{person.id}/suspension"
    card = f"{API}/people/{person.id}/card"
    suspended = await api.post(f"{card}/suspension", headers=keyed(admin), json=REASON)
    assert suspended.status_code == 200, suspended.text
    assert (await post(api, admin, community, "closure")).status_code == 200

    merchant = f"{API}/merchants/{counter.merchant.id}"
    receipt = {"kind": "donation", "points": 5, "giver": "某公司"}
    row = {"person_id": str(person.id), "evidence": award_body(community, [person])["evidence"]}
    batch = {"org_id": str(community.id), "rule_key": "commendation", "rows": [row]}
    applied = {"org_id": str(community.id), "name": "新店", "kind": "shop"}
    offered = {
        "merchant_id": str(counter.merchant.id),
        "key": "tea",
        "name": "茶",
        "kind": "goods",
        "points": 10,
        "min_tier": "sprout",
    }
    named = REASON | {"org_id": str(community.id)}
    visited = {"visited_on": "2026-01-05", "note": "资质齐全"}
    refused = [
        await api.post(f"{API}{path}", headers=keyed(caller), json=body)
        for caller, path, body in (
            (organizer, "/awards", award_body(community, [person])),
            (organizer, "/awards/batches", batch),
            (organizer, "/deductions", deduction_body(community, person)),
            (admin, f"/orgs/{community.id}/fund/receipts", receipt),
            (person, "/merchants", applied),
            (organizer, f"/merchants/{counter.merchant.id}/visits", visited),
            (admin, f"/merchants/{counter.merchant.id}/status", REASON | {"status": "active"}),
            (organizer, "/rewards", offered),
            (organizer, f"/rewards/{reward.id}/status", {"status": "published"}),
        )
    ]
    refused += [
        await api.post(f"{merchant}/staff", headers=keyed(organizer)),
        await api.post(suspension, headers=keyed(admin), json=named),
        await api.post(f"{card}/suspension", headers=keyed(admin), json=named),
    ]
    for one in refused:
        assert_refused(one, 409, "orgs.closed")
    assert (await approve(api, other, begun)).status_code == 200
    restored = await api.post(f"{card}/restoration", headers=keyed(admin), json=REASON)
    assert restored.status_code == 200, restored.text
    await assert_ledger_verifies(runtime)
    assert street.closed_at is None
