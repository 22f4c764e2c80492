"""The 青享卡: its number, its tier and its code."""

import re
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from app.core.clock import now
from app.models.shops import Shop, ShopState
from app.queries import cards as queries
from app.runtime import Runtime
from app.services import cards
from app.services.policies import history
from tests.factories.awards import give_award, propose, raise_to_growth
from tests.factories.http import assert_refused, keyed
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_people, make_person
from tests.factories.rewards import Counter, make_card_codes, make_counter
from tests.security.schema_world import MANY, OUTLIVES_THE_RUN, Known, Setup

API = "/api/v1"
MATRIX = """
operation      rule    nobody alice bob  counter rival sibling parent auditor admin outsider
getMyCard      person  401    200+  200  200     200   200     200    200     200   200
getMyCardCode  person  401    200+  200  200     200   200     200    200     200   200
getMyCardCodes  person  401   200+  200  200     200   200     200    200     200   200
"""
HERS = dict.fromkeys(("cards", "card_codes", "tier_standings"), "person_id = :alice")
BESIDE_POINTS = {"tier_standings"}


async def known(setup: Setup) -> Known:
    codes = await make_card_codes(setup.runtime, setup.caller, MANY, OUTLIVES_THE_RUN)
    return {"card_code": codes}


async def card(api: httpx.AsyncClient, person: TestPerson) -> dict[str, Any]:
    response = await api.get(f"{API}/me/card", headers=person.headers)
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


async def code(api: httpx.AsyncClient, person: TestPerson) -> dict[str, Any]:
    response = await api.get(f"{API}/me/card/code", headers=person.headers)
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


async def charge(
    api: httpx.AsyncClient, counter: Counter, card_code: str, points: int = 1
) -> httpx.Response:
    return await api.post(
        f"{API}/merchant/charges",
        headers=keyed(counter.staff),
        json={"card_code": card_code, "points": points, "note": ""},
    )


def luhn_holds(number: str) -> bool:
    doubled = [int(d) * (2 if place % 2 else 1) for place, d in enumerate(reversed(number))]
    return sum(n // 10 + n % 10 for n in doubled) % 10 == 0


async def test_every_card_has_a_number_of_its_own_with_a_check_digit(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    numbers = [(await card(api, person))["card_no"] for person in await make_people(runtime, 5)]

    assert len(set(numbers)) == 5
    for number in numbers:
        assert re.fullmatch(r"68\d{11}", number)
        assert luhn_holds(number)


async def test_a_new_card_is_a_sprout_and_active(api: httpx.AsyncClient, runtime: Runtime) -> None:
    found = await card(api, await make_person(runtime))

    assert (found["tier"], found["tier_name"], found["status"]) == ("sprout", "青芽卡", "active")


async def test_points_and_hours_of_twelve_months_raise_the_tier(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)

    await raise_to_growth(runtime, person, org)

    found = await card(api, person)
    assert (found["tier"], found["tier_name"]) == ("growth", "青禾卡")
    await assert_ledger_verifies(runtime)


async def test_a_card_shows_what_the_next_tier_takes(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    for days_ago in (2, 1):
        await give_award(runtime, person, org, points=8, minutes=90, days_ago=days_ago)

    found = await card(api, person)

    assert found["benefits"] == ["青年之家使用", "工具借用1件/3天", "基础兑换清单"]
    assert (found["points_12m"], found["minutes_12m"]) == (16, 180)
    following = found["next_tier"]
    async with runtime.database.read() as tx:
        tier = (await history.in_force(tx)).document.tiers[1]
    assert (following["tier"], following["tier_name"]) == ("growth", "青禾卡")
    assert (following["points"], following["minutes"]) == (tier.points_12m, tier.hours_12m * 60)
    assert following["points_missing"] == tier.points_12m - 16
    assert following["minutes_missing"] == tier.hours_12m * 60 - 180
    assert following["benefits"][0] == "商户9.5折"


async def test_a_card_shows_open_shops(
    api: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "SHOPS", 10_000)
    person, counter = await make_person(runtime), await make_counter(runtime)
    own: dict[str, Any] = {"merchant_id": counter.merchant.id, "org_id": counter.merchant.org_id}
    async with runtime.database.transaction() as tx:
        for name, state in [("青年咖啡馆", ShopState.open), ("旧店", ShopState.closed)]:
            place: dict[str, Any] = {"name": name, "address": "三茅路 1 号", "state": state}
            tx.add(Shop(**own, **place, created_by=counter.staff.id))

    shops = (await card(api, person))["accepted_at"]

    names = [one["name"] for one in shops if one["merchant_id"] == str(counter.merchant.id)]
    assert names == ["青年咖啡馆"]


async def test_points_without_hours_do_not_raise_the_tier(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    for days_ago in range(5, 0, -1):
        await give_award(runtime, person, org, points=8, minutes=60, days_ago=days_ago)

    assert (await card(api, person))["tier"] == "sprout"


async def test_what_was_earned_more_than_a_year_ago_counts_no_more(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, org = await make_person(runtime), await make_org(runtime)
    for days_ago in range(370, 365, -1):
        await give_award(runtime, person, org, points=8, minutes=240, days_ago=days_ago)

    assert (await card(api, person))["tier"] == "sprout"


async def test_hours_that_wait_for_approval_do_not_raise_the_tier(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Points count for the tier when they are available; so must hours."""
    person, org = await make_person(runtime), await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    for days_ago in range(5, 0, -1):
        await give_award(runtime, person, org, points=8, days_ago=days_ago)
    await propose(api, organizer, org, person, rule_key="volunteer_hour", quantity=9, evidence={})

    assert (await card(api, person))["tier"] == "sprout"


async def test_a_code_is_eighteen_digits_and_stays_for_its_minute(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)

    first, second = await code(api, person), await code(api, person)

    assert re.fullmatch(r"\d{18}", first["code"])
    left = datetime.fromisoformat(first["expires_at"]) - now()
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)
    assert second == first


async def test_a_code_is_stored_by_nobody(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    response = await api.get("/api/v1/me/card/code", headers=person.headers)
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers


async def test_codes_of_two_people_differ(api: httpx.AsyncClient, runtime: Runtime) -> None:
    codes = {(await code(api, person))["code"] for person in await make_people(runtime, 5)}

    assert len(codes) == 5


async def test_a_code_in_its_last_seconds_is_not_handed_out(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    old = await insert_code(runtime, person, expires_at=now() + timedelta(seconds=4))

    assert (await code(api, person))["code"] != old


async def test_after_use_there_is_a_new_code(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, counter = await make_person(runtime), await make_counter(runtime)
    await give_points(runtime, person.id, 10)
    first = (await code(api, person))["code"]

    assert (await charge(api, counter, first)).status_code == 201

    second = (await code(api, person))["code"]
    assert second != first
    assert_refused(await charge(api, counter, first), 409, "cards.code_used")
    assert (await charge(api, counter, second)).status_code == 201
    assert await balance(runtime, person.id) == 8


async def test_an_expired_code_is_invalid(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, counter = await make_person(runtime), await make_counter(runtime)
    await give_points(runtime, person.id, 10)
    expired = await insert_code(runtime, person, expires_at=now() - timedelta(milliseconds=1))

    response = await charge(api, counter, expired)

    assert_refused(response, 422, "cards.code_invalid")
    assert await balance(runtime, person.id) == 10


async def test_an_unknown_code_is_invalid_however_it_looks(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    counter = await make_counter(runtime)

    for unknown in ("0" * 18, "1", "x" * 18, "１" * 18, "0" * 32, " " * 18, "'; --"):
        assert_refused(await charge(api, counter, unknown), 422, "cards.code_invalid")


async def test_a_card_is_shown_to_nobody_without_login(api: httpx.AsyncClient) -> None:
    for path in ("card", "card/code", "card/codes"):
        assert_refused(await api.get(f"{API}/me/{path}"), 401, "auth.login_required")


async def insert_code(runtime: Runtime, person: TestPerson, *, expires_at: datetime) -> str:
    digits = f"{int(expires_at.timestamp() * 1e6) % 10**12:012}{person.id.int % 10**6:06}"
    async with runtime.database.transaction() as tx:
        assert await queries.insert_code(tx, person.id, digits, expires_at)
    return digits
