"""A hall without network: two devices record from their rosters, and upload afterwards."""

from datetime import timedelta
from typing import Any

from app.core.signed_events import Action
from app.demo.acts.door import compare
from app.demo.day import Day
from app.demo.phone import Phone
from app.demo.recorder import Recorder, clock_ms, serial_of

TITLE = "三茅大礼堂文明引导"
# It began 100 minutes ago and goes on for 65: who comes now is paid for one hour.
BEGAN, ENDS = timedelta(minutes=100), timedelta(minutes=65)
POINTS, MINUTES = 2, 60
DOORS = (("大礼堂东门", "counter"), ("大礼堂西门", "steward_phone"))
WRONG = "0000"
Events = list[dict[str, str]]


async def fill(day: Day) -> None:
    day.act("周末七 · 无网会场", "A hall without network: rosters, scans, an upload twice")
    people = day.waiting[5:8]
    hall = await day.announce(TITLE, BEGAN, ENDS)
    for who in people:
        (await who.post(f"/activities/{hall}/signups", {})).want(201)
    east, west = [await _device(day, hall, people, *one) for one in DOORS]
    both, by_card, by_code = people
    seen_twice = {"card": serial_of(await _card(both))}
    code, digits = await _code(by_code, hall)
    # Before the right digits, somebody in the hall shows a picture of the same code.
    relayed = WRONG if digits != WRONG else "1111"
    first = [
        east.signed(Action.check_in, **seen_twice),
        east.signed(Action.check_in, card=serial_of(await _card(by_card))),
    ]
    second = [
        west.signed(Action.check_in, **seen_twice),
        west.signed(Action.check_in, code=code, digits=relayed),
        west.signed(Action.check_in, code=code, digits=digits),
    ]
    await _upload(day, hall, (east, west), first, second)
    for who in people:
        day.book.award(who.name, POINTS, MINUTES)
    await _report(day, hall)
    await compare(day, people)


async def _device(day: Day, hall: str, people: list[Phone], name: str, kind: str) -> Recorder:
    """Register a device, and let it have the roster of the hall."""
    made = Recorder()
    body = {"org_id": day.street["id"], "name": name, "kind": kind} | made.public_keys
    made.device_id = (await day.organizer.do("/devices", body)).want(201)["id"]
    path = f"/activities/{hall}/roster"
    expected = made.read((await day.organizer.get(path, device_id=made.device_id)).want(200))
    names = sorted(who.name for who in people)
    day.checks.equal(f"the roster of {name}", names, sorted(one.name for one in expected))
    day.say(f"{name}登记设备，下载加密名单：{len(names)} 人", "a device and its sealed roster")
    return made


async def _card(who: Phone) -> str:
    return str((await who.get("/me/card")).want(200)["card_no"])


async def _code(who: Phone, hall: str) -> tuple[str, str]:
    """Return the offline code that a phone shows now, and the last digits of the card."""
    found = (await who.get("/me/offline-codes", activity_id=hall)).want(200)
    return str(found["codes"][0]["code"]), (await _card(who))[-4:]


async def _upload(
    day: Day, hall: str, devices: tuple[Recorder, Recorder], first: Events, second: Events
) -> None:
    """Upload what both devices recorded; the first upload is sent again in another order."""
    path = f"/activities/{hall}/scans"

    async def send(device: Recorder, events: Events) -> dict[str, Any]:
        body = {"device_id": device.device_id, "sent_ms": clock_ms(), "events": events}
        told: dict[str, Any] = (await day.organizer.post(path, body)).want(200)
        return told

    east, west = devices
    told = await send(east, first)
    day.checks.equal("the first upload", (2, 0, 2), _counts(told))
    told = await send(west, second)
    found = [(one["outcome"], one["reason"]) for one in told["items"]]
    expected = [("duplicate", "already_in"), ("refused", "digits_wrong"), ("counted", None)]
    day.checks.equal("the second upload", expected, found)
    day.say(
        f"两台设备上传：两门都扫到的 {DOORS[0][0]}先记、{DOORS[1][0]}为重复；"
        "转发的截图卡号末四位不符，不采纳",
        "one person twice: once; a relayed picture is refused",
    )
    again = await send(east, first[::-1])
    day.checks.equal("the same upload again settles nothing", (2, 0, 0), _counts(again))
    forged = [first[0] | {"text": first[0]["text"].replace("\nin\n", "\nout\n")}]
    [item] = (await send(east, forged))["items"]
    found_forged = (item["outcome"], item["reason"])
    day.checks.equal("a changed event", ("refused", "bad_signature"), found_forged)
    day.say("乱序重传不再结算；改动过的记录：[yellow]bad_signature[/]", "again: nothing is new")


def _counts(told: dict[str, Any]) -> tuple[int, int, int]:
    return told["counted"], told["duplicate"], told["settled"]


async def _report(day: Day, hall: str) -> None:
    rows = (await day.organizer.get(f"/activities/{hall}/scans")).want(200)["items"]
    outcomes = sorted(one["outcome"] for one in rows)
    expected = ["counted", "counted", "counted", "duplicate", "refused"]
    day.checks.equal("the report of the scans", expected, outcomes)
    [repeat] = [one for one in rows if one["outcome"] == "duplicate"]
    day.checks.equal("who had recorded it first", DOORS[0][0], repeat["first_device_name"])
    shown = (await day.organizer.get(f"/activities/{hall}")).want(200)
    day.checks.equal("check-ins of the hall", 3, shown["checkins"])
    day.say("报告逐条说明：3 人各签到一次，各得 2 分、1 小时", "one check-in, one award each")
