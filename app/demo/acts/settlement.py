"""A merchant's month: an agreement of both sides, the month in one page, a settlement."""

from datetime import timedelta
from typing import Any

from app.core.clock import local_date, month_start, now
from app.demo.acts.rewards import CAFE
from app.demo.day import Day

CENTS, PERCENT = 10, 80


async def settle(day: Day) -> None:
    day.act("集市三 · 商户的一个月", "A merchant's month: agreement, statement, settlement")
    today = local_date(now())
    last = local_date(month_start(today.year, today.month, plus=-1))
    pair = {"org_id": day.street["id"], "merchant_id": day.merchants[CAFE]["id"]}
    await _agree(day, pair | {"since": f"{last}"})
    await _month(day)
    early = await day.organizer.do("/settlements", pair | {"month": f"{today:%Y-%m}"})
    told = day.refused("a month that runs", "409 settlements.too_early", early.verdict)
    day.say(f"本月尚未结束，不能结算：{told}", "a running month is not settled")
    if now() < month_start(today.year, today.month) + timedelta(hours=1):
        return
    await _settled(day, pair | {"month": f"{last:%Y-%m}"})


async def _agree(day: Day, body: dict[str, Any]) -> None:
    terms = body | {"cents_per_point": CENTS, "subsidy_percent": PERCENT}
    made = (await day.organizer.do("/agreements", terms)).want(201)
    path, accept = f"/agreements/{made['id']}/moves", {"state": "active", "reason": "同意"}
    own = await day.organizer.do(path, accept)
    told = day.refused(
        "an agreement accepted by who proposed it", "403 agreements.own", own.verdict
    )
    accepted = (await day.cafe.do(path, accept)).want(200)
    day.checks.equal("state of the agreement", "active", accepted["state"])
    day.say(f"组织自己接受：{told}；{CAFE} 接受后生效，一分折 0.10 元", "two parties agree")


async def _month(day: Day) -> None:
    """Compare the month with the book, in points and in cents."""
    [shown] = (await day.cafe.get("/merchant/month")).want(200)["items"]
    sums = day.book.sums(CAFE)
    names = ("charged", "refunded", "collected", "undone")
    expected = {name: sums[name] for name in names}
    day.checks.equal("points of the month", expected, {name: shown[name] for name in names})
    due = sums["net"] * CENTS * PERCENT // 100
    day.checks.equal("cents of the month", due, shown["due_cents"])
    day.say(
        f"{CAFE} 本月净 {sums['net']} 分，组织应付 [bold]{due / 100:.2f}[/] 元", "one page a month"
    )


async def _settled(day: Day, body: dict[str, Any]) -> None:
    made = (await day.organizer.do("/settlements", body)).want(201)
    day.checks.equal("the opening of the account", (0, 0), (made["opening"], made["due_cents"]))
    page = (await day.cafe.get(f"/settlements/{made['id']}/page.html")).want(200)
    day.checks.equal("the page names the merchant", True, CAFE in page)
    again = await day.organizer.do("/settlements", body)
    twice = day.refused("a month twice", "409 settlements.month_settled", again.verdict)
    path = f"/settlements/{made['id']}/payment"
    paid = await day.organizer.do(path, {"reference": "农商行 0031"})
    nothing = day.refused("a payment of nothing", "409 settlements.nothing_due", paid.verdict)
    day.say(
        f"上月结算单已出具；再结算：{twice}；无应付：{nothing}", "a settled month never changes"
    )
