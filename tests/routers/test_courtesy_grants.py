"""Grants of courtesies: a package for a list or a category, claimed once by each person."""

from typing import Any

import httpx

from app.core.clock import now
from app.runtime import Runtime
from tests.engines import as_owner
from tests.factories.courtesies import API, DAY, Offer, are_ids, grant_body, is_moment, make_offer
from tests.factories.exports import FORMS, exported
from tests.factories.http import assert_refused, walk
from tests.factories.inbox import inbox
from tests.factories.people import make_administrator, make_people, make_person
from tests.factories.refusals import Ask as Refused
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation             rule       nobody alice bob  counter rival sibling parent auditor admin outsider
grantCourtesies       organizer  401    403   403  403     403   403     201+   403     201+  403
listCourtesyGrants    reader     401    403   403  403     403   403     200+   200+    200+  403
revokeCourtesyGrant   organizer  401    403   403  403     403   404     200+   403     200+  404       404=courtesy_grants.not_found
listMyCourtesyGrants  person     401    200+  200  200     200   200     200    200     200   200
claimCourtesyGrant    person     401    201+  404  404     404   404     404    404     404   404       404=courtesy_grants.not_found
"""  # noqa: E501 - a table
HERS = {
    "courtesy_grants": "id IN (SELECT grant_id FROM courtesy_grantees WHERE person_id = :alice)",
    "courtesy_grantees": "person_id = :alice",
}
BESIDE_POINTS = {"courtesy_grants", "courtesy_grant_items", "courtesy_grantees"}
BEYOND_THE_SCHEMA = {
    "body",  # neither a list nor a category, or both
    *("body.claim_until", "body.courtesy_ids", "body.category"),
    "courtesy_grants.nobody",
}
NOTICES = ("courtesy_granted",)


async def _offer(world: World) -> Offer:
    return await make_offer(world.api, world.runtime, org=world.home, counter=world.shop)


async def _grant(world: World) -> Ask:
    return Ask(body=grant_body(await _offer(world), world.alice))


async def _granted(world: World) -> Ask:
    made = await (await _offer(world)).granted(world.alice)
    return Ask({"courtesy_grant_id": made["id"]})


async def _revoke(world: World) -> Ask:
    return Ask((await _granted(world)).ids, {"reason": "名单有误"})


async def _listed(world: World) -> Ask:
    await _granted(world)
    return Ask(query={"org_id": str(world.home.id)})


async def _mine(world: World) -> Ask:
    await _granted(world)
    return Ask()


REQUESTS = {
    "grantCourtesies": _grant,
    "listCourtesyGrants": _listed,
    "revokeCourtesyGrant": _revoke,
    "listMyCourtesyGrants": _mine,
    "claimCourtesyGrant": _granted,
}


async def known(setup: Setup) -> Known:
    offer = await make_offer(setup.api, setup.runtime, org=setup.org, counter=setup.counter)
    people = (setup.caller, *setup.others)
    grants = [await offer.granted(*people) for _ in range(FEW)]
    return {"courtesy_grant_id": [one["id"] for one in grants]}


async def completion(setup: Setup) -> Completion:
    offer = await make_offer(setup.api, setup.runtime, org=setup.org, counter=setup.counter)
    right = grant_body(offer, *setup.others)

    def complete(body: dict[str, Any], _: Known) -> None:
        for name in ("courtesy_ids", "person_ids"):
            if are_ids(body.get(name)):
                body[name] = right[name]
        if is_moment(body.get("claim_until")):
            body["claim_until"] = right["claim_until"]
        if are_ids(body.get("person_ids")) and body.get("category") == "rider":
            del body["category"]

    return complete


async def _claimed(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    offer, person = await make_offer(api, runtime), await make_person(runtime)
    grant = await offer.granted(person)
    await offer.claim_grant(person, grant)
    [mine] = await walk(api, f"{API}/me/courtesy-grants", person.headers)
    facts = {"claimed_at": mine["claimed_at"]}
    return Refused(person, "POST", f"/courtesy-grants/{grant['id']}/claims", facts)


async def _over(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    offer, person = await make_offer(api, runtime), await make_person(runtime)
    grant = await offer.granted(person)
    at = now() - DAY
    late = f"UPDATE courtesy_grants SET claim_until = '{at}' WHERE id = '{grant['id']}'"  # noqa: S608
    await as_owner(runtime.settings, late)
    facts = {"status": "granted", "closes_at": at}
    return Refused(person, "POST", f"/courtesy-grants/{grant['id']}/claims", facts)


async def _nobody(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    offer = await make_offer(api, runtime)
    body = grant_body(offer, offer.organizer)
    return Refused(offer.organizer, "POST", "/courtesy-grants", {"refused": 1}, body)


REFUSED = {
    "courtesy_grants.claimed": _claimed,
    "courtesy_grants.over": _over,
    "courtesy_grants.nobody": _nobody,
}


async def test_a_package_for_three_hundred_riders_is_claimed_once_by_each(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """The list has one person twice, one of nobody, and the organizer."""
    offer = await make_offer(api, runtime, cells=[{"category": "council", "quota": 1}])
    other = await make_offer(api, runtime, org=offer.org, counter=offer.counter, name="早餐券")
    riders = await make_people(runtime, 300)
    card = (await api.get(f"{API}/me/card", headers=riders[0].headers)).json()["card_no"]
    grant = await offer.granted(
        *riders,
        offer.organizer,
        card_nos=[card, card, "123"],
        courtesy_ids=[offer.id, other.id],
    )
    outcomes = [one["outcome"] for one in grant["items"]]
    assert outcomes == ["added", "unknown", *["added"] * 300, "own"]
    assert (grant["people"], grant["claimed"]) == (300, 0)

    first = riders[0]
    assert (await inbox(api, runtime, first))[0]["kind"] == "courtesy_granted"
    got = (await offer.claim_grant(first, grant)).json()["items"]
    assert sorted(one["courtesy_name"] for one in got) == ["健康体检", "早餐券"]
    assert_refused(await offer.claim_grant(first, grant), 409, "courtesy_grants.claimed")
    stranger = await make_person(runtime)
    refused = await offer.claim_grant(stranger, grant)
    assert_refused(refused, 404, "courtesy_grants.not_found")
    used = await offer.use(first, got[0]["id"])
    assert used.status_code == 200, "tier and category do not matter"
    assert (await other.seen(first))["left"] == 1, "nor does it count for the quota"

    [mine] = await walk(api, f"{API}/me/courtesy-grants", first.headers)
    assert mine["claimed_at"] is not None
    assert len(mine["courtesies"]) == 2
    admin = await make_administrator(runtime, offer.org.id)
    revoke = f"courtesy-grants/{grant['id']}/revocation"
    revoked = await offer.post(admin, revoke, reason="名单有误")
    assert (revoked.json()["state"], revoked.json()["claimed"]) == ("revoked", 1)
    again = await offer.post(admin, revoke, reason="名单有误")
    assert_refused(again, 409, "courtesy_grants.wrong_state")
    assert_refused(await offer.claim_grant(riders[1], grant), 409, "courtesy_grants.over")
    assert (await offer.use(first, got[1]["id"])).status_code == 200, "what was claimed stays"
    verbs = {one["verb"] for one in await entries(api, admin, offer.org)}
    assert verbs == {"used", "moved", "created"}
    query = {"org_id": str(offer.org.id)}
    files = [await exported(api, "/courtesy-grants", form, admin, **query) for form in FORMS]
    assert [(row["发放人数"], row["已领取人数"]) for [row] in files] == [("300", "1")] * 2


async def test_a_category_gets_a_package(api: httpx.AsyncClient, runtime: Runtime) -> None:
    offer = await make_offer(api, runtime)
    riders = await make_people(runtime, 2)
    donor = await make_person(runtime)
    await offer.record(*riders)
    await offer.record(donor, category="blood_donor")
    grant = await offer.granted(category="rider")
    assert (grant["people"], grant["items"]) == (2, [])
    assert (await offer.claim_grant(riders[0], grant)).status_code == 201
    refused = await offer.claim_grant(donor, grant)
    assert_refused(refused, 404, "courtesy_grants.not_found")
    draft = await make_offer(api, runtime, org=offer.org, counter=offer.counter, published=False)
    elsewhere = await make_offer(api, runtime)
    for changes in (
        {"courtesy_ids": [draft.id]},
        {"courtesy_ids": [elsewhere.id]},
        {"claim_until": (now() - DAY).isoformat()},
        {"category": "rider"},  # beside a list
    ):
        assert_refused(await offer.grant(donor, **changes), 422, "request.invalid")
