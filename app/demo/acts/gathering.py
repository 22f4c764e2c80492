"""Morning: an activity is published, sixty residents want fifty places, two give theirs back."""

from collections import Counter
from datetime import timedelta
from typing import Any

from app.core.clock import now
from app.demo.cast import RESIDENTS
from app.demo.day import Day
from app.demo.phone import Phone, until

CITY_CODE, STREET_CODE = "321182", "321182001"
CAPACITY = 50
HOURS = 6
TITLE = "江堤防汛巡查"


async def publish(day: Day) -> None:
    day.act("一 · 发布活动", "The organizer publishes an activity")
    day.organizer = Phone(day.network, "organizer")
    await day.organizer.log_in()
    found = (await day.organizer.get("/orgs", q="三茅街道")).want(200)["items"]
    day.street = next(org for org in found if org["code"] == STREET_CODE)
    districts = (await day.organizer.get("/orgs", level="district")).want(200)["items"]
    day.city = next(org for org in districts if org["code"] == CITY_CODE)
    day.checks.equal("三茅街道 belongs to 扬中市", day.city["id"], day.street["parent_id"])
    day.say(f"{day.organizer.name} 登录，负责 {day.city['name']}{day.street['name']}", "logs in")
    starts_at = now().replace(microsecond=0) - timedelta(hours=1)
    draft = {
        "org_id": day.street["id"],
        "title": TITLE,
        "description": "汛期分组巡查沿江堤防，发现险情立即上报。",
        "category": "volunteer_service",
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=HOURS)).isoformat(),
        "capacity": CAPACITY,
        "rule_key": "taskforce_emergency",
    }
    made = (await day.organizer.post("/activities", draft)).want(201)
    day.checks.equal("a new activity is a draft", "draft", made["status"])
    day.activity = (await day.organizer.post(f"/activities/{made['id']}/publish")).want(200)
    day.checks.equal("it is published", "published", day.activity["status"])
    day.say(
        f"《{TITLE}》已发布：{CAPACITY} 个名额，{HOURS} 小时，急难险重任务每小时 4 分",
        "50 places, 4 points an hour",
    )


async def sign_up(day: Day) -> None:
    day.act("二 · 报名", "Sixty residents, fifty places")
    day.residents = [
        Phone(day.network, f"resident-{number:02}", name)
        for number, name in enumerate(RESIDENTS, start=1)
    ]
    for name in RESIDENTS:
        day.book.open(name)
    logins = await day.crowd("登录 Log in", day.residents, _arrive)
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
    day.act("三 · 取消与候补", "Two cancel, the first two in the queue move up")
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

        day.checks.equal(f"{who.name} was told", ["promoted"], await until(kinds, ["promoted"]))
    day.present, day.waiting = day.present[2:] + lucky, day.waiting[2:]
    queue = [(await _signup(who))["position"] for who in day.waiting]
    day.checks.equal("the queue has moved up in order", list(range(1, 9)), queue)
    await _check_counters(day, confirmed=50, waitlisted=8)
    notice = (await lucky[0].get("/me/notices")).want(200)["items"][0]["text"]
    day.say("、".join(who.name for who in leaving) + " 取消报名", "cancel")
    day.say("、".join(who.name for who in lucky) + " 递补，收到通知", "are promoted and told")
    day.console.print(f"      [italic]“{notice}”[/]", highlight=False)


async def _arrive(who: Phone) -> bool:
    login = await who.log_in()
    me = (await who.put("/me", {"display_name": who.name})).want(200)
    return bool(login["is_new"]) and me["display_name"] == who.name


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
