"""An activity is published from a template and edited; sixty sign up for fifty places."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from app.core.clock import now
from app.demo.cast import RESIDENTS
from app.demo.day import Day
from app.demo.phone import Phone, until

CAPACITY = 50
HOURS = 6
TITLE = "江堤防汛巡查"
PROMOTED = ["promoted", "activity_changed"]
ASSISTANT = "郁协力"
BEGINS, EARLIER = timedelta(minutes=25), timedelta(minutes=20)


async def publish(day: Day) -> None:
    day.act("五 · 发布活动", "A template, an activity, a co-organizer")
    template = {
        "org_id": day.street["id"],
        "name": "防汛巡查（每次六小时）",
        "title": TITLE,
        "description": "汛期分组巡查沿江堤防，发现险情立即上报。",
        "category": "volunteer_service",
        "minutes": 60 * HOURS,
        "capacity": CAPACITY,
        "rule_key": "taskforce_emergency",
    }
    kept = (await day.organizer.do("/activity-templates", template)).want(201)
    # Soon: places can still be given back, and whoever checks in now gets every hour.
    starts_at = now().replace(microsecond=0) + BEGINS
    body = {"org_id": day.street["id"], "starts_at": starts_at.isoformat()}
    path = f"/activity-templates/{kept['id']}/activities"
    made = (await day.organizer.do(path, body)).want(201)
    day.checks.equal("a new activity is a draft", "draft", made["status"])
    day.activity = (await day.organizer.post(f"/activities/{made['id']}/publish")).want(200)
    day.checks.equal("it is published", "published", day.activity["status"])
    day.say(
        f"《{TITLE}》由模板发起并发布：{CAPACITY} 个名额，{HOURS} 小时，急难险重任务每小时 4 分",
        "from a template: 50 places, 4 points an hour",
    )
    await _assist(day)


async def _assist(day: Day) -> None:
    who = day.assistant = Phone(day.network, "assistant", ASSISTANT)
    await who.arrive()
    card = (await who.get("/me/card")).want(200)["card_no"]
    path = f"/activities/{day.activity['id']}/co-organizers"
    added = (await day.organizer.do(path, {"card_no": card})).want(201)
    day.checks.equal("the co-organizer", who.name, added["display_name"])
    mine = (await who.get("/me/activities")).want(200)["items"]
    found = [(one["id"], one["part"]) for one in mine]
    day.checks.equal("what the co-organizer sees", [(day.activity["id"], "co_organizer")], found)
    day.say(f"凭卡号加 {who.name} 为协办人", "a co-organizer, by the number of the card")


async def amend(day: Day) -> None:
    """Move the start; everybody who signed up is told."""
    fields = ("title", "description", "category", "capacity", "rule_key")
    shown = (await day.assistant.get(f"/activities/{day.activity['id']}")).want(200)
    starts_at = datetime.fromisoformat(shown["starts_at"]) - (BEGINS - EARLIER)
    body = {name: shown[name] for name in fields} | {
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=HOURS)).isoformat(),
    }
    path = f"/activities/{shown['id']}"
    day.activity = (await day.assistant.put(path, body, version=shown["version"])).want(200)
    stale = await day.organizer.put(path, body, version=shown["version"])
    told = day.refused("two editors", "412 request.precondition_failed", stale.verdict)
    day.say(f"{ASSISTANT} 把开始时间提前五分钟；{day.organizer.name} 同时改：{told}", "an edit")

    async def kinds(who: Phone) -> list[str]:
        return [one["kind"] for one in (await who.get("/me/notices")).want(200)["items"]]

    wanted = ["activity_changed"]
    everybody = await day.crowd(
        "通知 Notices", day.residents, lambda who: until(lambda: kinds(who), wanted)
    )
    day.checks.equal("notices of who signed up", [wanted] * len(day.residents), everybody)
    notice = (await day.present[0].get("/me/notices")).want(200)["items"][0]["text"]
    day.say(f"{len(everybody)} 位报名者收到通知", "everybody who signed up is told")
    day.console.print(f"      [italic]“{notice}”[/]", highlight=False)


async def sign_up(day: Day) -> None:
    day.act("六 · 报名", "Sixty residents, fifty places")
    day.residents = [
        Phone(day.network, f"resident-{number:02}", name)
        for number, name in enumerate(RESIDENTS, start=1)
    ]
    for name in RESIDENTS:
        day.book.open(name)
    logins = await day.crowd("登录 Log in", day.residents, lambda who: _arrive(day, who))
    day.checks.equal("every resident is new", [True] * 60, logins)
    day.say("60 位居民用微信登录，填写姓名", "sixty residents log in")
    signups = await day.crowd("报名 Sign up", day.residents, lambda who: _claim(day, who))
    places = {who.user: signup for who, signup in zip(day.residents, signups, strict=True)}
    day.present = [who for who in day.residents if places[who.user]["status"] == "confirmed"]
    day.waiting = sorted(
        (who for who in day.residents if places[who.user]["status"] == "waitlisted"),
        key=lambda who: int(places[who.user]["position"]),
    )
    statuses = Counter(signup["status"] for signup in signups)
    day.checks.equal("50 confirmed, 10 waiting", {"confirmed": 50, "waitlisted": 10}, statuses)
    positions = [places[who.user]["position"] for who in day.waiting]
    day.checks.equal("positions in the waiting list", list(range(1, 11)), positions)
    again = await day.present[0].post(f"/activities/{day.activity['id']}/signups", {})
    day.checks.equal(
        "signing up again gives the same", places[day.present[0].user], again.want(200)
    )
    await _check_counters(day, confirmed=50, waitlisted=10)
    day.say("50 人确认，10 人候补，候补 1–10 号依次排列", "50 confirmed, 10 in the waiting list")


async def make_room(day: Day) -> None:
    day.act("七 · 取消与候补", "Two cancel, the first two in the queue move up")
    leaving, lucky = day.present[:2], day.waiting[:2]
    for who in leaving:
        signup = await _signup(who)
        (await who.delete(f"/signups/{signup['id']}")).want(204)
        day.checks.equal(f"{who.name} has cancelled", "cancelled", (await _signup(who))["status"])
    for who in lucky:
        signup = await _signup(who)
        found = (signup["status"], signup["position"])
        day.checks.equal(f"{who.name} has moved up", ("confirmed", None), found)

        async def kinds(who: Phone = who) -> list[str]:
            return [one["kind"] for one in (await who.get("/me/notices")).want(200)["items"]]

        day.checks.equal(f"{who.name} was told", PROMOTED, await until(kinds, PROMOTED))
    day.present, day.waiting = day.present[2:] + lucky, day.waiting[2:]
    queue = [(await _signup(who))["position"] for who in day.waiting]
    day.checks.equal("the queue has moved up in order", list(range(1, 9)), queue)
    await _check_counters(day, confirmed=50, waitlisted=8)
    notice = (await lucky[0].get("/me/notices")).want(200)["items"][0]["text"]
    day.say("、".join(who.name for who in leaving) + " 取消报名", "cancel")
    day.say("、".join(who.name for who in lucky) + " 递补，收到通知", "are promoted and told")
    day.console.print(f"      [italic]“{notice}”[/]", highlight=False)


async def _arrive(day: Day, who: Phone) -> bool:
    login = await who.arrive(day.community["id"])
    return bool(login["is_new"])


async def _claim(day: Day, who: Phone) -> dict[str, Any]:
    reply = await who.post(f"/activities/{day.activity['id']}/signups", {})
    signup: dict[str, Any] = reply.want(201)
    return signup


async def _signup(who: Phone) -> dict[str, Any]:
    mine: dict[str, Any] = (await who.get("/me/signups")).want(200)["items"][0]
    return mine


async def _check_counters(day: Day, *, confirmed: int, waitlisted: int) -> None:
    shown = (await day.organizer.get(f"/activities/{day.activity['id']}")).want(200)
    found = (shown["signups_confirmed"], shown["signups_waitlisted"])
    day.checks.equal("the activity's counters", (confirmed, waitlisted), found)
