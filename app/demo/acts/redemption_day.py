"""A redemption day (集中兑换): orders, hand-overs, a substitute, no-shows, walk-ins, accounts."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from app.core.clock import now
from app.demo.acts.rewards import BANK
from app.demo.day import Day
from app.demo.phone import Phone, new_key, until

TITLE, SHELVES = "三茅街道集中兑换", ("toothpaste", "soap")
STOCK, BUYERS, LIMIT = 6, 5, 2
OPEN_S, WALK_INS_S, RELEASE_S = 12, 10, 60


async def gather(day: Day) -> None:
    day.act("集市二 · 集中兑换", "A redemption day: reserve, hand over, substitute, release, close")
    rewards = await _rewards(day)
    enough = rewards[0]["points"] * LIMIT
    rich = [who for who in day.staying if _points(day, who) >= enough]
    *buyers, absent, walker = rich[: BUYERS + 2]
    begun = now()
    made = await _publish(day, rewards, begun)
    path = f"/redemption-days/{made['id']}"
    items = {one["reward_id"]: one["id"] for one in made["items"]}
    dear, cheap = (items[one["id"]] for one in rewards)
    slot = made["slots"][0]["id"]

    async def order(who: Phone) -> dict[str, Any]:
        body = {"item_id": dear, "slot_id": slot}
        found: dict[str, Any] = (await who.do(f"{path}/orders", body)).want(201)
        day.book.hold(who.name, found["points"])
        return found

    orders = await day.crowd("预约 Reserve", [*buyers, absent], order)
    day.say(f"{len(orders)} 人预约{rewards[0]['name']}，积分冻结", "reserved")
    late = await walker.do(f"{path}/orders", {"item_id": dear, "slot_id": slot, "quantity": 2})
    told = day.refused("more than is left", "409 day_orders.slot_full", late.verdict)
    day.say(f"{walker.name} 没约上：{told}", "the slot is full")
    await _substitute(day, path, (buyers[0], orders[0]), (cheap, rewards[1]), rewards[0])
    for who, one in list(zip(buyers, orders, strict=False))[1:]:
        await _hand_over(day, path, who, one, rewards[0]["name"])
    await _twice(day, path, orders[1])
    await asyncio.sleep(_left(begun, OPEN_S))
    await _walk_in(day, path, walker, cheap, rewards[1])
    await asyncio.sleep(_left(begun, OPEN_S + WALK_INS_S))
    await _release(day, path, absent, orders[-1])
    await _close(day, path, {dear: 1, cheap: 0})


def _points(day: Day, who: Phone) -> int:
    return day.book.accounts[who.name].available


def _left(begun: datetime, seconds: int) -> float:
    """Return the seconds until a moment of the day, and a little more."""
    return max((begun + timedelta(seconds=seconds) - now()).total_seconds() + 0.2, 0)


async def _rewards(day: Day) -> list[dict[str, Any]]:
    """Return the rewards of the shelves, the dearer one first."""
    listed = (await day.organizer.get("/rewards", org_id=day.street["id"], limit=100)).want(200)
    found = [one for one in listed["items"] if one["key"] in SHELVES]
    return sorted(found, key=lambda one: -int(one["points"]))


async def _publish(day: Day, rewards: list[dict[str, Any]], begun: datetime) -> dict[str, Any]:
    spans = {"opens_at": -3600, "starts_at": -60, "closes_at": OPEN_S, "walk_ins_at": OPEN_S}
    spans["ends_at"] = OPEN_S + WALK_INS_S
    times = {name: begun + timedelta(seconds=seconds) for name, seconds in spans.items()}
    slot = {"starts_at": times["starts_at"], "ends_at": times["walk_ins_at"]}
    body = {
        **{name: one.isoformat() for name, one in times.items()},
        "org_id": day.street["id"],
        "merchant_id": day.merchants[BANK]["id"],
        "title": TITLE,
        "place": "三茅青年之家一楼",
        "items": [
            {"reward_id": one["id"], "shelf": f"A{number}", "stock": STOCK, "limit_per_person": 2}
            for number, one in enumerate(rewards, 1)
        ],
        "slots": [{name: one.isoformat() for name, one in slot.items()} | {"capacity": BUYERS + 1}],
        "counters": ["一号柜台", "二号柜台"],
    }
    made = (await day.organizer.do("/redemption-days", body)).want(201)
    published: dict[str, Any] = (
        await day.organizer.do(f"/redemption-days/{made['id']}/publish")
    ).want(200)
    day.checks.equal("state of the day", "published", published["state"])
    day.say(f"《{TITLE}》发布：两个货架各 {STOCK} 件，{BUYERS + 1} 人一个时段", "published")
    return published


async def _substitute(
    day: Day,
    path: str,
    order: tuple[Phone, dict[str, Any]],
    instead: tuple[str, dict[str, Any]],
    old: dict[str, Any],
) -> None:
    """A broken piece: the resident agrees to a cheaper one, and collects it."""
    (who, made), (item, reward) = order, instead
    body = {"order_id": made["id"], "item_id": item, "reason": "包装破损"}
    proposed = (await day.bank.do(f"{path}/substitutions", body)).want(201)
    answer = f"{path}/substitutions/{proposed['id']}/answer"
    accepted = (await who.do(answer, {"accept": True})).want(200)
    day.checks.equal("the substitute", "accepted", accepted["state"])
    day.book.give_up(who.name, made["points"])
    day.book.hold(who.name, reward["points"])
    shown = (await who.get("/me/card/code")).want(200)["code"]
    handed = (await day.bank.do(f"{path}/handovers", {"card_code": shown})).want(200)
    found = [(one["id"], one["points"]) for one in handed["orders"]]
    expected = [(accepted["replaced_by"], reward["points"])]
    day.checks.equal(f"what {who.name} gets", expected, found)
    day.book.collect(who.name, reward["points"], BANK, reward["name"])
    day.say(f"{old['name']}破损，{who.name} 同意换{reward['name']}，差额退回", "a substitute")


async def _hand_over(day: Day, path: str, who: Phone, order: dict[str, Any], name: str) -> None:
    body = {"pickup_code": order["pickup_code"]}
    handed = (await day.bank.do(f"{path}/handovers", body)).want(200)
    day.checks.equal(f"points of {who.name}'s orders", order["points"], handed["points"])
    day.book.collect(who.name, order["points"], BANK, name)


async def _twice(day: Day, path: str, order: dict[str, Any]) -> None:
    body = {"pickup_code": order["pickup_code"]}
    again = await day.bank.post(f"{path}/handovers", body, key=new_key())
    told = day.refused("a second hand-over", "409 redemptions.not_reserved", again.verdict)
    day.say(f"{BUYERS} 人扫码领取，同一码再扫：{told}", "handed over, once")


async def _walk_in(day: Day, path: str, who: Phone, item: str, reward: dict[str, Any]) -> None:
    shown = (await who.get("/me/card/code")).want(200)["code"]
    body = {"item_id": item, "card_code": shown, "quantity": 1}
    (await day.bank.do(f"{path}/walk-ins", body)).want(200)
    day.book.hold(who.name, reward["points"])
    day.book.collect(who.name, reward["points"], BANK, reward["name"])
    day.say(f"{who.name} 现场兑换余量：{reward['name']}", "a walk-in from what is left")


async def _release(day: Day, path: str, who: Phone, order: dict[str, Any]) -> None:
    async def status() -> str:
        shown = (await day.organizer.get(f"{path}/report")).want(200)
        return str(sum(one["released"] for one in shown["items"]))

    with day.stage.worker():
        found = await until(status, "1", RELEASE_S)
    day.checks.equal("pieces that were released", "1", found)
    day.book.give_up(who.name, order["points"])
    points = (await who.get("/me/points")).want(200)
    day.checks.equal(f"{who.name} has the points back", _points(day, who), points["available"])
    day.say(f"{who.name} 未到，{order['points']} 分退回原批次", "a no-show is released")


async def _close(day: Day, path: str, missing: dict[str, int]) -> None:
    """Count the shelves: first one piece is missing, then it is entered."""
    report = (await day.organizer.get(f"{path}/report")).want(200)
    counts = [
        {"item_id": one["item_id"], "left": one["expected"] - missing[one["item_id"]]}
        for one in report["items"]
    ]
    refused = await day.organizer.do(f"{path}/close", {"counts": counts})
    told = day.refused("a shelf that is short", "409 redemption_days.unbalanced", refused.verdict)
    day.say(f"清点少一件，不能结账：{told}", "it does not balance")
    for item, number in missing.items():
        if number:
            body = {"quantity": -number, "reason": "破损报废"}
            (await day.organizer.do(f"{path}/items/{item}/movements", body)).want(201)
    closed = (await day.organizer.do(f"{path}/close", {"counts": counts})).want(200)
    found = (closed["balances"], closed["ledger_held"] - closed["ledger_returned"])
    day.checks.equal("the reconciliation", (True, closed["ledger_collected"]), found)
    day.say("登记报损后账物相符，结账", "closed: goods, places and points balance")
