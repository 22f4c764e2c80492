"""Agreements to exchange points: proposed by one organisation, answered by another."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx

from app.core.clock import now
from app.jobs.outbox import relay
from app.models.orgs import Level
from app.models.people import Role
from app.runtime import Runtime
from tests.factories.exchanges import (
    agreement_body,
    exchange,
    make_exchange_agreement,
    make_programme,
    make_proposed,
)
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.inbox import inbox
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    appoint,
    make_administrator,
    make_organizer,
    make_person,
)
from tests.factories.refusals import Ask as Refused
from tests.routers.test_audit import entries
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
AGREEMENTS = f"{API}/exchange-agreements"
MATRIX = """
operation                 rule           nobody alice bob  counter rival sibling parent auditor admin outsider
proposeExchangeAgreement  administrator  401    403   403  403     403   403     403    403     201   403
listExchangeAgreements    anyone         200    200   200  200     200   200     200    200     200   200
getExchangeAgreement      anyone         200    200   200  200     200   200     200    200     200   200
decideExchangeAgreement   administrator  401    403   403  403     403   403     403    403     200   403
endExchangeAgreement      administrator  401    403   403  403     403   403     403    403     200   403
"""  # noqa: E501 - a table
HERS = {"exchange_agreements": "created_by = :alice"}
BEYOND_THE_SCHEMA = {
    "body",  # one organisation twice
    "body.ends_at",  # in the past, or before the beginning
    *("body.rate_points", "body.other_rate_points", "body.max_points", "body.other_max_points"),
    *("exchange_agreements.same_unit", "orgs.not_found"),
}
ACCEPTED = {"accepted": True, "reason": "同意"}


async def _proposal(world: World) -> Ask:
    other = await make_programme(world.runtime)
    return Ask(body=agreement_body(world.home, other.org))


async def _asked(world: World) -> Ask:
    other = await make_programme(world.runtime)
    made = await make_proposed(world.runtime, other.org, world.home)
    return Ask({"exchange_agreement_id": str(made)}, ACCEPTED)


async def _agreed(world: World) -> Ask:
    made = await make_exchange_agreement(world.runtime, world.home)
    return Ask({"exchange_agreement_id": str(made.id)}, {"reason": "年度结算"})


REQUESTS = {
    "proposeExchangeAgreement": _proposal,
    "getExchangeAgreement": _asked,
    "decideExchangeAgreement": _asked,
    "endExchangeAgreement": _agreed,
}


async def _same_unit(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, other = await make_org(runtime), await make_org(runtime)
    body = agreement_body(org, other)
    administrator = await make_administrator(runtime, org.id)
    return Refused(administrator, "POST", "/exchange-agreements", {"unit": "points"}, body)


REFUSED = {"exchange_agreements.same_unit": _same_unit}


async def known(setup: Setup) -> Known:
    made = [await make_exchange_agreement(setup.runtime, setup.org) for _ in range(FEW // 2)]
    asking = await make_programme(setup.runtime)
    made_too = [await make_proposed(setup.runtime, asking.org, setup.org) for _ in range(FEW)]
    return {
        "exchange_agreement_id": [*(str(one.id) for one in made), *map(str, made_too)],
        "other_org_id": [str(asking.org.id)],
    }


async def decide(
    api: httpx.AsyncClient, who: TestPerson, agreement: Any, **changes: Any
) -> httpx.Response:
    path = f"{AGREEMENTS}/{agreement}/decision"
    return await api.post(path, headers=keyed(who), json=ACCEPTED | changes)


async def end(api: httpx.AsyncClient, who: TestPerson, agreement: Any) -> httpx.Response:
    path = f"{AGREEMENTS}/{agreement}/end"
    return await api.post(path, headers=keyed(who), json={"reason": "年度结算"})


async def kinds(api: httpx.AsyncClient, runtime: Runtime, who: TestPerson) -> list[str]:
    await relay(runtime)
    return [one["kind"] for one in reversed(await inbox(api, runtime, who))]


async def test_one_side_proposes_and_the_other_agrees(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, other = await make_org(runtime), await make_programme(runtime)
    proposer, answerer = [await make_administrator(runtime, o.id) for o in (org, other.org)]
    organizer = await make_organizer(runtime, other.org.id)
    key = keyed(proposer)
    body = agreement_body(org, other.org)
    made, again = [await api.post(AGREEMENTS, headers=key, json=body) for _ in range(2)]
    agreement = made.json()["id"]

    assert made.status_code == 201, made.text
    assert again.json() == made.json()
    assert made.json()["is_open"] is False
    for who in (proposer, organizer, await make_administrator(runtime, org.id)):
        assert_refused(await decide(api, who, agreement), 403, "auth.forbidden")
    agreed = await decide(api, answerer, agreement)
    assert (agreed.status_code, agreed.json()["is_open"]) == (200, True)
    assert_refused(await decide(api, answerer, agreement), 409, "exchange_agreements.wrong_state")

    [shown] = await walk(api, AGREEMENTS, org_id=str(other.org.id))
    assert shown == (await api.get(f"{AGREEMENTS}/{agreement}")).json()
    assert (shown["party"]["unit"], shown["other_party"]["unit"]) == ("points", other.unit)
    assert [shown[side]["rate_points"] for side in ("party", "other_party")] == [3, 2]
    assert [shown[side]["left"] for side in ("party", "other_party")] == [300, 20]
    assert await kinds(api, runtime, answerer) == ["exchange_proposed"]
    assert await kinds(api, runtime, proposer) == ["exchange_decided"]

    assert (await end(api, answerer, agreement)).json()["state"] == "ended"
    assert_refused(await end(api, proposer, agreement), 409, "exchange_agreements.wrong_state")
    assert (await kinds(api, runtime, proposer))[-1] == "exchange_ended"
    trail = [one["to"] for one in await entries(api, proposer, org) if one["verb"] == "moved"]
    assert trail == ["ended", "agreed"]


async def test_nobody_answers_an_own_proposal(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """Who administers both sides is one person all the same."""
    root = await make_org(runtime)
    below = await make_org(runtime, parent=root, level=Level.community)
    other = await make_programme(runtime)
    both = await make_administrator(runtime, root.id)
    async with runtime.database.transaction() as tx:
        await appoint(tx, both.id, Role.administrator, org=other.org.id)
    agreement = await make_proposed(runtime, below, other.org, both)

    refused = await decide(api, both, agreement)
    declined = await decide(
        api, await make_administrator(runtime, other.org.id), agreement, accepted=False
    )

    assert_refused(refused, 403, "exchange_agreements.own")
    assert (declined.json()["state"], declined.json()["is_open"]) == ("declined", False)


async def test_a_proposal_is_withdrawn_by_its_side_alone(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, other = await make_org(runtime), await make_programme(runtime)
    ours, theirs = [await make_administrator(runtime, o.id) for o in (org, other.org)]
    agreement = await make_proposed(runtime, org, other.org, ours)

    assert_refused(await end(api, theirs, agreement), 403, "auth.forbidden")
    assert (await end(api, ours, agreement)).json()["state"] == "ended"
    assert_refused(await decide(api, theirs, agreement), 409, "exchange_agreements.wrong_state")


async def test_what_is_wrong_is_refused(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, other = await make_org(runtime), await make_programme(runtime)
    ours = await make_administrator(runtime, org.id)
    yesterday, later = [(now() + timedelta(days=d)).isoformat() for d in (-1, 40)]
    wrong: list[dict[str, Any]] = [
        *({"rate_points": rate} for rate in (0, -1, 1.5, "3", 10_001, None)),
        *({"max_points": most} for most in (0, 10**9, True)),
        *({"ends_at": at} for at in (yesterday, "2027-01-01", None)),
        {"ends_at": (now() + timedelta(days=1200)).isoformat()},
        {"starts_at": later},
        {"other_org_id": str(org.id)},
        {"limit": 3},
    ]
    for one in wrong:
        body = agreement_body(org, other.org, **one)
        reply = await api.post(AGREEMENTS, headers=keyed(ours), json=body)
        assert_refused(reply, 422, "request.invalid")
    nowhere = agreement_body(org, other.org, other_org_id=str(uuid4()))
    reply = await api.post(AGREEMENTS, headers=keyed(ours), json=nowhere)
    assert_refused(reply, 404, "orgs.not_found")
    for reply in (
        await decide(api, ours, uuid4()),
        await end(api, ours, uuid4()),
        await api.get(f"{AGREEMENTS}/{uuid4()}"),
    ):
        assert_refused(reply, 404, "exchange_agreements.not_found")


async def test_positions_are_public(api: httpx.AsyncClient, runtime: Runtime) -> None:
    agreement, person = await make_exchange_agreement(runtime), await make_person(runtime)
    await give_points(runtime, person.id, 30, org=agreement.org.id)
    await exchange(api, person, agreement, agreement.org, 9)

    shown = (await api.get(f"{AGREEMENTS}/{agreement.id}")).json()

    assert (shown["party"]["position"], shown["party"]["left"]) == (9, 309)
    assert (shown["other_party"]["position"], shown["other_party"]["left"]) == (-6, 14)
