"""Roles: given by card number, from and until; ended at once; the last administrator stays."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import now
from app.models.orgs import Level, Org
from app.models.people import Role
from app.runtime import Runtime
from tests.engines import as_owner
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
    make_with_role,
)
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_counter
from tests.routers.test_audit import entries
from tests.security.schema_world import Completion, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
ROLES = f"{API}/roles"
MATRIX = """
operation  rule           nobody alice bob  counter rival sibling parent auditor admin outsider
listRoles  auditor        401    403   403  403     403   403     403    200+    200+  403
giveRole   administrator  401    403   403  403     403   403     403    403     201+  403
endRole    administrator  401    403   403  403     403   403     403    403     204+  404  404=roles.not_found
leaveRole  person         401    204   404  404     404   404     404    404     404   404  404=roles.not_found
"""  # noqa: E501 - a table
BEYOND_THE_SCHEMA = {
    *("body", "body.org_id", "body.merchant_id", "body.from", "body.until", "body.card_no"),
}
TERM = timedelta(days=90)


async def _held(world: World) -> Ask:
    """Give Alice a role at home, and name it."""
    organizer = await make_administrator(world.runtime, world.home.id)
    body = await role_body(world.api, world.everybody["alice"], world.home)
    reply = await world.api.post(ROLES, headers=keyed(organizer), json=body)
    role_id = reply.json().get("id") or await _role_of(world)
    return Ask({"role_id": role_id})


async def _listed(world: World) -> Ask:
    return replace(await _held(world), query={"org_id": str(world.home.id)})


async def _ended(world: World) -> Ask:
    return replace(await _held(world), query={"reason": "任期已满"})


async def _role_of(world: World) -> str:
    assert world.everybody["alice"] is not None
    me = await world.api.get(f"{API}/me", headers=world.everybody["alice"].headers)
    return str(me.json()["roles"][0]["id"])


async def _give(world: World) -> Ask:
    return Ask(body=await role_body(world.api, world.everybody["alice"], world.home))


REQUESTS = {"listRoles": _listed, "giveRole": _give, "endRole": _ended, "leaveRole": _held}


async def card_no(api: httpx.AsyncClient, person: TestPerson) -> str:
    return str((await api.get(f"{API}/me/card", headers=person.headers)).json()["card_no"])


async def role_body(
    api: httpx.AsyncClient, person: TestPerson | None, org: Org, **changes: Any
) -> dict[str, Any]:
    assert person is not None
    named = {"card_no": await card_no(api, person), "org_id": str(org.id)}
    return named | {"role": Role.organizer} | changes


async def give(
    api: httpx.AsyncClient, giver: TestPerson, person: TestPerson, org: Org, **changes: Any
) -> httpx.Response:
    body = await role_body(api, person, org, **changes)
    return await api.post(ROLES, headers=keyed(giver), json=body)


async def end(
    api: httpx.AsyncClient, caller: TestPerson, role_id: str, **params: str
) -> httpx.Response:
    asked = {"reason": "任期已满"} | params
    return await api.delete(f"{ROLES}/{role_id}", headers=caller.headers, params=asked)


async def _held_already(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, person = await make_org(runtime), await make_person(runtime)
    admin = await make_administrator(runtime, org.id)
    held = (await give(api, admin, person, org)).json()
    facts = {"role_id": held["id"], "starts_at": held["starts_at"], "ends_at": None}
    body = await role_body(api, person, org)
    return Refused(admin, "POST", "/roles", facts, body)


async def _last_administrator(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org = await make_org(runtime)
    admin = await make_administrator(runtime, org.id)
    me = (await api.get(f"{API}/me", headers=admin.headers)).json()
    facts = {"org_id": org.id, "org_name": org.name}
    return Refused(admin, "DELETE", f"/me/roles/{me['roles'][0]['id']}", facts)


REFUSED = {"roles.held": _held_already, "roles.last_administrator": _last_administrator}


async def known(setup: Setup) -> Known:
    admin = await make_administrator(setup.runtime, setup.org.id)
    cards = [await card_no(setup.api, person) for person in setup.others]
    given = [
        await setup.post(admin, "/roles", card_no=card, role=role, org_id=setup.org.id)
        for card in cards[:2]
        for role in ("organizer", "auditor")
    ]
    later = (now() + timedelta(days=1)).isoformat()
    body = {"card_no": await card_no(setup.api, setup.caller), "from": later}
    below = await make_org(setup.runtime, parent=setup.org, level=Level.community)
    own = [
        await setup.post(admin, "/roles", role=role, org_id=below.id, **body)
        for role in ("organizer", "auditor")
    ]
    return {"card_no": cards, "role_id": [one["id"] for one in [*given, *own]]}


def at_an_organisation(body: dict[str, Any], known: Known) -> None:
    """Make a role one at an organisation, at once."""
    if body.get("org_id") in known["org_id"] and body.get("role") in set(Role):
        for name in ("merchant_id", "from", "until"):
            body.pop(name, None)
        body["role"] = "auditor"


async def completion(_: Setup) -> Completion:
    return at_an_organisation


async def test_a_second_reviewer_is_made_and_stops_at_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """What a role allows is allowed by the next request, and refused by the one after its end."""
    street = await make_org(runtime)
    org = await make_org(runtime, parent=street, level=Level.community)
    admin = await make_administrator(runtime, street.id)
    auditor = await make_with_role(runtime, Role.auditor, org=street.id)
    person = await make_person(runtime, name="李雷")

    made = await give(api, admin, person, org)
    listed = [
        (
            await api.get(
                ROLES, headers=one.headers, params={"org_id": str(street.id), "role": role}
            )
        ).json()["items"]
        for one, role in ((admin, "organizer"), (auditor, "organizer"), (auditor, "merchant_staff"))
    ]
    awards = {"org_id": str(org.id)}
    before = await api.get(f"{API}/awards", headers=person.headers, params=awards)
    ended = await end(api, admin, made.json()["id"])
    after = await api.get(f"{API}/awards", headers=person.headers, params=awards)

    assert made.status_code == 201, made.text
    assert (
        made.json() | {"display_name": "李雷", "role": "organizer", "ends_at": None} == made.json()
    )
    assert listed == [[made.json()]] * 2 + [[]]
    assert (before.status_code, ended.status_code) == (200, 204)
    assert_refused(after, 403, "auth.forbidden")
    assert_refused(await end(api, admin, made.json()["id"]), 404, "roles.not_found")
    dismissed, appointed = await entries(api, auditor, street, subject=f"person:{person.id}")
    facts = {"role": "organizer", "starts_at": made.json()["starts_at"].replace("Z", "+00:00")}
    assert (appointed["verb"], appointed["facts"]) == ("appointed", facts)
    assert (dismissed["verb"], dismissed["reason"]) == ("dismissed", "任期已满")
    assert {one["actor"]["id"] for one in (appointed, dismissed)} == {str(admin.id)}
    told = [(one["kind"], one["text"]) for one in await inbox(api, runtime, person)]
    assert told == [
        ("role_moved", f"您不再在{org.name}任职，详情见个人信息。"),
        ("role_moved", f"您在{org.name}任职，详情见个人信息。"),
    ]
    assert (await give(api, admin, person, org)).status_code == 201, "what has ended can be given"
    await assert_ledger_verifies(runtime)


async def test_a_term_begins_and_ends_by_itself(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    admin = await make_administrator(runtime, org.id)
    counter = await make_counter(runtime, org=org)
    term = {"from": (now() + TERM).isoformat(), "until": (now() + 2 * TERM).isoformat()}
    shift = text(
        "UPDATE role_grants SET starts_at = starts_at - CAST(:by AS interval),"
        " ends_at = ends_at - CAST(:by AS interval) WHERE person_id = :person"
    )

    async def may() -> tuple[int, int, int]:
        """Return what an organizer, an auditor and a merchant's staff would get."""
        paths = (("awards", {"org_id": str(org.id)}), ("audit", {"org_id": str(org.id)}))
        found = [
            (await api.get(f"{API}/{path}", headers=person.headers, params=params)).status_code
            for path, params in (*paths, ("merchant/statement", {"month": "2026-01"}))
        ]
        return (found[0], found[1], found[2])

    merchant = {"org_id": None, "merchant_id": str(counter.merchant.id), "role": "merchant_staff"}
    for changes in ({}, {"role": "auditor"}, merchant):
        made = await give(api, admin, person, org, **term | changes)
        assert made.status_code == 201, made.text
        assert_refused(await give(api, admin, person, org, **term | changes), 409, "roles.held")
    seen = []
    for _ in range(3):
        seen.append(await may())
        async with runtime.database.transaction() as tx:
            await tx.execute(shift, {"by": TERM + timedelta(days=1), "person": person.id})

    assert seen == [(403, 403, 403), (200, 200, 200), (403, 403, 403)]
    assert (await api.get(f"{API}/me", headers=person.headers)).json()["roles"] == []
    assert (await give(api, admin, person, org)).status_code == 201, "an ended one gives way"
    async with runtime.database.transaction() as tx:  # no entry of the audit trail has such times
        ended = "DELETE FROM role_grants WHERE person_id = :person AND ends_at < now()"
        await tx.execute(text(ended), {"person": person.id})
    await assert_ledger_verifies(runtime)


async def test_nobody_gives_extends_or_takes_their_own_role(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    admin, other = [await make_administrator(runtime, org.id) for _ in range(2)]
    own = (await api.get(f"{API}/me", headers=admin.headers)).json()["roles"][0]["id"]
    for role in ("auditor", "administrator"):
        assert_refused(await give(api, admin, admin, org, role=role), 403, "roles.own")
    assert_refused(await end(api, admin, own), 403, "roles.own")

    left = await api.delete(f"{API}/me/roles/{own}", headers=admin.headers)

    assert left.status_code == 204
    assert_refused(await end(api, admin, own), 403, "auth.forbidden")
    [entry] = await entries(api, other, org, subject=f"person:{admin.id}")
    assert (entry["verb"], entry["actor"]["id"]) == ("dismissed", str(admin.id))


async def test_who_administers_until_some_day_gives_nothing_longer(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, (brief, friend) = await make_org(runtime), await make_people(runtime, 2)
    until = (now() + timedelta(hours=1)).isoformat()
    boss = await make_administrator(runtime, org.id)
    given = await give(api, boss, brief, org, role="administrator", until=until)
    term = {"role": "administrator", "until": (now() + timedelta(hours=2)).isoformat()}
    offers = f"{API}/appointments"
    place = {"org_id": str(org.id)}

    for refused in (
        await give(api, brief, friend, org, **term),
        await give(api, brief, friend, org, **{"from": term["until"]}),
        await api.post(offers, headers=keyed(brief), json=place | term),
    ):
        assert_refused(refused, 422, "request.invalid")
        assert [one["field"] for one in refused.json()["errors"]] == ["body.until"]
    offered = await api.post(offers, headers=keyed(brief), json=place | {"role": "auditor"})
    made = await give(api, brief, friend, org, role="administrator")
    assert {one.json()["ends_at"] for one in (offered, made)} == {given.json()["ends_at"]}
    longer = await give(api, boss, friend, org, role="auditor")
    assert (longer.status_code, longer.json()["ends_at"]) == (201, None)
    code = (await api.post(offers, headers=boss.headers, json=place | {"role": "auditor"})).json()
    shorter = f"UPDATE role_grants SET ends_at = '{until}' WHERE person_id = '{boss.id}'"  # noqa: S608
    await as_owner(runtime.settings, shorter)
    taken = await api.post(
        f"{offers}/acceptance", headers=keyed(brief), json={"code": code["code"]}
    )
    assert_refused(taken, 422, "appointments.code_invalid")
    await as_owner(runtime.settings, shorter.replace(f"'{until}'", "NULL"))
    await assert_ledger_verifies(runtime)


async def test_the_last_administrator_of_a_root_stays(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """One whose role ends some day, or who is of a community, does not take the place."""
    root = await make_org(runtime)
    community = await make_org(runtime, parent=root, level=Level.community)
    first, second = [await make_administrator(runtime, root.id) for _ in range(2)]
    below = await make_administrator(runtime, community.id)
    until = await make_person(runtime)
    ends = (now() + TERM).isoformat()
    given = await give(api, first, until, root, role="administrator", until=ends)
    assert given.status_code == 201
    ids = {
        one.id: (await api.get(f"{API}/me", headers=one.headers)).json()["roles"][0]["id"]
        for one in (first, second, below)
    }

    both = await asyncio.gather(end(api, first, ids[second.id]), end(api, second, ids[first.id]))

    assert sorted(one.status_code for one in both) in ([204, 403], [204, 404], [204, 409])
    left = first if both[0].status_code == 204 else second
    last = await api.delete(f"{API}/me/roles/{ids[left.id]}", headers=left.headers)
    assert_refused(last, 409, "roles.last_administrator")
    assert last.json()["facts"] == {"org_id": str(root.id), "org_name": root.name}
    assert (await end(api, left, ids[below.id])).status_code == 204


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"card_no": "6800000000012"}, "body.card_no"),
        ({"role": "merchant_staff"}, "body.merchant_id"),
        ({"org_id": None}, "body.org_id"),
        ({"from": "2020-01-01T00:00:00Z"}, "body.from"),
        ({"from": "2099-01-01T00:00:00Z"}, "body.from"),
        ({"until": "2020-01-01T00:00:00Z"}, "body.until"),
        ({"until": "2099-01-01T00:00:00Z"}, "body.until"),
    ],
)
async def test_what_is_no_role_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, changes: dict[str, Any], field: str
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    admin = await make_administrator(runtime, org.id)
    refused = await give(api, admin, person, org, **changes)
    assert_refused(refused, 422, "request.invalid")
    assert [one["field"] for one in refused.json()["errors"]] == [field]


async def test_a_role_stays_in_the_subtree_of_who_gives_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    org = await make_org(runtime, parent=street, level=Level.community)
    admin, person = await make_administrator(runtime, org.id), await make_person(runtime)
    organizer = await make_organizer(runtime, street.id)
    above = (await api.get(f"{API}/me", headers=organizer.headers)).json()["roles"][0]["id"]
    elsewhere = str((await make_counter(runtime)).merchant.id)
    staff = {"role": "merchant_staff", "org_id": None, "merchant_id": elsewhere}

    assert_refused(await give(api, admin, person, street), 403, "auth.forbidden")
    assert_refused(await give(api, admin, person, org, **staff), 403, "auth.forbidden")
    assert_refused(await end(api, admin, above), 404, "roles.not_found")
