"""A series of evenings: one sign-up with a form, check-ins and check-outs of two evenings.

Whole half hours are paid, and the demonstration takes minutes: the awards here are of 0 points.
"""

from datetime import timedelta
from typing import Any

from app.core.clock import now
from app.demo.day import Day
from app.demo.phone import Phone, Reply

TITLE = "青年夜校：急救员培训"
PUPILS, NEEDED = 4, 2
PHONE = "138 1234 5678"
FORM: dict[str, Any] = {
    "title": "夜校报名表",
    "questions": [
        {"key": "phone", "kind": "phone", "label": "联系电话", "required": True},
        {
            "key": "level",
            "kind": "single_choice",
            "label": "基础",
            "choices": [{"key": "new", "label": "零基础"}, {"key": "some", "label": "学过"}],
        },
        {"key": "agreed", "kind": "consent", "label": "同意课堂拍照", "required": True},
    ],
}
# Minutes from now. Check-in opens half an hour before the start: all three are open at once.
EVENINGS = (("第一课：心肺复苏", 8, 14), ("第二课：包扎", 15, 21), ("第三课：转运", 22, 28))


async def study(day: Day) -> None:
    day.console.print()
    day.console.print("[bold]第二幕 · 一个周末[/] [dim]Second act: a weekend[/]", highlight=False)
    day.act("周末一 · 青年夜校", "A series: one sign-up with a form, many evenings")
    series = await _announce(day)
    pupils = day.waiting[:PUPILS]
    await _enrol(day, series, pupils)
    await _first_evening(day, series, pupils)
    await _second_evening(day, series, pupils[:-1])
    await _figures(day, series, pupils)


async def _announce(day: Day) -> str:
    """Draft an activity with three sessions and a form, and publish it; return its id."""
    at = now().replace(microsecond=0)
    sessions = [
        {
            "title": title,
            "starts_at": (at + timedelta(minutes=start)).isoformat(),
            "ends_at": (at + timedelta(minutes=end)).isoformat(),
        }
        for title, start, end in EVENINGS
    ]
    body = {
        "org_id": day.street["id"],
        "title": TITLE,
        "category": "volunteer_service",
        "starts_at": sessions[0]["starts_at"],
        "ends_at": sessions[-1]["ends_at"],
        "rule_key": "volunteer_hour",
        "checks_out": True,
        "minimum_attendance": NEEDED,
        "tags": ["青年夜校"],
    }
    made = (await day.organizer.do("/activities", body)).want(201)
    path = f"/activities/{made['id']}"
    added = (await day.organizer.do(f"{path}/sessions", {"sessions": sessions})).want(201)["items"]
    day.checks.equal("numbers of the sessions", [1, 2, 3], [one["number"] for one in added])
    form = (await day.organizer.do("/forms", FORM | {"org_id": day.street["id"]})).want(201)
    (await day.organizer.do(f"/forms/{form['id']}/publish")).want(200)
    (await day.organizer.put(f"{path}/form", {"form_id": form["id"]})).want(200)
    shown = (await day.organizer.post(f"{path}/publish")).want(200)
    day.checks.equal("sessions of the series", (3, NEEDED), _of(shown, "sessions"))
    found = (await day.auditor.get("/activities", tag="青年夜校")).want(200)["items"]
    day.checks.equal("the series by its tag", [made["id"]], [one["id"] for one in found])
    day.say(f"《{TITLE}》三场，修满 {NEEDED} 场结业，报名须填表", "three sessions and a form")
    return str(made["id"])


def _of(shown: dict[str, Any], count: str) -> tuple[Any, Any]:
    return shown[count], shown["minimum_attendance"]


async def _enrol(day: Day, series: str, pupils: list[Phone]) -> None:
    path = f"/activities/{series}"
    asked = (await pupils[0].get(f"{path}/form")).want(200)
    body = {"form_version_id": asked["form_version_id"]}
    given = {"phone": PHONE, "level": "new", "agreed": True}
    wrong = body | {"answers": given | {"agreed": False}}
    denied = await pupils[0].put(f"{path}/answers", wrong)
    told = day.refused("a consent that is needed", "422 request.invalid", denied.verdict)

    async def enrol(who: Phone) -> str:
        answered = (await who.put(f"{path}/answers", body | {"answers": given})).want(200)
        day.checks.equal(f"level of {who.name}", "new", answered["answers"]["level"])
        signup = (await who.post(f"{path}/signups", {})).want(201)
        return str(signup["status"])

    statuses = await day.crowd("报名 Enrol", pupils, enrol)
    day.checks.equal("pupils with a place", ["confirmed"] * len(pupils), statuses)
    day.say(f"{pupils[0].name} 未勾选同意：{told}；{len(pupils)} 人填表、报名一次", "enrolled")
    seen = (await day.organizer.get(f"{path}/answers")).want(200)["items"]
    phones = {one["answers"]["phone"] for one in seen}
    day.checks.equal("answers that the organizer reads", (len(pupils), 1), (len(seen), len(phones)))
    masked = (await day.auditor.get(f"{path}/answers")).want(200)["items"]
    day.checks.equal("a phone number to the auditor", "*", masked[0]["answers"]["phone"])
    day.say("组织者看到电话，审计只看到 *", "the auditor sees no phone number")


async def _first_evening(day: Day, series: str, pupils: list[Phone]) -> None:
    """Everybody scans the screen, in and out."""
    arrival = await _screen(day, series, "check_in")
    arrived = await day.crowd("签到 In", pupils, lambda who: _scan(who, "/checkins", arrival))
    states = [(one.want(201)["checkin"]["session"], one.body["award"]) for one in arrived]
    day.checks.equal("check-ins that wait for the end", [(1, None)] * len(pupils), states)
    early = await _scan(pupils[0], "/checkouts", arrival)
    told = day.refused("the code of arrivals", "422 checkouts.checkin_code", early.verdict)
    day.say(f"{len(pupils)} 人签到，积分等签退；用签到码签退：{told}", "no points before the end")
    await _leave(day, series, pupils)
    leaving = await _scan(pupils[0], "/checkouts", await _screen(day, series, "check_out"))
    day.checks.equal("a second check-out changes nothing", 0, leaving.want(200)["award"]["points"])
    day.say(
        f"{len(pupils)} 人扫签退码，积分随签退入账：不足半小时，0 分",
        "posted with the check-out: nothing for less than half an hour",
    )


async def _second_evening(day: Day, series: str, pupils: list[Phone]) -> None:
    """The teacher checks in by card numbers; the pupils scan the screen when they leave."""
    for who in pupils:
        card = (await who.get("/me/card")).want(200)["card_no"]
        body = {"action": "check_in", "card_no": card, "session": 2}
        seen = (await day.organizer.do(f"/activities/{series}/attendance", body)).want(200)
        found = (seen["session"], seen["display_name"], seen["points"])
        day.checks.equal(f"check-in of {who.name}", (2, who.name, None), found)
    await _leave(day, series, pupils)
    day.say(f"第二课 {len(pupils)} 人，按卡号签到、扫码签退", "the second evening")


async def _leave(day: Day, series: str, pupils: list[Phone]) -> None:
    code = await _screen(day, series, "check_out")
    left = await day.crowd("签退 Out", pupils, lambda who: _scan(who, "/checkouts", code))
    for who, reply in zip(pupils, left, strict=True):
        award = reply.want(201)["award"]
        found = (award["points"], award["minutes"], reply.body["checkin"]["departure"])
        day.checks.equal(f"award of {who.name}", (0, 0, "rotating_code"), found)


async def _screen(day: Day, series: str, action: str) -> str:
    """Return what the screen shows: a URL, as a phone's scanner reads it."""
    path = f"/activities/{series}/checkin-code"
    return str((await day.organizer.get(path, action=action)).want(200)["url"])


async def _scan(who: Phone, path: str, code: str) -> Reply:
    return await who.post(path, {"code": code})


async def _figures(day: Day, series: str, pupils: list[Phone]) -> None:
    mine = [
        (await who.get(f"/activities/{series}/my-series")).want(200)
        for who in (pupils[0], pupils[-1])
    ]
    found = [(one["attended"], one["needed"], one["is_reached"]) for one in mine]
    day.checks.equal("how far they are", [(2, NEEDED, True), (1, NEEDED, False)], found)
    sessions = (await pupils[0].get(f"/activities/{series}/sessions")).want(200)["items"]
    counted = [(one["checkins"], one["checkouts"]) for one in sessions]
    expected = [(PUPILS, PUPILS), (PUPILS - 1, PUPILS - 1), (0, 0)]
    day.checks.equal("check-ins and check-outs of the sessions", expected, counted)
    day.say(
        f"{pupils[0].name} 修满 {NEEDED} 场，{pupils[-1].name} 修了 1 场", "the series' figures"
    )
