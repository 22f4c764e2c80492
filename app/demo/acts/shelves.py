"""The list of rewards is published; points are given without a counter; somebody else collects."""

from app.demo.acts.rewards import BANK
from app.demo.cast import masked
from app.demo.day import Day
from app.demo.phone import Phone, new_key

OTHERS = 20  # those present from here on have not redeemed yet
GIVEN, PIECES = 10, 2  # points of a donation
PRICE, PROXY = 10, "李梅"  # of what somebody else collects


async def publish(day: Day) -> None:
    day.act("兑换清单 · 捐赠 · 代领", "A published list, a donation, a proxy")
    offered = (await day.present[0].get("/rewards", org_id=day.street["id"], limit=100)).want(200)
    rewards = {one["key"]: one for one in offered["items"]}
    body = {
        "title": "积分兑换清单",
        "source": "扬青发〔2026〕12号",
        "items": [{"reward_id": one["id"]} for one in offered["items"]],
    }
    path = f"/orgs/{day.street['id']}/reward-lists"
    made = (await day.organizer.do(path, body)).want(201)
    found = (made["number"], made["state"], len(made["items"]))
    day.checks.equal("the list", (1, "in_force", len(rewards)), found)
    day.say(f"三茅街道发布第 1 版清单，{len(rewards)} 项", "the first version is in force")
    giver, owner = [
        one for one in day.present[OTHERS:] if day.book.accounts[one.name].available >= PRICE
    ][:2]
    await _give(day, giver, rewards["donate"]["id"], rewards["donate"]["name"])
    await _collect(day, owner, rewards["toothpaste"]["id"], rewards["toothpaste"]["name"])


async def _give(day: Day, who: Phone, reward: str, name: str) -> None:
    body = {"reward_id": reward, "quantity": PIECES}
    given = (await who.post("/donations", body, key=new_key())).want(201)
    found = (given["points"], given["honour"]["has_mark"])
    day.checks.equal(f"donation of {who.name}", (GIVEN, True), found)
    day.book.hold(who.name, GIVEN)
    day.book.collect(who.name, GIVEN, BANK, name)
    day.say(f"{who.name} 在手机上捐 {GIVEN} 分，有了爱心标识", "given without a counter")


async def _collect(day: Day, owner: Phone, reward: str, name: str) -> None:
    """Somebody else shows the code of a proxy, once."""
    held = (await owner.post("/redemptions", {"reward_id": reward}, key=new_key())).want(201)
    day.book.hold(owner.name, PRICE)
    path = f"/redemptions/{held['id']}/proxy"
    proxy = (await owner.post(path, {"name": PROXY}, key=new_key())).want(201)
    code = {"pickup_code": proxy["code"]}
    shown = (await day.bank.post("/merchant/redemptions/preview", code)).want(200)
    found = (shown["proxy"], shown["person"]["display_name"])
    day.checks.equal("preview of a proxy", ({"name": PROXY}, masked(owner.name)), found)
    done = await day.bank.do("/merchant/redemptions/collect", code)
    day.checks.equal("collection by a proxy", PROXY, done.want(200)["proxy"]["name"])
    day.book.collect(owner.name, PRICE, BANK, name)
    again = await day.bank.post("/merchant/redemptions/collect", code, key=new_key())
    told = day.refused("a proxy code twice", "409 redemptions.not_reserved", again.verdict)
    day.say(f"{PROXY} 替 {owner.name} 领取；再用一次：{told}", "collected by a proxy, once")
