"""Another county's programme: an agreement, points that go over and back."""

from datetime import timedelta
from typing import Any

from app.core.clock import now
from app.demo.acts.founding import POLICY
from app.demo.day import Day
from app.demo.phone import Phone

COUNTY, COUNTY_NAME = "511703", "达川区"
UNIT, UNIT_NAME = "dachuan_points", "达川志愿服务积分"
RATE, OTHER_RATE = 3, 2
GIVEN, GOT = 9, 6
LIMIT = 7  # points of 达川 that may be given beyond what came back
TRAVELLER = 1  # of those present; has 24 points and redeems nothing


async def exchange(day: Day) -> None:
    day.act("集市四 · 两地互换", "Points of one programme for those of another")
    other, county = await _county(day)
    agreement = await _agree(day, other, county)
    await _move(day, agreement, county)
    await _end(day, agreement, other)


async def _county(day: Day) -> tuple[Phone, dict[str, Any]]:
    """Another root with a programme and a unit of its own, and its administrator."""
    other = Phone(day.network, "dachuan", "蒲达川")
    await other.arrive()
    rows = day.stage.home / "county.csv"
    rows.write_text(
        f"code,name,parent_code,level\n{COUNTY},{COUNTY_NAME},,district\n", encoding="utf-8"
    )
    await day.operate("orgs", "import", str(rows))
    await day.operate("roles", "grant", other.person_id, "administrator", "--org", COUNTY)
    unit = {"code": UNIT, "name": UNIT_NAME, "name_en": "Dachuan points"}
    (await other.do("/units", unit)).want(201)
    document = day.stage.home / "county.toml"
    rules = POLICY.read_text(encoding="utf-8").replace('unit = "points"', f'unit = "{UNIT}"')
    document.write_text(rules, encoding="utf-8")
    await day.operate("policies", "publish", str(document), "--org", COUNTY)
    found = (await other.get("/orgs", q=COUNTY_NAME)).want(200)["items"]
    day.say(
        f"{COUNTY_NAME}有自己的积分办法，单位「{UNIT_NAME}」", "another programme, its own unit"
    )
    return other, found[0]


async def _agree(day: Day, other: Phone, county: dict[str, Any]) -> dict[str, Any]:
    body = {
        "org_id": day.city["id"],
        "other_org_id": county["id"],
        "rate_points": RATE,
        "other_rate_points": OTHER_RATE,
        "max_points": 100,
        "other_max_points": LIMIT,
        "ends_at": (now() + timedelta(days=365)).isoformat(),
    }
    made: dict[str, Any] = (await day.admin.do("/exchange-agreements", body)).want(201)
    path = f"/exchange-agreements/{made['id']}/decision"
    answer = {"accepted": True, "reason": "同意互换"}
    alone = (await day.admin.do(path, answer)).verdict
    told = day.refused("an answer of the side that asks", "403 auth.forbidden", alone)
    agreed = (await other.do(path, answer)).want(200)
    day.checks.equal("the agreement", ("agreed", True), (agreed["state"], agreed["is_open"]))
    day.say(f"{RATE} 分换 {OTHER_RATE} 分，提议方自己答复：{told}；对方同意", "proposed, agreed")
    return made


async def _move(day: Day, agreement: dict[str, Any], county: dict[str, Any]) -> None:
    who = day.present[TRAVELLER]
    body = {"agreement_id": agreement["id"], "org_id": day.city["id"], "points": GIVEN + 1}
    made = (await who.do("/exchanges", body)).want(201)
    day.book.exchange(who.name, GIVEN)
    found = (made["points"], made["received"], made["available"])
    expected = (GIVEN, GOT, day.book.accounts[who.name].available)
    day.checks.equal(f"the exchange of {who.name}", expected, found)
    shown = (await who.get("/me/points", unit=UNIT)).want(200)
    day.checks.equal("points of the other county", GOT, shown["available"])
    over = await who.do("/exchanges", {**body, "points": RATE})
    told = day.refused("more than was agreed", "409 exchanges.limit_reached", over.verdict)
    day.say(
        f"{who.name} 出 {GIVEN + 1} 分，按整分收 {GIVEN} 分、得 {GOT} 分；超出额度：{told}",
        "rounded down, the rest is kept",
    )
    back = {"agreement_id": agreement["id"], "org_id": county["id"], "points": OTHER_RATE}
    (await who.do("/exchanges", back)).want(201)
    day.book.exchange(who.name, -RATE)
    public = (await Phone(day.network, "").get(f"/exchange-agreements/{agreement['id']}")).want(200)
    positions = [public[side]["position"] for side in ("party", "other_party")]
    day.checks.equal("positions of both sides", [GIVEN - RATE, OTHER_RATE - GOT], positions)
    day.say(f"换回 {RATE} 分；两地头寸公开：{positions}", "some go back; positions are public")


async def _end(day: Day, agreement: dict[str, Any], other: Phone) -> None:
    path = f"/exchange-agreements/{agreement['id']}/end"
    ended = (await other.do(path, {"reason": "年度结算"})).want(200)
    listed = (await other.get("/exchange-agreements", org_id=day.city["id"])).want(200)["items"]
    day.checks.equal("the agreements of the city", [ended], listed)
    who = day.present[TRAVELLER]
    body = {"agreement_id": agreement["id"], "org_id": day.city["id"], "points": RATE}
    over = await who.do("/exchanges", body)
    told = day.refused("an ended agreement", "409 exchanges.closed", over.verdict)
    mine = (await who.get("/me/exchanges")).want(200)["items"]
    day.checks.equal("exchanges", [OTHER_RATE, GIVEN], [one["points"] for one in mine])
    day.say(f"对方终止协议后再换：{told}", "ended: nothing moves any more")
