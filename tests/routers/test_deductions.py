"""A breach costs points, never more than there are; an appeal is decided by somebody else."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from app.core.clock import local_date, midnight, now
from app.jobs.outbox import relay
from app.models.ledger import Purpose
from app.models.orgs import Level, Org
from app.models.quotas import QuotaKind
from app.runtime import Runtime
from tests.factories.activities import make_activity, sign_up
from tests.factories.deductions import belong, deduct, deduction_body
from tests.factories.http import assert_refused, keyed
from tests.factories.inbox import inbox
from tests.factories.ledger import assert_ledger_verifies, balance, give_points, make_debt
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_people, make_person
from tests.factories.quotas import use_up
from tests.factories.refusals import Ask as Refused
from tests.factories.rewards import make_counter, make_overdue, make_reward, reserve
from tests.routers.test_roles import card_no
from tests.security.schema_world import FEW, Completion, Known, Setup
from tests.security.world import Ask, World

DEDUCTIONS = "/api/v1/deductions"
MATRIX = """
operation         rule       nobody alice bob  counter rival sibling parent auditor admin outsider
deductPoints      organizer  401    403   403  403     403   403     201+   403     201+  403
listDeductions    reader     401    403   403  403     403   403     200+   200+    200+  403
listMyDeductions  person     401    200+  200  200     200   200     200    200     200   200
appealDeduction   person     401    200+  404  404     404   404     404    404     404   404       404=deductions.not_found
decideAppeal      organizer  401    403   403  403     403   404     200+   403     200+  404       404=deductions.not_found
"""  # noqa: E501 - a table
HERS = {"deductions": "person_id = :alice"}
BEYOND_THE_SCHEMA = {
    "body.rule_key",  # of the policy in force
    "body.evidence",  # what the rule demands
    "body.grade",  # of the rule
    "body.points",
    "body",  # either of two names
    "people.not_found",  # by a card
}
REASON = {"reason": "x"}


async def _deduct(world: World) -> Ask:
    await belong(world.runtime, world.home, world.alice)
    return Ask(body=deduction_body(world.home, world.alice))


async def _deducted(world: World) -> Ask:
    organizer = await make_organizer(world.runtime, world.home.id)
    made = await deduct(world.api, organizer, world.home, world.alice)
    return Ask({"deduction_id": str(made["id"])}, REASON)


async def _deductions_of_home(world: World) -> Ask:
    await _deducted(world)
    return Ask(query={"org_id": str(world.home.id)})


async def _my_deductions(world: World) -> Ask:
    await _deducted(world)
    return Ask()


async def _appealed(world: World) -> Ask:
    ask = await _deducted(world)
    made = await appeal(world.api, world.alice, {"id": ask.ids["deduction_id"]})
    assert made.status_code == 200, made.text
    return Ask(ask.ids, REASON | {"granted": True})


REQUESTS = {
    "deductPoints": _deduct,
    "listDeductions": _deductions_of_home,
    "listMyDeductions": _my_deductions,
    "appealDeduction": _deducted,
    "decideAppeal": _appealed,
}


async def _deduct_too_often(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    await belong(runtime, org, person)
    await use_up(runtime, organizer, QuotaKind.deductions_made, 100)
    facts = {"limit": 100, "used": 100, "opens_at": midnight(local_date(now()) + timedelta(days=1))}
    return Refused(organizer, "POST", "/deductions", facts, deduction_body(org, person))


async def _deduct_too_often_of_one(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, person = await make_org(runtime), await make_person(runtime)
    await belong(runtime, org, person)
    await use_up(runtime, person, QuotaKind.deductions_of, 10)
    facts = {"limit": 10, "used": 10, "opens_at": midnight(local_date(now()) + timedelta(days=1))}
    organizer = await make_organizer(runtime, org.id)
    return Refused(organizer, "POST", "/deductions", facts, deduction_body(org, person))


async def _deduct_again(api: httpx.AsyncClient, runtime: Runtime) -> Refused:
    org, person = await make_org(runtime), await make_person(runtime)
    await belong(runtime, org, person)
    body = deduction_body(org, person)
    first, second = [await make_organizer(runtime, org.id) for _ in range(2)]
    made = await api.post(DEDUCTIONS, headers=keyed(first), json=body)
    assert made.status_code == 201, made.text
    day = local_date(datetime.fromisoformat(made.json()["created_at"]))
    return Refused(second, "POST", "/deductions", {"day": day}, body)


REFUSED = {
    "deductions.made_before": _deduct_again,
    "deductions.too_many": _deduct_too_often,
    "deductions.too_many_of_person": _deduct_too_often_of_one,
}


async def known(setup: Setup) -> Known:
    """What the caller may appeal against, and appeals of others that it may decide."""
    api, people = setup.api, [setup.caller] * FEW + setup.others
    made = [await deduct(api, setup.organizer, setup.org, person) for person in people]
    for person, deduction in zip(setup.others, made[FEW:], strict=True):
        assert (await appeal(api, person, deduction)).status_code == 200
    return {"deduction_id": [one["id"] for one in made], "rule_key": ["no_show"]}


async def completion(_: Setup) -> Completion:
    """Give evidence that no deduction has named yet."""
    activities = count(1)

    def complete(body: dict[str, Any], known: Known) -> None:
        if body.get("person_id") is not None and body.get("rule_key"):
            body.pop("card_no", None)
        if body.get("evidence") == {}:
            body["evidence"] = {"activity": f"植树 {next(activities)}"}
            for choice in ("grade", "points"):  # which only some rules leave
                body.pop(choice, None)
        if body.get("rule_key") in known["rule_key"]:
            body["rule_key"] = "no_show"

    return complete


async def appeal(
    api: httpx.AsyncClient, person: TestPerson, deduction: dict[str, object]
) -> httpx.Response:
    path = f"{DEDUCTIONS}/{deduction['id']}/appeal"
    return await api.post(path, headers=keyed(person), json={"reason": "当天请过假"})


async def decide(
    api: httpx.AsyncClient, person: TestPerson, deduction: dict[str, object], *, granted: bool
) -> httpx.Response:
    path = f"{DEDUCTIONS}/{deduction['id']}/decision"
    body = {"granted": granted, "reason": "已核实"}
    return await api.post(path, headers=keyed(person), json=body)


@pytest.mark.parametrize(("had", "taken"), [(5, 2), (2, 2), (1, 1), (0, 0)])
async def test_it_costs_what_the_rule_says_or_what_there_is(
    api: httpx.AsyncClient, runtime: Runtime, had: int, taken: int
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    if had:
        await give_points(runtime, person.id, had, org=org.id)

    found = await deduct(api, await make_organizer(runtime, org.id), org, person)

    assert (found["points_asked"], found["points"], found["state"]) == (2, taken, "standing")
    assert await balance(runtime, person.id) == had - taken
    await assert_ledger_verifies(runtime)


async def test_what_nobody_collected_in_time_is_there_to_be_taken(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    await give_points(runtime, person.id, 5, org=org.id)
    reward = await make_reward(runtime, await make_counter(runtime), points=5)
    await make_overdue(runtime, (await reserve(runtime, person.id, reward)).id)

    found = await deduct(api, await make_organizer(runtime, org.id), org, person)

    assert found["points"] == 2
    assert await balance(runtime, person.id) == 3
    await assert_ledger_verifies(runtime)


async def test_the_person_is_told_and_sees_it(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    await give_points(runtime, person.id, 5, org=org.id)
    made = await deduct(api, await make_organizer(runtime, org.id), org, person)

    mine = (await api.get("/api/v1/me/deductions", headers=person.headers)).json()["items"]
    await relay(runtime)
    notices = (await api.get("/api/v1/me/notices", headers=person.headers)).json()["items"]

    assert mine == [made]
    assert [one["subject"] for one in notices] == [{"type": "deduction", "id": made["id"]}]
    assert notices[0]["text"].startswith("因「无故缺席」扣 2 积分，")


async def test_the_same_breach_costs_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    await give_points(runtime, person.id, 9, org=org.id)
    organizers = [await make_organizer(runtime, org.id) for _ in range(2)]
    await belong(runtime, org, person)
    body = deduction_body(org, person)

    first, again = [await api.post(DEDUCTIONS, headers=keyed(one), json=body) for one in organizers]
    activity = body["evidence"]["activity"]
    spelled = [{"activity": activity, "note": "再次"}, {"activity": f"{activity.upper()}\u200b "}]

    assert first.status_code == 201
    assert_refused(again, 409, "deductions.made_before")
    for evidence in spelled:
        other = await api.post(
            DEDUCTIONS, headers=keyed(organizers[0]), json=body | {"evidence": evidence}
        )
        assert_refused(other, 409, "deductions.made_before")
    assert await balance(runtime, person.id) == 7


async def test_an_appeal_that_is_granted_gives_the_points_back(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    await give_points(runtime, person.id, 5, org=org.id)
    organizer, other = [await make_organizer(runtime, org.id) for _ in range(2)]
    made = await deduct(api, organizer, org, person)

    appealed = await appeal(api, person, made)
    granted = await decide(api, other, made, granted=True)

    assert (appealed.status_code, appealed.json()["state"]) == (200, "appealed")
    assert (granted.status_code, granted.json()["state"]) == (200, "revoked")
    assert await balance(runtime, person.id) == 5
    again = await decide(api, other, made, granted=True)
    assert_refused(again, 409, "deductions.not_appealed")
    await assert_ledger_verifies(runtime)


async def test_what_an_appeal_gives_back_pays_a_debt_first(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    await give_points(runtime, person.id, 2, org=org.id)
    organizer, other = [await make_organizer(runtime, org.id) for _ in range(2)]
    made = await deduct(api, organizer, org, person)
    await make_debt(runtime, person.id, 1, org=org.id)

    await appeal(api, person, made)
    await decide(api, other, made, granted=True)

    assert await balance(runtime, person.id) == 1
    assert await balance(runtime, person.id, Purpose.debt) == 0
    await assert_ledger_verifies(runtime)


async def test_an_appeal_against_nothing_taken_promises_no_points(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer, other = [await make_organizer(runtime, org.id) for _ in range(2)]
    made = await deduct(api, organizer, org, person)
    await appeal(api, person, made)

    granted = await decide(api, other, made, granted=True)

    assert (granted.json()["state"], granted.json()["points"]) == ("revoked", 0)
    [decided, _] = await inbox(api, runtime, person)
    assert decided["text"] == "您对「无故缺席」扣分的申诉成立，扣分已撤销：已核实"


async def test_an_appeal_that_is_not_granted_changes_nothing(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    await give_points(runtime, person.id, 5, org=org.id)
    organizer, other = [await make_organizer(runtime, org.id) for _ in range(2)]
    made = await deduct(api, organizer, org, person)
    assert_refused(await decide(api, other, made, granted=True), 409, "deductions.not_appealed")

    await appeal(api, person, made)
    denied = await decide(api, other, made, granted=False)

    assert denied.json()["state"] == "upheld"
    assert await balance(runtime, person.id) == 3
    again = await appeal(api, person, made)
    assert_refused(again, 409, "deductions.appeal_closed")
    assert again.json()["msg"] == "已申诉过"


async def test_nobody_decides_who_has_a_part_in_it(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer, breaker = [await make_organizer(runtime, org.id) for _ in range(2)]
    await give_points(runtime, breaker.id, 5, org=org.id)
    made = await deduct(api, organizer, org, breaker)
    await appeal(api, breaker, made)

    for caller in (organizer, breaker):
        refused = await decide(api, caller, made, granted=True)
        assert_refused(refused, 403, "deductions.own")
    assert await balance(runtime, breaker.id) == 3


async def test_nobody_deducts_from_oneself(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer, other = [await make_organizer(runtime, org.id) for _ in range(2)]
    await give_points(runtime, organizer.id, 5, org=org.id)
    await belong(runtime, org, organizer)
    body = deduction_body(org, organizer)

    own, done = [
        await api.post(DEDUCTIONS, headers=keyed(one), json=body) for one in (organizer, other)
    ]

    assert_refused(own, 403, "deductions.own_points")
    assert done.status_code == 201
    assert await balance(runtime, organizer.id) == 3


async def test_an_appeal_has_thirty_days(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    in_time, late = [await deduct(api, organizer, org, person) for _ in range(2)]
    until, made_at = [datetime.fromisoformat(late[n]) for n in ("appeal_until", "created_at")]
    assert until - made_at == timedelta(days=30)
    async with runtime.database.transaction() as tx:
        await tx.execute(
            text("UPDATE deductions SET appeal_until = :at WHERE id = :id"),
            {"at": now(), "id": UUID(late["id"])},
        )

    assert (await appeal(api, person, in_time)).status_code == 200
    refused = await appeal(api, person, late)
    assert_refused(refused, 409, "deductions.appeal_closed")
    assert refused.json()["msg"] == "已超过申诉期限"


async def test_what_a_rule_asks_for_must_be_there(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    await belong(runtime, org, person)
    for changes, field in (
        ({"rule_key": "bad_mood"}, "body.rule_key"),
        ({"rule_key": "commendation"}, "body.rule_key"),
        ({"evidence": {}}, "body.evidence.activity"),
        ({"evidence": {"activity": "\u2060"}}, "body.evidence.activity"),
        ({"points": 5}, "body.points"),
    ):
        body = deduction_body(org, person, **changes)
        response = await api.post(DEDUCTIONS, headers=keyed(organizer), json=body)
        assert_refused(response, 422, "request.invalid")
        assert [one["field"] for one in response.json()["errors"]] == [field]
    nobody = deduction_body(org, person, person_id=str(uuid4()))
    unknown = await api.post(DEDUCTIONS, headers=keyed(organizer), json=nobody)
    assert_refused(unknown, 404, "people.not_found")
    elsewhere = deduction_body(await make_org(runtime), person)
    outside = await api.post(DEDUCTIONS, headers=keyed(organizer), json=elsewhere)
    assert_refused(outside, 403, "auth.forbidden")


async def test_nobody_deducts_from_strangers_by_the_numbers_of_their_cards(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    street = await make_org(runtime)
    org, other = [await make_org(runtime, parent=street, level=Level.community) for _ in range(2)]
    organizer, above = [await make_organizer(runtime, one.id) for one in (org, street)]
    stranger, guest = await make_people(runtime, 2)
    await belong(runtime, other, stranger)
    activity = await make_activity(runtime, org=org)
    await sign_up(runtime, activity, guest)

    async def ask(by: TestPerson, place: Org, who: TestPerson) -> httpx.Response:
        body = deduction_body(place, who, card_no=await card_no(api, who))
        body.pop("person_id")
        return await api.post(DEDUCTIONS, headers=keyed(by), json=body)

    assert_refused(await ask(organizer, org, stranger), 404, "people.not_found")
    by_id = deduction_body(org, stranger)
    refused = await api.post(DEDUCTIONS, headers=keyed(organizer), json=by_id)
    assert_refused(refused, 404, "people.not_found")
    assert (await ask(organizer, org, guest)).status_code == 201
    assert (await ask(above, street, stranger)).status_code == 201


async def test_organizers_see_what_waits_for_a_decision(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, people = await make_org(runtime), [await make_person(runtime) for _ in range(3)]
    organizer = await make_organizer(runtime, org.id)
    made = [await deduct(api, organizer, org, person) for person in people]
    await appeal(api, people[1], made[1])

    async def shown(**query: str) -> list[UUID]:
        parameters = {"org_id": str(org.id), "limit": "2"} | query
        page = (await api.get(DEDUCTIONS, headers=organizer.headers, params=parameters)).json()
        found = [UUID(one["id"]) for one in page["items"]]
        more = page["next_cursor"]
        return found + (await shown(**query | {"cursor": more}) if more else [])

    assert await shown() == [UUID(one["id"]) for one in made[::-1]]
    assert await shown(state="appealed") == [UUID(made[1]["id"])]
