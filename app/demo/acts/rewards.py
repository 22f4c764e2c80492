"""At the 公益银行: rewards are reserved, collected, and some reservations cancelled."""

from collections import Counter
from typing import Any

from app.demo.cast import SHOPS, masked
from app.demo.day import Day
from app.demo.phone import Phone, new_key

CAFE, BANK = SHOPS["merchant"][0], SHOPS["merchant2"][0]
# Reward and quantity for each resident, within their 24 points.
WISHES = (
    *(("soap", 2), ("toothpaste", 1), ("tissue", 1), ("dish_soap", 1), ("donate", 3)),
    *(("toothpaste", 2), ("soap", 1), ("donate", 1), ("tissue", 1), ("dish_soap", 1)),
)
COFFEES = 2
FIRST = 2  # the first two present do not redeem
Reserved = tuple[Phone, dict[str, Any], dict[str, Any]]  # who, the redemption, the reward


async def redeem(day: Day) -> None:
    day.act("十三 · 公益银行兑换", "Reserve a reward, collect it at the counter")
    catalogue = await _catalogue(day)
    wishes = [*WISHES, *[("coffee", 1)] * COFFEES]
    visitors = day.present[FIRST : FIRST + len(wishes)]

    async def reserve(pair: tuple[Phone, tuple[str, int]]) -> Reserved:
        who, (key, quantity) = pair
        return await _reserve(day, who, catalogue[key], quantity)

    orders = list(zip(visitors, wishes, strict=True))
    reserved = await day.crowd("兑换 Reserve", orders, reserve)
    total = sum(redemption["points"] for _, redemption, _ in reserved)
    day.say(
        f"{len(reserved)} 人预约兑换，共冻结 [bold]{total}[/] 分", "points are held, not yet spent"
    )
    *goods, given_up, left = reserved[: len(WISHES)]
    await _foreign_counter(day, goods[0])
    for order in goods:
        await _collect(day, day.bank, BANK, order)
    await _undo(day, goods[1])
    for order in reserved[len(WISHES) :]:
        await _collect(day, day.cafe, CAFE, order)
    day.say(
        f"{len(goods)} 人在 {BANK} 领取，{COFFEES} 人在 {CAFE} 领取咖啡券",
        "collected",
    )
    await _cancel(day, given_up)
    day.say(f"{left[0].name} 改天再来，{left[1]['points']} 分继续冻结", "comes another day")
    await _refusals(day, catalogue)
    await _stock(day, catalogue, [*goods, left])


async def _catalogue(day: Day) -> dict[str, dict[str, Any]]:
    reply = await day.present[0].get("/rewards", org_id=day.street["id"], limit=100)
    return {item["key"]: item for item in reply.want(200)["items"]}


async def _reserve(day: Day, who: Phone, reward: dict[str, Any], quantity: int) -> Reserved:
    """Reserve, then repeat the request, as a client does after a lost reply."""
    key, body = new_key(), {"reward_id": reward["id"], "quantity": quantity}
    first = await who.post("/redemptions", body, key=key)
    redemption = first.want(201)
    repeat = await who.post("/redemptions", body, key=key)
    found = (repeat.want(201), repeat.replayed)
    day.checks.equal("a repeated reservation is the first one", (redemption, True), found)
    points = reward["points"] * quantity
    found = (redemption["status"], redemption["points"])
    day.checks.equal(f"reservation of {who.name}", ("reserved", points), found)
    day.book.hold(who.name, points)
    return who, redemption, reward


async def _collect(day: Day, counter: Phone, merchant: str, order: Reserved) -> None:
    who, redemption, reward = order
    body = {"pickup_code": redemption["pickup_code"]}
    shown = (await counter.post("/merchant/redemptions/preview", body)).want(200)
    found = (shown["reward_name"], shown["points"], shown["person"]["display_name"])
    expected = (reward["name"], redemption["points"], masked(who.name))
    day.checks.equal(f"preview of {who.name}'s code", expected, found)
    reply = await counter.do("/merchant/redemptions/collect", body)
    day.checks.equal(f"collection of {who.name}", "collected", reply.want(200)["status"])
    day.book.collect(who.name, redemption["points"], merchant, reward["name"])


async def _undo(day: Day, order: Reserved) -> None:
    """Undo a collection of the wrong goods, and collect it again with the new code."""
    who, redemption, reward = order
    path, reason = f"/merchant/redemptions/{redemption['id']}/undo", "拿错商品"
    undone = (await day.bank.do(path, {"reason": reason})).want(200)
    day.book.undo(who.name, redemption["points"], BANK, reason)
    mine = (await who.get("/me/redemptions")).want(200)["items"]
    anew = next(one for one in mine if one["id"] == undone["replaced_by"])
    day.checks.equal("it is reserved again", "reserved", anew["status"])
    await _collect(day, day.bank, BANK, (who, anew, reward))
    day.say(f"{who.name} {reason}，撤销领取，凭新码再领", "undone, and collected again")


async def _foreign_counter(day: Day, order: Reserved) -> None:
    body = {"pickup_code": order[1]["pickup_code"]}
    reply = await day.cafe.post("/merchant/redemptions/collect", body, key=new_key())
    told = day.refused("another merchant's code", "404 redemptions.not_found", reply.verdict)
    day.say(f"{CAFE} 收不了别家的取货码：{told}", "another counter's code")


async def _cancel(day: Day, order: Reserved) -> None:
    who, redemption, _ = order
    reply = await who.post(f"/redemptions/{redemption['id']}/cancel")
    day.checks.equal(f"{who.name} gives up", "cancelled", reply.want(200)["status"])
    day.book.give_up(who.name, redemption["points"])
    points = (await who.get("/me/points")).want(200)
    expected = day.book.accounts[who.name].available
    day.checks.equal(f"{who.name} has the points back", expected, points["available"])
    day.say(f"{who.name} 取消兑换，{redemption['points']} 分退回", "cancelled, points back")


async def _refusals(day: Day, catalogue: dict[str, dict[str, Any]]) -> None:
    who = day.present[0]
    for key, quantity, expected, words, gloss in (
        ("rice", 1, "409 points.insufficient", "积分不足", "40 points wanted, 24 there"),
        ("soap", 3, "409 rewards.limit_reached", "超出限额", "two for each person"),
        ("film", 1, "403 rewards.tier_too_low", "等级不足", "needs a higher card"),
    ):
        body = {"reward_id": catalogue[key]["id"], "quantity": quantity}
        reply = await who.post("/redemptions", body, key=new_key())
        told = day.refused(f"{who.name} wants {quantity} {key}", expected, reply.verdict)
        name = catalogue[key]["name"]
        day.say(f"{who.name} 想换 {name} × {quantity}，{words}：{told}", gloss)


async def _stock(day: Day, before: dict[str, dict[str, Any]], orders: list[Reserved]) -> None:
    after = await _catalogue(day)
    taken: Counter[str] = Counter()
    for _, redemption, reward in orders:
        if reward["stock_left"] is not None:
            taken[reward["key"]] += redemption["quantity"]
    taken["coffee"] = COFFEES
    left = {key: one["stock_left"] for key, one in after.items() if one["stock_left"] is not None}
    expected = {key: before[key]["stock_left"] - taken[key] for key in left}
    day.checks.equal("what is left in stock", expected, left)
