"""At the café: payments with the card's code; then the merchant's statement."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from rich.padding import Padding
from rich.table import Table

from app.core.clock import local_date, now
from app.demo.acts.rewards import BANK, CAFE
from app.demo.book import StatementLine
from app.demo.cast import masked
from app.demo.day import Day
from app.demo.phone import Phone, Reply, new_key

MENU = (
    *(("美式咖啡", 9), ("拿铁", 12), ("江蟹面", 18), ("柠檬茶", 6)),
    *(("三明治", 11), ("秧草包子", 5), ("拿铁", 12), ("豆浆", 3)),
)
FIRST = 20
CARD_CODE_DIGITS = 18
KINDS = {
    "charge": "消费 charge",
    "refund": "退款 refund",
    "collect": "领取 collect",
    "undo": "撤销 undo",
}


@dataclass(frozen=True)
class Paid:
    """A payment, with its key and body to send it again."""

    who: Phone
    key: str
    body: dict[str, Any]
    charge: dict[str, Any]


async def pay(day: Day) -> None:
    day.act("十四 · 青享卡付款", "Pay with the card at the café")
    guests = day.present[FIRST : FIRST + len(MENU)]

    async def order(pair: tuple[Phone, tuple[str, int]]) -> Paid:
        who, (note, points) = pair
        return await _pay(day, who, note, points)

    payments = await day.crowd("付款 Pay", list(zip(guests, MENU, strict=True)), order)
    total = sum(points for _, points in MENU)
    day.say(f"{len(payments)} 人在 {CAFE} 刷 18 位付款码，共 [bold]{total}[/] 分", "eight payments")
    first = payments[0]
    twice = await _charge(day, {**first.body, "note": "又一杯"}, new_key())
    told = day.refused("a card code used twice", "409 cards.code_used", twice.verdict)
    day.say(f"同一付款码再刷一次：{told}", "the same code again")
    repeat = await _charge(day, first.body, first.key)
    found = (repeat.want(201), repeat.replayed)
    day.checks.equal("the same Idempotency-Key replays the reply", (first.charge, True), found)
    day.say("网络重试（同一 Idempotency-Key）：回复相同，只扣一次", "a retry replays the reply")
    await _too_much(day)
    await _refund(day, payments[2], MENU[2][1], "售罄")
    await _refund(day, payments[4], 4, "少一份配菜")


async def statements(day: Day) -> None:
    """Compare both merchants' statements with the book; print the café's."""
    month = f"{local_date(now()):%Y-%m}"
    for counter, merchant in ((day.bank, BANK), (day.cafe, CAFE)):
        shown = (await counter.get("/merchant/statement", month=month)).want(200)
        sums = {name: shown[name] for name in ("charged", "refunded", "collected", "undone", "net")}
        day.checks.equal(f"sums of {merchant}", day.book.sums(merchant), sums)
        lines = Counter(_line(item) for item in shown["items"])
        day.checks.equal(f"lines of {merchant}", day.book.statements[merchant], lines)
    day.say(f"两家商户的 {month} 对账单与本剧账本逐笔一致", "both statements agree, line by line")
    table = Table(box=None, padding=(0, 2), header_style="dim", title_style="bold")
    for heading in ("类型 Kind", "居民 Resident", "事项 Note"):
        table.add_column(heading)
    table.add_column("积分 Points", justify="right")
    for item in reversed(shown["items"]):
        line = _line(item)
        style = "yellow" if line.kind == "refund" else None
        table.add_row(KINDS[line.kind], line.person, line.note, str(line.points), style=style)
    table.add_section()
    table.add_row("合计 net", "", CAFE, str(shown["net"]), style="bold")
    day.console.print(Padding(table, (1, 0, 0, 4), expand=False))


async def _pay(day: Day, who: Phone, note: str, points: int) -> Paid:
    body = {"card_code": await card_code(day, who), "points": points, "note": note}
    preview = {"card_code": body["card_code"], "points": points}
    shown = (await day.cafe.post("/merchant/charges/preview", preview)).want(200)
    day.checks.equal(
        f"whose card it is: {who.name}", masked(who.name), shown["person"]["display_name"]
    )
    key = new_key()
    charge = (await _charge(day, body, key)).want(201)
    day.book.charge(who.name, points, CAFE, note)
    found = (charge["points"], charge["balance_after"])
    expected = (points, day.book.accounts[who.name].available)
    day.checks.equal(f"payment of {who.name}", expected, found)
    return Paid(who, key, body, charge)


async def card_code(day: Day, who: Phone) -> str:
    code = str((await who.get("/me/card/code")).want(200)["code"])
    found = (len(code), code.isdecimal())
    day.checks.equal("the shape of a card code", (CARD_CODE_DIGITS, True), found)
    return code


async def _charge(day: Day, body: dict[str, Any], key: str) -> Reply:
    return await day.cafe.post("/merchant/charges", body, key=key)


async def _too_much(day: Day) -> None:
    """Check that a refused amount does not use up the code: a smaller one succeeds."""
    who = day.present[0]
    body = {"card_code": await card_code(day, who), "points": 25, "note": "蛋糕"}
    told = day.refused(
        "25 points of 24",
        "409 points.insufficient",
        (await _charge(day, body, new_key())).verdict,
    )
    (await _charge(day, {**body, "points": 20}, new_key())).want(201)
    day.book.charge(who.name, 20, CAFE, "蛋糕")
    day.say(f"{who.name} 付 25 分：{told}，改付 20 分成功", "too much, then less")


async def _refund(day: Day, paid: Paid, points: int, reason: str) -> None:
    """Refund a payment, all of it or a part."""
    path = f"/merchant/charges/{paid.charge['id']}/refund"
    back = (await day.cafe.do(path, {"reason": reason, "points": points})).want(200)
    day.book.refund(paid.who.name, points, CAFE, reason)
    is_whole = points == paid.charge["points"]
    found = (back["status"], back["points_refunded"], back["balance_after"])
    available = day.book.accounts[paid.who.name].available
    expected = ("refunded" if is_whole else "charged", points, available)
    day.checks.equal(f"refund to {paid.who.name}", expected, found)
    told = (
        f"{paid.body['note']}{reason}，{paid.charge['points']} 分中退 {points} 分给 {paid.who.name}"
    )
    day.say(told, "refunded" if is_whole else "refunded in part")


def _line(item: dict[str, Any]) -> StatementLine:
    return StatementLine(item["kind"], item["points"], item["person"]["display_name"], item["note"])
