"""Claims of courtesies: the quota of a period, one choice a year, uses and their log."""

from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from app.core.clock import now, period_start
from app.models.cards import CardStatus, CodePurpose
from app.runtime import Runtime
from app.services.courtesies.eligibility import CourtesyQuotaUsed
from app.services.courtesy_claims import claiming
from app.services.courtesy_claims.reading import CourtesyClaimWrongState
from tests.factories.clock import travel
from tests.factories.courtesies import API, Offer, make_code_for, make_offer
from tests.factories.exports import FORMS, exported
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.people import make_administrator, make_person
from tests.factories.rewards import make_card_codes, make_counter, set_card_status
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation                   rule            nobody alice bob  counter rival sibling parent auditor admin outsider
claimCourtesy               person          401    201+  201  201     201   201     201    201     201   201
listMyCourtesyClaims        person          401    200+  200  200     200   200     200    200     200   200
cancelCourtesyClaim         person          401    200+  404  404     404   404     404    404     404   404       404=courtesy_claims.not_found
listCourtesyClaims          reader          401    403   403  403     403   403     200+   200+    200+  403
useCourtesyAtVenue          organizer       401    403   403  403     403   404     200+   403     200+  404       404=courtesies.not_found
previewCourtesyClaims       merchant staff  401    403   403  200+    200   403     403    403     403   200
useCourtesy                 merchant staff  401    403   403  200+    404   403     403    403     403   404       404=courtesy_claims.not_found
listMerchantCourtesyClaims  merchant staff  401    403   403  200+    200   403     403    403     403   200
"""  # noqa: E501 - a table
HERS = {"courtesy_claims": "created_by = :alice"}
BESIDE_POINTS = {"courtesy_claims"}
BEYOND_THE_SCHEMA = {"cards.code_invalid"}
NOTICES = ("courtesy_used",)


async def _offer(world: World) -> Offer:
    return await make_offer(world.api, world.runtime, org=world.home, counter=world.shop)


async def _claim(world: World) -> Ask:
    return Ask({"courtesy_id": (await _offer(world)).id})


async def _claimed(world: World) -> Ask:
    made = await (await _offer(world)).claimed(world.alice)
    return Ask({"courtesy_claim_id": made["id"]})


async def _listed(world: World) -> Ask:
    await _claimed(world)
    return Ask(query={"org_id": str(world.home.id)})


async def _mine(world: World) -> Ask:
    await _claimed(world)
    return Ask()


async def _at_venue(world: World) -> Ask:
    offer = await _offer(world)
    await offer.claimed(world.alice)
    [code] = await make_card_codes(world.runtime, world.alice, 1)
    return Ask({"courtesy_id": offer.id}, {"card_code": code})


async def _preview(world: World) -> Ask:
    return Ask(body=(await _at_counter(world)).body)


async def _at_counter(world: World) -> Ask:
    ask = await _claimed(world)
    [code] = await make_card_codes(world.runtime, world.alice, 1)
    return Ask(ask.ids, {"card_code": code})


async def _used(world: World) -> Ask:
    offer = await _offer(world)
    claim = await offer.claimed(world.alice)
    await offer.use(world.alice, claim["id"])
    return Ask()


REQUESTS = {
    "claimCourtesy": _claim,
    "listMyCourtesyClaims": _mine,
    "cancelCourtesyClaim": _claimed,
    "listCourtesyClaims": _listed,
    "useCourtesyAtVenue": _at_venue,
    "previewCourtesyClaims": _preview,
    "useCourtesy": _at_counter,
    "listMerchantCourtesyClaims": _used,
}


async def known(setup: Setup) -> Known:
    cells = [{"quota": 50}]
    offer = await make_offer(
        setup.api, setup.runtime, org=setup.org, counter=setup.counter, cells=cells
    )
    people = (setup.caller, *setup.others)
    return {
        "courtesy_claim_id": [
            (await offer.claimed(one))["id"] for one in people for _ in range(FEW)
        ]
    }


async def test_a_claim_is_used_once_where_it_can_be(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    offer, person = await make_offer(api, runtime), await make_person(runtime)
    rival = await make_counter(runtime, org=offer.org)
    key = str(uuid4())
    path = f"{offer.path}/claims"
    claim, again = [(await api.post(path, headers=keyed(person, key))).json() for _ in range(2)]
    assert (claim, claim["state"]) == (again, "claimed")
    refused = await offer.use(person, claim["id"], rival)
    assert_refused(refused, 404, "courtesy_claims.not_found")

    code = await make_code_for(runtime, person, CodePurpose.courtesy)
    preview = f"{API}/merchant/courtesy-claims/preview"
    staff = offer.counter.staff
    shown = await api.post(preview, headers=staff.headers, json={"card_code": code})
    assert [one["id"] for one in shown.json()["items"]] == [claim["id"]]
    use = f"merchant/courtesy-claims/{claim['id']}/use"
    done = await offer.post(staff, use, card_code=code)
    assert (done.status_code, done.json()["state"]) == (200, "used")
    assert_refused(await offer.post(staff, use, card_code=code), 409, "cards.code_used")
    assert_refused(await offer.use(person, claim["id"]), 409, "courtesy_claims.wrong_state")
    other = await make_code_for(runtime, person, CodePurpose.charge)
    assert_refused(await offer.post(staff, use, card_code=other), 422, "cards.code_invalid")

    assert (await inbox(api, runtime, person))[0]["kind"] == "courtesy_used"
    [mine] = await walk(api, f"{API}/me/courtesy-claims", person.headers)
    assert (mine["state"], mine["place"]) == ("used", "测试商户")
    [logged] = await walk(api, f"{API}/merchant/courtesy-claims", staff.headers)
    assert (logged["id"], logged["display_name"]) == (claim["id"], "王*四")
    admin = await make_administrator(runtime, offer.org.id)
    query = {"org_id": str(offer.org.id), "used": "true"}
    files = [await exported(api, "/courtesy-claims", form, admin, **query) for form in FORMS]
    assert [(row["状态"], row["使用地点"]) for [row] in files] == [("已使用", "测试商户")] * 2


async def test_an_organizer_records_the_use_at_the_venue(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    offer, person = await make_offer(api, runtime, places=[]), await make_person(runtime)
    uses = f"courtesies/{offer.id}/uses"
    codes = await make_card_codes(runtime, person, 3)
    none = await offer.post(offer.organizer, uses, card_code=codes[0])
    assert_refused(none, 404, "courtesy_claims.not_found")
    await offer.claimed(person)
    used = await offer.post(offer.organizer, uses, card_code=codes[1])
    assert (used.json()["place"], used.json()["merchant_id"]) == ("青年之家", None)
    await offer.claimed(offer.organizer)
    [own] = await make_card_codes(runtime, offer.organizer, 1)
    refused = await offer.post(offer.organizer, uses, card_code=own)
    assert_refused(refused, 403, "courtesy_claims.own")
    elsewhere = await make_offer(api, runtime, venue=None)
    await elsewhere.claimed(person)
    path = f"courtesies/{elsewhere.id}/uses"
    without = await elsewhere.post(elsewhere.organizer, path, card_code=codes[2])
    assert_refused(without, 404, "courtesy_claims.not_found")


async def test_a_cancelled_claim_frees_the_quota_and_the_choice(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    first = await make_offer(api, runtime, choice_group="任选")
    second = await make_offer(
        api, runtime, org=first.org, counter=first.counter, choice_group="任选"
    )
    person = await make_person(runtime)
    claim = await first.claimed(person)
    assert_refused(await second.claim(person), 409, "courtesies.choice_made")
    assert (await second.seen(person))["reason"]["code"] == "courtesies.choice_made"
    cancel = f"courtesy-claims/{claim['id']}/cancel"
    assert (await first.post(person, cancel)).json()["state"] == "cancelled"
    assert_refused(await first.post(person, cancel), 409, "courtesy_claims.wrong_state")
    await second.claimed(person)
    assert_refused(await first.claim(person), 409, "courtesies.choice_made")


async def test_a_frozen_card_claims_and_uses_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    offer = await make_offer(api, runtime, cells=[{"quota": 2}])
    person = await make_person(runtime)
    claim = await offer.claimed(person)
    async with runtime.database.transaction() as tx:
        await set_card_status(tx, person.id, CardStatus.suspended)
    for refused in (await offer.claim(person), await offer.use(person, claim["id"])):
        assert_refused(refused, 409, "cards.suspended")


@pytest.mark.usefixtures("at_noon")
async def test_the_next_period_has_its_own_quota_and_claims_expire(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    offer, person = await make_offer(api, runtime, period="month"), await make_person(runtime)
    claim = await offer.claimed(person)
    assert_refused(await offer.claim(person), 409, "courtesies.quota_used")
    following = period_start(period_start(now(), "month") + timedelta(days=32), "month")
    with travel(following + timedelta(hours=12)):
        async with runtime.database.transaction() as tx:
            next_one = await claiming.claim(tx, person.id, UUID(offer.id))
        with pytest.raises(CourtesyQuotaUsed):
            async with runtime.database.transaction() as tx:
                await claiming.claim(tx, person.id, UUID(offer.id))
        async with runtime.database.transaction() as tx:
            with pytest.raises(CourtesyClaimWrongState) as late:
                await claiming.cancel(tx, person.id, UUID(claim["id"]))
        assert late.value.facts["status"] == "expired"
    assert next_one.valid_until > following
