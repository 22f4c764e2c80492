"""Courtesies: a matrix of tier and category, claims within a quota, and a package for riders."""

from datetime import timedelta
from typing import Any

from app.core.clock import local_date, now
from app.demo.day import Day
from app.demo.phone import Phone

RIDERS, QUOTA = 6, 2
YEAR = timedelta(days=365)


async def thank(day: Day) -> None:
    day.act("集市六 · 分级分类礼遇", "Courtesies by tier and category; a package for riders")
    *riders, other = [one for one in day.present if one is not day.leaver][: RIDERS + 1]
    breakfast = await _publish(day, "骑手早餐券", [{"category": "rider", "quota": QUOTA}])
    await _record(day, riders)
    path = f"/courtesies/{breakfast['id']}"
    seen = (await other.get(path)).want(200)["mine"]
    missing = seen["cells"][0]["missing_category"]
    day.checks.equal(f"what {other.name} lacks", "rider", missing)
    refused = await other.do(f"{path}/claims")
    told = day.refused("no rider", "403 courtesies.not_eligible", refused.verdict)
    day.say(f"{other.name} 不是骑手：{told}", "the matrix says what is missing")
    await _claim(day, path, riders[0])
    await _grant(day, breakfast, riders)


async def _publish(day: Day, name: str, cells: list[dict[str, Any]]) -> dict[str, Any]:
    body = {
        "org_id": day.street["id"],
        "name": name,
        "venue": "三茅青年之家",
        "period": "run",
        "starts_at": (now() - timedelta(hours=1)).isoformat(),
        "ends_at": (now() + YEAR).isoformat(),
        "cells": cells,
    }
    made = (await day.organizer.do("/courtesies", body)).want(201)
    path = f"/courtesies/{made['id']}/publish"
    published: dict[str, Any] = (await day.organizer.do(path)).want(200)
    day.checks.equal("state of the courtesy", "published", published["state"])
    day.say(f"发布「{name}」：骑手 {QUOTA} 次", "published with its matrix")
    return published


async def _record(day: Day, riders: list[Phone]) -> None:
    body = {
        "org_id": day.street["id"],
        "category": "rider",
        "person_ids": [one.person_id for one in riders],
        "until": (local_date(now()) + YEAR).isoformat(),
        "reason": "新就业群体名册",
    }
    made = (await day.organizer.do("/person-categories", body)).want(201)
    day.checks.equal("riders recorded", len(riders), made["added"])
    day.say(f"登记 {len(riders)} 名骑手", "recorded as riders")


async def _claim(day: Day, path: str, rider: Phone) -> None:
    """A rider claims all of the quota, and uses one at the venue."""
    for _ in range(QUOTA):
        (await rider.do(f"{path}/claims")).want(201)
    more = await rider.do(f"{path}/claims")
    told = day.refused("beyond the quota", "409 courtesies.quota_used", more.verdict)
    code = (await rider.get("/me/card/code", purpose="courtesy")).want(200)["code"]
    used = (await day.organizer.do(f"{path}/uses", {"card_code": code})).want(200)
    day.checks.equal("state of the claim", "used", used["state"])
    day.say(
        f"{rider.name} 领取 {QUOTA} 次、使用一次；再领：{told}", "claimed, used, within the quota"
    )


async def _grant(day: Day, courtesy: dict[str, Any], riders: list[Phone]) -> None:
    body = {
        "org_id": day.street["id"],
        "title": "骑手暖心大礼包",
        "courtesy_ids": [courtesy["id"]],
        "category": "rider",
        "claim_until": (now() + YEAR).isoformat(),
        "reason": "新就业群体关爱行动",
    }
    grant = (await day.organizer.do("/courtesy-grants", body)).want(201)
    day.checks.equal("people of the package", len(riders), grant["people"])
    path = f"/courtesy-grants/{grant['id']}/claims"

    async def claim(who: Phone) -> int:
        return len((await who.do(path)).want(201)["items"])

    got = await day.crowd("领取 Claim", riders, claim)
    day.checks.equal("what the package gave", [1] * len(riders), got)
    again = await riders[0].do(path)
    told = day.refused("a package twice", "409 courtesy_grants.claimed", again.verdict)
    day.say(f"{len(riders)} 名骑手各领礼包一次；再领：{told}", "each claimed the package once")
