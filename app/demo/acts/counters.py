"""Merchants: an application, a visit, the approval, a shop, staff by code."""

from typing import Any

from app.core.clock import local_date, now
from app.demo.acts.rewards import BANK, CAFE
from app.demo.cast import CAST
from app.demo.day import Day
from app.demo.phone import Phone

CLERK = "吴小满"
SHOP = {
    "name": "三茅老街店",
    "address": "扬中市三茅街道江洲中路 8 号",
    "latitude": 32.2378,
    "longitude": 119.8116,
    "phone": "0511-88320000",
    "hours": "周一至周日 8:00-21:00",
}


async def admit(day: Day) -> None:
    day.act("三 · 商户入驻", "Merchants apply, are visited and approved")
    owner = day.cafe = Phone(day.network, "merchant", CAST["merchant"])
    day.bank = Phone(day.network, "merchant2", CAST["merchant2"])
    for who in (owner, day.bank):
        await who.arrive()
    cafe = await _apply(day, owner, CAFE, "shop")
    early = await _approve(day, cafe)
    told = day.refused("approval without a visit", "409 merchants.not_visited", early.verdict)
    day.say(f"{owner.name} 申请 {CAFE} 入驻，未走访不能通过：{told}", "not without a visit")
    bank = await _apply(day, day.organizer, BANK, "fund_counter")
    for merchant in (cafe, bank):
        visit = {"visited_on": f"{local_date(now())}", "note": "证照齐全，愿意承接积分兑换。"}
        (await day.organizer.do(f"/merchants/{merchant['id']}/visits", visit)).want(201)
        state = (await _approve(day, merchant)).want(200)["state"]
        day.checks.equal(f"state of {merchant['name']}", "active", state)
        day.merchants[merchant["name"]] = merchant
    day.say(f"{day.organizer.name} 走访登记，{day.admin.name} 审核通过两家", "visited and approved")
    shop = (await owner.do(f"/merchants/{cafe['id']}/shops", SHOP)).want(201)
    shown = (await day.auditor.get(f"/shops/{shop['id']}")).want(200)
    day.checks.equal("the shop's address", SHOP["address"], shown["address"])
    day.say(f"{CAFE} 开设{SHOP['name']}：{SHOP['address']}", "a shop with address and map point")
    clerk = Phone(day.network, "clerk", CLERK)
    await clerk.arrive()
    await _employ(day, owner, clerk, cafe, staff=2)
    await _employ(day, day.organizer, day.bank, bank, staff=1)
    day.say(f"{clerk.name}、{day.bank.name} 凭任命码上岗", "staff by codes")


async def _apply(day: Day, who: Phone, name: str, kind: str) -> dict[str, Any]:
    body = {"org_id": day.street["id"], "name": name, "kind": kind}
    made: dict[str, Any] = (await who.do("/merchants", body)).want(201)
    day.checks.equal(f"application of {name}", "applied", made["state"])
    return made


async def _approve(day: Day, merchant: dict[str, Any]) -> Any:
    body = {"approved": True, "reason": "已走访"}
    return await day.admin.do(f"/merchants/{merchant['id']}/decision", body)


async def _employ(day: Day, by: Phone, who: Phone, merchant: dict[str, Any], *, staff: int) -> None:
    path = f"/merchants/{merchant['id']}"
    code = (await by.do(f"{path}/staff")).want(201)["code"]
    joined = (await who.do("/appointments/acceptance", {"code": code})).want(201)
    day.checks.equal(f"merchant of {who.name}", merchant["name"], joined["merchant_name"])
    there = (await by.get(f"{path}/staff")).want(200)["items"]
    day.checks.equal(f"staff of {merchant['name']}", staff, len(there))
