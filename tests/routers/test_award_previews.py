"""Previews: what the caps would leave of an award, as approving it at once would."""

from typing import Any

import httpx
import pytest
from sqlmodel import select

from app.models.audit import AuditEntry
from app.models.cards import MAX_SERIAL, card_number
from app.runtime import Runtime
from tests.factories.awards import award_body, give_award, propose
from tests.factories.http import assert_refused, keyed
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.routers.test_card_guesses import card_no
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

PREVIEW = "/api/v1/awards/preview"
MATRIX = """
operation     rule    nobody alice bob  counter rival sibling parent auditor admin outsider
previewAward  person  401    200   403  403     403   403     200    403     200   403
"""
BEYOND_THE_SCHEMA = {
    "query.rule_key",  # of the policy in force
    "query.grade",
    "query.points",
    "query.card_no",
    "people.not_found",
}


async def _of_alice(world: World) -> Ask:
    query = {"org_id": str(world.home.id), "rule_key": "volunteer_hour"}
    return Ask(query=query | {"person_id": str(world.alice.id)})


REQUESTS = {"previewAward": _of_alice}


async def known(_: Setup) -> Known:
    return {"rule_key": ["volunteer_hour"]}


async def preview(
    api: httpx.AsyncClient, caller: TestPerson, org: object, **query: Any
) -> httpx.Response:
    asked = {"org_id": str(org), "rule_key": "volunteer_hour"} | query
    return await api.get(PREVIEW, headers=caller.headers, params=asked)


async def test_it_says_what_an_award_would_give(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    await give_award(runtime, person, org, points=8, rule_key="volunteer_hour")
    await give_award(runtime, person, org, points=8, rule_key="lecture_give")
    await propose(api, organizer, org, person)  # waits for reviewers, and fills no cap
    commendation = {"rule_key": "commendation", "person_id": str(person.id)}

    told = await preview(api, organizer, org.id, **commendation)
    given = await api.post(
        "/api/v1/awards",
        headers=keyed(organizer),
        json=award_body(org, [person], evidence={"document": "4号", "public_notice": "已公示"}),
    )

    assert told.status_code == 200, told.text
    body = told.json()
    assert (body["points"], body["points_if_approved_now"], body["reviewers"]) == (15, 8, 1)
    assert body["points_if_approved_now"] == given.json()["items"][0]["points_if_approved_now"]
    assert body["reason"] == "已达每日总上限"
    rooms = {(one["scope"], one["period"], one["limit"]): one for one in body["caps"]}
    assert rooms["all_rules", "day", 24]["left"] == 8
    assert rooms["emergency", "day", 48]["left"] == 32
    assert rooms["all_rules", "month", 150] == {
        "scope": "all_rules",
        "period": "month",
        "limit": 150,
        "used": 16,
        "left": 134,
    }
    by_card = await preview(
        api, organizer, org.id, rule_key="commendation", card_no=await card_no(api, person)
    )
    assert by_card.json() == body
    assert str(person.id) not in by_card.text
    own = await preview(api, person, org.id, rule_key="commendation")
    assert own.json() == body
    async with runtime.database.read() as tx:
        query = select(AuditEntry.actor_id).filter_by(verb="viewed", subject_id=person.id)
        assert list(await tx.exec(query)) == [organizer.id] * 2, "one's own leaves no entry"
    hours = await preview(api, person, org.id, quantity=3)
    assert (hours.json()["points"], hours.json()["minutes"]) == (6, 180)
    used = {(one["scope"], one["period"]): one["used"] for one in hours.json()["caps"]}
    assert used["rule", "day"] == 8


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"rule_key": "no_such_rule"}, "query.rule_key"),
        ({"grade": "city"}, "query.grade"),
        ({"points": 100}, "query.points"),
        ({"person_id": "x"}, "query.person_id"),
        ({"quantity": 101}, "query.quantity"),
    ],
)
async def test_what_no_rule_offers_is_refused(
    api: httpx.AsyncClient, runtime: Runtime, query: dict[str, Any], field: str
) -> None:
    reply = await preview(api, await make_person(runtime), (await make_org(runtime)).id, **query)
    assert_refused(reply, 422, "request.invalid")
    assert [one["field"] for one in reply.json()["errors"]] == [field]


async def test_nobody_else_is_looked_at(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    unknown = card_number(MAX_SERIAL)
    for query, status, code in (
        ({"person_id": str(org.id)}, 404, "people.not_found"),
        ({"card_no": unknown}, 404, "people.not_found"),
        ({"card_no": unknown, "person_id": str(person.id)}, 422, "request.invalid"),
    ):
        assert_refused(await preview(api, organizer, org.id, **query), status, code)
    for stranger in (person, await make_organizer(runtime, (await make_org(runtime)).id)):
        card = await card_no(api, organizer)
        refused = await preview(api, stranger, org.id, card_no=card)
        assert_refused(refused, 403, "auth.forbidden")
