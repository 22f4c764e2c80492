"""A class for minors: a guardian signs children up, and each is handed over at the door.

Whole half hours are paid, and the demonstration takes seconds: the awards here are of 0 points.
"""

from datetime import timedelta
from typing import Any

from app.demo.cast import masked
from app.demo.day import Day
from app.demo.phone import Phone, until

TITLE = "爱心暑托班：书法入门"
BEGAN, ENDS = timedelta(minutes=30), timedelta(minutes=60)
LESSON_MINUTES = 90
CHILDREN = (("小雨", "2017-06-01"), ("小禾", "2019-03-12"))
GRANDMOTHER = {"name": "李秀英", "relation": "外婆"}
NOTICE = "handover_recorded"


async def hold(day: Day) -> None:
    day.act("周末六 · 暑托班", "A class for minors: a guardian, a named person, hand-overs")
    guardian, stranger = day.waiting[5:7]
    lesson = await day.announce(TITLE, BEGAN, ENDS, for_minors=True, checks_out=True)
    shown = (await day.organizer.get(f"/activities/{lesson}")).want(200)
    day.checks.equal("the class is for minors", True, shown["for_minors"])
    children = [await _enter(guardian, *one) for one in CHILDREN]
    await _enrol(day, lesson, guardian, children)
    await _arrive(day, lesson, children)
    await _hand_over(day, lesson, (guardian, stranger), children)
    await _figures(day, lesson, guardian, children)


async def _enter(guardian: Phone, name: str, birth_date: str) -> dict[str, Any]:
    """Enter a child with the guardian's consent to the text in force."""
    texts = (await guardian.get("/consent-texts")).want(200)["items"]
    versions = {one["document"]: one["version"] for one in texts}
    body = {
        "display_name": guardian.name[0] + name,
        "birth_date": birth_date,
        "text_version": versions["guardian"],
        "guardian": {"name": guardian.name, "relation": "parent"},
    }
    made: dict[str, Any] = (await guardian.do("/me/children", body)).want(201)
    return made


async def _enrol(day: Day, lesson: str, guardian: Phone, children: list[dict[str, Any]]) -> None:
    adult = await guardian.post(f"/activities/{lesson}/signups", {})
    told = day.refused("an adult in a class", "409 signups.only_children", adult.verdict)
    paths = [f"/activities/{lesson}/children/{one['id']}/signup" for one in children]
    places = [(await guardian.do(path, {})).want(200)["status"] for path in paths]
    day.checks.equal("places of the children", ["confirmed"] * len(children), places)
    names = "、".join(one["display_name"] for one in children)
    day.say(f"《{TITLE}》：{guardian.name} 本人报名 {told}；为 {names} 报名成功", "by a guardian")


async def _arrive(day: Day, lesson: str, children: list[dict[str, Any]]) -> None:
    for child in children:
        body = {"action": "check_in", "person_id": child["id"]}
        seen = (await day.organizer.do(f"/activities/{lesson}/attendance", body)).want(200)
        found = (seen["display_name"], seen["points"])
        day.checks.equal("a child's arrival", (masked(child["display_name"]), None), found)
    day.say(f"{day.organizer.name} 登记 {len(children)} 个孩子到课", "a steward, by the list")


async def _hand_over(
    day: Day, lesson: str, adults: tuple[Phone, Phone], children: list[dict[str, Any]]
) -> None:
    """One child is fetched with the guardian's code, the other with the guardian's own card."""
    guardian, stranger = adults
    first, second = children
    path = f"/activities/{lesson}/handovers"
    denied = await day.organizer.do(path, await _shown(stranger, first))
    told = day.refused("somebody not named", "403 handovers.not_named", denied.verdict)
    day.say(
        f"{stranger.name} 来接{first['display_name']}：{told}", "nobody whom the guardian named"
    )
    mine = f"/me/children/{first['id']}"
    named = (await guardian.do(f"{mine}/pickups", GRANDMOTHER)).want(201)
    asked = {"activity_id": lesson, "pickup_id": named["id"]}
    code = (await guardian.post(f"{mine}/handover-codes", asked)).want(201)["code"]
    told_at_door = {"child_id": first["id"], "handover_code": code}
    fetched = (await day.organizer.do(path, told_at_door)).want(201)
    expected = ("handover_code", GRANDMOTHER)
    day.checks.equal("fetched by code", expected, (fetched["proof"], fetched["fetcher"]))
    again = await day.organizer.do(path, told_at_door)
    told = day.refused("fetched twice", "409 handovers.done", again.verdict)
    day.checks.equal("the guardian's notice", NOTICE, await until(guardian.last_notice, NOTICE))
    day.say(f"外婆报交接码接走{first['display_name']}，监护人收到通知；再接：{told}", "by a code")
    taken = (await day.organizer.do(path, await _shown(guardian, second))).want(201)
    found = (taken["proof"], taken["fetcher"])
    day.checks.equal("fetched by the guardian", ("guardian_card", None), found)
    day.say(f"{guardian.name} 出示青享卡接走{second['display_name']}", "by the guardian's card")


async def _shown(who: Phone, child: dict[str, Any]) -> dict[str, Any]:
    code = (await who.get("/me/card/code")).want(200)["code"]
    return {"child_id": child["id"], "card_code": code}


async def _figures(day: Day, lesson: str, guardian: Phone, children: list[dict[str, Any]]) -> None:
    """Compare the list and the counts of the class; the auditor sees masked names."""
    number = len(children)
    figures = (await day.organizer.get(f"/activities/{lesson}/class-figures")).want(200)
    counts = dict.fromkeys(("children", "attended", "presences", "handovers"), number)
    expected = counts | {"lesson_minutes": number * LESSON_MINUTES}
    day.checks.equal("figures of the class", expected, figures)
    path = f"/activities/{lesson}/class-list"
    rows = (await day.auditor.get(path)).want(200)["items"]
    names = sorted(masked(one["display_name"]) for one in children)
    day.checks.equal("names to the auditor", names, sorted(one["display_name"] for one in rows))
    seen = (await guardian.get(f"/me/children/{children[0]['id']}/handovers")).want(200)["items"]
    day.checks.equal("what the guardian reads", [TITLE], [one["title"] for one in seen])
    day.say(
        f"{number} 个孩子到课并交接，共 {number * LESSON_MINUTES} 分钟课时；审计看到的是掩码姓名",
        "the figures of the class",
    )
