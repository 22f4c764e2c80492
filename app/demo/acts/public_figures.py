"""The fund (公益银行) in public: gifts, what the points are worth, month, quarter and year."""

from typing import Any

from app.demo.acts.careful import RULES
from app.demo.acts.exchange import GIVEN
from app.demo.acts.rewards import BANK, CAFE
from app.demo.day import Day
from app.demo.phone import Phone, until

VALUE = 10  # cents of a point
GIVER = "扬中市青年企业家协会"
GOODS, GOODS_CENTS, MONEY_CENTS = "洗衣液 2 瓶", 5_000, 10_000
WRITTEN_S = 60.0
PERIODS = ("month", "quarter", "year")


async def show(day: Day) -> None:
    day.act("集市五 · 公益银行公示", "The fund's public figures")
    path = f"/orgs/{day.street['id']}/fund"
    await _give(day, path)
    rules = day.stage.home / "fund.toml"
    rules.write_text(f"{RULES}\n[fund]\npoint_value_cents = {VALUE}\n", encoding="utf-8")
    await day.operate("policies", "publish", str(rules), "--org", day.street["code"])
    expected = _expected(day)
    with day.stage.worker():
        found = await until(lambda: _sums(day, path, "month"), expected, WRITTEN_S)
    day.checks.equal("the months", expected, found)
    for period in PERIODS[1:]:
        day.checks.equal(f"the {period}s", expected, await _sums(day, path, period))
    kept, redeemed, closing = expected.values()
    day.say(f"本月、本季、本年：发放 {kept}，兑换 {redeemed}，流通 {closing}", "for everybody")
    await _coverage(day, path, expected)


async def _give(day: Day, path: str) -> None:
    goods = {"form": "goods", "value_cents": GOODS_CENTS, "goods": GOODS}
    money = {"form": "money", "value_cents": MONEY_CENTS}
    for form, points in ((goods, 500), (money, 1_000)):
        given = {"kind": "donation", "points": points, "giver": GIVER}
        receipt = (await day.admin.do(f"{path}/receipts", given | form)).want(201)
        found = (receipt["form"], receipt["value_cents"])
        day.checks.equal("a donation", (form["form"], form["value_cents"]), found)
    day.say(
        f"{GIVER}捐 {MONEY_CENTS // 100} 元和{GOODS}（{GOODS_CENTS // 100} 元）", "two receipts"
    )


def _expected(day: Day) -> dict[str, int]:
    """Return the points of all time by the book.

    ``kept``: issued and not reversed. What came back by the exchange was issued by the city.
    """
    book = day.book
    kept = book.total("earned") + book.total("pending") - book.total("deducted")
    redeemed = book.sums(CAFE)["net"] + book.sums(BANK)["net"] + GIVEN
    return {"kept": kept, "redeemed": redeemed, "closing": kept - redeemed}


async def _sums(day: Day, path: str, period: str) -> dict[str, int]:
    """Sum the periods, as somebody without a login reads them; ``closing`` is that of the last."""
    shown = (await Phone(day.network, "").get(f"{path}/periods", period=period)).want(200)
    items: list[dict[str, Any]] = shown["items"]
    return {
        "kept": sum(one["issued"] - one["reversed"] for one in items),
        "redeemed": sum(one["redeemed"] for one in items),
        "closing": items[0]["closing"] if items else 0,
    }


async def _coverage(day: Day, path: str, expected: dict[str, int]) -> None:
    shown = (await Phone(day.network, "").get(f"{path}/coverage")).want(200)
    owed = expected["closing"] * VALUE
    fund = MONEY_CENTS + GOODS_CENTS - expected["redeemed"] * VALUE
    found = tuple(shown[name] for name in ("liability_cents", "fund_cents", "coverage_percent"))
    day.checks.equal("the coverage", (owed, fund, fund * 100 // owed), found)
    day.checks.equal("prices are not frozen", None, shown["frozen_since"])
    day.say(
        f"流通积分折合 {owed / 100:.2f} 元，基金 {fund / 100:.2f} 元，保障率 {found[2]}%",
        "what the points are worth, and the fund",
    )
