"""Redemptions: points held, then spent or given back."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from app.api.downloads import QrPicture
from app.core.clock import now
from app.jobs.expiry import expire_reservations
from app.models.ledger import Purpose
from app.models.merchants import MerchantKind
from app.models.rewards import Reward
from app.runtime import Runtime
from tests.factories.awards import give_award, raise_to_growth, reverse
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.ledger import assert_ledger_verifies, balance, give_points
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_administrator, make_person
from tests.factories.rewards import (
    Counter,
    make_card_codes,
    make_counter,
    make_overdue,
    make_reward,
)
from tests.security.schema_world import FEW, Known, Setup
from tests.security.world import Ask, World

API = "/api/v1"
MATRIX = """
operation          rule    nobody alice bob  counter rival sibling parent auditor admin outsider
redeem             person  401    201+  201  201     201   201     201    201     201   201
cancelRedemption   person  401    200+  404  404     404   404     404    404     404   404       404=redemptions.not_found
listMyRedemptions  person  401    200+  200  200     200   200     200    200     200   200
listRedemptions    reader  401    403   403  403     403   403     200+   200+    200+  403
getPickupCodeSvg   person  401    200   404  404     404   404     404    404     404   404       404=redemptions.not_found
"""  # noqa: E501 - a table
HERS = {"redemptions": "person_id = :alice"}
BEYOND_THE_SCHEMA = {"body.quantity"}  # 3.0 is no whole number to us


async def _redeem(world: World) -> Ask:
    reward = await make_reward(world.runtime, world.shop)
    return Ask(body={"reward_id": str(reward.id), "quantity": 1})


async def _redeemed(world: World) -> Ask:
    made = await world.post("alice", "redemptions", (await _redeem(world)).body)
    return Ask({"redemption_id": made["id"]})


async def _my_redemptions(world: World) -> Ask:
    await _redeemed(world)
    return Ask()


async def _redemptions(world: World) -> Ask:
    await _redeemed(world)
    return Ask(query={"org_id": str(world.home.id)})


REQUESTS = {
    "listRedemptions": _redemptions,
    "redeem": _redeem,
    "cancelRedemption": _redeemed,
    "getPickupCodeSvg": _redeemed,
    "listMyRedemptions": _my_redemptions,
}


async def known(setup: Setup) -> Known:
    rewards = [await make_reward(setup.runtime, setup.counter) for _ in range(FEW)]
    made = [await setup.post(setup.caller, "/redemptions", reward_id=one.id) for one in rewards]
    return {
        "redemption_id": [redemption["id"] for redemption in made],
        "pickup_code": [redemption["pickup_code"] for redemption in made],
    }


async def make_rich(runtime: Runtime, points: int = 100) -> TestPerson:
    person = await make_person(runtime)
    await give_points(runtime, person.id, points)
    return person


async def redeem(
    api: httpx.AsyncClient, person: TestPerson, reward: Reward, quantity: int = 1
) -> httpx.Response:
    return await api.post(
        f"{API}/redemptions",
        headers=keyed(person),
        json={"reward_id": str(reward.id), "quantity": quantity},
    )


async def reserved(
    api: httpx.AsyncClient, person: TestPerson, reward: Reward, quantity: int = 1
) -> dict[str, Any]:
    response = await redeem(api, person, reward, quantity)
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json()
    return body


async def cancel(
    api: httpx.AsyncClient, person: TestPerson, redemption: dict[str, Any]
) -> httpx.Response:
    path = f"{API}/redemptions/{redemption['id']}/cancel"
    return await api.post(path, headers=person.headers)


async def collect(api: httpx.AsyncClient, counter: Counter, pickup_code: str) -> httpx.Response:
    return await api.post(
        f"{API}/merchant/redemptions/collect",
        headers=keyed(counter.staff),
        json={"pickup_code": pickup_code},
    )


async def test_the_code_is_a_picture_until_it_is_collected(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_rich(runtime), await make_counter(runtime)
    made = await reserved(api, person, await make_reward(runtime, counter))
    path = f"{API}/redemptions/{made['id']}/pickup-code.svg"

    shown = await api.get(path, headers=person.headers)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/svg+xml")
    assert shown.headers["cache-control"] == "no-store"
    assert shown.content == QrPicture.of(made["pickup_code"]).body
    other = await api.get(path, headers=(await make_rich(runtime)).headers)
    assert_refused(other, 404, "redemptions.not_found")
    assert (await collect(api, counter, made["pickup_code"])).status_code == 200
    assert_refused(await api.get(path, headers=person.headers), 409, "redemptions.not_reserved")


async def test_a_reservation_holds_the_points(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_rich(runtime)
    reward = await make_reward(runtime, await make_counter(runtime), points=15)

    body = await reserved(api, person, reward, 2)

    assert (body["status"], body["points"], body["quantity"]) == ("reserved", 30, 2)
    assert body["reward_id"] == str(reward.id)
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{8}", body["pickup_code"])
    left = datetime.fromisoformat(body["expires_at"]) - now()
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    assert await balance(runtime, person.id) == 70
    assert await balance(runtime, person.id, Purpose.held) == 30
    [listed] = await walk(api, f"{API}/me/redemptions", person.headers)
    assert body.items() <= listed.items()


async def test_a_shop_gets_the_points_when_it_hands_over(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_rich(runtime), await make_counter(runtime)
    redemption = await reserved(api, person, await make_reward(runtime, counter))

    response = await collect(api, counter, redemption["pickup_code"])

    assert response.status_code == 200
    body = response.json()
    assert (body["id"], body["status"], body["points"]) == (redemption["id"], "collected", 10)
    assert body["person"] == {"display_name": "王*四"}
    assert await balance(runtime, person.id, Purpose.held) == 0
    assert await balance(runtime, counter.merchant.id, Purpose.takings) == 10
    mine = await walk(api, f"{API}/me/redemptions", person.headers)
    assert mine[0]["status"] == "collected"
    await assert_ledger_verifies(runtime)


async def test_a_public_bank_takes_the_points_back(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_rich(runtime)
    counter = await make_counter(runtime, kind=MerchantKind.fund_counter)
    redemption = await reserved(api, person, await make_reward(runtime, counter))

    await collect(api, counter, redemption["pickup_code"])

    assert await balance(runtime, counter.merchant.org_id, Purpose.fund) == 10
    assert await balance(runtime, counter.merchant.id, Purpose.takings) == 0


async def test_a_pickup_code_may_be_typed_in_small_letters(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_rich(runtime), await make_counter(runtime)
    redemption = await reserved(api, person, await make_reward(runtime, counter))

    response = await collect(api, counter, f" {redemption['pickup_code'].lower()} ")

    assert response.status_code == 200


async def test_a_cancelled_reservation_gives_back_to_the_same_lots(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    for points, days in ((7, 30), (8, 10), (9, 20)):
        expires_at = now() + timedelta(days=days)
        await give_points(runtime, person.id, points, expires_at=expires_at)
    reward = await make_reward(runtime, await make_counter(runtime))
    before = await points_of(api, person)

    redemption = await reserved(api, person, reward)
    during = await points_of(api, person)
    response = await cancel(api, person, redemption)

    assert [lot["points"] for lot in before["expiring"]] == [8, 9, 7]
    assert [lot["points"] for lot in during["expiring"]] == [7, 7]
    assert (during["available"], during["held"]) == (14, 10)
    assert response.status_code == 200
    assert response.json() == redemption | {"status": "cancelled"}
    assert await points_of(api, person) == before
    await assert_ledger_verifies(runtime)


async def points_of(api: httpx.AsyncClient, person: TestPerson) -> dict[str, Any]:
    body: dict[str, Any] = (await api.get(f"{API}/me/points", headers=person.headers)).json()
    return body


async def test_cancelling_twice_gives_back_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_rich(runtime)
    reward = await make_reward(runtime, await make_counter(runtime), stock=3)
    redemption = await reserved(api, person, reward)

    first = await cancel(api, person, redemption)
    second = await cancel(api, person, redemption)

    assert (first.status_code, second.status_code) == (200, 200)
    assert await balance(runtime, person.id) == 100
    found = await walk(api, f"{API}/rewards", merchant_id=str(reward.merchant_id))
    assert found[0]["stock_left"] == 3


async def test_what_was_collected_is_not_cancelled(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_rich(runtime), await make_counter(runtime)
    redemption = await reserved(api, person, await make_reward(runtime, counter))
    await collect(api, counter, redemption["pickup_code"])

    response = await cancel(api, person, redemption)

    assert_refused(response, 409, "redemptions.not_reserved")
    assert await balance(runtime, person.id) == 90


async def test_it_is_handed_over_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person, counter = await make_rich(runtime), await make_counter(runtime)
    redemption = await reserved(api, person, await make_reward(runtime, counter))

    first = await collect(api, counter, redemption["pickup_code"])
    second = await collect(api, counter, redemption["pickup_code"])

    assert first.status_code == 200
    assert_refused(second, 409, "redemptions.not_reserved")
    assert await balance(runtime, counter.merchant.id, Purpose.takings) == 10


async def test_what_was_cancelled_is_not_handed_over(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_rich(runtime), await make_counter(runtime)
    redemption = await reserved(api, person, await make_reward(runtime, counter))
    await cancel(api, person, redemption)

    response = await collect(api, counter, redemption["pickup_code"])

    assert_refused(response, 409, "redemptions.not_reserved")


async def test_another_merchants_code_does_not_exist_here(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, mine, other = await make_rich(runtime), *[await make_counter(runtime) for _ in "ab"]
    redemption = await reserved(api, person, await make_reward(runtime, mine))

    response = await collect(api, other, redemption["pickup_code"])

    assert_refused(response, 404, "redemptions.not_found")
    assert_refused(await collect(api, mine, "00000000"), 404, "redemptions.not_found")
    assert (await collect(api, mine, redemption["pickup_code"])).status_code == 200


async def test_too_few_points_reserve_nothing(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_rich(runtime, 9)
    reward = await make_reward(runtime, await make_counter(runtime), stock=3)

    response = await redeem(api, person, reward)

    assert_refused(response, 409, "points.insufficient")
    assert await balance(runtime, person.id) == 9
    assert await walk(api, f"{API}/me/redemptions", person.headers) == []


async def test_held_points_are_not_spent_twice(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_rich(runtime, 15)
    reward = await make_reward(runtime, await make_counter(runtime))
    await reserved(api, person, reward)

    assert_refused(await redeem(api, person, reward), 409, "points.insufficient")


async def test_an_empty_shelf_moves_no_points(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_rich(runtime)
    reward = await make_reward(runtime, await make_counter(runtime), stock=2)
    await reserved(api, person, reward)

    too_many = await redeem(api, person, reward, 2)
    last = await redeem(api, person, reward)
    none = await redeem(api, person, reward)

    assert_refused(too_many, 409, "rewards.out_of_stock")
    assert last.status_code == 201
    assert_refused(none, 409, "rewards.out_of_stock")
    assert await balance(runtime, person.id) == 80
    await assert_ledger_verifies(runtime)


async def test_a_limit_counts_what_is_reserved_and_collected_not_what_was_given_up(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_rich(runtime), await make_counter(runtime)
    reward = await make_reward(runtime, counter, limit_per_member=2, limit_period="month")
    first, _ = [await reserved(api, person, reward) for _ in range(2)]

    assert_refused(await redeem(api, person, reward), 409, "rewards.limit_reached")
    await cancel(api, person, first)
    one_left = await redeem(api, person, reward, 2)
    assert one_left.json()["msg"] == "超出个人限额：还可兑换 1 件"
    third = await reserved(api, person, reward)
    await collect(api, counter, third["pickup_code"])
    refused = await redeem(api, person, reward)
    assert_refused(refused, 409, "rewards.limit_reached")
    assert (refused.json()["msg"], refused.json()["facts"]["left"]) == (
        "已达该兑换品的个人限额",
        0,
    )
    assert (await redeem(api, await make_rich(runtime), reward)).status_code == 201


async def test_more_than_the_limit_at_once_is_refused(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_rich(runtime)
    reward = await make_reward(
        runtime, await make_counter(runtime), limit_per_member=1, limit_period="session"
    )

    assert_refused(await redeem(api, person, reward, 2), 409, "rewards.limit_reached")
    assert await balance(runtime, person.id, Purpose.held) == 0


async def test_a_reward_of_a_higher_tier_must_be_reached(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_rich(runtime)
    reward = await make_reward(runtime, await make_counter(runtime), min_tier="growth")

    before = await redeem(api, person, reward)
    await raise_to_growth(runtime, person, await make_org(runtime))
    after = await redeem(api, person, reward)

    assert_refused(before, 403, "rewards.tier_too_low")
    assert after.status_code == 201


async def test_what_nobody_collects_in_time_goes_back(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, counter = await make_rich(runtime), await make_counter(runtime)
    reward = await make_reward(runtime, counter, stock=1)
    redemption = await reserved(api, person, reward)
    await make_overdue(runtime, redemption["id"])

    late = await collect(api, counter, redemption["pickup_code"])
    await expire_reservations(runtime)

    assert_refused(late, 409, "redemptions.not_reserved")
    mine = await walk(api, f"{API}/me/redemptions", person.headers)
    assert mine[0]["status"] == "expired"
    assert await balance(runtime, person.id) == 100
    assert (await redeem(api, await make_rich(runtime), reward)).status_code == 201
    assert_refused(await cancel(api, person, redemption), 409, "redemptions.not_reserved")
    await assert_ledger_verifies(runtime)


async def test_what_nobody_collected_in_time_can_be_spent_at_once(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """A counter need not wait for the job."""
    person, counter = await make_rich(runtime, 10), await make_counter(runtime)
    redemption = await reserved(api, person, await make_reward(runtime, counter, points=10))
    (code,) = await make_card_codes(runtime, person, 1)
    path, body = f"{API}/merchant/charges", {"card_code": code, "points": 10, "note": ""}
    early = await api.post(path, headers=keyed(counter.staff), json=body)
    await make_overdue(runtime, redemption["id"])

    done = await api.post(path, headers=keyed(counter.staff), json=body)

    assert_refused(early, 409, "points.insufficient")
    assert done.status_code == 201, done.text
    assert await balance(runtime, person.id) == 0
    await assert_ledger_verifies(runtime)


async def test_what_was_held_during_a_reversal_pays_the_debt_when_it_comes_back(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    """Or a reversal could be dodged: reserve, be reversed, cancel."""
    org, person = await make_org(runtime), await make_person(runtime)
    award = await give_award(runtime, person, org, points=8)
    reward = await make_reward(runtime, await make_counter(runtime), points=4)
    first, second = [await reserved(api, person, reward) for _ in range(2)]
    administrator = await make_administrator(runtime, org.id)
    told = await reverse(api, administrator, award)
    assert told.json()["owed"] == 8

    await cancel(api, person, first)
    await make_overdue(runtime, second["id"])
    await expire_reservations(runtime)

    assert await balance(runtime, person.id) == 0
    assert await balance(runtime, person.id, Purpose.debt) == 0
    await assert_ledger_verifies(runtime)


async def test_what_comes_back_and_is_owed_cannot_be_spent(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, person = await make_org(runtime), await make_person(runtime)
    award = await give_award(runtime, person, org, points=4)
    reward = await make_reward(runtime, await make_counter(runtime), points=4)
    await make_overdue(runtime, (await reserved(api, person, reward))["id"])
    await reverse(api, await make_administrator(runtime, org.id), award)

    again = await redeem(api, person, reward)

    assert_refused(again, 409, "points.insufficient")
    shown = (await api.get(f"{API}/me/points", headers=person.headers)).json()
    assert (shown["available"], shown["held"], shown["owed"]) == (0, 0, 0)
    await assert_ledger_verifies(runtime)


async def test_an_unknown_reward_or_redemption_is_told(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_rich(runtime)

    no_reward = await api.post(
        f"{API}/redemptions",
        headers=keyed(person),
        json={"reward_id": str(uuid4()), "quantity": 1},
    )

    assert_refused(no_reward, 404, "rewards.not_found")
    for unknown in (str(uuid4()), "nope"):
        refused = await cancel(api, person, {"id": unknown})
        assert_refused(refused, 404, "redemptions.not_found")


async def test_my_redemptions_are_paged_newest_first(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_rich(runtime)
    reward = await make_reward(runtime, await make_counter(runtime))
    made = [await reserved(api, person, reward) for _ in range(5)]

    found = await walk(api, f"{API}/me/redemptions", person.headers, limit=2)

    assert [one["id"] for one in found] == [one["id"] for one in made[::-1]]
    assert made[4].items() <= found[0].items()
