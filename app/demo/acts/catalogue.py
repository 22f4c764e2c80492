"""Rewards are drafted from the list of the programme, edited, stocked and published."""

import csv
from typing import Any

from app.demo.acts.rewards import BANK, CAFE
from app.demo.cast import DATA, SHOPS, STAFF_OF_PROVIDER
from app.demo.day import Day

COLUMNS = ("kind", "stock_period", "limit_period", "min_tier")
OFFERED = {"status": "published"}
NUMBERS = ("points", "stock", "limit_per_member")
EDITED, CHEAPER, MORE = "coffee", 12, 20


async def offer(day: Day) -> None:
    day.act("四 · 兑换清单", "Rewards: drafted, edited, stocked, published")
    made = {}
    with (DATA / "policy-rewards.csv").open(encoding="utf-8", newline="") as source:
        for row in csv.DictReader(source):
            made[row["key"]] = await _draft(day, row)
    hidden = (await day.auditor.get("/rewards", limit=100)).want(200)["items"]
    day.checks.equal("rewards before they are published", [], hidden)
    await _edit(day, made[EDITED])
    for one in made.values():
        state = (await day.organizer.do(f"/rewards/{one['id']}/status", OFFERED)).want(200)["state"]
        day.checks.equal(f"state of {one['name']}", "published", state)
    day.say(f"{len(made)} 件奖品上架，由 {BANK} 和 {CAFE} 兑付", "published")
    soap = made["soap"]
    body = {"change": MORE, "reason": "企业捐赠"}
    moved = (await day.organizer.do(f"/rewards/{soap['id']}/stock", body)).want(201)
    found = (moved["before"], moved["after"])
    day.checks.equal("the stock", (soap["stock"], soap["stock"] + MORE), found)
    day.say(
        f"{soap['name']}入库 {MORE} 件：{found[0]} → {found[1]}", "a stock movement with reason"
    )


async def _draft(day: Day, row: dict[str, str]) -> dict[str, Any]:
    provider = SHOPS[STAFF_OF_PROVIDER[row["provider"]]][0]
    body: dict[str, Any] = {name: row[name] or None for name in COLUMNS}
    body |= {name: int(row[name]) if row[name] else None for name in NUMBERS}
    body |= {"key": row["key"], "name": row["name_zh"], "name_en": row["name_en"]}
    body["merchant_id"] = day.merchants[provider]["id"]
    draft: dict[str, Any] = (await day.organizer.do("/rewards", body)).want(201)
    day.checks.equal(f"a new reward {row['key']}", "draft", draft["state"])
    return draft


async def _edit(day: Day, reward: dict[str, Any]) -> None:
    change, _ = await reprice(day, reward, CHEAPER, reward["version"])
    day.say(f"{reward['name']}改价 {change}", "an edit tells before and after")
    _, stale = await reprice(day, reward, CHEAPER + 1, reward["version"])
    told = day.refused("a version that is over", "412 request.precondition_failed", stale)
    day.say(f"另一人按旧版本再改：{told}", "two editors at once")


async def reprice(day: Day, reward: dict[str, Any], points: int, version: int) -> tuple[str, str]:
    """Edit the price; return the change in words, and the verdict."""
    kept = {name: reward[name] for name in (*COLUMNS, *NUMBERS, "name_en")}
    body = kept | {"name": reward["name_zh"], "points": points, "reason": "按市场价调整"}
    reply = await day.organizer.put(f"/rewards/{reward['id']}", body, version=version)
    if reply.status != 200:
        return "", reply.verdict
    changes = reply.body["changes"]
    expected = [{"field": "points", "before": reward["points"], "after": points}]
    day.checks.equal(f"what changed of {reward['name']}", expected, changes)
    return f"{changes[0]['before']} → {changes[0]['after']} 分", reply.verdict
