"""At the door: a steward, a leader's list, a walk-in; a correction and an annulment."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.core.clock import now
from app.demo.acts.closing import BALANCES
from app.demo.day import Day
from app.demo.phone import Phone, until

TITLE = "敬老院陪伴日"
# It began 100 minutes ago and goes on for 65: who comes now is paid for one hour.
BEGAN, ENDS = timedelta(minutes=100), timedelta(minutes=65)
POINTS, MINUTES = 2, 60
CAME = timedelta(minutes=90)  # before now, as the correction says: 2.5 hours to the end
CORRECTED_POINTS, CORRECTED_MINUTES = 5, 150
NOTICE, OWN = "correction_annulled", "stewards.own"


async def admit(day: Day) -> None:
    day.act("周末五 · 门口登记", "A steward, a leader's list, a walk-in, a correction")
    helped = await day.announce(TITLE, BEGAN, ENDS)
    scanned, walk_in, *team = day.waiting[:5]
    for who in (scanned, *team):
        (await who.post(f"/activities/{helped}/signups", {})).want(201)
    corrected = await _scan_card(day, helped, scanned)
    annulled = await _walk_in(day, helped, walk_in)
    await _list(day, helped, team)
    await _correct(day, corrected, scanned)
    await _annul(day, annulled, walk_in)
    shown = (await day.organizer.get(f"/activities/{helped}")).want(200)
    day.checks.equal("check-ins of the activity", 2 + len(team), shown["checkins"])
    await compare(day, day.waiting)


async def _scan_card(day: Day, activity: str, who: Phone) -> str:
    """Check in by the code that a card shows, once; return the id of the check-in."""
    path = f"/activities/{activity}/attendance"
    code = (await who.get("/me/card/code")).want(200)["code"]
    body = {"action": "check_in", "card_code": code}
    seen = (await day.organizer.do(path, body)).want(200)
    found = (seen["display_name"], seen["points"], seen["minutes"], seen["state"])
    day.checks.equal("by the card", (who.name, POINTS, MINUTES, "available"), found)
    day.book.award(who.name, POINTS, MINUTES)
    again = await day.organizer.do(path, body)
    told = day.refused("a card code used twice", "409 cards.code_used", again.verdict)
    day.say(f"{day.organizer.name} 扫 {who.name} 的青享卡签到，码只用一次：{told}", "a steward")
    return str(seen["checkin_id"])


async def _walk_in(day: Day, activity: str, who: Phone) -> str:
    path = f"/activities/{activity}/attendance"
    body = {"action": "check_in", "card_no": await _card(who)}
    denied = await day.organizer.do(path, body)
    told = day.refused("without a place", "403 checkins.not_signed_up", denied.verdict)
    seen = (await day.organizer.do(path, body | {"walk_in": True})).want(200)
    day.checks.equal("the walk-in", (POINTS, "available"), (seen["points"], seen["state"]))
    day.book.award(who.name, POINTS, MINUTES)
    items = (await day.organizer.get(f"/activities/{activity}/checkins")).want(200)["items"]
    marks = {one["person_id"]: one["is_walk_in"] for one in items}
    day.checks.equal("who is marked as a walk-in", {True, False}, set(marks.values()))
    day.checks.equal(f"the mark of {who.name}", True, marks[who.person_id])
    day.say(f"{who.name} 未报名：{told}，登记为现场参加", "a walk-in, and marked so")
    return str(seen["checkin_id"])


async def _list(day: Day, activity: str, team: list[Phone]) -> None:
    """The leader checks the team in, and is refused for himself."""
    leader = await _leader(day, activity)
    cards = [await _card(who) for who in team]
    body = {"action": "check_in", "card_nos": [*cards, await _card(leader)]}
    path = f"/activities/{activity}/attendance/batches"
    told = (await leader.do(path, body)).want(200)
    found = (told["recorded"], told["refused"], told["items"][-1]["refusal"]["code"])
    day.checks.equal("the list of the team", (len(team), 1, OWN), found)
    states = {one["recorded"]["state"] for one in told["items"][:-1]}
    day.checks.equal("awards of the team", {"pending"}, states)
    for who in team:
        day.book.propose(who.name, POINTS)
    day.say(
        f"{leader.name} 按名单为 {len(team)} 名队员签到，积分与时长等一天；不能登记自己："
        f"[yellow]{OWN}[/]",
        "a list: points and hours wait for a day, and nobody lists himself",
    )


async def _leader(day: Day, activity: str) -> Phone:
    leader = day.assistant
    body = {"card_no": await _card(leader)}
    (await day.organizer.do(f"/activities/{activity}/co-organizers", body)).want(201)
    return leader


async def _card(who: Phone) -> str:
    return str((await who.get("/me/card")).want(200)["card_no"])


async def _correct(day: Day, checkin: str, who: Phone) -> None:
    """The person came earlier than the scan says: the award is given anew."""
    body = {
        "checked_in_at": (now().replace(microsecond=0) - CAME).isoformat(),
        "reason": "开门时扫码枪没电，签到表为证",
    }
    changed = (await day.organizer.put_once(f"/checkins/{checkin}", body)).want(200)
    found = (changed["award"]["points"], changed["award"]["minutes"], changed["number"])
    day.checks.equal("the corrected award", (CORRECTED_POINTS, CORRECTED_MINUTES, 1), found)
    before = datetime.fromisoformat(changed["checked_in_before"])
    came = datetime.fromisoformat(changed["checked_in_at"])
    day.checks.equal("what counted before stays known", True, came < before)
    day.book.award(who.name, CORRECTED_POINTS - POINTS, CORRECTED_MINUTES - MINUTES)
    day.say(
        f"更正 {who.name} 的到场时间：{POINTS} 分冲正，改为 {CORRECTED_POINTS} 分、2.5 小时",
        "corrected: the award is reversed and given anew",
    )


async def _annul(day: Day, checkin: str, who: Phone) -> None:
    body = {"reason": "代签，本人未到场"}
    gone = (await day.organizer.do(f"/checkins/{checkin}/annulment", body)).want(200)
    found = (gone["award"], gone["checked_in_at"], gone["reason"])
    day.checks.equal("the annulled check-in", (None, None, body["reason"]), found)
    day.book.award(who.name, -POINTS, -MINUTES)
    again = await day.organizer.do(f"/checkins/{checkin}/annulment", body)
    told = day.refused("annulled twice", "409 corrections.annulled", again.verdict)
    day.checks.equal("the notice of it", NOTICE, await until(who.last_notice, NOTICE))
    day.say(f"{who.name} 系代签，签到作废，积分与时长冲正；再作废：{told}", "annulled")


async def compare(day: Day, people: Sequence[Phone]) -> None:
    """Compare the points and minutes of people with the book."""
    found = await day.crowd("核对 Compare", people, lambda who: who.get("/me/points"))
    for who, reply in zip(people, found, strict=True):
        account, points = day.book.accounts[who.name], reply.want(200)
        expected = {name: getattr(account, name) for name in BALANCES}
        shown = {name: points[name] for name in BALANCES}
        day.checks.equal(f"balances of {who.name}", expected, shown)
    day.say(f"{len(people)} 人的积分与时长同账本一致", "they agree with the book")
