"""Points are deducted by the rules; one appeals, and a second person decides."""

from typing import Any

from app.demo.day import Day
from app.demo.phone import Phone, until

ABSENT, LATE = 30, 31  # of those present
POINTS = {"no_show": 2, "late_cancel": 1}


async def appeal(day: Day) -> None:
    day.act("十 · 扣分与申诉", "A deduction, an appeal, a decision by somebody else")
    wronged, late = day.present[ABSENT], day.present[LATE]
    deduction = await _deduct(day, wronged, "no_show", "清明植树")
    await _deduct(day, late, "late_cancel", "社区夜校")

    async def newest() -> str:
        return str((await wronged.get("/me/notices")).want(200)["items"][0]["kind"])

    told = "points_deducted"
    day.checks.equal("the notice of it", told, await until(newest, told))
    path = f"/deductions/{deduction['id']}"
    filed = (await wronged.do(f"{path}/appeal", {"reason": "当天在医院，有病历"})).want(200)
    day.checks.equal("the deduction", "appealed", filed["state"])
    verdict = {"granted": True, "reason": "病历属实"}
    own = await day.organizer.do(f"{path}/decision", verdict)
    told = day.refused("one's own deduction", "403 deductions.own", own.verdict)
    day.say(f"{wronged.name} 不服缺席扣分，提出申诉；扣分人不能决定：{told}", "an appeal")
    decided = (await day.reviewer.do(f"{path}/decision", verdict)).want(200)
    day.checks.equal("the decision", "revoked", decided["state"])
    day.book.deduct(wronged.name, -deduction["points"])
    points = (await wronged.get("/me/points")).want(200)["available"]
    day.checks.equal("the points are back", day.book.accounts[wronged.name].available, points)
    day.say(
        f"{day.reviewer.name} 决定申诉成立，2 分退还；{late.name} 的 1 分不申诉",
        "granted by another",
    )


async def _deduct(day: Day, who: Phone, rule: str, activity: str) -> dict[str, Any]:
    body = {
        "rule_key": rule,
        "org_id": day.street["id"],
        "person_id": who.person_id,
        "evidence": {"activity": activity},
    }
    made: dict[str, Any] = (await day.organizer.do("/deductions", body)).want(201)
    day.checks.equal(f"points of {rule}", POINTS[rule], made["points"])
    day.book.deduct(who.name, made["points"])
    return made
