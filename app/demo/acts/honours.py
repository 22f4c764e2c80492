"""Awards by hand, their review and public notice; the leaderboards."""

from collections import Counter
from typing import Any

from rich.padding import Padding
from rich.table import Table

from app.demo.cast import masked
from app.demo.day import Day
from app.demo.phone import Phone, new_key, until

LECTURE = ("lecture_give", 8, {"checkin": "12", "rating": "4.8"})
COMMENDATION = ("commendation", 15, {"document": "三茅〔2026〕18号", "public_notice": "已公示"})
REPORT = ("opinion_report", 1, {"form": "雨水井盖松动", "accepted": "已受理"})
TOP = 5
REBUILT_S = 90.0  # old boards are kept for a minute


async def honour(day: Day) -> None:
    day.act(
        "九 · 人工加分与排行榜",
        "Awards by hand, approved, in public notice; leaderboards",
    )
    star, speaker, reporter = day.present[-1], day.present[-2], day.present[-3]
    awards = [
        await _propose(day, who, *what)
        for who, what in ((star, COMMENDATION), (speaker, LECTURE), (reporter, REPORT))
    ]
    own = await day.organizer.post(f"/awards/{awards[0]}/approval", key=new_key())
    told = day.refused("one's own proposal", "403 awards.own_proposal", own.verdict)
    day.say(f"{day.organizer.name} 提交三笔加分，自己不能审核：{told}", "not one's own proposal")
    for award in awards[:2]:
        approved = await day.admin.post(f"/awards/{award}/approval", key=new_key())
        day.checks.equal("an approved award", "notice", approved.want(200)["state"])
    notices = (await reporter.get("/awards/notices", org_id=day.street["id"])).want(200)["items"]
    shown = [(one["display_name"], one["award"]["points"]) for one in notices]
    expected = [(masked(star.name), 15), (masked(speaker.name), 8)]
    day.checks.equal("the public notice", expected, shown)
    day.say(
        f"{day.admin.name} 审核通过：{shown[0][0]} 表彰 15 分，{shown[1][0]} 宣讲 8 分，"
        f"公示三天后到账；{reporter.name} 的 1 分待审",
        "two approved and in public notice for three days, one pending",
    )
    body = {"display_name": star.name, "shows_name": True}
    day.checks.equal("the opt-in", True, (await star.put("/me", body)).want(200)["shows_name"])
    day.say(f"{star.name} 同意在排行榜显示全名", "opts in to show the name")
    await boards(day, star)


async def _propose(day: Day, who: Phone, rule: str, points: int, evidence: dict[str, str]) -> str:
    body = {
        "rule_key": rule,
        "org_id": day.street["id"],
        "person_ids": [who.person_id],
        "evidence": evidence,
    }
    made = (await day.organizer.post("/awards", body, key=new_key())).want(201)
    award = made["items"][0]["award"]
    found = (award["points"], award["state"])
    day.checks.equal(f"proposal for {who.name}", (points, "pending"), found)
    day.book.propose(who.name, points)
    return str(award["id"])


def _place(day: Day, star: Phone, board: dict[str, Any]) -> dict[str, int]:
    """Return the star's place as the list shows it; rank 0 if it does not."""
    names = [item["display_name"] for item in board["items"]]
    rank = names.index(star.name) + 1 if star.name in names else 0
    return {"rank": rank, "points": day.book.accounts[star.name].earned}


async def boards(day: Day, star: Phone) -> None:
    """Compare the leaderboards of street and city with the book; print them."""
    expected = Counter(
        (name if name == star.name else masked(name), account.earned)
        for name, account in day.book.accounts.items()
        if account.earned and name != day.erased
    )
    boards = []
    for org in (day.street, day.city):
        last: dict[str, Any] = {}

        # The list leaves out an erased person at once, the place only once boards are rebuilt.
        async def shown(
            org: dict[str, Any] = org, last: dict[str, Any] = last
        ) -> tuple[Counter[Any], bool]:
            query = {"org_id": org["id"], "period": "month", "limit": 100}
            last.update((await star.get("/leaderboards", **query)).want(200))
            found = Counter((item["display_name"], item["points"]) for item in last["items"])
            return found, last["me"] == _place(day, star, last)

        found, _ = await until(shown, (expected, True), REBUILT_S)
        day.checks.equal(f"leaderboard of {org['name']}", expected, found)
        mine = _place(day, star, last)
        day.checks.equal(f"{star.name}'s own place in {org['name']}", mine, last["me"])
        boards.append(last["items"][:TOP])
    day.say("排行榜已更新，其余姓名均隐去", "the boards have moved; other names are masked")
    table = Table(box=None, padding=(0, 2), header_style="dim")
    table.add_column("本月 This month", justify="right")
    for org in (day.street, day.city):
        table.add_column(org["name"])
        table.add_column("积分", justify="right", style="bold")
    for rank, (left, right) in enumerate(zip(*boards, strict=True), start=1):
        cells = (left["display_name"], left["points"], right["display_name"], right["points"])
        table.add_row(*map(str, (rank, *cells)))
    day.console.print(Padding(table, (1, 0, 0, 4), expand=False))
