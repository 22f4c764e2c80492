"""A redemption day of 250 orders: four counters with a shelf each, no-shows, the accounts.

A smaller day (``redemption_day``) is played while this one waits for its end.
"""

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from statistics import median
from typing import Any

from app.core.clock import now
from app.demo.acts import redemption_day
from app.demo.acts.rewards import BANK
from app.demo.day import Day
from app.demo.phone import Phone, new_key, until

ORDERS, ABSENT, SPARE, PRICE = 250, 2, 5, 1
OPEN_S, RELEASE_S = 36, 60  # of the orders and hand-overs
# What the smaller day needs: people with many points, in the order in which it chooses them.
KEPT, RICH = redemption_day.BUYERS + 2, 20
GOODS = (
    *("毛巾", "围裙", "雨衣", "手套"),
    *("电池", "垃圾袋", "便签本", "环保袋"),
)
COUNTERS = ("一号柜台", "二号柜台", "三号柜台", "四号柜台")


@dataclass
class Order:
    who: Phone
    good: int  # its place in GOODS
    made: dict[str, Any] = field(default_factory=dict)


@dataclass
class Hall:
    """The published day. ``clerks`` stand at the counters, each with the goods of a shelf."""

    path: str
    begun: datetime
    items: list[str]
    clerks: list[Phone]
    orders: list[Order]

    @property
    def absent(self) -> set[str]:
        """Return the names of those who do not come: the last ones who ordered."""
        return {*list(dict.fromkeys(one.who.name for one in self.orders))[-ABSENT:]}


async def hold(day: Day) -> None:
    """Open the day, hand over, play the smaller day, and close this one."""
    day.act("集市一 · 集中兑换日 250 单", "250 orders at four counters")
    hall = await _open(day)
    await _order(day, hall)
    await _hand_over(day, hall)
    await redemption_day.gather(day)
    await _close(day, hall)


async def _open(day: Day) -> Hall:
    rewards = [await _reward(day, number, name) for number, name in enumerate(GOODS)]
    clerks = [day.bank, *day.waiting[-(len(COUNTERS) - 1) :]]
    people = [who for who in day.staying if who not in clerks]
    rich = [who for who in people if _points(day, who) >= RICH][:KEPT]
    wishes = (
        Order(who, good)
        for who in people
        if who not in rich
        for good in range(min(_points(day, who) // PRICE, len(GOODS)))
    )
    orders, begun = list(islice(wishes, ORDERS)), now()
    wanted = Counter(one.good for one in orders)
    times = {"opens_at": -3600, "starts_at": -60}
    times |= dict.fromkeys(("closes_at", "walk_ins_at", "ends_at"), OPEN_S)
    body = {
        **{name: (begun + timedelta(seconds=s)).isoformat() for name, s in times.items()},
        "org_id": day.street["id"],
        "merchant_id": day.merchants[BANK]["id"],
        "title": "三茅街道年度集中兑换",
        "place": "三茅青年之家广场",
        "items": [
            {"reward_id": one["id"], "shelf": f"{_counter(number) + 1}", "stock": wanted[number]}
            for number, one in enumerate(rewards)
        ],
        "counters": COUNTERS,
    }
    for item in body["items"]:
        item["stock"] += SPARE
    made = (await day.organizer.do("/redemption-days", body)).want(201)
    path = f"/redemption-days/{made['id']}"
    shown = (await day.organizer.do(f"{path}/publish")).want(200)
    for clerk, counter in zip(clerks[1:], shown["counters"][1:], strict=True):
        card = (await clerk.get("/me/card")).want(200)["card_no"]
        steward = {"counter_id": counter["id"], "card_no": card}
        (await day.organizer.do(f"{path}/stewards", steward)).want(201)
    items = {one["reward_id"]: one["id"] for one in shown["items"]}
    day.say(f"{len(GOODS)} 种奖品、四个货架、{len(COUNTERS)} 个柜台", "published, with stewards")
    return Hall(path, begun, [items[one["id"]] for one in rewards], clerks, orders)


def _points(day: Day, who: Phone) -> int:
    return day.book.accounts[who.name].available


def _counter(good: int) -> int:
    """Return the number of the counter with a good, from 0."""
    return good * len(COUNTERS) // len(GOODS)


async def _reward(day: Day, number: int, name: str) -> dict[str, Any]:
    body = {
        "merchant_id": day.merchants[BANK]["id"],
        "key": f"big_day_{number}",
        "name": name,
        "kind": "goods",
        "points": PRICE,
        "stock": 0,
        "stock_period": "session",
        "min_tier": "sprout",
    }
    made = (await day.organizer.do("/rewards", body)).want(201)
    offered = {"status": "published"}
    shown: dict[str, Any] = (await day.organizer.do(f"/rewards/{made['id']}/status", offered)).want(
        200
    )
    return shown


async def _order(day: Day, hall: Hall) -> None:
    async def order(one: Order) -> dict[str, Any]:
        body = {"item_id": hall.items[one.good]}
        made: dict[str, Any] = (await one.who.do(f"{hall.path}/orders", body)).want(201)
        return made

    began = time.monotonic()
    made = await day.crowd("预约 Reserve", hall.orders, order)
    taken = time.monotonic() - began
    for one, found in zip(hall.orders, made, strict=True):
        one.made = found
        day.book.hold(one.who.name, PRICE)
    day.checks.equal("orders of the day", ORDERS, len({one["id"] for one in made}))
    people = len({one.who.name for one in hall.orders})
    day.say(f"{people} 人预约 {ORDERS} 单，用时 {taken:.1f} 秒", "250 orders")
    listed = await _pick_list(day, hall)
    shelves = [one["shelf"] for one in listed]
    day.checks.equal("the pick list, by shelf", (ORDERS, sorted(shelves)), (len(shelves), shelves))
    day.say(f"配货单 {len(listed)} 行，按货架排列", "the pick list")


async def _pick_list(day: Day, hall: Hall) -> list[dict[str, Any]]:
    """Read all pages of the pick list."""
    found: list[dict[str, Any]] = []
    query: dict[str, str] = {}
    while True:
        page = (await day.organizer.get(f"{hall.path}/orders", limit=100, **query)).want(200)
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        query = {"cursor": page["next_cursor"]}


async def _hand_over(day: Day, hall: Hall) -> None:
    """Let each counter hand over, person by person, what they ordered of its shelf."""
    lines: dict[int, dict[str, list[Order]]] = defaultdict(lambda: defaultdict(list))
    for one in hall.orders:
        if one.who.name not in hall.absent:
            lines[_counter(one.good)][one.who.name].append(one)
    took: list[float] = []

    async def serve(number: int) -> int:
        points = 0
        for orders in lines[number].values():
            body = {
                "pickup_code": orders[0].made["pickup_code"],
                "order_ids": [one.made["id"] for one in orders],
            }
            began = time.monotonic()
            handed = (await hall.clerks[number].do(f"{hall.path}/handovers", body)).want(200)
            took.append(time.monotonic() - began)
            points += handed["points"]
        return points

    began = time.monotonic()
    points = await day.crowd("发放 Hand over", range(len(COUNTERS)), serve)
    taken = time.monotonic() - began
    collected = [one for line in lines.values() for orders in line.values() for one in orders]
    for one in collected:
        day.book.collect(one.who.name, PRICE, BANK, GOODS[one.good])
    day.checks.equal("points at the counters", len(collected) * PRICE, sum(points))
    slowest = 1000 * max(took)
    day.say(
        f"{len(COUNTERS)} 个柜台扫码 {len(took)} 次发放 {len(collected)} 单，用时 {taken:.1f} 秒，"
        f"每次中位 {1000 * median(took):.0f} 毫秒、最慢 {slowest:.0f} 毫秒",
        "handed over",
    )
    await _twice(day, hall)


async def _twice(day: Day, hall: Hall) -> None:
    """Scan a code that was collected, and repeat the request with its key."""
    key, last = new_key(), [one for one in hall.orders if one.who.name not in hall.absent][-1]
    body = {"pickup_code": last.made["pickup_code"]}
    clerk, path = hall.clerks[_counter(last.good)], f"{hall.path}/handovers"
    first, again = [await clerk.post(path, body, key=key) for _ in range(2)]
    told = day.refused("a second scan", "409 redemptions.not_reserved", first.verdict)
    day.checks.equal("the same key again", (True, first.body), (again.replayed, again.body))
    day.say(f"已领的码再扫：{told}", "a second scan, and its repetition")


async def _close(day: Day, hall: Hall) -> None:
    """Wait until the orders of those who did not come are released; close with the shelves."""
    missed = [one for one in hall.orders if one.who.name in hall.absent]
    left = (hall.begun + timedelta(seconds=OPEN_S) - now()).total_seconds()
    await asyncio.sleep(max(left + 0.2, 0))

    async def released() -> int:
        shown = (await day.organizer.get(f"{hall.path}/report")).want(200)
        return sum(one["released"] for one in shown["items"])

    with day.stage.worker():
        found = await until(released, len(missed), RELEASE_S)
    day.checks.equal("released orders", len(missed), found)
    for one in missed:
        day.book.give_up(one.who.name, PRICE)
    not_taken = Counter(one.good for one in missed)
    counts = [
        {"item_id": item, "left": SPARE + not_taken[number]}
        for number, item in enumerate(hall.items)
    ]
    closed = (await day.organizer.do(f"{hall.path}/close", {"counts": counts})).want(200)
    collected = (ORDERS - len(missed)) * PRICE
    sums = [closed[f"ledger_{name}"] for name in ("held", "collected", "returned")]
    expected = [ORDERS * PRICE, collected, len(missed) * PRICE]
    day.checks.equal("points of the day", expected, sums)
    day.checks.equal("the reconciliation of 250 orders", True, closed["balances"])
    day.say(
        f"{ORDERS} 单：领取 {ORDERS - len(missed)}，未领退回 {len(missed)}，库存逐件相符，结账",
        "closed: every piece and every point",
    )
