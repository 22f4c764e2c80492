"""Logging in by scanning: one ticket, one browser, one use, two minutes; and logging out."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.core.clock import now
from app.core.ratelimit import TAG
from app.runtime import Runtime
from app.services import web_logins
from app.web.access import local
from tests.conftest import ScratchFactory
from tests.factories.clock import travel
from tests.factories.http import assert_refused
from tests.factories.pages import OWN, a_user, browser, enter, number_on, open_login, poll
from tests.factories.people import TestPerson, make_person

LOGINS = "/api/v1/auth/web-logins"
EVIL = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


@pytest.fixture
async def chrome(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(app) as client:
        yield client


@pytest.fixture
async def person(runtime: Runtime) -> TestPerson:
    return await make_person(runtime)


async def _is_in(client: httpx.AsyncClient) -> bool:
    found = await client.get("/projector")
    assert found.status_code in (200, 303), found.text
    return found.status_code == 200


async def test_a_phone_logs_the_browser_in_that_shows_the_code(
    api: httpx.AsyncClient, chrome: httpx.AsyncClient, person: TestPerson
) -> None:
    shown = await chrome.get("/login", params={"back": "/projector?limit=5"})
    ticket = chrome.cookies["qx-ticket"].partition(".")[0]
    assert chrome.cookies["qx-ticket"].partition(".")[2] not in shown.text
    assert (await poll(chrome)).status_code == 204

    told = await api.post(f"{LOGINS}/{ticket}", headers=person.headers)
    assert told.json()["number"] == number_on(shown.text)
    taken = await poll(chrome, back="/projector?limit=5")

    assert taken.json() == {"location": "/projector?limit=5"}
    assert taken.headers["cache-control"] == "no-store"
    assert await _is_in(chrome)


async def test_the_cookie_is_opaque_and_stored_as_a_hash(
    app: FastAPI, runtime: Runtime, person: TestPerson
) -> None:
    async with browser(app) as plain:
        reply = await plain.post("/login/sandbox", headers=OWN, data={"user": a_user()})
    assert reply.status_code == 303
    given = reply.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= {*given.split("; ")}
    token = given.partition("=")[2].partition(";")[0]
    query = text("SELECT count(*) FROM web_logins WHERE hash = sha256(CAST(:token AS bytea))")
    async with runtime.database.read() as tx:
        assert (await tx.execute(query, {"token": token.encode()})).scalar_one() == 1


async def test_over_https_the_cookie_is_of_this_host_alone(app: FastAPI) -> None:
    async with browser(app) as client:
        client.base_url = httpx.URL("https://test")
        reply = await client.post("/login/sandbox", headers=OWN, data={"user": a_user()})
        given = reply.headers["set-cookie"]
        assert given.startswith("__Host-qx=")
        assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= {*given.split("; ")}
        assert "Domain" not in given
        assert await _is_in(client)
        # One of the name that http uses is no login here.
        client.cookies = httpx.Cookies({"qx": client.cookies["__Host-qx"]})
        assert not await _is_in(client)


async def test_a_ticket_is_used_once(
    api: httpx.AsyncClient, chrome: httpx.AsyncClient, person: TestPerson
) -> None:
    ticket = await open_login(chrome)
    kept = chrome.cookies["qx-ticket"]
    await api.post(f"{LOGINS}/{ticket}", headers=person.headers)
    assert (await poll(chrome)).status_code == 200

    chrome.cookies = httpx.Cookies({"qx-ticket": kept})
    assert_refused(await poll(chrome), 404, "auth.web_login_over")
    again = await api.post(f"{LOGINS}/{ticket}", headers=person.headers)
    assert_refused(again, 404, "auth.web_login_over")
    assert not await _is_in(chrome)


async def test_a_ticket_of_another_browser_logs_nobody_in(
    app: FastAPI, api: httpx.AsyncClient, chrome: httpx.AsyncClient, person: TestPerson
) -> None:
    """Whoever has read the code from the screen lacks the secret."""
    ticket = await open_login(chrome)
    await api.post(f"{LOGINS}/{ticket}", headers=person.headers)

    async with browser(app) as thief:
        await open_login(thief)
        secret = thief.cookies["qx-ticket"].partition(".")[2]
        for value in (f"{ticket}.{secret}", f"{ticket}.", ticket, "", "."):
            thief.cookies = httpx.Cookies({"qx-ticket": value})
            assert_refused(await poll(thief), 404, "auth.web_login_over")

    assert (await poll(chrome)).status_code == 200


async def test_a_ticket_lasts_two_minutes(
    chrome: httpx.AsyncClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_login(chrome)
    key = f"{TAG}:ticket:{chrome.cookies['qx-ticket'].partition('.')[0]}"
    assert 110 < await runtime.redis.ttl(key) <= 120

    await runtime.redis.delete(key)  # as its end does

    assert_refused(await poll(chrome), 404, "auth.web_login_over")


async def test_a_cookie_that_was_set_before_the_login_is_not_kept(
    api: httpx.AsyncClient, chrome: httpx.AsyncClient, person: TestPerson
) -> None:
    """Session fixation: the login makes a cookie of its own."""
    chrome.cookies.set("qx", "planted" * 6, domain="test.local")
    assert not await _is_in(chrome)
    ticket = await open_login(chrome)
    await api.post(f"{LOGINS}/{ticket}", headers=person.headers)
    taken = await poll(chrome)

    assert taken.status_code == 200
    assert "planted" not in taken.headers["set-cookie"]
    chrome.cookies = httpx.Cookies({"qx": "planted" * 6})
    assert not await _is_in(chrome)


async def test_a_post_of_another_site_does_nothing(
    chrome: httpx.AsyncClient, runtime: Runtime, person: TestPerson
) -> None:
    await enter(chrome, runtime, person)
    other_origin = {"Origin": "https://evil.example"}
    for headers in (EVIL, {"Sec-Fetch-Site": "same-site"}, other_origin, {"Origin": "null"}, {}):
        for path in ("/logout", "/logout/everywhere", "/login/sandbox", "/login/ticket"):
            refused = await chrome.post(path, headers=headers, data={"user": a_user()})
            assert refused.status_code == 403, (path, headers)
            assert "set-cookie" not in refused.headers
    assert await _is_in(chrome)

    old_browser = await chrome.post("/logout", headers={"Origin": "http://test"})
    assert old_browser.status_code == 303


def test_a_login_leads_to_no_other_site() -> None:
    elsewhere = (
        *("//evil.example", "/\\evil.example", "/a\\b", "/\t/evil.example", "/ 空格"),
        *("https://evil.example/", "javascript:alert(1)", "evil", "", "/" + "x" * 600),
    )
    assert {local(path) for path in elsewhere} == {"/projector"}


def test_a_login_leads_to_a_place_of_this_site() -> None:
    assert local("/projector/x?action=check_out") == "/projector/x?action=check_out"
    assert local(None) == "/projector"
    assert local("/login?back=/login") == "/projector"


async def test_a_login_that_ended_leads_back_to_the_same_place(
    chrome: httpx.AsyncClient, runtime: Runtime, person: TestPerson
) -> None:
    wanted = "/projector?limit=5"
    refused = await chrome.get(wanted)
    assert refused.status_code == 303
    assert refused.headers["location"] == "/login?back=%2Fprojector%3Flimit%3D5"
    shown = await chrome.get(refused.headers["location"])
    assert 'data-back="/projector?limit=5"' in shown.text

    part = await chrome.get(
        "/projector", headers={"HX-Request": "true", "HX-Current-URL": f"http://test{wanted}"}
    )
    assert part.status_code == 401
    assert part.headers["hx-redirect"] == "/login?back=%2Fprojector%3Flimit%3D5"

    posted = await chrome.post("/logout", headers=OWN | {"Referer": "https://evil.example//x"})
    assert posted.headers["location"] == "/login?back=%2Fprojector"
    script = await chrome.get("/projector", headers={"Accept": "application/json"})
    assert_refused(script, 401, "auth.login_required")


async def test_logging_out_ends_the_login_in_every_process(
    app: FastAPI, chrome: httpx.AsyncClient, runtime: Runtime, person: TestPerson
) -> None:
    token = await enter(chrome, runtime, person)
    async with browser(app) as other:
        await enter(other, runtime, person)
        assert await _is_in(chrome)

        out = await chrome.post("/logout", headers=OWN)

        assert out.headers["location"] == "/login"
        chrome.cookies = httpx.Cookies({"qx": token})
        assert not await _is_in(chrome)
        assert await _is_in(other)
        assert await runtime.web_logins.find(token) is None


async def test_logging_out_everywhere_ends_phones_and_pages_of_the_person_alone(
    app: FastAPI,
    api: httpx.AsyncClient,
    chrome: httpx.AsyncClient,
    runtime: Runtime,
    person: TestPerson,
) -> None:
    somebody = await make_person(runtime)
    async with browser(app) as other, browser(app) as stranger:
        await enter(chrome, runtime, person)
        await enter(other, runtime, person)
        await enter(stranger, runtime, somebody)

        await chrome.post("/logout/everywhere", headers=OWN)

        assert not await _is_in(other)
        assert await _is_in(stranger)
        phone = await api.get("/api/v1/me", headers=person.headers)
        assert_refused(phone, 401, "auth.token_invalid")
        assert (await api.get("/api/v1/me", headers=somebody.headers)).status_code == 200


async def test_a_login_ends_after_twelve_hours(
    chrome: httpx.AsyncClient, runtime: Runtime, person: TestPerson
) -> None:
    token = await enter(chrome, runtime, person)
    assert await _is_in(chrome)
    with travel(now() + web_logins.LASTS + timedelta(seconds=1)):
        assert runtime.web_logins.known(token) is None
        assert await runtime.web_logins.find(token) is None


async def test_the_api_takes_no_cookie_and_a_page_no_token(
    chrome: httpx.AsyncClient, runtime: Runtime, person: TestPerson
) -> None:
    assert (await chrome.get("/projector", headers=person.headers)).status_code == 303
    await enter(chrome, runtime, person)
    assert_refused(await chrome.get("/api/v1/me"), 401, "auth.login_required")


async def test_production_has_no_sandbox_login(scratch: ScratchFactory) -> None:
    async with scratch(wechat="live") as live, browser(live) as client:
        assert (
            await client.post("/login/sandbox", headers=OWN, data={"user": "a"})
        ).status_code == 404
        assert "/login/sandbox" not in (await client.get("/login")).text
