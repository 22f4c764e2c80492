"""Courtesies: drafted, published, ended, and who may have them."""

import re
from typing import Any

import httpx

from app.core.clock import now
from app.runtime import Runtime
from tests.factories.awards import raise_to_growth
from tests.factories.courtesies import API, DAY, are_ids, courtesy_body, is_moment, make_offer
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.orgs import make_org
from tests.factories.people import make_administrator, make_organizer, make_person
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_counter
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation             rule       nobody alice bob  counter rival sibling parent auditor admin outsider
listCourtesies        anyone     200    200   200  200     200   200     200    200     200   200
listCourtesies draft  anyone     403    403   403  403     403   403     200+   200+    200+  403
createCourtesy        organizer  401    403   403  403     403   403     201+   403     201+  403
getCourtesy           anyone     200    200   200  200     200   200     200    200     200   200
getCourtesy draft     anyone     404    404   404  404     404   404     200+   200+    200+  404       404=courtesies.not_found
editCourtesy          organizer  401    403   403  403     403   404     200+   403     200+  404       404=courtesies.not_found
publishCourtesy       organizer  401    403   403  403     403   404     200+   403     200+  404       404=courtesies.not_found
endCourtesy           organizer  401    403   403  403     403   404     200    403     200   404       404=courtesies.not_found
listMyCourtesies      person     401    200   200  200     200   200     200    200     200   200
"""  # noqa: E501 - a table
# Everybody sees what is published.
_DRAFTS = "SELECT id FROM courtesies WHERE org_id = :home AND state = 'draft'"
HERS = {
    "courtesies": "org_id = :home AND state = 'draft'",
    "courtesy_cells": f"courtesy_id IN ({_DRAFTS})",
}
BESIDE_POINTS = {"courtesies", "courtesy_cells", "courtesy_places"}
BEYOND_THE_SCHEMA = {
    "request.precondition_failed",
    "body",  # one time before another, neither venue nor merchants, a cell twice
    *("body.cells", "body.places", "body.ends_at", "body.quota"),
    "query.org_id",  # of drafts
}


async def _create(world: World) -> Ask:
    return Ask(body=courtesy_body(world.home, world.shop))


async def _offered(world: World) -> Ask:
    offer = await make_offer(world.api, world.runtime, org=world.home, counter=world.shop)
    return Ask({"courtesy_id": offer.id}, {"reason": "合作到期"}, {"org_id": str(world.home.id)})


async def _shown(world: World) -> Ask:
    return Ask((await _offered(world)).ids)


async def _draft(world: World) -> Ask:
    offer = await make_offer(
        world.api, world.runtime, org=world.home, counter=world.shop, published=False
    )
    return Ask({"courtesy_id": offer.id})


async def _drafts(world: World) -> Ask:
    await _draft(world)
    return Ask(query={"org_id": str(world.home.id), "state": "draft"})


async def _edit(world: World) -> Ask:
    body = courtesy_body(world.home, world.shop, name="景区门票")
    del body["org_id"]
    return Ask((await _draft(world)).ids, body, headers={"If-Match": '"1"'})


async def _end(world: World) -> Ask:
    ask = await _offered(world)
    return Ask(ask.ids, ask.body)


async def _listed(world: World) -> Ask:
    return Ask(query=(await _offered(world)).query)


REQUESTS = {
    "listCourtesies": _listed,
    "listCourtesies draft": _drafts,
    "createCourtesy": _create,
    "getCourtesy": _shown,
    "getCourtesy draft": _draft,
    "editCourtesy": _edit,
    "publishCourtesy": _draft,
    "endCourtesy": _end,
    "listMyCourtesies": _listed,
}


async def known(setup: Setup) -> Known:
    offers = [
        await make_offer(setup.api, setup.runtime, org=setup.org, counter=setup.counter)
        for _ in range(FEW)
    ]
    drafts = [
        await make_offer(
            setup.api, setup.runtime, org=setup.org, counter=setup.counter, published=False
        )
        for _ in range(FEW)
    ]
    return {"courtesy_id": [one.id for one in (*offers, *drafts)]}


async def completion(setup: Setup) -> Completion:
    """What is valid by the schema gets merchants and tiers that there are; the rest stays."""
    right = courtesy_body(setup.org, setup.counter)

    def complete(body: dict[str, Any], _: Known) -> None:
        if "cells" not in body or "period" not in body:
            return
        if are_ids(body.get("places")):
            body["places"] = right["places"]
        if is_moment(body.get("starts_at")) and is_moment(body.get("ends_at")):
            body |= {name: right[name] for name in ("starts_at", "ends_at")}
        cells = body["cells"] if isinstance(body["cells"], list) else []
        for cell in (one for one in cells if isinstance(one, dict)):
            if re.fullmatch("[a-z][a-z0-9_]{0,39}", str(cell.get("min_tier"))):
                cell["min_tier"] = "growth"

    return complete


async def _not_open(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    opens, closes = now() + DAY, now() + 2 * DAY
    times: dict[str, Any] = {"starts_at": opens.isoformat(), "ends_at": closes.isoformat()}
    offer = await make_offer(api, runtime, **times)
    facts = {"status": "published", "opens_at": opens, "closes_at": closes}
    path = f"/courtesies/{offer.id}/claims"
    return Refused(await make_person(runtime), "POST", path, facts)


async def _not_eligible(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    cells = [{"category": "rider", "quota": 1}, {"min_tier": "growth", "quota": 2}]
    offer = await make_offer(api, runtime, cells=cells)
    facts = {"tier": "sprout", "tier_needed": "growth", "category_needed": None}
    path = f"/courtesies/{offer.id}/claims"
    return Refused(await make_person(runtime), "POST", path, facts)


async def _quota_used(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    offer, person = await make_offer(api, runtime, period="run"), await make_person(runtime)
    await offer.claimed(person)
    facts = {"limit": 1, "used": 1, "opens_at": None}
    return Refused(person, "POST", f"/courtesies/{offer.id}/claims", facts)


async def _choice_made(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    first = await make_offer(api, runtime, choice_group="任选")
    second = await make_offer(
        api, runtime, org=first.org, counter=first.counter, choice_group="任选"
    )
    person = await make_person(runtime)
    await first.claimed(person)
    opens_at = (await first.seen(person))["renews_at"]
    facts = {"group": "任选", "opens_at": opens_at}
    return Refused(person, "POST", f"/courtesies/{second.id}/claims", facts)


REFUSED = {
    "courtesies.not_open": _not_open,
    "courtesies.not_eligible": _not_eligible,
    "courtesies.quota_used": _quota_used,
    "courtesies.choice_made": _choice_made,
}


async def test_a_courtesy_from_draft_to_its_end(api: httpx.AsyncClient, runtime: Runtime) -> None:
    offer = await make_offer(api, runtime, published=False)
    assert_refused(await api.get(offer.path), 404, "courtesies.not_found")
    edited_body = courtesy_body(offer.org, offer.counter, name="公交年卡", name_en="Bus pass")
    del edited_body["org_id"]
    headers = offer.organizer.headers | {"If-Match": '"1"'}
    edited = await api.put(offer.path, headers=headers, json=edited_body)
    stale = await api.put(offer.path, headers=headers, json=edited_body)
    assert (edited.json()["version"], edited.json()["name"]) == (2, "公交年卡")
    assert_refused(stale, 412, "request.precondition_failed")
    publish = f"courtesies/{offer.id}/publish"
    assert (await offer.post(offer.organizer, publish)).status_code == 200
    again = await offer.post(offer.organizer, publish)
    assert_refused(again, 409, "courtesies.wrong_state")
    listed = await walk(api, f"{API}/courtesies", org_id=str(offer.org.id))
    assert [one["id"] for one in listed] == [offer.id]
    assert (await api.get(offer.path)).json()["mine"] is None

    person = await make_person(runtime)
    await offer.claimed(person)
    ended = await offer.post(offer.organizer, f"courtesies/{offer.id}/end", reason="到期")
    assert ended.json()["state"] == "ended"
    refused = await offer.claim(await make_person(runtime))
    assert_refused(refused, 409, "courtesies.not_open")
    [claim] = await walk(api, f"{API}/me/courtesy-claims", person.headers)
    assert (await offer.use(person, claim["id"])).status_code == 200, "what was claimed stays"
    admin = await make_administrator(runtime, offer.org.id)
    assert [one["verb"] for one in await entries(api, admin, offer.org)] == [
        *("used", "moved", "moved", "changed", "created")
    ]


async def test_what_a_draft_may_not_say(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, counter = await make_org(runtime), await make_counter(runtime)
    organizer = await make_organizer(runtime, org.id)
    own = await make_counter(runtime, org=org)
    for counter_of, changes in (
        (counter, {}),  # a merchant of another organisation
        (own, {"cells": [{"min_tier": "unknown", "quota": 1}]}),
        (own, {"cells": [{"quota": 1}, {"quota": 2}]}),
        (own, {"places": [], "venue": None}),
        (own, {"ends_at": (now() - 2 * DAY).isoformat()}),
    ):
        body = courtesy_body(org, counter_of, **changes)
        reply = await api.post(f"{API}/courtesies", headers=keyed(organizer), json=body)
        assert_refused(reply, 422, "request.invalid")


async def test_eligibility_is_explained(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """The largest quota of the cells that apply counts; each cell says what is missing."""
    cells = [
        {"min_tier": "growth", "quota": 1},
        {"category": "rider", "quota": 3},
        {"category": "blood_donor", "min_tier": "peak", "quota": 5},
    ]
    offer = await make_offer(api, runtime, cells=cells)
    person = await make_person(runtime)
    seen = await offer.seen(person)
    assert (seen["tier"], seen["quota"], seen["reason"]["code"]) == (
        "sprout",
        0,
        "courtesies.not_eligible",
    )
    missing = [(one["missing_category"], one["missing_tier"]) for one in seen["cells"]]
    assert missing == [(None, "growth"), ("rider", None), ("blood_donor", "peak")]

    await raise_to_growth(runtime, person, offer.org)
    assert (await offer.seen(person))["quota"] == 1
    await offer.record(person)
    path = f"{API}/me/courtesies"
    [listed] = await walk(api, path, person.headers, org_id=str(offer.org.id))
    mine = listed["mine"]
    assert (mine["tier"], mine["categories"], mine["quota"], mine["left"]) == (
        *("growth", ["rider"]),
        *(3, 3),
    )
    assert [one["applies"] for one in mine["cells"]] == [True, True, False]
    assert mine["reason"] is None
    await offer.claimed(person)
    assert (await offer.seen(person))["left"] == 2


async def test_a_category_counts_where_it_was_recorded_above_and_below(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Not beside it: a community opens nothing of another one."""
    street = await make_org(runtime)
    home, beside = [await make_org(runtime, parent=street) for _ in range(2)]
    riders = [{"category": "rider", "quota": 1}]
    offers = [await make_offer(api, runtime, org=one, cells=riders) for one in (street, home)]
    elsewhere = await make_offer(api, runtime, org=beside, cells=riders)
    person = await make_person(runtime)
    await offers[1].record(person)
    assert [(await one.seen(person))["quota"] for one in (*offers, elsewhere)] == [1, 1, 0]
