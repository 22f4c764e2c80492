"""Organizers and an auditor are appointed by codes that they accept on their own phones."""

from app.demo.cast import CAST
from app.demo.day import Day
from app.demo.phone import Phone

ZH = {"organizer": "组织者", "auditor": "审计"}


async def appoint(day: Day) -> None:
    day.act("二 · 凭任命码就任", "Roles by a code that the person accepts")
    street, city = day.street["id"], day.city["id"]
    day.organizer = await _accept(day, "organizer", "organizer", street)
    day.reviewer = await _accept(day, "organizer2", "organizer", street)
    day.auditor = await _accept(day, "auditor", "auditor", city)
    body = {"parent_id": street, "code": "321182001902", "name": "x", "level": "community"}
    denied = await day.auditor.do("/orgs", body)
    told = day.refused("an auditor changes nothing", "403 auth.forbidden", denied.verdict)
    roles = (await day.auditor.get("/roles", org_id=city)).want(200)["items"]
    day.checks.equal("roles that the auditor reads", 4, len(roles))
    day.say(
        f"审计可查 {len(roles)} 项任职，不能修改：{told}", "an auditor reads and changes nothing"
    )


async def _accept(day: Day, user: str, role: str, org_id: str) -> Phone:
    who = Phone(day.network, user, CAST[user])
    await who.arrive()
    offered = (await day.admin.do("/appointments", {"role": role, "org_id": org_id})).want(201)
    code = {"code": offered["code"]}
    own = await day.admin.do("/appointments/acceptance", code)
    day.refused("the administrator's own code", "403 roles.own", own.verdict)
    shown = (await who.post("/appointments/preview", code)).want(200)
    day.checks.equal(f"what the code offers {who.name}", role, shown["role"])
    held = (await who.do("/appointments/acceptance", code)).want(201)
    day.checks.equal(f"role of {who.name}", (role, org_id), (held["role"], held["org_id"]))
    again = await who.do("/appointments/acceptance", code)
    told = day.refused("a code used twice", "409 appointments.accepted", again.verdict)
    day.say(
        f"{who.name} 扫码就任{shown['org_name']}{ZH[role]}，任命码只能用一次：{told}",
        "accepts a role; its code works once",
    )
    return who
