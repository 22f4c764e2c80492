"""Every page in Chromium, at the desk and on a phone; logging in by scanning; the projector."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page, expect

from app.core.clock import now
from app.runtime import Runtime
from app.services import web_logins
from tests.clients.running import served
from tests.factories.activities import current_code, make_activity, make_attended, sign_up
from tests.factories.awards import approve, propose
from tests.factories.http import in_process
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_organizer, make_person
from tests.web.chromium import SIZES, check, chromium, window

pytestmark = pytest.mark.browser
LONG = (
    "镇江市扬中市三茅街道新时代文明实践所“青春有约·益起成长”青年夜校第二期摄影与短视频制作公开课"
    "（含结业作品展示与交流分享会）"
)
HERE: dict[str, Any] = {"latitude": 32.24, "longitude": 119.81, "radius_m": 200}
EVERY_SIZE = pytest.mark.parametrize("size", SIZES)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest.fixture
async def site(app: FastAPI) -> AsyncIterator[str]:
    async with served(app) as url:
        yield url


async def log_in(page: Page, site: str, runtime: Runtime, person: TestPerson) -> None:
    async with runtime.database.transaction() as tx:
        token = await web_logins.begin(tx, person.id)
    await page.context.add_cookies([{"name": "qx", "value": token, "url": site}])


@EVERY_SIZE
async def test_public_pages(
    browser: Browser, site: str, api: httpx.AsyncClient, runtime: Runtime, size: str
) -> None:
    org = await make_org(runtime)
    people = [await make_person(runtime, name) for name in ("欧阳青禾", "李雷")]
    proposer, reviewer = [await make_organizer(runtime, org.id) for _ in range(2)]
    for award in await propose(api, proposer, org, *people):
        assert (await approve(api, reviewer, award)).is_success
    made = [
        await make_activity(
            runtime,
            org=org,
            title=title,
            capacity=capacity,
            starts_at=now() + timedelta(days=days, hours=2),
            **({"location_name": place} | HERE if place else {}),
            description="带上笔记本和好奇心。\n\n1. 签到\n2. 讲座\n3. 自由交流",
        )
        for days, (title, capacity, place) in enumerate(
            [
                ("社区义诊", None, "三茅社区卫生服务中心"),
                (LONG, 30, "三茅街道青年之家二楼多功能活动厅（电梯右手边，近消防通道）"),
                ("清明植树", 1, None),
            ]
        )
    ]
    async with window(browser, site, size) as page:
        await page.goto("/activities?q=三茅")
        await check(page, "activities")
        await page.get_by_role("searchbox").fill("没有这样的活动")
        await expect(page.get_by_text("没有符合条件的活动")).to_be_visible()
        await expect(page).to_have_url(re.compile("q="))
        await check(page, "activities-empty")
        await page.go_back()
        await page.goto(f"/activities/{made[1].id}")
        await check(page, "activity")
        await page.goto("/award-notices")
        await expect(page.get_by_text("欧*禾").first).to_be_visible()
        await check(page, "award-notices")
        await page.goto("/nowhere")
        await check(page, "not-found")
        await page.goto("/w/abc")
        await check(page, "scan-in-wechat")


@EVERY_SIZE
async def test_a_phone_logs_the_page_in(
    browser: Browser, site: str, runtime: Runtime, app: FastAPI, size: str
) -> None:
    person = await make_person(runtime)
    async with window(browser, site, size) as page, in_process(app) as phone:
        await page.goto("/projector?limit=7")
        await expect(page).to_have_url(re.compile("/login"))
        await check(page, "login")
        [cookie] = [c for c in await page.context.cookies() if c["name"] == "qx-ticket"]
        assert cookie["httpOnly"]
        ticket = cookie["value"].partition(".")[0]
        path = f"/api/v1/auth/web-logins/{ticket}"
        told = (await phone.get(path, headers=person.headers)).json()
        await expect(page.locator(".number strong")).to_have_text(told["number"])
        assert (await phone.post(path, headers=person.headers)).is_success
        await page.wait_for_url("**/projector?limit=7")
        await check(page, "projectable-empty")
        await page.get_by_role("button", name="退出", exact=True).click()
        await page.wait_for_url("**/login")


@EVERY_SIZE
async def test_a_code_that_is_over_says_so(browser: Browser, site: str, size: str) -> None:
    async with window(browser, site, size) as page:
        await page.clock.install()
        await page.goto("/login")
        await page.clock.run_for(130_000)
        await expect(page.get_by_role("status")).to_have_text("二维码已过期")
        await check(page, "login-over")
        await page.get_by_role("link", name="换一个二维码").click()
        await expect(page.get_by_role("status")).to_have_text("等待手机确认")


@EVERY_SIZE
async def test_the_projector_shows_who_arrives(
    browser: Browser, site: str, api: httpx.AsyncClient, runtime: Runtime, size: str
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    names = ["欧阳青禾", "王小四", "阿不都热依木·买买提", "李雷"]
    guests = [await make_person(runtime, name) for name in names]
    activity = await make_attended(runtime, guests[0], org=org, title=LONG, capacity=120)
    await sign_up(runtime, activity, *guests[1:])
    async with window(browser, site, size) as page:
        await log_in(page, site, runtime, organizer)
        await page.goto("/projector")
        await check(page, "projectable")
        await page.get_by_role("link", name=re.compile("签到码：")).click()
        code = page.get_by_role("img", name=re.compile("二维码"))
        await expect(code).to_be_visible()
        await expect(page.get_by_text("等待第一位")).to_be_visible()
        await check(page, "projector-nobody")
        for guest in guests:
            scan = {"code": current_code(runtime, activity)}
            reply = await api.post("/api/v1/checkins", json=scan, headers=guest.headers)
            assert reply.is_success, reply.text
        await expect(page.get_by_text("欧*禾")).to_be_visible(timeout=8000)
        await expect(page.locator("#checked_in")).to_have_text("4")
        await check(page, "projector")


@EVERY_SIZE
async def test_pages_in_english(browser: Browser, site: str, runtime: Runtime, size: str) -> None:
    org = await make_org(runtime)
    await make_activity(runtime, org=org, title="Night school: photography", capacity=1)
    organizer = await make_organizer(runtime, org.id)
    async with window(browser, site, size, locale="en-GB") as page:
        for path, name in [
            ("/activities", "activities"),
            ("/award-notices", "award-notices"),
            ("/login", "login"),
            ("/nowhere", "not-found"),
        ]:
            await page.goto(path)
            await expect(page.locator("html")).to_have_attribute("lang", "en")
            await check(page, f"{name}-en")
        await log_in(page, site, runtime, organizer)
        await page.goto("/projector")
        await check(page, "projectable-en")
        await page.get_by_role("link", name="Check-in: ").first.click()
        await expect(page.get_by_text("Scan with WeChat to check in")).to_be_visible()
        await check(page, "projector-en")


async def test_a_dead_code_is_hidden_until_the_network_is_back(
    browser: Browser, site: str, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_activity(runtime, org=org, title="青年夜校")
    async with window(browser, site, "desk") as page:
        await log_in(page, site, runtime, organizer)
        await page.clock.install()
        await page.goto(f"/projector/{activity.id}")
        code = page.get_by_role("img", name=re.compile("二维码"))
        await expect(code).to_be_visible()
        first = await code.get_attribute("src")

        await page.context.set_offline(True)
        for _ in range(60):  # an hour, a minute at a time
            await page.clock.run_for(60_000)
            await asyncio.sleep(0)
        await expect(code).to_be_hidden()
        await expect(page.get_by_role("status")).to_have_text("网络中断，正在重连…")
        await expect(page.get_by_text("旧码已失效")).to_be_visible()
        await check(page, "projector-away")

        await page.context.set_offline(False)
        await page.clock.run_for(10_000)
        await expect(code).to_be_visible()
        await expect(page.get_by_role("status")).to_have_text("请用微信扫一扫签到")
        assert await code.get_attribute("src") != ""
        assert first
