"""Terms of sign-up: a group by its leader, a friend carried along, an offer to who waits."""

from datetime import timedelta
from typing import Any

from app.core.clock import now
from app.demo.day import Day
from app.demo.phone import Phone, until

TITLE, CAPACITY, OFFER_MINUTES = "江堤亲子毅行", 7, 60
NOBODY = "6899999999994"
NOTICE = "signup_by_leader"


async def wait(day: Day) -> None:
    day.act("周末四 · 候补与同行", "A group, a friend, a waiting list, an offer")
    walk = await _announce(day)
    host, early, giving, hopeful, last = day.waiting[:5]
    await _group(day, walk, day.waiting[5:8])
    await _friends(day, walk, host)
    places = [await _sign_up(walk, who) for who in (early, giving)]
    waiting = [await _sign_up(walk, who) for who in (hopeful, last)]
    found = [(one["status"], one["position"]) for one in places + waiting]
    expected = [("confirmed", None)] * 2 + [("waitlisted", 1), ("waitlisted", 2)]
    day.checks.equal("places and the waiting list", expected, found)
    await _counted(day, walk, 2)
    day.say(f"{CAPACITY} 个名额已满，{hopeful.name}、{last.name} 候补", "full: two wait")
    await _offer(day, (giving, places[1]), (hopeful, waiting[0]), (last, waiting[1]))
    await _counted(day, walk, 1)


async def _announce(day: Day) -> str:
    starts_at = now().replace(microsecond=0) + timedelta(days=2)
    body = {
        "org_id": day.street["id"],
        "title": TITLE,
        "category": "health",
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=2)).isoformat(),
        "capacity": CAPACITY,
        "rule_key": "activity_checkin",
        "signup_terms": {"offer_minutes": OFFER_MINUTES, "friends": 1},
    }
    made = (await day.organizer.do("/activities", body)).want(201)
    (await day.organizer.post(f"/activities/{made['id']}/publish")).want(200)
    day.say(
        f"《{TITLE}》{CAPACITY} 个名额，可带 1 人，递补须在 {OFFER_MINUTES} 分钟内接受", "terms"
    )
    return str(made["id"])


async def _group(day: Day, walk: str, members: list[Phone]) -> None:
    """Sign three people up by their cards, with a number that is nobody's."""
    cards = [(await who.get("/me/card")).want(200)["card_no"] for who in members]
    body = {"card_nos": [*cards, NOBODY]}
    told = (await day.organizer.do(f"/activities/{walk}/signups/batches", body)).want(201)["items"]
    outcomes = [one["outcome"] for one in told]
    expected = ["signed_up"] * len(members) + ["unknown"]
    day.checks.equal("outcomes of the group", expected, outcomes)
    notice = await until(members[0].last_notice, NOTICE)
    day.checks.equal("the notice to a member", NOTICE, notice)
    day.say(f"{day.organizer.name} 按卡号为 {len(members)} 人报名，一个卡号查无此人", "a group")


async def _friends(day: Day, walk: str, host: Phone) -> None:
    path = f"/activities/{walk}/signups"
    many = await host.post(path, {"friends": 2})
    told = day.refused("too many friends", "409 signups.too_many_friends", many.verdict)
    place = (await host.post(path, {"friends": 1})).want(201)
    found = (place["status"], place["friends"])
    day.checks.equal(f"{host.name} and a friend", ("confirmed", 1), found)
    day.say(f"{host.name} 想带两人：{told}，带一人成功，占两个名额", "a friend takes a place")


async def _sign_up(walk: str, who: Phone) -> dict[str, Any]:
    made: dict[str, Any] = (await who.post(f"/activities/{walk}/signups", {})).want(201)
    return made


async def _offer(
    day: Day,
    giving: tuple[Phone, dict[str, Any]],
    first: tuple[Phone, dict[str, Any]],
    second: tuple[Phone, dict[str, Any]],
) -> None:
    """One gives a place back; the first who waits is offered it, and accepts."""
    (await giving[0].delete(f"/signups/{giving[1]['id']}")).want(204)
    mine = (await first[0].get("/me/signups")).want(200)["items"][0]
    day.checks.equal(f"offered to {first[0].name}", "offered", mine["status"])
    early = await second[0].post(f"/signups/{second[1]['id']}/acceptance")
    told = day.refused("a place that is not offered", "409 signups.no_offer", early.verdict)
    accepted = (await first[0].post(f"/signups/{first[1]['id']}/acceptance")).want(200)
    found = (accepted["status"], accepted["offer_until"])
    day.checks.equal("the place that is accepted", ("confirmed", None), found)
    day.say(f"{giving[0].name} 取消，{first[0].name} 收到名额并接受", "an offer, accepted")
    day.say(f"{second[0].name} 还没轮到：{told}", "the next has no offer yet")


async def _counted(day: Day, walk: str, waiting: int) -> None:
    shown = (await day.organizer.get(f"/activities/{walk}")).want(200)
    found = (shown["signups_confirmed"], shown["signups_waitlisted"])
    day.checks.equal("places and who waits", (CAPACITY, waiting), found)
