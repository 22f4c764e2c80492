"""One closes the account and keeps it; one cancels at WeChat and is erased."""

import asyncio
import time

from app.demo.acts.honours import boards
from app.demo.day import Day
from app.demo.phone import API, Phone, new_key, until
from app.integrations.wechat_sandbox.pushing import Pusher
from app.integrations.wechat_sandbox.state import sandbox_openid

CANCELLED = "user_authorization_cancellation"
APPID = "wx-sandbox-appid"
ERASED, LOOK_S = "已注销用户", 3.0  # each look at a person is on record, and limited
ERASED_S = 150.0  # the job runs once a minute
WAVERER = 45  # of those present


async def leave(day: Day) -> None:
    day.act("十二 · 注销账号", "An account is closed; another is erased at once")
    who = day.present[WAVERER]
    asked = (await who.delete("/me", key=new_key())).want(200)
    day.checks.equal("the closure", "asked", asked["cause"])
    (await who.do("/me/reopening")).want(204)
    gone = await who.get("/me/closure")
    told = day.refused("nothing is about to close", "404 closures.not_found", gone.verdict)
    day.say(f"{who.name} 申请注销，十五天内反悔：{told}", "asks to close, and keeps the account")
    pusher = Pusher(f"{day.stage.url}{API}/wechat/pushes", "wrong", day.stage.push_key, APPID)
    event = {
        "ToUserName": "gh_demonstration",
        "FromUserName": sandbox_openid(day.leaver.user),
        "CreateTime": int(time.time()),
        "MsgType": "event",
        "Event": CANCELLED,
        "OpenID": sandbox_openid(day.leaver.user),
        "AppID": APPID,
    }
    forged = await pusher.push(event)
    day.checks.equal("a push that WeChat did not sign", 403, forged.status_code)
    pusher.token = day.stage.push_token
    pushed = await pusher.push(event)
    day.checks.equal("WeChat's push", (200, "success"), (pushed.status_code, pushed.text))
    day.say(
        f"{day.leaver.name} 在微信注销，推送到达（伪造的签名被拒绝 403），作业随即删除其信息",
        "cancels at WeChat, whose push has the job erase the account",
    )


async def forget(day: Day) -> None:
    """Wait for the erasure, and look for what must be gone, and what must stay."""
    day.act("十五 · 删除个人信息", "The person is forgotten, the ledger is not")
    gone = day.leaver

    async def verdict() -> str:
        return (await gone.get("/me")).verdict

    with day.console.status("等待删除作业…  [dim]the job runs once a minute[/]"):
        found = await until(verdict, "401 auth.token_invalid", ERASED_S)
    told = day.refused("the login of the erased", "401 auth.token_invalid", found)
    day.say(f"{gone.name} 的登录失效：{told}", "the login has ended")

    before = gone.person_id

    async def name() -> str:
        await asyncio.sleep(LOOK_S)
        seen = await day.admin.get(f"/people/{before}/membership")
        return str(seen.want(200)["display_name"])

    day.checks.equal("the name of the erased", ERASED, await until(name, ERASED, ERASED_S))
    day.say(f"管理员看到的是“{ERASED}”", "no name is left")
    again = Phone(day.network, gone.user)
    day.checks.equal("the same WeChat user is new", True, (await again.log_in())["is_new"])
    day.checks.equal("and another person", True, again.person_id != before)
    points = (await again.get("/me/points")).want(200)["available"]
    day.checks.equal("points of the newcomer", 0, points)
    day.residents.remove(gone)
    day.say("同一微信再登录，是一位没有积分的新居民", "who comes back is somebody new")
    day.erased = gone.name
    await boards(day, day.present[-1])
