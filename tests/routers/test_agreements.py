"""Agreements: proposed by an organizer, accepted by the merchant's staff, ended by either."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.clock import local_date, now
from app.models.agreements import AgreementState
from app.models.merchants import MerchantKind
from app.models.people import Role
from app.models.rewards import Reward
from app.runtime import Runtime
from tests.factories.exports import FORMS, exported
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, appoint, make_administrator, make_organizer
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import Counter, make_counter
from tests.factories.settlements import (
    API,
    PAST,
    charge_at,
    first_of,
    make_agreement,
    settle_in_next_month,
)
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

AGREEMENTS = f"{API}/agreements"
MATRIX = """
operation          rule             nobody alice bob  counter rival sibling parent auditor admin outsider
proposeAgreement   organizer        401    403   403  403     403   403     201    403     201   403
listAgreements     reader           401    403   403  403     403   403     200    200     200   403
listOurAgreements  merchant staff   401    403   403  200     200   403     403    403     403   200
getAgreement       merchant reader  401    403   403  200     404   404     200    200     200   404       404=agreements.not_found
moveAgreement      merchant keeper  401    403   403  200     404   404     200    403     200   404       404=agreements.not_found
"""  # noqa: E501 - a table
HERS = {"agreements": "created_by = :alice"}
BEYOND_THE_SCHEMA = {
    "body",  # one day after the other
    *("body.since", "body.until", "body.state"),  # of a settled month; before today
    *("body.cents_per_point", "body.subsidy_percent", "body.cap_cents"),  # 3.0 is no whole number
    "merchants.not_found",
    "agreements.own",
    "agreements.overlap",
}
ACCEPT = {"state": "active", "reason": "同意"}


def terms(counter: Counter, **changes: Any) -> dict[str, Any]:
    body = {
        "org_id": str(counter.merchant.org_id),
        "merchant_id": str(counter.merchant.id),
        "since": f"{first_of()}",
        "cents_per_point": 10,
        "subsidy_percent": 80,
    }
    return body | changes


async def make_shop(world: World) -> Counter:
    """Make a merchant of Alice's community, where the counter's person works."""
    counter = await make_counter(world.runtime, org=world.home)
    staff = world.everybody["counter"]
    assert staff is not None
    async with world.runtime.database.transaction() as tx:
        await appoint(tx, staff.id, Role.merchant_staff, merchant=counter.merchant.id)
    return counter


async def _new(world: World) -> Ask:
    return Ask(body=terms(await make_shop(world)))


async def _of_home(world: World) -> Ask:
    return Ask(query={"org_id": str(world.home.id)})


async def _made(world: World) -> dict[str, str]:
    return {"agreement_id": str((await make_agreement(world.runtime, await make_shop(world))).id)}


async def _shown(world: World) -> Ask:
    return Ask(await _made(world))


async def _ended(world: World) -> Ask:
    until = f"{local_date(now()) + timedelta(days=30)}"
    return Ask(await _made(world), {"state": "ended", "until": until, "reason": "另签"})


REQUESTS = {
    "proposeAgreement": _new,
    "listAgreements": _of_home,
    "getAgreement": _shown,
    "moveAgreement": _ended,
}


async def _overlapping(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    counter = await make_counter(runtime)
    await make_agreement(runtime, counter)
    state = AgreementState.proposed
    made = await make_agreement(runtime, counter, state=state, since=first_of())
    facts = {"since": f"{first_of(PAST)}", "until": None}
    return Refused(counter.staff, "POST", f"/agreements/{made.id}/moves", facts, ACCEPT)


REFUSED = {"agreements.overlap": _overlapping}


async def known(setup: Setup) -> Known:
    state = AgreementState.proposed
    made = [
        await make_agreement(setup.runtime, setup.counter, state=state, since=first_of())
        for _ in range(FEW)
    ]
    return {"agreement_id": [str(one.id) for one in made]}


async def propose(
    api: httpx.AsyncClient, who: TestPerson, counter: Counter, **changes: Any
) -> httpx.Response:
    return await api.post(AGREEMENTS, headers=keyed(who), json=terms(counter, **changes))


async def move(
    api: httpx.AsyncClient, who: TestPerson, agreement: object, **body: Any
) -> httpx.Response:
    path = f"{AGREEMENTS}/{agreement}/moves"
    return await api.post(path, headers=keyed(who), json={"reason": "说明"} | body)


async def test_one_side_proposes_and_the_other_answers(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)

    made = (await propose(api, organizer, counter, note="每季度对账")).json()
    own = await move(api, organizer, made["id"], state="active")
    withdrawn = await move(api, counter.staff, made["id"], state="withdrawn")
    accepted = await move(api, counter.staff, made["id"], state="active")
    again = await move(api, counter.staff, made["id"], state="declined")

    assert (made["state"], accepted.json()["state"]) == ("proposed", "active")
    for refused in (own, withdrawn):
        assert_refused(refused, 403, "agreements.own")
    assert_refused(again, 409, "agreements.wrong_state")
    told = [(await inbox(api, runtime, one))[0]["kind"] for one in (counter.staff, organizer)]
    assert told == ["agreement_proposed", "agreement_moved"]
    administrator = await make_administrator(runtime, counter.merchant.org_id)
    org = SimpleNamespace(id=counter.merchant.org_id)
    verbs = [one["verb"] for one in await entries(api, administrator, org, subject="agreement")]
    assert verbs == ["moved", "created"]
    listed = await api.get(f"{API}/merchant/agreements", headers=counter.staff.headers)
    assert listed.json()["items"] == [accepted.json()]
    asked = {"org_id": str(counter.merchant.org_id)}
    files = [await exported(api, "/agreements", form, organizer, **asked) for form in FORMS]
    assert [row["每积分折合（分）"] for [row] in files] == ["10", "10"]


async def test_who_acts_for_both_sides_decides_for_neither(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    org_id = counter.merchant.org_id
    async with runtime.database.transaction() as tx:
        await appoint(tx, counter.staff.id, Role.organizer, org=org_id)
    mine = await propose(api, counter.staff, counter)
    theirs = await propose(api, await make_organizer(runtime, org_id), counter)
    accepted = await move(api, counter.staff, theirs.json()["id"], state="active")
    for refused in (mine, accepted):
        assert_refused(refused, 403, "agreements.own")


async def test_an_agreement_ends_today_or_later_and_gives_way_to_the_next(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    first = await make_agreement(runtime, counter)
    today = local_date(now())
    tomorrow = today + timedelta(days=1)
    next_one = (await propose(api, organizer, counter, since=f"{tomorrow}")).json()["id"]

    overlapping = await move(api, counter.staff, next_one, state="active")
    past, none, stray = [
        await move(api, organizer, first.id, **body)
        for body in (
            {"state": "ended", "until": f"{today - timedelta(days=1)}"},
            {"state": "ended"},
            {"state": "declined", "until": f"{tomorrow}"},
        )
    ]
    ended = await move(api, organizer, first.id, state="ended", until=f"{today}")
    accepted = await move(api, counter.staff, next_one, state="active")

    assert_refused(overlapping, 409, "agreements.overlap")
    assert_refused(past, 422, "request.invalid")
    assert_refused(none, 422, "request.invalid")
    assert_refused(stray, 403, "agreements.own")
    assert (ended.json()["until"], accepted.status_code) == (f"{today}", 200)


async def test_a_settled_month_gets_no_new_terms(api: httpx.AsyncClient, runtime: Runtime) -> None:
    counter = await make_counter(runtime)
    organizer = await make_organizer(runtime, counter.merchant.org_id)
    since = f"{first_of()}"
    before = await propose(api, organizer, counter, since=since)
    too_early = await propose(api, organizer, counter, since=f"{first_of(2)}")
    until = first_of() - timedelta(days=1)
    await make_agreement(runtime, counter, until=until)
    await charge_at(runtime, counter, 5, now())
    await settle_in_next_month(runtime, organizer, counter, counter.merchant.org_id)
    after = await propose(api, organizer, counter, since=since)
    waiting = await move(api, counter.staff, before.json()["id"], state="active")
    assert before.status_code == 201
    assert_refused(too_early, 422, "request.invalid")
    assert_refused(after, 422, "request.invalid")
    assert_refused(waiting, 422, "request.invalid")


async def test_an_organisation_offers_rewards_where_it_has_an_agreement(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter, other = await make_counter(runtime), await make_org(runtime)
    bank = await make_counter(runtime, kind=MerchantKind.fund_counter)
    own = await make_organizer(runtime, counter.merchant.org_id)
    theirs = await make_organizer(runtime, other.id)

    async def offer(who: TestPerson, at: Counter = counter) -> httpx.Response:
        body = {"merchant_id": str(at.merchant.id), "org_id": str(other.id), "key": "mug"}
        terms = {"name": "马克杯", "kind": "goods", "points": 8, "min_tier": "sprout"}
        return await api.post(f"{API}/rewards", headers=keyed(who), json=body | terms)

    early = await offer(theirs)
    for at in (counter, bank):
        await make_agreement(runtime, at, other.id)
    made = await offer(theirs)
    for refused in (early, await offer(own), await offer(theirs, bank)):
        assert_refused(refused, 404, "merchants.not_found")
    assert made.status_code == 201
    async with runtime.database.read() as tx:
        reward = await tx.get(Reward, UUID(made.json()["id"]))
        assert reward is not None
        assert reward.org_id == other.id


async def test_postgresql_keeps_two_agreements_apart(runtime: Runtime) -> None:
    counter = await make_counter(runtime)
    await make_agreement(runtime, counter)
    with pytest.raises(Exception, match="ex_agreements_overlap"):
        await make_agreement(runtime, counter, since=first_of())
