"""Every refusal with facts: what it says in either language, and that it changes nothing."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic_core import to_jsonable_python

from app.api.refusals import catalogue
from app.core.clock import local_date, midnight, now, period_start
from app.core.language import Language
from app.main import MAX_BODY_BYTES
from app.models.activities import ActivityStatus
from app.models.checkins import CLOSES_AFTER_END, OPENS_BEFORE_START
from app.models.rewards import RewardPeriod
from app.runtime import Runtime
from app.services.ledger.seals import GRACE
from tests.architecture.test_openapi import refusals
from tests.factories.activities import current_code, make_activity, make_attended, sign_up
from tests.factories.awards import TWO_REVIEWERS, approve, give_award, propose, reject, reverse
from tests.factories.batches import donation, number
from tests.factories.batches import make_case as make_batch
from tests.factories.deductions import deduct
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import (
    TestPerson,
    make_administrator,
    make_organizer,
    make_people,
    make_person,
)
from tests.factories.refusals import Ask, Maker, everything
from tests.factories.rewards import (
    Counter,
    make_card_codes,
    make_counter,
    make_overdue,
    make_reward,
    reserve,
)
from tests.factories.sheets import XLSX, make_sheet
from tests.security import nouns

API = "/api/v1"
REASON = {"reason": "x"}
LATER = timedelta(days=2)
LANGUAGES: tuple[Language, ...] = ("zh-CN", "en")


async def _too_early_to_sign_up(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    opens, starts = now() + timedelta(days=1), now() + LATER
    activity = await make_activity(runtime, starts_at=starts, signup_opens_at=opens)
    facts = {"opens_at": opens, "closes_at": activity.signup_closes_at}
    return Ask(await make_person(runtime), "POST", f"/activities/{activity.id}/signups", facts)


async def _sign_up_when_over(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    activity = await make_activity(runtime, starts_at=now() - LATER)
    facts = {"status": "published", "ends_at": activity.ends_at}
    return Ask(await make_person(runtime), "POST", f"/activities/{activity.id}/signups", facts)


async def _cancel_when_begun(api: httpx.AsyncClient, runtime: Runtime) -> Ask:
    person, starts = await make_person(runtime), now() - timedelta(minutes=1)
    activity = await make_attended(runtime, person, starts_at=starts)
    [signup] = await walk(api, f"{API}/me/signups", person.headers)
    return Ask(person, "DELETE", f"/signups/{signup['id']}", {"closes_at": activity.starts_at})


async def _check_in_when_cancelled(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    activity = await make_activity(runtime, status=ActivityStatus.cancelled)
    facts = {"status": "cancelled", "starts_at": activity.starts_at, "ends_at": activity.ends_at}
    code = {"code": current_code(runtime, activity)}
    return Ask(await make_person(runtime), "POST", "/checkins", facts, code)


async def _code_when_cancelled(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    activity = await make_activity(runtime, status=ActivityStatus.cancelled)
    facts = {"status": "cancelled", "starts_at": activity.starts_at, "ends_at": activity.ends_at}
    organizer = await make_organizer(runtime, activity.org_id)
    return Ask(organizer, "GET", f"/activities/{activity.id}/checkin-code", facts)


async def _publish_cancelled(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    activity = await make_activity(runtime, status=ActivityStatus.cancelled)
    organizer = await make_organizer(runtime, activity.org_id)
    path = f"/activities/{activity.id}/publish"
    return Ask(organizer, "POST", path, {"status": "cancelled"})


async def _check_in_too_early(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    person = await make_person(runtime)
    activity = await make_attended(runtime, person, starts_at=now() + timedelta(hours=1))
    facts = {
        "opens_at": activity.starts_at - OPENS_BEFORE_START,
        "closes_at": activity.ends_at + CLOSES_AFTER_END,
    }
    code = {"code": current_code(runtime, activity)}
    return Ask(person, "POST", "/checkins", facts, code)


async def _customer(runtime: Runtime, points: int) -> tuple[TestPerson, Counter]:
    person = await make_person(runtime)
    if points:
        await give_points(runtime, person.id, points)
    return person, await make_counter(runtime)


async def _redeem(
    runtime: Runtime, facts: dict[str, Any], quantity: int = 1, points: int = 15, **reward: Any
) -> Ask:
    person, counter = await _customer(runtime, points)
    made = await make_reward(runtime, counter, **reward)
    body = {"reward_id": str(made.id), "quantity": quantity}
    return Ask(person, "POST", "/redemptions", facts, body)


async def _redeem_too_dear(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    return await _redeem(runtime, {"needed": 20, "available": 15}, quantity=2)


async def _charge_too_dear(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    """A counter is not told what somebody has."""
    person, counter = await _customer(runtime, 15)
    [code] = await make_card_codes(runtime, person, 1)
    body = {"card_code": code, "points": 16, "note": ""}
    return Ask(counter.staff, "POST", "/merchant/charges", {"needed": 16}, body)


async def _redeem_out_of_stock(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    """The stock of the period is opened by a first redemption."""
    person, counter = await _customer(runtime, 60)
    reward = await make_reward(runtime, counter, stock=3, stock_period=RewardPeriod.year)
    await reserve(runtime, person.id, reward)
    body = {"reward_id": str(reward.id), "quantity": 3}
    begun = period_start(now(), "year")
    facts = {"stock_left": 2, "opens_at": period_start(begun + timedelta(days=370), "year")}
    return Ask(person, "POST", "/redemptions", facts, body)


async def _redeem_above_limit(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    person, counter = await _customer(runtime, 60)
    period = {"limit_per_member": 2, "limit_period": RewardPeriod.month}
    reward = await make_reward(runtime, counter, **period)
    await reserve(runtime, person.id, reward)
    begun = period_start(now(), "month")
    facts = {"limit": 2, "used": 1, "left": 1, "period_start": begun}
    facts["opens_at"] = period_start(begun + timedelta(days=32), "month")
    body = {"reward_id": str(reward.id), "quantity": 2}
    return Ask(person, "POST", "/redemptions", facts, body)


async def _redeem_above_limit_for_ever(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    facts = {"limit": 1, "used": 0, "left": 1, "period_start": None, "opens_at": None}
    bound = {"limit_per_member": 1, "limit_period": RewardPeriod.session}
    return await _redeem(runtime, facts, quantity=2, points=60, **bound)


async def _redeem_above_tier(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    facts = {"needed": "growth", "tier": "sprout", "points_missing": 40, "minutes_missing": 480}
    return await _redeem(runtime, facts, min_tier="growth")


async def _check_in_from_the_waiting_list(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    person, activity = await make_person(runtime), await make_activity(runtime, capacity=1)
    for one in (*await make_people(runtime, 2), person):
        await sign_up(runtime, activity, one)
    code = {"code": current_code(runtime, activity)}
    return Ask(person, "POST", "/checkins", {"status": "waitlisted", "position": 2}, code)


async def _approve_alone_twice(api: httpx.AsyncClient, runtime: Runtime) -> Ask:
    org = await make_org(runtime)
    proposer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    [award] = await propose(api, proposer, org, await make_person(runtime), **TWO_REVIEWERS)
    await approve(api, reviewer, award)
    return Ask(reviewer, "POST", f"/awards/{award['id']}/approval", {"reviews_missing": 1})


async def _collect_cancelled(api: httpx.AsyncClient, runtime: Runtime) -> Ask:
    person, counter = await _customer(runtime, 15)
    made = await reserve(runtime, person.id, await make_reward(runtime, counter))
    await api.post(f"{API}/redemptions/{made.id}/cancel", headers=keyed(person))
    facts = {"status": "cancelled", "expires_at": made.expires_at}
    body = {"pickup_code": made.pickup_code}
    return Ask(counter.staff, "POST", "/merchant/redemptions/collect", facts, body)


async def _collect_overdue(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    person, counter = await _customer(runtime, 15)
    made = await reserve(runtime, person.id, await make_reward(runtime, counter))
    await make_overdue(runtime, made.id)
    body = {"pickup_code": made.pickup_code}
    facts = {"status": "expired"}
    return Ask(counter.staff, "POST", "/merchant/redemptions/collect", facts, body)


async def _cancel_collected(api: httpx.AsyncClient, runtime: Runtime) -> Ask:
    person, counter = await _customer(runtime, 15)
    made = await reserve(runtime, person.id, await make_reward(runtime, counter))
    code, path = {"pickup_code": made.pickup_code}, f"{API}/merchant/redemptions/collect"
    await api.post(path, headers=keyed(counter.staff), json=code)
    facts = {"status": "collected", "expires_at": made.expires_at}
    return Ask(person, "POST", f"/redemptions/{made.id}/cancel", facts)


async def _refund_twice(api: httpx.AsyncClient, runtime: Runtime) -> Ask:
    person, counter = await _customer(runtime, 15)
    [code] = await make_card_codes(runtime, person, 1)
    charges, body = f"{API}/merchant/charges", {"card_code": code, "points": 5, "note": ""}
    made = (await api.post(charges, headers=keyed(counter.staff), json=body)).json()
    path = f"/merchant/charges/{made['id']}/refund"
    await api.post(API + path, headers=keyed(counter.staff), json=REASON)
    async with runtime.database.read() as tx:
        from app.models.redemptions import Charge

        charge = await tx.get(Charge, made["id"])
    assert charge is not None
    return Ask(counter.staff, "POST", path, {"refunded_at": charge.refunded_at}, REASON)


async def _without_key(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    facts = {"limit": 255, "measure": "characters"}
    headers = {"Idempotency-Key": ""}
    person = await make_person(runtime)
    body = {"reward_id": str(uuid4()), "quantity": 1}
    return Ask(person, "POST", "/redemptions", facts, body, headers=headers)


async def _with_long_key(api: httpx.AsyncClient, runtime: Runtime) -> Ask:
    ask = await _without_key(api, runtime)
    ask.headers["Idempotency-Key"] = "x" * 256
    return ask


async def _rows_wrong(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    org, organizer, people = await make_batch(runtime)
    certificate = number()
    rows = [donation(people[0]), donation(people[1], certificate), donation(people[2], certificate)]
    body = {"rule_key": "blood_donation", "org_id": str(org.id), "rows": rows}
    return Ask(organizer, "POST", "/awards/batches", {"proposed": 1, "refused": 2}, body)


async def _sheet_too_long(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    org, organizer, _people = await make_batch(runtime)
    sheet = make_sheet(*[("x",)] * 502)
    fields = {"org_id": (None, str(org.id)), "rule_key": (None, "blood_donation")}
    files = fields | {"file": ("awards.xlsx", sheet, XLSX)}
    facts = {"limit": 500, "measure": "rows"}
    return Ask(organizer, "POST", "/awards/batches/sheet", facts, files=files)


async def _approve_rejected(api: httpx.AsyncClient, runtime: Runtime) -> Ask:
    org = await make_org(runtime)
    proposer, first, second = [await make_organizer(runtime, org.id) for _ in range(3)]
    [award] = await propose(api, proposer, org, await make_person(runtime))
    await reject(api, first, award)
    return Ask(second, "POST", f"/awards/{award['id']}/approval", {"status": "rejected"})


async def _decide_twice(api: httpx.AsyncClient, runtime: Runtime) -> Ask:
    org = await make_org(runtime)
    proposer, reviewer, judge = [await make_organizer(runtime, org.id) for _ in range(3)]
    person, objector = await make_people(runtime, 2)
    [award] = await propose(api, proposer, org, person)
    await approve(api, reviewer, award)
    objections = f"{API}/awards/{award['id']}/objections"
    objection = (await api.post(objections, headers=keyed(objector), json=REASON)).json()
    path, body = f"/awards/objections/{objection['id']}/decision", REASON | {"upheld": True}
    await api.post(API + path, headers=keyed(judge), json=body)
    return Ask(judge, "POST", path, {"status": "rejected"}, body)


async def _object_six_times(api: httpx.AsyncClient, runtime: Runtime) -> Ask:
    org, person = await make_org(runtime), await make_person(runtime)
    proposer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    awards = await propose(api, proposer, org, *await make_people(runtime, 6))
    paths = [f"/awards/{award['id']}/objections" for award in awards]
    for award, path in zip(awards, paths, strict=True):
        await approve(api, reviewer, award)
        if path != paths[-1]:
            await api.post(API + path, headers=keyed(person), json=REASON)
    return Ask(person, "POST", paths[-1], {"limit": 5, "used": 5}, REASON)


async def _reverse_twice(api: httpx.AsyncClient, runtime: Runtime) -> Ask:
    org, person = await make_org(runtime), await make_person(runtime)
    admin = await make_administrator(runtime, org.id)
    award = await give_award(runtime, person, org)
    assert (await reverse(api, admin, award)).status_code == 201
    path = f"/ledger/transfers/{award}/reversal"
    return Ask(admin, "POST", path, {"status": "reversed"}, REASON)


async def _prove_today(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    person, at, today = await make_person(runtime), now(), local_date(now())
    await give_points(runtime, person.id, 5, at=at)
    facts = {"day": today, "opens_at": midnight(today + timedelta(days=1)) + GRACE}
    return Ask(person, "GET", "/me/points/entries/1/proof", facts)


async def _deducted(
    api: httpx.AsyncClient, runtime: Runtime
) -> tuple[dict[str, Any], TestPerson, TestPerson]:
    org, person = await make_org(runtime), await make_person(runtime)
    organizer = await make_organizer(runtime, org.id)
    judge = await make_organizer(runtime, org.id)
    return await deduct(api, organizer, org, person), person, judge


async def _appeal_twice(api: httpx.AsyncClient, runtime: Runtime) -> Ask:
    deduction, person, _ = await _deducted(api, runtime)
    path = f"/deductions/{deduction['id']}/appeal"
    await api.post(API + path, headers=keyed(person), json=REASON)
    facts = {"status": "appealed", "closes_at": deduction["appeal_until"]}
    return Ask(person, "POST", path, facts, REASON)


async def _decide_unappealed(api: httpx.AsyncClient, runtime: Runtime) -> Ask:
    deduction, _, judge = await _deducted(api, runtime)
    path, body = f"/deductions/{deduction['id']}/decision", REASON | {"granted": True}
    return Ask(judge, "POST", path, {"status": "standing"}, body)


async def _body_too_long(_: httpx.AsyncClient, runtime: Runtime) -> Ask:
    body = {"display_name": "x" * MAX_BODY_BYTES}
    facts = {"limit": MAX_BODY_BYTES, "measure": "bytes"}
    return Ask(await make_person(runtime), "PUT", "/me", facts, body)


CASES: tuple[tuple[str, Maker], ...] = (
    ("signups.closed", _too_early_to_sign_up),
    ("activities.not_open", _sign_up_when_over),
    ("signups.too_late_to_cancel", _cancel_when_begun),
    ("activities.not_open", _check_in_when_cancelled),
    ("activities.not_open", _code_when_cancelled),
    ("activities.not_draft", _publish_cancelled),
    ("checkins.outside_window", _check_in_too_early),
    ("points.insufficient", _redeem_too_dear),
    ("points.insufficient", _charge_too_dear),
    ("rewards.out_of_stock", _redeem_out_of_stock),
    ("rewards.limit_reached", _redeem_above_limit),
    ("rewards.limit_reached", _redeem_above_limit_for_ever),
    ("rewards.tier_too_low", _redeem_above_tier),
    ("checkins.not_signed_up", _check_in_from_the_waiting_list),
    ("awards.reviewed_before", _approve_alone_twice),
    ("redemptions.not_reserved", _collect_cancelled),
    ("redemptions.not_reserved", _collect_overdue),
    ("redemptions.not_reserved", _cancel_collected),
    ("charges.already_refunded", _refund_twice),
    ("idempotency.key_missing", _without_key),
    ("idempotency.key_malformed", _with_long_key),
    ("awards.rows_wrong", _rows_wrong),
    ("awards.not_pending", _approve_rejected),
    ("awards.objection_decided", _decide_twice),
    ("awards.too_many_objections", _object_six_times),
    ("sheets.too_large", _sheet_too_long),
    ("ledger.already_settled", _reverse_twice),
    ("ledger.not_sealed_yet", _prove_today),
    ("deductions.appeal_closed", _appeal_twice),
    ("deductions.not_appealed", _decide_unappealed),
    ("request.too_large", _body_too_long),
    *nouns.refused().items(),
)
# Where the others are tested.
ELSEWHERE = {
    "checkins.device_used": "tests/routers/test_checkin_devices.py",
    "activity_posters.used_up": "tests/routers/test_activity_posters.py",
    "posters.used_up": "tests/routers/test_posters.py",
    "idempotency.key_reused": "below",
    "request.rate_limited": "tests/routers/test_limits.py",
    "exports.too_many_rows": "tests/api/test_exports.py",
    "auth.suspended": "tests/routers/test_members.py",
    "attachments.too_large": "tests/routers/test_attachments.py",
    "attachments.too_many": "tests/routers/test_attachments.py",
    "cases.too_late": "tests/services/test_cases.py",
    "merchants.codes_locked": "tests/services/test_code_locks.py",
    "signups.clash": "tests/routers/test_signup_sessions.py",
    "signups.decided": "tests/routers/test_signup_decisions.py",
    "signups.no_offer": "tests/routers/test_signup_offers.py",
    "signups.not_eligible": "tests/routers/test_signup_terms.py",
    "signups.offer_over": "tests/routers/test_signup_offers.py",
    "signups.paused": "tests/jobs/test_signup_no_shows.py",
    "signups.session_unknown": "tests/routers/test_signup_sessions.py",
    "signups.too_many_friends": "tests/routers/test_signup_terms.py",
}
# Every refusal with a Retry-After has it: tests/api/test_refusals.py.
ALWAYS = ("retry_after",)


async def send(api: httpx.AsyncClient, ask: Ask, language: Language) -> httpx.Response:
    return await api.request(
        ask.method,
        API + ask.path,
        headers=keyed(ask.person) | {"Accept-Language": language} | ask.headers,
        json=ask.body,
        params=ask.query,
        files=ask.files,
    )


@pytest.mark.parametrize(("code", "make"), CASES, ids=[f"{c}-{m.__name__}" for c, m in CASES])
async def test_a_refusal_tells_its_facts_and_changes_nothing(
    api: httpx.AsyncClient, runtime: Runtime, code: str, make: Maker
) -> None:
    [refusal] = [one for one in catalogue() if one.code == code]
    ask = await make(api, runtime)
    before = await everything(runtime)

    replies = {language: await send(api, ask, language) for language in LANGUAGES}

    for language, reply in replies.items():
        assert_refused(reply, refusal.status, code)
        facts = reply.json()["facts"]
        times = {
            name: datetime.fromisoformat(value)
            for name, value in facts.items()
            if name.endswith("_at") and value is not None
        }
        assert reply.json()["msg"] == refusal(**facts | times).message(language)
        assert {**facts, **to_jsonable_python(ask.facts)} == facts
        assert facts.keys() - ask.facts.keys() <= {"expires_at"}
    assert await everything(runtime) == before


def test_every_refusal_with_facts_has_a_case() -> None:
    """A wrong state is refused by ``records.move`` alone: its nouns test that they call it."""
    told = {
        one.code
        for one in refusals()
        if one.fact_names not in ((), ALWAYS) and not one.code.endswith(".wrong_state")
    }
    assert told == {code for code, _ in CASES} | ELSEWHERE.keys()


async def test_a_key_that_was_used_says_when(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, counter = await _customer(runtime, 15)
    reward, at = await make_reward(runtime, counter), now()
    headers = keyed(person)
    for quantity in (1, 2):
        body = {"reward_id": str(reward.id), "quantity": quantity}
        reply = await api.post(f"{API}/redemptions", headers=headers, json=body)

    assert_refused(reply, 422, "idempotency.key_reused")
    assert to_jsonable_python(at) <= reply.json()["facts"]["used_at"] <= to_jsonable_python(now())


async def test_a_number_that_was_used_is_named(api: httpx.AsyncClient, runtime: Runtime) -> None:
    org = await make_org(runtime)
    organizer, people = await make_organizer(runtime, org.id), await make_people(runtime, 2)
    evidence = {"rule_key": "blood_donation", "evidence": {"certificate": number()}}
    await propose(api, organizer, org, people[0], **evidence)
    body = {"org_id": str(org.id), "person_ids": [str(people[1].id)]} | evidence

    reply = await api.post(f"{API}/awards", headers=keyed(organizer), json=body)

    assert_refused(reply, 409, "awards.number_used")
    assert [one["field"] for one in reply.json()["errors"]] == ["body.evidence.certificate"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_is_wrong_with_a_sheet_is_said_in_one_language(
    api: httpx.AsyncClient, runtime: Runtime, language: Language
) -> None:
    org, organizer, _ = await make_batch(runtime)
    fields = {"org_id": (None, str(org.id)), "rule_key": (None, "blood_donation")}
    merged = make_sheet(("a", "b"), (1, 2), merged="A1:B2")
    formula = make_sheet(("a", "b"), ("=1", 2))
    told = []
    for sheet in (merged, formula, make_sheet(("a",), (1,), second="x"), make_sheet()):
        files = fields | {"file": ("awards.xlsx", sheet, XLSX)}
        ask = Ask(organizer, "POST", "/awards/batches/sheet", {}, files=files)
        reply = await send(api, ask, language)
        assert_refused(reply, 422, "sheets.not_plain")
        told += [one["msg"] for one in reply.json()["errors"]]

    assert len(told) == 4
    assert all(one.isascii() is (language == "en") for one in told)
    assert not any(char.isascii() for one in told for char in one if language == "zh-CN")


async def test_the_facts_of_a_refusal_are_documented_where_it_is_refused(app: FastAPI) -> None:
    redeem = app.openapi()["paths"][f"{API}/redemptions"]["post"]["responses"]["409"]["x-facts"]
    assert redeem["rewards.limit_reached"] == ["limit", "used", "left", "period_start", "opens_at"]
