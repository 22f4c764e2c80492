"""The projector: who may project, the code that it shows, cheap polling, masked names."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from app.runtime import Runtime
from tests.factories.activities import current_code, make_activity, make_attended
from tests.factories.http import assert_refused
from tests.factories.orgs import make_org
from tests.factories.pages import browser, enter
from tests.factories.people import TestPerson, make_organizer, make_person

JSON = {"Accept": "application/json"}


@pytest.fixture
async def screen(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(app) as client:
        yield client


async def test_an_organizer_projects_own_activities(
    screen: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    activity = await make_activity(runtime, org=org, title="夜校：<b>摄影</b>")
    await enter(screen, runtime, organizer)

    listed = await screen.get("/projector")
    shown = await screen.get(f"/projector/{activity.id}")

    assert f'href="/projector/{activity.id}"' in listed.text
    for page in (listed, shown):
        assert page.status_code == 200
        assert "夜校：&lt;b&gt;摄影&lt;/b&gt;" in page.text


async def test_the_code_of_the_screen_checks_in(
    api: httpx.AsyncClient, screen: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    activity = await make_activity(runtime, org=org)
    await enter(screen, runtime, await make_organizer(runtime, org.id))

    reply = await screen.get(f"/projector/{activity.id}/code", headers=JSON)

    assert reply.status_code == 200, reply.text
    assert reply.headers["cache-control"] == "no-store"
    body = reply.json()
    assert 0 < body["refresh_after"] <= 15
    assert body["refresh_after"] < body["expires_in"]
    assert body["svg"].startswith("<svg")
    assert not re.search(r"style|script|class", body["svg"])


async def test_counts_and_arrivals_are_masked_and_cheap(
    api: httpx.AsyncClient, screen: httpx.AsyncClient, runtime: Runtime
) -> None:
    org = await make_org(runtime)
    organizer = await make_organizer(runtime, org.id)
    guest = await make_person(runtime, "欧阳晚到")
    activity = await make_attended(runtime, guest, org=org)
    scan = {"code": current_code(runtime, activity)}
    assert (await api.post("/api/v1/checkins", json=scan, headers=guest.headers)).is_success
    await enter(screen, runtime, organizer)

    first = await screen.get(f"/projector/{activity.id}/live", headers=JSON)
    again = await screen.get(
        f"/projector/{activity.id}/live", headers=JSON | {"If-None-Match": first.headers["etag"]}
    )

    assert first.json()["checked_in"] == 1
    assert [one["name"] for one in first.json()["arrivals"]] == ["欧*到"]
    assert "missing_people" not in first.json()
    assert guest.name not in first.text
    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize("path", ["", "/code", "/live"])
async def test_nobody_else_projects(screen: httpx.AsyncClient, runtime: Runtime, path: str) -> None:
    org = await make_org(runtime)
    activity = await make_activity(runtime, org=org)
    elsewhere = await make_organizer(runtime, (await make_org(runtime)).id)

    async def status(person: TestPerson | None) -> httpx.Response:
        screen.cookies = httpx.Cookies()
        if person is not None:
            await enter(screen, runtime, person)
        return await screen.get(f"/projector/{activity.id}{path}", headers=JSON)

    assert_refused(await status(None), 401, "auth.login_required")
    assert_refused(await status(await make_person(runtime)), 403, "auth.forbidden")
    assert_refused(await status(elsewhere), 404, "activities.not_found")
    assert (await status(await make_organizer(runtime, org.id))).status_code == 200


async def test_an_empty_list_says_what_to_do(screen: httpx.AsyncClient, runtime: Runtime) -> None:
    await enter(screen, runtime, await make_person(runtime))
    assert "您没有已发布的活动" in (await screen.get("/projector")).text
    english = await screen.get("/projector", headers={"Accept-Language": "en"})
    assert "You have no published activity" in english.text
