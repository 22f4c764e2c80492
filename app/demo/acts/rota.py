"""A call for volunteers: two posts, a rota, a clash, a swap of two shifts, a hand-over note."""

from datetime import timedelta
from typing import Any

from app.core.clock import local_date, now
from app.demo.cast import masked
from app.demo.day import Day
from app.demo.phone import Phone

TITLE = "周末交通文明岗"
POSTS = (("路口引导", ["普通话"]), ("急救点", ["急救员证"]))
GATE, AID = (name for name, _ in POSTS)
NOTE = "急救包在前台，冰袋已用完。"
Shifts = list[dict[str, Any]]


async def take_turns(day: Day) -> None:
    day.act("周末二 · 轮值", "Two posts, a rota, a swap, a hand-over note")
    call, shifts = await _call(day)
    saturday, sunday, aid = _shift(shifts, 0, GATE), _shift(shifts, 1, GATE), _shift(shifts, 0, AID)
    first, second, stranger = day.waiting[:3]
    await _sign_up(day, call, first, saturday)
    place = await _sign_up(day, call, second, sunday)
    clash = await first.post(f"/activities/{call}/signups", {"session": aid["number"]})
    told = day.refused("two shifts at a time", "409 signups.clash", clash.verdict)
    day.say(f"{first.name} 周六已有班，再报同时段的{AID}：{told}", "two shifts at one time")
    await _swap(day, call, (first, saturday), (second, sunday), place)
    # Since the swap the first of the two has the shift that follows.
    await _hand_over(day, saturday["id"], second, first, stranger)


async def _call(day: Day) -> tuple[str, Shifts]:
    """Publish the activity with the shifts of next weekend; return its id and them, by start."""
    tomorrow = local_date(now()) + timedelta(days=1)
    starts_at = now().replace(microsecond=0) + timedelta(days=1)
    body = {
        "org_id": day.street["id"],
        "title": TITLE,
        "category": "volunteer_service",
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=3)).isoformat(),
        "rule_key": "volunteer_hour",
        "signup_for": "session",
        "checks_out": True,
    }
    call = str((await day.organizer.do("/activities", body)).want(201)["id"])
    path = f"/activities/{call}"
    posts = [
        (await day.organizer.do(f"{path}/posts", {"name": name, "skills": skills})).want(201)
        for name, skills in POSTS
    ]
    until = tomorrow + timedelta(days=6)  # every weekday once
    rota = {
        "weekdays": [6, 7],
        "since": str(tomorrow),
        "until": str(until),
        "starts_at": "08:30",
        "ends_at": "11:30",
        "posts": [{"post_id": one["id"], "needed": 2} for one in posts],
    }
    made = (await day.organizer.do(f"{path}/shifts", rota)).want(201)
    day.checks.equal("shifts of two posts on two days", 4, made["created"])
    (await day.organizer.post(f"{path}/publish")).want(200)
    shown = (await day.waiting[0].get(f"{path}/rota", since=tomorrow, until=until)).want(200)
    needed = [one["needed"] for one in shown["days"]]
    day.checks.equal("volunteers needed on the days", [4, 4], needed)
    shifts = [one for on_day in shown["days"] for one in on_day["shifts"]]
    names = {str(one["holders"]) for one in shifts}
    day.checks.equal("names to who has no shift", {"None"}, names)
    day.say(f"招募令《{TITLE}》：{GATE}、{AID}，周末两天共 4 班，各需 2 人", "the rota")
    return call, shifts


def _shift(shifts: Shifts, day: int, post: str) -> dict[str, Any]:
    return [one for one in shifts if one["post_name"] == post][day]


async def _sign_up(day: Day, call: str, who: Phone, shift: dict[str, Any]) -> str:
    signup = (await who.post(f"/activities/{call}/signups", {"session": shift["number"]})).want(201)
    found = (signup["status"], signup["session"])
    day.checks.equal(f"place of {who.name}", ("confirmed", shift["number"]), found)
    return str(signup["id"])


async def _swap(
    day: Day,
    call: str,
    offered: tuple[Phone, dict[str, Any]],
    wanted: tuple[Phone, dict[str, Any]],
    place: str,
) -> None:
    """One asks for the other's shift, whom the rota shows with a masked name; it is accepted."""
    (first, mine), (second, other) = offered, wanted
    on = local_date(now()) + timedelta(days=1)
    asked = (await first.get(f"/activities/{call}/rota", since=on)).want(200)["days"]
    shifts = [one for shown in asked for one in shown["shifts"] if one["id"] == other["id"]]
    holder = shifts[0]["holders"][0]
    found = (holder["signup_id"], holder["display_name"], holder["person_id"])
    day.checks.equal("who has the other shift", (place, masked(second.name), None), found)
    swap = (await first.do(f"/shifts/{mine['id']}/swaps", {"with_signup_id": place})).want(201)
    own = await first.do(f"/swaps/{swap['id']}/acceptance")
    told = day.refused("one's own offer", "403 swaps.own", own.verdict)
    accepted = (await second.do(f"/swaps/{swap['id']}/acceptance")).want(200)
    day.checks.equal("the swap", "accepted", accepted["state"])
    moved = [await _session(who, call) for who in (first, second)]
    day.checks.equal("whose shift is whose", [other["number"], mine["number"]], moved)
    day.say(f"{first.name} 请求与 {second.name} 换班，自己不能接受：{told}", "a swap is asked for")
    day.say(f"{second.name} 接受，两人的班次互换", "accepted: both sign-ups change hands")


async def _session(who: Phone, call: str) -> int:
    mine = (await who.get("/me/signups")).want(200)["items"]
    return next(int(one["session"]) for one in mine if one["activity_id"] == call)


async def _hand_over(
    day: Day, shift: str, holder: Phone, following: Phone, stranger: Phone
) -> None:
    path = f"/shifts/{shift}/note"
    (await holder.put(path, {"text": NOTE})).want(200)
    read = (await following.get(path)).want(200)
    day.checks.equal("the note to the next shift", (NOTE, False), (read["text"], read["is_mine"]))
    denied = await stranger.get(path)
    told = day.refused("the note to somebody else", "403 sessions.not_on_shift", denied.verdict)
    day.say(f"{holder.name} 留交接记录，下一班 {following.name} 可读", "a hand-over note")
    day.say(f"{stranger.name} 不在岗，不能读：{told}", "not for others")
