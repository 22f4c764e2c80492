"""Noon: the code on the organizer's screen, fifty scans, and those that are refused."""

import asyncio
from typing import Any

import segno
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from app.demo.acts.gathering import HOURS
from app.demo.day import Day
from app.demo.phone import Phone, Reply

POINTS = 4 * HOURS  # taskforce_emergency in policy.toml: 4 an hour, 24 a day
MINUTES = 60 * HOURS
QUIET_ZONE = 2
CODE_LENGTH = 32


class Screen:
    """The organizer's screen: asks for a new code when the one that it shows is due."""

    def __init__(self, day: Day) -> None:
        self._day = day
        self._shown: dict[str, Any] = {}
        self._due = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def code(self) -> str:
        return str((await self.shown())["code"])

    async def shown(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        async with self._one_at_a_time:
            if loop.time() >= self._due:
                path = f"/activities/{self._day.activity['id']}/checkin-code"
                self._shown = (await self._day.organizer.get(path)).want(200)
                self._due = loop.time() + float(self._shown["refresh_after_seconds"])
                length = len(self._shown["code"])
                self._day.checks.equal("length of the code", CODE_LENGTH, length)
        return self._shown


async def check_in(day: Day) -> None:
    day.act("四 · 扫码签到", "Fifty residents scan the rotating code")
    screen = Screen(day)
    await _show_screen(day, screen)
    replies = await day.crowd("签到 Check in", day.present, lambda who: _scan(screen, who))
    for who, reply in zip(day.present, replies, strict=True):
        got = reply.want(201)
        award = (got["award"]["points"], got["award"]["minutes"], got["award"]["state"])
        day.checks.equal(f"award of {who.name}", (POINTS, MINUTES, "available"), award)
        day.book.award(who.name, POINTS, MINUTES)
        balances = {"available": POINTS, "pending": 0}
        day.checks.equal(f"balances of {who.name}", balances, got["points"])
    shown = (await day.organizer.get(f"/activities/{day.activity['id']}")).want(200)
    day.checks.equal("check-ins of the activity", 50, shown["checkins"])
    day.say(
        f"50 人签到，每人 {POINTS} 分、{HOURS} 小时", "50 check-ins, 24 points and 6 hours each"
    )
    again = await _scan(screen, day.present[0])
    day.checks.equal("a second scan gives the first result", replies[0].body, again.want(200))
    day.say(
        f"{day.present[0].name} 重复扫码：结果不变，不重复计分", "a second scan changes nothing"
    )
    await _refusals(day, screen)
    await _balances(day)


async def _show_screen(day: Day, screen: Screen) -> None:
    shown = await screen.shown()
    picture = await day.organizer.get(shown["svg_url"].removeprefix("/api/v1"))
    day.checks.equal("the code as a picture", True, "<svg" in picture.want(200))
    words = Text.assemble(
        ("现场大屏\n", "bold"),
        ("The organizer's screen\n\n", "dim"),
        (f"{shown['code'][:16]}\n{shown['code'][16:]}\n\n", "cyan"),
        f"{len(shown['code'])} 个字符，{shown['refresh_after_seconds']} 秒后更换\n",
        ("32 characters, changes every 15 s,\naccepted for at most 45 s", "dim"),
    )
    grid = Table.grid(padding=(0, 4))
    grid.add_row(_qr(shown["code"]), Padding(words, (3, 0)))
    day.console.print(Padding(grid, (1, 0, 1, 2), expand=False))


def _qr(content: str) -> Text:
    """Draw the code, two rows of modules to a line."""
    code = segno.make(content, error="l", boost_error=False, micro=False)
    rows = [list(row) for row in code.matrix_iter(border=QUIET_ZONE)]
    rows.append([0] * len(rows[0]))
    blocks = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
    lines = (
        "".join(blocks[(int(bool(up)), int(bool(down)))] for up, down in zip(*pair, strict=True))
        for pair in zip(rows[::2], rows[1::2], strict=True)
    )
    return Text("\n".join(lines), style="black on white", no_wrap=True)


async def _scan(screen: Screen, who: Phone) -> Reply:
    return await who.post("/checkins", {"code": await screen.code()})


async def _refusals(day: Day, screen: Screen) -> None:
    outsider, forger = day.waiting[0], day.waiting[1]
    told = day.refused(
        "a scan without a place",
        "403 checkins.not_signed_up",
        (await _scan(screen, outsider)).verdict,
    )
    day.say(f"{outsider.name} 仍在候补，被拒绝：{told}", "still waiting")
    code = await screen.code()
    forged = code[:-1] + ("A" if code[-1] != "A" else "B")
    told = day.refused(
        "a forged code",
        "422 checkins.code_invalid",
        (await forger.post("/checkins", {"code": forged})).verdict,
    )
    day.say(f"{forger.name} 用伪造的码，被拒绝：{told}", "forged")


async def _balances(day: Day) -> None:
    replies = await day.crowd("积分 Points", day.residents, lambda who: who.get("/me/points"))
    points = sum(reply.want(200)["available"] for reply in replies)
    minutes = sum(reply.want(200)["minutes"] for reply in replies)
    day.checks.equal("points of all residents", day.book.total("available"), points)
    day.checks.equal("minutes of all residents", day.book.total("minutes"), minutes)
    day.say(
        f"到账合计 [bold]{points:,}[/] 分、[bold]{minutes // 60:,}[/] 志愿小时",
        "points and volunteer hours",
    )
