"""A large payment is confirmed by its payer within 60 s; a payment is disputed."""

from typing import Any

from app.demo.acts.payments import card_code
from app.demo.acts.rewards import CAFE
from app.demo.day import Day
from app.demo.phone import Phone

THRESHOLD, LARGE, SMALL = 15, 16, 4
NOTE = "生日蛋糕"
RULES = f"[charges]\nconfirm_above = {THRESHOLD}\nperson_day = 30\n"
FIRST = 30  # of those who are present and have paid nothing yet


async def confirm(day: Day) -> None:
    day.act("十四 · 大额确认与争议", "Large payments are confirmed; a payment is disputed")
    await _publish(day)
    payer, other, third = day.present[FIRST : FIRST + 3]
    waiting = await _charge(day, payer, LARGE)
    [seen] = (await payer.get("/me/charges", waiting="true")).want(200)["items"]
    found = (seen["id"], seen["merchant_name"], seen["points"], seen["status"])
    day.checks.equal("what the phone shows", (waiting["id"], CAFE, LARGE, "waiting"), found)
    paid = (await payer.do(f"/me/charges/{waiting['id']}/confirmation", {})).want(200)
    shown = (await day.cafe.get(f"/merchant/charges/{waiting['id']}")).want(200)
    states = (paid["status"], shown["status"])
    day.checks.equal("confirmed, on the phone and at the counter", ("charged", "charged"), states)
    day.book.charge(payer.name, LARGE, CAFE, NOTE)
    day.say(f"{payer.name} 在手机上看到{CAFE}收 {LARGE} 分并确认", "held, then paid")
    more = await _try(day, payer, LARGE)
    told = day.refused("over the cap of the day", "409 charges.cap_reached", more.verdict)
    day.say(f"{payer.name} 当天再付 {LARGE} 分：{told}", "over the daily cap")
    refused = await _charge(day, other, LARGE)
    gone = (await other.do(f"/me/charges/{refused['id']}/refusal", {})).want(200)
    day.checks.equal("refused by the payer", "refused", gone["status"])
    day.say(f"{other.name} 没有点这份蛋糕，拒绝付款，积分立即退回", "refused: nothing moved")
    await _dispute(day, third)


async def _publish(day: Day) -> None:
    """Tighten the rules of the street, as the operator of the service does."""
    rules = day.stage.home / "charges.toml"
    rules.write_text(RULES, encoding="utf-8")
    await day.operate("policies", "publish", str(rules), "--org", day.street["code"])
    day.say(f"街道规定：超过 {THRESHOLD} 分须本人确认，每人每天至多 30 分", "limits of charges")


async def _try(day: Day, who: Phone, points: int) -> Any:
    body = {"card_code": await card_code(day, who), "points": points, "note": NOTE}
    return await day.cafe.do("/merchant/charges", body)


async def _charge(day: Day, who: Phone, points: int) -> dict[str, Any]:
    made: dict[str, Any] = (await _try(day, who, points)).want(201)
    return made


async def _dispute(day: Day, who: Phone) -> None:
    """Dispute a payment; the reviewer, who has no part in it, gives the points back."""
    charge = await _charge(day, who, SMALL)
    day.checks.equal("a small payment", "charged", charge["status"])
    day.book.charge(who.name, SMALL, CAFE, NOTE)
    why, reason = {"reason": "没有买过"}, "店里未能出示小票"
    opened = (await who.do(f"/me/charges/{charge['id']}/dispute", why)).want(200)
    day.checks.equal("a dispute", "open", opened["dispute"]["state"])
    [listed] = (await day.reviewer.get("/disputes", org_id=day.street["id"])).want(200)["items"]
    day.checks.equal("the reviewer's list", charge["id"], listed["charge_id"])
    path = f"/charges/{charge['id']}/dispute/decision"
    own = await day.cafe.do(path, {"upheld": False, "reason": "x"})
    told = day.refused("a dispute decided by the café", "403 auth.forbidden", own.verdict)
    decided = (await day.reviewer.do(path, {"upheld": True, "reason": reason})).want(200)
    found = (decided["state"], decided["points_refunded"])
    day.checks.equal("the decision", ("upheld", SMALL), found)
    day.book.refund(who.name, SMALL, CAFE, reason)
    day.say(f"{who.name} 对 {SMALL} 分提出争议；店员不能裁决：{told}", "a dispute")
    day.say(f"{day.reviewer.name} 裁决成立，{SMALL} 分退回", "upheld, refunded")
