"""When hours are certified, and a copy of all one's data."""

import io
import zipfile

from app.demo.day import Day
from app.demo.phone import Phone, until

LEAVER = 40  # of those present
COPIED_S = 60.0


async def certify(day: Day) -> None:
    day.act("十一 · 志愿服务证明与个人信息副本", "A certificate of hours, a copy of one's data")
    who = day.leaver = day.present[LEAVER]
    early = await who.do("/me/certificates", {})
    told = day.refused("no name is confirmed", "409 certificates.name_unconfirmed", early.verdict)
    day.say(f"{who.name} 开具证明，姓名未确认：{told}", "not before the name is confirmed")
    body = {"display_name": who.name}
    (await day.organizer.do(f"/people/{who.person_id}/name-confirmation", body)).want(201)
    ahead = await who.do("/me/certificates", {})
    told = day.refused("hours that are not over", "409 certificates.no_hours", ahead.verdict)
    day.say(
        f"{day.organizer.name} 确认姓名；活动还没结束，时长不能证明：{told}",
        "hours are certified when they are over",
    )
    await _copy(day, who)


async def _copy(day: Day, who: Phone) -> None:
    (await who.do("/me/exports")).want(201)

    async def is_ready() -> bool:
        items = (await who.get("/me/exports")).want(200)["items"]
        return bool(items and items[0]["ready_at"])

    day.checks.equal("the copy is made", True, await until(is_ready, True, COPIED_S))
    link = (await who.get("/me/exports")).want(200)["items"][0]["url"]
    opened = await Phone(day.network, "web-view").get(link.removeprefix("/api/v1"))
    with zipfile.ZipFile(io.BytesIO(opened.want(200))) as archive:
        day.checks.equal("the zip is whole", None, archive.testzip())
        names = archive.namelist()
    day.say(
        f"{who.name} 下载个人信息副本，{len(names)} 个文件，链接五分钟有效",
        "a copy of one's data, by a link of five minutes",
    )
