"""All points are compared with the book and verified by `ledger verify`."""

from dataclasses import asdict
from typing import Any

from rich.padding import Padding
from rich.table import Table

from app.demo.acts.rewards import BANK, CAFE
from app.demo.day import Day
from app.demo.phone import Phone

BALANCES = ("available", "pending", "held", "minutes")


async def reconcile(day: Day) -> None:
    """Compare every resident with the book, and the sum of points with the awards."""
    day.act("十六 · 对账", "Every point is accounted for")
    found = await day.crowd("核对 Reconcile", day.residents, _read)
    for who, (points, entries) in zip(day.residents, found, strict=True):
        account = asdict(day.book.accounts[who.name])
        expected = {name: account[name] for name in BALANCES}
        shown = {name: points[name] for name in BALANCES}
        day.checks.equal(f"balances of {who.name}", expected, shown)
        numbers = [entry["number"] for entry in entries]
        unbroken = list(range(len(entries), 0, -1))
        day.checks.equal(f"numbers in the passbook of {who.name}", unbroken, numbers)
        last = entries[0]["balance_after"] if entries else 0
        day.checks.equal(f"passbook of {who.name}", expected["available"], last)
    day.say(
        f"{len(found)} 位居民：可用、待审、冻结、时长、存折，与账本一分不差",
        "all residents agree to the point",
    )
    sums = {name: sum(points[name] for points, _ in found) for name in BALANCES}
    _totals(day, sums)


async def _read(who: Phone) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    points = (await who.get("/me/points")).want(200)
    entries = (await who.get("/me/points/entries", limit=100)).want(200)
    return points, entries["items"]


def _totals(day: Day, sums: dict[str, int]) -> None:
    cafe, bank = day.book.sums(CAFE)["net"], day.book.sums(BANK)["net"]
    awarded = day.book.total("earned") + day.book.total("pending")
    closed = day.book.accounts[day.erased].available if day.erased else 0
    parts = {
        "居民可用 available": sums["available"],
        "待审核 pending": sums["pending"],
        "冻结中 held": sums["held"],
        f"{CAFE} takings": cafe,
        "回到公益银行 back to the fund": bank,
        "扣分 deducted": day.book.total("deducted"),
        "换往外地 exchanged": day.book.total("exchanged"),
        "已注销 of the closed account": closed,
    }
    day.checks.equal("all points that were awarded", awarded, sum(parts.values()))
    table = Table(box=None, padding=(0, 2), show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, points in parts.items():
        table.add_row(name, f"{points:,}")
    table.add_section()
    table.add_row("本月发放 awarded", f"{awarded:,}", style="bold")
    day.console.print(Padding(table, (1, 0, 1, 4), expand=False))


async def verify(day: Day) -> None:
    """Run `qingxiang ledger verify` as an operator would, while the server runs."""
    verdict = await day.operate("ledger", "verify")
    day.say(f"qingxiang ledger verify：[italic]{verdict}[/]")
