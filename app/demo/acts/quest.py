"""A quest of three checkpoints: posters are scanned where they hang, the third completes it."""

from datetime import timedelta
from typing import Any, NamedTuple

from app.core.clock import now
from app.demo.day import Day
from app.demo.phone import Phone, Reply

TITLE, POINTS = "青年打卡三茅", 3
RADIUS_M = 150


class Place(NamedTuple):
    """A point in GCJ-02 degrees."""

    name: str
    latitude: float
    longitude: float


# So close together that whoever walks from one to the next at once is not flagged as too fast.
STOPS = (
    Place("三茅青年之家", 32.2368, 119.8267),
    Place("文化新村社区居委会", 32.2374, 119.8249),
    Place("扬子中路与江洲路路口", 32.2352, 119.8214),
)
ELSEWHERE = Place("三茅敬老院", 32.2311, 119.8186)


async def walk(day: Day) -> None:
    day.act("周末三 · 打卡任务", "A quest: three posters in three places")
    who = day.waiting[4]
    quest = await _announce(day)
    posters = [await _poster(day, quest, number) for number in (1, 2, 3)]
    first = (await _visit(who, posters[0], STOPS[0])).want(201)
    day.checks.equal("progress after one", (1, 3), _progress(first))
    again = (await _visit(who, posters[0], STOPS[0])).want(200)
    day.checks.equal("a second scan is the first visit", first["visit"], again["visit"])
    far = await _visit(who, posters[1], ELSEWHERE)
    told = day.refused("a poster from afar", "409 quest_visits.too_far", far.verdict)
    metres = far.body["facts"]["distance_m"]
    day.say(f"{who.name} 在别处扫照片里的海报，相距 {metres} 米：{told}", "too far away")
    renewed = f"/quests/{quest}/checkpoints/2/poster/renewal"
    new = str((await day.organizer.do(renewed)).want(200)["url"])
    lost = await _visit(who, posters[1], STOPS[1])
    told = day.refused(
        "a poster that was replaced", "422 quest_visits.poster_replaced", lost.verdict
    )
    day.say(f"第二张海报遗失换发，旧海报作废：{told}", "a lost poster is replaced")
    second = (await _visit(who, new, STOPS[1])).want(201)
    day.checks.equal("progress after two", (2, 3), _progress(second))
    third = (await _visit(who, posters[2], STOPS[2])).want(201)["mine"]
    award = third["award"]
    found = (third["done"], award["points"], award["state"])
    day.checks.equal("the quest is complete", (3, POINTS, "pending"), found)
    day.book.propose(who.name, POINTS)
    day.say(
        f"{who.name} 集齐三处，{POINTS} 分，凭海报须等一天到账",
        "complete; by posters the points wait for a day",
    )


async def _announce(day: Day) -> str:
    at = now().replace(microsecond=0)
    checkpoints = [
        {"title": one.name, "location": one._asdict() | {"radius_m": RADIUS_M}} for one in STOPS
    ]
    body = {
        "org_id": day.street["id"],
        "title": TITLE,
        "description": "走到点位，扫描墙上的海报。",
        "starts_at": (at - timedelta(hours=1)).isoformat(),
        "ends_at": (at + timedelta(days=1)).isoformat(),
        "rule_key": "quest_complete",
        "needed": len(STOPS),
        "checkpoints": checkpoints,
    }
    made = (await day.organizer.do("/quests", body)).want(201)
    shown = (await day.organizer.do(f"/quests/{made['id']}/publish")).want(200)
    numbers = [one["number"] for one in shown["checkpoints"]]
    day.checks.equal(
        "checkpoints of the quest", ("published", [1, 2, 3]), (shown["state"], numbers)
    )
    names = "、".join(one.name for one in STOPS)
    day.say(f"《{TITLE}》发布：{names}", "three checkpoints")
    return str(made["id"])


async def _poster(day: Day, quest: str, number: int) -> str:
    """Return what the poster's QR code holds: a URL."""
    path = f"/quests/{quest}/checkpoints/{number}/poster"
    poster = (await day.organizer.get(path)).want(200)
    picture = (await day.organizer.get(f"{path}.svg")).want(200)
    found = (poster["issue"], len(poster["code"]), "<svg" in picture)
    day.checks.equal(f"poster {number}", (1, 32, True), found)
    return str(poster["url"])


async def _visit(who: Phone, poster: str, place: Place) -> Reply:
    """Scan a poster with a phone that is at a place."""
    here = {
        "latitude": place.latitude,
        "longitude": place.longitude,
        "accuracy_m": 20,
        "coordinate_system": "gcj02",
    }
    return await who.post("/quest-visits", {"code": poster, "location": here})


def _progress(result: dict[str, Any]) -> tuple[int, int]:
    return result["mine"]["done"], result["mine"]["needed"]
