"""The code on the co-organizer's screen, fifty check-ins, refused ones, and their review."""

import asyncio
from typing import Any

import segno
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from app.demo.acts.gathering import HOURS
from app.demo.day import Day
from app.demo.phone import Phone, Reply, new_key

POINTS = 4 * HOURS  # taskforce_emergency in policy.toml: 4 an hour, 24 a day
MINUTES = 60 * HOURS
QUIET_ZONE = 2
CODE_LENGTH = 32
DISPATCH_NO = "扬防汛〔2026〕7号"


class Screen:
    """The organizer's screen: fetches a new code when the displayed one is due."""

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
                self._shown = (await self._day.assistant.get(path)).want(200)
                self._due = loop.time() + float(self._shown["refresh_after_seconds"])
                length = len(self._shown["code"])
                self._day.checks.equal("length of the code", CODE_LENGTH, length)
        return self._shown


async def check_in(day: Day) -> None:
    day.act("八 · 扫码签到", "Fifty residents scan the rotating code")
    screen = Screen(day)
    await _show_screen(day, screen)
    replies = await day.crowd("签到 Check in", day.present, lambda who: _scan(screen, who))
    for who, reply in zip(day.present, replies, strict=True):
        got = reply.want(201)
        award = (got["award"]["points"], got["award"]["minutes"], got["award"]["state"])
        day.checks.equal(f"award of {who.name}", (POINTS, MINUTES, "pending"), award)
        day.book.propose(who.name, POINTS, MINUTES)
        balances = {"available": 0, "pending": POINTS}
        day.checks.equal(f"balances of {who.name}", balances, got["points"])
        day.awards.append(got["award"]["id"])
    shown = (await day.organizer.get(f"/activities/{day.activity['id']}")).want(200)
    day.checks.equal("check-ins of the activity", 50, shown["checkins"])
    day.say(
        f"50 人签到，每人 {HOURS} 小时到账，{POINTS} 分待两人审核",
        "50 check-ins: 6 hours each count, 24 points wait for two reviewers",
    )
    again = await _scan(screen, day.present[0])
    day.checks.equal("a second scan gives the first result", replies[0].body, again.want(200))
    day.say(
        f"{day.present[0].name} 重复扫码：结果不变，不重复计分", "a second scan changes nothing"
    )
    await _refusals(day, screen)


async def confirm(day: Day) -> None:
    """Two others confirm what the rule does not pay for attendance alone."""
    day.say("急难险重任务须派遣单号和两名审核人", "the rule asks for a number and two reviewers")
    reviewers = [day.admin, day.reviewer]
    wanted = {"award_ids": day.awards}
    early = await reviewers[0].post("/awards/approvals", wanted, key=new_key())
    told = day.refused("approval without evidence", "409 awards.evidence_missing", early.verdict)
    day.say(f"{reviewers[0].name} 审核，材料未补：{told}", "not without its evidence")
    body = {**wanted, "evidence": {"dispatch_no": DISPATCH_NO}}
    (await day.organizer.post("/awards/evidence", body, key=new_key())).want(200)
    own = await day.organizer.post("/awards/approvals", wanted, key=new_key())
    told = day.refused("one's own activity", "403 awards.own_proposal", own.verdict)
    day.say(f"{day.organizer.name} 补报 {DISPATCH_NO}，自己不能审核：{told}", "not one's own")
    for reviewer, state in zip(reviewers, ("pending", "available"), strict=True):
        approved = await reviewer.post("/awards/approvals", wanted, key=new_key())
        states = {award["state"] for award in approved.want(200)["items"]}
        day.checks.equal(f"awards that {reviewer.name} approved", {state}, states)
    for who in day.present:
        day.book.approve(who.name, POINTS)
    day.say(
        f"{reviewers[0].name}、{reviewers[1].name} 各审核 50 笔，每人 {POINTS} 分到账",
        "both approve all fifty at once",
    )
    await _balances(day)


async def _show_screen(day: Day, screen: Screen) -> None:
    shown = await screen.shown()
    picture = await day.assistant.get(shown["svg_url"].removeprefix("/api/v1"))
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
    """Draw the QR code, two rows of modules per line."""
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
